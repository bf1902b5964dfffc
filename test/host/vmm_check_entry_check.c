/* SPDX-License-Identifier: MIT */
/* Tests of vmm/check/entry/check.c and vmm/check/entry/break.c: good VMCSs break no rule, each break breaks its own
 * alone. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmm/check/entry/break.h"
#include <string.h>

#define F(name) VMCS_INDEX_##name

static uint8_t page[4096] __attribute__((aligned(4096)));
static const struct entry_scratch scratch = {.physical = 0x5000, .msrs = (struct entry_msr *)(void *)page};

/* A processor with every control. */
static void machine(struct entry_snapshot *s)
{
    memset(s, 0, sizeof(*s));
    memset(page, 0, sizeof(page));
    s->capabilities.basic = 0x00da040000000004;
    s->capabilities.misc = 0x7004c1e7;
    s->capabilities.cr0_fixed0 = 0x80000021;
    s->capabilities.cr0_fixed1 = 0xffffffff;
    s->capabilities.cr4_fixed0 = 0x2000;
    s->capabilities.cr4_fixed1 = 0xf77fff;
    s->capabilities.ept_vpid = 0xf0106334141;
    s->capabilities.controls[VMX_WORD_PIN] = 0x000000ff00000016;
    s->capabilities.controls[VMX_WORD_PRIMARY] = 0xfff9fffe04006172;
    s->capabilities.controls[VMX_WORD_SECONDARY] = 0x02ff7fff00000000;
    s->capabilities.controls[VMX_WORD_EXIT] = 0x01ffffff00036dfb;
    s->capabilities.controls[VMX_WORD_ENTRY] = 0x0003ffff000011fb;
    s->physical_width = 40;
    s->linear_width = 48;
    s->efer_bits = 0xd01;
    s->debugctl_bits = 0xffc3;
    s->perf_global_bits = 0x70000000f;
    s->vm_functions = 1;
    s->sgx = s->rtm = s->x2apic_mode = true;
    s->link_known = true;
}

static void controls(struct entry_snapshot *s)
{
    s->value[F(PIN_BASED_CONTROLS)] = 0x16 | VMX_EXTERNAL_INTERRUPT_EXITING | VMX_NMI_EXITING |
                                      VMX_VIRTUAL_NMIS | VMX_ACTIVATE_PREEMPTION_TIMER;
    s->value[F(PRIMARY_CONTROLS)] =
        0x04006172 | VMX_HLT_EXITING | VMX_USE_MSR_BITMAPS | VMX_ACTIVATE_SECONDARY_CONTROLS;
    s->value[F(SECONDARY_CONTROLS)] = VMX_ENABLE_EPT | VMX_ENABLE_VPID | VMX_UNRESTRICTED_GUEST;
    s->value[F(EXIT_CONTROLS)] = 0x36dfb | VMX_HOST_ADDRESS_SPACE_SIZE | VMX_ACKNOWLEDGE_INTERRUPT_ON_EXIT |
                                 VMX_EXIT_LOAD_PAT | VMX_EXIT_LOAD_EFER | VMX_SAVE_EFER;
    s->value[F(ENTRY_CONTROLS)] = 0x11fb | VMX_ENTRY_LOAD_PAT | VMX_ENTRY_LOAD_EFER | VMX_LOAD_DEBUG_CONTROLS;
    s->value[F(MSR_BITMAP)] = 0x6000;
    s->value[F(EPT_POINTER)] = 0x701e;
    s->value[F(VPID)] = 1;
    s->value[F(TSC_MULTIPLIER)] = UINT64_C(1) << 48;
    for (const unsigned *field =
             (const unsigned[]){F(IO_BITMAP_A), F(IO_BITMAP_B), F(PML_ADDRESS), F(VIRTUAL_APIC_ADDRESS),
                                F(APIC_ACCESS_ADDRESS), F(EPTP_LIST_ADDRESS), F(VMREAD_BITMAP),
                                F(VMWRITE_BITMAP), F(VIRTUALIZATION_EXCEPTION_ADDRESS), VMCS_INDEX_COUNT};
         *field != VMCS_INDEX_COUNT; field++)
        s->value[*field] = scratch.physical;
}

static void host(struct entry_snapshot *s)
{
    s->value[F(HOST_CR0)] = 0x80010033;
    s->value[F(HOST_CR3)] = 0x8000;
    s->value[F(HOST_CR4)] = 0x20e0;
    s->value[F(HOST_CS_SELECTOR)] = 8;
    s->value[F(HOST_SS_SELECTOR)] = s->value[F(HOST_DS_SELECTOR)] = s->value[F(HOST_ES_SELECTOR)] = 16;
    s->value[F(HOST_TR_SELECTOR)] = 24;
    s->value[F(HOST_RIP)] = s->value[F(HOST_GDTR_BASE)] = UINT64_C(0xffffffff80100000);
    s->value[F(HOST_IA32_PAT)] = UINT64_C(0x0007040600070406);
    s->value[F(HOST_IA32_EFER)] = 0xd00;
}

