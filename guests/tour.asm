; SPDX-License-Identifier: MIT
;
; tour: what the extended page tables (EPT) do, one thing after the other, each announced and each checked.
;
; Everything here runs in real mode, without paging of its own: an address that the guest computes is its
; physical address, and the EPT alone turns it into the machine's. Adept keeps a list of what this machine has
; - RAM, a hole, ROM - and fills the EPT from it only when an access finds no entry. An EPT is four levels of
; tables of 512 entries each:
;
;   level 4  PML4E  512 GiB  ->  level 3  PDPTE  1 GiB  ->  level 2  PDE  2 MiB  ->  level 1  PTE  4 KiB
;
; An entry of level 3 or 2 can also be a leaf, which maps a page of that size. There are two ways for an entry
; to be wrong:
;   - it does not allow the access: an EPT violation, exit reason 48. Everyday; lazy mapping lives on it.
;   - it makes no sense, such as writable but not readable, or with a reserved bit set: an EPT misconfiguration,
;     exit reason 49. A sign of a broken hypervisor or broken memory; Adept explains the entry and repairs it from its list.
; The hypercall PLANT_FAULT puts every such fault into the EPT on demand, and HYPERCALL_LAST_FAULT tells what
; the exit said.
;
; The map of this guest's memory is in vmm/hypercall_abi.h. It uses:
;   0x007c00  this program, its stack below          0x400000  the 2 MiB page
;   0x040000  pages that nothing has touched yet     0x600000  a 2 MiB page for faults in a level-2 leaf
;   0x050000  a page to be made no-execute           0x800000  4 KiB pages for faults at level 1 and in a level-2 table entry
;                                                    0xa00000  and up: all the rest of RAM is tried at the end

%include "guest.inc"

FRESH_PAGES equ 0x40000
FRESH_COUNT equ 8
NO_EXECUTE_PAGE equ 0x50000
LARGE_PAGE equ 0x400000
LARGE_AREA equ 0x600000
SMALL_AREA equ 0x800000
REST_OF_RAM equ 0xa00000
PAGE equ 0x1000

VIOLATION equ 48
MISCONFIGURATION equ 49
MEMORY_TYPE_WB equ 6
RIGHTS_READ_WRITE equ 3
RIGHTS_ALL equ 7

    guest_start
    check_version
    flat_segments

    hypercall HYPERCALL_MEMORY_SIZE
    check_equal eax, HYPERCALL_OK, "memory size: status"
    cmp ebx, (REST_OF_RAM >> 10) + 1024
    check_condition ae, "this guest needs 11 MiB of RAM or more: mem=16M"
    mov [memory_kib], ebx

; Touch this program's own pages: from here on no fetch of an instruction finds one of them unmapped, and the last fault is
; the one that a lesson has made.
    mov edi, 0x7c00
touch_program:
    mov al, [fs:edi]
    add edi, PAGE
    cmp edi, program_end + PAGE
    jb touch_program

    call lazy_mapping
    call large_page
    call rom
    call hole
    call no_execute
    call bad_requests
    call planted_faults
    call all_memory

    print "tour: the end, all is well", 10
    pass

; ------------------------------------------------------------------------------------------------------------
; 1. Lazy mapping. Before the first touch there is no entry; the touch costs one VM exit, and the next one
; none.
;
; EXIT_COUNT counts the exits of this virtual processor. Two calls in a row differ by one, the second call
; itself. The hypervisor has exits of its own now and then, a timer's say, so an odd result is tried again on
; another page.

