/* SPDX-License-Identifier: MIT */
/* Tests of ept/near.c: pages beside the last one get what a full fault would give them, and nothing is
 * believed too long. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/cold.h"
#include "ept/dirty.h"
#include "ept/near.h"
#include "ept/page_type.h"
#include "ept/plant.h"
#include "ept/protect.h"
#include "ept/walk.h"
#include "ept/zap.h"
#include "test/host/ept_pool.h"

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

/* true: what was kept was enough. */
static bool touch(struct bed *bed, struct ept_near *near, uint64_t gpa, unsigned access)
{
    struct ept_fault_result result;

    if (ept_near_install(&bed->ept, near, gpa, access))
        return true;
    result = ept_fault(&bed->ept, gpa, access);
    if (result.kind == EPT_FAULT_INSTALLED)
        ept_near_learn(&bed->ept, near, gpa, result.level);
    return false;
}

static void expect_same(struct bed *bed, struct bed *other, uint64_t gpa)
{
    struct ept_walk a = ept_walk(&bed->ept, gpa), b = ept_walk(&other->ept, gpa);

    assert_int_equal(a.end, b.end);
    assert_int_equal(a.level, b.level);
    assert_int_equal(a.rights, b.rights);
    if (a.end == EPT_WALK_MAPPED) {
        assert_int_equal(a.hpa, b.hpa);
        assert_int_equal(a.memory_type, b.memory_type);
    }
}

static void the_third_of_a_row(void **state)
{
    struct ept_near near = {.size = 0};
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_ALL, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 4 * KB, 16 * MB, 64 * MB, RWX)); /* 4K pages alone */
    assert_false(touch(&bed, &near, 0x5000, EPT_READ));
    assert_false(touch(&bed, &near, 0x6000, EPT_READ));
    for (uint64_t gpa = 0x7000; gpa < 2 * MB; gpa += 0x1000)
        assert_true(touch(&bed, &near, gpa + 0x123, EPT_WRITE));
    assert_false(touch(&bed, &near, 0x8000, EPT_READ)); /* mapped already */
    assert_false(touch(&bed, &near, 2 * MB, EPT_READ)); /* another table */
    assert_true(bed_done(&bed));
}

/* One bed with, one without: after each step and touch they agree. */
static void as_without(void **state)
{
    struct ept_near near = {.size = 0};
    struct bed bed, other;
    struct mtrr_snapshot mtrr = {.def_type = 0x806, .cap = 0x508, .variable_count = 2, .phys_width = 40};
    uint64_t seed = 7;
    unsigned near_count = 0;

    (void)state;
    for (unsigned n = 0; n < 2; n++) {
        struct bed *b = n == 0 ? &bed : &other;

        assert_true(bed_init(b, CAP_ALL, 40, 512));
        assert_true(bed_add(b, EPT_REGION_RAM, 0, 640 * KB, 64 * MB, RWX));
        assert_true(bed_add(b, EPT_REGION_ROM, 640 * KB, 64 * KB, 96 * MB, EPT_READ | EPT_EXECUTE));
        assert_true(bed_add(b, EPT_REGION_RAM, 1 * MB, 15 * MB, 65 * MB, RWX));
        assert_true(bed_add(b, EPT_REGION_RAM, 1 * GB, 64 * MB, 2 * GB, RWX));
    }
    for (unsigned step = 0; step < 3000; step++) {
        uint64_t gpa = (next(&seed) % 2 != 0 ? 1 * GB : 0) + (next(&seed) % (16 * MB) & ~UINT64_C(0xfff));
        unsigned rights = next(&seed) % 2 != 0 ? RWX : EPT_READ | EPT_WRITE;

        switch (next(&seed) % 8) {
        case 0: {
            uint64_t size = (next(&seed) % 64 + 1) * 4 * KB;

            (void)!ept_zap(&bed.ept, gpa, size);
            (void)!ept_zap(&other.ept, gpa, size);
            break;
        }
        case 1:
            assert_int_equal(ept_set_rights(&bed.ept, gpa, 4 * KB, rights).status,
                             ept_set_rights(&other.ept, gpa, 4 * KB, rights).status);
            break;
        case 2:
            if (next(&seed) % 4 != 0)
                break;
            mtrr.variable[0].base = (next(&seed) % 8 * 2 * MB) | MEMORY_TYPE_UC;
            mtrr.variable[0].mask = (UINT64_C(0xffffffffff) & ~(2 * MB - 1)) | 0x800;
            (void)!ept_set_guest_mtrr(&bed.ept, &mtrr);
            (void)!ept_set_guest_mtrr(&other.ept, &mtrr);
            break;
        case 3:
            (void)!ept_zap(&bed.ept, 0, 2 * GB);
            (void)!ept_zap(&other.ept, 0, 2 * GB);
            (void)ept_reclaim(&bed.ept);
            (void)ept_reclaim(&other.ept);
            break;
        default:
            break;
        }
        for (unsigned n = 0; n < 6; n++, gpa += next(&seed) % 2 != 0 ? 4 * KB : 2 * MB) {
            unsigned access = 1u << next(&seed) % 3;

            near_count += touch(&bed, &near, gpa, access);
            (void)!ept_fault(&other.ept, gpa, access).kind;
            expect_same(&bed, &other, gpa);
        }
    }
    assert_true(near_count > 1000);
    assert_true(bed_done(&bed));
    assert_true(bed_done(&other));
}

/* A spoilt entry above the kept table: the page is not put behind it unseen. */
static void behind_a_spoilt_table(void **state)
{
    struct ept_near near = {.size = 0};
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_ALL, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 4 * KB, 16 * MB, 64 * MB, RWX));
    for (uint64_t gpa = 0x5000; gpa < 0x9000; gpa += 0x1000)
        (void)touch(&bed, &near, gpa, EPT_READ);
    assert_int_equal(ept_plant(&bed.ept, 0x5000, 2, EPT_PLANT_NOT_PRESENT).status, EPT_OK);
    assert_false(ept_near_install(&bed.ept, &near, 0xa000, EPT_READ));
    assert_int_equal(ept_fault(&bed.ept, 0xa000, EPT_READ).kind, EPT_FAULT_REPAIRED);
    assert_true(bed_done(&bed));
}

/* What makes kept knowledge wrong, by any CPU: after each of them the next page beside takes a fault again.
 */
enum change {
    ZAP_TABLE,
    TAKE_COLD,
    REMOVE,
    RIGHTS,
    TYPE,
    GUEST_TYPES,
    START_LOG,
    PLANT,
    CHANGES,
};

static void change(struct bed *bed, enum change what)
{
    static uint64_t words[8192];
    static struct ept_dirty_log log;
    struct mtrr_snapshot mtrr = {.def_type = 0x800 | MEMORY_TYPE_UC, .phys_width = 40};
    enum ept_flush flush;

    switch (what) {
    case ZAP_TABLE:
        (void)!ept_zap(&bed->ept, 2 * MB, 2 * MB);
        break;
    case TAKE_COLD:
        assert_true(ept_take_cold(&bed->ept, 8 * MB, 4, &flush) > 0);
        break;
    case REMOVE:
        assert_int_equal(ept_remove(&bed->ept, 2 * MB + 64 * KB, 64 * KB).status, EPT_OK);
        break;
    case RIGHTS:
        assert_int_equal(ept_set_rights(&bed->ept, 2 * MB + 64 * KB, 64 * KB, EPT_READ).status, EPT_OK);
        break;
    case TYPE:
        assert_int_equal(ept_set_type(&bed->ept, 2 * MB + 64 * KB, 64 * KB, MEMORY_TYPE_UC, false).status,
                         EPT_OK);
        break;
    case GUEST_TYPES:
        (void)!ept_set_guest_mtrr(&bed->ept, &mtrr);
        break;
    case START_LOG:
        assert_int_equal(
            ept_dirty_start(&bed->ept, &log, EPT_DIRTY_WRITE_PROTECTION, EPT_LEVEL_PT, 16 * MB, words).status,
            EPT_OK);
        break;
    default:
        assert_int_equal(ept_plant(&bed->ept, 2 * MB, 2, EPT_PLANT_NOT_PRESENT).status, EPT_OK);
    }
    (void)ept_reclaim(&bed->ept);
}

static void nothing_is_believed_after(void **state)
{
    (void)state;
    for (unsigned what = 0; what < CHANGES; what++) {
        struct ept_near near = {.size = 0};
        struct bed bed;

        assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
        assert_true(ept_dirty_log_words(16 * MB / 4096) <= 8192);
        assert_true(bed_add(&bed, EPT_REGION_RAM, 4 * KB, 16 * MB, 64 * MB, RWX)); /* 4K pages alone */
        for (uint64_t gpa = 2 * MB; gpa < 2 * MB + 20 * KB; gpa += 4 * KB)
            assert_int_equal(touch(&bed, &near, gpa, EPT_READ), gpa >= 2 * MB + 8 * KB);
        change(&bed, what);
        for (uint64_t gpa = 2 * MB + 80 * KB; gpa < 2 * MB + 120 * KB; gpa += 4 * KB)
            assert_false(ept_near_install(&bed.ept, &near, gpa, EPT_WRITE));
        bed.ept.dirty = NULL;
        assert_true(bed_done(&bed));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_third_of_a_row),
        cmocka_unit_test(as_without),
        cmocka_unit_test(behind_a_spoilt_table),
        cmocka_unit_test(nothing_is_believed_after),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
