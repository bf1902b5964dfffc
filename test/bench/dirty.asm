; SPDX-License-Identifier: MIT
;
; What the dirty log costs: the split of a 2 MiB page at its first write, the page-modification log that is full, a collection; and a 2 MiB
; page put together again. Assembled for MODE 16, 32 and 64; runs in 32 MiB. Rows whose names end in `_page` are told for all pages together;
; test/bench/figures.py divides. Beside the pages that a collection is named for it has those that the measuring itself writes: the bitmap's,
; the table's, this code's data and stack, in 64-bit mode some paging structures.

%define TABLE_ENTRIES 0x20000
%include "bench.inc"

%ifdef SHORT
N equ 20
%else
N equ 100
%endif
BITMAP equ 0x100000
BITMAP_BYTES equ 32 * 256 / 8
LARGE equ 0x200000
AREA equ 0x800000
LARGE_PAGES equ 8
PAGES equ LARGE_PAGES * 512
LOG_ENTRIES equ 512
MANY_TICKS equ 1000             ; a write that takes so long has drained the log

%macro write_pages 1            ; from AREA on
    mov edi, AREA
    mov ecx, %1
    call write
%endmacro

%macro write_one 0
    inc dword [fs:edi]
    add edi, 0x1000
%endmacro

%macro next_large 0
    mov edi, LARGE_PAGES
    sub edi, [left]
    imul edi, edi, LARGE
    add edi, AREA
%endmacro

%macro collect_call 0
    mov eax, HYPERCALL_DIRTY_COLLECT
    mov ebx, BITMAP
    mov ecx, BITMAP_BYTES
%endmacro

%macro rights_call 3
    mov eax, HYPERCALL_SET_RIGHTS
    mov ebx, %1
    mov ecx, %2
    mov edx, %3
%endmacro

%macro set_rights 3
    rights_call %1, %2, %3
    vmcall
    check_equal eax, HYPERCALL_OK, "set rights"
%endmacro

    bench_start
    check_version
    set_rights 0x400000, 0x1c00000, 3   ; with the right to execute, some processors need small pages
    mov edi, AREA
touch:
    mov eax, [fs:edi]
    add edi, LARGE
    cmp edi, AREA + LARGE_PAGES * LARGE
    jb touch
    mov edi, BITMAP
    mov byte [fs:edi], 0

    mov ebx, DIRTY_SOURCE_PML
    mov ecx, DIRTY_GRANULARITY_4K
    hypercall HYPERCALL_DIRTY_START
    check_equal eax, HYPERCALL_OK, "start"
    check_equal ecx, BITMAP_BYTES, "start: bytes"

    row "split_page", LARGE_PAGES, {inc dword [fs:edi]}, next_large
    call find_full
    row "pml_drain_page", N, {inc dword [fs:edi]}, {call fill_all_but_one}, write_one
    row "dirty_collect_0", N, {vmcall}, nothing, collect_call
    row "dirty_collect_1", N, {vmcall}, {write_pages 1}, collect_call
    row "dirty_collect_512", N, {vmcall}, {write_pages 512}, collect_call
    row "dirty_collect_page", N / 5, {vmcall}, {write_pages PAGES}, collect_call
    hypercall HYPERCALL_DIRTY_STOP
    check_equal eax, HYPERCALL_OK, "stop"

    ; The last page with other rights than the rest gets the same: the 2 MiB page is back.
    row "merge_page", N, {vmcall}, {set_rights AREA + 0x5000, 0x1000, 1}, {rights_call AREA + 0x5000, 0x1000, 3}
    mov ebx, AREA
    hypercall HYPERCALL_QUERY_MAPPING
    check_equal ebx, 2, "merged: level"
    pass

; Writes to ECX pages from EDI on.
write:
    inc dword [fs:edi]
    add edi, 0x1000
    dec ecx
    jnz write
    ret

collect:
    collect_call
    vmcall
    check_equal eax, HYPERCALL_OK, "collect"
    ret

; The log is full after [fill] writes from AREA on, each to a page of its own: what the code writes besides is in it, too.
find_full:
    call collect
%ifdef COUNTING
    call count_from
%endif
    mov edi, AREA
.next:
    rdtsc
    mov [then], eax
    inc dword [fs:edi]
    rdtsc
    sub eax, [then]
    add edi, 0x1000
    cmp eax, MANY_TICKS
    jb .next
    sub edi, AREA + 0x1000              ; the last one has found it full
    shr edi, 12
    mov [fill], edi
    cmp edi, LOG_ENTRIES - 16
    check_condition ae, "the log is full too early"
    cmp edi, LOG_ENTRIES
    check_condition be, "the log is full too late"
    ret

; The page at EDI takes the last place in the log, the one behind it drains it. The last place is taken by the code that is measured: in Bochs 2.7
; any write that walks the EPT finds the log full, and the first one after an exit walks.
fill_all_but_one:
    call collect
    mov edi, AREA
    mov ecx, [fill]
    dec ecx
    jmp write

    bench_routines
fill: dd 0
