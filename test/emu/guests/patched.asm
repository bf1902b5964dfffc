; SPDX-License-Identifier: MIT
;
; One vCPU executes an instruction at a device's register; another one replaces that instruction all the time, eight bytes at once, by an access to
; another register, by one with another direction, by an instruction that Adept does not emulate (on RAM, where it may be), and by none. Whatever
; the first one executes, it is one of these and whole.

%include "guest.inc"
%include "test/emu/guests/vcpu_begins.inc"

VERSION  equ 0xfee00030         ; the local APIC's
ID       equ 0xfee00020
TASK     equ 0xfee00080
OTHER_CS equ 0x10
ROUNDS   equ 4000
MAGIC    equ 0x600df00d

    guest_start
    check_version
    flat_segments
    jmp begin
    times 510 - ($ - $$) db 0
    dw 0xaa55

    align 8, db 0x90
code:
    mov eax, [fs:ebx]
    ret
    times 8 - ($ - code) nop

begin:
    fninit
    mov ebx, VERSION
    mov eax, [fs:ebx]
    mov [version], eax
    mov ebx, ID
    mov eax, [fs:ebx]
    mov [id], eax
    cmp eax, [version]
    check_condition ne, "two registers that differ"
    mov ebx, 1
    mov ecx, OTHER_CS << 16 | 0xffff & (other - $$ + 0x7c00 - OTHER_CS * 16)
    hypercall HYPERCALL_START_VCPU
    check_equal eax, HYPERCALL_OK, "start"
    mov ebp, ROUNDS
.round:
    mov eax, MAGIC
    mov ecx, MAGIC
    mov edx, 0x50
    mov ebx, VERSION
    mov edi, ID
    mov esi, TASK
    call code
    cmp ecx, MAGIC
    jne .id
    cmp eax, MAGIC
    je .neither
    cmp eax, [version]
    check_condition e, "what was read of the version's register"
    inc dword [versions]
    jmp .next
.id:
    cmp eax, MAGIC
    check_condition e, "one instruction, two registers"
    cmp ecx, [id]
    check_condition e, "what was read of the ID's register"
    inc dword [ids]
    jmp .next
.neither:
    inc dword [neither]
.next:
    dec ebp
    jnz .round
    mov eax, [versions]
    cmp eax, ROUNDS / 50
    check_condition a, "the first kind has run"
    mov eax, [ids]
    cmp eax, ROUNDS / 50
    check_condition a, "the second kind has run"
    mov eax, [neither]
    cmp eax, ROUNDS / 50
    check_condition a, "the others have run"
    mov esi, TASK
    mov eax, [fs:esi]
    and eax, ~0x50
    check_equal eax, 0, "what was written"
    print "patched: each instruction was whole", 10
    pass

other:
    vcpu_begins
    mov sp, 0x7000
    mov ecx, 12345
.next:
    mov eax, ecx
    shl eax, 13
    xor ecx, eax
    mov eax, ecx
    shr eax, 17
    xor ecx, eax
    mov eax, ecx
    shl eax, 5
    xor ecx, eax
    movzx esi, cl
    and esi, 7
    movq mm0, [codes + esi * 8]
    movq [code], mm0
    jmp .next

; All of one length, so that RET stays where it is.
%macro coded 1+
%%here:
    %1
    ret
    times 8 - ($ - %%here) nop
%endmacro
    align 8, db 0x90
codes:
    coded mov eax, [fs:ebx]
    coded mov ecx, [fs:edi]
    coded mov [fs:esi], edx
    coded ds fld dword [number]
    coded mov eax, [fs:ebx]
    coded mov ecx, [fs:edi]
    coded db 0x66, 0x0f, 0x1f, 0x40, 0    ; a NOP
    coded ds fld dword [number]

    align 4, db 0
number: dd 1.0
version: dd 0
id: dd 0
versions: dd 0
ids: dd 0
neither: dd 0
    guest_gdt
    guest_routines 16
