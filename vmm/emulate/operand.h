/* SPDX-License-Identifier: MIT */
/* Registers and memory operands, for vmm/emulate/emulate.c and vmm/emulate/string.c. Pure. */
#ifndef VMM_EMULATE_OPERAND_H
#define VMM_EMULATE_OPERAND_H

#include "vmm/emulate/emulate.h"

/* Changes the low `size` bytes of a register; as everywhere, 4 bytes clear the upper half. */
void operand_set_register(struct emulate_processor *processor, unsigned reg, unsigned size, uint64_t value);

/* The register operand, of the instruction's operand size. */
uint64_t operand_register(const struct emulate_processor *processor, const struct instruction *instruction);
void operand_write_register(struct emulate_processor *processor, const struct instruction *instruction,
                            uint64_t value);

/* The offset of the explicit memory operand in its segment. SDM vol. 1, "Specifying an Offset". */
uint64_t operand_offset(const struct emulate_processor *processor, const struct instruction *instruction);

/*
 * Makes a place of `size` bytes at segment:offset and translates it. DONE; EXCEPTION: #GP or #SS for limit,
 * type or an address that is not canonical, #AC, #PF; REFUSED.
 */
enum emulate_status operand_locate(struct emulate_processor *processor, const struct instruction *instruction,
                                   enum segment_register segment, uint64_t offset, unsigned size, bool write,
                                   struct emulate_place *place, struct emulate_exception *exception);

/*
 * Whether all of [offset, offset + length) is allowed by the segment and by canonical addresses: what
 * operand_locate() checks, but for alignment, without a translation.
 */
bool operand_reaches(struct emulate_processor *processor, const struct instruction *instruction,
                     enum segment_register segment, uint64_t offset, unsigned length, bool write);

/* Where the next instruction is. */
static inline uint64_t operand_next_rip(const struct emulate_processor *processor,
                                        const struct instruction *instruction)
{
    uint64_t next = processor->rip + instruction->length;

    return instruction->code_size == 8 ? next : (uint32_t)next;
}

/*
 * Both for a place of any size: `bytes` has room for it. In parts of 8 bytes, from the first on. DONE or
 * REFUSED.
 */
enum emulate_status operand_read(struct emulate_processor *processor, const struct emulate_place *place,
                                 void *bytes);
enum emulate_status operand_write(struct emulate_processor *processor, const struct emulate_place *place,
                                  const void *bytes);

/* Raises an exception: gives EMULATE_EXCEPTION. */
enum emulate_status operand_raise(struct emulate_exception *exception, unsigned vector, uint32_t error_code);

#define EMULATE_VECTOR_DE 0u
#define EMULATE_VECTOR_UD 6u
#define EMULATE_VECTOR_NM 7u
#define EMULATE_VECTOR_SS 12u
#define EMULATE_VECTOR_GP 13u
#define EMULATE_VECTOR_AC 17u

/* An instruction under way, with its explicit operand located. */
struct emulate_run {
    struct emulate_processor *processor;
    const struct instruction *instruction;
    struct emulate_exception *exception;
    struct emulate_place memory;
    uint64_t offset; /* of the operand in its segment */
};

/* Writes the low bytes of a value to the operand. */
enum emulate_status emulate_write_memory(struct emulate_run *run, uint64_t value);

/*
 * vmm/emulate/accumulator.c: MUL, IMUL of the accumulator, DIV, IDIV, CMPXCHG, CMPXCHG8B; `value` is what has
 * been read. CMPXCHG16B reads by itself.
 */
enum emulate_status emulate_accumulator(struct emulate_run *run, uint64_t value);
enum emulate_status emulate_compare_exchange_16(struct emulate_run *run);

/* vmm/emulate/system.c: whether SLDT, STR and SMSW may be executed: DONE or EXCEPTION; and what they store.
 */
enum emulate_status emulate_system_check(struct emulate_run *run);
uint64_t emulate_system_value(struct emulate_run *run);

/* vmm/emulate/vector.c: moves of vector registers. */
enum emulate_status emulate_vector(struct emulate_processor *processor, const struct instruction *instruction,
                                   struct emulate_exception *exception);

/* vmm/emulate/stack.c: PUSH, POP, near CALL and JMP. RIP is changed by CALL and JMP alone. */
enum emulate_status emulate_stack(struct emulate_processor *processor, const struct instruction *instruction,
                                  struct emulate_exception *exception);

/* vmm/emulate/string.c: MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS. */
enum emulate_status emulate_string(struct emulate_processor *processor, const struct instruction *instruction,
                                   struct emulate_exception *exception);

#endif
