; SPDX-License-Identifier: MIT
; A reset by system control port A; nothing behind it is executed.

%include "guest.inc"

    guest_start
    mov al, 0x01
    out 0x92, al
    fail "it goes on"

    guest_routines 16
