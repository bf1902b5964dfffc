; SPDX-License-Identifier: MIT
;
; The boot sector of a FAT12 diskette: loads PROGRAM.BIN and starts it at 1000:0000. mformat writes the diskette's
; parameters over the first bytes.

    org 0x7c00
    bits 16
    jmp short start
    nop
    times 62 - ($ - $$) db 0

start:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov [DRIVE], dl
    mov si, name
    mov di, 0x1000
    call load_file
    jc .failed
    jmp 0x1000:0
.failed:
    mov si, complaint
.next:
    lodsb
    mov ah, 0x0e
    int 0x10
    test al, al
    jnz .next
    mov al, 1
    out 0xf4, al

name: db "PROGRAM BIN"
complaint: db "floppy: PROGRAM.BIN cannot be read", 13, 10, 0

%include "test/emu/guests/fat12.inc"

    times 510 - ($ - $$) db 0
    dw 0xaa55
