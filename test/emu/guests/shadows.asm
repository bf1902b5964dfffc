; SPDX-License-Identifier: MIT
;
; What a processor keeps from one instruction to the next, where Adept does the instruction in the guest's stead or lets it run alone (over a hole,
; ROM): blocking of interrupts by STI and MOV SS, a data breakpoint's #DB that MOV SS holds back, breakpoints on data and ports, and an RFLAGS.TF
; that is the guest's own. Real mode, FS is flat.

%include "guest.inc"
%include "test/emu/guests/master_pic.inc"

HOLE     equ 0x50000000
ROM      equ 0xf0010
APIC     equ 0xfee00030         ; the local APIC's version
TF       equ 0x100
DR6_BS   equ 1 << 14
CR4_DE   equ 1 << 3
TIMER    equ 0x20
STACK    equ 0x7c00
NO_PORT  equ 0x84
ROUNDS   equ 1000
TIMER_COUNT equ 3001            ; 1.193182 MHz: not in step with the loop

    guest_start
    jmp begin
    times 510 - ($ - $$) db 0
    dw 0xaa55

%macro handler 2
    mov word [%1 * 4], %2
    mov word [%1 * 4 + 2], 0
%endmacro

begin:
    check_version
    flat_segments
    handler 0, divide_error
    handler 1, debug_exception
    handler 3, software_exception
    handler 4, software_exception
    handler 5, bound_range
    handler 6, undefined
    handler 13, general_protection
    handler 0x60, software_interrupt
    handler TIMER, interrupt
    master_pic 0xfe
    mov edi, HOLE
    mov esi, ROM

; An interrupt that waits is taken behind the instruction that STI covers: so far behind it, with this SS and SP.
%macro covered 3+               ; text, length, instruction
    call request
    mov word [base], %%here
    sti
%%here:
    %3
    nop
    cli
    check_equal word [interrupts], 1, %1, ": so many interrupts behind STI"
    check_equal word [where], %2, %1, ": their place"
%endmacro
    covered "NOP", 1, nop
    covered "a read of a hole", 5, mov eax, [fs:edi]
    covered "a write to a hole", 5, mov [fs:edi], eax
    covered "a write to ROM", 5, mov [fs:esi], eax
    mov ebx, APIC
    covered "a device", 5, mov eax, [fs:ebx]
    covered "CPUID", 2, cpuid
    covered "a port", 2, in al, NO_PORT
    covered "PUSHF", 1, pushf
    add sp, 2
    call request
    mov word [base], .switched
    mov edi, HOLE
    mov ax, 0x1000
    sti
    mov ss, ax
.switched:
    mov sp, [fs:edi]            ; 0xffff
    nop
    cli
    xor ax, ax
    mov ss, ax
    mov sp, STACK
    check_equal word [interrupts], 1, "SP from a hole: so many interrupts"
    check_equal word [where], 4, "SP from a hole: the interrupt's place"
    check_equal word [interrupt_ss], 0x1000, "SP from a hole: SS in the interrupt"
    check_equal word [interrupt_sp], 0xfff9, "SP from a hole: SP in the interrupt"

; The same with a timer that interrupts the hypervisor at any moment: no covered instruction is ever interrupted in front of it.
    mov word [interrupts], 0
    mov al, 0x34                ; counter 0, rate generator
    out 0x43, al
    mov al, TIMER_COUNT & 0xff
    out 0x40, al
    mov al, TIMER_COUNT >> 8
    out 0x40, al
    mov ebp, ROUNDS
.round:
    mov edx, HOLE
    mov word [base], .read
    sti
.read:
    mov eax, [fs:edx]
    cli
    mov word [base], .write
    sti
.write:
    mov [fs:edx], eax
    cli
    mov word [base], .stack
    xor ax, ax
    sti
    mov ss, ax
.stack:
    mov ax, [fs:edx]
    cli
    dec ebp
    jnz .round
    check_equal word [early], 0, "a timer's interrupt in front of a covered instruction"
    cmp word [interrupts], 20
    check_condition a, "the timer's interrupts come"
    mov al, 0xff
    out 0x21, al
    print "shadows: interrupts", 10

; Exceptions of instructions that read a hole: TF in their flags is the guest's.
%macro excepted 3+              ; text, what the handler notes, instruction
    mov word [seen], 0
    mov word [resume], %%after
    mov word [seen_flags], TF
    %3
%%after:
    check_equal word [seen], %2, %1, ": the exception"
    test word [seen_flags], TF
    check_condition z, %1, ": TF in its flags"
