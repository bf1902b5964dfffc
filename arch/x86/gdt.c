/* SPDX-License-Identifier: MIT */
/* Building and loading a CPU's descriptor table and task-state segment. */
#include "arch/x86/gdt.h"

#include "arch/x86/memory.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"

/* SDM vol. 3, "Segment Descriptors" and "TSS Descriptor in 64-bit mode". */
#define DESCRIPTOR_CODE64 UINT64_C(0x00af9b000000ffff) /* present, DPL 0, execute/read, accessed, L */
#define DESCRIPTOR_DATA   UINT64_C(0x00cf93000000ffff) /* present, DPL 0, read/write, accessed */
#define DESCRIPTOR_TSS    UINT64_C(0x0000890000000000) /* present, DPL 0, available 64-bit TSS */

void gdt_build(struct percpu *cpu)
{
    uint64_t base = percpu_tss_address(cpu);
    uint64_t limit = sizeof(cpu->tss) - 1;

    memset(&cpu->tss, 0, sizeof(cpu->tss));
    cpu->tss.rsp[0] = cpu->stacks.main_top;
    for (unsigned i = 0; i < IST_COUNT; i++)
        cpu->tss.ist[i] = cpu->stacks.ist_top[i];
    cpu->tss.io_map_base = sizeof(cpu->tss);

    cpu->gdt[0] = 0;
    cpu->gdt[SELECTOR_CODE64 / 8] = DESCRIPTOR_CODE64;
    cpu->gdt[SELECTOR_DATA / 8] = DESCRIPTOR_DATA;
    cpu->gdt[SELECTOR_TSS / 8] = DESCRIPTOR_TSS | limit | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
    cpu->gdt[SELECTOR_TSS / 8 + 1] = base >> 32;
}

void gdt_load(struct percpu *cpu)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = {sizeof(cpu->gdt) - 1, percpu_gdt_address(cpu)};

    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n\t"
                     "1:\n\t"
                     "movl %2, %%eax\n\t"
                     "movl %%eax, %%ds\n\t"
                     "movl %%eax, %%es\n\t"
                     "movl %%eax, %%ss\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "movl %%eax, %%fs\n\t"
                     "movl %%eax, %%gs\n\t"
                     "lldt %%ax\n\t"
                     "movl %3, %%eax\n\t"
                     "ltr %%ax"
                     :
                     : "m"(pointer), "i"(SELECTOR_CODE64), "i"(SELECTOR_DATA), "i"(SELECTOR_TSS)
                     : "rax", "memory");
    msr_write(MSR_IA32_FS_BASE, 0);
    msr_write(MSR_IA32_GS_BASE, (uint64_t)(uintptr_t)cpu);
}
