/* SPDX-License-Identifier: MIT */
/* Building a VM's memory map. */
#include "vmm/vm/memory.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/memory.h"
#include "drivers/console.h"
#include "vmm/bios/data.h"
#include "vmm/host/frame.h"
#include "vmm/vm/guest_memory.h"
#include "vmm/vm/memory_map.h"
#include "vmm/guests.h"
#include "vmm/hypercall_abi.h"
#include "vmm/host/machine.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/apic_page.h"
#include "vmm/debug/step.h"

#define MIB           UINT64_C(0x100000)
#define ROM_SIZE      (MIB - GUEST_ROM_BASE)
#define ROM_SIGNATURE "ADEPT ROM"
#define TEXT_SIZE     ((uint64_t)(GUEST_ROM_BASE - GUEST_TEXT_BASE))
#define TEXT_BLANK    0x0720u /* light grey on black */
/* What an identity guest leaves the hypervisor beyond the private guests' memory: tables, VMCSs, later needs.
 */
#define IDENTITY_RESERVE (16 * MIB)

static bool add_region(struct vm *vm, uint64_t gpa, uint64_t size, uint64_t hpa, enum ept_region_kind kind,
                       uint8_t rights)
{
    struct ept_region region = {.gpa = gpa, .size = size, .hpa = hpa, .kind = kind, .rights = rights};

    /* Frames are RAM of the machine: their type is what the MTRRs say. Video memory likewise, which they make
     * UC. */
    region.type_from_mtrr = true;
    return size == 0 || ept_region_add(&vm->regions, &region) == EPT_OK;
}

static void fill_rom(uint64_t rom)
{
    uint8_t *bytes = phys_to_virt(rom);

    memset(bytes, 0xff, ROM_SIZE);
    memcpy(bytes + (GUEST_ROM_SIGNATURE - GUEST_ROM_BASE), ROM_SIGNATURE, sizeof(ROM_SIGNATURE) - 1);
}

static void fill_text(uint64_t memory)
{
    uint16_t *cells = phys_to_virt(memory);

    for (unsigned i = 0; i < TEXT_SIZE / sizeof(*cells); i++)
        cells[i] = TEXT_BLANK;
}

static bool create_private(struct vm *vm)
{
    frame_owner owner = FRAME_GUEST(vm->id);
    uint64_t size = vm->config.memory_bytes;

    vm->ram_frames = size / FRAME_SIZE;
    /* Aligned to 2 MiB wherever it pays: guest and host addresses then agree below 2 MiB, and large pages
     * fit. */
    vm->ram_base = frame_alloc_run(owner, vm->ram_frames, FRAME_CHUNK);
    if (vm->ram_base == FRAME_ALLOC_FAILED) {
        vm->ram_frames = 0;
        return false;
    }
    vm->rom_base = frame_alloc_run(owner, ROM_SIZE / FRAME_SIZE, 1);
    if (vm->rom_base == FRAME_ALLOC_FAILED) {
        vm->rom_base = 0;
        return false;
    }
    vm->text_base = frame_alloc_run(owner, TEXT_SIZE / FRAME_SIZE, 1);
    if (vm->text_base == FRAME_ALLOC_FAILED) {
        vm->text_base = 0;
        return false;
    }
    memset(phys_to_virt(vm->ram_base), 0, size);
    fill_text(vm->text_base);
    fill_rom(vm->rom_base);
    return add_region(vm, 0, GUEST_HOLE_BASE, vm->ram_base, EPT_REGION_RAM,
                      EPT_READ | EPT_WRITE | EPT_EXECUTE) &&
           add_region(vm, GUEST_TEXT_BASE, TEXT_SIZE, vm->text_base, EPT_REGION_RAM,
                      EPT_READ | EPT_WRITE | EPT_EXECUTE) &&
           add_region(vm, GUEST_ROM_BASE, ROM_SIZE, vm->rom_base, EPT_REGION_ROM, EPT_READ | EPT_EXECUTE) &&
           add_region(vm, MIB, size - MIB, vm->ram_base + MIB, EPT_REGION_RAM,
                      EPT_READ | EPT_WRITE | EPT_EXECUTE);
}

/* Claims [base, base + length) for the VM, frame run by frame run, and makes each run a RAM region. */
static bool claim_range(struct vm *vm, uint64_t base, uint64_t length, uint64_t *budget)
{
    uint64_t end = base + length, at = base;

    while (at<end && * budget> 0) {
        uint64_t start;

        while (at < end && frame_owner_of(at) != FRAME_FREE)
            at += FRAME_SIZE;
        start = at;
        while (at < end && (at - start) < *budget && frame_owner_of(at) == FRAME_FREE)
            at += FRAME_SIZE;
        if (at == start)
            break;
        if (!frame_claim(start, (at - start) / FRAME_SIZE, FRAME_FREE, FRAME_GUEST(vm->id))) {
            at = start; /* another CPU has just taken one of them: look again */
            continue;
        }
        /* What the hypervisor and earlier guests left there is not for this one. Below 1 MiB there is only
         * what the firmware left. */
        if (start >= MIB)
            memset(phys_to_virt(start), 0, at - start);
        *budget -= at - start;
        vm->ram_frames += (at - start) / FRAME_SIZE;
        if (!add_region(vm, start, at - start, start, EPT_REGION_IDENTITY,
                        EPT_READ | EPT_WRITE | EPT_EXECUTE))
            return false;
    }
    return true;
}

