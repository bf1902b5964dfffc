/* SPDX-License-Identifier: MIT */
/* The task switch against the manual's tables: what is stored and loaded by each way, busy flags, links, and
 * what is raised with which error code, in which task. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/emulate/task_switch.h"

#define GDT      0x100u
#define LDT      0x300u
#define OLD      0x1000u
#define NEW      0x2000u
#define MEMORY   0x3000u
#define CODE     0x08u
#define DATA     0x10u
#define OLD_TSS  0x18u
#define NEW_TSS  0x20u
#define OTHER    0x28u /* what a test puts there */
#define LDT_DATA 0x0cu
#define LDTR     0x30u
#define NT       0x4000u
#define BUSY     0x8bu

static uint8_t memory[MEMORY];
static uint64_t faulting; /* the page that is not there */
static unsigned writes;
static uint64_t loaded_cr3;
static bool cr3_good, last_user;
static struct task_state state, before;
static struct task_switch what;
static struct task_outcome outcome;

static enum emulate_status fault(uint64_t address, unsigned size, bool write,
                                 struct emulate_exception *exception)
{
    assert_true(address + size <= MEMORY);
    if (address / 0x1000 != faulting && (address + size - 1) / 0x1000 != faulting)
        return EMULATE_DONE;
    *exception = (struct emulate_exception){.vector = 14, .error_code = write ? 2 : 0, .address = address};
    return EMULATE_EXCEPTION;
}

static enum emulate_status read(void *context, uint64_t address, void *to, unsigned size,
                                struct emulate_exception *exception)
{
    enum emulate_status status = fault(address, size, false, exception);

    if (status == EMULATE_DONE)
        memcpy(to, memory + address, size);
    return status;
}

static enum emulate_status write(void *context, uint64_t address, const void *from, unsigned size, bool user,
                                 struct emulate_exception *exception)
{
    enum emulate_status status = fault(address, size, true, exception);

    writes++;
    last_user = user;
    if (status == EMULATE_DONE)
        memcpy(memory + address, from, size);
    return status;
}

static enum emulate_status check(void *context, uint64_t address, unsigned size,
                                 struct emulate_exception *exception)
{
    return fault(address, size, true, exception);
}

static enum emulate_status exchange(void *context, uint64_t address, uint8_t expected, uint8_t value,
                                    struct emulate_exception *exception)
{
    assert_int_equal(memory[address], expected);
    writes++;
    memory[address] = value;
    return EMULATE_DONE;
}

static bool load_cr3(void *context, uint64_t cr3)
{
    loaded_cr3 = cr3;
    return cr3_good;
}

static const struct task_memory callbacks = {
    .read = read, .write = write, .check = check, .exchange = exchange, .load_cr3 = load_cr3};

static void put(unsigned at, unsigned size, uint64_t value)
{
    memcpy(memory + at, &value, size);
}

static uint32_t get(unsigned at, unsigned size)
{
    uint32_t value = 0;

    memcpy(&value, memory + at, size);
    return value;
}

static void descriptor(unsigned selector, uint64_t value)
{
    put(GDT + selector, 8, value);
}

static int reset(void **unused)
{
    memset(memory, 0, sizeof(memory));
    descriptor(CODE, 0x00cf9b000000ffff);
    descriptor(DATA, 0x00cf93000000ffff);
    descriptor(OLD_TSS, 0x00008b0000000067 | OLD << 16);
    descriptor(NEW_TSS, 0x0000890000000067 | NEW << 16);
    descriptor(LDTR, 0x000082000000000f | LDT << 16);
    put(LDT + 8, 8, 0x00cf92000000ffff);
    put(NEW + 0x1c, 4, 0x5000);
    put(NEW + 0x20, 4, 0x1234);
    put(NEW + 0x24, 4, 0x202);
    for (unsigned i = 0; i < 8; i++)
        put(NEW + 0x28 + 4 * i, 4, 0xa0 + i);
    for (unsigned i = 0; i < 6; i++)
        put(NEW + 0x48 + 4 * i, 2, i == SEGMENT_CS ? CODE : DATA);
    memset(&state, 0, sizeof(state));
    for (unsigned i = 0; i < 8; i++)
        state.gpr[i] = 0xb0 + i;
    for (unsigned i = 0; i < SEGMENT_COUNT; i++)
        state.segments[i] = (struct emulate_segment){.limit = UINT32_MAX,
                                                     .access_rights = i == SEGMENT_CS ? 0xc09b : 0xc093,
                                                     .selector = (uint16_t)(0x40 + i)};
    state.segments[SEGMENT_TR] =
        (struct emulate_segment){.base = OLD, .limit = 103, .access_rights = BUSY, .selector = OLD_TSS};
    state.segments[SEGMENT_LDTR].access_rights = SEGMENT_UNUSABLE;
    state.rip = 0x700;
    state.rflags = 0x246;
    state.cr0 = 1;
    state.dr7 = 0x7ff;
    state.gdt_base = GDT;
    state.gdt_limit = 0x37;
    what = (struct task_switch){.source = TASK_CALL, .selector = NEW_TSS, .next_rip = 0x707};
    faulting = UINT64_MAX;
    writes = 0;
    loaded_cr3 = 0;
    cr3_good = true;
    return 0;
}

