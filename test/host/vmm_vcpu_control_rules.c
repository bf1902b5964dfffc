/* SPDX-License-Identifier: MIT */
/* Tests of vmm/vcpu/control_rules.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/x86/control_registers.h"
#include "vmm/vcpu/control_rules.h"

#define BASE      (CR0_PE | CR0_ET)
#define PAGING    (BASE | CR0_PG)
#define LONG_MODE (EFER_LME | EFER_LMA)
#define ALL       UINT64_C(0xffffffff)

static void cr0_combinations(void **state)
{
    const struct control_state real = {.cr0 = CR0_ET};

    (void)state;
    assert_true(control_cr0_valid(&real, CR0_ET));
    assert_true(control_cr0_valid(&real, BASE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM));
    assert_true(control_cr0_valid(&real, CR0_CD));
    assert_true(control_cr0_valid(&real, CR0_CD | CR0_NW));
    assert_false(control_cr0_valid(&real, CR0_NW));
    assert_true(control_cr0_valid(&real, CR0_PE | CR0_PG));
    assert_false(control_cr0_valid(&real, CR0_PG));
    assert_false(control_cr0_valid(&real, CR0_ET | UINT64_C(1) << 32));
    assert_false(control_cr0_valid(&real, CR0_ET | UINT64_C(1) << 63));
}

static void paging_on(void **state)
{
    struct control_state before = {.cr0 = BASE, .efer = EFER_LME, .cr4 = CR4_PAE};

    (void)state;
    assert_true(control_cr0_valid(&before, PAGING));
    before.code_l = true;
    assert_false(control_cr0_valid(&before, PAGING));
    before.code_l = false;
    before.busy_tss16 = true;
    assert_false(control_cr0_valid(&before, PAGING));
    before.busy_tss16 = false;
    before.cr4 = 0;
    assert_false(control_cr0_valid(&before, PAGING)); /* long mode wants PAE */
    before.efer = 0;
    before.code_l = before.busy_tss16 = true;
    assert_true(control_cr0_valid(&before, PAGING)); /* not long mode: none of it matters */
}

static void paging_off(void **state)
{
    struct control_state before = {.cr0 = PAGING, .efer = LONG_MODE, .cr4 = CR4_PAE};

    (void)state;
    assert_true(control_cr0_valid(&before, BASE)); /* from compatibility mode */
    before.code_l = true;
    assert_false(control_cr0_valid(&before, BASE));
    assert_true(control_cr0_valid(&before, PAGING | CR0_WP));
    before.code_l = false;
    before.cr4 = CR4_PAE | CR4_PCIDE;
    assert_false(control_cr0_valid(&before, BASE));
    before.cr4 = 0;
    before.efer = 0;
    before.code_l = true; /* the bit is reserved outside of long mode, and ignored */
    assert_true(control_cr0_valid(&before, BASE));
    assert_false(control_cr0_valid(&before, CR0_ET | CR0_PG)); /* PE alone */
}

static void cr4_bits(void **state)
{
    struct control_state before = {.cr0 = BASE};

    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t value = UINT64_C(1) << bit;

        assert_false(control_cr4_valid(&before, value, ~value));
        assert_int_equal(control_cr4_valid(&before, value, value), value != CR4_PCIDE);
    }
}

static void cr4_in_long_mode(void **state)
{
    struct control_state before = {.cr0 = PAGING, .cr4 = CR4_PAE, .efer = LONG_MODE, .cr3 = 0x1000};

    (void)state;
    assert_true(control_cr4_valid(&before, CR4_PAE | CR4_PGE, ALL));
    assert_false(control_cr4_valid(&before, CR4_PGE, ALL));
    assert_false(control_cr4_valid(&before, CR4_PAE | CR4_LA57, ALL));
    before.cr4 |= CR4_LA57;
    assert_false(control_cr4_valid(&before, CR4_PAE, ALL));
    assert_true(control_cr4_valid(&before, CR4_PAE | CR4_LA57 | CR4_PGE, ALL));
    before.efer = EFER_LME; /* not active: both may change */
    assert_true(control_cr4_valid(&before, CR4_PAE, ALL));
    assert_true(control_cr4_valid(&before, 0, ALL));
}

static void pcide(void **state)
{
    struct control_state before = {.cr0 = PAGING, .cr4 = CR4_PAE, .efer = LONG_MODE, .cr3 = 0x1000};

    (void)state;
    assert_true(control_cr4_valid(&before, CR4_PAE | CR4_PCIDE, ALL));
    before.cr3 = 0x1001;
    assert_false(control_cr4_valid(&before, CR4_PAE | CR4_PCIDE, ALL));
    before.cr4 |= CR4_PCIDE; /* set already: a PCID is no reason */
    assert_true(control_cr4_valid(&before, CR4_PAE | CR4_PCIDE, ALL));
    assert_true(control_cr4_valid(&before, CR4_PAE, ALL));
}

static void pdptes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        for (unsigned bit = 1; bit < 64; bit++)
            for (unsigned width = 32; width <= 52; width += 10) {
                uint64_t four[4] = {0x1000, 0x2001, 0x3019, 0xe00};
                bool reserved = bit <= 2 || (bit >= 5 && bit <= 8) || bit >= width;

                assert_true(control_pdptes_valid(four, width));
                four[i] = UINT64_C(1) << bit; /* not present */
                assert_true(control_pdptes_valid(four, width));
                four[i] |= 1;
                assert_int_equal(control_pdptes_valid(four, width), !reserved);
            }
}

static void xcr0(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 0x400; value++) {
        bool avx512 = value & 0xe0;
        bool valid = (value & 1) && !(value & 0x318) && (!(value & 4) || (value & 2)) &&
                     (!avx512 || ((value & 0xe0) == 0xe0 && (value & 4)));

        assert_int_equal(control_xcr0_valid(value, 0xe7), valid);
        assert_int_equal(control_xcr0_valid(value, 7), valid && !avx512);
        assert_int_equal(control_xcr0_valid(value, 3), valid && (value & ~UINT64_C(3)) == 0);
    }
    assert_false(control_xcr0_valid(UINT64_C(1) << 63 | 1, 7));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cr0_combinations), cmocka_unit_test(paging_on),
        cmocka_unit_test(paging_off),       cmocka_unit_test(cr4_bits),
        cmocka_unit_test(cr4_in_long_mode), cmocka_unit_test(pcide),
        cmocka_unit_test(pdptes),           cmocka_unit_test(xcr0),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
