; SPDX-License-Identifier: MIT
;
; What the dirty log costs, in ticks as the guest sees them: the split of a 2 MiB page at the first write, the page-modification log that is
; full, and a collection. Every figure is a difference of two that have all but the measured thing in common. Runs in 32 MiB.

%include "guest.inc"

BITMAP equ 0x100000
BITMAP_BYTES equ 32 * 256 / 8
AREA equ 0x800000               ; eight pages of 2 MiB
LARGE equ 0x200000

; Ticks since the last `from_now` in EAX.
%macro from_now 0
    rdtsc
    mov [then], eax
%endmacro

%macro until_now 0
    rdtsc
    sub eax, [then]
%endmacro

%macro show 1+                  ; EAX
    print %1, " "
    call put_hex
    print 10
%endmacro

%macro write_pages 1            ; from AREA on
    mov edi, AREA
    mov ecx, %1
%%next:
    inc dword [fs:edi]
    add edi, 0x1000
    dec ecx
    jnz %%next
%endmacro

    guest_start
    check_version
    flat_segments
    mov ebx, 0x400000
    mov ecx, 0x1c00000
    mov edx, 3
    hypercall HYPERCALL_SET_RIGHTS
    check_equal eax, HYPERCALL_OK, "set rights"
    mov edi, AREA
touch:
    mov eax, [fs:edi]
    add edi, LARGE
    cmp edi, AREA + 8 * LARGE
    jb touch
    mov edi, BITMAP
    mov dword [fs:edi], 0
    mov dword [fs:edi + 0x1000 - 4], 0

    mov ebx, DIRTY_SOURCE_BEST
    mov ecx, DIRTY_GRANULARITY_4K
    hypercall HYPERCALL_DIRTY_START
    check_equal eax, HYPERCALL_OK, "start"
    check_equal ebx, DIRTY_SOURCE_PML, "start: the source"
    check_equal ecx, BITMAP_BYTES, "start: bytes"

; The first large page warms nothing up in an emulator, but brings the frames of the pool; the last is measured.
    mov edi, AREA
split:
    from_now
    mov dword [fs:edi], 1
    until_now
    mov ebp, eax
    add edi, LARGE
    cmp edi, AREA + 8 * LARGE
    jb split
    mov eax, ebp
    show "split"

    call collect
    from_now
    write_pages 4096
    until_now
    mov ebp, eax
    from_now
    write_pages 4096            ; the same, dirty now
    until_now
    sub ebp, eax
    mov eax, ebp
    show "seven full logs"      ; the eighth has room for no more, but has not been asked yet
    call collect
    write_pages 3072
    call collect
    mov esi, eax
    write_pages 1024
    call collect
    sub esi, eax
    mov eax, esi
    show "collect of 2048 more"
    print "dirty cost: measured", 10
    pass

; EAX: its ticks.
collect:
    from_now
    mov ebx, BITMAP
    mov ecx, BITMAP_BYTES
    hypercall HYPERCALL_DIRTY_COLLECT
    check_equal eax, HYPERCALL_OK, "collect"
    until_now
    ret

%include "test/emu/guests/put_hex.inc"

    align 4
then: dd 0

    guest_gdt
    guest_routines 16
