/* SPDX-License-Identifier: MIT */
/* Tests of ept/page_type.c: the machine's and the guest's MTRRs together. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/audit.h"
#include "ept/page_type.h"
#include "ept/walk.h"
#include "ept/zap.h"
#include "ept_pool.h"

#define UC MEMORY_TYPE_UC
#define WC MEMORY_TYPE_WC
#define WT MEMORY_TYPE_WT
#define WP MEMORY_TYPE_WP
#define WB MEMORY_TYPE_WB

#define ON    UINT64_C(0x800)
#define VALID UINT64_C(0x800)
#define TOP   ((UINT64_C(1) << 40) - 1)

static void test_combined(void **state)
{
    const enum memory_type types[] = {UC, WC, WT, WP, WB};

    (void)state;
    for (unsigned m = 0; m < 5; m++) {
        for (unsigned g = 0; g < 5; g++) {
            enum memory_type expected = types[m] == types[g] ? types[m]
                                        : types[m] == WB     ? types[g]
                                        : types[g] == WB     ? types[m]
                                                             : UC;

            assert_int_equal(ept_combine_types(types[m], types[g]), expected);
        }
    }
}

static void variable(struct mtrr_snapshot *mtrr, unsigned n, uint64_t base, uint64_t size,
                     enum memory_type type)
{
    mtrr->variable[n].base = base | (uint64_t)type;
    mtrr->variable[n].mask = (~(size - 1) & TOP) | VALID;
    if (mtrr->variable_count <= n)
        mtrr->variable_count = n + 1;
}

static struct mtrr_snapshot snapshot(enum memory_type type)
{
    return (struct mtrr_snapshot){.cap = 8, .def_type = ON | type, .phys_width = 40};
}

static void touch_all(struct bed *bed)
{
    for (uint64_t gpa = 0; gpa < 8 * MB; gpa += 4 * KB)
        assert_true(ept_fault_resolved(ept_fault(&bed->ept, gpa, EPT_READ).kind));
}

/* Every page has the type that the two snapshots give it, one by one; the audit agrees. */
static void check_all(struct bed *bed, const struct mtrr_snapshot *machine, const struct mtrr_snapshot *guest,
                      uint64_t offset)
{
    struct ept_audit_check check = {0};
    struct ept_audit audit;

    touch_all(bed);
    for (uint64_t gpa = 0; gpa < 8 * MB; gpa += 4 * KB) {
        struct ept_walk walk = ept_walk(&bed->ept, gpa);

        assert_int_equal(walk.end, EPT_WALK_MAPPED);
        assert_int_equal(walk.memory_type, ept_combine_types(mtrr_type_at(machine, gpa + offset).type,
                                                             mtrr_type_at(guest, gpa).type));
    }
    assert_true(ept_audit(&bed->ept, &check, &audit));
}

static void start(struct bed *bed, const struct mtrr_snapshot *machine, uint64_t offset)
{
    assert_true(bed_init(bed, CAP_ALL, 40, 64));
    assert_true(bed_add(bed, EPT_REGION_RAM, 0, 8 * MB, offset, RWX));
    bed->list.regions[0].type_from_mtrr = true;
    bed->ept.mtrr = machine;
}

/* What a change zaps: exactly the pages (4 KiB, mapped by hand) whose type differs. */
static void test_exact(void **state)
{
    struct mtrr_snapshot machine = snapshot(WB), guest = snapshot(WB);
    struct bed bed;

    (void)state;
    start(&bed, &machine, 64 * GB + 4 * KB); /* so that no large page fits */
    touch_all(&bed);
    assert_int_equal(ept_set_guest_mtrr(&bed.ept, &guest), EPT_FLUSH_NONE);
    variable(&guest, 0, 2 * MB, 64 * KB, UC);
    variable(&guest, 1, 6 * MB, 4 * KB, WC);
    assert_int_equal(ept_set_guest_mtrr(&bed.ept, &guest), EPT_FLUSH_CONTEXT);
    for (uint64_t gpa = 0; gpa < 8 * MB; gpa += 4 * KB) {
        bool changed = (gpa >= 2 * MB && gpa < 2 * MB + 64 * KB) || gpa == 6 * MB;

        assert_int_equal(ept_walk(&bed.ept, gpa).end != EPT_WALK_MAPPED, changed);
    }
    check_all(&bed, &machine, &guest, 64 * GB + 4 * KB);
    assert_int_equal(ept_set_guest_mtrr(&bed.ept, &guest), EPT_FLUSH_NONE);
    assert_int_equal(ept_set_guest_mtrr(&bed.ept, NULL), EPT_FLUSH_CONTEXT);
    guest = snapshot(WB);
    check_all(&bed, &machine, &guest, 64 * GB + 4 * KB);
    assert_true(bed_done(&bed));
}