%endmacro
    mov edi, HOLE
    xor eax, eax
    mov edx, -1
    excepted "DIV of a hole", 0x100, div dword [fs:edi]
    mov ax, 5
    excepted "BOUND of a hole", 0x105, a32 bound ax, [fs:edi]
    mov esi, HOLE
    mov edi, 0x10000
    excepted "MOVSD from a hole to beyond the limit", 0x10d, a32 fs movsd
    check_equal word [traps], 0, "single-step traps that are not the guest's"

; A load of SS from a hole, and what runs behind it.
    mov edi, HOLE
    mov ss, [fs:edi]            ; 0xffff: 0xffff0 + SP
    pushf
    pop ax
    mov bx, ss
    mov cx, 0
    mov ss, cx
    mov sp, STACK
    check_equal bx, 0xffff, "SS from a hole"
    test ax, TF
    check_condition z, "SS from a hole: TF behind it"
    mov ax, 0
    mov ss, [fs:edi]
    int 0x60
    mov cx, 0
    mov ss, cx
    mov sp, STACK
    check_equal word [seen], 0x160, "SS from a hole, and INT"
    test word [seen_flags], TF
    check_condition z, "SS from a hole, and INT: TF in its flags"
    check_equal word [traps], 0, "single-step traps behind a load of SS"

; The guest's own single step: one trap behind each instruction.
%macro stepped 3+               ; text, length, instruction
    mov word [traps], 0
    mov word [base], %%here
    push word TF | 2
    popf
%%here:
    %3
%%next:
    push word 2                 ; of which the second trap comes
    popf
    check_equal word [first_trap], %2, %1, ": where its trap comes"
    check_equal word [traps], 3, %1, ": so many traps"
%endmacro
    xor eax, eax
    mov esi, ROM
    stepped "a step over a read of a hole", 5, mov eax, [fs:edi]
    stepped "a step over a write to ROM", 5, mov [fs:esi], eax
    stepped "a step over CPUID", 2, cpuid
    print "shadows: TF", 10

; A data breakpoint on the operand of MOV SS: #DB comes behind the next instruction, whoever does that.
%macro breakpoint 2             ; address, DR7
    mov eax, %1
    mov dr0, eax
    xor eax, eax
    mov dr6, eax
    mov eax, %2
    mov dr7, eax
    mov word [traps], 0
    mov word [first_trap], 0
    mov dword [trap_dr6], 0
%endmacro
%macro noted 4                  ; text, so many traps, place of the first, its bits in DR6
    xor eax, eax
    mov dr7, eax
    check_equal word [traps], %2, %1, ": so many #DB"
    check_equal word [first_trap], %3, %1, ": its place"
    mov eax, [trap_dr6]
    and eax, 0x600f
    check_equal eax, %4, %1, ": its DR6"
%endmacro
%macro held_back 3+             ; text, length, instruction
    mov word [base], %%here
    breakpoint selector, 0x00070703             ; 2 bytes, read or written
    xor ecx, ecx
    mov edx, -1
    mov ebx, APIC
    mov ss, [selector]
%%here:
    %3
    nop
    nop
    nop
    noted %1, 1, %2, 1
%endmacro
    held_back "MOV SS, NOP", 1, nop
    held_back "MOV SS, CPUID", 2, cpuid
    held_back "MOV SS, IN of no device", 2, in al, NO_PORT
    held_back "MOV SS, IN of no device again", 2, in al, NO_PORT
    held_back "MOV SS, IN", 2, in al, 0x61
    held_back "MOV SS, OUT", 2, out 0x80, al
    held_back "MOV SS, WBINVD", 2, wbinvd
    held_back "MOV SS, VMCALL", 3, vmcall
    held_back "MOV SS, a device", 5, mov eax, [fs:ebx]
    held_back "MOV SS, a hole", 5, mov eax, [fs:edi]
    held_back "MOV SS, a write to a hole", 5, mov [fs:edi], eax
    held_back "MOV SS, a write to ROM", 5, mov [fs:esi], eax

; With the guest's own TF the trap behind that instruction tells both.
    mov word [base], .both
    breakpoint selector, 0x00070703
    push word TF | 2
    popf
    mov ss, [selector]
.both:
    mov eax, [fs:edi]
    push word 2
    popf
    noted "MOV SS, a hole, stepped", 3, 5, 1 | DR6_BS
; A breakpoint on the instruction behind MOV SS does not break, on one that is not covered it does, once.
    mov word [base], .covered
    breakpoint .covered, 0x00000702
    xor ax, ax
    mov ss, ax
.covered:
    mov eax, [fs:edi]
    noted "a breakpoint behind MOV SS", 0, 0, 0
    mov word [base], .free
    breakpoint .free, 0x00000702
    nop
.free:
    mov eax, [fs:edi]
    noted "a breakpoint on a read of a hole", 1, 0, 1
