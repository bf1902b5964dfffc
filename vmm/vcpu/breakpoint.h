/* SPDX-License-Identifier: MIT */
/*
 * The breakpoints of the debug registers, for accesses that the processor does not make itself. SDM vol. 3,
 * "Debug Registers", "Data Breakpoints and Data Breakpoint Exceptions". Pure.
 */
#ifndef VMM_VCPU_BREAKPOINT_H
#define VMM_VCPU_BREAKPOINT_H

#include <stdbool.h>
#include <stdint.h>

/* Debug exceptions as a #DB exit's qualification and the VMCS's pending debug exceptions tell them. */
#define DEBUG_B0_B3   UINT64_C(0xf)
#define DEBUG_ENABLED (UINT64_C(1) << 12) /* pending only: one of B0-B3 is of an enabled breakpoint */
#define DEBUG_BD      (UINT64_C(1) << 13) /* qualification only */
#define DEBUG_BS      (UINT64_C(1) << 14)

struct breakpoints {
    uint64_t address[4]; /* DR0 to DR3 */
    uint64_t dr7;
    bool io; /* CR4.DE: the type 10b is an access to a port; without it there is no such type */
};

enum breakpoint_access { BREAKPOINT_READ, BREAKPOINT_WRITE, BREAKPOINT_PORT };

/* Whether any breakpoint is enabled. */
bool breakpoint_any(uint64_t dr7);

/* Of B0 to B3 in `bits`, those of enabled breakpoints. */
uint64_t breakpoint_enabled(uint64_t bits, uint64_t dr7);

/*
 * What an access of `size` bytes at a linear address or a port leaves pending: B0 to B3 of the enabled
 * breakpoints that it touches, and DEBUG_ENABLED beside them. 0: none.
 */
uint64_t breakpoint_match(const struct breakpoints *breakpoints, enum breakpoint_access access,
                          uint64_t address, unsigned size);

#endif