static enum emulate_status run(void)
{
    before = state;
    return task_switch(&state, &callbacks, &what, &outcome);
}

/* Raised in the old task: nothing has changed. */
static void assert_old_raises(unsigned vector, uint32_t error_code)
{
    assert_int_equal(run(), EMULATE_EXCEPTION);
    assert_false(outcome.committed);
    assert_int_equal(outcome.exception.vector, vector);
    assert_int_equal(outcome.exception.error_code, error_code);
    assert_memory_equal(&state, &before, sizeof(state));
    assert_int_equal(writes, 0);
}

static void assert_new_raises(unsigned vector, uint32_t error_code)
{
    assert_int_equal(run(), EMULATE_EXCEPTION);
    assert_true(outcome.committed);
    assert_int_equal(outcome.exception.vector, vector);
    assert_int_equal(outcome.exception.error_code, error_code);
    assert_int_equal(state.segments[SEGMENT_TR].selector, NEW_TSS);
    assert_int_equal(state.rip, 0x1234);
    reset(NULL);
}

static void test_call(void **unused)
{
    assert_int_equal(run(), EMULATE_DONE);
    assert_true(outcome.committed && !outcome.debug);
    assert_int_equal(get(OLD + 0x20, 4), 0x707);
    assert_int_equal(get(OLD + 0x24, 4), 0x246);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(get(OLD + 0x28 + 4 * i, 4), 0xb0 + i);
        assert_int_equal(state.gpr[i], 0xa0 + i);
    }
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(get(OLD + 0x48 + 4 * i, 4), 0x40 + i);
    assert_int_equal(get(OLD, 4) | get(OLD + 0x1c, 4) | get(OLD + 0x60, 4), 0); /* not stored */
    assert_int_equal(get(NEW, 2), OLD_TSS);
    assert_int_equal(memory[GDT + OLD_TSS + 5], BUSY);
    assert_int_equal(memory[GDT + NEW_TSS + 5], BUSY);
    assert_int_equal(state.rip, 0x1234);
    assert_int_equal(state.rflags, 0x202 | NT);
    assert_int_equal(state.cr0, 9);
    assert_int_equal(state.dr7, 0x7ff & ~0x155);
    assert_int_equal(state.segments[SEGMENT_TR].base, NEW);
    assert_int_equal(state.segments[SEGMENT_TR].access_rights, BUSY);
    assert_int_equal(state.segments[SEGMENT_CS].access_rights, 0xc09b);
    assert_int_equal(state.segments[SEGMENT_CS].limit, UINT32_MAX);
    assert_int_equal(loaded_cr3, 0); /* no paging */
}

static void test_jump(void **unused)
{
    what.source = TASK_JMP;
    put(NEW, 2, 0x7777);
    assert_int_equal(run(), EMULATE_DONE);
    assert_int_equal(get(NEW, 2), 0x7777);
    assert_int_equal(state.rflags, 0x202);
    assert_int_equal(memory[GDT + OLD_TSS + 5], 0x89);
    assert_int_equal(memory[GDT + NEW_TSS + 5], BUSY);
}

static void test_return(void **unused)
{
    what.source = TASK_IRET;
    state.rflags |= NT;
    assert_old_raises(10, NEW_TSS); /* that must be busy */
    memory[GDT + NEW_TSS + 5] = BUSY;
    assert_int_equal(run(), EMULATE_DONE);
    assert_int_equal(get(OLD + 0x24, 4), 0x246); /* NT is cleared where it is stored */
    assert_int_equal(state.rflags, 0x202);
    assert_int_equal(memory[GDT + OLD_TSS + 5], 0x89);
    assert_int_equal(memory[GDT + NEW_TSS + 5], BUSY);
}

