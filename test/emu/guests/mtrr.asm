; SPDX-License-Identifier: MIT
;
; The guest's MTRRs: as a firmware leaves them, refusing what the manual calls reserved, and ruling over the memory types of the EPT. What is
; mapped changes its type at once, a page over two types is split, and a large page comes back when the types are one again.

%include "guest.inc"

MTRR_CAP equ 0xfe
MTRR_BASE_0 equ 0x200
MTRR_MASK_0 equ 0x201
MTRR_BASE_7 equ 0x20e
MTRR_FIX64K equ 0x250
MTRR_FIX16K_A0000 equ 0x259
MTRR_FIX4K_F8000 equ 0x26f
MTRR_DEF_TYPE equ 0x2ff
UC equ 0
WC equ 1
WT equ 4
WP equ 5
WB equ 6
AS_LEFT equ 0xc06               ; E, FE, WB
PROTECTION equ 13
LARGE equ 0x800000              ; 2 MiB pages from here on

; RDMSR: the value. Changes EAX, ECX, EDX.
%macro must_read 3
    mov ecx, %1
    rdmsr
    check_equal edx, (%2) >> 32, %3
    check_equal eax, (%2) & 0xffffffff, %3
%endmacro

%macro write 2
    mov ecx, %1
    mov edx, (%2) >> 32
    mov eax, (%2) & 0xffffffff
    wrmsr
%endmacro

; WRMSR: #GP, and the register stays.
%macro must_fault 2
    mov byte [faulted], 0
    mov word [recover], %%after
    write %1, %2
%%after:
    cmp byte [faulted], 1
    check_condition e, "a write that must raise #GP"
%endmacro

; Touches an address, then its leaf must be of this level and type.
%macro must_be 3
    mov edi, %1
    mov al, [fs:edi]
    mov ebx, edi
    hypercall HYPERCALL_QUERY_MAPPING
    check_equal ebx, %2, "level of a page"
    check_equal edx, %3, "type of a page"
%endmacro

    guest_start
    check_version
    flat_segments
    mov word [PROTECTION * 4], protection
    mov word [PROTECTION * 4 + 2], 0

    mov eax, 1
    cpuid
    test edx, 1 << 12
    check_condition nz, "CPUID shows no MTRRs"
    must_read MTRR_CAP, 0x508, "IA32_MTRRCAP"
    must_read MTRR_DEF_TYPE, AS_LEFT, "IA32_MTRR_DEF_TYPE"
    must_read MTRR_FIX64K, 0x0606060606060606, "a fixed range of RAM"
    must_read MTRR_FIX16K_A0000, 0, "the fixed range of video memory"
    must_read MTRR_FIX4K_F8000, 0x0606060606060606, "a fixed range of ROM"
    must_read MTRR_BASE_0, 0, "IA32_MTRR_PHYSBASE0"
    print "mtrr: as a firmware leaves them", 10

    must_fault MTRR_CAP, 0x508
    must_fault MTRR_DEF_TYPE, 0xc02     ; reserved types 2, 3, 7 and above
    must_fault MTRR_DEF_TYPE, 0xc07
    must_fault MTRR_DEF_TYPE, 0x1c06    ; a reserved bit
    must_fault MTRR_BASE_0, 3
    must_fault MTRR_BASE_0, 0x106
    must_fault MTRR_MASK_0, 0x801
    must_fault MTRR_MASK_0, 0x8000000000000800
    must_fault MTRR_FIX64K, 0x0606060602060606
    must_fault 0x210, 6                 ; a ninth pair
    must_read MTRR_DEF_TYPE, AS_LEFT, "IA32_MTRR_DEF_TYPE"
    print "mtrr: reserved bits and types refused", 10

    mov ebx, 0x400000                   ; no execution there: then all processors have large pages
    mov ecx, 0xc00000
    mov edx, 3
    hypercall HYPERCALL_SET_RIGHTS
    check_equal eax, HYPERCALL_OK, "set rights"
    must_be LARGE, 2, WB
    must_be LARGE + 0x1ff000, 2, WB
    must_be LARGE + 0x200000, 2, WB
    write MTRR_BASE_0, LARGE | WC       ; 2 MiB of WC: nothing happens until it is valid
    must_be LARGE, 2, WB
    mov eax, 0x80000008
    cpuid
    movzx ecx, al
    sub ecx, 32
    mov edx, 1
    shl edx, cl
    dec edx                             ; bits 32 to MAXPHYADDR - 1
    mov [mask_high], edx
    mov ecx, MTRR_MASK_0
    mov eax, 0xffe00800
    wrmsr
    must_be LARGE, 2, WC
    must_be LARGE + 0x200000, 2, WB
    print "mtrr: a variable range rules over one large page", 10

    mov ecx, MTRR_BASE_7                ; 4 KiB of UC in its middle
    mov eax, (LARGE + 0x100000) | UC
    xor edx, edx
    wrmsr
    inc ecx
    mov eax, 0xfffff800
    mov edx, [mask_high]
    wrmsr
    must_be LARGE + 0x100000, 1, UC     ; overlap: UC wins
    must_be LARGE + 0x101000, 1, WC
    must_be LARGE, 1, WC
    must_be LARGE + 0x200000, 2, WB
    mov ecx, MTRR_BASE_7 + 1
    xor eax, eax
    xor edx, edx
    wrmsr
    must_be LARGE, 2, WC                ; one type again: one page again
    mov ecx, MTRR_MASK_0
    xor eax, eax
    xor edx, edx
    wrmsr
    must_be LARGE, 2, WB
    print "mtrr: split where types differ, large again where they do not", 10

    must_be 0x30000, 1, WB
    write MTRR_FIX64K, 0x0606060605060606   ; 0x30000 to 0x3ffff: WP
    must_be 0x30000, 1, WP
    must_be 0x40000, 1, WB
    write MTRR_DEF_TYPE, 0x806          ; fixed ranges off: the default type below 1 MiB as well
    must_be 0x30000, 1, WB
    write MTRR_DEF_TYPE, 0x804
    must_be LARGE, 2, WT
    write MTRR_DEF_TYPE, 0x006          ; MTRRs off: all is UC
    must_be LARGE, 2, UC
    must_be 0x30000, 1, UC
    write MTRR_FIX64K, 0x0606060606060606   ; without effect now
    must_be 0x30000, 1, UC
    write MTRR_DEF_TYPE, AS_LEFT
    must_be 0x30000, 1, WB
    must_be LARGE, 2, WB
    print "mtrr: fixed ranges, the default type, and all of them off", 10

    ; A mask with gaps, which cuts memory into very many pieces, costs no more than any other write.
    write MTRR_BASE_0, 0x1000 | UC
    mov ecx, MTRR_MASK_0
    mov eax, 0x00001800
    xor edx, edx
    wrmsr
    must_be LARGE, 1, WB
    must_be LARGE + 0x1000, 1, UC
    must_be LARGE + 0x2000, 1, WB
    must_be LARGE + 0x203000, 1, UC
    mov ecx, MTRR_MASK_0
    xor eax, eax
    xor edx, edx
    wrmsr
    must_be LARGE, 2, WB
    print "mtrr: a mask with gaps", 10
    pass

protection:
    mov byte [cs:faulted], 1
    push bp
    mov bp, sp
    push ax
    mov ax, [cs:recover]
    mov [bp + 2], ax
    pop ax
    pop bp
    iret

    guest_routines 16
    guest_gdt
    align 4
mask_high: dd 0
recover: dw 0
faulted: db 0
