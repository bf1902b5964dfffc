/* SPDX-License-Identifier: MIT */
/* From a linear address to bytes of RAM or of a device. SDM vol. 3, "Accessed and Dirty Flags". */
#include "vmm/emulate/linear.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/exception.h"
#include "arch/x86/memory.h"
#include "vmm/exit/exit.h"
#include "vmm/emulate/mmio_memory.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/pause.h"
#include "vmm/vcpu/vmcs.h"

/* How often a walk begins again because another vCPU has changed an entry. Each time at least one flag more
 * is set or another vCPU has written, so this is enough unless others write without end. */
#define WALKS_MAX 8

/* An entry of the guest's tables. Where nothing is, a bus that is not answered gives all ones. */
static bool read_entry(void *context, uint64_t guest_physical_address, unsigned size, uint64_t *value)
{
    struct vm *vm = context;

    *value = 0;
    if (guest_memory_read(vm, guest_physical_address, value, size) == size)
        return true;
    *value = UINT64_MAX >> (64 - 8 * size);
    return mmio_ignores(vm, guest_physical_address, EPT_READ);
}

void linear_begin(struct linear *linear, struct vcpu *vcpu)
{
    linear->vcpu = vcpu;
    linear->devices_held = linear->translated = false;
    guest_paging_state(vcpu, &linear->paging);
    linear->paging.read = read_entry;
}

void linear_begin_system(struct linear *linear, struct vcpu *vcpu)
{
    linear_begin(linear, vcpu);
    linear->paging.user = false;
    linear->paging.rflags_ac = false;
}

must_check enum emulate_status linear_walk(struct linear *linear, uint64_t address, enum guest_access access,
                                           struct guest_walk *walk, struct emulate_exception *exception)
{
    *walk = guest_walk(&linear->paging, address, access);
    switch (walk->status) {
    case GUEST_PAGING_OK:
        return EMULATE_DONE;
    case GUEST_PAGING_FAULT:
        *exception = (struct emulate_exception){.vector = VECTOR_PF,
                                                .error_code = walk->error_code,
                                                .address = walk->mode < GUEST_MODE_4_LEVEL ? (uint32_t)address
                                                                                           : address};
        return EMULATE_EXCEPTION;
    case GUEST_PAGING_NOT_CANONICAL:
        *exception = (struct emulate_exception){.vector = VECTOR_GP};
        return EMULATE_EXCEPTION;
    case GUEST_PAGING_NO_TABLE:
        break;
    }
    vm_end(linear->vcpu->vm, VM_FAILED, "paging structures of gla=%#llx are no RAM: gpa=%#llx",
           (unsigned long long)address, (unsigned long long)walk->gpa);
    return EMULATE_REFUSED;
}

/* As the processor's walk does: accessed flags of all entries, the leaf's dirty flag for a write. false: an
 * entry is not any more what the walk has read. */
static bool set_flags(struct vm *vm, const struct guest_walk *walk, bool write)
{
    for (unsigned i = 0; i < walk->count; i++) {
        const struct guest_walk_step *step = &walk->steps[i];
        uint64_t flags = GUEST_ENTRY_ACCESSED | (write && step->leaf ? GUEST_ENTRY_DIRTY : 0);

        if (step->size == 0 || (step->raw & flags) == flags)
            continue;
        if (guest_memory_exchange(vm, step->gpa, step->size, step->raw, step->raw | flags) ==
            GUEST_EXCHANGE_LOST) /* tables in ROM keep theirs */
            return false;
    }
    return true;
}

enum emulate_status linear_translate(void *context, struct emulate_place *place, bool write,
                                     struct emulate_exception *exception)
{
    enum guest_access access = write ? GUEST_ACCESS_WRITE : GUEST_ACCESS_READ;
    struct linear *linear = context;
    unsigned pages = place->size[1] != 0 ? 2 : 1;

    for (unsigned walks = 0; walks < WALKS_MAX; walks++) {
        struct guest_walk walk[2];
        bool set = true;

        for (unsigned i = 0; i < pages; i++) {
            enum emulate_status status;

            walk[i].count = 0;
            place->guest_physical[i] = linear->guest_physical_address;
            if (linear->translated && place->linear[i] == linear->linear_address &&
                (linear->translated_write || !write))
                continue;
            status = linear_walk(linear, place->linear[i], access, &walk[i], exception);
            if (status != EMULATE_DONE)
                return status;
            place->guest_physical[i] = walk[i].gpa;
        }
        for (unsigned i = 0; i < pages && set; i++)
            set = set_flags(linear->vcpu->vm, &walk[i], write);
        if (set)
            return EMULATE_DONE;
    }
    return EMULATE_RESTART;
}

/* Where the violation was: that is a device, whatever the memory map has there. */
static bool is_violated(const struct linear *linear, uint64_t guest_physical)
{
    return linear->translated && guest_physical == linear->guest_physical_address;
}

/* Most of what an instruction does to a device: one access as devices take them. */
static bool is_plain(const struct linear *linear, const struct emulate_place *place)
{
    return is_violated(linear, place->guest_physical[0]) && place->size[1] == 0 &&
           (place->size[0] & (place->size[0] - 1)) == 0;
}

/* Bytes of one page that has been translated. */
static enum emulate_status read_page(struct linear *linear, uint64_t guest_physical, void *buffer,
                                     unsigned size)
{
    if (!is_violated(linear, guest_physical) &&
        (guest_memory_read(linear->vcpu->vm, guest_physical, buffer, size) == size ||
         guest_memory_device(linear->vcpu->vm, guest_physical, buffer, size, false)))
        return EMULATE_DONE;
    return mmio_page_read(linear->vcpu, guest_physical, buffer, size, linear->devices_held);
}

