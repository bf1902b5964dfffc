; SPDX-License-Identifier: MIT
;
; Interrupts on, and then nothing more: whoever makes its CPU exit shows in its table of exits.

%include "guest.inc"

    guest_start
    check_version
    sti
    jmp $

    guest_routines 16
