; SPDX-License-Identifier: MIT
;
; hello: the smallest guest, a plain 512-byte boot sector.
;
; The processor runs these instructions itself, in VMX non-root operation: most of them at full speed with
; nobody watching. A few leave to the hypervisor - a VM exit: OUT (the UART is not a real one), CPUID and
; VMCALL always do. And the first fetch at 0x7c00 leaves as well: nothing is mapped yet, so the walk through
; the EPT (the extended page tables, which turn what this guest takes for a physical address into a real one)
; finds no entry. Adept maps the page, and the instruction runs as if nothing had happened. Watch each of
; these in the trace: EPT_VIOLATION(48), IO(30), CPUID(10), VMCALL(18).

%include "guest.inc"

    guest_start
    print "hello from real mode", 10

; A second way out: the debug port of Bochs and QEMU. No UART to set up: a byte written is a character. It
; reads as its own number, which is how a program finds out that it is there.
    in al, PORT_DEBUG_BOCHS
    check_equal al, PORT_DEBUG_BOCHS, "port 0xe9"
    mov si, debug_text
    mov cx, debug_text_end - debug_text
    mov dx, PORT_DEBUG_BOCHS
    rep outsb

; Is there a hypervisor, and which? CPUID is the way that needs nothing else: bit 31 of leaf 1's ECX is set by
; hypervisors only, and leaf 0x40000000 then names it.
    mov eax, 1
    cpuid
    test ecx, ecx
    check_condition s, "cpuid: no hypervisor bit"
    mov eax, CPUID_HYPERVISOR_LEAF
    cpuid
    check_equal ebx, "Adep", "cpuid: EBX"
    check_equal ecx, "tAde", "cpuid: ECX"
    check_equal edx, "ptHv", "cpuid: EDX"

    check_version

; A number that Adept does not know is an error and no reason to end a guest; nothing but EAX changes.
    mov ebx, 0x11223344
    hypercall 0x4144ffff
    check_equal eax, HYPERCALL_UNKNOWN, "unknown hypercall: status"
    check_equal ebx, 0x11223344, "unknown hypercall: EBX"

    print "hello: all is well", 10
    pass

debug_text: db "hello from port 0xe9", 10
debug_text_end:

    guest_routines 16

    times 510 - ($ - $$) db 0
    dw 0xaa55                   ; a BIOS starts a sector only if it ends so; Adept does not ask
