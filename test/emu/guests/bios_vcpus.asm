; SPDX-License-Identifier: MIT
;
; Two vCPUs make BIOS calls at once, and each has memory of its own behind the same linear address: the first is in real mode, the second in
; virtual-8086 mode with page tables that lead 20000h to 60000h. Each asks for another range of the memory map (INT 15h AX=E820h), at that
; address, and must find it in its own memory and nothing in the other's. Needs `vcpus=2`.

%include "guest.inc"
%include "test/emu/guests/vcpu_begins.inc"

EFLAGS_VM equ 1 << 17
SMAP equ 0x534d4150
BUFFER equ 0x20000              ; linear, of both
BUFFER_SEGMENT equ BUFFER >> 4
MOVED equ 0x60000               ; where the second vCPU's page tables lead it
DIRECTORY equ 0x50000
PAGE_TABLE equ 0x51000
NOTHING equ 0xffffffff
ROUNDS equ 2000

; A BIOS call without INT, which virtual-8086 mode would take elsewhere: the frame that the BIOS's stub and INT make, then its hypercall.
; EAX as the caller has it.
%macro bios_call 1
    push word 2                 ; FLAGS
    push word 0                 ; CS:IP
    push word 0
    push eax
    push dword 0                ; how far the call is
%%again:
    mov eax, HYPERCALL_BIOS + %1
    vmcall
    cmp eax, BIOS_ANSWER_AGAIN
    je %%again
    add sp, 4
    pop eax
    add sp, 6
%endmacro

; Range %1 of the memory map to ES:DI.
%macro memory_range 1
    mov eax, 0xe820
    mov ebx, %1
    mov ecx, 20
    mov edx, SMAP
    bios_call 0x15
%endmacro

    guest_start
    check_version
    mov ax, BUFFER_SEGMENT
    mov es, ax
    xor di, di
    memory_range 1
    mov eax, [es:0]
    mov [second_base], eax
    test eax, eax
    check_condition nz, "the second range does not begin at 0"
    mov ebx, 1
    mov ecx, 0xffff & (other - $$ + 0x7c00)
    hypercall HYPERCALL_START_VCPU
    check_equal eax, HYPERCALL_OK, "start"
.begun:
    cmp dword [calls], 0
    je .begun
    mov bp, ROUNDS
.again:
    mov dword [es:0], NOTHING
    memory_range 0
    check_equal eax, SMAP, "the first vCPU's call"
    check_equal dword [es:0], 0, "the first vCPU's range is where it asked for it"
    check_equal dword [wrong], 0, "the second vCPU's range is where it asked for it"
    dec bp
    jnz .again
    cmp dword [calls], 100
    check_condition a, "the second vCPU has made calls meanwhile"
    print "bios_vcpus: each call goes through its own page tables", 10
    pass

other:
    vcpu_begins
    mov sp, 0x7000
    cld
    mov ax, DIRECTORY >> 4
    mov es, ax
    xor di, di
    xor eax, eax
    mov cx, 1024
    rep stosd
    mov dword [es:0], PAGE_TABLE | 7    ; present, writable, user
    mov di, PAGE_TABLE - DIRECTORY
    mov eax, 7
    mov cx, 1024
.entry:
    stosd
    add eax, 0x1000
    loop .entry
    mov dword [es:PAGE_TABLE - DIRECTORY + (BUFFER >> 12) * 4], MOVED | 7
    lgdt [gdt_pointer]
    mov eax, DIRECTORY
    mov cr3, eax
    mov eax, cr0
    or eax, CR0_PG | CR0_PE
    mov cr0, eax
    jmp GDT_CODE32:protected
    bits 32
protected:
    mov ax, GDT_DATA32
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, 0x7000
    push dword 0                ; GS, FS, DS
    push dword 0
    push dword 0
    push dword BUFFER_SEGMENT   ; ES
    push dword 0                ; SS
    push dword 0x6f00
    push dword EFLAGS_VM | 2
    push dword 0                ; CS
    push dword virtual_86
    iretd

    bits 16
virtual_86:
    xor edi, edi
.again:
    mov dword [es:0], NOTHING
    memory_range 1
    mov eax, [second_base]
    cmp [es:0], eax
    je .good
    inc dword [wrong]
.good:
    inc dword [calls]
    jmp .again

    align 4
second_base: dd 0               ; where range 1 begins
calls: dd 0                     ; the second vCPU's
wrong: dd 0                     ; those that gave it something else

    guest_routines 16
    guest_gdt
