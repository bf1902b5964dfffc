; SPDX-License-Identifier: MIT
;
; Every register that the processor has and no VMCS field holds, and some that one does: in its initial state when the guest starts,
; kept over exits of several kinds in 64-bit mode, and full of something at the end. Two of these guests one after the other on one
; CPU show that the second finds nothing of the first one: in registers, in x87, SSE and AVX state, in MSRs, in RAM.

%include "hypercall_abi.inc"

PML4 equ 0x1000                 ; one page of 2 MiB, linear = physical
PDPT equ 0x2000
PAGE_DIRECTORY equ 0x3000
STACK_TOP equ 0x7c00
AREA_PATTERN equ 0x10000        ; extended state: what is loaded, and what is found
AREA_FOUND equ 0x12000
AREA_AGAIN equ 0x14000
AREA_SIZE equ 0x1000
LOW_RAM equ 0x18000             ; looked at and filled from here to 640 KiB, and in the second MiB
LOW_RAM_END equ 0xa0000
HIGH_RAM equ 0x100000
HIGH_RAM_END equ 0x1f0000
UNTOUCHED equ 0x1f0000          ; pages that nothing has touched: an EPT violation each
FILL equ 0xa5a5a5a5

CR4_PAE equ 1 << 5
CR4_OSFXSR equ 1 << 9
CR4_OSXSAVE equ 1 << 18
CPUID_XSAVE equ 1 << 26
EFER_LME equ 1 << 8
MSR_EFER equ 0xc0000080
XSTATE_BV equ 512
LEGACY_USED equ 416             ; of the legacy area of 512 bytes, the rest is not the processor's
COMPONENTS equ 0xe7             ; x87, SSE, AVX and AVX-512: what a pattern of any bits may be loaded into

; Goes on if the condition holds; else says the text and ends the guest.
%macro must 2
    j%+1 %%good
    lea rsi, [rel %%text]
    jmp failed
%%text: db %2, 0
%%good:
%endmacro

    org 0x7c00
    bits 16
    mov [cs:found + 0 * 8], eax
    mov [cs:found + 1 * 8], ecx
    mov [cs:found + 2 * 8], edx
    mov [cs:found + 3 * 8], ebx
    mov [cs:found + 4 * 8], esp
    mov [cs:found + 5 * 8], ebp
    mov [cs:found + 6 * 8], esi
    mov [cs:found + 7 * 8], edi
    mov [cs:found_segments + 0], ds
    mov [cs:found_segments + 2], es
    mov [cs:found_segments + 4], ss
    mov [cs:found_segments + 6], fs
    mov [cs:found_segments + 8], gs
    mov ax, 0                   ; MOV leaves the flags alone
    mov ss, ax
    mov esp, STACK_TOP
    pushfd
    pop dword [cs:found_flags]
    cli
    cld
    mov ds, ax
    mov es, ax
    mov eax, cr0
    mov [found_cr0], eax
    mov eax, cr4
    mov [found_cr4], eax

    mov dword [PML4], PDPT | 3
    mov dword [PDPT], PAGE_DIRECTORY | 3
    mov dword [PAGE_DIRECTORY], 0x83
    lgdt [gdt_pointer]
    mov eax, CR4_PAE | CR4_OSFXSR
    mov cr4, eax
    mov eax, cr3
    mov [found_cr3], eax
    mov eax, PML4
    mov cr3, eax
    mov ecx, MSR_EFER
    rdmsr
    mov [found_efer], eax
    mov eax, EFER_LME
    xor edx, edx
    wrmsr
    mov eax, cr0
    or eax, 0x80000001
    mov cr0, eax
    jmp CODE64:long_mode

    bits 64
long_mode:
    mov [found + 8 * 8], r8
    mov [found + 9 * 8], r9
    mov [found + 10 * 8], r10
    mov [found + 11 * 8], r11
    mov [found + 12 * 8], r12
    mov [found + 13 * 8], r13
    mov [found + 14 * 8], r14
    mov [found + 15 * 8], r15
    mov esp, STACK_TOP
    mov ax, DATA
    mov ds, ax
    mov es, ax
    mov ss, ax

