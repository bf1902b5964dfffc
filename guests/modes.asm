; SPDX-License-Identifier: MIT
;
; modes: through all operating modes of the processor and back.
;
;   real -> 16-bit protected -> 32-bit protected -> ring 3 and back -> 32-bit paging -> PAE paging
;        -> long mode: 64-bit, compatibility -> 32-bit protected -> 16-bit protected -> real
;        -> straight to 64-bit -> straight back
;
; Under the EPT a guest may do all this by itself ("unrestricted guest"): its own segments, page tables and
; interrupt tables are used by the processor directly, and exceptions go to its own handlers without an exit.
; What the hypervisor must get right are the crossings: some bits of CR0 and CR4 it keeps for itself and shows
; to the guest as the guest wrote them (guest/host masks and read shadows), EFER.LMA follows CR0.PG, and in
; PAE paging the four PDPTEs are loaded into registers that the VMCS holds. In each mode the guest also causes
; exits on purpose, CPUID and VMCALL, and must find all its registers again.

%include "guest.inc"

; What is put where in the first MiB.
PML4 equ 0x12000                ; long mode's tables
PDPT equ 0x13000
PAGE_DIRECTORY equ 0x14000      ; shared by long mode and PAE paging
PAGE_TABLE equ 0x15000
PAE_PDPT equ 0x16000            ; four entries
LEGACY_DIRECTORY equ 0x17000    ; 32-bit paging
TABLES_END equ 0x18000
WINDOW equ 0x20000              ; base of a small segment
ALIASED equ 0x30000             ; a page that is mapped at other addresses too
READ_ONLY equ 0x31000

; Linear addresses.
ALIAS_4K equ 0x200000           ; -> ALIASED, through a 4 KiB page
ALIAS_READ_ONLY equ 0x201000    ; -> READ_ONLY
ALIAS_4M equ 0x400000           ; -> 0 in 32-bit paging, through a 4 MiB page
ALIAS_HIGH equ 0xffffff8000000000       ; -> 0 in long mode: the last entry of the PML4
NOT_MAPPED equ 0x40000000

PAGE_PRESENT equ 1
PAGE_WRITE equ 2
PAGE_ACCESSED equ 0x20
PAGE_DIRTY equ 0x40
PAGE_LARGE equ 0x80

CR4_DE equ 1 << 3
CR4_PSE equ 1 << 4
CR4_PAE equ 1 << 5
CR4_PGE equ 1 << 7
MSR_EFER equ 0xc0000080
MSR_GS_BASE equ 0xc0000101
MSR_KERNEL_GS_BASE equ 0xc0000102
MSR_UNKNOWN_LOW equ 0x1ffe      ; covered by the MSR bitmaps' low half
MSR_UNKNOWN equ 0x12345678      ; covered by no bitmap
EFER_SCE equ 1 << 0
EFER_LME equ 1 << 8
EFER_LMA equ 1 << 10
EFER_NXE equ 1 << 11

DIVIDE_ERROR equ 0
GENERAL_PROTECTION equ 13
PAGE_FAULT equ 14
VECTOR_CALL equ 0x30            ; INT by this guest itself
VECTOR_RING_0 equ 0x31          ; INT in ring 3 to come back
VECTOR_REAL equ 0x60

; One instruction that must fault: with this vector and error code (0 where there is none), at its own
; address. The handler of each mode notes what it saw and returns to [recover].
%macro expect_fault 3+
    mov byte [seen_vector], 0xff
    mov word [recover], %%after
%%at:
    %3
%%after:
    cmp byte [seen_vector], %1
    check_condition e, "the vector of a fault"
    cmp word [seen_error], %2
    check_condition e, "the error code of a fault"
    cmp word [seen_address], %%at
    check_condition e, "the address of a fault"
%endmacro

