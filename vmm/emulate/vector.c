/* SPDX-License-Identifier: MIT */
/* Moves between memory and vector registers. SDM vol. 2, each instruction; "Exceptions Type 1" to "Type 5".
 */
#include "vmm/emulate/operand.h"

#define CR0_EM      (UINT64_C(1) << 2)
#define CR0_TS      (UINT64_C(1) << 3)
#define CR4_OSFXSR  (UINT64_C(1) << 9)
#define CR4_OSXSAVE (UINT64_C(1) << 18)
#define XCR0_AVX    UINT64_C(6) /* SSE and AVX */

/* Whether the registers may be used. */
static enum emulate_status check_enabled(struct emulate_processor *processor,
                                         const struct instruction *instruction,
                                         struct emulate_exception *exception)
{
    struct emulate_controls controls;
    bool enabled;

    processor->controls(processor->context, &controls);
    if (instruction->vex)
        enabled = processor->protected_mode && (controls.cr4 & CR4_OSXSAVE) &&
                  (controls.xcr0 & XCR0_AVX) == XCR0_AVX;
    else
        enabled = !(controls.cr0 & CR0_EM) && (controls.cr4 & CR4_OSFXSR);
    if (!enabled)
        return operand_raise(exception, EMULATE_VECTOR_UD, 0);
    return controls.cr0 & CR0_TS ? operand_raise(exception, EMULATE_VECTOR_NM, 0) : EMULATE_DONE;
}

/* The half of 16 bytes that MOVLPS and its like are about: where it begins; 0 for all others. */
static unsigned half(const struct instruction *instruction)
{
    return instruction->operation == OPERATION_MOVHPS || instruction->operation == OPERATION_MOVHPD ? 8 : 0;
}

static bool keeps_other_half(const struct instruction *instruction)
{
    return instruction->operation <= OPERATION_MOVHPD;
}

static enum emulate_status load(struct emulate_processor *processor, const struct instruction *instruction,
                                const struct emulate_place *place)
{
    uint8_t bytes[EMULATE_VECTOR_BYTES] = {0};
    enum emulate_status status;

    if (keeps_other_half(instruction))
        processor->vector_read(processor->context, instruction->vector, 16, bytes);
    status = operand_read(processor, place, bytes + half(instruction));
    if (status == EMULATE_DONE)
        processor->vector_write(processor->context, instruction->reg, instruction->operand_size,
                                instruction->vex, bytes);
    return status;
}

static enum emulate_status store(struct emulate_processor *processor, const struct instruction *instruction,
                                 const struct emulate_place *place)
{
    uint8_t bytes[EMULATE_VECTOR_BYTES];

    processor->vector_read(processor->context, instruction->reg, instruction->operand_size, bytes);
    return operand_write(processor, place, bytes + half(instruction));
}

enum emulate_status emulate_vector(struct emulate_processor *processor, const struct instruction *instruction,
                                   struct emulate_exception *exception)
{
    bool stores = instruction->destination == OPERAND_MEMORY;
    struct emulate_place place;
    enum emulate_status status = check_enabled(processor, instruction, exception);

    if (status == EMULATE_DONE)
        status = operand_locate(processor, instruction, (enum segment_register)instruction->memory.segment,
                                operand_offset(processor, instruction), instruction->memory_size, stores,
                                &place, exception);
    if (status != EMULATE_DONE)
        return status;
    return stores ? store(processor, instruction, &place) : load(processor, instruction, &place);
}
