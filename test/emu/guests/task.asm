; SPDX-License-Identifier: MIT
;
; A hardware task switch, by JMP to a TSS, or with BY_CALL, BY_IRET or BY_GATE defined in another way: it exits whatever the controls say, is not
; emulated, and must end this guest with the reason.

%include "guest.inc"

TASK equ 0x8000                 ; the TSS of this task; its first word is the link to the one before
TARGET equ 32

    guest_start
    lgdt [task_gdt_pointer]
    lidt [task_idt_pointer]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp 8:protected
protected:
    mov ax, 24
    ltr ax
%ifdef BY_CALL
    call TARGET:0
%elifdef BY_IRET
    mov byte [task_gdt + TARGET + 5], 0x8b      ; what called is busy
    mov word [TASK], TARGET
    pushf
    or word [esp], 1 << 14                      ; nested task
    popf
    iret
%elifdef BY_GATE
    int 1
%else
    jmp TARGET:0
%endif
    ud2                         ; never reached

    align 8, db 0
task_gdt:
    dq 0
    dq 0x00009b000000ffff       ; 8: code
    dq 0x000093000000ffff       ; 16: data
    dq 0x0000890000000067 | TASK << 16          ; 24: a TSS of 32 bits
    dq 0x0000890081000067       ; TARGET: another at 0x8100
task_gdt_end:
task_gdt_pointer:
    dw task_gdt_end - task_gdt - 1
    dd task_gdt
task_idt:
    dq 0
    dw 0, TARGET, 0x8500, 0     ; vector 1: a task gate
task_idt_pointer:
    dw 15
    dd task_idt

    guest_routines 16
