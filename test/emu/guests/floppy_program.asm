; SPDX-License-Identifier: MIT
;
; The program on the diskette: reads TEXT.TXT, prints its first line by INT 10h and adds up all of its bytes; then asks
; for the drive's parameters, which must be those of the boot sector, and reads its last sector.

%include "hypercall_abi.inc"

TEXT equ 0x20000
PROGRAM equ 0x10000

    org 0
    bits 16
    jmp start
%include "test/emu/guests/fat12.inc"

start:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov si, name + 0x500        ; load_file wants the name in segment 0
    mov di, si
    mov cx, 11
    mov si, name
.copy:
    mov al, [cs:si]
    mov [di], al
    inc si
    inc di
    loop .copy
    mov si, name + 0x500
    mov di, TEXT >> 4
    call load_file
    jc failed

    push word TEXT >> 4
    pop ds
    xor si, si
.print:
    lodsb
    mov ah, 0x0e
    int 0x10
    cmp al, 10
    jne .print
    xor si, si
    xor edx, edx
    xor eax, eax
.add:
    lodsb
    add edx, eax
    cmp si, TEXT_LENGTH
    jne .add
    cmp edx, TEXT_SUM
    jne failed

    xor ax, ax
    mov ds, ax
    mov dl, [DRIVE]
    test dl, dl
    jnz failed
    mov ah, 8
    int 0x13
    jc failed
    mov [0x610], cx
    mov [0x612], dx
    cmp bl, FLOPPY_TYPE
    jne failed
    cmp dl, 1
    jne failed
    mov al, dh
    inc al
    cmp al, [BPB_HEADS]
    jne failed
    and cl, 0x3f
    cmp cl, [BPB_PER_TRACK]
    jne failed
    push ds                     ; the parameter table knows the sectors a track, too
    lds si, [0x1e * 4]
    cmp [si + 4], cl
    pop ds
    jne failed
    mov ah, 0x15
    mov dl, 0
    int 0x13
    jc failed
    cmp ah, 1
    jne failed
    push word 0x5000
    pop es
    xor bx, bx
    mov cx, [0x610]
    mov dh, [0x613]
    mov dl, 0
    mov ax, 0x0201
    int 0x13
    jc failed
    cmp dword [es:0], "LAST"
    jne failed
    mov cx, [0x610]             ; and none behind it
    inc cx
    mov ax, 0x0201
    int 0x13
    jnc failed

    mov bx, 7
    mov cx, good_end - good
    mov bp, good
    push cs
    pop es
    mov dx, 0x0a00
    mov ax, 0x1301
    int 0x10
    xor al, al
    out PORT_END, al
failed:
    mov al, 1
    out PORT_END, al

name: db "TEXT    TXT"
good: db "floppy: all is well", 13, 10
good_end:
