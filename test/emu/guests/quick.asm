; SPDX-License-Identifier: MIT
;
; Exits that may be answered before any C: every result is checked or printed, so that a run with them and one without can be compared
; word for word. CPUID with all kinds of leaves and subleaves, also when CR4.OSXSAVE, XCR0 and the local APIC change; RDMSR; VMCALL with
; numbers near ours; ports with and without a device near; single-stepping over each; an interrupt under STI; RIP that wraps. MODE is 16, 32 or 64.

%ifndef MODE
%define MODE 16
%endif
%include "test/bench/bench.inc"
%include "test/emu/guests/master_pic.inc"

CR4_PSE equ 1 << 4
CR4_OSXSAVE equ 1 << 18
FLAG_TF equ 1 << 8
ABSENT_PORT equ 0x1234
TOP_PAGE equ 0x800000           ; what the last page below 4 GiB is
IDT equ 0x18000
IDT_ENTRIES equ 32

%if MODE = 64
    %define AX_ rax
    %define BX_ rbx
    %define SP_ rsp
    %define IRET_ iretq
    %define GATE_SHIFT 4
%elif MODE = 32
    %define AX_ eax
    %define BX_ ebx
    %define SP_ esp
    %define IRET_ iretd
    %define GATE_SHIFT 3
%else
    %define AX_ ax
    %define BX_ bx
    %define SP_ esp
    %define IRET_ iret
%endif
WORD_BYTES equ MODE / 8

%macro show_value 1
    mov eax, %1
    call put_hex
%endmacro

; Vector, handler.
%macro set_handler 2
%if MODE = 16
    mov word [%1 * 4], %2
    mov word [%1 * 4 + 2], 0
%else
    mov edi, IDT + (%1 << GATE_SHIFT)
    mov eax, %2
    call write_gate
%endif
%endmacro

; Steps over the instruction: the first trap must come behind it. How many come is printed: the instructions to the end of single-stepping are
; among them. MOV SS, if told to be in front of it, has no trap of its own, nor may it delay that of the instruction.
%macro stepped 1-2 nothing
    mov dword [traps], 0
    mov bx, ss
    push_flags
    or word [SP_], FLAG_TF
    pop_flags
    %2
    %1
%%behind:
    nop
    push_flags
    and word [SP_], ~FLAG_TF & 0xffff
    pop_flags
    mov ebx, [first_trap]
    sub ebx, %%behind
    check_equal ebx, 0, "the trap comes behind the instruction"
    cmp dword [traps], 0
    check_condition ne, "there is a trap"
    show_value [traps]
%endmacro

%if MODE = 16
    %define push_flags pushf
    %define pop_flags popf
%elif MODE = 32
    %define push_flags pushfd
    %define pop_flags popfd
%else
    %define push_flags pushfq
    %define pop_flags popfq
%endif

%macro read_cr 1
%if MODE = 64
    mov rax, cr %+ %1
%else
    mov eax, cr %+ %1
%endif
%endmacro

%macro write_cr 1
%if MODE = 64
    mov cr %+ %1, rax
%else
    mov cr %+ %1, eax
%endif
%endmacro

    bench_start
    check_version
    set_handler 1, on_debug
    set_handler 13, on_protection
    set_handler 0x20, on_interrupt
%if MODE != 16
    lidt [idt_pointer]
%endif

    ; CPUID: a line a leaf, a word a subleaf.
    mov esi, leaves
next_leaf:
    print "cpuid "
    show_value [esi]
    mov edi, subleaves
next_subleaf:
    mov eax, [esi]
    mov ecx, [edi]
    cpuid
    call fold
    call put_hex
    add edi, 4
    cmp edi, subleaves_end
    jb next_subleaf
    print 10
    add esi, 4
    cmp esi, leaves_end
    jb next_leaf

    print "osxsave "
    call show_features
    read_cr 4
    or eax, CR4_OSXSAVE
    write_cr 4
    call show_features
    mov eax, 1
    xor ecx, ecx
    cpuid
    bt ecx, 27
    check_condition c, "CPUID shows CR4.OSXSAVE"
    call show_xsave
    xor ecx, ecx
    xor edx, edx
    mov eax, 7
    xsetbv
    call show_xsave
    read_cr 4
    and eax, ~CR4_OSXSAVE
    write_cr 4
    call show_features
    mov ecx, 0x1b
    rdmsr
    and eax, ~(1 << 11)
    wrmsr
    call show_features
    mov eax, 1
    cpuid
    bt edx, 9
    check_condition nc, "CPUID shows that the local APIC is disabled"
    mov ecx, 0x1b
    rdmsr
    or eax, 1 << 11
    wrmsr
    call show_features
    print 10

    mov esi, msrs
