/* SPDX-License-Identifier: MIT */
/* What an emulated instruction reads and writes: RAM by the memory map, devices by the bus. */
#include "vmm/mmio_memory.h"
#include "arch/x86/memory.h"
#include "arch/x86/tsc.h"
#include "vmm/inject.h"
#include "vmm/interrupts.h"
#include "vmm/vm_devices.h"
#include "vmm/vmcs.h"

/* The VMCS's fields of one kind follow each other in the order ES, CS, SS, DS, FS, GS, two apart. */
#define SEGMENT_FIELD(first, which) ((enum vmcs_field)((unsigned)(first) + 2 * (unsigned)(which)))

void mmio_segment(void *context, enum segment_register which, struct emulate_segment *segment)
{
    (void)context;
    segment->base = vmcs_read(SEGMENT_FIELD(VMCS_GUEST_ES_BASE, which));
    segment->limit = (uint32_t)vmcs_read(SEGMENT_FIELD(VMCS_GUEST_ES_LIMIT, which));
    segment->access_rights = (uint32_t)vmcs_read(SEGMENT_FIELD(VMCS_GUEST_ES_ACCESS_RIGHTS, which));
    segment->selector = (uint16_t)vmcs_read(SEGMENT_FIELD(VMCS_GUEST_ES_SELECTOR, which));
}

/* As the processor's walk does: accessed flags of all entries, the leaf's dirty flag for a write. */
static void set_flags(struct vm *vm, const struct guest_walk *walk, bool write)
{
    for (unsigned i = 0; i < walk->count; i++) {
        const struct guest_walk_step *step = &walk->steps[i];
        uint64_t flags = GUEST_ENTRY_ACCESSED | (write && step->leaf ? GUEST_ENTRY_DIRTY : 0), raw;

        if (step->size == 0 || (step->raw & flags) == flags)
            continue;
        raw = step->raw | flags;
        (void)guest_memory_write(vm, step->gpa, &raw, step->size); /* tables in ROM keep theirs */
    }
}

enum emulate_status mmio_walk_failed(struct mmio *mmio, const struct guest_walk *walk,
                                     uint64_t linear_address, struct emulate_exception *exception)
{
    if (walk->status == GUEST_PAGING_FAULT) {
        *exception = (struct emulate_exception){
            .vector = VECTOR_PF, .error_code = walk->error_code, .address = linear_address};
        return EMULATE_EXCEPTION;
    }
    vm_end(mmio->vcpu->vm, VM_FAILED,
           "device access at gla=%#llx whose paging structures are no RAM: gpa=%#llx",
           (unsigned long long)linear_address, (unsigned long long)walk->gpa);
    return EMULATE_REFUSED;
}

static enum emulate_status translate_page(struct mmio *mmio, uint64_t linear_address, bool write,
                                          uint64_t *guest_physical, struct emulate_exception *exception)
{
    struct guest_walk walk;

    if (linear_address == mmio->linear_address && (mmio->write || !write)) {
        *guest_physical = mmio->guest_physical_address;
        return EMULATE_DONE;
    }
    walk = guest_walk(&mmio->paging, linear_address, write ? GUEST_ACCESS_WRITE : GUEST_ACCESS_READ);
    if (walk.status != GUEST_PAGING_OK)
        return mmio_walk_failed(mmio, &walk, linear_address, exception);
    set_flags(mmio->vcpu->vm, &walk, write);
    *guest_physical = walk.gpa;
    return EMULATE_DONE;
}

enum emulate_status mmio_translate(void *context, struct emulate_place *place, bool write,
                                   struct emulate_exception *exception)
{
    struct mmio *mmio = context;
    enum emulate_status status =
        translate_page(mmio, place->linear[0], write, &place->guest_physical[0], exception);

    if (status == EMULATE_DONE && place->size[1] != 0)
        status = translate_page(mmio, place->linear[1], write, &place->guest_physical[1], exception);
    return status;
}

/* What no device and no RAM answers follows the guest's policy, as an access that is not emulated does. */
static __attribute__((noinline)) enum emulate_status nobody(struct vcpu *vcpu, uint64_t guest_physical,
                                                            bool write)
{
    const struct ept_region *region = ept_region_find(&vcpu->vm->regions, guest_physical);
    const struct guest_config *config = &vcpu->vm->config;
    bool hole = region == NULL || region->kind == EPT_REGION_HOLE;

    if ((hole ? config->policy_hole : config->policy_rom) == GUEST_POLICY_IGNORE)
        return EMULATE_DONE;
    vm_end(vcpu->vm, VM_FAILED, "%s by an instruction that accesses a device: gpa=%#llx access=%s",
           hole ? "access to a hole" : "access without the right to it", (unsigned long long)guest_physical,
           write ? "W" : "R");
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

static enum emulate_status read_page(struct mmio *mmio, uint64_t guest_physical, unsigned size,
                                     uint64_t *value)
{
    const char *name = NULL;

    *value = 0;
    if (guest_physical != mmio->guest_physical_address &&
        guest_memory_read(mmio->vcpu->vm, guest_physical, value, size) == size)
        return EMULATE_DONE;
    *value = 0;
    for (unsigned done = 0, part; done < size; done += part) {
        const char *who;
        uint64_t bits;

        part = part_size(size - done);
        who = read_device(mmio->vcpu, guest_physical + done, part, &bits);
        *value |= bits << (8 * done);
        if (name == NULL)
            name = who;
    }
    return accessed(mmio->vcpu, name, guest_physical, false);
}

static enum emulate_status write_page(struct mmio *mmio, uint64_t guest_physical, unsigned size,
                                      uint64_t value)
{
    const char *name = NULL;

    if (guest_physical != mmio->guest_physical_address &&
        guest_memory_write(mmio->vcpu->vm, guest_physical, &value, size) == size)
        return EMULATE_DONE;
    for (unsigned done = 0, part; done < size; done += part) {
        const char *who;

        part = part_size(size - done);
        who = write_device(mmio->vcpu, guest_physical + done, part, value >> (8 * done));
        if (name == NULL)
            name = who;
    }
    return accessed(mmio->vcpu, name, guest_physical, true);
}

enum emulate_status mmio_read(void *context, const struct emulate_place *place, uint64_t *value)
{
    uint64_t second;
    enum emulate_status status = read_page(context, place->guest_physical[0], place->size[0], value);

    if (status != EMULATE_DONE || place->size[1] == 0)
        return status;
    status = read_page(context, place->guest_physical[1], place->size[1], &second);
    *value |= second << (8 * place->size[0]);
    return status;
}

enum emulate_status mmio_write(void *context, const struct emulate_place *place, uint64_t value)
{
    enum emulate_status status = write_page(context, place->guest_physical[0], place->size[0], value);

    if (status != EMULATE_DONE || place->size[1] == 0)
        return status;
    return write_page(context, place->guest_physical[1], place->size[1], value >> (8 * place->size[0]));
}
