; SPDX-License-Identifier: MIT
;
; The dirty log, by each source that the processor has: known pages are written, and each collection must give exactly these. Then the
; idle-page map. Runs in 16 MiB; what it writes besides is its variables, its stack, and the two bitmaps below.

%include "guest.inc"

VARIABLES equ 0x6000            ; page 6; the stack is in page 7
EXPECTED equ 0x10000
ACTUAL equ 0x12000              ; written by the hypervisor: dirty from one collection to the next
BITMAP_BYTES equ 16 * 256 / 8   ; 16 MiB

round equ VARIABLES             ; since the log was started
source equ VARIABLES + 4
pages equ VARIABLES + 8         ; bits that are set in EXPECTED

KEPT_1 equ 0x600800
KEPT_2 equ 0x9ff800

; Writes pages %1, %1 + %3, ... : %2 of them; they are expected.
%macro write_pages 3
    mov esi, %1
    mov ecx, %2
    mov ebx, %3
    call write_them
%endmacro

; Pages %1 .. %1 + %2 - 1 are expected too.
%macro expect_pages 2
    mov esi, %1
    mov ecx, %2
    call expect_them
%endmacro

%macro read_page 1
    mov edi, %1 << 12
    mov al, [fs:edi]
%endmacro

%macro collect 0
    call collect_and_compare
%endmacro

%macro check_level 3            ; address, level, text
    mov ebx, %1
    hypercall HYPERCALL_QUERY_MAPPING
    check_equal ebx, %2, %3
    check_equal ecx, 3, %3, ": rights"
%endmacro

    guest_start
    check_version
    flat_segments

; Nothing above 4 MiB is executed: with the right taken away, large pages are as good on processors with the iTLB-multihit erratum as on others.
    mov ebx, 0x400000
    mov ecx, 0xc00000
    mov edx, 3
    hypercall HYPERCALL_SET_RIGHTS
    check_equal eax, HYPERCALL_OK, "set rights"

; What has no log to work on, and what makes no sense.
    mov ebx, ACTUAL
    mov ecx, BITMAP_BYTES
    hypercall HYPERCALL_DIRTY_COLLECT
    check_equal eax, HYPERCALL_BAD_ARGUMENT, "collect without a log"
    hypercall HYPERCALL_DIRTY_STOP
    check_equal eax, HYPERCALL_BAD_ARGUMENT, "stop without a log"
    mov ebx, 4
    xor ecx, ecx
    hypercall HYPERCALL_DIRTY_START
    check_equal eax, HYPERCALL_BAD_ARGUMENT, "start: no such source"
    mov ebx, DIRTY_SOURCE_BEST
    mov ecx, 2
    hypercall HYPERCALL_DIRTY_START
    check_equal eax, HYPERCALL_BAD_ARGUMENT, "start: no such granularity"

    mov ebx, DIRTY_SOURCE_BEST
    mov ecx, DIRTY_GRANULARITY_4K
    hypercall HYPERCALL_DIRTY_START
    check_equal eax, HYPERCALL_OK, "start: the best source"
    check_equal ecx, BITMAP_BYTES, "start: bytes of the bitmap"
    mov [source], ebx
    print "best: "
    mov al, [source]
    add al, '0'
    call put_16
    print 10
    mov ebx, DIRTY_SOURCE_BEST
    mov ecx, DIRTY_GRANULARITY_4K
    hypercall HYPERCALL_DIRTY_START
    check_equal eax, HYPERCALL_BAD_ARGUMENT, "start: a log runs already"
    mov ebx, ACTUAL
    mov ecx, BITMAP_BYTES - 1
    hypercall HYPERCALL_DIRTY_COLLECT
    check_equal eax, HYPERCALL_BAD_ARGUMENT, "collect: too few bytes"
    mov ebx, GUEST_ROM_BASE - 8
    mov ecx, BITMAP_BYTES
    hypercall HYPERCALL_DIRTY_COLLECT
    check_equal eax, HYPERCALL_BAD_ADDRESS, "collect: into a hole and ROM"
    hypercall HYPERCALL_DIRTY_STOP
    check_equal eax, HYPERCALL_OK, "stop"

