; SPDX-License-Identifier: MIT
;
; Instructions on a device's registers: each is run on RAM and on the test device (test=mmio-device) with the same registers, flags and memory, and
; must do the same; in 16-bit code in real mode, in 32-bit code with segments that have a base, in 64-bit code with paging. Then what a page border,
; an exception, single-stepping and REP make of it. RAM comes by changing where DS and ES, in 64-bit code the page tables, lead.

%include "guest.inc"

RAM equ 0x90000
AREA equ 0x100                  ; offset of the operands in RAM and in the device
AREA_SIZE equ 0x80
WINDOW equ 0x400000             ; 64-bit code: here is the one or the other
PML4 equ 0x60000
PDPT equ 0x61000
PAGE_DIRECTORY equ 0x62000
PAGE_TABLE equ 0x63000          ; of the window
IDT equ 0x64000
NOT_PRESENT equ WINDOW + 0x10000
CLEAN equ WINDOW + 0x11000      ; RAM at 0x92000, not accessed yet

; What of the flags is compared: the manual leaves the rest undefined.
CF equ 0x001
PF equ 0x004
AF equ 0x010
ZF equ 0x040
SF equ 0x080
OF equ 0x800
ARITHMETIC equ CF | PF | AF | ZF | SF | OF
LOGIC equ ARITHMETIC & ~AF
SHIFT equ ARITHMETIC & ~(AF | OF)
MULTIPLY equ CF | OF
TESTED_BIT equ CF | ZF
; Those that arithmetic does not touch are checked anyhow: TF, IF, DF.
CONTROL equ 0x700

; One instruction. The flags that count, the least number of accesses to the device, the instruction.
%macro form 3+
    forms_begin %1, %2
    %3
    forms_end
%endmacro

; The same for several instructions.
%macro forms_begin 2
    %push form
    mov dword [flags_mask], %1 | CONTROL
    mov dword [accesses], %2
    mov dword [code_pointer], %$code
    call run_%+__BITS__
    jmp %$past
    %$code:
%endmacro

%macro forms_end 0
    ret
    %$past:
    %pop form
%endmacro

; ADD and its like: every direction, size and kind of immediate.
%macro arithmetic 2             ; mnemonic, flags
    form %2, 1, %1 byte [b + 1], dl
    form %2, 1, %1 word [b + 2], dx
    form %2, 1, %1 dword [b + 4], edx
    form %2, 1, %1 cl, [b + 8]
    form %2, 1, %1 ah, [b + 9]
    form %2, 1, %1 cx, [b + 10]
    form %2, 1, %1 ecx, [b + 12]
    form %2, 1, %1 byte [b + 3], 0x85
    form %2, 1, %1 word [b + 5], 0x7fff
    form %2, 1, %1 dword [b + 7], 0x80000001
    form %2, 1, %1 word [b + 6], -3
    form %2, 1, %1 dword [b + 9], 100
%if __BITS__ == 64
    form %2, 1, %1 qword [b + 16], r9
    form %2, 1, %1 r9, [b + 24]
    form %2, 1, %1 qword [b + 11], -77
    form %2, 1, %1 byte [b + 31], sil
%endif
%endmacro

%macro unary 2                  ; mnemonic, flags
    form %2, 2, %1 byte [b + 1]
    form %2, 2, %1 word [b + 2]
    form %2, 2, %1 dword [b + 5]
%if __BITS__ == 64
    form %2, 2, %1 qword [b + 9]
%endif
%endmacro

%macro shift 1
    form SHIFT | OF, 2, %1 byte [b + 1], 1
    form SHIFT | OF, 2, %1 dword [b + 4], 1
    form SHIFT, 2, %1 byte [b + 2], 3
    form SHIFT, 2, %1 word [b + 3], 9
    form SHIFT, 2, %1 dword [b + 6], 31
    form SHIFT, 2, %1 byte [b + 7], cl
    form SHIFT, 2, %1 word [b + 9], cl
    form SHIFT, 2, %1 dword [b + 5], cl
%if __BITS__ == 64
    form SHIFT, 2, %1 qword [b + 16], 43
    form SHIFT, 2, %1 qword [b + 17], cl
%endif
%endmacro

%macro bit_test 1
    form TESTED_BIT, 1, %1 word [b + 2], 5
    form TESTED_BIT, 1, %1 dword [b + 4], 45
    form TESTED_BIT, 1, %1 word [b + 40], bp
    form TESTED_BIT, 1, %1 dword [b + 40], ebp
%if __BITS__ == 64
    form TESTED_BIT, 1, %1 qword [b + 40], rbp
    form TESTED_BIT, 1, %1 qword [b + 8], 61
%endif
%endmacro

