/* SPDX-License-Identifier: MIT */
/* vmm/devices/hpet.c: "IA-PC HPET Specification" 1.0a. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "device_ports.h"
#include "vmm/devices/hpet.h"

#define CONFIG(n)     (0x100 + 0x20 * (n))
#define COMPARATOR(n) (0x108 + 0x20 * (n))
#define ROUTE(pin)    ((pin) << 9)

static struct hpet hpet;
static struct wire pin, legacy[2], replacement;
static struct device_memory memory;
static struct device_timer timer;

static int reset(void **state)
{
    (void)state;
    memset(&hpet, 0, sizeof(hpet));
    memset(&pin, 0, sizeof(pin));
    memset(legacy, 0, sizeof(legacy));
    memset(&replacement, 0, sizeof(replacement));
    hpet.pins = wire_line(&pin, 0);
    hpet.legacy[0] = wire_line(&legacy[0], 0);
    hpet.legacy[1] = wire_line(&legacy[1], 8);
    hpet.legacy_replacement = wire_line(&replacement, 0);
    test_now = 123;
    hpet_reset(&hpet, test_now);
    memory = hpet_memory(&hpet);
    timer = hpet_timer(&hpet);
    return 0;
}

static uint64_t get(uint64_t offset)
{
    return memory.read(memory.device, offset, 8, test_now);
}

static void set(uint64_t offset, uint64_t value)
{
    memory.write(memory.device, offset, 8, value, test_now);
}

static void pass(uint64_t ns)
{
    test_now += ns;
    timer.run(timer.device, test_now);
}

static void registers(void **state)
{
    (void)state;
    assert_true(memory.gpa == 0xfed00000);
    assert_int_equal(memory.size, 0x400);
    assert_true(get(0) == UINT64_C(0x009896808086a201));
    assert_int_equal(memory.read(memory.device, 4, 4, 0), 10000000); /* femtoseconds */
    assert_int_equal(memory.read(memory.device, 0, 2, 0), 0xa201);
    assert_int_equal(get(0x10), 0);
    assert_int_equal(get(0x20), 0);
    assert_int_equal(get(0xf0), 0);
    set(0, 0);
    assert_true(get(0) == UINT64_C(0x009896808086a201));
    for (unsigned n = 0; n < 3; n++) {
        assert_true(get(CONFIG(n)) == UINT64_C(0x00f0000000000030));
        assert_true(get(COMPARATOR(n)) == UINT64_MAX);
        set(CONFIG(n), UINT64_MAX); /* pin 31 is not offered */
        assert_true(get(CONFIG(n)) == UINT64_C(0x00f000000000013e));
        set(CONFIG(n), ROUTE(21));
        assert_true(get(CONFIG(n)) == (UINT64_C(0x00f0000000000030) | ROUTE(21)));
        set(CONFIG(n), ROUTE(2));
        assert_true(get(CONFIG(n)) == (UINT64_C(0x00f0000000000030) | ROUTE(21)));
        set(CONFIG(n) + 0x10, UINT64_MAX); /* no FSB route */
        assert_int_equal(get(CONFIG(n) + 0x10), 0);
    }
    set(CONFIG(3), UINT64_MAX);
    assert_int_equal(get(CONFIG(3)), 0);
    assert_int_equal(get(0x3f8), 0);
    assert_int_equal(get(0x08), 0);
    set(0x10, 0xfe);
    assert_int_equal(get(0x10), 2);
}

static void counter(void **state)
{
    (void)state;
    pass(1000);
    assert_int_equal(get(0xf0), 0);
    set(0x10, 1);
    pass(9);
    assert_int_equal(get(0xf0), 0);
    pass(1);
    assert_int_equal(get(0xf0), 1);
    pass(DEVICE_SECOND);
    assert_int_equal(get(0xf0), 100000001);
    set(0x10, 0);
    pass(1000);
    assert_int_equal(get(0xf0), 100000001);
    set(0xf0, UINT64_C(0x1fffffffe));
    set(0x10, 1);
    pass(30);
    assert_true(get(0xf0) == UINT64_C(0x200000001));
    assert_int_equal(memory.read(memory.device, 0xf4, 4, test_now), 2);
    memory.write(memory.device, 0xf4, 4, 7, test_now);
    memory.write(memory.device, 0xf0, 2, 0, test_now); /* not an access that it knows */
    memory.write(memory.device, 0xf2, 4, 0, test_now);
    assert_true(get(0xf0) == UINT64_C(0x700000001));
}

