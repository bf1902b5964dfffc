/* SPDX-License-Identifier: MIT */
/* vmm/bios/time.c: ticks, midnight. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/host/simulated_bios.h"

#define TICKS_A_DAY 0x1800b0u

static struct simulated_bios machine;
static struct bios_registers r;

/* At midnight. */
static void start(void)
{
    simulated_bios_start(&machine);
    memset(machine.memory + BDA_TICKS, 0, 4);
}

static uint32_t ticks(void)
{
    r = (struct bios_registers){.eax = 0, .flags = 0x0203};
    assert_int_equal(simulated_interrupt(&machine, 0x1a, &r), BIOS_RETURN);
    assert_false(r.flags & FLAGS_CF);
    return (r.ecx & 0xffff) << 16 | (r.edx & 0xffff);
}

static void counts_guest_time(void **state)
{
    (void)state;
    start();
    assert_int_equal(ticks(), 0);
    machine.call.time_us = 54924;
    assert_int_equal(ticks(), 0);
    machine.call.time_us = 54926;
    assert_int_equal(ticks(), 1);
    machine.call.time_us = UINT64_C(3600) * 1000000;
    assert_int_equal(ticks(), 65543);
    (void)simulated_interrupt(&machine, 0x08, &r); /* an interrupt request counts what has passed, no more */
    assert_int_equal(ticks(), 65543);
    machine.call.time_us -= 1000000; /* never back */
    assert_int_equal(ticks(), 65543);
}

static void sets(void **state)
{
    (void)state;
    start();
    machine.call.time_us = 10000000;
    r = (struct bios_registers){.eax = 0x0100, .ecx = 0x0003, .edx = 0x4567};
    (void)simulated_interrupt(&machine, 0x1a, &r);
    assert_int_equal(ticks(), 0x34567);
    machine.call.time_us += 1000000;
    assert_int_equal(ticks(), 0x34567 + 18);
    memcpy(machine.memory + BDA_TICKS, "\x10\x00\x00\x00", 4); /* as programs do, too */
    assert_int_equal(ticks(), 0x10);
}

static void midnight(void **state)
{
    (void)state;
    start();
    r = (struct bios_registers){.eax = 0x0100, .ecx = 0x0018, .edx = 0x00af};
    (void)simulated_interrupt(&machine, 0x1a, &r);
    machine.call.time_us = 60000;
    assert_int_equal(ticks(), 0);
    assert_int_equal(r.eax, 1);
    (void)ticks();
    assert_int_equal(r.eax, 0);
    machine.call.time_us += UINT64_C(86400) * 3 * 1000000; /* three days, and nobody has asked */
    assert_true(ticks() < TICKS_A_DAY);
    assert_int_equal(r.eax, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_guest_time),
        cmocka_unit_test(sets),
        cmocka_unit_test(midnight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