; Element sizes of a string instruction, upwards, and bytes downwards. Mnemonic, prefix or nothing, accesses.
%macro string 3
    form ARITHMETIC, %3, %2 %{1}b
    form ARITHMETIC, %3, %2 %{1}w
    form ARITHMETIC, %3, %2 %{1}d
    forms_begin ARITHMETIC, %3
    std
    %2 %{1}b
    cld
    forms_end
%if __BITS__ == 64
    form ARITHMETIC, %3, %2 %{1}q
%endif
%endmacro

%macro all_forms 0
; MOV.
    form ARITHMETIC, 1, mov [b], al
    form ARITHMETIC, 1, mov [b + 1], ah
    form ARITHMETIC, 1, mov [b + 2], dx
    form ARITHMETIC, 1, mov [b + 4], edx
    form ARITHMETIC, 1, mov al, [b + 3]
    form ARITHMETIC, 1, mov dh, [b + 4]
    form ARITHMETIC, 1, mov cx, [b + 5]
    form ARITHMETIC, 1, mov ecx, [b + 7]
    form ARITHMETIC, 1, mov byte [b + 3], 0x77
    form ARITHMETIC, 1, mov word [b + 3], 0x7788
    form ARITHMETIC, 1, mov dword [b + 3], 0x778899aa
    form ARITHMETIC, 1, mov word [b + 1], cs
    form ARITHMETIC, 1, mov word [b + 1], ss
    form ARITHMETIC, 1, movzx ecx, byte [b + 6]
    form ARITHMETIC, 1, movzx ecx, word [b + 6]
    form ARITHMETIC, 1, movzx cx, byte [b + 6]
    form ARITHMETIC, 1, movsx ecx, byte [b + 7]
    form ARITHMETIC, 1, movsx ecx, word [b + 6]
    form ARITHMETIC, 1, movsx cx, byte [b + 7]
    form ARITHMETIC, 1, movnti [b + 12], ecx
    form ARITHMETIC, 1, cmovc ecx, [b + 4]
    form ARITHMETIC, 1, cmovnc cx, [b + 4]
    form ARITHMETIC, 1, setc [b + 4]
    form ARITHMETIC, 1, setg [b + 5]
%if __BITS__ == 64
    form ARITHMETIC, 1, mov al, [qword WINDOW + AREA + 3]
    form ARITHMETIC, 1, mov [qword WINDOW + AREA + 3], ax
    form ARITHMETIC, 1, mov rax, [qword WINDOW + AREA + 3]
    form ARITHMETIC, 1, mov [qword WINDOW + AREA + 3], rax
    form ARITHMETIC, 1, mov r10, [b + 8]
    form ARITHMETIC, 1, mov [b + 8], r10
    form ARITHMETIC, 1, mov qword [b + 8], -2
    form ARITHMETIC, 1, mov [b + 8], r10b
    form ARITHMETIC, 1, movsxd rcx, dword [b + 4]
    form ARITHMETIC, 1, movzx rcx, byte [b + 4]
    form ARITHMETIC, 1, movsx r9, word [b + 6]
    form ARITHMETIC, 1, movnti [b + 16], r9
    form ARITHMETIC, 1, mov eax, [rel $$ + (WINDOW + AREA + 4 - 0x7c00)]
    form ARITHMETIC, 1, add dword [rel $$ + (WINDOW + AREA + 4 - 0x7c00)], 0x12345678
    form ARITHMETIC, 1, mov r11d, [ebx + r8d * 2 + 4]
    form ARITHMETIC, 1, mov r11, [rbx + r8 * 8 + 4]
    form ARITHMETIC, 1, mov r11, [r12]
    form ARITHMETIC, 1, mov r11, [r13]
    form ARITHMETIC, 1, mov [r13 + r8 + 0x10], r11w
%else
    form ARITHMETIC, 1, mov al, [AREA + 3]
    form ARITHMETIC, 1, mov [AREA + 3], ax
    form ARITHMETIC, 1, mov eax, [AREA + 3]
    form ARITHMETIC, 1, mov [AREA + 3], eax
    form ARITHMETIC, 1, mov cx, [bx + si - AREA]
    form ARITHMETIC, 1, mov cx, [bx + di - AREA]
    form ARITHMETIC, 1, mov cx, [ds:bp + si + 4]
    form ARITHMETIC, 1, mov cx, [es:bp + di - 12]
    form ARITHMETIC, 1, mov cx, [si]
    form ARITHMETIC, 1, mov [di + 3], cx
    form ARITHMETIC, 1, mov [word AREA + 8], cx
    form ARITHMETIC, 1, mov ecx, [ebx + ebp * 2 + 4]
    form ARITHMETIC, 1, mov ecx, [es:ebp * 2 + AREA + 4]
    form ARITHMETIC, 1, mov ecx, [dword AREA + 8]
