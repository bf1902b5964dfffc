; SPDX-License-Identifier: MIT
;
; INS and OUTS in 16- and 32-bit code: every fault that the processor leaves to whoever emulates the instruction, before the port is touched; the
; guest's accessed and dirty flags; page borders; devices, ROM and holes as source and destination (test=mmio-device); single steps, breakpoints.

%include "guest.inc"

PORT equ 0x80                   ; keeps its byte
SELECTOR equ 0x510              ; fw_cfg: key 0 is "QEMU"
DATA equ 0x511                  ; a byte; the ports behind it are nobody's
NONE equ 0xff
IDT equ 0x5000
DIRECTORY equ 0x60000
TABLE equ 0x61000
STACK_0 equ 0x7000              ; for what comes from ring 3
STACK_3 equ 0x6800
ROM equ 0xf0000
HOLE equ 0x3f0000               ; TABLE leads it beyond RAM
DEVICE equ TEST_MEMORY_GPA
RF equ 1 << 16

; ESI, EDI, ECX before the instruction.
%macro given 3
    mov esi, %1
    mov edi, %2
    mov ecx, %3
%endmacro

; Vector, ESI, EDI, ECX after it; "what", the instruction.
%macro must 6+
    mov dword [vector], NONE
    mov dword [error], 0
    mov dword [resume], %%behind
    mov [stack_was], esp
    %6
%%behind:
    call same_segments
    check_equal dword [vector], %1, %5, ": the vector"
    check_equal dword [error], 0, %5, ": the error code"
    check_equal esi, %2, %5, ": ESI"
    check_equal edi, %3, %5, ": EDI"
    check_equal ecx, %4, %5, ": ECX"
%endmacro

; The port's byte must be this one; changes AL.
%macro port_has 2+
    in al, PORT
    check_equal al, %1, %2
%endmacro

; The next byte of fw_cfg's signature is this one: so many have been read. Changes EAX, EDX.
%macro next_is 2+
    mov dx, DATA
    in al, dx
    check_equal al, %1, %2
%endmacro

%macro from_the_start 0
    mov dx, SELECTOR
    xor ax, ax
    out dx, ax
    mov dx, DATA
%endmacro

    guest_start
    mov ax, 0x2000
    mov gs, ax
    jmp real_mode
    times 510 - ($ - $$) db 0
    dw 0xaa55

real_mode:
    mov word [12 * 4], fault_12
    mov word [12 * 4 + 2], 0
    mov word [13 * 4], fault_13
    mov word [13 * 4 + 2], 0
    mov ax, 0x2000
    mov es, ax
    from_the_start
    given 0xffff, 0, 1
    must 13, 0xffff, 0, 1, "OUTSW over the end", outsw
    must 12, 0xffff, 0, 1, "SS OUTSW over the end", ss outsw
    must 13, 0xffff, 0, 1, "GS OUTSW over the end", gs outsw
    given 0, 0xfffd, 1
    must 13, 0, 0xfffd, 1, "INSD over the end", insd
    next_is 'Q', "INSD over the end: the port is not read"
    from_the_start
    given 0x10000, 0x12345678, 1
    must 13, 0x10000, 0x12345678, 1, "OUTSB with 32 bits", a32 outsb
    must 13, 0x10000, 0x12345678, 1, "INSB with 32 bits", a32 insb
    must NONE, 0x10000, 0x12345679, 1, "INSB with 16 bits", insb
    check_equal byte [es:0x5678], 'Q', "INSB with 16 bits"
    from_the_start
    given 0, 0xfffe, 3
    must NONE, 0, 1, 0, "REP INSB over the end of the index", rep insb
    check_equal word [es:0xfffe], 'QE', "REP INSB over the end of the index"
    check_equal byte [es:0], 'M', "REP INSB over the end of the index, behind it"
    from_the_start
    given 0, 0xfffb, 4
    must 13, 0, 0xffff, 2, "REP INSW over the end", rep insw
    check_equal dword [es:0xfffb], 'Q' | 0xff00 | 'E' << 16 | 0xff << 24, "REP INSW over the end: what came before"
    mov dx, PORT
    given 1, 0, 3
    std
    must NONE, 0xfffe, 0, 0, "REP OUTSB downwards", rep outsb
    cld
    given 0x55, 0x66, 0x10000
    must NONE, 0x55, 0x66, 0x10000, "REP OUTSB, none of them", rep outsb
    must NONE, 0x56, 0x66, 0xffff, "REP OUTSB with 32 bits of ECX", call one_of_many
