; SPDX-License-Identifier: MIT
;
; Hardware task switches: by CALL, JMP, INT, an exception and IRET, to task-state segments of 32 and 16 bits, with all that a task's state is; and
; each fault that the new task's state can raise, which is raised in the new task.

%include "guest.inc"

; Task-state segment of 32 bits.
T_LINK equ 0
T_CR3 equ 0x1c
T_EIP equ 0x20
T_EFLAGS equ 0x24
T_EAX equ 0x28
T_EBX equ 0x34
T_ESP equ 0x38
T_EDI equ 0x44
T_ES equ 0x48
T_CS equ 0x4c
T_SS equ 0x50
T_DS equ 0x54
T_FS equ 0x58
T_GS equ 0x5c
T_LDT equ 0x60
T_TRAP equ 0x64
T_SIZE equ 104
NT equ 1 << 14
VM equ 1 << 17
TF equ 1 << 8
CR0_TS equ 1 << 3

MAIN equ 0x20000                ; the segments, in RAM behind the guest
OTHER equ 0x20100
HANDLERS equ 0x20200            ; of vectors 10 to 13 and 8, 0x100 each
SMALL equ 0x20700               ; of 16 bits
IDT equ 0x21000
DIRECTORY equ 0x22000           ; page directories: linear 8 MiB is the one or the other
DIRECTORY_2 equ 0x23000
MAPPED equ 0x800000

CODE equ 8
DATA equ 16
SEL_MAIN equ 0x18
SEL_OTHER equ 0x20
SEL_SMALL equ 0x28
SEL_HANDLER equ 0x30            ; four
ABSENT_CODE equ 0x50
ABSENT_DATA equ 0x58
SEL_LDT equ 0x60
USER_DATA equ 0x68
SHORT_CODE equ 0x70             ; one byte
CODE_16 equ 0x78
FRESH_DATA equ 0x80             ; not accessed yet
CONFORMING equ 0x88
SEL_DOUBLE equ 0x90

; JMP to the other task with one thing of it changed, which must raise a vector with an error code there.
%macro must_raise 4             ; field, value, vector, error code
    call fill_other
    mov dword [OTHER + %1], %2
    mov dword [raised], 0
    jmp SEL_OTHER:0
    check_equal dword [raised], %3, "the vector"
    check_equal dword [raised_code], %4, "the error code"
    check_equal dword [raised_in], SEL_OTHER, "the task that it is raised in"
%endmacro

    guest_start
    check_version
    lgdt [tasks_gdt_pointer]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp CODE:dword protected

    align 8, db 0
tasks_gdt:
    dq 0
    dq 0x00cf9b000000ffff       ; CODE
    dq 0x00cf93000000ffff       ; DATA
    dq 0x0000890000000067 | MAIN << 16
    dq 0x0000890000000067 | OTHER << 16
    dq 0x000081000000002b | SMALL << 16
%assign i 0
%rep 4
    dq 0x0000890000000067 | (HANDLERS + i * 0x100) << 16
%assign i i + 1
%endrep
    dq 0x00cf1b000000ffff       ; ABSENT_CODE
    dq 0x00cf13000000ffff       ; ABSENT_DATA
    dq 0x0000820000000007 | 0x24000 << 16       ; SEL_LDT
    dq 0x00cff3000000ffff       ; USER_DATA
    dq 0x00409b0000000000       ; SHORT_CODE
    dq 0x00009b000000ffff       ; CODE_16
    dq 0x00cf92000000ffff       ; FRESH_DATA
    dq 0x00cf9f000000ffff       ; CONFORMING
    dq 0x0000890000000067 | (HANDLERS + 0x400) << 16    ; SEL_DOUBLE
tasks_gdt_end:
tasks_gdt_pointer:
    dw tasks_gdt_end - tasks_gdt - 1
    dd tasks_gdt
tasks_idt_pointer:
    dw 0x7ff
    dd IDT
raised: dd 0
raised_code: dd 0
raised_in: dd 0
turns: dd 0
seen: dd 0
value: dd 0

    bits 32
