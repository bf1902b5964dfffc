; SPDX-License-Identifier: MIT
;
; An interrupt whose stack is the test device: the delivery of an event is not emulated, and the guest ends.

%include "guest.inc"

    guest_start
    check_version
    mov ax, TEST_MEMORY_GPA >> 4
    mov ss, ax
    mov sp, 0x100
    int 0x60
    mov ax, 0
    mov ss, ax
    mov sp, 0x7c00
    print "never printed", 10
    pass
    guest_routines 16
