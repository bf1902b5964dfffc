; SPDX-License-Identifier: MIT
; The keyboard controller's self tests and the keyboard's commands, by polling.

%include "guest.inc"

; What the controller or the keyboard answers must be %1.
%macro answer_must 2+
    call answer
    check_equal al, %1, %2
%endmacro

    guest_start
    in al, 0x64
    check_equal al, 0x14, "status at first", 10
    mov al, 0xaa
    out 0x64, al
    answer_must 0x55, "self test", 10
    mov al, 0xab
    out 0x64, al
    answer_must 0x00, "interface test", 10
    mov al, 0x20
    out 0x64, al
    answer_must 0x65, "command byte", 10
    mov al, 0xa9
    out 0x64, al
    call answer
    check_condition nz, "there is no auxiliary device", 10

    mov al, 0xff
    out 0x60, al
    answer_must 0xfa, "reset: acknowledge", 10
    answer_must 0xaa, "reset: self test", 10
    mov al, 0xf2
    out 0x60, al
    answer_must 0xfa, "identify: acknowledge", 10
    answer_must 0xab, "identify: first byte", 10
    answer_must 0x41, "identify: second byte, translated", 10
    mov al, 0xed
    out 0x60, al
    answer_must 0xfa, "LEDs", 10
    mov al, 0x07
    out 0x60, al
    answer_must 0xfa, "LEDs: their value", 10

    ; A20: a line that reads back.
    mov al, 0xdd
    out 0x64, al
    mov al, 0xd0
    out 0x64, al
    answer_must 0xc1, "A20 is off", 10
    mov al, 0xdf
    out 0x64, al
    mov al, 0xd0
    out 0x64, al
    answer_must 0xc3, "A20 is on", 10
    in al, 0x64
    test al, 1
    check_condition z, "nothing is left", 10
    print "keyboard: all is well", 10
    pass

; AL = the next byte; flags by it.
answer:
    mov cx, 0xffff
.wait:
    in al, 0x64
    test al, 1
    loopz .wait
    in al, 0x60
    test al, al
    ret

    guest_routines 16
