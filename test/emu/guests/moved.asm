; SPDX-License-Identifier: MIT
;
; A boot sector for another place: load=0x10000 entry=1000:0000. It finds itself there, entered at its first byte with CS as told,
; the other segments zero, and nothing at 0x7c00.

%include "hypercall_abi.inc"

PLACE equ 0x10000

    org 0
    bits 16
    mov bx, cs                  ; registers first: there is no stack yet
    mov bp, ds
    mov cx, es
    mov di, ss
    mov sp, 0x7000
    call .here
.here:
    pop si
    or bp, cx
    or bp, di
    mov al, '1'
    jnz .bad
    inc al
    cmp bx, PLACE >> 4
    jne .bad
    inc al
    cmp si, .here
    jne .bad
    inc al
    cmp dx, 0x80                ; the drive booted from
    jne .bad
    inc al
    cmp dword [0x7c00], 0
    jne .bad
    inc al
    mov bx, PLACE >> 4
    mov es, bx
    cmp word [es:signature], 0xaa55
    jne .bad
    mov si, .good
    mov cx, .good_end - .good
    mov dx, PORT_DEBUG_BOCHS
    cs rep outsb
    xor al, al
    out PORT_END, al
.bad:
    out PORT_DEBUG_BOCHS, al
    out PORT_END, al
    jmp .bad
.good: db "moved: all is where it was put", 10
.good_end:

    times 510 - ($ - $$) db 0
signature: dw 0xaa55