static void test_error_code(void **unused)
{
    what = (struct task_switch){.source = TASK_GATE,
                                .selector = NEW_TSS,
                                .next_rip = 0x700,
                                .external = true,
                                .has_error_code = true,
                                .error_code = 0xabcd};
    put(NEW + 0x38, 4, 0x2800);
    assert_int_equal(run(), EMULATE_DONE);
    assert_int_equal(state.gpr[REGISTER_RSP], 0x27fc);
    assert_int_equal(get(0x27fc, 4), 0xabcd);
    assert_false(last_user);
    assert_int_equal(get(NEW, 2), OLD_TSS);
    reset(NULL);
    what.source = TASK_GATE;
    what.has_error_code = true;
    descriptor(DATA, 0x0000930000000fff); /* a stack too short */
    put(NEW + 0x38, 4, 0x1003);
    assert_new_raises(12, 0);
}

static void test_16_bits(void **unused)
{
    descriptor(NEW_TSS, 0x000081000000002b | NEW << 16);
    memset(memory + NEW, 0, 0x100);
    put(NEW + 0x0e, 2, 0x4321);
    put(NEW + 0x10, 2, 2);
    for (unsigned i = 0; i < 8; i++)
        put(NEW + 0x12 + 2 * i, 2, 0xc0 + i);
    for (unsigned i = 0; i < 4; i++)
        put(NEW + 0x22 + 2 * i, 2, i == SEGMENT_CS ? CODE : DATA);
    put(NEW + 0x2a, 2, LDTR);
    state.cr0 |= 0x80000000;
    assert_int_equal(run(), EMULATE_DONE);
    assert_int_equal(loaded_cr3, 0); /* it has none */
    assert_int_equal(state.rip, 0x4321);
    assert_int_equal(state.gpr[7], 0xc7);
    assert_int_equal(state.segments[SEGMENT_FS].selector, 0);
    assert_true(state.segments[SEGMENT_FS].access_rights & SEGMENT_UNUSABLE);
    assert_int_equal(state.segments[SEGMENT_LDTR].base, LDT);
    assert_int_equal(memory[GDT + NEW_TSS + 5], 0x83);
    /* And back, from 16 bits to 32. */
    what = (struct task_switch){.source = TASK_IRET, .selector = OLD_TSS, .next_rip = 0x4400};
    put(OLD + 0x48, 2, DATA);
    for (unsigned i = 0; i < 6; i++)
        put(OLD + 0x48 + 4 * i, 2, i == SEGMENT_CS ? CODE : DATA);
    state.gpr[0] = 0x12345678;
    assert_int_equal(run(), EMULATE_DONE);
    assert_int_equal(get(NEW + 0x0e, 2), 0x4400);
    assert_int_equal(get(NEW + 0x12, 4), 0xc15678); /* AX, CX */
    assert_int_equal(state.gpr[7], 0xb7);
}

static void test_old_task_raises(void **unused)
{
    memory[GDT + NEW_TSS + 5] = BUSY;
    assert_old_raises(13, NEW_TSS);
    memory[GDT + NEW_TSS + 5] = 0x09;
    assert_old_raises(11, NEW_TSS);
    what.external = true;
    assert_old_raises(11, NEW_TSS | 1);
    what.external = false;
    descriptor(NEW_TSS, 0x0000890000000066 | NEW << 16);
    assert_old_raises(10, NEW_TSS);
    descriptor(NEW_TSS, 0x0000890000000067 | NEW << 16);
    state.segments[SEGMENT_TR].limit = 102;
    assert_old_raises(10, OLD_TSS);
    state.segments[SEGMENT_TR].limit = 103;
    what.selector = 0x38; /* beyond the table */
    assert_old_raises(13, 0x38);
    what.selector = NEW_TSS;
    faulting = NEW / 0x1000;
    assert_old_raises(14, 0);
    faulting = OLD / 0x1000;
    assert_old_raises(14, 0);
}

