/* SPDX-License-Identifier: MIT */
/* vmm/exit/denied_access.c: every fault, access, kind of region and its rights, by faults of the engine. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/host/ept_pool.h"
#include "vmm/exit/denied_access.h"
#include "vmm/trace/record.h"

#define GPA UINT64_C(0x200000)

/* What the guest's instruction shall see and the trace say, written from README.md's `policy=`. */
static struct denied_access expected(const struct guest_config *config, bool hole, bool rom, unsigned rights,
                                     unsigned access)
{
    struct denied_access expected = {.may_be_ignored = true};
    unsigned missing = access & ~rights;

    if (hole) {
        expected.policy = config->policy_hole;
        expected.page = DENIED_PAGE_ONES;
        expected.result = RESULT_HOLE_IGNORED;
        return expected;
    }
    expected.policy = config->policy_rom;
    expected.page = rights == 0 ? DENIED_PAGE_ONES : DENIED_PAGE_COPY;
    if (rom && (missing & EPT_WRITE)) {
        expected.result = RESULT_ROM_WRITE_IGNORED;
    } else if (rights == 0) {
        expected.result = RESULT_NO_RIGHTS_IGNORED;
    } else if (missing == EPT_EXECUTE) {
        expected.policy = config->policy_nx;
        expected.page = DENIED_PAGE_OWN;
        expected.result = RESULT_NX_IGNORED;
    } else {
        expected.result = missing & EPT_WRITE ? RESULT_WRITE_IGNORED : RESULT_READ_IGNORED;
    }
    return expected;
}

static void one(enum ept_region_kind kind, bool listed, unsigned rights, unsigned access)
{
    static const char *const words[] = {
        [RESULT_HOLE_IGNORED] = "hole",     [RESULT_ROM_WRITE_IGNORED] = "ROM",
        [RESULT_NX_IGNORED] = "no-execute", [RESULT_NO_RIGHTS_IGNORED] = "right",
        [RESULT_WRITE_IGNORED] = "right",   [RESULT_READ_IGNORED] = "right"};
    struct ept_fault_result fault;
    struct bed bed;

    assert_true(bed_init(&bed, CAP_ALL, 40, 64));
    if (listed)
        assert_true(bed_add(&bed, kind, GPA, 2 * MB, kind == EPT_REGION_IDENTITY ? GPA : GPA + GB, rights));
    fault = ept_fault(&bed.ept, GPA + 0x123, access);
    for (unsigned policies = 0; policies < 8 && !ept_fault_resolved(fault.kind); policies++) {
        const struct guest_config config = {
            .policy_hole = policies & 1 ? GUEST_POLICY_END : GUEST_POLICY_IGNORE,
            .policy_rom = policies & 2 ? GUEST_POLICY_END : GUEST_POLICY_IGNORE,
            .policy_nx = policies & 4 ? GUEST_POLICY_END : GUEST_POLICY_IGNORE};
        bool hole = !listed || kind == EPT_REGION_HOLE;
        struct denied_access want = expected(&config, hole, kind == EPT_REGION_ROM, rights, access);
        struct denied_access got = denied_access(&config, fault.kind, access, rights);

        assert_true(got.may_be_ignored);
        assert_int_equal(got.policy, want.policy);
        assert_int_equal(got.page, want.page);
        assert_int_equal(got.result, want.result);
        assert_non_null(strstr(got.what, words[got.result]));
        assert_true(hole || fault.region != NULL); /* that the page is copied from */
    }
    assert_int_equal(ept_fault_resolved(fault.kind), listed && rights != 0 && (access & ~rights) == 0);
    assert_true(bed_done(&bed));
}

static void every_combination(void **state)
{
    (void)state;
    for (unsigned access = 1; access <= EPT_RIGHTS; access++) {
        one(EPT_REGION_RAM, false, 0, access);
        for (unsigned kind = 0; kind < EPT_REGION_KIND_COUNT; kind++)
            for (unsigned rights = 0; rights <= EPT_RIGHTS; rights++) {
                bool writes_blindly =
                    (rights & EPT_WRITE) && !(rights & EPT_READ); /* no region can have these */

                if (!writes_blindly && (kind != EPT_REGION_HOLE || rights == 0))
                    one((enum ept_region_kind)kind, true, rights, access);
            }
    }
}

/* A watch withholds rights in the list; the guest has those that it had. */
static void watched_rom(void **state)
{
    const struct guest_config config = {.policy_rom = GUEST_POLICY_IGNORE};
    struct denied_access denied =
        denied_access(&config, EPT_FAULT_DENIED_ROM_WRITE, EPT_WRITE, EPT_READ | EPT_EXECUTE);

    (void)state;
    assert_int_equal(denied.page, DENIED_PAGE_COPY);
}

static void what_cannot_go_on(void **state)
{
    const struct guest_config config = {.policy_hole = GUEST_POLICY_IGNORE};

    (void)state;
    assert_false(denied_access(&config, EPT_FAULT_NO_FRAME, EPT_READ, EPT_RIGHTS).may_be_ignored);
    assert_string_equal(denied_access(&config, EPT_FAULT_NO_FRAME, EPT_READ, EPT_RIGHTS).what,
                        "no table frame is left");
    assert_false(denied_access(&config, EPT_FAULT_BEYOND_WIDTH, EPT_READ, 0).may_be_ignored);
    assert_string_equal(denied_access(&config, EPT_FAULT_BEYOND_WIDTH, EPT_READ, 0).what,
                        "guest-physical address too wide");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination),
        cmocka_unit_test(watched_rom),
        cmocka_unit_test(what_cannot_go_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