; CPUID answers the same in every mode. Changes EAX, EBX, ECX, EDX.
%macro check_cpuid 0
    xor eax, eax
    cpuid
    check_equal ebx, [cpuid_0_ebx], "CPUID: EBX"
    check_equal ecx, [cpuid_0_ecx], "CPUID: ECX"
    check_equal edx, [cpuid_0_edx], "CPUID: EDX"
%endmacro

; Writes EAX to a control register: it must read back as written. Changes ECX.
%macro check_control 2+
    mov %1, eax
    mov ecx, %1
    check_equal ecx, eax, %2
%endmacro

%macro check_efer 2+
    mov ecx, MSR_EFER
    rdmsr
    check_equal eax, %1, %2
%endmacro

%macro write_efer 1
    mov ecx, MSR_EFER
    mov eax, %1
    xor edx, edx
    wrmsr
%endmacro

    guest_start

; ------------------------------------------------------------------------------------------------------------
; Real mode. A segment is its number times 16; the interrupt table holds far pointers, from address 0.
    check_version
    xor eax, eax
    cpuid
    mov [cpuid_0_ebx], ebx
    mov [cpuid_0_ecx], ecx
    mov [cpuid_0_edx], edx

    mov word [DIVIDE_ERROR * 4], divide_error_16
    mov word [DIVIDE_ERROR * 4 + 2], 0
    mov word [GENERAL_PROTECTION * 4], general_protection_16
    mov word [GENERAL_PROTECTION * 4 + 2], 0
    mov word [VECTOR_REAL * 4], call_16
    mov word [VECTOR_REAL * 4 + 2], 0

    mov ax, WINDOW >> 4
    mov es, ax
    mov ax, (WINDOW >> 4) - 1
    mov fs, ax
    mov dword [es:0x10], "real"
    cmp dword [fs:0x20], "real"
    check_condition e, "real mode: two segments over one address"

    mov bp, 0
    int VECTOR_REAL
    check_equal bp, 1, "real mode: INT"
    xor dx, dx
    xor cx, cx
    expect_fault DIVIDE_ERROR, 0, div cx
    mov ecx, MSR_UNKNOWN_LOW
    expect_fault GENERAL_PROTECTION, 0, rdmsr
    mov ecx, MSR_UNKNOWN
    expect_fault GENERAL_PROTECTION, 0, rdmsr
    expect_fault GENERAL_PROTECTION, 0, wrmsr

; Bits that the hypervisor owns and bits that it leaves to the guest must look alike. In VMX operation CR0.NE,
; for one, is always set for real.
    mov esi, cr0
    mov eax, esi
    or eax, CR0_MP | CR0_NE | CR0_WP | CR0_AM
    check_control cr0, "real mode: CR0 with MP, NE, WP, AM set"
    and eax, ~(CR0_MP | CR0_NE | CR0_WP | CR0_AM)
    check_control cr0, "real mode: CR0 with MP, NE, WP, AM clear"
    mov cr0, esi
    mov eax, CR4_DE | CR4_PSE | CR4_PGE
    check_control cr4, "real mode: CR4"
    xor eax, eax
    check_control cr4, "real mode: CR4 zero"
    write_efer EFER_SCE | EFER_NXE
    check_efer EFER_SCE | EFER_NXE, "real mode: EFER"
    check_cpuid
    print "modes: real mode: segments, INT, divide error, #GP of an unknown MSR, control registers", 10

; ------------------------------------------------------------------------------------------------------------
; Protected mode. Now a segment register holds a selector, an index into the table at GDTR, and the descriptor
; there gives base, limit and rights. Setting CR0.PE changes what a load means; the far jump then loads CS by
; the new rule.
    lgdt [gdt_pointer]
    lidt [idt_32_pointer]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp CODE16:protected_16
