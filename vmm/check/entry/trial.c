/* SPDX-License-Identifier: MIT */
/*
 * The entry checker against the processor: VMCSs that break one rule each (test=entry-rules), and ten
 * thousand random changes of good ones (test=entry-random). The processor must refuse exactly what the
 * checker does.
 */
#include "vmm/plug.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/invept.h"
#include "arch/x86/memory.h"
#include "arch/x86/vmx.h"
#include "drivers/console.h"
#include "vmm/host/cpu.h"
#include "vmm/host/bochs.h"
#include "vmm/check/entry/break.h"
#include "vmm/check/entry/report.h"
#include "arch/x86/exit_reason.h"
#include "vmm/host/frame.h"
#include "vmm/host/machine.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"
#include "vmm/host/workaround.h"

#define RANDOM_CASES     10000
#define RANDOM_CHANGES   3
#define MISMATCHES_SHOWN 20
#define GROUP(encoding)  ((encoding) >> 10 & 3)
#define GROUP_READ_ONLY  1
#define GROUP_GUEST      2
#define GROUP_HOST       3
#define WIDTH(encoding)  ((encoding) >> 13 & 3)
#define WIDTH_NATURAL    3
#define F(name)          VMCS_INDEX_##name

enum answer { REFUSED_CONTROLS, REFUSED_HOST, REFUSED_GUEST, REFUSED_MSRS, REFUSED_OTHERWISE, ENTERED };

/*
 * Where Bochs lets a VMCS pass that breaks a rule, or answers otherwise, and since which version of it
 * (vmm/host/bochs.h). The manual is right; each such case is seen, named and counted. Elsewhere there is
 * none. `applies` narrows it to what was seen; NULL: all that breaks the rule.
 */
static bool only_high_bits(const struct entry_snapshot *snapshot)
{
    return (uint32_t)snapshot->value[F(GUEST_PENDING_DEBUG_EXCEPTIONS)] == 0;
}

static bool cs_rpl_is_dpl(const struct entry_snapshot *snapshot)
{
    return (snapshot->value[F(GUEST_CS_SELECTOR)] & 3) ==
           (snapshot->value[F(GUEST_CS_ACCESS_RIGHTS)] >> 5 & 3);
}

static bool without_tpr_shadow(const struct entry_snapshot *snapshot)
{
    return (snapshot->value[F(PRIMARY_CONTROLS)] & VMX_USE_TPR_SHADOW) == 0;
}

static const struct {
    const char *rule, *why;
    enum answer answer;
    bool (*applies)(const struct entry_snapshot *snapshot);
    unsigned since;
} departures[] = {
    {"entry_to_smm", "found with the guest state", REFUSED_GUEST, NULL, 207},
    {"host_perf_global", "not checked", ENTERED, NULL, 207},
    {"guest_perf_global", "not checked", ENTERED, NULL, 207},
    {"guest_debugctl", "not checked", ENTERED, NULL, 207},
    {"guest_64bit_paging", "not checked for an unrestricted guest", ENTERED, NULL, 207},
    {"rip_linear", "not checked", ENTERED, NULL, 207},
    {"activity_event", "not checked", ENTERED, NULL, 207},
    {"blocking_nmi", "not checked", ENTERED, NULL, 207},
    {"cs_dpl_code", "the RPL of CS is looked at, not the DPL of SS", ENTERED, cs_rpl_is_dpl, 207},
    {"pending_reserved", "bits 63:32 are not checked", ENTERED, only_high_bits, 207},
    {"single_step_pending", "not checked", ENTERED, NULL, 207},
    {"single_step_not_pending", "not checked", ENTERED, NULL, 207},
    {"msr_load_smm", "not checked", ENTERED, NULL, 207},
    {"host_cet_without_wp", "not checked", ENTERED, NULL, 300},
    {"posted_interrupts_need", "checked with TPR shadow alone", ENTERED, without_tpr_shadow, 300},
    {"posted_interrupt_vector", "checked with TPR shadow alone", ENTERED, without_tpr_shadow, 300},
    {"posted_interrupt_descriptor", "checked with TPR shadow alone", ENTERED, without_tpr_shadow, 300},
};

/* And where it refuses a good one. */
static bool cs_rpl_is_not_dpl(const struct entry_snapshot *snapshot)
{
    return !cs_rpl_is_dpl(snapshot);
}

/* An address that is canonical on this processor, but not by the paging that the host uses. */
static bool has_wide_address(const struct entry_snapshot *snapshot, unsigned group)
{
    for (unsigned i = 0; i < VMCS_INDEX_COUNT; i++) {
        unsigned field = entry_field_encoding(i);
        uint64_t value = snapshot->value[i];

        if (WIDTH(field) == WIDTH_NATURAL && GROUP(field) == group &&
            (uint64_t)((int64_t)(value << 16) >> 16) != value)
            return true;
    }
    return false;
}

static bool has_wide_guest_address(const struct entry_snapshot *snapshot)
{
    return has_wide_address(snapshot, GROUP_GUEST);
}

static bool has_wide_host_address(const struct entry_snapshot *snapshot)
{
    return has_wide_address(snapshot, GROUP_HOST);
}

static const struct {
    enum answer answer;
    bool (*applies)(const struct entry_snapshot *snapshot);
    unsigned since;
} refusals[] = {
    {REFUSED_GUEST, cs_rpl_is_not_dpl, 207},
    {REFUSED_GUEST, has_wide_guest_address, 300},
    {REFUSED_HOST, has_wide_host_address, 300},
};

struct entry_test {
    struct vcpu *vcpu;
    struct entry_scratch scratch;
    struct entry_snapshot good;     /* the guest's VMCS, with what the tests add */
    struct entry_snapshot base;     /* of the case, before it is broken */
    struct entry_snapshot snapshot; /* of the case */
    uint64_t written[VMCS_INDEX_COUNT];
    bool present[VMCS_INDEX_COUNT];
    unsigned mismatches, departed;
    unsigned bochs; /* its version; 0: no departure is known of this machine */
    uint64_t seed;
};

static struct entry_test test; /* one vCPU at a time: the word is looked at by the boot CPU alone */

static const char *answer_name(enum answer answer)
{
    static const char *const names[] = {"VMfailValid(7)", "VMfailValid(8)", "exit(33)",
                                        "exit(34)",       "refused",        "entered"};

    return names[answer];
}

/* Writes what differs from what the VMCS holds, and takes over what it really holds then: a reserved bit of a
 * field may not be writable at all. */
static void write_fields(void)
{
    for (unsigned i = 0; i < VMCS_INDEX_COUNT; i++) {
        enum vmcs_field field = (enum vmcs_field)entry_field_encoding(i);

        if (!test.present[i] || GROUP(field) == GROUP_READ_ONLY || test.snapshot.value[i] == test.written[i])
            continue;
        if (vmx_write(field, test.snapshot.value[i]) != VMX_OK || vmx_read(field, &test.written[i]) != VMX_OK)
            console_printf("adept: entry-test: %s cannot be written\n", entry_field_name(i));
        test.snapshot.value[i] = test.written[i];
    }
}

/* An exit has saved the guest's state into the VMCS. */
static void read_fields(void)
{
    for (unsigned i = 0; i < VMCS_INDEX_COUNT; i++)
        if (test.present[i] && vmx_read((enum vmcs_field)entry_field_encoding(i), &test.written[i]) != VMX_OK)
            test.present[i] = false;
}

static enum answer enter(void)
{
    uint64_t outcome = vmx_enter(&test.vcpu->registers), value;