%endif
    arithmetic add, ARITHMETIC
    arithmetic or, LOGIC
    arithmetic adc, ARITHMETIC
    arithmetic sbb, ARITHMETIC
    arithmetic and, LOGIC
    arithmetic sub, ARITHMETIC
    arithmetic xor, LOGIC
    arithmetic cmp, ARITHMETIC
    unary inc, ARITHMETIC
    unary dec, ARITHMETIC
    unary not, ARITHMETIC
    unary neg, ARITHMETIC
    shift rol
    shift ror
    shift rcl
    shift rcr
    shift shl
    shift shr
    shift sar
    form SHIFT, 2, shld [b + 4], edx, 5
    form SHIFT, 2, shrd [b + 4], dx, cl
    bit_test bt
    bit_test bts
    bit_test btr
    bit_test btc
    form LOGIC, 1, test [b], al
    form LOGIC, 1, test [b + 3], edx
    form LOGIC, 1, test byte [b], 0x81
    form LOGIC, 1, test word [b], 0x8181
    form LOGIC, 1, test dword [b], 0x818181
    form MULTIPLY, 1, mul byte [b]
    form MULTIPLY, 1, mul dword [b + 1]
    form MULTIPLY, 1, imul word [b + 2]
    form MULTIPLY, 1, imul ecx, [b + 2]
    form MULTIPLY, 1, imul cx, [b + 2], -5
    form MULTIPLY, 1, imul ecx, [b + 2], 0x12345
    form ARITHMETIC, 2, xchg [b + 1], dl
    form ARITHMETIC, 2, xchg [b + 1], edx
    form ARITHMETIC, 2, xadd [b + 1], dh
    form ARITHMETIC, 2, xadd [b + 1], edx
    form ARITHMETIC, 2, cmpxchg [b + 4], dl
    form ARITHMETIC, 2, cmpxchg [b + 4], edx
    forms_begin ARITHMETIC, 3
    mov eax, [b + 4]
    cmpxchg [b + 4], edx
    forms_end
    form ARITHMETIC, 2, cmpxchg8b [b]
    forms_begin ARITHMETIC, 4
    mov eax, [b]
    mov edx, [b + 4]
    cmpxchg8b [b]
    forms_end
    form ARITHMETIC, 2, lock add [b + 4], edx
    form ARITHMETIC, 2, lock inc byte [b + 4]
    form TESTED_BIT, 2, lock bts [b + 4], ebp
    form ARITHMETIC, 2, lock cmpxchg [b + 4], ecx
    string movs, , 2
    string movs, rep, 6
    string stos, , 1
    string stos, rep, 3
    string lods, , 1
    string lods, rep, 3
    string cmps, , 2
    string cmps, repe, 2
    string cmps, repne, 2
    string scas, , 1
    string scas, repe, 1
    string scas, repne, 1
; PUSH and POP: the stack is in RAM.
%if __BITS__ == 64
    forms_begin ARITHMETIC, 1
    push qword [b + 8]
    pop rcx
    forms_end
    forms_begin ARITHMETIC, 1
    push r10
    pop qword [b + 8]
    forms_end
    forms_begin ARITHMETIC, 1
    push word [b + 8]
    pop cx
    forms_end
%else
    forms_begin ARITHMETIC, 1
    push dword [b + 8]
    pop ecx
    forms_end
    forms_begin ARITHMETIC, 1
    push word [b + 8]
    pop cx
    forms_end
    forms_begin ARITHMETIC, 1
    push edx
    pop dword [b + 8]
    forms_end
    forms_begin ARITHMETIC, 1
    push dx
    pop word [b + 8]
    forms_end
%endif
; Near CALL and JMP through a pointer in the device.
%if __BITS__ == 16
    forms_begin ARITHMETIC, 2
    mov word [b + 4], %%called
    call word [b + 4]
    jmp %%behind
%%called: inc dx
    ret
%%behind:
    forms_end
%elif __BITS__ == 32
    forms_begin ARITHMETIC, 2
    mov dword [b + 4], %%called
    call dword [b + 4]
    jmp %%behind
%%called: inc edx
    ret
%%behind:
    forms_end
%else
    forms_begin ARITHMETIC, 2
    mov qword [b + 8], %%called
    call qword [b + 8]
    jmp %%behind
%%called: inc edx
    ret
%%behind:
    forms_end
%endif
    mov eax, 1
    cpuid
    test ecx, 1 << 22
    jz %%no_movbe
    form ARITHMETIC, 1, movbe ecx, [b + 4]
    form ARITHMETIC, 1, movbe [b + 4], dx
