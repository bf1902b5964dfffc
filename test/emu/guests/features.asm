; SPDX-License-Identifier: MIT
;
; CPUID and what the processor does, in 64-bit mode: an instruction that CPUID tells of works, one that it does not tell of is undefined; bits of CR4 that want
; long mode, and those that may not change in it; leaves that must agree with each other and with the local APIC.

%include "test/emu/guests/long_mode.inc"

CR4_PCIDE equ 1 << 17
CR4_OSXSAVE equ 1 << 18
CR4_LA57 equ 1 << 12
CR4_PKE equ 1 << 22
MSR_APIC_BASE equ 0x1b
DATUM equ 0x20000

; [told] = register %1 of CPUID leaf %2, subleaf %3.
%macro leaf 3
    mov eax, %2
    mov ecx, %3
    cpuid
    mov [told], %1
%endmacro
; The instruction works if the bit is set, else it raises #UD.
%macro as_told 2+
    call prepare
    try %2
    mov ecx, %1
    call judge
%endmacro

    guest_start
    check_version
    enter_long_mode
    mov rax, cr4
    mov [cr4_before], rax
    mov eax, 1
    cpuid
    test ecx, 1 << 26
    jz no_xsave
    mov rax, cr4
    or eax, CR4_OSXSAVE
    mov cr4, rax
    mov eax, 0xd
    xor ecx, ecx
    cpuid
    and eax, 7
    xor edx, edx
    xor ecx, ecx
    xsetbv
no_xsave:
    leaf ecx, 1, 0
    as_told 0, addsubps xmm0, xmm1
    as_told 1, pclmulqdq xmm0, xmm1, 0
    as_told 3, {db 0x0f, 0x01, 0xc8}            ; MONITOR
    as_told 5, vmxoff
    as_told 6, {db 0x0f, 0x37}                  ; GETSEC
    as_told 9, pshufb xmm0, xmm1
    as_told 12, vfmadd132ps xmm0, xmm1, xmm2
    as_told 13, cmpxchg16b [rsi]
    as_told 19, pmulld xmm0, xmm1
    as_told 20, pcmpgtq xmm0, xmm1
    as_told 22, movbe eax, [rsi]
    as_told 23, popcnt eax, ebx
    as_told 25, aesenc xmm0, xmm1
    as_told 26, xgetbv
    as_told 28, vaddps xmm0, xmm1, xmm2
    as_told 29, vcvtph2ps xmm0, xmm1
    as_told 30, rdrand eax
    leaf edx, 1, 0
    as_told 19, clflush [rsi]
    as_told 23, {paddd mm0, mm1}
    as_told 24, fxsave64 [rsi]
    as_told 26, mfence
    leaf ebx, 7, 0
    test dword [told], 1
    jz no_fsgsbase
    mov rax, cr4
    or eax, 1 << 16
    mov cr4, rax
no_fsgsbase:
    as_told 0, rdgsbase rax
    as_told 3, andn eax, ebx, ecx
    as_told 5, vpaddd ymm0, ymm1, ymm2
    as_told 8, bzhi eax, ebx, ecx
    as_told 10, invpcid rbx, [invalidation]
    as_told 18, rdseed eax
    as_told 19, adcx eax, ebx
    as_told 20, stac
    as_told 23, clflushopt [rsi]
    as_told 24, clwb [rsi]
    as_told 29, sha1msg1 xmm0, xmm1
    leaf ecx, 7, 0
    as_told 4, rdpkru
    as_told 22, {db 0xf3, 0x0f, 0xc7, 0xf8}     ; RDPID RAX
    leaf edx, 0x80000001, 0
    as_told 27, rdtscp
    leaf eax, 0xd, 1
    cmp dword [told], 0
    je no_xsaveopt
    as_told 0, xsaveopt64 [rsi]
    as_told 3, xsaves64 [rsi]
no_xsaveopt:
    mov rax, [cr4_before]
    mov cr4, rax
    print "features: instructions", 10

    ; PKE and LA57 by CPUID; in long mode LA57 may not change at all.
    leaf ecx, 7, 0
    test dword [told], 1 << 16
    jnz has_la57
    print "features: no five-level paging", 10
has_la57:
    test dword [told], 1 << 3
    jnz has_pke
    mov rax, [cr4_before]
    or eax, CR4_PKE
    expect_fault GENERAL_PROTECTION, 0, mov cr4, rax
