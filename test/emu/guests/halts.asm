; SPDX-License-Identifier: MIT
;
; HLT with interrupts disabled, with two vCPUs. The first halts so while the second works: it stays halted, an NMI wakes it, and it halts
; again; then the second does, too (with ALL), or ends the guest.

%include "guest.inc"
%include "test/emu/guests/vcpu_begins.inc"

SIGNS equ 0x6000                ; NMIs that the first vCPU has taken
BEYOND equ 0x6004               ; how often it has come out of a HLT
APIC equ 0xfee00000
APIC_SPURIOUS equ 0xf0
APIC_ICR equ 0x300
ICR_NMI equ 4 << 8               ; to APIC ID 0, which ICR 63:32 names after power-on
NMI_VECTOR equ 2
TURNS equ 200000

    guest_start
    check_version
    mov word [NMI_VECTOR * 4], nmi
    mov word [NMI_VECTOR * 4 + 2], 0
    mov ebx, 1
    mov ecx, other
    hypercall HYPERCALL_START_VCPU
    check_equal eax, HYPERCALL_OK, "start"
.halt:
    cli
    hlt
    inc dword [BEYOND]
    jmp .halt

nmi:
    inc dword [SIGNS]
    iret

other:
    vcpu_begins
    mov esp, 0x7000
    flat_segments
    mov ecx, TURNS
.work:
    loop .work, ecx
    check_equal dword [BEYOND], 0, "the first vCPU has gone on without a reason"
    mov dword [fs:dword APIC + APIC_SPURIOUS], 0x1ff
    mov dword [fs:dword APIC + APIC_ICR], ICR_NMI
    mov ecx, TURNS
.wait:
    cmp dword [BEYOND], 0
    jne .woken
    pause
    loop .wait, ecx
    fail "the NMI has not woken the first vCPU"
.woken:
    check_equal dword [SIGNS], 1, "NMIs"
    mov ecx, TURNS
.again:
    loop .again, ecx
    check_equal dword [BEYOND], 1, "the first vCPU has gone on again"
    print "halts: one works, the other is halted", 10
%ifdef ALL
    cli
    hlt
    fail "the last vCPU has gone on"
%else
    pass
%endif

    guest_gdt
    guest_routines 16
