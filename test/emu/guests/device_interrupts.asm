; SPDX-License-Identifier: MIT
;
; Interrupts of the devices through the 8259s, in real mode: keyboard; UART's transmitter and receiver; the clock's alarm and update; each mode of the
; 8254 that gives one; a level by ELCR; a request that goes away before it is acknowledged.

%include "guest.inc"

MASTER equ 0x20
SLAVE equ 0xa0
PIT equ 0x40
CMOS equ 0x70
COM2 equ 0x2f8                  ; IRQ 3

%macro write_port 2
    mov al, %2
%if %1 < 256
    out %1, al
%else
    mov dx, %1
    out dx, al
%endif
%endmacro
%macro read_port 1
    mov dx, %1
    in al, dx
%endmacro
; Only this input of the 8259s is open.
%macro only 1
%if %1 < 8
    write_port MASTER + 1, ~(1 << %1) & 0xff
    write_port SLAVE + 1, 0xff
%else
    write_port MASTER + 1, 0xfb
    write_port SLAVE + 1, ~(1 << (%1 - 8)) & 0xff
%endif
    mov dword [count], 0
    mov dword [causes], 0
%endmacro
%macro write_cmos 2
    write_port CMOS, %1
    write_port CMOS + 1, %2
%endmacro
; A character into the receiver, in loopback mode, which keeps the interrupt from the bus.
%macro send_to_itself 1
    write_port COM2 + 4, 0x18
    write_port COM2, %1
    write_port COM2 + 4, 0x08
%endmacro
; A count for channel 0 in a mode.
%macro count_down 2
    write_port PIT + 3, 0x30 | %1 << 1
    write_port PIT, %2 & 0xff
    write_port PIT, %2 >> 8
%endmacro

    guest_start
    check_version
    mov bx, 0x20 * 4
    mov ax, irq_0
next_vector:
    mov [bx], ax
    mov word [bx + 2], 0
    add ax, irq_1 - irq_0
    add bx, 4
    cmp bx, 0x30 * 4
    jb next_vector
    mov bp, 0                           ; edges
    call set_controllers

    ; A byte that the controller gives for the keyboard's: command D2h.
    only 1
    write_port 0x64, 0x60
    write_port 0x60, 0x41
    write_port 0x64, 0xd2
    write_port 0x60, 0x1e
    sti
    nop
    nop
    cli
    check_equal dword [count], 1, "keyboard: an interrupt"
    in al, 0x60
    check_equal al, 0x1e, "keyboard: its byte"
    sti
    nop
    nop
    cli
    check_equal dword [count], 1, "keyboard: one interrupt"
    print "device_interrupts: keyboard", 10

    ; The transmitter is empty at once, and that is one interrupt; reading the cause takes it back.
    only 3
    write_port COM2 + 4, 0x08           ; OUT2 lets interrupts through
    write_port COM2 + 1, 2
    sti
    nop
    nop
    cli
    check_equal dword [count], 1, "UART: the transmitter is empty"
    check_equal byte [causes], 2, "UART: which is the cause"
    write_port COM2 + 1, 1
    send_to_itself 'x'
    sti
    nop
    nop
    cli
    check_equal dword [count], 2, "UART: a character was received"
    check_equal byte [causes], 4, "UART: which is the cause"
    read_port COM2
    check_equal al, 'x', "UART: the character"
    write_port COM2 + 1, 0
    print "device_interrupts: UART", 10

    ; The clock: an update every second, and an alarm at each second.
    only 8
    write_cmos 0x01, 0xff
    write_cmos 0x03, 0xff
    write_cmos 0x05, 0xff
    write_cmos 0x0a, 0x26
    write_cmos 0x0b, 0x12
    write_port CMOS, 0x0c
    in al, CMOS + 1
    sti
    hlt
    cli
    test byte [causes], 0x10
    check_condition nz, "clock: an update"
    write_cmos 0x0b, 0x22
    mov dword [causes], 0
    sti
    hlt
    cli
    check_equal dword [count], 2, "clock: two interrupts"
    test byte [causes], 0x20
    check_condition nz, "clock: an alarm"
    write_cmos 0x0b, 0x02
    print "device_interrupts: clock", 10

    ; The 8254: mode 0 once, 2 and 3 again and again, 4 once.
    count_down 2, 0xffff                ; high, so that the next is an edge
    only 0
    mov cx, 1
    count_down 0, 20000
    call ticks
    count_down 0, 20000
    mov cx, 2
    call ticks
    count_down 2, 20000
    mov cx, 5
    call ticks
    count_down 3, 20000
    mov cx, 9
    call ticks
    count_down 4, 20000
    mov cx, 10
    call ticks
    ; Neither mode 0 nor 4 comes again: the alarm of the next second wakes before.
    write_port SLAVE + 1, 0xfe
    write_port MASTER + 1, 0xfa
    write_cmos 0x0b, 0x12
    mov dword [causes], 0
    sti
    hlt
    cli
    test byte [causes], 0x10
    check_condition nz, "8254: mode 4 comes once"
    write_cmos 0x0b, 0x02
    print "device_interrupts: 8254", 10

    ; A level: as long as the receiver has its character the interrupt comes again.
    mov bp, 0x08
    call set_controllers
    only 3
    mov byte [receiver_keeps], 1
    write_port COM2 + 1, 1
    send_to_itself 'y'
    sti
    nop
    nop
    nop
    cli
    check_equal dword [count], 3, "ELCR: a level comes until it is served"
    ; It goes away while nobody listens: then there is nothing to acknowledge.
    send_to_itself 'z'
    read_port COM2
    mov dword [count], 0
    sti
    nop
    nop
    cli
    check_equal dword [count], 0, "ELCR: a level that has gone"
    print "device_interrupts: level", 10
    pass

; Sleeps until CX interrupts have come.
ticks:
    sti
    hlt
    cli
    cmp [count], cx
    jb ticks
    check_equal word [count], cx, "8254: so many interrupts"
    ret

; Both 8259s, vectors 20h to 2Fh; BP: ELCR of the first.
set_controllers:
    write_port MASTER, 0x11
    write_port SLAVE, 0x11
    write_port MASTER + 1, 0x20
    write_port SLAVE + 1, 0x28
    write_port MASTER + 1, 4
    write_port SLAVE + 1, 2
    write_port MASTER + 1, 1
    write_port SLAVE + 1, 1
    mov dx, 0x4d0
    mov ax, bp
    out dx, al
    ret

%macro stub 1
irq_%1:
    push word %1
    jmp near interrupt
%endmacro
%assign number 0
%rep 16
    stub number
    %assign number number + 1
%endrep

; Counts, and keeps the cause that a UART or the clock tells.
interrupt:
    pushad
    mov bp, sp
    mov bx, [bp + 32]
    inc dword [count]
    cmp bx, 3
    jne .no_uart
    mov dx, COM2 + 2
    in al, dx
    and al, 0x0f
    mov [causes], al
    cmp byte [receiver_keeps], 0
    je .no_uart
    cmp dword [count], 3                ; a level: read at last
    jb .no_uart
    mov dx, COM2
    in al, dx
.no_uart:
    cmp bx, 8
    jne .no_clock
    mov al, 0x0c
    out CMOS, al
    in al, CMOS + 1
    mov [causes], al
.no_clock:
    mov al, 0x20
    cmp bx, 8
    jb .first
    out SLAVE, al
.first:
    out MASTER, al
    popad
    add sp, 2
    iret

    guest_routines 16
    align 4
count: dd 0
causes: dd 0
receiver_keeps: db 0
