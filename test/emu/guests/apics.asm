; SPDX-License-Identifier: MIT
;
; Local APIC and I/O APIC through their pages, in 32-bit code; with LONG defined (apics_64.asm) in 64-bit code: edges from the 8254, edges and levels
; from the HPET, EOI, priority and TPR, interrupts to itself, NMI, and when STI, MOV SS and POPF let an interrupt through.

%include "guest.inc"

LAPIC equ 0xfee00000
TPR equ 0x80
EOI equ 0xb0
SPURIOUS equ 0xf0
ISR equ 0x100
IRR equ 0x200
ICR equ 0x300
IOAPIC equ 0xfec00000
HPET equ 0xfed00000
HPET_CONFIG equ 0x10
HPET_STATUS equ 0x20
HPET_COUNTER equ 0xf0
HPET_TIMER_0 equ 0x100
HPET_TIMER_1 equ 0x120
PIT equ 0x40
PIN_PIT equ 2
PIN_EDGE equ 20
PIN_LEVEL equ 21
LEVEL equ 1 << 15
MASKED equ 1 << 16
REMOTE_IRR equ 1 << 14
SELF equ 1 << 18                ; the shorthand of the ICR
NMI equ 4 << 8                ; to the APIC of ID 0, which is this one: the shorthand does not go with NMI
VECTOR_PIT equ 0x40
VECTOR_EDGE equ 0x45
VECTOR_LEVEL equ 0x46
VECTOR_LOW equ 0x51
VECTOR_HIGH equ 0x61
IDT equ 0x3000
PML4 equ 0x10000
PDPT equ 0x11000
DIRECTORIES equ 0x12000         ; four of them: 4 GiB

%ifdef LONG
    %define AX_ rax
    %define CX_ rcx
    %define DI_ rdi
    %define SP_ rsp
    %define WORD_ qword
    %define GATE_SIZE 16
%else
    %define AX_ eax
    %define CX_ ecx
    %define DI_ edi
    %define SP_ esp
    %define WORD_ dword
    %define GATE_SIZE 8
%endif

; Registers of devices; EDI is the scratch pointer of this guest.
%macro set 3
    mov edi, %1
    mov dword [DI_ + %2], %3
%endmacro
%macro get 3
    mov edi, %2
    mov %1, [DI_ + %3]
%endmacro
; An entry of the redirection table: pin, its lower half.
%macro redirect 2
    mov edi, IOAPIC
    mov dword [DI_], 0x11 + 2 * %1
    mov dword [DI_ + 0x10], 0
    mov dword [DI_], 0x10 + 2 * %1
    mov dword [DI_ + 0x10], %2
%endmacro
%macro set_gate 2
    mov edi, IDT + GATE_SIZE * %1
    mov eax, %2
    call write_gate
