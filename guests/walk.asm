; SPDX-License-Identifier: MIT
;
; walk: the two-dimensional walk, predicted and then watched.
;
; To reach one byte at a linear address a processor reads the guest's paging structures, and each of those by a walk
; of the EPT: 24 references for four levels over four. In every paging mode this guest announces one access
; (HYPERCALL_WALK_PREPARE), makes it, and asks (HYPERCALL_WALK_CHECK) whether the processor did what Adept had
; predicted: the same page fault, the same EPT violation with the same qualification, and, where the EPT has accessed
; and dirty flags, flags in exactly the EPT entries that the predicted walk uses.
;
; Between the two hypercalls runs only what lies in the block `once_32` or `once_64`: one page of code, no stack, no
; data. Beside it Adept compares with what this guest itself expects, so a wrong prediction that came true is found too.

%include "guest.inc"

PML4 equ 0x12000                ; 4-level paging
PDPT equ 0x13000
DIRECTORY equ 0x14000           ; shared with PAE paging
TABLE_LOW equ 0x15000           ; 0..2 MiB, each page at its own address
TABLE_WINDOW equ 0x16000
PAE_PDPT equ 0x17000
OLD_DIRECTORY equ 0x18000       ; 32-bit paging
OLD_LOW equ 0x19000             ; 0..4 MiB
OLD_WINDOW equ 0x1a000
LARGE_DIRECTORY equ 0x1b000     ; 32-bit paging with 4 MiB pages
PML5 equ 0x1c000                ; 5-level paging
TABLES_END equ 0x1d000

DATA equ 0x30000                ; guest-physical pages of the probes
READ_ONLY equ 0x31000
VICTIM equ 0x32000              ; its EPT entry is spoilt
FAR_PAGE equ 0x400000                ; mapped by a 2 MiB page of the EPT

WINDOW equ 0x400000             ; linear: one page after the other
IN_WINDOW_DATA equ WINDOW
IN_WINDOW_READ_ONLY equ WINDOW + 0x1000
IN_WINDOW_ABSENT equ WINDOW + 0x2000
IN_WINDOW_VICTIM equ WINDOW + 0x3000
IN_WINDOW_NO_EXECUTE equ WINDOW + 0x4000
IN_WINDOW_RESERVED equ WINDOW + 0x5000
IN_WINDOW_FAR equ WINDOW + 0x6000
IN_LARGE_RESERVED equ 0x600000  ; a 2 MiB page whose entry has a bit set that is reserved on every processor
LARGE_LOW equ 0x400000          ; 4 MiB pages: -> 0, writable
LARGE_READ_ONLY equ 0x800000    ; -> 0
LARGE_ABSENT equ 0xc00000
LARGE_FAR equ 0x1000000         ; -> 4 MiB

P equ 1
W equ 2
ACCESSED equ 0x20
LARGE equ 0x80
CR4_PSE equ 1 << 4
CR4_PAE equ 1 << 5
CR4_LA57 equ 1 << 12
LARGE_RESERVED equ 1 << 13
MSR_EFER equ 0xc0000080
EFER_LME equ 1 << 8
EFER_NXE equ 1 << 11
PAGE_FAULT equ 14

READ equ WALK_ACCESS_READ
WRITE equ WALK_ACCESS_WRITE
FETCH equ WALK_ACCESS_FETCH
NONE equ -1
ANY equ 0                       ; how many references: not looked at,
EXACT equ 1                     ; as many as with no large page,
FEWER equ 2                     ; or fewer
QUALIFICATION_MASK equ 0x1bf    ; bits that every processor defines

; A probe: name; linear address and kind of the access; how the walk must end, with which error code or qualification
; (the second one without A/D flags for EPT); fault to plant into the EPT entry of a guest-physical page, or NONE; an
; entry of the guest's to clear the accessed flag of, or 0; number of references.
%macro probe 10
    dd %%name, %2, %3, WALK_END_%+%4, %5, %6, %7, %8, %9, %10
    [section .names]
