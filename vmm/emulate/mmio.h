/* SPDX-License-Identifier: MIT */
/*
 * Device registers in memory: an access that the memory map does not grant, at a device's address, is done in
 * the guest's stead by decoding and emulating its instruction (vmm/emulate/decode.h, vmm/emulate/emulate.h).
 * The vCPU's CPU, its VMCS current, in an EPT-violation handler.
 *
 * What is not emulated ends the guest with the bytes shown: an instruction that the decoder does not know,
 * and a device as the target of an event's delivery. A fetch from a device, and paging structures in one,
 * find what is in a hole.
 */
#ifndef VMM_EMULATE_MMIO_H
#define VMM_EMULATE_MMIO_H

#include "ept/qualification.h"
#include "vmm/exit/exit.h"
#include "vmm/vm/vm.h"
#include "vmm/devices/pc.h"

/*
 * Whether the violation is an instruction's access to a device. Most that are, are at the device that was
 * accessed last; devices are in no region of the memory map, so most others, which are in the region where
 * the last one was, need no search.
 */
static inline bool mmio_applies(const struct vm *vm, const struct ept_violation *violation)
{
    const uint64_t translated = EPT_QUALIFICATION_LINEAR_VALID | EPT_QUALIFICATION_TRANSLATED;
    uint64_t guest_physical_address = violation->guest_physical_address;
    uint32_t hint = __atomic_load_n(&vm->ept.region_hint, __ATOMIC_RELAXED);

    if ((violation->qualification & (translated | EPT_QUALIFICATION_EXECUTE)) != translated)
        return false;
    if (bus_hint_has(&vm->pc->bus, guest_physical_address))
        return true;
    if (hint < vm->regions.count && ept_region_holds(&vm->regions.regions[hint], guest_physical_address))
        return false;
    return bus_has_memory(&vm->pc->bus, guest_physical_address);
}

/* Emulates the instruction, or what it raises. */
enum exit_action exit_mmio(struct vcpu *vcpu, const struct ept_violation *violation);

#endif
