/* SPDX-License-Identifier: MIT */
/* vmm/devices/bus.c: who answers where, how wide, and when. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "vmm/devices/bus.h"

static struct bus bus;
static char journal[256]; /* what reached the devices */
static const char *name;

struct probe {
    char letter;
    uint32_t answer;
};

static uint32_t probe_read(void *device, uint16_t port, unsigned size, uint64_t now)
{
    const struct probe *probe = device;

    (void)now;
    sprintf(journal + strlen(journal), "%cr%x.%u ", probe->letter, port, size);
    return probe->answer;
}

static void probe_write(void *device, uint16_t port, unsigned size, uint32_t value, uint64_t now)
{
    const struct probe *probe = device;

    (void)now;
    sprintf(journal + strlen(journal), "%cw%x.%u=%x ", probe->letter, port, size, value);
}

static uint64_t memory_read(void *device, uint64_t offset, unsigned size, uint64_t now)
{
    const struct probe *probe = device;

    (void)now;
    sprintf(journal + strlen(journal), "%cr%x.%u ", probe->letter, (unsigned)offset, size);
    return UINT64_C(0x1111111111111111) * probe->answer;
}

static void memory_write(void *device, uint64_t offset, unsigned size, uint64_t value, uint64_t now)
{
    const struct probe *probe = device;

    (void)now;
    sprintf(journal + strlen(journal), "%cw%x.%u=%llx ", probe->letter, (unsigned)offset, size,
            (unsigned long long)value);
}

static struct probe a = {'a', 0xa1a2a3a4}, b = {'b', 0xb1b2b3b4}, c = {'c', 0xc1c2c3c4};

static struct device_ports ports_of(const char *of, struct probe *probe, uint16_t first, uint16_t last,
                                    uint8_t width)
{
    return (struct device_ports){of, first, last, width, probe, probe_read, probe_write};
}

static bool add(const char *of, struct probe *probe, uint16_t first, uint16_t last, uint8_t width)
{
    struct device_ports ports = ports_of(of, probe, first, last, width);

    return bus_add_ports(&bus, &ports);
}

static int setup(void **state)
{
    (void)state;
    bus_init(&bus);
    journal[0] = '\0';
    assert_true(add("a", &a, 0x3f8, 0x3ff, 1));
    assert_true(add("b", &b, 0x600, 0x605, 4));
    assert_true(add("c", &c, 0xcf8, 0xcf8, 4));
    return 0;
}

static void expect(const char *text)
{
    assert_string_equal(journal, text);
    journal[0] = '\0';
}

static void bytes(void **state)
{
    (void)state;
    assert_int_equal(bus_port_read(&bus, 0x3f8, 1, 0, &name), 0xa4);
    assert_string_equal(name, "a");
    assert_int_equal(bus_port_read(&bus, 0x3ff, 1, 0, &name), 0xa4);
    bus_port_write(&bus, 0x3fb, 1, 0x12345678, 0, &name);
    assert_string_equal(name, "a");
    expect("ar3f8.1 ar3ff.1 aw3fb.1=78 ");
}

static void nobody(void **state)
{
    static const uint16_t empty[] = {0x3f7, 0x400, 0x0, 0xffff, 0x5ff, 0x606, 0xcf9, 0x80};

    (void)state;
    for (unsigned i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        assert_int_equal(bus_port_read(&bus, empty[i], 1, 0, &name), 0xff);
        assert_null(name);
        bus_port_write(&bus, empty[i], 1, 5, 0, &name);
        assert_null(name);
    }
    assert_int_equal(bus_port_read(&bus, 0x80, 2, 0, &name), 0xffff);
    assert_int_equal(bus_port_read(&bus, 0x80, 4, 0, &name), 0xffffffff);
    assert_int_equal(bus_port_read(&bus, 0xffff, 4, 0, &name), 0xffffffff);
    bus_port_write(&bus, 0xffff, 4, 0, 0, &name);
    assert_null(name);
    expect("");
}

