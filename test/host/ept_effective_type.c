/* SPDX-License-Identifier: MIT */
/*
 * ept/effective_type.c against the manual's tables, copied here row by row with their notes and read without
 * the code's help: every pair of types, and every input there is.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/effective_type.h"
#include <stdbool.h>
#include <string.h>

#define CD (UINT64_C(1) << 30)
#define PG (UINT64_C(1) << 31)

/* SDM vol. 3, "Effective Page-Level Memory Types for Pentium III and More Recent Processor Families": MTRR
 * (here: leaf), PAT, effective type, and the table's notes as digits. */
static const struct row {
    const char *leaf, *pat, *effective, *notes;
} table[] = {
    {"UC", "UC", "UC", "1"}, {"UC", "UC-", "UC", "1"}, {"UC", "WC", "WC", ""},  {"UC", "WT", "UC", "1"},
    {"UC", "WB", "UC", "1"}, {"UC", "WP", "UC", "1"},  {"WC", "UC", "UC", "2"}, {"WC", "UC-", "WC", ""},
    {"WC", "WC", "WC", ""},  {"WC", "WT", "UC", "23"}, {"WC", "WB", "WC", ""},  {"WC", "WP", "UC", "23"},
    {"WT", "UC", "UC", "2"}, {"WT", "UC-", "UC", "2"}, {"WT", "WC", "WC", ""},  {"WT", "WT", "WT", ""},
    {"WT", "WB", "WT", ""},  {"WT", "WP", "WP", "3"},  {"WB", "UC", "UC", "2"}, {"WB", "UC-", "UC", "2"},
    {"WB", "WC", "WC", ""},  {"WB", "WT", "WT", ""},   {"WB", "WB", "WB", ""},  {"WB", "WP", "WP", ""},
    {"WP", "UC", "UC", "2"}, {"WP", "UC-", "WC", "3"}, {"WP", "WC", "WC", ""},  {"WP", "WT", "WT", "3"},
    {"WP", "WB", "WP", ""},  {"WP", "WP", "WP", ""},
};

/* SDM vol. 3, "Memory Types That Can Be Encoded With PAT": NULL is reserved. Bits 5:3 of a leaf have the same
 * but for 7. */
static const char *const encoding[8] = {"UC", "WC", NULL, NULL, "WT", "WP", "WB", "UC-"};

/* SDM vol. 3, "Selection of PAT Entries with PAT, PCD, and PWT Flags". */
static const struct {
    unsigned pat, pcd, pwt, entry;
} selection[] = {{0, 0, 0, 0}, {0, 0, 1, 1}, {0, 1, 0, 2}, {0, 1, 1, 3},
                 {1, 0, 0, 4}, {1, 0, 1, 5}, {1, 1, 0, 6}, {1, 1, 1, 7}};

static unsigned encoded(const char *name)
{
    for (unsigned i = 0; i < 8; i++) {
        if (encoding[i] != NULL && strcmp(encoding[i], name) == 0)
            return i;
    }
    fail_msg("no type %s", name);
    return 8;
}

static const struct row *row_of(const char *leaf, const char *pat)
{
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].leaf, leaf) == 0 && strcmp(table[i].pat, pat) == 0)
            return &table[i];
    }
    fail_msg("no row %s %s", leaf, pat);
    return NULL;
}

static enum ept_type_reason reason_of(const struct row *row)
{
    if (strchr(row->notes, '3') != NULL)
        return EPT_TYPE_ONCE_UNDEFINED;
    return strcmp(row->notes, "1") == 0   ? EPT_TYPE_NEVER_CACHED
           : strcmp(row->notes, "2") == 0 ? EPT_TYPE_CACHES_CHECKED
                                          : EPT_TYPE_BY_TABLE;
}

static void every_cell(void **state)
{
    (void)state;
    assert_int_equal(sizeof(table) / sizeof(table[0]), 5 * 6);
    for (unsigned i = 0; i < 30; i++) {
        enum ept_type_reason reason = EPT_TYPE_REASON_COUNT;
        enum memory_type type = effective_type_combine((enum memory_type)encoded(table[i].leaf),
                                                       (enum pat_type)encoded(table[i].pat), &reason);

        if (type != encoded(table[i].effective) || reason != reason_of(&table[i]))
            fail_msg("%s %s: %s (%s), the table has %s", table[i].leaf, table[i].pat, memory_type_name(type),
                     ept_type_reason_text(reason), table[i].effective);
    }
}

