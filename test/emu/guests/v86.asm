; SPDX-License-Identifier: MIT
;
; Virtual-8086 mode inside protected mode, with paging: exits of all kinds from there find the right state and leave it alone. And a real
; mode with segments beyond 64 KiB ("big real"): limits of 4 GiB in DS, ES and SS survive every exit.

%include "guest.inc"

EFLAGS_VM equ 1 << 17
CR4_PSE equ 1 << 4
GENERAL_PROTECTION equ 13
DIRECTORY equ 0x20000           ; linear = physical, 4 MiB pages, for user code too
STACK_0 equ 0x6000              ; of ring 0, for what leaves virtual-8086 mode
STACK_86 equ 0x5000
FAR_PAGE equ 0x50000            ; untouched pages: an EPT violation each
DATA_SEGMENT equ 0x5000              ; the same, as a real-mode segment

    guest_start
    check_version

    ; Big real: the code below uses 32-bit addresses through DS, ES and SS.
    lgdt [gdt_pointer]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    mov bx, GDT_DATA32
    mov ds, bx
    mov es, bx
    mov ss, bx
    and al, ~CR0_PE & 0xff
    mov cr0, eax
    xor bx, bx
    mov ds, bx
    mov es, bx
    mov ss, bx
    mov edi, 0x200000
    mov dword [edi], "big "             ; EPT violation through DS
    mov esi, edi
    add edi, 0x400004
    a32 es movsd                        ; through ES
    mov eax, 0
    cpuid
    mov ebp, 0x800000
    mov dword [ss:ebp], 0x12345678      ; through SS
    hypercall HYPERCALL_VERSION
    mov edi, 0x600004
    cmp dword [edi], "big "
    check_condition e, "big real mode: a string move"
    mov ebp, 0x800000
    cmp dword [ss:ebp], 0x12345678
    check_condition e, "big real mode: the stack segment"
    print "v86: big real mode keeps its limits over exits", 10

    ; Protected mode with paging, and from there IRET into virtual-8086 mode.
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
    mov esp, 0x7c00
    mov edi, DIRECTORY
    mov eax, 0x87                       ; present, writable, user, 4 MiB
    mov ecx, 4
.entry:
    stosd
    add eax, 0x400000
    loop .entry
    mov eax, cr4
    or al, CR4_PSE
    mov cr4, eax
    mov eax, DIRECTORY
    mov cr3, eax
    mov eax, cr0
    or eax, CR0_PG
    mov cr0, eax
    lidt [idt_pointer]
    mov dword [tss + 4], STACK_0
    mov dword [tss + 8], GDT_DATA32
    mov word [tss + 102], tss_map - tss
    mov ax, tss_selector - more_gdt
    lgdt [more_gdt_pointer]
    ltr ax
    push dword 0x1111                   ; GS
    push dword 0x2222                   ; FS
    push dword DATA_SEGMENT                  ; DS
    push dword 0x4444                   ; ES
    push dword 0                        ; SS
    push dword STACK_86
    push dword EFLAGS_VM | 2            ; I/O privilege level 0
    push dword 0                        ; CS
    push dword virtual_86
    iretd

    bits 16
virtual_86:
    mov dword [0], "v86!"               ; DS:0 is FAR_PAGE: an EPT violation
    mov eax, 0
    cpuid
    mov eax, HYPERCALL_VERSION
    vmcall
    mov [cs:version], ebx
    mov dx, PORT_COM1
    mov al, "("
    out dx, al                          ; the TSS's map allows it: an exit, no fault
    mov al, ")"
    out dx, al
    mov al, 10
    out dx, al
    mov ax, gs
    mov [cs:seen_gs], ax
    mov ax, fs
    mov [cs:seen_fs], ax
    mov ax, es
    mov [cs:seen_es], ax
    mov ebp, 0x55aa55aa
    int 0x80                            ; I/O privilege level below 3: #GP, to ring 0
    hlt

    bits 32
; Vector 13, with its error code, from virtual-8086 mode: ES, DS, FS and GS are on the stack, and are null now.
general_protection:
    mov ax, GDT_DATA32
    mov ds, ax
    mov es, ax
    check_equal dword [esp], 0, "error code of INT in virtual-8086 mode"
    check_equal dword [esp + 8], 0, "CS of virtual-8086 mode"
    test dword [esp + 12], EFLAGS_VM
    check_condition nz, "EFLAGS.VM as pushed"
    check_equal dword [esp + 16], STACK_86, "SP of virtual-8086 mode"
    check_equal dword [esp + 24], 0x4444, "ES of virtual-8086 mode"
    check_equal dword [esp + 28], DATA_SEGMENT, "DS of virtual-8086 mode"
    check_equal dword [esp + 32], 0x2222, "FS of virtual-8086 mode"
    check_equal dword [esp + 36], 0x1111, "GS of virtual-8086 mode"
    check_equal ebp, 0x55aa55aa, "EBP over the exits"
    check_equal dword [FAR_PAGE], "v86!", "a write through DS of virtual-8086 mode"
    check_equal dword [version], HYPERCALL_ABI_VERSION, "VMCALL in virtual-8086 mode"
    check_equal word [seen_gs], 0x1111, "GS read in virtual-8086 mode"
    check_equal word [seen_fs], 0x2222, "FS read in virtual-8086 mode"
    check_equal word [seen_es], 0x4444, "ES read in virtual-8086 mode"
    print "v86: virtual-8086 mode: exits, I/O permitted by the TSS, #GP to ring 0", 10
    pass

    guest_routines 32
    guest_routines 16
    guest_gdt
    align 8
more_gdt:
    dq 0
    dq 0x00009b000000ffff, 0x000093000000ffff, 0x00cf9b000000ffff, 0x00cf93000000ffff
tss_selector:
    dw tss_end - tss - 1, tss
    db 0, 0x89, 0, 0
more_gdt_end:
more_gdt_pointer:
    dw more_gdt_end - more_gdt - 1
    dd more_gdt
    align 8
idt:
    times 13 dq 0
    dw general_protection, GDT_CODE32, 0x8e00, 0
idt_end:
idt_pointer:
    dw idt_end - idt - 1
    dd idt
version: dd 0
seen_gs: dw 0
seen_fs: dw 0
seen_es: dw 0
    align 4
tss: times 104 db 0
tss_map: times 0x3f8 / 8 + 1 db 0
    db 0xff
tss_end:
