; SPDX-License-Identifier: MIT
; A reset by the reset control register; nothing behind it is executed.

%include "guest.inc"

    guest_start
    mov dx, 0xcf9
    mov al, 0x06
    out dx, al
    fail "it goes on"

    guest_routines 16