    if (outcome == VMX_ENTER_FAIL_VALID && vmx_read(VMCS_VM_INSTRUCTION_ERROR, &value) == VMX_OK)
        return value == 7 ? REFUSED_CONTROLS : value == 8 ? REFUSED_HOST : REFUSED_OTHERWISE;
    if (outcome != VMX_ENTER_EXITED || vmx_read(VMCS_EXIT_REASON, &value) != VMX_OK)
        return REFUSED_OTHERWISE;
    if (!(value & EXIT_REASON_ENTRY_FAILURE)) {
        read_fields();
        return ENTERED;
    }
    value &= EXIT_REASON_BASIC_MASK;
    return value == EXIT_ENTRY_GUEST_STATE   ? REFUSED_GUEST
           : value == EXIT_ENTRY_MSR_LOADING ? REFUSED_MSRS
                                             : REFUSED_OTHERWISE;
}

/* A processor may report what is wrong in the host state as it does for controls: they are checked in any
 * order. */
static bool answers(enum entry_section section, enum answer answer)
{
    switch (entry_section_answer(section)) {
    case ENTRY_INVALID_CONTROLS:
    case ENTRY_INVALID_HOST_STATE:
        return answer == REFUSED_CONTROLS || answer == REFUSED_HOST;
    case ENTRY_INVALID_GUEST:
        return answer == REFUSED_GUEST;
    case ENTRY_MSR_LOADING:
        return answer == REFUSED_MSRS;
    }
    return false;
}

/* Whether this breach of a rule is one that an emulator answers in this way; ENTERED stands for any that is
 * not refused. */
static bool is_departure(const char *rule, enum answer answer, const char **why)
{
    for (unsigned i = 0; i < array_count(departures); i++) {
        if (strcmp(departures[i].rule, rule) == 0) {
            *why = departures[i].why;
            return test.bochs != 0 && test.bochs >= departures[i].since && departures[i].answer == answer &&
                   (departures[i].applies == NULL || departures[i].applies(&test.snapshot));
        }
    }
    return false;
}

static void start_case(enum entry_state state)
{
    memset(phys_to_virt(test.scratch.physical), 0, PAGE_SIZE);
    test.snapshot = test.good;
    test.snapshot.link_known = true; /* the scratch page: its first word is 0 */
    entry_state_make(&test.snapshot, state);
    test.base = test.snapshot;
}

static void mismatch(const char *what, const char *rule, enum answer answer)
{
    if (test.mismatches++ < MISMATCHES_SHOWN)
        console_printf("adept: entry-test: mismatch %s rule=%s processor=%s\n", what, rule,
                       answer_name(answer));
}

static void test_rule(const struct entry_break *how, unsigned *refused)
{
    const char *named, *why = "";
    enum answer answer;
    unsigned first;

    start_case(how->state);
    how->apply(&test.snapshot, &test.scratch);
    write_fields();
    first = entry_check(&test.snapshot, 0);
    named = first < entry_rule_count ? entry_rules[first].name : "none";
    if (strcmp(named, how->rule) != 0) {
        mismatch("checker", named, ENTERED);
        console_printf("adept: entry-test: ... and not rule=%s\n", how->rule);
        return;
    }
    answer = enter();
    if (answers(entry_rules[first].section, answer)) {
        (*refused)++;
    } else if (is_departure(how->rule, answer, &why)) {
        test.departed++;
        console_printf("adept: entry-test: departure rule=%s processor=%s section=\"%s\" why=\"%s\"\n",
                       how->rule, answer_name(answer), entry_section_title(entry_rules[first].section), why);
    } else {
        mismatch("processor", how->rule, answer);
    }
}

static void test_rules(void)
{
    unsigned refused = 0, absent = 0;

    for (unsigned i = 0; i < ENTRY_STATE_COUNT; i++) { /* each state is good without a break */
        enum answer answer;

        start_case((enum entry_state)i);
        write_fields();
        answer = enter();
        if (answer != ENTERED)
            mismatch("good", entry_state_name((enum entry_state)i), answer);
    }
    for (unsigned i = 0; i < entry_break_count; i++) {
        if (entry_breaks[i].available(&test.good)) {
            test_rule(&entry_breaks[i], &refused);
        } else {
            absent++;
            console_printf("adept: entry-test: absent rule=%s\n", entry_breaks[i].rule);
        }
    }
    console_printf("adept: entry-test: rules=%u refused=%u absent=%u mismatches=%u departures=%u\n",
                   entry_break_count, refused, absent, test.mismatches, test.departed);
}