%endmacro
; Comparator %1 (its configuration's offset) matches in %2 ticks of 10 ns; configuration %3.
%macro hpet_match 3
    set HPET, %1, %3
    get eax, HPET, HPET_COUNTER
    add eax, %2
    mov [DI_ + %1 + 8], eax
    mov dword [DI_ + %1 + 12], 0
%endmacro

    guest_start
    mov al, 0xff                        ; the 8259s keep out
    out 0x21, al
    out 0xa1, al
%ifdef LONG
    mov di, PML4 >> 4
    mov es, di
    xor di, di
    mov cx, 0x6000 / 4
    xor eax, eax
    rep stosd
    mov dword [es:0], PDPT | 7
    mov di, 0x1000
    mov eax, DIRECTORIES | 7
    mov cx, 4
next_directory:
    mov [es:di], eax
    add di, 8
    add eax, 0x1000
    loop next_directory
    mov di, 0x2000
    mov eax, 0x87                       ; 2 MiB pages
    mov cx, 2048
next_page:
    mov [es:di], eax
    add di, 8
    add eax, 0x200000
    loop next_page
    mov eax, 0x20
    mov cr4, eax
    mov eax, PML4
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x100
    wrmsr
    lgdt [table]
    mov eax, cr0
    or eax, CR0_PE | CR0_PG
    mov cr0, eax
    jmp CODE64:protected
    bits 64
%else
    lgdt [table]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp CODE32:protected
    bits 32
%endif
protected:
    mov ax, DATA
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, 0x7c00
    set_gate 2, nmi
    set_gate VECTOR_PIT, edge
    set_gate VECTOR_EDGE, edge
    set_gate VECTOR_LEVEL, level
    set_gate VECTOR_LOW, low
    set_gate VECTOR_HIGH, high
    set_gate 0xff, spurious
    lidt [idt_pointer]
    set LAPIC, SPURIOUS, 0x1ff

    ; Edges: ten ticks of the 8254.
    redirect PIN_PIT, VECTOR_PIT
    mov al, 0x34
    out PIT + 3, al
    mov al, 11932 & 0xff
    out PIT, al
    mov al, 11932 >> 8
    out PIT, al
    mov dword [edges], 0
next_tick:
    sti
    hlt
    cli
    cmp dword [edges], 10
    jb next_tick
    check_equal dword [edges], 10, "a tick for each HLT"
    redirect PIN_PIT, MASKED
    print "apics: edges of the 8254", 10

    ; An edge of the HPET, once.
    set HPET, HPET_CONFIG, 1
    redirect PIN_EDGE, VECTOR_EDGE
    mov dword [edges], 0
    hpet_match HPET_TIMER_0, 1000000, PIN_EDGE << 9 | 4
    sti
    hlt
    cli
    check_equal dword [edges], 1, "HPET: one edge"
    set HPET, HPET_TIMER_0, 0
    redirect PIN_EDGE, MASKED

    ; A level: it comes again as long as nobody clears its cause; remote IRR stands from its acceptance to its EOI.
    redirect PIN_LEVEL, VECTOR_LEVEL | LEVEL
    hpet_match HPET_TIMER_1, 1000000, PIN_LEVEL << 9 | 4 | 2
    mov dword [levels], 0
    sti
    hlt
    nop
    nop
    cli
    check_equal dword [levels], 3, "HPET: a level comes until it is cleared"
    check_equal dword [remote], 3, "I/O APIC: remote IRR while it is served"
    set IOAPIC, 0, 0x10 + 2 * PIN_LEVEL
    mov eax, [DI_ + 0x10]
    and eax, REMOTE_IRR
    check_condition z, "I/O APIC: remote IRR after the EOI"
    redirect PIN_LEVEL, MASKED
    set HPET, HPET_TIMER_1, 0
    print "apics: edge and level of the HPET, EOI", 10

    ; The higher vector first, the lower one when that has ended; IRR and ISR say so.
    mov dword [order], 0
    set LAPIC, ICR, VECTOR_LOW | SELF
    set LAPIC, ICR, VECTOR_HIGH | SELF
    get eax, LAPIC, IRR + 0x10 * (VECTOR_LOW / 32)
    check_equal eax, 1 << (VECTOR_LOW % 32), "IRR"
    sti
    nop
    nop
    cli
    check_equal dword [order], 0x12, "the higher vector first"
    check_equal dword [in_service], 1 << (VECTOR_HIGH % 32), "ISR while it is served"

    ; Under the TPR until that falls.
    mov dword [order], 0
    set LAPIC, TPR, 0x60
    set LAPIC, ICR, VECTOR_LOW | SELF
    set LAPIC, ICR, VECTOR_HIGH | SELF
    sti
    nop
    nop
    check_equal dword [order], 0, "the TPR holds its own class back"
    set LAPIC, TPR, 0x50
    nop
    check_equal dword [order], 1, "the TPR lets the higher class through"
    set LAPIC, TPR, 0
    nop
    cli
    check_equal dword [order], 0x12, "the TPR lets all through"
    print "apics: priority, TPR", 10

    ; When an interrupt that waits comes.
    set LAPIC, ICR, VECTOR_LOW | SELF
    sti
    nop
after_sti:
    nop
    cli
    check_equal dword [seen], after_sti, "STI: after one more instruction"
    set LAPIC, ICR, VECTOR_LOW | SELF
%ifdef LONG
    pushfq
    or qword [rsp], 1 << 9
    popfq
%else
    pushfd
    or dword [esp], 1 << 9
    popfd
%endif
after_popf:
    nop
    cli
    check_equal dword [seen], after_popf, "POPF: at once"
    set LAPIC, ICR, VECTOR_LOW | SELF
    mov ax, ss
    sti
    mov ss, ax
    nop
after_mov_ss:
    nop
    cli
    check_equal dword [seen], after_mov_ss, "MOV SS: after one more instruction"
    set LAPIC, ICR, VECTOR_LOW | SELF
    xor eax, eax
    sti
    cpuid
after_cpuid:
    nop
    cli
    check_equal dword [seen], after_cpuid, "CPUID under STI: after it"
    ; The instruction that sends it is emulated: the interrupt comes right behind it.
    sti
    nop
    set LAPIC, ICR, VECTOR_LOW | SELF
after_icr:
    nop
    cli
    check_equal dword [seen], after_icr, "a write of the ICR: at once"
    print "apics: STI, POPF, MOV SS, CPUID, the ICR", 10

    ; NMI with IF clear; one in its handler waits for the IRET. One under MOV SS waits for one instruction.
    mov dword [nmis], 0
    mov dword [nested], 0
    set LAPIC, ICR, NMI
after_nmi:
    nop
    check_equal dword [nmis], 2, "an NMI, and the one sent by its handler"
    check_equal dword [nested], 0, "no NMI inside an NMI's handler"
    check_equal dword [nmi_seen], after_nmi, "an NMI: at once"
    ; The HPET sends an NMI to a sleeper whose IF is clear.
    mov dword [nmis], 1                 ; its handler sends no other
    redirect PIN_EDGE, NMI
    hpet_match HPET_TIMER_0, 1000000, PIN_EDGE << 9 | 4
    hlt
    check_equal dword [nmis], 2, "HLT: woken by an NMI"
    print "apics: NMI", 10
    pass

write_gate:
    mov [DI_], ax
%ifdef LONG
    mov word [DI_ + 2], CODE64
%else
    mov word [DI_ + 2], CODE32
%endif
    mov word [DI_ + 4], 0x8e00
    shr eax, 16
    mov [DI_ + 6], ax
%ifdef LONG
    mov qword [DI_ + 8], 0
%endif
    ret

%macro handler_begin 0
    push AX_
    push DI_
%endmacro
%macro handler_end 0
    set LAPIC, EOI, 0
    pop DI_
    pop AX_
%ifdef LONG
    iretq
%else
    iretd
%endif
%endmacro
%define return_address SP_ + 2 * GATE_SIZE / 2

edge:
    handler_begin
    inc dword [edges]
    handler_end

level:
    handler_begin
    inc dword [levels]
    set IOAPIC, 0, 0x10 + 2 * PIN_LEVEL
    mov eax, [DI_ + 0x10]
    test eax, REMOTE_IRR
    jz .no_remote
    inc dword [remote]
.no_remote:
    cmp dword [levels], 3
    jb .keep
    set HPET, HPET_STATUS, 2
.keep:
    handler_end

low:
    handler_begin
    mov AX_, [return_address]
    mov [seen], eax
    shl dword [order], 4
    or dword [order], 2
    handler_end

high:
    handler_begin
    shl dword [order], 4
    or dword [order], 1
    get eax, LAPIC, ISR + 0x10 * (VECTOR_HIGH / 32)
    mov [in_service], eax
    handler_end

spurious:
    fail "a spurious interrupt"

nmi:
    handler_begin
    inc dword [nmis]
    cmp dword [nmis], 1
    jne .done
    mov AX_, [return_address]
    mov [nmi_seen], eax
    set LAPIC, ICR, NMI
    nop
    mov eax, [nmis]
    dec eax
    mov [nested], eax
.done:
    pop DI_
    pop AX_
%ifdef LONG
    iretq
    guest_routines 64
%else
    iretd
    guest_routines 32
%endif

    align 8, db 0
descriptors:
    dq 0
    dq 0x00cf9b000000ffff
    dq 0x00cf93000000ffff
    dq 0x00209b0000000000
CODE32 equ 0x08
DATA equ 0x10
CODE64 equ 0x18
table:
    dw 31
    dd descriptors
idt_pointer:
    dw 256 * GATE_SIZE - 1
    dd IDT
    dd 0
    align 4, db 0
edges: dd 0
levels: dd 0
remote: dd 0
order: dd 0
in_service: dd 0
seen: dd 0
nmis: dd 0
nested: dd 0
nmi_seen: dd 0
