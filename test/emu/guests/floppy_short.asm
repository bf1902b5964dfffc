; SPDX-License-Identifier: MIT
; boot=floppy of an image that ends in its second sector: it is of a diskette of 1440K all the same, or with
; -D PER_TRACK=n of the one that its BPB describes. What the image lacks reads as zero and can be written.

%include "guest.inc"

%ifdef PER_TRACK
BY_BPB equ 1
%else
BY_BPB equ 0
PER_TRACK equ 18
%endif

    org 0x7c00
    bits 16
%if BY_BPB
    jmp near begin              ; the BIOS parameter block is behind the jump
    db "ADEPT   "
    dw 512
    db 1
    dw 1, 2
    db 0
    dw 80 * 2 * PER_TRACK
    db 0xf0
    dw 9, PER_TRACK, 2
    dd 0, 0
%endif
begin:
    xor eax, eax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, 0x7c00
    mov ah, 0x08
    xor dx, dx
    int 0x13
    xor ax, ax
    mov es, ax
    check_condition nc, "AH=08h"
    check_equal cx, 79 << 8 | PER_TRACK, "another geometry"
    mov dx, 0                   ; the rest of the first track
    mov cx, 0x0002
    mov ax, 0x0200 + PER_TRACK - 1
    mov bx, 0x8000
    int 0x13
    jc failed
    check_equal dword [0x8000], "tail", "the image's own second sector"
    mov di, 0x8004
    mov cx, (512 * (PER_TRACK - 1) - 4) / 2
    xor ax, ax
    repe scasw
    check_condition e, "what the image lacks is not zero"
    mov ax, 0x0301              ; the last sector of all
    mov bx, 0x8000
    mov cx, 79 << 8 | PER_TRACK
    mov dx, 0x0100
    int 0x13
    jc failed
    mov ax, 0x0201
    mov bx, 0xa000
    int 0x13
    jc failed
    check_equal dword [0xa000], "tail", "the last sector"
    mov ax, 0x0201
    mov cx, 80 << 8 | 1
    int 0x13
    check_condition c, "a track that is not there"
    print "floppy: short and whole", 10
    pass
failed:
    fail "a read or write fails"
    guest_routines 16
    times 510 - ($ - $$) db 0
    dw 0xaa55
    db "tail"