; --- The initial state ------------------------------------------------------------------------------------
    cmp qword [found + 2 * 8], 0x80
    must e, "initial state: DX is not the drive booted from"
    mov qword [found + 2 * 8], 0
    mov esi, found
    mov ecx, 16
    call all_zero
    must e, "initial state: a general-purpose register"
    mov esi, found_segments
    mov ecx, 2
    call all_zero
    must e, "initial state: a segment register"
    cmp dword [found_flags], 2
    must e, "initial state: flags"
    cmp dword [found_cr0], 0x10
    must e, "initial state: CR0"
    mov rax, cr2
    or rax, [found_cr3]
    or rax, [found_cr4]
    or rax, [found_efer]
    must z, "initial state: CR2, CR3, CR4 or EFER"
    mov rax, cr8
    test rax, rax
    must z, "initial state: CR8"
    mov rax, dr0
    mov rcx, dr1
    or rax, rcx
    mov rcx, dr2
    or rax, rcx
    mov rcx, dr3
    or rax, rcx
    must z, "initial state: DR0 to DR3"
    mov rax, dr6
    mov ecx, 0xffff0ff0
    cmp rax, rcx
    must e, "initial state: DR6"
    mov rax, dr7
    cmp rax, 0x400
    must e, "initial state: DR7"
    mov ebx, msrs
.msr:
    mov ecx, [rbx]
    rdmsr
    or eax, edx
    must z, "initial state: an MSR"
    add ebx, 4
    cmp ebx, msrs_end
    jb .msr

    call find_components
    mov edi, AREA_FOUND
    call save_state
    cmp word [AREA_FOUND], 0x37f
    must e, "initial state: the x87 control word"
    cmp dword [AREA_FOUND + 24], 0x1f80
    must e, "initial state: MXCSR"
    mov word [AREA_FOUND], 0
    mov qword [AREA_FOUND + 24], 0      ; with the mask of MXCSR
    mov qword [AREA_FOUND + XSTATE_BV], 0
    mov esi, AREA_FOUND
    mov ecx, AREA_SIZE / 8
    call all_zero
    must e, "initial state: a register of x87, SSE or AVX"

    xor eax, eax
    mov edi, LOW_RAM
    mov ecx, (LOW_RAM_END - LOW_RAM) / 4
    repe scasd
    must e, "initial state: RAM below 640 KiB"
    mov edi, HIGH_RAM
    mov ecx, (HIGH_RAM_END - HIGH_RAM) / 4
    repe scasd
    must e, "initial state: RAM above 1 MiB"

; --- Fill it all ------------------------------------------------------------------------------------------
    mov eax, FILL
    mov edi, LOW_RAM
    mov ecx, (LOW_RAM_END - LOW_RAM) / 4
    rep stosd
    mov edi, HIGH_RAM
    mov ecx, (HIGH_RAM_END - HIGH_RAM) / 4
    rep stosd

    mov edi, AREA_PATTERN
    mov ecx, AREA_SIZE / 4
    rep stosd
    mov edi, AREA_PATTERN + LEGACY_USED         ; what the processor does not write, and the header of XSAVE
    mov ecx, (512 + 64 - LEGACY_USED) / 4
    xor eax, eax
    rep stosd
    mov word [AREA_PATTERN], 0x27f              ; x87: rounding to double
    mov word [AREA_PATTERN + 2], 0
    mov dword [AREA_PATTERN + 24], 0x7f80       ; MXCSR: rounding towards zero
    mov eax, [components]
    mov [AREA_PATTERN + XSTATE_BV], eax
    call load_state
    mov edi, AREA_FOUND
    call save_state
    cmp dword [AREA_FOUND + 160 + 15 * 16], FILL        ; XMM15
    must e, "loading XMM15"
    cmp dword [AREA_FOUND + 32], FILL                   ; ST0
    must e, "loading ST0"
    cmp dword [components], 7                           ; the upper halves of YMM0 to YMM15 stand at 576
    jb .no_avx
    cmp dword [AREA_FOUND + 576 + 15 * 16], FILL
    must e, "loading YMM15"