lazy_mapping:
    mov edi, FRESH_PAGES
    mov ebx, edi
    hypercall HYPERCALL_QUERY_MAPPING
    check_equal eax, HYPERCALL_OK, "lazy: status"
    check_equal ebx, 0, "lazy: a page is mapped that nothing has touched"
    mov byte [fs:edi], 1
    mov ebx, edi
    hypercall HYPERCALL_QUERY_MAPPING
    test ebx, ebx
    check_condition nz, "lazy: the page is not mapped after the touch"
    and ecx, RIGHTS_ALL
    check_equal ecx, RIGHTS_ALL, "lazy: the rights of RAM"
    check_equal edx, MEMORY_TYPE_WB, "lazy: the memory type of RAM"
    hypercall HYPERCALL_LAST_FAULT
    check_equal ebx, VIOLATION, "lazy: the reason"
    check_equal edx, FAULT_ACCESS_WRITE, "lazy: the access"
    print "tour: lazy mapping: nothing mapped at 0x40000 before the first touch, and a page after it", 10

    mov bp, FRESH_COUNT - 1
.again:
    add edi, PAGE
    hypercall HYPERCALL_EXIT_COUNT
    mov esi, ebx
    mov byte [fs:edi], 1
    hypercall HYPERCALL_EXIT_COUNT
    sub ebx, esi
    mov edx, ebx                ; exits of the first touch
    hypercall HYPERCALL_EXIT_COUNT
    mov esi, ebx
    mov byte [fs:edi], 2
    hypercall HYPERCALL_EXIT_COUNT
    sub ebx, esi                ; exits of the second touch
    cmp edx, 2
    jne .odd
    cmp ebx, 1
    je .good
.odd:
    dec bp
    jnz .again
    fail "lazy: the first touch must cost one exit, the second none"
.good:
    print "tour: lazy mapping: the first touch costs one exit, the second none", 10
    ret

; ------------------------------------------------------------------------------------------------------------
; 2. A large page. Where the guest's and the machine's addresses are both aligned and 2 MiB are of one kind,
; one level-2 entry maps them all: a walk shorter by a step, and one entry in the processor's translation
; cache instead of 512.

large_page:
    mov edi, LARGE_PAGE
    mov dword [fs:edi], 0x4d324d32
    mov ebx, LARGE_PAGE
    hypercall HYPERCALL_QUERY_MAPPING
    check_equal ebx, 2, "2M page: the level of the leaf"
    mov ebx, LARGE_PAGE + 0x1ff000
    hypercall HYPERCALL_QUERY_MAPPING
    check_equal ebx, 2, "2M page: its last 4 KiB"
    cmp dword [fs:edi], 0x4d324d32
    check_condition e, "2M page: its content"
    print "tour: one entry of level 2 maps the 2 MiB at 0x400000", 10
    ret

; ------------------------------------------------------------------------------------------------------------
; 3. ROM. Its entries lack the write right. A write exits, and Adept does what a board does: it goes nowhere,
; and the guest, which sees no fault, goes on at the next instruction.

rom:
    mov edi, GUEST_ROM_SIGNATURE
    cmp dword [fs:edi], "ADEP"
    check_condition e, "ROM: its first word"
    mov dword [fs:edi], 0x12345678
    hypercall HYPERCALL_LAST_FAULT
    check_equal ebx, VIOLATION, "ROM: the reason"
    check_equal edx, FAULT_ACCESS_WRITE, "ROM: the access"
    cmp dword [fs:edi], "ADEP"
    check_condition e, "ROM: the write went through"
    cmp dword [fs:edi + 4], "T RO"
    check_condition e, "ROM: the neighbouring bytes"
    print "tour: a write to ROM goes nowhere", 10
    ret

; ------------------------------------------------------------------------------------------------------------
; 4. A hole: nobody answers on the bus. Reads give all ones, writes go nowhere, and nothing stays mapped.

hole:
    mov edi, GUEST_HOLE_BASE
    mov eax, [fs:edi]
    mov esi, eax
    hypercall HYPERCALL_LAST_FAULT
    check_equal ebx, VIOLATION, "hole: the reason"
    check_equal edx, FAULT_ACCESS_READ, "hole: the access"
    check_equal esi, -1, "hole: a read must give all ones"
    mov dword [fs:edi], 0
    hypercall HYPERCALL_LAST_FAULT
    check_equal edx, FAULT_ACCESS_WRITE, "hole: the access of a write"
    mov esi, [fs:edi]
    check_equal esi, -1, "hole: the write went somewhere"
    mov ebx, edi
    hypercall HYPERCALL_QUERY_MAPPING
    check_equal ebx, 0, "hole: something stays mapped"
    print "tour: a hole reads as all ones, and writes to it go nowhere", 10
    ret

