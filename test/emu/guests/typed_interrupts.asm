; SPDX-License-Identifier: MIT
;
; What is typed comes twice: as characters by COM1's receive interrupt, and as scan codes by the keyboard's. The guest does nothing but HLT
; between them; after the release of Enter it prints both.

%include "guest.inc"
%include "test/emu/guests/master_pic.inc"

MASTER equ 0x20
COM1 equ 0x3f8
RELEASE_ENTER equ 0x9c

    guest_start
    check_version
    mov word [0x21 * 4], irq_1
    mov word [0x21 * 4 + 2], 0
    mov word [0x24 * 4], irq_4
    mov word [0x24 * 4 + 2], 0
    master_pic ~0x12 & 0xff  ; IRQ 1 and 4 alone
    mov al, 0x60                        ; command byte: interrupt, translation
    out 0x64, al
    mov al, 0x41
    out 0x60, al
    mov dx, COM1 + 4                    ; DTR, RTS, OUT2
    mov al, 0x0b
    out dx, al
    mov dx, COM1 + 1                    ; received data available
    mov al, 1
    out dx, al
    print "typed_interrupts: waits", 10
wait_for_more:
    sti
    hlt
    cli
    cmp byte [released], 0
    je wait_for_more

    print "characters:"
    mov si, characters
    mov bp, [character_end]
    call print_bytes
    print "keys:"
    mov si, keys
    mov bp, [key_end]
    call print_bytes
    pass

irq_1:
    push ax
    push bx
    in al, 0x60
    mov bx, [cs:key_end]
    mov [cs:bx], al
    inc word [cs:key_end]
    cmp al, RELEASE_ENTER
    sete [cs:released]
    mov al, 0x20
    out MASTER, al
    pop bx
    pop ax
    iret

irq_4:
    push ax
    push bx
    push dx
    mov dx, COM1 + 2                    ; it is the receiver: 010b, or 110b for the time-out of a FIFO
    in al, dx
    mov [cs:identification], al
    mov dx, COM1
    in al, dx
    mov bx, [cs:character_end]
    mov [cs:bx], al
    inc word [cs:character_end]
    mov al, 0x20
    out MASTER, al
    pop dx
    pop bx
    pop ax
    iret

; The bytes from SI to BP, in hexadecimal, and the line's end.
print_bytes:
    cmp si, bp
    je .end
    mov al, ' '
    call put_16
    lodsb
    mov ah, al
    shr al, 4
    call .digit
    mov al, ah
    and al, 15
    call .digit
    jmp print_bytes
.digit:
    cmp al, 10
    sbb al, 0x69
    das
    or al, 0x20
    call put_16
    ret
.end:
    print 10
    ret

    guest_routines 16
released: db 0
identification: db 0
character_end: dw characters
key_end: dw keys
characters equ 0x9000
keys equ 0x9800