protected:
    mov ax, DATA
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov fs, ax
    mov gs, ax
    mov esp, 0x7c00
    cld
    xor eax, eax
    mov edi, MAIN
    mov ecx, 0x6000 / 4
    rep stosd
    lidt [tasks_idt_pointer]
    mov ecx, 4                  ; task gates of vectors 10 to 13
.handlers:
    mov eax, ecx
    dec eax
    lea edx, [SEL_HANDLER + eax * 8]
    shl edx, 16
    mov [IDT + (eax + 10) * 8], edx
    mov dword [IDT + (eax + 10) * 8 + 4], 0x8500
    loop .handlers
    mov dword [IDT + 8 * 8], SEL_DOUBLE << 16
    mov dword [IDT + 8 * 8 + 4], 0x8500
    mov dword [IDT + 0x40 * 8], SEL_OTHER << 16
    mov dword [IDT + 0x40 * 8 + 4], 0x8500
    mov dword [IDT + 0x41 * 8], SEL_SMALL << 16
    mov dword [IDT + 0x41 * 8 + 4], 0x8500
    mov dword [IDT + 6 * 8], SEL_OTHER << 16
    mov dword [IDT + 6 * 8 + 4], 0x8500
    mov eax, on_debug
    mov [IDT + 8], ax
    mov word [IDT + 8 + 2], CODE
    mov dword [IDT + 8 + 4], 0x8e00
    call fill_handlers
    mov ax, SEL_MAIN
    ltr ax
    check_equal byte [tasks_gdt + SEL_MAIN + 5], 0x8b, "LTR: busy"

; --- CALL and IRET ----------------------------------------------------------------------------------------------------
    call fill_other
    mov word [OTHER + T_LDT], SEL_LDT
    mov word [OTHER + T_GS], FRESH_DATA
    mov ebx, 0x11111111
    mov edi, 0x22222222
    mov eax, 1 << 0 | 1 << 1 | 1 << 10  ; a local and a global breakpoint, far away
    mov edx, 0x7ffffff0
    mov dr0, edx
    mov dr7, eax
    clts
    std
    call SEL_OTHER:0x12345678   ; the offset counts not
behind_call:
    cld
    check_equal dword [turns], 1, "CALL: the task has run"
    check_equal ebx, 0x11111111, "CALL: EBX is back"
    check_equal edi, 0x22222222, "CALL: EDI is back"
    check_equal dword [seen], 0x33333333, "CALL: what the task had in EBX"
    check_equal dword [OTHER + T_EBX], 0x44444444, "IRET: EBX is stored"
    check_equal dword [OTHER + T_EIP], other_again, "IRET: EIP is stored"
    check_equal word [OTHER + T_LINK], SEL_MAIN, "CALL: the link"
    check_equal dword [MAIN + T_EIP], behind_call, "CALL: EIP is stored"
    check_equal word [MAIN + T_CS], CODE, "CALL: CS is stored"
    test dword [MAIN + T_EFLAGS], 1 << 10
    check_condition nz, "CALL: EFLAGS are stored"
    test dword [OTHER + T_EFLAGS], NT
    check_condition z, "IRET: NT is stored as 0"
    check_equal byte [tasks_gdt + SEL_MAIN + 5], 0x8b, "IRET: the task is busy"
    check_equal byte [tasks_gdt + SEL_OTHER + 5], 0x89, "IRET: the other is not"
    check_equal byte [tasks_gdt + FRESH_DATA + 5], 0x93, "CALL: a segment becomes accessed"
    mov eax, cr0
    test al, CR0_TS
    check_condition nz, "a task switch sets TS"
    mov eax, dr7
    and eax, 3
    check_equal eax, 2, "a task switch clears local breakpoints"
    sldt ax
    check_equal ax, 0, "LDTR is that of the task"
    call SEL_OTHER:0            ; goes on behind its IRET
    check_equal dword [turns], 2, "CALL: the task goes on behind its IRET"
    print "tasks: CALL and IRET: all is well", 10