; ------------------------------------------------------------------------------------------------------------
; 5. No-execute. Real memory cannot tell a fetch from a read; the EPT can. The default policy reports the
; fetch and lets it go ahead.

no_execute:
    mov edi, NO_EXECUTE_PAGE
    mov dword [fs:edi], 0xcbdec0bd      ; mov bp, 0xdec0; retf
    mov ebx, edi
    mov ecx, PAGE
    mov edx, RIGHTS_READ_WRITE
    hypercall HYPERCALL_SET_RIGHTS
    check_equal eax, HYPERCALL_OK, "no-execute: take the right away: status"
    xor bp, bp
    call NO_EXECUTE_PAGE >> 4 : 0
    hypercall HYPERCALL_LAST_FAULT
    check_equal ebx, VIOLATION, "no-execute: the reason"
    check_equal edx, FAULT_ACCESS_EXECUTE, "no-execute: the access"
    check_equal bp, 0xdec0, "no-execute: the code did not run"
    mov ebx, NO_EXECUTE_PAGE
    hypercall HYPERCALL_QUERY_MAPPING
    test cl, FAULT_ACCESS_EXECUTE
    check_condition z, "no-execute: the right to execute came back by itself"
    print "tour: a fetch from a no-execute page is reported, and goes ahead", 10

    mov ebx, NO_EXECUTE_PAGE
    mov ecx, PAGE
    mov edx, RIGHTS_ALL
    hypercall HYPERCALL_SET_RIGHTS
    check_equal eax, HYPERCALL_OK, "no-execute: give the right back: status"
    xor bp, bp
    call NO_EXECUTE_PAGE >> 4 : 0
    check_equal bp, 0xdec0, "no-execute: the code did not run with the right given back"
    mov ebx, NO_EXECUTE_PAGE
    hypercall HYPERCALL_QUERY_MAPPING
    check_equal ecx, RIGHTS_ALL, "no-execute: the rights given back"
    print "tour: with the right given back it is an ordinary page again", 10
    ret

; ------------------------------------------------------------------------------------------------------------
; 6. Requests that no hypervisor should fall for: each gets an error, and nothing changes.

%macro refuse 3                 ; EBX, ECX, text
    mov ebx, %1
    mov ecx, %2
    hypercall HYPERCALL_PLANT_FAULT
    test eax, eax
    check_condition nz, %3
%endmacro

bad_requests:
    refuse LARGE_PAGE, PLANT_KIND_COUNT | 1 << 8, "plant: a kind that there is not"
    refuse LARGE_PAGE, PLANT_NOT_PRESENT | 5 << 8, "plant: a level that there is not"
    refuse GUEST_HOLE_BASE, PLANT_NOT_PRESENT | 1 << 8, "plant: in a hole"
    refuse 0xfffff000, PLANT_NOT_PRESENT, "plant: beyond all memory"
    mov ebx, LARGE_PAGE + 1
    mov ecx, PAGE
    mov edx, RIGHTS_ALL
    hypercall HYPERCALL_SET_RIGHTS
    test eax, eax
    check_condition nz, "set rights: an address inside a page"
    mov ebx, GUEST_HOLE_BASE
    mov ecx, PAGE
    hypercall HYPERCALL_SET_RIGHTS
    test eax, eax
    check_condition nz, "set rights: in a hole"
    print "tour: requests that make no sense are refused", 10
    ret

