/* SPDX-License-Identifier: MIT */
/* What the two-dimensional walk reads: the tables and frames of one VM, and no others. */
#include "vmm/vcpu/vm_walk.h"
#include "arch/x86/memory.h"
#include "vmm/host/frame.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vcpu.h"

static bool read_ept(void *context, uint64_t hpa, struct ept_entry *entry)
{
    const struct vm *vm = context;

    if (frame_owner_of(hpa) != FRAME_EPT(vm->id))
        return false;
    entry->raw = __atomic_load_n((const uint64_t *)phys_to_virt(hpa), __ATOMIC_ACQUIRE);
    return true;
}

static bool read_guest(void *context, uint64_t hpa, unsigned size, uint64_t *value)
{
    const struct vm *vm = context;

    if (frame_owner_of(hpa) != FRAME_GUEST(vm->id))
        return false;
    *value = 0;
    memcpy(value, phys_to_virt(hpa), size);
    return true;
}

void vm_walk(struct walk2d *walk, const struct vcpu *vcpu, const struct guest_paging *paging,
             uint64_t linear_address, enum guest_access access)
{
    struct walk2d_machine machine = {.caps = &vcpu->vm->ept.caps,
                                     .eptp = vcpu->vm->eptp,
                                     .context = vcpu->vm,
                                     .read_ept = read_ept,
                                     .read_guest = read_guest};

    walk2d(walk, &machine, paging, linear_address, access);
}
