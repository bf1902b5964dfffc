; SPDX-License-Identifier: MIT
;
; What a program finds that a BIOS has started, and each BIOS function, from real mode. This file is its own
; drive: its sectors are read back, one of them is written, and INT 19h boots it a second time.

%include "guest.inc"

SCRATCH equ 0x20000             ; a page for what calls return
SCRATCH_SEGMENT equ SCRATCH >> 4
BOOTED_AT equ 0x500             ; a word that says that this is the second time
BOOTED equ 0x4242
SECTORS equ 16                  ; of this file
FLAG_CF equ 1
FLAG_ZF equ 0x40
FLAG_IF equ 0x200

%macro carry 1+                 ; the call must have failed
    check_condition c, %1
%endmacro
%macro no_carry 1+
    check_condition nc, %1
%endmacro

    org 0x7c00
    bits 16
    mov [cs:found_ss], ss
    mov [cs:found_sp], sp
    mov [cs:found_cs], cs
    mov [cs:found_dx], dx
    pushf
    pop word [cs:found_flags]
    xor eax, eax
    mov ds, ax
    mov es, ax
    cmp word [BOOTED_AT], BOOTED
    je second_time

    check_equal word [found_cs], 0, "entry: CS"
    check_equal word [found_ss], 0, "entry: SS"
    check_equal word [found_sp], 0x7c00, "entry: SP"
    check_equal byte [found_dx], 0x80, "entry: DL"
    test word [found_flags], FLAG_IF
    check_condition nz, "entry: interrupts are off"

    call vectors
    call data_area
    call video
    call disk
    call disk_extended
    call memory
    call keyboard
    call time
    call others

; From here on the drive: the sector that was written has another text.
    mov word [BOOTED_AT], BOOTED
    int 0x19
    fail "INT 19h came back"

second_time:
    check_equal byte [found_dx], 0x80, "second boot: DL"
    check_equal dword [written_sector], "OVER", "second boot: the sector that was written"
    print "bios: booted again, all is well", 10
    pass

; --- What is in memory ------------------------------------------------------------------------------------------
vectors:
    xor si, si
    mov cx, 256
.next:
    cmp word [si + 2], 0
    check_condition ne, "vectors: one leads to segment 0"
    add si, 4
    loop .next
    mov ax, 0xf000
    mov fs, ax
    check_equal dword [fs:0], "ADEP", "ROM: its first word"
    check_equal byte [fs:0xfff0], 0xea, "ROM: the reset vector"
    check_equal byte [fs:0xfffe], 0xfc, "ROM: the model byte"
    mov eax, 0x12345678
    mov ebx, 0x9abcdef0
    int 0x60                    ; nobody's
    check_equal eax, 0x12345678, "INT 60h: EAX"
    check_equal ebx, 0x9abcdef0, "INT 60h: EBX"
    int 0x0d                    ; a call, and no exception
    int 0x06
    ret

data_area:
    check_equal word [0x413], 639, "data area: memory"
    check_equal word [0x40e], 0x9fc0, "data area: the extended one"
    mov ax, [0x40e]
    mov fs, ax
    check_equal byte [fs:0], 1, "extended data area: its size"
    int 0x12
    check_equal ax, 639, "INT 12h"
    int 0x11
    check_equal ax, [0x410], "INT 11h"
    mov bx, ax
    and bx, 0x0031
    check_equal bx, 0x0020, "INT 11h: colour, no diskette"
    and ah, 0x0e
    check_equal word [0x400], 0x3f8, "data area: COM1"
    check_equal word [0x406], 0x2e8, "data area: COM4"
    check_equal ah, 0x08, "data area: four serial ports"
    check_equal byte [0x475], 1, "data area: disks"
    check_equal word [0x44a], 80, "data area: columns"
    check_equal byte [0x484], 24, "data area: rows"
    ret

; --- INT 10h ------------------------------------------------------------------------------------------------------
%macro teletype 1
    mov ax, 0x0e00 | %1
    int 0x10
%endmacro

