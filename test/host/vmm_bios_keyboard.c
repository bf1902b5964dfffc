/* SPDX-License-Identifier: MIT */
/* vmm/bios/keyboard.c and vmm/bios/keys.c: INT 16h and IRQ 1. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/host/simulated_bios.h"
#include "vmm/bios/keys.h"

static struct simulated_bios machine;
static struct bios_registers r;

static enum bios_outcome call(uint16_t ax, uint16_t cx)
{
    r = (struct bios_registers){.eax = ax, .ecx = cx, .flags = 0x0202};
    return simulated_interrupt(&machine, 0x16, &r);
}

/* Scan codes as they come from the keyboard. */
static enum bios_outcome scan(const uint8_t *codes, unsigned count)
{
    enum bios_outcome outcome = BIOS_RETURN;

    for (unsigned i = 0; i < count; i++) {
        r = (struct bios_registers){.ebx = codes[i]};
        outcome = simulated_interrupt(&machine, 0x09, &r);
    }
    return outcome;
}

#define SCAN(...) scan((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void next_key(uint16_t key)
{
    assert_int_equal(call(0x1000, 0), BIOS_RETURN);
    assert_int_equal(r.eax, key);
}

static void empty(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    assert_int_equal(call(0x0000, 0), BIOS_HALT);
    assert_int_equal(call(0x0100, 0), BIOS_RETURN);
    assert_int_equal(r.flags, 0x0202 | FLAGS_ZF);
    assert_int_equal(r.eax, 0x0100);
}

static void letters_and_shifts(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    (void)SCAN(0x1e, 0x9e);                         /* a */
    (void)SCAN(0x2a, 0x1e, 0x9e, 0x02, 0x82, 0xaa); /* Shift: A ! */
    (void)SCAN(0x1d, 0x2e, 0xae, 0x9d);             /* Ctrl-C */
    (void)SCAN(0x38, 0x1e, 0x9e, 0xb8);             /* Alt-A */
    (void)SCAN(0x3a, 0xba, 0x1e, 0x9e, 0x02, 0x82); /* Caps Lock: A 1 */
    (void)SCAN(0x36, 0x1e, 0xb6, 0x3a, 0xba);       /* and Shift: a */
    next_key(0x1e61);
    next_key(0x1e41);
    next_key(0x0221);
    next_key(0x2e03);
    next_key(0x1e00);
    next_key(0x1e41);
    next_key(0x0231);
    next_key(0x1e61);
    assert_int_equal(call(0x1000, 0), BIOS_HALT);
    assert_int_equal(machine.memory[BDA_KEYBOARD_FLAGS], 0);
}

static void separate_keys(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    (void)SCAN(0xe0, 0x48, 0xe0, 0xc8);             /* up */
    (void)SCAN(0x48);                               /* up, of the keypad */
    (void)SCAN(0x45, 0xc5, 0x48);                   /* Num Lock: 8 */
    (void)SCAN(0xe0, 0x2a, 0xe0, 0x47, 0xe0, 0xaa); /* home, in the brackets that Num Lock makes */
    (void)SCAN(0xe0, 0x1c, 0xe0, 0x35);             /* Enter and / of the keypad */
    (void)SCAN(0x57);                               /* F11 */
    next_key(0x48e0);
    next_key(0x4800);
    next_key(0x4838);
    next_key(0x47e0);
    next_key(0xe00d);
    next_key(0xe02f);
    next_key(0x8500);
    (void)SCAN(0x45, 0xe0, 0x48, 0x57, 0xe0, 0x1c, 0x1e); /* for the old calls: up, none, Enter, a */
    assert_int_equal(call(0x0000, 0), BIOS_RETURN);
    assert_int_equal(r.eax, 0x4800);
    assert_int_equal(call(0x0000, 0), BIOS_RETURN);
    assert_int_equal(r.eax, 0x1c0d);
    assert_int_equal(call(0x0000, 0), BIOS_RETURN);
    assert_int_equal(r.eax, 0x1e61);
}

static void flags(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    (void)SCAN(0x2a, 0x36, 0x1d, 0xe0, 0x38); /* both Shifts, left Ctrl, right Alt */
    (void)call(0x0200, 0);
    assert_int_equal(r.eax & 0xff, 0x0f);
    (void)call(0x1200, 0);
    assert_int_equal(r.eax, 0x090f);
    (void)SCAN(0xe0, 0x1d, 0x9d); /* the right Ctrl is still down */
    (void)call(0x0200, 0);
    assert_int_equal(r.eax & 0xff, 0x0f);
    (void)SCAN(0xe0, 0x9d, 0xaa, 0xb6, 0xe0, 0xb8);
    (void)call(0x0200, 0);
    assert_int_equal(r.eax & 0xff, 0);
    (void)SCAN(0x3a, 0x3a, 0x3a, 0xba); /* a lock that is held changes once */
    (void)call(0x0200, 0);
    assert_int_equal(r.eax & 0xff, KEYS_CAPS_LOCK);
}

