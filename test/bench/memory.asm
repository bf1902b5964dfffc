; SPDX-License-Identifier: MIT
;
; What the EPT costs: first touches, repairs after a misconfiguration. Assembled for MODE 16, 32 and 64; runs in 1280 MiB, of which all is
; zeroed before the guest starts: there is no page that must be zeroed at the touch. A table is zeroed ahead, or (to_zero: more than half of
; them) when it is needed. The touch is one of the ticks.

%include "bench.inc"

LARGE equ 0x200000
PAGES equ 250
LARGE_PAGES equ 500
READY_BLOCKS equ 12             ; of 2 MiB, made of 4 KiB pages: their tables are among those that are zeroed ahead (vmm/vm/table_pool.h)
BLOCKS equ READY_BLOCKS + 72
BLOCKS_AT equ 0x44000000
SECOND_GIB equ 0x40000000

; EDI: the next of %3 pages from %1 on, each %2 further.
%macro touched 3
    mov edi, %3
    sub edi, [left]
    imul edi, edi, %2
    add edi, %1
%endmacro

%macro first_touch 4                    ; "name", count, from, distance
    row %1, %2, {mov al, [fs:edi]}, {touched %3, %4, %2}
%endmacro

; The entry of level %4 at the page is spoilt in way %3 before each touch.
%macro repair 4                         ; "name", page, PLANT_..., level
    row %1, 50, {mov al, [fs:edi]}, {spoil %2, %3, %4}
%endmacro

%macro plant 3
    mov ebx, %1
    mov ecx, %2 | %3 << 8
    hypercall HYPERCALL_PLANT_FAULT
%endmacro

%macro touch_second_gib 0
    mov edi, SECOND_GIB
    mov al, [fs:edi]
%endmacro

%macro spoil 3
    plant %1, %2, %3
    check_equal eax, HYPERCALL_OK, "plant"
    mov edi, %1
%endmacro

    bench_start
    check_version
    first_touch "ept_new_1g", 1, SECOND_GIB, LARGE
    first_touch "ept_2m", LARGE_PAGES, 0x400000, LARGE

    ; One page of each block may not be executed: the block has small pages from the beginning.
    mov edi, BLOCKS_AT
next_block:
    mov ebx, edi
    mov ecx, 0x1000
    mov edx, 3
    hypercall HYPERCALL_SET_RIGHTS
    check_equal eax, HYPERCALL_OK, "set rights"
    add edi, LARGE
    cmp edi, BLOCKS_AT + BLOCKS * LARGE
    jb next_block
    first_touch "ept_new_2m_of_4k", READY_BLOCKS, BLOCKS_AT + 0x1000, LARGE
    first_touch "ept_new_2m_of_4k_to_zero", BLOCKS - READY_BLOCKS, BLOCKS_AT + READY_BLOCKS * LARGE + 0x1000, LARGE
    first_touch "ept_4k", PAGES, BLOCKS_AT + 0x2000, 0x1000

    repair "ept_repair_write_only", 0x400000, PLANT_WRITE_ONLY, 2
    repair "ept_repair_write_execute", 0x400000, PLANT_WRITE_EXECUTE, 2
    repair "ept_repair_type_2", 0x400000, PLANT_MEMORY_TYPE_2, 2
    repair "ept_repair_type_3", 0x400000, PLANT_MEMORY_TYPE_3, 2
    repair "ept_repair_type_7", 0x400000, PLANT_MEMORY_TYPE_7, 2
    repair "ept_repair_reserved_low", BLOCKS_AT + 0x2000, PLANT_RESERVED_LOW, 2
    repair "ept_repair_address", 0x400000, PLANT_RESERVED_ADDRESS, 2
    repair "ept_repair_alignment", 0x400000, PLANT_RESERVED_ALIGNMENT, 2

    ; A PML4E translates this code, too: the first to meet the fault is the fetch right behind the VMCALL that makes it. So that call and the
    ; repair are measured together, and the same call one level lower, on a fault that is met and repaired elsewhere, is the base.
    row_between "ept_repair_pml4e_bit_7", 50, {plant SECOND_GIB, PLANT_RESERVED_LOW, 3}, {plant 0x400000, PLANT_LARGE_PAGE, 4}, touch_second_gib
    hypercall HYPERCALL_LAST_FAULT
    check_equal ebx, 49, "bit 7 of a PML4E: exit reason"
    check_equal ecx, 4, "bit 7 of a PML4E: level"
    check_equal edx, PLANT_LARGE_PAGE, "bit 7 of a PML4E: what it was"
    pass

    bench_routines