%if __BITS__ == 64
    form ARITHMETIC, 1, movbe [b + 8], r10
%endif
%%no_movbe:
    more_forms
%endmacro

; Scans and counts (without LZCNT and TZCNT the processor takes them for BSR and BSF), division, system registers, vector registers.
%macro more_forms 0
    form ZF, 1, bsf ecx, [b + 1]
    form ZF, 1, bsr cx, [b + 2]
    form ZF, 1, tzcnt ecx, [b + 3]
    form ZF, 1, lzcnt cx, [b + 3]
    form ARITHMETIC, 1, popcnt ecx, [b + 5]
    form ARITHMETIC, 1, crc32 ecx, byte [b + 5]
    form ARITHMETIC, 1, crc32 ecx, word [b + 5]
    form ARITHMETIC, 1, crc32 ecx, dword [b + 5]
    forms_begin 0, 4
    xor edx, edx
    div dword [b + 4]
    mov ax, 77
    div byte [b + 8]
    mov eax, -12345
    cdq
    idiv dword [b + 12]
    mov ax, -77
    idiv byte [b + 9]
    forms_end
    form ARITHMETIC, 1, smsw [b + 4]
%if __BITS__ > 16
    form ARITHMETIC, 1, sldt [b + 4]
    form ARITHMETIC, 1, str [b + 6]
%endif
%if __BITS__ == 64
    form ZF, 1, bsf rcx, [b + 1]
    form ZF, 1, lzcnt r9, [b + 1]
    form ARITHMETIC, 1, popcnt r9, [b + 1]
    form ARITHMETIC, 1, crc32 r9, qword [b + 1]
    forms_begin 0, 1
    mov edx, 5
    div qword [b + 8]
    forms_end
    form ARITHMETIC, 4, lock cmpxchg16b [b + 16]
    forms_begin ARITHMETIC, 6
    mov rax, [b + 16]
    mov rdx, [b + 24]
    cmpxchg16b [b + 16]
    forms_end
%endif
    set_cr4_bit 9               ; OSFXSR
    %assign %%from 0
    %rep 4
    vector_moves movups, movupd, %%from
    %assign %%from %%from + 3
    %endrep
    vector_moves movaps, movntps, 0
    vector_moves movapd, movntpd, 16
    vector_moves movdqa, movntdq, 0
    vector_moves lddqu, movdqu, 5
    vector_moves movdqu, movdqa, 16
    vector_moves movntdqa, movups, 16
    vector_moves movss, movsd, 3
    vector_moves movsd, movss, 3
    vector_moves movlps, movhps, 3
    vector_moves movhpd, movlpd, 8
    vector_moves movq, movd, 7
    vector_moves movd, movq, 7
%if __BITS__ > 16
    mov eax, 1
    cpuid
    test ecx, 1 << 28
    jz %%no_avx
    set_cr4_bit 18              ; OSXSAVE
    xor ecx, ecx
    xgetbv
    or eax, 7
    xsetbv
    forms_begin ARITHMETIC, 12
    vmovups ymm1, [b + 1]
    vmovdqu [b + 0x41], ymm1
    vmovdqa ymm2, [b + 0x20]
    vmovaps [b], ymm2
    vmovntdq [b + 0x40], ymm1
    forms_end
    forms_begin ARITHMETIC, 10
    vmovups ymm3, [b + 1]
    vmovups xmm3, [b + 2]       ; the upper half becomes 0
    vmovups [b + 0x40], ymm3
    vmovups ymm4, [b + 3]
    movups xmm4, [b + 4]        ; the upper half stays
    vmovups [b + 0x21], ymm4
    forms_end
    forms_begin ARITHMETIC, 6
    vmovups xmm5, [b + 1]
    vmovlps xmm6, xmm5, [b + 8]
    vmovhps xmm7, xmm6, [b + 16]
    vmovss xmm1, [b + 4]
    vmovq xmm2, [b + 9]
    vmovups [b + 0x20], xmm7
    vmovd [b + 0x30], xmm1
    vmovq [b + 0x38], xmm2
    forms_end
%%no_avx:
%endif
%endmacro

%macro set_cr4_bit 1
%if __BITS__ == 64
    mov rax, cr4
    bts rax, %1
    mov cr4, rax
%else
    mov eax, cr4
    bts eax, %1
    mov cr4, eax
%endif
%endmacro

; One vector move from the device, by another back to it, both behind what the register had before.
%macro vector_moves 3           ; load, store, offset
    forms_begin ARITHMETIC, 2
    movups xmm2, [b + 0x30]
    %1 xmm2, [b + %3]
    %2 [b + 0x40 + %3], xmm2
    movups [b + 0x60], xmm2
    forms_end
%endmacro

