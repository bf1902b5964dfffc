/* SPDX-License-Identifier: MIT */
/*
 * Memory in three steps. The boot tables reach 4 GiB: so the final tables are built first, from the largest
 * free piece below that, bump by bump; then everything is reachable and the frame pool can put its own tables
 * wherever there is room; then the pool takes over.
 */
#include "vmm/host/memory_setup.h"

#include "arch/x86/memory.h"
#include "arch/x86/paging.h"
#include "vmm/host/frame.h"
#include "vmm/host/panic.h"

_Static_assert(FRAME_ALLOC_FAILED == PAGING_NO_FRAME, "memory_host_frame() serves as a paging_alloc");
_Static_assert(PAGE_SIZE == FRAME_SIZE, "a frame is a page");

#define CLAIM_MAX (BOOT_MODULE_MAX + 2) /* modules, the image, the early tables */

/* Below the EBDA, wherever that begins: firmware that runs later may use the memory under it. */
#define TRAMPOLINE_END UINT64_C(0x9f000)

static struct {
    struct frame_range ranges[BOOT_MEMORY_MAX];
    struct paging_range paging_ranges[BOOT_MEMORY_MAX];
    unsigned range_count;
    struct frame_claim claims[CLAIM_MAX];
    unsigned claim_count;
    struct frame_gap early; /* what is left for early_frame() */
} setup;

static void claim(uint64_t base, uint64_t length, frame_owner owner)
{
    assert(setup.claim_count < CLAIM_MAX);
    setup.claims[setup.claim_count++] = (struct frame_claim){base, length, owner};
}

static void collect(const struct boot_info *boot, const struct image_range *image)
{
    setup.range_count = boot->memory_count;
    for (unsigned i = 0; i < boot->memory_count; i++) {
        const struct boot_memory_range *range = &boot->memory[i];
        setup.ranges[i] =
            (struct frame_range){range->base, range->length, range->type == BOOT_MEMORY_AVAILABLE};
        /* ACPI's tables are RAM, too. Of reserved memory nobody knows: uncached is right for both. */
        setup.paging_ranges[i] = (struct paging_range){range->base, range->length,
                                                       range->type == BOOT_MEMORY_AVAILABLE ||
                                                           range->type == BOOT_MEMORY_ACPI_RECLAIMABLE ||
                                                           range->type == BOOT_MEMORY_ACPI_NVS};
    }
    claim(image->base, image->length, FRAME_IMAGE);
    for (unsigned i = 0; i < boot->module_count; i++)
        claim(boot->modules[i].base, boot->modules[i].length, FRAME_MODULE);
}

/*
 * Modules that lie where an identity guest wants to be loaded go up, before anything has been allocated: below
 * FRAME_ALLOC_FLOOR there is then nothing but free frames. The loader's own information needs no place: all of
 * it has been copied.
 */
static void raise_modules(struct boot_info *boot, const struct image_range *image)
{
    uint64_t places[BOOT_MODULE_MAX];

    _Static_assert(BOOT_MODULES_FLOOR == FRAME_ALLOC_FLOOR, "below it no frames are allocated");
    if (boot_modules_plan(boot, image->base, image->length, FOUR_GIB, places) == 0)
        return;
    for (unsigned i = 0; i < boot->module_count; i++) {
        struct boot_module *module = &boot->modules[i];

        if (places[i] == module->base)
            continue;
        memcpy(phys_to_virt(places[i]), phys_to_virt(module->base), module->length);
        module->base = places[i];
    }
}

static uint64_t early_frame(void)
{
    uint64_t frame = setup.early.base;

    if (setup.early.length < PAGE_SIZE)
        return PAGING_NO_FRAME;
    setup.early.base += PAGE_SIZE;
    setup.early.length -= PAGE_SIZE;
    return frame;
}

uint64_t memory_host_frame(void)
{
    return frame_alloc(FRAME_HOST);
}

void memory_setup(struct boot_info *boot, const struct image_range *image, const struct mtrr_raw *mtrr)
{
    struct paging_layout layout = {
        .ranges = setup.paging_ranges,
        .image_physical = image->base,
        .mtrr = mtrr,
        .alloc = early_frame,
    };
    uint64_t early_base;
    enum frame_status status;

    raise_modules(boot, image);
    collect(boot, image);
    layout.range_count = setup.range_count;
    setup.early =
        frame_gap_largest(setup.ranges, setup.range_count, setup.claims, setup.claim_count, FOUR_GIB);
    early_base = setup.early.base;
    if (!paging_init(&layout))
        panic("no memory below 4 GiB for the page tables (%llu KiB free)",
              (unsigned long long)((setup.early.base + setup.early.length - early_base) / 1024));
    claim(early_base, setup.early.base - early_base, FRAME_HOST);
    status = frame_init(setup.ranges, setup.range_count, setup.claims, setup.claim_count, phys_to_virt);
    if (status != FRAME_OK)
        panic("no frame pool: %s",
              status == FRAME_NO_ROOM ? "no room for its tables" : "the memory map has too many pieces");
    paging_set_alloc(memory_host_frame);
}

must_check uint64_t memory_claim_trampoline(void)
{
    for (uint64_t page = TRAMPOLINE_END - PAGE_SIZE; page > 0; page -= PAGE_SIZE) {
        if (frame_claim(page, 1, FRAME_FREE, FRAME_TRAMPOLINE))
            return page;
    }
    return FRAME_ALLOC_FAILED;
}
