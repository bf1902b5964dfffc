; SPDX-License-Identifier: MIT
;
; Interrupts off, and a loop: nothing that it does makes it exit.

%include "guest.inc"

    guest_start
    jmp $

    guest_routines 16
