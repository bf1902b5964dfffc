; SPDX-License-Identifier: MIT
;
; Touches a hole every 2 MiB up to 4 GiB, three times over, and its own RAM in between: each hole needs EPT tables of its own, and a guest must
; not use up the machine's memory that way, nor lose its own pages when the tables run out.

%include "guest.inc"

FIRST_HOLE equ 0x2000000        ; beyond 16 MiB of RAM
STRIDE equ 0x200000
RAM_WORD equ 0x300000

    guest_start
    check_version
    flat_segments
    mov dword [dword fs:RAM_WORD], 0x600df00d
    mov bp, 3
.round:
    mov edi, FIRST_HOLE
.next:
    cmp edi, 0xfec00000         ; the I/O APIC and the local APIC are no holes
    je .device
    cmp edi, 0xfee00000
    je .device
    mov eax, [fs:edi]
    check_equal eax, -1, "a hole must read as all ones"
    cmp dword [dword fs:RAM_WORD], 0x600df00d
    check_condition e, "RAM has changed"
.device:
    add edi, STRIDE
    jnc .next
    dec bp
    jnz .round
    print "holes: all ones everywhere", 10
    pass

    guest_gdt
    guest_routines 16