static uint64_t random(void)
{
    test.seed = test.seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return test.seed >> 24;
}

/* Addresses that a processor would read or write: these are made invalid or left alone. */
static bool is_pointer(unsigned index)
{
    static const uint16_t pointers[] = {F(VIRTUAL_APIC_ADDRESS),
                                        F(APIC_ACCESS_ADDRESS),
                                        F(PML_ADDRESS),
                                        F(POSTED_INTERRUPT_DESCRIPTOR_ADDRESS),
                                        F(EPT_POINTER),
                                        F(EPTP_LIST_ADDRESS),
                                        F(VMREAD_BITMAP),
                                        F(VMWRITE_BITMAP),
                                        F(VIRTUALIZATION_EXCEPTION_ADDRESS),
                                        F(SUB_PAGE_PERMISSION_TABLE_POINTER),
                                        F(EXIT_MSR_STORE_ADDRESS),
                                        F(EXIT_MSR_LOAD_ADDRESS),
                                        F(ENTRY_MSR_LOAD_ADDRESS),
                                        F(VMCS_LINK_POINTER),
                                        F(EXECUTIVE_VMCS_POINTER)};

    for (unsigned i = 0; i < array_count(pointers); i++)
        if (pointers[i] == index)
            return true;
    return false;
}

static void change_field(void)
{
    static const uint64_t values[] = {
        0, 1, 0xffff, 0x10000, 0xffffffff, UINT64_C(1) << 32, UINT64_C(1) << 47, UINT64_MAX};
    static const uint8_t widths[] = {16, 64, 32, 64};
    unsigned index, width;
    uint64_t *value;

    do {
        index = (unsigned)(random() % VMCS_INDEX_COUNT);
    } while (!test.present[index] || GROUP(entry_field_encoding(index)) == GROUP_READ_ONLY ||
             index == F(PREEMPTION_TIMER_VALUE));
    value = &test.snapshot.value[index];
    width = widths[WIDTH(entry_field_encoding(index))];
    if (is_pointer(index)) {
        *value ^= random() & 1 ? UINT64_C(1) << random() % 12 : UINT64_C(1) << (40 + random() % 24);
    } else if (random() % 4 == 0) {
        *value = values[random() % array_count(values)];
    } else {
        *value ^= UINT64_C(1) << random() % width;
    }
    if (width < 64)
        *value &= (UINT64_C(1) << width) - 1;
}

/*
 * What would be a good VMCS and yet no harmless one: without the timer the guest would run; MSRs or memory
 * would be written at an exit; the guest's accesses would not go through its EPT; and an inactive guest never
 * comes back (emulators differ in what wakes it). WORKAROUND_NO_LA57: the machine would stop at the exit.
 */
static bool may_enter(void)
{
    const uint64_t *value = test.snapshot.value;
    const uint64_t exit_needs = VMX_EXIT_LOAD_EFER | VMX_EXIT_LOAD_PAT;

    return (value[F(PIN_BASED_CONTROLS)] & VMX_ACTIVATE_PREEMPTION_TIMER) != 0 &&
           (value[F(EXIT_CONTROLS)] & exit_needs) == exit_needs &&
           (value[F(PRIMARY_CONTROLS)] & VMX_ACTIVATE_SECONDARY_CONTROLS) != 0 &&
           (value[F(SECONDARY_CONTROLS)] & VMX_ENABLE_EPT) != 0 && value[F(EXIT_MSR_STORE_COUNT)] == 0 &&
           value[F(EXIT_MSR_LOAD_COUNT)] == 0 && value[F(ENTRY_MSR_LOAD_COUNT)] == 0 &&
           value[F(GUEST_ACTIVITY_STATE)] == 0 && value[F(VMCS_LINK_POINTER)] == UINT64_MAX &&
           !(workaround_active(WORKAROUND_NO_LA57) && (value[F(GUEST_CR4)] & CR4_LA57) != 0);
}

