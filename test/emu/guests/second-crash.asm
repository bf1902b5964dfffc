; SPDX-License-Identifier: MIT
;
; The second vCPU shuts itself down while the first never exits by itself: the report is about the second, and both stop. `vcpus=2`.

%include "guest.inc"

    guest_start
    check_version
    mov ebx, 1
    mov ecx, second
    hypercall HYPERCALL_START_VCPU
    check_equal eax, HYPERCALL_OK, "start"
    jmp $

second:
    mov esi, 0x5ec04d00
    xor esp, esp
    lidt [empty]                ; no vector at all: the exception, #DF, shutdown
    ud2

empty:
    dw 0
    dd 0

    guest_routines 16
