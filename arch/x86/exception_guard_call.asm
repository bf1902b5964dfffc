; SPDX-License-Identifier: MIT
;
; uint64_t exception_guard_call(uint64_t *stack_pointer, void (*function)(void *), void *argument): calls the function
; and returns 0. An exception that exception_guard_catch() has caught comes back at exception_guard_landing, on the
; stack as it was, and returns 1. See exception_guard.h.

bits 64
section .text

global exception_guard_call
exception_guard_call:
    push rbp
    mov rbp, rsp
    push rbx
    push r12
    push r13
    push r14
    push r15
    sub rsp, 8                          ; the call wants 16-byte alignment
    mov [rdi], rsp
    mov rdi, rdx
    call rsi
    xor eax, eax
    jmp return

global exception_guard_landing
exception_guard_landing:
    mov eax, 1
return:
    add rsp, 8
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret

section .note.GNU-stack noalloc noexec nowrite progbits
