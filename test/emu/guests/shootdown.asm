; SPDX-License-Identifier: MIT
;
; What other CPUs have cached of the EPT is gone when a change of it has been made. The other vCPUs read a page each, over and over, without any
; exit of their own; the first harvests the accessed flags of these pages, waits until each other has read some more, and harvests again: every
; page must have been accessed. A CPU that still used its cached translation would not set the flag again. Twice: with the others' interrupts
; off, and on. Needs EPT accessed flags and two vCPUs (`vcpus=N`, up to 8). EBP is a vCPU's index.

%include "guest.inc"

VARIABLES equ 0x6000
count equ VARIABLES             ; of vCPUs
arrived equ VARIABLES + 4       ; at the barrier, ever
stop equ VARIABLES + 8
stale equ VARIABLES + 16        ; pages that should have been found accessed, and were not
targets equ VARIABLES + 0x20
rounds equ VARIABLES + 0x80     ; a dword each, 64 bytes apart
PAGES equ 0x100000              ; one each
BITMAP equ 0x10000
HARVESTS equ 64

    guest_start
    check_version
    flat_segments
    xor ebp, ebp
    hypercall HYPERCALL_VCPU_COUNT
    mov [count], ebx
    cmp ebx, 2
    check_condition ae, "two vCPUs at least"
    mov ebx, 1
.start:
    mov ecx, other
    hypercall HYPERCALL_START_VCPU
    check_equal eax, HYPERCALL_OK, "start"
    inc ebx
    cmp ebx, [count]
    jb .start

    print "shootdown: interrupts off"
    call phase
    print "shootdown: interrupts on"
    call phase
    cmp dword [stale], 0
    check_condition e, "another CPU used a translation that was to be gone"
    pass

other:
    mov eax, ebx
    shl eax, 8
    mov esp, 0x7c00
    sub esp, eax
    mov ebp, ebx
    flat_segments
    call read_pages
    sti                         ; nothing interrupts but the hypervisor's own
    call read_pages
    jmp $

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

read_pages:
    mov edi, ebp
    shl edi, 12
    add edi, PAGES
    mov ebx, ebp
    shl ebx, 6
    call meet
.next:
    mov eax, [fs:edi]
    inc dword [ebx + rounds]
    cmp dword [stop], 0
    je .next
    call meet
    ret

phase:
    mov dword [stop], 0
    call meet
    call wait_for_others
    mov cx, HARVESTS
.next:
    call harvest
    call wait_for_others
    call harvest
    mov edx, [count]
    dec edx
    sub edx, ebx                ; pages that should have been found accessed, and were not
    add [stale], edx
    call wait_for_others
    dec cx
    jnz .next
    mov dword [stop], 1
    call meet
    print ": stale pages: 0x"
    mov eax, [stale]
    call print_hex
    print 10
    ret

; EBX = pages of the others that were accessed.
harvest:
    push ecx
    mov ebx, PAGES + 0x1000
    mov ecx, [count]
    dec ecx
    shl ecx, 12
    mov edx, BITMAP
    hypercall HYPERCALL_HARVEST_ACCESSED
    check_equal eax, HYPERCALL_OK, "harvest"
    pop ecx
    ret

%define VCPUS dword [count]
%define ROUNDS rounds
%include "test/emu/guests/wait_for_others.inc"

; EAX as 4 hexadecimal digits.
print_hex:
    push cx
    mov cx, 4
.next:
    rol ax, 4
    push ax
    and al, 15
    cmp al, 10
    sbb al, 0x69
    das
    call put_16
    pop ax
    dec cx
    jnz .next
    pop cx
    ret

    guest_gdt
    guest_routines 16
