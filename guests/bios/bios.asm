; SPDX-License-Identifier: MIT
;
; The real-mode part of the guests' BIOS, at f000:0000 in their ROM. It is thin: a stub for each interrupt
; hands the call to the hypervisor (vmm/bios/bios.c), which works on the caller's registers and memory. What is done
; here by hand is what belongs to ports: the interrupt controllers, the keyboard's data port, the serial ports
; and the clock. Those go through the guest's virtual devices like any program's accesses.
;
; The hypervisor copies this file into the ROM, adds fonts, date and model byte, and points the vectors here.
;
;   service NUMBER       INT NUMBERh is a hypercall
;   interrupt_none       what nobody serves: it returns

%include "hypercall_abi.inc"

PIC1 equ 0x20
PIC2 equ 0xa0
PIC_END equ 0x20
PIC_READ_IN_SERVICE equ 0x0b
NO_CONTROLLER equ 0xff          ; all eight in service: nobody answers at the port
KEYBOARD_DATA equ 0x60
CMOS_INDEX equ 0x70
CMOS_DATA equ 0x71
FPU_BUSY equ 0xf0
BDA equ 0x40                    ; segment
BDA_SERIAL_PORTS equ 0x00
BDA_LAST_INTERRUPT equ 0x6b

    bits 16
    org 0

    db "ADEPT ROM"
    times 0x10 - ($ - $$) db 0

; BIOS_ROM_HEADER and struct bios_rom of vmm/bios/data.h.
    dw reset
    dw floppy_parameters
    dw configuration
    dw 0xd000                   ; 8x16 font: 4 KiB that the hypervisor fills
    dw 0xe000                   ; 8x8 font: 2 KiB
    dw program_end
%macro vectors 2+               ; HOW MANY, THE STUB
    times %1 dw %2
%endmacro
vector_table:
    dw int_00, interrupt_none, interrupt_none, interrupt_none, interrupt_none, int_05, int_06, int_07
    dw int_08, int_09, irq_2, irq_3, irq_4, irq_5, irq_6, irq_7
    dw int_10, int_11, int_12, int_13, int_14, int_15, int_16, int_17
    dw int_18, int_19, int_1a
    vectors 0x40 - 0x1b, interrupt_none
    dw int_13                   ; 40h: where INT 13h of diskettes was
    dw interrupt_none
    dw int_10                   ; 42h: where the first adapter's INT 10h was
    vectors 0x70 - 0x43, interrupt_none
    dw irq_8, irq_9, irq_10, irq_11, irq_12, irq_13, irq_14, irq_15
    vectors 0x100 - 0x78, interrupt_none
    times vector_table + 512 - $ db 0   ; fails if there are not 256

interrupt_none:
    iret

; --- Hypercalls ---------------------------------------------------------------------------------------------
; The hypervisor finds the caller's EAX on the stack, below what INT pushed, and below that how far the call is: 0 at first.
%macro service 1
int_%1:
    push eax
    push dword 0
%%again:
    mov eax, HYPERCALL_BIOS + 0x%1
    vmcall
    test eax, eax
    jnz %%not_yet
    add sp, 4
    pop eax
    iret
%%not_yet:
    push word %%again
    jmp answer
%endmacro

; EAX is an answer other than "return"; on the stack: where to call again, then the frame.
answer:
    cmp eax, BIOS_ANSWER_HALT
    je .halt
    cmp eax, BIOS_ANSWER_AGAIN
    je .poll
    add sp, 2 + 4               ; an error: the call could not be made
    pop eax
    iret
.halt:
    sti
    hlt
    cli
    ret
.poll:
    sti
    pause
    cli
    ret

    service 00                  ; exceptions: 0 #DE, 5 #BR, 6 #UD, 7 #NM...
    service 05
    service 06
    service 07
    service 0c                  ; ...0Ch #SS and 0Dh #GP share their vectors with IRQ 4 and 5
    service 0d
    service 10
    service 11
    service 12
    service 13
    service 15
    service 16
    service 17
    service 18

; --- INT 19h: boots ------------------------------------------------------------------------------------------
int_19:
    cli
    xor ax, ax
    mov ss, ax
    mov esp, 0x7c00
    mov ds, ax
    mov es, ax
    pushf                       ; a frame like the others'
    push cs
    push ax
    push eax
    push dword 0
.again:
    mov eax, HYPERCALL_BIOS + 0x19
    vmcall
    cmp eax, BIOS_ANSWER_AGAIN
    je .more
    mov sp, 0x7c00
    push ebx                    ; CS:IP
    sti
    retf
.more:
    sti
    pause
    cli
    jmp .again

reset:
    mov eax, HYPERCALL_BIOS_RESET
    vmcall
    jmp reset

