/* SPDX-License-Identifier: MIT */
/* vmx_capabilities_merge(): what all CPUs share, and the name of what differs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/x86/vmx_capabilities.h"

static struct vmx_capabilities usual(void)
{
    struct vmx_capabilities capabilities = {
        .basic = 0x00da040000000004,
        .misc = 0x401e7,
        .cr0_fixed0 = 0x80000021,
        .cr0_fixed1 = 0xffffffff,
        .cr4_fixed0 = 0x2000,
        .cr4_fixed1 = 0x3727ff,
        .ept_vpid = 0xf0106334141,
        .valid = true,
    };

    for (unsigned word = 0; word < VMX_WORD_COUNT; word++)
        capabilities.controls[word] = 0x00ff00ff00000016;
    return capabilities;
}

static void test_equal(void **state)
{
    struct vmx_capabilities shared = usual(), other = usual(), before = usual();

    assert_null(vmx_capabilities_merge(&shared, &other));
    assert_memory_equal(&shared, &before, offsetof(struct vmx_capabilities, valid));
}

/* Allowed settings: only those that both allow. Required ones: those that either requires. */
static void test_controls(void **state)
{
    static const char *const names[VMX_WORD_COUNT] = {
        [VMX_WORD_PIN] = "IA32_VMX_PINBASED_CTLS",         [VMX_WORD_PRIMARY] = "IA32_VMX_PROCBASED_CTLS",
        [VMX_WORD_SECONDARY] = "IA32_VMX_PROCBASED_CTLS2", [VMX_WORD_EXIT] = "IA32_VMX_EXIT_CTLS",
        [VMX_WORD_ENTRY] = "IA32_VMX_ENTRY_CTLS",
    };

    for (unsigned word = 0; word < VMX_WORD_COUNT; word++) {
        struct vmx_capabilities shared = usual(), other = usual();
        const struct vmx_capabilities before = usual();

        other.controls[word] = 0x0f0f000f00000107;
        assert_string_equal(vmx_capabilities_merge(&shared, &other), names[word]);
        assert_int_equal(shared.controls[word], 0x000f000f00000117);
        assert_int_equal(vmx_control_missing(&shared, word, 0x00f0000f), 0x00f00000);
        for (unsigned same = 0; same < VMX_WORD_COUNT; same++) {
            if (same != word)
                assert_int_equal(shared.controls[same], before.controls[same]);
        }
    }
}

static void test_ept(void **state)
{
    struct vmx_capabilities shared = usual(), other = usual();

    other.ept_vpid = (other.ept_vpid & ~EPT_CAP_1G) | EPT_CAP_WALK_5;
    assert_string_equal(vmx_capabilities_merge(&shared, &other), "IA32_VMX_EPT_VPID_CAP");
    assert_int_equal(shared.ept_vpid, usual().ept_vpid & ~EPT_CAP_1G);
}

/* Fixed bits: one where either wants one, zero where either wants zero. */
static void test_fixed_bits(void **state)
{
    struct vmx_capabilities shared = usual(), other = usual();

    other.cr0_fixed0 = 0x80000001 | 0x10;
    other.cr0_fixed1 = 0x7fffffff | UINT64_C(0x100000000);
    assert_string_equal(vmx_capabilities_merge(&shared, &other), "IA32_VMX_CR0_FIXED0/1");
    assert_int_equal(shared.cr0_fixed0, 0x80000031);
    assert_int_equal(shared.cr0_fixed1, 0x7fffffff);
    assert_int_equal(shared.cr4_fixed0, usual().cr4_fixed0);

    shared = usual();
    other = usual();
    other.cr4_fixed0 = 0x2040;
    other.cr4_fixed1 = 0x3027ff;
    assert_string_equal(vmx_capabilities_merge(&shared, &other), "IA32_VMX_CR4_FIXED0/1");
    assert_int_equal(shared.cr4_fixed0, 0x2040);
    assert_int_equal(shared.cr4_fixed1, 0x3027ff);
    assert_int_equal(shared.cr0_fixed1, usual().cr0_fixed1);
}

/* The first difference is the one that is named, and the others count all the same. */
static void test_several(void **state)
{
    struct vmx_capabilities shared = usual(), other = usual();

    other.basic = 0x00da040000000012;
    other.ept_vpid = EPT_CAP_WB;
    other.misc = 5;
    assert_string_equal(vmx_capabilities_merge(&shared, &other), "IA32_VMX_BASIC");
    assert_int_equal(shared.basic, usual().basic);
    assert_int_equal(shared.ept_vpid, EPT_CAP_WB);

    shared = usual();
    other = usual();
    other.misc = 5;
    assert_string_equal(vmx_capabilities_merge(&shared, &other), "IA32_VMX_MISC");
}

/* An order of CPUs decides nothing about what is shared. */
static void test_commutes(void **state)
{
    struct vmx_capabilities left = usual(), right = usual(), a = usual(), b;

    a.controls[VMX_WORD_SECONDARY] = 0x1234567800000008;
    a.ept_vpid = 0x6114141;
    a.cr4_fixed1 = 0x1027ff;
    b = a;
    assert_non_null(vmx_capabilities_merge(&left, &a));
    assert_non_null(vmx_capabilities_merge(&b, &right));
    assert_memory_equal(left.controls, b.controls, sizeof(b.controls));
    assert_int_equal(left.ept_vpid, b.ept_vpid);
    assert_int_equal(left.cr4_fixed1, b.cr4_fixed1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal),      cmocka_unit_test(test_controls), cmocka_unit_test(test_ept),
        cmocka_unit_test(test_fixed_bits), cmocka_unit_test(test_several),  cmocka_unit_test(test_commutes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