video:
    mov ax, 0x0003
    int 0x10
    mov ah, 0x0f
    int 0x10
    check_equal ax, 0x5003, "INT 10h AH=0Fh: mode"
    check_equal bh, 0, "INT 10h AH=0Fh: page"
    mov ah, 2
    xor bh, bh
    mov dx, 0x0510
    int 0x10
    mov ah, 3
    int 0x10
    check_equal dx, 0x0510, "INT 10h AH=03h: position"
    check_equal cx, 0x0607, "INT 10h AH=03h: shape"
    mov ah, 1
    mov cx, 0x0a0b
    int 0x10
    check_equal word [0x460], 0x0a0b, "INT 10h AH=01h"
    teletype 't'
    teletype 't'
    teletype 'y'
    teletype 7
    mov ah, 3
    int 0x10
    check_equal dx, 0x0513, "INT 10h AH=0Eh: the cursor moves"
    teletype 13
    teletype 10
    mov ah, 3
    int 0x10
    check_equal dx, 0x0600, "INT 10h AH=0Eh: a new line"
    mov ax, 0x1301              ; and the cursor moves
    mov bx, 0x0007
    mov cx, string_end - string
    mov dx, 0x1800              ; the last row: the screen moves up
    mov bp, string
    int 0x10
    mov ah, 3
    int 0x10
    check_equal dx, 0x1800, "INT 10h AH=13h: the cursor"
    mov ax, 0xb800              ; what is on the screen
    mov fs, ax
    check_equal dword [fs:23 * 160], 0x07200761, "text memory: the string"
    mov ah, 2
    mov dx, 0x1702
    int 0x10
    mov ah, 8
    int 0x10
    check_equal ax, 0x0773, "INT 10h AH=08h"
    mov ax, 0x1130
    mov bh, 6
    push es
    int 0x10
    check_equal byte [es:bp + 'I' * 16 + 6], 0x18, "INT 10h AX=1130h: the letter I"
    pop es
    check_equal cx, 16, "INT 10h AX=1130h: height"
    check_equal dl, 24, "INT 10h AX=1130h: rows"
    mov ah, 0x12
    mov bl, 0x10
    int 0x10
    check_equal bx, 3, "INT 10h AH=12h"
    mov ax, 0x1a00
    int 0x10
    check_equal al, 0x1a, "INT 10h AH=1Ah"
    mov ax, 0x4f00              ; no VESA modes: AL is not 4Fh... it stays
    int 0x10
    check_equal ax, 0x4f00, "INT 10h AX=4F00h"
    ret

string: db "a string", 13, 10
string_end:

; --- INT 13h ------------------------------------------------------------------------------------------------------
disk:
    mov ah, 0
    mov dl, 0x80
    int 0x13
    no_carry "INT 13h AH=00h"
    mov ah, 8
    mov dl, 0x80
    int 0x13
    no_carry "INT 13h AH=08h"
    check_equal dx, 0x0f01, "INT 13h AH=08h: last head, drives"
    check_equal cx, 0x003f, "INT 13h AH=08h: last cylinder, sectors"
    push word SCRATCH_SEGMENT
    pop es
    mov ax, 0x0202              ; sectors 2 and 3 are this program's second and third
    mov cx, 0x0002
    mov dx, 0x0080
    xor bx, bx
    int 0x13
    no_carry "INT 13h AH=02h"
    check_equal ax, 0x0002, "INT 13h AH=02h: status, sectors"
    mov si, 0x7e00
    xor di, di
    mov cx, 1024
    repe cmpsb
    check_condition e, "INT 13h AH=02h: what was read"
    mov dword [es:0], "OVER"
    mov ax, 0x0301
    mov cx, SECTORS
    mov dx, 0x0080
    xor bx, bx
    int 0x13
    no_carry "INT 13h AH=03h"
    mov ax, 0x0401
    int 0x13
    no_carry "INT 13h AH=04h"
    check_equal dword [written_sector], "SAME", "INT 13h AH=03h: wrote to memory"

    mov ax, 0x0201              ; sector 0 does not exist
    mov cx, 0x0000
    int 0x13
    carry "INT 13h: sector 0"
    check_equal ah, 1, "INT 13h: sector 0: status"
    mov ax, 0x0201              ; behind the end
    mov cx, SECTORS + 1
    int 0x13
    carry "INT 13h: behind the end"
    check_equal ah, 4, "INT 13h: behind the end: status"
    mov ax, 0x0202              ; half of it is there
    mov cx, SECTORS
    int 0x13
    carry "INT 13h: over the end"
    check_equal ax, 0x0400, "INT 13h: over the end: status, sectors"
    mov ah, 1
    int 0x13
    carry "INT 13h AH=01h: the last status"
    check_equal ah, 4, "INT 13h AH=01h: the last status"
    mov ax, 0x0201
    mov cx, 1
    mov dl, 0x81
    int 0x13
    carry "INT 13h: the second disk"
    check_equal ah, 1, "INT 13h: the second disk: status"
    mov ax, 0x0201
    mov dl, 0
    int 0x13
    carry "INT 13h: a diskette"
    check_equal ah, 0x80, "INT 13h: a diskette: status"
    mov ah, 0x15
    mov dl, 0x80
    int 0x13
    no_carry "INT 13h AH=15h"
    check_equal ah, 3, "INT 13h AH=15h: a disk"
    check_equal cx, 0, "INT 13h AH=15h: sectors, high"
    check_equal dx, SECTORS, "INT 13h AH=15h: sectors, low"
    mov ah, 0x15
    mov dl, 0x81
    int 0x13
    check_equal ah, 0, "INT 13h AH=15h: no second disk"
    mov ax, 0x0501              ; formatting is not there
    mov dl, 0x80
    int 0x13
    carry "INT 13h AH=05h"
    check_equal ah, 1, "INT 13h AH=05h: status"
    push word 0
    pop es
    ret

