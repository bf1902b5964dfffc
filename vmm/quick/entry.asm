; SPDX-License-Identifier: MIT
;
; Where the processor arrives on a VM exit (HOST_RIP). Exits whose answer is a constant that C has noted end here, before any C: CPUID, RDMSR of a
; constant, VMCALL with a number that is none of ours, ports without a device. All others, and these too when something else is due, go on to
; vmx_exit_saved and to exit_dispatch(). vmm/quick/quick.h says when an exit may be quick.
;
; RSP points to the member host_rsp of struct vmx_registers, with which struct vcpu begins, and nothing else uses the stack (vmx_entry.asm).
; RAX, RCX, RDX and RBX are stored at once and free from then on; the other registers stay the guest's. Every path ends with
; all registers the guest's or an answer; none ends with a value of the host's.
;
; Until RIP is written nothing has changed: whatever is unusual, a VMREAD that fails too, is left to C, which meets it again and knows what to do.
;
; Each kind of exit stands here twice: an exit that is traced pays for its record, the others pay nothing for that. How a record is made is in
; vmm/quick/record.inc.

%include "quick_abi.inc"
%include "hypercall_abi.inc"
%include "vmx_entry_abi.inc"

%define AT(offset) rsp + (offset) - VMX_REGISTER_HOST_RSP
%define STATISTICS(reason) VCPU_STATISTICS + (reason) * STATISTICS_SIZE

bits 64
default rel

section .text

extern exit_quick_ept
extern exit_quick_ept_traced
extern vmx_exit_called
extern vmx_exit_saved
extern vmx_resume_failed

%ifdef BENCH
extern vmx_bench_reads
extern vmx_bench_writes
%endif

; VMREAD to a register or memory, and VMWRITE; what fails goes to C.
%macro READ 2-3 to_c                    ; to, register with the field, where it goes on after a failure: none, it is told by a later one
%ifdef BENCH
    inc qword [vmx_bench_reads]
%endif
    vmread %1, %2
%ifnidn %3, none
    jbe %3
%endif
%endmacro

%macro WRITE 2-3 to_c                   ; field, from
%ifdef BENCH
    inc qword [vmx_bench_writes]
%endif
    vmwrite %1, %2
    jbe %3
%endmacro

; Goes on if this kind of exit may be quick now and is not traced; if it is traced, at the label. RAX: the TSC at the exit.
%macro ONLY_IF_OPEN 2
    test qword [AT(VCPU_QUICK_CLOSED)], EXIT_QUICK_ALL | %1 << EXIT_QUICK_TRACED_SHIFT | %1
    jnz %2
    cmp rax, [AT(VCPU_QUICK_DUE)]
    jae to_c
%endmacro

; At that label: goes on if it may be quick.
%macro ONLY_IF_OPEN_TRACED 1
    test qword [AT(VCPU_QUICK_CLOSED)], EXIT_QUICK_ALL | %1
    jnz to_c
    cmp rax, [AT(VCPU_QUICK_DUE)]
    jae to_c
%endmacro

; Not for a guest that single-steps or has breakpoints, which wants its traps: vmm/vcpu/boundary.h.
%macro UNLESS_STEPPING 1-2 cx           ; where it goes on instead, register to use
    mov e%2, QUICK_FIELD_RFLAGS
    READ r%2, r%2, %1
    test [AT(VCPU_QUICK_TRAP_FLAGS)], e%2
    jnz %1
%endmacro

; Moves RIP behind the instruction, unless it passes a multiple of 4 GiB there, which depends on the mode. Changes RAX, RCX, RDX.
%macro ADVANCE 0
    UNLESS_STEPPING to_c
    mov edx, QUICK_FIELD_INSTRUCTION_LENGTH
    READ rdx, rdx
    mov ecx, QUICK_FIELD_RIP
    READ rax, rcx
    add rdx, rax
    cmp edx, eax
    jb to_c
    WRITE rcx, rdx
%endmacro

; exit_statistics_add() for this reason and the ticks of the exit; the subject's own ticks and count, the second parameter being the address of its
; struct quick_key; of a struct exit_subject, which has been counted, the ticks alone (`counted`). Neither is by RAX or RDX. The fourth parameter is
; an instruction that has the ticks in RAX. The difference of 32 bits is enough for what takes a hundred instructions. Changes RAX, RCX, RDX.
%macro ACCOUNT 2-4+ not_counted         ; reason, subject
    rdtsc
    sub eax, [AT(VCPU_QUICK_START)]