.no_avx:

    mov ebx, msrs
.fill_msr:
    mov ecx, [rbx]
    mov eax, FILL & 0x7fffffff
    xor edx, edx
    wrmsr
    add ebx, 4
    cmp ebx, msrs_end
    jb .fill_msr
    mov rax, 0xffff8000deadb000
    mov cr2, rax
    mov eax, 5
    mov cr8, rax
    mov rax, 0x00007fff00001000
    mov dr0, rax
    inc rax
    mov dr1, rax
    inc rax
    mov dr2, rax
    inc rax
    mov dr3, rax

; --- Exits ------------------------------------------------------------------------------------------------
; One instruction that exits, with every register full; RAX is then as told, all others are as they were.
%macro kept_over 2+
    call fill_registers
    %2
    call compare_registers
    dq %1
%endmacro
FLAGS equ 0xcd5                  ; all arithmetic flags, and DF
PATTERN_RAX equ 0x89abcdef01234500      ; bit 31 clear: with it a VMCALL goes on with a call that is under way

    kept_over 0xffffffff, vmcall                        ; an unknown call
    kept_over PATTERN_RAX, out dx, al
    kept_over PATTERN_RAX | 0xff, in al, dx
    kept_over PATTERN_RAX, wbinvd
    kept_over PATTERN_RAX, mov [abs UNTOUCHED], bl              ; EPT violations: RAM,
    kept_over PATTERN_RAX, mov [abs UNTOUCHED + 0x1000], r15
    kept_over PATTERN_RAX, mov [abs 0xa8000], r8                ; a hole, stepped over,
    kept_over PATTERN_RAX, mov [abs GUEST_ROM_SIGNATURE], ebp   ; ROM
    cmp dword [GUEST_ROM_SIGNATURE], "ADEP"
    must e, "ROM has changed"
    mov edi, AREA_AGAIN
    call save_state
    mov esi, AREA_FOUND
    mov edi, AREA_AGAIN
    mov ecx, AREA_SIZE / 4
    repe cmpsd
    must e, "x87, SSE or AVX state after exits"
    mov ebx, msrs
.again:
    mov ecx, [rbx]
    rdmsr
    cmp eax, FILL & 0x7fffffff
    must e, "an MSR after exits"
    add ebx, 4
    cmp ebx, msrs_end
    jb .again

    lea rsi, [rel good]
    mov ecx, good_end - good
    mov dx, PORT_DEBUG_BOCHS
    rep outsb
    call fill_registers
    xor eax, eax
    out PORT_END, al

; RSI: text. Says it and ends the guest.
failed:
    mov dx, PORT_DEBUG_BOCHS
.next:
    lodsb
    test al, al
    jz .end
    out dx, al
    jmp .next
.end:
    mov al, 1
    out PORT_END, al

; RSI, ECX: quadwords; ZF set if all are zero. Changes RAX.
all_zero:
    xor eax, eax
.next:
    or rax, [rsi]
    add rsi, 8
    dec ecx
    jnz .next
    test rax, rax
    ret

fill_registers:
    push qword FLAGS
    popfq
    mov rax, PATTERN_RAX
    mov rcx, PATTERN_RAX + 1
    mov rdx, PATTERN_RAX + 2
    mov rbx, PATTERN_RAX + 3
    mov rbp, PATTERN_RAX + 5
    mov rsi, PATTERN_RAX + 6
    mov rdi, PATTERN_RAX + 7
%assign i 8
%rep 8
    mov r%+i, PATTERN_RAX + i
    %assign i i + 1
%endrep
    ret

