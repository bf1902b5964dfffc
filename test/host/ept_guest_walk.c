/* SPDX-License-Identifier: MIT */
/* ept/guest_walk.c against hand-made paging structures in a small memory. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86/control_registers.h"
#include "ept/guest_walk.h"

#define MEMORY_SIZE 0x10000

static uint8_t memory[MEMORY_SIZE];
static struct guest_paging paging;
static uint64_t physical;
static uint32_t error;
static struct guest_walk last;

static bool read_memory(void *context, uint64_t address, unsigned size, uint64_t *value)
{
    (void)context;
    assert_int_equal(address % size, 0);
    if (address > MEMORY_SIZE - size)
        return false;
    *value = 0;
    memcpy(value, memory + address, size);
    return true;
}

static void put64(uint64_t address, uint64_t value)
{
    memcpy(memory + address, &value, sizeof(value));
}

static void put32(uint64_t address, uint32_t value)
{
    memcpy(memory + address, &value, sizeof(value));
}

static int set_up(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    memset(&paging, 0, sizeof(paging));
    paging.physical_width = 40;
    paging.large_1g = true;
    paging.pat = UINT64_C(0x0007040600070406);
    paging.read = read_memory;
    physical = error = 0;
    return 0;
}

static enum guest_paging_status translate(uint64_t linear, enum guest_access access)
{
    last = guest_walk(&paging, linear, access);
    physical = last.gpa;
    error = last.error_code;
    return last.status;
}

static void expect_fault(uint64_t linear, enum guest_access access, uint32_t wanted)
{
    assert_int_equal(translate(linear, access), GUEST_PAGING_FAULT);
    assert_int_equal(error, wanted);
}

static void without_paging(void **state)
{
    (void)state;
    assert_int_equal(translate(0x1fffff1234, GUEST_ACCESS_WRITE), GUEST_PAGING_OK);
    assert_int_equal(physical, 0xffff1234);
}

static void paging_32_bit(void **state)
{
    (void)state;
    paging.cr0 = CR0_PE | CR0_PG | CR0_WP;
    paging.cr3 = 0x1000;
    put32(0x1000 + 1 * 4, 0x2000 | 7); /* 4 MiB.. : a table */
    put32(0x2000 + 3 * 4, 0x5000 | 5); /* user, read-only */
    put32(0x1000 + 2 * 4,
          0x00c00000 | 0x1u << 13 | 0x83); /* 8 MiB..: a 4 MiB page at 4 GiB + 12 MiB, supervisor */
    assert_int_equal(translate(0x403123, GUEST_ACCESS_READ), GUEST_PAGING_OK);
    assert_int_equal(physical, 0x5123);
    expect_fault(0x403123, GUEST_ACCESS_WRITE, PAGE_FAULT_PRESENT | PAGE_FAULT_WRITE);
    expect_fault(0x403123, GUEST_ACCESS_READ_WRITE, PAGE_FAULT_PRESENT | PAGE_FAULT_WRITE);
    paging.cr0 &= ~CR0_WP;
    assert_int_equal(translate(0x403123, GUEST_ACCESS_WRITE), GUEST_PAGING_OK);
    assert_int_equal(translate(0x403123, GUEST_ACCESS_READ_WRITE), GUEST_PAGING_OK);
    paging.user = true;
    expect_fault(0x403123, GUEST_ACCESS_READ_WRITE, PAGE_FAULT_PRESENT | PAGE_FAULT_WRITE | PAGE_FAULT_USER);
    expect_fault(0x403123, GUEST_ACCESS_WRITE, PAGE_FAULT_PRESENT | PAGE_FAULT_WRITE | PAGE_FAULT_USER);
    expect_fault(0x404000, GUEST_ACCESS_READ, PAGE_FAULT_USER);
    paging.user = false;
    paging.cr4 = CR4_PSE;
    assert_int_equal(translate(0x812345, GUEST_ACCESS_WRITE), GUEST_PAGING_OK);
    assert_int_equal(physical, 0x100c12345);
    paging.user = true;
    expect_fault(0x812345, GUEST_ACCESS_READ, PAGE_FAULT_PRESENT | PAGE_FAULT_USER);
}

