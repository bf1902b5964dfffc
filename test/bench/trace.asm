; SPDX-License-Identifier: MIT
;
; What a trace record adds to quick exits: figures.py runs this with the trace off and on, and takes the difference. In front of each measured
; instruction the same one exits at another place, so that each measured exit is a record of its own; in the rows named fold_ all exits are the same.
; The rows named place_ differ in what they are about, at one place. Assembled for MODE 16, 32 and 64.

%include "bench.inc"

%ifdef SHORT
N equ 100
LARGE_PAGES equ 20
%else
N equ 1000
LARGE_PAGES equ 200
%endif
LARGE equ 0x200000
UNKNOWN_CALL equ 0x12340000
ABSENT_PORT equ 0x1234
MSR_MISC_ENABLE equ 0x1a0
BLOCK equ 0x20000000            ; a block of 2 MiB that is made of 4 KiB pages, and the next one

%macro leaf_0 0
    xor eax, eax
    xor ecx, ecx
%endmacro
%macro other_leaf 0
    mov eax, [left]
    and eax, 1
    xor ecx, ecx
%endmacro
%macro other_ebx 0
    mov eax, UNKNOWN_CALL
    mov ebx, [left]
%endmacro
%macro before_cpuid 0
    leaf_0
    cpuid
%endmacro
%macro before_vmcall 0
    mov eax, UNKNOWN_CALL
    xor ebx, ebx
    vmcall
%endmacro
%macro before_rdmsr 0
    mov ecx, MSR_MISC_ENABLE
    rdmsr
%endmacro
%macro before_in 0
    mov edx, ABSENT_PORT
    in al, dx
%endmacro
%macro no_data 0
    mov edx, ABSENT_PORT + 1
    xor eax, eax
%endmacro
%macro before_out 0
    no_data
    out dx, al
%endmacro
%macro other_data 0
    mov edx, ABSENT_PORT + 1
    mov eax, [left]
%endmacro
%macro other_port 0
    mov edx, [left]
    and edx, 1
    add edx, ABSENT_PORT + 2
%endmacro

; EDI: the next of %3 pages from %1 on, each %2 further.
%macro touched 3
    mov edi, %3
    sub edi, [left]
    imul edi, edi, %2
    add edi, %1
%endmacro

    bench_start
    check_version
    row "cpuid", N, {cpuid}, {before_cpuid}, {leaf_0}
    row "vmcall", N, {vmcall}, {before_vmcall}, {mov eax, UNKNOWN_CALL}
    row "rdmsr", N, {rdmsr}, {before_rdmsr}, {mov ecx, MSR_MISC_ENABLE}
    row "in", N, {in al, dx}, {before_in}, {mov edx, ABSENT_PORT}
    row "out", N, {out dx, al}, {before_out}, {no_data}
    row "place_cpuid", N, {cpuid}, nothing, {other_leaf}
    row "place_vmcall", N, {vmcall}, nothing, {other_ebx}
    row "place_in", N, {in al, dx}, nothing, {other_port}
    row "place_out", N, {out dx, al}, nothing, {other_data}
    row "fold_cpuid", N, {cpuid}, nothing, {leaf_0}
    row "fold_vmcall", N, {vmcall}, nothing, {mov eax, UNKNOWN_CALL}
    row "fold_rdmsr", N, {rdmsr}, nothing, {mov ecx, MSR_MISC_ENABLE}
    row "fold_in", N, {in al, dx}, nothing, {mov edx, ABSENT_PORT}
    row "fold_out", N, {out dx, al}, nothing, {no_data}

    mov edi, BLOCK
next_block:
    mov ebx, edi
    mov ecx, 0x1000
    mov edx, 3
    hypercall HYPERCALL_SET_RIGHTS
    check_equal eax, HYPERCALL_OK, "set rights"
    add edi, LARGE
    cmp edi, BLOCK + 2 * LARGE
    jb next_block
    row "ept_4k", 500, {mov al, [fs:edi]}, {touched BLOCK + 0x1000, 0x1000, 500}
    row "ept_2m", LARGE_PAGES, {mov al, [fs:edi]}, {touched 0x400000, LARGE, LARGE_PAGES}
    pass

    bench_routines
