; SPDX-License-Identifier: MIT
;
; identity: a guest whose physical addresses are the machine's own. Run it with the string `memory=identity`.
;
; The EPT still stands between it and the memory - that is how Adept keeps its own frames out of reach - but
; each entry maps an address to itself. So the text screen, which on a PC is memory at 0xb8000, is the real
; one: what this guest writes there shows on the screen. A machine that was started by UEFI has none: nothing
; answers there. Its entry has the memory type UC, uncached, for a device must see each access; RAM has WB,
; write-back.

%include "guest.inc"

%ifndef VGA_TEXT                ; a test looks where no screen is
%define VGA_TEXT 0xb8000
%endif
MIB equ 1 << 20
MARKS equ 64                    ; look at each MiB below 64 MiB
MEMORY_TYPE_UC equ 0
RIGHT_WRITE equ 2
RIGHTS_READ_WRITE equ 3

    guest_start
    check_version
    flat_segments

; The screen. The hypervisor's own console may scroll it under our hands (our first write is a VM exit that
; may be traced there), so write and read back without anything between, and try again if it was not the same.
    mov ax, VGA_TEXT >> 4
    mov es, ax
    mov bp, 1000
show:
    mov si, text
    xor di, di
    mov cx, (text_end - text) / 2
    rep movsw
    mov si, text
    xor di, di
    mov cx, (text_end - text) / 2
    repe cmpsw
    je shown
    dec bp
    jnz show
; Where nothing answers all ones are read.
    xor di, di
    mov cx, (text_end - text) / 2
    mov ax, 0xffff
    repe scasw
    je no_screen
    fail "the text at 0xb8000 does not read back"
no_screen:
    print "identity: no text screen at 0xb8000: it reads as all ones", 10
    jmp screen_seen
shown:
    print "identity: text written at 0xb8000 and read back", 10
screen_seen:

    mov ebx, VGA_TEXT
    hypercall HYPERCALL_QUERY_MAPPING
    check_equal eax, HYPERCALL_OK, "mapping of 0xb8000: status"
    test ebx, ebx
    check_condition nz, "mapping of 0xb8000: nothing is mapped"
    and ecx, RIGHTS_READ_WRITE
    check_equal ecx, RIGHTS_READ_WRITE, "mapping of 0xb8000: rights"
    check_equal edx, MEMORY_TYPE_UC, "mapping of 0xb8000: memory type is not UC"
    print "identity: its memory type is UC", 10

; RAM from 1 MiB on. Where the machine has none, or where it is the hypervisor's, there is a hole: it reads as
; all ones and after the read still nothing is mapped. What may be written must hold it. Some
; firmware's table may be there: put it back.
    mov edi, MIB
    xor ebp, ebp                ; how many marks are RAM
next_mark:
    mov esi, [fs:edi]
    mov ebx, edi
    hypercall HYPERCALL_QUERY_MAPPING
    check_equal eax, HYPERCALL_OK, "mapping of RAM: status"
    test ebx, ebx
    jz hole
    test cl, RIGHT_WRITE
    jz skip                     ; the firmware's tables: to be read only
    mov eax, esi
    not eax
    mov [fs:edi], eax
    mov ecx, [fs:edi]
    mov [fs:edi], esi
    check_equal eax, ecx, "RAM does not hold what was written"
    inc ebp
    jmp skip
hole:
    check_equal esi, -1, "a hole does not read as all ones"
skip:
    add edi, MIB
    cmp edi, MARKS * MIB
    jb next_mark
    test ebp, ebp
    check_condition nz, "no RAM from 1 MiB on"
    print "identity: RAM from 1 MiB on holds what is written", 10

; The other way to end a guest: port 0xf4, as for QEMU's isa-debug-exit. Zero is success.
    xor al, al
    out PORT_END, al

    fail "the guest is still alive after port 0xf4"

    align 2, db 0
text:
%macro cells 1
    %strlen %%length %1
    %assign %%i 1
    %rep %%length
        %substr %%character %1 %%i
        db %%character, 0x1f    ; white on blue
        %assign %%i %%i + 1
    %endrep
%endmacro
    cells "Adept identity guest"
text_end:

    guest_routines 16
    guest_gdt
