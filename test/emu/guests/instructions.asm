; SPDX-License-Identifier: MIT
;
; Every instruction that exits, or that this guest's processor does not have, in real mode: what it must do, checked.

%include "guest.inc"

    guest_start
    check_version
    mov word [6 * 4], on_ud
    mov word [6 * 4 + 2], 0
    mov word [13 * 4], on_gp
    mov word [13 * 4 + 2], 0

; The instruction raises this vector, and nothing else happens. Its length is %2 bytes.
%macro raises 4+                ; vector, length, text, the instruction
    mov word [vector], 0xff
    mov word [skip], %2
    %4
    check_equal word [vector], %1, %3
%endmacro

%macro raises_nothing 2+        ; text, the instruction
    mov word [vector], 0xff
    %2
    check_equal word [vector], 0xff, %1
%endmacro

; VMX and SMX: CPUID hides them.
    raises 6, 3, "VMXOFF", db 0x0f, 0x01, 0xc4
    raises 6, 3, "VMLAUNCH", db 0x0f, 0x01, 0xc2
    raises 6, 3, "VMRESUME", db 0x0f, 0x01, 0xc3
    raises 6, 5, "VMXON", db 0xf3, 0x0f, 0xc7, 0x36, 0x00
    raises 6, 2, "GETSEC", db 0x0f, 0x37
    raises 6, 3, "MONITOR", db 0x0f, 0x01, 0xc8
    raises 6, 3, "MWAIT", db 0x0f, 0x01, 0xc9
    raises 6, 3, "VMFUNC", db 0x0f, 0x01, 0xd4

; No performance counters, no such MSR, no such value.
    xor ecx, ecx
    raises 13, 2, "RDPMC", rdpmc
    mov ecx, 0x12345678
    raises 13, 2, "RDMSR of an unknown MSR", rdmsr
    raises 13, 2, "WRMSR of an unknown MSR", wrmsr
    mov ecx, 0x480
    raises 13, 2, "RDMSR of IA32_VMX_BASIC", rdmsr
    mov ecx, 0x3a
    raises 13, 2, "RDMSR of IA32_FEATURE_CONTROL", rdmsr
    mov ecx, 0xc0000080
    mov eax, 0x80000000
    xor edx, edx
    raises 13, 2, "WRMSR of a reserved bit of EFER", wrmsr
    mov ecx, 0x277
    mov eax, 0x02020202
    raises 13, 2, "WRMSR of a reserved type to PAT", wrmsr

; PAT reads as written, EFER too.
    mov ecx, 0x277
    mov eax, 0x00000106
    mov edx, 0x01050406
    raises_nothing "WRMSR of PAT", wrmsr
    xor eax, eax
    raises_nothing "RDMSR of PAT", rdmsr
    check_equal eax, 0x00000106, "PAT: low half"
    check_equal edx, 0x01050406, "PAT: high half"
    mov ecx, 0xc0000080
    mov eax, 1
    xor edx, edx
    raises_nothing "WRMSR of EFER.SCE", wrmsr
    xor eax, eax
    raises_nothing "RDMSR of EFER", rdmsr
    check_equal eax, 1, "EFER: as written"

; The TSC runs, and can be written.
    rdtsc
    mov esi, eax
    rdtsc
    sub eax, esi
    cmp eax, 0x10000000
    check_condition b, "RDTSC: it goes on"
    mov ecx, 0x10
    xor eax, eax
    mov edx, 0x1000
    raises_nothing "WRMSR of the TSC", wrmsr
    rdtsc
    check_equal edx, 0x1000, "RDTSC: as written"

; CR0: CD and NW are shown as written and have no effect; an impossible combination is refused.
    mov eax, cr0
    or eax, 0x40000000
    raises_nothing "CR0.CD", mov cr0, eax
    mov eax, cr0
    test eax, 0x40000000
    check_condition nz, "CR0.CD: as written"
    or eax, 0x20000000
    raises_nothing "CR0.CD and NW", mov cr0, eax
    and eax, ~0x40000000
    raises 13, 3, "CR0.NW without CD", mov cr0, eax
    and eax, ~0x60000000
    raises_nothing "CR0 as before", mov cr0, eax
    or eax, 0x80000000
    raises 13, 3, "CR0.PG without PE", mov cr0, eax
    mov eax, cr0
    and eax, ~0x20
    raises_nothing "CR0.NE off", mov cr0, eax
    mov eax, cr0
    test eax, 0x20
    check_condition z, "CR0.NE: as written"
    or eax, 8
    raises_nothing "CR0.TS", mov cr0, eax
    raises_nothing "CLTS", clts
    mov eax, cr0
    test eax, 8
    check_condition z, "CLTS: TS is clear"
    mov ax, 0x10
    raises_nothing "LMSW", lmsw ax

