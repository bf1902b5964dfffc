; SPDX-License-Identifier: MIT
;
; Timers that other guests here do not use so, in real mode: the 8254's channel 2 in the modes that its gate triggers, and its gate in the others; the
; local APIC's timer through its page, one-shot, periodic, divided, masked, and with a deadline; and an interrupt that the 8259 has no request for.

%include "guest.inc"
%include "test/emu/guests/master_pic.inc"

MASTER equ 0x20
PIT equ 0x40
PORT_B equ 0x61
GATE equ 1
OUT_2 equ 0x20
LAPIC equ 0xfee00000
EOI equ 0xb0
SPURIOUS equ 0xf0
LVT_TIMER equ 0x320
LVT_LINT0 equ 0x350
INITIAL equ 0x380
CURRENT equ 0x390
DIVIDE equ 0x3e0
MASKED equ 1 << 16
PERIODIC equ 1 << 17
DEADLINE equ 2 << 17
IOAPIC equ 0xfec00000
MSR_DEADLINE equ 0x6e0
VECTOR_TIMER equ 0x40
NULL_COUNT equ 0x40
COUNT equ 11932                 ; 10 ms
LATE equ 5000                   ; ticks of the TSC from the end of a count to the handler's RDTSC

%macro set_apic 2
    mov edi, LAPIC + %1
    mov dword [fs:edi], %2
%endmacro
%macro get_apic 1
    mov edi, LAPIC + %1
    mov eax, [fs:edi]
%endmacro
; Channel 2: a mode and a count, the gate low.
%macro program 2
    mov al, 0
    out PORT_B, al
    mov al, 0xb0 | %1 << 1
    out PIT + 3, al
    mov al, (%2) & 0xff
    out PIT + 2, al
    mov al, (%2) >> 8
    out PIT + 2, al
%endmacro
%macro gate 1
    mov al, %1
    out PORT_B, al
%endmacro
; OUT of channel 2 is low or high.
%macro check_out 2+
    in al, PORT_B
    test al, OUT_2
    check_condition %1, %2
