; SPDX-License-Identifier: MIT
;
; Control registers, in 32-bit code: which writes exit and which do not, by the exits counted over whole switches of mode; which bits CR4 takes, by what CPUID
; says; and the PDPTEs of PAE paging: loaded when they must be, kept when not, refused with reserved bits, read through the EPT.

%include "guest.inc"

DIRECTORY_32 equ 0x20000        ; 32-bit paging
PDPT equ 0x21000                ; PAE paging: four entries
DIRECTORY_0 equ 0x22000         ; linear = physical
DIRECTORY_A equ 0x23000         ; linear 1 GiB, to A or B
DIRECTORY_B equ 0x24000
PML4 equ 0x25000
PDPT_64 equ 0x26000
PDPT_FAR equ 0x27000            ; alone in its page
TABLES_END equ 0x28000
IDT equ 0x3000
A equ 0x400000
B equ 0x600000
WINDOW equ 0x40000000
PS equ 0x83                     ; present, writable, a large page
TRIES equ 4                     ; of which the fewest exits count: the preemption timer is not the guest's affair

CR0_TS equ 1 << 3
CR0_EM equ 1 << 2
CR0_NW equ 1 << 29
CR0_CD equ 1 << 30
CR4_TSD equ 1 << 2
CR4_DE equ 1 << 3
CR4_PSE equ 1 << 4
CR4_PAE equ 1 << 5
CR4_MCE equ 1 << 6
CR4_PGE equ 1 << 7
CR4_SMEP equ 1 << 20
MSR_EFER equ 0xc0000080
EFER_LME equ 1 << 8
EFER_NXE equ 1 << 11
GENERAL_PROTECTION equ 13
NONE equ 0xff

; CALLs %1 and checks how many exits it has.
%macro exits_of 3+
    mov esi, %1
    call fewest_exits
    check_equal edi, %2, %3
%endmacro

%macro try 1+
    mov dword [recover], %%after
    mov dword [seen_vector], NONE
    %1
%%after:
    mov dword [recover], 0
%endmacro
%macro expect_fault 2+          ; text, instruction
    try %2
    check_equal dword [seen_vector], GENERAL_PROTECTION, %1
    check_equal dword [seen_error], 0, %1
%endmacro

; What linear WINDOW leads to: 'A' or 'B'. The translation cached goes first, and exits come between.
%macro window_is 2+
    invlpg [WINDOW]
    xor eax, eax
    cpuid
    mov eax, -1
    vmcall
    invlpg [WINDOW]
    check_equal byte [WINDOW], %1, %2
%endmacro
%macro window_entry 1           ; the PDPTE in memory
    mov dword [PDPT + 8], %1
    mov dword [PDPT + 12], 0
%endmacro
%macro toggle 2                 ; register, bit; changes EAX
    mov eax, %1
    xor eax, %2
    mov %1, eax
%endmacro

    guest_start
    check_version
    lgdt [gdt_pointer]
    lidt [idt_pointer]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp CODE32:protected
    bits 32
protected:
    mov ax, DATA
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov edi, DIRECTORY_32
    mov ecx, (TABLES_END - DIRECTORY_32) / 4
    xor eax, eax
    rep stosd
    mov edi, IDT
    mov ecx, 32
    mov eax, fault_0
gate:
    mov [edi], ax
    mov word [edi + 2], CODE32
    mov dword [edi + 4], 0x8e00
    add edi, 8
    add eax, fault_1 - fault_0
    loop gate
    mov edi, DIRECTORY_0
    mov eax, PS
    mov ecx, 512
page:
    mov [edi], eax
    add edi, 8
    add eax, 0x200000
    loop page
    mov dword [DIRECTORY_32], PS
    mov dword [DIRECTORY_32 + 4], PS | 0x400000
    mov dword [PDPT], DIRECTORY_0 | 1
    mov dword [PDPT + 8], DIRECTORY_A | 1
    mov dword [PDPT_FAR], DIRECTORY_0 | 1
    mov dword [PDPT_FAR + 8], DIRECTORY_B | 1
    mov dword [DIRECTORY_A], A | PS
    mov dword [DIRECTORY_B], B | PS
    mov dword [PML4], PDPT_64 | 3
    mov dword [PDPT_64], DIRECTORY_0 | 3
    mov byte [A], 'A'
    mov byte [B], 'B'

    ; What a switch costs.
    exits_of to_real, 0, "real mode and back: exits"
    exits_of to_paging, 0, "32-bit paging and back: exits"
    exits_of to_pae, 0, "PAE paging and back: exits"
    exits_of to_long, 0, "long mode and back: exits"
    exits_of own_bits, 0, "bits of CR0 and CR4 that are the guest's own: exits"
    exits_of host_bits, 5, "CR0.NE, CD and CR4.MCE, which are the hypervisor's: exits"
    exits_of nothing, 0, "nothing: exits"
    print "switches: exits", 10

    ; CR4 takes a bit if CPUID tells of it, and no other.
    call bits_of_cr4
    mov [cr4_bits], edi
    mov esi, 1
