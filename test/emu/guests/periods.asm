; SPDX-License-Identifier: MIT
;
; The shortest period of each timer that has one: 8254 in modes 2 and 3, local APIC, HPET. Its interrupts come, no more often than every 200 us, and the
; program beside the handler gets on, though the handler itself accesses the timer each time. FS reaches the APICs and the HPET.

%include "guest.inc"

MASTER equ 0x20
PIT equ 0x40
VECTOR equ 0x40
LAPIC equ 0xfee00000
IOAPIC equ 0xfec00000
HPET equ 0xfed00000
ITERATIONS equ 400000           ; iterations of two instructions

%macro write_port 2
    mov al, %2
    out %1, al
%endmacro
%macro store 2                  ; register, value
    mov edi, %1
    mov dword [fs:edi], %2
%endmacro

; Runs the loop with this handler's interrupts; %1 names the timer.
%macro measure 2
    mov dword [count], 0
    mov word [VECTOR * 4], %2
    hypercall HYPERCALL_EXIT_COUNT
    mov [exits], ebx
    rdtsc
    mov [start], eax
    sti
    mov ecx, ITERATIONS
%%next:
    dec ecx
    jnz %%next
    cli
    rdtsc
    sub eax, [start]
    mov [elapsed], eax
    hypercall HYPERCALL_EXIT_COUNT
    sub ebx, [exits]
    mov [exits], ebx
    print %1, ": interrupts "
    mov eax, [count]
    call put_hex
    print " exits "
    mov eax, [exits]
    call put_hex
    print " ticks "
    mov eax, [elapsed]
    call put_hex
    print 10
    ; At least three, and at most one every 200 us.
    cmp dword [count], 3
    check_condition ae, "its interrupts come"
    mov eax, [elapsed]
    xor edx, edx
    div dword [least]
    add eax, 2
    cmp [count], eax
    check_condition be, "no more often than every 200 us"
%endmacro

    guest_start
    check_version
    flat_segments
    mov word [VECTOR * 4 + 2], 0
    mov eax, 0x15
    cpuid
    mov eax, ecx
    xor edx, edx
    mov ecx, 5000
    div ecx
    mov [least], eax            ; 200 us in ticks of the TSC
    write_port MASTER, 0x11
    write_port MASTER + 1, VECTOR
    write_port MASTER + 1, 4
    write_port MASTER + 1, 1
    write_port MASTER + 1, 0xfe

    write_port PIT + 3, 0x34
    write_port PIT, 1
    write_port PIT, 0
    measure "8254, mode 2", irq_0
    write_port PIT + 3, 0x36
    write_port PIT, 2
    write_port PIT, 0
    measure "8254, mode 3", irq_0
    write_port PIT + 3, 0x30
    write_port MASTER + 1, 0xff

    store LAPIC + 0xf0, 0x1ff
    store LAPIC + 0x3e0, 0xb
    store LAPIC + 0x320, 0x20000 | VECTOR
    store LAPIC + 0x380, 1
    measure "local APIC", local
    store LAPIC + 0x320, 0x10000

    store IOAPIC, 0x10 + 2 * 20
    store IOAPIC + 0x10, VECTOR
    store HPET + 0x100, 4 | 8 | 0x40 | 0x100 | 20 << 9
    store HPET + 0x108, 1
    store HPET + 0x10, 1
    measure "HPET", hpet
    store HPET + 0x100, 0
    print "periods: as long as they may be", 10
    pass

; Each handler reads its timer's counter: the timer is up to date, and has expired many times, when it returns.
irq_0:
    push ax
    inc dword [cs:count]
    write_port PIT + 3, 0
    in al, PIT
    in al, PIT
    write_port MASTER, 0x20
    pop ax
    iret
local:
    push eax
    push edi
    inc dword [cs:count]
    mov edi, LAPIC + 0x390
    mov eax, [fs:edi]
    mov edi, LAPIC + 0xb0
    mov dword [fs:edi], 0
    pop edi
    pop eax
    iret
hpet:
    push eax
    push edi
    inc dword [cs:count]
    mov edi, HPET + 0xf0
    mov eax, [fs:edi]
    mov edi, LAPIC + 0xb0
    mov dword [fs:edi], 0
    pop edi
    pop eax
    iret

    %include "test/emu/guests/put_hex.inc"
    guest_routines 16
    guest_gdt
    align 4, db 0
count: dd 0
exits: dd 0
start: dd 0
elapsed: dd 0
least: dd 0
