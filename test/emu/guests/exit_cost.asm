; SPDX-License-Identifier: MIT
;
; What an exit costs, in ticks as the guest sees them: the least of many, and all of them together. Two RDTSC around each; what they cost
; themselves is taken off. The exits of a kind are made at two places in turn, so that the trace does not fold them; of `same` at one.

%include "guest.inc"

ROUNDS equ 500
MSR_PAT equ 0x277
CR4_MCE equ 1 << 6
HPET_CONFIG equ 0xfed00010

; %1: name, %2...: what exits, between two RDTSC. EBP counts.
%macro measure 2
    mov dword [least], -1
    mov dword [all], 0
    mov ebp, ROUNDS
%%next:
    %2
    %2
    dec ebp
    jnz %%next
    print %1, " "
    mov eax, [least]
    call put_hex
    print " "
    mov eax, [all]
    call put_hex
    print 10
%endmacro

%macro do_nothing 0
    rdtsc
    mov esi, eax
    rdtsc
    call take
%endmacro
%macro do_vmcall 0
    mov ecx, 0
    rdtsc
    mov esi, eax
    mov eax, 0x12345678
    vmcall
    rdtsc
    call take
%endmacro
%macro do_cpuid 0
    rdtsc
    mov esi, eax
    xor eax, eax
    xor ecx, ecx
    cpuid
    rdtsc
    call take
%endmacro
%macro do_same 0
    call same
%endmacro
%macro do_rdmsr 0
    mov ecx, 0x1b
    rdtsc
    mov esi, eax
    rdmsr
    rdtsc
    call take
%endmacro
%macro do_in 0
    rdtsc
    mov esi, eax
    mov dx, 0x1234
    in al, dx
    rdtsc
    call take
%endmacro
%macro do_in_uart 0
    rdtsc
    mov esi, eax
    mov dx, PORT_COM1 + 5
    in al, dx
    rdtsc
    call take
%endmacro
%macro do_out_uart 0
    rdtsc
    mov esi, eax
    mov dx, PORT_COM1 + 7
    out dx, al
    rdtsc
    call take
%endmacro
%macro do_wrmsr 0
    mov ecx, MSR_PAT
    rdtsc
    mov esi, eax
    mov eax, [pat]
    mov edx, [pat + 4]
    wrmsr
    rdtsc
    call take
%endmacro
%macro do_hypervisor_leaf 0
    rdtsc
    mov esi, eax
    mov eax, 0x40000000
    cpuid
    rdtsc
    call take
%endmacro
%macro do_version 0
    rdtsc
    mov esi, eax
    mov eax, HYPERCALL_VERSION
    vmcall
    rdtsc
    call take
%endmacro
%macro do_mov_cr 0
    mov ebx, cr4
    xor ebx, CR4_MCE
    rdtsc
    mov esi, eax
    mov cr4, ebx
    rdtsc
    call take
%endmacro
%macro do_mmio 0
    rdtsc
    mov esi, eax
    mov eax, [fs:edi]
    rdtsc
    call take
%endmacro
%macro do_touch 0
    rdtsc
    mov esi, eax
    mov [fs:edi], eax
    rdtsc
    call take
    add edi, 0x1000
%endmacro

    guest_start
    check_version
    flat_segments
    mov edi, 0x10000            ; below 1 MiB pages are small; first, as these few may all be slow later, when a moment is due
    mov dword [least], -1
    mov dword [all], 0
    mov ebp, 0x40
.touch:
    do_touch
    dec ebp
    jnz .touch
    print "touch "
    mov eax, [least]
    call put_hex
    print " "
    mov eax, [all]
    call put_hex
    print 10
    measure "nothing", do_nothing
    measure "vmcall", do_vmcall
    measure "cpuid", do_cpuid
    measure "same", do_same
    measure "rdmsr", do_rdmsr
    measure "in", do_in
    measure "in_uart", do_in_uart
    measure "out_uart", do_out_uart
    mov ecx, MSR_PAT
    rdmsr
    mov [pat], eax
    mov [pat + 4], edx
    measure "wrmsr", do_wrmsr
    measure "hypervisor_leaf", do_hypervisor_leaf
    measure "version", do_version
    measure "mov_cr", do_mov_cr
    mov edi, HPET_CONFIG
    measure "mmio", do_mmio
    print "exit cost: measured", 10
    pass

same:
    do_cpuid
    ret

; EAX: the second RDTSC, ESI: the first.
take:
    sub eax, esi
    add [all], eax
    cmp eax, [least]
    jae .no
    mov [least], eax
.no:
    ret

%include "test/emu/guests/put_hex.inc"

    align 4
least: dd 0
all: dd 0
pat: dd 0, 0

    guest_gdt
    guest_routines 16
