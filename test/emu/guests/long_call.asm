; SPDX-License-Identifier: MIT
;
; One call that takes seconds, with interrupts off: SERVICE, INT 10h AH=13h of many line feeds; or else the hypercall PUT_STRING of many lines.
; test/emu/floods.py ends the guest before the call comes back.

%include "guest.inc"

NEWLINES equ 0x8000
COUNT equ 4096
SCREEN_COLUMNS equ 0x44a        ; of the BIOS data area
SCREEN_ROWS equ 0x484
%ifdef SERVICE
TELETYPE_STRING equ 0x1301      ; the cursor moves with it
%endif

    guest_start
    check_version
    mov di, NEWLINES
    mov cx, COUNT
    mov al, 10
    rep stosb
    print "long_call: begins", 10
%ifdef SERVICE
    mov word [SCREEN_COLUMNS], 132
    mov byte [SCREEN_ROWS], 59
    mov ax, TELETYPE_STRING
    mov bx, 7
    mov cx, COUNT
    mov dx, 59 << 8
    mov bp, NEWLINES
    int 0x10
%else
    mov ebx, NEWLINES
    mov ecx, COUNT
    hypercall HYPERCALL_PUT_STRING
%endif
    print "long_call: came back", 10
    xor al, al
    out PORT_END, al

    guest_routines 16