; --- INT and JMP ------------------------------------------------------------------------------------------------------
    int 0x40
    check_equal dword [turns], 3, "INT: the task has run"
    check_equal word [OTHER + T_LINK], SEL_MAIN, "INT: the link"
    mov dword [OTHER + T_EIP], jumped_to
    mov dword [OTHER + T_ESP], 0x7000
    jmp SEL_OTHER:0
    check_equal dword [turns], 4, "JMP: the task has run"
    check_equal byte [seen], 0x89, "JMP: who jumps is not busy"
    check_equal byte [tasks_gdt + SEL_OTHER + 5], 0x89, "JMP back: the other is not busy"
    check_equal byte [tasks_gdt + SEL_MAIN + 5], 0x8b, "JMP back: the task is busy"
    print "tasks: INT and JMP: all is well", 10

; --- A TSS of 16 bits -------------------------------------------------------------------------------------------------
    mov word [SMALL + 0x0e], small_task
    mov word [SMALL + 0x10], 2
    mov word [SMALL + 0x12], 0x1234         ; AX
    mov word [SMALL + 0x18], 0x5678         ; BX
    mov word [SMALL + 0x1a], 0x6000         ; SP
    mov word [SMALL + 0x22], DATA
    mov word [SMALL + 0x24], CODE_16
    mov word [SMALL + 0x26], DATA
    mov word [SMALL + 0x28], DATA
    mov word [SMALL + 0x2a], SEL_LDT
    mov ebx, 0x98765432
    call SEL_SMALL:0
    check_equal ebx, 0x98765432, "16 bits: EBX is back"
    check_equal dword [seen], 0x56781234, "16 bits: AX and BX"
    check_equal dword [value], SEL_LDT << 16, "16 bits: FS and LDTR"
    check_equal word [SMALL], SEL_MAIN, "16 bits: the link"
    check_equal word [SMALL + 0x0e], small_again, "16 bits: IP is stored"
    check_equal word [SMALL + 0x18], 0x4321, "16 bits: BX is stored"
    check_equal byte [tasks_gdt + SEL_SMALL + 5], 0x81, "16 bits: not busy any more"
    int 0x41
    check_equal dword [turns], 6, "16 bits: INT"
    print "tasks: a TSS of 16 bits: all is well", 10

; --- Exceptions through task gates ---------------------------------------------------------------------------------------
    mov dword [raised], 0
    mov eax, 0xfff8
faulting:
    mov fs, ax                  ; #GP, its task goes on behind it
    check_equal dword [raised], 13, "an exception: the vector"
    check_equal dword [raised_code], 0xfff8, "an exception: the error code on the task's stack"
    check_equal dword [raised_in], SEL_MAIN, "an exception: the link"
    check_equal dword [value], faulting, "an exception: EIP is stored"

; --- What a new task's state raises --------------------------------------------------------------------------------------
    must_raise T_CS, 0, 10, 0
    must_raise T_CS, DATA, 10, DATA
    must_raise T_CS, 0xf8, 10, 0xf8
    must_raise T_CS, ABSENT_CODE, 11, ABSENT_CODE
    must_raise T_SS, 0, 10, 0
    must_raise T_SS, CODE, 10, CODE
    must_raise T_SS, DATA | 3, 10, DATA
    must_raise T_SS, USER_DATA, 10, USER_DATA
    must_raise T_SS, ABSENT_DATA, 12, ABSENT_DATA
    must_raise T_DS, SEL_MAIN, 10, SEL_MAIN
    must_raise T_DS, 0xf8, 10, 0xf8
    must_raise T_ES, ABSENT_DATA, 11, ABSENT_DATA
    must_raise T_FS, 4, 10, 4   ; there is no LDT
    must_raise T_GS, DATA | 3, 10, DATA
    must_raise T_LDT, DATA, 10, DATA
    must_raise T_LDT, SEL_LDT | 4, 10, SEL_LDT | 4
    must_raise T_CS, SHORT_CODE, 13, 0
    call fill_other             ; the same in the delivery of an exception: EXT
    mov dword [OTHER + T_CS], DATA
    mov dword [raised], 0
    mov word [resume], after_ud
    ud2
after_ud:
    check_equal dword [raised], 10, "in an exception's delivery: the vector"
    check_equal dword [raised_code], DATA | 1, "in an exception's delivery: the error code"
    check_equal dword [raised_in], SEL_OTHER, "in an exception's delivery: the task"

