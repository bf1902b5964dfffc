; SPDX-License-Identifier: MIT
;
; What takes the hypervisor long, each with a timer that asks for an interrupt a thousand times a second: the result must be right, and the
; interrupts must have come in between, for none of it is done in one exit. test/emu/exits.py looks at how long the longest was. Runs in 64 MiB.

%include "guest.inc"

TICKS equ 0x6000                ; interrupts so far
BEFORE equ 0x6004               ; of them, when the call began
ACCESSED equ 0x6008             ; 1: the EPT has accessed flags
STRING equ 0x10000              ; a segment of newlines
STRING_LENGTH equ 4096
BITMAP equ 0x100000
FIRST equ 0x200000              ; what is written to, page for page
LAST equ 64 << 20
PAGES equ (LAST - FIRST) >> 12
FIRST_BYTE equ FIRST >> 15      ; of the bitmap
LARGE equ (LAST - FIRST) >> 21
PIT_CONTROL equ 0x43
PIT_COUNTER equ 0x40
PIT_COUNT equ 1193              ; 1000 interrupts a second
MTRR_BASE equ 0x200
MTRR_MASK equ 0x201
APIC equ 0xfee00000
SCREEN_COLUMNS equ 0x44a        ; of the BIOS data area
SCREEN_ROWS equ 0x484

; What is between these is done with interrupts, of which there must be %1.
%macro long_begins 0
    push dword [TICKS]
    pop dword [BEFORE]
    sti
%endmacro
%macro long_ends 2+             ; how many at least, what it is
    pushfd
    push eax
    cli
    mov eax, [TICKS]
    sub eax, [BEFORE]
    cmp eax, %1
    pop eax
    check_condition ae, %2, ": interrupts came late"
    popfd
    cli
%endmacro

; A hypercall that keeps all registers but EAX and its results.
%macro long_call 3+             ; number, interrupts, text
    long_begins
    hypercall %1
    long_ends %2, %3
    check_equal eax, HYPERCALL_OK, %3, ": status"
%endmacro

%macro check_page 4+            ; address, level, rights, text
    mov ebx, %1
    hypercall HYPERCALL_QUERY_MAPPING
    check_equal ebx, %2, %4, ": level"
    check_equal ecx, %3, %4, ": rights"
%endmacro

    guest_start
    check_version
    flat_segments
    mov word [8 * 4], tick
    mov word [8 * 4 + 2], 0
    mov al, 0x34                ; counter 0, mode 2
    out PIT_CONTROL, al
    mov al, PIT_COUNT & 0xff
    out PIT_COUNTER, al
    mov al, PIT_COUNT >> 8
    out PIT_COUNTER, al
    mov al, 0xfe                ; IRQ 0 alone
    out 0x21, al

; Every page of the RAM in a dirty log, so mapped by itself.
    mov ebx, DIRTY_SOURCE_WRITE_PROTECTION
    mov ecx, DIRTY_GRANULARITY_4K
    hypercall HYPERCALL_DIRTY_START
    check_equal eax, HYPERCALL_OK, "start"
    call touch
    mov esi, 0x5a5a
    mov ebx, BITMAP
    mov ecx, LAST >> 15
    mov edx, 0x77
    long_call HYPERCALL_DIRTY_COLLECT, 3, "collect"
    check_equal ecx, LAST >> 15, "collect: bytes"
    check_equal edx, 0x77, "collect: EDX is kept"
    check_equal esi, 0x5a5a, "collect: ESI is kept"
    cmp ebx, PAGES
    check_condition ae, "collect: pages"
    cmp ebx, PAGES + 16         ; variables, stack, bitmap
    check_condition be, "collect: pages too many"
    mov edi, BITMAP + FIRST_BYTE
    mov ecx, PAGES / 32
.written:
    cmp dword [fs:edi], -1
    check_condition e, "collect: a page is missing"
    add edi, 4
    loop .written, ecx