/* What the manual's text says of one input: NULL if no access comes about. */
static const char *by_the_book(const struct ept_type_input *input, const char **structures)
{
    unsigned pat = input->pat >> 8 * input->pat_index & 0xff;
    const char *leaf = input->memory_type == 7 ? NULL : encoding[input->memory_type], *guest;

    *structures = (input->eptp & 7) == 0 ? "UC" : (input->eptp & 7) == 6 ? "WB" : NULL;
    guest = (input->cr0 & PG) == 0 ? "WB" : pat < 8 ? encoding[pat] : NULL;
    if (*structures == NULL || leaf == NULL || guest == NULL)
        return NULL;
    if (input->cr0 & CD)
        return *structures = "UC";
    return input->ignore_pat ? leaf : row_of(leaf, guest)->effective;
}

static unsigned compare(const struct ept_type_input *input)
{
    const char *structures, *expected = by_the_book(input, &structures);
    struct ept_effective_type type = ept_effective_type(input);

    if (type.valid != (expected != NULL) ||
        (expected != NULL && (strcmp(memory_type_name(type.type), expected) != 0 ||
                              strcmp(memory_type_name(type.structures), structures) != 0)))
        fail_msg("eptp=%d leaf=%d ipat=%d pat=%#llx[%d] cr0=%#llx: %s/%s, not %s/%s", (int)input->eptp & 7,
                 input->memory_type, input->ignore_pat, (unsigned long long)input->pat, input->pat_index,
                 (unsigned long long)input->cr0, memory_type_name(type.type),
                 memory_type_name(type.structures), expected, structures);
    if (!type.valid && (type.type != MEMORY_TYPE_UC || type.structures != MEMORY_TYPE_UC))
        fail_msg("an access that does not come about is not UC");
    for (unsigned step = 0; step < EPT_TYPE_STEP_COUNT; step++) {
        if ((unsigned)type.steps[step].reason >= EPT_TYPE_REASON_COUNT)
            fail_msg("step %u has no reason", step);
    }
    return type.valid;
}

/* All of it: each value of each field, the PAT entry in its place among seven others that must not matter. */
static void every_input(void **state)
{
    unsigned valid = 0, all = 0;

    (void)state;
    for (unsigned eptp = 0; eptp < 8; eptp++)
        for (unsigned leaf = 0; leaf < 8; leaf++)
            for (unsigned flags = 0; flags < 8; flags++)
                for (unsigned index = 0; index < 8; index++)
                    for (unsigned value = 0; value < 256; value++) {
                        struct ept_type_input input = {
                            .eptp = UINT64_C(0x123458) | eptp,
                            .cr0 = (flags & 1 ? CD : 0) | (flags & 2 ? PG : 0) | 0x31,
                            .pat = UINT64_C(0x0206020602060206), /* a reserved one in every other place */
                            .pat_index = (uint8_t)index,
                            .memory_type = (uint8_t)leaf,
                            .ignore_pat = flags & 4,
                        };

                        input.pat = (input.pat & ~(UINT64_C(0xff) << 8 * index)) | (uint64_t)value
                                                                                       << 8 * index;
                        valid += compare(&input);
                        all++;
                    }
    assert_int_equal(all, 8 * 8 * 8 * 8 * 256);
    /* 2 EPTP types, 5 leaf types, CD and IPAT: with paging 6 PAT types of 256, without any. */
    assert_int_equal(valid, 2 * 5 * 4 * 8 * (6 + 256));
}

