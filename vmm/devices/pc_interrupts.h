/* SPDX-License-Identifier: MIT */
/*
 * The wires between a PC's devices, its interrupt controllers and its processor. For pc.c.
 *
 * An IRQ of a device goes to the 8259s and to the I/O APIC's pin of the same number, IRQ 0 to pin 2; a timer
 * of the HPET to the I/O APIC alone. The 8259s' INTR goes to LINT0 of the local APIC. Several devices may
 * hold a wire high: it falls when the last one lets go.
 */
#ifndef VMM_DEVICES_PC_INTERRUPTS_H
#define VMM_DEVICES_PC_INTERRUPTS_H

#include "vmm/devices/pc.h"

/* Who drives a wire; a bit each. */
enum pc_source { PC_SOURCE_FIRST, PC_SOURCE_SECOND, PC_SOURCE_HPET };

/* Lines of device `source` into an IRQ, 0 to 15, and into a pin of the I/O APIC and those that follow it. */
struct device_line pc_irq_line(struct pc *pc, unsigned irq, enum pc_source source);
struct device_line pc_pin_line(struct pc *pc, unsigned pin, enum pc_source source);

/* The line of PIT (IRQ 0) and RTC (IRQ 8), cut off while the HPET's legacy replacement is on; and the line by
 * which it does so. */
struct device_line pc_timer_line(struct pc *pc, unsigned irq);
struct device_line pc_legacy_replacement_line(struct pc *pc);

/* Resets PIC, I/O APIC and local APIC, connects them and adds their ranges. */
must_check bool pc_add_interrupt_controllers(struct pc *pc, const struct lapic_config *config);

#endif
