; SPDX-License-Identifier: MIT
;
; All vCPUs but the first read a hole over and over: for each read the hypervisor parks all the others, and there is always one that waits to be
; the next. The first only wants to run, and never asks for anything: it must get on all the same, and those who ask must get equal shares.

%include "guest.inc"
%include "test/emu/guests/vcpu_begins.inc"

COUNT equ 0x6000                ; of vCPUs
READS equ 0x6080                ; a dword each, 64 bytes apart
HOLE equ 0x2000000
OTHER_CS equ 0x10
TURNS equ 400000                ; of the first's loop
READS_MIN equ 20                ; of each of the others in that time

    guest_start
    check_version
    flat_segments
    hypercall HYPERCALL_VCPU_COUNT
    mov [COUNT], ebx
    mov ebx, 1
.start:
    cmp ebx, [COUNT]
    jae .run
    mov ecx, OTHER_CS << 16 | 0xffff & (other - $$ + 0x7c00 - OTHER_CS * 16)
    hypercall HYPERCALL_START_VCPU
    check_equal eax, HYPERCALL_OK, "start"
    inc ebx
    jmp .start

.run:
    mov eax, 1
.wait:                          ; for all to be at it
    mov ebx, eax
    shl ebx, 6
    pause
    cmp dword [ebx + READS], 1
    jb .wait
    inc eax
    cmp eax, [COUNT]
    jb .wait
    mov ecx, TURNS
.turn:
    loop .turn, ecx

; Nobody has had more than twice of what another had, and all have had something.
    xor ecx, ecx                ; most
    or edx, -1                  ; least
    mov eax, 1
.compare:
    mov ebx, eax
    shl ebx, 6
    mov ebx, [ebx + READS]
    cmp ebx, ecx
    jbe .not_most
    mov ecx, ebx
.not_most:
    cmp ebx, edx
    jae .not_least
    mov edx, ebx
.not_least:
    inc eax
    cmp eax, [COUNT]
    jb .compare
    cmp edx, READS_MIN
    check_condition ae, "one that asks has had too few turns"
    shl edx, 1
    cmp ecx, edx
    check_condition be, "one that asks has had more than twice the turns of another"
    pass

; EBX = index.
other:
    vcpu_begins
    mov esi, ebx
    shl ebx, 8
    mov esp, 0x7c00
    sub esp, ebx
    flat_segments
    shl esi, 6
.read:
    mov eax, [dword fs:HOLE]
    check_equal eax, -1, "a hole"
    inc dword [esi + READS]
    jmp .read

    guest_gdt
    guest_routines 16
