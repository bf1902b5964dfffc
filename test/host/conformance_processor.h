/* SPDX-License-Identifier: MIT */
/*
 * A processor for the tests of the conformance tester: a second reading of the manual, which shares nothing
 * with ept/walk2d.c but the names of bits. It runs a case in the tester's memory, sets flags, moves data. It
 * can be told to depart from the manual as Bochs does, to take the manual's liberties, and to be careless.
 */
#ifndef TEST_HOST_CONFORMANCE_PROCESSOR_H
#define TEST_HOST_CONFORMANCE_PROCESSOR_H

#include "vmm/check/conformance/predict.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* IA32_VMX_EPT_VPID_CAP. */
#define CAP_EXECUTE_ONLY (UINT64_C(1) << 0)
#define CAP_WALK_4       (UINT64_C(1) << 6)
#define CAP_UC           (UINT64_C(1) << 8)
#define CAP_WB           (UINT64_C(1) << 14)
#define CAP_2M           (UINT64_C(1) << 16)
#define CAP_1G           (UINT64_C(1) << 17)
#define CAP_AD           (UINT64_C(1) << 21)
#define CAPS_ALL         (CAP_EXECUTE_ONLY | CAP_WALK_4 | CAP_UC | CAP_WB | CAP_2M | CAP_1G | CAP_AD)

/* Host-physical addresses for the tester. */
#define TABLES  UINT64_C(0x1230000)
#define RAM     UINT64_C(0x6400000)
#define FAR_RAM UINT64_C(0x4a00000)

/* The last mismatch of processor_case(), in words. */
static char last_mismatch[640];

#define R 1u
#define W 2u
#define X 4u

/* How a careless processor makes an address of a large page's entry whose low bits are not 0. */
enum careless { CAREFUL, CARELESS_CUT, CARELESS_OR, CARELESS_ADD };

struct processor {
    struct conformance_memory memory;
    bool without_read_bit, unchecked_flags, ignores_bit_12; /* Bochs */
    bool read_bit_of_both, accessed_when_faulting;          /* liberties */
    enum careless careless;        /* checks no reserved bit and no combination of rights */
    bool missing_sizes_are_tables; /* careless: bit 7 without such pages is not looked at */
    uint64_t strayed;              /* careless: an address beyond the VM's that it used */
    struct conformance_outcome *outcome;
};

static inline void processor_init(struct processor *processor, uint64_t capabilities, unsigned width,
                                  uint64_t tables, uint64_t ram)
{
    struct ept_caps caps;

    memset(processor, 0, sizeof(*processor));
    if (ept_caps_init(&caps, capabilities, width) != EPT_OK)
        abort();
    conformance_memory_init(&processor->memory, &caps, tables, calloc(CONFORMANCE_TABLES, 4096), ram,
                            calloc(1, CONFORMANCE_RAM_SIZE));
}

static inline void processor_free(struct processor *processor)
{
    free(processor->memory.tables);
    free(processor->memory.ram);
}

static inline uint64_t processor_bits(unsigned low, unsigned high)
{
    return low > high ? 0 : (~UINT64_C(0) >> (63 - high)) & (~UINT64_C(0) << low);
}

/* NULL: nothing of ours. */
static inline uint64_t *processor_word(struct processor *processor, uint64_t hpa, bool table)
{
    struct conformance_memory *memory = &processor->memory;
    uint64_t offset = hpa - (table ? memory->layout.tables : memory->ram_hpa);

    if (offset >= (table ? CONFORMANCE_TABLES * UINT64_C(4096) : CONFORMANCE_RAM_SIZE)) {
        processor->strayed = hpa;
        return NULL;
    }
    return (uint64_t *)(void *)((uint8_t *)(table ? (void *)memory->tables : memory->ram) + offset);
}

static inline bool processor_fault(struct processor *processor, bool violation, uint64_t qualification,
                                   uint64_t gpa, uint64_t linear)
{
    processor->outcome->end = violation ? WALK2D_VIOLATION : WALK2D_MISCONFIG;
    processor->outcome->gpa = gpa;
    if (violation) {
        processor->outcome->qualification = qualification | 0x80;
        processor->outcome->linear_address = linear;
    }
    return false;
}

