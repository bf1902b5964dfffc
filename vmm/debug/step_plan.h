/* SPDX-License-Identifier: MIT */
/*
 * What one instruction would show of an RFLAGS.TF that is not the guest's, from its bytes: how it is to be
 * stepped so that the guest never sees it. SDM vol. 3, "Single-Step Exception Condition", "Masking Exceptions
 * and Interrupts When Switching Stacks". Pure.
 */
#ifndef VMM_DEBUG_STEP_PLAN_H
#define VMM_DEBUG_STEP_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum step_kind {
    STEP_PLAIN,       /* TF, and a trap behind it */
    STEP_PUSHF,       /* the same; the flags that it has pushed have our TF */
    STEP_LOADS_FLAGS, /* POPF, IRET, SYSRET: TF behind it is the guest's own */
    STEP_INT,         /* INT n pushes TF, and no trap comes behind it: delivered as an event */
    STEP_SYSCALL,     /* keeps TF in R11: done in the guest's stead */
    STEP_LOADS_SS,    /* MOV to SS, POP SS: the trap comes one instruction later */
};

struct step_plan {
    uint8_t kind; /* enum step_kind */
    uint8_t
        length; /* bytes, of the kinds that need it: INT, SYSCALL, LOADS_SS without memory operand; else 0 */
    uint8_t operand_size; /* 2, 4, 8: of what PUSHF and other stack instructions push */
    uint8_t vector;       /* INT */
    uint8_t
        ss_register; /* LOADS_SS: number of the general-purpose register, or STEP_SS_POPPED, STEP_SS_OTHER */
    uint8_t opcode_at; /* LOADS_SS: bytes in front of the opcode */
    bool is_pair;      /* a load of SS with the instruction behind it, of which the rest tells */
    bool is_sti;       /* blocks interrupts for one instruction if it sets RFLAGS.IF; a trap ends that */
    bool repeats;      /* has a REP prefix: one step is one repetition */
    bool pushes;       /* PUSH, CALL and the like: operand_size is what goes to the stack */
};

#define STEP_SS_POPPED 16
#define STEP_SS_OTHER  17

/* `bytes`: of the instruction, as many as there are (15 suffice); code_size: 2, 4, 8 for 16-, 32-, 64-bit
 * code. */
struct step_plan step_plan(const uint8_t *bytes, size_t count, unsigned code_size);

#endif
