/* SPDX-License-Identifier: MIT */
/*
 * The floating-point and vector registers. The host never uses them: they hold what the guest that runs, or
 * ran last, has put there. SDM vol. 1, "Managing State Using the XSAVE Feature Set".
 */
#ifndef ARCH_X86_FPU_H
#define ARCH_X86_FPU_H

#include <stdbool.h>
#include <stdint.h>

/* XCR0: the state components that anything here may have enabled. x87, SSE, AVX, and the three of AVX-512. */
#define FPU_COMPONENT_X87    UINT64_C(0x01)
#define FPU_COMPONENT_SSE    UINT64_C(0x02)
#define FPU_COMPONENT_AVX    UINT64_C(0x04)
#define FPU_COMPONENT_AVX512 UINT64_C(0xe0)
#define FPU_COMPONENTS       (FPU_COMPONENT_X87 | FPU_COMPONENT_SSE | FPU_COMPONENT_AVX | FPU_COMPONENT_AVX512)

/* Puts every register of FPU_COMPONENTS into its initial state. The calling CPU, CR4.OSFXSR (and OSXSAVE
 * where there) set; XCR0 is 1 afterwards. */
void fpu_reset(void);

/*
 * The low 16 or 32 bytes of vector register `reg`, 0 to 15, of the guest that runs on the calling CPU. 32
 * bytes, and `clears`: XCR0 has AVX. Written with `clears`, all above becomes 0, else it stays.
 */
void fpu_vector_read(unsigned reg, unsigned size, void *bytes);
void fpu_vector_write(unsigned reg, unsigned size, bool clears, const void *bytes);

#endif
