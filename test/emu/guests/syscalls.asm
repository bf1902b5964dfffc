; SPDX-License-Identifier: MIT
;
; The MSRs behind SYSCALL, SYSENTER, SWAPGS, FS, GS and RDTSCP: they start at 0, take what is written and refuse what they must, and are used: from ring 3,
; in 64-bit and compatibility mode, with exits on both sides, sixteen times. Each run has numbers of its own, so that two guests which got each
; other's would see it.

%include "test/emu/guests/long_mode.inc"

MSR_SYSENTER_CS equ 0x174
MSR_SYSENTER_ESP equ 0x175
MSR_SYSENTER_EIP equ 0x176
MSR_STAR equ 0xc0000081
MSR_LSTAR equ 0xc0000082
MSR_CSTAR equ 0xc0000083
MSR_FMASK equ 0xc0000084
MSR_FS_BASE equ 0xc0000100
MSR_GS_BASE equ 0xc0000101
MSR_KERNEL_GS_BASE equ 0xc0000102
MSR_TSC_AUX equ 0xc0000103
CR4_FSGSBASE equ 1 << 16
FS_AREA equ 0x20000             ; where FS, the user's GS and the kernel's GS lead
GS_AREA equ 0x21000
KERNEL_AREA equ 0x22000
STACK_SYSENTER equ 0x6800
STACK_3 equ 0x6000
FLAG_CARRY equ 1
FLAG_DIRECTION equ 1 << 10
FLAGS_MASKED equ FLAG_DIRECTION | 1 << 8
TURNS equ 16
VECTOR_BACK equ 0x50            ; from ring 3 to [resume] in ring 0

; Exits of several kinds; from ring 3 too, I/O apart.
%macro exits 0
    push rax
    push rbx
    push rcx
    push rdx
    xor eax, eax
    cpuid
    mov eax, -1
    vmcall
    mov edi, [untouched]
    add dword [untouched], 0x1000
    mov byte [rdi], 1
    mov al, [abs GUEST_HOLE_BASE]
    pop rdx
    pop rcx
    pop rbx
    pop rax
%endmacro

; In ring 3: what FS and GS reach.
%macro check_user_areas 0
    mov rax, [fs:8]
    cmp rax, [own + 0]
    jne user_failed
    mov rax, [gs:8]
    cmp rax, [own + 8]
    jne user_failed
%endmacro

%macro read_back 2              ; MSR, 64-bit value in memory
    mov ecx, %1
    rdmsr
    check_equal eax, [%2], "an MSR: low half"
    check_equal edx, [%2 + 4], "an MSR: high half"
%endmacro

    guest_start
    check_version
    enter_long_mode
    long_gate VECTOR_BACK, back
    mov byte [LONG_IDT + 16 * VECTOR_BACK + 5], 0xee

    mov eax, 0x80000001                 ; is there RDTSCP?
    cpuid
    shr edx, 27
    and edx, 1
    mov [has_aux], edx
    mov eax, 7
    xor ecx, ecx
    cpuid
    and ebx, 1
    mov [has_fsgsbase], ebx

    ; All start at 0.
    mov ebx, msrs
initial:
    mov ecx, [rbx]
    rdmsr
    or eax, edx
    check_condition z, "an MSR's initial value"
    add ebx, 4
    cmp ebx, msrs_end
    jb initial
    mov ecx, MSR_TSC_AUX
    cmp dword [has_aux], 0
    je no_aux
    rdmsr
    or eax, edx
    check_condition z, "IA32_TSC_AUX: its initial value"
    jmp aux_done
no_aux:
    expect_fault GENERAL_PROTECTION, 0, rdmsr
    expect_fault GENERAL_PROTECTION, 0, wrmsr
    expect_fault INVALID_OPCODE, 0, rdtscp
aux_done:

    ; Addresses that are not canonical are refused.
    mov ebx, addresses