static enum emulate_status write_page(struct linear *linear, uint64_t guest_physical, const void *buffer,
                                      unsigned size)
{
    struct vm *vm = linear->vcpu->vm;

    if (!is_violated(linear, guest_physical)) {
        if (guest_memory_writable(vm, guest_physical, size))
            return guest_memory_write(vm, guest_physical, buffer, size) == size ? EMULATE_DONE
                                                                                : EMULATE_RESTART;
        /* The buffer is only read from. */
        if (guest_memory_device(vm, guest_physical, (void *)(uintptr_t)buffer, size, true))
            return EMULATE_DONE;
    }
    return mmio_page_write(linear->vcpu, guest_physical, buffer, size, linear->devices_held);
}

static enum emulate_status read_bytes(struct linear *linear, const struct emulate_place *place, void *buffer)
{
    enum emulate_status status = read_page(linear, place->guest_physical[0], buffer, place->size[0]);

    if (status != EMULATE_DONE || place->size[1] == 0)
        return status;
    return read_page(linear, place->guest_physical[1], (uint8_t *)buffer + place->size[0], place->size[1]);
}

static enum emulate_status write_bytes(struct linear *linear, const struct emulate_place *place,
                                       const void *buffer)
{
    enum emulate_status status = write_page(linear, place->guest_physical[0], buffer, place->size[0]);

    if (status != EMULATE_DONE || place->size[1] == 0)
        return status;
    return write_page(linear, place->guest_physical[1], (const uint8_t *)buffer + place->size[0],
                      place->size[1]);
}

enum emulate_status linear_read_place(void *context, const struct emulate_place *place, uint64_t *value)
{
    struct linear *linear = context;

    if (is_plain(linear, place))
        return mmio_device_read(linear->vcpu, place->guest_physical[0], place->size[0], value);
    *value = 0;
    return read_bytes(linear, place, value);
}

enum emulate_status linear_write_place(void *context, const struct emulate_place *place, uint64_t value)
{
    struct linear *linear = context;

    if (is_plain(linear, place))
        return mmio_device_write(linear->vcpu, place->guest_physical[0], place->size[0], value);
    return write_bytes(linear, place, &value);
}

/* The first piece of an access, of at most a page, in at most two pages: translated. */
static enum emulate_status locate(struct linear *linear, uint64_t address, size_t length, bool write,
                                  struct emulate_place *place, struct emulate_exception *exception)
{
    size_t room = PAGE_SIZE - (size_t)(address & (PAGE_SIZE - 1));

    if (length > PAGE_SIZE)
        length = PAGE_SIZE;
    if (room > length)
        room = length;
    *place = (struct emulate_place){.linear = {address, address + room},
                                    .size = {(uint16_t)room, (uint16_t)(length - room)}};
    return linear_translate(linear, place, write, exception);
}

must_check enum emulate_status linear_read(struct linear *linear, uint64_t address, void *buffer,
                                           size_t length, struct emulate_exception *exception)
{
    struct emulate_place place;

    for (size_t done = 0; done < length; done += place.size[0] + (size_t)place.size[1]) {
        enum emulate_status status = locate(linear, address + done, length - done, false, &place, exception);

        if (status == EMULATE_DONE)
            status = read_bytes(linear, &place, (uint8_t *)buffer + done);
        if (status != EMULATE_DONE)
            return status;
    }
    return EMULATE_DONE;
}

must_check enum emulate_status linear_write(struct linear *linear, uint64_t address, const void *buffer,
                                            size_t length, struct emulate_exception *exception)
{
    struct emulate_place place;

    for (size_t done = 0; done < length; done += place.size[0] + (size_t)place.size[1]) {
        enum emulate_status status = locate(linear, address + done, length - done, true, &place, exception);

        if (status == EMULATE_DONE)
            status = write_bytes(linear, &place, (const uint8_t *)buffer + done);
        if (status != EMULATE_DONE)
            return status;
    }
    return EMULATE_DONE;
}

must_check enum emulate_status linear_check(struct linear *linear, uint64_t address, size_t length,
                                            bool write, struct emulate_exception *exception)
{
    struct emulate_place place;

    return locate(linear, address, length, write, &place, exception);
}

/* Over a page border, where no one access of the host reaches: with the other vCPUs parked. */
static enum emulate_status exchange_alone(struct linear *linear, const struct emulate_place *place,
                                          uint64_t expected, uint64_t value)
{
    struct vm *vm = linear->vcpu->vm;
    enum emulate_status status;
    uint64_t there;

    vm_pause(vm);
    status = linear_read_place(linear, place, &there);
    if (status == EMULATE_DONE)
        status = there == expected ? linear_write_place(linear, place, value) : EMULATE_RESTART;
    vm_unpause(vm);
    return status;
}

must_check enum emulate_status linear_compare_exchange(struct linear *linear, uint64_t address, unsigned size,
                                                       uint64_t expected, uint64_t value,
                                                       struct emulate_exception *exception)
{
    struct emulate_place place;
    enum emulate_status status = locate(linear, address, size, true, &place, exception);

    if (status != EMULATE_DONE)
        return status;
    if (place.size[1] == 0) {
        switch (guest_memory_exchange(linear->vcpu->vm, place.guest_physical[0], size, expected, value)) {
        case GUEST_EXCHANGED:
            return EMULATE_DONE;
        case GUEST_EXCHANGE_LOST:
            return EMULATE_RESTART;
        case GUEST_EXCHANGE_NO_RAM:
            break;
        }
    }
    return exchange_alone(linear, &place, expected, value);
}
