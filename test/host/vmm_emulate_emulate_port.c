/* SPDX-License-Identifier: MIT */
/* INS and OUTS: the faults that come behind their VM exit, each before the port is touched; and how many
 * elements go at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/emulate/emulate.h"
#include "vmm/emulate/alu.h"

#define DATA      0xc093u /* 32-bit, writable */
#define READ_ONLY 0xc091u
#define CODE      0xc09bu
#define NOT_READ  0xc099u /* execute-only */
#define DOWN      0xc097u /* expand-down, upper bound 4 GiB */
#define DOWN_16   0x8097u /* upper bound 64 KiB */

static uint64_t gpr[16];
static struct emulate_segment segments[SEGMENT_COUNT];
static struct emulate_processor processor;
static struct emulate_exception exception;
static uint64_t fault_from; /* linear addresses from here on fault */
static unsigned most;       /* elements that the port takes at once */
static char journal[512];   /* what went through the port: in or out, linear address, size, elements */

static void segment(void *context, enum segment_register which, struct emulate_segment *segment_)
{
    *segment_ = segments[which];
}

static enum emulate_status translate(void *context, struct emulate_place *place, bool write,
                                     struct emulate_exception *exception_)
{
    for (unsigned i = 0; i < 2; i++) {
        if (place->size[i] != 0 && place->linear[i] >= fault_from) {
            *exception_ = (struct emulate_exception){
                .vector = 14, .error_code = write ? 2 : 0, .address = place->linear[i]};
            return EMULATE_EXCEPTION;
        }
    }
    return EMULATE_DONE;
}

static enum emulate_status transfer(void *context, uint16_t port, bool in, const struct emulate_place *place,
                                    unsigned count, unsigned *moved)
{
    *moved = count < most ? count : most;
    sprintf(journal + strlen(journal), "%c%x:%llx.%u*%u ", in ? 'i' : 'o', port,
            (unsigned long long)place->linear[0], (unsigned)place->size[0] + place->size[1], count);
    return EMULATE_DONE;
}

static bool always(void *context)
{
    return true;
}

static int reset(void **state)
{
    memset(gpr, 0, sizeof(gpr));
    gpr[REGISTER_RDX] = 0xabcd0080;
    for (unsigned i = 0; i < SEGMENT_COUNT; i++)
        segments[i] =
            (struct emulate_segment){.limit = UINT32_MAX, .access_rights = i == SEGMENT_CS ? CODE : DATA};
    processor = (struct emulate_processor){.gpr = gpr,
                                           .rip = 0x1000,
                                           .rflags = 2,
                                           .protected_mode = true,
                                           .linear_width = 48,
                                           .elements_max = 256,
                                           .segment = segment,
                                           .translate = translate,
                                           .transfer = transfer};
    fault_from = UINT64_MAX;
    most = UINT32_MAX;
    *journal = '\0';
    exception = (struct emulate_exception){0};
    return 0;
}

static enum emulate_status run(unsigned code_size, const uint8_t *bytes, size_t count)
{
    struct instruction instruction;

    assert_int_equal(decode_instruction(bytes, count, code_size, &instruction), DECODE_OK);
    assert_int_equal(instruction.length, count);
    processor.rip = 0x1000;
    *journal = '\0';
    return emulate_instruction(&processor, &instruction, &exception);
}

