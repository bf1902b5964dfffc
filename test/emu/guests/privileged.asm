; SPDX-License-Identifier: MIT
;
; Privileged instructions at privilege level 3: the processor's own checks come before any exit, and where an emulator leaves one out, the
; hypervisor makes it. Then XSETBV at level 0, all of its checks in order.

%include "test/emu/guests/long_mode.inc"

CR4_OSXSAVE equ 1 << 18
BACK equ 0x80                   ; the vector that leads back to level 0
PORT_BEYOND_TSS equ 0x3f8       ; its bit of the I/O permission bitmap would lie beyond the TSS

; At level 3: the instruction raises this vector, %2 says which it is.
%macro raises 3+
    try %3
    cmp byte [seen_vector], %1
    je %%good
    mov dword [wrong], %%text
    int BACK
%%text: db %2, 0
%%good:
%endmacro

    guest_start
    check_version
    enter_long_mode
    long_gate BACK, back
    mov byte [LONG_IDT + 16 * BACK + 5], 0xee
    mov eax, 1
    cpuid
    mov [features], ecx
    test ecx, 1 << 26
    jz .no_xsave
    expect_fault INVALID_OPCODE, 0, xsetbv      ; CR4.OSXSAVE is clear
    mov rax, cr4
    or eax, CR4_OSXSAVE
    mov cr4, rax
    xor ecx, ecx
    xor edx, edx
    mov eax, 3
    try xsetbv
    check_equal byte [seen_vector], NONE, "XSETBV of x87 and SSE at level 0"
    mov eax, 1
    mov ecx, 1
    expect_fault GENERAL_PROTECTION, 0, xsetbv  ; no such register
    xor ecx, ecx
    xor eax, eax
    expect_fault GENERAL_PROTECTION, 0, xsetbv  ; without x87
    mov eax, 5
    expect_fault GENERAL_PROTECTION, 0, xsetbv  ; AVX without SSE
    mov edx, 0x80000000
    mov eax, 3
    expect_fault GENERAL_PROTECTION, 0, xsetbv  ; a component that nobody has
    xgetbv
    check_equal eax, 3, "XCR0 after refusals"
.no_xsave:
    push qword LONG_DATA_RING_3_64
    push qword LONG_STACK
    push qword 2
    push qword LONG_CODE64_RING_3
    push qword .user
    iretq

.user:
    mov esi, LONG_STACK
    xor ecx, ecx
    xor edx, edx
    mov eax, 3
    test dword [features], 1 << 26
    jz .no_user_xsave
    raises GENERAL_PROTECTION, "XSETBV", xsetbv
.no_user_xsave:
    raises GENERAL_PROTECTION, "HLT", hlt
    raises GENERAL_PROTECTION, "INVD", invd
    raises GENERAL_PROTECTION, "WBINVD", wbinvd
    raises GENERAL_PROTECTION, "INVLPG", invlpg [rsi]
    mov ecx, 0x10
    raises GENERAL_PROTECTION, "RDMSR", rdmsr
    raises GENERAL_PROTECTION, "WRMSR", wrmsr
    raises GENERAL_PROTECTION, "RDPMC", rdpmc
    raises GENERAL_PROTECTION, "CLTS", clts
    raises GENERAL_PROTECTION, "LMSW", lmsw ax
    raises GENERAL_PROTECTION, "MOV from CR0", mov rax, cr0
    raises GENERAL_PROTECTION, "MOV to CR0", mov cr0, rax
    raises GENERAL_PROTECTION, "MOV from CR3", mov rax, cr3
    raises GENERAL_PROTECTION, "MOV to CR3", mov cr3, rax
    raises GENERAL_PROTECTION, "MOV from CR4", mov rax, cr4
    raises GENERAL_PROTECTION, "MOV to CR4", mov cr4, rax
    raises GENERAL_PROTECTION, "MOV from CR8", mov rax, cr8
    raises GENERAL_PROTECTION, "MOV to CR8", mov cr8, rax
    raises GENERAL_PROTECTION, "MOV from DR7", mov rax, dr7
    raises GENERAL_PROTECTION, "MOV to DR7", mov dr7, rax
    raises GENERAL_PROTECTION, "LGDT", lgdt [rsi]
    raises GENERAL_PROTECTION, "LIDT", lidt [rsi]
    raises GENERAL_PROTECTION, "LLDT", lldt ax
    raises GENERAL_PROTECTION, "LTR", ltr ax
    raises GENERAL_PROTECTION, "SWAPGS", swapgs
    raises GENERAL_PROTECTION, "CLI", cli
    raises GENERAL_PROTECTION, "STI", sti
    mov dx, PORT_BEYOND_TSS
    raises GENERAL_PROTECTION, "IN", in al, dx
    raises GENERAL_PROTECTION, "OUT", out dx, al
    mov edi, LONG_STACK - 8
    raises GENERAL_PROTECTION, "INSB", insb
    raises GENERAL_PROTECTION, "OUTSB", outsb
    ; What this guest's processor does not have.
    raises INVALID_OPCODE, "MONITOR", db 0x0f, 0x01, 0xc8
    raises INVALID_OPCODE, "MWAIT", db 0x0f, 0x01, 0xc9
    raises INVALID_OPCODE, "GETSEC", db 0x0f, 0x37
    raises INVALID_OPCODE, "VMXOFF", vmxoff
    raises INVALID_OPCODE, "VMREAD", vmread rax, rcx
    raises INVALID_OPCODE, "INVEPT", invept rax, [rsi]
    raises INVALID_OPCODE, "VMFUNC", db 0x0f, 0x01, 0xd4
    raises INVALID_OPCODE, "ENCLS", db 0x0f, 0x01, 0xcf
    raises INVALID_OPCODE, "SEAMCALL", db 0x66, 0x0f, 0x01, 0xcf
    raises INVALID_OPCODE, "TDCALL", db 0x66, 0x0f, 0x01, 0xcc
    raises INVALID_OPCODE, "RSM", rsm
    int BACK

back:
    mov ax, LONG_DATA
    mov ss, ax
    cmp dword [wrong], 0
    je .good
    mov esi, [wrong]
    call print_64
    print " raised vector "
    mov eax, [seen_vector]
    call long_print
    print 10
    fail "a privileged instruction at privilege level 3"
.good:
    print "privileged: as the manual says", 10
    pass

    long_routines
    guest_routines 64
    guest_routines 16
features: dd 0
wrong: dd 0
