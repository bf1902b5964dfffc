; SPDX-License-Identifier: MIT
;
; An interrupt of the machine's is pending when this guest starts (test=guest-interrupt, firmware-interrupt, firmware-pins): it must neither see it nor be stopped by it.

%include "guest.inc"

    guest_start
    mov word [0x40 * 4], on_interrupt
    mov word [0x40 * 4 + 2], 0
    mov word [0xf8 * 4], on_interrupt
    mov word [0xf8 * 4 + 2], 0
    sti
    mov ecx, 100000
.wait:
    nop
    dec ecx
    jnz .wait
    cli
    check_equal byte [seen], 0, "the machine's interrupt reached the guest"
    print "interrupt: nothing seen", 10
    pass

on_interrupt:
    inc byte [cs:seen]
    iret
seen: db 0

    guest_routines 16
