/* SPDX-License-Identifier: MIT */
/* SDM vol. 3, "EPT and Memory Typing" and "Effective Page-Level Memory Types". */
#include "ept/effective_type.h"
#include "ept/eptp.h"

#define CR0_CACHE_DISABLE (UINT64_C(1) << 30)
#define CR0_PAGING        (UINT64_C(1) << 31)

bool pat_type_valid(unsigned type)
{
    return memory_type_valid(type) || type == PAT_TYPE_UC_MINUS;
}

const char *pat_type_name(unsigned type)
{
    return type == PAT_TYPE_UC_MINUS ? "UC-" : memory_type_name((enum memory_type)type);
}

enum memory_type effective_type_combine(enum memory_type leaf, enum pat_type pat,
                                        enum ept_type_reason *reason)
{
    *reason = EPT_TYPE_BY_TABLE;
    /* WC of the PAT wins over everything, UC of the leaf included. */
    if (pat == PAT_TYPE_WC)
        return MEMORY_TYPE_WC;
    if (leaf == MEMORY_TYPE_UC) {
        *reason = EPT_TYPE_NEVER_CACHED;
        return MEMORY_TYPE_UC;
    }
    if (pat == PAT_TYPE_UC) {
        *reason = EPT_TYPE_CACHES_CHECKED;
        return MEMORY_TYPE_UC;
    }
    if (pat == PAT_TYPE_UC_MINUS) {
        if (leaf == MEMORY_TYPE_WC)
            return MEMORY_TYPE_WC;
        if (leaf == MEMORY_TYPE_WP) {
            *reason = EPT_TYPE_ONCE_UNDEFINED;
            return MEMORY_TYPE_WC;
        }
        *reason = EPT_TYPE_CACHES_CHECKED;
        return MEMORY_TYPE_UC;
    }
    /* Left: WT, WP, WB of the PAT over WC, WT, WP, WB. WB of the PAT takes what is below, and the other way
     * round. */
    if (pat == PAT_TYPE_WB)
        return leaf;
    if (leaf == MEMORY_TYPE_WB || (unsigned)leaf == (unsigned)pat)
        return (enum memory_type)pat;
    *reason = EPT_TYPE_ONCE_UNDEFINED;
    return leaf == MEMORY_TYPE_WC ? MEMORY_TYPE_UC : (enum memory_type)pat;
}

static struct ept_type_step structures_step(const struct ept_type_input *input)
{
    unsigned type = (unsigned)(input->eptp & EPTP_MEMORY_TYPE);

    if (type != MEMORY_TYPE_UC && type != MEMORY_TYPE_WB)
        return (struct ept_type_step){(uint8_t)type, EPT_TYPE_EPTP_RESERVED};
    if (input->cr0 & CR0_CACHE_DISABLE)
        return (struct ept_type_step){MEMORY_TYPE_UC, EPT_TYPE_CACHES_OFF};
    return (struct ept_type_step){(uint8_t)type, EPT_TYPE_BY_EPTP};
}

static struct ept_type_step leaf_step(const struct ept_type_input *input)
{
    return (struct ept_type_step){input->memory_type, memory_type_valid(input->memory_type)
                                                          ? EPT_TYPE_BY_LEAF
                                                          : EPT_TYPE_LEAF_RESERVED};
}

static struct ept_type_step pat_step(const struct ept_type_input *input)
{
    unsigned type = pat_entry(input->pat, input->pat_index);

    /* Not PA0: the manual says WB, whatever IA32_PAT holds. */
    if ((input->cr0 & CR0_PAGING) == 0)
        return (struct ept_type_step){PAT_TYPE_WB, EPT_TYPE_PAGING_OFF};
    return (struct ept_type_step){(uint8_t)type,
                                  pat_type_valid(type) ? EPT_TYPE_BY_PAT_ENTRY : EPT_TYPE_PAT_RESERVED};
}

static struct ept_type_step combined_step(const struct ept_type_input *input, struct ept_type_step leaf,
                                          struct ept_type_step pat)
{
    enum ept_type_reason reason;
    enum memory_type type;

    if (leaf.reason == EPT_TYPE_LEAF_RESERVED)
        return (struct ept_type_step){leaf.type, EPT_TYPE_NO_ACCESS};
    if (input->ignore_pat)
        return (struct ept_type_step){leaf.type, EPT_TYPE_PAT_IGNORED};
    if (pat.reason == EPT_TYPE_PAT_RESERVED)
        return (struct ept_type_step){leaf.type, EPT_TYPE_NO_ACCESS};
    type = effective_type_combine((enum memory_type)leaf.type, (enum pat_type)pat.type, &reason);
    return (struct ept_type_step){(uint8_t)type, reason};
}