; Large pages, dirty before the log starts; the one at 12 MiB comes later.
    mov edi, KEPT_1
    mov dword [fs:edi], "kep1"
    mov edi, KEPT_2
    mov dword [fs:edi], "kep2"
    read_page 0x400
    read_page 0xa00
    check_level 0x600000, 2, "2 MiB pages: before"

    mov dword [source], DIRTY_SOURCE_PML
each_source:
    mov ebx, [source]
    mov ecx, DIRTY_GRANULARITY_4K
    hypercall HYPERCALL_DIRTY_START
    cmp eax, HYPERCALL_UNSUPPORTED
    jne .there
    call name_source
    print "not on this processor", 10
    jmp next_source
.there:
    check_equal eax, HYPERCALL_OK, "start"
    check_equal ebx, [source], "start: the source"
    mov dword [round], 0

    call new_round
    write_pages 0x100, 85, 3        ; 4 KiB pages
    write_pages 0x400, 2, 5         ; first page of a 2 MiB page, one inside, the last
    write_pages 0x5ff, 1, 1
    write_pages 0x600, 512, 1       ; all of one: a full page-modification log
    write_pages 0x600, 512, 1       ; again
    write_pages 0x800, 256, 2
    write_pages 0xc64, 1, 1         ; not mapped before, the first time
    read_page 0xcc8
    read_page 0xa00
    collect
    mov ebx, 0x600000
    hypercall HYPERCALL_QUERY_MAPPING
    check_equal ebx, 1, "2 MiB pages: split when written"
    mov ebx, 0xa00000
    hypercall HYPERCALL_QUERY_MAPPING
    check_equal ebx, 2, "2 MiB pages: whole while only read"

    call new_round
    write_pages 0x600, 73, 7
    write_pages 0x101, 3, 60
    write_pages 0x9ff, 1, 1
    collect

    call new_round                  ; nothing
    collect

    call new_round
    write_pages 0x600, 1024, 1      ; two full logs
    collect

    hypercall HYPERCALL_DIRTY_STOP
    check_equal eax, HYPERCALL_OK, "stop"
    check_equal ebx, 4, "stop: large pages that are whole again"
    check_level 0x400000, 2, "2 MiB pages: after, at 4 MiB"
    check_level 0x600000, 2, "2 MiB pages: after, at 6 MiB"
    check_level 0x800000, 2, "2 MiB pages: after, at 8 MiB"
    check_level 0xc00000, 2, "2 MiB pages: after, at 12 MiB"
    check_level 0xa00000, 2, "2 MiB pages: after, never written"

; The same with 2 MiB pages left whole.
    mov ebx, [source]
    mov ecx, DIRTY_GRANULARITY_2M
    hypercall HYPERCALL_DIRTY_START
    check_equal eax, HYPERCALL_OK, "start with 2 MiB pages"
    mov dword [round], 0
    call new_round
    write_pages 0x405, 1, 1
    expect_pages 0x400, 512
    write_pages 0x103, 2, 9
    write_pages 0xe30, 2, 1         ; not mapped before, the first time
    expect_pages 0xe00, 512
    collect
    call new_round
    write_pages 0x406, 3, 50
    expect_pages 0x400, 512
    collect
    call new_round
    collect
    hypercall HYPERCALL_DIRTY_STOP
    check_equal eax, HYPERCALL_OK, "stop with 2 MiB pages"
    check_equal ebx, 0, "stop with 2 MiB pages: none was split"

    mov edi, KEPT_1
    check_equal dword [fs:edi], "kep1", "memory at 6 MiB"
    mov edi, KEPT_2
    check_equal dword [fs:edi], "kep2", "memory below 10 MiB"
    call name_source
    print "exact", 10
next_source:
    inc dword [source]
    cmp dword [source], DIRTY_SOURCE_WRITE_PROTECTION
    jbe each_source

; The idle-page map of 1 to 16 MiB, where this guest does not run.
    call harvest
    cmp eax, HYPERCALL_UNSUPPORTED
    jne .flags
    print "idle pages: not on this processor", 10
    jmp done
