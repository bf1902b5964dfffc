; SPDX-License-Identifier: MIT
;
; Exits that may be quick, in all ways that matter to their trace records: at one place and at two, with the same and with other details, in runs that
; fold and that do not, with the same RIP in two segments; pages touched one by one and by one instruction. What is printed does not depend on time, so
; that the trace of a run with quick exits and of one without are the same but for ticks. MODE is 16, 32 or 64.

%ifndef MODE
%define MODE 16
%endif
%include "test/bench/bench.inc"

UNKNOWN_CALL equ 0x12340000
ABSENT_PORT equ 0x1234
MSR_MISC_ENABLE equ 0x1a0
MSR_APIC_BASE equ 0x1b
SMALL equ 0x600000              ; a block of 2 MiB that is made of 4 KiB pages
LARGE equ 0x800000
LARGE_SIZE equ 0x200000
CR0_TS equ 1 << 3

%macro times_of 1+
    mov esi, 6
%%next:
    %1
    dec esi
    jnz %%next
%endmacro

%macro do_cpuid 1
    mov eax, %1
    xor ecx, ecx
    cpuid
%endmacro
%macro do_subleaf 2
    mov eax, %1
    mov ecx, %2
    cpuid
%endmacro
%macro do_vmcall 2
    mov eax, %1
    mov ebx, %2
    mov edx, 0x77777777
    vmcall
%endmacro
%macro do_rdmsr 1
    mov ecx, %1
    rdmsr
%endmacro
%macro do_in 2
    mov edx, %1
    in %2, dx
%endmacro
%macro do_out 3
    mov edx, %1
    mov eax, %3
    out dx, %2
%endmacro
%macro toggle_ts 0
%if MODE = 64
    mov rax, cr0
    xor rax, CR0_TS
    mov cr0, rax
%else
    mov eax, cr0
    xor eax, CR0_TS
    mov cr0, eax
%endif
    do_cpuid 2
%endmacro
%macro two_cpuids 0
    do_cpuid 0
    do_cpuid 0
%endmacro
%macro two_vmcalls 0
    do_vmcall UNKNOWN_CALL, 5
    do_vmcall UNKNOWN_CALL, 5
%endmacro
%macro two_rdmsrs 0
    do_rdmsr MSR_MISC_ENABLE
    do_rdmsr MSR_MISC_ENABLE
%endmacro
%macro two_ins 0
    do_in ABSENT_PORT, al
    do_in ABSENT_PORT, al
%endmacro
%macro kinds 0
    do_cpuid 0
    do_vmcall UNKNOWN_CALL, esi
    do_rdmsr MSR_MISC_ENABLE
    do_rdmsr MSR_APIC_BASE
    do_in ABSENT_PORT, eax
    do_out ABSENT_PORT, ax, 0x12345678
%endmacro

    bench_start
    check_version
    times_of do_cpuid 0
    times_of do_cpuid 1
    times_of do_cpuid esi
    times_of do_subleaf 0, esi
    times_of do_subleaf 4, esi
    times_of two_cpuids
    times_of toggle_ts
    print "traced: cpuid", 10
    times_of do_cpuid 0
    times_of do_vmcall UNKNOWN_CALL, 5
    times_of do_vmcall UNKNOWN_CALL, esi
    times_of do_vmcall esi, 5
    times_of two_vmcalls
    do_vmcall UNKNOWN_CALL, 5
    print "traced: vmcall", 10
    times_of do_rdmsr MSR_MISC_ENABLE
    times_of do_rdmsr MSR_APIC_BASE
    times_of two_rdmsrs
    print "traced: rdmsr", 10
    times_of do_in ABSENT_PORT, al
    times_of do_in ABSENT_PORT, ax
    times_of do_in ABSENT_PORT, eax
    times_of two_ins
    times_of do_out ABSENT_PORT, al, 0x87654321
    times_of do_out ABSENT_PORT, ax, 0x87654321
    times_of do_out ABSENT_PORT, eax, 0x87654321
    times_of do_out ABSENT_PORT, al, esi
    times_of do_out ABSENT_PORT, eax, esi
    times_of do_in esi, al
    times_of kinds
    print "traced: ports", 10

    ; The same instruction at one IP of two segments.
%if MODE = 16
    mov ax, 0x2000
    mov es, ax
    mov si, called
    mov di, si
    mov cx, called_end - called
    rep movsb
    mov esi, 6
.again:
    call 0:called
    call 0x2000:called
    dec esi
    jnz .again
%endif

    ; Pages: small ones, the second time the same way, by steps and by one instruction; large ones; one that is mapped again.
    mov ebx, SMALL
    mov ecx, 0x1000
    mov edx, 3
    hypercall HYPERCALL_SET_RIGHTS
    check_equal eax, HYPERCALL_OK, "set rights"
    mov edi, SMALL + 0x1000
.small:
    mov al, [fs:edi]
    add edi, 0x1000
    mov [fs:edi], al
    add edi, 0x1000
    cmp edi, SMALL + 0x20000
    jb .small
%if MODE = 16
    mov ax, 0x8000
    mov es, ax
    mov di, 0x10
    mov cx, 0x5000
    xor al, al
    rep stosb
%else
    mov edi, SMALL + 0x20010
    mov ecx, 0x10000
    xor eax, eax
    rep stosb
%endif
    mov edi, LARGE
.large:
    mov [fs:edi], eax
    add edi, LARGE_SIZE
    cmp edi, LARGE + 6 * LARGE_SIZE
    jb .large
    mov esi, 4
.again_mapped:
    mov ebx, SMALL + 0x3000
    mov ecx, PLANT_NOT_PRESENT | 1 << 8
    hypercall HYPERCALL_PLANT_FAULT
    check_equal eax, HYPERCALL_OK, "plant"
    mov edi, SMALL + 0x3000
    mov al, [fs:edi]
    dec esi
    jnz .again_mapped
    print "traced: pages", 10
    pass

%if MODE = 16
called:
    do_cpuid 0
    retf
called_end:
%endif

    bench_routines