; Interrupts come in between: a long REP gives way.
    mov word [8 * 4], on_timer
    mov word [8 * 4 + 2], 0
    mov al, 0x34                ; the timer: 1000 times a second
    out 0x43, al
    mov al, 1193 & 0xff
    out 0x40, al
    mov al, 1193 >> 8
    out 0x40, al
    mov al, 0xfe
    out 0x21, al
    mov dx, DATA
    given 0, 0, 0xf000
    sti
.long:
    rep insb
    cli
    check_equal ecx, 0, "a long REP INSB: ECX"
    check_equal edi, 0xf000, "a long REP INSB: EDI"
    cmp dword [inside], 2
    check_condition ae, "interrupts come within a long REP INSB"
    mov al, 0xff
    out 0x21, al
    print "string_io: real mode: all is well", 10
    jmp protected_mode

on_timer:
    push ax
    push bp
    mov bp, sp
    cmp word [bp + 4], real_mode.long
    jne .outside
    inc dword [cs:inside]
.outside:
    mov al, 0x20
    out 0x20, al
    pop bp
    pop ax
    iret
inside: dd 0

one_of_many:
    mov ecx, 1
    a32 rep outsb
    mov ecx, 0xffff
    ret

same_segments:
    ret

fault_12:
    mov dword [cs:vector], 12
    jmp fault
fault_13:
    mov dword [cs:vector], 13
fault:
    mov esp, [cs:stack_was]
    jmp [cs:resume]

vector: dd 0
error: dd 0
resume: dd 0
stack_was: dd 0
flags_seen: dd 0
debug_count: dd 0

protected_mode:
    lgdt [gdt_pointer]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp CODE32:.here
    bits 32
.here:
    mov ax, DATA32
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, 0x7c00
    mov edi, IDT
    mov ecx, 0x200
    xor eax, eax
    rep stosd
%macro gate 3                   ; vector, handler, type
    mov word [IDT + %1 * 8], %2
    mov word [IDT + %1 * 8 + 2], CODE32
    mov word [IDT + %1 * 8 + 4], %3
%endmacro
    gate 1, on_debug, 0x8e00
    gate 12, pm_12, 0x8e00
    gate 13, pm_13, 0x8e00
    gate 14, pm_14, 0x8e00
    gate 17, pm_17, 0x8e00
    gate 0x30, pm_30, 0xee00
    lidt [idt_pointer]
    mov ax, TSS
    ltr ax

; Segments that do not allow it.
    from_the_start
%macro through 2                ; segment register, selector
    mov ax, %2
    mov %1, ax
%endmacro
    given 0x20000, 0x20000, 1
    through es, READ_ONLY
    must 13, 0x20000, 0x20000, 1, "INSB to read-only data", insb
    test dword [flags_seen], RF
    check_condition nz, "a fault's flags have RF"
    through es, CODE32
    must 13, 0x20000, 0x20000, 1, "INSB to code", insb
    through es, 0
    must 13, 0x20000, 0x20000, 1, "INSB through a null selector", insb
    through es, SMALL
    given 0, 0xffd, 1
    must 13, 0, 0xffd, 1, "INSD beyond a limit", insd
    through es, DOWN
    given 0, 0xfff, 1
    must 13, 0, 0xfff, 1, "INSB within the limit of an expand-down segment", insb
    next_is 'Q', "INSB that faults: the port is not read"
    from_the_start
    given 0, 0x1000, 1
    must NONE, 0, 0x1001, 1, "INSB beyond the limit of an expand-down segment", insb
    check_equal byte [0x21000], 'Q', "INSB beyond the limit of an expand-down segment"
    through es, SMALL
    given 0, 0xffd, 7
    must 13, 0, 0x1000, 4, "REP INSB up to a limit", rep insb
    check_equal dword [0x20ffc], 'EMU' << 8, "REP INSB up to a limit"
    through es, DATA32
    mov dx, PORT
    given 0x7c00, 0, 1
    jmp EXECUTE_ONLY:.execute_only
