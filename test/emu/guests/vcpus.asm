; SPDX-License-Identifier: MIT
;
; Several vCPUs of one guest in its memory at once: they fault on the same pages, on neighbouring pages and on the same large pages; one takes
; rights away while the others access, and nothing may get through once the hypercall has returned; holes and ROM look to each as if it were
; alone; a dirty log has what each has written. Runs with any number of vCPUs up to 8 (`vcpus=N`), in 16 MiB. EBP is a vCPU's index throughout.

%include "guest.inc"
%include "test/emu/guests/vcpu_begins.inc"

VARIABLES equ 0x6000            ; a page
count equ VARIABLES             ; of vCPUs
arrived equ VARIABLES + 4       ; at the barrier, ever
stop equ VARIABLES + 8          ; the accessing vCPUs leave their loop
targets equ VARIABLES + 0x20    ; a dword each: what `arrived` must come to
rounds equ VARIABLES + 0x80     ; a dword each, 64 bytes apart: accesses that have got through

SAME_PAGES equ 0x100000         ; 4 KiB pages, for RAM begins anew at 1 MiB: no large page fits below 2 MiB
SAME_COUNT equ 48
NEIGHBOURS equ 0x140000
NEIGHBOUR_COUNT equ 64          ; for each vCPU there is one in every row
LARGE equ 0x200000              ; three 2 MiB pages
LARGE_COUNT equ 3
CONTENDED equ 0x190000          ; a 4 KiB page
CONTENDED_LARGE equ 0xa00000    ; a page within a 2 MiB page, which is split
LOGGED equ 0x1a0000             ; a page for each vCPU
BITMAP equ 0x1c0000
HOLES equ 0x2000000
HOLES_EACH equ 80               ; 2 MiB apart; 16 MiB of RAM give the guest 72 tables
BITMAP_BYTES equ 16 * 256 / 8
CHANGES equ 12                  ; of rights, on each of the two pages
OTHER_CS equ 0x10               ; where the other vCPUs begin: CS:IP with a CS that is not 0
A_WHILE equ 400                 ; turns of a loop in which the others would get something through

%macro barrier 0
    call meet
%endmacro

; EDI = address of this vCPU's dword in the page at %1.
%macro own_dword 1
    mov edi, ebp
    shl edi, 6
    add edi, %1
%endmacro

    guest_start
    check_version
    flat_segments
    xor ebp, ebp
    hypercall HYPERCALL_VCPU_COUNT
    check_equal eax, HYPERCALL_OK, "count: status"
    check_equal ecx, 0, "count: the first vCPU's index"
    mov [count], ebx

; What cannot be started.
    xor ecx, ecx
    xor ebx, ebx
    hypercall HYPERCALL_START_VCPU
    check_equal eax, HYPERCALL_BAD_ARGUMENT, "the first vCPU cannot be started"
    mov ebx, [count]
    hypercall HYPERCALL_START_VCPU
    check_equal eax, HYPERCALL_BAD_ARGUMENT, "there is no such vCPU"

    mov ebx, 1
.start:
    cmp ebx, [count]
    jae .started
    mov ecx, OTHER_CS << 16 | 0xffff & (other - $$ + 0x7c00 - OTHER_CS * 16)
    hypercall HYPERCALL_START_VCPU
    check_equal eax, HYPERCALL_OK, "start"
    hypercall HYPERCALL_START_VCPU
    check_equal eax, HYPERCALL_BAD_ARGUMENT, "started twice"
    inc ebx
    jmp .start
.started:
    jmp run

; Where the others begin: all is as at the guest's start, but for EBX.
other:
    vcpu_begins
    mov eax, ebx
    shl eax, 8
    mov esp, 0x7c00
    sub esp, eax
    mov ebp, ebx
    cld
    flat_segments
    hypercall HYPERCALL_VCPU_COUNT
    check_equal ecx, ebp, "the index in EBX is the vCPU's"
    check_equal ebx, [count], "all have the same count"

run:
    call same_pages
    call neighbouring_pages
    call large_pages
    mov esi, CONTENDED
    call contended
    mov esi, CONTENDED_LARGE
    call contended
    call holes_and_rom
    call tables_run_out
    call dirty_log
    barrier

; The last one ends the guest, whichever CPU it is on; the others never exit by themselves again.
    mov eax, [count]
    dec eax
    cmp eax, ebp
    je .last
    jmp $
.last:
    print "vcpus: done", 10
    pass

