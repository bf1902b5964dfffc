; SPDX-License-Identifier: MIT
;
; A 2 MiB page whose pages get different rights is split, and none of its other pages is missing for it: no access to them exits. When the
; rights are equal again the 2 MiB page is back. Runs in 16 MiB.

%include "guest.inc"

LARGE equ 0x600000              ; the 2 MiB page
PAGE_1 equ LARGE + 0x5000
PAGE_2 equ LARGE + 0x1ff000

%macro set_rights 3             ; address, length, rights
    mov ebx, %1
    mov ecx, %2
    mov edx, %3
    hypercall HYPERCALL_SET_RIGHTS
    check_equal eax, HYPERCALL_OK, "set rights"
%endmacro

%macro check_mapping 4          ; address, level, rights, text
    mov ebx, %1
    hypercall HYPERCALL_QUERY_MAPPING
    check_equal ebx, %2, %4, ": level"
    check_equal ecx, %3, %4, ": rights"
%endmacro

; Every page of LARGE is read, and written unless it is %1 or %2: no exit but that of the second EXIT_COUNT, and one perhaps of the timer.
%macro touch_all_but 2
    hypercall HYPERCALL_EXIT_COUNT
    mov ebp, ebx
    mov edi, LARGE
%%next:
    mov eax, [fs:edi + 8]
    cmp edi, %1
    je %%read
    cmp edi, %2
    je %%read
    inc dword [fs:edi + 12]
%%read:
    check_equal eax, edi, "contents of a page"
    add edi, 0x1000
    cmp edi, LARGE + 0x200000
    jb %%next
    hypercall HYPERCALL_EXIT_COUNT
    sub ebx, ebp
    cmp ebx, 2
    check_condition be, "exits while all pages are touched"
%endmacro

    guest_start
    check_version
    flat_segments
; Nothing above 4 MiB is executed: with the right taken away, large pages are as good on processors with the iTLB-multihit erratum as on others.
    set_rights 0x400000, 0xc00000, 3
    mov edi, LARGE
fill:
    mov [fs:edi + 8], edi
    add edi, 0x1000
    cmp edi, LARGE + 0x200000
    jb fill
    mov edi, LARGE - 8
    mov eax, [fs:edi]
    check_mapping LARGE, 2, 3, "before"

    mov dword [rounds], 3
again:
    set_rights PAGE_1, 0x1000, 1
    check_mapping PAGE_1 - 0x1000, 1, 3, "below the page"
    check_mapping PAGE_1, 1, 1, "the page"
    check_mapping PAGE_1 + 0x1000, 1, 3, "above the page"
    check_mapping PAGE_2, 1, 3, "the last page"
    check_mapping LARGE - 0x1000, 2, 3, "the 2 MiB below"
    touch_all_but PAGE_1, PAGE_1
    set_rights PAGE_2, 0x1000, 1
    touch_all_but PAGE_1, PAGE_2
    set_rights PAGE_1, 0x1000, 3
    check_mapping PAGE_1, 1, 3, "equal but for one"
    touch_all_but PAGE_2, PAGE_2
    set_rights PAGE_2, 0x1000, 3
    check_mapping LARGE, 2, 3, "equal again"
    check_mapping PAGE_2, 2, 3, "equal again, the last page"
    touch_all_but 0, 0
    dec dword [rounds]
    jnz again

; More and less than one large page, from inside of one to inside of another.
    mov edi, 0x800000
    mov [fs:edi], edi
    set_rights 0x500000, 0x400000, 1
    check_mapping 0x4ff000, 1, 3, "below the range"
    check_mapping 0x500000, 1, 1, "first page of the range"
    check_mapping LARGE, 2, 1, "a whole large page"
    check_mapping 0x8ff000, 1, 1, "last page of the range"
    check_mapping 0x900000, 1, 3, "above the range"
    set_rights 0x500000, 0x400000, 3
    check_mapping 0x500000, 2, 3, "after the range, first"
    check_mapping LARGE, 2, 3, "after the range, second"
    check_mapping 0x8ff000, 2, 3, "after the range, third"
    print "merge: the large pages are back", 10
    pass

    align 4
rounds: dd 0

    guest_gdt
    guest_routines 16