; Called behind the instruction; behind the CALL: what RAX must be.
compare_registers:
    mov [found + 0 * 8], rax
    mov [found + 1 * 8], rcx
    mov [found + 2 * 8], rdx
    mov [found + 3 * 8], rbx
    mov [found + 5 * 8], rbp
    mov [found + 6 * 8], rsi
    mov [found + 7 * 8], rdi
%assign i 8
%rep 8
    mov [found + i * 8], r%+i
    %assign i i + 1
%endrep
    pushfq
    cld
    pop rax
    and eax, FLAGS
    cmp eax, FLAGS
    must e, "RFLAGS after an exit"
    lea rax, [rsp + 8]
    cmp rax, STACK_TOP
    must e, "RSP after an exit"
    pop rsi
    mov rax, [rsi]
    add rsi, 8
    push rsi
    cmp rax, [found]
    must e, "RAX after an exit"
    mov rax, PATTERN_RAX
    mov ecx, 1
.next:
    inc rax
    cmp ecx, 4                  ; RSP
    je .skip
    cmp [found + rcx * 8], rax
    must e, "a register after an exit"
.skip:
    inc ecx
    cmp ecx, 16
    jb .next
    mov rax, cr2
    mov rcx, 0xffff8000deadb000
    cmp rax, rcx
    must e, "CR2 after an exit"
    mov rax, cr8
    cmp rax, 5
    must e, "CR8 after an exit"
    mov rcx, 0x00007fff00001000
    mov rax, dr0
    cmp rax, rcx
    must e, "DR0 after an exit"
    inc rcx
    mov rax, dr1
    cmp rax, rcx
    must e, "DR1 after an exit"
    inc rcx
    mov rax, dr2
    cmp rax, rcx
    must e, "DR2 after an exit"
    inc rcx
    mov rax, dr3
    cmp rax, rcx
    must e, "DR3 after an exit"
    ret

; [components]: what XSAVE is to handle, 0 where there is only FXSAVE.
find_components:
    mov eax, 1
    cpuid
    test ecx, CPUID_XSAVE
    jz .done
    mov rax, cr4
    or eax, CR4_OSXSAVE
    mov cr4, rax
    xor ecx, ecx
    xgetbv
    cmp eax, 1
    must e, "initial state: XCR0"
    mov eax, 0xd
    xor ecx, ecx
    cpuid
    and eax, COMPONENTS
    mov [components], eax
    xor ecx, ecx
    xor edx, edx
    xsetbv
.done:
    ret

; Saves the extended state at RDI, which is zeroed first. Changes RAX, RCX, RDX.
save_state:
    push rdi
    mov ecx, AREA_SIZE / 4
    xor eax, eax
    rep stosd
    pop rdi
    mov eax, [components]
    xor edx, edx
    test eax, eax
    jz .legacy
    xsave64 [rdi]
    ret
.legacy:
    fxsave64 [rdi]
    ret

; Loads it from AREA_PATTERN.
load_state:
    mov eax, [components]
    xor edx, edx
    test eax, eax
    jz .legacy
    xrstor64 [AREA_PATTERN]
    ret
.legacy:
    fxrstor64 [AREA_PATTERN]
    ret

good: db "registers: initial state, and kept over exits", 10
good_end:

    align 8, db 0
; STAR, LSTAR, CSTAR, SFMASK, KERNEL_GS_BASE; SYSENTER_CS, SYSENTER_ESP, SYSENTER_EIP; FS and GS base.
msrs:
    dd 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102, 0x174, 0x175, 0x176, 0xc0000100, 0xc0000101
msrs_end:
components: dd 0

    align 8, db 0
found: times 16 dq 0
found_segments: times 8 dw 0
found_cr3: dq 0
found_cr4: dq 0
found_efer: dq 0
found_cr0: dd 0
found_flags: dd 0

    align 8, db 0
gdt:
    dq 0
CODE64 equ $ - gdt
    dq 0x00209b0000000000
DATA equ $ - gdt
    dq 0x00cf93000000ffff
gdt_pointer:
    dw gdt_pointer - gdt - 1
    dd gdt
