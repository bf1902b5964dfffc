/* SPDX-License-Identifier: MIT */
/*
 * What is done with interrupts that the firmware left on. Adept has no use for any but its own vectors, which
 * all have priority class 15: the task priority keeps all others pending, the masks keep them from being
 * sent. Entries of delivery mode SMI are the firmware's own (thermal control, legacy keyboards) and stay as
 * they are. Pure.
 *
 * SDM vol. 3, "Task Priority in IA-32e Mode", "Local Vector Table"; 82093AA I/O APIC, "Redirection Table".
 */
#ifndef ARCH_X86_APIC_QUIET_H
#define ARCH_X86_APIC_QUIET_H

#include <stdint.h>

/* Vectors below OWN_VECTOR_FIRST stay pending under this task priority. */
#define OWN_VECTOR_FIRST 0xf0
#define APIC_TPR_OWN     (OWN_VECTOR_FIRST - 0x10)

/* The same bits in an LVT entry and in the low half of an I/O APIC's redirection table entry. */
#define APIC_ENTRY_DELIVERY_MODE (7u << 8)
#define APIC_ENTRY_SMI           (2u << 8)
#define APIC_ENTRY_NMI           (4u << 8)
#define APIC_ENTRY_MASKED        (1u << 16)

/* What an LVT entry becomes. NMI stays: LINT1 as the firmware wired it; the host survives an NMI. */
static inline uint32_t apic_lvt_quiet(uint32_t entry)
{
    uint32_t mode = entry & APIC_ENTRY_DELIVERY_MODE;

    return mode == APIC_ENTRY_SMI || mode == APIC_ENTRY_NMI ? entry : entry | APIC_ENTRY_MASKED;
}

/* What the low half of a redirection table entry becomes. */
static inline uint32_t ioapic_pin_quiet(uint32_t low)
{
    return (low & APIC_ENTRY_DELIVERY_MODE) == APIC_ENTRY_SMI ? low : low | APIC_ENTRY_MASKED;
}

#endif
