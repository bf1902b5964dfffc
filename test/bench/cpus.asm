; SPDX-License-Identifier: MIT
;
; What a fresh page of 4 KiB costs each of 1, 2 and 8 vCPUs that touch memory of their own at the same time: 1000 pages in a row, in the midst of
; which a table is added. A row is of as many measurements as vCPUs take part, each of PAGES pages (figures.py knows). In real mode. EBP is a
; vCPU's index.

%define TABLE_ENTRIES 0x40000
%include "bench.inc"

PAGES equ 1000
AREA equ 0x400000               ; for each vCPU in each row
AREAS_AT equ 0x1000000
VARIABLES equ 0x6000
active equ VARIABLES            ; vCPUs that take part
where equ VARIABLES + 4         ; the first one's memory
arrived equ VARIABLES + 8       ; at the barrier, ever
targets equ VARIABLES + 0x20    ; a dword for each vCPU
first_ticks equ VARIABLES + 0x40
again_ticks equ VARIABLES + 0x60

; "name", vCPUs
%macro measured 2
    mov dword [active], %2
%ifdef COUNTING
    mov dword [reads], 0
    mov dword [writes], 0
    call count_from
%endif
    call take_part
%ifdef COUNTING
    call count_to
    push dword [reads]
    push dword [writes]
%endif
    call begin_base
    mov ebx, again_ticks
    call record_all
    call begin_measured
    mov ebx, first_ticks
    call record_all
    sub dword [base], PAGES     ; the touch is one of the ticks
%ifdef COUNTING
    pop dword [writes]
    pop dword [reads]
%endif
    show_row %1, %2
    add dword [where], %2 * AREA
%endmacro

    bench_start
    check_version
    ; One page of each block may not be executed: the block has small pages from the beginning.
    mov edi, AREAS_AT
next_block:
    mov ebx, edi
    mov ecx, 0x1000
    mov edx, 3
    hypercall HYPERCALL_SET_RIGHTS
    check_equal eax, HYPERCALL_OK, "set rights"
    add edi, 0x200000
    cmp edi, AREAS_AT + (1 + 2 + 8) * AREA
    jb next_block
    mov dword [where], AREAS_AT
    mov ebx, 1
start:
    mov ecx, other
    hypercall HYPERCALL_START_VCPU
    check_equal eax, HYPERCALL_OK, "start"
    inc ebx
    cmp ebx, CPUS
    jb start
    xor ebp, ebp
    measured "ept_4k_1_cpu", 1
    measured "ept_4k_2_cpus", 2
    measured "ept_4k_8_cpus", 8
    pass

other:
    mov eax, ebx
    shl eax, 8
    mov esp, 0x7c00
    sub esp, eax
    mov ebp, ebx
    flat_segments
.next:
    call take_part
    jmp .next

; At the same time as all others that take part: pages that nobody has touched, and again.
take_part:
    call meet
    cmp ebp, [active]
    jae .done
    mov esi, ebp
    imul esi, esi, AREA
    add esi, [where]
    call touch_pages
    mov [first_ticks + ebp * 4], eax
    call touch_pages
    mov [again_ticks + ebp * 4], eax
.done:
    call meet
    ret

meet:
    mov eax, CPUS
    add [targets + ebp * 4], eax
    lock inc dword [arrived]
.wait:
    pause
    mov eax, [arrived]
    cmp eax, [targets + ebp * 4]
    jb .wait
    ret

; EAX: ticks. Changes EBX, ECX, EDX, EDI. The two before let the hypervisor learn what is around them.
touch_pages:
    mov al, [fs:esi + 0x2000]
    mov al, [fs:esi + 0x3000]
    lea edi, [esi + 0x4000]
    mov ecx, PAGES
    rdtsc
    mov ebx, eax
.next:
    mov al, [fs:edi]
    add edi, 0x1000
    dec ecx
    jnz .next
    rdtsc
    sub eax, ebx
    ret

; What the vCPUs that took part have left at EBX.
record_all:
    mov ecx, [active]
.next:
    mov eax, [ebx]
    call record
    add ebx, 4
    dec ecx
    jnz .next
    ret

    bench_routines
