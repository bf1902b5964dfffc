; SPDX-License-Identifier: MIT
;
; Prints lines without end.

%include "guest.inc"

    guest_start
    mov dx, PORT_DEBUG_BOCHS
.again:
    mov al, 'x'
    out dx, al
    mov al, 10
    out dx, al
    jmp .again

    guest_routines 16
