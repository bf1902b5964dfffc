; SPDX-License-Identifier: MIT
; A graphics mode has no text to show.

%include "guest.inc"

    guest_start
    mov dx, 0x3ce
    mov ax, 0x0506
    out dx, ax
    pass

    guest_routines 16
