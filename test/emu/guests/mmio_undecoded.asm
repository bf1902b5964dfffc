; SPDX-License-Identifier: MIT
;
; An instruction that is not emulated, on the test device: the guest ends, and is told which.

%include "guest.inc"

    guest_start
    check_version
    push word TEST_MEMORY_GPA >> 4
    pop es
    mov al, [es:0]
    fld dword [es:0x10]
    print "never printed", 10
    pass
    guest_routines 16