; --- The runners ---------------------------------------------------------------------------------------------------------
; `run` runs what is at code_pointer on RAM and on the device, in two rounds with different operands and flags, and compares. Keeps no register.
%macro runner 1
    bits %1
%if %1 == 16
    %define r_ax ax
    %define r_sp sp
    %define p_size 2
%elif %1 == 32
    %define r_ax eax
    %define r_sp esp
    %define p_size 4
%else
    %define r_ax rax
    %define r_sp rsp
    %define p_size 8
%endif
run_%1:
    inc dword [form_number]
    mov dword [round], 0
%%rounds:
    mov dword [result], result_ram
%if %1 == 16
    mov ax, RAM >> 4
%elif %1 == 32
    mov eax, DATA_RAM
%else
    mov eax, RAM | 3
%endif
    call %%one
    mov dword [result], result_device
%if %1 == 16
    mov ax, TEST_MEMORY_GPA >> 4
    mov es, ax
    mov byte [es:TEST_MEMORY_READS], 0
%elif %1 == 32
    mov byte [TEST_MEMORY_GPA + TEST_MEMORY_READS], 0
    mov eax, DATA_DEVICE
%else
    mov eax, TEST_MEMORY_GPA | 3
%endif
    call %%one
; Flags under the mask, then everything.
    mov eax, [flags_mask]
    and [result_ram + R_FLAGS], eax
    and [result_device + R_FLAGS], eax
    cld
    mov esi, result_ram
    mov edi, result_device
    mov ecx, RESULT_SIZE / 4
%if %1 == 16
    push ds
    pop es
%endif
    repe cmpsd
    je %%same
    print "mmio: form "
    mov eax, [form_number]
    call put_number_%1
    print " at "
    mov eax, [code_pointer]
    call put_number_%1
    print " differs at "
    mov eax, esi
    sub eax, result_ram + 4
    call put_number_%1
    print 10
    fail "the device and RAM differ"
%%same:
    mov eax, [counted]
    cmp eax, [accesses]
    jae %%counted
    print "mmio: form "
    mov eax, [form_number]
    call put_number_%1
    fail "too few accesses to the device"
%%counted:
    inc dword [round]
    cmp dword [round], 2
    jb %%rounds
    ret

%%one:
    push r_ax
%if %1 == 64
    call lead_to
%else
    mov es, ax
%endif
; The operands: a pattern that is another one each round.
    cld
    mov esi, pattern
    mov edi, WINDOW_%1 + AREA
    mov ecx, AREA_SIZE / 4
    mov edx, 0x3779ab51
    imul edx, [round]
%%fill:
    lodsd
    xor eax, edx
    stosd
    dec ecx
    jnz %%fill
    pop r_ax
; Clear the counts, not by the device's operands.
%if %1 == 16
    cmp ax, TEST_MEMORY_GPA >> 4
    jne %%ram
    mov byte [es:TEST_MEMORY_READS], 0
%%ram:
%elif %1 == 32
    mov byte [TEST_MEMORY_GPA + TEST_MEMORY_READS], 0
%else
    cmp eax, TEST_MEMORY_GPA | 3
    jne %%ram
    mov byte [WINDOW + TEST_MEMORY_READS], 0
%%ram:
%endif
; Flags: CF, ZF, SF, OF... by the round.
    mov edx, [round]
    mov edx, [flags_in + edx * 4]
    mov [flags_now], edx
    mov edx, 0x10204081
    imul edx, [round]
    add edx, 0x8123f7a5
    mov eax, 0x13579bdf
    xor eax, edx
    mov ecx, 3
    mov esi, WINDOW_%1 + AREA + 0x40
    mov edi, WINDOW_%1 + AREA + 0x60
    mov ebx, WINDOW_%1 + AREA
    mov ebp, 37
%if %1 == 64
    mov r8d, 9
    mov r9, 0x8877665544332211
    xor r9, rdx
    lea r10, [r9 * 3 + 5]
    mov r11d, edx
    lea r12, [rbx + 0x18]
    lea r13, [rbx + 0x20]
    mov dword [flags_now + 4], 0
%else
    push es
    pop ds
%endif
%if %1 == 16
    push word [ss:flags_now]
    popf
    call word [ss:code_pointer]
    pushf
    pop word [ss:flags_now]
%elif %1 == 32
    push dword [ss:flags_now]
    popf
    call dword [ss:code_pointer]
    pushf
    pop dword [ss:flags_now]
%else
    push qword [flags_now]
    popf
    call qword [code_pointer]
    pushf
    pop qword [flags_now]
