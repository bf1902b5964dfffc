/* SPDX-License-Identifier: MIT */
/* Which instruction at a device is not emulated, and which is only another by now. Pure. */
#include "arch/x86/memory.h"
#include "vmm/emulate/mmio_code.h"

static bool same_bytes(const struct mmio_bytes *a, const struct mmio_bytes *b)
{
    return a->linear_address == b->linear_address && a->count == b->count && a->code_size == b->code_size &&
           a->missing == b->missing && memcmp(a->bytes, b->bytes, a->count) == 0;
}

bool mmio_refuses(struct mmio_refusal *last, uint64_t exit_count, uint64_t guest_physical_address,
                  const struct mmio_bytes *bytes)
{
    /* With any other exit in between the guest may have got somewhere. */
    bool again = last->count != 0 && exit_count == last->exit_count + 1 &&
                 guest_physical_address == last->guest_physical_address && same_bytes(bytes, &last->bytes);

    *last = (struct mmio_refusal){.exit_count = exit_count,
                                  .guest_physical_address = guest_physical_address,
                                  .bytes = *bytes,
                                  .count = again ? last->count + 1 : 1};
    return last->count >= MMIO_REFUSED_AFTER;
}