static void split(void **state)
{
    (void)state;
    assert_int_equal(bus_port_read(&bus, 0x3f8, 4, 0, &name), 0xa4a4a4a4);
    expect("ar3f8.1 ar3f9.1 ar3fa.1 ar3fb.1 ");
    bus_port_write(&bus, 0x3f8, 2, 0x1234, 0, &name);
    expect("aw3f8.1=34 aw3f9.1=12 ");
    assert_int_equal(bus_port_read(&bus, 0x600, 4, 0, &name), 0xb1b2b3b4);
    assert_int_equal(bus_port_read(&bus, 0x600, 2, 0, &name), 0xb3b4);
    assert_int_equal(bus_port_read(&bus, 0x601, 1, 0, &name), 0xb4);
    expect("br600.4 br600.2 br601.1 ");
    /* The last ports of a range, and what lies behind it. */
    assert_int_equal(bus_port_read(&bus, 0x604, 4, 0, &name), 0xffffb3b4);
    assert_string_equal(name, "b");
    assert_int_equal(bus_port_read(&bus, 0x605, 2, 0, &name), 0xffb4);
    expect("br604.2 br605.1 ");
    /* From nobody into a device. */
    assert_int_equal(bus_port_read(&bus, 0x5fe, 4, 0, &name), 0xb3b4ffff);
    assert_string_equal(name, "b");
    bus_port_write(&bus, 0x5ff, 4, 0x11223344, 0, &name);
    assert_string_equal(name, "b");
    expect("br600.2 bw600.2=2233 bw602.1=11 ");
    /* A register of four bytes at one port. */
    assert_int_equal(bus_port_read(&bus, 0xcf8, 4, 0, &name), 0xc1c2c3c4);
    bus_port_write(&bus, 0xcf9, 1, 6, 0, &name);
    assert_null(name);
    expect("crcf8.4 ");
}

static void what_cannot_be_added(void **state)
{
    (void)state;
    assert_false(add("x", &a, 0x3ff, 0x400, 1)); /* taken */
    assert_int_equal(bus_port_read(&bus, 0x400, 1, 0, &name), 0xff);
    assert_false(add("x", &a, 0x10, 0x0f, 1));
    assert_false(add("x", &a, 0x10, 0x10, 3));
    for (unsigned page = 0x10; page < 0x10 + BUS_PORT_PAGES - 4;
         page++) /* three are in use, one is the empty one */
        assert_true(add("x", &a, (uint16_t)(page << 8), (uint16_t)(page << 8), 1));
    assert_false(add("x", &a, 0x8000, 0x8000, 1));
    while (bus.port_count < BUS_PORT_RANGES)
        assert_true(add("x", &a, 0x600 + 8 + bus.port_count, 0x600 + 8 + bus.port_count, 1));
    assert_false(add("x", &a, 0x3f7, 0x3f7, 1));
    expect("");
}

static void last_port_of_all(void **state)
{
    (void)state;
    assert_true(add("x", &a, 0xfffe, 0xffff, 2));
    assert_int_equal(bus_port_read(&bus, 0xfffe, 2, 0, &name), 0xa3a4);
    assert_int_equal(bus_port_read(&bus, 0xffff, 2, 0, &name), 0xffa4); /* the next is port 0 */
    expect("arfffe.2 arffff.1 ");
}

