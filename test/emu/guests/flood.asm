; SPDX-License-Identifier: MIT
;
; More exits than the trace can print: pairs of CPUID that cannot be folded, then one that can, then text. Every exit must be
; counted: printed, folded, or said to be lost.

%include "guest.inc"

%ifndef PAIRS
%define PAIRS 6000
%endif
REPEATS equ 5000

    guest_start
    mov ebp, PAIRS
.pairs:
    xor eax, eax
    xor ecx, ecx
    cpuid
    mov eax, 1
    xor ecx, ecx
    cpuid
    dec ebp
    jnz .pairs
    mov ebp, REPEATS
.repeats:
    mov eax, 1
    xor ecx, ecx
    cpuid
    dec ebp
    jnz .repeats
    print "flood: done", 10
    pass

    guest_routines 16
