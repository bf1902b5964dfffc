/* SPDX-License-Identifier: MIT */
/*
 * The task switch of the processor's protected mode. SDM vol. 3, "Task Switching". Pure: it works on a copy
 * of the state and on memory by callbacks.
 *
 * Up to the commit point nothing has changed, and what is raised is the old task's. From there on the new
 * task's state is loaded, and what its segments raise is raised in it, before its first instruction.
 */
#ifndef VMM_EMULATE_TASK_SWITCH_H
#define VMM_EMULATE_TASK_SWITCH_H

#include "vmm/emulate/emulate.h"
#include <stdbool.h>
#include <stdint.h>

/* As the exit qualification numbers them. */
enum task_source { TASK_CALL, TASK_IRET, TASK_JMP, TASK_GATE };

struct task_state {
    uint64_t gpr[16]; /* in the order of their encoding, RSP too */
    uint64_t rip, rflags, cr0, cr3, dr7;
    struct emulate_segment segments[SEGMENT_TR + 1];
    uint64_t gdt_base;
    uint32_t gdt_limit;
};

/*
 * Memory by linear address, accessed with a supervisor's rights; `user` says with a user's. DONE, EXCEPTION,
 * REFUSED; RESTART: others change what it needs.
 */
struct task_memory {
    void *context;
    enum emulate_status (*read)(void *context, uint64_t address, void *to, unsigned size,
                                struct emulate_exception *exception);
    enum emulate_status (*write)(void *context, uint64_t address, const void *from, unsigned size, bool user,
                                 struct emulate_exception *exception);
    /* Whether a write will succeed. */
    enum emulate_status (*check)(void *context, uint64_t address, unsigned size,
                                 struct emulate_exception *exception);
    /* One byte, locked: RESTART if it is not `expected`. */
    enum emulate_status (*exchange)(void *context, uint64_t address, uint8_t expected, uint8_t value,
                                    struct emulate_exception *exception);
    /* The accesses that follow go by this CR3. false: PAE paging, and its PDPTEs have reserved bits. */
    bool (*load_cr3)(void *context, uint64_t cr3);
};

struct task_switch {
    enum task_source source;
    uint16_t selector;   /* of the new TSS */
    uint64_t next_rip;   /* where the old task goes on */
    bool external;       /* by an interrupt or an exception: EXT in error codes */
    bool has_error_code; /* an exception's, which the new task finds on its stack */
    uint32_t error_code;
};

struct task_outcome {
    bool committed; /* the state is the new task's */
    bool debug;     /* the T flag of its TSS: #DB with DR6.BT, if nothing else is raised */
    struct emulate_exception exception;
};

/*
 * Switches. DONE: the new task is to run. EXCEPTION: outcome->exception is to be raised with *state, which is
 * the new task's if committed. RESTART, REFUSED: as a callback says; nothing has changed.
 */
enum emulate_status task_switch(struct task_state *state, const struct task_memory *memory,
                                const struct task_switch *what, struct task_outcome *outcome);

/* --- Between vmm/emulate/task_switch.c and vmm/emulate/task_segments.c --- */

struct task_run {
    struct task_state *state;
    const struct task_memory *memory;
    const struct task_switch *what;
    struct task_outcome *outcome;
    bool wide; /* the new TSS has 32 bits */
};

/* A descriptor as it is in memory, and what it says. */
struct task_descriptor {
    uint64_t address;
    uint32_t low, high;
};

/* Raises with a selector as the error code. */
enum emulate_status task_raise(struct task_run *run, unsigned vector, uint16_t selector);
/* Reads the descriptor of a selector that is not null; `vector` with it if its table has none. */
enum emulate_status task_descriptor(struct task_run *run, uint16_t selector, unsigned vector,
                                    struct task_descriptor *descriptor);
void task_segment_from(struct emulate_segment *segment, uint16_t selector,
                       const struct task_descriptor *descriptor);
/* Sets or clears bits of a descriptor's type byte in memory. */
enum emulate_status task_change_type(struct task_run *run, const struct task_descriptor *descriptor,
                                     uint8_t set, uint8_t clear);
/* Loads LDTR and all segment registers of the new task, whose selectors are there already. */
enum emulate_status task_load_segments(struct task_run *run);

#define TASK_VECTOR_TS 10u
#define TASK_VECTOR_NP 11u
#define TASK_VECTOR_SS 12u
#define TASK_VECTOR_GP 13u

#define TASK_FLAG_NT UINT64_C(0x4000)
#define TASK_FLAG_VM UINT64_C(0x20000)

#endif
