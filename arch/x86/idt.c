/* SPDX-License-Identifier: MIT */
/* One interrupt descriptor table for all CPUs: vector n leads to the n-th stub of exception_entry.asm. */
#include "arch/x86/idt.h"

#include "arch/x86/exception.h"
#include "arch/x86/gdt.h"

#define STUB_SIZE      16               /* EXCEPTION_STUB_SIZE of exception_entry.asm */
#define GATE_INTERRUPT UINT64_C(0x8e00) /* present, DPL 0, 64-bit interrupt gate */

extern const uint8_t exception_stubs[];

/* SDM vol. 3, "64-Bit Mode IDT". */
static struct {
    uint64_t low, high;
} gates[IDT_ENTRY_COUNT] __attribute__((aligned(16)));

static unsigned stack_of(unsigned vector)
{
    switch (vector) {
    case VECTOR_DF:
        return IST_DOUBLE_FAULT;
    case VECTOR_NMI:
        return IST_NMI;
    case VECTOR_MC:
        return IST_MACHINE_CHECK;
    default:
        return 0;
    }
}

void idt_build(void)
{
    for (unsigned vector = 0; vector < IDT_ENTRY_COUNT; vector++) {
        uint64_t target = (uint64_t)(uintptr_t)(exception_stubs + STUB_SIZE * vector);
        gates[vector].low = (target & 0xffff) | (uint64_t)SELECTOR_CODE64 << 16 |
                            (uint64_t)stack_of(vector) << 32 | GATE_INTERRUPT << 32 |
                            (target >> 16 & 0xffff) << 48;
        gates[vector].high = target >> 32;
    }
}

void idt_load(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = {sizeof(gates) - 1, idt_address()};

    __asm__ volatile("lidt %0" : : "m"(pointer) : "memory");
}

uint64_t idt_address(void)
{
    return (uint64_t)(uintptr_t)gates;
}
