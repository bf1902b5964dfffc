/* SPDX-License-Identifier: MIT */
/*
 * Why a VM entry fails: every rule of the manual's checks, over a snapshot of a VMCS. The rules are data,
 * vmm/check/entry/rules.def. SDM vol. 3, "VM Entries". Pure.
 */
#ifndef VMM_CHECK_ENTRY_CHECK_H
#define VMM_CHECK_ENTRY_CHECK_H

#include "arch/x86/vmx_capabilities.h"
#include "arch/x86/vmx_fields.h"
#include <stdbool.h>
#include <stdint.h>

/* The fields of vmx_fields.def, counted: VMCS_INDEX_<NAME>. */
enum vmcs_field_index {
#define VMCS_FIELD(encoding, name, gate) VMCS_INDEX_##name,
#include "arch/x86/vmx_fields.def"
#undef VMCS_FIELD
    VMCS_INDEX_COUNT,
};

/* An entry of the VM-entry MSR-load area. SDM vol. 3, "Format of an MSR Entry". */
struct entry_msr {
    uint32_t index, reserved;
    uint64_t value;
};

/* All that the checks depend on. */
struct entry_snapshot {
    uint64_t value[VMCS_INDEX_COUNT]; /* by enum vmcs_field_index; 0 where the processor lacks the field */
    struct vmx_capabilities capabilities;
    uint8_t physical_width, linear_width;     /* CPUID.80000008H:EAX */
    uint64_t cr3_bits;                        /* of CR3 beside an address, cpuid_cr3_bits() */
    uint64_t efer_bits;                       /* of IA32_EFER that are not reserved */
    uint64_t debugctl_bits, perf_global_bits; /* of IA32_DEBUGCTL, IA32_PERF_GLOBAL_CTRL */
    uint64_t vm_functions;                    /* IA32_VMX_VMFUNC */
    bool sgx, rtm;                            /* CPUID.7:EBX[2], [11] */
    bool x2apic_mode;                         /* of the logical processor that enters */
    uint8_t virtual_tpr;                      /* byte 80H of the virtual-APIC page */
    bool link_known;                          /* link_revision was read */
    uint32_t link_revision;                   /* first word of the VMCS at the link pointer */
    const struct entry_msr *msrs;             /* the VM-entry MSR-load area, NULL: not known */
};

/* The manual's sections. What a processor answers to a broken rule of each is entry_section_answer(). */
enum entry_section {
    SECTION_EXECUTION,
    SECTION_EXIT,
    SECTION_ENTRY,
    SECTION_HOST_REGISTERS,
    SECTION_HOST_SEGMENTS,
    SECTION_ADDRESS_SPACE,
    SECTION_GUEST_REGISTERS,
    SECTION_GUEST_SEGMENTS,
    SECTION_GUEST_TABLES,
    SECTION_GUEST_RIP_RFLAGS,
    SECTION_GUEST_NON_REGISTER,
    SECTION_GUEST_PDPTES,
    SECTION_LOADING_MSRS,
    SECTION_COUNT,
};

enum entry_answer {
    ENTRY_INVALID_CONTROLS,   /* VMfailValid, error 7 */
    ENTRY_INVALID_HOST_STATE, /* VMfailValid, error 8; a processor may as well say 7 */
    ENTRY_INVALID_GUEST,      /* exit reason 33 */
    ENTRY_MSR_LOADING,        /* exit reason 34 */
};

#define ENTRY_RULE_FIELDS 4

struct entry_rule {
    const char *name;
    enum entry_section section;
    const char *text;
    uint16_t fields[ENTRY_RULE_FIELDS]; /* enum vmcs_field_index; the first is the one to look at */
    uint8_t field_count;
    bool (*broken)(const struct entry_snapshot *snapshot);
    /* Which bits of the first field must be 1 and may be 1, where the rule is one of single bits; else 0, ~0.
     */
    void (*masks)(const struct entry_snapshot *snapshot, uint64_t *must, uint64_t *may);
};

extern const struct entry_rule entry_rules[];
extern const unsigned entry_rule_count;

/* The rule's number from `start` on that is broken first, in the manual's order; entry_rule_count: none. */
unsigned entry_check(const struct entry_snapshot *snapshot, unsigned start);

/* "Checks on Guest Segment Registers"... */
const char *entry_section_title(enum entry_section section);
enum entry_answer entry_section_answer(enum entry_section section);

/* "GUEST_CR0"..., and the encoding, of a field by its index. */
const char *entry_field_name(unsigned index);
uint16_t entry_field_encoding(unsigned index);

#endif