.execute_only:
    must 13, 0x7c00, 0, 1, "OUTSB of execute-only code", cs outsb
    jmp CODE32:.readable
.readable:
    must NONE, 0x7c01, 0, 1, "OUTSB of code", cs outsb
    through fs, 0
    must 13, 0x7c01, 0, 1, "OUTSB through a null selector", fs outsb
    must 13, 0x7c01, 0, 1, "REP OUTSB through a null selector", fs rep outsb
    given 0x7c01, 0, 0
    must NONE, 0x7c01, 0, 0, "REP OUTSB through a null selector, none", fs rep outsb
    through fs, SMALL
    given 0xffd, 0, 1
    must 13, 0xffd, 0, 1, "OUTSD beyond a limit", fs outsd
    must NONE, 0xfff, 0, 1, "OUTSW at a limit", fs outsw
    mov byte [0x30000], 0x42
    given 0x30000, 0x12345, 1
    must NONE, 0x30001, 0x12345, 1, "OUTSB", outsb
    port_has 0x42, "OUTSB"
    mov byte [0x3001], 0x43
    given 0x23001, 0, 0x20001
    must NONE, 0x23002, 0, 0x20000, "OUTSB with a 16-bit address", a16 rep outsb
    port_has 0x43, "OUTSB with a 16-bit address"
    print "string_io: segments: all is well", 10

; Single steps: a trap after each element. An instruction breakpoint: one, however many parts there are.
    mov dword [debug_count], 0
    given 0x30000, 0, 3
    pushfd
    or dword [esp], 0x100
    popfd
    rep outsb
    mov eax, [debug_count]
    pushfd
    and dword [esp], ~0x100
    popfd
    check_equal eax, 3, "a trap after each element"
    check_equal esi, 0x30003, "a trap after each element: ESI"
    mov dword [debug_count], 0
    mov eax, .broken
    mov dr0, eax
    mov eax, 0x2
    mov dr7, eax
    given 0, 0x30000, 700
    mov dx, DATA
.broken:
    rep insb
    xor eax, eax
    mov dr7, eax
    check_equal dword [debug_count], 1, "one breakpoint of a long REP INSB"
    check_equal edi, 0x30000 + 700, "a long REP INSB: EDI"
    print "string_io: steps and breakpoints: all is well", 10
    jmp paging
pm_12:
    mov dword [vector], 12
    jmp pm_fault
pm_13:
    mov dword [ss:vector], 13
    jmp pm_fault
pm_14:
    mov dword [ss:vector], 14
    jmp pm_fault
pm_17:
    mov dword [ss:vector], 17
pm_fault:
    pop dword [ss:error]
    push dword [esp + 8]
    pop dword [ss:flags_seen]
pm_back:
    push dword DATA32
    pop ds
    push dword DATA32
    pop ss
    mov esp, [stack_was]
    jmp [resume]
pm_30:
    jmp pm_back
on_debug:
    inc dword [ss:debug_count]
    or dword [esp + 8], RF
    iretd

%define pte(address) dword [TABLE + (address >> 12) * 4]

; Linear = physical for 4 MiB of 4 KiB pages, neither accessed nor dirty.
paging:
    mov edi, DIRECTORY
    mov ecx, 0x400
    xor eax, eax
    rep stosd
    mov edi, TABLE
    mov eax, 7
