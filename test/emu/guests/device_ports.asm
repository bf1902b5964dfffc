; SPDX-License-Identifier: MIT
; Single ports, PCI's configuration space, and ports without a device.

%include "guest.inc"

; The doubleword at register %1 of device 0, function 0, bus 0 must be %2.
%macro bridge_must 3+
    mov dx, 0xcf8
    mov eax, 0x80000000 | %1
    out dx, eax
    mov dx, 0xcfc
    in eax, dx
    check_equal eax, %2, %3
%endmacro

    guest_start
    mov al, 0x42
    out 0x80, al
    in al, 0x80
    check_equal al, 0x42, "post code", 10
    in al, 0x92
    check_equal al, 0x02, "A20 is on", 10

    bridge_must 0x0000, 0x12378086, "host bridge: its name", 10
    bridge_must 0x0008, 0x06000002, "host bridge: its class", 10
    bridge_must 0x0800, 0xffffffff, "no device 1", 10
    bridge_must 0x10000, 0xffffffff, "no bus 1", 10
    mov dx, 0xcf8
    xor eax, eax
    out dx, eax
    mov dx, 0xcfc
    in eax, dx
    check_equal eax, 0xffffffff, "not enabled", 10
    mov dx, 0xcf9
    in al, dx
    check_equal al, 0, "reset control, between PCI's ports", 10

    mov dx, 0x300
    in eax, dx
    check_equal eax, 0xffffffff, "no device", 10
    out dx, eax
    mov dx, 0x3ff               ; the last port of COM1, two without a device, and a debug port
    mov al, 0x77
    out dx, al
    in eax, dx
    check_equal eax, 0xe9ffff77, "an access that runs over a device's end", 10
    print "ports: all is well", 10
    pass

    guest_routines 16