; ------------------------------------------------------------------------------------------------------------
; 7. Every fault in every kind of entry.
;
; There are five places for an entry: level 1; level 2 as the leaf of a 2 MiB page; level 2 as the reference to
; a table of level 1; level 3 and level 4, which are references here. All of this guest's memory lies below the
; same entries of level 3 and 4, and so does this code: there the fault does not wait for our access, but comes
; with the fetch of the next instruction after the VMCALL. (Read only means: neither to be written nor executed.)

; Assembles only if both are equal: a repeat count cannot be negative.
%macro must_be_equal 2
    times (%1) - (%2) db 0
    times (%2) - (%1) db 0
%endmacro

; What to expect of a kind in a place.
NONE equ 0                      ; no such fault exists: HYPERCALL_UNSUPPORTED
SURE equ 1                      ; on every processor
MAYBE equ 2                     ; where the processor has no use for the bits; else NONE in all places
OTHER equ 3                     ; it exists at this level, but in the other sort of entry: not planted here
LARGE equ 4                     ; in a large page that may be executed; where no large page may (iTLB multihit), it is none

struc place
.name: resw 1
.level: resb 1
.leaf: resb 1                   ; level of the leaf there
.holds_code: resb 1             ; the entry also translates this code
.address: resd 1                ; a target page's start
endstruc

%macro define_place 5
    istruc place
    at place.name, dw %1
    at place.level, db %2
    at place.leaf, db %3
    at place.holds_code, db %4
    at place.address, dd %5
    iend
%endmacro

places:
;                 name      level leaf code  target
    define_place .level_1, 1, 1, 0, SMALL_AREA + 3 * PAGE
    define_place .leaf_2, 2, 2, 0, LARGE_AREA + 5 * PAGE
    define_place .table_2, 2, 1, 0, SMALL_AREA + 7 * PAGE
    define_place .level_3, 3, 1, 1, CODE_TARGET
    define_place .level_4, 4, 1, 1, CODE_TARGET
PLACE_COUNT equ 5
    must_be_equal $ - places, PLACE_COUNT * place_size
.level_1: db "level 1", 0
.leaf_2: db "level 2 (2M page)", 0
.table_2: db "level 2 (table)", 0
.level_3: db "level 3", 0
.level_4: db "level 4", 0

struc kind
.name: resw 1
.reason: resb 1
.access: resb 1                 ; a violation: the access that meets it
.places: resb PLACE_COUNT
endstruc

%macro define_kind 8
    istruc kind
    at kind.name, dw %1
    at kind.reason, db %2
    at kind.access, db %3
    at kind.places, db %4, %5, %6, %7, %8
    iend
%endmacro

; In the order of the PLANT_ numbers.            the access              1      2 leaf 2 table 3      4
kinds:
    define_kind .not_present, VIOLATION,         FAULT_ACCESS_READ,      SURE,  SURE,  SURE,  SURE,  SURE
    define_kind .read_only, VIOLATION,           FAULT_ACCESS_WRITE,     SURE,  SURE,  SURE,  SURE,  SURE
    define_kind .no_execute, VIOLATION,          FAULT_ACCESS_EXECUTE,   SURE,  LARGE, SURE,  SURE,  SURE
    define_kind .write_only, MISCONFIGURATION,   FAULT_ACCESS_READ,      SURE,  SURE,  SURE,  SURE,  SURE
    define_kind .write_execute, MISCONFIGURATION, FAULT_ACCESS_READ,     SURE,  SURE,  SURE,  SURE,  SURE
    define_kind .execute_only, MISCONFIGURATION, FAULT_ACCESS_READ,      MAYBE, MAYBE, MAYBE, MAYBE, MAYBE
    define_kind .type_2, MISCONFIGURATION,       FAULT_ACCESS_READ,      SURE,  SURE,  OTHER, NONE,  NONE
    define_kind .type_3, MISCONFIGURATION,       FAULT_ACCESS_READ,      SURE,  SURE,  OTHER, NONE,  NONE
    define_kind .type_7, MISCONFIGURATION,       FAULT_ACCESS_READ,      SURE,  SURE,  OTHER, NONE,  NONE
    define_kind .low, MISCONFIGURATION,          FAULT_ACCESS_READ,      NONE,  OTHER, SURE,  SURE,  SURE
    define_kind .address, MISCONFIGURATION,      FAULT_ACCESS_READ,      MAYBE, MAYBE, MAYBE, MAYBE, MAYBE
    define_kind .alignment, MISCONFIGURATION,    FAULT_ACCESS_READ,      NONE,  SURE,  OTHER, NONE,  NONE
    define_kind .large, MISCONFIGURATION,        FAULT_ACCESS_READ,      NONE,  NONE,  NONE,  MAYBE, SURE
    must_be_equal $ - kinds, PLANT_KIND_COUNT * kind_size