/* The firmware's tables: the guest may read what the machine tells. */
static bool add_firmware_tables(struct vm *vm, const struct boot_memory_range *range)
{
    bool tables = range->type == BOOT_MEMORY_ACPI_RECLAIMABLE || range->type == BOOT_MEMORY_ACPI_NVS;

    return !tables || add_region(vm, range->base, range->length, range->base, EPT_REGION_ROM, EPT_READ);
}

static bool create_identity(struct vm *vm)
{
    const struct boot_info *info = machine_boot_info();
    struct frame_stats frames;
    uint64_t keep = IDENTITY_RESERVE + guests_private_memory(), budget;

    frame_stats(&frames);
    if (frames.free * FRAME_SIZE <= keep)
        return false;
    budget = frames.free * FRAME_SIZE - keep;
    for (unsigned i = 0; i < info->memory_count; i++) {
        const struct boot_memory_range *range = &info->memory[i];

        if (range->type == BOOT_MEMORY_AVAILABLE && !claim_range(vm, range->base, range->length, &budget))
            return false;
        if (!add_firmware_tables(vm, range))
            return false;
    }
    /* Adapters' and system firmware, as they stand there; then video memory. */
    return add_region(vm, GUEST_ROM_BASE, ROM_SIZE, GUEST_ROM_BASE, EPT_REGION_ROM, EPT_READ | EPT_EXECUTE) &&
           add_region(vm, GUEST_HOLE_BASE, GUEST_ROM_BASE - GUEST_HOLE_BASE, GUEST_HOLE_BASE, EPT_REGION_MMIO,
                      EPT_READ | EPT_WRITE);
}

static uint64_t bus_page_count(const struct vm *vm)
{
    return (uint64_t)vm->config.vcpus * STEP_PAGES_MAX;
}

must_check bool vm_memory_create(struct vm *vm, const struct ept_caps *caps)
{
    bool created;

    ept_region_list_init(&vm->regions, vm->regions_storage, VM_REGIONS_MAX, caps);
    vm->ram_frames = vm->ram_base = vm->rom_base = vm->text_base = 0;
    vm->bus_pages = frame_alloc_run(FRAME_GUEST(vm->id), bus_page_count(vm), 1);
    if (vm->bus_pages == FRAME_ALLOC_FAILED) {
        vm->bus_pages = 0;
        return false;
    }
    created = vm->config.memory == GUEST_MEMORY_IDENTITY ? create_identity(vm) : create_private(vm);
    if (!created)
        vm_memory_destroy(vm);
    return created;
}

static void give_back(struct vm *vm, uint64_t physical, uint64_t frames)
{
    frame_free_run(physical, frames, FRAME_GUEST(vm->id));
}

void vm_memory_destroy(struct vm *vm)
{
    vm_apic_forget(vm);
    if (vm->config.memory == GUEST_MEMORY_IDENTITY) {
        for (unsigned i = 0; i < vm->regions.count; i++) {
            const struct ept_region *region = &vm->regions.regions[i];

            if (region->kind == EPT_REGION_IDENTITY)
                frame_free_run(region->hpa, region->size / FRAME_SIZE, FRAME_GUEST(vm->id));
        }
    } else {
        if (vm->rom_base != 0)
            give_back(vm, vm->rom_base, ROM_SIZE / FRAME_SIZE);
        if (vm->text_base != 0)
            give_back(vm, vm->text_base, TEXT_SIZE / FRAME_SIZE);
        if (vm->ram_frames != 0)
            give_back(vm, vm->ram_base, vm->ram_frames);
    }
    if (vm->bus_pages != 0)
        give_back(vm, vm->bus_pages, bus_page_count(vm));
    vm->bus_pages = vm->text_base = vm->rom_base = vm->ram_base = vm->ram_frames = 0;
}

void vm_memory_tell(const struct vm *vm, struct guest_memory_map *map)
{
    bool bios = vm->config.memory == GUEST_MEMORY_PRIVATE && vm->config.boot != GUEST_BOOT_FLAT;

    guest_memory_map_make(map, &vm->regions, bios ? EBDA_SEGMENT << 4 : GUEST_HOLE_BASE);
}

must_check bool vm_memory_load(struct vm *vm, uint64_t load, const void *bytes, uint64_t length)
{
    return load + length >= load && guest_memory_write(vm, load, bytes, length) == length;
}