disk_extended:
    mov ah, 0x41
    mov bx, 0x55aa
    mov dl, 0x80
    int 0x13
    no_carry "INT 13h AH=41h"
    check_equal bx, 0xaa55, "INT 13h AH=41h: BX"
    check_equal ah, 0x21, "INT 13h AH=41h: version"
    check_equal cx, 1, "INT 13h AH=41h: what is there"
    mov ah, 0x48
    mov si, SCRATCH_RESULT
    mov word [si], 26
    int 0x13
    no_carry "INT 13h AH=48h"
    check_equal dword [si + 16], SECTORS, "INT 13h AH=48h: sectors"
    check_equal word [si + 24], 512, "INT 13h AH=48h: bytes a sector"
    mov ah, 0x42
    mov si, packet
    int 0x13
    no_carry "INT 13h AH=42h"
    check_equal ah, 0, "INT 13h AH=42h: status"
    push word SCRATCH_SEGMENT
    pop fs
    check_equal dword [fs:0x100], "OVER", "INT 13h AH=42h: what was read"
    mov ah, 0x44
    int 0x13
    no_carry "INT 13h AH=44h"
    mov ax, 0x4300
    int 0x13
    no_carry "INT 13h AH=43h"
    mov ah, 0x47
    int 0x13
    no_carry "INT 13h AH=47h"
    mov dword [packet + 8], SECTORS
    mov ah, 0x42
    int 0x13
    carry "INT 13h AH=42h: behind the end"
    check_equal ah, 4, "INT 13h AH=42h: behind the end: status"
    check_equal word [packet + 2], 0, "INT 13h AH=42h: behind the end: sectors"
    mov byte [packet], 8
    mov ah, 0x42
    int 0x13
    carry "INT 13h AH=42h: a short packet"
    mov ah, 0x41
    mov bx, 0x55aa
    mov dl, 0x81
    int 0x13
    carry "INT 13h AH=41h: the second disk"
    ret

; --- INT 15h ------------------------------------------------------------------------------------------------------
memory:
    xor ebx, ebx
    xor esi, esi                ; bytes usable
    xor ebp, ebp                ; ranges
.next:
    mov eax, 0xe820
    mov ecx, 24
    mov edx, 0x534d4150
    mov di, SCRATCH_RESULT
    int 0x15
    no_carry "INT 15h AX=E820h"
    check_equal eax, 0x534d4150, "INT 15h AX=E820h: EAX"
    check_equal ecx, 20, "INT 15h AX=E820h: ECX"
    inc bp
    cmp dword [di + 16], 1
    jne .reserved
    add esi, [di + 8]