refuse:
    mov ecx, [rbx]
    mov edx, 0x00008000
    xor eax, eax
    expect_fault GENERAL_PROTECTION, 0, wrmsr
    rdmsr
    or eax, edx
    check_condition z, "an MSR after a refusal"
    add ebx, 4
    cmp ebx, addresses_end
    jb refuse

    ; Numbers of this run's own.
    rdtsc
    mov ecx, 0x9e3779b1
    mul ecx
    mov [own + 0], eax
    mov [own + 4], edx
    not eax
    mov [own + 8], eax
    rol edx, 7
    mov [own + 12], edx
    imul eax, 0x01000193
    mov [own + 16], eax
    mov [aux], eax
    mov rax, [own + 0]
    mov [FS_AREA + 8], rax
    mov rax, [own + 8]
    mov [GS_AREA + 8], rax
    mov rax, [own + 16]
    mov [KERNEL_AREA + 8], rax
    mov eax, [own]
    and eax, 0x7ffffff0
    mov [cstar], eax                    ; Intel never goes there

    ; SYSCALL before EFER.SCE.
    expect_fault INVALID_OPCODE, 0, syscall
    mov ecx, MSR_EFER
    rdmsr
    or eax, EFER_SCE
    wrmsr
    xor eax, eax
    mov fs, ax
    mov gs, ax
    write_msr MSR_STAR, 0, (LONG_CODE32_RING_3 & ~3) << 16 | LONG_CODE64
    write_msr MSR_LSTAR, from_syscall
    write_msr MSR_CSTAR, [cstar], 0xffff8765
    write_msr MSR_FMASK, FLAGS_MASKED
    write_msr MSR_SYSENTER_CS, LONG_CODE64
    write_msr MSR_SYSENTER_ESP, STACK_SYSENTER
    write_msr MSR_SYSENTER_EIP, from_sysenter
    write_msr MSR_FS_BASE, FS_AREA
    write_msr MSR_GS_BASE, GS_AREA
    write_msr MSR_KERNEL_GS_BASE, KERNEL_AREA
    cmp dword [has_aux], 0
    je turn
    write_msr MSR_TSC_AUX, [aux]

turn:
    ; To 64-bit code in ring 3.
    mov byte [stage], 1
    mov ecx, user_64
    mov r11d, 2 | FLAG_DIRECTION | FLAG_CARRY
    mov [kernel_rsp], rsp
    mov esp, STACK_3
    o64 sysret
from_user_64:
    ; To 32-bit code in ring 3.
    mov byte [stage], 2
    mov ecx, user_32
    mov r11d, 2
    mov [kernel_rsp], rsp
    o32 sysret
from_user_32:
    ; By SYSEXIT to 64-bit code, and from there by SYSENTER again.
    mov byte [stage], 3
    mov [kernel_rsp], rsp
    mov edx, user_64_sysenter
    mov ecx, STACK_3
    o64 sysexit
from_user_64_sysenter:
    mov byte [stage], 4
    mov [kernel_rsp], rsp
    mov edx, user_32_again
    mov ecx, STACK_3
    o32 sysexit
back_in_ring_0:
    check_equal byte [stage], 4, "the order of things"

    read_back MSR_STAR, star
    read_back MSR_LSTAR, lstar
    read_back MSR_CSTAR, cstar
    read_back MSR_FMASK, fmask
    read_back MSR_SYSENTER_CS, sysenter_cs
    read_back MSR_SYSENTER_ESP, sysenter_esp
    read_back MSR_SYSENTER_EIP, sysenter_eip
    read_back MSR_FS_BASE, fs_base
    read_back MSR_GS_BASE, gs_base
    read_back MSR_KERNEL_GS_BASE, kernel_gs_base
    cmp dword [has_aux], 0
    je no_rdtscp
    rdtscp
    check_equal ecx, [aux], "RDTSCP: IA32_TSC_AUX"
    read_back MSR_TSC_AUX, aux
no_rdtscp:
    cmp dword [has_fsgsbase], 0
    jne fsgsbase
    mov rax, cr4
    or eax, CR4_FSGSBASE
    expect_fault GENERAL_PROTECTION, 0, mov cr4, rax
    jmp no_fsgsbase
fsgsbase:
    mov rax, cr4
    or eax, CR4_FSGSBASE
    mov cr4, rax
    mov rcx, 0xffff812345678000
    wrfsbase rcx
    exits
    rdfsbase rax
    check_equal rax, rcx, "RDFSBASE"
    mov rax, rcx
    mov ecx, MSR_FS_BASE
    rdmsr
    check_equal edx, 0xffff8123, "IA32_FS_BASE after WRFSBASE"
    mov eax, FS_AREA
    wrfsbase rax
    rdgsbase rax
    check_equal rax, GS_AREA, "RDGSBASE"
no_fsgsbase:
    dec dword [turns]
    jnz turn
    print "syscalls: all as they should be", 10
    pass

