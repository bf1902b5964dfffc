/* SPDX-License-Identifier: MIT */
/* Access to a guest's memory in its stead. */
#include "vmm/vm/guest_memory.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/memory.h"
#include "ept/dirty.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"

#define ACCESS_RIGHTS_DPL(rights) (((rights) >> 5) & 3)

/* Numbers anywhere in memory. */
struct unaligned16 {
    uint16_t value;
} __attribute__((packed, may_alias));
struct unaligned32 {
    uint32_t value;
} __attribute__((packed, may_alias));
struct unaligned64 {
    uint64_t value;
} __attribute__((packed, may_alias));

/* Copies bytes that other vCPUs may access at the same time: 2, 4 or 8 of them in one access, as their
 * processors do it. SDM vol. 3, "Guaranteed Atomic Operations". */
static void copy(void *to, const void *from, size_t length)
{
    switch (length) {
    case 2:
        ((volatile struct unaligned16 *)to)->value = ((const volatile struct unaligned16 *)from)->value;
        break;
    case 4:
        ((volatile struct unaligned32 *)to)->value = ((const volatile struct unaligned32 *)from)->value;
        break;
    case 8:
        ((volatile struct unaligned64 *)to)->value = ((const volatile struct unaligned64 *)from)->value;
        break;
    default:
        memcpy(to, from, length);
    }
}

static bool is_ram(const struct ept_region *region)
{
    return region->kind == EPT_REGION_RAM || region->kind == EPT_REGION_IDENTITY;
}

/* The host's view of guest-physical memory that has it, up to *length bytes in a row; NULL where there is
 * none. */
static void *host_view(struct vm *vm, uint64_t guest_physical_address, size_t *length, bool write)
{
    const struct ept_region *region = ept_region_find(&vm->regions, guest_physical_address);
    uint64_t offset, room;

    if (region == NULL || (!is_ram(region) && (write || region->kind != EPT_REGION_ROM)))
        return NULL;
    if (!(watch_rights(region) & (write ? EPT_WRITE : EPT_READ)))
        return NULL;
    offset = guest_physical_address - region->gpa;
    room = region->size - offset;
    if (*length > room)
        *length = (size_t)room;
    return phys_to_virt(region->hpa + offset);
}

const void *guest_memory_view(struct vm *vm, uint64_t guest_physical_address, size_t length)
{
    size_t there = length, more;
    const char *view = host_view(vm, guest_physical_address, &there, false);

    /* A watched page is a region of its own, and yet its memory may run on. */
    for (; view != NULL && there < length; there += more) {
        more = length - there;
        if (host_view(vm, guest_physical_address + there, &more, false) != view + there)
            return NULL;
    }
    return view;
}

size_t guest_memory_read(struct vm *vm, uint64_t guest_physical_address, void *buffer, size_t length)
{
    size_t done = 0;

    while (done < length) {
        size_t piece = length - done;
        const void *from = host_view(vm, guest_physical_address + done, &piece, false);

        if (from == NULL)
            break;
        copy((char *)buffer + done, from, piece);
        done += piece;
    }
    return done;
}

size_t guest_memory_write(struct vm *vm, uint64_t guest_physical_address, const void *buffer, size_t length)
{
    size_t done = 0;

    while (done < length) {
        size_t piece = length - done;
        void *to = host_view(vm, guest_physical_address + done, &piece, true);

        if (to == NULL)
            break;
        copy(to, (const char *)buffer + done, piece);
        ept_dirty_mark(&vm->ept, guest_physical_address + done, piece);
        done += piece;
    }
    return done;
}

bool guest_memory_device(struct vm *vm, uint64_t guest_physical_address, void *buffer, size_t length,
                         bool write)
{
    const struct ept_region *region = ept_region_find(&vm->regions, guest_physical_address);
    void *at;

    if (region == NULL || region->kind != EPT_REGION_MMIO ||
        !(watch_rights(region) & (write ? EPT_WRITE : EPT_READ)))
        return false;
    at = phys_to_virt(region->hpa + (guest_physical_address - region->gpa));
    copy(write ? at : buffer, write ? buffer : at, length);
    return true;
}

bool guest_memory_writable(struct vm *vm, uint64_t guest_physical_address, size_t length)
{
    size_t done = 0;

    while (done < length) {
        size_t piece = length - done;

        if (host_view(vm, guest_physical_address + done, &piece, true) == NULL)
            return false;
        done += piece;
    }
    return true;
}

