; SPDX-License-Identifier: MIT
; ACPI's S5: the machine switches itself off, and nothing behind it is executed.

%include "guest.inc"

    guest_start
    mov dx, 0x604
    in ax, dx
    check_equal ax, 1, "SCI_EN", 10
    mov ax, 0x2000
    out dx, ax
    fail "it goes on"

    guest_routines 16
