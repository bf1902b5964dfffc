; SPDX-License-Identifier: MIT
;
; x87, SSE, AVX and AVX-512 registers and XCR0, in 64-bit mode: each value of XCR0 that this processor takes, every register full, and exits of many kinds,
; the sleep of HLT and the preemption timer among them; state that XCR0 has switched off meanwhile; values that XSETBV refuses; and what CPUID says of it all.

%include "test/emu/guests/long_mode.inc"

PATTERN equ 0x20000             ; XSAVE areas: what is loaded, what was there before exits, what after them
BEFORE equ 0x22000
AFTER equ 0x24000
AREA_SIZE equ 0x2000
SENTINEL equ 0x5a5a5a5a
FILL equ 0xa5a5a5a5
UNTOUCHED equ 0x300000          ; a page that nothing has touched for each round
HEADER equ 512
X87 equ 1
SSE equ 2
AVX equ 4
AVX512 equ 0xe0
CR4_OSXSAVE equ 1 << 18
CPUID_XSAVE equ 1 << 26
CPUID_OSXSAVE equ 1 << 27
MSR_APIC_BASE equ 0x1b
MSR_PAT equ 0x277
MSR_MISC_ENABLE equ 0x1a0
TIMER_VECTOR equ 0x40

%macro set_xcr0 1
    xor ecx, ecx
    xor edx, edx
    mov eax, %1
    xsetbv
%endmacro
%macro refused 3                ; EDX, EAX, ECX
    mov edx, %1
    mov eax, %2
    mov ecx, %3
    expect_fault GENERAL_PROTECTION, 0, xsetbv
%endmacro

    guest_start
    check_version
    mov al, 0xff                ; the 8259s keep out
    out 0x21, al
    out 0xa1, al
    enter_long_mode
    long_gate TIMER_VECTOR, timer
    write_msr MSR_APIC_BASE, 0xfee00d00
    write_msr 0x80f, 0x1ff
    write_msr 0x832, TIMER_VECTOR
    write_msr 0x83e, 0xb
    fninit

    mov eax, 1
    xor ecx, ecx
    cpuid
    test ecx, CPUID_OSXSAVE
    check_condition z, "CPUID: OSXSAVE before CR4.OSXSAVE"
    expect_fault INVALID_OPCODE, 0, xgetbv
    expect_fault INVALID_OPCODE, 0, xsetbv
    mov eax, 1
    xor ecx, ecx
    cpuid
    test ecx, CPUID_XSAVE
    jz no_xsave

    mov rax, cr4
    or eax, CR4_OSXSAVE
    mov cr4, rax
    mov eax, 1
    xor ecx, ecx
    cpuid
    test ecx, CPUID_OSXSAVE
    check_condition nz, "CPUID: OSXSAVE follows CR4"
    xor ecx, ecx
    xgetbv
    check_equal eax, 1, "XCR0 after reset"
    mov eax, 0xd
    xor ecx, ecx
    cpuid
    mov [supported], eax
    mov [full_size], ecx
    check_equal edx, 0, "CPUID.0DH: no component above 31"
    test eax, ~(X87 | SSE | AVX | AVX512)
    check_condition z, "CPUID.0DH: no component that is not modelled"
    check_equal ebx, 576, "CPUID.0DH: the area for x87 alone"
    mov eax, 0xd
    mov ecx, 1
    cpuid
    test eax, 1 << 3 | 1 << 1
    check_condition z, "CPUID.0DH.1: neither XSAVEC nor XSAVES"
    expect_fault INVALID_OPCODE, 0, xsaves64 [PATTERN]

    ; What XSETBV does not take, and XCR0 is as it was.
    refused 0, 0, 0
    refused 0, SSE, 0
    refused 0, X87 | AVX, 0
    refused 0, X87 | SSE | 1 << 3, 0
    refused 0, X87 | SSE | 1 << 9, 0
    refused 1 << 31, X87, 0
    refused 0, X87 | SSE | AVX | 1 << 5, 0
    refused 0, X87 | SSE | AVX | 1 << 6 | 1 << 7, 0
    refused 0, X87 | SSE | AVX512, 0
    refused 0, X87, 1
    xor ecx, ecx
    xgetbv
    check_equal eax, 1, "XCR0 after refusals"

    ; Each value with its registers full.
    mov dword [xcr0], X87
    call round
    mov dword [xcr0], X87 | SSE
    call round
    expect_fault INVALID_OPCODE, 0, vpxor ymm0, ymm0
    test byte [supported], AVX
    jz switched_off
    mov dword [xcr0], X87 | SSE | AVX
    call round
    try vpxor ymm0, ymm0
    check_equal byte [seen_vector], NONE, "an AVX instruction with XCR0.AVX set"
    test byte [supported], AVX512
    jz switched_off
    expect_fault INVALID_OPCODE, 0, vpxord zmm0, zmm0, zmm0
    mov dword [xcr0], X87 | SSE | AVX | AVX512
    call round
    print "vectors: AVX-512", 10
switched_off:
    mov eax, [xcr0]
    cmp eax, [supported]
    check_condition e, "all components were tried"
    print "vectors: each value of XCR0, with exits", 10

    ; All full, then only x87 switched on during the exits.
    call load
    mov edi, BEFORE
    call save
    set_xcr0 X87
    call exits
    set_xcr0 [xcr0]
    mov edi, AFTER
    call save
    call compare
    check_condition e, "state switched off by XCR0 over exits"
    print "vectors: state that is switched off", 10
    pass