%endmacro
%define IS_LOW z
%define IS_HIGH nz

    guest_start
    check_version
    flat_segments
    mov word [VECTOR_TIMER * 4], timer
    mov word [VECTOR_TIMER * 4 + 2], 0
    mov word [0x27 * 4], irq_7
    mov word [0x27 * 4 + 2], 0
    master_pic 0xff
    mov eax, 0x15
    cpuid
    mov eax, ecx                        ; of the TSC, in 10 ms
    xor edx, edx
    mov ecx, 100
    div ecx
    mov [ten_ms], eax

    ; Mode 1: nothing before the gate rises; then OUT is low for as long as the count says, whatever the gate does, and once more from the
    ; beginning when it rises again.
    program 1, COUNT
    check_out IS_HIGH, "mode 1: OUT before the trigger"
    call status
    test al, NULL_COUNT
    check_condition nz, "mode 1: no count before the trigger"
    gate GATE
    call start
    call few
    check_out IS_LOW, "mode 1: OUT after the trigger"
    call status
    test al, NULL_COUNT
    check_condition z, "mode 1: the count is loaded"
    gate 0
    call latch
    mov bx, ax
    call few
    call latch
    cmp ax, bx
    check_condition b, "mode 1: counts with the gate low"
    call until_high
    call elapsed
    check_condition be, "mode 1: the pulse is as long as it should be"
    gate GATE
    call few
    gate 0
    call half
    gate GATE                           ; once more
    call start
    call until_high
    call elapsed
    check_condition be, "mode 1: a trigger within the pulse"

    ; Mode 5: the same with OUT high; at the end it is low for one tick, too short to be seen from here.
    program 5, COUNT
    call status
    test al, NULL_COUNT
    check_condition nz, "mode 5: no count before the trigger"
    gate GATE
    call few
    check_out IS_HIGH, "mode 5: OUT while it counts"
    call latch
    mov bx, ax
    cmp ax, COUNT
    check_condition be, "mode 5: counts from the count"
    gate 0
    call half
    call latch
    cmp ax, bx
    check_condition b, "mode 5: counts with the gate low"
    cmp ax, COUNT * 3 / 4
    check_condition b, "mode 5: has counted"
    gate GATE
    call few
    call latch
    cmp ax, COUNT * 3 / 4
    check_condition a, "mode 5: a trigger begins anew"
    call half
    call half
    call half
    call latch
    cmp ax, COUNT
    check_condition a, "mode 5: runs on through 0"

    ; The gate in the others: low, it stops modes 0 and 4, and stops 2 and 3 with OUT high; rising, it reloads 2 and 3.
    program 0, COUNT
    call stopped
    check_condition e, "mode 0: stands while the gate is low"
    gate GATE
    call moving
    check_condition ne, "mode 0: counts while the gate is high"
    check_out IS_LOW, "mode 0: OUT while it counts"
    program 4, COUNT
    call stopped
    check_condition e, "mode 4: stands while the gate is low"
    gate GATE
    call moving
    check_condition ne, "mode 4: counts while the gate is high"
    program 2, COUNT
    gate GATE
    call half
    gate 0
    check_out IS_HIGH, "mode 2: OUT while the gate is low"
    call stopped
    check_condition e, "mode 2: stands while the gate is low"
    gate GATE
    call few
    call latch
    cmp ax, COUNT * 3 / 4
    check_condition a, "mode 2: the gate's rise begins anew"
    program 3, COUNT
    gate GATE
    call half
    call few
    check_out IS_LOW, "mode 3: OUT in its low half"
    gate 0
    check_out IS_HIGH, "mode 3: OUT while the gate is low"
    print "timers: the gate of the 8254", 10

    ; The local APIC's timer, once.
    set_apic SPURIOUS, 0x1ff
    set_apic LVT_LINT0, MASKED
    set_apic DIVIDE, 0xb
    set_apic LVT_TIMER, VECTOR_TIMER
    mov dword [count], 0
    call start
    set_apic INITIAL, 100000
    get_apic CURRENT
    mov ebx, eax
    cmp eax, 100000
    check_condition b, "one-shot: counts"
    get_apic CURRENT
    cmp eax, ebx
    check_condition b, "one-shot: counts down"
    sti
    hlt
    cli
    mov ecx, 100000
    call in_time
    check_equal dword [count], 1, "one-shot: an interrupt"
    get_apic CURRENT
    check_equal eax, 0, "one-shot: has ended"
    get_apic INITIAL
    check_equal eax, 100000, "one-shot: the initial count stays"
    call ten_ms_open
    check_equal dword [count], 1, "one-shot: one interrupt"

    ; Again and again, divided by 16.
    set_apic DIVIDE, 0x3
    set_apic LVT_TIMER, VECTOR_TIMER | PERIODIC
    mov dword [count], 0
    call start
    set_apic INITIAL, 2000
