; SPDX-License-Identifier: MIT
;
; Prints one line and never exits again: the whole line must reach the console all the same.

%include "guest.inc"

    guest_start
    print "line: a line that is longer than a UART's FIFO, from a guest that then never exits again", 10
.stay:
    jmp .stay

    guest_routines 16