protected_16:
    mov ax, DATA16
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov eax, cr0
    test al, CR0_PE
    check_condition nz, "16-bit protected mode: CR0.PE"
    mov ax, WINDOW_SELECTOR
    mov es, ax
    cmp dword [es:0x10], "real"
    check_condition e, "16-bit protected mode: the base of a segment"
    lsl eax, [window_selector]
    check_equal eax, 0xff, "16-bit protected mode: the limit of a segment"
    expect_fault GENERAL_PROTECTION, 0, mov al, [es:0x100]
    mov ax, 0xfff8
    expect_fault GENERAL_PROTECTION, 0xfff8, mov es, ax     ; beyond the table: the error code is the selector
    mov bp, 0
    int VECTOR_CALL
    check_equal bp, 1, "16-bit protected mode: INT"
    check_cpuid
    check_version
    print "modes: 16-bit protected mode: base and limit of a segment, #GP with an error code", 10

    jmp CODE32:protected_32
    bits 32
protected_32:
    mov ax, DATA32
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    cmp dword [WINDOW + 0x10], "real"
    check_condition e, "32-bit protected mode: a flat segment"
    xor edx, edx
    xor ecx, ecx
    expect_fault DIVIDE_ERROR, 0, div ecx
    mov ecx, MSR_UNKNOWN
    expect_fault GENERAL_PROTECTION, 0, rdmsr
    mov ebp, 0
    int VECTOR_CALL
    check_equal ebp, 1, "32-bit protected mode: INT"
    check_cpuid
    check_version
    print "modes: 32-bit protected mode: flat segments, its own interrupt table", 10

; Ring 3. IRET loads a stack and a code segment of lower privilege; the way back is a gate that ring 3 may
; use, and the stack for it comes from the TSS. A hypercall needs no privilege: VMCALL exits from every ring.
    mov ax, TSS_SELECTOR
    ltr ax
    mov [tss + 4], esp          ; ESP0
    push dword DATA32_RING_3
    push dword 0x7000           ; its stack
    push dword 2                ; EFLAGS: I/O privilege level 0
    push dword CODE32_RING_3
    push dword ring_3
    iretd
ring_3:
    mov ax, DATA32_RING_3
    mov ds, ax
    mov es, ax
    hypercall HYPERCALL_VERSION
    mov esi, eax
    mov edi, ebx
    mov byte [seen_vector], 0xff
    mov word [recover], .after
    cli                         ; not allowed in ring 3
.after:
    int VECTOR_RING_0
ring_0:
    mov ax, DATA32
    mov ds, ax
    mov es, ax
    mov esp, [tss + 4]
    cmp byte [seen_vector], GENERAL_PROTECTION
    check_condition e, "ring 3: CLI must fault"
%ifndef NATIVE
    check_equal esi, HYPERCALL_OK, "ring 3: VMCALL: status"
    check_equal edi, HYPERCALL_ABI_VERSION, "ring 3: VMCALL: version"
%endif
    print "modes: ring 3: a hypercall works, CLI does not", 10

; ------------------------------------------------------------------------------------------------------------
; The guest's own paging: its tables turn linear into guest-physical addresses, then the EPT those into the
; machine's. The tables are themselves at guest-physical addresses, so each step of the guest's walk is a walk
; through the EPT: up to 24 reads in all.
    mov edi, PML4
    mov ecx, (TABLES_END - PML4) / 4
    xor eax, eax
    rep stosd
    mov dword [PML4], PDPT | PAGE_PRESENT | PAGE_WRITE
    mov dword [PML4 + 511 * 8], PDPT | PAGE_PRESENT | PAGE_WRITE
    mov dword [PDPT], PAGE_DIRECTORY | PAGE_PRESENT | PAGE_WRITE
    mov dword [PAE_PDPT], PAGE_DIRECTORY | PAGE_PRESENT     ; here the write bit is reserved
    mov dword [PAGE_DIRECTORY], PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE
    mov dword [PAGE_DIRECTORY + 8], PAGE_TABLE | PAGE_PRESENT | PAGE_WRITE
    mov dword [PAGE_TABLE], ALIASED | PAGE_PRESENT | PAGE_WRITE
    mov dword [PAGE_TABLE + 8], READ_ONLY | PAGE_PRESENT
    mov dword [LEGACY_DIRECTORY], PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE
    mov dword [LEGACY_DIRECTORY + (ALIAS_4M >> 22) * 4], PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE

; 32-bit paging, with 4 MiB pages.
    mov eax, CR4_PSE
    check_control cr4, "32-bit paging: CR4"
    mov eax, LEGACY_DIRECTORY
    check_control cr3, "32-bit paging: CR3"
    mov eax, cr0
    or eax, CR0_PG | CR0_WP
    check_control cr0, "32-bit paging: CR0"
    mov dword [ALIAS_4M + ALIASED], "4MiB"
    cmp dword [ALIASED], "4MiB"
    check_condition e, "32-bit paging: a 4 MiB page"
    expect_fault PAGE_FAULT, 0, mov al, [NOT_MAPPED]
    check_cpuid
    check_version
    mov eax, cr2                ; after two exits
    check_equal eax, NOT_MAPPED, "32-bit paging: CR2"
    mov eax, cr0
    and eax, ~CR0_PG
    check_control cr0, "32-bit paging: CR0 with PG clear"
    print "modes: 32-bit paging: a 4 MiB page, a page fault", 10

; PAE paging: four PDPTEs, loaded into the processor when CR3 is.
    mov eax, CR4_PAE
    check_control cr4, "PAE paging: CR4"
    mov eax, PAE_PDPT
    check_control cr3, "PAE paging: CR3"
    mov eax, cr0
    or eax, CR0_PG
    check_control cr0, "PAE paging: CR0"
    mov dword [ALIAS_4K], "PAE "
    cmp dword [ALIASED], "PAE "
    check_condition e, "PAE paging: a 4 KiB page"
    check_cpuid
    check_version
    mov eax, PAE_PDPT
    mov cr3, eax                ; the PDPTEs again, and the translations cached go
    cmp dword [ALIAS_4K], "PAE "
    check_condition e, "PAE paging: after loading CR3"
    expect_fault PAGE_FAULT, 3, mov dword [ALIAS_READ_ONLY], 0
    mov eax, cr0
    and eax, ~CR0_PG
    mov cr0, eax
    print "modes: PAE paging: a 4 KiB page, a read-only page", 10

; ------------------------------------------------------------------------------------------------------------
; Long mode: four levels of tables, EFER.LME to ask for it, CR0.PG to start it; EFER.LMA then tells that it is
; active. The code is still 32-bit code (compatibility mode) until a far jump loads a code segment with the L
; bit.
    mov dword [PAGE_TABLE], ALIASED | PAGE_PRESENT | PAGE_WRITE    ; accessed and dirty flags clear again
    mov eax, PML4
    mov cr3, eax
    write_efer EFER_SCE | EFER_NXE | EFER_LME
    check_efer EFER_SCE | EFER_NXE | EFER_LME, "EFER before paging is on"
    mov eax, cr0
    or eax, CR0_PG
    check_control cr0, "long mode: CR0"
    check_efer EFER_SCE | EFER_NXE | EFER_LME | EFER_LMA, "long mode: EFER.LMA"
    lidt [idt_64_pointer]
    jmp CODE64:long_64
    bits 64
long_64:
    mov esp, esp                ; the upper half is undefined until it is written
    xor eax, eax
    mov ss, ax
    mov ax, DATA32
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax

; Every register, all 64 bits, must survive an exit.
%macro fill_register 2
    mov %1, 0x0123456789abcd00 + %2
%endmacro
%macro check_register 2
    mov rax, 0x0123456789abcd00 + %2
    check_equal %1, rax, "long mode: a register after an exit"
%endmacro
    mov [saved_rsp], rsp
    fill_register rcx, 1
    fill_register rdx, 2
    fill_register rsi, 3
    fill_register rdi, 4
    fill_register rbp, 5
%assign number 8
%rep 8
    fill_register r%+number, number
    %assign number number + 1
