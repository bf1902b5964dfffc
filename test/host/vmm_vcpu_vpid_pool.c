/* SPDX-License-Identifier: MIT */
/* vmm/vcpu/vpid_pool.c: never 0, never twice, all of them, and what comes back rests as long as can be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/vcpu/vpid_pool.h"

static struct vpid_pool pool;
static bool mine[VPID_HIGHEST + 1];

static void test_all_of_them(void **state)
{
    (void)state;
    memset(mine, 0, sizeof(mine));
    vpid_pool_init(&pool, VPID_HIGHEST);
    for (uint32_t n = 0; n < VPID_HIGHEST; n++) {
        uint16_t vpid = vpid_pool_take(&pool);

        assert_int_not_equal(vpid, 0);
        assert_false(mine[vpid]);
        mine[vpid] = true;
    }
    assert_int_equal(vpid_pool_take(&pool), 0);
    assert_true(vpid_pool_give_back(&pool, 0x8000));
    assert_int_equal(vpid_pool_take(&pool), 0x8000);
    assert_int_equal(vpid_pool_take(&pool), 0);
}

static void test_rest(void **state)
{
    (void)state;
    vpid_pool_init(&pool, 4);
    assert_int_equal(vpid_pool_take(&pool), 1);
    assert_int_equal(vpid_pool_take(&pool), 2);
    assert_true(vpid_pool_give_back(&pool, 1));
    assert_int_equal(vpid_pool_take(&pool), 3);
    assert_int_equal(vpid_pool_take(&pool), 4);
    assert_int_equal(vpid_pool_take(&pool), 1);
    assert_int_equal(vpid_pool_take(&pool), 0);
}

static void test_wrong(void **state)
{
    (void)state;
    vpid_pool_init(&pool, 0);
    assert_int_equal(vpid_pool_take(&pool), 0);
    vpid_pool_init(&pool, 3);
    assert_false(vpid_pool_give_back(&pool, 0));
    assert_false(vpid_pool_give_back(&pool, 1));
    assert_false(vpid_pool_give_back(&pool, 4));
    assert_int_equal(vpid_pool_take(&pool), 1);
    assert_true(vpid_pool_give_back(&pool, 1));
    assert_false(vpid_pool_give_back(&pool, 1));
    vpid_pool_init(&pool, 0x20000);
    assert_int_equal(pool.highest, VPID_HIGHEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_them),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
