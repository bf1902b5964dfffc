; SPDX-License-Identifier: MIT
;
; A triple fault of which a report has much to say: 64-bit code whose page has no page before it writes to a read-only
; page, and there is no interrupt table. The EPT entry of that page is spoilt, too, but the processor does not come
; so far. test/emu/crash.py knows every number here.

%include "guest.inc"

PML4 equ 0x12000
PDPT equ 0x13000
DIRECTORY equ 0x14000
TABLE_LOW equ 0x15000           ; 0..2 MiB, each page at its own address
TABLE_WINDOW equ 0x16000        ; from 4 MiB on
CODE equ 0x20000                ; at WINDOW
VICTIM equ 0x30000              ; behind it, read-only
WINDOW equ 0x400000
CR4_PAE equ 1 << 5
MSR_EFER equ 0xc0000080
EFER_LME equ 1 << 8

    guest_start
    mov ax, VICTIM >> 4
    mov es, ax
    mov byte [es:0], 1
    mov ebx, VICTIM
    mov ecx, PLANT_WRITE_ONLY | 1 << 8
    hypercall HYPERCALL_PLANT_FAULT
    check_equal eax, HYPERCALL_OK, "plant"

    mov ax, CODE >> 4
    mov es, ax
    mov si, window
    xor di, di
    mov cx, window_end - window
    rep movsb

    mov ax, PML4 >> 4
    mov es, ax
    mov dword [es:0], PDPT | 3
    mov dword [es:PDPT - PML4], DIRECTORY | 3
    mov dword [es:DIRECTORY - PML4], TABLE_LOW | 3
    mov dword [es:DIRECTORY - PML4 + 16], TABLE_WINDOW | 3
    mov dword [es:TABLE_WINDOW - PML4], CODE | 3
    mov dword [es:TABLE_WINDOW - PML4 + 8], VICTIM | 1
    mov di, TABLE_LOW - PML4
    mov eax, 3
.identity:
    mov [es:di], eax
    add di, 8
    add eax, 0x1000
    cmp eax, 0x200003
    jb .identity

    lidt [no_table]
    lgdt [gdt_at]
    mov eax, CR4_PAE
    mov cr4, eax
    mov eax, PML4
    mov cr3, eax
    mov ecx, MSR_EFER
    mov eax, EFER_LME
    xor edx, edx
    wrmsr
    mov eax, CR0_PE | CR0_NE | CR0_WP | CR0_PG
    mov cr0, eax
    jmp 8:long_mode

    bits 64
long_mode:
    mov eax, 16
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov rsp, 0x7c00
    mov rax, 0x1111222233334444
    mov r15, 0xfedcba9876543210
    mov rbx, WINDOW
    jmp rbx

window:
    call .next                  ; e8 00 00 00 00
.next:
    mov byte [abs WINDOW + 0x1000], 0x5a    ; c6 04 25 00 10 40 00 5a
    times 32 nop
window_end:

align 8
gdt:
    dq 0
    dq 0x00209b0000000000       ; code, 64-bit
    dq 0x00cf93000000ffff       ; data
gdt_end:
gdt_at:
    dw gdt_end - gdt - 1
    dd gdt
no_table:
    dw 0
    dd 0

    guest_routines 16
