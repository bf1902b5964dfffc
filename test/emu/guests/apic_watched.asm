; SPDX-License-Identifier: MIT
;
; The local APIC's page comes over watched memory and goes again. The monitor stops the guest at COVERED, while the APIC is there, and takes one
; watch away; the other sees a read once the memory is back. boot=flat, mem=8M.

%include "guest.inc"

APIC_BASE equ 0x1b
PLACE equ 0x300000
COVERED equ 0x7d00

%macro move 1
    mov ecx, APIC_BASE
    xor edx, edx
    mov eax, %1
    wrmsr
%endmacro

    guest_start
    check_version
    flat_segments
    mov dword [dword fs:PLACE + 0x30], 0x11111111
    move PLACE | 0x900
    jmp covered
    times COVERED - 0x7c00 - ($ - $$) nop
covered:
    nop
    mov eax, [dword fs:PLACE + 0x30]
    mov [version], eax
    cmp eax, 0x11111111
    check_condition ne, "RAM in place of the version"
    move 0xfee00900
    mov eax, [dword fs:PLACE + 0x30]
    check_equal eax, 0x11111111, "the RAM does not come back"
    mov eax, [dword fs:PLACE + 0x80]
    print "apic_watched: done", 10
    pass

version: dd 0
    guest_gdt
    guest_routines 16
