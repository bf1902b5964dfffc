; SPDX-License-Identifier: MIT
;
; Two vCPUs. Accessed and dirty flags that are set for one must not undo what the other writes into the same entry; what one locks the other must
; not come in between, in a device (test=mmio-device) and over the border between RAM and it.

%include "guest.inc"
%include "test/emu/guests/vcpu_begins.inc"

DIRECTORY equ 0x50000
TABLE equ 0x51000
OTHER_TABLE equ 0x52000         ; linear 0x400000: the local APIC, and a page that changes
PAGE equ 0x401000
OLD equ 0x70007                 ; not accessed, not dirty
NEW equ 0x71007
ROUNDS equ 6000
LOCKED equ 300
BORDER equ TEST_MEMORY_GPA - 2
INSIDE equ TEST_MEMORY_GPA + 0x40

    guest_start
    check_version
    xor ebp, ebp
    mov ebx, 1
    mov ecx, other
    hypercall HYPERCALL_START_VCPU
    check_equal eax, HYPERCALL_OK, "start"
    jmp both
other:
    vcpu_begins
    mov esp, 0x7000
    mov ebp, 1
both:
    lgdt [gdt_pointer]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp CODE32:.here
    bits 32
.here:
    mov ax, DATA32
    mov ds, ax
    mov ss, ax
    mov es, ax
    test ebp, ebp
    jnz writer

    mov edi, DIRECTORY
    mov ecx, 0x400
    xor eax, eax
    rep stosd
    mov edi, TABLE
    mov ecx, 0x400
    mov eax, 0x67
.fill:
    stosd
    add eax, 0x1000
    loop .fill
    mov dword [DIRECTORY], TABLE | 7
    mov dword [DIRECTORY + 4], OTHER_TABLE | 7
    mov dword [OTHER_TABLE], 0xfee00067
    mov dword [OTHER_TABLE + 4], OLD
    mov eax, DIRECTORY
    mov cr3, eax
    mov eax, cr0
    or eax, CR0_PG | CR0_WP
    mov cr0, eax
    mov dword [begun], 1
    mov ebx, 0x400030
    mov dx, 0x80
    mov esi, ROUNDS
.round:
    mov esp, PAGE + 0x800
    mov eax, cr3
    mov cr3, eax
    push dword [ebx]            ; a device's register is pushed: emulated
    mov eax, cr3
    mov cr3, eax
    mov edi, PAGE
    insb
    dec esi
    jnz .round
    mov esp, 0x7c00
    mov dword [ended], 1
    mov eax, cr0
    and eax, ~CR0_PG
    mov cr0, eax
    call locked
.wait:
    cmp dword [done], 2
    jne .wait
    check_equal dword [BORDER], 2 * LOCKED, "LOCK INC over the border of a device"
    check_equal dword [INSIDE], 2 * LOCKED, "LOCK XADD in a device"
    print "table_race: all is well", 10
    pass

; An entry that has got a new frame keeps it, whatever flags it gets.
writer:
    mov esp, 0x7000
.begin:
    cmp dword [begun], 1
    jne .begin
.change:
    mov dword [OTHER_TABLE + 4], OLD
    mov ecx, 300
    loop $
    mov dword [OTHER_TABLE + 4], NEW
    mov ecx, 1000
.look:
    mov eax, [OTHER_TABLE + 4]
    and eax, 0xfffff000
    check_equal eax, NEW & 0xfffff000, "the entry has been taken back"
    loop .look
    cmp dword [ended], 0
    je .change
    call locked
    jmp $

; EBP tells the vCPUs apart. Each adds as often as the other.
locked:
    mov ecx, LOCKED
.again:
    lock inc dword [BORDER]
    mov eax, 1
    lock xadd [INSIDE], eax
    loop .again
    lock inc dword [done]
    ret

    align 4, db 0
begun: dd 0
ended: dd 0
done: dd 0
    align 8, db 0
gdt:
    dq 0
CODE32 equ $ - gdt
    dq 0x00cf9b000000ffff
DATA32 equ $ - gdt
    dq 0x00cf93000000ffff
gdt_end:
gdt_pointer:
    dw gdt_end - gdt - 1
    dd gdt
    guest_routines 16
    guest_routines 32
