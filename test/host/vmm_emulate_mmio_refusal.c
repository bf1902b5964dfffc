/* SPDX-License-Identifier: MIT */
/* vmm/emulate/mmio_refusal.c: only what stays the same, without any other exit in between, is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmm/emulate/mmio_code.h"

static const struct mmio_bytes x87 = {
    .linear_address = 0x1000, .bytes = {0xd9, 0x06}, .count = 15, .code_size = 4, .missing = UINT64_MAX};

static bool times(struct mmio_refusal *last, uint64_t *exit, unsigned count, const struct mmio_bytes *bytes)
{
    bool refused = false;

    for (unsigned i = 0; i < count; i++) {
        assert_false(refused);
        refused = mmio_refuses(last, (*exit)++, 0xa0000, bytes);
    }
    return refused;
}

static void the_same(void **state)
{
    struct mmio_refusal last = {.count = 0};
    uint64_t exit = 100;

    assert_true(times(&last, &exit, MMIO_REFUSED_AFTER, &x87));
}

static void another_in_between(void **state)
{
    struct mmio_refusal last = {.count = 0};
    struct mmio_bytes other = x87;
    uint64_t exit = 100;

    other.bytes[14] = 1;
    assert_false(times(&last, &exit, MMIO_REFUSED_AFTER - 1, &x87));
    assert_false(times(&last, &exit, 1, &other));
    assert_false(times(&last, &exit, MMIO_REFUSED_AFTER - 1, &x87));
    assert_true(times(&last, &exit, 1, &x87));
}

static void each_part_counts(void **state)
{
    struct mmio_refusal last = {.count = 0};
    struct mmio_bytes other = x87;
    uint64_t exit = 100;

    assert_false(times(&last, &exit, MMIO_REFUSED_AFTER - 1, &x87));
    assert_false(mmio_refuses(&last, exit++, 0xa0004, &x87)); /* another register */
    assert_false(times(&last, &exit, MMIO_REFUSED_AFTER - 1, &x87));
    exit++; /* another exit */
    assert_false(times(&last, &exit, MMIO_REFUSED_AFTER - 1, &x87));
    other.linear_address++;
    assert_false(times(&last, &exit, MMIO_REFUSED_AFTER - 1, &other));
    other.code_size = 2;
    assert_false(times(&last, &exit, MMIO_REFUSED_AFTER - 1, &other));
    other.count = 0;
    other.missing = 0xb0000;
    assert_false(times(&last, &exit, MMIO_REFUSED_AFTER - 1, &other));
    assert_true(times(&last, &exit, 1, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same),
        cmocka_unit_test(another_in_between),
        cmocka_unit_test(each_part_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
