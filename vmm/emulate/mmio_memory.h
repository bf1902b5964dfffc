/* SPDX-License-Identifier: MIT */
/* Device registers in guest-physical memory, for what is executed in a guest's stead. The vCPU's CPU. */
#ifndef VMM_EMULATE_MMIO_MEMORY_H
#define VMM_EMULATE_MMIO_MEMORY_H

#include "vmm/emulate/emulate.h"
#include "vmm/vcpu/vcpu.h"

/*
 * An access of 1, 2, 4 or 8 bytes that begins at a device. DONE; REFUSED: nobody answers and the guest's
 * policy ends it.
 */
enum emulate_status mmio_device_read(struct vcpu *vcpu, uint64_t guest_physical, unsigned size,
                                     uint64_t *value);
enum emulate_status mmio_device_write(struct vcpu *vcpu, uint64_t guest_physical, unsigned size,
                                      uint64_t value);

/* The same of any number of bytes within a page, in parts as wide as devices take them. held: the caller has
 * the device lock. */
enum emulate_status mmio_page_read(struct vcpu *vcpu, uint64_t guest_physical, void *buffer, unsigned size,
                                   bool held);
enum emulate_status mmio_page_write(struct vcpu *vcpu, uint64_t guest_physical, const void *buffer,
                                    unsigned size, bool held);

/* Whether the guest's `policy=` lets an access (EPT_READ...) go on that neither RAM nor a device answers. */
bool mmio_ignores(struct vm *vm, uint64_t guest_physical, unsigned access);

#endif