%endif
; Registers and operands into the result.
%if %1 == 64
    push rdi
    mov edi, [result]
    mov [rdi + R_EAX], rax
    mov [rdi + R_EAX + 8], rcx
    mov [rdi + R_EAX + 16], rdx
    mov [rdi + R_EAX + 24], rbx
    mov [rdi + R_EAX + 32], rsi
    mov [rdi + R_EAX + 40], rbp
    mov [rdi + R_EAX + 48], r9
    mov [rdi + R_EAX + 56], r10
    mov [rdi + R_EAX + 64], r11
    pop qword [rdi + R_EAX + 72]
    mov eax, [flags_now]
    mov [rdi + R_FLAGS], eax
%else
%if %1 == 16
    mov [ss:saved_di], edi
    mov edi, 0
    mov ds, di
%else
    mov [ss:saved_di], edi
    push ss
    pop ds
%endif
    mov edi, [result]
    mov [edi + R_EAX], eax
    mov [edi + R_EAX + 8], ecx
    mov [edi + R_EAX + 16], edx
    mov [edi + R_EAX + 24], ebx
    mov [edi + R_EAX + 32], esi
    mov [edi + R_EAX + 40], ebp
    mov eax, [saved_di]
    mov [edi + R_EAX + 72], eax
    mov eax, [flags_now]
    mov [edi + R_FLAGS], eax
%endif
    cld
; The counts first; they say nothing about RAM.
%if %1 == 16
    mov eax, [es:TEST_MEMORY_READS]
    add eax, [es:TEST_MEMORY_WRITES]
    mov [counted], eax
%elif %1 == 32
    mov eax, [TEST_MEMORY_GPA + TEST_MEMORY_READS]
    add eax, [TEST_MEMORY_GPA + TEST_MEMORY_WRITES]
    mov [counted], eax
%else
    mov eax, [WINDOW + TEST_MEMORY_READS]
    add eax, [WINDOW + TEST_MEMORY_WRITES]
    mov [counted], eax
%endif
    mov edi, [result]
    add edi, R_MEMORY
    mov esi, WINDOW_%1 + AREA
    mov ecx, AREA_SIZE / 4
%%copy:
%if %1 == 64
    mov eax, [rsi]
    mov [rdi], eax
%else
    mov eax, [es:esi]
    mov [edi], eax
%endif
    add esi, 4
    add edi, 4
    dec ecx
    jnz %%copy
%if %1 == 16
    xor ax, ax
    mov es, ax
%elif %1 == 32
    push ds
    pop es
%endif
    ret

; EAX in hexadecimal.
put_number_%1:
    mov ecx, 8
%%digit:
    rol eax, 4
    push r_ax
    and al, 15
    add al, '0'
    cmp al, '9'
    jbe %%put
    add al, 'a' - '0' - 10
%%put:
    call put_%1
    pop r_ax
    dec ecx
    jnz %%digit
    ret
%endmacro

WINDOW_16 equ 0
WINDOW_32 equ 0
WINDOW_64 equ WINDOW


    guest_start
    check_version

; --- 16-bit code in real mode: DS and ES lead to the one or the other -------------------------------------------------
%define b bx
    all_forms
    print "mmio: 16-bit code does the same on a device as on RAM", 10

; An operand half in RAM, half in the device; half in the device, half in the hole.
    push word 0x9ff0
    pop es
    mov dword [es:0xfe], 0x44332211
    check_equal word [es:0xfe], 0x2211, "RAM and device: the half in RAM"
    check_equal word [es:0x100], 0x4433, "RAM and device: the half in the device"
    inc dword [es:0xfd]
    check_equal dword [es:0xfe], 0x44332211, "RAM and device: read over the border, as it was but for one byte"
    push word 0xa000
    pop es
    check_equal dword [es:0x1ffe], 0xffff0000, "device and hole: read over the border"
    mov byte [es:TEST_MEMORY_READS], 0

; How accesses look to the device.
    mov eax, [es:0x10]
    check_equal dword [es:TEST_MEMORY_READS], 1, "one MOV: reads"
    check_equal dword [es:TEST_MEMORY_WRITES], 0, "one MOV: writes"
    check_equal dword [es:TEST_MEMORY_LAST_SIZE], 4, "one MOV: size"
    check_equal dword [es:TEST_MEMORY_LAST_OFFSET], 0x10, "one MOV: offset"
    mov byte [es:TEST_MEMORY_READS], 0
    not word [es:0x22]
    check_equal dword [es:TEST_MEMORY_READS], 1, "NOT: reads"
    check_equal dword [es:TEST_MEMORY_WRITES], 1, "NOT: writes"
    check_equal dword [es:TEST_MEMORY_LAST_SIZE], 2, "NOT: size"