; A second one has only what came since.
    mov dword [fs:dword FIRST + 0x5000], 1
    mov dword [fs:dword LAST - 0x1000], 1
    mov ebx, BITMAP
    mov ecx, LAST >> 15
    hypercall HYPERCALL_DIRTY_COLLECT
    check_equal eax, HYPERCALL_OK, "second collection"
    cmp ebx, 16
    check_condition be, "second collection: pages too many"
    check_equal byte [fs:dword BITMAP + FIRST_BYTE], 0x20, "second collection: first pages"
    check_equal byte [fs:dword BITMAP + (LAST >> 15) - 1], 0x80, "second collection: last pages"

; Idle pages.
    mov ebx, FIRST
    mov ecx, LAST - FIRST
    mov edx, BITMAP
    long_begins
    hypercall HYPERCALL_HARVEST_ACCESSED
    cmp eax, HYPERCALL_UNSUPPORTED
    je .no_flags
    mov byte [ACCESSED], 1
    long_ends 3, "harvest"
    check_equal eax, HYPERCALL_OK, "harvest: status"
    check_equal ebx, PAGES, "harvest: pages"
    check_equal ecx, PAGES / 8, "harvest: bytes"
    check_equal edx, BITMAP, "harvest: EDX is kept"
    check_equal dword [fs:dword BITMAP], 0, "harvest: the first pages were accessed"
    check_equal dword [fs:dword BITMAP + PAGES / 8 - 4], 0, "harvest: the last pages were accessed"
    mov al, [fs:dword FIRST + 0x3000]
    mov al, [fs:dword LAST - 0x2000]
    mov ebx, FIRST + 0x1000     ; from a page on that begins no byte, no word and no large page
    mov ecx, LAST - FIRST - 0x1000
    mov edx, BITMAP
    long_call HYPERCALL_HARVEST_ACCESSED, 3, "second harvest"
    check_equal ebx, 2, "second harvest: pages"
    check_equal dword [fs:dword BITMAP], ~4, "second harvest: first pages"
    check_equal dword [fs:dword BITMAP + 0x40], -1, "second harvest: between two parts"
    check_equal dword [fs:dword BITMAP + PAGES / 8 - 4], 0x5fffffff, "second harvest: last pages"
.no_flags:
    cli

; Rights, taken away and given back.
    mov ebx, FIRST
    mov ecx, LAST - FIRST
    mov edx, 1
    long_call HYPERCALL_SET_RIGHTS, 10, "rights"
    check_equal ebx, FIRST, "rights: EBX is kept"
    check_equal ecx, LAST - FIRST, "rights: ECX is kept"
    check_page FIRST, 1, 1, "rights: first page"
    check_page 0x2345000, 1, 1, "rights: a page"
    check_page LAST - 0x1000, 1, 1, "rights: last page"
    mov ebx, FIRST
    mov ecx, LAST - FIRST
    mov edx, 3
    long_call HYPERCALL_SET_RIGHTS, 10, "rights again"
    call touch

; The end of the log makes large pages again.
    long_call HYPERCALL_DIRTY_STOP, 3, "stop"
    check_equal ebx, LARGE, "stop: large pages"
    check_page FIRST, 2, 3, "stop: first page"
    check_page LAST - 0x1000, 2, 3, "stop: last page"

; The start of one takes D or W from small pages: made small by one that was stopped, but for one page in each large one.
    mov ebx, DIRTY_SOURCE_WRITE_PROTECTION
    mov ecx, DIRTY_GRANULARITY_4K
    hypercall HYPERCALL_DIRTY_START
    check_equal eax, HYPERCALL_OK, "start again"
    call touch
    mov ebx, BITMAP
    mov ecx, LAST >> 15
    long_call HYPERCALL_DIRTY_COLLECT, 3, "third collection"

