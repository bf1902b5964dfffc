; SPDX-License-Identifier: MIT
;
; The local APIC's page moves over memory that has been used, by IA32_APIC_BASE: RAM that was one large page, ROM, text. There the registers
; are, for every vCPU at once, and what they hide is unchanged when they go: elsewhere, to x2APIC mode, or switched off. With vcpus=2 the
; second one reads the same place all the time. Wants mem=8M, or with -D IDENTITY memory=identity.

%include "guest.inc"
%include "test/emu/guests/vcpu_begins.inc"

APIC_BASE equ 0x1b
HOME equ 0xfee00000
ENABLED equ 0x900               ; and this is the bootstrap processor
X2APIC equ 0x400
VERSION_AT equ 0x30
TPR equ 0x80
%ifdef IDENTITY
PLACE equ 0x8000000             ; the boot loader's and Adept's memory is below
%else
PLACE equ 0x300000
%endif
MARK equ 0x11111111
MARK_TPR equ 0x33333333
vcpu_count equ 0x6000
seen equ 0x6004                 ; by the other vCPU
rounds equ 0x6008               ; how often it has looked

%macro show 2+                  ; expects EBX at a linear address
    mov eax, [dword fs:%1]
    check_equal eax, ebx, %2
%endmacro
%macro move 1
    mov ecx, APIC_BASE
    xor edx, edx
    mov eax, %1
    wrmsr
%endmacro
; What the other vCPU reads at PLACE + VERSION_AT, from now on, is EBX.
%macro other_sees 1+
    call look
    check_equal eax, ebx, %1
%endmacro
%macro level 0                  ; EBX: of the mapping of PLACE
    mov ebx, PLACE
    hypercall HYPERCALL_QUERY_MAPPING
%endmacro

    guest_start
    check_version
    flat_segments
    mov ebx, [dword fs:HOME + VERSION_AT]
    mov [version], ebx
    mov dword [dword fs:PLACE + VERSION_AT], MARK
    mov dword [dword fs:PLACE + TPR], MARK_TPR
    mov dword [dword fs:PLACE + 0x1000 + VERSION_AT], 0x22222222
    level
    mov [level_before], ebx
    cmp ebx, 2
    check_condition ae, "the RAM is no large page"
    hypercall HYPERCALL_VCPU_COUNT
    mov [vcpu_count], ebx
    cmp ebx, 1
    je .alone
    mov ebx, 1
    mov ecx, other
    hypercall HYPERCALL_START_VCPU
    check_equal eax, HYPERCALL_OK, "start"
.alone:
    mov ebx, MARK
    other_sees "the other vCPU does not see the RAM"

    move PLACE | ENABLED
    mov ebx, [version]
    show PLACE + VERSION_AT, "RAM in place of the version"
    other_sees "the other vCPU sees RAM in place of the version"
    mov dword [dword fs:PLACE + TPR], 0x20
    mov ebx, 0x20
    show PLACE + TPR, "the TPR at its new place"
    mov ebx, 0x22222222
    show PLACE + 0x1000 + VERSION_AT, "the RAM beside it"
    mov ebx, -1
    show HOME + VERSION_AT, "where it was there is nothing"
    ; The memory is not the guest's to change while it is hidden; its neighbour's rights are.
    mov ebx, PLACE
    mov ecx, 0x1000
    mov edx, 1
    hypercall HYPERCALL_SET_RIGHTS
    check_equal eax, HYPERCALL_BAD_ADDRESS, "rights of hidden memory"

    move (PLACE + 0x1000) | ENABLED
    mov ebx, MARK
    show PLACE + VERSION_AT, "the RAM does not come back"
    other_sees "the other vCPU does not see the RAM come back"
    mov ebx, MARK_TPR
    show PLACE + TPR, "the RAM was written"
    mov ebx, 0x20
    show PLACE + 0x1000 + TPR, "the TPR stays behind"
    mov ebx, [version]
    show PLACE + 0x1000 + VERSION_AT, "the version at the next page"

    move HOME | ENABLED
    mov ebx, 0x22222222
    show PLACE + 0x1000 + VERSION_AT, "the RAM of the next page"
    mov ebx, [version]
    show HOME + VERSION_AT, "the version at home"
    level
    check_equal ebx, [level_before], "the large page does not come back"

    ; ROM and text.
    mov eax, [dword fs:GUEST_ROM_BASE + VERSION_AT]
    mov [rom], eax
    mov dword [dword fs:GUEST_TEXT_BASE + VERSION_AT], 0x07420741
    move GUEST_ROM_BASE | ENABLED
    mov ebx, [version]
    show GUEST_ROM_BASE + VERSION_AT, "ROM in place of the version"
    move GUEST_TEXT_BASE | ENABLED
    mov ebx, [rom]
    show GUEST_ROM_BASE + VERSION_AT, "the ROM does not come back"
    mov dword [dword fs:GUEST_ROM_BASE + VERSION_AT], 0
    show GUEST_ROM_BASE + VERSION_AT, "the ROM can be written"
    mov ebx, [version]
    show GUEST_TEXT_BASE + VERSION_AT, "text in place of the version"
    mov dword [dword fs:GUEST_TEXT_BASE + VERSION_AT], 0    ; it cannot be written
    show GUEST_TEXT_BASE + VERSION_AT, "the version can be written"

    ; Switched off, and in x2APIC mode, it has no page.
    move PLACE | ENABLED
    mov ebx, 0x07420741
    show GUEST_TEXT_BASE + VERSION_AT, "the text does not come back"
    move PLACE
    mov ebx, MARK
    show PLACE + VERSION_AT, "RAM below an APIC that is off"
    other_sees "the other vCPU: RAM below an APIC that is off"
    move PLACE | ENABLED
    mov ebx, [version]
    show PLACE + VERSION_AT, "on again"
    other_sees "the other vCPU: on again"
    move PLACE | ENABLED | X2APIC
    mov ebx, MARK
    show PLACE + VERSION_AT, "RAM below an APIC in x2APIC mode"
    other_sees "the other vCPU: RAM below an APIC in x2APIC mode"
    move PLACE
    move HOME | ENABLED
    mov ebx, [version]
    show HOME + VERSION_AT, "at home again"

    ; A guest that writes the same place again, and ends with its APIC over RAM.
    move PLACE | ENABLED
    move PLACE | ENABLED
    show PLACE + VERSION_AT, "the same place again"
    print "apic_moved: registers and memory", 10
    pass

; EAX: what the other vCPU reads, after it has looked twice more; alone: EBX.
look:
    cmp dword [vcpu_count], 1
    mov eax, ebx
    je .return
    mov edx, [rounds]
.wait:
    pause
    mov eax, [rounds]
    sub eax, edx
    cmp eax, 2
    jb .wait
    mov eax, [seen]
.return:
    ret

other:
    vcpu_begins
    mov esp, 0x7800
    flat_segments
.again:
    mov eax, [dword fs:PLACE + VERSION_AT]
    mov [seen], eax
    inc dword [rounds]
    jmp .again

version: dd 0
rom: dd 0
level_before: dd 0
    guest_gdt
    guest_routines 16