next_msr:
    print "msr "
    show_value [esi]
    mov ecx, [esi]
    mov eax, 0x11111111
    mov edx, 0x22222222
    mov dword [faults], 0
    rdmsr
    call fold
    call put_hex
    show_value [faults]
    print 10
    add esi, 4
    cmp esi, msrs_end
    jb next_msr

    mov esi, calls
next_call:
    print "call "
    mov eax, [esi]
    mov ebx, 0x33333333
    mov ecx, 0x44444444
    mov edx, 0x55555555
    vmcall
    check_equal ebx, 0x33333333, "EBX after an unknown call"
    call fold
    call put_hex
    print 10
    add esi, 4
    cmp esi, calls_end
    jb next_call

%macro show_in 2                        ; register, port
    mov edx, %2
    mov eax, 0x12345678
    in %1, dx
    call put_hex
%endmacro
    mov esi, ports
next_port:
    print "port "
    show_value [esi]
    show_in al, [esi]
    show_in ax, [esi]
    show_in eax, [esi]
    print 10
    add esi, 4
    cmp esi, ports_end
    jb next_port
    mov edx, ABSENT_PORT
    mov eax, 0x12345678
    out dx, al
    out dx, ax
    out dx, eax
    check_equal eax, 0x12345678, "EAX after OUT"
    check_equal edx, ABSENT_PORT, "EDX after OUT"
    print "in imm "
    mov eax, 0x12345678
    in al, 0x13
    call put_hex
    print 10

    print "steps "
    xor eax, eax
    xor ecx, ecx
    stepped {cpuid}
    xor eax, eax
    stepped {cpuid}, {mov ss, bx}
    xor eax, eax
    stepped {vmcall}
    xor eax, eax
    stepped {vmcall}, {mov ss, bx}
    mov ecx, 0x1a0
    stepped {rdmsr}
    mov ecx, 0x1a0
    stepped {rdmsr}, {mov ss, bx}
    mov edx, ABSENT_PORT
    stepped {in al, dx}
    stepped {in al, dx}, {mov ss, bx}
    stepped {out dx, al}
    stepped {nop}
    print 10

    ; A prefix that does nothing makes the instruction longer.
    print "prefix "
    mov eax, 0
    xor ecx, ecx
    db 0x26                             ; ES
    cpuid
    call fold
    call put_hex
    mov ecx, 0x1a0
    db 0x3e                             ; DS
    rdmsr
    call fold
    call put_hex
    print 10

    mov ecx, 0x1b                       ; without a local APIC the 8259s reach the processor
    rdmsr
    and eax, ~(1 << 11)
    wrmsr
    ; IRQ 0 waits until STI; the instruction behind STI is still under its shadow.
    master_pic 0xfe
    call interrupt_waits
    xor eax, eax
    xor ecx, ecx
    mov dword [interrupted_at], 0
    sti
    cpuid
behind_cpuid:
    nop
    cli
    check_equal dword [interrupted_at], behind_cpuid, "the interrupt comes behind the CPUID that STI covers"
    call interrupt_waits
    xor eax, eax
    mov dword [interrupted_at], 0
    sti
    vmcall
behind_vmcall:
    nop
    cli
    check_equal dword [interrupted_at], behind_vmcall, "the interrupt comes behind the VMCALL that STI covers"
    print "sti: ok", 10

    ; The last instruction below a wrap.
    print "wrap "
    xor eax, eax
    xor ecx, ecx
%if MODE = 16
    mov di, 0xf000
    mov es, di                          ; ES:FFFE is no good: CPUID goes to 0000:FFFE by FS
    mov edi, 0xfffe
    mov word [fs:edi], 0xa20f
    mov dword [faults], 0
    mov word [back], after_wrap
    jmp 0:0xfffe
after_wrap:
    show_value [faults]
%elif MODE = 32
    mov edi, PML4                       ; a page directory: 4 MiB pages, the last one elsewhere
    mov ebx, 0x83
next_large:
    mov [edi], ebx
    add edi, 4
    add ebx, 0x400000
    jnc next_large
    mov dword [edi - 4], TOP_PAGE | 0x83
    mov word [TOP_PAGE + 0x3ffffe], 0xa20f
    mov byte [0], 0xc3                  ; RET
    mov ebx, cr4
    or ebx, CR4_PSE
    mov cr4, ebx
    mov ebx, PML4
    mov cr3, ebx
    mov ebx, cr0
    or ebx, CR0_PG
    mov cr0, ebx
    mov ebx, 0xfffffffe
    call ebx
    call fold
    call put_hex
