/* SPDX-License-Identifier: MIT */
/* vmm/devices/pc.c: the wires between the devices. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "vmm/devices/pc.h"

static struct pc pc;
static char out_text[PC_OUTPUTS][16];
static struct {
    unsigned count;
    enum pc_end how;
    unsigned detail;
} ended;
static uint64_t now;

static void put(void *context, unsigned output, uint8_t byte)
{
    assert_ptr_equal(context, &ended);
    assert_in_range(output, 0, PC_OUTPUTS - 1);
    out_text[output][strlen(out_text[output])] = (char)byte;
}

static void end(void *context, enum pc_end how, unsigned detail)
{
    assert_ptr_equal(context, &ended);
    ended.count++;
    ended.how = how;
    ended.detail = detail;
}

static int reset(void **state)
{
    static const struct e820_entry map[] = {{0, 0xa0000, E820_RAM}, {0x100000, 0xf00000, E820_RAM}};
    const struct pc_host host = {&ended, put, end};
    const struct pc_config config = {
        .ram_bytes = 0x1000000,
        .cpus = 1,
        .map = map,
        .map_count = 2,
        .rtc = {.time = {.year = 2024, .month = 2, .day = 29, .hour = 1, .minute = 2, .second = 3},
                .memory_below_4g = 0x1000000},
        .lapic = {.bsp = true,
                  .timer_hz = 100000000,
                  .tsc_hz = 1000000000,
                  .physical_address_bits = 40,
                  .x2apic = true,
                  .tsc_deadline = true}};

    (void)state;
    memset(&pc, 0xa5, sizeof(pc));
    memset(out_text, 0, sizeof(out_text));
    memset(&ended, 0, sizeof(ended));
    now = 0;
    assert_true(pc_create(&pc, &host, &config));
    return 0;
}

static uint32_t in(uint16_t port)
{
    const char *name;

    return bus_port_read(&pc.bus, port, 1, now, &name);
}

static void out(uint16_t port, uint8_t value)
{
    const char *name;

    bus_port_write(&pc.bus, port, 1, value, now, &name);
}

/* As a PC's firmware programs them: vectors 0x08 and 0x70, all requests let through. */
static void start_pics(void)
{
    static const uint8_t words[][2] = {{0x20, 0x11}, {0x21, 0x08}, {0x21, 0x04}, {0x21, 0x01}, {0x21, 0x00},
                                       {0xa0, 0x11}, {0xa1, 0x70}, {0xa1, 0x02}, {0xa1, 0x01}, {0xa1, 0x00}};

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        out(words[i][0], words[i][1]);
}

static void acknowledge(uint8_t vector)
{
    assert_true(pc_interrupt_pending(&pc));
    assert_int_equal(pc_interrupt_acknowledge(&pc), vector);
    if (vector >= 0x70)
        out(0xa0, 0x20);
    out(0x20, 0x20);
}

/* Every port of the table in README.md has its device. */
static void ranges(void **state)
{
    static const struct {
        uint16_t first, last;
        const char *name;
    } expected[] = {{0x20, 0x21, "pic"},          {0x40, 0x43, "pit"},      {0x60, 0x60, "keyboard"},
                    {0x61, 0x61, "pit"},          {0x64, 0x64, "keyboard"}, {0x70, 0x71, "rtc"},
                    {0x80, 0x80, "post code"},    {0x92, 0x92, "port 92"},  {0xa0, 0xa1, "pic"},
                    {0xe9, 0xe9, "debug port"},   {0xf4, 0xf4, "end"},      {0x2e8, 0x2ef, "uart"},
                    {0x2f8, 0x2ff, "uart"},       {0x3c0, 0x3cf, "vga"},    {0x3d4, 0x3d5, "vga"},
                    {0x3da, 0x3da, "vga"},        {0x3e8, 0x3ef, "uart"},   {0x3f8, 0x3ff, "uart"},
                    {0x402, 0x402, "debug port"}, {0x4d0, 0x4d1, "pic"},    {0x510, 0x511, "fw_cfg"},
                    {0x600, 0x60b, "acpi_pm"},    {0xcf8, 0xcf8, "pci"},    {0xcf9, 0xcf9, "reset control"},
                    {0xcfc, 0xcff, "pci"}};
    unsigned next = 0;

    (void)state;
    for (unsigned port = 0; port <= 0xffff; port++) {
        const char *name;

        (void)bus_port_read(&pc.bus, (uint16_t)port, 1, 0, &name);
        if (next < sizeof(expected) / sizeof(expected[0]) && port >= expected[next].first) {
            assert_non_null(name);
            assert_string_equal(name, expected[next].name);
            next += port == expected[next].last;
        } else if (name != NULL) {
            fail_msg("port %#x has a device, %s", port, name);
        }
    }
}

static void outputs(void **state)
{
    static const uint16_t ports[PC_OUTPUTS] = {0x3f8, 0x2f8, 0x3e8, 0x2e8, 0xe9};

    (void)state;
    for (unsigned i = 0; i < PC_OUTPUTS; i++)
        out(ports[i], (uint8_t)('a' + i));
    out(0x402, 'z');
    assert_string_equal(out_text[PC_OUTPUT_COM1], "a");
    assert_string_equal(out_text[PC_OUTPUT_COM2], "b");
    assert_string_equal(out_text[PC_OUTPUT_COM3], "c");
    assert_string_equal(out_text[PC_OUTPUT_COM4], "d");
    assert_string_equal(out_text[PC_OUTPUT_DEBUG], "ez");
}

static void ends(void **state)
{
    static const struct {
        uint16_t port;
        uint8_t value;
        enum pc_end how;
        unsigned detail;
    } ways[] = {{0xf4, 0, PC_END_PORT, 0},
                {0xf4, 7, PC_END_PORT, 7},
                {0x92, 1, PC_END_RESET, 0x92},
                {0x64, 0xfe, PC_END_RESET, 0x64},
                {0xcf9, 0x06, PC_END_RESET, 0xcf9}};
    const char *name;

    (void)state;
    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        out(ways[i].port, ways[i].value);
        assert_int_equal(ended.count, i + 1);
        assert_int_equal(ended.how, ways[i].how);
        assert_int_equal(ended.detail, ways[i].detail);
    }
    bus_port_write(&pc.bus, 0x604, 2, 0x2000, now, &name); /* S5 */
    assert_int_equal(ended.count, sizeof(ways) / sizeof(ways[0]) + 1);
    assert_int_equal(ended.how, PC_END_POWER_OFF);
}

static void a20(void **state)
{
    (void)state;
    assert_true(pc_a20(&pc));
    out(0x92, 0x00);
    assert_true(pc_a20(&pc)); /* the keyboard controller's is open */
    out(0x64, 0xdd);
    assert_false(pc_a20(&pc));
    out(0x92, 0x02);
    assert_true(pc_a20(&pc));
}

static void nothing_at_first(void **state)
{
    (void)state;
    assert_false(pc_interrupt_pending(&pc));
    assert_true(pc_next_deadline(&pc) > DEVICE_SECOND / 10);
    start_pics();
    assert_false(pc_interrupt_pending(&pc));
}

/* Two ports on each request: it falls when neither wants it. */
static void uart_interrupts(void **state)
{
    static const struct {
        uint16_t base;
        uint8_t vector;
    } uarts[] = {{0x3f8, 0x0c}, {0x2f8, 0x0b}, {0x3e8, 0x0c}, {0x2e8, 0x0b}};

    (void)state;
    start_pics();
    for (unsigned i = 0; i < 4; i++) {
        out(uarts[i].base + 4, 0x08);
        out(uarts[i].base + 1, 0x02);
        acknowledge(uarts[i].vector);
        assert_int_equal(in(uarts[i].base + 2), 0x02);
        assert_false(pc_interrupt_pending(&pc));
    }
    out(0x3f8, 'a'); /* both of a wire: one edge, level after the first is served */
    out(0x3e8, 'b');
    acknowledge(0x0c);
    assert_int_equal(pc.irq_sources[4], 3);
    assert_int_equal(in(0x3fa), 0x02);
    assert_int_equal(pc.irq_sources[4], 2);
    assert_int_equal(in(0x3ea), 0x02);
    assert_int_equal(pc.irq_sources[4], 0);
}

static void timer_interrupt(void **state)
{
    unsigned ticks = 0;

    (void)state;
    start_pics();
    out(0x43, 0x34);
    out(0x40, 0x9c); /* 1193182 / 11932: 100 Hz */
    out(0x40, 0x2e);
    while (now < DEVICE_SECOND) {
        now = pc_next_deadline(&pc);
        pc_run(&pc, now);
        if (pc_interrupt_pending(&pc)) {
            acknowledge(0x08);
            ticks++;
        }
    }
    assert_in_range(ticks, 99, 101);
}

static void clock_interrupt(void **state)
{
    (void)state;
    start_pics();
    out(0x70, 0x0b);
    out(0x71, 0x12); /* after each update */
    while (!pc_interrupt_pending(&pc)) {
        now = pc_next_deadline(&pc);
        pc_run(&pc, now);
    }
    acknowledge(0x70);
    assert_in_range(now, DEVICE_SECOND / 4, DEVICE_SECOND * 5 / 4);
    out(0x70, 0x0c);
    assert_int_equal(in(0x71) & 0xb0, 0x90); /* of an update; the periods go on beside it */
    out(0x70, 0x17);
    assert_int_equal(in(0x71), (15 * 1024) & 0xff);
    out(0x70, 0x18);
    assert_int_equal(in(0x71), (15 * 1024) >> 8);
}

static void console_input(void **state)
{
    unsigned taken;

    (void)state;
    start_pics();
    out(0x3fc, 0x08);
    out(0x3f9, 0x01);
    assert_true(pc_console_input(&pc, 'a', now));
    acknowledge(0x09);
    assert_int_equal(in(0x60), 0x1e);
    acknowledge(0x0c);
    assert_int_equal(in(0x3f8), 'a');
    /* A guest that listens to neither: they fill up, and it is said. */
    assert_true(pc_console_input(&pc, 'q', now));
    assert_false(pc_console_input(&pc, 'q', now + DEVICE_SECOND / 100)); /* the line first, it has no FIFO */
    for (taken = 0; taken < 100 && pc_console_input(&pc, 'q', now += DEVICE_SECOND / 50); taken++)
        ;
    assert_in_range(taken, 1, 20);
    assert_int_equal(in(0x3f8), 'q');
    assert_true(pc_console_input(&pc, 'r', now));
    assert_int_equal(in(0x3f8), 'r');
    for (unsigned i = 0; i < 100; i++) {
        (void)in(0x60);
        pc_run(&pc, now += DEVICE_SECOND / 100);
    }
    pc.console = PC_CONSOLE_COM1;
    assert_true(pc_console_input(&pc, 's', now));
    assert_false(pc_console_input(&pc, 't', now + DEVICE_SECOND)); /* nowhere else to go */
    assert_int_equal(in(0x3f8), 's');
    assert_int_equal(in(0x64) & 1, 0);
    pc.console = PC_CONSOLE_KEYBOARD;
    assert_true(pc_console_input(&pc, 'a', now));
    assert_int_equal(in(0x60), 0x1e);
    assert_int_equal(in(0x3fd) & 1, 0);
}

static uint32_t memory_in(uint64_t gpa)
{
    const char *name;
    uint32_t value = (uint32_t)bus_memory_read(&pc.bus, gpa, 4, now, &name);

    assert_non_null(name);
    return value;
}

static void memory_out(uint64_t gpa, uint32_t value)
{
    const char *name;

    bus_memory_write(&pc.bus, gpa, 4, value, now, &name);
    assert_non_null(name);
}

static void redirect(unsigned pin, uint32_t low)
{
    memory_out(0xfec00000, 0x10 + 2 * pin);
    memory_out(0xfec00010, low);
}

/* The same request by the I/O APIC, edge- and level-triggered; IRQ 0 comes in at pin 2. */
static void ioapic_interrupts(void **state)
{
    (void)state;
    redirect(1, 0x51);          /* fixed, edge */
    redirect(4, 0x8000 | 0x64); /* level */
    assert_true(pc_console_input(&pc, 'a', now));
    assert_true(pc_interrupt_pending(&pc));
    assert_int_equal(pc_interrupt_acknowledge(&pc), 0x51);
    assert_false(pc_interrupt_pending(&pc));
    memory_out(0xfee000b0, 0);
    out(0x3fc, 0x08);
    out(0x3f9, 0x01);
    assert_int_equal(pc_interrupt_acknowledge(&pc), 0x64);
    memory_out(0xfee000b0, 0); /* its end, and the wire is high still */
    assert_int_equal(pc_interrupt_acknowledge(&pc), 0x64);
    assert_int_equal(in(0x3f8), 'a');
    memory_out(0xfee000b0, 0);
    assert_false(pc_interrupt_pending(&pc));
    redirect(2, 0x52);
    out(0x43, 0x34);
    out(0x40, 0);
    out(0x40, 0);
    while (!pc_interrupt_pending(&pc)) {
        now = pc_next_deadline(&pc);
        assert_true(now < DEVICE_SECOND);
        pc_run(&pc, now);
    }
    assert_int_equal(pc_interrupt_acknowledge(&pc), 0x52);
}