static void paging_pae(void **state)
{
    (void)state;
    paging.cr0 = CR0_PE | CR0_PG;
    paging.cr4 = CR4_PAE;
    paging.efer = EFER_NXE;
    paging.pdpte[1] = 0x1000 | 1;
    put64(0x1000, 0x2000 | 7);
    put64(0x2000 + 2 * 8, 0x6000 | 7 | UINT64_C(1) << 63);
    put64(0x1000 + 8, 0x200000 | 0x87);
    assert_int_equal(translate(0x40002abc, GUEST_ACCESS_WRITE), GUEST_PAGING_OK);
    assert_int_equal(physical, 0x6abc);
    expect_fault(0x40002abc, GUEST_ACCESS_FETCH, PAGE_FAULT_PRESENT | PAGE_FAULT_FETCH);
    assert_int_equal(translate(0x40212345, GUEST_ACCESS_FETCH), GUEST_PAGING_OK);
    assert_int_equal(physical, 0x212345);
    expect_fault(0x1000, GUEST_ACCESS_READ, 0);
    paging.efer = 0; /* without NXE bit 63 is reserved */
    expect_fault(0x40002abc, GUEST_ACCESS_READ, PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED);
}

static void paging_4_level(void **state)
{
    const uint64_t linear = UINT64_C(0xffff808040201000);

    (void)state;
    paging.cr0 = CR0_PE | CR0_PG;
    paging.cr4 = CR4_PAE;
    paging.efer = EFER_LME | EFER_LMA;
    paging.cr3 = 0x1000;
    put64(0x1000 + 257 * 8, 0x2000 | 7);
    put64(0x2000 + 1 * 8, 0x3000 | 7);
    put64(0x3000 + 1 * 8, 0x4000 | 7);
    put64(0x4000 + 1 * 8, 0x7000 | 7);
    assert_int_equal(translate(linear + 8, GUEST_ACCESS_WRITE), GUEST_PAGING_OK);
    assert_int_equal(physical, 0x7008);
    paging.cr4 |= CR4_SMAP | CR4_SMEP;
    expect_fault(linear, GUEST_ACCESS_READ, PAGE_FAULT_PRESENT);
    expect_fault(linear, GUEST_ACCESS_FETCH, PAGE_FAULT_PRESENT | PAGE_FAULT_FETCH);
    paging.rflags_ac = true;
    assert_int_equal(translate(linear, GUEST_ACCESS_READ), GUEST_PAGING_OK);
    put64(0x2000 + 2 * 8, UINT64_C(0x40000000) | 0x87); /* a 1 GiB page */
    assert_int_equal(translate(UINT64_C(0xffff808081234567), GUEST_ACCESS_READ), GUEST_PAGING_OK);
    assert_int_equal(physical, 0x41234567);
    put64(0x4000 + 1 * 8, 0x7000 | 7 | UINT64_C(1) << 45); /* beyond MAXPHYADDR */
    expect_fault(linear, GUEST_ACCESS_READ, PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED);
    put64(0x1000 + 257 * 8, 0x2000 | 0x87); /* bit 7 of a PML4E */
    expect_fault(linear, GUEST_ACCESS_READ, PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED);
    put64(0x1000 + 257 * 8, 0x20000 | 7); /* a table where there is no memory */
    assert_int_equal(translate(linear, GUEST_ACCESS_READ), GUEST_PAGING_NO_TABLE);
}

/* Which PAT entry the page of an address chooses; false: paging is off, or nothing is mapped. */
static bool pat_index_of(uint64_t linear, uint64_t *at, unsigned *index)
{
    last = guest_walk(&paging, linear, GUEST_ACCESS_READ);
    *at = last.gpa;
    *index = last.pat_index;
    return last.mode != GUEST_MODE_NONE && last.status == GUEST_PAGING_OK;
}