%else
    mov qword [DIRECTORIES + 0x4000 - 8], TOP_PAGE | 0x87
    mov qword [PDPT + 4 * 8], (DIRECTORIES + 0x4000) | 7
    mov qword [DIRECTORIES + 0x4000], (TOP_PAGE + 0x200000) | 0x87
    mov rbx, PDPT | 7
    mov [PML4 + 256 * 8], rbx
    mov rbx, cr3
    mov cr3, rbx
    mov word [TOP_PAGE + 0x1ffffe], 0xa20f
    mov byte [TOP_PAGE + 0x200000], 0xc3
    mov ebx, 0xfffffffe
    call rbx
    call fold
    call put_hex
    mov rbx, high_code                  ; the upper half of the address space
    mov rdi, 0xffff800000000000
    or rbx, rdi
    call rbx
    call put_hex
%endif
    print 10
    pass

%if MODE = 64
high_code:
    xor eax, eax
    xor ecx, ecx
    cpuid
    call fold
    ret
%endif

; EAX, EBX, ECX, EDX into EAX.
fold:
    rol eax, 7
    xor eax, ebx
    rol eax, 7
    xor eax, ecx
    rol eax, 7
    xor eax, edx
    ret

show_features:
    mov eax, 1
    xor ecx, ecx
    cpuid
    call fold
    jmp put_hex

show_xsave:
    mov eax, 0xd
    xor ecx, ecx
    cpuid
    call fold
    jmp put_hex

; Has the 8254 raise IRQ 0, with interrupts off, and waits until the 8259 has it.
interrupt_waits:
    mov al, 0x30                        ; one shot
    out 0x43, al
    mov al, 0x20
    out 0x40, al
    mov al, 0
    out 0x40, al
.wait:
    mov al, 0x0a
    out 0x20, al
    in al, 0x20
    test al, 1
    jz .wait
    ret

on_debug:
    push AX_
    cmp dword [traps], 0
    jne .not_first
    mov AX_, [SP_ + WORD_BYTES]
%if MODE = 16
    movzx eax, ax
%endif
    mov [first_trap], eax
.not_first:
    inc dword [traps]
    pop AX_
    IRET_

; Goes on behind an instruction of two bytes, or where [back] says.
on_protection:
    inc dword [faults]
%if MODE = 16
    cmp word [back], 0
    je .skip
    push ax
    mov ax, [back]
    mov [esp + 2], ax
    pop ax
    iret
.skip:
    add word [esp], 2
    iret
%else
%if MODE = 64
    add qword [rsp + 8], 2
%else
    add dword [esp + 4], 2
%endif
    lea SP_, [SP_ + WORD_BYTES]         ; the error code
    IRET_
%endif

on_interrupt:
    push AX_
    mov AX_, [SP_ + WORD_BYTES]
%if MODE = 16
    movzx eax, ax
%endif
    mov [interrupted_at], eax
    mov al, 0x20
    out 0x20, al
    pop AX_
    IRET_

%if MODE != 16
; EDI: gate; EAX: handler.
write_gate:
    mov [edi], ax
    mov word [edi + 2], BENCH_CODE
    mov word [edi + 4], 0x8e00
    shr eax, 16
    mov [edi + 6], ax
%if MODE = 64
    mov qword [edi + 8], 0
%endif
    ret
idt_pointer:
    dw (0x21 << GATE_SHIFT) - 1
    dd IDT, 0
%endif

    align 4, db 0
leaves:
%assign leaf 0
%rep 0x22
    dd leaf
%assign leaf leaf + 1
%endrep
    dd 0x3fffffff, 0x40000000, 0x40000001, 0x40000002, 0x4000001f, 0x40000020, 0x40000100, 0x4fffffff, 0x50000000, 0x7fffffff
%assign leaf 0x80000000
%rep 12
    dd leaf
%assign leaf leaf + 1
%endrep
    dd 0x8000001f, 0x80000020, 0xc0000000, 0xc0000001, 0xffffffff
leaves_end:
subleaves: dd 0, 1, 2, 3, 9, 62, 63, 0x40000000, 0x80000000, 0xffffffff
subleaves_end:
msrs: dd 0x1a0, 0x8b, 0x17, 0x1d9, 0xfe, 0x1b, 0x2ff, 0, 1, 2, 4, 5, 6, 7, 0x1a8, 0x400001a0, 0xc00001a0, 0x800001a0, 0xffffffff
msrs_end:
calls: dd 0, 0x41430000, 0x4143ffff, 0x41450000, 0x41440fff, 0x4144ffff, 0x41445000, 0x80000000, 0xffffffff
calls_end:
ports: dd ABSENT_PORT, 0x3f4, 0x3f5, 0x3f6, 0x3f7, 0x400, 0x13, 0x2000, 0xfffc, 0xfffd, 0xffff
ports_end:
traps: dd 0
first_trap: dd 0
faults: dd 0
interrupted_at: dd 0
back: dd 0
    bench_routines