%endrep
    mov rax, 0xffffffff00000000 | HYPERCALL_VERSION         ; upper halves are ignored
%ifndef NATIVE
    vmcall
    check_equal eax, HYPERCALL_OK, "long mode: VMCALL: status"
    check_equal ebx, HYPERCALL_ABI_VERSION, "long mode: VMCALL: version"
%endif
    check_register rcx, 1
    check_register rdx, 2
    check_register rsi, 3
    check_register rdi, 4
    check_register rbp, 5
%assign number 8
%rep 8
    check_register r%+number, number
    %assign number number + 1
%endrep
    check_equal rsp, [saved_rsp], "long mode: RSP after an exit"

; CPUID writes all of its four registers: the upper halves become zero.
    mov rbx, -1
    xor eax, eax
    cpuid
    mov eax, [cpuid_0_ebx]
    check_equal rbx, rax, "long mode: CPUID: RBX"
    check_cpuid

; The guest's tables at work.
    mov dword [ALIAS_4K], "long"
    cmp dword [ALIASED], "long"
    check_condition e, "long mode: a 4 KiB page"
    mov rax, ALIAS_HIGH + ALIASED
    cmp dword [rax], "long"
    check_condition e, "long mode: the upper half of the address space"
    mov eax, [PAGE_TABLE]
    and eax, PAGE_ACCESSED | PAGE_DIRTY
    check_equal eax, PAGE_ACCESSED | PAGE_DIRTY, "long mode: accessed and dirty flags"

; Exceptions through a table of 16-byte gates. CR2 belongs to no VMCS field: the hypervisor must not lose it.
    xor edx, edx
    xor ecx, ecx
    expect_fault DIVIDE_ERROR, 0, div rcx
    mov ecx, MSR_UNKNOWN
    expect_fault GENERAL_PROTECTION, 0, rdmsr
    expect_fault PAGE_FAULT, 2, mov byte [NOT_MAPPED + 0x123], 0
    check_version
    mov rax, cr2
    check_equal rax, NOT_MAPPED + 0x123, "long mode: CR2 after an exit"
    expect_fault PAGE_FAULT, 3, mov byte [ALIAS_READ_ONLY], 0
    mov rax, 0x8000000000000000
    expect_fault GENERAL_PROTECTION, 0, mov al, [rax]       ; not canonical
    mov ebp, 0
    int VECTOR_CALL
    check_equal ebp, 1, "long mode: INT"

; More that no VMCS field holds, or that only 64-bit code reaches.
    mov rax, 0x00007fff12345678
    mov dr0, rax
    mov eax, 5
    mov cr8, rax
    mov ecx, MSR_KERNEL_GS_BASE
    mov eax, 0x9abcdef0
    mov edx, 0xffff8000
    wrmsr
    check_version
    mov rax, dr0
    mov rcx, 0x00007fff12345678
    check_equal rax, rcx, "long mode: DR0"
    mov rax, cr8
    check_equal rax, 5, "long mode: CR8"
    xor eax, eax
    mov cr8, rax
    mov dr0, rax
    swapgs
    mov ecx, MSR_GS_BASE
    rdmsr
    check_equal eax, 0x9abcdef0, "long mode: GS base, low half"
    check_equal edx, 0xffff8000, "long mode: GS base, high half"
    swapgs
    print "modes: long mode: 64-bit registers, its own paging, exceptions, system registers", 10

; Compatibility mode: 32-bit code under long mode's paging.
    push qword CODE32
    push qword compatibility
    retfq
    bits 32
compatibility:
    mov ax, DATA32
    mov ss, ax
    check_efer EFER_SCE | EFER_NXE | EFER_LME | EFER_LMA, "compatibility mode: EFER.LMA"
    check_cpuid
    check_version
    mov ebp, 0
    int VECTOR_CALL             ; handled by 64-bit code
    check_equal ebp, 1, "compatibility mode: INT"
    print "modes: compatibility mode: 32-bit code in long mode", 10

