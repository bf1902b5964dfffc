; SPDX-License-Identifier: MIT
; The 8254 and the clock against the TSC: over two of the clock's seconds, how far channel 0 counts, by latching it
; all the time, and how far the TSC. The test knows the TSC's rate and checks both.

%include "guest.inc"

    guest_start
    mov al, 0x34                ; channel 0, mode 2, divisor 65536
    out 0x43, al
    xor al, al
    out 0x40, al
    out 0x40, al

    call second
    call latch
    mov [last], ax
    rdtsc
    mov [tsc_start], eax
    xor ebp, ebp                ; ticks of the PIT
    mov byte [seconds], 2
count:
    call add_ticks
    call update_flag
    jz count
    dec byte [seconds]
    jnz count
    call add_ticks
    rdtsc
    sub eax, [tsc_start]
    mov [tsc_ticks], eax

    print "pit: "
    mov eax, ebp
    call print_decimal
    print " ticks in two seconds and "
    mov eax, [tsc_ticks]
    call print_decimal
    print " ticks of the TSC", 10
    pass

; EBP += ticks of the PIT since it was last latched, fewer than 65536.
add_ticks:
    call latch
    mov bx, [last]
    mov [last], ax
    sub bx, ax                  ; it counts down
    movzx ebx, bx
    add ebp, ebx
    ret

; Waits for the end of an update.
second:
    call update_flag
.wait:
    call update_flag
    jz .wait
    ret

; ZF clear if a second has ended since it was last read.
update_flag:
    mov al, 0x0c
    out 0x70, al
    in al, 0x71
    test al, 0x10
    ret

; AX = count of channel 0.
latch:
    xor al, al
    out 0x43, al
    in al, 0x40
    mov ah, al
    in al, 0x40
    xchg al, ah
    ret

; Prints EAX.
print_decimal:
    mov ebx, 10
    xor cx, cx
.divide:
    xor edx, edx
    div ebx
    push dx
    inc cx
    test eax, eax
    jnz .divide
.digit:
    pop ax
    add al, '0'
    call put_16
    loop .digit
    ret

last: dw 0
seconds: db 0
tsc_start: dd 0
tsc_ticks: dd 0

    guest_routines 16