.fill:
    stosd
    add eax, 0x1000
    cmp eax, 0x400007
    jb .fill
    mov dword [DIRECTORY], TABLE + 7
    mov pte(HOLE), 0x8000007
    mov eax, DIRECTORY
    mov cr3, eax
    mov eax, cr0
    or eax, CR0_PG | CR0_WP
    mov cr0, eax

    from_the_start
    given 0, 0x200000, 3
    must NONE, 0, 0x200001, 3, "INSB", insb
    check_equal pte(0x200000), 0x200067, "INSB sets accessed and dirty"
    given 0x201000, 0, 3
    mov dx, PORT
    must NONE, 0x201001, 0, 3, "OUTSB", outsb
    check_equal pte(0x201000), 0x201027, "OUTSB sets accessed"
    from_the_start
    given 0, 0x202ffe, 4
    must NONE, 0, 0x203002, 0, "REP INSB over a border", rep insb
    check_equal pte(0x202000), 0x202067, "REP INSB over a border: the first page's flags"
    check_equal pte(0x203000), 0x203067, "REP INSB over a border: the second page's flags"
    check_equal dword [0x202ffe], 'QEMU', "REP INSB over a border"
    and pte(0x205000), ~1
    mov dword [0x204ffc], 0x11223344
    and pte(0x204000), ~0x60
    mov eax, cr3
    mov cr3, eax
    from_the_start
    given 0, 0x204ffe, 1
    mov dword [expected_error], 2
    call page_fault_of_insd
    check_equal pte(0x204000), 0x204007, "INSD that faults at a border leaves the first page's flags"
    check_equal dword [0x204ffc], 0x11223344, "INSD that faults at a border writes nothing"
    mov eax, cr2
    check_equal eax, 0x205000, "INSD that faults at a border: CR2"
    next_is 'Q', "INSD that faults at a border: the port is not read"
    and pte(0x204000), ~2
    mov eax, cr3
    mov cr3, eax
    mov edi, 0x204010
    mov dword [expected_error], 3
    call page_fault_of_insd
    from_the_start
    given 0, 0x206ffe, 1
    must NONE, 0, 0x207002, 1, "INSD over a border", insd
    check_equal pte(0x206000), 0x206067, "INSD over a border: the first page's flags"
    check_equal pte(0x207000), 0x207067, "INSD over a border: the second page's flags"
    check_equal pte(0x208000), 0x208007, "nobody has touched this page"
    print "string_io: paging: all is well", 10

; Devices, ROM, holes.
    mov dx, PORT
    mov byte [DEVICE + 0x10], 0x5a
    mov byte [DEVICE + TEST_MEMORY_READS], 0
    given DEVICE + 0x10, 0, 1
    must NONE, DEVICE + 0x11, 0, 1, "OUTSB of a device", outsb
    port_has 0x5a, "OUTSB of a device"
    check_equal dword [DEVICE + TEST_MEMORY_READS], 1, "OUTSB of a device: it is read once"
    from_the_start
    mov byte [DEVICE + TEST_MEMORY_WRITES], 0
    given 0, DEVICE + 0x20, 4
    must NONE, 0, DEVICE + 0x24, 0, "REP INSB to a device", rep insb
    check_equal dword [DEVICE + TEST_MEMORY_WRITES], 4, "REP INSB to a device: four writes"
    check_equal dword [DEVICE + 0x20], 'QEMU', "REP INSB to a device"
    from_the_start
    mov dword [DEVICE], 0
    given 0, DEVICE - 2, 1
    must NONE, 0, DEVICE + 2, 1, "INSD half to a device", insd
    check_equal word [DEVICE - 2], 'Q' | 0xff00, "INSD half to a device: RAM's half"
    check_equal word [DEVICE], 0xffff, "INSD half to a device: its half"
    mov dx, PORT
    given ROM, 0, 1
    must NONE, ROM + 1, 0, 1, "OUTSB of ROM", outsb
    in al, PORT
    check_equal al, [ROM], "OUTSB of ROM"
    mov bl, [ROM + 1]
    mov al, bl
    not al
    out PORT, al
    given 0, ROM + 1, 1
    must NONE, 0, ROM + 2, 1, "INSB to ROM", insb
    check_equal [ROM + 1], bl, "INSB to ROM goes nowhere"
    mov al, 0
    out PORT, al
    given HOLE, 0, 1
    must NONE, HOLE + 1, 0, 1, "OUTSB of a hole", outsb
    port_has 0xff, "OUTSB of a hole"
    print "string_io: devices, ROM and holes: all is well", 10