no_xsave:
    mov rax, cr4
    or eax, CR4_OSXSAVE
    expect_fault GENERAL_PROTECTION, 0, mov cr4, rax
    mov eax, 0xd
    xor ecx, ecx
    cpuid
    or eax, ebx
    or eax, ecx
    or eax, edx
    check_condition z, "CPUID.0DH without XSAVE"
    call load
    mov edi, BEFORE
    call save
    call exits
    mov edi, AFTER
    call save
    call compare
    check_condition e, "x87 and SSE state over exits"
    print "vectors: FXSAVE alone", 10
    pass

; XCR0 of [xcr0]: read back, sizes, registers over exits.
round:
    set_xcr0 [xcr0]
    xor ecx, ecx
    xgetbv
    check_equal eax, [xcr0], "XCR0: as written"
    call load
    mov edi, BEFORE
    call save
    call exits
    mov edi, AFTER
    call save
    call compare
    check_condition e, "x87, SSE, AVX or AVX-512 state over exits"
    cmp word [AFTER], 0x27f
    check_condition e, "the x87 control word"

    ; CPUID's size is what XSAVE writes: the last component's last bytes, and nothing behind.
    mov eax, 0xd
    xor ecx, ecx
    cpuid
    check_equal eax, [supported], "CPUID.0DH: what is supported"
    check_equal ecx, [full_size], "CPUID.0DH: the size for all"
    cmp dword [BEFORE + rbx], SENTINEL
    check_condition e, "CPUID.0DH: nothing behind the size for XCR0"
    mov eax, [xcr0]
    cmp eax, [supported]
    jne .less
    check_equal ebx, [full_size], "CPUID.0DH: the size for XCR0 is that for all"
.less:
    cmp eax, X87 | SSE
    jbe .legacy
    cmp dword [BEFORE + rbx - 4], FILL
    check_condition e, "CPUID.0DH: the last bytes of the size for XCR0"
    ret
.legacy:
    check_equal ebx, 576, "CPUID.0DH: 576 bytes for x87 and SSE"
    ret

; Fills all registers that XCR0 has on.
load:
    mov edi, PATTERN
    mov ecx, AREA_SIZE / 4
    mov eax, FILL
    rep stosd
    mov edi, PATTERN + 416              ; not the processor's, and the header
    mov ecx, (HEADER + 64 - 416) / 4
    xor eax, eax
    rep stosd
    mov word [PATTERN], 0x27f
    mov word [PATTERN + 2], 0
    mov dword [PATTERN + 24], 0x7f80
    mov eax, [xcr0]
    mov [PATTERN + HEADER], eax
    test eax, eax
    jz .legacy
    xor edx, edx
    xrstor64 [PATTERN]
    ret
.legacy:
    fxrstor64 [PATTERN]
    ret

; Saves them at EDI, in an area of sentinels.
save:
    mov esi, edi
    mov ecx, AREA_SIZE / 4
    mov eax, SENTINEL
    rep stosd
    lea edi, [esi + HEADER]
    mov ecx, 64 / 4
    xor eax, eax
    rep stosd
    mov eax, [xcr0]
    xor edx, edx
    test eax, eax
    jz .legacy
    xsave64 [rsi]
    ret
.legacy:
    fxsave64 [rsi]
    ret

compare:
    mov esi, BEFORE
    mov edi, AFTER
    mov ecx, AREA_SIZE / 4
    repe cmpsd
    ret

; Exits of every kind that needs no other mode. The text that is printed goes by OUT.
exits:
    xor eax, eax
    cpuid
    mov eax, -1
    vmcall
    in al, 0x80
    out 0x80, al
    mov esi, text
    mov ecx, 2
    mov dx, PORT_DEBUG_BOCHS
    rep outsb
    wbinvd
    mov ecx, MSR_MISC_ENABLE
    rdmsr
    mov ecx, MSR_PAT
    rdmsr
    wrmsr
    mov rax, cr8
    mov cr8, rax
    mov rax, cr0
    mov rcx, rax
    xor eax, CR0_NE
    mov cr0, rax
    mov cr0, rcx
    expect_fault GENERAL_PROTECTION, 0, rdpmc
    expect_fault INVALID_OPCODE, 0, vmxoff
    try int1
    mov edi, [untouched]
    add dword [untouched], 0x1000
    inc byte [rdi]                              ; EPT violation: RAM
    mov al, [abs GUEST_HOLE_BASE]               ; a hole, one instruction
    mov byte [abs GUEST_ROM_SIGNATURE], 0       ; ROM
    mov edi, 0x28000
    mov esi, 0xfed00000                         ; a device's register: decoded
    mov eax, [rsi]
    movsd
    cmp dword [xcr0], 0
    je .no_xsetbv
    xor ecx, ecx
    xgetbv
    xsetbv
.no_xsetbv:
    ; The preemption timer: nothing here exits, and it counts.
    hypercall HYPERCALL_EXIT_COUNT
    mov ebp, ebx
    mov ecx, 200000
.spin:
    dec ecx
    jnz .spin
    hypercall HYPERCALL_EXIT_COUNT
    sub ebx, ebp
    cmp ebx, 1
    check_condition a, "an exit of the preemption timer"
    ; The host sleeps, and is woken by an interrupt of its own.
    mov dword [woken], 0
    write_msr 0x838, 1000000
    sti
    hlt
    cli
    check_equal dword [woken], 1, "HLT: the timer's interrupt"
    ret

timer:
    push rax
    push rcx
    push rdx
    inc dword [woken]
    write_msr 0x80b, 0
    pop rdx
    pop rcx
    pop rax
    iretq

    long_routines
    guest_routines 64
    guest_routines 16
    align 8, db 0
xcr0: dd 0
supported: dd 0
full_size: dd 0
untouched: dd UNTOUCHED
woken: dd 0
text: db ".", 10
