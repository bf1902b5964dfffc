/* SPDX-License-Identifier: MIT */
/* Guest memory and devices as an emulated instruction sees them: the callbacks of struct emulate_processor.
 */
#ifndef VMM_MMIO_MEMORY_H
#define VMM_MMIO_MEMORY_H

#include "vmm/emulate.h"
#include "vmm/guest_memory.h"
#include "vmm/vcpu.h"

/* One emulation: the callbacks' context. */
struct mmio {
    struct vcpu *vcpu;
    struct guest_paging paging;
    /* The translation that the exit tells: this linear address is at this device's address. */
    uint64_t linear_address, guest_physical_address;
    bool write; /* it is known to be writable */
};

/* struct emulate_processor's callbacks, with a struct mmio as context. */
void mmio_segment(void *context, enum segment_register which, struct emulate_segment *segment);
enum emulate_status mmio_translate(void *context, struct emulate_place *place, bool write,
                                   struct emulate_exception *exception);
enum emulate_status mmio_read(void *context, const struct emulate_place *place, uint64_t *value);
enum emulate_status mmio_write(void *context, const struct emulate_place *place, uint64_t value);

/*
 * An access of 1, 2, 4 or 8 bytes that begins at a device. DONE; REFUSED: nobody answers and the guest's
 * policy ends it.
 */
enum emulate_status mmio_device_read(struct vcpu *vcpu, uint64_t guest_physical, unsigned size,
                                     uint64_t *value);
enum emulate_status mmio_device_write(struct vcpu *vcpu, uint64_t guest_physical, unsigned size,
                                      uint64_t value);

/* What a walk that did not come to its end means: EXCEPTION, #PF; or REFUSED, and the VM has ended. */
enum emulate_status mmio_walk_failed(struct mmio *mmio, const struct guest_walk *walk,
                                     uint64_t linear_address, struct emulate_exception *exception);

#endif