; At CPL 3, with IOPL 3: the rights of a user, and alignment.
    mov eax, cr0
    or eax, CR0_AM
    mov cr0, eax
    and pte(0x208000), ~4
    and pte(0x209000), ~2
    from_the_start
    given 0x208000, 0x208000, 1
    mov dword [expected_error], 6 | 1
    mov ebp, .insb
    call page_fault_in_ring_3
    mov dword [expected_error], 4 | 1
    mov ebp, .outsb
    call page_fault_in_ring_3
    given 0, 0x209000, 1
    mov dword [expected_error], 6 | 1
    mov ebp, .insb
    call page_fault_in_ring_3
    given 0x20a001, 0x20a001, 1
    mov ebp, .insd
    must 17, 0x20a001, 0x20a001, 1, "INSD at an odd address", call ring_3
    mov ebp, .outsd
    must 17, 0x20a001, 0x20a001, 1, "OUTSD at an odd address", call ring_3
    next_is 'Q', "faults at CPL 3: the port is not read"
    from_the_start
    given 0x20a001, 0x20a000, 1
    mov ebp, .insd
    must NONE, 0x20a001, 0x20a004, 1, "INSD at CPL 3", call ring_3
    check_equal dword [0x20a000], 'Q' | 0xffffff00, "INSD at CPL 3"
    print "string_io: CPL 3: all is well", 10
    pass
.insb:
    insb
    int 0x30
.outsb:
    outsb
    int 0x30
.insd:
    insd
    int 0x30
.outsd:
    outsd
    int 0x30

; Executes at EBP in ring 3, with AC; comes back to [resume].
ring_3:
    push dword DATA_RING_3
    push dword STACK_3
    push dword 2 | 3 << 12 | 1 << 18
    push dword CODE_RING_3
    push ebp
    mov ax, DATA_RING_3
    mov ds, ax
    mov es, ax
    iretd

page_fault_in_ring_3:
    mov [stack_was], esp
    mov dword [vector], NONE
    mov dword [resume], page_fault_seen
    jmp ring_3

; EDI says where; the vector and [expected_error] are looked at.
page_fault_of_insd:
    mov [stack_was], esp
    mov dword [vector], NONE
    mov dword [resume], page_fault_seen
    mov ebx, edi
    insd
page_fault_seen:
    mov ax, DATA32
    mov es, ax
    check_equal dword [vector], 14, "a page fault: the vector"
    mov eax, [expected_error]
    check_equal [error], eax, "a page fault: the error code"
    ret
expected_error: dd 0

    align 8, db 0
gdt:
    dq 0
CODE32 equ $ - gdt
    dq 0x00cf9b000000ffff
DATA32 equ $ - gdt
    dq 0x00cf93000000ffff
READ_ONLY equ $ - gdt
    dq 0x00cf91000000ffff
SMALL equ $ - gdt               ; base 0x20000, limit 0xfff
    dq 0x0040930200000fff
DOWN equ $ - gdt                ; the same, expand-down
    dq 0x0040970200000fff
EXECUTE_ONLY equ $ - gdt
    dq 0x00cf99000000ffff
CODE_RING_3 equ $ - gdt + 3
    dq 0x00cffb000000ffff
DATA_RING_3 equ $ - gdt + 3
    dq 0x00cff3000000ffff
TSS equ $ - gdt
    dw 103, tss, 0x8900, 0
gdt_end:
gdt_pointer:
    dw gdt_end - gdt - 1
    dd gdt
idt_pointer:
    dw 0x31 * 8 - 1
    dd IDT
tss:
    dd 0, STACK_0, DATA32
    times 104 - ($ - tss) db 0

    guest_routines 16
    guest_routines 32