%ifidn %3, not_counted
    inc qword [%2 + QUICK_COUNT]
%endif
    add [%2 + QUICK_TICKS], rax
    %4
    add [AT(STATISTICS(%1) + STATISTICS_TICKS)], rax
    cmp rax, [AT(STATISTICS(%1) + STATISTICS_MIN)]
    jb %%new_min
%%not_min:
    cmp rax, [AT(STATISTICS(%1) + STATISTICS_MAX)]
    ja %%new_max
%%not_max:
    or eax, 1
    bsr rcx, rax
    cmp ecx, STATISTICS_LAST_BIN
    ja %%last_bin
%%count:
    inc qword [AT(STATISTICS(%1) + STATISTICS_HISTOGRAM) + rcx * 8]
    inc qword [AT(VCPU_EXIT_COUNT)]
section .text.unlikely progbits alloc exec nowrite align=16
%%new_min:
    mov [AT(STATISTICS(%1) + STATISTICS_MIN)], rax
    jmp %%not_min
%%new_max:
    mov [AT(STATISTICS(%1) + STATISTICS_MAX)], rax
    jmp %%not_max
%%last_bin:
    mov ecx, STATISTICS_LAST_BIN
    jmp %%count
section .text
%endmacro

%macro RESUME 0
    vmresume
    jmp vmx_resume_failed
%endmacro

%include "vmm/quick/record.inc"

global exit_quick_entry
exit_quick_entry:
    mov [AT(VMX_REGISTER_RAX)], rax
    mov [AT(VMX_REGISTER_RCX)], rcx
    mov [AT(VMX_REGISTER_RDX)], rdx
    mov [AT(VMX_REGISTER_RBX)], rbx
    rdtsc
    shl rdx, 32
    or rax, rdx
    mov [AT(VCPU_QUICK_START)], rax
    mov ecx, QUICK_FIELD_REASON
    READ rcx, rcx, no_reason
    mov [AT(VCPU_QUICK_REASON)], ecx
    cmp ecx, QUICK_REASON_VMCALL
    je vmcall_exit
    cmp ecx, QUICK_REASON_CPUID
    je cpuid_exit
    cmp ecx, QUICK_REASON_EPT_VIOLATION
    je ept_exit
    cmp ecx, QUICK_REASON_RDMSR
    je rdmsr_exit
    cmp ecx, QUICK_REASON_IO
    je io_exit
to_c:
    jmp vmx_exit_saved

no_reason:
    mov dword [AT(VCPU_QUICK_REASON)], -1
    jmp to_c

; RSI is stored, and used.
to_c_traced:
    mov rsi, [AT(VMX_REGISTER_RSI)]
    jmp to_c

; The number that no hypercall has, of the last such call.
%macro vmcall_answer 0
    mov eax, HYPERCALL_UNKNOWN
    mov rcx, [AT(VMX_REGISTER_RCX)]
    mov rdx, [AT(VMX_REGISTER_RDX)]
    RESUME
%endmacro

vmcall_exit:
    ONLY_IF_OPEN EXIT_QUICK_VMCALL, vmcall_traced
    mov eax, [AT(VMX_REGISTER_RAX)]
    cmp eax, [AT(VCPU_QUICK_CALL) + QUICK_KEY]
    jne to_c
    ADVANCE
    ACCOUNT QUICK_REASON_VMCALL, AT(VCPU_QUICK_CALL)
    vmcall_answer

vmcall_traced:
    ONLY_IF_OPEN_TRACED EXIT_QUICK_VMCALL
    mov ecx, [AT(VMX_REGISTER_RAX)]
    cmp ecx, [AT(VCPU_QUICK_CALL) + QUICK_KEY]
    jne to_c
    RECORD_BEGIN
    mov eax, [AT(VMX_REGISTER_RBX)]
    mov [rsi + RECORD_WORD], rcx
    mov [rsi + RECORD_VALUE], rax
    SAME_IN rcx, RECORD_WORD
    SAME_IN rax, RECORD_VALUE
    RECORD_END QUICK_REASON_VMCALL, QUICK_RESULT_UNKNOWN_CALL, AT(VCPU_QUICK_CALL), vmcall_answer

