; SPDX-License-Identifier: MIT
;
; Pages that choose entries of a PAT of its own, under 32-bit paging, at the linear addresses that equal their guest-physical ones; then
; it sets CR0.CD, which it is only shown. What memtype= says of each is checked from outside.

%include "guest.inc"

CR0_CD equ 1 << 30
MSR_PAT equ 0x277
DIRECTORY equ 0x20000
TABLE equ 0x21000
PAGE_0 equ 0x30000              ; and on: PAGE_n chooses PAn
PRESENT equ 1
WRITE equ 2
PWT equ 8
PCD equ 0x10
PAT equ 0x80
PAGES equ 8

    guest_start
    mov ecx, MSR_PAT
    mov eax, 0x00070106         ; PA0 WB, PA1 WC, PA2 UC-, PA3 UC
    mov edx, 0x01000504         ; PA4 WT, PA5 WP, PA6 UC, PA7 WC
    wrmsr

    lgdt [gdt_pointer]
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
    check_version

    mov edi, DIRECTORY
    xor eax, eax
    mov ecx, 2 * 1024
    rep stosd
    mov dword [DIRECTORY], TABLE | PRESENT | WRITE
    mov edi, TABLE              ; the first MiB onto itself, PA0
    mov eax, PRESENT | WRITE
next_entry:
    stosd
    add eax, 0x1000
    cmp eax, 0x100000
    jb next_entry

    mov edi, TABLE + (PAGE_0 >> 12) * 4
    xor ecx, ecx
choose:
    mov eax, PAGE_0 | PRESENT | WRITE
    mov edx, ecx
    shl edx, 12
    add eax, edx
    mov edx, ecx                ; bits 1:0 of the number are PCD and PWT
    and edx, 3
    shl edx, 3
    or eax, edx
    mov edx, ecx                ; bit 2 is PAT
    and edx, 4
    shl edx, 5
    or eax, edx
    stosd
    inc ecx
    cmp ecx, PAGES
    jb choose
    mov dword [TABLE + 0x50 * 4], PAGE_0 | PRESENT     ; 0x50000 is mapped, but elsewhere

    mov eax, DIRECTORY
    mov cr3, eax
    mov eax, cr0
    or eax, CR0_PG
    mov cr0, eax
    jmp paging
paging:
    mov ebx, PAGE_0
touch:
    mov [ebx], ebx
    check_equal [ebx], ebx, "a page does not hold what was written"
    add ebx, 0x1000
    cmp ebx, PAGE_0 + PAGES * 0x1000
    jb touch

    mov eax, cr0
    or eax, CR0_CD
    mov cr0, eax
    mov eax, cr0
    test eax, CR0_CD
    check_condition nz, "CR0.CD does not read as written"
    print "memtype: paging is on, and CD as far as I see", 10
    pass

    guest_routines 32
    guest_gdt
