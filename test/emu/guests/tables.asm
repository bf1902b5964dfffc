; SPDX-License-Identifier: MIT
;
; A guest with few EPT tables: 2 MiB pages that are split because of one page, most of them gone through one after the other (each is soon
; needed no more), and some that are touched all the time. Which tables go when their frames run out shows in the number of VM exits.
; Runs in 64 MiB with tables=16: three above the last level, one for the code, and twelve.

%include "guest.inc"

LARGE equ 0x200000
HOT equ 4 * LARGE               ; four of them, of four pages each
STREAM equ 8 * LARGE
STREAM_END equ 32 * LARGE
ROUNDS equ 20                   ; of the stream
STREAM_TOUCHES equ ROUNDS * (STREAM_END - STREAM) / LARGE

    guest_start
    check_version
    flat_segments
    mov edi, HOT
split:
    lea ebx, [edi + LARGE - 0x1000]
    mov ecx, 0x1000
    mov edx, 1
    hypercall HYPERCALL_SET_RIGHTS
    check_equal eax, HYPERCALL_OK, "set rights"
    add edi, LARGE
    cmp edi, STREAM_END
    jb split

    hypercall HYPERCALL_EXIT_COUNT
    mov [start], ebx
    mov word [round], 0
each_round:
    mov edi, STREAM
each_touch:
; Every hot page, then a page of the stream; each counts in memory how often.
    mov esi, HOT
.hot:
    mov eax, [touches]
    check_equal eax, [fs:esi], "a hot page's word"
    inc dword [fs:esi]
    add esi, 0x3000
    test esi, 0xf000            ; 0, 3, 6, 9, 12 (and 15) of each
    jz .next_hot
    mov eax, esi
    and eax, LARGE - 1
    cmp eax, 0xc000
    jb .hot
.next_hot:
    and esi, -LARGE
    add esi, LARGE
    cmp esi, STREAM
    jb .hot
    inc dword [touches]
    movzx eax, word [round]
    check_equal eax, [fs:edi], "the stream's word"
    inc dword [fs:edi]
    add edi, LARGE
    cmp edi, STREAM_END
    jb each_touch
    inc word [round]
    cmp word [round], ROUNDS
    jb each_round

    hypercall HYPERCALL_EXIT_COUNT
    sub ebx, [start]
    mov ebp, ebx
    print "stream touches and exits: 0x"
    mov eax, STREAM_TOUCHES
    call put_hex
    print " 0x"
    mov eax, ebp
    call put_hex
    print 10
    pass

%include "test/emu/guests/put_hex.inc"

    align 4
start: dd 0
touches: dd 0
round: dw 0

    guest_gdt
    guest_routines 16
