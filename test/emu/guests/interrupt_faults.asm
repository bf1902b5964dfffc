; SPDX-License-Identifier: MIT
;
; Interrupts and NMIs from devices whose delivery meets an EPT fault: the vector table's page, the page of the stack and that of the handler are made
; not present or misconfigured before; and one that waits while an instruction over a hole, or over ROM, is done alone. Each comes once.

%include "guest.inc"
%include "test/emu/guests/master_pic.inc"

MASTER equ 0x20
PIT equ 0x40
STACK_PAGE equ 0x30000
HANDLER_PAGE equ 0x50000
MSR_APIC_BASE equ 0x1b
APIC_SELF_IPI equ 0x83f
APIC_EOI equ 0x80b
APIC_ICR equ 0x830
VECTOR equ 0x50
VECTOR_FAR equ 0x51

%macro write_msr 2
    mov ecx, %1
    mov eax, %2
    xor edx, edx
    wrmsr
%endmacro
%macro plant 2                  ; kind, address
    mov ebx, %2
    mov ecx, %1 | 1 << 8
    hypercall HYPERCALL_PLANT_FAULT
    check_equal eax, HYPERCALL_OK, "plant"
%endmacro
; An interrupt to itself, which is taken by STI and one more instruction.
%macro send 1
    mov dword [count], 0
    write_msr APIC_SELF_IPI, %1
%endmacro
%macro take 1+
    sti
    nop
    nop
    cli
    check_equal dword [count], 1, %1
%endmacro

%macro try 2+
    send VECTOR
    plant %1, 0
    take "interrupt: the vector table's page, ", %2
    send VECTOR
    mov ax, STACK_PAGE >> 4
    mov ss, ax
    mov esp, 0x800
    plant_on_stack_page %1
    sti
    nop
    nop
    cli
    xor ax, ax
    mov ss, ax
    mov esp, 0x7c00
    check_equal dword [count], 1, "interrupt: the stack's page, ", %2
    send VECTOR_FAR
    plant %1, HANDLER_PAGE
    take "interrupt: the handler's page, ", %2
    ; NMI, with IF clear.
    mov dword [nmis], 0
    plant %1, 0
    write_msr APIC_ICR, 4 << 8
    nop
    check_equal dword [nmis], 1, "NMI: the vector table's page, ", %2
    write_msr APIC_ICR, 4 << 8
    nop
    check_equal dword [nmis], 2, "NMI: blocking by NMI ends with its IRET, ", %2
%endmacro

; The hypercall uses no stack; its check's call on failure may.
%macro plant_on_stack_page 1
    mov ebx, STACK_PAGE
    mov ecx, %1 | 1 << 8
    hypercall HYPERCALL_PLANT_FAULT
%endmacro

    guest_start
    check_version
    mov word [2 * 4], nmi
    mov word [2 * 4 + 2], 0
    mov word [VECTOR * 4], handler
    mov word [VECTOR * 4 + 2], 0
    mov word [VECTOR_FAR * 4], 0
    mov word [VECTOR_FAR * 4 + 2], HANDLER_PAGE >> 4
    mov ax, HANDLER_PAGE >> 4
    mov es, ax
    mov byte [es:0], 0xea               ; JMP 0:handler
    mov word [es:1], handler
    mov word [es:3], 0
    mov ecx, MSR_APIC_BASE
    rdmsr
    or eax, 0xc00
    wrmsr
    write_msr 0x80f, 0x1ff
    mov al, 0xff
    out MASTER + 1, al
    out 0xa1, al

    try PLANT_NOT_PRESENT, "not present"
    try PLANT_WRITE_ONLY, "misconfigured"
    print "interrupt_faults: delivery", 10

    ; An interrupt waits while an instruction over a hole is done. Ticks come all the time, and none is lost or comes twice.
    mov word [0x20 * 4], tick
    mov word [0x20 * 4 + 2], 0
    master_pic 0xfe
    mov al, 0x34
    out PIT + 3, al
    mov ax, 11932
    out PIT, al
    mov al, ah
    out PIT, al
    mov ax, 0xa000                      ; a hole, and ROM
    mov es, ax
    mov ax, 0xc000
    mov gs, ax
    mov dword [count], 0
    sti
next:
    mov byte [es:0x1234], 1
    mov al, [es:0x1234]
    cmp al, 0xff
    jne wrong
    inc byte [gs:0x10]
    push word [es:0x2000]
    pop ax
    inc ax
    jnz wrong
    inc dword [turns]
    cmp dword [count], 20
    jb next
    cli
    cmp dword [turns], 20
    check_condition ae, "instructions over a hole between ticks"
    pushf
    pop ax
    test ax, 1 << 8
    check_condition z, "a flag of the stepping stays"
    check_equal dword [trapped], 0, "TF in a handler's flags"
    print "interrupt_faults: while one instruction is done alone", 10
    pass
wrong:
    cli
    fail "an instruction over a hole"

handler:
    pushad
    inc dword [cs:count]
    write_msr APIC_EOI, 0
    popad
    iret

nmi:
    inc dword [cs:nmis]
    iret

tick:
    push ax
    push bp
    mov bp, sp
    inc dword [cs:count]
    test word [bp + 8], 1 << 8          ; the interrupted program's flags
    jz .clean
    inc dword [cs:trapped]
.clean:
    mov al, 0x20
    out MASTER, al
    pop bp
    pop ax
    iret

    guest_routines 16
    align 4
count: dd 0
nmis: dd 0
turns: dd 0
trapped: dd 0
