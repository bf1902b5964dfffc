; SPDX-License-Identifier: MIT
; A reset by the keyboard controller; nothing behind it is executed.

%include "guest.inc"

    guest_start
    mov al, 0xfe
    out 0x64, al
    fail "it goes on"

    guest_routines 16