.not_present: db "violation not present", 0
.read_only: db "violation read only", 0
.no_execute: db "violation no execute", 0
.write_only: db "misconfig write without read", 0
.write_execute: db "misconfig write and execute without read", 0
.execute_only: db "misconfig execute only", 0
.type_2: db "misconfig memory type 2", 0
.type_3: db "misconfig memory type 3", 0
.type_7: db "misconfig memory type 7", 0
.low: db "misconfig reserved bit of a table entry", 0
.address: db "misconfig address bit beyond the processor's width", 0
.alignment: db "misconfig address bit inside a large page", 0
.large: db "misconfig large page", 0

planted_faults:
; One page with rights of its own, and no 2 MiB page can map the area around it any more.
    mov ebx, SMALL_AREA + 0x1ff000
    mov ecx, PAGE
    mov edx, RIGHTS_READ_WRITE
    hypercall HYPERCALL_SET_RIGHTS
    check_equal eax, HYPERCALL_OK, "plant: make an area of 4 KiB pages: status"
    mov byte [dword fs:SMALL_AREA], 0
    mov ebx, SMALL_AREA
    hypercall HYPERCALL_QUERY_MAPPING
    check_equal ebx, 1, "plant: an area of 4 KiB pages: the level of its leaf"

    mov word [kind_number], 0
.next_kind:
    mov byte [kind_answered], 0
    mov word [place_number], 0
.next_place:
    call plant_one
    inc word [place_number]
    cmp word [place_number], PLACE_COUNT
    jb .next_place
    inc word [kind_number]
    cmp word [kind_number], PLANT_KIND_COUNT
    jb .next_kind

    print "tour: all these faults found, told apart and repaired; the memory behind them is unchanged", 10
    ret

; One kind in one place. BX = the kind's line of the table, SI = the place's.
plant_one:
    imul bx, [kind_number], kind_size
    add bx, kinds
    imul si, [place_number], place_size
    add si, places
    mov di, [place_number]
    mov al, [bx + di + kind.places]
    cmp al, OTHER
    je .other
    mov [expectation], al
    mov edi, [si + place.address]
    call prepare_target
    cmp byte [expectation], NONE
    je .plant
    call announce

; DL = the access to make. Where the entry translates this code too, the fetch that comes by itself is enough.
.plant:
    mov dl, 0
    cmp byte [si + place.holds_code], 0
    jne .access_known
    mov dl, [bx + kind.access]
.access_known:
    movzx ecx, byte [kind_number]
    mov ch, [si + place.level]
    push bx
    push si
    call plant_and_meet
    mov [got_reason], ebx
    mov [got_level], ecx
    mov [got_detail], edx
    mov [got_runs], esi
    pop si
    pop bx

    cmp byte [expectation], SURE
    je .sure
    cmp byte [expectation], MAYBE
    je .maybe
    cmp byte [expectation], LARGE
    je .large
    check_equal eax, HYPERCALL_UNSUPPORTED, "plant: a kind that does not exist in this place"
    jmp check_target

; One answer for all the places.
.maybe:
    cmp byte [kind_answered], 0
    jne .compare
    mov byte [kind_answered], 1
    mov [kind_answer], eax