static void guest(struct entry_snapshot *s)
{
    s->value[F(GUEST_CR0)] = 0x30;
    s->value[F(GUEST_CR4)] = 0x2040;
    for (unsigned n = 0; n < 6; n++) {
        s->value[F(GUEST_ES_LIMIT) + n] = 0xffff;
        s->value[F(GUEST_ES_ACCESS_RIGHTS) + n] = 0x93;
    }
    s->value[F(GUEST_CS_ACCESS_RIGHTS)] = 0x9b;
    s->value[F(GUEST_TR_ACCESS_RIGHTS)] = 0x8b;
    s->value[F(GUEST_LDTR_ACCESS_RIGHTS)] = 0x82;
    s->value[F(GUEST_TR_LIMIT)] = s->value[F(GUEST_LDTR_LIMIT)] = 0xffff;
    s->value[F(GUEST_RFLAGS)] = 2;
    s->value[F(GUEST_DR7)] = 0x400;
    s->value[F(GUEST_IA32_PAT)] = UINT64_C(0x0007040600070406);
    s->value[F(VMCS_LINK_POINTER)] = UINT64_MAX;
}

static void good(struct entry_snapshot *s, enum entry_state state)
{
    machine(s);
    controls(s);
    host(s);
    guest(s);
    entry_state_make(s, state);
}

static void test_good(void **state)
{
    (void)state;
    for (unsigned n = 0; n < ENTRY_STATE_COUNT; n++) {
        struct entry_snapshot s;
        unsigned first;

        good(&s, (enum entry_state)n);
        first = entry_check(&s, 0);
        if (first != entry_rule_count)
            fail_msg("%s: %s", entry_state_name((enum entry_state)n), entry_rules[first].name);
    }
}

/* CR3 may have the bits of linear-address masking where the processor has it. */
static void test_masking_in_cr3(void **state)
{
    struct entry_snapshot s;

    (void)state;
    good(&s, (enum entry_state)0);
    s.value[F(GUEST_CR3)] = 0x1000 | UINT64_C(3) << 61;
    assert_string_equal(entry_rules[entry_check(&s, 0)].name, "guest_cr3");
    s.cr3_bits = UINT64_C(3) << 61;
    assert_int_equal(entry_check(&s, 0), entry_rule_count);
    s.value[F(GUEST_CR3)] |= UINT64_C(1) << 60;
    assert_string_equal(entry_rules[entry_check(&s, 0)].name, "guest_cr3");
}

static void test_breaks(void **state)
{
    (void)state;
    for (unsigned n = 0; n < entry_break_count; n++) {
        const struct entry_break *how = &entry_breaks[n];
        struct entry_snapshot s;
        unsigned first, second;

        good(&s, how->state);
        if (!how->available(&s)) {
            /* Not with all capabilities: then with none of those that it must lack. */
            s.capabilities.ept_vpid &= ~EPT_CAP_ACCESSED_DIRTY;
            s.capabilities.controls[VMX_WORD_PIN] |= UINT64_C(0x80) << 32;
            s.capabilities.cr4_fixed1 |= UINT64_C(1) << 23;
            s.capabilities.controls[VMX_WORD_SECONDARY] |= UINT64_C(1) << 55;
        }
        if (!how->available(&s))
            fail_msg("%s cannot be broken", how->rule);
        how->apply(&s, &scratch);
        first = entry_check(&s, 0);
        if (first == entry_rule_count)
            fail_msg("%s is not broken", how->rule);
        if (strcmp(entry_rules[first].name, how->rule) != 0)
            fail_msg("%s is broken instead of %s", entry_rules[first].name, how->rule);
        second = entry_check(&s, first + 1);
        if (second != entry_rule_count)
            fail_msg("%s breaks %s too", how->rule, entry_rules[second].name);
    }
}

/* A break that this processor does not take for one is not tried: whatever bits of IA32_VMX_BASIC are set. */
static void test_breaks_by_basic(void **state)
{
    (void)state;
    for (unsigned n = 0; n < entry_break_count; n++) {
        for (unsigned bit = 48; bit < 64; bit++) {
            const struct entry_break *how = &entry_breaks[n];
            struct entry_snapshot s;

            good(&s, how->state);
            s.capabilities.basic |= UINT64_C(1) << bit;
            if (!how->available(&s) || entry_check(&s, 0) != entry_rule_count)
                continue;
            how->apply(&s, &scratch);
            if (entry_check(&s, 0) == entry_rule_count)
                fail_msg("%s is no break with bit %u of IA32_VMX_BASIC", how->rule, bit);
        }
    }
}