/* PAT, PCD and PWT of the entry that maps the page, wherever in it they stand; those of the tables do not
 * count. */
static void pat_index(void **state)
{
    uint64_t at;
    unsigned index = 99;

    (void)state;
    assert_false(pat_index_of(0x1000, &at, &index)); /* no paging */
    for (unsigned expected = 0; expected < 8; expected++) {
        const uint64_t cache = (expected & 1 ? 0x8 : 0) | (expected & 2 ? 0x10 : 0);
        const uint64_t small = cache | (expected & 4 ? 0x80 : 0), large = cache | (expected & 4 ? 0x1000 : 0);

        paging.cr0 = CR0_PE | CR0_PG;
        paging.cr3 = 0x1000;
        paging.cr4 = CR4_PSE;
        paging.efer = 0;
        put64(0x1000, 0); /* two entries of 32 bits */
        put32(0x1000 + 4, 0x2000 | 0x1f);
        put32(0x2000, (uint32_t)(0x5000 | small | 1));
        put32(0x1000 + 8, (uint32_t)(0x00c00000 | large | 0x81));
        assert_true(pat_index_of(0x400123, &at, &index));
        assert_true(at == 0x5123 && index == expected);
        assert_true(pat_index_of(0x800123, &at, &index));
        assert_true(at == 0xc00123 && index == expected);
        assert_false(pat_index_of(0x401000, &at, &index));

        paging.cr4 = CR4_PAE;
        paging.pdpte[0] = 0x1000 | 0x19;
        put64(0x1000, 0x2000 | 0x1f);
        put64(0x2000, 0x5000 | small | 1);
        put64(0x1008, 0x600000 | large | 0x81);
        assert_true(pat_index_of(0x123, &at, &index));
        assert_true(at == 0x5123 && index == expected);
        assert_true(pat_index_of(0x200123, &at, &index));
        assert_true(at == 0x600123 && index == expected);

        paging.efer = EFER_LME | EFER_LMA;
        put64(0x1000, 0x2000 | 0x1f);
        put64(0x2000, 0x3000 | 0x1f);
        put64(0x2008, UINT64_C(0x40000000) | large | 0x81);
        put64(0x3000, 0x4000 | 0x1f);
        put64(0x4000, 0x5000 | small | 1);
        assert_true(pat_index_of(0x123, &at, &index));
        assert_true(at == 0x5123 && index == expected);
        assert_true(pat_index_of(0x40000123, &at, &index));
        assert_true(at == 0x40000123 && index == expected);
        put64(0x4000, 0x5000 | small | 1 | UINT64_C(1) << 63); /* reserved without NXE */
        assert_false(pat_index_of(0x123, &at, &index));
        put64(0x2008, 0);
    }
}

/* The same page at the bottom of both halves. 4-level: PML4 0x1000; 5-level: PML5 0x6000 above it. */
static void make_long_tables(void)
{
    paging.cr0 = CR0_PE | CR0_PG;
    paging.cr3 = 0x1000;
    paging.cr4 = CR4_PAE;
    paging.efer = EFER_LME | EFER_LMA;
    put64(0x1000, 0x2000 | 7);       /* linear 0 */
    put64(0x1000 + 256 * 8, 0x2007); /* 0xffff800000000000, and bit 47 in 5-level paging */
    put64(0x2000, 0x3000 | 7);
    put64(0x3000, 0x4000 | 7);
    put64(0x4000, 0x5000 | 7);
    put64(0x6000, 0x1000 | 7);
    put64(0x6000 + 256 * 8, 0x1007); /* 0xff00000000000000 */
    put64(0x6000 + 511 * 8, 0x1007); /* 0xffff000000000000 */
}

#define READ(linear) translate(UINT64_C(linear), GUEST_ACCESS_READ)

