/* SPDX-License-Identifier: MIT */
/* Stores of system registers: SLDT, STR, SMSW. SDM vol. 2. */
#include "vmm/emulate/operand.h"

#define CR4_UMIP (UINT64_C(1) << 11)

enum emulate_status emulate_system_check(struct emulate_run *run)
{
    struct emulate_processor *processor = run->processor;
    struct emulate_controls controls;
    struct emulate_segment stack;

    if (!processor->protected_mode && run->instruction->operation != OPERATION_SMSW)
        return operand_raise(run->exception, EMULATE_VECTOR_UD, 0);
    processor->controls(processor->context, &controls);
    processor->segment(processor->context, SEGMENT_SS, &stack);
    /* The CPL is the DPL of SS. */
    if ((controls.cr4 & CR4_UMIP) && SEGMENT_DPL(stack.access_rights) != 0)
        return operand_raise(run->exception, EMULATE_VECTOR_GP, 0);
    return EMULATE_DONE;
}

uint64_t emulate_system_value(struct emulate_run *run)
{
    struct emulate_processor *processor = run->processor;
    struct emulate_controls controls;
    struct emulate_segment segment;

    if (run->instruction->operation == OPERATION_SMSW) {
        processor->controls(processor->context, &controls);
        return controls.cr0;
    }
    processor->segment(processor->context,
                       run->instruction->operation == OPERATION_SLDT ? SEGMENT_LDTR : SEGMENT_TR, &segment);
    return segment.selector;
}