/* SDM vol. 3, "EPT Misconfigurations", and the tables of "EPT Translation Mechanism". */
static inline bool processor_rejects(const struct processor *processor, uint64_t entry, unsigned level,
                                     bool leaf)
{
    const struct ept_caps *caps = &processor->memory.layout.caps;
    unsigned rights = entry & 7, type = entry >> 3 & 7;
    uint64_t reserved = processor_bits(caps->physical_width, 51);

    if (processor->careless != CAREFUL)
        return false;
    if (rights == W || rights == (W | X) || (rights == X && !caps->execute_only))
        return true;
    if (!leaf)
        reserved |= level == 4 ? 0xf8 : level == 1 ? 0 : 0x78 | (entry & 0x80);
    else if (level > 1)
        reserved |= processor_bits(processor->ignores_bit_12 ? 13 : 12, 11 + 9 * (level - 1));
    return (entry & reserved) != 0 || (leaf && (type == 2 || type == 3 || type == 7));
}

static inline bool processor_is_leaf(const struct processor *processor, uint64_t entry, unsigned level)
{
    const struct ept_caps *caps = &processor->memory.layout.caps;
    bool has = level == 1 || (level == 2 && caps->large_2m) || (level == 3 && caps->large_1g);

    if (processor->careless != CAREFUL && !processor->missing_sizes_are_tables)
        has = level < 4;
    return level == 1 || ((entry & 0x80) && has);
}

/* tried: R, W, X as the qualification shows them. needed: what must be allowed. */
static inline bool processor_translate(struct processor *processor, const struct conformance_case *test,
                                       uint64_t gpa, unsigned needed, unsigned tried, bool walk,
                                       uint64_t linear, uint64_t *hpa)
{
    struct conformance_memory *memory = &processor->memory;
    uint64_t *used[5], table = memory->layout.tables,
                       address_bits = processor_bits(12, memory->layout.caps.physical_width - 1u);
    unsigned count = 0, rights = 7;
    uint64_t entry, qualification = tried | (walk ? 0 : 0x100), size;

    for (unsigned level = 4;; level--) {
        uint64_t *slot = processor_word(processor, table + (gpa >> 9 * level & 0xff8), true);
        bool leaf;

        if (slot == NULL)
            return false;
        entry = *slot;
        leaf = processor_is_leaf(processor, entry, level);
        rights &= entry & 7;
        if ((entry & 7) == 0) {
            rights = 0;
            break;
        }
        if (processor_rejects(processor, entry, level, leaf)) {
            for (unsigned i = 0; i < count && test->accessed_dirty && processor->accessed_when_faulting; i++)
                *used[i] |= 0x100;
            return processor_fault(processor, false, 0, gpa, 0);
        }
        used[count++] = slot;
        if (leaf) {
            size = UINT64_C(1) << (3 + 9 * level);
            entry &= address_bits;
            *hpa = processor->careless == CARELESS_OR    ? entry | (gpa & (size - 1))
                   : processor->careless == CARELESS_ADD ? entry + (gpa & (size - 1))
                                                         : (entry & ~(size - 1)) | (gpa & (size - 1));
            break;
        }
        table = entry & address_bits;
    }
    if (rights == 0 || (processor->careless != CAREFUL ? (needed & rights) == 0 : (needed & ~rights) != 0)) {
        for (unsigned i = 0; i < count && test->accessed_dirty && processor->accessed_when_faulting; i++)
            *used[i] |= 0x100;
        return processor_fault(processor, true, qualification | rights << 3, gpa, linear);
    }
    for (unsigned i = 0; i < count && test->accessed_dirty; i++)
        *used[i] |= 0x100 | (i == count - 1 && (needed & W) ? 0x200 : 0);
    return true;
}

/* 4-level paging of the guest; gpa of the page's byte. */
static inline bool processor_guest_walk(struct processor *processor, const struct conformance_case *test,
                                        uint64_t linear, bool write, uint64_t *gpa)
{
    uint64_t table = conformance_root_gpa(&processor->memory), hpa, *entries[5], gpas[5];
    bool writable[5];

    for (unsigned level = 4; level >= 1; level--) {
        unsigned needed = test->accessed_dirty ? R | W : R;
        unsigned tried = test->accessed_dirty && processor->without_read_bit ? W : needed;

        gpas[level] = table + (linear >> 9 * level & 0xff8);
        if (!processor_translate(processor, test, gpas[level], needed, tried, true, linear, &hpa))
            return false;
        entries[level] = processor_word(processor, hpa, false);
        if (entries[level] == NULL)
            return false;
        /* A question to the EPT that leaves no trace. */
        struct conformance_outcome *outcome = processor->outcome, unused = *outcome;
        struct conformance_case without = *test;

        without.accessed_dirty = false;
        processor->outcome = &unused;
        writable[level] = processor_translate(processor, &without, gpas[level], W, W, true, linear, &hpa);
        processor->outcome = outcome;
        table = *entries[level] & processor_bits(12, 51);
        if (!(*entries[level] & 1)) { /* the tester has no such case: a careless processor is lost here */
            processor->outcome->end = WALK2D_PAGE_FAULT;
            return false;
        }
    }
    for (unsigned level = 4; level >= 1; level--) {
        uint64_t wanted = *entries[level] | 0x20 | (level == 1 && write ? 0x40 : 0);

        if (wanted != *entries[level] && !writable[level] && !processor->unchecked_flags) {
            (void)processor_translate(processor, test, gpas[level], W, R | W, true, linear, &hpa);
            if (!processor->read_bit_of_both)
                processor->outcome->qualification &= ~UINT64_C(1);
            return false;
        }
        *entries[level] = wanted;
    }
    *gpa = table | (linear & 0xfff);
    return true;
}