; ------------------------------------------------------------------------------------------------------------
; And back, step by step.
    mov eax, cr0
    and eax, ~CR0_PG
    check_control cr0, "leaving long mode: CR0"
    check_efer EFER_SCE | EFER_NXE | EFER_LME, "leaving long mode: EFER.LMA"
    write_efer 0
    xor eax, eax
    check_control cr4, "leaving long mode: CR4"
    lidt [idt_32_pointer]
    xor edx, edx
    xor ecx, ecx
    expect_fault DIVIDE_ERROR, 0, div ecx
    jmp CODE16:back_16
    bits 16
back_16:
    mov ax, DATA16              ; limits of 64 KiB, as real mode has them
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    mov eax, cr0
    and al, ~CR0_PE & 0xff
    check_control cr0, "leaving protected mode: CR0"
    jmp 0:back_real
back_real:
    call real_mode_again
    print "modes: back in real mode", 10

; One MOV to CR0 can do it all: PE and PG together take real mode straight into long mode, and out of it
; again.
    mov eax, CR4_PAE
    mov cr4, eax
    mov eax, PML4
    mov cr3, eax
    write_efer EFER_LME
    lidt [idt_64_pointer]
    mov eax, cr0
    or eax, CR0_PE | CR0_PG
    mov cr0, eax
    jmp CODE64:straight_64
    bits 64
straight_64:
    mov esp, esp
    mov ax, DATA32
    mov ds, ax
    mov ss, ax
    check_efer EFER_LME | EFER_LMA, "straight to long mode: EFER.LMA"
    check_version
    mov ebp, 0
    int VECTOR_CALL
    check_equal ebp, 1, "straight to long mode: INT"
    push qword CODE16
    push qword straight_16
    retfq
    bits 16
straight_16:
    mov ax, DATA16
    mov ds, ax
    mov ss, ax
    mov eax, cr0
    and eax, ~(CR0_PE | CR0_PG)
    mov cr0, eax
    jmp 0:straight_real
straight_real:
    call real_mode_again
    check_efer EFER_LME, "straight back: EFER.LMA"
    print "modes: straight to long mode and straight back: all is well", 10
    pass

; Segments and interrupts by the rules of real mode again.
real_mode_again:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    lidt [idt_real_pointer]
    mov ax, WINDOW >> 4
    mov fs, ax
    cmp dword [fs:0x10], "real"
    check_condition e, "back in real mode: a segment"
    mov bp, 0
    int VECTOR_REAL
    check_equal bp, 1, "back in real mode: INT"
    xor dx, dx
    xor cx, cx
    expect_fault DIVIDE_ERROR, 0, div cx
    check_cpuid
    check_version
    ret

; ------------------------------------------------------------------------------------------------------------
; Handlers. Those of faults note vector, error code and address, and return to [recover] instead.

call_16:
    inc bp
    iret

divide_error_16:
    mov byte [seen_vector], DIVIDE_ERROR
    jmp fault_16
general_protection_16:
    mov byte [seen_vector], GENERAL_PROTECTION
fault_16:                       ; real mode pushes no error code: IP, CS, FLAGS
    mov word [seen_error], 0
    push ax
    mov ax, [esp + 2]
    mov [seen_address], ax
    mov ax, [recover]
    mov [esp + 2], ax
    pop ax
    iret

    bits 32
call_32:
    inc ebp
    iretd

divide_error_32:
    push dword 0                ; in the error code's place
    mov byte [seen_vector], DIVIDE_ERROR
    jmp fault_32
general_protection_32:
    mov byte [seen_vector], GENERAL_PROTECTION
    jmp fault_32
page_fault_32:
    mov byte [seen_vector], PAGE_FAULT
fault_32:                       ; error code, EIP, CS, EFLAGS
    pop dword [seen_error]
    push eax
    mov eax, [esp + 4]
    mov [seen_address], eax
    movzx eax, word [recover]
    mov [esp + 4], eax
    pop eax
    iretd

    bits 64
