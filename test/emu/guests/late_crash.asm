; SPDX-License-Identifier: MIT
;
; After a while, in which another guest has filled its ring of the trace, this one shuts itself down: with a report.

%include "guest.inc"

    guest_start
    mov ecx, 300000
.wait:
    dec ecx
    jnz .wait
    mov word [0x7000], 0        ; no vector at all: the exception, #DF, shutdown
    lidt [0x7000]
    int3

    guest_routines 16