static struct ept_type_step effective_step(const struct ept_type_input *input,
                                           const struct ept_type_step *steps)
{
    if (steps[EPT_TYPE_STRUCTURES].reason == EPT_TYPE_EPTP_RESERVED ||
        steps[EPT_TYPE_PAT].reason == EPT_TYPE_PAT_RESERVED ||
        steps[EPT_TYPE_COMBINED].reason == EPT_TYPE_NO_ACCESS)
        return (struct ept_type_step){MEMORY_TYPE_UC, EPT_TYPE_NO_ACCESS};
    if (input->cr0 & CR0_CACHE_DISABLE)
        return (struct ept_type_step){MEMORY_TYPE_UC, EPT_TYPE_CACHES_OFF};
    return (struct ept_type_step){steps[EPT_TYPE_COMBINED].type, EPT_TYPE_CACHES_ON};
}

struct ept_effective_type ept_effective_type(const struct ept_type_input *input)
{
    struct ept_effective_type result = {.valid = false};
    struct ept_type_step *steps = result.steps;

    steps[EPT_TYPE_STRUCTURES] = structures_step(input);
    steps[EPT_TYPE_LEAF] = leaf_step(input);
    steps[EPT_TYPE_PAT] = pat_step(input);
    steps[EPT_TYPE_COMBINED] = combined_step(input, steps[EPT_TYPE_LEAF], steps[EPT_TYPE_PAT]);
    steps[EPT_TYPE_EFFECTIVE] = effective_step(input, steps);
    result.valid = steps[EPT_TYPE_EFFECTIVE].reason != EPT_TYPE_NO_ACCESS;
    result.type = (enum memory_type)steps[EPT_TYPE_EFFECTIVE].type;
    result.structures = result.valid ? (enum memory_type)steps[EPT_TYPE_STRUCTURES].type : MEMORY_TYPE_UC;
    return result;
}

const char *ept_type_step_name(enum ept_type_step_kind kind)
{
    static const char *const names[] = {"structures", "leaf", "pat", "combined", "effective"};

    _Static_assert(sizeof(names) / sizeof(names[0]) == EPT_TYPE_STEP_COUNT, "a name for each step");
    return (unsigned)kind < EPT_TYPE_STEP_COUNT ? names[kind] : "?";
}

const char *ept_type_reason_text(enum ept_type_reason reason)
{
    static const char *const texts[] = {
        [EPT_TYPE_BY_EPTP] = "bits 2:0 of the EPTP",
        [EPT_TYPE_EPTP_RESERVED] = "a reserved value in bits 2:0 of the EPTP: VM entry fails",
        [EPT_TYPE_BY_LEAF] = "bits 5:3 of the leaf",
        [EPT_TYPE_LEAF_RESERVED] = "a reserved value in bits 5:3 of the leaf: EPT misconfiguration",
        [EPT_TYPE_BY_PAT_ENTRY] = "the entry of IA32_PAT that PAT, PCD and PWT of the guest's page choose",
        [EPT_TYPE_PAGING_OFF] = "CR0.PG = 0: WB, whatever IA32_PAT holds",
        [EPT_TYPE_PAT_RESERVED] = "a reserved value in IA32_PAT: it cannot be loaded",
        [EPT_TYPE_PAT_IGNORED] = "bit 6 of the leaf: the PAT has no say",
        [EPT_TYPE_BY_TABLE] = "leaf and PAT together",
        [EPT_TYPE_NEVER_CACHED] = "the leaf is UC: never cached, no cache is looked into",
        [EPT_TYPE_CACHES_CHECKED] =
            "the PAT makes it UC: caches are checked, another mapping may have filled them",
        [EPT_TYPE_ONCE_UNDEFINED] = "leaf and PAT together, a pair that older manuals leave undefined",
        [EPT_TYPE_CACHES_ON] = "CR0.CD = 0: as combined",
        [EPT_TYPE_CACHES_OFF] = "CR0.CD = 1: UC",
        [EPT_TYPE_NO_ACCESS] = "no access comes about",
    };

    _Static_assert(sizeof(texts) / sizeof(texts[0]) == EPT_TYPE_REASON_COUNT, "a text for each reason");
    return (unsigned)reason < EPT_TYPE_REASON_COUNT ? texts[reason] : "?";
}
