/* SPDX-License-Identifier: MIT */
/* The instruction at a vCPU's RIP, and its memory by linear address with the rights of a supervisor. The
 * vCPU's CPU with its VMCS current. */
#ifndef VMM_VCPU_CODE_H
#define VMM_VCPU_CODE_H

#include "arch/x86/compiler.h"
#include "vmm/emulate/decode.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guest_paging;
struct vcpu;

struct vcpu_code {
    uint64_t rip, linear;
    unsigned code_size; /* 2, 4, 8 */
    size_t count;       /* bytes that could be read */
    uint8_t bytes[INSTRUCTION_LENGTH_MAX];
};

void vcpu_code_read(struct vcpu *vcpu, struct vcpu_code *code);

/* 2, 4, 8: for 16-, 32- and 64-bit code. */
unsigned vcpu_code_size(void);

/* The linear address of the instruction at RIP. */
uint64_t vcpu_linear_rip(void);

/*
 * Where the explicit memory operand of the instruction at RIP begins, decoded from `code`. false: it has none
 * (string instructions, PUSH of a register).
 */
must_check bool vcpu_operand_linear(struct vcpu *vcpu, const struct vcpu_code *code,
                                    const struct instruction *instruction, uint64_t *linear);

/* Whether the guest can form this linear address as it is now: outside of IA-32e mode it has 32 bits. */
bool vcpu_linear_exists(uint64_t linear);

/* The paging state, for looking where the guest's own privilege may not. */
void vcpu_paging_all(struct vcpu *vcpu, struct guest_paging *paging);

must_check bool vcpu_linear_read(struct vcpu *vcpu, uint64_t linear, void *buffer, size_t length);
must_check bool vcpu_linear_write(struct vcpu *vcpu, uint64_t linear, const void *buffer, size_t length);

#endif
