/* SPDX-License-Identifier: MIT */
/* The breaks of vmm/check/entry/breaks.def as functions. */
#include "vmm/check/entry/break.h"
#include "arch/x86/control_registers.h"
#include "vmm/vcpu/inject.h"

/* In this file these are fields of the VMCS. */
#undef HOST_CR0
#undef HOST_CR4

/* --- The words of vmm/check/entry/breaks.def. --- */
#define V(name)            (s->value[VMCS_INDEX_##name])
#define W(name, what)      (V(name) = (what))
#define CAPS(member)       (s->capabilities.member)
#define MUST(word)         ((uint32_t)CAPS(controls[VMX_WORD_##word]))
#define MAY(word)          ((uint32_t)(CAPS(controls[VMX_WORD_##word]) >> 32))
#define HAS(word, control) ((MAY(word) & VMX_##control) != 0)
/* The lowest bit of a word that must be 1 and is no control that another rule speaks of; that may not be 1;
 * 0: none. */
#define FIRST_MUST(word)    ((uint64_t)(MUST(word) & -MUST(word)))
#define FIRST_NOT(word)     ((uint64_t)(~MAY(word) & (MAY(word) + 1)))
#define FIELD_OF_PIN        VMCS_INDEX_PIN_BASED_CONTROLS
#define FIELD_OF_PRIMARY    VMCS_INDEX_PRIMARY_CONTROLS
#define FIELD_OF_SECONDARY  VMCS_INDEX_SECONDARY_CONTROLS
#define FIELD_OF_EXIT       VMCS_INDEX_EXIT_CONTROLS
#define FIELD_OF_ENTRY      VMCS_INDEX_ENTRY_CONTROLS
#define ADD(word, control)  (s->value[FIELD_OF_##word] |= VMX_##control)
#define TAKE(word, control) (s->value[FIELD_OF_##word] &= ~(uint64_t)VMX_##control)
#define POSTED_INTERRUPTS                                                                                    \
    (ADD(PRIMARY, USE_TPR_SHADOW), ADD(SECONDARY, VIRTUAL_INTERRUPT_DELIVERY),                               \
     ADD(PIN, PROCESS_POSTED_INTERRUPTS), ADD(EXIT, ACKNOWLEDGE_INTERRUPT_ON_EXIT))

#define SCRATCH                         (scratch->physical)
#define TOO_HIGH                        (UINT64_C(1) << s->physical_width)
#define NOT_CANONICAL                   (UINT64_C(1) << s->linear_width)
#define INJECT(type, vector)            (EVENT_VALID | (uint32_t)(type) << 8 | (vector))
#define HAS_HLT                         ((CAPS(misc) >> 6 & 1) != 0)
#define WITH_TYPE(name, type)           ((V(GUEST_##name##_ACCESS_RIGHTS) & ~UINT64_C(0xf)) | (type))
#define WITH_DPL(name, dpl)             ((V(GUEST_##name##_ACCESS_RIGHTS) & ~UINT64_C(0x60)) | (uint64_t)(dpl) << 5)
#define ALL_V86                         make_v86_segments(s)
#define LOAD_MSR(number, reserved_half) load_msr(s, scratch, number, reserved_half)

#define RIGHTS_CODE32 0xc09b
#define RIGHTS_CODE64 0xa09b
#define RIGHTS_DATA32 0xc093
#define RIGHTS_V86    0xf3
#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10

static void make_v86_segments(struct entry_snapshot *s)
{
    W(GUEST_RFLAGS, V(GUEST_RFLAGS) | RFLAGS_VM);
    for (unsigned n = 0; n < 6; n++) { /* ES, CS, SS, DS, FS, GS stand in this order in all four tables */
        s->value[VMCS_INDEX_GUEST_ES_SELECTOR + n] = 0x1000 + n;
        s->value[VMCS_INDEX_GUEST_ES_BASE + n] = (0x1000 + n) << 4;
        s->value[VMCS_INDEX_GUEST_ES_LIMIT + n] = 0xffff;
        s->value[VMCS_INDEX_GUEST_ES_ACCESS_RIGHTS + n] = RIGHTS_V86;
    }
}

static void make_flat_segments(struct entry_snapshot *s, uint64_t code_rights)
{
    for (unsigned n = 0; n < 6; n++) {
        s->value[VMCS_INDEX_GUEST_ES_SELECTOR + n] = SELECTOR_DATA;
        s->value[VMCS_INDEX_GUEST_ES_BASE + n] = 0;
        s->value[VMCS_INDEX_GUEST_ES_LIMIT + n] = 0xffffffff;
        s->value[VMCS_INDEX_GUEST_ES_ACCESS_RIGHTS + n] = RIGHTS_DATA32;
    }
    W(GUEST_CS_SELECTOR, SELECTOR_CODE);
    W(GUEST_CS_ACCESS_RIGHTS, code_rights);
}

static void load_msr(struct entry_snapshot *s, const struct entry_scratch *scratch, uint32_t index,
                     uint32_t reserved)
{
    scratch->msrs[0] = (struct entry_msr){.index = index, .reserved = reserved};
    s->msrs = scratch->msrs;
    W(ENTRY_MSR_LOAD_ADDRESS, scratch->physical);
    W(ENTRY_MSR_LOAD_COUNT, 1);
}

void entry_state_make(struct entry_snapshot *s, enum entry_state state)
{
    if (state == ENTRY_STATE_REAL)
        return;
    W(GUEST_CR0, V(GUEST_CR0) | CR0_PE);
    make_flat_segments(s, state == ENTRY_STATE_LONG ? RIGHTS_CODE64 : RIGHTS_CODE32);
    if (state == ENTRY_STATE_V86)
        make_v86_segments(s);
    if (state == ENTRY_STATE_PAE || state == ENTRY_STATE_RESTRICTED || state == ENTRY_STATE_LONG)
        W(GUEST_CR0, V(GUEST_CR0) | CR0_PG);
    if (state == ENTRY_STATE_PAE || state == ENTRY_STATE_LONG)
        W(GUEST_CR4, V(GUEST_CR4) | CR4_PAE);
    if (state == ENTRY_STATE_RESTRICTED)
        TAKE(SECONDARY, UNRESTRICTED_GUEST);
    if (state == ENTRY_STATE_LONG) {
        W(GUEST_IA32_EFER, EFER_LME | EFER_LMA);
        ADD(ENTRY, IA32E_MODE_GUEST);
    }
}

const char *entry_state_name(enum entry_state state)
{
    static const char *const names[ENTRY_STATE_COUNT] = {"real",       "protected",    "PAE",
                                                         "restricted", "virtual-8086", "64-bit"};

    return (unsigned)state < ENTRY_STATE_COUNT ? names[state] : "?";
}

#define BREAK(id, in_state, when, ...)                                                                       \
    static bool available_##id(const struct entry_snapshot *s)                                               \
    {                                                                                                        \
        (void)s;                                                                                             \
        return (when);                                                                                       \
    }                                                                                                        \
    static void break_##id(struct entry_snapshot *s, const struct entry_scratch *scratch)                    \
    {                                                                                                        \
        (void)scratch;                                                                                       \
        __VA_ARGS__;                                                                                         \
    }
#include "vmm/check/entry/breaks.def"
#undef BREAK

const struct entry_break entry_breaks[] = {
#define BREAK(id, in_state, when, ...) {#id, ENTRY_STATE_##in_state, available_##id, break_##id},
#include "vmm/check/entry/breaks.def"
#undef BREAK
};
const unsigned entry_break_count = sizeof(entry_breaks) / sizeof(entry_breaks[0]);
