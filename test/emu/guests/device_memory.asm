; SPDX-License-Identifier: MIT
; How much RAM there is, by fw_cfg's size, fw_cfg's e820, the CMOS memory and the hypercall.

%include "guest.inc"

%macro select 1
    mov dx, 0x510
    mov ax, %1
    out dx, ax
%endmacro

%macro cmos 1
    mov al, %1
    out 0x70, al
    in al, 0x71
%endmacro

    guest_start
    hypercall HYPERCALL_MEMORY_SIZE
    mov [kib], ebx

    select 0x00
    call little
    check_equal eax, 'QEMU', "signature", 10
    select 0x01
    call little
    check_equal eax, 1, "interface id", 10
    select 0x05
    call little
    check_equal ax, 1, "CPU count", 10
    select 0x03
    call little
    shr eax, 10
    check_equal eax, [kib], "RAM size", 10

    select 0x19                 ; the directory: one file, big-endian
    call little
    bswap eax
    check_equal eax, 1, "files", 10
    call little
    bswap eax
    mov [size], eax
    check_equal eax, 80, "two pieces of RAM, the EBDA and the ROM", 10
    call little
    check_equal ax, 0x2000, "its key, 0x20 big-endian", 10
    select 0x20
    call little
    check_equal eax, 0, "e820: first base", 10
    call little
    call little
    check_equal eax, GUEST_HOLE_BASE - 0x400, "e820: first length", 10
    call little
    call little
    check_equal eax, 1, "e820: RAM", 10
    call little
    check_equal eax, GUEST_HOLE_BASE - 0x400, "e820: the EBDA", 10
    call little
    call little
    check_equal eax, 0x400, "e820: the EBDA's length", 10
    call little
    call little
    check_equal eax, 2, "e820: the EBDA is reserved", 10
    call little
    check_equal eax, GUEST_ROM_BASE, "e820: the ROM", 10
    call little
    call little
    call little
    call little
    check_equal eax, 2, "e820: the ROM is reserved", 10
    call little
    check_equal eax, 0x100000, "e820: second base", 10
    call little
    call little
    add eax, 0x100000
    shr eax, 10
    check_equal eax, [kib], "e820: second length", 10
    call little
    call little
    check_equal eax, 1, "e820: RAM again", 10
    call little
    check_equal eax, 0, "e820: no more", 10

    cmos 0x16
    mov ah, al
    cmos 0x15
    check_equal ax, 640, "CMOS: base memory", 10
    cmos 0x18
    mov ah, al
    cmos 0x17
    movzx eax, ax
    mov ebx, [kib]
    sub ebx, 1024
    cmp ebx, 0xffff
    jbe fits
    mov ebx, 0xffff
fits:
    check_equal eax, ebx, "CMOS: extended memory", 10
    cmos 0x35
    mov ah, al
    cmos 0x34
    movzx eax, ax
    shl eax, 6
    mov ebx, [kib]
    sub ebx, 16 << 10
    jae above
    xor ebx, ebx
above:
    check_equal eax, ebx, "CMOS: memory above 16 MiB", 10

    print "fw_cfg, e820 and CMOS agree on 0x"
    mov ebx, [kib]
    mov cx, 8
digit:
    rol ebx, 4
    mov al, bl
    and al, 0x0f
    add al, '0'
    cmp al, '9'
    jbe number
    add al, 'a' - '0' - 10
number:
    call put_16
    loop digit
    print " KiB", 10
    pass

; EAX = four bytes of what is selected.
little:
    push cx
    mov cx, 4
    mov dx, 0x511
.next:
    shr eax, 8
    mov ebx, eax
    in al, dx
    movzx eax, al
    shl eax, 24
    or eax, ebx
    loop .next
    pop cx
    ret

kib: dd 0
size: dd 0

    guest_routines 16
