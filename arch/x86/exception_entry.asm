; SPDX-License-Identifier: MIT
;
; Where host exceptions and interrupts arrive: 256 stubs of EXCEPTION_STUB_SIZE bytes each, then the common
; way to exception_dispatch(struct exception_frame *) and back. The host always runs at CPL 0 with its own
; GS base, so there is nothing to swap.

%include "percpu_abi.inc"

EXCEPTION_STUB_SIZE equ 16

bits 64
section .text

%macro STUB 1
    align EXCEPTION_STUB_SIZE
%if %1 = 8 || (%1 >= 10 && %1 <= 14) || %1 = 17 || %1 = 21 || %1 = 29 || %1 = 30
    ; the processor has pushed an error code
%else
    push qword 0
%endif
    push qword %1
    jmp near exception_common
%endmacro

    align EXCEPTION_STUB_SIZE
global exception_stubs
exception_stubs:
%assign vector 0
%rep 256
    STUB vector
%assign vector vector + 1
%endrep

; The processor aligned the stack to 16 bytes and pushed five words; two more and fifteen registers keep it
; aligned for C.
exception_common:
    push rax
    push rcx
    push rdx
    push rbx
    push rbp
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    cld
    mov rdi, rsp
    extern exception_dispatch
    call exception_dispatch
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rbp
    pop rbx
    pop rdx
    pop rcx
    pop rax
    add rsp, 16                         ; vector and error code
    iretq

; See registers_capture() in exception.h; the order is that of struct exception_frame.
global registers_capture
registers_capture:
    pushfq
    push rax
    mov rax, [gs:0]
    add rax, PERCPU_CAPTURED
    mov [rax + 0 * 8], r15
    mov [rax + 1 * 8], r14
    mov [rax + 2 * 8], r13
    mov [rax + 3 * 8], r12
    mov [rax + 4 * 8], r11
    mov [rax + 5 * 8], r10
    mov [rax + 6 * 8], r9
    mov [rax + 7 * 8], r8
    mov [rax + 8 * 8], rdi
    mov [rax + 9 * 8], rsi
    mov [rax + 10 * 8], rbp
    mov [rax + 11 * 8], rbx
    mov [rax + 12 * 8], rdx
    mov [rax + 13 * 8], rcx
    mov rcx, [rsp]                      ; RAX
    mov [rax + 14 * 8], rcx
    mov rcx, [rsp + 16]                 ; the return address
    mov [rax + 17 * 8], rcx
    mov ecx, cs
    mov [rax + 18 * 8], rcx
    mov rcx, [rsp + 8]                  ; RFLAGS
    mov [rax + 19 * 8], rcx
    lea rcx, [rsp + 24]                 ; RSP before the call
    mov [rax + 20 * 8], rcx
    mov ecx, ss
    mov [rax + 21 * 8], rcx
    mov rcx, [rax + 13 * 8]
    pop rax
    popfq
    ret

; void stack_call(uint64_t stack_top, void (*function)(void)): continues on another stack for good.
global stack_call
stack_call:
    mov rsp, rdi
    xor ebp, ebp
    call rsi
    ud2