static void memory(void **state)
{
    struct probe x = {'x', 5}, y = {'y', 6};
    struct device_memory first = {"x", 0xfee00000, 0x1000, &x, memory_read, memory_write};
    struct device_memory second = {"y", 0xfee01000, 0x10, &y, memory_read, memory_write};
    struct device_memory third = {"z", 0xfee0100f, 1, &y, memory_read, memory_write};
    struct device_memory wraps = {"z", UINT64_MAX, 2, &y, memory_read, memory_write};

    (void)state;
    assert_true(bus_add_memory(&bus, &first));
    assert_true(bus_add_memory(&bus, &second));
    assert_false(bus_add_memory(&bus, &third));
    assert_false(bus_add_memory(&bus, &wraps));
    assert_true(bus_has_memory(&bus, 0xfee00fff));
    assert_true(bus_has_memory(&bus, 0xfee0100f));
    assert_false(bus_has_memory(&bus, 0xfee01010));
    assert_false(bus_has_memory(&bus, 0xfedfffff));
    assert_int_equal(bus_memory_read(&bus, 0xfee00020, 4, 0, &name), 0x55555555);
    assert_string_equal(name, "x");
    assert_true(bus_memory_read(&bus, 0xfee00ff8, 8, 0, &name) == UINT64_C(0x5555555555555555));
    bus_memory_write(&bus, 0xfee01000, 2, 0x12345, 0, &name);
    assert_string_equal(name, "y");
    expect("xr20.4 xrff8.8 yw0.2=2345 ");
    assert_int_equal(bus_memory_read(&bus, 0xfee00ffe, 4, 0, &name), 0x66665555);
    bus_memory_write(&bus, 0xfee0100e, 4, 0x44332211, 0, &name);
    assert_string_equal(name, "y");
    expect("xrffe.1 xrfff.1 yr0.1 yr1.1 ywe.1=11 ywf.1=22 ");
    /* Moved over the other one, which was added later; then nowhere. */
    first.gpa = 0xfee01000;
    bus_move_memory(&bus, &first);
    assert_false(bus_has_memory(&bus, 0xfee00000));
    assert_int_equal(bus_memory_read(&bus, 0xfee01000, 1, 0, &name), 0x55);
    first.size = 0;
    bus_move_memory(&bus, &first);
    assert_int_equal(bus_memory_read(&bus, 0xfee01000, 1, 0, &name), 0x66);
    assert_int_equal(bus_memory_read(&bus, 0xfee00000, 1, 0, &name), 0xff);
    expect("xr0.1 yr0.1 ");
    assert_true(bus_memory_read(&bus, 0, 8, 0, &name) == UINT64_MAX);
    assert_null(name);
    bus_memory_write(&bus, UINT64_MAX, 1, 0, 0, &name);
    bus_memory_write(&bus, UINT64_MAX - 3, 8, 0, 0, &name);
    assert_null(name);
    expect("");
}

/* The range that was accessed last is looked at first, but not where another lies over it. */
static void memory_overlap(void **state)
{
    struct probe x = {'x', 5}, y = {'y', 6}, z = {'z', 7};
    struct device_memory first = {"x", 0xfec00000, 0x1000, &x, memory_read, memory_write};
    struct device_memory second = {"y", 0xfee00000, 0x1000, &y, memory_read, memory_write};
    struct device_memory third = {"z", 0xfed00000, 0x1000, &z, memory_read, memory_write};

    (void)state;
    assert_true(bus_add_memory(&bus, &first));
    assert_true(bus_add_memory(&bus, &second));
    assert_true(bus_add_memory(&bus, &third));
    assert_false(bus_hint_has(&bus, 0xfed00000));
    (void)bus_memory_read(&bus, 0xfed00000, 1, 0, &name);
    assert_true(bus_hint_has(&bus, 0xfed00fff));
    assert_false(bus_hint_has(&bus, 0xfed01000));
    second.gpa = 0xfed00800;
    bus_move_memory(&bus, &second);
    expect("zr0.1 ");
    for (unsigned i = 0; i < 2; i++) {
        bus_memory_write(&bus, 0xfed007ff, 1, 9, 0, &name);
        (void)bus_memory_read(&bus, 0xfed00800, 1, 0, &name);
        (void)bus_memory_read(&bus, 0xfed01000, 1, 0, &name);
        expect("zw7ff.1=9 yr0.1 yr800.1 ");
    }
    second.gpa = 0xfee00000;
    bus_move_memory(&bus, &second);
    (void)bus_memory_read(&bus, 0xfed00800, 1, 0, &name);
    expect("zr800.1 ");
    assert_true(bus_hint_has(&bus, 0xfed00000));
}

struct clock {
    uint64_t due, period;
    unsigned runs;
    struct clock *wakes;
};

static uint64_t clock_next(const void *device)
{
    return ((const struct clock *)device)->due;
}

