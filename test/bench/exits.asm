; SPDX-License-Identifier: MIT
;
; What single exits cost: instructions, ports, device registers. Assembled for MODE 16, 32 and 64.

%include "bench.inc"

%ifdef SHORT
N equ 100
%else
N equ 1000
%endif
UNKNOWN_CALL equ 0x12340000
ABSENT_PORT equ 0x1234
FW_CFG_DATA equ 0x511
STRING_BUFFER equ 0x4000
STRING_BYTES equ 512            ; as test/bench/figures.py has it
MSR_MISC_ENABLE equ 0x1a0
MSR_PAT equ 0x277
CR0_CD equ 1 << 30
CR4_MCE equ 1 << 6
CR4_OSXSAVE equ 1 << 18
HPET equ 0xfed00000
HPET_CONFIG equ 0x10
LAPIC equ 0xfee00000
LAPIC_EOI equ 0xb0
LAPIC_SPURIOUS equ 0xf0
LAPIC_LVT_TIMER equ 0x320
TIMER_DEADLINE equ 2 << 17
MSR_TSC_DEADLINE equ 0x6e0
WAKE_VECTOR equ 0x40
WAKE_AFTER equ 20000            ; ticks

%macro load_pat 0
    mov eax, [pat]
    mov edx, [pat + 4]
%endmacro

%macro string_registers 1       ; port
    mov ecx, STRING_BYTES
    mov edi, STRING_BUFFER
    mov esi, STRING_BUFFER
    mov edx, %1
%endmacro

%macro load_xcr0 0
    xor edx, edx
    mov eax, 1
%endmacro

%macro write_cr 1
%if MODE = 64
    mov cr %+ %1, rax
%else
    mov cr %+ %1, eax
%endif
%endmacro

%macro read_cr 1
%if MODE = 64
    mov rax, cr %+ %1
%else
    mov eax, cr %+ %1
%endif
%endmacro

%macro set_apic 2
    mov edi, LAPIC + %1
    mov dword [fs:edi], %2
%endmacro

; N times asleep (%1 = 1) until the timer's interrupt; or (0) all that is done besides.
%macro sleep_loop 1
    mov dword [left], N
%%again:
%ifdef COUNTING
    call count_from
%endif
    mov ecx, MSR_TSC_DEADLINE
%if %1
    mov ebx, [left]                     ; not always the same distance from the ticks of the host's timer
    add ebx, WAKE_AFTER
    rdtsc
    add eax, ebx
    adc edx, 0
    mov [due], eax
    wrmsr
    sti
    hlt
    cli
    mov eax, [awake]
    sub eax, [due]
%else
    xor eax, eax
    xor edx, edx
    wrmsr
    xor eax, eax
%endif
%ifdef COUNTING
    call count_to
%endif
    call record
    set_apic LAPIC_EOI, 0
    dec dword [left]
    jnz %%again
%endmacro

    bench_start
    check_version
    row "vmcall", N, {vmcall}, nothing, {mov eax, UNKNOWN_CALL}
    row "cpuid_0", N, {cpuid}, {xor ecx, ecx}, {xor eax, eax}
    row "cpuid_1", N, {cpuid}, {xor ecx, ecx}, {mov eax, 1}
    row "cpuid_7", N, {cpuid}, {xor ecx, ecx}, {mov eax, 7}
    row "cpuid_0xd", N, {cpuid}, {xor ecx, ecx}, {mov eax, 0xd}
    row "cpuid_0x40000000", N, {cpuid}, {xor ecx, ecx}, {mov eax, 0x40000000}
    row "cpuid_0x80000008", N, {cpuid}, {xor ecx, ecx}, {mov eax, 0x80000008}
    row "rdmsr", N, {rdmsr}, {mov ecx, MSR_MISC_ENABLE}
    row "rdmsr_apic_base", N, {rdmsr}, {mov ecx, 0x1b}
    mov ecx, MSR_PAT
    rdmsr
    mov [pat], eax
    mov [pat + 4], edx
    row "wrmsr", N, {wrmsr}, {mov ecx, MSR_PAT}, {load_pat}
    row "in_absent", N, {in al, dx}, nothing, {mov edx, ABSENT_PORT}
    row "out_absent", N, {out dx, al}, nothing, {mov edx, ABSENT_PORT}
    row "in_uart", N, {in al, dx}, nothing, {mov edx, PORT_COM1 + 5}
    row "out_uart", N, {out dx, al}, nothing, {mov edx, PORT_COM1 + 7}
    row "rep_insb", N, {rep insb}, nothing, {string_registers FW_CFG_DATA}
    row "rep_outsb", N, {rep outsb}, nothing, {string_registers PORT_COM1 + 7}
    read_cr 0
    mov [cr0_value], eax
    row "mov_cr0", N, {write_cr 0}, {xor dword [cr0_value], CR0_CD}, {mov eax, [cr0_value]}
    read_cr 4
    mov [cr4_value], eax
    row "mov_cr4", N, {write_cr 4}, {xor dword [cr4_value], CR4_MCE}, {mov eax, [cr4_value]}
    read_cr 4
    or eax, CR4_OSXSAVE
    write_cr 4
    row "xsetbv", N, {xsetbv}, {xor ecx, ecx}, {load_xcr0}
    row "mmio_read", N, {mov eax, [fs:edi]}, {mov edi, HPET + HPET_CONFIG}
    row "mmio_write", N, {mov [fs:edi], eax}, {mov edi, HPET + HPET_CONFIG}, {xor eax, eax}

    ; From the moment at which the timer's interrupt is due to the first instruction of its handler.
    lidt [wake_idt]
    set_apic LAPIC_SPURIOUS, 0x1ff
    set_apic LAPIC_LVT_TIMER, WAKE_VECTOR | TIMER_DEADLINE
    call begin_base
    sleep_loop 0
    call begin_measured
    sleep_loop 1
    show_row "hlt_wake", N
    pass

wake:
    rdtsc
    mov [awake], eax
%if MODE = 64
    iretq
%elif MODE = 32
    iretd
%else
    iret
%endif

    bench_routines
    align 8, db 0
wake_gate:
%if MODE = 64
    dw wake, BENCH_CODE, 0x8e00, 0, 0, 0, 0, 0
%elif MODE = 32
    dw wake, BENCH_CODE, 0x8e00, 0
%else
    dw wake, 0
%endif
WAKE_GATE_SIZE equ $ - wake_gate
wake_idt:
    dw (WAKE_VECTOR + 1) * WAKE_GATE_SIZE - 1
    dd wake_gate - WAKE_VECTOR * WAKE_GATE_SIZE, 0
due: dd 0
awake: dd 0
    align 8, db 0
pat: dq 0
cr0_value: dd 0
cr4_value: dd 0