; REP longer than what one exit does.
    mov byte [es:TEST_MEMORY_READS], 0
    mov di, AREA
    mov cx, 1000
    mov al, 0x5a
    rep stosb
    check_equal cx, 0, "REP STOSB: CX"
    check_equal di, AREA + 1000, "REP STOSB: DI"
    check_equal dword [es:TEST_MEMORY_WRITES], 1000, "REP STOSB: writes"
    check_equal byte [es:AREA + 999], 0x5a, "REP STOSB: the last byte"
    check_equal byte [es:AREA + 1000], 0, "REP STOSB: not one more"

; Polling: the same register again and again is progress.
    mov cx, 100
.poll:
    mov al, [es:0x10]
    loop .poll

; An instruction that changes under the same address.
    mov dl, 3
.modified:
    mov [.patched + 5], dl
    jmp .patched
.patched:
    mov byte [es:0x10], 0x55
    check_equal [es:0x10], dl, "an instruction that was changed"
    dec dl
    jnz .modified

; An instruction whose bytes lie in two pages, at each border there is.
    mov ax, cs
    mov ds, ax
    mov ebp, 1
.borders:
    mov di, 0x2000
    sub di, bp
    mov si, .sample
    mov cx, .sample_end - .sample
    push es
    push word 0
    pop es
    rep movsb
    pop es
    mov ax, 0x2000
    sub ax, bp
    mov dword [es:0x30], 0x11111111
    call ax
    check_equal dword [es:0x30], 0x23456789, "bytes in two pages"
    inc bp
    cmp bp, .sample_end - .sample
    jb .borders
    jmp .stepped
.sample:
    es add dword [dword 0x30], 0x12345678
    ret
.sample_end:

; The guest's own single step: one trap an instruction, one an element with REP; none is lost under blocking by MOV SS.
.stepped:
    mov word [1 * 4], on_db
    mov word [1 * 4 + 2], 0
    mov word [traps], 0
    push word 0x0102            ; TF
    popf
    mov al, [es:0x10]
    nop
    push word 0x0002            ; traps behind MOV, NOP, PUSH, POPF
    popf
    check_equal word [traps], 4, "single step: traps"
    mov word [traps], 0
    mov di, AREA
    mov cx, 5
    push word 0x0102
    popf
    rep stosb
    push word 0x0002            ; five elements, PUSH, POPF
    popf
    check_equal word [traps], 7, "single step: REP STOSB: traps"
    check_equal cx, 0, "single step: REP STOSB: CX"
    xor bx, bx
    mov ss, bx
    mov al, [es:0x10]
    sti
    mov al, [es:0x10]
    cli
    print "mmio: borders, REP, polling, single steps: all is well", 10

; --- 32-bit code: DS and ES have a base ---------------------------------------------------------------------------------
    xor ax, ax
    mov ds, ax
    mov es, ax
    lgdt [gdt_all_pointer]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp CODE32:dword protected
; What 16-bit code reaches must be within 64 KiB.
    bits 16
on_db:
    inc word [traps]
    iret

    runner 16
    guest_routines 16

    align 8, db 0
gdt_all:
    dq 0
gdt_c32: dq 0x00cf9b000000ffff
gdt_d32: dq 0x00cf93000000ffff
gdt_c64: dq 0x00af9b000000ffff
gdt_ram: dq 0x004193090000ffff          ; base RAM, limit 128 KiB - 1
gdt_dev: dq 0x0041930a0000ffff          ; base the device
gdt_all_end:
gdt_all_pointer:
    dw gdt_all_end - gdt_all - 1
    dd gdt_all
CODE32 equ gdt_c32 - gdt_all
DATA32 equ gdt_d32 - gdt_all
CODE64 equ gdt_c64 - gdt_all
DATA_RAM equ gdt_ram - gdt_all
DATA_DEVICE equ gdt_dev - gdt_all
idt_pointer:
    dw 0xfff
    dq IDT

    align 8, db 0
flags_in: dd 0x002, 0x8d7
pattern:
%assign i 0
%rep AREA_SIZE
    db (i * 37 + 11) & 0xff
%assign i i + 1
%endrep

; Variables, behind the image.
    align 16, db 0
variables:
flags_mask equ variables
accesses equ variables + 4
counted equ variables + 8
form_number equ variables + 12
code_pointer equ variables + 16
round equ variables + 24
result equ variables + 28
flags_now equ variables + 32
saved_di equ variables + 40
traps equ variables + 44
ticks equ variables + 48
    times 64 db 0
R_FLAGS equ 0
R_ACCESSES equ 4
R_EAX equ 8
R_MEMORY equ R_EAX + 80
RESULT_SIZE equ R_MEMORY + AREA_SIZE
result_ram:
    times RESULT_SIZE db 0
result_device:
    times RESULT_SIZE db 0

    bits 32