static void test_new_task_raises(void **unused)
{
    static const struct {
        unsigned at;
        uint16_t selector;
        uint64_t other; /* what is at OTHER */
        unsigned vector;
        uint32_t error_code;
    } cases[] = {
        {0x4c, 0, 0, 10, 0},
        {0x4c, DATA, 0, 10, DATA},
        {0x4c, 0x38, 0, 10, 0x38},
        {0x4c, CODE | 3, 0, 10, CODE},
        {0x4c, OTHER, 0x00cf1b000000ffff, 11, OTHER},
        {0x4c, OTHER, 0x00409b0000000000, 13, 0}, /* EIP beyond its limit */
        {0x50, 0, 0, 10, 0},
        {0x50, CODE, 0, 10, CODE},
        {0x50, DATA | 1, 0, 10, DATA},
        {0x50, OTHER, 0x00cff3000000ffff, 10, OTHER},
        {0x50, OTHER, 0x00cf91000000ffff, 10, OTHER}, /* read-only */
        {0x50, OTHER, 0x00cf13000000ffff, 12, OTHER},
        {0x54, OTHER, 0x00cf99000000ffff, 10, OTHER}, /* execute-only */
        {0x54, OTHER, 0x00cf13000000ffff, 11, OTHER},
        {0x54, DATA | 3, 0, 10, DATA},
        {0x48, NEW_TSS, 0, 10, NEW_TSS},
        {0x58, LDT_DATA, 0, 10, LDT_DATA}, /* no LDT */
        {0x60, DATA, 0, 10, DATA},
        {0x60, LDTR | 4, 0, 10, LDTR | 4},
        {0x60, OTHER, 0x000002000000000f, 10, OTHER}, /* an LDT that is not there */
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        descriptor(OTHER, cases[i].other);
        put(NEW + cases[i].at, 2, cases[i].selector);
        assert_new_raises(cases[i].vector, cases[i].error_code);
    }
    what.external = true;
    put(NEW + 0x4c, 2, DATA);
    assert_new_raises(10, DATA | 1);
    cr3_good = false;
    state.cr0 |= 0x80000000;
    assert_new_raises(13, 0);
}

/* An exception's delivery needs a CPL even where CS or SS could not be loaded: CS's RPL. */
static void test_cpl_when_raised(void **unused)
{
    put(NEW + 0x4c, 2, DATA | 3);
    assert_int_equal(run(), EMULATE_EXCEPTION);
    assert_int_equal(SEGMENT_DPL(state.segments[SEGMENT_CS].access_rights), 3);
    assert_int_equal(SEGMENT_DPL(state.segments[SEGMENT_SS].access_rights), 3);
    assert_int_equal(state.segments[SEGMENT_CS].selector, DATA | 3);
}

static void test_ldt_and_accessed(void **unused)
{
    put(NEW + 0x60, 2, LDTR);
    put(NEW + 0x54, 2, LDT_DATA);
    assert_int_equal(run(), EMULATE_DONE);
    assert_int_equal(memory[LDT + 8 + 5], 0x93);
    assert_int_equal(state.segments[SEGMENT_DS].access_rights, 0xc093);
}

static void test_virtual_8086(void **unused)
{
    put(NEW + 0x24, 4, 0x20002);
    put(NEW + 0x4c, 2, 0x1234);
    assert_int_equal(run(), EMULATE_DONE);
    assert_int_equal(state.segments[SEGMENT_CS].base, 0x12340);
    assert_int_equal(state.segments[SEGMENT_CS].access_rights, 0xf3);
    assert_int_equal(state.segments[SEGMENT_SS].limit, 0xffff);
}

static void test_paging_and_debug(void **unused)
{
    state.cr0 |= 0x80000000;
    put(NEW + 0x64, 2, 1);
    assert_int_equal(run(), EMULATE_DONE);
    assert_int_equal(loaded_cr3, 0x5000);
    assert_int_equal(state.cr3, 0x5000);
    assert_true(outcome.debug);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_call, reset),
        cmocka_unit_test_setup(test_jump, reset),
        cmocka_unit_test_setup(test_return, reset),
        cmocka_unit_test_setup(test_error_code, reset),
        cmocka_unit_test_setup(test_16_bits, reset),
        cmocka_unit_test_setup(test_old_task_raises, reset),
        cmocka_unit_test_setup(test_new_task_raises, reset),
        cmocka_unit_test_setup(test_cpl_when_raised, reset),
        cmocka_unit_test_setup(test_ldt_and_accessed, reset),
        cmocka_unit_test_setup(test_virtual_8086, reset),
        cmocka_unit_test_setup(test_paging_and_debug, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
