; SPDX-License-Identifier: MIT
;
; Debug registers, in 64-bit mode: breakpoints on instructions and data really trigger, once each, also where the hypervisor does the instruction or
; maps memory under it; DR6, DR7.GD, CR4.DE; all of it kept over exits. Two of these at once must not get each other's.

%include "test/emu/guests/long_mode.inc"

FLAG_TRAP equ 1 << 8
FLAG_RESUME equ 1 << 16
DR7_FIXED equ 1 << 10
DR7_GD equ 1 << 13
DR6_FIXED equ 0xffff0ff0
DR6_BD equ 1 << 13
DR6_BS equ 1 << 14
CR4_DE equ 1 << 3
UNTOUCHED equ 0x300000
HPET equ 0xfed00000
EVENTS_MAX equ 16
SELF_VECTOR equ 0x51

; DRn = address; DR7 gets its L bit, type (0 instruction, 1 write, 3 access) and length (0 1, 1 2, 3 4, 2 8 bytes).
%macro breakpoint 4             ; n, address, type, length
    mov rax, %2
    mov dr%1, rax
    mov rax, dr7
    or eax, 2 << 2 * %1 | (%3 | %4 << 2) << 16 + 4 * %1         ; G, not L
    mov dr7, rax
%endmacro
%macro breakpoints_off 0
    mov eax, DR7_FIXED
    mov dr7, rax
%endmacro
%macro begin 0
    mov dword [events], 0
    mov dword [gp_rflags], 0
%endmacro
; The events since `begin`: how many.
%macro expect_events 2
    mov ebx, [events]
    check_equal ebx, %1, %2, ": so many debug exceptions"
%endmacro
; Event n: at this address, with these bits of DR6.
%macro expect_event 4
    mov rbx, [event_address + 8 * %1]
    check_equal rbx, %2, %4, ": its address"
    mov rbx, [event_dr6 + 8 * %1]
    check_equal ebx, DR6_FIXED | %3, %4, ": DR6"
%endmacro

    guest_start
    check_version
    mov al, 0xff
    out 0x21, al
    out 0xa1, al
    enter_long_mode
    long_gate DEBUG_EXCEPTION, debug_exception

    mov rax, dr6
    check_equal eax, DR6_FIXED, "DR6 after reset"
    mov rax, dr7
    check_equal rax, DR7_FIXED, "DR7 after reset"

    ; Numbers of this run's own, kept over exits.
    rdtsc
    imul eax, 0x9e3779b1
    mov [own], eax
    mov dr0, rax
    not eax
    mov dr1, rax
    rol eax, 9
    mov dr2, rax
    rol eax, 9
    mov dr3, rax
    mov eax, DR6_FIXED | 0x600f
    mov dr6, rax
    mov eax, DR7_FIXED | 0x0f0f0000     ; all disabled
    mov dr7, rax
    mov ebp, 20
exits:
    xor eax, eax
    cpuid
    mov eax, -1
    vmcall
    in al, 0x80
    mov edi, [untouched]
    add dword [untouched], 0x1000
    inc byte [rdi]
    mov esi, HPET
    mov eax, [rsi]
    mov ecx, 5000
.spin:
    dec ecx
    jnz .spin
    mov eax, [own]
    mov rcx, dr0
    check_equal rcx, rax, "DR0 over exits"
    not eax
    mov rcx, dr1
    check_equal rcx, rax, "DR1 over exits"
    rol eax, 9
    mov rcx, dr2
    check_equal rcx, rax, "DR2 over exits"
    rol eax, 9
    mov rcx, dr3
    check_equal rcx, rax, "DR3 over exits"
    mov rax, dr6
    mov ecx, DR6_FIXED | 0x600f
    check_equal rax, rcx, "DR6 over exits"
    mov rax, dr7
    check_equal rax, DR7_FIXED | 0x0f0f0000, "DR7 over exits"
    dec ebp
    jnz exits
    mov eax, DR6_FIXED
    mov dr6, rax
    breakpoints_off
    print "breakpoints: debug registers over exits", 10

    ; Instructions: one that stays in the guest, and one that exits with another right behind it.
    begin
    breakpoint 0, at_nop, 0, 0
    breakpoint 1, at_cpuid, 0, 0
    breakpoint 2, behind_cpuid, 0, 0
    breakpoint 3, behind_nop, 0, 0
    xor eax, eax
at_nop:
    nop
behind_nop:
    nop
at_cpuid:
    cpuid
behind_cpuid:
    nop
    breakpoints_off
    expect_events 4, "instructions, CPUID"
    expect_event 0, at_nop, 1, "NOP"
    expect_event 1, behind_nop, 8, "behind NOP"
    expect_event 2, at_cpuid, 2, "CPUID"
    expect_event 3, behind_cpuid, 4, "behind CPUID"

    begin
    breakpoint 0, at_out, 0, 0
    breakpoint 1, behind_out, 0, 0
    breakpoint 2, at_vmcall, 0, 0
    breakpoint 3, behind_vmcall, 0, 0
    mov eax, -1