.flags:
    check_equal eax, HYPERCALL_OK, "harvest"
    call harvest
    check_equal ebx, 0, "harvest: all idle"
    read_page 0x103
    write_pages 0x110, 1, 1
    read_page 0x777                 ; of a 2 MiB page
    call harvest
    check_equal eax, HYPERCALL_OK, "harvest of some"
    check_equal ecx, 480, "harvest: bytes"
    check_equal ebx, 514, "harvest: pages"
    mov edi, EXPECTED
    mov ecx, 480 / 4
.ones:
    mov dword [fs:edi], -1
    add edi, 4
    dec ecx
    jnz .ones
    mov edi, EXPECTED
    mov eax, 0x103 - 0x100
    btr [fs:edi], eax
    mov eax, 0x110 - 0x100
    btr [fs:edi], eax
    mov eax, 0x600 - 0x100
    mov ecx, 512
.large:
    btr [fs:edi], eax
    inc eax
    dec ecx
    jnz .large
    mov ecx, 480
    call compare
    print "idle pages: exact", 10
done:
    print "dirty: all as it should be", 10
    pass

harvest:
    mov ebx, 0x100000
    mov ecx, 0xf00000
    mov edx, ACTUAL
    hypercall HYPERCALL_HARVEST_ACCESSED
    ret

name_source:
    print "source "
    mov al, [source]
    add al, '0'
    call put_16
    print ": "
    ret

; A new set: what this guest writes by being there, and what the last collection wrote.
new_round:
    mov edi, EXPECTED
    mov ecx, BITMAP_BYTES / 4
.clear:
    mov dword [fs:edi], 0
    add edi, 4
    dec ecx
    jnz .clear
    mov dword [pages], 0
    expect_pages VARIABLES >> 12, 2
    expect_pages EXPECTED >> 12, 1
    cmp dword [round], 0
    je .first
    expect_pages ACTUAL >> 12, 1
.first:
    inc dword [round]
    ret

; ECX pages from ESI on, EBX apart.
write_them:
    mov edi, esi
    shl edi, 12
    inc dword [fs:edi + 0x10]
    call expect_one
    add esi, ebx
    dec ecx
    jnz write_them
    ret

expect_them:
    call expect_one
    inc esi
    dec ecx
    jnz expect_them
    ret

expect_one:
    mov edi, EXPECTED
    bts [fs:edi], esi
    jc .known
    inc dword [pages]
.known:
    ret

collect_and_compare:
    mov ebx, ACTUAL
    mov ecx, BITMAP_BYTES
    hypercall HYPERCALL_DIRTY_COLLECT
    check_equal eax, HYPERCALL_OK, "collect"
    check_equal ecx, BITMAP_BYTES, "collect: bytes"
    mov ebp, ebx
    mov ecx, BITMAP_BYTES
    call compare
    check_equal ebp, [pages], "collect: how many"
    ret

; ECX bytes of ACTUAL against EXPECTED.
compare:
    xor edi, edi
.next:
    mov al, [fs:edi + ACTUAL]
    cmp al, [fs:edi + EXPECTED]
    jne .differs
    inc edi
    cmp edi, ecx
    jb .next
    ret
.differs:
    mov dl, al
    print "source, round, byte, is, should be: "
    mov eax, [source]
    call put_hex
    mov eax, [round]
    call put_hex
    mov eax, edi
    call put_hex
    movzx eax, byte [fs:edi + ACTUAL]
    call put_hex
    movzx eax, byte [fs:edi + EXPECTED]
    call put_hex
    print 10
    fail "the set of pages"

put_hex:
    push ecx
    push eax
    mov ecx, 8
.digit:
    rol dword [esp], 4
    mov al, [esp]
    and al, 15
    add al, '0'
    cmp al, '9'
    jbe .put
    add al, 'a' - '0' - 10
.put:
    call put_16
    dec ecx
    jnz .digit
    mov al, ' '
    call put_16
    pop eax
    pop ecx
    ret

    guest_routines 16
    guest_gdt
