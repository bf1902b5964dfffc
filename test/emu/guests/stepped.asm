; SPDX-License-Identifier: MIT
;
; Instructions that store or load the flags, for the monitor to step over or to stop at; the guest looks whether it ever sees an
; RFLAGS.TF that it has not set. Data at 0x3000, page-aligned, stack below 0x5000, so that each can be watched alone.

%include "guest.inc"

WORD_A   equ 0x3000
BYTE_A   equ 0x3010
STACK    equ 0x5000
TF       equ 0x100

    guest_start
    mov esp, STACK
    mov word [0x40 * 4], on_interrupt
    mov word [0x40 * 4 + 2], 0
    mov word [6 * 4], on_undefined
    mov word [6 * 4 + 2], 0
    call checksum
    mov [sum], ax
begin:
    pushf
    pop ax
    or [seen], ax
    pushfd
    pop eax
    or [seen], ax
    int 0x40
    push word 0x0002
    popf
    sti
    nop
    cli
    push word 0x0002
    push cs
    push word after_iret
    iret
after_iret:
    mov ax, ss
    mov ss, ax
    pushf
    pop ax
    or [seen], ax
    push ss
    pop ss
    pushf
    pop ax
    or [seen], ax
    mov cx, 4
    mov si, text
    mov di, 0x3020
    rep movsb
    xor eax, eax
    cpuid
    ud2
after_ud2:
    mov dword [WORD_A], 0x11223344
    mov byte [BYTE_A], 0x55
    inc word [WORD_A + 2]
    mov ax, [WORD_A]
    push word 0x1234
    pop ax
    call checksum
    cmp ax, [sum]
    je same
    print "stepped: its code has changed", 10
same:
    test word [seen], TF
    jz clean
    print "stepped: it has seen a TF that is not its own", 10
clean:
    print "stepped: done", 10
    pass

on_interrupt:
    push bp
    mov bp, sp
    mov ax, [bp + 6]
    or [seen], ax
    pop bp
    iret

; UD2 is two bytes long.
on_undefined:
    push bp
    mov bp, sp
    add word [bp + 2], 2
    mov ax, [bp + 6]
    or [seen], ax
    pop bp
    iret

; AX = sum of the code's bytes.
checksum:
    mov si, begin
    mov cx, on_undefined - begin
    xor ax, ax
    xor bx, bx
.next:
    lodsb
    add bx, ax
    loop .next
    mov ax, bx
    ret

text:
    db "text"
sum:
    dw 0
seen:
    dw 0

    guest_routines 16