#define RUN(code_size, ...)                                                                                  \
    run(code_size, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

#define INSB  0x6c
#define INSD  0x6d
#define OUTSB 0x6e
#define OUTSD 0x6f
#define REP   0xf3

/* Nothing has reached the port, and the registers are as before. */
#define RAISES(vector_, ...)                                                                                 \
    do {                                                                                                     \
        uint64_t before[3] = {gpr[REGISTER_RCX], gpr[REGISTER_RSI], gpr[REGISTER_RDI]};                      \
                                                                                                             \
        assert_int_equal(RUN(__VA_ARGS__), EMULATE_EXCEPTION);                                               \
        assert_int_equal(exception.vector, vector_);                                                         \
        assert_int_equal(processor.rip, 0x1000);                                                             \
        assert_string_equal(journal, "");                                                                    \
        assert_true(before[0] == gpr[REGISTER_RCX] && before[1] == gpr[REGISTER_RSI] &&                      \
                    before[2] == gpr[REGISTER_RDI]);                                                         \
    } while (0)

static void test_single(void **state)
{
    gpr[REGISTER_RDI] = 0x100;
    gpr[REGISTER_RSI] = 0x200;
    gpr[REGISTER_RCX] = 7;
    assert_int_equal(RUN(4, INSB), EMULATE_DONE);
    assert_string_equal(journal, "i80:100.1*1 ");
    assert_int_equal(processor.rip, 0x1001);
    assert_int_equal(RUN(4, 0x66, OUTSD), EMULATE_DONE);
    assert_string_equal(journal, "o80:200.2*1 ");
    assert_int_equal(gpr[REGISTER_RDI], 0x101);
    assert_int_equal(gpr[REGISTER_RSI], 0x202);
    assert_int_equal(gpr[REGISTER_RCX], 7);
    processor.rflags |= FLAG_DF;
    assert_int_equal(RUN(8, 0x48, INSD), EMULATE_DONE); /* REX.W makes no port wider */
    assert_string_equal(journal, "i80:101.4*1 ");
    assert_int_equal(gpr[REGISTER_RDI], 0xfd);
}

static void test_segments(void **state)
{
    gpr[REGISTER_RSI] = 0x10;
    segments[SEGMENT_FS].base = 0x5000;
    segments[SEGMENT_DS].base = 0x7000;
    segments[SEGMENT_ES].base = 0x9000;
    assert_int_equal(RUN(4, 0x64, OUTSB), EMULATE_DONE);
    assert_string_equal(journal, "o80:5010.1*1 ");
    assert_int_equal(RUN(4, OUTSB), EMULATE_DONE);
    assert_string_equal(journal, "o80:7011.1*1 ");
    assert_int_equal(RUN(4, 0x64, INSB), EMULATE_DONE); /* INS goes to ES whatever the prefix says */
    assert_string_equal(journal, "i80:9000.1*1 ");
    assert_int_equal(RUN(8, 0x64, OUTSB), EMULATE_DONE);
    assert_string_equal(journal, "o80:5012.1*1 ");
    assert_int_equal(RUN(8, OUTSB), EMULATE_DONE); /* no base in 64-bit code */
    assert_string_equal(journal, "o80:13.1*1 ");
}

static void test_limits(void **state)
{
    segments[SEGMENT_ES].limit = segments[SEGMENT_DS].limit = segments[SEGMENT_SS].limit = 0xfff;
    gpr[REGISTER_RDI] = gpr[REGISTER_RSI] = 0xffd;
    RAISES(13, 4, INSD);
    assert_int_equal(exception.error_code, 0);
    RAISES(13, 4, OUTSD);
    RAISES(12, 4, 0x36, OUTSD); /* SS: #SS */
    processor.protected_mode = false;
    RAISES(13, 2, 0x66, INSD);
    RAISES(12, 2, 0x36, 0x66, OUTSD);
    gpr[REGISTER_RDI] = 0xffc;
    assert_int_equal(RUN(2, 0x66, INSD), EMULATE_DONE);
    segments[SEGMENT_ES].limit = 0xffff;
    gpr[REGISTER_RDI] = 0xffff; /* the word would wrap */
    RAISES(13, 2, INSD);
    gpr[REGISTER_RDI] = 0x10000; /* 67h: 32 bits of it count */
    RAISES(13, 2, 0x67, INSB);
    assert_int_equal(RUN(2, INSB), EMULATE_DONE);
    assert_string_equal(journal, "i80:0.1*1 ");
}

static void test_types(void **state)
{
    segments[SEGMENT_ES].access_rights = READ_ONLY;
    RAISES(13, 4, INSB);
    segments[SEGMENT_ES].access_rights = CODE;
    RAISES(13, 4, INSB);
    segments[SEGMENT_ES].access_rights = DATA | SEGMENT_UNUSABLE;
    RAISES(13, 4, INSB);
    segments[SEGMENT_CS].access_rights = NOT_READ;
    RAISES(13, 4, 0x2e, OUTSB);
    segments[SEGMENT_CS].access_rights = CODE;
    assert_int_equal(RUN(4, 0x2e, OUTSB), EMULATE_DONE);
    segments[SEGMENT_DS].access_rights = DATA | SEGMENT_UNUSABLE;
    RAISES(13, 4, OUTSB);
    assert_int_equal(RUN(4, 0x64, OUTSB), EMULATE_DONE); /* DS is not looked at */
    segments[SEGMENT_DS] = (struct emulate_segment){.limit = 0xfff, .access_rights = DOWN};
    gpr[REGISTER_RSI] = 0xfff;
    RAISES(13, 4, OUTSB);
    gpr[REGISTER_RSI] = 0x1000;
    assert_int_equal(RUN(4, OUTSB), EMULATE_DONE);
    segments[SEGMENT_DS].access_rights = DOWN_16;
    gpr[REGISTER_RSI] = 0xfffd;
    RAISES(13, 4, OUTSD);
    gpr[REGISTER_RSI] = 0xfffc;
    assert_int_equal(RUN(4, OUTSD), EMULATE_DONE);
}

static void test_canonical_and_alignment(void **state)
{
    gpr[REGISTER_RDI] = gpr[REGISTER_RSI] = UINT64_C(0x7ffffffffffd);
    RAISES(13, 8, INSD);
    RAISES(13, 8, OUTSD);
    assert_int_equal(RUN(8, 0x67, INSD), EMULATE_DONE); /* 32 bits of it */
    assert_string_equal(journal, "i80:fffffffd.4*1 ");
    processor.linear_width = 57;
    assert_int_equal(RUN(8, OUTSD), EMULATE_DONE);
    reset(NULL);
    processor.tag_from[0] = 57; /* LAM: bits 62:57 of a user pointer count not */
    gpr[REGISTER_RDI] = UINT64_C(0x7e00000000000100);
    gpr[REGISTER_RSI] = UINT64_C(0x7f00000000000100);
    assert_int_equal(RUN(8, INSD), EMULATE_DONE);
    assert_string_equal(journal, "i80:7e00000000000100.4*1 ");
    RAISES(13, 8, OUTSD);
    processor.tag_from[0] = 48;
    assert_int_equal(RUN(8, OUTSD), EMULATE_DONE);
    gpr[REGISTER_RSI] = UINT64_C(0x7f007ffffffffffd);
    RAISES(13, 8, OUTSD);
    processor.linear_width = 57; /* with 5-level paging as well */
    RAISES(13, 8, OUTSD);
    reset(NULL);
    processor.check_alignment = true;
    gpr[REGISTER_RDI] = 0x102;
    fault_from = 0x100;
    RAISES(17, 4, INSD);
    RAISES(14, 4, 0x66, INSD);
    assert_int_equal(exception.error_code, 2);
    assert_int_equal(exception.address, 0x102);
}

static void test_page_fault(void **state)
{
    fault_from = 0x2000;
    gpr[REGISTER_RDI] = 0x1ffe;
    RAISES(14, 4, INSD);
    assert_int_equal(exception.address, 0x2000);
    gpr[REGISTER_RCX] = 5; /* in the third element, behind a run of two */
    gpr[REGISTER_RDI] = 0x1ff8;
    assert_int_equal(RUN(4, REP, INSD), EMULATE_EXCEPTION);
    assert_string_equal(journal, "i80:1ff8.4*2 ");
    assert_int_equal(gpr[REGISTER_RCX], 3);
    assert_int_equal(gpr[REGISTER_RDI], 0x2000);
}

static void test_runs(void **state)
{
    gpr[REGISTER_RCX] = 300;
    gpr[REGISTER_RDI] = 0x1fe0;
    assert_int_equal(RUN(4, REP, INSB), EMULATE_AGAIN);
    assert_string_equal(journal, "i80:1fe0.1*32 i80:2000.1*224 ");
    assert_int_equal(processor.rip, 0x1000);
    assert_int_equal(gpr[REGISTER_RCX], 44);
    assert_int_equal(RUN(4, REP, INSB), EMULATE_DONE);
    assert_string_equal(journal, "i80:20e0.1*44 ");
    assert_int_equal(RUN(4, REP, INSB), EMULATE_DONE); /* a counter of 0 */
    assert_string_equal(journal, "");
    gpr[REGISTER_RCX] = 3; /* the second element lies across the border */
    gpr[REGISTER_RDI] = 0x2ffa;
    assert_int_equal(RUN(4, REP, INSD), EMULATE_DONE);
    assert_string_equal(journal, "i80:2ffa.4*1 i80:2ffe.4*1 i80:3002.4*1 ");
    gpr[REGISTER_RCX] = 3;
    gpr[REGISTER_RSI] = 0x100;
    processor.rflags |= FLAG_DF;
    assert_int_equal(RUN(4, REP, OUTSB), EMULATE_DONE);
    assert_string_equal(journal, "o80:100.1*1 o80:ff.1*1 o80:fe.1*1 ");
    processor.rflags &= ~FLAG_DF;
    processor.elements_max = 1; /* the guest single-steps */
    gpr[REGISTER_RCX] = 3;
    assert_int_equal(RUN(4, REP, OUTSB), EMULATE_AGAIN);
    assert_string_equal(journal, "o80:fd.1*1 ");
    processor.elements_max = 256;
    most = 1; /* a device register takes one at a time */
    assert_int_equal(RUN(4, REP, OUTSB), EMULATE_DONE);
    assert_string_equal(journal, "o80:fe.1*2 o80:ff.1*1 ");
    gpr[REGISTER_RCX] = 3;
    processor.enough = always;
    assert_int_equal(RUN(4, REP, OUTSB), EMULATE_AGAIN);
    assert_string_equal(journal, "o80:100.1*3 ");
    assert_int_equal(RUN(4, OUTSB), EMULATE_DONE);
    gpr[REGISTER_RCX] = 1;
    assert_int_equal(RUN(4, REP, OUTSB), EMULATE_DONE); /* nothing is left */
}

/* Each element is checked, not the first alone. */
static void test_runs_end_at_limits(void **state)
{
    segments[SEGMENT_ES].limit = 0x10a;
    gpr[REGISTER_RCX] = 20;
    gpr[REGISTER_RDI] = 0x100;
    assert_int_equal(RUN(4, REP, INSD), EMULATE_EXCEPTION);
    assert_int_equal(exception.vector, 13);
    assert_string_equal(journal, "i80:100.4*1 i80:104.4*1 ");
    assert_int_equal(gpr[REGISTER_RCX], 18);
    assert_int_equal(gpr[REGISTER_RDI], 0x108);
    reset(NULL);
    gpr[REGISTER_RCX] = 3; /* 16 bits of the index wrap at the segment's end */
    gpr[REGISTER_RDI] = 0xfffe;
    segments[SEGMENT_ES].limit = 0xffff;
    assert_int_equal(RUN(2, REP, INSB), EMULATE_DONE);
    assert_string_equal(journal, "i80:fffe.1*2 i80:0.1*1 ");
    gpr[REGISTER_RCX] = 3; /* in 64-bit code the addresses end at the canonical ones */
    gpr[REGISTER_RSI] = UINT64_C(0x7ffffffffffe);
    assert_int_equal(RUN(8, REP, OUTSB), EMULATE_EXCEPTION);
    assert_int_equal(exception.vector, 13);
    assert_string_equal(journal, "o80:7ffffffffffe.1*2 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_single, reset),
        cmocka_unit_test_setup(test_segments, reset),
        cmocka_unit_test_setup(test_limits, reset),
        cmocka_unit_test_setup(test_types, reset),
        cmocka_unit_test_setup(test_canonical_and_alignment, reset),
        cmocka_unit_test_setup(test_page_fault, reset),
        cmocka_unit_test_setup(test_runs, reset),
        cmocka_unit_test_setup(test_runs_end_at_limits, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
