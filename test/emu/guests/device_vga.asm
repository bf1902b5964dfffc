; SPDX-License-Identifier: MIT
; Text on the VGA's screen, its start address and cursor, and the beam in the status register. The test reads the
; screen by dump=screen.

%include "guest.inc"

%macro crtc 2
    mov dx, 0x3d4
    mov ax, (%2) << 8 | (%1)
    out dx, ax
%endmacro

    guest_start
    mov ax, GUEST_TEXT_BASE >> 4
    mov es, ax
    check_equal word [es:0], 0x0720, "a blank screen at first", 10
    ; The screen begins one row into the memory.
    crtc 0x0c, 0
    crtc 0x0d, 80
    mov di, 80 * 2
    mov si, hello
    call write
    mov di, (80 * 25 + 4) * 2
    mov si, last_row
    call write
    crtc 0x0e, (80 * 3 + 5) >> 8
    crtc 0x0f, (80 * 3 + 5) & 0xff
    mov dx, 0x3d4
    mov al, 0x0f
    out dx, al
    inc dx
    in al, dx
    check_equal al, (80 * 3 + 5) & 0xff, "the cursor reads back", 10

    ; Both states of the retrace bit come round, and come round again.
    mov bx, 2
frames:
    mov ah, 0x08
    call wait_status
    mov ah, 0x00
    call wait_status
    dec bx
    jnz frames
    pass

; Waits until bit 3 of input status 1 is as in AH.
wait_status:
    mov dx, 0x3da
    mov cx, 0xffff
.again:
    in al, dx
    and al, 0x08
    cmp al, ah
    loopne .again
    check_equal al, ah, "the beam stands still", 10
    ret

write:
    mov ah, 0x1f
.next:
    lodsb
    test al, al
    jz .done
    stosw
    jmp .next
.done:
    ret

hello: db "Hello from 0xb8000", 0
last_row: db "last row", 0

    guest_routines 16
