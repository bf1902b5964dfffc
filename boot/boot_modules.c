/* SPDX-License-Identifier: MIT */
/* A plan by which low modules move up. */
#include "boot/boot_info.h"

#define PAGE UINT64_C(4096)

struct span {
    uint64_t base, length;
};

/* What must stay as it is: the image, the modules where they are, and the places that are given already. */
struct taken {
    struct span spans[1 + 2 * BOOT_MODULE_MAX];
    unsigned count;
};

static void take(struct taken *taken, uint64_t base, uint64_t length)
{
    taken->spans[taken->count++] = (struct span){base, length};
}

/* A span that overlaps [base, base + length); NULL: none does. */
static const struct span *in_the_way(const struct taken *taken, uint64_t base, uint64_t length)
{
    for (unsigned i = 0; i < taken->count; i++) {
        const struct span *span = &taken->spans[i];

        if (span->base < base + length && base < span->base + span->length)
            return span;
    }
    return NULL;
}

/* The highest place in one range, page-aligned; 0: there is none. */
static uint64_t place_in(const struct boot_memory_range *range, const struct taken *taken, uint64_t length,
                         uint64_t limit)
{
    uint64_t start = range->base > BOOT_MODULES_FLOOR ? range->base : BOOT_MODULES_FLOOR;
    uint64_t end = range->base + range->length;

    if (end > limit)
        end = limit;
    while (end > start && end - start >= length) {
        uint64_t at = (end - length) & ~(PAGE - 1);
        const struct span *span = at >= start ? in_the_way(taken, at, length) : NULL;

        if (at < start)
            break;
        if (span == NULL)
            return at;
        end = span->base;
    }
    return 0;
}

unsigned boot_modules_plan(const struct boot_info *info, uint64_t image_base, uint64_t image_length,
                           uint64_t limit, uint64_t places[BOOT_MODULE_MAX])
{
    struct taken taken = {.count = 0};
    unsigned moved = 0;

    take(&taken, image_base, image_length);
    for (unsigned i = 0; i < info->module_count; i++)
        take(&taken, info->modules[i].base, info->modules[i].length);
    for (unsigned i = 0; i < info->module_count; i++) {
        const struct boot_module *module = &info->modules[i];
        /* Whole pages: whoever frees one takes nothing of another. */
        uint64_t length = (module->length + PAGE - 1) & ~(PAGE - 1), at = 0;

        places[i] = module->base;
        if (module->base >= BOOT_MODULES_FLOOR || length == 0)
            continue;
        for (unsigned n = info->memory_count; n > 0 && at == 0; n--)
            if (info->memory[n - 1].type == BOOT_MEMORY_AVAILABLE)
                at = place_in(&info->memory[n - 1], &taken, length, limit);
        if (at == 0)
            continue;
        places[i] = at;
        take(&taken, at, length);
        moved++;
    }
    return moved;
}