; All vCPUs come here before one goes on.
meet:
    mov eax, [count]
    add [targets + ebp * 4], eax
    lock inc dword [arrived]
.wait:
    pause
    mov eax, [arrived]
    cmp eax, [targets + ebp * 4]
    jb .wait
    ret

%macro say 1+
    test ebp, ebp
    jnz %%quiet
    print %1
%%quiet:
%endmacro

; Every vCPU's first access to each page is at the same time as all the others'.
same_pages:
    mov edi, SAME_PAGES
.next:
    barrier
    lock inc dword [fs:edi]
    add edi, 0x1000
    cmp edi, SAME_PAGES + SAME_COUNT * 0x1000
    jb .next
    barrier
    mov edi, SAME_PAGES
.check:
    mov eax, [fs:edi]
    check_equal eax, [count], "the same page: an increment is lost"
    add edi, 0x1000
    cmp edi, SAME_PAGES + SAME_COUNT * 0x1000
    jb .check
    say "vcpus: the same pages", 10
    ret

; In rows of as many pages as there are vCPUs, each vCPU a page; then each reads all.
neighbouring_pages:
    barrier
    mov edi, ebp
    shl edi, 12
    add edi, NEIGHBOURS
    mov edx, [count]
    shl edx, 12
.next:
    mov eax, edi
    xor eax, 0xa5a50000
    mov [fs:edi], eax
    add edi, edx
    cmp edi, NEIGHBOURS + NEIGHBOUR_COUNT * 0x1000
    jb .next
    barrier
    mov edi, NEIGHBOURS
.check:
    mov eax, [fs:edi]
    xor eax, 0xa5a50000
    check_equal eax, edi, "neighbouring pages: what another vCPU wrote"
    add edi, 0x1000
    cmp edi, NEIGHBOURS + NEIGHBOUR_COUNT * 0x1000
    jb .check
    say "vcpus: neighbouring pages", 10
    ret

large_pages:
    own_dword LARGE
    mov cx, LARGE_COUNT
.next:
    barrier
    lea eax, [edi + ebp + 1]
    mov [fs:edi], eax
    cmp [fs:edi], eax
    check_condition e, "a large page: what was written"
    add edi, 0x200000
    dec cx
    jnz .next
    barrier
    say "vcpus: the same large pages", 10
    ret

; ESI = a page. The others write and read their dword in it, over and over, while the first takes the right to write, then every right, and gives
; them back. As soon as the hypercall has returned no write may get through, and nothing of the page may be read.
contended:
    own_dword esi
    xor eax, eax
    mov [stop], eax
    mov edx, ebp
    shl edx, 6
    mov [edx + rounds], eax
    barrier
    test ebp, ebp
    jz .change

; ECX: the highest number tried, EDX: the last that was seen in memory. EDX rises, and is never what nobody wrote.
    xor ecx, ecx
    xor edx, edx
.access:
    cmp dword [stop], 0
    jne .leave
    inc ecx
    mov [fs:edi], ecx
    mov eax, [fs:edi]
    cmp eax, -1                 ; no right to read: as an empty bus
    je .access
    cmp eax, edx
    check_condition ae, "contended: an old value is back"
    cmp eax, ecx
    check_condition be, "contended: a value that nobody wrote"
    mov edx, eax
    mov eax, ebp
    shl eax, 6
    inc dword [eax + rounds]
    jmp .access
.leave:
    barrier
    ret

.change:
    mov di, CHANGES
.next_change:
    mov edx, 5                  ; read, execute
    call set_rights
    call snapshot
    mov ecx, A_WHILE
    call pass_time
    call compare
    mov edx, 0
    call set_rights
    call counters
    mov ecx, A_WHILE
    call pass_time
    call compare_counters
    mov edx, 7
    call set_rights
    call wait_for_progress
    dec di
    jnz .next_change
    mov dword [stop], 1
    barrier
    print "vcpus: rights taken away and given back", 10
    ret

set_rights:
    push edi
    mov ebx, esi
    mov ecx, 0x1000
    hypercall HYPERCALL_SET_RIGHTS
    check_equal eax, HYPERCALL_OK, "set rights"
    pop edi
    ret

pass_time:
    pause
    loop pass_time, ecx
    ret

; The others' dwords, and later whether they are the same.
saved: times 8 dd 0
saved_counts: times 8 dd 0

%macro for_others 0             ; EAX = index, from 1
    mov eax, 1
%%next:
    cmp eax, [count]
    jae %%end