/* Large pages only where both sides have one type. */
static void test_large(void **state)
{
    struct mtrr_snapshot machine = snapshot(WB), guest = snapshot(WB);
    struct bed bed;

    (void)state;
    variable(&machine, 0, 64 * GB + 2 * MB, 2 * MB, WT);
    variable(&guest, 0, 4 * MB + 256 * KB, 4 * KB, UC);
    variable(&guest, 1, 6 * MB, 2 * MB, WC);
    start(&bed, &machine, 64 * GB);
    assert_int_equal(ept_set_guest_mtrr(&bed.ept, &guest), EPT_FLUSH_NONE);
    check_all(&bed, &machine, &guest, 64 * GB);
    assert_int_equal(ept_walk(&bed.ept, 0).level, 2);
    assert_int_equal(ept_walk(&bed.ept, 2 * MB).level, 2);
    assert_int_equal(ept_walk(&bed.ept, 4 * MB).level, 1);
    assert_int_equal(ept_walk(&bed.ept, 6 * MB).level, 2);
    assert_true(bed_done(&bed));
}

/* Any MTRRs after any others, on both sides; masks with gaps among them. */
/* From where on one comparison tells that a page is WB, for a guest's registers: 88 fixed ranges are no
 * reason to look further. */
static void test_end_of_types(void **state)
{
    struct mtrr_snapshot machine = snapshot(WB), guest = snapshot(WB);
    struct bed bed;

    (void)state;
    start(&bed, &machine, 0);
    assert_int_equal(bed.ept.guest_types_end, 0);
    (void)!ept_set_guest_mtrr(&bed.ept, &guest);
    assert_int_equal(bed.ept.guest_types_end, 0);
    guest.cap |= UINT64_C(1) << 8;
    guest.def_type |= UINT64_C(1) << 10;
    for (unsigned n = 0; n < MTRR_SNAPSHOT_FIXED; n++)
        guest.fixed[n] = n == 2 ? 0 : UINT64_C(0x0606060606060606);
    (void)!ept_set_guest_mtrr(&bed.ept, &guest);
    assert_int_equal(bed.ept.guest_types_end, 0xc0000);
    variable(&guest, 0, 4 * MB, 2 * MB, WC);
    (void)!ept_set_guest_mtrr(&bed.ept, &guest);
    assert_int_equal(bed.ept.guest_types_end, 6 * MB);
    guest.def_type = ON | UC;
    (void)!ept_set_guest_mtrr(&bed.ept, &guest);
    assert_int_equal(bed.ept.guest_types_end, UINT64_MAX);
    (void)!ept_set_guest_mtrr(&bed.ept, NULL);
    assert_int_equal(bed.ept.guest_types_end, 0);
    assert_true(bed_done(&bed));
}

static void test_random(void **state)
{
    const enum memory_type types[] = {UC, WC, WT, WP, WB};
    struct mtrr_snapshot machine = snapshot(WB), guest = snapshot(WB);
    uint64_t seed = 1;
    struct bed bed;

    (void)state;
    variable(&machine, 0, 64 * GB + 3 * MB, MB, WP);
    start(&bed, &machine, 64 * GB);
    for (unsigned round = 0; round < 40; round++) {
        uint64_t random = seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;

        guest = snapshot(types[(random >> 40) % 5]);
        for (unsigned n = 0; n < 3; n++) {
            random = seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            guest.variable[n].base =
                ((random >> 20) & (16 * MB - 4 * KB)) | (uint64_t)types[(random >> 50) % 5];
            guest.variable[n].mask = round % 4 == 3 ? (random >> 8 & TOP & ~UINT64_C(0xfff)) | VALID
                                                    : (~((4 * KB << (random >> 60)) - 1) & TOP) | VALID;
        }
        guest.variable_count = 3;
        (void)!ept_set_guest_mtrr(&bed.ept, &guest);
        check_all(&bed, &machine, &guest, 64 * GB);
        if (random & 1)
            (void)!ept_zap(&bed.ept, random >> 30 & (8 * MB - 4 * KB), MB);
        ept_reclaim(&bed.ept);
    }
    assert_true(bed_done(&bed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_combined),     cmocka_unit_test(test_exact),  cmocka_unit_test(test_large),
        cmocka_unit_test(test_end_of_types), cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
