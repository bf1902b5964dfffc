; SPDX-License-Identifier: MIT
;
; INS and OUTS between a port and the machine's own video memory, which an identity guest has.

%include "guest.inc"

PORT equ 0x80                   ; keeps its byte
TEXT equ 0xb000                 ; segment: 0xb8000 and 16 KiB, where no screen shows it
PLACE equ 0x8000 + 0x4000

    guest_start
    check_version
    mov ax, TEXT
    mov es, ax
    mov byte [es:PLACE], 0x11
    mov al, 0x42
    out PORT, al
    mov dx, PORT
    mov di, PLACE
    insb
    check_equal byte [es:PLACE], 0x42, "INSB to video memory"
    mov byte [es:PLACE + 1], 0x43
    mov si, PLACE + 1
    es outsb
    in al, PORT
    check_equal al, 0x43, "OUTSB of video memory"
    print "string_io: video memory: all is well", 10
    pass

    guest_routines 16