.reserved:
    test ebx, ebx
    jnz .next
    check_equal esi, (16 << 20) - (0x60000 + 0x400), "INT 15h AX=E820h: usable bytes"
    check_equal bp, 4, "INT 15h AX=E820h: ranges"
    mov eax, 0xe820
    mov edx, 0
    mov ecx, 24
    int 0x15
    carry "INT 15h AX=E820h without SMAP"
    mov ax, 0xe801
    int 0x15
    no_carry "INT 15h AX=E801h"
    check_equal ax, 15 << 10, "INT 15h AX=E801h: AX"
    check_equal bx, 0, "INT 15h AX=E801h: BX"
    check_equal cx, 15 << 10, "INT 15h AX=E801h: CX"
    mov ah, 0x88
    int 0x15
    no_carry "INT 15h AH=88h"
    check_equal ax, 15 << 10, "INT 15h AH=88h"

    mov ah, 0x87                ; this program to 1 MiB and back
    mov cx, 512
    mov si, table_up
    int 0x15
    no_carry "INT 15h AH=87h"
    check_equal ah, 0, "INT 15h AH=87h: status"
    mov ah, 0x87
    mov cx, 512
    mov si, table_down
    int 0x15
    no_carry "INT 15h AH=87h, down"
    push es
    push word SCRATCH_SEGMENT
    pop es
    mov si, 0x7c00
    mov di, 0x400
    mov cx, 1024
    repe cmpsb
    check_condition e, "INT 15h AH=87h: what was moved"
    pop es

    mov ax, 0x2401
    int 0x15
    no_carry "INT 15h AX=2401h"
    mov ax, 0x2402
    int 0x15
    no_carry "INT 15h AX=2402h"
    check_equal ax, 0x0001, "INT 15h AX=2402h: A20 is open"
    mov ax, 0x2403
    int 0x15
    no_carry "INT 15h AX=2403h"
    mov ah, 0xc0
    push es
    int 0x15
    no_carry "INT 15h AH=C0h"
    check_equal byte [es:bx + 2], 0xfc, "INT 15h AH=C0h: model"
    pop es
    mov ah, 0xc1
    push es
    int 0x15
    mov ax, es
    pop es
    check_equal ax, 0x9fc0, "INT 15h AH=C1h"
    mov ax, 0x4f1e
    stc
    int 0x15
    carry "INT 15h AH=4Fh"
    check_equal al, 0x1e, "INT 15h AH=4Fh: the scan code"
    mov ah, 0x01                ; cassette motor
    int 0x15
    carry "INT 15h AH=01h"
    check_equal ah, 0x86, "INT 15h AH=01h: status"
    mov ah, 0x01
    int 0x15
    ret

; --- INT 16h ------------------------------------------------------------------------------------------------------
keyboard:
    mov ah, 1
    int 0x16
    check_condition z, "INT 16h AH=01h: a key from nowhere"
    mov ah, 5
    mov cx, 0x1e61
    int 0x16
    check_equal al, 0, "INT 16h AH=05h"
    mov ah, 5
    mov cx, 0x48e0              ; up, of the separate keys
    int 0x16
    mov ah, 1
    int 0x16
    check_condition nz, "INT 16h AH=01h: no key"
    check_equal ax, 0x1e61, "INT 16h AH=01h: the key"
    mov ah, 0x11
    int 0x16
    check_condition nz, "INT 16h AH=11h"
    mov ah, 0
    int 0x16
    check_equal ax, 0x1e61, "INT 16h AH=00h"
    mov ah, 1
    int 0x16
    check_equal ax, 0x4800, "INT 16h AH=01h: as the old keyboard"
    mov ah, 0x10
    int 0x16
    check_equal ax, 0x48e0, "INT 16h AH=10h"
    mov ah, 0x11
    int 0x16
    check_condition z, "INT 16h: the buffer is empty again"
    mov si, 15
.fill:
    mov ah, 5
    int 0x16
    check_equal al, 0, "INT 16h AH=05h: fifteen keys have room"
    dec si
    jnz .fill
    mov ah, 5
    int 0x16
    check_equal al, 1, "INT 16h AH=05h: no sixteenth"
    mov ax, [0x41a]
    mov [0x41c], ax             ; empty
    mov ah, 2
    int 0x16
    check_equal al, 0, "INT 16h AH=02h"
    mov ax, 0x12ff
    int 0x16
    check_equal ax, 0, "INT 16h AH=12h"
    mov ah, 9
    int 0x16
    check_equal al, 0x20, "INT 16h AH=09h"
    ret

