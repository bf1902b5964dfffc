/* SPDX-License-Identifier: MIT */
/* Device registers in memory: by the bus. */
#include "vmm/emulate/mmio_memory.h"
#include "arch/x86/memory.h"
#include "arch/x86/tsc.h"
#include "vmm/exit/denied_access.h"
#include "vmm/exit/exit.h"
#include "vmm/vcpu/interrupts.h"
#include "vmm/vm/devices.h"
#include "vmm/devices/pc.h"

static struct denied_access denied_at(struct vm *vm, uint64_t guest_physical, unsigned access)
{
    const struct ept_region *region = ept_region_find(&vm->regions, guest_physical);

    return denied_access(&vm->config, ept_fault_denial(region, access), access,
                         region != NULL ? watch_rights(region) : 0);
}

bool mmio_ignores(struct vm *vm, uint64_t guest_physical, unsigned access)
{
    return denied_at(vm, guest_physical, access).policy == GUEST_POLICY_IGNORE;
}

/* What no device and no RAM answers follows the guest's policy, as an access that is not emulated does. */
static __attribute__((noinline)) enum emulate_status nobody(struct vcpu *vcpu, uint64_t guest_physical,
                                                            bool write)
{
    unsigned access = write ? EPT_WRITE : EPT_READ;
    struct denied_access denied = denied_at(vcpu->vm, guest_physical, access);

    if (denied.policy == GUEST_POLICY_IGNORE)
        return EMULATE_DONE;
    exit_ept_end_denied(vcpu, denied.what, guest_physical, access);
    return EMULATE_REFUSED;
}

/* `name`: who has answered, NULL: nobody. */
static inline enum emulate_status accessed(struct vcpu *vcpu, struct vm *vm, const char *name,
                                           uint64_t guest_physical, bool write)
{
    if (unlikely(name == NULL))
        return nobody(vcpu, guest_physical, write);
    vcpu->device = name;
    interrupts_look(vm);
    return EMULATE_DONE;
}

/* Who has answered to 1, 2, 4 or 8 bytes. */
static inline __attribute__((always_inline)) const char *read_device(struct vm *vm, uint64_t guest_physical,
                                                                     unsigned size, uint64_t *value)
{
    const char *name;

    vm_lock_devices(vm);
    *value =
        bus_memory_read(&vm->pc->bus, guest_physical, size, guest_time_now(&vm->time, tsc_read()), &name);
    vm_unlock_devices(vm);
    return name;
}

static inline __attribute__((always_inline)) const char *write_device(struct vm *vm, uint64_t guest_physical,
                                                                      unsigned size, uint64_t value)
{
    const char *name;

    vm_lock_devices(vm);
    bus_memory_write(&vm->pc->bus, guest_physical, size, value, guest_time_now(&vm->time, tsc_read()), &name);
    vm_unlock_devices(vm);
    return name;
}

enum emulate_status mmio_device_read(struct vcpu *vcpu, uint64_t guest_physical, unsigned size,
                                     uint64_t *value)
{
    struct vm *vm = vcpu->vm;

    return accessed(vcpu, vm, read_device(vm, guest_physical, size, value), guest_physical, false);
}

enum emulate_status mmio_device_write(struct vcpu *vcpu, uint64_t guest_physical, unsigned size,
                                      uint64_t value)
{
    struct vm *vm = vcpu->vm;

    return accessed(vcpu, vm, write_device(vm, guest_physical, size, value), guest_physical, true);
}

/* The widest access that a device takes at once: a power of two. */
static unsigned part_size(unsigned left)
{
    return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

enum emulate_status mmio_page_read(struct vcpu *vcpu, uint64_t guest_physical, void *buffer, unsigned size,
                                   bool held)
{
    struct vm *vm = vcpu->vm;
    const char *name = NULL;

    if (!held)
        vm_lock_devices(vm);
    for (unsigned done = 0, part; done < size; done += part) {
        uint64_t now = guest_time_now(&vm->time, tsc_read()), bits;
        const char *who;

        part = part_size(size - done);
        bits = bus_memory_read(&vm->pc->bus, guest_physical + done, part, now, &who);
        memcpy((uint8_t *)buffer + done, &bits, part);
        if (name == NULL)
            name = who;
    }
    if (!held)
        vm_unlock_devices(vm);
    return accessed(vcpu, vm, name, guest_physical, false);
}

enum emulate_status mmio_page_write(struct vcpu *vcpu, uint64_t guest_physical, const void *buffer,
                                    unsigned size, bool held)
{
    struct vm *vm = vcpu->vm;
    const char *name = NULL;

    if (!held)
        vm_lock_devices(vm);
    for (unsigned done = 0, part; done < size; done += part) {
        uint64_t now = guest_time_now(&vm->time, tsc_read()), bits = 0;
        const char *who;

        part = part_size(size - done);
        memcpy(&bits, (const uint8_t *)buffer + done, part);
        bus_memory_write(&vm->pc->bus, guest_physical + done, part, bits, now, &who);
        if (name == NULL)
            name = who;
    }
    if (!held)
        vm_unlock_devices(vm);
    return accessed(vcpu, vm, name, guest_physical, true);
}
