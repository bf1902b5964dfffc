; SPDX-License-Identifier: MIT
; What devices show of what was written to them: the 8254's status byte, a 16550's data bits in loopback mode, and the
; screen of a 40-column mode, which the test reads by dump=screen.

%include "guest.inc"

    guest_start
    ; The control word of counter 2, all modes, comes back in bits 5:0 of its status.
%assign mode 0
%rep 8
    mov al, 0xb0 | mode << 1
    out 0x43, al
    mov al, 0xe8
    out 0x43, al
    in al, 0x42
    and al, 0x3f
    check_equal al, 0x30 | mode << 1, "the 8254 shows another mode"
%assign mode mode + 1
%endrep

    ; 5 to 8 data bits at COM2.
    mov dx, 0x2fc
    mov al, 0x10
    out dx, al
    mov cx, 0x1f00              ; CH: the bits that come back; CL: the line control
length:
    mov dx, 0x2fb
    mov al, cl
    out dx, al
    mov dx, 0x2f8
    mov al, 0xff
    out dx, al
    in al, dx
    check_equal al, ch, "the 16550 keeps another number of bits"
    shl ch, 1
    or ch, 1
    inc cx
    cmp cl, 4
    jne length

    ; Mode 0: rows of 40 cells, written as a program does and by the BIOS.
    mov ax, 0x0000
    int 0x10
    mov ax, GUEST_TEXT_BASE >> 4
    mov es, ax
    mov word [es:0], 0x0700 | 'A'
    mov word [es:2 * 40], 0x0700 | 'B'
    mov ah, 0x02
    mov dx, 0x0202
    xor bx, bx
    int 0x10
    mov ax, 0x0e00 | 'C'
    int 0x10
    mov ah, 0x0f
    int 0x10
    check_equal ax, 40 << 8, "AH=0Fh tells another mode"
    pass

    guest_routines 16