call_64:
    inc ebp
    iretq

divide_error_64:
    push qword 0
    mov byte [seen_vector], DIVIDE_ERROR
    jmp fault_64
general_protection_64:
    mov byte [seen_vector], GENERAL_PROTECTION
    jmp fault_64
page_fault_64:
    mov byte [seen_vector], PAGE_FAULT
fault_64:                       ; error code, RIP, CS, RFLAGS, RSP, SS: each 8 bytes
    pop qword [seen_error]
    push rax
    mov rax, [rsp + 8]
    mov [seen_address], rax
    movzx eax, word [recover]
    mov [rsp + 8], rax
    pop rax
    iretq

    guest_routines 16
    guest_routines 32
    guest_routines 64

; ------------------------------------------------------------------------------------------------------------
; Tables. All of this guest lies below 64 KiB, so 16 bits hold any address in it.

    align 8, db 0
gdt:
    dq 0
CODE16 equ $ - gdt
    dq 0x00009b000000ffff       ; base 0, limit 64 KiB
DATA16 equ $ - gdt
    dq 0x000093000000ffff
CODE32 equ $ - gdt
    dq 0x00cf9b000000ffff       ; base 0, limit 4 GiB
DATA32 equ $ - gdt
    dq 0x00cf93000000ffff
CODE64 equ $ - gdt
    dq 0x00209b0000000000       ; the L bit; base and limit do not matter
WINDOW_SELECTOR equ $ - gdt
    dq 0x00009300000000ff | WINDOW << 16
CODE32_RING_3 equ $ - gdt + 3
    dq 0x00cffb000000ffff
DATA32_RING_3 equ $ - gdt + 3
    dq 0x00cff3000000ffff
TSS_SELECTOR equ $ - gdt
    dw tss_end - tss - 1, tss, 0x8900, 0
gdt_end:
gdt_pointer:
    dw gdt_end - gdt - 1
    dd gdt

    align 8, db 0
tss:
    dd 0, 0, DATA32             ; link; ESP0; SS0
    times 0x68 - ($ - tss) db 0
tss_end:

; A gate: offset, selector, type (0x8e00: 32-bit or 64-bit interrupt gate; 0xee00: usable from ring 3).
; Vectors in rising order.
%macro gate_32 3
    times %1 * 8 - ($ - idt_32) db 0
    dw %2, CODE32, %3, 0
%endmacro
%macro gate_64 2
    times %1 * 16 - ($ - idt_64) db 0
    dw %2, CODE64, 0x8e00, 0
    dq 0
%endmacro

    align 8, db 0
idt_32:
    gate_32 DIVIDE_ERROR, divide_error_32, 0x8e00
    gate_32 GENERAL_PROTECTION, general_protection_32, 0x8e00
    gate_32 PAGE_FAULT, page_fault_32, 0x8e00
    gate_32 VECTOR_CALL, call_32, 0x8e00
    gate_32 VECTOR_RING_0, ring_0, 0xee00
idt_32_end:
    align 16, db 0
idt_64:
    gate_64 DIVIDE_ERROR, divide_error_64
    gate_64 GENERAL_PROTECTION, general_protection_64
    gate_64 PAGE_FAULT, page_fault_64
    gate_64 VECTOR_CALL, call_64
idt_64_end:
idt_32_pointer:
    dw idt_32_end - idt_32 - 1
    dd idt_32
idt_64_pointer:
    dw idt_64_end - idt_64 - 1
    dq idt_64
idt_real_pointer:
    dw 0x3ff
    dd 0

window_selector: dw WINDOW_SELECTOR
recover: dw 0
seen_vector: db 0
    align 8, db 0
seen_error: dq 0
seen_address: dq 0
saved_rsp: dq 0
cpuid_0_ebx: dd 0
cpuid_0_ecx: dd 0
cpuid_0_edx: dd 0
