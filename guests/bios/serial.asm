; SPDX-License-Identifier: MIT
;
; INT 14h: a serial port, DX = 0 to 3, by its registers. In AH comes the line status, with bit 7 if nothing
; happened in time; for a port that is not there, bit 7 alone.

SERIAL_POLLS equ 4096           ; looks at the line status before giving up
LINE_DATA_READY equ 0x01
LINE_TRANSMIT_EMPTY equ 0x20
DLAB equ 0x80

int_14:
    push bx
    push cx
    push dx
    push si
    push ds
    cmp dx, 4
    jae .absent
    mov si, BDA
    mov ds, si
    mov si, dx
    add si, si
    mov dx, [BDA_SERIAL_PORTS + si]
    test dx, dx
    jz .absent
    cmp ah, 0
    je .initialise
    cmp ah, 1
    je .send
    cmp ah, 2
    je .receive
    cmp ah, 3
    je .status
.absent:
    mov ah, 0x80
.return:
    pop ds
    pop si
    pop dx
    pop cx
    pop bx
    iret

; AL: 7:5 rate, 4:3 parity, 2 stop bits, 1:0 bits a character; the low five bits are the line control register's.
.initialise:
    mov bl, al
    movzx si, al
    shr si, 5
    add si, si
    mov cx, [cs:divisors + si]
    add dx, 3
    mov al, DLAB
    out dx, al
    sub dx, 3
    mov al, cl
    out dx, al
    inc dx
    mov al, ch
    out dx, al
    add dx, 2
    mov al, bl
    and al, 0x1f
    out dx, al
    sub dx, 2
    xor al, al                  ; no interrupts
    out dx, al
    dec dx
.status:                        ; AH line status, AL modem status
    add dx, 5
    in al, dx
    mov ah, al
    inc dx
    in al, dx
    jmp .return

.send:
    mov bl, al
    mov bh, LINE_TRANSMIT_EMPTY
    call wait_for_line
    mov al, bl
    jc .return
    sub dx, 5
    out dx, al
    jmp .return

.receive:
    mov bl, al
    mov bh, LINE_DATA_READY
    call wait_for_line
    mov al, bl
    jc .return
    sub dx, 5
    in al, dx
    and ah, 0x1e                ; errors alone
    jmp .return

; Until a bit of BH is in the line status: AH = line status. CF, and bit 7 of AH: it did not come. DX = its port.
wait_for_line:
    add dx, 5
    mov cx, SERIAL_POLLS
.again:
    in al, dx
    mov ah, al
    test al, bh
    jnz .good
    pause
    loop .again
    or ah, 0x80
    stc
    ret
.good:
    and ah, 0x7f
    ret

; 115200 divided by 110, 150, 300, 600, 1200, 2400, 4800, 9600 bit/s.
divisors: dw 1047, 768, 384, 192, 96, 48, 24, 12