/* Whether a rule is broken that the processor will surely find: what is no good and is let in must be
 * harmless too. */
static bool surely_refused(void)
{
    const char *why;

    for (unsigned rule = entry_check(&test.snapshot, 0); rule < entry_rule_count;
         rule = entry_check(&test.snapshot, rule + 1))
        if (!is_departure(entry_rules[rule].name, ENTERED, &why))
            return true;
    return false;
}

/*
 * Whether what an exit, also that of a failed entry, loads is not the host's own, and no rule is broken that
 * keeps the processor from getting so far: the machine might be lost before it could say so.
 */
static bool endangers_host(void)
{
    bool differs = test.snapshot.value[F(EXIT_MSR_LOAD_COUNT)] != 0;
    const char *why;

    for (unsigned i = 0; i < VMCS_INDEX_COUNT; i++)
        differs = differs || (GROUP(entry_field_encoding(i)) == GROUP_HOST &&
                              test.snapshot.value[i] != test.good.value[i]);
    for (unsigned rule = entry_check(&test.snapshot, 0); differs && rule < entry_rule_count;
         rule = entry_check(&test.snapshot, rule + 1))
        differs = !answers(entry_rules[rule].section, REFUSED_CONTROLS) ||
                  is_departure(entry_rules[rule].name, ENTERED, &why) ||
                  is_departure(entry_rules[rule].name, REFUSED_GUEST, &why);
    return differs;
}

/* The processor's answer against all rules that are broken: one of them must explain it. */
static void judge(enum answer answer, unsigned number)
{
    unsigned first = entry_check(&test.snapshot, 0);
    bool explained = first == entry_rule_count && answer == ENTERED;
    bool departs = answer == ENTERED && !surely_refused() && first != entry_rule_count;
    const char *why;

    for (unsigned rule = first; rule < entry_rule_count; rule = entry_check(&test.snapshot, rule + 1)) {
        explained = explained || answers(entry_rules[rule].section, answer);
        departs = departs || (answer != ENTERED && is_departure(entry_rules[rule].name, answer, &why));
    }
    for (unsigned i = 0; i < array_count(refusals); i++)
        departs = departs || (test.bochs != 0 && test.bochs >= refusals[i].since &&
                              refusals[i].answer == answer && refusals[i].applies(&test.snapshot));
    if (explained)
        return;
    if (departs) {
        test.departed++;
        return;
    }
    mismatch("random", first < entry_rule_count ? entry_rules[first].name : "none", answer);
    for (unsigned i = 0; i < VMCS_INDEX_COUNT && test.mismatches <= MISMATCHES_SHOWN; i++)
        if (test.snapshot.value[i] != test.base.value[i])
            console_printf("adept: entry-test: ... case=%u %s(0x%04x)=%#llx was=%#llx\n", number,
                           entry_field_name(i), entry_field_encoding(i),
                           (unsigned long long)test.snapshot.value[i],
                           (unsigned long long)test.base.value[i]);
}

static void test_random(void)
{
    unsigned entered = 0, refused = 0, not_tried = 0;

    test.seed = 1;
    for (unsigned n = 0; n < RANDOM_CASES; n++) {
        unsigned changes = 1 + (unsigned)(random() % RANDOM_CHANGES);
        enum answer answer;

        start_case((enum entry_state)(random() % ENTRY_STATE_COUNT));
        while (changes-- > 0)
            change_field();
        write_fields();
        if (endangers_host() || (!surely_refused() && !may_enter())) {
            not_tried++;
            continue;
        }
        answer = enter();
        if (answer == ENTERED)
            entered++;
        else
            refused++;
        judge(answer, n);
    }
    console_printf(
        "adept: entry-test: random=%u entered=%u refused=%u not_tried=%u mismatches=%u departures=%u\n",
        RANDOM_CASES, entered, refused, not_tried, test.mismatches, test.departed);
}

