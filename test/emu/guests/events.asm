; SPDX-License-Identifier: MIT
;
; Interrupts and NMIs, in real mode: from the 8254 and the clock through the 8259s, from the local APIC's timer and from itself through its
; x2APIC registers. HLT sleeps until one comes; STI, MOV SS, POPF and IRET hold one back as long as they should; rates agree with the TSC.

%include "guest.inc"

MASTER equ 0x20
SLAVE equ 0xa0
PIT equ 0x40
CMOS equ 0x70
END_OF_INTERRUPT equ 0x20
VECTOR_IRQ_0 equ 0x20
VECTOR_IRQ_8 equ 0x28
VECTOR_APIC equ 0x40
VECTOR_SELF equ 0x50
MSR_APIC_BASE equ 0x1b
MSR_DEADLINE equ 0x6e0
X2APIC equ 0x800
APIC_TPR equ X2APIC + 0x08
APIC_EOI equ X2APIC + 0x0b
APIC_SPURIOUS equ X2APIC + 0x0f
APIC_ICR equ X2APIC + 0x30
APIC_LVT_TIMER equ X2APIC + 0x32
APIC_LVT_LINT0 equ X2APIC + 0x35
APIC_INITIAL equ X2APIC + 0x38
APIC_DIVIDE equ X2APIC + 0x3e
APIC_SELF_IPI equ X2APIC + 0x3f
PIT_HZ equ 1193182
PERIOD equ 4772

%macro set_vector 2
    mov word [%1 * 4], %2
    mov word [%1 * 4 + 2], 0
%endmacro

%macro write_port 2
    mov al, %2
    out %1, al
%endmacro

; 64-bit value; changes EAX, ECX, EDX.
%macro write_msr 2-3 0
    mov ecx, %1
    mov eax, %2
    mov edx, %3
    wrmsr
%endmacro

; Waits, polling the master's IRR, until IRQ 0 requests. Changes AL.
%macro wait_for_request 0
    write_port MASTER, 0x0a
%%again:
    in al, MASTER
    test al, 1
    jz %%again
%endmacro

    guest_start
    check_version
    set_vector 2, nmi
    set_vector VECTOR_IRQ_0, irq_0
    set_vector VECTOR_IRQ_8, irq_8
    set_vector VECTOR_APIC, apic_timer
    set_vector VECTOR_SELF, self_ipi

    write_port MASTER, 0x11             ; both 8259s: edges, cascaded
    write_port SLAVE, 0x11
    write_port MASTER + 1, VECTOR_IRQ_0
    write_port SLAVE + 1, VECTOR_IRQ_8
    write_port MASTER + 1, 4
    write_port SLAVE + 1, 2
    write_port MASTER + 1, 1
    write_port SLAVE + 1, 1
    write_port MASTER + 1, 0xfe         ; IRQ 0 alone
    write_port SLAVE + 1, 0xff

    mov ecx, 0                          ; the rate of the TSC, by CPUID
    mov eax, 0x15
    cpuid
    mov [tsc_hz], ecx
    test ecx, ecx
    check_condition nz, "CPUID.15H tells no rate"

    ; HLT until the tick; 100 of them at 250 Hz or so: a tick that comes before the one before it is done is no HLT's, and Adept may still
    ; send the console what it has printed before.
    write_port PIT + 3, 0x34            ; channel 0, both bytes, mode 2
    write_port PIT, PERIOD & 0xff
    write_port PIT, PERIOD >> 8
    sti
    hlt                                 ; OUT goes high with the mode, an edge already
    hlt                                 ; to the beginning of a period
    cli
    rdtsc
    mov [started], eax
    mov dword [ticks], 0
next_tick:                              ; a tick is taken at HLT alone, also one that is late
    sti
    hlt
    cli
    cmp dword [ticks], 100
    jb next_tick
    rdtsc
    check_equal dword [ticks], 100, "as many ticks as HLTs"
    sub eax, [started]
    mov ebx, eax                        ; 100 * PERIOD / PIT_HZ seconds in TSC ticks: within 0.1 % and a little for each wake-up
    mov eax, [tsc_hz]
    mov ecx, PERIOD * 100
    mul ecx
    mov ecx, PIT_HZ
    div ecx
    mov ecx, eax
    shr ecx, 8                          ; 0.4 %: the last tick's way to the guest is in it
    sub eax, ebx
    jns late
    neg eax
late:
    cmp eax, ecx
    check_condition b, "100 ticks of the 8254 in its own time"
    print "events: HLT and the 8254", 10

    write_port PIT + 3, 0x34            ; slower, so that none comes while another is served
    write_port PIT, 0
    write_port PIT, 0x40
    wait_for_request
    sti
    nop
    nop
    cli

    ; A request that waits: STI holds it back for one instruction, MOV SS too, POPF and IRET do not.
    wait_for_request
    mov dword [ticks], 0
    sti
    nop
after_sti:
    nop
    cli
    check_equal dword [ticks], 1, "STI: the interrupt came"
    check_equal word [seen_ip], after_sti, "STI: after one more instruction"
    wait_for_request
    pushf
    or word [esp], 1 << 9
    mov dword [ticks], 0
    popf
after_popf:
    nop
    cli
    check_equal dword [ticks], 1, "POPF: the interrupt came"
    check_equal word [seen_ip], after_popf, "POPF: at once"
    wait_for_request
    mov dword [ticks], 0
    mov ax, ss
    sti                                 ; the shadow of STI, then that of MOV SS
    mov ss, ax
    nop
after_mov_ss:
    nop
    cli
    check_equal dword [ticks], 1, "MOV SS: the interrupt came"
    check_equal word [seen_ip], after_mov_ss, "MOV SS: after one more instruction"
    wait_for_request
    mov dword [ticks], 0
    pushf
    or word [esp], 1 << 9
    push 0
    push word after_iret
    iret