; #GP, whose task raises #TS: a double fault.
    mov dword [HANDLERS + 0x300 + T_CS], DATA
    mov dword [raised], 0
    mov word [resume], after_double
    mov eax, 0xfff8
    mov fs, ax
after_double:
    check_equal dword [raised], 8, "a double fault: the vector"
    check_equal dword [raised_code], 0, "a double fault: the error code"
    check_equal dword [raised_in], SEL_HANDLER + 24, "a double fault: the task"
    mov dword [HANDLERS + 0x300 + T_CS], CODE
    mov byte [tasks_gdt + SEL_HANDLER + 24 + 5], 0x89

; What the old task is raised: a busy task, one that is not there, one that is too short.
    mov dword [raised_in], 0
    call fill_other
    mov byte [tasks_gdt + SEL_OTHER + 5], 0x8b
    call SEL_OTHER:0
    check_equal dword [raised], 13, "a busy task: the vector"
    check_equal dword [raised_code], SEL_OTHER, "a busy task: the error code"
    check_equal dword [raised_in], SEL_MAIN, "a busy task: raised in the old one"
    call fill_other
    mov byte [tasks_gdt + SEL_OTHER], 0x66
    jmp SEL_OTHER:0
    check_equal dword [raised], 10, "a short TSS: the vector"
    check_equal dword [raised_code], SEL_OTHER, "a short TSS: the error code"
    check_equal dword [raised_in], SEL_MAIN, "a short TSS: raised in the old one"
    mov byte [tasks_gdt + SEL_OTHER], 0x67
    print "tasks: exceptions: all is well", 10

; --- T flag, virtual-8086 mode ----------------------------------------------------------------------------------------------
    call fill_other
    mov byte [OTHER + T_TRAP], 1
    mov dword [value], 0
    call SEL_OTHER:0
    check_equal dword [value], other_task, "T: #DB before the first instruction"
    mov byte [OTHER + T_TRAP], 0
    call fill_other
    mov dword [OTHER + T_EFLAGS], VM | 2
    mov dword [OTHER + T_CS], 0x100
    mov dword [OTHER + T_EIP], v86_task - 0x1000
    mov dword [OTHER + T_SS], 0x100
    mov dword [OTHER + T_DS], 0x200
    mov dword [OTHER + T_ES], 0
    mov dword [raised], 0
    mov word [0x2100], 0x5a5a
    jmp SEL_OTHER:0
    check_equal dword [raised], 13, "virtual-8086 mode: HLT raises #GP"
    check_equal dword [OTHER + T_EAX], 0x5a5a, "virtual-8086 mode: DS"
    test dword [OTHER + T_EFLAGS], VM
    check_condition nz, "virtual-8086 mode: EFLAGS.VM is stored"

; --- Paging -----------------------------------------------------------------------------------------------------------
    mov dword [DIRECTORY], 0x83
    mov dword [DIRECTORY + 8], 0x400083
    mov dword [DIRECTORY_2], 0x83
    mov dword [DIRECTORY_2 + 8], 0x800083
    mov dword [0x400000], 0x01010101
    mov dword [0x800000], 0x02020202
    mov eax, DIRECTORY
    mov cr3, eax
    mov eax, cr4
    or eax, 1 << 4              ; PSE
    mov cr4, eax
    mov eax, cr0
    or eax, CR0_PG | CR0_WP
    mov cr0, eax
    mov dword [MAIN + T_CR3], DIRECTORY
    call fill_other
    mov dword [OTHER + T_CR3], DIRECTORY_2
    check_equal dword [MAPPED], 0x01010101, "paging: before"
    call SEL_OTHER:0
    check_equal dword [value], 0x02020202, "paging: CR3 is the task's"
    check_equal dword [MAPPED], 0x01010101, "paging: and is back"
    mov eax, cr3
    check_equal eax, DIRECTORY, "paging: CR3"
    print "tasks: T, virtual-8086 mode, paging: all is well", 10
    pass

