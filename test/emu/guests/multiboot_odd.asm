; SPDX-License-Identifier: MIT
; Multiboot kernels, ELF32 by hand, that are linked in unusual ways. -D KIND=DYNAMIC: type ET_DYN; SEGMENTS: 40 of them;
; OVERLAP: the linear addresses of two overlap where the entry point is, the first holds it; PHYSICAL: the entry point is
; a physical address, as in xv6; HEADERS: the file's headers are a segment below 1 MiB, in the ROM; FIRST_LINEAR: one segment has it as a linear address, another as a physical one. The
; code knows no address of its own; where it must not be entered stands a HLT, which ends a guest as failed.

%include "guest.inc"

DYNAMIC equ 1
SEGMENTS equ 2
OVERLAP equ 3
PHYSICAL equ 4
FIRST_LINEAR equ 5
HEADERS equ 6

%if KIND == DYNAMIC
TYPE equ 3
%else
TYPE equ 2
%endif
%if KIND == SEGMENTS
COUNT equ 40
%elif KIND == OVERLAP || KIND == FIRST_LINEAR || KIND == HEADERS
COUNT equ 2
%else
COUNT equ 1
%endif

; LINEAR, PHYSICAL, START, END, SIZE IN MEMORY
%macro program_header 5
    dd 1, %3, %1, %2, (%4) - (%3), %5, 7, 0x1000
%endmacro

    bits 32
    org 0
    db 0x7f, "ELF", 1, 1, 1
    times 9 db 0
    dw TYPE, 3
    dd 1, 0x100000, 52, 0, 0
    dw 52, 32, COUNT, 40, 0, 0
%if KIND == DYNAMIC
    program_header 0x100000, 0x100000, good, good_end, good_end - good
%elif KIND == SEGMENTS
%assign i 0
%rep COUNT
    program_header 0x100000 + i * 0x1000, 0x100000 + i * 0x1000, good, good_end, good_end - good
%assign i i + 1
%endrep
%elif KIND == OVERLAP
    program_header 0x100000, 0x100000, good, good_end, good_end - good
    program_header 0, 0x200000, bad, bad_end, 0x180000
%elif KIND == HEADERS
    program_header 0xff000, 0xff000, $$, $$ + 0x74, 0x74
    program_header 0x100000, 0x100000, good, good_end, good_end - good
%elif KIND == PHYSICAL
    program_header 0xc0100000, 0x100000, good, good_end, good_end - good
%else
    program_header 0xc0100000, 0x100000, bad, bad_end, 0x1000
    program_header 0x100000, 0x200000, good, good_end, good_end - good
%endif
    align 4, db 0
    dd 0x1badb002, 0, -0x1badb002

bad:
    times 16 hlt
bad_end:
good:
    mov esi, [ebx + 16]         ; its command line
    mov dx, PORT_COM1
.next:
    lodsb
    test al, al
    jz .end
    out dx, al
    jmp .next
.end:
    mov al, 10
    out dx, al
    mov dx, PORT_END
    xor eax, eax
    out dx, al
    hlt
good_end:
