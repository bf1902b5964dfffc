/* SPDX-License-Identifier: MIT */
/* The memory map of boot_info: sorted, disjoint, page-aligned, the more restrictive type on top. */
#include "boot/multiboot.h"

#define PAGE 4096ull
#define PHYSICAL_LIMIT                                                                                       \
    (1ull << 52) /* no processor has more address bits: SDM vol. 3, "Hierarchical Paging Structures" */

/* Higher wins where ranges overlap. */
static unsigned rank(enum boot_memory_type type)
{
    switch (type) {
    case BOOT_MEMORY_AVAILABLE:
        return 0;
    case BOOT_MEMORY_ACPI_RECLAIMABLE:
        return 1;
    case BOOT_MEMORY_ACPI_NVS:
        return 2;
    case BOOT_MEMORY_RESERVED:
        return 3;
    case BOOT_MEMORY_BAD:
        return 4;
    }
    return 3;
}

static uint64_t end_of(const struct boot_memory_range *range)
{
    return range->base + range->length;
}

static void remove_at(struct boot_info *out, unsigned index)
{
    out->memory_count--;
    __builtin_memmove(&out->memory[index], &out->memory[index + 1],
                      (out->memory_count - index) * sizeof(out->memory[0]));
}

static bool insert_at(struct boot_info *out, unsigned index, uint64_t base, uint64_t end,
                      enum boot_memory_type type)
{
    if (out->memory_count >= BOOT_MEMORY_MAX) {
        out->notes |= BOOT_NOTE_MEMORY_TRUNCATED;
        return false;
    }
    __builtin_memmove(&out->memory[index + 1], &out->memory[index],
                      (out->memory_count - index) * sizeof(out->memory[0]));
    out->memory[index] = (struct boot_memory_range){base, end - base, type};
    out->memory_count++;
    return true;
}

/*
 * Cuts [base, end) out of all less restrictive ranges. Where that would split a range and the table is full,
 * its smaller half is given up: memory may be lost, but none becomes available that is not.
 */
static void cut(struct boot_info *out, uint64_t base, uint64_t end, enum boot_memory_type type)
{
    for (unsigned i = 0; i < out->memory_count;) {
        struct boot_memory_range *range = &out->memory[i];
        uint64_t range_end = end_of(range);

        if (range_end <= base || range->base >= end || rank(range->type) >= rank(type)) {
            i++;
            continue;
        }
        bool left = range->base<base, right = range_end> end;

        if (left && right && !insert_at(out, i + 1, end, range_end, range->type)) {
            left = base - range->base >= range_end - end;
            right = !left;
        }
        if (left) {
            range->length = base - range->base;
            i++;
        } else if (right) {
            range->base = end;
            range->length = range_end - end;
            i++;
        } else {
            remove_at(out, i);
        }
    }
}

/* Inserts [base, end), which overlaps nothing, before index, and merges it with neighbours of its type. */
static void insert_merged(struct boot_info *out, unsigned index, uint64_t base, uint64_t end,
                          enum boot_memory_type type)
{
    struct boot_memory_range *before = index > 0 ? &out->memory[index - 1] : NULL;
    struct boot_memory_range *after = index < out->memory_count ? &out->memory[index] : NULL;
    bool joins_before = before && before->type == type && end_of(before) == base;
    bool joins_after = after && after->type == type && after->base == end;

    if (joins_before && joins_after) {
        before->length += (end - base) + after->length;
        remove_at(out, index);
    } else if (joins_before) {
        before->length += end - base;
    } else if (joins_after) {
        after->base = base;
        after->length += end - base;
    } else {
        /* A range that does not fit is a gap, and gaps are no RAM: so this too is safe. */
        insert_at(out, index, base, end, type);
    }
}

void boot_memory_add(struct boot_info *out, uint64_t base, uint64_t length, enum boot_memory_type type)
{
    if (length == 0 || base >= PHYSICAL_LIMIT)
        return;
    uint64_t end = length > PHYSICAL_LIMIT - base ? PHYSICAL_LIMIT : base + length;

    if (type == BOOT_MEMORY_AVAILABLE) {
        base = (base + PAGE - 1) & ~(PAGE - 1);
        end &= ~(PAGE - 1);
    } else {
        base &= ~(PAGE - 1);
        end = (end + PAGE - 1) & ~(PAGE - 1);
    }
    if (base >= end)
        return;
    cut(out, base, end, type);

    /* What is still there is more restrictive or the same: fill the gaps between. */
    unsigned i = 0;

    while (base < end) {
        while (i < out->memory_count && end_of(&out->memory[i]) <= base)
            i++;
        if (i < out->memory_count && out->memory[i].base <= base) {
            base = end_of(&out->memory[i]);
            continue;
        }
        uint64_t piece_end = i < out->memory_count && out->memory[i].base < end ? out->memory[i].base : end;

        insert_merged(out, i, base, piece_end, type);
        base = piece_end;
        /* A merge with the range before moved everything down by one or two. */
        i = i > 1 ? i - 2 : 0;
    }
}

enum boot_memory_type boot_memory_type_of(uint32_t number)
{
    switch (number) {
    case BOOT_MEMORY_AVAILABLE:
    case BOOT_MEMORY_ACPI_RECLAIMABLE:
    case BOOT_MEMORY_ACPI_NVS:
    case BOOT_MEMORY_BAD:
        return (enum boot_memory_type)number;
    default:
        return BOOT_MEMORY_RESERVED;
    }
}

void boot_memory_from_sizes(struct boot_info *out, uint32_t lower_kib, uint32_t upper_kib)
{
    /* Lower memory ends at 640 KiB at the latest, whatever the loader says. */
    uint64_t lower = lower_kib < 640 ? lower_kib : 640;

    out->notes |= BOOT_NOTE_NO_MAP;
    boot_memory_add(out, 0, lower * 1024, BOOT_MEMORY_AVAILABLE);
    boot_memory_add(out, 0x100000, (uint64_t)upper_kib * 1024, BOOT_MEMORY_AVAILABLE);
}

bool boot_memory_any_available(const struct boot_info *out)
{
    for (unsigned i = 0; i < out->memory_count; i++) {
        if (out->memory[i].type == BOOT_MEMORY_AVAILABLE)
            return true;
    }
    return false;
}