; Memory types that change from page to page.
    mov ecx, MTRR_BASE
    xor eax, eax                ; UC
    xor edx, edx
    wrmsr
    mov ecx, MTRR_MASK
    mov eax, 0x1800             ; valid, bit 12
    long_begins
    wrmsr
    long_ends 6, "types"             ; one a part at least, though STI stands right in front
    rdmsr
    check_equal eax, 0x1800, "types: the register"
    mov al, [fs:dword FIRST + 0x800000]
    mov al, [fs:dword FIRST + 0x801000]
    mov ebx, FIRST + 0x800000
    hypercall HYPERCALL_QUERY_MAPPING
    check_equal edx, 0, "types: a page that is UC"
    mov ebx, FIRST + 0x801000
    hypercall HYPERCALL_QUERY_MAPPING
    check_equal edx, 6, "types: a page that is WB"
    call touch
    mov ecx, MTRR_MASK
    xor eax, eax
    xor edx, edx
    long_begins
    wrmsr
    long_ends 6, "types as before"
    mov al, [fs:dword FIRST + 0x800000]
    mov ebx, FIRST + 0x800000
    hypercall HYPERCALL_QUERY_MAPPING
    check_equal edx, 6, "types as before"

; Very many pieces of one type: each fault must decide quickly.
    hypercall HYPERCALL_DIRTY_STOP
    mov ecx, MTRR_BASE
    mov eax, 6
    xor edx, edx
    wrmsr
    mov ecx, MTRR_MASK
    mov eax, 0x5800
    wrmsr
    mov edi, FIRST
    mov ecx, 64
.pieces:
    mov al, [fs:edi]
    add edi, 0x123000
    loop .pieces, ecx

; Text.
    mov ax, STRING >> 4
    mov es, ax
    xor di, di
    mov cx, STRING_LENGTH
    mov al, 10
    rep stosb
    mov ebx, STRING
    mov ecx, STRING_LENGTH
    long_call HYPERCALL_PUT_STRING, 100, "text"
    check_equal ebx, STRING, "text: EBX is kept"
    check_equal ecx, STRING_LENGTH, "text: ECX is kept"
    mov ax, STRING >> 4
    mov ds, ax
    xor si, si
    mov cx, STRING_LENGTH
    mov dx, PORT_COM1
    sti
    rep outsb
    cli
    xor ax, ax
    mov ds, ax
    check_equal si, STRING_LENGTH, "OUTS: all of it"

; The BIOS: each character scrolls a screen of 132 by 60.
    mov word [SCREEN_COLUMNS], 132
    mov byte [SCREEN_ROWS], 59
    mov ax, 0x1301
    mov bx, 7
    mov cx, 60
    mov dx, 0x3b05
    xor bp, bp
    long_begins
    int 0x10
    long_ends 10, "screen"
    check_equal cx, 60, "screen: CX is kept"
    mov ah, 3
    xor bx, bx
    int 0x10
    cli
    check_equal dx, 0x3b05, "screen: the cursor"
    mov ah, 2
    xor dx, dx
    int 0x10
    mov ax, 0x0941
    mov bx, 0x1e
    mov cx, 0xffff
    int 0x10
    mov ax, 0x0a42
    mov cx, 0xffff
    int 0x10
    cli
    mov ax, 0xb800
    mov es, ax
    check_equal dword [es:0], 0x1e421e42, "screen: filled"

; 64 KiB from the string's to above 1 MiB.
    mov dword [0x7000 + 0x12], STRING | 0x93 << 24
    mov dword [0x7000 + 0x1a], 0x300000 | 0x93 << 24
    xor ax, ax
    mov es, ax
    mov si, 0x7000
    mov cx, 0x8000
    mov ah, 0x87
    int 0x15
    check_condition nc, "a block's move"
    cli
    check_equal dword [fs:dword 0x300000 + STRING_LENGTH - 4], 0x0a0a0a0a, "a block's move: its end"

; A string out of a device.
    mov esi, APIC
    mov edi, 0xb000
    mov ecx, 1024
    a32 fs rep movsd
    check_equal ecx, 0, "a string out of a device"
    cmp dword [TICKS], 300
    check_condition ae, "too few interrupts"
    pass

; Each page from FIRST on. Changes EDI.
touch:
    mov edi, FIRST
.next:
    mov [fs:edi], edi
    add edi, 0x1000
    cmp edi, LAST
    jb .next
    ret

tick:
    push ax
    inc dword [cs:TICKS]
    mov al, 0x20
    out 0x20, al
    pop ax
    iret

    guest_gdt
    guest_routines 16