after_iret:
    nop
    cli
    check_equal word [seen_ip], after_iret, "IRET: at once"
    ; An instruction that exits while one waits, under STI: the hypervisor does it, and the shadow ends with it.
    wait_for_request
    mov dword [ticks], 0
    xor eax, eax
    sti
    cpuid
after_cpuid:
    nop
    cli
    check_equal dword [ticks], 1, "CPUID under STI: the interrupt came"
    check_equal word [seen_ip], after_cpuid, "CPUID under STI: after it"
    print "events: STI, MOV SS, POPF and IRET", 10
    write_port MASTER + 1, 0xff

    ; The clock, 64 Hz, on the second 8259.
    write_port CMOS, 0x0a
    write_port CMOS + 1, 0x2a
    write_port CMOS, 0x0b
    write_port CMOS + 1, 0x42           ; periodic, 24 hours
    write_port CMOS, 0x0c
    in al, CMOS + 1
    write_port SLAVE + 1, 0xfe
    write_port MASTER + 1, 0xfb
    mov dword [ticks], 0
    sti
    hlt
    rdtsc
    mov [started], eax
    mov dword [ticks], 0
next_period:
    hlt
    cmp dword [ticks], 256
    jb next_period
    cli
    rdtsc
    sub eax, [started]
    mov ecx, [tsc_hz]
    shl ecx, 2                          ; 256 / 64 seconds
    sub eax, ecx
    jns later
    neg eax
later:
    shr ecx, 8                          ; 0.4 %
    cmp eax, ecx
    check_condition b, "256 periods of the clock in their own time"
    write_port SLAVE + 1, 0xff
    write_port MASTER + 1, 0xff
    print "events: the clock", 10

    ; The local APIC in x2APIC mode.
    mov ecx, MSR_APIC_BASE
    rdmsr
    or eax, 0xc00
    wrmsr
    write_msr APIC_SPURIOUS, 0x1ff
    write_msr APIC_DIVIDE, 0xb
    write_msr APIC_LVT_TIMER, VECTOR_APIC
    mov dword [ticks], 0
    rdtsc
    mov [started], eax
    write_msr APIC_INITIAL, 100000
    sti
    hlt
    cli
    rdtsc
    sub eax, [started]
    check_equal dword [ticks], 1, "the APIC's timer came once"
    cmp eax, 100000
    check_condition ae, "the APIC's timer: not too early"
    cmp eax, 130000
    check_condition b, "the APIC's timer: not too late"
    write_msr APIC_LVT_TIMER, VECTOR_APIC | 2 << 17     ; TSC-deadline mode
    rdtsc
    add eax, 50000
    adc edx, 0
    mov [started], eax
    mov ecx, MSR_DEADLINE
    wrmsr
    sti
    hlt
    cli
    rdtsc
    sub eax, [started]
    check_equal dword [ticks], 2, "the deadline came"
    cmp eax, 30000
    check_condition b, "the deadline: neither early nor late"
    print "events: the local APIC's timer", 10

    ; From itself to itself; the TPR holds back.
    mov dword [selves], 0
    write_msr APIC_TPR, 0x50
    write_msr APIC_SELF_IPI, VECTOR_SELF
    sti
    nop
    nop
    cli
    check_equal dword [selves], 0, "a self-IPI under the TPR"
    sti
    write_msr APIC_TPR, 0
after_tpr:
    nop
    cli
    check_equal dword [selves], 1, "a self-IPI when the TPR falls"
    check_equal word [seen_ip], after_tpr, "a self-IPI: at once"
    print "events: self-IPI and TPR", 10

    ; NMI: whatever IF says; a second one waits for the IRET.
    mov dword [nmis], 0
    write_msr APIC_ICR, 4 << 8
    nop
    check_equal dword [nmis], 2, "an NMI, and one sent by its handler"
    check_equal dword [nested], 0, "an NMI inside an NMI's handler"
    print "events: NMI", 10
    pass

irq_0:
    push ax
    push bp
    mov bp, sp
    mov ax, [bp + 4]
    mov [cs:seen_ip], ax
    inc dword [cs:ticks]
    mov al, END_OF_INTERRUPT
    out MASTER, al
    pop bp
    pop ax
    iret

irq_8:
    push ax
    inc dword [cs:ticks]
    mov al, 0x0c
    out CMOS, al
    in al, CMOS + 1
    mov al, END_OF_INTERRUPT
    out SLAVE, al
    out MASTER, al
    pop ax
    iret

apic_timer:
    inc dword [cs:ticks]
    jmp end_of_apic
self_ipi:
    push ax
    push bp
    mov bp, sp
    mov ax, [bp + 4]
    mov [cs:seen_ip], ax
    inc dword [cs:selves]
    pop bp
    pop ax
end_of_apic:
    push eax
    push ecx
    push edx
    write_msr APIC_EOI, 0
    pop edx
    pop ecx
    pop eax
    iret

nmi:
    push eax
    push ecx
    push edx
    inc dword [cs:nmis]
    cmp dword [cs:nmis], 1
    jne .done
    mov dword [cs:inside], 1
    write_msr APIC_ICR, 4 << 8
    nop
    nop
    mov eax, [cs:nmis]
    dec eax
    mov [cs:nested], eax
    mov dword [cs:inside], 0
.done:
    pop edx
    pop ecx
    pop eax
    iret

    guest_routines 16
    align 4
tsc_hz: dd 0
started: dd 0
ticks: dd 0
selves: dd 0
nmis: dd 0
nested: dd 0
inside: dd 0
seen_ip: dw 0
