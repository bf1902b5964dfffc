; SPDX-License-Identifier: MIT
;
; Loads of SS to step over, in real mode (0x7e00), protected mode (0x8000) and 64-bit mode (0x8400), each with an instruction behind it that a
; breakpoint or a watch may be about. The guest looks at what was loaded, and that no interrupt comes between a load and what follows it.

%include "guest.inc"

PML4     equ 0x10000
PDPT     equ 0x11000
PD       equ 0x12000
DATA     equ 0x3000             ; selectors to load, and a place to write to
GDT      equ 0x6000             ; in a page of its own
SEEN     equ DATA + 16        ; all flags that it has pushed
IDT      equ 0x7000
MSR_EFER equ 0xc0000080

CODE32   equ 0x08
DATA32   equ 0x10
STACK16  equ 0x18               ; base 0x100, limit 0xfff0, 16-bit, not accessed
CODE64   equ 0x20
LDT      equ 0x28
FRESH    equ 0x30               ; not accessed: for the load that only the processor can do
LOCAL    equ 0x04               ; in the LDT

    guest_start
    mov word [DATA], 0
    mov dword [SEEN], 0
    mov si, gdt
    mov di, GDT
    mov cx, gdt_end - gdt
    rep movsb
    jmp 0:real_point

    times 0x200 - ($ - $$) db 0x90
real_point:                     ; 0x7e00
    mov bx, DATA
    mov ss, [bx]
    mov esp, 0x7c00
    push word 0x10
    pop ss
    nop
    mov [DATA + 2], ss
    xor ax, ax
    mov ss, ax
    pushf
    pop ax
    or [SEEN], ax
    check_equal word [DATA + 2], 0x10, "POP SS in real mode"
    lgdt [gdt_pointer]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp CODE32:protected_point

    times 0x400 - ($ - $$) db 0x90
bits 32
protected_point:                ; 0x8000
    mov eax, DATA32
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov esp, 0x7c00
    mov dword [DATA], DATA32
    mov ss, [DATA]
    mov dword [DATA + 8], 0x1234
    push dword DATA32
    pop ss
    pushfd
    pop eax
    or [SEEN], eax
    mov ax, LDT
    lldt ax
    mov eax, LOCAL
    mov ss, eax
    nop
    mov edx, ss
    mov eax, STACK16
    mov ss, eax
    nop
    mov ecx, ss
    lsl ebx, eax
    mov eax, DATA32
    mov ss, eax
    nop
    cmp edx, LOCAL
    check_condition e, "MOV SS from the LDT"
    cmp ecx, STACK16
    check_condition e, "MOV SS of a 16-bit stack"
    cmp ebx, 0xfff0
    check_condition e, "its limit"
    test byte [GDT + STACK16 + 5], 1
    check_condition nz, "the accessed flag"
    jmp faults

    times 0x600 - ($ - $$) db 0x90
faults:                         ; 0x8200
    mov dword [IDT + 13 * 8], CODE32 << 16 | (on_fault - $$ + 0x7c00)
    mov dword [IDT + 13 * 8 + 4], 0x8e00
    lidt [idt_pointer]
    xor ebp, ebp
    mov eax, CODE32
    mov ss, eax
    mov eax, 0x1000
    mov ss, eax
    xor eax, eax
    mov ss, eax
    cmp ebp, 3
    check_condition e, "loads that fault"
    mov eax, FRESH
    mov ss, eax                 ; alone where the descriptor may not be written
    nop
    mov eax, DATA32
    mov ss, eax
; Paging, and 64-bit mode.
    mov dword [PML4], PDPT | 3
    mov dword [PDPT], PD | 3
    mov dword [PD], 0x83
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
    jmp CODE64:long_point

; In front of EIP the load of SS, two bytes.
on_fault:
    inc ebp
    add dword [esp + 4], 2
    add esp, 4
    iretd

    times 0x800 - ($ - $$) db 0x90
bits 64
long_point:                     ; 0x8400
    xor eax, eax
    mov ss, eax
    nop
    mov ecx, ss
    mov r9d, DATA32
    mov ss, r9d
    pushfq
    pop rax
    or [abs SEEN], eax
    mov edx, ss
    mov ss, [rel gdt_selector]
    nop
    test ecx, ecx
    check_condition z, "the null selector"
    cmp edx, DATA32
    check_condition e, "MOV SS in 64-bit mode"
    test dword [abs SEEN], 0x100
    check_condition z, "a TF that is not its own"
    print "stepped_ss: done", 10
    pass

    guest_routines 64
    guest_routines 32
    guest_routines 16

    align 8, db 0
gdt:
    dq 0
    dq 0x00cf9b000000ffff
    dq 0x00cf93000000ffff
    dq 0x000092000100fff0
    dq 0x00af9b000000ffff
    dq 0x0000820000000000 | (GDT + 0x40) << 16 | 7
    dq 0x00cf92000000ffff
    dq 0
    dq 0x00cf93000000ffff       ; the LDT
gdt_end:
gdt_selector: dw DATA32
gdt_pointer:
    dw 0x37
    dd GDT
idt_pointer:
    dw 14 * 8 - 1
    dd IDT