enum guest_exchange guest_memory_exchange(struct vm *vm, uint64_t guest_physical_address, unsigned size,
                                          uint64_t expected, uint64_t value)
{
    size_t there = size;
    void *at = host_view(vm, guest_physical_address, &there, true);
    uint64_t found = expected;

    if (at == NULL || there != size)
        return GUEST_EXCHANGE_NO_RAM;
    switch (size) { /* the processor locks at any address, so no alignment is asked for */
    case 1:
        __asm__ volatile("lock cmpxchgb %b2, %1" : "+a"(found), "+m"(*(uint8_t *)at) : "q"(value) : "memory");
        break;
    case 2:
        __asm__ volatile("lock cmpxchgw %w2, %1"
                         : "+a"(found), "+m"(*(uint16_t *)at)
                         : "r"(value)
                         : "memory");
        break;
    case 4:
        __asm__ volatile("lock cmpxchgl %k2, %1"
                         : "+a"(found), "+m"(*(uint32_t *)at)
                         : "r"(value)
                         : "memory");
        break;
    default:
        __asm__ volatile("lock cmpxchgq %2, %1" : "+a"(found), "+m"(*(uint64_t *)at) : "r"(value) : "memory");
        break;
    }
    if (((found ^ expected) & UINT64_MAX >> (64 - 8 * size)) != 0)
        return GUEST_EXCHANGE_LOST;
    ept_dirty_mark(&vm->ept, guest_physical_address, size);
    return GUEST_EXCHANGED;
}

static bool read_entry(void *context, uint64_t guest_physical_address, unsigned size, uint64_t *value)
{
    *value = 0;
    return guest_memory_read(context, guest_physical_address, value, size) == size;
}

void guest_paging_state(struct vcpu *vcpu, struct guest_paging *paging)
{
    uint64_t rflags = vmcs_read(VMCS_GUEST_RFLAGS);

    paging->cr0 = vmcs_read(VMCS_GUEST_CR0);
    paging->cr3 = vmcs_read(VMCS_GUEST_CR3);
    paging->cr4 = vmcs_read(VMCS_GUEST_CR4);
    paging->efer = vmcs_read(VMCS_GUEST_IA32_EFER);
    paging->pat = vmcs_read(VMCS_GUEST_IA32_PAT);
    if (guest_paging_mode(paging) == GUEST_MODE_PAE) {
        for (unsigned i = 0; i < 4; i++)
            paging->pdpte[i] = vmcs_read((enum vmcs_field)(VMCS_GUEST_PDPTE0 + 2 * i));
    }
    /* The CPL is the DPL of SS. SDM vol. 3, "Guest Register State". */
    paging->user = ACCESS_RIGHTS_DPL(vmcs_read(VMCS_GUEST_SS_ACCESS_RIGHTS)) == 3;
    paging->rflags_ac = rflags & RFLAGS_AC;
    paging->physical_width = vcpu->vm->mtrr.phys_width;
    paging->large_1g = vcpu->vm->large_1g;
    paging->read = read_entry;
    paging->context = vcpu->vm;
}

/* One access, page by page; `write` copies from the buffer. */
static enum guest_paging_status linear_access(struct vcpu *vcpu, const struct guest_paging *paging,
                                              uint64_t linear_address, char *buffer, size_t length,
                                              bool write, uint64_t *fault_address, uint32_t *error_code)
{
    size_t done = 0;

    while (done < length) {
        uint64_t linear = linear_address + done;
        size_t piece = PAGE_SIZE - (linear & (PAGE_SIZE - 1)), moved;
        struct guest_walk walk = guest_walk(paging, linear, write ? GUEST_ACCESS_WRITE : GUEST_ACCESS_READ);

        *fault_address = linear;
        *error_code = walk.error_code;
        if (walk.status != GUEST_PAGING_OK)
            return walk.status;
        if (piece > length - done)
            piece = length - done;
        moved = write ? guest_memory_write(vcpu->vm, walk.gpa, buffer + done, piece)
                      : guest_memory_read(vcpu->vm, walk.gpa, buffer + done, piece);
        if (moved != piece)
            return GUEST_PAGING_NO_TABLE;
        done += piece;
    }
    return GUEST_PAGING_OK;
}

must_check enum guest_paging_status guest_linear_read(struct vcpu *vcpu, const struct guest_paging *paging,
                                                      uint64_t linear_address, void *buffer, size_t length,
                                                      uint64_t *fault_address, uint32_t *error_code)
{
    return linear_access(vcpu, paging, linear_address, buffer, length, false, fault_address, error_code);
}

must_check enum guest_paging_status guest_linear_write(struct vcpu *vcpu, const struct guest_paging *paging,
                                                       uint64_t linear_address, const void *buffer,
                                                       size_t length, uint64_t *fault_address,
                                                       uint32_t *error_code)
{
    /* The buffer is only read from. */
    return linear_access(vcpu, paging, linear_address, (char *)(uintptr_t)buffer, length, true, fault_address,
                         error_code);
}
