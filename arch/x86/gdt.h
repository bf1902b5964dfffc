/* SPDX-License-Identifier: MIT */
/* The descriptor table and task-state segment that each CPU has. SDM vol. 3, "Task Management in 64-bit
 * Mode". */
#ifndef ARCH_X86_GDT_H
#define ARCH_X86_GDT_H

#include <stdint.h>

#define SELECTOR_CODE64 0x08
#define SELECTOR_DATA   0x10
#define SELECTOR_TSS    0x18 /* a 16-byte descriptor: entries 3 and 4 */
#define GDT_ENTRY_COUNT 5

/* Interrupt stack table indexes as an IDT gate names them; 0 means: stay on the current stack. */
#define IST_DOUBLE_FAULT  1
#define IST_NMI           2
#define IST_MACHINE_CHECK 3
#define IST_COUNT         3

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7]; /* ist[n - 1] is the stack of IST n */
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map_base;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "the 64-bit TSS has 104 bytes");

struct percpu;

/* Fills the CPU's GDT and TSS from its stacks. Any CPU may do it for another that is not running yet. */
void gdt_build(struct percpu *cpu);
/* Loads GDTR, all segment registers, TR and the GS base; only the CPU itself. From here percpu() works. */
void gdt_load(struct percpu *cpu);

#endif