; CR4: VMXE and what nobody knows are refused; VMXE is never seen set, though it is.
    mov eax, cr4
    test eax, 0x2000
    check_condition z, "CR4.VMXE: hidden"
    or eax, 0x2000
    raises 13, 3, "CR4.VMXE", mov cr4, eax
    mov eax, 0x80000000
    raises 13, 3, "CR4: a reserved bit", mov cr4, eax
    mov eax, 0x40
    raises_nothing "CR4.MCE", mov cr4, eax
    mov eax, cr4
    check_equal eax, 0x40, "CR4.MCE: as written"
    xor eax, eax
    raises_nothing "CR4 of 0", mov cr4, eax
    mov eax, cr4
    check_equal eax, 0, "CR4: as written"

    raises_nothing "INVD", invd
    raises_nothing "WBINVD", wbinvd
    raises_nothing "PAUSE", pause
    raises_nothing "INVLPG", invlpg [0x1000]

; Debug registers are the guest's own.
    mov eax, 0x12345
    mov dr0, eax
    mov eax, dr0
    check_equal eax, 0x12345, "DR0: as written"

; XSETBV, where there is XSAVE.
    mov eax, 1
    xor ecx, ecx
    cpuid
    test ecx, 1 << 26
    jz no_xsave
    mov eax, 0x40000
    mov cr4, eax
    mov eax, 1
    xor ecx, ecx
    cpuid
    test ecx, 1 << 27
    check_condition nz, "CPUID OSXSAVE follows CR4"
    xor ecx, ecx
    xor edx, edx
    mov eax, 3
    raises_nothing "XSETBV of x87 and SSE", xsetbv
    xgetbv
    check_equal eax, 3, "XCR0: as written"
    mov eax, 2
    raises 13, 3, "XSETBV without x87", xsetbv
    mov eax, 1
    mov ecx, 5
    raises 13, 3, "XSETBV of no register", xsetbv
    xor ecx, ecx
    xgetbv
    check_equal eax, 3, "XCR0: unchanged"
no_xsave:

; CPUID: the hypervisor bit, no VMX, an APIC.
    mov eax, 1
    xor ecx, ecx
    cpuid
    test ecx, 1 << 31
    check_condition nz, "CPUID: hypervisor bit"
    test ecx, 1 << 5
    check_condition z, "CPUID: no VMX"
    test edx, 1 << 9
    check_condition nz, "CPUID: an APIC"

; An absent port reads all ones in every size, and what is written goes nowhere.
    mov dx, 0x1234
    xor eax, eax
    in al, dx
    check_equal eax, 0xff, "IN of an absent port: 8 bits"
    in ax, dx
    check_equal eax, 0xffff, "IN of an absent port: 16 bits"
    in eax, dx
    check_equal eax, 0xffffffff, "IN of an absent port: 32 bits"
    out dx, eax

; String I/O: from an absent port, to the debug port, backwards, and with a count of 0.
    mov di, buffer
    mov cx, 4
    rep insw
    check_equal di, buffer + 8, "REP INSW: DI"
    check_equal cx, 0, "REP INSW: CX"
    check_equal dword [buffer + 4], 0xffffffff, "REP INSW: what was read"
    check_equal byte [buffer + 8], 0x5a, "REP INSW: no more than that"
    rep insb
    check_equal di, buffer + 8, "REP INSB of none: DI"
    mov dx, PORT_DEBUG_BOCHS
    mov si, text
    mov cx, text_end - text
    rep outsb
    check_equal si, text_end, "REP OUTSB: SI"
    std
    mov si, backwards_end - 1
    mov cx, backwards_end - backwards
    rep outsb
    cld
    check_equal si, backwards - 1, "REP OUTSB downwards: SI"
    mov si, newline
    outsb

    hypercall 0x4144ffff
    check_equal eax, HYPERCALL_UNKNOWN, "an unknown hypercall"
    print "instructions: all as they should be", 10
    pass

on_ud:
    mov word [cs:vector], 6
    jmp step_over
on_gp:
    mov word [cs:vector], 13
step_over:
    push bp
    push ax
    mov bp, sp
    mov ax, [cs:skip]
    add [bp + 4], ax
    pop ax
    pop bp
    iret

vector: dw 0
skip: dw 0
buffer: times 8 db 0
    db 0x5a
text: db "outsb upwards, "
text_end:
backwards: db "sdrawnwod bstuo"
backwards_end:
newline: db 10

    guest_routines 16
