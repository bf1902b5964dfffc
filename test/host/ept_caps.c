/* SPDX-License-Identifier: MIT */
/* Tests of ept/caps.c and ept/eptp.c: every capability bit, widths, walk length, the EPTP. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/eptp.h"
#include "test/host/ept_pool.h"

static void test_bits(void **state)
{
    struct ept_caps caps;

    (void)state;
    assert_int_equal(ept_caps_init(&caps, CAP_ALL, 46), EPT_OK);
    assert_true(caps.execute_only && caps.walk_4 && caps.structures_uc && caps.structures_wb &&
                caps.large_2m && caps.large_1g && caps.invept && caps.accessed_dirty &&
                caps.advanced_exit_information && caps.invept_context && caps.invept_all);
    assert_false(caps.walk_5);
    assert_int_equal(ept_caps_init(&caps, 1u << 6 | 1u << 14, 46), EPT_OK);
    assert_false(caps.execute_only || caps.structures_uc || caps.large_2m || caps.large_1g || caps.invept ||
                 caps.accessed_dirty || caps.advanced_exit_information || caps.invept_context ||
                 caps.invept_all);
    assert_true(ept_caps_leaf(&caps, 1));
    assert_false(ept_caps_leaf(&caps, 2) || ept_caps_leaf(&caps, 3) || ept_caps_leaf(&caps, 4));
}

static void test_missing(void **state)
{
    struct ept_caps caps;

    (void)state;
    assert_int_equal(ept_caps_init(&caps, 0, 40), EPT_UNSUPPORTED);
    assert_int_equal(ept_caps_init(&caps, 1u << 14, 40), EPT_UNSUPPORTED); /* no walk */
    assert_int_equal(ept_caps_init(&caps, 1u << 6, 40), EPT_UNSUPPORTED);  /* no type */
    assert_int_equal(ept_caps_init(&caps, 1u << 6 | 1u << 8, 40), EPT_OK);
}

static void test_widths(void **state)
{
    struct ept_caps caps;

    (void)state;
    assert_int_equal(ept_caps_init(&caps, CAP_ALL, 40), EPT_OK);
    assert_int_equal(caps.physical_width, 40);
    assert_int_equal(caps.guest_width, 40);
    assert_int_equal(caps.address_mask, UINT64_C(0x000000fffffff000));
    assert_int_equal(caps.reserved_address, UINT64_C(0x000fff0000000000));
    assert_int_equal(caps.levels, 4);
    assert_int_equal(ept_caps_init(&caps, CAP_ALL, 52), EPT_OK);
    assert_int_equal(caps.guest_width, 48); /* four levels translate no more */
    assert_int_equal(caps.reserved_address, 0);
    assert_int_equal(ept_caps_init(&caps, CAP_5_LEVEL, 52), EPT_OK);
    assert_int_equal(caps.levels, 5);
    assert_int_equal(caps.guest_width, 52);
    assert_int_equal(ept_caps_init(&caps, CAP_5_LEVEL, 46), EPT_OK);
    assert_int_equal(caps.levels, 4); /* enough */
    assert_int_equal(ept_caps_init(&caps, CAP_5_LEVEL & ~UINT64_C(0x40), 46), EPT_OK);
    assert_int_equal(caps.levels, 5); /* the only one */
    assert_int_equal(ept_caps_init(&caps, CAP_ALL, 7), EPT_OK);
    assert_int_equal(caps.physical_width, 32);
    assert_int_equal(ept_caps_init(&caps, CAP_ALL, 99), EPT_OK);
    assert_int_equal(caps.physical_width, 52);
}

static void test_eptp(void **state)
{
    struct ept_caps caps;

    (void)state;
    assert_int_equal(ept_caps_init(&caps, CAP_ALL, 46), EPT_OK);
    assert_int_equal(eptp_make(&caps, 0x12345000), 0x12345000 | 6 | 3 << 3 | 1 << 6);
    caps.accessed_dirty = false;
    assert_int_equal(eptp_make(&caps, 0x12345000), 0x12345000 | 6 | 3 << 3);
    assert_int_equal(ept_caps_init(&caps, 1u << 6 | 1u << 8, 46), EPT_OK);
    assert_int_equal(eptp_make(&caps, 0x12345000), 0x12345000 | 0 | 3 << 3);
    assert_int_equal(ept_caps_init(&caps, CAP_5_LEVEL, 52), EPT_OK);
    assert_int_equal(eptp_make(&caps, UINT64_C(0xffffffffff000)),
                     UINT64_C(0xffffffffff000) | 6 | 4 << 3 | 1 << 6);
}

static void test_status_text(void **state)
{
    (void)state;
    for (int status = 0; status < EPT_STATUS_COUNT; status++)
        assert_true(strlen(ept_status_text((enum ept_status)status)) > 1);
    assert_string_equal(ept_status_text((enum ept_status)99), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits), cmocka_unit_test(test_missing),     cmocka_unit_test(test_widths),
        cmocka_unit_test(test_eptp), cmocka_unit_test(test_status_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
