/* SPDX-License-Identifier: MIT */
/* From an instruction's bytes to the way in which it is stepped. SDM vol. 2, "Instruction Format", "Opcode
 * Map". */
#include "vmm/debug/step_plan.h"

struct prefixes {
    size_t length;
    bool operand, repeat;
    unsigned rex;
};

static bool is_segment_prefix(uint8_t byte)
{
    return byte == 0x26 || byte == 0x2e || byte == 0x36 || byte == 0x3e || byte == 0x64 || byte == 0x65;
}

static struct prefixes read_prefixes(const uint8_t *bytes, size_t count, unsigned code_size)
{
    struct prefixes prefixes = {.length = 0};

    for (; prefixes.length < count; prefixes.length++) {
        uint8_t byte = bytes[prefixes.length];

        if (byte == 0x66)
            prefixes.operand = true;
        else if (byte == 0xf2 || byte == 0xf3)
            prefixes.repeat = true;
        else if (byte != 0x67 && byte != 0xf0 && !is_segment_prefix(byte))
            break;
    }
    if (code_size == 8 && prefixes.length < count && (bytes[prefixes.length] & 0xf0) == 0x40)
        prefixes.rex = bytes[prefixes.length++];
    return prefixes;
}

static bool is_string(uint8_t opcode)
{
    return (opcode >= 0x6c && opcode <= 0x6f) || (opcode >= 0xa4 && opcode <= 0xa7) ||
           (opcode >= 0xaa && opcode <= 0xaf);
}

/* PUSH of a register, an immediate, a segment register, all registers; PUSHF; CALL; ENTER. */
static bool is_push(uint8_t opcode, bool two_bytes, unsigned code_size)
{
    if (two_bytes)
        return opcode == 0xa0 || opcode == 0xa8;
    if ((opcode >= 0x50 && opcode <= 0x57) || opcode == 0x68 || opcode == 0x6a || opcode == 0x9c ||
        opcode == 0xe8 || opcode == 0xc8)
        return true;
    return code_size != 8 &&
           (opcode == 0x60 || opcode == 0x06 || opcode == 0x0e || opcode == 0x16 || opcode == 0x1e);
}

static unsigned push_size(unsigned code_size, bool operand)
{
    if (code_size == 8)
        return operand ? 2 : 8;
    return (code_size == 2) != operand ? 2 : 4;
}

static void one_byte(struct step_plan *plan, const uint8_t *opcode, size_t left,
                     const struct prefixes *prefixes, unsigned code_size)
{
    switch (opcode[0]) {
    case 0x9c:
        plan->kind = STEP_PUSHF;
        break;
    case 0x9d:
    case 0xcf:
        plan->kind = STEP_LOADS_FLAGS;
        break;
    case 0xfb:
        plan->is_sti = true;
        break;
    case 0xcd:
        if (left < 2)
            break;
        plan->kind = STEP_INT;
        plan->vector = opcode[1];
        plan->length = (uint8_t)(prefixes->length + 2);
        break;
    case 0x17:
        if (code_size == 8)
            break;
        plan->kind = STEP_LOADS_SS;
        plan->ss_register = STEP_SS_POPPED;
        plan->length = (uint8_t)(prefixes->length + 1);
        break;
    case 0x8e:
        if (left < 2 || (opcode[1] >> 3 & 7) != 2)
            break;
        plan->kind = STEP_LOADS_SS;
        plan->opcode_at = (uint8_t)prefixes->length;
        plan->ss_register = STEP_SS_OTHER;
        if (opcode[1] >> 6 == 3) {
            plan->ss_register = (uint8_t)((opcode[1] & 7) | (prefixes->rex & 1) << 3);
            plan->length = (uint8_t)(prefixes->length + 2);
        }
        break;
    default:
        break;
    }
}

struct step_plan step_plan(const uint8_t *bytes, size_t count, unsigned code_size)
{
    struct prefixes prefixes = read_prefixes(bytes, count, code_size);
    struct step_plan plan = {.kind = STEP_PLAIN, .ss_register = STEP_SS_OTHER};
    const uint8_t *opcode = bytes + prefixes.length;
    size_t left = count - prefixes.length;

    plan.operand_size = (uint8_t)push_size(code_size, prefixes.operand);
    if (left == 0)
        return plan;
    if (opcode[0] != 0x0f) {
        plan.repeats = prefixes.repeat && is_string(opcode[0]);
        plan.pushes = is_push(opcode[0], false, code_size);
        one_byte(&plan, opcode, left, &prefixes, code_size);
    } else if (left >= 2) {
        plan.pushes = is_push(opcode[1], true, code_size);
        if (opcode[1] == 0x05 && code_size == 8) {
            plan.kind = STEP_SYSCALL;
            plan.length = (uint8_t)(prefixes.length + 2);
        } else if (opcode[1] == 0x07) {
            plan.kind = STEP_LOADS_FLAGS;
        }
    }
    return plan;
}
