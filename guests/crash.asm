; SPDX-License-Identifier: MIT
;
; crash: a triple fault, on purpose.
;
; An exception is delivered through the table at IDTR. If that fails, the processor tries to deliver a double
; fault (#DF); if that fails too it gives up. A real processor shuts down and the board resets it; in a
; virtual machine it is a VM exit, TRIPLE_FAULT(2), and Adept ends the guest: "adept: guest crash: fail
; (triple fault ...)" is what this guest is expected to cause. The hypervisor and all other guests run on.

%include "guest.inc"

    guest_start
    print "crash: no interrupt table, then INT3: a triple fault", 10

    lidt [empty_idt]
    int3                        ; vector 3 lies beyond the limit: #GP; vector 13 too: #DF; vector 8 too: shutdown

    fail "the guest is still alive"

empty_idt:
    dw 0                        ; limit: not even the first entry fits
    dd 0

    guest_routines 16