; Ring 3, 64-bit.
user_64:
    pushfq
    pop r8
    cld
    mov ax, cs
    cmp ax, LONG_CODE64_RING_3
    jne user_failed
    mov ax, ss
    cmp ax, LONG_DATA_RING_3
    jne user_failed
    and r8d, FLAG_DIRECTION | FLAG_CARRY
    cmp r8d, FLAG_DIRECTION | FLAG_CARRY
    jne user_failed
    check_user_areas
    exits
    check_user_areas
    std
    syscall
after_syscall:
    int VECTOR_BACK             ; never reached
user_failed:
    mov byte [stage], 99
    int VECTOR_BACK

from_syscall:                   ; ring 0: RCX, R11; FMASK has cleared DF
    pushfq                      ; the user's stack, which is as good as any
    pop rax
    mov rsp, [kernel_rsp]
    test eax, FLAG_DIRECTION
    check_condition z, "SYSCALL: IA32_FMASK"
    check_equal rcx, after_syscall, "SYSCALL: RCX"
    test r11d, FLAG_DIRECTION
    check_condition nz, "SYSCALL: R11"
    swapgs
    exits
    mov rax, [gs:8]
    check_equal rax, [own + 16], "the kernel's GS"
    swapgs
    check_equal byte [stage], 1, "SYSCALL: from the first stage"
    jmp from_user_64

; Ring 3, compatibility mode.
    bits 32
user_32:
    mov esp, STACK_3
    mov ax, cs
    cmp ax, LONG_CODE32_RING_3
    jne near user_32_failed
    mov ax, LONG_DATA_RING_3
    mov ds, ax
    mov es, ax
    xor eax, eax
    cpuid
    mov eax, -1
    vmcall
    mov esi, 0x32323232
    sysenter
user_32_again:
    mov ax, cs
    cmp ax, LONG_CODE32_RING_3
    jne user_32_failed
    xor eax, eax
    cpuid
    cmp esp, STACK_3
    jne user_32_failed
    int VECTOR_BACK
user_32_failed:
    mov byte [stage], 99
    int VECTOR_BACK

    bits 64
user_64_sysenter:
    mov ax, cs
    cmp ax, LONG_CODE64_RING_3
    jne user_failed
    mov ax, ss
    cmp ax, LONG_DATA_RING_3_64
    jne user_failed
    cmp rsp, STACK_3
    jne user_failed
    exits
    check_user_areas
    mov rsi, 0x6464646464646464
    sysenter

from_sysenter:                  ; ring 0, 64-bit, from either
    mov ax, cs
    check_equal ax, LONG_CODE64, "SYSENTER: CS"
    mov ax, ss
    check_equal ax, LONG_DATA, "SYSENTER: SS"
    check_equal rsp, STACK_SYSENTER, "SYSENTER: RSP"
    exits
    mov rsp, [kernel_rsp]
    cmp byte [stage], 2
    je .from_32
    mov rax, 0x6464646464646464
    check_equal rsi, rax, "SYSENTER from 64-bit code"
    check_equal byte [stage], 3, "SYSENTER: from the third stage"
    jmp from_user_64_sysenter
.from_32:
    check_equal esi, 0x32323232, "SYSENTER from compatibility mode"
    jmp from_user_32

back:
    mov rsp, [kernel_rsp]
    mov ax, LONG_DATA
    mov ss, ax
    mov ds, ax
    mov es, ax
    cmp byte [stage], 99
    check_condition ne, "in ring 3"
    jmp back_in_ring_0

    long_routines
    guest_routines 64
    guest_routines 16
    align 8, db 0
; Those whose value is an address first.
addresses:
    dd MSR_LSTAR, MSR_CSTAR, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE
addresses_end:
msrs:
    dd MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_FMASK, MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_KERNEL_GS_BASE
msrs_end:
    align 8, db 0
own: dq 0, 0, 0
star: dd 0, (LONG_CODE32_RING_3 & ~3) << 16 | LONG_CODE64
lstar: dq from_syscall
cstar: dd 0, 0xffff8765
fmask: dq FLAGS_MASKED
sysenter_cs: dq LONG_CODE64
sysenter_esp: dq STACK_SYSENTER
sysenter_eip: dq from_sysenter
fs_base: dq FS_AREA
gs_base: dq GS_AREA
kernel_gs_base: dq KERNEL_AREA
aux: dq 0
kernel_rsp: dq 0
has_aux: dd 0
has_fsgsbase: dd 0
turns: dd TURNS
untouched: dd 0x300000
stage: db 0
