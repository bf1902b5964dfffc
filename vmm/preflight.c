/* SPDX-License-Identifier: MIT */
/*
 * The pre-flight report: every requirement line by line, with the value found and, where it fails, what to
 * do. The first that fails is remembered for the line "adept: refused: ...".
 */
#include "vmm/preflight.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/memory.h"
#include "arch/x86/vmx_capabilities.h"
#include "drivers/console.h"
#include "drivers/format.h"
#include "vmm/host/feature_control.h"
#include "vmm/host/machine.h"

#define MEMORY_TYPE_WB 6

#define ADVICE_PROCESSOR "use an Intel processor of Westmere's generation (2010) or later"
#define ADVICE_HOST      "under another hypervisor: give the machine this feature of nested VMX"

static struct {
    bool refused;
    char what[160];
} outcome;

static void line(bool ok, bool required, const char *name, const char *value, const char *advice)
{
    const char *state = ok ? "ok" : required ? "MISSING" : "absent";

    if (ok || !required || advice == NULL) {
        console_printf("adept: preflight: %-7s %s%s%s\n", state, name, value[0] != '\0' ? " " : "", value);
        return;
    }
    console_printf("adept: preflight: %-7s %s%s%s -> %s\n", state, name, value[0] != '\0' ? " " : "", value,
                   advice);
    if (!outcome.refused)
        (void)format(outcome.what, sizeof(outcome.what), "%s is missing (%s)", name, advice);
    outcome.refused = true;
}

static bool check_cpu(void)
{
    char vendor[13], text[64];
    struct cpuid_version version = cpuid_version();
    bool intel, vmx;

    cpuid_vendor(vendor);
    intel = strcmp(vendor, "GenuineIntel") == 0;
    (void)format(text, sizeof(text), "vendor=%s family=%#x model=%#x stepping=%#x", vendor, version.family,
                 version.model, version.stepping);
    line(intel, true, "Intel processor", text, ADVICE_PROCESSOR);
    vmx = cpuid(1, 0).ecx & CPUID_1_ECX_VMX;
    line(vmx, true, "CPUID VMX", vmx ? "cpuid.1:ecx.5=1" : "cpuid.1:ecx.5=0",
         "use a processor with VT-x, or give the virtual machine VMX: `-cpu host` under KVM with nested=1");
    return vmx;
}

static bool check_feature_control(void)
{
    static const char *const states[] = {
        [FEATURE_CONTROL_ABSENT] = "absent: VMXON is tried all the same",
        [FEATURE_CONTROL_UNLOCKED] = "unlocked: each CPU sets and locks it",
        [FEATURE_CONTROL_ENABLED] = "locked with VMX on",
        [FEATURE_CONTROL_ONLY_SMX] = "locked with VMX inside of SMX alone",
        [FEATURE_CONTROL_LOCKED_OFF] = "locked with VMX off",
    };
    uint64_t value;
    enum feature_control_state state = feature_control_state(&value);
    bool ok = state != FEATURE_CONTROL_ONLY_SMX && state != FEATURE_CONTROL_LOCKED_OFF;
    char text[96];

    (void)format(text, sizeof(text), "%#llx, %s", (unsigned long long)value, states[state]);
    line(ok, true, "IA32_FEATURE_CONTROL", text,
         state == FEATURE_CONTROL_ONLY_SMX
             ? "switch TXT off or VT-x on in the firmware set-up, then power the machine off and on"
             : "switch on \"Intel Virtualization Technology (VT-x)\" in the firmware set-up, then power the "
               "machine "
               "off and on");
    return ok;
}

static void check_fixed_bits(const struct vmx_capabilities *vmx)
{
    char text[96];

    (void)format(text, sizeof(text), "cr0=%#llx/%#llx cr4=%#llx/%#llx (must be 1/may be 1)",
                 (unsigned long long)vmx->cr0_fixed0, (unsigned long long)vmx->cr0_fixed1,
                 (unsigned long long)vmx->cr4_fixed0, (unsigned long long)vmx->cr4_fixed1);
    line((vmx->cr4_fixed1 >> 13) & 1, true, "fixed bits of CR0 and CR4", text, ADVICE_PROCESSOR);
}

