/* SPDX-License-Identifier: MIT */
/* Device registers in memory: by the bus. */
#include "vmm/mmio_memory.h"
#include "arch/x86/memory.h"
#include "arch/x86/tsc.h"
#include "vmm/interrupts.h"
#include "vmm/vm_devices.h"

enum guest_policy mmio_policy(struct vm *vm, uint64_t guest_physical)
{
    const struct ept_region *region = ept_region_find(&vm->regions, guest_physical);

    return region == NULL || region->kind == EPT_REGION_HOLE ? vm->config.policy_hole : vm->config.policy_rom;
}

/* What no device and no RAM answers follows the guest's policy, as an access that is not emulated does. */
static __attribute__((noinline)) enum emulate_status nobody(struct vcpu *vcpu, uint64_t guest_physical,
                                                            bool write)
{
    const struct ept_region *region = ept_region_find(&vcpu->vm->regions, guest_physical);

    if (mmio_policy(vcpu->vm, guest_physical) == GUEST_POLICY_IGNORE)
        return EMULATE_DONE;
    vm_end(vcpu->vm, VM_FAILED, "%s by an emulated instruction: gpa=%#llx access=%s",
           region == NULL || region->kind == EPT_REGION_HOLE ? "access to a hole"
                                                             : "access without the right to it",
           (unsigned long long)guest_physical, write ? "W" : "R");
    return EMULATE_REFUSED;
}

/* `name`: who has answered, NULL: nobody. */
static inline enum emulate_status accessed(struct vcpu *vcpu, const char *name, uint64_t guest_physical,
                                           bool write)
{
    if (unlikely(name == NULL))
        return nobody(vcpu, guest_physical, write);
    vcpu->device = name;
    interrupts_look(vcpu);
    return EMULATE_DONE;
}

/* Who has answered to 1, 2, 4 or 8 bytes. */
static inline __attribute__((always_inline)) const char *
read_device(struct vcpu *vcpu, uint64_t guest_physical, unsigned size, uint64_t *value)
{
    struct vm *vm = vcpu->vm;
    const char *name;

    vm_lock_devices(vm);
    *value = bus_memory_read(&vm->pc.bus, guest_physical, size, guest_time_now(&vm->time, tsc_read()), &name);
    vm_unlock_devices(vm);
    return name;
}

static inline __attribute__((always_inline)) const char *
write_device(struct vcpu *vcpu, uint64_t guest_physical, unsigned size, uint64_t value)
{
    struct vm *vm = vcpu->vm;
    const char *name;

    vm_lock_devices(vm);
    bus_memory_write(&vm->pc.bus, guest_physical, size, value, guest_time_now(&vm->time, tsc_read()), &name);
    vm_unlock_devices(vm);
    return name;
}

enum emulate_status mmio_device_read(struct vcpu *vcpu, uint64_t guest_physical, unsigned size,
                                     uint64_t *value)
{
    return accessed(vcpu, read_device(vcpu, guest_physical, size, value), guest_physical, false);
}

enum emulate_status mmio_device_write(struct vcpu *vcpu, uint64_t guest_physical, unsigned size,
                                      uint64_t value)
{
    return accessed(vcpu, write_device(vcpu, guest_physical, size, value), guest_physical, true);
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
        bits = bus_memory_read(&vm->pc.bus, guest_physical + done, part, now, &who);
        memcpy((uint8_t *)buffer + done, &bits, part);
        if (name == NULL)
            name = who;
    }
    if (!held)
        vm_unlock_devices(vm);
    return accessed(vcpu, name, guest_physical, false);
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
        bus_memory_write(&vm->pc.bus, guest_physical + done, part, bits, now, &who);
        if (name == NULL)
            name = who;
    }
    if (!held)
        vm_unlock_devices(vm);
    return accessed(vcpu, name, guest_physical, true);
}