; --- Interrupt requests ---------------------------------------------------------------------------------------
; IRQ 0, 18.2 times a second: counts, and lets programs count.
int_08:
    push ds
    push edx
    push eax
    pushf                       ; a frame of its own: how far it is, EAX, IP, CS, FLAGS
    push cs
    push ax
    push eax
    push dword 0
    mov eax, HYPERCALL_BIOS + 0x08
    vmcall
    add sp, 14
    int 0x1c
    mov al, PIC_END
    out PIC1, al
    pop eax
    pop edx
    pop ds
    iret

; IRQ 1: a byte from the keyboard. A program may take it at INT 15h AH=4Fh by clearing the carry flag.
int_09:
    push ebx
    push eax
    in al, KEYBOARD_DATA
    mov ah, 0x4f
    stc
    int 0x15
    jnc .done
    movzx ebx, al
    pushf
    push cs
    push ax
    push eax
    push dword 0
    mov eax, HYPERCALL_BIOS + 0x09
    vmcall
    add sp, 14
    cmp eax, BIOS_ANSWER_BREAK
    jne .done
    int 0x1b
.done:
    mov al, PIC_END
    out PIC1, al
    pop eax
    pop ebx
    iret

; An interrupt request that no program serves is acknowledged. Without one in service it was an INT, or for two
; of the vectors an exception.
%macro request 2                ; ITS NUMBER AT THE FIRST CONTROLLER, WHERE TO GO ELSE
irq_%1:
    push ax
    mov al, PIC_READ_IN_SERVICE
    out PIC1, al
    in al, PIC1
    cmp al, NO_CONTROLLER
    je %%none
    test al, 1 << %1
    jz %%none
    call remember
    mov al, PIC_END
    out PIC1, al
    pop ax
    iret
%%none:
    pop ax
    jmp %2
%endmacro

    request 2, interrupt_none
    request 3, interrupt_none
    request 4, int_0c
    request 5, int_0d
    request 6, interrupt_none
    request 7, interrupt_none   ; without one in service it is the controller's spurious one

; AL to where programs find the last unexpected request.
remember:
    push ds
    push word BDA
    pop ds
    mov [BDA_LAST_INTERRUPT], al
    pop ds
    ret

; Of the second controller, with the number at it.
%macro request_high 2
irq_%1:
    push ax
    mov al, PIC_READ_IN_SERVICE
    out PIC2, al
    in al, PIC2
    cmp al, NO_CONTROLLER
    je %%return
    test al, 1 << %2
    jz %%spurious
    request_high_%1
    mov al, PIC_END
    out PIC2, al
%%first:
    mov al, PIC_END
    out PIC1, al
%%return:
    pop ax
    iret
%%spurious:                     ; the first controller has seen a request all the same
    mov al, PIC_READ_IN_SERVICE
    out PIC1, al
    in al, PIC1
    test al, 1 << 2
    jnz %%first
    jmp %%return
%endmacro

; IRQ 8, the clock: reading register C allows the next one; its alarm is INT 4Ah.
%macro request_high_8 0
    mov al, 0x0c
    out CMOS_INDEX, al
    in al, CMOS_DATA
    test al, 0x20
    jz %%no_alarm
    int 0x4a
%%no_alarm:
%endmacro
%macro request_high_9 0
    call remember
%endmacro
%define request_high_10 call remember
%define request_high_11 call remember
%define request_high_12 call remember
%define request_high_14 call remember
%define request_high_15 call remember
; IRQ 13, the coprocessor: NMI's vector is where programs expect its errors.
%macro request_high_13 0
    xor al, al
    out FPU_BUSY, al
    int 0x02
%endmacro

    request_high 8, 0
    request_high 9, 1
    request_high 10, 2
    request_high 11, 3
    request_high 12, 4
    request_high 13, 5
    request_high 14, 6
    request_high 15, 7

%include "serial.asm"
%include "clock.asm"

; --- Tables ---------------------------------------------------------------------------------------------------
; INT 1Eh. The hypervisor writes the sectors a track of the diskette that is in.
floppy_parameters:
    db 0xaf, 0x02               ; step rate, head unload and load times
    db 0x25                     ; ticks until the motor stops
    db 2, 18                    ; 512 bytes a sector, sectors a track
    db 0x1b, 0xff, 0x6c         ; gap, data length, gap when formatting
    db 0xf6                     ; fill byte
    db 15, 8                    ; head settle time, motor start time

; INT 15h AH=C0h.
configuration:
    dw 8
    db 0xfc, 0x01, 0            ; model AT, submodel, revision
    db 0x74                     ; second 8259A, clock, INT 15h AH=4Fh, extended BIOS data area
    db 0x40                     ; INT 16h AH=09h
    db 0, 0, 0

program_end:
