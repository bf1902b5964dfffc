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
static enum emulate_status nobody(struct mmio *mmio, uint64_t guest_physical, bool write)
{
    const struct ept_region *region = ept_region_find(&mmio->vcpu->vm->regions, guest_physical);
    const struct guest_config *config = &mmio->vcpu->vm->config;
    bool hole = region == NULL || region->kind == EPT_REGION_HOLE;

    if ((hole ? config->policy_hole : config->policy_rom) == GUEST_POLICY_IGNORE)
        return EMULATE_DONE;
    vm_end(mmio->vcpu->vm, VM_FAILED, "%s by an instruction that accesses a device: gpa=%#llx access=%s",
           hole ? "access to a hole" : "access without the right to it", (unsigned long long)guest_physical,
           write ? "W" : "R");
    return EMULATE_REFUSED;
}

/* The widest access that a device takes at once: a power of two. */
static unsigned part_size(unsigned left)
{
    return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

/* A device has answered, NULL: none has. */
static bool accessed(struct mmio *mmio, const char *name)
{
    if (name == NULL)
        return false;
    mmio->vcpu->device = name;
    interrupts_look(mmio->vcpu);
    return true;
}

static enum emulate_status read_page(struct mmio *mmio, uint64_t guest_physical, unsigned size,
                                     uint64_t *value)
{
    struct vm *vm = mmio->vcpu->vm;
    const char *name = NULL;

    *value = 0;
    if (guest_physical != mmio->guest_physical_address &&
        guest_memory_read(vm, guest_physical, value, size) == size)
        return EMULATE_DONE;
    *value = 0;
    vm_lock_devices(vm);
    for (unsigned done = 0, part; done < size; done += part) {
        const char *who;

        part = part_size(size - done);
        *value |= bus_memory_read(&vm->pc.bus, guest_physical + done, part,
                                  guest_time_now(&vm->time, tsc_read()), &who)
                  << (8 * done);
        if (name == NULL)
            name = who;
    }
    vm_unlock_devices(vm);
    return accessed(mmio, name) ? EMULATE_DONE : nobody(mmio, guest_physical, false);
}

static enum emulate_status write_page(struct mmio *mmio, uint64_t guest_physical, unsigned size,
                                      uint64_t value)
{
    struct vm *vm = mmio->vcpu->vm;
    const char *name = NULL;

    if (guest_physical != mmio->guest_physical_address &&
        guest_memory_write(vm, guest_physical, &value, size) == size)
        return EMULATE_DONE;
    vm_lock_devices(vm);
    for (unsigned done = 0, part; done < size; done += part) {
        const char *who;

        part = part_size(size - done);
        bus_memory_write(&vm->pc.bus, guest_physical + done, part, value >> (8 * done),
                         guest_time_now(&vm->time, tsc_read()), &who);
        if (name == NULL)
            name = who;
    }
    vm_unlock_devices(vm);
    return accessed(mmio, name) ? EMULATE_DONE : nobody(mmio, guest_physical, true);
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
