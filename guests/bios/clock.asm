; SPDX-License-Identifier: MIT
;
; INT 1Ah: ticks since midnight by hypercall; date, time and alarm of the clock with a battery (MC146818) by
; its ports. All numbers are BCD. CF: there is no clock, or no alarm can be set.

CLOCK_SECONDS equ 0x00
CLOCK_ALARM_SECONDS equ 0x01
CLOCK_MINUTES equ 0x02
CLOCK_ALARM_MINUTES equ 0x03
CLOCK_HOURS equ 0x04
CLOCK_ALARM_HOURS equ 0x05
CLOCK_DAY equ 0x07
CLOCK_MONTH equ 0x08
CLOCK_YEAR equ 0x09
CLOCK_A equ 0x0a                ; 7: an update is under way
CLOCK_B equ 0x0b                ; 7: no updates; 5: alarm interrupt; 1: 24 hours; 0: daylight saving
CLOCK_D equ 0x0d                ; 7: the battery is good; all else is 0
CLOCK_CENTURY equ 0x32
CLOCK_POLLS equ 4096

CALLER_FLAGS equ 6                ; from BP, when that is pushed first

%macro clock_read 2             ; REGISTER, OF WHERE
    mov al, %2
    call cmos_read
    mov %1, al
%endmacro
%macro clock_write 2            ; WHERE, VALUE
    mov ah, %2
    mov al, %1
    call cmos_write
%endmacro

int_1a:
    cmp ah, 2
    jb int_1a_ticks
    cmp ah, 7
    ja int_1a_ticks
    push bp
    mov bp, sp
    push ax
    call clock_ready
    jc .no_clock
    pop ax
    push ax
    and byte [bp + CALLER_FLAGS], 0xfe
    cmp ah, 3
    jb .get_time
    je .set_time
    cmp ah, 5
    jb .get_date
    je .set_date
    cmp ah, 6
    je .set_alarm

; AH=07h
    clock_read ah, CLOCK_B
    and ah, 0xdf
    clock_write CLOCK_B, ah
    jmp .return

.no_clock:
    or byte [bp + CALLER_FLAGS], 1
.return:
    pop ax
    pop bp
    iret

.get_time:
    clock_read ch, CLOCK_HOURS
    clock_read cl, CLOCK_MINUTES
    clock_read dh, CLOCK_SECONDS
    clock_read dl, CLOCK_B
    and dl, 1
    jmp .return

.get_date:
    clock_read ch, CLOCK_CENTURY
    clock_read cl, CLOCK_YEAR
    clock_read dh, CLOCK_MONTH
    clock_read dl, CLOCK_DAY
    jmp .return

.set_time:
    call clock_stop
    clock_write CLOCK_HOURS, ch
    clock_write CLOCK_MINUTES, cl
    clock_write CLOCK_SECONDS, dh
    call clock_go
    jmp .return

.set_date:
    call clock_stop
    clock_write CLOCK_CENTURY, ch
    clock_write CLOCK_YEAR, cl
    clock_write CLOCK_MONTH, dh
    clock_write CLOCK_DAY, dl
    call clock_go
    jmp .return

; An alarm that is set already must be taken back first.
.set_alarm:
    clock_read ah, CLOCK_B
    test ah, 0x20
    jnz .no_clock
    clock_write CLOCK_ALARM_HOURS, ch
    clock_write CLOCK_ALARM_MINUTES, cl
    clock_write CLOCK_ALARM_SECONDS, dh
    clock_read ah, CLOCK_B
    or ah, 0x20
    clock_write CLOCK_B, ah
    in al, PIC2 + 1             ; let IRQ 8 through
    and al, 0xfe
    out PIC2 + 1, al
    jmp .return

; CF: there is none, or it does not come out of its update. Changes AX.
clock_ready:
    push cx
    clock_read ah, CLOCK_D
    test ah, 0x7f
    stc
    jnz .return
    mov cx, CLOCK_POLLS
.again:
    clock_read ah, CLOCK_A
    shl ah, 1                   ; CF: an update is under way
    jnc .return
    loop .again
    stc
.return:
    pop cx
    ret

clock_stop:
    clock_read ah, CLOCK_B
    or ah, 0x80
    jmp clock_control
clock_go:
    clock_read ah, CLOCK_B
    and ah, 0x7f
clock_control:
    mov al, CLOCK_B

; AL: where, AH: what. The index of cmos_read is left on D: no harm comes from a stray access there.
cmos_write:
    out CMOS_INDEX, al
    mov al, ah
    out CMOS_DATA, al
    jmp cmos_leave
cmos_read:
    out CMOS_INDEX, al
    in al, CMOS_DATA
cmos_leave:
    push ax
    mov al, CLOCK_D
    out CMOS_INDEX, al
    pop ax
    ret

int_1a_ticks:
    push eax
    push dword 0
    mov eax, HYPERCALL_BIOS + 0x1a
    vmcall
    add sp, 4
    pop eax
    iret
