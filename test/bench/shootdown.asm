; SPDX-License-Identifier: MIT
;
; What it costs that CPUs give up cached translations, in a guest of CPUS vCPUs (-DCPUS=...). The other vCPUs read a page each, over and over,
; without any exit of their own; the first harvests the accessed flags of these pages, which makes a shootdown, or (the base) those of as many
; pages that nobody has accessed, which makes none. The second vCPU sees the interrupt that makes it leave the guest as a gap in its time; now
; and then it is the hypervisor's timer's gap, which is shorter and does not move the median. In real mode. EBP is a vCPU's index.

%define TABLE_ENTRIES 0x10000
%include "bench.inc"

%ifdef SHORT
N equ 20
%else
N equ 200
%endif
OTHERS equ CPUS - 1
ROUNDS equ 0x6000               ; a dword for each vCPU, 64 bytes apart
PAGES equ 0x100000              ; of the first vCPU, the second...
IDLE equ 0x180000               ; as many
BITMAP equ 0x10000
GAPS equ TABLE + 4 * TABLE_ENTRIES      ; as TABLE, of the second vCPU
GAP equ 200                     ; its loop takes less without an exit

%defstr CPUS_TEXT CPUS
%strcat ROW_NAME "shootdown_", CPUS_TEXT

; The second vCPU notes its next gap if told.
%macro harvest 2
    mov dword [awaited], %2
    mov ebx, %1 + 0x1000
    mov ecx, OTHERS << 12
    mov edx, BITMAP
    hypercall HYPERCALL_HARVEST_ACCESSED
%endmacro

; What is counted is of all CPUs: it is over when the others are in the guest again.
%macro harvest_row 2
    harvest %1, %2
%ifdef COUNTING
    call wait_for_others
%endif
%endmacro

    bench_start
    check_version
    mov edi, IDLE
    mov ecx, CPUS
touch:
    mov al, [fs:edi]
    add edi, 0x1000
    dec ecx
    jnz touch
    harvest IDLE, 0
    check_equal eax, HYPERCALL_OK, "harvest"
    mov ebx, 1
start:
    mov ecx, other
    hypercall HYPERCALL_START_VCPU
    check_equal eax, HYPERCALL_OK, "start"
    inc ebx
    cmp ebx, CPUS
    jb start

    call wait_for_others
    harvest PAGES, 0
    check_equal ebx, OTHERS, "pages that the others have accessed"
    row_between ROW_NAME, N, {harvest_row IDLE, 0}, {harvest_row PAGES, 1}, {call wait_for_others}
%if CPUS = 2
    ; VMREADs and VMWRITEs are the same: the interrupt's exit has all that a shootdown has.
    mov esi, TABLE
.copy:
    mov eax, [fs:esi + GAPS - TABLE]
    mov [fs:esi], eax
    add esi, 4
    cmp esi, TABLE + 4 * TABLE_ENTRIES
    jb .copy
    mov eax, [shortest]
    mov [base], eax
    check_equal dword [gaps], N, "gaps"
    show_row "external_interrupt", N
%endif
    pass

%define VCPUS CPUS
%include "test/emu/guests/wait_for_others.inc"

other:
    mov eax, ebx
    shl eax, 8
    mov esp, 0x7c00
    sub esp, eax
    mov ebp, ebx
    flat_segments
    mov edi, ebp
    shl edi, 12
    add edi, PAGES
    mov esi, ebp
    shl esi, 6
    sti                         ; nothing interrupts but the hypervisor's own
    rdtsc
    mov ebx, eax
.next:
    mov eax, [fs:edi]
    inc dword [esi + ROUNDS]
    rdtsc
    mov ecx, eax
    sub eax, ebx
    mov ebx, ecx
    cmp ebp, 1
    jne .next
    cmp eax, GAP
    jae .gap
    cmp eax, [shortest]
    jae .next
    mov [shortest], eax
    jmp .next
.gap:
    cmp eax, TABLE_ENTRIES
    jae .next
    cmp dword [awaited], 0
    je .next
    mov dword [awaited], 0
    inc dword [gaps]
    inc dword [fs:GAPS + eax * 4]
    jmp .next

    bench_routines
awaited: dd 0
gaps: dd 0
shortest: dd -1
