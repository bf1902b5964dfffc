; SPDX-License-Identifier: MIT
;
; After a while, in which another guest has filled its ring of lines, this one prints a line and ends well.

%include "guest.inc"

    guest_start
    mov ecx, 200000
.wait:
    dec ecx
    jnz .wait
    print "late_end: ends", 10
    pass

    guest_routines 16
