; SPDX-License-Identifier: MIT
;
; RAM beyond 4 GiB, where an identity guest finds the machine's: written and read back at both ends of each GiB and in pages that
; differ in bits 32 and 33 alone, with pages of 2 MiB.

%include "test/emu/guests/long_mode.inc"

HIGH_DIRECTORIES equ LONG_END   ; two more of them: the fifth GiB and the sixth
GIB equ 1 << 30

    guest_start
    check_version
    enter_long_mode
    mov rdi, HIGH_DIRECTORIES
    mov rax, 4 * GIB + 0x87
    mov ecx, 2 * 512
page:
    mov [rdi], rax
    add rdi, 8
    add rax, 0x200000
    loop page
    mov qword [LONG_PDPT + 4 * 8], HIGH_DIRECTORIES | 7
    mov qword [LONG_PDPT + 5 * 8], (HIGH_DIRECTORIES + 0x1000) | 7

    xor ecx, ecx
write:
    mov rdi, [addresses + rcx * 8]
    mov rax, rdi
    not rax
    mov [rdi], rax
    inc ecx
    cmp ecx, COUNT
    jb write
    xor ecx, ecx
read:
    mov rdi, [addresses + rcx * 8]
    mov rax, rdi
    not rax
    check_equal rax, [rdi], "memory beyond 4 GiB has what was written"
    inc ecx
    cmp ecx, COUNT
    jb read
    print "beyond_4g: two GiB of it", 10
    pass

    long_routines
    guest_routines 64
    guest_routines 16
    align 8, db 0
addresses:
    dq 0x30000, 4 * GIB + 0x30000, 4 * GIB, 5 * GIB - 8, 5 * GIB, 5 * GIB + 0x30000, 6 * GIB - 8, 0x600000, 4 * GIB + 0x600000, 5 * GIB + 0x600000
COUNT equ ($ - addresses) / 8
