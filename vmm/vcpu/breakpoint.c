/* SPDX-License-Identifier: MIT */
/* From DR0 to DR3 and DR7 to the debug exceptions of an access. */
#include "vmm/vcpu/breakpoint.h"

#define COUNT          4u
#define ENABLED(n)     (UINT64_C(3) << 2 * (n)) /* L and G */
#define TYPE(dr7, n)   ((unsigned)((dr7) >> (16 + 4 * (n))) & 3u)
#define LENGTH(dr7, n) ((unsigned)((dr7) >> (18 + 4 * (n))) & 3u)

enum type { TYPE_EXECUTE, TYPE_WRITE, TYPE_PORT, TYPE_ACCESS };

bool breakpoint_any(uint64_t dr7)
{
    return breakpoint_enabled(DEBUG_B0_B3, dr7) != 0;
}

uint64_t breakpoint_enabled(uint64_t bits, uint64_t dr7)
{
    uint64_t enabled = 0;

    for (unsigned n = 0; n < COUNT; n++)
        if (dr7 & ENABLED(n))
            enabled |= UINT64_C(1) << n;
    return bits & enabled;
}

static bool is_of_type(const struct breakpoints *breakpoints, unsigned n, enum breakpoint_access access)
{
    switch (TYPE(breakpoints->dr7, n)) {
    case TYPE_WRITE:
        return access == BREAKPOINT_WRITE;
    case TYPE_PORT:
        return breakpoints->io && access == BREAKPOINT_PORT;
    case TYPE_ACCESS:
        return access != BREAKPOINT_PORT;
    default:
        return false;
    }
}

uint64_t breakpoint_match(const struct breakpoints *breakpoints, enum breakpoint_access access,
                          uint64_t address, unsigned size)
{
    static const uint8_t sizes[] = {1, 2, 8, 4};
    uint64_t matched = 0;

    for (unsigned n = 0; n < COUNT; n++) {
        uint64_t length = sizes[LENGTH(breakpoints->dr7, n)];
        uint64_t start = breakpoints->address[n] & ~(length - 1);

        /* Two ranges touch if either begins in the other; so written, an end at 2^64 needs no care. */
        if (is_of_type(breakpoints, n, access) && (address - start < length || start - address < size))
            matched |= UINT64_C(1) << n;
    }
    matched = breakpoint_enabled(matched, breakpoints->dr7);
    return matched != 0 ? matched | DEBUG_ENABLED : 0;
}
