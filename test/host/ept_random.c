/* SPDX-License-Identifier: MIT */
/* Random operations on an EPT against the model of ept_model.h; the seed of a failure is printed by its
 * round. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/host/ept_model.h"

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Many addresses are few: the high byte of each random word is thinned out so that operations meet. */
static void run(uint64_t rounds, bool with_corruption)
{
    static uint8_t bytes[6000];
    uint64_t operations = 0;

    for (uint64_t round = 0; round < rounds; round++) {
        random_state = 0x9e3779b97f4a7c15 + round * 2 + with_corruption;
        for (size_t n = 0; n < sizeof(bytes); n++) {
            bytes[n] = (uint8_t)(next_random() >> 32);
            if (!with_corruption && bytes[n] % 24 == 21)
                bytes[n]++;
        }
        operations += model_run(bytes, sizeof(bytes));
    }
    print_message("%llu operations\n", (unsigned long long)operations);
    assert_true(operations > rounds * 100);
}

static void test_sound(void **state)
{
    (void)state;
    run(300, false);
}

static void test_with_corruption(void **state)
{
    (void)state;
    run(300, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_with_corruption),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
