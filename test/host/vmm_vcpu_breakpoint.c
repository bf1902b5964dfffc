/* SPDX-License-Identifier: MIT */
/* vmm/vcpu/breakpoint.c: which breakpoints an access touches. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmm/vcpu/breakpoint.h"

enum { EXECUTE, WRITE, PORT, ACCESS };
enum { ONE, TWO, EIGHT, FOUR };

#define LOCAL(n)            (UINT64_C(1) << 2 * (n))
#define GLOBAL(n)           (UINT64_C(2) << 2 * (n))
#define KIND(n, type, size) ((uint64_t)((type) | (size) << 2) << (16 + 4 * (n)))

static uint64_t match(uint64_t address, uint64_t dr7, enum breakpoint_access access, uint64_t at,
                      unsigned size)
{
    const struct breakpoints breakpoints = {.address = {address, ~address, ~address, ~address}, .dr7 = dr7};

    return breakpoint_match(&breakpoints, access, at, size);
}

static void types(void **state)
{
    const uint64_t hit = 1 | DEBUG_ENABLED, write = LOCAL(0) | KIND(0, WRITE, ONE),
                   any = GLOBAL(0) | KIND(0, ACCESS, ONE);

    assert_int_equal(match(0x1000, write, BREAKPOINT_WRITE, 0x1000, 1), hit);
    assert_int_equal(match(0x1000, write, BREAKPOINT_READ, 0x1000, 1), 0);
    assert_int_equal(match(0x1000, write, BREAKPOINT_PORT, 0x1000, 1), 0);
    assert_int_equal(match(0x1000, any, BREAKPOINT_READ, 0x1000, 1), hit);
    assert_int_equal(match(0x1000, any, BREAKPOINT_WRITE, 0x1000, 1), hit);
    assert_int_equal(match(0x1000, any, BREAKPOINT_PORT, 0x1000, 1), 0);
    assert_int_equal(match(0x1000, LOCAL(0) | KIND(0, EXECUTE, ONE), BREAKPOINT_READ, 0x1000, 1), 0);
    assert_int_equal(match(0x1000, KIND(0, ACCESS, ONE), BREAKPOINT_READ, 0x1000, 1), 0); /* not enabled */
    assert_int_equal(match(0x1000, LOCAL(1) | KIND(0, ACCESS, ONE), BREAKPOINT_READ, 0x1000, 1), 0);
}

/* A breakpoint covers the aligned 1, 2, 4 or 8 bytes that its address is in. */
static void ranges(void **state)
{
    static const unsigned sizes[] = {[ONE] = 1, [TWO] = 2, [EIGHT] = 8, [FOUR] = 4};

    for (unsigned length = ONE; length <= FOUR; length++)
        for (unsigned offset = 0; offset < 16; offset++)
            for (unsigned size = 1; size <= 8; size *= 2)
                for (unsigned at = 0; at < 32; at++) {
                    unsigned start = (8 + offset) / sizes[length] * sizes[length],
                             end = start + sizes[length];
                    bool touched = at < end && at + size > start;

                    assert_int_equal(match(0x1000 + 8 + offset, LOCAL(0) | KIND(0, ACCESS, length),
                                           BREAKPOINT_READ, 0x1000 + at, size),
                                     touched ? 1 | DEBUG_ENABLED : 0);
                }
}

static void ends_of_the_address_space(void **state)
{
    const uint64_t dr7 = LOCAL(0) | KIND(0, ACCESS, EIGHT);

    assert_int_equal(match(UINT64_MAX, dr7, BREAKPOINT_READ, UINT64_MAX - 3, 4), 1 | DEBUG_ENABLED);
    assert_int_equal(match(UINT64_MAX, dr7, BREAKPOINT_READ, 0, 8), 0);
    assert_int_equal(match(0, dr7, BREAKPOINT_READ, UINT64_MAX, 1), 0);
}

static void ports_and_several(void **state)
{
    struct breakpoints breakpoints = {
        .address = {0x84, 0x84, 0x85, 0x84},
        .dr7 = LOCAL(0) | GLOBAL(1) | LOCAL(2) | KIND(0, PORT, ONE) | KIND(1, PORT, TWO) |
               KIND(2, PORT, ONE) | KIND(3, PORT, ONE),
    };

    assert_int_equal(breakpoint_match(&breakpoints, BREAKPOINT_PORT, 0x84, 2), 0);
    breakpoints.io = true;
    assert_int_equal(breakpoint_match(&breakpoints, BREAKPOINT_PORT, 0x84, 2), 7 | DEBUG_ENABLED);
    assert_int_equal(breakpoint_match(&breakpoints, BREAKPOINT_PORT, 0x84, 1), 3 | DEBUG_ENABLED);
    assert_int_equal(breakpoint_match(&breakpoints, BREAKPOINT_PORT, 0x85, 1), 6 | DEBUG_ENABLED);
    assert_int_equal(breakpoint_match(&breakpoints, BREAKPOINT_READ, 0x84, 1), 0);
}

static void enabled(void **state)
{
    assert_false(breakpoint_any(0x400));
    assert_false(breakpoint_any(0x700)); /* LE, GE */
    assert_true(breakpoint_any(0x401));
    assert_true(breakpoint_any(0x480));
    assert_int_equal(breakpoint_enabled(0xf, LOCAL(0) | GLOBAL(3)), 9);
    assert_int_equal(breakpoint_enabled(2, LOCAL(0) | GLOBAL(3)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types),
        cmocka_unit_test(ranges),
        cmocka_unit_test(ends_of_the_address_space),
        cmocka_unit_test(ports_and_several),
        cmocka_unit_test(enabled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