.compare:
    check_equal eax, [kind_answer], "plant: possible in one place and not in another"
.large:
    cmp eax, HYPERCALL_UNSUPPORTED
    jne .sure
    print "not on this processor", 10
    jmp check_target

.sure:
    check_equal eax, HYPERCALL_OK, "plant: status"
    call check_fault
    call check_access
    print "repaired", 10
    jmp check_target
.other:
    ret

announce:
    print "tour: "
    push si
    mov si, [bx + kind.name]
    call print_16
    print " at "
    pop si
    push si
    mov si, [si + place.name]
    call print_16
    print ": "
    pop si
    ret

; Is the fault met the planted one? BX = kind, SI = place.
check_fault:
    movzx eax, byte [bx + kind.reason]
    movzx ecx, byte [si + place.level]
    cmp al, VIOLATION
    je .violation

; A misconfiguration: which access it was says nothing, but the entry must be the planted one, and the
; analysis name what is wrong.
    movzx edx, byte [kind_number]
    jmp .compare

; A violation: the access is known. An entry that lacks a right has a level; one that is not there has none,
; unless the hypervisor knows what it was.
.violation:
    mov edx, FAULT_ACCESS_EXECUTE
    cmp byte [si + place.holds_code], 0
    jne .access_known
    movzx edx, byte [bx + kind.access]
.access_known:
    cmp word [kind_number], PLANT_NOT_PRESENT
    jne .compare
    cmp dword [got_level], 0
    jne .compare
    xor ecx, ecx
.compare:
    cmp eax, [got_reason]
    jne .wrong
    cmp ecx, [got_level]
    jne .wrong
    cmp edx, [got_detail]
    jne .wrong
    ret
.wrong:
    print "met reason, level, detail"
    mov eax, [got_reason]
    call print_hex
    mov eax, [got_level]
    call print_hex
    mov eax, [got_detail]
    call print_hex
    print 10
    fail "plant: the fault met is not the planted one"

; After the repair, was the access carried out? BX = kind, SI = place.
check_access:
    cmp byte [si + place.holds_code], 0
    jne .done
    cmp byte [bx + kind.access], FAULT_ACCESS_WRITE
    jne .not_written
    mov edi, [si + place.address]
    cmp byte [fs:edi + PROBE], PROBE_WRITTEN
    check_condition e, "plant: the write is lost"
.not_written:
    cmp byte [bx + kind.access], FAULT_ACCESS_EXECUTE
    jne .done
    cmp dword [got_runs], 1
    check_condition e, "plant: the target's code has not run once"
.done:
    ret

; Plants a fault and meets it.
;   EDI = address, ECX = kind and level for PLANT_FAULT, DL = FAULT_ACCESS_... to make there, or 0: none
;   returns EAX = status of PLANT_FAULT; if HYPERCALL_OK also EBX, ECX, EDX = what LAST_FAULT says,
;   ESI = how often the target ran
; Between the two hypercalls no other memory is touched, not even the stack: below an entry of level 3 or 4
; the first touch of anything meets the fault. And this code and its target lie in one page, so that the
; repair of that page is all that is needed to go on.
PROBE equ 8                     ; offset of the byte in the target that is written
PROBE_WRITTEN equ 0x5a

    align 512, db 0
plant_and_meet:
    mov ebx, edi
    hypercall HYPERCALL_PLANT_FAULT
    test eax, eax
    jnz .return
    cmp dl, FAULT_ACCESS_READ
    je .read
    cmp dl, FAULT_ACCESS_WRITE
    je .write
    cmp dl, FAULT_ACCESS_EXECUTE
    je .execute
.last_fault:
    hypercall HYPERCALL_LAST_FAULT
    xor eax, eax
.return:
    ret
.read:
    mov dh, [fs:edi]
    jmp .last_fault
.write:
    mov byte [fs:edi + PROBE], PROBE_WRITTEN
    jmp .last_fault

; Real mode cannot fetch above 1 MiB, so to execute there is a visit to 32-bit protected mode. GDTR is set
; since flat_segments; SS still is what real mode made it.
.execute:
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp dword GDT_CODE32:.protected_32
    bits 32
.protected_32:
    xor esi, esi
    call edi                    ; inc esi; ret
    jmp GDT_CODE16:.protected_16
    bits 16
.protected_16:
    mov eax, cr0
    and al, ~CR0_PE & 0xff
    mov cr0, eax
    jmp 0:.last_fault

    align 16, db 0
CODE_TARGET:                    ; the target of level 3 and 4
    times 16 db 0
    times 512 - ($ - plant_and_meet) db 0       ; 512-byte aligned and no longer than that: in one page

; EDI = target, SI = place: puts the instructions `inc esi; ret` at its start, zero at PROBE, and in a page
; that holds data only a pattern behind. This also maps it, and the page must have the size that makes this
; place what it is.
TARGET_CODE equ 0xc346          ; inc esi; ret
PATTERN equ 16                  ; offset of the pattern
prepare_target:
    mov word [fs:edi], TARGET_CODE
    mov byte [fs:edi + PROBE], 0
    cmp byte [si + place.holds_code], 0
    jne .filled
    mov ecx, PATTERN
.fill:
    lea eax, [edi + ecx]
    imul eax, eax, 0x9e3779b1   ; a word of its own for each address
    mov [fs:edi + ecx], eax
    add ecx, 4
    cmp ecx, PAGE
    jb .fill
.filled:
    push bx
    mov ebx, edi
    hypercall HYPERCALL_QUERY_MAPPING
    cmp bl, [si + place.leaf]
    check_condition e, "plant: the level of the target's leaf"
    pop bx
    ret

; SI = place: the target must hold what it held.
check_target:
    mov edi, [si + place.address]
    cmp word [fs:edi], TARGET_CODE
    check_condition e, "plant: the target's code has changed"
    cmp byte [si + place.holds_code], 0
    jne .done
    mov ecx, PATTERN
.compare:
    lea eax, [edi + ecx]
    imul eax, eax, 0x9e3779b1
    cmp [fs:edi + ecx], eax
    check_condition e, "plant: the target's memory has changed"
    add ecx, 4
    cmp ecx, PAGE
    jb .compare
.done:
    ret

; ------------------------------------------------------------------------------------------------------------
; 8. The rest of RAM: all there, zero at first, and each page one of its own. A number is written into each
; before any is read back.

all_memory:
    mov esi, [memory_kib]
    shl esi, 10
    mov edi, REST_OF_RAM
.write:
    cmp dword [fs:edi], 0
    check_condition e, "memory: not zero at first"
    mov [fs:edi], edi
    add edi, PAGE
    cmp edi, esi
    jb .write
    mov edi, REST_OF_RAM
.read:
    cmp [fs:edi], edi
    check_condition e, "memory: a page does not hold what was written"
    add edi, PAGE
    cmp edi, esi
    jb .read
    print "tour: all RAM is there, and was zero", 10
    ret

; Prints a space and EAX in hexadecimal. Changes EAX and CX.
print_hex:
    print " "
    mov cx, 8
.digit:
    rol eax, 4
    push ax
    and al, 15
    cmp al, 10
    jb .decimal
    add al, "a" - "0" - 10
.decimal:
    add al, "0"
    call put_16
    pop ax
    loop .digit
    ret

    guest_routines 16
    guest_gdt

    align 4, db 0
memory_kib: dd 0
kind_number: dw 0
place_number: dw 0
kind_answer: dd 0               ; status of PLANT_FAULT in the first place asked...
kind_answered: db 0             ; ...once this is 1
expectation: db 0
    align 4, db 0
got_reason: dd 0
got_level: dd 0
got_detail: dd 0
got_runs: dd 0
program_end:
