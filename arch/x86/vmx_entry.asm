; SPDX-License-Identifier: MIT
;
; VM entry and VM exit: save the host's registers, load the guest's, VMRESUME (VMLAUNCH the first time); on the exit store the
; guest's registers, call C, and enter again or take the host's registers back and return. In between stands
; vmm/quick/entry.asm, where the processor arrives (HOST_RIP): it ends some exits by itself and brings the others here.
;
; HOST_RSP points just above the sixteen register slots of struct vmx_registers (at its member host_rsp), so that the guest's registers
; are stored without a free register. Nothing may use the stack in that window: NMI, #MC and #DF have stacks of their
; own, and interrupts are off.

%include "vmx_entry_abi.inc"

%define VM_INSTRUCTION_ERROR 0x4400
%define SELECTOR_DATA 0x10              ; arch/x86/gdt.h; VERW must find a segment that can be written
%define VMRESUME_NOT_LAUNCHED 5

; On the host's stack, from [host_rsp] on: the address of the structure, `exited` twice, the callee-saved registers.
%define SAVED_EXITED 8
%define SAVED_REGISTERS 24
%define SAVED_RBP SAVED_REGISTERS + 5 * 8

bits 64
default rel

section .text

; The guest's registers but RDI, from the structure at RDI; then RDI itself.
%macro LOAD_GUEST_REGISTERS 0
    mov rax, [rdi + VMX_REGISTER_RAX]
    mov rcx, [rdi + VMX_REGISTER_RCX]
    mov rdx, [rdi + VMX_REGISTER_RDX]
    mov rbx, [rdi + VMX_REGISTER_RBX]
    mov rbp, [rdi + VMX_REGISTER_RBP]
    mov rsi, [rdi + VMX_REGISTER_RSI]
    mov r8, [rdi + VMX_REGISTER_R8]
    mov r9, [rdi + VMX_REGISTER_R9]
    mov r10, [rdi + VMX_REGISTER_R10]
    mov r11, [rdi + VMX_REGISTER_R11]
    mov r12, [rdi + VMX_REGISTER_R12]
    mov r13, [rdi + VMX_REGISTER_R13]
    mov r14, [rdi + VMX_REGISTER_R14]
    mov r15, [rdi + VMX_REGISTER_R15]
    mov rdi, [rdi + VMX_REGISTER_RDI]
%endmacro

; uint64_t vmx_enter(struct vmx_registers *registers)
; uint64_t vmx_run(struct vmx_registers *registers, bool (*exited)(struct vmx_registers *registers))
; uint64_t vmx_run_cleared(struct vmx_registers *registers, bool (*exited)(struct vmx_registers *registers))
global vmx_enter
global vmx_run
global vmx_run_cleared
%macro SAVE_HOST_REGISTERS 0
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    push rsi                            ; [rsp + 16], and a slot so that calls find RSP aligned
    push rsi
    push rdi                            ; [rsp]: for the way out and the failure path, and host_rsp points here
    mov [rdi + VMX_REGISTER_HOST_RSP], rsp
%endmacro

; VERW, with any selector that it takes, is the last before the entry: it also clears the buffers of memory accesses, on processors that need it
; (vmm/host/weakness.h). `exited` returns false always: the next entry comes by here, too. Quick exits are closed.
vmx_run_cleared:
    SAVE_HOST_REGISTERS
    LOAD_GUEST_REGISTERS
    verw [verw_selector]
    vmresume
    jc enter.fail_invalid
    mov eax, VM_INSTRUCTION_ERROR
    vmread rax, rax
    cmp eax, VMRESUME_NOT_LAUNCHED
    jne enter.fail_valid
    mov rdi, [rsp]
    LOAD_GUEST_REGISTERS
    verw [verw_selector]
    vmlaunch
    jc enter.fail_invalid
    jmp enter.fail_valid

vmx_enter:
    lea rsi, [leave_after_exit]
vmx_run:
    SAVE_HOST_REGISTERS
enter:
    LOAD_GUEST_REGISTERS
    vmresume

    ; Only reached when the entry failed before it began. The guest's registers are unchanged in memory.
    jc .fail_invalid
    mov eax, VM_INSTRUCTION_ERROR
    vmread rax, rax
    cmp eax, VMRESUME_NOT_LAUNCHED
    jne .fail_valid
    mov rdi, [rsp]
    LOAD_GUEST_REGISTERS
    vmlaunch
    jc .fail_invalid
.fail_valid:
    mov eax, VMX_ENTER_FAIL_VALID
    jmp leave_to_c
.fail_invalid:
    mov eax, VMX_ENTER_FAIL_INVALID
    jmp leave_to_c

; Store the guest's registers but RAX, RCX, RDX and RBX: those that a C function may change, and those that it leaves as they
; are. RSP = &registers->host_rsp. RFLAGS stay.
%macro STORE_CHANGEABLE_REGISTERS 0
    mov [rsp + VMX_REGISTER_RSI - VMX_REGISTER_HOST_RSP], rsi
    mov [rsp + VMX_REGISTER_RDI - VMX_REGISTER_HOST_RSP], rdi
    mov [rsp + VMX_REGISTER_R8 - VMX_REGISTER_HOST_RSP], r8
    mov [rsp + VMX_REGISTER_R9 - VMX_REGISTER_HOST_RSP], r9
    mov [rsp + VMX_REGISTER_R10 - VMX_REGISTER_HOST_RSP], r10
    mov [rsp + VMX_REGISTER_R11 - VMX_REGISTER_HOST_RSP], r11
%endmacro

%macro STORE_KEPT_REGISTERS 0
    mov [rsp + VMX_REGISTER_RBP - VMX_REGISTER_HOST_RSP], rbp
    mov [rsp + VMX_REGISTER_R12 - VMX_REGISTER_HOST_RSP], r12
    mov [rsp + VMX_REGISTER_R13 - VMX_REGISTER_HOST_RSP], r13
    mov [rsp + VMX_REGISTER_R14 - VMX_REGISTER_HOST_RSP], r14
    mov [rsp + VMX_REGISTER_R15 - VMX_REGISTER_HOST_RSP], r15
%endmacro

; No value of the guest's is left in them. RAX and RDI are the caller's affair.
%macro CLEAR_CHANGEABLE_REGISTERS 0
    xor ecx, ecx
    xor edx, edx
    xor esi, esi
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
    xor r11d, r11d
%endmacro

; Where the code at HOST_RIP goes on to when the exit is for C, with the guest's RAX, RCX, RDX and RBX stored and its
; other registers as they were; vmx_exit_called: with the guest's RSI, RDI, R8 to R11 stored, too. RSP = &registers->host_rsp.
global vmx_exit_saved
global vmx_exit_called
vmx_exit_saved:
    STORE_CHANGEABLE_REGISTERS
vmx_exit_called:
    STORE_KEPT_REGISTERS
    mov rsp, [rsp]
    CLEAR_CHANGEABLE_REGISTERS
    xor ebx, ebx
    xor r12d, r12d
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
    mov rbp, [rsp + SAVED_RBP]          ; for a crash report's backtrace
    mov rdi, [rsp]
    call [rsp + SAVED_EXITED]
    mov rdi, [rsp]
    test al, al
    jnz enter
    xor eax, eax                        ; VMX_ENTER_EXITED
    jmp leave_to_c

leave_after_exit:
    xor eax, eax
    ret

; Right behind a VMRESUME that failed in the code at HOST_RIP, the guest's registers loaded. RSP = &registers->host_rsp.
global vmx_resume_failed
vmx_resume_failed:
    mov [rsp + VMX_REGISTER_RAX - VMX_REGISTER_HOST_RSP], rax
    mov [rsp + VMX_REGISTER_RCX - VMX_REGISTER_HOST_RSP], rcx
    mov [rsp + VMX_REGISTER_RDX - VMX_REGISTER_HOST_RSP], rdx
    mov [rsp + VMX_REGISTER_RBX - VMX_REGISTER_HOST_RSP], rbx
    STORE_CHANGEABLE_REGISTERS
    STORE_KEPT_REGISTERS
    mov rsp, [rsp]
    mov eax, VMX_ENTER_FAIL_INVALID
    jc leave_to_c
    mov eax, VMX_ENTER_FAIL_VALID

; No value of the guest's stays in a host register: the callee-saved ones are popped, the others cleared.
leave_to_c:
    CLEAR_CHANGEABLE_REGISTERS
    add rsp, SAVED_REGISTERS
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret

section .rodata
    align 2
verw_selector: dw SELECTOR_DATA

section .note.GNU-stack noalloc noexec nowrite progbits
