; SPDX-License-Identifier: MIT
;
; Guest time over ten of the clock's seconds, asleep between interrupts: ticks of the 8254, seconds of the clock and the TSC must agree within 0.1 %,
; and no clock goes backwards: at each wake-up the TSC, the PM timer, the HPET and the 8254's elapsed ticks are compared with the last time.
; FS reaches the HPET.

%include "guest.inc"

MASTER equ 0x20
SLAVE equ 0xa0
PIT equ 0x40
CMOS equ 0x70
PM_TIMER equ 0x608
PIT_HZ equ 1193182
COUNT equ 11932                 ; 100 Hz
SECONDS equ 10

%macro write_port 2
    mov al, %2
    out %1, al
%endmacro

    guest_start
    check_version
    flat_segments
    mov word [0x20 * 4], irq_0
    mov word [0x20 * 4 + 2], 0
    mov word [0x28 * 4], irq_8
    mov word [0x28 * 4 + 2], 0
    write_port MASTER, 0x11
    write_port SLAVE, 0x11
    write_port MASTER + 1, 0x20
    write_port SLAVE + 1, 0x28
    write_port MASTER + 1, 4
    write_port SLAVE + 1, 2
    write_port MASTER + 1, 1
    write_port SLAVE + 1, 1
    write_port MASTER + 1, 0xfb         ; the clock alone, until a second begins
    write_port SLAVE + 1, 0xfe
    mov edi, 0xfed00010                 ; the HPET counts
    mov dword [fs:edi], 1
    mov eax, 0x15
    cpuid
    mov [tsc_hz], ecx
    write_port CMOS, 0x0b
    write_port CMOS + 1, 0x12           ; update interrupt
    write_port CMOS, 0x0c
    in al, CMOS + 1
    sti
    hlt
    cli
    check_equal dword [seconds], 1, "the clock's update"
    rdtsc
    mov [first_tsc], eax
    mov [first_tsc + 4], edx
    write_port PIT + 3, 0x34
    write_port PIT, COUNT & 0xff
    write_port PIT, COUNT >> 8
    mov dword [ticks], 0
    write_port MASTER + 1, 0xfa
wait_for_more:
    sti
    hlt
    cli
    call forwards
    cmp dword [seconds], SECONDS + 1
    jb wait_for_more
    rdtsc
    sub eax, [first_tsc]
    sbb edx, [first_tsc + 4]
    mov [elapsed], eax
    check_equal edx, 0, "ten seconds"

    ; Seconds of the clock by the TSC.
    mov eax, [tsc_hz]
    mov ecx, SECONDS
    mul ecx
    call near_enough
    check_condition be, "the clock and the TSC: within 0.1 %"
    ; Ticks of the 8254 by the TSC: ticks * COUNT / PIT_HZ seconds.
    mov eax, [ticks]
    mov ecx, COUNT
    mul ecx
    mov ecx, [tsc_hz]
    mul ecx
    mov ecx, PIT_HZ
    div ecx
    call near_enough
    check_condition be, "the 8254 and the TSC: within 0.1 %"
    print "rates: the clock, the 8254 and the TSC agree over ten seconds", 10
    pass

; Flags: below or equal if EAX and the elapsed TSC differ by at most 0.1 %.
near_enough:
    mov ecx, eax
    shr ecx, 10
    sub eax, [elapsed]
    jns .later
    neg eax
.later:
    cmp eax, ecx
    ret

; All counters against what they were: a difference with its upper bit set is a step back. 32 bits of each.
forwards:
    rdtsc
    mov ebx, eax
    sub ebx, [last_tsc]
    mov [last_tsc], eax
    test ebx, ebx
    check_condition ns, "the TSC goes backwards"
    mov dx, PM_TIMER
    in eax, dx
    mov ebx, eax
    sub ebx, [last_pm]
    mov [last_pm], eax
    test ebx, ebx
    check_condition ns, "the PM timer goes backwards"
    mov edi, 0xfed000f0
    mov eax, [fs:edi]
    mov ebx, eax
    sub ebx, [last_hpet]
    mov [last_hpet], eax
    test ebx, ebx
    check_condition ns, "the HPET goes backwards"
    ret

irq_0:
    push ax
    inc dword [cs:ticks]
    write_port MASTER, 0x20
    pop ax
    iret

irq_8:
    push ax
    inc dword [cs:seconds]
    write_port CMOS, 0x0c
    in al, CMOS + 1
    write_port SLAVE, 0x20
    write_port MASTER, 0x20
    pop ax
    iret

    guest_routines 16
    guest_gdt
    align 4
tsc_hz: dd 0
first_tsc: dq 0
elapsed: dd 0
ticks: dd 0
seconds: dd 0
last_tsc: dd 0                  ; a run starts with all of them near 0
last_pm: dd 0
last_hpet: dd 0
