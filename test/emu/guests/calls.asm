; SPDX-License-Identifier: MIT
;
; The hypercalls that print and count, and what they answer to arguments that make no sense; the debug port of BIOSes; ports where
; nothing is. The test compares what is printed, and the number of exits that the last line tells.

%include "guest.inc"

; One PUT_STRING: address, length, the status that it must have.
%macro put_string_must 3
    mov ebx, %1
    mov ecx, %2
    mov edx, 0x12345678
    hypercall HYPERCALL_PUT_STRING
    check_equal eax, %3, "PUT_STRING: status"
    check_equal ebx, %1, "PUT_STRING: EBX"
    check_equal ecx, %2, "PUT_STRING: ECX"
    check_equal edx, 0x12345678, "PUT_STRING: EDX"
%endmacro

    guest_start
    check_version

    mov esi, text
.next:
    lodsb
    test al, al
    jz .done
    mov ebx, 0xffffff00         ; only BL is the character
    mov bl, al
    hypercall HYPERCALL_PUT_CHARACTER
    check_equal eax, HYPERCALL_OK, "PUT_CHARACTER: status"
    jmp .next
.done:

    put_string_must string, string_end - string, HYPERCALL_OK
    put_string_must GUEST_ROM_SIGNATURE, 9, HYPERCALL_OK
    put_string_must newline, 1, HYPERCALL_OK
    put_string_must string, 0, HYPERCALL_OK
    put_string_must string, 4097, HYPERCALL_BAD_ARGUMENT
    put_string_must string, 0xffffffff, HYPERCALL_BAD_ARGUMENT
    put_string_must GUEST_HOLE_BASE, 1, HYPERCALL_BAD_ADDRESS
    put_string_must GUEST_HOLE_BASE - 4, 8, HYPERCALL_BAD_ADDRESS
    put_string_must 0x80000000, 16, HYPERCALL_BAD_ADDRESS
    put_string_must 0xfffffff0, 4096, HYPERCALL_BAD_ADDRESS

; The largest string that is allowed, all of it: 4096 characters, the last one a line end.
    mov ax, 0x2000
    mov es, ax
    xor di, di
    mov cx, 4095
    mov al, '='
    rep stosb
    mov byte [es:di], 10
    put_string_must 0x20000, 4096, HYPERCALL_OK

; An unknown call changes nothing but EAX.
    mov ebx, 0xb
    mov ecx, 0xc
    mov edx, 0xd
    hypercall HYPERCALL_VERSION + 0xfff
    check_equal eax, HYPERCALL_UNKNOWN, "an unknown call: status"
    check_equal ebx, 0xb, "an unknown call: EBX"
    check_equal ecx, 0xc, "an unknown call: ECX"
    check_equal edx, 0xd, "an unknown call: EDX"

; Ports: the debug ports, and where nothing is.
    mov esi, text_402
    mov cx, text_402_end - text_402
    mov dx, PORT_DEBUG_BIOS
    rep outsb
    in al, PORT_DEBUG_BOCHS
    check_equal al, 0xe9, "port 0xe9 must read as 0xe9"
    mov dx, 0x5678
    xor eax, eax
    in al, dx
    check_equal eax, 0xff, "a port where nothing is: IN AL"
    xor eax, eax
    in ax, dx
    check_equal eax, 0xffff, "a port where nothing is: IN AX"
    in eax, dx
    check_equal eax, -1, "a port where nothing is: IN EAX"
    out dx, eax

    hypercall HYPERCALL_MEMORY_SIZE
    check_equal eax, HYPERCALL_OK, "MEMORY_SIZE: status"
    mov eax, ebx
    call put_decimal
    print " KiB of memory", 10

; Each exit counts, the hypercall that asks too.
    hypercall HYPERCALL_EXIT_COUNT
    check_equal eax, HYPERCALL_OK, "EXIT_COUNT: status"
    check_equal ecx, 0, "EXIT_COUNT: high half"
    mov esi, ebx
    hypercall HYPERCALL_EXIT_COUNT
    inc esi
    check_equal ebx, esi, "EXIT_COUNT: a hypercall is one exit"
    xor eax, eax
    cpuid
    xor eax, eax
    cpuid
    nop
    hypercall HYPERCALL_EXIT_COUNT
    add esi, 3
    check_equal ebx, esi, "EXIT_COUNT: two CPUID and a hypercall are three exits"
    mov edi, ebx
    mov ebx, last_line          ; two exits more: this line, and the end
    mov ecx, last_line_end - last_line
    mov eax, edi
    add eax, 2
    mov di, last_number + 6
    call decimal_at
    hypercall HYPERCALL_PUT_STRING
    pass

; EAX in decimal, its last digit at [DI - 1].
decimal_at:
    pushad
    mov ecx, 10
.digit:
    xor edx, edx
    div ecx
    add dl, '0'
    dec di
    mov [di], dl
    test eax, eax
    jnz .digit
    popad
    ret

put_decimal:
    mov dword [number], "    "
    mov dword [number + 4], "    "
    mov di, number + 8
    call decimal_at
    mov si, number
    jmp print_16

    guest_routines 16

text: db "one by one: a\b", 9, "c", 13, 10, 0
string: db "a string: first line", 10, "second line", 10
string_end:
newline: db 10
text_402: db "by port 0x402", 10
text_402_end:
number: times 8 db " "
    db 0
last_line: db "exits in all:"
last_number: times 6 db " "
    db 10
last_line_end:
