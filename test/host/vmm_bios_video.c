/* SPDX-License-Identifier: MIT */
/* vmm/bios/video.c, vmm/bios/video_text.c and vmm/bios/video_adapter.c: INT 10h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/host/simulated_bios.h"
#include "vmm/bios/video.h"
#include "vmm/devices/vga_text.h"

static struct simulated_bios machine;
static struct bios_registers r;

static void call(uint16_t ax, uint16_t bx, uint16_t cx, uint16_t dx)
{
    r = (struct bios_registers){.eax = ax, .ebx = bx, .ecx = cx, .edx = dx, .ebp = 0x5000, .flags = 0x0202};
    assert_int_equal(simulated_interrupt(&machine, 0x10, &r), BIOS_RETURN);
    assert_int_equal(r.flags, 0x0202);
}

static unsigned at(unsigned column, unsigned row)
{
    uint32_t place = VIDEO_MEMORY + (row * 80 + column) * 2;

    return machine.memory[place] | machine.memory[place + 1] << 8;
}

static void type(const char *text)
{
    for (; *text != '\0'; text++)
        call(0x0e00 | (uint8_t)*text, 0, 0, 0);
}

static unsigned cursor(void)
{
    call(0x0300, 0, 0, 0);
    return r.edx;
}

static void teletype(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    type("ab\bc\a\r\nd");
    assert_int_equal(at(0, 0), 0x0700 | 'a');
    assert_int_equal(at(1, 0), 0x0700 | 'c');
    assert_int_equal(at(0, 1), 0x0700 | 'd');
    assert_int_equal(cursor(), 0x0101);
    assert_string_equal(machine.printed, "abc\nd"); /* the console has no way back, and no bell */
    type("\r\b");
    assert_int_equal(cursor(), 0x0100);
}

static void the_last_row_scrolls(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    type("top\r\nsecond");
    call(0x0200, 0, 0, 0x184f); /* the last cell */
    call(0x0920, 0x0017, 1, 0);
    type("X");
    assert_int_equal(cursor(), 0x1800);
    assert_int_equal(at(0, 0), 0x0700 | 's');
    assert_int_equal(at(79, 23), 0x1700 | 'X');
    assert_int_equal(at(79, 24) & 0xff, ' ');
}

static void windows_scroll(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    for (unsigned row = 0; row < 25; row++)
        for (unsigned column = 0; column < 80; column++)
            machine.memory[VIDEO_MEMORY + (row * 80 + column) * 2] = (uint8_t)('A' + row);
    call(0x0602, 0x4e00, 0x0203, 0x050a); /* two lines up in rows 2 to 5, columns 3 to 10 */
    assert_int_equal(at(3, 2) & 0xff, 'E');
    assert_int_equal(at(10, 3) & 0xff, 'F');
    assert_int_equal(at(3, 4), 0x4e20);
    assert_int_equal(at(10, 5), 0x4e20);
    assert_int_equal(at(2, 2) & 0xff, 'C');
    assert_int_equal(at(11, 5) & 0xff, 'F');
    assert_int_equal(at(3, 6) & 0xff, 'G');
    call(0x0701, 0x0700, 0x0800, 0x0a4f); /* down */
    assert_int_equal(at(0, 8), 0x0720);
    assert_int_equal(at(0, 9) & 0xff, 'I');
    assert_int_equal(at(79, 10) & 0xff, 'J');
    call(0x0600, 0x1f00, 0x0000, 0xffff); /* all of it, and more than there is */
    for (unsigned i = 0; i < 2000; i++)
        assert_int_equal(at(i % 80, i / 80), 0x1f20);
    assert_int_equal(machine.memory[VIDEO_MEMORY + 4001], 0x07); /* behind it */
}

static void strings(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    memcpy(machine.memory + 0x5000, "x\x1ey\x2e", 4);
    call(0x1303, 0x0000, 2, 0x0305);
    assert_int_equal(at(5, 3), 0x1e00 | 'x');
    assert_int_equal(at(6, 3), 0x2e00 | 'y');
    assert_int_equal(cursor(), 0x0307);
    call(0x1300, 0x0047, 1, 0x0a00); /* the cursor stays */
    assert_int_equal(at(0, 10), 0x4700 | 'x');
    assert_int_equal(cursor(), 0x0307);
}

static void characters(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    call(0x0200, 0, 0, 0x0203);
    call(0x0900 | '#', 0x0012, 3, 0);
    assert_int_equal(at(5, 2), 0x1200 | '#');
    assert_int_equal(at(6, 2), 0x0720);
    call(0x0a00 | '+', 0x0055, 1, 0);
    assert_int_equal(at(3, 2), 0x1200 | '+');
    call(0x0800, 0, 0, 0);
    assert_int_equal(r.eax, 0x1200 | '+');
    assert_int_equal(cursor(), 0x0203);
}

static void modes(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    type("x");
    call(0x0083, 0, 0, 0); /* the screen's text stays */
    assert_int_equal(at(0, 0) & 0xff, 'x');
    call(0x0f00, 0, 0, 0);
    assert_int_equal(r.eax, 0x5083);
    call(0x0001, 0, 0, 0);
    call(0x0f00, 0, 0, 0);
    assert_int_equal(r.eax, 0x2801);
    assert_int_equal(at(0, 0), 0x0720);
    call(0x0013, 0, 0, 0); /* graphics are not there: the mode stays */
    assert_true(machine.call.missing);
    call(0x0f00, 0, 0, 0);
    assert_int_equal(r.eax, 0x2801);
    call(0x0003, 0, 0, 0);
    call(0x0501, 0, 0, 0); /* the second page */
    call(0x0f00, 0, 0, 0);
    assert_int_equal(r.ebx, 0x0100);
    type("p");
    assert_int_equal(machine.memory[VIDEO_MEMORY + 0x1000], 'p');
}

/* The adapter behind the ports is a real one: what its screen shows is what the BIOS thinks that it does. */
static struct vga_text vga;
static struct bus bus;

static uint8_t vga_in(void *context, uint16_t port)
{
    const char *name;

    (void)context;
    return (uint8_t)bus_port_read(&bus, port, 1, 0, &name);
}

static void vga_out(void *context, uint16_t port, uint8_t value)
{
    const char *name;

    (void)context;
    bus_port_write(&bus, port, 1, value, 0, &name);
}

static void start_with_adapter(void)
{
    simulated_bios_start(&machine);
    bus_init(&bus);
    vga_text_reset(&vga);
    assert_true(vga_text_attach(&vga, &bus));
    machine.access.port_read = vga_in;
    machine.access.port_write = vga_out;
}

static void expect_row(unsigned row, const char *expected)
{
    struct vga_text_screen screen = vga_text_screen(&vga);
    char text[VGA_TEXT_COLUMNS_MAX + 1];

    (void)vga_text_row(&screen, machine.memory + VIDEO_MEMORY, row, text);
    assert_string_equal(text, expected);
}

static void screen_is(unsigned columns, unsigned column, unsigned row)
{
    struct vga_text_screen screen = vga_text_screen(&vga);

    assert_true(screen.text);
    assert_int_equal(screen.columns, columns);
    assert_int_equal(screen.pitch, columns);
    assert_int_equal(screen.rows, 25);
    assert_int_equal(screen.start, 0);
    assert_true(screen.cursor);
    assert_int_equal(screen.cursor_column, column);
    assert_int_equal(screen.cursor_row, row);
}

/* Modes 0 and 1: 40 cells a row in the memory, for the adapter as well; pages of 2 KiB. */
static void forty_columns(void **state)
{
    (void)state;
    for (uint16_t mode = 0; mode < 4; mode++) {
        unsigned columns = mode < 2 ? 40 : 80, page = columns == 40 ? 0x800 : 0x1000;
        static const uint8_t control[] = {0x2c, 0x28, 0x2d, 0x29};

        start_with_adapter();
        machine.memory[VIDEO_MEMORY + VIDEO_SIZE - 2] = 'o'; /* of the mode before */
        vga_out(NULL, 0x3d4, 0x13);
        vga_out(NULL, 0x3d5, 0x99); /* a program has changed registers; the mode brings them back */
        vga_out(NULL, 0x3c6, 0x00);
        vga_out(NULL, 0x3c8, 0x07);
        vga_out(NULL, 0x3c9, 0x01);
        call(mode, 0, 0, 0);
        call(0x0f00, 0, 0, 0);
        assert_int_equal(r.eax, columns << 8 | mode);
        assert_int_equal(machine.memory[BDA_VIDEO_PAGE_SIZE] | machine.memory[BDA_VIDEO_PAGE_SIZE + 1] << 8,
                         page);
        assert_int_equal(machine.memory[BDA_CRT_MODE_CONTROL], control[mode]);
        assert_int_equal(machine.memory[VIDEO_MEMORY + VIDEO_SIZE - 2], ' ');
        screen_is(columns, 0, 0);
        assert_memory_equal(vga.crtc + 0x10, vga_text_mode(columns)->crtc + 0x10, VGA_CRTC - 0x10);
        assert_memory_equal(vga.sequencer, vga_text_mode(columns)->sequencer, VGA_SEQUENCER);
        assert_memory_equal(vga.attribute, vga_text_mode(columns)->attribute, VGA_ATTRIBUTE);
        assert_int_equal(vga.attribute_index, 0x20); /* the screen is on */
        assert_int_equal(vga.dac[7][0], 0x2a);
        assert_int_equal(vga.dac_mask, 0xff);
        call(0x0200, 0, 0, (uint16_t)(columns - 2));
        type("abcd"); /* over the end of the row */
        assert_int_equal(machine.memory[VIDEO_MEMORY + columns * 2], 'c');
        expect_row(1, "cd");
        screen_is(columns, 2, 1);
        call(0x0200, 0, 0, 0x1800);
        type("\n"); /* the last row: everything moves up */
        expect_row(0, "cd");
        call(0x0501, 0, 0, 0);
        type("p");
        assert_int_equal(machine.memory[VIDEO_MEMORY + page], 'p');
        expect_row(0, "p");
    }
}

/* The adapter is told where its cursor is, and which page to show. */
static void registers_of_the_adapter(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    call(0x0200, 0, 0, 0x0305);
    assert_int_equal(machine.crtc[0x0e] << 8 | machine.crtc[0x0f], 3 * 80 + 5);
    type("ab");
    assert_int_equal(machine.crtc[0x0e] << 8 | machine.crtc[0x0f], 3 * 80 + 7);
    call(0x0200, 0x0100, 0, 0x0101); /* of a page that is not shown */
    assert_int_equal(machine.crtc[0x0e] << 8 | machine.crtc[0x0f], 3 * 80 + 7);
    call(0x0501, 0, 0, 0);
    assert_int_equal(machine.crtc[0x0c] << 8 | machine.crtc[0x0d], 0x800);
    assert_int_equal(machine.crtc[0x0e] << 8 | machine.crtc[0x0f], 0x800 + 81);
    call(0x0100, 0, 0x2607, 0);
    assert_int_equal(machine.crtc[0x0a], 0x26);
    assert_int_equal(machine.crtc[0x0b], 0x07);
    call(0x0003, 0, 0, 0);
    assert_int_equal(machine.crtc[0x0a], 0x06);
    assert_int_equal(machine.crtc[0x0c] | machine.crtc[0x0d] | machine.crtc[0x0e] | machine.crtc[0x0f], 0);
}

static void adapter(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    call(0x1130, 0x0600, 0, 0);
    assert_true(r.set_es);
    assert_int_equal(r.es, 0xf000);
    assert_int_equal(r.ebp, 0xd000);
    assert_int_equal(r.ecx, 16);
    assert_int_equal(r.edx, 24);
    call(0x1130, 0x0100, 0, 0); /* by vector 43h */
    assert_int_equal(r.ebp, 0xd000);
    call(0x1130, 0x0300, 0, 0);
    assert_int_equal(r.ebp, 0xe000);
    call(0x1130, 0x0200, 0, 0);
    assert_true(machine.call.missing);
    call(0x1a00, 0, 0, 0);
    assert_int_equal(r.eax, 0x1a1a);
    assert_int_equal(r.ebx, 8);
    call(0x1200, 0x0010, 0, 0);
    assert_int_equal(r.ebx, 3);
}

/* The data area is the guest's memory: whatever it writes there, nothing goes outside of the screen. */
static void spoilt_data(void **state)
{
    static uint8_t before[SIMULATED_MEMORY];

    (void)state;
    simulated_bios_start(&machine);
    memset(machine.memory + BDA_VIDEO_MODE, 0xff, 0x20);
    machine.memory[BDA_VIDEO_ROWS] = 0xff;
    memcpy(before, machine.memory, sizeof(before));
    type("hello\r\n\n\n");
    call(0x0605, 0, 0, 0xffff);
    assert_memory_equal(before + 0xc0000, machine.memory + 0xc0000, sizeof(before) - 0xc0000);
    assert_memory_equal(before + 0x500, machine.memory + 0x500, VIDEO_MEMORY - 0x500);
}

/* As the stub does it: again and again until it is done, late after so many looks each time. */
static unsigned call_in_parts(struct bios_registers registers, unsigned patience)
{
    unsigned calls = 1;

    simulated_bios_start(&machine);
    for (unsigned i = 0; i < 600; i++)
        machine.memory[0x5000 + i] = i % 37 == 0 ? '\n' : (uint8_t)('a' + i % 26);
    machine.patience = patience;
    while (simulated_interrupt(&machine, 0x10, &registers) == BIOS_AGAIN) {
        assert_int_not_equal(registers.progress, 0);
        machine.patience = patience;
        calls++;
    }
    assert_int_equal(registers.progress, 0);
    return calls;
}

static void long_calls_go_on(void **state)
{
    static const struct bios_registers calls[] = {
        {.eax = 0x1300, .ebx = 7, .ecx = 600, .edx = 0x1705, .ebp = 0x5000},
        {.eax = 0x1301, .ebx = 7, .ecx = 600, .edx = 0x1705, .ebp = 0x5000},
        {.eax = 0x1303, .ebx = 7, .ecx = 300, .edx = 0x1705, .ebp = 0x5000},
        {.eax = 0x0958, .ebx = 0x1e, .ecx = 2000},
        {.eax = 0x0a59, .ecx = 0xffff},
    };
    static uint8_t whole[SIMULATED_MEMORY];
    static char printed[sizeof(machine.printed)];

    (void)state;
    for (unsigned n = 0; n < sizeof(calls) / sizeof(calls[0]); n++) {
        assert_int_equal(call_in_parts(calls[n], 0), 1);
        memcpy(whole, machine.memory, sizeof(whole));
        memcpy(printed, machine.printed, sizeof(printed));
        for (unsigned patience = 1; patience < 6; patience++) {
            assert_in_range(call_in_parts(calls[n], patience), 2, 600);
            assert_memory_equal(machine.memory, whole, sizeof(whole));
            assert_memory_equal(machine.printed, printed, sizeof(printed));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(teletype),         cmocka_unit_test(the_last_row_scrolls),
        cmocka_unit_test(windows_scroll),   cmocka_unit_test(strings),
        cmocka_unit_test(characters),       cmocka_unit_test(modes),
        cmocka_unit_test(forty_columns),    cmocka_unit_test(registers_of_the_adapter),
        cmocka_unit_test(adapter),          cmocka_unit_test(spoilt_data),
        cmocka_unit_test(long_calls_go_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
