; SPDX-License-Identifier: MIT
;
; For the monitor to look at: a text at 0x2000, a counter at 0x3000 that is raised after each of 24 CPUIDs, an interrupt handler for
; vector 0x40 that counts at 0x3004. It says how often each has come.

%include "guest.inc"

TEXT     equ 0x2000
COUNTER  equ 0x3000
TAKEN    equ 0x3004

    guest_start
    mov word [0x40 * 4], on_interrupt
    mov word [0x40 * 4 + 2], 0
    mov si, text
    mov di, TEXT
    mov cx, text_end - text
    rep movsb
    sti
    mov bp, 24
next:
    xor eax, eax
    cpuid
    inc dword [COUNTER]
    dec bp
    jnz next
    print "monitored: counted "
    mov al, [COUNTER]
    call put_digit
    print " taken "
    mov al, [TAKEN]
    call put_digit
    print 10
    pass

; AL as a letter from a.
put_digit:
    add al, 'a'
    call put_16
    ret

on_interrupt:
    inc dword [TAKEN]
    iret

text:
    db "Adept looks at me", 0, 1, 2, 0x7f, 0x80
text_end:

    guest_routines 16