protected:
    mov ax, DATA32
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, 0x7c00
%define b ebx
    all_forms
    print "mmio: 32-bit code does the same on a device as on RAM", 10

; --- 64-bit code: paging leads to the one or the other --------------------------------------------------------------------
    cld
    xor eax, eax
    mov edi, PML4
    mov ecx, 0x5000 / 4
    rep stosd
    mov dword [PML4], PDPT | 3
    mov dword [PDPT], PAGE_DIRECTORY | 3
    mov dword [PAGE_DIRECTORY], 0x83
    mov dword [PAGE_DIRECTORY + (WINDOW >> 21) * 8], PAGE_TABLE | 3
    mov dword [PAGE_TABLE + 0x11 * 8], 0x92003
    mov eax, cr4
    or eax, 1 << 5
    mov cr4, eax
    mov eax, PML4
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 1 << 8
    wrmsr
    mov eax, cr0
    or eax, CR0_PG | CR0_WP
    mov cr0, eax
    jmp CODE64:code_64
    bits 64
code_64:
%define b rbx
    all_forms
    print "mmio: 64-bit code does the same on a device as on RAM", 10

; The device is read, then its copy faults; and the flags of the paging structures.
    lidt [idt_pointer]
    mov eax, on_pf
    mov [IDT + 14 * 16], ax
    shr eax, 16
    mov [IDT + 14 * 16 + 6], ax
    mov word [IDT + 14 * 16 + 2], CODE64
    mov word [IDT + 14 * 16 + 4], 0x8e00
    mov eax, TEST_MEMORY_GPA | 3
    call lead_to
    mov byte [WINDOW + TEST_MEMORY_READS], 0
    xor ebp, ebp
    mov esi, WINDOW + 0x10
    mov edi, NOT_PRESENT + 0x123
    mov rbx, rsp
    movsd
after_movsd:
    check_equal ebp, 2, "MOVSD to a page that is not there: the error code"
    mov rax, cr2
    check_equal rax, NOT_PRESENT + 0x123, "MOVSD to a page that is not there: CR2"
    check_equal esi, WINDOW + 0x10, "MOVSD to a page that is not there: RSI"
    check_equal dword [WINDOW + TEST_MEMORY_READS], 0, "MOVSD to a page that is not there: the device is not read"
    mov edi, CLEAN
    mov dword [WINDOW + 0x10], 0x600dbeef
    movsd
    mov eax, [PAGE_TABLE + 0x11 * 8]
    and eax, 0x60
    check_equal eax, 0x60, "MOVSD to a page for the first time: accessed and dirty"
    check_equal dword [CLEAN], 0x600dbeef, "MOVSD to a page for the first time"
    and dword [PAGE_TABLE + 0x11 * 8], ~2
    mov rax, cr3
    mov cr3, rax
    mov esi, WINDOW + 0x10
    mov edi, CLEAN
    xor ebp, ebp
    movsd
    check_equal ebp, 3, "MOVSD to a read-only page: the error code"
    print "mmio: page faults of emulated instructions: all is well", 10

; What a read costs, without the loop around it.
    mov ebx, WINDOW + 0x10
    call least_time
    mov r14, r15
    mov ebx, variables
    call least_time
    sub r14, r15
    mov rax, r14
    xor edx, edx
    mov ecx, 100
    div rcx
    mov [ticks], eax
    print "mmio: ticks of a read: "
    mov eax, [ticks]
    call put_decimal
    print 10
    pass

; The least of some measurements, in R15: without what the hypervisor prints in between.
least_time:
    mov r15d, -1
    mov r13d, 5
.again:
    call time_loop
    cmp eax, r15d
    cmovb r15d, eax
    dec r13d
    jnz .again
    ret

; 100 reads at RBX: ticks in RAX.
time_loop:
    mov eax, [rbx]
    rdtsc
    mov r8d, eax
    mov ecx, 100
.again:
    mov eax, [rbx]
    dec ecx
    jnz .again
    rdtsc
    sub eax, r8d
    ret

put_decimal:
    xor ecx, ecx
.digit:
    xor edx, edx
    mov r8d, 10
    div r8d
    push rdx
    inc ecx
    test eax, eax
    jnz .digit
.put:
    pop rax
    add al, '0'
    call put_64
    loop .put
    ret

; #PF: the error code to EBP; on behind the instruction, which is MOVSD.
on_pf:
    pop rbp
    inc qword [rsp]
    iretq

; EAX: the window's page, with its rights; the next page follows.
lead_to:
    mov [PAGE_TABLE], eax
    add eax, 0x1000
    mov [PAGE_TABLE + 8], eax
    invlpg [WINDOW]
    invlpg [WINDOW + 0x1000]
    ret


    runner 32
    runner 64
    guest_routines 32
    guest_routines 64
