; SPDX-License-Identifier: MIT
;
; For the monitor to step over: instructions that the hypervisor does (0x7e00), a HLT with an interrupt that waits and one with an interrupt that is
; still to come (0x7f00), the guest's own single step and its exceptions (0x8000), a HLT that nothing can wake (0x8200). It says whether it
; has ever seen an RFLAGS.TF that it has not set, and whether its own traps came where they should.

%include "guest.inc"
%include "test/emu/guests/master_pic.inc"

TF equ 0x100

    guest_start
    mov word [0 * 4], on_divide
    mov word [1 * 4], on_debug
    mov word [3 * 4], on_breakpoint
    mov word [0x20 * 4], on_tick
    xor ax, ax
    mov [0 * 4 + 2], ax
    mov [1 * 4 + 2], ax
    mov [3 * 4 + 2], ax
    mov [0x20 * 4 + 2], ax
    master_pic 0xfe             ; IRQ 0 alone
    jmp 0:exits

    times 0x200 - ($ - $$) db 0x90
exits:                          ; 0x7e00
    xor eax, eax
    cpuid
    mov eax, HYPERCALL_VERSION
    vmcall
    mov ecx, 0x10               ; IA32_TIME_STAMP_COUNTER
    rdmsr
    mov ecx, 0xfe               ; IA32_MTRRCAP
    rdmsr
    mov dx, 0x1234              ; nobody has it
    in al, dx
    in al, 0x61
    out 0x80, al
    rdtsc
    wbinvd
    mov dx, 0x80
    mov si, 0x7c00
    mov cx, 3
    rep outsb
    jmp 0:sleeps

    times 0x300 - ($ - $$) db 0x90
sleeps:                         ; 0x7f00
    mov word [ticks], 0
    mov al, 0x30                ; 8254: channel 0, mode 0: one interrupt, at once
    out 0x43, al
    mov al, 1
    out 0x40, al
    mov al, 0
    out 0x40, al
    mov cx, 200
    loop $                      ; it waits
    sti
    hlt
    nop
    cli
    check_equal word [ticks], 1, "a HLT with an interrupt that waits"
    mov al, 0x30
    out 0x43, al
    xor al, al                  ; in 65536 ticks of the timer
    out 0x40, al
    out 0x40, al
    sti
    hlt
    nop
    cli
    check_equal word [ticks], 2, "a HLT with an interrupt that comes later"
    jmp 0:traps

    times 0x400 - ($ - $$) db 0x90
traps:                          ; 0x8000
    mov word [traps_seen], 0
    push word 0x0102
    popf                        ; TF is the guest's own now
    nop
    pushf                       ; and so it sees it
    pop ax
    push word 0x0002
    popf
    nop
    test ax, TF
    check_condition nz, "its own TF"
    check_equal word [traps_seen], 5, "its own traps: NOP, PUSHF, POP, PUSH, POPF"
    int3
    nop
    mov bl, 0
    div bl
    nop
    pushf
    pop ax
    test ax, TF
    check_condition z, "a TF that is not its own"
    test word [flags_seen], TF
    check_condition z, "a TF that is not its own, in an exception's frame"
    print "stepped_exits: done", 10
    jmp 0:last

on_tick:
    inc word [ticks]
    push ax
    mov al, 0x20
    out 0x20, al
    pop ax
    iret

on_debug:                       ; the frame's TF is the guest's own
    inc word [traps_seen]
    iret

on_breakpoint:
    push bp
    mov bp, sp
    push ax
    mov ax, [bp + 6]
    or [flags_seen], ax
    pop ax
    pop bp
    iret

on_divide:                      ; DIV BL is two bytes long
    push bp
    mov bp, sp
    push ax
    add word [bp + 2], 2
    mov ax, [bp + 6]
    or [flags_seen], ax
    pop ax
    pop bp
    iret

ticks: dw 0
traps_seen: dw 0
flags_seen: dw 0

    times 0x600 - ($ - $$) db 0x90
last:                           ; 0x8200
    xor eax, eax                ; what RDTSC has left
    cli
    hlt                         ; nothing can wake it

    guest_routines 16