%%name: db %1, 0
    __SECT__
%endmacro
PROBE_NAME equ 0
PROBE_ADDRESS equ 4
PROBE_ACCESS equ 8
PROBE_END equ 12
PROBE_DETAIL equ 16
PROBE_DETAIL_NO_FLAGS equ 20
PROBE_PLANT equ 24
PROBE_PLANT_AT equ 28
PROBE_CLEAR equ 32
PROBE_REFERENCES equ 36
PROBE_SIZE equ 40

; The probes of every mode: linear addresses of the data page, of the victim, and of the far page.
%macro common_probes 3
    probe "read", %1 + 8, READ, DONE, 0, 0, NONE, 0, 0, EXACT
    probe "write", %1 + 8, WRITE, DONE, 0, 0, NONE, 0, 0, EXACT
    probe "fetch", %1, FETCH, DONE, 0, 0, NONE, 0, 0, EXACT
    probe "read of a page that a large EPT page maps", %3, READ, DONE, 0, 0, NONE, 0, 0, FEWER
    probe "write to a page that a large EPT page maps", %3, WRITE, DONE, 0, 0, NONE, 0, 0, FEWER
    probe "read, EPT not present", %2 + 8, READ, VIOLATION, 0x181, 0x181, PLANT_NOT_PRESENT, VICTIM, 0, ANY
    probe "write, EPT not present", %2 + 8, WRITE, VIOLATION, 0x182, 0x182, PLANT_NOT_PRESENT, VICTIM, 0, ANY
    probe "fetch, EPT not present", %2, FETCH, VIOLATION, 0x184, 0x184, PLANT_NOT_PRESENT, VICTIM, 0, ANY
    probe "write, EPT read-only", %2 + 8, WRITE, VIOLATION, 0x18a, 0x18a, PLANT_READ_ONLY, VICTIM, 0, ANY
    probe "fetch, EPT no-execute", %2, FETCH, VIOLATION, 0x19c, 0x19c, PLANT_NO_EXECUTE, VICTIM, 0, ANY
    probe "read, EPT misconfigured", %2 + 8, READ, MISCONFIG, NONE, NONE, PLANT_WRITE_ONLY, VICTIM, 0, ANY
%endmacro

; Those of the guest's own structures: linear address of the data page; the guest's page that holds the last entry of
; its walk; that entry.
%macro table_probes 3
    probe "read, the page table's EPT entry not present", %1 + 8, READ, VIOLATION, 0x83, 0x81, PLANT_NOT_PRESENT, %2, 0, ANY
    probe "fetch, the page table's EPT entry misconfigured", %1, FETCH, MISCONFIG, NONE, NONE, PLANT_MEMORY_TYPE_7, %2, 0, ANY
    probe "read, the page table read-only", %1 + 8, READ, VIOLATION, 0x8b, 0x8b, PLANT_READ_ONLY, %2, %3, ANY
    probe "write, the page table read-only", %1 + 8, WRITE, VIOLATION, 0x8b, 0x8b, PLANT_READ_ONLY, %2, %3, ANY
%endmacro

; Page faults that every paging mode has: a page that is read-only, a page that is not there.
%macro fault_probes 2
    probe "write to a read-only page", %1 + 8, WRITE, PAGE_FAULT, 3, 3, NONE, 0, 0, ANY
    probe "read of a page not present", %2 + 8, READ, PAGE_FAULT, 0, 0, NONE, 0, 0, ANY
    probe "write to a page not present", %2 + 8, WRITE, PAGE_FAULT, 2, 2, NONE, 0, 0, ANY
%endmacro