static bool prepare(struct vcpu *vcpu)
{
    static const uint16_t pages[] = {F(IO_BITMAP_A),
                                     F(IO_BITMAP_B),
                                     F(VIRTUAL_APIC_ADDRESS),
                                     F(APIC_ACCESS_ADDRESS),
                                     F(PML_ADDRESS),
                                     F(POSTED_INTERRUPT_DESCRIPTOR_ADDRESS),
                                     F(EPTP_LIST_ADDRESS),
                                     F(VMREAD_BITMAP),
                                     F(VMWRITE_BITMAP),
                                     F(VIRTUALIZATION_EXCEPTION_ADDRESS),
                                     F(SUB_PAGE_PERMISSION_TABLE_POINTER),
                                     F(EXIT_MSR_STORE_ADDRESS),
                                     F(EXIT_MSR_LOAD_ADDRESS),
                                     F(ENTRY_MSR_LOAD_ADDRESS)};
    uint64_t value;

    memset(&test, 0, sizeof(test));
    test.vcpu = vcpu;
    test.bochs = emulator_bochs();
    test.scratch.physical = frame_alloc(FRAME_HOST);
    if (test.scratch.physical == FRAME_ALLOC_FAILED)
        return false;
    test.scratch.msrs = phys_to_virt(test.scratch.physical);
    memset(test.scratch.msrs, 0, PAGE_SIZE);
    entry_snapshot_take(&test.good);
    for (unsigned i = 0; i < VMCS_INDEX_COUNT; i++) {
        test.present[i] = vmx_read((enum vmcs_field)entry_field_encoding(i), &value) == VMX_OK;
        test.written[i] = value;
    }
    for (unsigned i = 0; i < array_count(pages); i++)
        test.good.value[pages[i]] = test.scratch.physical;
    test.good.value[F(PREEMPTION_TIMER_VALUE)] = 0;
    test.good.value[F(TSC_MULTIPLIER)] = UINT64_C(1) << 48;
    return true;
}

/* A VMCS that the processor must refuse, and the reports must explain. */
static void break_for_good(void)
{
    if (cmdline_has_test(machine_options(), "entry-broken-controls"))
        vmcs_write(VMCS_EPT_POINTER, vmcs_read(VMCS_EPT_POINTER) | 0x100);
    if (cmdline_has_test(machine_options(), "entry-broken-host"))
        vmcs_write(VMCS_HOST_TR_SELECTOR, 0);
    if (cmdline_has_test(machine_options(), "entry-broken-guest")) {
        vmcs_write(VMCS_GUEST_TR_ACCESS_RIGHTS, 0x82);
        vmcs_write(VMCS_GUEST_RFLAGS, 0);
    }
}

/*
 * Runs what test= asks for on the vCPU's current VMCS, before its first entry, and leaves the VMCS as it was.
 * No guest instruction is executed: the VMX-preemption timer is 0. Prints a line for each difference, then
 *     adept: entry-test: rules=N refused=N absent=N mismatches=N departures=N
 *     adept: entry-test: random=N entered=N refused=N not_tried=N mismatches=N departures=N
 * entry-broken-controls, entry-broken-host and entry-broken-guest spoil the VMCS for good.
 */
void entry_test(struct vcpu *vcpu)
{
    bool rules = cmdline_has_test(machine_options(), "entry-rules");
    bool random_cases = cmdline_has_test(machine_options(), "entry-random");
    static struct entry_snapshot before;
    static struct vmx_registers registers;

    break_for_good();
    if (!rules && !random_cases)
        return;
    entry_snapshot_take(&before);
    registers = vcpu->registers;
    if (!prepare(vcpu)) {
        console_printf("adept: entry-test: no memory\n");
        return;
    }
    if (rules)
        test_rules();
    test.mismatches = test.departed = 0;
    if (random_cases)
        test_random();
    test.snapshot = before;
    write_fields();
    vcpu->registers = registers;
    frame_free_run(test.scratch.physical, 1, FRAME_HOST);
    if (invvpid_context(vmx_shared_capabilities()->ept_vpid, vcpu->vpid) != VMX_OK)
        console_printf("adept: entry-test: INVVPID fails\n");
}