static void steps_say_why(void **state)
{
    /* A framebuffer of the machine, UC by its leaf, that the guest maps WC by PA1. */
    struct ept_type_input input = {
        .eptp = 0x1e, .cr0 = PG, .pat = UINT64_C(0x0007040600070106), .pat_index = 1};
    struct ept_effective_type type = ept_effective_type(&input);

    (void)state;
    assert_int_equal(type.steps[EPT_TYPE_STRUCTURES].type, MEMORY_TYPE_WB);
    assert_int_equal(type.steps[EPT_TYPE_STRUCTURES].reason, EPT_TYPE_BY_EPTP);
    assert_int_equal(type.steps[EPT_TYPE_LEAF].type, MEMORY_TYPE_UC);
    assert_int_equal(type.steps[EPT_TYPE_LEAF].reason, EPT_TYPE_BY_LEAF);
    assert_int_equal(type.steps[EPT_TYPE_PAT].type, PAT_TYPE_WC);
    assert_int_equal(type.steps[EPT_TYPE_PAT].reason, EPT_TYPE_BY_PAT_ENTRY);
    assert_int_equal(type.steps[EPT_TYPE_COMBINED].type, MEMORY_TYPE_WC);
    assert_int_equal(type.steps[EPT_TYPE_COMBINED].reason, EPT_TYPE_BY_TABLE);
    assert_int_equal(type.steps[EPT_TYPE_EFFECTIVE].type, MEMORY_TYPE_WC);
    assert_int_equal(type.steps[EPT_TYPE_EFFECTIVE].reason, EPT_TYPE_CACHES_ON);

    input.ignore_pat = true;
    type = ept_effective_type(&input);
    assert_int_equal(type.steps[EPT_TYPE_COMBINED].reason, EPT_TYPE_PAT_IGNORED);
    assert_int_equal(type.steps[EPT_TYPE_PAT].type, PAT_TYPE_WC); /* still told */
    assert_int_equal(type.type, MEMORY_TYPE_UC);

    input.ignore_pat = false;
    input.cr0 = CD | PG;
    type = ept_effective_type(&input);
    assert_int_equal(type.steps[EPT_TYPE_COMBINED].type, MEMORY_TYPE_WC);
    assert_int_equal(type.steps[EPT_TYPE_EFFECTIVE].reason, EPT_TYPE_CACHES_OFF);
    assert_int_equal(type.steps[EPT_TYPE_STRUCTURES].reason, EPT_TYPE_CACHES_OFF);
    assert_int_equal(type.type, MEMORY_TYPE_UC);

    /* Without paging the PAT is not asked at all: WB, and not PA0, which is UC here. */
    input = (struct ept_type_input){.eptp = 0x1e, .pat = 0, .memory_type = MEMORY_TYPE_WB};
    type = ept_effective_type(&input);
    assert_int_equal(type.steps[EPT_TYPE_PAT].reason, EPT_TYPE_PAGING_OFF);
    assert_int_equal(type.type, MEMORY_TYPE_WB);

    input.memory_type = 3;
    type = ept_effective_type(&input);
    assert_false(type.valid);
    assert_int_equal(type.steps[EPT_TYPE_LEAF].reason, EPT_TYPE_LEAF_RESERVED);
    assert_int_equal(type.steps[EPT_TYPE_LEAF].type, 3);
    assert_int_equal(type.steps[EPT_TYPE_EFFECTIVE].reason, EPT_TYPE_NO_ACCESS);
    input = (struct ept_type_input){.eptp = 1};
    assert_int_equal(ept_effective_type(&input).steps[EPT_TYPE_STRUCTURES].reason, EPT_TYPE_EPTP_RESERVED);
    input = (struct ept_type_input){.cr0 = PG, .pat = 2};
    assert_int_equal(ept_effective_type(&input).steps[EPT_TYPE_PAT].reason, EPT_TYPE_PAT_RESERVED);
}

static void names_and_indices(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        bool known = i < 8 && encoding[i] != NULL;

        assert_int_equal(pat_type_valid(i), known);
        assert_string_equal(pat_type_name(i), known ? encoding[i] : "?");
    }
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(4 * selection[i].pat + 2 * selection[i].pcd + selection[i].pwt, selection[i].entry);
        assert_int_equal(pat_entry(UINT64_C(0x8070605040302010), selection[i].entry), 0x10 + 0x10 * i);
    }
    assert_string_equal(ept_type_step_name(EPT_TYPE_EFFECTIVE), "effective");
    assert_string_equal(ept_type_step_name(EPT_TYPE_STEP_COUNT), "?");
    assert_string_equal(ept_type_reason_text(EPT_TYPE_REASON_COUNT), "?");
    for (unsigned i = 0; i < EPT_TYPE_REASON_COUNT; i++) {
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(ept_type_reason_text((enum ept_type_reason)i),
                                    ept_type_reason_text((enum ept_type_reason)j));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell),
        cmocka_unit_test(every_input),
        cmocka_unit_test(steps_say_why),
        cmocka_unit_test(names_and_indices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