; The other task, as it is in the beginning.
fill_other:
    push eax
    push ecx
    push edi
    mov edi, OTHER
    xor eax, eax
    mov ecx, T_SIZE / 4
    rep stosd
    mov byte [tasks_gdt + SEL_OTHER + 5], 0x89
    mov edi, OTHER
    mov dword [edi + T_EIP], other_task
    mov dword [edi + T_EBX], 0x33333333
    mov dword [edi + T_ESP], 0x7000
    call fill_common
    pop edi
    pop ecx
    pop eax
    ret
fill_common:
    mov dword [edi + T_EFLAGS], 2
    mov word [edi + T_ES], DATA
    mov word [edi + T_CS], CODE
    mov word [edi + T_SS], DATA
    mov word [edi + T_DS], DATA
    mov word [edi + T_CR3], DIRECTORY & 0xffff
    mov word [edi + T_CR3 + 2], DIRECTORY >> 16
    ret
fill_handlers:
    mov edi, HANDLERS
    mov eax, on_ts
    mov edx, 0x6c00
.each:
    mov [edi + T_EIP], eax
    mov [edi + T_ESP], edx
    call fill_common
    add edi, 0x100
    add edx, 0x100
    add eax, on_np - on_ts
    cmp edi, HANDLERS + 0x500
    jb .each
    ret

other_task:
    mov [seen], ebx
    mov ebx, 0x44444444
    inc dword [turns]
    pushf
    pop eax
    test eax, NT
    check_condition nz, "in a task that was called: NT"
    str ax
    check_equal ax, SEL_OTHER, "in the task: TR"
    check_equal esp, 0x7000, "in the task: ESP"
    check_equal byte [tasks_gdt + SEL_MAIN + 5], 0x8b, "in a task that was called: the caller is busy"
    mov eax, cr0
    test eax, eax
    jns .no_paging
    mov eax, [MAPPED]
    mov [value], eax
.no_paging:
    iret
other_again:
    inc dword [turns]
    iret
    jmp other_again
jumped_to:
    inc dword [turns]
    mov al, [tasks_gdt + SEL_MAIN + 5]
    mov [seen], al
    jmp SEL_MAIN:0

; The tasks of vectors 10 to 13 and 8, which go on where they were left. What main has raised goes on behind the instruction (2 bytes of MOV, 7 of CALL
; and JMP), by IRET; what another task has raised leads to main by JMP.
%macro handler 1
%%again:
    mov dword [raised], %1
    call handle
    jz %%to_main
    iret
    jmp %%again
%%to_main:
    jmp SEL_MAIN:0
    jmp %%again
%endmacro
on_ts: handler 10
on_np: handler 11
    handler 12
    handler 13
    handler 8

; The error code is below the return address. ZF: to main by JMP.
handle:
    mov eax, [esp + 4]
    mov [raised_code], eax
    str eax
    mov ebx, [tasks_gdt + eax + 2]
    and ebx, 0xffffff
    movzx ecx, word [ebx + T_LINK]
    mov [raised_in], ecx
    mov esi, [MAIN + T_EIP]
    mov [value], esi
    cmp ecx, SEL_MAIN
    jne .to_main
    mov eax, 7
    cmp byte [esi], 0x8e        ; MOV to a segment register
    jne .add
    mov eax, 2
.add:
    add [MAIN + T_EIP], eax
    test eax, eax
    ret 4
.to_main:
    movzx eax, word [resume]
    test eax, eax
    jz .jump
    mov [MAIN + T_EIP], eax
    mov word [resume], 0
    mov byte [tasks_gdt + SEL_MAIN + 5], 0x89
.jump:
    xor eax, eax
    ret 4
resume: dw 0

; #DB: DR6.BT, and where.
on_debug:
    push eax
    mov eax, dr6
    test ah, 0x80
    jz .not
    mov eax, [esp + 4]
    mov [value], eax
.not:
    xor eax, eax
    mov dr6, eax
    pop eax
    iret

    bits 16
small_task:
    mov [seen], ax
    mov [seen + 2], bx
    mov [value], fs
    sldt [value + 2]
    mov bx, 0x4321
    inc dword [turns]
    iret
small_again:
    inc dword [turns]
    iret

v86_task:
    mov ax, [0x100]
    hlt

    guest_routines 16
    guest_routines 32