static void clock_run(void *device, uint64_t now)
{
    struct clock *clock = device;

    clock->runs++;
    clock->due = clock->period == 0 ? DEVICE_NEVER : clock->due + clock->period;
    if (clock->wakes != NULL) {
        clock->wakes->due = now;
        bus_device_accessed(&bus, clock->wakes);
    }
}

static bool add_clock(struct clock *clock)
{
    struct device_timer timer = {clock, clock_next, clock_run};

    return bus_add_timer(&bus, &timer);
}

static void timers(void **state)
{
    struct clock first = {.due = DEVICE_NEVER}, second = {.due = 100, .period = 50},
                 third = {.due = 120, .wakes = &first};

    (void)state;
    assert_true(bus_next(&bus) == DEVICE_NEVER);
    bus_run(&bus, 1000);
    assert_true(add_clock(&first) && add_clock(&second) && add_clock(&third));
    assert_int_equal(bus_next(&bus), 100);
    bus_run(&bus, 99);
    assert_int_equal(second.runs, 0);
    bus_run(&bus, 100);
    assert_int_equal(second.runs, 1);
    assert_int_equal(third.runs, 0);
    assert_int_equal(bus_next(&bus), 120);
    bus_run(&bus, 149); /* the third is due, and makes the first due, which was asked before it */
    assert_int_equal(third.runs, 1);
    assert_int_equal(first.runs, 1);
    assert_int_equal(second.runs, 1);
    assert_int_equal(bus_next(&bus), 150);
}

static void a_device_that_is_always_due(void **state)
{
    struct clock greedy = {.due = 0, .period = 1};

    (void)state;
    assert_true(add_clock(&greedy));
    bus_run(&bus, UINT64_C(1) << 60);
    assert_in_range(greedy.runs, 1, 4);
    while (bus.timer_count < BUS_TIMERS)
        assert_true(add_clock(&greedy));
    assert_false(add_clock(&greedy));
}

static void runs(void **state)
{
    const uint8_t out[4] = {0x11, 0x22, 0x33, 0x44};
    uint8_t in[4] = {0};

    (void)state;
    assert_true(add("a", &a, 0x100, 0x100, 1));
    assert_true(add("b", &b, 0x101, 0x101, 1));
    bus_port_read_run(&bus, 0x100, 1, in, 3, 0, &name);
    assert_string_equal(journal, "ar100.1 ar100.1 ar100.1 ");
    assert_string_equal(name, "a");
    assert_memory_equal(in, "\xa4\xa4\xa4", 4);
    *journal = '\0';
    bus_port_read_run(&bus, 0x100, 2, in, 2, 0, &name);
    assert_string_equal(journal, "ar100.1 br101.1 ar100.1 br101.1 ");
    assert_memory_equal(in, "\xa4\xb4\xa4\xb4", 4);
    *journal = '\0';
    bus_port_write_run(&bus, 0x101, 1, out, 4, 0, &name);
    assert_string_equal(journal, "bw101.1=11 bw101.1=22 bw101.1=33 bw101.1=44 ");
    assert_string_equal(name, "b");
    *journal = '\0';
    bus_port_write_run(&bus, 0x100, 2, out, 2, 0, &name);
    assert_string_equal(journal, "aw100.1=11 bw101.1=22 aw100.1=33 bw101.1=44 ");
    bus_port_read_run(&bus, 0x200, 1, in, 4, 0, &name);
    assert_null(name);
    assert_memory_equal(in, "\xff\xff\xff\xff", 4);
    bus_port_write_run(&bus, 0x200, 1, out, 4, 0, &name);
    assert_null(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(bytes, setup),
        cmocka_unit_test_setup(nobody, setup),
        cmocka_unit_test_setup(split, setup),
        cmocka_unit_test_setup(what_cannot_be_added, setup),
        cmocka_unit_test_setup(last_port_of_all, setup),
        cmocka_unit_test_setup(memory, setup),
        cmocka_unit_test_setup(memory_overlap, setup),
        cmocka_unit_test_setup(timers, setup),
        cmocka_unit_test_setup(runs, setup),
        cmocka_unit_test_setup(a_device_that_is_always_due, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