has_pke:
    mov rax, [cr4_before]
    or eax, CR4_LA57
    expect_fault GENERAL_PROTECTION, 0, mov cr4, rax
    mov rax, [cr4_before]
    and eax, ~CR4_PAE
    expect_fault GENERAL_PROTECTION, 0, mov cr4, rax
    mov rax, 1 << 32
    or rax, [cr4_before]
    expect_fault GENERAL_PROTECTION, 0, mov cr4, rax
    mov rax, cr0
    mov rcx, rax
    and eax, ~CR0_PG
    expect_fault GENERAL_PROTECTION, 0, mov cr0, rax
    mov rax, rcx
    and eax, ~CR0_PE
    expect_fault GENERAL_PROTECTION, 0, mov cr0, rax
    mov rax, 1 << 40
    or rax, rcx
    expect_fault GENERAL_PROTECTION, 0, mov cr0, rax
    mov rax, 1 << 62
    expect_fault GENERAL_PROTECTION, 0, mov cr3, rax
    mov rax, cr0
    check_equal rax, rcx, "CR0 after refusals"
    mov rax, cr4
    check_equal rax, [cr4_before], "CR4 after refusals"
    ; The same where the hypervisor decides, because CR4.MCE changes with it.
    xor eax, (1 << 6) | CR4_LA57
    expect_fault GENERAL_PROTECTION, 0, mov cr4, rax
    mov rax, [cr4_before]
    xor eax, (1 << 6) | CR4_PAE
    expect_fault GENERAL_PROTECTION, 0, mov cr4, rax

    ; PCIDE: with CR3[11:0] 0 alone; then CR3 has a PCID, and paging cannot be switched off.
    leaf ecx, 1, 0
    test dword [told], 1 << 17
    jnz has_pcid
    mov rax, [cr4_before]
    or eax, CR4_PCIDE
    expect_fault GENERAL_PROTECTION, 0, mov cr4, rax
    mov rax, 1 << 63 | LONG_PML4
    expect_fault GENERAL_PROTECTION, 0, mov cr3, rax
    jmp pcid_done
has_pcid:
    mov eax, LONG_PML4 | 8
    mov cr3, rax
    mov rax, [cr4_before]
    or eax, CR4_PCIDE
    expect_fault GENERAL_PROTECTION, 0, mov cr4, rax
    xor eax, 1 << 6                             ; MCE with it
    expect_fault GENERAL_PROTECTION, 0, mov cr4, rax
    mov eax, LONG_PML4
    mov cr3, rax
    mov rax, [cr4_before]
    or eax, CR4_PCIDE | 1 << 6
    mov cr4, rax
    mov rcx, cr4
    check_equal rcx, rax, "CR4.PCIDE"
    mov rax, 1 << 63 | LONG_PML4 | 5
    mov cr3, rax
    mov rax, cr3
    check_equal rax, LONG_PML4 | 5, "CR3 with a PCID"
    check_version
    push qword LONG_CODE32
    push qword .compatibility
    retfq
    bits 32
.compatibility:
    mov dword [recover], .after
    mov byte [seen_vector], NONE
    mov eax, cr0
    and eax, ~CR0_PG
    mov cr0, eax
.after:
    jmp LONG_CODE64:.long
    bits 64
.long:
    mov qword [recover], 0
    check_equal byte [seen_vector], GENERAL_PROTECTION, "paging off with CR4.PCIDE"
    mov rax, [cr4_before]
    mov cr4, rax
    mov eax, LONG_PML4
    mov cr3, rax
pcid_done:
    print "features: control registers in long mode", 10

    ; Leaves.
    leaf ebx, 0x40000000, 0
    check_equal ebx, 0x70656441, "CPUID: the hypervisor's name"
    mov eax, 0x80000008
    cpuid
    check_equal ah, 48, "CPUID: linear addresses, with four levels"
    mov eax, 0xa                                ; performance counters
    xor ecx, ecx
    cpuid
    or eax, ebx
    or eax, edx
    check_condition z, "CPUID: no performance counters"
    leaf edx, 1, 0
    test dword [told], 1 << 14
    check_condition z, "CPUID: no machine check architecture"
    test dword [told], 1 << 7
    check_condition nz, "CPUID: a machine check exception"
    xor ecx, ecx
    rdmsr
    or eax, edx
    check_condition z, "IA32_P5_MC_ADDR"
    mov ecx, 0x179
    expect_fault GENERAL_PROTECTION, 0, rdmsr
    ; The bit of the APIC follows IA32_APIC_BASE, as that of XSAVE follows CR4 (vectors.asm).
    test dword [told], 1 << 9
    check_condition nz, "CPUID: the APIC"
    write_msr MSR_APIC_BASE, 0xfee00100
    leaf edx, 1, 0
    test dword [told], 1 << 9
    check_condition z, "CPUID: the APIC disabled"
    write_msr MSR_APIC_BASE, 0xfee00900
    leaf edx, 1, 0
    test dword [told], 1 << 9
    check_condition nz, "CPUID: the APIC enabled again"
    print "features: leaves", 10
    pass

prepare:
    mov esi, DATUM
    xor ebx, ebx                                ; INVPCID: one address
    xor ecx, ecx
    ret

; CF of bit ECX of [told]: nothing was raised; else #UD.
judge:
    bt [told], ecx
    jc .told
    check_equal byte [seen_vector], INVALID_OPCODE, "an instruction that CPUID does not tell of"
    ret
.told:
    check_equal byte [seen_vector], NONE, "an instruction that CPUID tells of"
    ret

    long_routines
    guest_routines 64
    guest_routines 16
    align 16, db 0
invalidation: dq 0, 0
cr4_before: dq 0
told: dd 0