/* SDM vol. 3, "Linear-Address Masking (LAM)". */
static void tags(void **state)
{
    (void)state;
    make_long_tables();
    assert_int_equal(READ(0x0000000000000123), GUEST_PAGING_OK);
    assert_int_equal(READ(0x0200000000000123), GUEST_PAGING_NOT_CANONICAL);
    paging.cr3 |= CR3_LAM_U57;
    assert_int_equal(READ(0x7e00000000000123), GUEST_PAGING_OK);
    assert_int_equal(physical, 0x5123);
    assert_int_equal(translate(UINT64_C(0x7e00000000000123), GUEST_ACCESS_WRITE), GUEST_PAGING_OK);
    assert_int_equal(translate(UINT64_C(0x7e00000000000123), GUEST_ACCESS_FETCH), GUEST_PAGING_NOT_CANONICAL);
    assert_int_equal(READ(0x7f00000000000123), GUEST_PAGING_NOT_CANONICAL); /* bit 56 is no tag */
    assert_int_equal(READ(0x0000800000000123), GUEST_PAGING_NOT_CANONICAL);
    assert_int_equal(READ(0x8000000000000123),
                     GUEST_PAGING_NOT_CANONICAL); /* supervisor pointers have none */
    paging.cr3 |= CR3_LAM_U48;                    /* beside U57 it does not count */
    assert_int_equal(READ(0x7fff000000000123), GUEST_PAGING_NOT_CANONICAL);
    paging.cr3 &= ~CR3_LAM_U57;
    assert_int_equal(READ(0x7fff000000000123), GUEST_PAGING_OK);
    assert_int_equal(physical, 0x5123);
    assert_int_equal(READ(0x7fff800000000123), GUEST_PAGING_NOT_CANONICAL);
    assert_int_equal(READ(0xffff800000000123), GUEST_PAGING_OK);
    assert_int_equal(READ(0x8000800000000123), GUEST_PAGING_NOT_CANONICAL);
    paging.cr4 |= UINT64_C(1) << 28; /* CR4.LAM_SUP */
    assert_int_equal(READ(0x8000800000000123), GUEST_PAGING_OK);
    assert_int_equal(physical, 0x5123);
    assert_int_equal(READ(0x8000000000000123), GUEST_PAGING_NOT_CANONICAL);
}

static void tags_with_five_levels(void **state)
{
    (void)state;
    make_long_tables();
    paging.cr3 = 0x6000;
    paging.cr4 |= CR4_LA57;
    assert_int_equal(READ(0x0000800000000123), GUEST_PAGING_OK); /* 57 bits */
    assert_int_equal(READ(0x0200000000000123), GUEST_PAGING_NOT_CANONICAL);
    paging.cr3 |= CR3_LAM_U57;
    assert_int_equal(READ(0x7e00800000000123), GUEST_PAGING_OK);
    assert_int_equal(physical, 0x5123);
    paging.cr3 = 0x6000 | CR3_LAM_U48;
    assert_int_equal(READ(0x7fff000000000123), GUEST_PAGING_OK);
    assert_int_equal(READ(0x0000800000000123), GUEST_PAGING_NOT_CANONICAL); /* bit 47 must be bit 63 */
    paging.cr4 |= UINT64_C(1) << 28;
    assert_int_equal(READ(0x8100000000000123), GUEST_PAGING_OK);
    assert_int_equal(physical, 0x5123);
    assert_int_equal(READ(0x8000000000000123), GUEST_PAGING_NOT_CANONICAL); /* bit 56 is no tag */
    paging.efer = paging.cr4 = 0; /* elsewhere a linear address has 32 bits */
    assert_int_equal(guest_tag_from(&paging, false), GUEST_TAG_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_paging, set_up),
        cmocka_unit_test_setup(paging_32_bit, set_up),
        cmocka_unit_test_setup(paging_pae, set_up),
        cmocka_unit_test_setup(paging_4_level, set_up),
        cmocka_unit_test_setup(pat_index, set_up),
        cmocka_unit_test_setup(tags, set_up),
        cmocka_unit_test_setup(tags_with_five_levels, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
