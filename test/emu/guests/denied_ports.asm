; SPDX-License-Identifier: MIT
; INS and OUTS whose memory the map denies: to a hole, to ROM, to RAM without rights. policy= decides as for MOV: -D END=n
; alone makes the n-th access, at which a guest with policy=end ends; else all are made and go on as on a bus.

%include "guest.inc"

%ifndef END
END equ 0
%endif

    guest_start
    check_version
    flat_segments
    mov dx, 0x80                ; a port without a device
%if END = 0 || END = 1
    mov esi, 0x50000000
    a32 fs outsb
%endif
%if END = 0 || END = 2
    mov edi, 0xa0000            ; a hole as well
    mov ax, 0xa000
    mov es, ax
    xor di, di
    insb
%endif
    mov ax, 0xf000
    mov es, ax
    mov al, [es:0x20]
%if END = 0 || END = 3
    mov di, 0x20
    insb
    check_equal al, [es:0x20], "INSB writes ROM"
%endif
    mov ax, 0x3000
    mov es, ax
    mov byte [es:0], 0x77
    mov ebx, 0x30000
    mov ecx, 0x1000
    mov edx, 1
    hypercall HYPERCALL_SET_RIGHTS
    mov dx, 0x80
%if END = 0 || END = 4
    xor di, di
    insb
    check_equal byte [es:0], 0x77, "INSB writes read-only RAM"
%endif
    print "denied: ports", 10
    pass

    guest_gdt
    guest_routines 16
