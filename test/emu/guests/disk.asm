; SPDX-License-Identifier: MIT
;
; The image of a disk of 8 cylinders, 4 heads and 17 sectors, as its partition table says. Its master boot record loads
; the boot sector of the active partition as they all do: by CHS, to where it itself was.

%include "hypercall_abi.inc"

HEADS equ 4
PER_TRACK equ 17
SECTORS equ 8 * HEADS * PER_TRACK
RELOCATED equ 0x600

    org 0x7c00
    bits 16
    cli
    xor ax, ax
    mov ss, ax
    mov sp, 0x7c00
    mov ds, ax
    mov es, ax
    sti
    mov si, 0x7c00
    mov di, RELOCATED
    mov cx, 256
    rep movsw
    jmp 0:relocated - 0x7c00 + RELOCATED
relocated:
    mov si, table - 0x7c00 + RELOCATED
    mov dl, [si]
    mov dh, [si + 1]
    mov cx, [si + 2]
    mov bx, 0x7c00
    mov ax, 0x0201
    int 0x13
    jc .failed
    cmp word [0x7c00 + 510], 0xaa55
    jne .failed
    jmp 0:0x7c00
.failed:
    mov al, 2
    out PORT_END, al

    times 446 - ($ - $$) db 0
table:
    db 0x80                     ; active; begins at cylinder 0, head 1, sector 1
    db 1, 1, 0
    db 0x06                     ; FAT16
    db HEADS - 1, PER_TRACK, 7  ; ends with the disk
    dd PER_TRACK, SECTORS - PER_TRACK
    times 510 - ($ - $$) db 0
    dw 0xaa55
    times PER_TRACK * 512 - ($ - $$) db 0

partition:                      ; at 0000:7C00 once loaded
    mov ah, 8
    mov dl, 0x80
    int 0x13
    jc .failed
    cmp cx, 7 << 8 | PER_TRACK
    jne .failed
    cmp dx, (HEADS - 1) << 8 | 1
    jne .failed
    mov si, .text - partition + 0x7c00
.next:
    lodsb
    mov ah, 0x0e
    int 0x10
    cmp al, 10
    jne .next
    xor al, al
    out PORT_END, al
.failed:
    mov al, 3
    out PORT_END, al
.text: db "disk: booted from its partition", 13, 10
    times 510 - ($ - partition) db 0
    dw 0xaa55
    times SECTORS * 512 - ($ - $$) db 0