; Those of the modes whose entries have 64 bits.
%macro wide_probes 0
    probe "fetch of a no-execute page", IN_WINDOW_NO_EXECUTE, FETCH, PAGE_FAULT, 0x11, 0x11, NONE, 0, 0, ANY
    probe "read of a no-execute page", IN_WINDOW_NO_EXECUTE + 8, READ, DONE, 0, 0, NONE, 0, 0, EXACT
    probe "read of a large page with a reserved bit", IN_LARGE_RESERVED + 8, READ, PAGE_FAULT, 9, 9, NONE, 0, 0, ANY
    probe "write to a large page with a reserved bit", IN_LARGE_RESERVED + 8, WRITE, PAGE_FAULT, 0xb, 0xb, NONE, 0, 0, ANY
read_of_address_bit:
    probe "read with a reserved bit", IN_WINDOW_RESERVED + 8, READ, PAGE_FAULT, 9, 9, NONE, 0, 0, ANY
write_of_address_bit:
    probe "write with a reserved bit", IN_WINDOW_RESERVED + 8, WRITE, PAGE_FAULT, 0xb, 0xb, NONE, 0, 0, ANY
%endmacro

    section .names follows=.text align=1
    section .text
    guest_start
    check_version
    lgdt [gdt_pointer]
    lidt [idt_32_pointer]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp GDT_CODE32:protected
    bits 32
protected:
    mov ax, GDT_DATA32
    mov ds, ax
    mov es, ax
    mov ss, ax

; ------------------------------------------------------------------------------------------------------------
; The tables of all modes.
    mov edi, PML4
    mov ecx, (TABLES_END - PML4) / 4
    xor eax, eax
    rep stosd
    mov ecx, 0x200              ; every page below 2 MiB at its own address
    mov edi, TABLE_LOW
    mov eax, P | W
.low:
    mov [edi], eax
    add eax, 0x1000
    add edi, 8
    loop .low
    mov ecx, 0x400              ; the same below 4 MiB
    mov edi, OLD_LOW
    mov eax, P | W
.old_low:
    mov [edi], eax
    add eax, 0x1000
    add edi, 4
    loop .old_low

    mov dword [PML5], PML4 | P | W
    mov dword [PML4], PDPT | P | W
    mov dword [PDPT], DIRECTORY | P | W
    mov dword [PAE_PDPT], DIRECTORY | P
    mov dword [DIRECTORY], TABLE_LOW | P | W
    mov dword [DIRECTORY + (WINDOW >> 21) * 8], TABLE_WINDOW | P | W
    mov dword [DIRECTORY + (IN_LARGE_RESERVED >> 21) * 8], P | W | LARGE | LARGE_RESERVED
    mov dword [OLD_DIRECTORY], OLD_LOW | P | W
    mov dword [OLD_DIRECTORY + (WINDOW >> 22) * 4], OLD_WINDOW | P | W
%macro window_page 3            ; number, page and rights, upper half where entries have one
    mov dword [TABLE_WINDOW + %1 * 8], %2
    mov dword [TABLE_WINDOW + %1 * 8 + 4], %3
    mov dword [OLD_WINDOW + %1 * 4], %2
%endmacro
    window_page 0, DATA | P | W, 0
    window_page 1, READ_ONLY | P, 0
    window_page 3, VICTIM | P | W, 0
    window_page 4, DATA | P | W, 1 << 31
    window_page 5, DATA | P | W, 1 << 19     ; bit 51 of the entry: reserved, unless physical addresses have 52 bits,
    mov eax, 0x80000008
    cpuid
    cmp al, 52
    jb .narrow
    mov dword [read_of_address_bit + PROBE_ADDRESS], IN_LARGE_RESERVED + 8      ; and then no address bit is
    mov dword [write_of_address_bit + PROBE_ADDRESS], IN_LARGE_RESERVED + 8
.narrow:
    window_page 6, FAR_PAGE | P | W, 0
    mov dword [LARGE_DIRECTORY], P | W | LARGE
    mov dword [LARGE_DIRECTORY + (LARGE_LOW >> 22) * 4], P | W | LARGE
    mov dword [LARGE_DIRECTORY + (LARGE_READ_ONLY >> 22) * 4], P | LARGE
    mov dword [LARGE_DIRECTORY + (LARGE_FAR >> 22) * 4], FAR_PAGE | P | W | LARGE

; What a fetch probe executes is JMP (E)BP. And each page is touched: it is then in the EPT.
    mov word [DATA], 0xe5ff
    mov word [VICTIM], 0xe5ff
    mov byte [READ_ONLY], 0
    mov byte [FAR_PAGE], 0

; ------------------------------------------------------------------------------------------------------------
; No paging: a linear address is a guest-physical one, and one walk of the EPT is all. Its length tells how many
; levels the EPT has.
    mov esi, DATA + 8
    mov ecx, READ
    call once_32
    movzx eax, byte [result_ecx + 1]
    mov [ept_levels], eax
    sub eax, 4
    cmp eax, 1
    check_condition be, "the EPT must have 4 or 5 levels"
    cmp word [result_ecx + 2], 0
    setne [ept_flags]
    jne .flags
    print "walk: this processor has no accessed and dirty flags for EPT: fault predictions alone", 10
.flags:

%macro run_probes 3+            ; probes, number of guest entries on the way to a 4 KiB page, title
    mov ebx, %1
    mov dword [guest_levels], %2
    print %3
    call run_%+__BITS__
%endmacro
    run_probes probes_no_paging, 0, "walk: no paging: "

; 32-bit paging: a directory and tables of 1024 entries of four bytes; then 4 MiB pages, which save a level.
    mov eax, OLD_DIRECTORY
    mov cr3, eax
    mov eax, cr0
    or eax, CR0_PG | CR0_WP
    mov cr0, eax
    run_probes probes_32_bit, 2, "walk: 32-bit paging: "
    mov eax, CR4_PSE
    mov cr4, eax
    mov eax, LARGE_DIRECTORY
    mov cr3, eax
    run_probes probes_4m, 1, "walk: 4 MiB pages: "

; PAE paging: entries of eight bytes; the four entries of the top level are registers, so no reference.
    mov eax, cr0
    and eax, ~CR0_PG
    mov cr0, eax
    mov ecx, MSR_EFER
    mov eax, EFER_NXE
    xor edx, edx
    wrmsr
    mov eax, CR4_PAE
    mov cr4, eax
    mov eax, PAE_PDPT
    mov cr3, eax
    mov eax, cr0
    or eax, CR0_PG
    mov cr0, eax
    run_probes probes_wide, 2, "walk: PAE paging: "

; 4-level paging, in 64-bit mode.
    mov eax, cr0
    and eax, ~CR0_PG
    mov cr0, eax
    mov ecx, MSR_EFER
    mov eax, EFER_NXE | EFER_LME
    xor edx, edx
    wrmsr
    mov eax, PML4
    mov cr3, eax
    lidt [idt_64_pointer]
    mov eax, cr0
    or eax, CR0_PG
    mov cr0, eax
    jmp CODE64:long_mode
    bits 64
long_mode:
    mov esp, esp
    mov ax, GDT_DATA32
    mov ds, ax
    mov es, ax
    mov ss, ax
    run_probes probes_wide, 4, "walk: 4-level paging: "

; 5-level paging needs CR4.LA57, which CPUID announces; it cannot be switched on from within long mode.
    mov eax, 7
    xor ecx, ecx
    cpuid
    test ecx, 1 << 16
    jnz .five_levels
    print "walk: 5-level paging: CR4.LA57 is not offered to guests, not run", 10
    pass
.five_levels:
    jmp far dword [to_compatibility_mode]
    bits 32
compatibility_mode:
    mov eax, cr0
    and eax, ~CR0_PG
    mov cr0, eax
    mov eax, CR4_PAE | CR4_LA57
    mov cr4, eax
    mov eax, PML5
    mov cr3, eax
    mov eax, cr0
    or eax, CR0_PG
    mov cr0, eax
    jmp CODE64:five_level_paging
    bits 64
five_level_paging:
    mov esp, esp
    run_probes probes_wide, 5, "walk: 5-level paging: "
    pass

; ------------------------------------------------------------------------------------------------------------
; run_32, run_64: all probes of the table at EBX, then one line.
%macro probe_runner 1
    bits %1
run_%1:
    mov dword [probes_done], 0
    mov dword [entries_compared], 0
%%next:
    mov [current], ebx
    cmp dword [ebx + PROBE_NAME], 0
    je %%done
    mov eax, [ebx + PROBE_CLEAR]
    test eax, eax
    jz %%keep
    and dword [eax], ~ACCESSED
%%keep:
    mov ecx, [ebx + PROBE_PLANT]
    cmp ecx, NONE
    je %%planted
    or ecx, 1 << 8              ; level 1
    mov ebx, [ebx + PROBE_PLANT_AT]
    hypercall HYPERCALL_PLANT_FAULT
    mov ebx, [current]
    test eax, eax
    jz %%planted
    print "PLANT_FAULT refused: "
    jmp wrong_%1
%%planted:
    mov esi, [ebx + PROBE_ADDRESS]
    mov ecx, [ebx + PROBE_ACCESS]
    call once_%1
    mov ebx, [current]
    mov eax, [ebx + PROBE_CLEAR]
    test eax, eax
    jz %%judge
    lock or dword [eax], 0      ; where the flag was written through a read-only page, the page is as it was again
%%judge:
    cmp dword [result_status], HYPERCALL_OK
    jne %%refused
    cmp word [result_ebx], 0
    jne %%different
    movzx eax, byte [result_ecx]
    cmp eax, [ebx + PROBE_END]
    jne %%unexpected
    mov edx, [ebx + PROBE_DETAIL]
    cmp byte [ept_flags], 0
    jne %%flags
    mov edx, [ebx + PROBE_DETAIL_NO_FLAGS]
%%flags:
    cmp edx, NONE
    je %%detail
    mov eax, [result_edx]
    and eax, QUALIFICATION_MASK
    cmp eax, edx
    jne %%unexpected
%%detail:
    mov eax, [ept_levels]       ; guest levels x (EPT levels + 1) + EPT levels
    inc eax
    mul dword [guest_levels]
    add eax, [ept_levels]
    movzx edx, byte [result_ecx + 1]
    cmp dword [ebx + PROBE_REFERENCES], FEWER
    ja %%unexpected
    je %%fewer
    cmp dword [ebx + PROBE_REFERENCES], EXACT
    jne %%good
    mov [references], eax
    cmp eax, edx
    jne %%count
    jmp %%good
%%fewer:
    cmp edx, eax
    jae %%count
%%good:
    movzx eax, word [result_ecx + 2]
    add [entries_compared], eax
    inc dword [probes_done]
    add ebx, PROBE_SIZE
    jmp %%next
%%refused:
    print "a hypercall refused: "
    jmp wrong_%1
%%different:
    print "not as predicted: "
    jmp wrong_%1
%%unexpected:
    print "not the prediction expected: "
    jmp wrong_%1
%%count:
    print "another number of references: "
wrong_%1:
    mov esi, [current]
    mov esi, [esi + PROBE_NAME]
    call print_%1
    print 10
    fail "a walk"
%%done:
    mov eax, [probes_done]
    call number_%1
    print " probes as predicted, "
    mov eax, [references]
    call number_%1
    print " references to reach a byte, "
    mov eax, [entries_compared]
    call number_%1
    print " flags compared", 10
    ret

; Prints EAX in decimal.
number_%1:
    xor ecx, ecx
    mov esi, 10
%%digit:
    xor edx, edx
    div esi
    push pointer_dx_%1
    inc ecx
    test eax, eax
    jnz %%digit
%%print:
    pop pointer_ax
    add al, '0'
    call put_%1
    loop %%print
    ret

; One access, at ESI, of kind ECX. Between the two hypercalls nothing but this block is executed, and no other
; memory used than by the access itself and by the delivery of its page fault.
    align 256, db 0
once_%1:
    mov [saved_stack], esp
    mov edi, [accesses_%1 + ecx * 4]
    mov ebx, esi
    xor edx, edx
    mov ebp, %%finished
    hypercall HYPERCALL_WALK_PREPARE
    test eax, eax
    jnz %%end
    jmp pointer_di_%1
%%read:
    mov eax, [esi]
    jmp %%finished
%%write:
    mov [esi], eax
    jmp %%finished
%%fetch:
    jmp pointer_source_%1
page_fault_%1:
    pop pointer_cx_%1           ; the error code
    mov pointer_dx_%1, cr2
    mov ebx, 1
    jmp %%check
%%finished:
    xor ebx, ebx
%%check:
    hypercall HYPERCALL_WALK_CHECK
%%end:
    mov esp, [saved_stack]
    mov [result_status], eax
    mov [result_ebx], ebx
    mov [result_ecx], ecx
    mov [result_edx], edx
    ret
    times 256 - ($ - once_%1) db 0      ; an error if the block is larger than its alignment
accesses_%1: dd %%read, %%write, %%fetch
%endmacro

%define pointer_di_32 edi
%define pointer_di_64 rdi
%define pointer_source_32 esi
%define pointer_source_64 rsi
%define pointer_cx_32 ecx
%define pointer_cx_64 rcx

    guest_routines 16
    guest_routines 32
    probe_runner 32
    guest_routines 64
    probe_runner 64

; ------------------------------------------------------------------------------------------------------------
    align 4, db 0
probes_no_paging:
    common_probes DATA, VICTIM, FAR_PAGE
    dd 0
probes_32_bit:
    common_probes IN_WINDOW_DATA, IN_WINDOW_VICTIM, IN_WINDOW_FAR
    table_probes IN_WINDOW_DATA, OLD_WINDOW, OLD_WINDOW
    fault_probes IN_WINDOW_READ_ONLY, IN_WINDOW_ABSENT
    dd 0
probes_4m:                      ; its only table also maps this code, which would be the first to meet a fault in it
    common_probes LARGE_LOW + DATA, LARGE_LOW + VICTIM, LARGE_FAR
    fault_probes LARGE_READ_ONLY + DATA, LARGE_ABSENT
    dd 0
probes_wide:
    common_probes IN_WINDOW_DATA, IN_WINDOW_VICTIM, IN_WINDOW_FAR
    table_probes IN_WINDOW_DATA, TABLE_WINDOW, TABLE_WINDOW
    fault_probes IN_WINDOW_READ_ONLY, IN_WINDOW_ABSENT
    wide_probes
    dd 0

    align 8, db 0
gdt:
    dq 0
gdt_code32: dq 0x00cf9b000000ffff
gdt_data32: dq 0x00cf93000000ffff
gdt_code64: dq 0x00209b0000000000
gdt_end:
gdt_pointer:
    dw gdt_end - gdt - 1
    dd gdt
GDT_CODE32 equ gdt_code32 - gdt
GDT_DATA32 equ gdt_data32 - gdt
CODE64 equ gdt_code64 - gdt

    align 8, db 0
idt_32:
    times PAGE_FAULT dq 0
    dw page_fault_32, GDT_CODE32, 0x8e00, 0
idt_32_end:
    align 16, db 0
idt_64:
    times PAGE_FAULT dq 0, 0
    dw page_fault_64, CODE64, 0x8e00, 0
    dq 0
idt_64_end:
idt_32_pointer:
    dw idt_32_end - idt_32 - 1
    dd idt_32
idt_64_pointer:
    dw idt_64_end - idt_64 - 1
    dq idt_64

    align 4, db 0
to_compatibility_mode:
    dd compatibility_mode
    dw GDT_CODE32
    align 4, db 0
result_status: dd 0
result_ebx: dd 0
result_ecx: dd 0
result_edx: dd 0
saved_stack: dd 0
current: dd 0
ept_levels: dd 0
guest_levels: dd 0
references: dd 0
probes_done: dd 0
entries_compared: dd 0
ept_flags: db 0
