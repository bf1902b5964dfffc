/* SPDX-License-Identifier: MIT */
/* CR0, CR2, CR3, CR4, CR8, XCR0, debug registers, and the bits of those and of IA32_EFER and RFLAGS. */
#ifndef ARCH_X86_CONTROL_REGISTERS_H
#define ARCH_X86_CONTROL_REGISTERS_H

#include <stdint.h>

#define CR0_PE (UINT64_C(1) << 0)
#define CR0_MP (UINT64_C(1) << 1)
#define CR0_EM (UINT64_C(1) << 2)
#define CR0_TS (UINT64_C(1) << 3)
#define CR0_ET (UINT64_C(1) << 4)
#define CR0_NE (UINT64_C(1) << 5)
#define CR0_WP (UINT64_C(1) << 16)
#define CR0_AM (UINT64_C(1) << 18)
#define CR0_NW (UINT64_C(1) << 29)
#define CR0_CD (UINT64_C(1) << 30)
#define CR0_PG (UINT64_C(1) << 31)

/* Linear-address masking of user pointers: with tags from bit 57, from bit 48 on. */
#define CR3_LAM_U57 (UINT64_C(1) << 61)
#define CR3_LAM_U48 (UINT64_C(1) << 62)

#define CR4_VME        (UINT64_C(1) << 0)
#define CR4_PVI        (UINT64_C(1) << 1)
#define CR4_TSD        (UINT64_C(1) << 2)
#define CR4_DE         (UINT64_C(1) << 3)
#define CR4_PSE        (UINT64_C(1) << 4)
#define CR4_PAE        (UINT64_C(1) << 5)
#define CR4_MCE        (UINT64_C(1) << 6)
#define CR4_PGE        (UINT64_C(1) << 7)
#define CR4_PCE        (UINT64_C(1) << 8)
#define CR4_OSFXSR     (UINT64_C(1) << 9)
#define CR4_OSXMMEXCPT (UINT64_C(1) << 10)
#define CR4_UMIP       (UINT64_C(1) << 11)
#define CR4_LA57       (UINT64_C(1) << 12)
#define CR4_VMXE       (UINT64_C(1) << 13)
#define CR4_SMXE       (UINT64_C(1) << 14)
#define CR4_FSGSBASE   (UINT64_C(1) << 16)
#define CR4_PCIDE      (UINT64_C(1) << 17)
#define CR4_OSXSAVE    (UINT64_C(1) << 18)
#define CR4_KL         (UINT64_C(1) << 19)
#define CR4_SMEP       (UINT64_C(1) << 20)
#define CR4_SMAP       (UINT64_C(1) << 21)
#define CR4_PKE        (UINT64_C(1) << 22)
#define CR4_CET        (UINT64_C(1) << 23)
#define CR4_PKS        (UINT64_C(1) << 24)
#define CR4_UINTR      (UINT64_C(1) << 25)
#define CR4_LASS       (UINT64_C(1) << 27)
#define CR4_FRED       (UINT64_C(1) << 32)

#define EFER_SCE (UINT64_C(1) << 0)
#define EFER_LME (UINT64_C(1) << 8)
#define EFER_LMA (UINT64_C(1) << 10)
#define EFER_NXE (UINT64_C(1) << 11)

#define RFLAGS_CF        (UINT64_C(1) << 0)
#define RFLAGS_RESERVED1 (UINT64_C(1) << 1)
#define RFLAGS_ZF        (UINT64_C(1) << 6)
#define RFLAGS_TF        (UINT64_C(1) << 8)
#define RFLAGS_IF        (UINT64_C(1) << 9)
#define RFLAGS_DF        (UINT64_C(1) << 10)
#define RFLAGS_RF        (UINT64_C(1) << 16)
#define RFLAGS_VM        (UINT64_C(1) << 17)
#define RFLAGS_AC        (UINT64_C(1) << 18)

/* What every CPU of Adept runs with; control_registers_set() adds to CR4 what depends on the processor. */
#define HOST_CR0 (CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG)
#define HOST_CR4 (CR4_PAE | CR4_PGE | CR4_MCE)

static inline uint64_t cr0_read(void)
{
    uint64_t value;
    __asm__ volatile("mov %%cr0, %0" : "=r"(value) : : "memory");
    return value;
}

static inline void cr0_write(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}

static inline uint64_t cr2_read(void)
{
    uint64_t value;
    __asm__ volatile("mov %%cr2, %0" : "=r"(value) : : "memory");
    return value;
}

static inline void cr2_write(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr2" : : "r"(value) : "memory");
}

static inline uint64_t cr3_read(void)
{
    uint64_t value;
    __asm__ volatile("mov %%cr3, %0" : "=r"(value) : : "memory");
    return value;
}

static inline void cr3_write(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}

static inline uint64_t cr4_read(void)
{
    uint64_t value;
    __asm__ volatile("mov %%cr4, %0" : "=r"(value) : : "memory");
    return value;
}

static inline void cr4_write(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

static inline uint64_t cr8_read(void)
{
    uint64_t value;
    __asm__ volatile("mov %%cr8, %0" : "=r"(value) : : "memory");
    return value;
}

/* XCR0: only with CR4.OSXSAVE set. */
static inline uint64_t xcr0_read(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static inline void xcr0_write(uint64_t value)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

/* Debug register n (0-3, 6, 7), a constant. */
#define DEBUG_REGISTER_ACCESSORS(n)                                                                          \
    static inline uint64_t dr##n##_read(void)                                                                \
    {                                                                                                        \
        uint64_t value;                                                                                      \
        __asm__ volatile("mov %%dr" #n ", %0" : "=r"(value));                                                \
        return value;                                                                                        \
    }                                                                                                        \
    static inline void dr##n##_write(uint64_t value)                                                         \
    {                                                                                                        \
        __asm__ volatile("mov %0, %%dr" #n : : "r"(value));                                                  \
    }
DEBUG_REGISTER_ACCESSORS(0)
DEBUG_REGISTER_ACCESSORS(1)
DEBUG_REGISTER_ACCESSORS(2)
DEBUG_REGISTER_ACCESSORS(3)
DEBUG_REGISTER_ACCESSORS(6)
DEBUG_REGISTER_ACCESSORS(7)

/*
 * Gives this CPU the constant CR0, CR4 and EFER of the host, whatever the firmware had left in them; keeps
 * CR4.VMXE as it is. CR4 gets OSFXSR and OSXSAVE where the processor has them (a guest's state needs them;
 * the host uses no FPU).
 */
void control_registers_set(void);

#endif