static void one_shot(void **state)
{
    (void)state;
    set(CONFIG(2), 4 | ROUTE(23));
    set(COMPARATOR(2), 100);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    set(0x10, 1);
    assert_int_equal(timer.next(timer.device), test_now + 1000);
    pass(999);
    assert_false(pin.level);
    pass(1);
    assert_true(pin.level);
    assert_int_equal(pin.number, 23);
    assert_int_equal(get(0x20), 0); /* edge-triggered: no status */
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    set(COMPARATOR(2), 200);
    pass(1000);
    assert_int_equal(pin.rises, 2);
    set(COMPARATOR(2), 300);
    set(CONFIG(2), ROUTE(23));
    assert_false(pin.level);
    pass(10000);
    assert_int_equal(pin.rises, 2); /* disabled */
}

static void one_shot_32_bits(void **state)
{
    (void)state;
    set(CONFIG(0), 4 | 0x100 | ROUTE(20));
    set(COMPARATOR(0), UINT64_C(0x500000064));
    assert_int_equal(get(COMPARATOR(0)), 0x64);
    set(0x10, 1);
    pass(1000);
    assert_int_equal(pin.rises, 1);
    assert_int_equal(timer.next(timer.device), test_now + (UINT64_C(10) << 32));
    pass(UINT64_C(10) << 32); /* again, a round later */
    assert_int_equal(pin.rises, 2);
}

static void periodic(void **state)
{
    (void)state;
    set(0x10, 1);
    set(CONFIG(0), 4 | 8 | 0x40 | ROUTE(20));
    set(COMPARATOR(0), 500000); /* the first match */
    set(COMPARATOR(0), 100000); /* the period */
    assert_int_equal(get(COMPARATOR(0)), 500000);
    assert_int_equal(timer.next(timer.device), test_now + 5000000);
    pass(5000000);
    assert_int_equal(pin.rises, 1);
    assert_int_equal(get(COMPARATOR(0)), 600000);
    assert_int_equal(timer.next(timer.device), test_now + 1000000);
    pass(1000000);
    assert_int_equal(pin.rises, 2);
    pass(UINT64_C(3600) * DEVICE_SECOND + 500000);
    assert_int_equal(pin.rises, 3); /* once for all */
    assert_int_equal(timer.next(timer.device), test_now + 500000);
    set(COMPARATOR(0), 50000); /* without VAL_SET: the period alone */
    pass(500000);
    assert_int_equal(timer.next(timer.device), test_now + 500000);
    set(COMPARATOR(0), 0); /* no period */
    pass(500000);
    assert_int_equal(pin.rises, 5);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
}

/* Below the least period: an interrupt each of that, while comparator and counter go on as programmed. */
static void shortest_period(void **state)
{
    (void)state;
    set(0x10, 1);
    set(CONFIG(0), 4 | 8 | 0x40 | ROUTE(20));
    set(COMPARATOR(0), 1);
    set(COMPARATOR(0), 1);
    assert_int_equal(timer.next(timer.device), test_now + 10);
    pass(10);
    assert_int_equal(pin.rises, 1);
    for (unsigned i = 2; i < 100; i++) {
        assert_int_equal(timer.next(timer.device), test_now + DEVICE_LEAST_PERIOD);
        pass(DEVICE_LEAST_PERIOD);
        assert_int_equal(pin.rises, i);
        assert_int_equal(get(COMPARATOR(0)), get(0xf0) + 1);
    }
    set(CONFIG(0), 4 | 0x40 | ROUTE(20)); /* once: not held up */
    set(COMPARATOR(0), get(0xf0) + 3);
    assert_int_equal(timer.next(timer.device), test_now + 30);
}

static void periodic_32_bits_wraps(void **state)
{
    (void)state;
    set(0xf0, 0xfffffff0);
    set(CONFIG(0), 4 | 8 | 0x40 | 0x100 | ROUTE(20));
    set(COMPARATOR(0), 0xfffffff8);
    set(COMPARATOR(0), 0x10);
    set(0x10, 1);
    pass(80);
    assert_int_equal(pin.rises, 1);
    assert_int_equal(get(COMPARATOR(0)), 8);
    pass(160);
    assert_int_equal(pin.rises, 1); /* sooner than the least period */
    assert_int_equal(get(COMPARATOR(0)), 0x18);
}

static void level(void **state)
{
    (void)state;
    set(CONFIG(1), 2 | 4 | 8 | 0x40 | ROUTE(22));
    set(COMPARATOR(1), 100000);
    set(COMPARATOR(1), 100000);
    set(0x10, 1);
    pass(1000000);
    assert_true(pin.level);
    assert_int_equal(pin.number, 22);
    assert_int_equal(get(0x20), 2);
    assert_true(timer.next(timer.device) == DEVICE_NEVER); /* until it is cleared */
    pass(2000000);
    assert_int_equal(pin.rises, 1);
    set(0x20, 1);
    assert_true(pin.level);
    set(0x20, 2);
    assert_false(pin.level);
    assert_int_equal(get(0x20), 0);
    assert_int_equal(timer.next(timer.device), test_now + 1000000);
    set(CONFIG(1), 2 | 8 | ROUTE(22)); /* disabled: status alone */
    pass(1000000);
    assert_false(pin.level);
    assert_int_equal(get(0x20), 2);
    set(CONFIG(1), 2 | 4 | 8 | ROUTE(22));
    assert_true(pin.level);
    set(CONFIG(1), 2 | 4 | 8 | ROUTE(21)); /* moves to another pin */
    assert_int_equal(pin.falls, 2);
    assert_true(pin.level);
    assert_int_equal(pin.number, 21);
    set(0x10, 0);
    assert_false(pin.level);
    set(0x10, 1);
    assert_true(pin.level);
    set(CONFIG(1), 4 | 8 | ROUTE(21)); /* edge */
    assert_false(pin.level);
    assert_int_equal(get(0x20), 0);
}

static void legacy_replacement(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 3; n++) {
        set(CONFIG(n), 4 | 8 | 0x40 | ROUTE(20));
        set(COMPARATOR(n), 100 * (n + 1));
        set(COMPARATOR(n), 1000);
    }
    assert_false(replacement.level);
    set(0x10, 3);
    assert_true(replacement.level);
    pass(1000);
    assert_true(legacy[0].level);
    assert_int_equal(legacy[0].number, 0);
    pass(1000);
    assert_true(legacy[1].level);
    assert_int_equal(legacy[1].number, 8);
    assert_false(pin.level);
    pass(1000);
    assert_true(pin.level); /* timer 2 has a pin of its own */
    set(0x10, 1);
    assert_false(replacement.level);
    assert_false(legacy[0].level);
    assert_false(legacy[1].level);
    hpet_reset(&hpet, test_now);
    assert_false(pin.level);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
}

static void comparator_at_the_counter(void **state)
{
    (void)state;
    set(CONFIG(0), 4 | ROUTE(20));
    set(0x10, 1);
    pass(1000);
    set(COMPARATOR(0), 100);
    assert_true(timer.next(timer.device) == DEVICE_NEVER); /* a round of 64 bits away */
    pass(10);
    assert_int_equal(pin.rises, 0);
    set(COMPARATOR(0), 102);
    pass(10);
    assert_int_equal(pin.rises, 1);
}

static void rates(void **state)
{
    (void)state;
    set(CONFIG(0), 4 | 8 | 0x40 | ROUTE(20));
    set(COMPARATOR(0), 100000);
    set(COMPARATOR(0), 100000);
    set(0x10, 1);
    assert_int_equal(run_until(&timer, test_now + 10 * DEVICE_SECOND), 10000);
    assert_int_equal(pin.rises, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(registers, reset),
        cmocka_unit_test_setup(counter, reset),
        cmocka_unit_test_setup(one_shot, reset),
        cmocka_unit_test_setup(one_shot_32_bits, reset),
        cmocka_unit_test_setup(shortest_period, reset),
        cmocka_unit_test_setup(periodic, reset),
        cmocka_unit_test_setup(periodic_32_bits_wraps, reset),
        cmocka_unit_test_setup(level, reset),
        cmocka_unit_test_setup(legacy_replacement, reset),
        cmocka_unit_test_setup(comparator_at_the_counter, reset),
        cmocka_unit_test_setup(rates, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
