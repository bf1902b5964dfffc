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