periods:
    sti
    hlt
    cli
    cmp dword [count], 10
    jb periods
    mov ecx, 10 * 2000 * 16
    call in_time
    check_equal dword [count], 10, "periodic: an interrupt for each period"
    ; Masked it goes on without one, unmasked the next period has one; a count of 0 stops it.
    set_apic LVT_TIMER, VECTOR_TIMER | PERIODIC | MASKED
    call ten_ms_open
    check_equal dword [count], 10, "periodic: none while it is masked"
    get_apic CURRENT
    test eax, eax
    check_condition nz, "periodic: counts while it is masked"
    set_apic LVT_TIMER, VECTOR_TIMER | PERIODIC
    sti
    hlt
    cli
    check_equal dword [count], 11, "periodic: unmasked"
    set_apic INITIAL, 0
    mov dword [count], 0
    call ten_ms_open
    check_equal dword [count], 0, "periodic: stopped"

    ; A deadline, which the page's counts do not touch.
    set_apic LVT_TIMER, VECTOR_TIMER | DEADLINE
    set_apic INITIAL, 1000
    get_apic CURRENT
    check_equal eax, 0, "deadline: no count"
    call ten_ms_open
    check_equal dword [count], 0, "deadline: the initial count does nothing"
    call start
    rdtsc
    add eax, 100000
    adc edx, 0
    mov ecx, MSR_DEADLINE
    wrmsr
    mov ebx, eax
    rdmsr
    check_equal eax, ebx, "deadline: as written"
    sti
    hlt
    cli
    mov ecx, 100000
    call in_time
    check_equal dword [count], 1, "deadline: an interrupt"
    mov ecx, MSR_DEADLINE
    rdmsr
    or eax, edx
    check_condition z, "deadline: disarmed by its interrupt"
    rdtsc
    add eax, 20000
    adc edx, 0
    mov ecx, MSR_DEADLINE
    wrmsr
    xor eax, eax
    xor edx, edx
    wrmsr
    call ten_ms_open
    check_equal dword [count], 1, "deadline: taken back"
    print "timers: the local APIC through its page", 10

    ; The I/O APIC asks the processor to ask the 8259, which has no request: its input 7, not in service.
    mov edi, IOAPIC
    mov dword [fs:edi], 0x10 + 2 * 2
    mov dword [fs:edi + 0x10], 0x700
    mov dword [count], 0
    mov al, 0x34
    out PIT + 3, al
    mov al, COUNT & 0xff
    out PIT, al
    mov al, COUNT >> 8
    out PIT, al
    sti
    hlt
    cli
    check_equal dword [spurious], 1, "8259: an interrupt without a request"
    check_equal byte [in_service], 0, "8259: nothing is in service then"
    check_equal dword [count], 0, "8259: nothing else"
    print "timers: a spurious interrupt of the 8259", 10
    pass

; AL: status of channel 2.
status:
    mov al, 0xe8
    out PIT + 3, al
    in al, PIT + 2
    ret

; AX: count of channel 2.
latch:
    mov al, 0x80
    out PIT + 3, al
    in al, PIT + 2
    mov ah, al
    in al, PIT + 2
    xchg al, ah
    ret

; ZF: the count of channel 2 is the same after a while.
stopped:
    call few                            ; the count is loaded by the next tick
moving:
    call latch
    mov bx, ax
    call few
    call latch
    cmp ax, bx
    ret

; Some ticks of the 8254; and 5 ms. Change EAX, ECX, EDX.
few:
    mov ecx, 200
    jmp wait_instructions
half:
    mov ecx, [ten_ms]
    shr ecx, 2                          ; two instructions each
wait_instructions:
    dec ecx
    jnz wait_instructions
    ret

until_high:
    in al, PORT_B
    test al, OUT_2
    jz until_high
    ret

start:
    rdtsc
    mov [started], eax
    ret

; Flags: below or equal if 10 ms have passed since `start`, within an eighth.
elapsed:
    rdtsc
    sub eax, [started]
    sub eax, [ten_ms]
    jns .later
    neg eax
.later:
    mov ecx, [ten_ms]
    shr ecx, 3
    cmp eax, ecx
    ret

; The handler was entered ECX ticks after `start`, or a little later.
in_time:
    mov eax, [entered]
    sub eax, [started]
    cmp eax, ecx
    check_condition ae, "an interrupt before its time"
    add ecx, LATE
    cmp eax, ecx
    check_condition b, "an interrupt long after its time"
    ret

; Interrupts may come for 10 ms.
ten_ms_open:
    sti
    call half
    call half
    cli
    ret

timer:
    push eax
    push edx
    push edi
    rdtsc
    mov [cs:entered], eax
    inc dword [cs:count]
    set_apic EOI, 0
    pop edi
    pop edx
    pop eax
    iret

irq_7:
    push ax
    inc dword [cs:spurious]
    mov al, 0x0b
    out MASTER, al
    in al, MASTER
    mov [cs:in_service], al
    pop ax
    iret

    guest_routines 16
    guest_gdt
    align 4
ten_ms: dd 0
started: dd 0
entered: dd 0
count: dd 0
spurious: dd 0
in_service: db 0xff
