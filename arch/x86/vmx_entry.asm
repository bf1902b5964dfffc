; SPDX-License-Identifier: MIT
;
; VM entry and VM exit, the whole journey: save the host's registers, load the guest's, VMRESUME (VMLAUNCH the first time);
; on the exit store the guest's registers, take the host's back, return to C.
;
; HOST_RSP points just above the sixteen register slots of struct vmx_registers (at its member host_rsp), so that fifteen pushes store
; the guest's registers where they belong without a free register. Nothing may use the stack below in that window: NMI,
; #MC and #DF have stacks of their own, interrupts are off, and the pushes write memory that is mapped.

%include "vmx_entry_abi.inc"

%define VM_INSTRUCTION_ERROR 0x4400
%define VMRESUME_NOT_LAUNCHED 5

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
global vmx_enter
vmx_enter:
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    push rdi                            ; for the failure path, and host_rsp points here
    mov [rdi + VMX_REGISTER_HOST_RSP], rsp
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

; HOST_RIP. RSP = &registers->host_rsp.
global vmx_exit_entry
vmx_exit_entry:
    push r15
    push r14
    push r13
    push r12
    push r11
    push r10
    push r9
    push r8
    push rdi
    push rsi
    push rbp
    sub rsp, 8                          ; RSP's slot: GUEST_RSP is in the VMCS
    push rbx
    push rdx
    push rcx
    push rax
    mov rsp, [rsp + VMX_REGISTER_HOST_RSP]
    xor eax, eax                        ; VMX_ENTER_EXITED

; No value of the guest's stays in a host register: the callee-saved ones are popped, the others cleared.
leave_to_c:
    xor ecx, ecx
    xor edx, edx
    xor esi, esi
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
    xor r11d, r11d
    pop rdi
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret

section .note.GNU-stack noalloc noexec nowrite progbits
