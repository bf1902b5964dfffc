; SPDX-License-Identifier: MIT
;
; Points to stop at in real mode (0x7e00), protected mode (0x8000) and 64-bit mode (0x8200), flags saved by PUSHFD, PUSHFQ, SYSCALL, INT and
; exceptions there, and page tables (PML4 0x10000, PDPT 0x11000, PD 0x12000, PT 0x13000) whose flags the processor sets. The guest says whether
; it has ever seen an RFLAGS.TF that it has not set, and whether its code has changed.

%include "guest.inc"

PML4     equ 0x10000
PDPT     equ 0x11000
PD       equ 0x12000
PT       equ 0x13000
DATA     equ 0x20000            ; its entry is at PT + 0x100
IDT      equ 0x14000
TF       equ 0x100
MSR_EFER equ 0xc0000080

    guest_start
    mov word [sum_end], 0
    jmp 0:real_point

    times 0x200 - ($ - $$) db 0x90
real_point:                     ; 0x7e00
    pushfd
    pop dword [saved]
    lgdt [gdt_pointer]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp GDT_CODE32:protected_point

    times 0x400 - ($ - $$) db 0x90
bits 32
protected_point:                ; 0x8000
    mov ax, GDT_DATA32
    mov ds, ax
    mov es, ax
    mov ss, ax
    pushfd
    pop eax
    or [saved], eax
    mov ax, ss
    mov ss, ax
    pushfd
    pop eax
    or [saved], eax
; Page tables: the first 2 MiB in 4 KiB pages.
    mov dword [PML4], PDPT | 7
    mov dword [PDPT], PD | 7
    mov dword [PD], PT | 7
    mov edi, PT
    mov eax, 7
.entry:
    mov [edi], eax
    add eax, 0x1000
    add edi, 8
    cmp edi, PT + 0x1000
    jb .entry
    mov eax, PML4
    mov cr3, eax
    mov eax, 1 << 5             ; CR4.PAE
    mov cr4, eax
    mov ecx, MSR_EFER
    mov eax, 1 << 8 | 1         ; LME, SCE
    xor edx, edx
    wrmsr
    mov eax, cr0
    or eax, CR0_PG
    mov cr0, eax
    jmp code64 - gdt:long_point

    times 0x600 - ($ - $$) db 0x90
bits 64
long_point:                     ; 0x8200
    pushfq
    pop rax
    or [saved], eax
    mov ecx, 0xc0000081         ; IA32_STAR: SYSCALL loads CS from bits 47:32
    xor eax, eax
    mov edx, code64 - gdt
    wrmsr
    mov ecx, 0xc0000082         ; IA32_LSTAR
    mov eax, on_syscall
    xor edx, edx
    wrmsr
    mov dword [IDT + 6 * 16], (code64 - gdt) << 16 | (on_exception - $$ + 0x7c00)
    mov dword [IDT + 6 * 16 + 4], 0x8e00
    mov dword [IDT + 0x40 * 16], (code64 - gdt) << 16 | (on_interrupt - $$ + 0x7c00)
    mov dword [IDT + 0x40 * 16 + 4], 0x8e00
    lidt [idt_pointer]
before_syscall:
    syscall
after_syscall:
    int 0x40
    ud2
    pushfq
    popfq
    mov eax, [DATA]             ; sets A
    mov dword [DATA], 0x12345678 ; sets D
    mov rax, [DATA]
    push rax
    pop rax
    test dword [saved], TF
    jz .clean
    print "stepped_modes: it has seen a TF that is not its own", 10
.clean:
    print "stepped_modes: done", 10
    pass

on_syscall:
    or [saved], r11d
    pushfq
    pop rax
    or [saved], eax
    jmp rcx

on_interrupt:
    mov rax, [rsp + 16]
    or [saved], eax
    iretq

on_exception:
    mov rax, [rsp + 16]
    or [saved], eax
    add qword [rsp], 2
    iretq

    guest_routines 64

    align 8, db 0
gdt:
    dq 0
gdt_code32: dq 0x00cf9b000000ffff
gdt_data32: dq 0x00cf93000000ffff
code64:     dq 0x00af9b000000ffff
data64:     dq 0x00cf93000000ffff
gdt_end:
gdt_pointer:
    dw gdt_end - gdt - 1
    dd gdt
GDT_CODE32 equ gdt_code32 - gdt
GDT_DATA32 equ gdt_data32 - gdt
idt_pointer:
    dw 0x41 * 16 - 1
    dq IDT
saved:
    dd 0
sum_end:
    dd 0