static inline bool processor_access(struct processor *processor, const struct conformance_case *test,
                                    uint64_t linear, unsigned needed, uint64_t **data)
{
    unsigned tried = needed == (R | W) && !processor->read_bit_of_both ? W : needed;
    uint64_t gpa, hpa;

    if (!processor_guest_walk(processor, test, linear, (needed & W) != 0, &gpa) ||
        !processor_translate(processor, test, gpa, needed, tried, false, linear, &hpa))
        return false;
    *data = processor_word(processor, hpa, false);
    return *data != NULL;
}

/* The instruction of a case, for which the memory is armed. */
static inline void processor_run(struct processor *processor, const struct conformance_case *test,
                                 struct conformance_outcome *outcome)
{
    static const unsigned needed[] = {R, W, R | W, X, R, W};
    uint64_t *data, old, code = conformance_code_address(test->access, test->instruction);

    memset(outcome, 0, sizeof(*outcome));
    processor->outcome = outcome;
    processor->strayed = 0;
    outcome->end = WALK2D_DONE;
    if (processor_access(processor, test, code, X, &data) &&
        processor_access(processor, test, conformance_data_address(), needed[test->access], &data)) {
        old = *data;
        outcome->rip = test->access == CONFORMANCE_FETCH
                           ? conformance_data_address() + 5
                           : conformance_end_address(test->access, test->instruction);
        outcome->rax = CONFORMANCE_WRITTEN;
        if (needed[test->access] == R ||
            (test->access == CONFORMANCE_READ_WRITE && test->instruction != CONFORMANCE_ADD))
            outcome->rax = old;
        if (test->access == CONFORMANCE_FETCH)
            outcome->rax = old >> 8 & 0xffffffff;
        if (needed[test->access] == W ||
            (test->access == CONFORMANCE_READ_WRITE && test->instruction == CONFORMANCE_XCHG))
            *data = CONFORMANCE_WRITTEN;
        else if (test->access == CONFORMANCE_READ_WRITE)
            *data = old + CONFORMANCE_WRITTEN;
    }
    conformance_observe(outcome, &processor->memory, test);
}

/* A case from its number to the judgement. */
static inline enum conformance_verdict processor_case(struct processor *processor, uint64_t seed,
                                                      uint64_t number, bool departures,
                                                      struct conformance_judgement *judgement,
                                                      struct conformance_prediction *prediction)
{
    struct conformance_memory *memory = &processor->memory;
    struct conformance_case test;
    struct conformance_outcome outcome;
    static struct walk2d walk;

    conformance_case_make(&test, &memory->layout, seed, number);
    conformance_memory_arm(memory, &test);
    conformance_predict(prediction, memory, &test, &walk);
    processor_run(processor, &test, &outcome);
    conformance_judge(judgement, memory, &test, prediction, &outcome, departures, &walk);
    if (judgement->verdict == CONFORMANCE_MISMATCH) {
        char text[400];

        conformance_explain(prediction, &outcome, text, sizeof(text));
        (void)snprintf(last_mismatch, sizeof(last_mismatch),
                       "case %llu access %u level %u ad %u entries %llx %llx %llx %llx: %s",
                       (unsigned long long)number, test.access, test.guest_level, test.accessed_dirty,
                       (unsigned long long)test.entry[4], (unsigned long long)test.entry[3],
                       (unsigned long long)test.entry[2], (unsigned long long)test.entry[1], text);
    }
    conformance_memory_restore(memory, &test);
    return judgement->verdict;
}

#endif
