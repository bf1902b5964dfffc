; SPDX-License-Identifier: MIT
;
; How another CPU gets from its SIPI in real mode to smp_enter() in 64-bit mode.
;
; smp.c copies the first part to a page below 1 MiB and fills in the words at its end (arch/x86/smp_abi.h).
; The CPU comes in with CS = page >> 4, IP = 0. It may come late, when the boot CPU has given it up and is
; already starting another one: it uses nothing of the page but constants until it has seen its own APIC ID
; there and taken the ticket.

%include "layout_abi.inc"
%include "smp_abi.inc"

MSR_EFER equ 0xc0000080
EFER_LME_NXE equ 1 << 11 | 1 << 8
MSR_APIC_BASE equ 0x1b
APIC_BASE_EXTD equ 1 << 10
MSR_X2APIC_APICID equ 0x802
XAPIC_ID equ 0x20

section .trampoline progbits alloc noexec nowrite align=16

global ap_trampoline_start, ap_trampoline_end, ap_trampoline_gdt, ap_trampoline_long
bits 16
ap_trampoline_start:
    cli
    cld
    mov ax, cs
    mov ds, ax
    o32 lgdt [TRAMPOLINE_GDTR]
    mov eax, [TRAMPOLINE_CR4]
    mov cr4, eax
    mov eax, [TRAMPOLINE_BOOT_CR3]
    mov cr3, eax
    mov ecx, MSR_EFER
    mov eax, EFER_LME_NXE
    xor edx, edx
    wrmsr
    mov ebx, [TRAMPOLINE_JUMP]          ; linear, so the page's own address
    mov eax, [TRAMPOLINE_CR0]
    mov cr0, eax                        ; real mode to long mode in one step: PE and PG together
    o32 jmp far [TRAMPOLINE_JUMP]

bits 64
ap_trampoline_long:
    mov rax, ap_enter_high
    jmp rax

    align 8
ap_trampoline_gdt:
    dq 0
    dq 0x00209a0000000000               ; 64-bit code
ap_trampoline_end:

section .text
; RBX = physical address of ap_trampoline_long in the page, on boot tables.
ap_enter_high:
    mov ebx, ebx
    and rbx, ~0xfff
    mov rax, DIRECT_MAP_BASE
    add rbx, rax
    mov rax, [rbx + TRAMPOLINE_CR3]
    mov cr3, rax
    xor eax, eax
    mov ss, eax
    mov ds, eax
    mov es, eax

; Who am I? As the local APIC says, which is what the boot CPU addressed.
    mov ecx, MSR_APIC_BASE
    rdmsr
    test eax, APIC_BASE_EXTD
    jz .xapic
    mov ecx, MSR_X2APIC_APICID
    rdmsr
    jmp .identified
.xapic:
    shl rdx, 32
    and eax, 0xfffff000
    or rax, rdx
    mov rcx, DIRECT_MAP_BASE
    mov eax, [rax + rcx + XAPIC_ID]
    shr eax, 24
.identified:
    cmp eax, [rbx + TRAMPOLINE_APIC_ID]
    jne .halt
    mov eax, TICKET_OPEN
    mov ecx, TICKET_CLAIMED
    lock cmpxchg [rbx + TRAMPOLINE_TICKET], ecx
    jne .halt

    mov rsp, [rbx + TRAMPOLINE_STACK]
    mov rdi, [rbx + TRAMPOLINE_PERCPU]
    xor ebp, ebp
    extern smp_enter
    call smp_enter                      ; does not return
.halt:
    cli
    hlt
    jmp .halt
