/* SPDX-License-Identifier: MIT */
/* vmm/devices/pit_counter.c: each mode of the 8254 against its timing diagrams, tick by tick, and jumps
 * against single ticks. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "vmm/devices/pit_counter.h"

#define LSB  0x10
#define MSB  0x20
#define BOTH 0x30
#define BCD  0x01

static struct pit_counter counter;

static int reset(void **state)
{
    (void)state;
    memset(&counter, 0xff, sizeof(counter));
    counter.gate = true;
    pit_counter_reset(&counter, 0);
    return 0;
}

static void control(uint8_t mode, uint8_t access)
{
    pit_counter_control(&counter, (uint8_t)(access | mode << 1));
}

static void write16(uint16_t value)
{
    pit_counter_write(&counter, (uint8_t)value);
    pit_counter_write(&counter, (uint8_t)(value >> 8));
}

static uint16_t element(void)
{
    uint16_t value;

    pit_counter_latch_count(&counter);
    value = pit_counter_read(&counter);
    if (counter.count_latched)
        value |= (uint16_t)(pit_counter_read(&counter) << 8);
    return value;
}

/* OUT at each tick from the next one on, as in the data sheet's diagrams: '-' high, '_' low. */
static void expect_out(const char *levels)
{
    for (; *levels != '\0'; levels++) {
        pit_counter_advance(&counter, counter.at + 1);
        if (counter.out != (*levels == '-'))
            fail_msg("tick %lu: out=%d, then %s", (unsigned long)counter.at, counter.out, levels);
    }
}

static void expect_elements(const uint16_t *values, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        pit_counter_advance(&counter, counter.at + 1);
        assert_int_equal(element(), values[i]);
    }
}