next_bit:
    try {mov cr4, esi}
    mov eax, cr4
    xor ebx, ebx
    mov cr4, ebx
    test [cr4_bits], esi
    jz .not_there
    check_equal eax, esi, "CR4: a bit that CPUID tells of"
    jmp .known
.not_there:
    check_equal dword [seen_vector], GENERAL_PROTECTION, "CR4: a bit that CPUID does not tell of"
    check_equal eax, 0, "CR4 after a refusal"
.known:
    shl esi, 1
    jnz next_bit
    expect_fault "CR4.PCIDE outside of long mode", {call set_pcide}
    print "switches: CR4 and CPUID", 10

    ; PDPTEs: loaded by MOV to CR3, kept whatever memory says until they are loaded again.
    mov eax, CR4_PAE
    mov cr4, eax
    mov eax, PDPT
    mov cr3, eax
    mov eax, cr0
    or eax, CR0_PG
    mov cr0, eax
    window_is 'A', "PAE paging"
    window_entry DIRECTORY_B | 1
    window_is 'A', "a PDPTE changed in memory"
    mov byte [0x300000], 1              ; an EPT violation
    window_is 'A', "a PDPTE changed in memory, after an EPT violation"
    mov eax, cr3
    mov cr3, eax
    window_is 'B', "MOV to CR3"
    window_entry DIRECTORY_A | 1
    toggle cr4, CR4_PGE
    window_is 'A', "CR4.PGE"
    window_entry DIRECTORY_B | 1
    toggle cr4, CR4_PSE
    window_is 'B', "CR4.PSE"
    window_entry DIRECTORY_A | 1
    test dword [cr4_bits], CR4_SMEP
    jz no_smep
    toggle cr4, CR4_SMEP
    window_is 'A', "CR4.SMEP"
    window_entry DIRECTORY_B | 1
    mov eax, cr3
    mov cr3, eax
    window_entry DIRECTORY_A | 1
no_smep:
    toggle cr4, CR4_TSD
    window_is 'B', "CR4.TSD loads none"
    toggle cr4, CR4_MCE
    window_is 'B', "CR4.MCE loads none"
    toggle cr0, CR0_NE                  ; by the hypervisor; Bochs itself loads them at every MOV to CR0
    window_is 'B', "CR0.NE loads none"
    toggle cr0, CR0_CD
    window_is 'A', "CR0.CD"
    window_entry DIRECTORY_B | 1
    toggle cr0, CR0_CD
    window_is 'B', "CR0.CD again"
    window_entry DIRECTORY_A | 1
    call paging_off
    call paging_on
    window_is 'A', "CR0.PG"
    print "switches: PDPTEs", 10

    ; Reserved bits: #GP, and all is as it was. In an entry that is not present they do not matter.
    mov esi, reserved
