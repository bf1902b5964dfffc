/* SPDX-License-Identifier: MIT */
/* The test device: RAM that counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vmm/devices/test_memory.h"

static void test_counts(void **state)
{
    static struct test_memory memory;
    struct device_memory range = test_memory_range(&memory);

    test_memory_reset(&memory);
    assert_int_equal(range.gpa, TEST_MEMORY_GPA);
    assert_int_equal(range.size, TEST_MEMORY_SIZE);
    range.write(&memory, 0x10, 4, 0x11223344, 0);
    assert_int_equal(range.read(&memory, 0x11, 2, 0), 0x2233);
    assert_int_equal(range.read(&memory, TEST_MEMORY_READS, 4, 0), 1);
    assert_int_equal(range.read(&memory, TEST_MEMORY_WRITES, 4, 0), 1);
    assert_int_equal(range.read(&memory, TEST_MEMORY_LAST_SIZE, 4, 0), 2);
    assert_int_equal(range.read(&memory, TEST_MEMORY_LAST_OFFSET, 4, 0), 0x11);
    range.write(&memory, TEST_MEMORY_READS, 4, 7, 0);
    assert_int_equal(range.read(&memory, TEST_MEMORY_READS, 4, 0), 0);
    assert_int_equal(range.read(&memory, TEST_MEMORY_WRITES, 4, 0), 0);
    assert_int_equal(range.read(&memory, TEST_MEMORY_SIZE - 8, 8, 0), 0);
    /* An access may begin below the registers and end in them: all of it is storage. */
    range.write(&memory, TEST_MEMORY_REGISTERS - 2, 4, 0xa1b2c3d4, 0);
    assert_int_equal(range.read(&memory, TEST_MEMORY_REGISTERS - 2, 4, 0), 0xa1b2c3d4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