#define EXPECT_ELEMENTS(...)                                                                                 \
    expect_elements((const uint16_t[]){__VA_ARGS__}, sizeof((uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t))

static void mode_0(void **state)
{
    (void)state;
    control(0, LSB);
    assert_false(counter.out);
    expect_out("____");
    pit_counter_write(&counter, 4);
    expect_out("____-----"); /* N + 1 ticks after the write */
    pit_counter_write(&counter, 2);
    assert_false(counter.out);
    EXPECT_ELEMENTS(2, 1, 0, 0xff, 0xfe); /* goes on from the top; LSB alone is read */
    assert_true(counter.out);
    control(0, LSB);
    assert_false(counter.out);
}

static void mode_0_gate(void **state)
{
    (void)state;
    control(0, LSB);
    pit_counter_write(&counter, 4);
    EXPECT_ELEMENTS(4, 3);
    pit_counter_gate(&counter, false);
    EXPECT_ELEMENTS(3, 3, 3);
    pit_counter_write(&counter, 3); /* is loaded though the gate is low */
    EXPECT_ELEMENTS(3, 3);
    assert_false(counter.null_count);
    pit_counter_gate(&counter, true);
    expect_out("__-"); /* no tick for a load */
    pit_counter_gate(&counter, false);
    assert_true(counter.out);
}

static void mode_0_two_bytes(void **state)
{
    (void)state;
    control(0, BOTH);
    write16(0x0103);
    EXPECT_ELEMENTS(0x103, 0x102);
    pit_counter_write(&counter, 0x02); /* stops */
    EXPECT_ELEMENTS(0x102, 0x102);
    assert_false(counter.out);
    pit_counter_write(&counter, 0x00);
    EXPECT_ELEMENTS(2, 1);
    assert_false(counter.out);
    EXPECT_ELEMENTS(0, 0xffff);
    assert_true(counter.out);
    pit_counter_write(&counter, 0x05); /* the first byte already lowers OUT */
    assert_false(counter.out);
    expect_out("___");
}

static void mode_0_new_count_on_the_last_tick(void **state)
{
    (void)state;
    control(0, LSB);
    pit_counter_write(&counter, 3);
    expect_out("___");
    pit_counter_write(&counter, 2); /* zero of the old one and the load are the same tick */
    expect_out("__-");
}

static void mode_1(void **state)
{
    (void)state;
    control(1, LSB);
    assert_true(counter.out);
    pit_counter_gate(&counter, false);
    pit_counter_gate(&counter, true); /* no count yet: no trigger */
    expect_out("---");
    pit_counter_write(&counter, 3);
    expect_out("----");
    pit_counter_gate(&counter, false);
    pit_counter_gate(&counter, true);
    expect_out("___---");
    pit_counter_gate(&counter, false);
    expect_out("--");
    pit_counter_gate(&counter, true);
    expect_out("__");
    pit_counter_gate(&counter, false);
    pit_counter_write(&counter, 5); /* not for this pulse */
    pit_counter_gate(&counter, true);
    expect_out("_____-");              /* retriggered, with the new count */
    pit_counter_gate(&counter, false); /* the level does nothing */
    EXPECT_ELEMENTS(0xff, 0xfe);
}

static void mode_1_new_count(void **state)
{
    (void)state;
    control(1, LSB);
    pit_counter_write(&counter, 2);
    pit_counter_gate(&counter, false);
    pit_counter_gate(&counter, true);
    EXPECT_ELEMENTS(2);
    pit_counter_write(&counter, 4);
    assert_true(counter.null_count);
    EXPECT_ELEMENTS(1, 0, 0xff, 0xfe);
    assert_true(counter.null_count);
    pit_counter_gate(&counter, false);
    pit_counter_gate(&counter, true);
    EXPECT_ELEMENTS(4, 3, 2, 1);
    assert_false(counter.null_count);
}

static void mode_2(void **state)
{
    (void)state;
    control(2, LSB);
    expect_out("---");
    pit_counter_write(&counter, 3);
    expect_out("--_--_--_");
    pit_counter_write(&counter, 4); /* from the next cycle on */
    expect_out("---_---_");
    EXPECT_ELEMENTS(4, 3, 2, 1, 4);
    pit_counter_write(&counter, 5);
    assert_true(counter.null_count);
    EXPECT_ELEMENTS(3, 2, 1);
    assert_true(counter.null_count);
    EXPECT_ELEMENTS(5);
    assert_false(counter.null_count);
}

static void mode_2_gate(void **state)
{
    (void)state;
    control(2, LSB);
    pit_counter_write(&counter, 3);
    expect_out("--_");
    pit_counter_gate(&counter, false);
    assert_true(counter.out); /* at once */
    expect_out("----");
    pit_counter_gate(&counter, true);
    expect_out("--_--_"); /* loads on the next tick */
    expect_out("-");
    pit_counter_write(&counter, 4);
    pit_counter_gate(&counter, false);
    pit_counter_gate(&counter, true);
    expect_out("---_---_"); /* the trigger takes the new count */
}

static void mode_3(void **state)
{
    (void)state;
    control(3, LSB);
    pit_counter_write(&counter, 4);
    expect_out("--__--__");
    EXPECT_ELEMENTS(4, 2, 4, 2, 4);
    control(3, LSB);
    pit_counter_write(&counter, 5);
    expect_out("---__---__");
    EXPECT_ELEMENTS(4, 2, 0, 4, 2, 4);
    control(7, LSB); /* modes 6 and 7 are 2 and 3 */
    pit_counter_write(&counter, 2);
    assert_int_equal(counter.mode, 3);
    expect_out("-_-_");
    control(6, LSB);
    assert_int_equal(counter.mode, 2);
}

static void mode_3_new_count(void **state)
{
    (void)state;
    control(3, LSB);
    pit_counter_write(&counter, 4);
    expect_out("-");
    pit_counter_write(&counter, 8);
    expect_out("-____----____"); /* from the next half-cycle on */
    pit_counter_write(&counter, 3);
    expect_out("--_--_");
}

static void mode_3_gate(void **state)
{
    (void)state;
    control(3, LSB);
    pit_counter_write(&counter, 6);
    expect_out("---_");
    pit_counter_gate(&counter, false);
    assert_true(counter.out);
    expect_out("-----");
    pit_counter_gate(&counter, true);
    expect_out("---___---_");
    pit_counter_write(&counter, 2);
    pit_counter_gate(&counter, false);
    pit_counter_gate(&counter, true);
    expect_out("-_-_");
}

static void mode_4(void **state)
{
    (void)state;
    control(4, LSB);
    expect_out("--");
    pit_counter_write(&counter, 3);
    expect_out("---_-----"); /* N + 1 after the write, once */
    pit_counter_write(&counter, 3);
    expect_out("--");
    pit_counter_write(&counter, 2); /* loaded at once */
    expect_out("--_-");
    pit_counter_write(&counter, 2);
    expect_out("-");
    pit_counter_gate(&counter, false);
    expect_out("----");
    pit_counter_gate(&counter, true);
    expect_out("-_");
    pit_counter_gate(&counter, false); /* no effect on OUT */
    assert_false(counter.out);
    expect_out("--");
    pit_counter_advance(&counter, counter.at + 200000);
    assert_true(counter.out);
}

static void mode_4_two_bytes(void **state)
{
    (void)state;
    control(4, BOTH);
    write16(4);
    EXPECT_ELEMENTS(4, 3);
    pit_counter_write(&counter, 9); /* no effect */
    EXPECT_ELEMENTS(2, 1);
    pit_counter_write(&counter, 0);
    expect_out("_--------_-"); /* the old strobe and the load on one tick; N + 1 after the write */
}

static void mode_5(void **state)
{
    (void)state;
    control(5, LSB);
    pit_counter_write(&counter, 3);
    expect_out("-----");
    pit_counter_gate(&counter, false);
    pit_counter_gate(&counter, true);
    expect_out("---_----"); /* N + 1 after the trigger */
    pit_counter_gate(&counter, false);
    pit_counter_gate(&counter, true);
    pit_counter_gate(&counter, false); /* the level does not stop it */
    expect_out("--");
    pit_counter_gate(&counter, true);
    expect_out("---_-"); /* retriggered */
    pit_counter_write(&counter, 1);
    expect_out("-----");
    pit_counter_gate(&counter, false);
    pit_counter_gate(&counter, true);
    expect_out("-_-");
}

static void decimal(void **state)
{
    (void)state;
    control(2, BOTH | BCD);
    write16(0x1002);
    EXPECT_ELEMENTS(0x1002, 0x1001, 0x1000, 0x0999);
    pit_counter_advance(&counter, counter.at + 998);
    assert_int_equal(element(), 0x0001);
    EXPECT_ELEMENTS(0x1002);
    control(0, BOTH | BCD);
    write16(0x0000); /* 10000 */
    EXPECT_ELEMENTS(0x0000, 0x9999, 0x9998);
    pit_counter_advance(&counter, counter.at + 9998);
    assert_true(counter.out);
    assert_int_equal(element(), 0x0000);
    EXPECT_ELEMENTS(0x9999);
}

static void largest_and_smallest_counts(void **state)
{
    (void)state;
    control(2, BOTH);
    write16(0);
    assert_int_equal(pit_counter_advance(&counter, 1 + 65536 * 10), 10);
    assert_int_equal(element(), 0);
    control(3, BOTH);
    write16(0);
    pit_counter_advance(&counter, counter.at + 1);
    assert_int_equal(pit_counter_next_edge(&counter), counter.at + 32768);
    control(2, LSB);
    pit_counter_write(&counter, 1); /* illegal: as 2 */
    expect_out("-_-_");
    control(3, LSB);
    pit_counter_write(&counter, 1);
    expect_out("-_-_");
    control(0, LSB);
    pit_counter_write(&counter, 1);
    expect_out("_-");
}

static void byte_access(void **state)
{
    (void)state;
    control(2, MSB);
    pit_counter_write(&counter, 0x12);
    pit_counter_advance(&counter, counter.at + 1);
    assert_int_equal(pit_counter_read(&counter), 0x12);
    pit_counter_advance(&counter, counter.at + 1);
    assert_int_equal(pit_counter_read(&counter), 0x11);
    assert_int_equal(pit_counter_read(&counter), 0x11);
    control(2, LSB);
    pit_counter_write(&counter, 0x12);
    pit_counter_advance(&counter, counter.at + 1);
    assert_int_equal(counter.element, 0x12);
    control(2, BOTH);
    write16(0x1234);
    pit_counter_advance(&counter, counter.at + 1);
    assert_int_equal(pit_counter_read(&counter), 0x34);
    pit_counter_write(&counter, 0x78); /* reads and writes take turns on their own */
    assert_int_equal(pit_counter_read(&counter), 0x12);
    pit_counter_write(&counter, 0x56);
    pit_counter_advance(&counter, counter.at + 0x1234);
    assert_int_equal(element(), 0x5678);
    pit_counter_write(&counter, 0x78);
    control(2, BOTH); /* the first byte is first again */
    write16(0x0101);
    pit_counter_advance(&counter, counter.at + 1);
    assert_int_equal(element(), 0x0101);
}

static void latches(void **state)
{
    (void)state;
    control(2, BOTH);
    write16(0x1000);
    pit_counter_advance(&counter, counter.at + 1);
    pit_counter_latch_count(&counter);
    pit_counter_advance(&counter, counter.at + 0x10);
    pit_counter_latch_count(&counter); /* does nothing: one is held */
    pit_counter_latch_status(&counter);
    pit_counter_advance(&counter, counter.at + 0xff0 - 1);
    pit_counter_latch_status(&counter);
    assert_false(counter.out);
    assert_int_equal(pit_counter_read(&counter), 0xb4); /* the status comes first */
    assert_int_equal(pit_counter_read(&counter), 0x00);
    assert_int_equal(pit_counter_read(&counter), 0x10);
    assert_int_equal(pit_counter_read(&counter), 0x01); /* live again */
    assert_int_equal(pit_counter_read(&counter), 0x00);
    pit_counter_latch_status(&counter);
    assert_int_equal(pit_counter_read(&counter), 0x34); /* OUT low */
    pit_counter_latch_count(&counter);
    control(4, LSB); /* programming lets the latch go */
    assert_false(counter.count_latched);
    pit_counter_latch_status(&counter);
    assert_int_equal(pit_counter_read(&counter), 0xd8); /* OUT, null count, LSB, mode 4 */
    pit_counter_write(&counter, 5);
    pit_counter_latch_status(&counter);
    assert_int_equal(pit_counter_read(&counter), 0xd8);
    pit_counter_advance(&counter, counter.at + 1);
    pit_counter_latch_status(&counter);
    assert_int_equal(pit_counter_read(&counter), 0x98);
    control(3, BOTH | BCD);
    pit_counter_latch_status(&counter);
    assert_int_equal(pit_counter_read(&counter), 0xf7);
}

/* "D5 through D0 contain the counter's programmed Mode exactly as written in the last Mode Control Word." */
static void status_shows_the_control_word(void **state)
{
    (void)state;
    pit_counter_latch_status(&counter);
    assert_int_equal(pit_counter_read(&counter), 0x70); /* after a reset: no count yet */
    for (unsigned word = LSB; word <= (BOTH | 0x0f); word++) {
        pit_counter_control(&counter, (uint8_t)(0x80 | word));
        pit_counter_latch_status(&counter);
        assert_int_equal(pit_counter_read(&counter) & 0x3f, word);
        assert_int_equal(counter.mode, (word >> 1 & 7) < 6 ? word >> 1 & 7 : (word >> 1 & 7) - 4);
    }
}

/* However time is cut, the state is the same: jumps against single ticks, random commands in between. */
static void jumps_are_single_ticks(void **state)
{
    uint32_t random = 1;
    struct pit_counter jumping;

    (void)state;
    jumping = counter;
    for (unsigned step = 0; step < 20000; step++) {
        uint64_t target, rises = 0, edge = pit_counter_next_edge(&counter);
        bool out = counter.out;

        random = random * 1664525 + 1013904223;
        target = counter.at + (random >> 16) % 40;
        while (counter.at < target) {
            rises += pit_counter_advance(&counter, counter.at + 1);
            if (counter.out != out) { /* the first edge is the one that was foretold */
                assert_true(edge == counter.at || edge == PIT_NEVER - 1);
                edge = PIT_NEVER - 1;
            }
        }
        assert_true(edge == PIT_NEVER - 1 || edge > counter.at);
        assert_int_equal(pit_counter_advance(&jumping, target), rises);
        assert_int_equal(jumping.at, counter.at);
        assert_int_equal(jumping.out, counter.out);
        assert_int_equal(jumping.element, counter.element);
        assert_int_equal(jumping.null_count, counter.null_count);
        random = random * 1664525 + 1013904223;
        switch (random >> 28) {
        case 0:
            pit_counter_control(&counter, (uint8_t)(LSB | (random >> 8 & 0xf)));
            break;
        case 1:
        case 2:
        case 3:
        case 4:
            pit_counter_write(&counter, (uint8_t)(random >> 8) % 12);
            break;
        case 5:
        case 6:
            pit_counter_gate(&counter, !counter.gate);
            break;
        default:
            break;
        }
        jumping = counter;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(mode_0, reset),
        cmocka_unit_test_setup(mode_0_gate, reset),
        cmocka_unit_test_setup(mode_0_two_bytes, reset),
        cmocka_unit_test_setup(mode_0_new_count_on_the_last_tick, reset),
        cmocka_unit_test_setup(mode_1, reset),
        cmocka_unit_test_setup(mode_1_new_count, reset),
        cmocka_unit_test_setup(mode_2, reset),
        cmocka_unit_test_setup(mode_2_gate, reset),
        cmocka_unit_test_setup(mode_3, reset),
        cmocka_unit_test_setup(mode_3_new_count, reset),
        cmocka_unit_test_setup(mode_3_gate, reset),
        cmocka_unit_test_setup(mode_4, reset),
        cmocka_unit_test_setup(mode_4_two_bytes, reset),
        cmocka_unit_test_setup(mode_5, reset),
        cmocka_unit_test_setup(status_shows_the_control_word, reset),
        cmocka_unit_test_setup(decimal, reset),
        cmocka_unit_test_setup(largest_and_smallest_counts, reset),
        cmocka_unit_test_setup(byte_access, reset),
        cmocka_unit_test_setup(latches, reset),
        cmocka_unit_test_setup(jumps_are_single_ticks, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
