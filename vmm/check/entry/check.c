/* SPDX-License-Identifier: MIT */
/* The rules of vmm/check/entry/rules.def as functions, and the words that they are written in. */
#include "vmm/check/entry/check.h"
#include "arch/x86/control_registers.h"
#include "vmm/vcpu/inject.h"
#include <stddef.h>

/* In this file these are fields of the VMCS. */
#undef HOST_CR0
#undef HOST_CR4

/* --- The words of vmm/check/entry/rules.def. --- */
#define V(name)          (s->value[VMCS_INDEX_##name])
#define CAPS(member)     (s->capabilities.member)
#define FLAG(value, bit) (((value) & (bit)) != 0)

#define PIN(control)     FLAG(V(PIN_BASED_CONTROLS), VMX_##control)
#define PRIMARY(control) FLAG(V(PRIMARY_CONTROLS), VMX_##control)
#define SECONDARY(control)                                                                                   \
    (PRIMARY(ACTIVATE_SECONDARY_CONTROLS) && FLAG(V(SECONDARY_CONTROLS), VMX_##control))
#define EXIT(control)  FLAG(V(EXIT_CONTROLS), VMX_##control)
#define ENTRY(control) FLAG(V(ENTRY_CONTROLS), VMX_##control)
#define IA32E          ENTRY(IA32E_MODE_GUEST)
#define UNRESTRICTED   SECONDARY(UNRESTRICTED_GUEST)

/* Bits 31:0 of a capability must be 1, bits 63:32 may be 1. */
#define MUST(word)            ((uint32_t)CAPS(controls[VMX_WORD_##word]))
#define MAY(word)             ((uint32_t)(CAPS(controls[VMX_WORD_##word]) >> 32))
#define RESERVED(word, value) (((value) & ~(uint64_t)MAY(word)) != 0 || (~(value)&MUST(word)) != 0)

/* IA32_VMX_MISC. */
#define MISC_ACTIVITY    (CAPS(misc) >> 6 & 7) /* HLT, shutdown, wait-for-SIPI */
#define MISC_CR3_TARGETS (CAPS(misc) >> 16 & 0x1ff)
#define MISC_ZERO_LENGTH FLAG(CAPS(misc), UINT64_C(1) << 30)

/* Addresses. Of VMX's own structures all may be limited to 32 bits; CR3 is not. */
#define PHYSICAL              ((UINT64_C(1) << s->physical_width) - 1)
#define ADDRESSES             (FLAG(CAPS(basic), VMX_BASIC_32BIT_ADDRESSES) ? UINT64_C(0xffffffff) : PHYSICAL)
#define BEYOND(address)       (((address) & ~ADDRESSES) != 0)
#define BEYOND_WIDTH(address) (((address) & ~PHYSICAL) != 0)
#define BAD_PAGE(address)     (((address)&0xfff) != 0 || BEYOND(address))
#define BAD_MSR_AREA(address, count)                                                                         \
    ((count) != 0 &&                                                                                         \
     (((address)&15) != 0 || BEYOND(address) || BEYOND((address) + (count) * sizeof(struct entry_msr) - 1)))
#define CANONICAL(address) is_canonical(s, address)
#define PAT_VALID(value)   pat_is_valid(value)

/* EPT_POINTER. SDM vol. 3, "Extended-Page-Table Pointer (EPTP)". */
#define EPTP_AD           (UINT64_C(1) << 6)
#define EPTP_SHADOW_STACK (UINT64_C(1) << 7) /* rights of supervisor shadow-stack pages are enforced */
#define EPTP_RESERVED     (UINT64_C(0xf00) | (FLAG(CAPS(ept_vpid), EPT_CAP_SHADOW_STACK) ? 0 : EPTP_SHADOW_STACK))
#define EPTP_TYPE         (V(EPT_POINTER) & 7)
#define EPTP_WALK         (V(EPT_POINTER) >> 3 & 7)
#define EPTP_TYPE_VALID                                                                                      \
    ((EPTP_TYPE == 0 && FLAG(CAPS(ept_vpid), EPT_CAP_UC)) ||                                                 \
     (EPTP_TYPE == 6 && FLAG(CAPS(ept_vpid), EPT_CAP_WB)))
#define EPTP_WALK_VALID                                                                                      \
    ((EPTP_WALK == 3 && FLAG(CAPS(ept_vpid), EPT_CAP_WALK_4)) ||                                             \
     (EPTP_WALK == 4 && FLAG(CAPS(ept_vpid), EPT_CAP_WALK_5)))
#define EPTP_SWITCHING (SECONDARY(ENABLE_VM_FUNCTIONS) && (V(VM_FUNCTION_CONTROLS) & 1) != 0)

/* The event to inject. SDM vol. 3, "VM-Entry Controls for Event Injection". */
#define EVENT                     FLAG(V(ENTRY_INTERRUPTION_INFORMATION), EVENT_VALID)
#define EVENT_KIND                EVENT_TYPE(V(ENTRY_INTERRUPTION_INFORMATION))
#define EVENT_NUMBER              EVENT_VECTOR(V(ENTRY_INTERRUPTION_INFORMATION))
#define EVENT_IS_EXTERNAL         EVENT_EXTERNAL_INTERRUPT
#define EVENT_IS_NMI              EVENT_NMI
#define EVENT_IS_EXCEPTION        EVENT_HARDWARE_EXCEPTION
#define EVENT_IS_OTHER            7
#define EVENT_IS_SOFTWARE         (EVENT_KIND >= EVENT_SOFTWARE_INTERRUPT && EVENT_KIND <= EVENT_SOFTWARE_EXCEPTION)
#define EVENT_KIND_KNOWN          (EVENT_KIND != 1)
#define EVENT_DELIVERS_ERROR_CODE FLAG(V(ENTRY_INTERRUPTION_INFORMATION), EVENT_HAS_ERROR_CODE)
#define EVENT_NEEDS_ERROR_CODE    needs_error_code(s)
#define EVENT_WAKES               event_is_taken(s)
#define MONITOR_TRAP_FLAG_THERE   ((MAY(PRIMARY) & VMX_MONITOR_TRAP_FLAG) != 0)

/* Bits of CR0 and CR4 that IA32_VMX_CRn_FIXED0 has must be 1, those that FIXED1 lacks must be 0. */
#define FIXED_BAD(value, register)                                                                           \
    ((~(value)&CAPS(register##_fixed0)) != 0 || ((value) & ~CAPS(register##_fixed1)) != 0)
#define GUEST_CR0_MUST (UNRESTRICTED ? CAPS(cr0_fixed0) & ~(CR0_PE | CR0_PG) : CAPS(cr0_fixed0))
#define GUEST_CR0_BAD                                                                                        \
    ((~V(GUEST_CR0) & GUEST_CR0_MUST & ~(CR0_NW | CR0_CD)) != 0 || (V(GUEST_CR0) & ~CAPS(cr0_fixed1)) != 0)

/* Segments. SDM vol. 3, "Guest Register State". */
#define RIGHTS(name)    (V(GUEST_##name##_ACCESS_RIGHTS))
#define RIGHTS_S        0x10u
#define RIGHTS_P        0x80u
#define RIGHTS_L        0x2000u
#define RIGHTS_DB       0x4000u
#define RIGHTS_G        0x8000u
#define RIGHTS_UNUSABLE 0x10000u
#define RIGHTS_RESERVED UINT64_C(0xfffe0f00)
#define USABLE(name)    ((RIGHTS(name) & RIGHTS_UNUSABLE) == 0)
#define TYPE(name)      ((unsigned)RIGHTS(name) & 15)
#define DPL(name)       ((unsigned)RIGHTS(name) >> 5 & 3)
#define GRANULARITY_BAD(name)                                                                                \
    (FLAG(RIGHTS(name), RIGHTS_G) ? (V(GUEST_##name##_LIMIT) & 0xfff) != 0xfff                               \
                                  : V(GUEST_##name##_LIMIT) >> 20 != 0)
#define V86 FLAG(V(GUEST_RFLAGS), RFLAGS_VM)
#define CS_TYPE_VALID                                                                                        \
    (TYPE(CS) == 9 || TYPE(CS) == 11 || TYPE(CS) == 13 || TYPE(CS) == 15 || (UNRESTRICTED && TYPE(CS) == 3))
#define CODE_64BIT (IA32E && FLAG(RIGHTS(CS), RIGHTS_L))

/* RIP and RFLAGS: 21 ID to 16 RF, 14 NT to 6 ZF, 4 AF, 2 PF, 1, 0 CF. */
#define RFLAGS_KNOWN       UINT64_C(0x3f7fd7)
#define RIP_BITS_IDENTICAL rip_bits_are_identical(s)

/* Non-register state. SDM vol. 3, "Guest Non-Register State". */
#define ACTIVITY          V(GUEST_ACTIVITY_STATE)
#define ACTIVITY_HLT      1
#define ACTIVITY_SHUTDOWN 2
#define BLOCKING          V(GUEST_INTERRUPTIBILITY_STATE)
#define BLOCKING_KNOWN    (s->sgx ? UINT64_C(0x1f) : UINT64_C(0xf))
#define PENDING           V(GUEST_PENDING_DEBUG_EXCEPTIONS)
#define PENDING_ENABLED   (UINT64_C(1) << 12)
#define PENDING_BS        (UINT64_C(1) << 14)
#define PENDING_RTM       (UINT64_C(1) << 16)
#define PENDING_KNOWN     (UINT64_C(0x500f) | (s->rtm ? PENDING_RTM : 0))
#define DEBUGCTL_BTF      (UINT64_C(1) << 1)
#define SINGLE_STEPPING   (FLAG(V(GUEST_RFLAGS), RFLAGS_TF) && !FLAG(V(GUEST_IA32_DEBUGCTL), DEBUGCTL_BTF))
#define LINK_KNOWN        (V(VMCS_LINK_POINTER) != UINT64_MAX && !BAD_PAGE(V(VMCS_LINK_POINTER)) && s->link_known)
#define LINK_REVISION_WANTED                                                                                 \
    ((uint32_t)(CAPS(basic) & VMX_BASIC_REVISION_MASK) | (SECONDARY(VMCS_SHADOWING) ? 1u << 31 : 0))

/* PAE paging's PDPTEs: 2:1, 8:5 and what is beyond the physical-address width. */
#define PAE_PAGING                                                                                           \
    (FLAG(V(GUEST_CR0), CR0_PG) && FLAG(V(GUEST_CR4), CR4_PAE) && !IA32E && SECONDARY(ENABLE_EPT))
#define PDPTE_RESERVED   (UINT64_C(0x1e6) | ~PHYSICAL)
#define PDPTE_BAD(pdpte) (((pdpte)&1) != 0 && ((pdpte)&PDPTE_RESERVED) != 0)

#define MSR_LOAD(test) any_msr(s, test)

static bool is_canonical(const struct entry_snapshot *s, uint64_t address)
{
    unsigned shift = 64u - s->linear_width;

    return (uint64_t)((int64_t)(address << shift) >> shift) == address;
}

static bool rip_bits_are_identical(const struct entry_snapshot *s)
{
    uint64_t above = V(GUEST_RIP) >> s->linear_width;

    return above == 0 || above == UINT64_MAX >> s->linear_width;
}

static bool pat_is_valid(uint64_t pat)
{
    for (unsigned n = 0; n < 8; n++) {
        unsigned type = pat >> 8 * n & 0xff;

        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}

/* #DF, #TS, #NP, #SS, #GP, #PF, #AC, and nowhere in real mode. */
static bool needs_error_code(const struct entry_snapshot *s)
{
    const uint32_t vectors = 1u << 8 | 0x1fu << 10 | 1u << 17;
    bool real = UNRESTRICTED && !FLAG(V(GUEST_CR0), CR0_PE);

    if (EVENT_KIND != EVENT_IS_EXCEPTION || real)
        return false;
    if (FLAG(CAPS(basic), VMX_BASIC_ANY_ERROR_CODE))
        return EVENT_DELIVERS_ERROR_CODE;
    return EVENT_NUMBER < 32 && (vectors >> EVENT_NUMBER & 1) != 0;
}

/* Whether the event may be injected in this activity state. */
static bool event_is_taken(const struct entry_snapshot *s)
{
    bool nmi = EVENT_KIND == EVENT_IS_NMI;
    bool machine_check = EVENT_KIND == EVENT_IS_EXCEPTION && EVENT_NUMBER == 18;

    switch (ACTIVITY) {
    case 0:
        return true;
    case ACTIVITY_HLT:
        return nmi || machine_check || EVENT_KIND == EVENT_IS_EXTERNAL ||
               (EVENT_KIND == EVENT_IS_EXCEPTION && EVENT_NUMBER == 1) || EVENT_KIND == EVENT_IS_OTHER;
    case ACTIVITY_SHUTDOWN:
        return nmi || machine_check;
    default:
        return ACTIVITY > 3; /* wait-for-SIPI takes none; what is no state at all is another rule's */
    }
}

static bool entry_msr_reserved(const struct entry_msr *msr, const struct entry_snapshot *s)
{
    (void)s;
    return msr->reserved != 0;
}

static bool entry_msr_is_base(const struct entry_msr *msr, const struct entry_snapshot *s)
{
    (void)s;
    return msr->index == 0xc0000100 || msr->index == 0xc0000101;
}

static bool entry_msr_is_x2apic(const struct entry_msr *msr, const struct entry_snapshot *s)
{
    return s->x2apic_mode && msr->index >> 8 == 8;
}

static bool entry_msr_is_smm_only(const struct entry_msr *msr, const struct entry_snapshot *s)
{
    (void)s;
    return msr->index == 0x9b;
}

static bool any_msr(const struct entry_snapshot *s,
                    bool (*test)(const struct entry_msr *msr, const struct entry_snapshot *s))
{
    for (uint64_t n = 0; s->msrs != NULL && n < V(ENTRY_MSR_LOAD_COUNT); n++)
        if (test(&s->msrs[n], s))
            return true;
    return false;
}

/* --- The rules. --- */
#define NO_MASKS              MASKS(0, UINT64_MAX)
#define PAGE_MASKS            MASKS(0, ADDRESSES & ~UINT64_C(0xfff))
#define CONTROL_MASKS(word)   MASKS(MUST(word), MAY(word))
#define FIXED_MASKS(register) MASKS(CAPS(register##_fixed0), CAPS(register##_fixed1))

#define MASKS(must_be, may_be) *must = (must_be), *may = (may_be)
#define RULE(id, in_section, about, when, with_masks, says)                                                  \
    static bool broken_##id(const struct entry_snapshot *s)                                                  \
    {                                                                                                        \
        (void)s;                                                                                             \
        return (when);                                                                                       \
    }                                                                                                        \
    static void masks_##id(const struct entry_snapshot *s, uint64_t *must, uint64_t *may)                    \
    {                                                                                                        \
        (void)s;                                                                                             \
        with_masks;                                                                                          \
    }
#include "vmm/check/entry/rules.def"
#undef RULE

#define FIELD_COUNT(a, b, c, d, count, ...) count
#define FIELD_1(a)                          VMCS_INDEX_##a
#define FIELD_2(a, b)                       VMCS_INDEX_##a, VMCS_INDEX_##b
#define FIELD_3(a, b, c)                    VMCS_INDEX_##a, VMCS_INDEX_##b, VMCS_INDEX_##c
#define FIELD_4(a, b, c, d)                 VMCS_INDEX_##a, VMCS_INDEX_##b, VMCS_INDEX_##c, VMCS_INDEX_##d
#define FIELDS(...)                                                                                          \
    {FIELD_COUNT(__VA_ARGS__, FIELD_4, FIELD_3, FIELD_2, FIELD_1, none)(__VA_ARGS__)},                       \
        FIELD_COUNT(__VA_ARGS__, 4, 3, 2, 1, 0)

const struct entry_rule entry_rules[] = {
#define RULE(id, in_section, about, when, with_masks, says)                                                  \
    {#id, SECTION_##in_section, says, about, broken_##id, masks_##id},
#include "vmm/check/entry/rules.def"
#undef RULE
};
const unsigned entry_rule_count = sizeof(entry_rules) / sizeof(entry_rules[0]);

unsigned entry_check(const struct entry_snapshot *snapshot, unsigned start)
{
    while (start < entry_rule_count && !entry_rules[start].broken(snapshot))
        start++;
    return start;
}

static const struct {
    const char *title;
    enum entry_answer answer;
} sections[SECTION_COUNT] = {
    [SECTION_EXECUTION] = {"VM-Execution Control Fields", ENTRY_INVALID_CONTROLS},
    [SECTION_EXIT] = {"VM-Exit Control Fields", ENTRY_INVALID_CONTROLS},
    [SECTION_ENTRY] = {"VM-Entry Control Fields", ENTRY_INVALID_CONTROLS},
    [SECTION_HOST_REGISTERS] = {"Checks on Host Control Registers, MSRs, and SSP", ENTRY_INVALID_HOST_STATE},
    [SECTION_HOST_SEGMENTS] = {"Checks on Host Segment and Descriptor-Table Registers",
                               ENTRY_INVALID_HOST_STATE},
    [SECTION_ADDRESS_SPACE] = {"Checks Related to Address-Space Size", ENTRY_INVALID_HOST_STATE},
    [SECTION_GUEST_REGISTERS] = {"Checks on Guest Control Registers, Debug Registers, and MSRs",
                                 ENTRY_INVALID_GUEST},
    [SECTION_GUEST_SEGMENTS] = {"Checks on Guest Segment Registers", ENTRY_INVALID_GUEST},
    [SECTION_GUEST_TABLES] = {"Checks on Guest Descriptor-Table Registers", ENTRY_INVALID_GUEST},
    [SECTION_GUEST_RIP_RFLAGS] = {"Checks on Guest RIP, RFLAGS, and SSP", ENTRY_INVALID_GUEST},
    [SECTION_GUEST_NON_REGISTER] = {"Checks on Guest Non-Register State", ENTRY_INVALID_GUEST},
    [SECTION_GUEST_PDPTES] = {"Checks on Guest Page-Directory-Pointer-Table Entries", ENTRY_INVALID_GUEST},
    [SECTION_LOADING_MSRS] = {"Loading MSRs", ENTRY_MSR_LOADING},
};

const char *entry_section_title(enum entry_section section)
{
    return (unsigned)section < SECTION_COUNT ? sections[section].title : "?";
}

enum entry_answer entry_section_answer(enum entry_section section)
{
    return (unsigned)section < SECTION_COUNT ? sections[section].answer : ENTRY_INVALID_CONTROLS;
}

static const struct {
    uint16_t encoding;
    const char *name;
} fields[VMCS_INDEX_COUNT] = {
#define VMCS_FIELD(code, name, gate) {code, #name},
#include "arch/x86/vmx_fields.def"
#undef VMCS_FIELD
};

const char *entry_field_name(unsigned index)
{
    return index < VMCS_INDEX_COUNT ? fields[index].name : "?";
}

uint16_t entry_field_encoding(unsigned index)
{
    return index < VMCS_INDEX_COUNT ? fields[index].encoding : 0xffff;
}
