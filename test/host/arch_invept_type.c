/* SPDX-License-Identifier: MIT */
/*
 * arch/x86/invept_type.c, for every combination of what a processor may have. What each type removes is
 * written down here as a set; right is the smallest type that exists and removes all that was asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/x86/invept_type.h"

/* Of one VPID: at the address, not global and global; elsewhere, not global and global. Then other VPIDs. */
#define HERE          1u
#define HERE_GLOBAL   2u
#define ELSE          4u
#define ELSE_GLOBAL   8u
#define OTHER_CONTEXT 16u

static const unsigned removes[INVVPID_TYPE_END] = {
    HERE | HERE_GLOBAL,
    HERE | HERE_GLOBAL | ELSE | ELSE_GLOBAL,
    HERE | HERE_GLOBAL | ELSE | ELSE_GLOBAL | OTHER_CONTEXT,
    HERE | ELSE,
};

/* The smallest of the types in `mask` that removes what `wanted` does; -1: none. */
static int smallest(unsigned mask, unsigned wanted)
{
    int best = -1;

    for (unsigned type = 0; type < INVVPID_TYPE_END; type++) {
        if (!(mask & 1u << type) || (removes[wanted] & ~removes[type]) != 0)
            continue;
        if (best < 0 || __builtin_popcount(removes[type]) < __builtin_popcount(removes[best]))
            best = (int)type;
    }
    return best;
}

/* SDM vol. 3, "VPID and EPT Capabilities": bit 32 INVVPID, 43:40 its types 3:0. */
static void test_invvpid(void **state)
{
    (void)state;
    for (unsigned instruction = 0; instruction < 2; instruction++) {
        for (unsigned mask = 0; mask < 16; mask++) {
            uint64_t caps = (uint64_t)instruction << 32 | (uint64_t)mask << 40;

            for (unsigned wanted = 0; wanted < INVVPID_TYPE_END; wanted++) {
                int right = instruction ? smallest(mask, wanted) : -1;
                enum invvpid_type type;

                assert_int_equal(invvpid_type_exists(caps, (enum invvpid_type)wanted),
                                 instruction && (mask & 1u << wanted));
                assert_int_equal(invvpid_type_for(caps, (enum invvpid_type)wanted, &type), right >= 0);
                if (right >= 0)
                    assert_int_equal(type, right);
            }
        }
    }
}

/* Bit 20 INVEPT, 25 its type 1, 26 its type 2. Bits of INVVPID alone make no INVEPT. */
static void test_invept(void **state)
{
    (void)state;
    for (unsigned instruction = 0; instruction < 2; instruction++) {
        for (unsigned mask = 0; mask < 4; mask++) {
            uint64_t caps = UINT64_C(0xf0100000000) | (uint64_t)instruction << 20 | (uint64_t)mask << 25;
            bool single = instruction && (mask & 1), all = instruction && (mask & 2);
            enum invept_type type;

            assert_int_equal(invept_type_exists(caps, INVEPT_SINGLE_CONTEXT), single);
            assert_int_equal(invept_type_exists(caps, INVEPT_ALL_CONTEXTS), all);
            assert_int_equal(invept_type_for(caps, INVEPT_SINGLE_CONTEXT, &type), single || all);
            if (single || all)
                assert_int_equal(type, single ? 1 : 2);
            assert_int_equal(invept_type_for(caps, INVEPT_ALL_CONTEXTS, &type), all);
            if (all)
                assert_int_equal(type, 2);
        }
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(invept_type_name(INVEPT_SINGLE_CONTEXT), "single-context");
    assert_string_equal(invept_type_name(INVEPT_ALL_CONTEXTS), "all-contexts");
    assert_string_equal(invvpid_type_name(INVVPID_INDIVIDUAL_ADDRESS), "individual-address");
    assert_string_equal(invvpid_type_name(INVVPID_RETAINING_GLOBALS), "single-context-retaining-globals");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_invvpid),
        cmocka_unit_test(test_invept),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
