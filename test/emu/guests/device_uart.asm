; SPDX-License-Identifier: MIT
; The 16550s by their registers: loopback, FIFO, line and modem status, interrupt identification; what COM2 and
; COM4 send.

%include "guest.inc"

%define COM2 0x2f8
%define COM4 0x2e8

; out_port PORT, VALUE; in_must PORT, VALUE, "text". Both change AX and DX.
%macro out_port 2
    mov dx, %1
    mov al, %2
    out dx, al
%endmacro

%macro in_must 3+
    mov dx, %1
    in al, dx
    check_equal al, %2, %3
%endmacro

    guest_start
    in_must COM2 + 5, 0x60, "line status at first", 10
    in_must COM2 + 2, 0x01, "nothing is pending at first", 10
    in_must COM2 + 6, 0xb0, "modem status at first", 10

    out_port COM2 + 7, 0x5a
    in_must COM2 + 7, 0x5a, "scratch", 10
    out_port COM2 + 3, 0x83
    out_port COM2 + 0, 0x0c
    out_port COM2 + 1, 0x00
    in_must COM2 + 0, 0x0c, "divisor", 10
    out_port COM2 + 3, 0x03

    ; Loopback: RTS and OUT1 come back as CTS and RI, with their changes.
    out_port COM2 + 4, 0x16
    mov dx, COM2 + 6
    in al, dx
    check_equal al, 0x5a, "modem status in loopback", 10
    in_must COM2 + 6, 0x50, "changes are shown once", 10

    ; FIFO with a trigger level of 4; 16 bytes fit, the 17th is an overrun.
    out_port COM2 + 2, 0x47
    out_port COM2 + 1, 0x05
    mov cx, 17
    mov bl, 'A'
fill:
    out_port COM2, bl
    inc bl
    loop fill
    in_must COM2 + 2, 0xc6, "the overrun comes first", 10
    in_must COM2 + 5, 0x63, "line status with an overrun", 10
    in_must COM2 + 2, 0xc4, "then the data", 10
    mov cx, 16
    mov bl, 'A'
drain:
    mov dx, COM2
    in al, dx
    check_equal al, bl, "a byte of the FIFO", 10
    inc bl
    loop drain
    in_must COM2 + 2, 0xc1, "all is served", 10

    ; The transmitter's interrupt: raised by its enable bit, taken back by being shown.
    out_port COM2 + 1, 0x02
    in_must COM2 + 2, 0xc2, "transmitter", 10
    in_must COM2 + 2, 0xc1, "shown once", 10

    ; Below the trigger level: after the time of four characters.
    out_port COM2 + 1, 0x01
    out_port COM2, 'x'
    in_must COM2 + 2, 0xc1, "below the level", 10
    mov cx, 0xffff
timeout:
    mov dx, COM2 + 2
    in al, dx
    cmp al, 0xcc
    loopne timeout
    check_equal al, 0xcc, "timeout", 10
    out_port COM2 + 4, 0x03

    mov si, from_com2
    mov dx, COM2
    call send
    mov si, from_com4
    mov dx, COM4
    call send
    out_port PORT_COM1 + 7, 0xa5
    in_must PORT_COM1 + 7, 0xa5, "COM1's scratch is another one", 10
    in_must COM2 + 7, 0x5a, "COM2's is as it was", 10
    print "uart: all is well", 10
    pass

send:
    lodsb
    out dx, al
    cmp al, 10
    jne send
    ret

from_com2: db "from COM2", 10
from_com4: db "from COM4", 10

    guest_routines 16
