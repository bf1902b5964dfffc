; SPDX-License-Identifier: MIT
;
; Exits without end, each unlike the one before: as many records in the trace.

%include "guest.inc"

    guest_start
    xor esi, esi
.again:
    mov eax, 1
    mov ecx, esi
    cpuid
    inc esi
    jmp .again

    guest_routines 16
