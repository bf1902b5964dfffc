/* SPDX-License-Identifier: MIT */
/*
 * The instruction at the guest's RIP: fetched through its paging, decoded, and remembered. What is remembered
 * counts only while nothing can have changed that decides where the bytes are or what they mean: mode and
 * CR3, every entry of the guest's paging that led to the bytes, and the bytes themselves are compared each
 * time. Rights are not: the processor has fetched the instruction from there with those that it has.
 */
#ifndef VMM_EMULATE_MMIO_CODE_H
#define VMM_EMULATE_MMIO_CODE_H

#include "ept/guest_walk.h"
#include "vmm/emulate/decode.h"
#include "vmm/emulate/emulate.h"
#include <stdbool.h>
#include <stdint.h>

/* Places by RIP's low bits. */
#define MMIO_CODE_COUNT 8u

/* Where instruction bytes are by linear address, and what that address goes through. */
struct mmio_key {
    uint64_t linear_address;
    uint64_t cr3;       /* 0 without paging */
    uint64_t mode;      /* MMIO_MODE_..., and of CR4 what chooses the kind of paging */
    uint32_t code_size; /* 2, 4, 8: 16-, 32-, 64-bit code */
};

/* Beside bits of CR4, which are others. */
#define MMIO_MODE_PAGED UINT64_C(1)
#define MMIO_MODE_LONG  UINT64_C(2)

/* An entry of the guest's paging. */
struct mmio_code_entry {
    const void *view;
    uint64_t raw;
};

struct mmio_code {
    struct mmio_key key; /* code_size 0: this place is empty */
    bool move;  /* MOV between memory and a general-purpose register other than RSP, or an immediate; and the
                   guest has no breakpoints, which would have to be looked for */
    bool plain; /* the same, and no other vCPU is there to write to it: the exit is of this instruction */
    uint8_t entry_count;
    const uint8_t *view; /* the bytes in the host's memory */
    uint64_t bytes[2];   /* the first 8, the first 16 but the last: bytes 7 to 14 */
    struct instruction instruction;
    struct mmio_code_entry entries[GUEST_WALK_STEPS_MAX];
};

/* Instruction bytes, in a row. */
struct mmio_bytes {
    uint64_t linear_address;
    uint8_t bytes[INSTRUCTION_LENGTH_MAX];
    unsigned count, code_size; /* how many were fetched; as in the key */
    uint64_t missing;          /* no RAM is there, at this guest-physical address; all ones: not so */
};

/* An instruction that was not emulated: MMIO_REFUSED_AFTER times in a row the same ends the guest. */
#define MMIO_REFUSED_AFTER 16u

struct mmio_refusal {
    uint64_t exit_count; /* the vCPU's, of the last time */
    uint64_t guest_physical_address;
    struct mmio_bytes bytes;
    unsigned count;
};

/* Notes one more, in the vCPU's exit_count-th exit. true: it is the last. Pure. */
bool mmio_refuses(struct mmio_refusal *last, uint64_t exit_count, uint64_t guest_physical_address,
                  const struct mmio_bytes *bytes);

struct vcpu;
struct linear;

/*
 * What is remembered of the instruction at RIP, with these access rights of CS; NULL: nothing that counts.
 * then *key says where it is. The vCPU's CPU, its VMCS current.
 */
const struct mmio_code *mmio_remembered(const struct vcpu *vcpu, uint64_t rip, uint32_t code_rights,
                                        struct mmio_key *key);

/* Nothing is remembered: whether breakpoints are looked for has changed. */
void mmio_forget(struct vcpu *vcpu);

/*
 * Fetches and decodes it. DONE: *decoded says how, and *code has it if DECODE_OK, remembered if it can be.
 * EXCEPTION: the fetch faults. RESTART: another vCPU has written there meanwhile. REFUSED: the VM has ended.
 */
enum emulate_status mmio_decode(struct linear *linear, const struct mmio_key *key, struct mmio_bytes *bytes,
                                const struct mmio_code **code, enum decode_status *decoded,
                                struct emulate_exception *exception);

#endif
