; SPDX-License-Identifier: MIT
;
; Events whose delivery meets an EPT fault. Delivering an event in real mode reads the interrupt table at page 0 and pushes
; on the stack; here one of these pages is made not present, or misconfigured, just before. The exit then has IDT-vectoring
; information, and after the repair the event must be delivered: once, not twice, and not lost.

%include "guest.inc"

HANDLER_INT equ 0x60
STACK_PAGE equ 0x30000

    guest_start
    check_version
    mov word [0x60 * 4], on_int
    mov word [0x60 * 4 + 2], 0
    mov word [6 * 4], on_ud
    mov word [6 * 4 + 2], 0
    mov word [0 * 4], on_de
    mov word [0 * 4 + 2], 0
    mov word [1 * 4], on_db
    mov word [1 * 4 + 2], 0
    mov word [13 * 4], on_gp
    mov word [13 * 4 + 2], 0

; Kind and address of a fault to plant.
%macro plant 2
    mov ebx, %2
    mov ecx, %1 | 1 << 8
    hypercall HYPERCALL_PLANT_FAULT
    check_equal eax, HYPERCALL_OK, "plant: status"
%endmacro

; The event came once, and through an EPT fault of this reason.
%macro came_once 2+
    check_equal word [count], 1, %2
    mov word [count], 0
    hypercall HYPERCALL_LAST_FAULT
    check_equal ebx, %1, %2
%endmacro

%macro try 2                    ; plant kind, reason
    plant %1, 0
    int HANDLER_INT
    came_once %2, "INT n: table page"
    plant %1, 0
    ud2
    came_once %2, "#UD: table page"
    plant %1, 0
    xor cx, cx
    mov ax, 1
    xor dx, dx
    div cx
    came_once %2, "#DE: table page"
    plant %1, 0
    mov ecx, 0x7fffffff
    rdmsr                       ; an exit, which injects #GP, whose delivery faults
    came_once %2, "#GP of RDMSR: table page"
    plant %1, 0
    int3_one_byte
    came_once %2, "INT1: table page"

; The stack's page, with a stack that has just been moved there.
    mov byte [dummy], 0
    push word STACK_PAGE >> 4
    pop ss
    mov sp, 0x800
    plant %1, STACK_PAGE
    int HANDLER_INT
    xor ax, ax
    mov ss, ax
    mov sp, 0x7c00
    came_once %2, "INT n: stack page"
%endmacro

%macro int3_one_byte 0
    db 0xf1                     ; INT1: a privileged software exception
%endmacro

    try PLANT_NOT_PRESENT, 48
    try PLANT_WRITE_ONLY, 49
    try PLANT_MEMORY_TYPE_3, 49

    print "reinject: every event was delivered once", 10
    pass

on_int:
on_db:
    inc word [cs:count]
    iret
on_ud:                          ; two bytes: UD2
on_de:                          ; two bytes: DIV CX
on_gp:                          ; two bytes: RDMSR
    inc word [cs:count]
    push bp
    mov bp, sp
    add word [bp + 2], 2
    pop bp
    iret

count: dw 0
dummy: db 0

    guest_routines 16
