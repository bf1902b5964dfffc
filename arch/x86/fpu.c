/* SPDX-License-Identifier: MIT */
/* Resetting the floating-point and vector registers, so that a guest finds nothing of the one before. */
#include "arch/x86/fpu.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/cpuid.h"
#include <stdint.h>

/* Legacy area of FXSAVE and XSAVE, and the 64-byte header of XSAVE behind it. */
struct save_area {
    uint16_t control_word, status_word;
    uint8_t tag_word, reserved;
    uint16_t opcode;
    uint64_t instruction_pointer, data_pointer;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t registers[480];
    uint8_t header[64]; /* XSTATE_BV = 0: every component in its initial state */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct save_area) == 576, "SDM vol. 1, \"XSAVE Area\"");

#define CONTROL_WORD_INITIAL 0x37f
#define MXCSR_INITIAL        0x1f80

static const struct save_area initial = {.control_word = CONTROL_WORD_INITIAL, .mxcsr = MXCSR_INITIAL};

void fpu_reset(void)
{
    if (cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE) {
        struct cpuid_result components = cpuid(0xd, 0);

        xcr0_write(((uint64_t)components.edx << 32 | components.eax) & FPU_COMPONENTS);
        __asm__ volatile("xrstor64 %0" : : "m"(initial), "a"(0xffffffff), "d"(0xffffffff) : "memory");
        xcr0_write(FPU_COMPONENT_X87);
    } else {
        __asm__ volatile("fxrstor64 %0" : : "m"(initial) : "memory");
    }
}

struct bytes16 {
    uint8_t bytes[16];
};
struct bytes32 {
    uint8_t bytes[32];
};

/* The registers are the guest's, and the compiler knows none: each number has instructions of its own. */
#define EACH_REGISTER(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

#define STORE_16(number)                                                                                     \
    case number:                                                                                             \
        __asm__ volatile("movups %%xmm" #number ", %0" : "=m"(*(struct bytes16 *)bytes));                    \
        break;
#define STORE_32(number)                                                                                     \
    case number:                                                                                             \
        __asm__ volatile("vmovups %%ymm" #number ", %0" : "=m"(*(struct bytes32 *)bytes));                   \
        break;
#define LOAD_16(number)                                                                                      \
    case number:                                                                                             \
        __asm__ volatile("movups %0, %%xmm" #number : : "m"(*(const struct bytes16 *)bytes));                \
        break;
#define LOAD_16_CLEARING(number)                                                                             \
    case number:                                                                                             \
        __asm__ volatile("vmovups %0, %%xmm" #number : : "m"(*(const struct bytes16 *)bytes));               \
        break;
#define LOAD_32(number)                                                                                      \
    case number:                                                                                             \
        __asm__ volatile("vmovups %0, %%ymm" #number : : "m"(*(const struct bytes32 *)bytes));               \
        break;

void fpu_vector_read(unsigned reg, unsigned size, void *bytes)
{
    if (size == 16) {
        switch (reg) {
            EACH_REGISTER(STORE_16)
        }
    } else {
        switch (reg) {
            EACH_REGISTER(STORE_32)
        }
    }
}

void fpu_vector_write(unsigned reg, unsigned size, bool clears, const void *bytes)
{
    if (size == 32) {
        switch (reg) {
            EACH_REGISTER(LOAD_32)
        }
    } else if (clears) {
        switch (reg) {
            EACH_REGISTER(LOAD_16_CLEARING)
        }
    } else {
        switch (reg) {
            EACH_REGISTER(LOAD_16)
        }
    }
}
