; SPDX-License-Identifier: MIT
;
; INS and OUTS in 64-bit code: addresses that are not canonical, bases, 32-bit addresses. And what a guest is told of physical addresses' width:
; WIDTH bits, by CPUID, by the masks of MTRRs and by the local APIC's base.

%include "test/emu/guests/long_mode.inc"

PORT equ 0x80
SELECTOR equ 0x510              ; fw_cfg: key 0 is "QEMU"
DATA equ 0x511
BUFFER equ 0x200000
MSR_FS_BASE equ 0xc0000100
MSR_GS_BASE equ 0xc0000101
MSR_MTRR_MASK equ 0x201
MSR_APIC_BASE equ 0x1b
TOP equ 0x7fffffffffff          ; the last address of the lower half

%macro from_the_start 0
    mov dx, SELECTOR
    xor eax, eax
    out dx, ax
    mov dx, DATA
%endmacro

    guest_start
    jmp start
    times 510 - ($ - $$) db 0
    dw 0xaa55
start:
    enter_long_mode

    from_the_start
    mov rdi, TOP + 1
    expect_fault GENERAL_PROTECTION, 0, insb
    mov rdi, TOP - 2            ; its last byte
    expect_fault GENERAL_PROTECTION, 0, insd
    mov rsi, TOP - 2
    expect_fault GENERAL_PROTECTION, 0, outsd
    mov ecx, 1
    expect_fault GENERAL_PROTECTION, 0, rep outsd
    mov esi, BUFFER
    write_msr MSR_FS_BASE, 0xffff0000, 0x7fff
    expect_fault GENERAL_PROTECTION, 0, fs outsb
    mov dx, DATA
    in al, dx
    check_equal al, 'Q', "faults: the port is not read"

    from_the_start
    mov rdi, 0xffffffff00000000 | BUFFER
    a32 insb                    ; 32 bits of RDI count, and what is written has no upper half
    mov rax, BUFFER + 1
    check_equal rdi, rax, "INSB with a 32-bit address: RDI"
    mov rcx, 0xffffffff00000003
    a32 rep insb
    check_equal rcx, 0, "REP INSB with a 32-bit address: RCX"
    mov rax, BUFFER + 4
    check_equal rdi, rax, "REP INSB with a 32-bit address: RDI"
    check_equal dword [BUFFER], 'QEMU', "REP INSB with a 32-bit address"
    write_msr MSR_GS_BASE, BUFFER
    mov esi, 1
    mov dx, PORT
    gs outsb
    in al, PORT
    check_equal al, 'E', "OUTSB with a base"
    mov esi, BUFFER + 3
    db 0x26                     ; ES: no such base in 64-bit code
    outsb
    in al, PORT
    check_equal al, 'U', "OUTSB with a prefix that does not count"
    rex.w insd                  ; no port is wider than 32 bits
    mov rax, BUFFER + 8
    check_equal rdi, rax, "INSD with REX.W"
    print "string_io: 64-bit code: all is well", 10

    mov eax, 0x80000008
    cpuid
    movzx ebx, al
    print "physical width: "
    mov eax, ebx
    call long_print
    print 10
    mov esi, 1
    lea ecx, [rbx - 33]         ; bit WIDTH - 1, then WIDTH of an MSR
    shl esi, cl
    write_msr MSR_MTRR_MASK, 0x800, esi
    add esi, esi
    mov ecx, MSR_MTRR_MASK
    mov edx, esi
    expect_fault GENERAL_PROTECTION, 0, wrmsr
    mov ecx, MSR_APIC_BASE
    rdmsr
    mov edx, esi
    expect_fault GENERAL_PROTECTION, 0, wrmsr
    pass

    long_routines
    guest_routines 16
    guest_routines 32
    guest_routines 64
