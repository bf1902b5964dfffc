; SPDX-License-Identifier: MIT
;
; A hardware task switch, by JMP to a TSS: it exits whatever the controls say, is not emulated, and must end this guest with the reason.

%include "guest.inc"

    guest_start
    lgdt [task_gdt_pointer]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp 8:protected
protected:
    mov ax, 24
    ltr ax
    jmp 32:0
    ud2                         ; never reached

    align 8, db 0
task_gdt:
    dq 0
    dq 0x00009b000000ffff       ; 8: code
    dq 0x000093000000ffff       ; 16: data
    dq 0x0000890080000067       ; 24: a TSS of 32 bits at 0x8000
    dq 0x0000890081000067       ; 32: another at 0x8100
task_gdt_end:
task_gdt_pointer:
    dw task_gdt_end - task_gdt - 1
    dd task_gdt

    guest_routines 16