at_out:
    out 0x80, al
behind_out:
    nop
at_vmcall:
    vmcall
behind_vmcall:
    nop
    breakpoints_off
    expect_events 4, "instructions, OUT and VMCALL"
    expect_event 0, at_out, 1, "OUT"
    expect_event 1, behind_out, 2, "behind OUT"
    expect_event 2, at_vmcall, 4, "VMCALL"
    expect_event 3, behind_vmcall, 8, "behind VMCALL"

    ; One that exits for each of its elements, or twice, breaks once.
    begin
    mov esi, [untouched]
    lea edi, [rsi + 0x1000]
    add dword [untouched], 0x2000
    breakpoint 0, at_movs, 0, 0
    breakpoint 1, behind_movs, 0, 0
at_movs:
    movsq                       ; EPT violations: the source's, the target's
behind_movs:
    nop
    breakpoints_off
    expect_events 2, "an instruction with EPT violations"
    expect_event 0, at_movs, 1, "MOVS"
    expect_event 1, behind_movs, 2, "behind MOVS"

    begin
    breakpoint 0, at_hole, 0, 0
    breakpoint 1, behind_hole, 0, 0
    breakpoint 2, at_device, 0, 0
    breakpoint 3, behind_device, 0, 0
    mov esi, HPET
at_hole:
    mov al, [abs GUEST_HOLE_BASE]
behind_hole:
    nop
at_device:
    mov eax, [rsi]
behind_device:
    nop
    breakpoints_off
    expect_events 4, "instructions over a hole and a device"
    expect_event 0, at_hole, 1, "a hole"
    expect_event 1, behind_hole, 2, "behind a hole"
    expect_event 2, at_device, 4, "a device"
    expect_event 3, behind_device, 8, "behind a device"

    begin
    mov esi, 0x7c00
    mov ecx, 700                ; more than one exit does
    mov edx, 0x80
    breakpoint 0, at_outs, 0, 0
    breakpoint 1, behind_outs, 0, 0
at_outs:
    rep outsb
behind_outs:
    nop
    breakpoints_off
    expect_events 2, "REP OUTS"
    expect_event 0, at_outs, 1, "REP OUTS"
    expect_event 1, behind_outs, 2, "behind REP OUTS"

    ; A fault that the hypervisor raises: RF is set in the flags that its handler finds, whether a breakpoint was there or not.
    begin
    long_gate GENERAL_PROTECTION, general_protection
    mov ecx, 0x12345678
    mov qword [recover], after_rdmsr
    rdmsr
after_rdmsr:
    test dword [gp_rflags], FLAG_RESUME
    check_condition nz, "RF in the flags of a #GP"
    breakpoint 0, at_rdmsr, 0, 0
    mov qword [recover], after_rdmsr_again
at_rdmsr:
    rdmsr
after_rdmsr_again:
    mov qword [recover], 0
    breakpoints_off
    expect_events 1, "RDMSR that faults"
    expect_event 0, at_rdmsr, 1, "RDMSR"
    print "breakpoints: instructions", 10

    ; Data: written, accessed; in memory that is mapped at that moment, in a hole.
    begin
    mov edi, [untouched]
    add dword [untouched], 0x1000
    add edi, 16
    breakpoint 0, rdi, 1, 3
    breakpoint 1, datum, 3, 2
    mov eax, [rdi]                      ; reads do not count
    mov byte [rdi + 3], 1
after_write:
    mov rax, [datum]
after_read:
    mov [rdi + 4], al
    mov byte [datum + 7], 2
after_write_again:
    breakpoints_off
    expect_events 3, "data"
    expect_event 0, after_write, 1, "a write to memory just mapped"
    expect_event 1, after_read, 2, "a read"
    expect_event 2, after_write_again, 2, "a write within 8 bytes"

    begin
    mov edi, [untouched]
    add dword [untouched], 0x1000
    breakpoint 0, rdi, 1, 0
    mov byte [rdi], 1                   ; the EPT violation and the trap in one
after_first_write:
    breakpoint 1, GUEST_HOLE_BASE + 8, 3, 0
    mov al, [abs GUEST_HOLE_BASE + 8]
after_hole:
    breakpoints_off
    expect_events 2, "data, mapped by the access itself, and a hole"
    expect_event 0, after_first_write, 1, "a first write"
    expect_event 1, after_hole, 2, "a hole"
    print "breakpoints: data", 10

    ; Single-stepping: a trap for each element of a string instruction, BS and nothing else.
    begin
    mov esi, text
    mov ecx, 3
    mov edx, PORT_DEBUG_BOCHS
    mov byte [keep_trap], 1
    pushfq
    or qword [rsp], FLAG_TRAP
    popfq
at_outs_stepped:
    rep outsb
    mov byte [keep_trap], 0             ; its trap is the last one
