/* SPDX-License-Identifier: MIT */
/*
 * The instruction at the guest's RIP: fetched through its paging, decoded, and remembered. What is remembered
 * counts only while nothing can have changed: the control registers, every entry of the guest's paging that
 * led to the bytes, and the bytes themselves are compared each time.
 */
#ifndef VMM_MMIO_CODE_H
#define VMM_MMIO_CODE_H

#include "ept/guest_walk.h"
#include "vmm/decode.h"
#include "vmm/emulate.h"
#include <stdbool.h>
#include <stdint.h>

/* Places by RIP's low bits. */
#define MMIO_CODE_COUNT 8u

struct mmio_code {
    const uint8_t *view; /* the bytes in the host's memory; NULL: this place is empty */
    uint64_t linear_address;
    uint64_t cr0, cr3, cr4, efer;
    bool user;
    uint8_t code_size;
    uint8_t entry_count;
    struct {
        const void *view;
        uint64_t raw;
        uint8_t size;
    } entries[GUEST_WALK_STEPS_MAX];
    uint64_t bytes[2]; /* the first 8, the first 16 but the last: bytes 7 to 14 */
    struct instruction instruction;
};

/* Instruction bytes, in a row. */
struct mmio_bytes {
    uint64_t linear_address;
    uint8_t bytes[INSTRUCTION_LENGTH_MAX];
    unsigned count, code_size; /* how many were fetched; 2, 4, 8: 16-, 32-, 64-bit code */
};

struct mmio;

/*
 * Decodes the instruction at code->linear_address. DONE: *decoded says how, and *instruction is it if
 * DECODE_OK; code->bytes are filled in unless it is. EXCEPTION: the fetch faults. REFUSED: the bytes are in
 * no RAM, and the VM has ended.
 */
enum emulate_status mmio_decode(struct mmio *mmio, struct mmio_bytes *code,
                                const struct instruction **instruction, enum decode_status *decoded,
                                struct emulate_exception *exception);

#endif