next_reserved:
    mov eax, [esi]
    mov edx, [esi + 4]
    or eax, DIRECTORY_B | 1
    mov [PDPT + 8], eax
    mov [PDPT + 12], edx
    mov ebx, cr3
    expect_fault "MOV to CR3 with a reserved bit in a PDPTE", {mov cr3, ebx}
    mov ebx, cr4
    mov ebp, ebx
    xor ebx, CR4_PGE
    expect_fault "MOV to CR4 with a reserved bit in a PDPTE", {mov cr4, ebx}
    mov ebx, cr4
    check_equal ebx, ebp, "CR4 after a refusal"
    mov ebx, cr0
    mov ebp, ebx
    xor ebx, CR0_CD
    expect_fault "MOV to CR0 with a reserved bit in a PDPTE", {mov cr0, ebx}
    mov ebx, cr0
    check_equal ebx, ebp, "CR0 after a refusal"
    window_is 'A', "the PDPTEs after a refusal"
    add esi, 8
    cmp esi, reserved_end
    jb next_reserved
    call paging_off
    mov ebx, cr0
    or ebx, CR0_PG
    expect_fault "CR0.PG with a reserved bit in a PDPTE", {mov cr0, ebx}
    window_entry 0x1e6
    call paging_on
    window_entry DIRECTORY_A | 1
    mov eax, cr3
    mov cr3, eax
    window_is 'A', "a PDPTE that was not present"

    ; A PDPT that the EPT does not map at that moment, and one where no memory is: all ones.
    mov ebx, PDPT_FAR
    mov ecx, PLANT_NOT_PRESENT | 1 << 8
    hypercall HYPERCALL_PLANT_FAULT
    check_equal eax, HYPERCALL_OK, "PLANT_FAULT"
    mov eax, PDPT_FAR
    mov cr3, eax
    window_is 'B', "a PDPT that the EPT does not map"
    mov ebx, GUEST_HOLE_BASE
    expect_fault "a PDPT in a hole", {mov cr3, ebx}
    mov eax, cr3
    check_equal eax, PDPT_FAR, "CR3 after a refusal"
    window_is 'B', "the PDPTEs after a PDPT in a hole"
    print "switches: PDPTEs refused, and read through the EPT", 10

    ; EFER: LME stays while paging is on.
    mov ecx, MSR_EFER
    mov eax, EFER_LME
    xor edx, edx
    expect_fault "EFER.LME while paging is on", wrmsr
    mov eax, 1 << 1
    expect_fault "a reserved bit of EFER", wrmsr
    mov ecx, MSR_EFER
    rdmsr
    or eax, edx
    check_condition z, "EFER after a refusal"
    ; CR0.PG with EFER.LME and without CR4.PAE; CR0.PE alone.
    call paging_off
    xor eax, eax
    mov cr4, eax
    mov ecx, MSR_EFER
    mov eax, EFER_LME
    wrmsr
    mov ebx, cr0
    or ebx, CR0_PG
    expect_fault "long mode without CR4.PAE", {mov cr0, ebx}
    mov ecx, MSR_EFER
    xor eax, eax
    wrmsr
    mov eax, CR4_PSE
    mov cr4, eax
    mov eax, DIRECTORY_32
    mov cr3, eax
    mov ebx, cr0
    or ebx, CR0_PG
    mov cr0, ebx
    and ebx, ~CR0_PE
    expect_fault "CR0.PE off with paging on", {mov cr0, ebx}
    print "switches: EFER and CR0", 10
    pass

set_pcide:
    mov eax, 1 << 17
    mov cr4, eax
    ret

paging_off:
    mov eax, cr0
    and eax, ~CR0_PG
    mov cr0, eax
    ret
paging_on:
    mov eax, cr0
    or eax, CR0_PG
    mov cr0, eax
    ret

; EDI: how many exits the routine at ESI has, the fewest of some tries.
fewest_exits:
    mov edi, -1
    mov ebp, TRIES
.next:
    push ebp
    push edi
    hypercall HYPERCALL_EXIT_COUNT
    push ebx
    call esi
    hypercall HYPERCALL_EXIT_COUNT
    pop eax
    sub ebx, eax
    dec ebx                     ; the second call itself
    pop edi
    pop ebp
    cmp ebx, edi
    jae .more
    mov edi, ebx
.more:
    dec ebp
    jnz .next
nothing:
    ret

to_real:
    jmp CODE16:.protected_16
    bits 16
.protected_16:
    mov eax, cr0
    and al, ~CR0_PE & 0xff
    mov cr0, eax
    jmp 0:.real
.real:
    mov bx, 0x123
    mov es, bx
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp CODE32:.back
    bits 32
.back:
    mov ax, DATA
    mov es, ax
    ret

to_paging:
    mov eax, CR4_PSE
    mov cr4, eax
    mov eax, DIRECTORY_32
    mov cr3, eax
    call paging_on
    call paging_off
    xor eax, eax
    mov cr4, eax
    ret

to_pae:
    mov eax, CR4_PAE
    mov cr4, eax
    mov eax, PDPT
    mov cr3, eax
    call paging_on
    mov eax, PDPT
    mov cr3, eax
    call paging_off
    xor eax, eax
    mov cr4, eax
    ret

to_long:
    mov eax, CR4_PAE
    mov cr4, eax
    mov eax, PML4
    mov cr3, eax
    mov ecx, MSR_EFER
    mov eax, EFER_LME | EFER_NXE
    xor edx, edx
    wrmsr
    call paging_on
    jmp CODE64:.long
    bits 64