after_outs_stepped:
    mov al, 10
    out PORT_DEBUG_BOCHS, al
    expect_events 4, "single-stepping REP OUTS"
    expect_event 0, at_outs_stepped, DR6_BS, "the first element"
    expect_event 1, at_outs_stepped, DR6_BS, "the second element"
    expect_event 2, at_outs_stepped + 2, DR6_BS, "the last element"
    expect_event 3, after_outs_stepped, DR6_BS, "behind it"
    print "breakpoints: single-stepping", 10

    ; What comes after one instruction: a single step's trap before an interrupt, an NMI before an interrupt.
    long_gate 2, nmi
    long_gate SELF_VECTOR, interrupt
    write_msr 0x1b, 0xfee00d00
    write_msr 0x80f, 0x1ff
    begin
    mov dword [order], 0
    mov ecx, 0x83f
    mov eax, SELF_VECTOR
    xor edx, edx
    pushfq
    or qword [rsp], FLAG_TRAP | 1 << 9
    popfq
    wrmsr
after_self:
    nop
    cli
    expect_events 1, "a step that sends an interrupt"
    expect_event 0, after_self, DR6_BS, "a step that sends an interrupt"
    check_equal dword [order], 0x13, "a single step before an interrupt"
    check_equal qword [interrupted], after_self, "an interrupt right after a single step"
    begin
    mov dword [order], 0
    write_msr 0x83f, SELF_VECTOR
    mov ecx, 0x830
    mov eax, 4 << 8
    sti
    wrmsr                               ; under blocking by STI
    nop
    cli
    check_equal dword [order], 0x23, "an NMI before an interrupt"
    print "breakpoints: priority of traps, NMIs and interrupts", 10

    ; DR7.GD: an access to a debug register faults, and GD is clear in the handler. DR4 and DR5 without CR4.DE are DR6 and DR7.
    begin
    mov eax, DR7_FIXED | DR7_GD
    mov dr7, rax
    xor eax, eax
    cpuid
at_general_detect:
    mov rax, dr0
    expect_events 1, "DR7.GD"
    expect_event 0, at_general_detect, DR6_BD, "DR7.GD"
    mov rax, dr7
    check_equal rax, DR7_FIXED, "DR7.GD: clear after the exception"
    mov rax, cr4
    or eax, CR4_DE
    mov cr4, rax
    expect_fault INVALID_OPCODE, 0, {db 0x0f, 0x21, 0xe0}       ; MOV RAX, DR4
    mov rax, cr4
    and eax, ~CR4_DE
    mov cr4, rax
    db 0x0f, 0x21, 0xe0
    check_equal eax, DR6_FIXED, "DR4 is DR6 without CR4.DE"
    mov rax, 1 << 32
    expect_fault GENERAL_PROTECTION, 0, {mov dr7, rax}
    expect_fault GENERAL_PROTECTION, 0, {mov dr6, rax}
    mov rax, dr7
    check_equal rax, DR7_FIXED, "DR7 after a refusal"
    print "breakpoints: general detection, DR4", 10
    pass

nmi:
    shl dword [order], 4
    or dword [order], 2
    iretq

interrupt:
    push rax
    push rcx
    push rdx
    shl dword [order], 4
    or dword [order], 3
    mov rax, [rsp + 24]
    mov [interrupted], rax
    write_msr 0x80b, 0
    pop rdx
    pop rcx
    pop rax
    iretq

; Notes address and DR6, clears DR6; a breakpoint on an instruction is passed by RF; TF goes unless it is wanted.
debug_exception:
    push rax
    push rbx
    shl dword [order], 4
    or dword [order], 1
    mov ebx, [events]
    cmp ebx, EVENTS_MAX
    jae .full
    mov rax, [rsp + 16]
    mov [event_address + 8 * rbx], rax
    mov rax, dr6
    mov [event_dr6 + 8 * rbx], rax
    inc dword [events]
.full:
    mov eax, DR6_FIXED
    mov dr6, rax
    or dword [rsp + 32], FLAG_RESUME
    cmp byte [keep_trap], 0
    jne .keep
    and dword [rsp + 32], ~FLAG_TRAP
.keep:
    pop rbx
    pop rax
    iretq

general_protection:             ; error code, RIP, CS, RFLAGS
    push rax
    mov eax, [rsp + 32]
    mov [gp_rflags], eax
    mov qword [seen_vector], GENERAL_PROTECTION
    mov rax, [rsp + 8]
    mov [seen_error], rax
    mov rax, [rsp + 16]
    mov [seen_address], rax
    mov rax, [recover]
    mov [rsp + 16], rax
    pop rax
    add rsp, 8
    iretq

    long_routines
    guest_routines 64
    guest_routines 16
    align 8, db 0
datum: dq 0
event_address: times EVENTS_MAX dq 0
event_dr6: times EVENTS_MAX dq 0
interrupted: dq 0
events: dd 0
order: dd 0                     ; a digit for each: 1 trap, 2 NMI, 3 interrupt
own: dd 0
gp_rflags: dd 0
untouched: dd UNTOUCHED
keep_trap: db 0
text: db "... "