static void check_basic(const struct vmx_capabilities *vmx)
{
    char text[128];
    uint64_t basic = vmx->basic;

    (void)format(text, sizeof(text), "revision=%#x size=%u memory_type=%u true_controls=%u ins_outs=%u",
                 (unsigned)(basic & VMX_BASIC_REVISION_MASK), VMX_BASIC_SIZE(basic),
                 VMX_BASIC_MEMORY_TYPE(basic), (unsigned)((basic & VMX_BASIC_TRUE_CONTROLS) != 0),
                 (unsigned)((basic & VMX_BASIC_INS_OUTS_INFORMATION) != 0));
    line(VMX_BASIC_SIZE(basic) > 0 && VMX_BASIC_SIZE(basic) <= PAGE_SIZE, true, "IA32_VMX_BASIC", text,
         ADVICE_PROCESSOR);
    line(VMX_BASIC_MEMORY_TYPE(basic) == MEMORY_TYPE_WB, true, "write-back VMCS", "", ADVICE_PROCESSOR);
}

static void check_controls(const struct vmx_capabilities *vmx)
{
    for (unsigned i = 0; i < vmx_control_count; i++) {
        const struct vmx_control *control = &vmx_controls[i];
        bool may = vmx_control_missing(vmx, control->word, control->mask) == 0;
        bool must = (uint32_t)vmx->controls[control->word] & control->mask;
        char text[96];

        if (control->use >= VMX_USE_HANDLED && !must)
            continue;
        (void)format(text, sizeof(text), "%s bit=%u %s", vmx_control_word_name(control->word),
                     (unsigned)__builtin_ctz(control->mask),
                     must  ? "found=always-1"
                     : may ? "found=settable"
                           : "found=always-0");
        if (control->use == VMX_USE_UNUSED) {
            line(false, true, control->name, text,
                 "the processor, or a hypervisor below, forces it to 1, and nothing here handles it");
            continue;
        }
        line(may, control->use == VMX_USE_REQUIRED, control->name, text,
             control->mask == VMX_UNRESTRICTED_GUEST && control->word == VMX_WORD_SECONDARY
                 ? "guests start in real mode: " ADVICE_PROCESSOR "; " ADVICE_HOST
                 : ADVICE_PROCESSOR "; " ADVICE_HOST);
    }
}

static void check_ept(const struct vmx_capabilities *vmx)
{
    static const struct {
        uint64_t mask;
        bool required;
        const char *name;
    } bits[] = {
        {EPT_CAP_WALK_4, true, "EPT page walk of 4 levels"},
        {EPT_CAP_WB | EPT_CAP_UC, true, "EPT paging structures WB or UC"},
        {EPT_CAP_INVEPT, true, "INVEPT"},
        {EPT_CAP_INVEPT_ALL_CONTEXTS, true, "INVEPT all-contexts"},
        {EPT_CAP_INVEPT_SINGLE_CONTEXT, false, "INVEPT single-context"},
        {EPT_CAP_2M, false, "EPT 2 MiB pages"},
        {EPT_CAP_1G, false, "EPT 1 GiB pages"},
        {EPT_CAP_ACCESSED_DIRTY, false, "EPT accessed and dirty flags"},
        {EPT_CAP_EXECUTE_ONLY, false, "EPT execute-only"},
        {VPID_CAP_INVVPID, false, "INVVPID"},
        {VPID_CAP_INVVPID_INDIVIDUAL_ADDRESS, false, "INVVPID individual-address"},
        {VPID_CAP_INVVPID_SINGLE_CONTEXT, false, "INVVPID single-context"},
        {VPID_CAP_INVVPID_ALL_CONTEXTS, false, "INVVPID all-contexts"},
        {VPID_CAP_INVVPID_RETAINING_GLOBALS, false, "INVVPID single-context-retaining-globals"},
    };
    char text[48];

    (void)format(text, sizeof(text), "%#llx", (unsigned long long)vmx->ept_vpid);
    line(vmx->ept_vpid != 0, true, "IA32_VMX_EPT_VPID_CAP", text, ADVICE_PROCESSOR "; " ADVICE_HOST);
    for (unsigned i = 0; i < array_count(bits); i++)
        line((vmx->ept_vpid & bits[i].mask) != 0, bits[i].required, bits[i].name, "",
             ADVICE_PROCESSOR "; " ADVICE_HOST);
}

enum preflight_result preflight_run(void)
{
    struct vmx_capabilities vmx;

    outcome.refused = false;
    if (check_cpu() && check_feature_control()) {
        vmx_capabilities_read(&vmx);
        check_fixed_bits(&vmx);
        check_basic(&vmx);
        check_controls(&vmx);
        check_ept(&vmx);
    }
    console_printf("adept: preflight: %s\n", outcome.refused ? "this machine cannot run guests" : "pass");
    return outcome.refused ? PREFLIGHT_REFUSED : PREFLIGHT_PASS;
}

const char *preflight_refusal(void)
{
    return outcome.refused ? outcome.what : NULL;
}