.long:
    mov ecx, MSR_EFER
    rdmsr
    mov r8, cr3
    mov cr3, r8
    push qword CODE32
    push qword .compatibility
    retfq
    bits 32
.compatibility:
    call paging_off
    mov ecx, MSR_EFER
    xor eax, eax
    xor edx, edx
    wrmsr
    mov cr4, eax
    ret

own_bits:
    mov ebx, cr0
    mov eax, ebx
    or eax, CR0_MP | CR0_EM | CR0_TS | CR0_WP | CR0_AM
    mov cr0, eax
    clts
    smsw ax
    or al, CR0_TS
    lmsw ax
    mov cr0, ebx
    mov eax, CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_PGE
    mov cr4, eax
    mov eax, cr4
    xor eax, eax
    mov cr4, eax
    ret

host_bits:
    toggle cr0, CR0_NE
    toggle cr0, CR0_CD
    toggle cr0, CR0_NE | CR0_CD
    toggle cr4, CR4_MCE
    toggle cr4, CR4_MCE
    ret

; EDI: the bits of CR4 that CPUID tells of, 32-bit mode.
bits_of_cr4:
    mov eax, 1
    xor ecx, ecx
    cpuid
    mov edi, CR4_TSD | 1 << 8           ; those that every such processor has: TSD, PCE
    mov esi, from_edx
    call .collect
    mov edx, ecx
    and edx, ~(1 << 17)                 ; PCIDE wants long mode
    mov esi, from_ecx
    call .collect
    mov eax, 7
    xor ecx, ecx
    cpuid
    mov edx, ebx
    mov esi, from_7_ebx
    call .collect
    mov edx, ecx
    mov esi, from_7_ecx
.collect:                               ; pairs of a bit in EDX and one of CR4; 255 ends them
    movzx eax, byte [esi]
    cmp al, 255
    je .done
    bt edx, eax
    jnc .not
    movzx eax, byte [esi + 1]
    bts edi, eax
.not:
    add esi, 2
    jmp .collect
.done:
    ret

%macro fault 1
fault_%1:
%if %1 == 8 || (%1 >= 10 && %1 <= 14) || %1 == 17
    db 0x66, 0x90               ; as long as the PUSH
%else
    push byte 0
%endif
    push byte %1
    jmp near faulted
%endmacro
%assign number 0
%rep 32
    fault number
    %assign number number + 1
%endrep
faulted:                        ; vector, error code, EIP, CS, EFLAGS
    cmp dword [recover], 0
    je .not_expected
    pop dword [seen_vector]
    pop dword [seen_error]
    push eax
    mov eax, [recover]
    mov [esp + 4], eax
    pop eax
    iretd
.not_expected:
    fail "a fault that nobody expects"

    guest_routines 32
    guest_routines 16
    align 8, db 0
gdt:
    dq 0
CODE16 equ $ - gdt
    dq 0x00009b000000ffff
CODE32 equ $ - gdt
    dq 0x00cf9b000000ffff
DATA equ $ - gdt
    dq 0x00cf93000000ffff
CODE64 equ $ - gdt
    dq 0x00209b0000000000
gdt_end:
gdt_pointer:
    dw gdt_end - gdt - 1
    dd gdt
idt_pointer:
    dw 32 * 8 - 1
    dd IDT
    align 8, db 0
; Of a PDPTE: 2:1, 8:5, MAXPHYADDR (40 in Bochs) and above.
reserved:
    dd 1 << 1, 0, 1 << 2, 0, 1 << 5, 0, 1 << 6, 0, 1 << 7, 0, 1 << 8, 0
    dd 0, 1 << 8, 0, 1 << 19, 0, 1 << 31
reserved_end:
recover: dd 0
seen_vector: dd 0
seen_error: dd 0
cr4_bits: dd 0
; Leaf 1 EDX: VME, PVI with it, DE, PSE, PAE, MCE, PGE, FXSR, SSE. ECX: PCID, XSAVE. Leaf 7 EBX: FSGSBASE, SMEP, SMAP. ECX: UMIP, PKU, LA57.
from_edx: db 1, 0, 1, 1, 2, 3, 3, 4, 6, 5, 7, 6, 13, 7, 24, 9, 25, 10, 255
from_ecx: db 17, 17, 26, 18, 255
from_7_ebx: db 0, 16, 7, 20, 20, 21, 255
from_7_ecx: db 2, 11, 3, 22, 16, 12, 255