; --- Time -----------------------------------------------------------------------------------------------------------
time:
    mov ah, 1
    mov cx, 0x0012
    mov dx, 0x3456
    int 0x1a
    mov ah, 0
    int 0x1a
    no_carry "INT 1Ah AH=00h"
    check_equal cx, 0x0012, "INT 1Ah AH=00h: high"
    sub dx, 0x3456
    cmp dx, 2
    check_condition b, "INT 1Ah AH=00h: low"
    check_equal al, 0, "INT 1Ah AH=00h: midnight"
    mov ah, 0x86                ; 220 ms are four ticks at least
    mov cx, 220000 >> 16
    mov dx, 220000 & 0xffff
    int 0x15
    no_carry "INT 15h AH=86h"
    mov ah, 0
    int 0x1a
    sub dx, 0x3456 + 4
    cmp dx, 3
    check_condition b, "INT 15h AH=86h: as long as told"
    mov ah, 1                   ; the day's last tick
    mov cx, 0x0018
    mov dx, 0x00af
    int 0x1a
    mov ah, 0x86
    mov cx, 1
    mov dx, 0
    int 0x15
    mov ah, 0
    int 0x1a
    check_equal al, 1, "INT 1Ah AH=00h: a day has passed"
    check_equal cx, 0, "INT 1Ah AH=00h: after midnight"
    mov ah, 2                   ; the clock
    int 0x1a
    no_carry "INT 1Ah AH=02h"
    cmp ch, 0x24
    check_condition b, "INT 1Ah AH=02h: hours"
    cmp cl, 0x60
    check_condition b, "INT 1Ah AH=02h: minutes"
    mov ah, 4
    int 0x1a
    no_carry "INT 1Ah AH=04h"
    cmp dh, 0x13
    check_condition b, "INT 1Ah AH=04h: month"
    mov ah, 3                   ; 23:59:58
    mov cx, 0x2359
    mov dx, 0x5800
    int 0x1a
    no_carry "INT 1Ah AH=03h"
    mov ah, 2
    int 0x1a
    no_carry "INT 1Ah AH=02h, set"
    check_equal cx, 0x2359, "INT 1Ah AH=03h: hours, minutes"
    check_equal dh, 0x58, "INT 1Ah AH=03h: seconds"
    mov ah, 5
    mov cx, 0x2024
    mov dx, 0x0229
    int 0x1a
    no_carry "INT 1Ah AH=05h"
    mov ah, 4
    int 0x1a
    check_equal cx, 0x2024, "INT 1Ah AH=05h: century, year"
    check_equal dx, 0x0229, "INT 1Ah AH=05h: month, day"
    mov ah, 6
    int 0x1a
    no_carry "INT 1Ah AH=06h"
    mov ah, 6
    int 0x1a
    carry "INT 1Ah AH=06h: an alarm is set already"
    mov ah, 7
    int 0x1a
    no_carry "INT 1Ah AH=07h"
    mov word [0x1c * 4], tick
    mov word [0x1c * 4 + 2], 0
    mov eax, 0x11223344
    int 0x08
    check_equal eax, 0x11223344, "INT 08h: EAX"
    check_equal byte [ticked], 1, "INT 08h does not call INT 1Ch"
    ret

tick:
    mov byte [cs:ticked], 1
    iret

; --- The rest -------------------------------------------------------------------------------------------------------
others:
    mov ah, 3
    xor dx, dx
    int 0x14
    test ah, 0x60
    check_condition nz, "INT 14h AH=03h: the transmitter is busy"
    mov si, serial_text
.send:
    lodsb
    mov ah, 1
    xor dx, dx
    int 0x14
    test ah, 0x80
    check_condition z, "INT 14h AH=01h"
    cmp al, 10
    jne .send
    mov ah, 3
    mov dx, 7
    int 0x14
    check_equal ah, 0x80, "INT 14h: a port that is not there"
    mov ah, 0
    xor dx, dx
    int 0x17
    check_equal ah, 1, "INT 17h: no printer"
    mov ax, 0xb101
    int 0x1a
    carry "INT 1Ah AH=B1h"
    check_equal ah, 0x81, "INT 1Ah AH=B1h: status"
    ret

serial_text: db "by INT 14h", 10

found_ss: dw 0
found_sp: dw 0
found_cs: dw 0
found_dx: dw 0
found_flags: dw 0
ticked: db 0

    align 4, db 0
packet: db 16, 0                ; sectors, buffer, first sector
    dw 1
    dw 0x100, SCRATCH_SEGMENT
    dq SECTORS - 1

%macro descriptor 1
    dw 0xffff, %1 & 0xffff
    db (%1 >> 16) & 0xff, 0x93, 0, %1 >> 24
%endmacro
table_up:
    dq 0, 0
    descriptor 0x7c00
    descriptor 0x100000
    dq 0, 0
table_down:
    dq 0, 0
    descriptor 0x100000
    descriptor (SCRATCH + 0x400)
    dq 0, 0

    guest_routines 16

    times 512 * (SECTORS - 1) - ($ - $$) db 0
written_sector: db "SAME"
    times 512 * SECTORS - ($ - $$) db 0
SCRATCH_RESULT equ 0x7000
