/* SPDX-License-Identifier: MIT */
/* Tests of vmm/check/conformance/memory.c: what a case changes is put back, and what nobody meant to change is
 * found. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/host/conformance_processor.h"

static struct processor processor;

static void arm_and_restore(void **state)
{
    struct conformance_memory *memory = &processor.memory;
    struct conformance_case test;

    (void)state;
    processor_init(&processor, CAPS_ALL, 40, TABLES, RAM);
    assert_int_equal(conformance_memory_verify(memory), 0);
    for (unsigned n = 0; n < 200; n++) {
        conformance_case_make(&test, &memory->layout, 1, n);
        conformance_memory_arm(memory, &test);
        for (unsigned level = 1; level <= 4; level++)
            assert_int_equal(conformance_memory_entry(memory, memory->layout.slot[level]), test.entry[level]);
        conformance_memory_restore(memory, &test);
        assert_int_equal(conformance_memory_verify(memory), 0);
    }
    processor_free(&processor);
}

/* Any word but a watched entry, of tables and RAM alike. */
static void verify_finds(void **state)
{
    struct conformance_memory *memory = &processor.memory;

    (void)state;
    for (unsigned shift = 0; shift < 2; shift++) {
        processor_init(&processor, CAPS_ALL, 40, TABLES, shift ? FAR_RAM : RAM);
        for (uint64_t offset = 0; offset < CONFORMANCE_RAM_SIZE; offset += 8 * 0x1357) {
            uint64_t *word = (uint64_t *)(void *)(memory->ram + offset);

            *word ^= 0x20;
            assert_int_equal(conformance_memory_verify(memory), memory->ram_hpa + offset);
            *word ^= 0x20;
        }
        for (unsigned n = 0; n < CONFORMANCE_TABLES * 512; n += 13) {
            uint64_t hpa = TABLES + n * 8;

            memory->tables[n] ^= 4;
            assert_int_equal(conformance_memory_verify(memory),
                             conformance_watched(memory, hpa) < memory->watched_count ? 0 : hpa);
            memory->tables[n] ^= 4;
        }
        assert_int_equal(conformance_memory_verify(memory), 0);
        processor_free(&processor);
    }
}

/* Scratch memory and the fixed pages are apart, and within the RAM, wherever that is. */
static void places(void **state)
{
    struct conformance_memory *memory = &processor.memory;

    (void)state;
    for (uint64_t ram = RAM; ram < RAM + (UINT64_C(8) << 20); ram += UINT64_C(2) << 20) {
        uint64_t fixed_end;

        processor_init(&processor, CAPS_ALL, 40, TABLES, ram);
        fixed_end = memory->fixed_hpa + CONFORMANCE_PAGES * 4096;
        assert_int_equal(memory->layout.scratch % CONFORMANCE_SCRATCH_SIZE, 0);
        assert_true(memory->layout.scratch >= ram &&
                    memory->layout.scratch + CONFORMANCE_SCRATCH_SIZE <= ram + CONFORMANCE_RAM_SIZE);
        assert_true(memory->fixed_hpa >= ram && fixed_end <= ram + CONFORMANCE_RAM_SIZE);
        assert_true(fixed_end <= memory->layout.scratch ||
                    memory->fixed_hpa >= memory->layout.scratch + CONFORMANCE_SCRATCH_SIZE);
        assert_int_equal(memory->watched_count, CONFORMANCE_WATCHED);
        processor_free(&processor);
    }
    processor_init(&processor, CAPS_ALL, 39, TABLES, RAM); /* the root's entry is the probe's, too */
    assert_int_equal(memory->watched_count, CONFORMANCE_WATCHED - 1);
    processor_free(&processor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arm_and_restore),
        cmocka_unit_test(verify_finds),
        cmocka_unit_test(places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
