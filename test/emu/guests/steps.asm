; SPDX-License-Identifier: MIT
;
; Instructions that Adept runs one at a time for the guest's sake (over a hole, ROM, or no-execute memory), in awkward company: under blocking
; by STI and MOV SS, with the guest's own single-stepping, with the stack in a hole; and the guest's own traps after instructions that exit.

%include "guest.inc"

HOLE equ GUEST_HOLE_BASE >> 4

    guest_start
    check_version
    mov word [1 * 4], on_db
    mov word [1 * 4 + 2], 0
    mov word [0x60 * 4], on_int
    mov word [0x60 * 4 + 2], 0
    push word HOLE
    pop es

; Under blocking by STI, then by MOV SS.
    xor ax, ax
    sti
    mov al, [es:0]
    cli
    check_equal al, 0xff, "a hole read right after STI"
    xor bx, bx
    xor ax, ax
    mov ss, bx
    mov al, [es:0]
    check_equal al, 0xff, "a hole read right after MOV SS"

; REP over a hole, which traps at every element.
    push es
    pop ds
    xor si, si
    mov di, buffer
    push word 0
    pop es
    mov cx, 40
    rep movsb
    push ds
    pop es
    push word 0
    pop ds
    check_equal cx, 0, "REP MOVSB from a hole: CX"
    check_equal byte [buffer + 39], 0xff, "REP MOVSB from a hole: its last byte"

; The guest's own single step: each of these must trap once, behind the instruction, the ones that exit too.
%macro stepped 2+               ; text, instruction
    mov word [traps], 0
    push word 0x0102            ; TF
    popf
    %2
%%after:
    push word 0x0002
    popf
    check_equal word [first_trap], %%after, %1
    mov word [first_trap], 0
%endmacro
    stepped "single step over NOP", nop
    stepped "single step over CPUID", cpuid
    mov dx, 0x1234
    stepped "single step over IN", in al, dx
    stepped "single step over a hole", mov al, [es:0]
    check_equal al, 0xff, "a hole, single-stepped"

; INT with the stack in a hole: what it pushes is lost, and the handler runs. Then more pages of the hole than one instruction may touch.
    mov word [returned], 0
    mov [saved_sp], sp
    push word HOLE + 0x100
    pop ss
    mov sp, 0x800
    int 0x60
back:
    check_equal word [returned], 1, "INT with the stack in a hole"
    xor di, di
    mov cx, 12
.pages:
    mov al, [es:di]
    check_equal al, 0xff, "a page of the hole"
    add di, 0x1000
    loop .pages

    print "steps: all as it should be", 10
    pass

on_db:
    push bp
    push ax
    mov bp, sp
    inc word [cs:traps]
    cmp word [cs:traps], 1
    jne .not_first
    mov ax, [bp + 4]
    mov [cs:first_trap], ax
.not_first:
    pop ax
    pop bp
    iret

on_int:                         ; cannot return: its stack forgets
    xor ax, ax
    mov ss, ax
    mov sp, [cs:saved_sp]
    mov word [cs:returned], 1
    jmp back

traps: dw 0
first_trap: dw 0
returned: dw 0
saved_sp: dw 0
buffer: times 40 db 0

    guest_routines 16