; Where an exception comes, what was held back is lost.
    breakpoint selector, 0x00070703
    mov word [seen], 0
    mov word [resume], .undefined
    mov ss, [selector]
    ud2
.undefined:
    check_equal word [seen], 0x106, "MOV SS, UD2: the exception"
    noted "MOV SS, UD2", 0, 0, 0
    print "shadows: breakpoints that MOV SS holds back", 10

; Breakpoints on what Adept accesses in the guest's stead.
%macro broken 5+                ; text, address, DR7, place of the #DB (-1: none), instruction
    mov word [base], %%here
    breakpoint %2, %3
    mov ebx, APIC
%%here:
    %5
    nop
    nop
%if %4 >= 0
    noted %1, 1, %4, 1
%else
    noted %1, 0, 0, 0
%endif
%endmacro
    mov eax, cr4
    or eax, CR4_DE
    mov cr4, eax
    broken "a port", NO_PORT, 0x00020702, 2, in al, NO_PORT
    broken "a port, written", NO_PORT, 0x00020702, 2, out NO_PORT, al
    broken "a port of a device", 0x61, 0x00020702, 2, in al, 0x61
    broken "the port beside it", 0x60, 0x00020702, -1, in al, 0x61
    broken "a port in a word", 0x85, 0x00020702, 2, in ax, NO_PORT
    broken "a port, disabled", NO_PORT, 0x00020700, -1, in al, NO_PORT
    mov eax, cr4
    and eax, ~CR4_DE
    mov cr4, eax
    broken "a port without CR4.DE", NO_PORT, 0x00020702, -1, in al, NO_PORT
    broken "a device read", APIC + 3, 0x00030702, 5, mov eax, [fs:ebx]
    broken "a device not written", APIC, 0x000d0702, -1, mov eax, [fs:ebx]
    broken "a device read to compare", APIC, 0x000f0702, 5, cmp [fs:ebx], eax
    broken "a device written", APIC, 0x000d0702, 5, mov [fs:ebx], eax
    broken "the register beside it", APIC + 4, 0x000f0702, -1, mov eax, [fs:ebx]
    mov esi, APIC
    broken "a string from a device", APIC, 0x000f0702, 4, a32 fs lodsd
    print "shadows: breakpoints on devices", 10
    pass

; A request of the timer's that waits, with RFLAGS.IF clear.
request:
    mov al, 0x30
    out 0x43, al
    mov al, 0x10
    out 0x40, al
    mov al, 0
    out 0x40, al
    mov ecx, 3000
.wait:
    dec ecx
    jnz .wait
    mov word [interrupts], 0
    ret

; Handlers. DS is 0.
interrupt:
    mov [interrupt_ss], ss
    mov [interrupt_sp], sp
    push bp
    mov bp, sp
    push ax
    inc word [interrupts]
    mov ax, [bp + 2]
    sub ax, [base]
    mov [where], ax
    jnz .right
    inc word [early]
.right:
    mov al, 0x20
    out 0x20, al
    pop ax
    pop bp
    iret

; Notes the first one's place, and DR6. A breakpoint on an instruction is passed with it disabled.
debug_exception:
    push bp
    mov bp, sp
    push eax
    inc word [traps]
    cmp word [traps], 1
    jne .noted
    mov ax, [bp + 2]
    sub ax, [base]
    mov [first_trap], ax
    mov eax, dr6
    mov [trap_dr6], eax
.noted:
    cmp word [first_trap], 0
    jne .not_at_it
    xor eax, eax
    mov dr7, eax
.not_at_it:
    pop eax
    pop bp
    iret

divide_error:
    mov word [seen], 0x100
    jmp exception
bound_range:
    mov word [seen], 0x105
    jmp exception
undefined:
    mov word [seen], 0x106
    jmp exception
general_protection:
    mov word [seen], 0x10d
    jmp exception
software_exception:
    mov word [seen], 0x103
exception:
    push bp
    mov bp, sp
    push ax
    mov ax, [bp + 6]
    mov [seen_flags], ax
    mov ax, [resume]
    mov [bp + 2], ax
    pop ax
    pop bp
    iret
software_interrupt:
    push bp
    mov bp, sp
    push ax
    mov word [seen], 0x160
    mov ax, [bp + 6]
    mov [seen_flags], ax
    pop ax
    pop bp
    iret

    align 4, db 0
trap_dr6: dd 0
base: dw 0
interrupts: dw 0
early: dw 0
where: dw 0
interrupt_ss: dw 0
interrupt_sp: dw 0
traps: dw 0
first_trap: dw 0
seen: dw 0
seen_flags: dw 0
resume: dw 0
    align 16, db 0
selector: dw 0
    align 16, db 0
    guest_gdt
    guest_routines 16
