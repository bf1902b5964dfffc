/* SPDX-License-Identifier: MIT */
/*
 * A VM's memory map: the region list that its EPT caches.
 *
 * private   RAM of its own in one run of frames, zeroed: 0..640 KiB and 1 MiB up; a hole from 640 to 768 KiB;
 * ROM from there to 1 MiB. identity  guest-physical = host-physical: every free frame of the machine becomes
 * its RAM, but for what the hypervisor and the private guests need; video memory as UC MMIO; firmware below 1
 * MiB and its tables read-only. All else is a hole: the hypervisor's own memory, and every other device, for
 * a device that does DMA would reach through no EPT.
 */
#ifndef VMM_VM_MEMORY_H
#define VMM_VM_MEMORY_H

#include "arch/x86/compiler.h"
#include <stdbool.h>
#include <stdint.h>

struct ept_caps;
struct guest_memory_map;
struct vm;

/* Takes the frames and fills vm->regions. false: not enough memory; then nothing is taken. The VM's CPU. */
must_check bool vm_memory_create(struct vm *vm, const struct ept_caps *caps);

/* Gives all frames back. Who takes them next zeroes them: no guest reads what another has left. */
void vm_memory_destroy(struct vm *vm);

/*
 * What the guest is told of its memory, by whatever way it asks: below 1 MiB the BIOS's extended data area is
 * reserved, if it has that BIOS.
 */
void vm_memory_tell(const struct vm *vm, struct guest_memory_map *map);

/* Copies a module's bytes to guest-physical `load`. false: it does not fit into RAM. */
must_check bool vm_memory_load(struct vm *vm, uint64_t load, const void *bytes, uint64_t length);

#endif
