/* SPDX-License-Identifier: MIT */
/* The interrupt descriptor table: one for all CPUs, every vector present. */
#ifndef ARCH_X86_IDT_H
#define ARCH_X86_IDT_H

#include <stdint.h>

#define IDT_ENTRY_COUNT 256

/* Fills the table; once, before the first idt_load(). */
void idt_build(void);
/* Loads IDTR of the calling CPU. */
void idt_load(void);
/* Linear address of the table, for HOST_IDTR_BASE. */
uint64_t idt_address(void);

#endif
