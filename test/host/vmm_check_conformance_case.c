/* SPDX-License-Identifier: MIT */
/* Tests of vmm/check/conformance/case.c: what is promised to be tried is tried, and the same seed gives the same
 * cases. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/host/conformance_processor.h"

static struct conformance_layout layout;
static struct conformance_case test;

static void begin(uint64_t capabilities, unsigned width)
{
    struct ept_caps caps;

    assert_int_equal(ept_caps_init(&caps, capabilities, width), EPT_OK);
    conformance_layout_init(&layout, &caps, TABLES, RAM & ~(CONFORMANCE_SCRATCH_SIZE - 1));
}

static uint64_t numbers(void)
{
    uint64_t systematic = conformance_systematic_count(&layout);

    return systematic + systematic / 7 + 1; /* one in eight is random */
}

/* Every value of bits 11:0, at every level, under every access, with and without accessed and dirty flags;
 * and no entry is confined that need not be. */
static void low_bits(void **state)
{
    static bool seen[4096][5][CONFORMANCE_ACCESSES][2];

    (void)state;
    begin(CAPS_ALL, 40);
    memset(seen, 0, sizeof(seen));
    for (uint64_t number = 0; number < numbers(); number++) {
        conformance_case_make(&test, &layout, 1, number);
        for (unsigned level = 1; level <= 4 && !test.random; level++)
            seen[test.entry[level] & 0xfff][level][test.access][test.accessed_dirty] = true;
    }
    for (unsigned value = 0; value < 4096; value++)
        for (unsigned level = 1; level <= 4; level++)
            for (unsigned access = 0; access < CONFORMANCE_ACCESSES; access++)
                if (!seen[value][level][access][0] || !seen[value][level][access][1])
                    fail_msg("bits 11:0 = 0x%x at level %u, access %u, are never tried", value, level,
                             access);
}

/* Each of bits 63:12 differs from the sound entry's alone in a present entry of each kind: references of
 * levels 2 to 4, pages of 1 to 3. */
static void high_bits(void **state)
{
    static unsigned seen[64][5][2];

    (void)state;
    begin(CAPS_ALL, 40);
    memset(seen, 0, sizeof(seen));
    for (uint64_t number = 0; number < numbers(); number++) {
        conformance_case_make(&test, &layout, 1, number);
        for (unsigned level = 1; level <= 4 && !test.random; level++) {
            bool leaf = level == 1 || (level < 4 && (test.entry[level] & 0x80));
            uint64_t page = layout.scratch + (layout.probe_gpa & (CONFORMANCE_SCRATCH_SIZE - 1)), address,
                     changed;

            address = leaf ? page & ~((UINT64_C(4096) << 9 * (level - 1)) - 1)
                           : layout.tables + 4096 * layout.table[level - 1];
            changed = (test.entry[level] & ~UINT64_C(0xfff)) ^ address;
            if (changed != 0 && (changed & (changed - 1)) == 0 && (test.entry[level] & 7))
                seen[__builtin_ctzll(changed)][level][leaf]++;
        }
    }
    for (unsigned bit = 12; bit < 64; bit++)
        for (unsigned level = 1; level <= 4; level++)
            for (unsigned leaf = level == 1; leaf <= (level < 4); leaf++) {
                /* A table beyond the tester's own is never referenced by a present entry. */
                if (!leaf && bit >= 16 && bit < 40)
                    assert_int_equal(seen[bit][level][leaf], 0);
                else if (seen[bit][level][leaf] < CONFORMANCE_ACCESSES * 2)
                    fail_msg("bit %u of a level %u %s is tried %u times", bit, level,
                             leaf ? "page" : "reference", seen[bit][level][leaf]);
            }
}

/* Rights: 8^4 combinations over four levels, 8^3 for 2 MiB pages, 8^2 for 1 GiB pages. Types: 8 x 2 x 2 at
 * three levels. */
static void rights_and_types(void **state)
{
    static bool rights[8][8][8][8], types[4][16][2];
    unsigned count[4] = {0}, type_count = 0;

    (void)state;
    begin(CAPS_ALL, 40);
    for (uint64_t number = 0; number < numbers(); number++) {
        uint64_t *entry = test.entry;
        unsigned leaf;

        conformance_case_make(&test, &layout, 1, number);
        if (test.random || (entry[4] & 0xff8))
            continue;
        leaf = entry[3] & 0x80 ? 3 : entry[2] & 0x80 ? 2 : 1;
        types[leaf][entry[leaf] >> 3 & 15][test.structures_type == 0] = true;
        if (leaf == 1 && (entry[1] & 0xff8) == 0x30)
            rights[entry[4] & 7][entry[3] & 7][entry[2] & 7][entry[1] & 7] = true;
    }
    for (unsigned n = 0; n < 4096; n++)
        count[1] += rights[n >> 9][n >> 6 & 7][n >> 3 & 7][n & 7];
    assert_int_equal(count[1], 4096);
    for (unsigned n = 0; n < 96; n++)
        type_count += types[1 + n % 3][n / 3 % 16][n / 48];
    assert_int_equal(type_count, 96);
}

/* The counts of each family, with and without what processors may lack. */
static void counts(void **state)
{
    (void)state;
    begin(CAPS_ALL, 40);
    assert_int_equal(conformance_systematic_count(&layout),
                     (4096 * 4 + 6 * 52 + 4096 + 512 + 64 + 96) * 6 * 2);
    begin(CAPS_ALL & ~(CAP_AD | CAP_1G | CAP_2M | CAP_UC), 36);
    assert_int_equal(conformance_systematic_count(&layout), (4096 * 4 + 6 * 52 + 4096 + 48) * 6);
}

/* Each systematic case comes once, and an eighth of the cases is random; then all are. */
static void order(void **state)
{
    uint64_t random = 0, all;

    (void)state;
    begin(CAPS_ALL, 40);
    all = numbers();
    for (uint64_t number = 0; number < all; number++) {
        conformance_case_make(&test, &layout, 1, number);
        random += test.random;
    }
    assert_int_equal(all - random, conformance_systematic_count(&layout));
    for (uint64_t number = all; number < all + 1000; number++) {
        conformance_case_make(&test, &layout, 1, number);
        assert_true(test.random);
    }
}

static void same_seed_same_cases(void **state)
{
    struct conformance_case again, other;
    unsigned same = 0;

    (void)state;
    begin(CAPS_ALL, 40);
    for (uint64_t number = 7; number < 8000; number += 8) {
        conformance_case_make(&test, &layout, 1, number);
        conformance_case_make(&again, &layout, 1, number);
        conformance_case_make(&other, &layout, 2, number);
        assert_true(test.random);
        assert_memory_equal(test.entry, again.entry, sizeof(test.entry));
        assert_int_equal(test.access, again.access);
        same += memcmp(test.entry, other.entry, sizeof(test.entry)) == 0;
    }
    assert_true(same < 200);
    conformance_case_make(&test, &layout, 1, UINT64_MAX); /* any number will do */
}

static void texts(void **state)
{
    (void)state;
    assert_string_equal(conformance_access_text(CONFORMANCE_WALK_FLAGS), "page-walk-flags");
    assert_string_equal(conformance_access_text(CONFORMANCE_ACCESSES), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(low_bits), cmocka_unit_test(high_bits), cmocka_unit_test(rights_and_types),
        cmocka_unit_test(counts),   cmocka_unit_test(order),     cmocka_unit_test(same_seed_same_cases),
        cmocka_unit_test(texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