%define for_others_next %%next
%define for_others_end %%end
%endmacro
%macro end_others 0
    inc eax
    jmp for_others_next
for_others_end:
%endmacro

snapshot:
    for_others
    mov ebx, eax
    shl ebx, 6
    mov edx, [fs:esi + ebx]
    mov [saved + eax * 4], edx
    end_others
    ret

compare:
    for_others
    mov ebx, eax
    shl ebx, 6
    mov edx, [fs:esi + ebx]
    check_equal edx, [saved + eax * 4], "contended: a write got through after the right to it was gone"
    end_others
    ret

counters:
    for_others
    mov ebx, eax
    shl ebx, 6
    mov edx, [ebx + rounds]
    mov [saved_counts + eax * 4], edx
    end_others
    ret

; What was read before the right was gone may be counted a little later: one at most.
compare_counters:
    for_others
    mov ebx, eax
    shl ebx, 6
    mov edx, [ebx + rounds]
    sub edx, [saved_counts + eax * 4]
    cmp edx, 1
    check_condition be, "contended: a read got through after the right to it was gone"
    end_others
    ret

wait_for_progress:
    call counters
    for_others
    mov ebx, eax
    shl ebx, 6
.wait:
    pause
    mov edx, [ebx + rounds]
    sub edx, [saved_counts + eax * 4]
    cmp edx, 2
    jb .wait
    end_others
    ret

; A hole that another vCPU writes to at the same time reads as all ones all the same; ROM that another writes to does not change.
holes_and_rom:
    barrier
    mov cx, 24
.next:
    mov [dword fs:GUEST_HOLE_BASE], ebp
    mov eax, [dword fs:GUEST_HOLE_BASE]
    check_equal eax, -1, "a hole shows what a vCPU wrote"
    mov [dword fs:GUEST_ROM_SIGNATURE], ebp
    mov eax, [dword fs:GUEST_ROM_SIGNATURE]
    check_equal eax, 'ADEP', "ROM shows what a vCPU wrote"
    dec cx
    jnz .next
    barrier
    say "vcpus: holes and ROM", 10
    ret

; Each hole needs a table of its own, and all together more than the guest may have: the EPT is dropped under the others' feet, and comes back.
tables_run_out:
    barrier
    own_dword SAME_PAGES + 0x800
    mov esi, ebp
    shl esi, 21
    add esi, HOLES
    mov edx, [count]
    shl edx, 21
    mov cx, HOLES_EACH
.next:
    mov eax, [fs:esi]
    check_equal eax, -1, "tables run out: a hole"
    inc dword [fs:edi]
    add esi, edx
    dec cx
    jnz .next
    mov eax, [fs:edi]
    check_equal eax, HOLES_EACH, "tables run out: RAM"
    barrier
    mov eax, [dword fs:SAME_PAGES]
    check_equal eax, [count], "tables run out: what was there before"
    barrier
    say "vcpus: tables run out", 10
    ret

; Each vCPU writes a page of its own; the collection of one has them all, and the next has none of them.
dirty_log:
    test ebp, ebp
    jnz .started
    mov ebx, DIRTY_SOURCE_BEST
    mov ecx, DIRTY_GRANULARITY_4K
    hypercall HYPERCALL_DIRTY_START
    check_equal eax, HYPERCALL_OK, "dirty log: start"
.started:
    barrier
    mov edi, ebp
    shl edi, 12
    mov [fs:edi + LOGGED], ebp
    barrier
    test ebp, ebp
    jnz .collected
    call collect
    call logged_bits
    mov ebx, 1
    mov ecx, [count]
    shl ebx, cl
    dec ebx
    check_equal eax, ebx, "dirty log: not what each vCPU wrote"
    call collect
    call logged_bits
    check_equal eax, 0, "dirty log: written before, collected again"
    hypercall HYPERCALL_DIRTY_STOP
    check_equal eax, HYPERCALL_OK, "dirty log: stop"
.collected:
    barrier
    say "vcpus: a dirty log", 10
    ret

collect:
    mov ebx, BITMAP
    mov ecx, BITMAP_BYTES
    hypercall HYPERCALL_DIRTY_COLLECT
    check_equal eax, HYPERCALL_OK, "dirty log: collect"
    ret

; EAX = the bits of the 16 pages from LOGGED.
logged_bits:
    movzx eax, word [dword fs:BITMAP + LOGGED / 0x1000 / 8]
    ret

    guest_gdt
    guest_routines 16
