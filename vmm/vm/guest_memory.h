/* SPDX-License-Identifier: MIT */
/* Access to a guest's memory in its stead: by guest-physical address through the memory map, by linear
 * address through its paging. */
#ifndef VMM_VM_GUEST_MEMORY_H
#define VMM_VM_GUEST_MEMORY_H

#include "arch/x86/compiler.h"
#include "ept/guest_walk.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm;
struct vcpu;

/*
 * Copies between a buffer and guest-physical memory. Only RAM and ROM regions of the VM's map are read, only
 * RAM with write rights is written, and a dirty log notes it. Returns how many bytes were copied before the
 * first that could not be.
 */
size_t guest_memory_read(struct vm *vm, uint64_t guest_physical_address, void *buffer, size_t length);
size_t guest_memory_write(struct vm *vm, uint64_t guest_physical_address, const void *buffer, size_t length);

/*
 * The host's view of bytes that guest_memory_read() would read, NULL unless all of them are in memory that
 * runs on. Private RAM, and an identity guest's, stays where it is for the VM's life.
 */
const void *guest_memory_view(struct vm *vm, uint64_t guest_physical_address, size_t length);

/*
 * The same between a buffer and memory of the machine's own devices that an identity guest has (video
 * memory), within a page, as wide as the access is. false: no such memory, or not the right to it.
 */
bool guest_memory_device(struct vm *vm, uint64_t guest_physical_address, void *buffer, size_t length,
                         bool write);

/* True if guest_memory_write() would write all of it. */
bool guest_memory_writable(struct vm *vm, uint64_t guest_physical_address, size_t length);

enum guest_exchange {
    GUEST_EXCHANGED,
    GUEST_EXCHANGE_LOST,   /* something else was there, and still is */
    GUEST_EXCHANGE_NO_RAM, /* nothing that could be written is there, or not in one row */
};

/*
 * One locked compare-and-exchange of 1, 2, 4 or 8 bytes of RAM within a page: what other vCPUs write at the
 * same time is neither lost nor taken back. A dirty log notes it.
 */
must_check enum guest_exchange guest_memory_exchange(struct vm *vm, uint64_t guest_physical_address,
                                                     unsigned size, uint64_t expected, uint64_t value);

/* The paging state of the vCPU, from the current VMCS, with its CPL. pdpte: only if PAE paging uses them. */
void guest_paging_state(struct vcpu *vcpu, struct guest_paging *paging);

/*
 * A look at memory by linear address (segment bases added by the caller), for the monitor and for reports:
 * the guest's tables keep their accessed and dirty flags. What a guest's instruction accesses goes by
 * vmm/emulate/linear.h. On a fault *fault_address and *error_code
 * describe the #PF. GUEST_PAGING_NO_TABLE also when the memory behind the address is no RAM; then nothing was
 * copied from that byte on.
 */
must_check enum guest_paging_status guest_linear_read(struct vcpu *vcpu, const struct guest_paging *paging,
                                                      uint64_t linear_address, void *buffer, size_t length,
                                                      uint64_t *fault_address, uint32_t *error_code);
must_check enum guest_paging_status guest_linear_write(struct vcpu *vcpu, const struct guest_paging *paging,
                                                       uint64_t linear_address, const void *buffer,
                                                       size_t length, uint64_t *fault_address,
                                                       uint32_t *error_code);

#endif