; The index is the leaf's low five bits and above them its highest two: turned left by two, any other leaf is beyond the table. The mask keeps
; a processor that runs ahead of the branch within the table, too. RBX becomes the address of the answer.
%macro cpuid_find 1                     ; register that gets the subleaf
    rol ebx, 2
    cmp ebx, QUICK_CPUID_LEAVES
    jae to_c
    and ebx, QUICK_CPUID_LEAVES - 1
    shl ebx, QUICK_CPUID_SHIFT
    lea rbx, [AT(VCPU_QUICK_CPUID) + rbx]
    mov %1, [AT(VMX_REGISTER_RCX)]
    cmp %1, [rbx + QUICK_CPUID_QUICK_BELOW]
    jae to_c
%endmacro

%macro cpuid_answer 0
    mov eax, [rbx + QUICK_CPUID_EAX]
    mov ecx, [rbx + QUICK_CPUID_ECX]
    mov edx, [rbx + QUICK_CPUID_EDX]
    mov ebx, [rbx + QUICK_CPUID_EBX]
    RESUME
%endmacro

cpuid_exit:
    ONLY_IF_OPEN EXIT_QUICK_CPUID, cpuid_traced
    mov ebx, [AT(VMX_REGISTER_RAX)]
    cpuid_find eax
    ADVANCE
    ACCOUNT QUICK_REASON_CPUID, rbx
    cpuid_answer

cpuid_traced:
    ONLY_IF_OPEN_TRACED EXIT_QUICK_CPUID
    mov ebx, [AT(VMX_REGISTER_RAX)]
    cpuid_find ecx
    RECORD_BEGIN
    mov eax, [AT(VMX_REGISTER_RAX)]
    mov [rsi + RECORD_WORD], rax
    mov [rsi + RECORD_VALUE], rcx
    SAME_IN rcx, RECORD_VALUE
    SAME_IN rax, RECORD_WORD
    RECORD_END QUICK_REASON_CPUID, QUICK_RESULT_EMULATED, rbx, cpuid_answer

; RBX becomes the address of the constant.
%macro rdmsr_find 1                     ; register that gets the MSR's number
    mov %1, [AT(VMX_REGISTER_RCX)]
    mov ebx, %1
    and ebx, QUICK_MSRS - 1
    shl ebx, QUICK_MSR_SHIFT
    lea rbx, [AT(VCPU_QUICK_MSRS) + rbx]
    cmp [rbx + QUICK_KEY], %1
    jne to_c
%endmacro

%macro rdmsr_answer 0
    mov eax, [rbx + QUICK_MSR_LOW]
    mov edx, [rbx + QUICK_MSR_HIGH]
    mov rcx, [AT(VMX_REGISTER_RCX)]
    mov rbx, [AT(VMX_REGISTER_RBX)]
    RESUME
%endmacro

rdmsr_exit:
    ONLY_IF_OPEN EXIT_QUICK_RDMSR, rdmsr_traced
    rdmsr_find eax
    ADVANCE
    ACCOUNT QUICK_REASON_RDMSR, rbx
    rdmsr_answer

; The same MSR has the same value.
%macro rdmsr_value 0
    mov rdx, [rbx + QUICK_MSR_LOW]
    mov [rsi + RECORD_VALUE], rdx
%endmacro

rdmsr_traced:
    ONLY_IF_OPEN_TRACED EXIT_QUICK_RDMSR
    rdmsr_find ecx
    RECORD_BEGIN
    mov [rsi + RECORD_WORD], rcx
    SAME_IN rcx, RECORD_WORD
    RECORD_END QUICK_REASON_RDMSR, QUICK_RESULT_EMULATED, rbx, rdmsr_answer, rdmsr_value

; A port, size and direction that C has found without a device: IN gives all ones, OUT goes nowhere. Sizes of 1, 2 and 4 bytes are 0, 1 and 3 in
; the qualification. RBX becomes the address of what is noted.
%macro io_find 1                        ; register that gets the qualification: ax, cx
    mov e%1, QUICK_FIELD_QUALIFICATION
    READ r%1, r%1
    mov ebx, e%1
    shr ebx, QUICK_IO_PORT_SHIFT
    and ebx, QUICK_PORTS - 1
    shl ebx, QUICK_PORT_SHIFT
    lea rbx, [AT(VCPU_QUICK_PORTS) + rbx]
    cmp [rbx + QUICK_KEY], e%1
    jne to_c
%endmacro