static void break_key(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    (void)SCAN(0x1e);
    assert_int_equal(SCAN(0x1d, 0xe0, 0x46), BIOS_BREAK);
    assert_int_equal(machine.memory[BDA_BREAK], 0x80);
    next_key(0x0000);
    assert_int_equal(call(0x1000, 0), BIOS_HALT);
}

static void the_buffer_holds_fifteen(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 15; i++) {
            (void)call(0x0500, (uint16_t)(0x1000 + i));
            assert_int_equal(r.eax & 0xff, 0);
        }
        (void)call(0x0500, 0x2222);
        assert_int_equal(r.eax & 0xff, 1);
        assert_true(r.flags & FLAGS_CF);
        (void)SCAN(0x1e); /* lost */
        for (unsigned i = 0; i < 15; i++)
            next_key((uint16_t)(0x1000 + i));
        assert_int_equal(call(0x1000, 0), BIOS_HALT);
    }
}

/* The places of head and tail are the guest's memory. */
static void spoilt_buffer(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    memset(machine.memory + BDA_KEYBOARD_HEAD, 0xff, 4);
    memset(machine.memory + BDA_KEYBOARD_START, 0xff, 4);
    (void)call(0x0500, 0x1111);
    machine.memory[BDA_KEYBOARD_HEAD] = 3;
    assert_int_equal(call(0x0100, 0), BIOS_RETURN);
    (void)call(0x0000, 0);
}

static void keys(void **state)
{
    (void)state;
    assert_int_equal(bios_key(0x01, false, 0), 0x011b);
    assert_int_equal(bios_key(0x0e, false, KEYS_CTRL), 0x0e7f);
    assert_int_equal(bios_key(0x0f, false, KEYS_LEFT_SHIFT), 0x0f00);
    assert_int_equal(bios_key(0x0f, false, KEYS_CTRL), 0x9400);
    assert_int_equal(bios_key(0x1c, false, KEYS_CTRL), 0x1c0a);
    assert_int_equal(bios_key(0x02, false, KEYS_ALT), 0x7800);
    assert_int_equal(bios_key(0x03, false, KEYS_CTRL), 0x0300);
    assert_int_equal(bios_key(0x28, false, KEYS_RIGHT_SHIFT), 0x2822);
    assert_int_equal(bios_key(0x35, false, 0), 0x352f);
    assert_int_equal(bios_key(0x2b, false, 0), 0x2b5c);
    assert_int_equal(bios_key(0x37, false, 0), 0x372a);
    assert_int_equal(bios_key(0x39, false, KEYS_ALT), 0x3920);
    assert_int_equal(bios_key(0x3b, false, 0), 0x3b00);
    assert_int_equal(bios_key(0x44, false, KEYS_CTRL), 0x6700);
    assert_int_equal(bios_key(0x3b, false, KEYS_LEFT_SHIFT), 0x5400);
    assert_int_equal(bios_key(0x58, false, KEYS_ALT), 0x8c00);
    assert_int_equal(bios_key(0x53, false, KEYS_NUM_LOCK), 0x532e);
    assert_int_equal(bios_key(0x53, false, KEYS_NUM_LOCK | KEYS_LEFT_SHIFT), 0x5300);
    assert_int_equal(bios_key(0x4a, false, 0), 0x4a2d);
    assert_int_equal(bios_key(0x47, true, KEYS_CTRL), 0x77e0);
    assert_int_equal(bios_key(0x53, true, KEYS_ALT), 0xa300);
    for (unsigned scan_code = 0; scan_code < 256; scan_code++) /* whatever comes, no more than a key */
        for (unsigned state_bits = 0; state_bits < 256; state_bits++) {
            (void)bios_key((uint8_t)scan_code, false, (uint8_t)state_bits);
            (void)bios_key((uint8_t)scan_code, true, (uint8_t)state_bits);
        }
    assert_int_equal(bios_key(0x59, false, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty),         cmocka_unit_test(letters_and_shifts),
        cmocka_unit_test(separate_keys), cmocka_unit_test(flags),
        cmocka_unit_test(break_key),     cmocka_unit_test(the_buffer_holds_fifteen),
        cmocka_unit_test(spoilt_buffer), cmocka_unit_test(keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