/* Every rule has its break, in the same order; but one that cannot be broken alone by a 64-bit host. */
static void test_complete(void **state)
{
    unsigned how = 0;

    (void)state;
    for (unsigned n = 0; n < entry_rule_count; n++) {
        if (strcmp(entry_rules[n].name, "host_ss_null") == 0)
            continue;
        assert_true(how < entry_break_count);
        assert_string_equal(entry_rules[n].name, entry_breaks[how].rule);
        how++;
    }
    assert_int_equal(how, entry_break_count);
    assert_true(entry_rule_count > 150);
}

/* The one without a break. */
static void test_host_ss_null(void **state)
{
    struct entry_snapshot s;
    bool found = false;

    (void)state;
    good(&s, ENTRY_STATE_REAL);
    s.value[F(EXIT_CONTROLS)] &= ~(uint64_t)(VMX_HOST_ADDRESS_SPACE_SIZE | VMX_EXIT_LOAD_EFER);
    s.value[F(HOST_SS_SELECTOR)] = 0;
    for (unsigned n = entry_check(&s, 0); n < entry_rule_count; n = entry_check(&s, n + 1))
        found = found || strcmp(entry_rules[n].name, "host_ss_null") == 0;
    assert_true(found);
}

/* Names differ, sections and fields have names, masks agree with what breaks: a first field within its masks
 * and nothing else said cannot be reported as reserved. */
static void test_table(void **state)
{
    struct entry_snapshot s;

    (void)state;
    good(&s, ENTRY_STATE_LONG);
    for (unsigned n = 0; n < entry_rule_count; n++) {
        const struct entry_rule *rule = &entry_rules[n];
        uint64_t must, may;

        for (unsigned other = 0; other < n; other++)
            assert_string_not_equal(rule->name, entry_rules[other].name);
        assert_true(rule->field_count >= 1 && rule->field_count <= ENTRY_RULE_FIELDS);
        for (unsigned field = 0; field < rule->field_count; field++)
            assert_string_not_equal(entry_field_name(rule->fields[field]), "?");
        assert_string_not_equal(entry_section_title(rule->section), "?");
        rule->masks(&s, &must, &may);
        assert_true((must & ~may) == 0);
    }
    assert_string_equal(entry_field_name(VMCS_INDEX_GUEST_CR0), "GUEST_CR0");
    assert_int_equal(entry_field_encoding(VMCS_INDEX_GUEST_CR0), VMCS_GUEST_CR0);
    assert_string_equal(entry_field_name(VMCS_INDEX_COUNT), "?");
    assert_string_equal(entry_section_title(SECTION_COUNT), "?");
}

/* Events: which need an error code, which wake from which activity state. */
static void test_events(void **state)
{
    (void)state;
    for (unsigned vector = 0; vector < 32; vector++) {
        for (unsigned with = 0; with < 2; with++) {
            bool has = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
            struct entry_snapshot s;

            good(&s, ENTRY_STATE_PROTECTED);
            s.value[F(ENTRY_INTERRUPTION_INFORMATION)] = 1u << 31 | 3 << 8 | vector | with << 11;
            assert_int_equal(entry_check(&s, 0) == entry_rule_count, has == with);
            s.capabilities.basic |= UINT64_C(1) << 56;
            assert_int_equal(entry_check(&s, 0), entry_rule_count);
            good(&s, ENTRY_STATE_REAL);
            s.value[F(ENTRY_INTERRUPTION_INFORMATION)] = 1u << 31 | 3 << 8 | vector | with << 11;
            assert_int_equal(entry_check(&s, 0) == entry_rule_count, !with);
        }
    }
    for (unsigned activity = 1; activity < 4; activity++) {
        for (unsigned type = 0; type < 8; type++) {
            for (unsigned vector = 0; vector < 32; vector++) {
                bool nmi = type == 2 && vector == 2, machine_check = type == 3 && vector == 18;
                bool hlt = nmi || machine_check || type == 0 || (type == 3 && vector == 1) ||
                           (type == 7 && vector == 0);
                struct entry_snapshot s;

                if (type == 1 || (type == 2 && !nmi) || (type == 7 && vector != 0))
                    continue;
                good(&s, ENTRY_STATE_REAL);
                s.value[F(GUEST_RFLAGS)] |= 0x200;
                s.value[F(ENTRY_INSTRUCTION_LENGTH)] = 1;
                s.value[F(GUEST_ACTIVITY_STATE)] = activity;
                s.value[F(ENTRY_INTERRUPTION_INFORMATION)] = 1u << 31 | type << 8 | vector;
                assert_int_equal(entry_check(&s, 0) == entry_rule_count,
                                 activity == 1 ? hlt : activity == 2 && (nmi || machine_check));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),     cmocka_unit_test(test_masking_in_cr3),
        cmocka_unit_test(test_breaks),   cmocka_unit_test(test_breaks_by_basic),
        cmocka_unit_test(test_complete), cmocka_unit_test(test_host_ss_null),
        cmocka_unit_test(test_table),    cmocka_unit_test(test_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
