/* SPDX-License-Identifier: MIT */
/* Tests of ept/misconfig.c: every rule at every level, each bit alone, against the manual's table written out
 * here. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/misconfig.h"
#include "test/host/ept_pool.h"

/* SDM vol. 3, "EPT Misconfigurations" and the entry formats, as a second reading: the reserved bits of a
 * present entry. */
static uint64_t reserved_bits(const struct ept_caps *caps, unsigned level, uint64_t raw)
{
    uint64_t reserved = 0;
    bool leaf = level == 1 || (level == 2 && caps->large_2m && raw & 0x80) ||
                (level == 3 && caps->large_1g && raw & 0x80);

    for (unsigned bit = caps->physical_width; bit < 52; bit++)
        reserved |= UINT64_C(1) << bit;
    if (!leaf)
        reserved |= 0x78;
    if (level >= 4 || (level == 3 && !caps->large_1g) || (level == 2 && !caps->large_2m))
        reserved |= 0x80;
    if (leaf && level == 2)
        reserved |= 0x1ff000; /* 20:12 */
    if (leaf && level == 3)
        reserved |= 0x3ffff000; /* 29:12 */
    return reserved;
}

static bool misconfigured(const struct ept_caps *caps, unsigned level, uint64_t raw)
{
    unsigned rights = raw & 7, type = raw >> 3 & 7;
    bool leaf = level == 1 || (level == 2 && caps->large_2m && raw & 0x80) ||
                (level == 3 && caps->large_1g && raw & 0x80);

    if (rights == 0)
        return false;
    if (rights == 2 || rights == 6 || (rights == 4 && !caps->execute_only))
        return true;
    if ((raw & reserved_bits(caps, level, raw)) != 0)
        return true;
    return leaf && (type == 2 || type == 3 || type == 7);
}

static void check(const struct ept_caps *caps, unsigned level, uint64_t raw)
{
    uint64_t offending = 0xdead;
    uint32_t reasons = ept_misconfig_reasons(caps, level, (struct ept_entry){raw}, &offending);
    uint64_t expected_bits;

    assert_int_equal(reasons != 0, misconfigured(caps, level, raw));
    assert_int_equal(reasons != 0, offending != 0);
    if (reasons == 0)
        return;
    expected_bits = raw & reserved_bits(caps, level, raw);
    if (reasons & (EPT_REASON_WRITE_ONLY | EPT_REASON_WRITE_EXECUTE | EPT_REASON_EXECUTE_ONLY))
        expected_bits |= 7;
    if (reasons & EPT_REASON_MEMORY_TYPE)
        expected_bits |= 0x38;
    assert_int_equal(offending, expected_bits);
    assert_int_equal((reasons & EPT_REASON_WRITE_ONLY) != 0, (raw & 7) == 2);
    assert_int_equal((reasons & EPT_REASON_WRITE_EXECUTE) != 0, (raw & 7) == 6);
    assert_int_equal((reasons & EPT_REASON_EXECUTE_ONLY) != 0, (raw & 7) == 4 && !caps->execute_only);
}

static void test_exhaustive_low_bits(void **state)
{
    const uint64_t capabilities[] = {CAP_ALL, CAP_NO_1G, CAP_NO_LARGE, CAP_NO_X, CAP_5_LEVEL};
    const unsigned widths[] = {32, 36, 40, 46, 52};

    (void)state;
    for (unsigned c = 0; c < 5; c++) {
        for (unsigned w = 0; w < 5; w++) {
            struct ept_caps caps;

            assert_int_equal(ept_caps_init(&caps, capabilities[c], widths[w]), EPT_OK);
            for (unsigned level = 1; level <= 5; level++) {
                for (uint64_t low = 0; low < 4096; low++) {
                    check(&caps, level, low);
                    check(&caps, level, low | UINT64_C(0x40000000));
                }
                for (unsigned bit = 3; bit < 64; bit++) {
                    check(&caps, level, UINT64_C(1) << bit | 7);        /* each bit alone, in a table entry */
                    check(&caps, level, UINT64_C(1) << bit | 7 | 0x80); /* in a large page */
                    check(&caps, level, UINT64_C(1) << bit | 7 | 0xb0); /* ... of type WB */
                    check(&caps, level, UINT64_C(1) << bit);            /* not present: never */
                }
            }
        }
    }
}