static void nmi(void **state)
{
    (void)state;
    assert_false(pc_nmi_pending(&pc));
    assert_false(pc_can_send_nmi(&pc));
    redirect(1, 0x10400);
    assert_false(pc_can_send_nmi(&pc)); /* masked */
    redirect(1, 0x400);                 /* delivery mode NMI */
    assert_true(pc_can_send_nmi(&pc));
    assert_true(pc_console_input(&pc, 'a', now));
    assert_true(pc_nmi_pending(&pc));
    assert_false(pc_interrupt_pending(&pc));
    pc_nmi_acknowledge(&pc);
    assert_false(pc_nmi_pending(&pc));
}

static void apic_page_moves(void **state)
{
    (void)state;
    assert_int_equal(memory_in(0xfee00020) >> 24, 0);
    assert_true(pc_write_apic_msr(&pc, LAPIC_MSR_BASE, 0xfe000000 | LAPIC_BASE_EN | LAPIC_BASE_BSP, now));
    assert_false(bus_has_memory(&pc.bus, 0xfee00020));
    assert_int_equal(memory_in(0xfe000030) & 0xff, 0x14);
    assert_true(bus_has_memory(&pc.bus, 0xfe000fff));
    assert_false(pc_write_apic_msr(&pc, LAPIC_MSR_BASE, UINT64_C(1) << 50 | LAPIC_BASE_EN, now));
    assert_true(bus_has_memory(&pc.bus, 0xfe000fff));
    assert_true(pc_write_apic_msr(&pc, LAPIC_MSR_BASE, 0xfe000000 | LAPIC_BASE_BSP, now));
    assert_false(bus_has_memory(&pc.bus, 0xfe000fff));
    assert_true(bus_has_memory(&pc.bus, 0xfec00000));
}

/* The HPET takes IRQ 0 over: the PIT's edges go nowhere until it gives it back. */
static void hpet_legacy_replacement(void **state)
{
    (void)state;
    start_pics();
    out(0x43, 0x30); /* mode 0: OUT is low until the end of the count, then high */
    out(0x40, 0x10);
    out(0x40, 0x00);
    memory_out(0xfed00010, 3); /* counting, legacy replacement */
    now = DEVICE_SECOND / 100;
    pc_run(&pc, now);
    assert_false(pc_interrupt_pending(&pc));
    memory_out(0xfed00010, 1);
    assert_true(pc_interrupt_pending(&pc)); /* the PIT's line is high */
    acknowledge(0x08);
    memory_out(0xfed00010, 3);
    memory_out(0xfed00108, memory_in(0xfed000f0) + 1000); /* timer 0: in 10 us, edge */
    memory_out(0xfed0010c, 0);
    memory_out(0xfed00100, 0x04);
    now = pc_next_deadline(&pc);
    pc_run(&pc, now);
    acknowledge(0x08);
    assert_in_range(now, DEVICE_SECOND / 100 + 9000, DEVICE_SECOND / 100 + 11000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ranges, reset),
        cmocka_unit_test_setup(outputs, reset),
        cmocka_unit_test_setup(ends, reset),
        cmocka_unit_test_setup(a20, reset),
        cmocka_unit_test_setup(nothing_at_first, reset),
        cmocka_unit_test_setup(uart_interrupts, reset),
        cmocka_unit_test_setup(timer_interrupt, reset),
        cmocka_unit_test_setup(clock_interrupt, reset),
        cmocka_unit_test_setup(console_input, reset),
        cmocka_unit_test_setup(ioapic_interrupts, reset),
        cmocka_unit_test_setup(nmi, reset),
        cmocka_unit_test_setup(apic_page_moves, reset),
        cmocka_unit_test_setup(hpet_legacy_replacement, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
