; SPDX-License-Identifier: MIT
;
; Each vCPU adds to a counter at 0x3000 twenty times, with LOCK, and to a word of its own on the same page as often; the first waits for all, and
; says whether the sum is right.

%include "guest.inc"
%include "test/emu/guests/vcpu_begins.inc"

COUNTER  equ 0x3000
DONE     equ 0x3004
OWN      equ 0x3100             ; a dword each
OTHER_CS equ 0x10
ROUNDS    equ 20

    guest_start
    check_version
    hypercall HYPERCALL_VCPU_COUNT
    mov [count], ebx
    mov ebx, 1
.start:
    cmp ebx, [count]
    jae .run
    mov ecx, OTHER_CS << 16 | 0xffff & (other - $$ + 0x7c00 - OTHER_CS * 16)
    hypercall HYPERCALL_START_VCPU
    check_equal eax, HYPERCALL_OK, "start"
    inc ebx
    jmp .start
.run:
    xor ebx, ebx
    call work
.wait:
    pause
    mov eax, [DONE]
    cmp eax, [count]
    jb .wait
    imul eax, eax, ROUNDS
    check_equal eax, [COUNTER], "the sum"
    check_equal dword [OWN + 4], ROUNDS, "the second's own"
    print "watched_together: done", 10
    pass

; EBX = index.
other:
    vcpu_begins
    mov sp, 0x7000
    call work
.stop:
    hlt
    jmp .stop

work:
    mov cx, ROUNDS
.next:
    lock inc dword [COUNTER]
    inc dword [ebx * 4 + OWN]
    loop .next
    lock inc dword [DONE]
    ret

count:
    dd 0

    guest_routines 16
