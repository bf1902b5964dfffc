; SPDX-License-Identifier: MIT
;
; By every way on which a guest prints: a line of 1024 characters, and one of 1030. The characters of each way are its letter.

%include "guest.inc"

TEXT equ 0x20000                ; linear, of PUT_STRING

; %1 characters AL to port DX, and a newline.
%macro by_port 1
    mov ecx, %1
    call port_line
%endmacro

; %1 characters AL by the BIOS.
%macro by_bios 1
    mov cx, %1
    call bios_line
%endmacro

%macro by_string 1
    mov ecx, %1
    call string_line
%endmacro

    guest_start
    check_version
    mov dx, PORT_COM1
    mov al, 'a'
    by_port 1024
    by_port 1030
    mov dx, 0x2f8               ; COM2
    mov al, 'b'
    by_port 1024
    by_port 1030
    mov dx, PORT_DEBUG_BOCHS
    mov al, 'c'
    by_port 1024
    by_port 1030
    mov al, 'd'
    by_string 1024
    by_string 1030
    mov al, 'e'
    by_bios 1024
    by_bios 1030
    pass

port_line:
    push ax
.next:
    out dx, al
    dec ecx
    jnz .next
    mov al, 10
    out dx, al
    pop ax
    ret

bios_line:
    push ax
    mov ah, 0x0e
    mov bx, 7
.next:
    int 0x10
    dec cx
    jnz .next
    mov ax, 0x0e0a
    int 0x10
    pop ax
    ret

string_line:
    push ax
    push ecx
    mov bx, TEXT >> 4
    mov es, bx
    xor di, di
    rep stosb
    mov byte [es:di], 10
    pop ecx
    inc ecx
    mov ebx, TEXT
    hypercall HYPERCALL_PUT_STRING
    check_equal eax, HYPERCALL_OK, "a string is printed"
    pop ax
    ret

    guest_routines 16