%macro io_answer 0
    mov ebx, [rbx + QUICK_KEY]
    mov rax, [AT(VMX_REGISTER_RAX)]
    mov rcx, [AT(VMX_REGISTER_RCX)]
    mov rdx, [AT(VMX_REGISTER_RDX)]
    test ebx, QUICK_IO_IN
    jz %%answered
    test ebx, 3
    jz %%byte
    test ebx, 2
    jz %%word
    mov eax, -1
    jmp %%answered
%%byte:
    mov al, -1
    jmp %%answered
%%word:
    mov ax, -1
%%answered:
    mov rbx, [AT(VMX_REGISTER_RBX)]
    RESUME
%endmacro

io_exit:
    ONLY_IF_OPEN EXIT_QUICK_IO, io_traced
    io_find ax
    ADVANCE
    ACCOUNT QUICK_REASON_IO, rbx
    io_answer

io_traced:
    ONLY_IF_OPEN_TRACED EXIT_QUICK_IO
    io_find cx
    RECORD_BEGIN
    mov [rsi + RECORD_QUALIFICATION], rcx
    mov eax, [AT(VMX_REGISTER_RAX)]
    or eax, [rbx + QUICK_PORT_ONES]
    and eax, [rbx + QUICK_PORT_MASK]
    mov [rsi + RECORD_VALUE], rax
    SAME_IN rcx, RECORD_QUALIFICATION
    SAME_IN rax, RECORD_VALUE
    RECORD_END QUICK_REASON_IO, QUICK_RESULT_NO_DEVICE, rbx, io_answer

; The one that is done in C, by a function on the host's stack, which holds the address of the structure (vmx_enter). It leaves RBP, RBX and R12 to
; R15 as they are, the guest's; the others are stored before, and all that it had in them is gone when the guest goes on.
%macro ept_store 0
    mov [AT(VMX_REGISTER_RSI)], rsi
    mov [AT(VMX_REGISTER_RDI)], rdi
    mov [AT(VMX_REGISTER_R8)], r8
    mov [AT(VMX_REGISTER_R9)], r9
    mov [AT(VMX_REGISTER_R10)], r10
    mov [AT(VMX_REGISTER_R11)], r11
%endmacro

; RBX becomes the subject.
%macro ept_call 1
    lea rdi, [AT(0)]
    mov rsp, [rsp]
    call %1
    mov rsp, [rsp]
    add rsp, VMX_REGISTER_HOST_RSP
    test rax, rax
    jz vmx_exit_called
    mov rbx, rax
%endmacro

%macro ept_answer 0
    mov rbx, [AT(VMX_REGISTER_RBX)]
    mov rax, [AT(VMX_REGISTER_RAX)]
    mov rcx, [AT(VMX_REGISTER_RCX)]
    mov rdx, [AT(VMX_REGISTER_RDX)]
    mov rsi, [AT(VMX_REGISTER_RSI)]
    mov rdi, [AT(VMX_REGISTER_RDI)]
    mov r8, [AT(VMX_REGISTER_R8)]
    mov r9, [AT(VMX_REGISTER_R9)]
    mov r10, [AT(VMX_REGISTER_R10)]
    mov r11, [AT(VMX_REGISTER_R11)]
    RESUME
%endmacro

ept_exit:
    ONLY_IF_OPEN EXIT_QUICK_EPT, ept_traced
    ept_store
    ept_call exit_quick_ept
    ACCOUNT QUICK_REASON_EPT_VIOLATION, rbx, counted
    ept_answer

; RSI: the record, RDX: the open one. What C would read again is read when this is known to be quick; it cannot fail, the function has read fields
; that all processors have, too. The guest-linear address is read also where the qualification says that it means nothing.
ept_traced:
    ONLY_IF_OPEN_TRACED EXIT_QUICK_EPT
    ept_store
    RECORD_PLACE
    ept_call exit_quick_ept_traced
    mov rdi, [AT(VCPU_RING)]
    mov rsi, [rdi + RING_NEXT]
    RECORD_SEGMENT cx
    mov ecx, QUICK_FIELD_LINEAR
    READ [rsi + RECORD_LINEAR], rcx, none
    mov ecx, QUICK_FIELD_RIP
    READ [rsi + RECORD_RIP], rcx, none
    RECORD_CONSTANTS QUICK_REASON_EPT_VIOLATION
    ACCOUNT QUICK_REASON_EPT_VIOLATION, rbx, counted, {mov [rsi + RECORD_TICKS], rax}
    RECORD_PUT rdi
    ept_answer

section .note.GNU-stack noalloc noexec nowrite progbits