static void test_reasons(void **state)
{
    const struct {
        unsigned level;
        uint64_t raw;
        uint32_t reasons;
        uint64_t offending;
    } cases[] = {
        {1, 0x32, EPT_REASON_WRITE_ONLY, 0x7},
        {4, 0x6, EPT_REASON_WRITE_EXECUTE, 0x7},
        {2, 0x4, EPT_REASON_EXECUTE_ONLY, 0x7},
        {1, 0x17, EPT_REASON_MEMORY_TYPE, 0x38},
        {1, 0x1f, EPT_REASON_MEMORY_TYPE, 0x38},
        {1, 0x3f, EPT_REASON_MEMORY_TYPE, 0x38},
        {1, 0xb7, 0, 0}, /* bit 7 of a PTE is ignored */
        {2, 0x2000b7, 0, 0},
        {2, 0x2020b7, EPT_REASON_ALIGNMENT, 0x2000},
        {3, 0x400000b7, EPT_REASON_BIT_7 | EPT_REASON_TABLE_BITS, 0xb0}, /* no 1G pages here */
        {3, 0x40000087, EPT_REASON_BIT_7, 0x80},
        {4, 0x1087, EPT_REASON_BIT_7, 0x80},
        {4, 0x100f, EPT_REASON_TABLE_BITS, 0x8},
        {3, 0x1047, EPT_REASON_TABLE_BITS, 0x40},
        {2, UINT64_C(0x10000001007), EPT_REASON_ADDRESS, UINT64_C(0x10000000000)},
        {1, UINT64_C(0x8000000001037), EPT_REASON_ADDRESS, UINT64_C(0x8000000000000)},
        {1, UINT64_C(0xfff0000000001f37), 0, 0}, /* bits 63:52 and 11:8 */
        {1, UINT64_C(0x8000000000012), EPT_REASON_WRITE_ONLY | EPT_REASON_ADDRESS | EPT_REASON_MEMORY_TYPE,
         UINT64_C(0x800000000003f)},
    };
    struct ept_caps caps;

    (void)state;
    assert_int_equal(ept_caps_init(&caps, CAP_NO_1G & CAP_NO_X, 40), EPT_OK);
    for (unsigned n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
        uint64_t offending;

        assert_int_equal(
            ept_misconfig_reasons(&caps, cases[n].level, (struct ept_entry){cases[n].raw}, &offending),
            cases[n].reasons);
        assert_int_equal(offending, cases[n].offending);
    }
}

static void test_texts_and_kinds(void **state)
{
    (void)state;
    for (unsigned n = 0; n < EPT_REASON_COUNT; n++)
        assert_true(strlen(ept_misconfig_reason_text(1u << n)) > 5);
    assert_string_equal(ept_misconfig_reason_text(0), "?");
    assert_string_equal(ept_misconfig_reason_text(3), "?");
    assert_string_equal(ept_misconfig_reason_text(1u << 20), "?");
}

/* How the entry of each level is spoilt, by way of an address that has only this entry and those above it in
 * common with 0x5000, and what is to be found. */
static const struct spoilt {
    uint64_t gpa;
    enum ept_plant_kind kind;
    uint32_t reason;
    uint64_t offending;
} spoilt[] = {
    [1] = {0x5000, EPT_PLANT_MEMORY_TYPE_7, EPT_REASON_MEMORY_TYPE, 0x38},
    [2] = {0x6000, EPT_PLANT_RESERVED_LOW, EPT_REASON_TABLE_BITS, 0x8},
    [3] = {2 * MB, EPT_PLANT_RESERVED_ADDRESS, EPT_REASON_ADDRESS, UINT64_C(1) << 51},
    [4] = {GB, EPT_PLANT_LARGE_PAGE, EPT_REASON_BIT_7, 0x80},
};

/*
 * Every set of levels spoilt at the same time: the analyser names each of them, from the root on, with where
 * the entry stands, its raw value, the bits and the reason. The processor has met the first and tells of
 * none.
 */
static void test_all_levels_at_once(void **state)
{
    (void)state;
    for (unsigned set = 0; set < 16; set++) {
        struct bed bed;
        struct ept_misconfig found;
        unsigned n = 0;

        assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 64));
        assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 8 * GB, 16 * GB, RWX));
        assert_int_equal(ept_fault(&bed.ept, 0x5000, 0).level, 1);
        for (unsigned level = 1; level <= 4; level++) {
            if ((set >> (level - 1) & 1) != 0)
                assert_int_equal(ept_plant(&bed.ept, spoilt[level].gpa, level, spoilt[level].kind).status,
                                 EPT_OK);
        }
        found = ept_misconfig_analyse(&bed.ept, 0x5000);
        for (unsigned level = 4; level >= 1; level--) {
            const struct ept_misconfig_entry *entry = &found.entries[n];
            const uint64_t *slot = pool_entry(&bed.pool, &bed.ept, 0x5000, level);

            if ((set >> (level - 1) & 1) == 0)
                continue;
            assert_true(n < found.count);
            assert_int_equal(entry->level, level);
            assert_int_equal(entry->reasons, spoilt[level].reason);
            assert_int_equal(entry->offending, spoilt[level].offending);
            assert_int_equal(entry->entry.raw, *slot);
            assert_int_equal(entry->entry_hpa,
                             POOL_BASE + (uint64_t)((const uint8_t *)slot - bed.pool.memory));
            n++;
        }
        assert_int_equal(found.count, n);
        assert_true(bed_done(&bed));
    }
}

/* The address in a bad entry that nobody planted is not followed: what is below it is not named. */
static void test_nothing_below_an_unknown_one(void **state)
{
    struct bed bed;
    struct ept_misconfig found;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 8 * GB, 16 * GB, RWX));
    assert_int_equal(ept_fault(&bed.ept, 0x5000, 0).level, 1);
    *pool_entry(&bed.pool, &bed.ept, 0x5000, 1) |= EPT_BIT(3);
    assert_int_equal(ept_misconfig_analyse(&bed.ept, 0x5000).count, 1);
    *pool_entry(&bed.pool, &bed.ept, 0x5000, 3) |= EPT_BIT(5);
    found = ept_misconfig_analyse(&bed.ept, 0x5000);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.entries[0].level, 3);
    assert_int_equal(ept_plant(&bed.ept, 512 * GB - GB, 4, EPT_PLANT_RESERVED_LOW).status, EPT_NOT_LISTED);
    assert_int_equal(ept_plant(&bed.ept, 5 * GB, 4, EPT_PLANT_RESERVED_LOW).status, EPT_OK);
    found = ept_misconfig_analyse(&bed.ept, 0x5000); /* above it, and reported */
    assert_int_equal(found.count, 2);
    assert_int_equal(found.entries[0].level, 4);
    assert_int_equal(found.entries[1].level, 3);
    assert_true(bed_done(&bed));
}

static void test_beyond_width(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_ALL, 40, 4));
    assert_int_equal(ept_misconfig_analyse(&bed.ept, TB).count, 0);
    assert_true(bed_done(&bed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exhaustive_low_bits),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_texts_and_kinds),
        cmocka_unit_test(test_all_levels_at_once),
        cmocka_unit_test(test_nothing_below_an_unknown_one),
        cmocka_unit_test(test_beyond_width),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
