/* SPDX-License-Identifier: MIT */
/* What the entries of a case could lead to at worst, and its prevention. */
#include "vmm/check/conformance/confine.h"
#include "ept/entry.h"

#define NO_FRAME UINT64_MAX

/* Rights any of which a careless processor might be content with to make the access. */
static unsigned rights_needed(enum conformance_access access)
{
    switch (access) {
    case CONFORMANCE_READ:
        return (unsigned)EPT_READ;
    case CONFORMANCE_WRITE:
        return (unsigned)EPT_WRITE;
    case CONFORMANCE_FETCH:
        return (unsigned)EPT_EXECUTE;
    default:
        return (unsigned)(EPT_READ | EPT_WRITE);
    }
}

/* The entry without those rights, but present if that is possible without another fault. */
static uint64_t without(uint64_t entry, unsigned needed, const struct ept_caps *caps)
{
    unsigned rights = (unsigned)(entry & EPT_RIGHTS) & ~needed;

    if ((rights & EPT_WRITE) && !(rights & EPT_READ))
        rights = needed & EPT_READ ? rights & ~(unsigned)EPT_WRITE : rights | (unsigned)EPT_READ;
    if (rights == EPT_EXECUTE && !caps->execute_only)
        rights = 0;
    return (entry & ~(uint64_t)EPT_RIGHTS) | rights;
}

static bool in_scratch(const struct conformance_layout *layout, uint64_t hpa)
{
    return hpa >= layout->scratch && hpa - layout->scratch < CONFORMANCE_SCRATCH_SIZE;
}

/* The page that the leaf maps the probe to, its low address bits cut off. */
static uint64_t mapped(const struct conformance_layout *layout, uint64_t address, uint64_t offset_mask)
{
    return (address & ~offset_mask) | (layout->probe_gpa & offset_mask);
}

/* Whether a leaf leads to scratch memory however its address is read. An address beyond the physical width is
 * none that the bus could carry: what is cut off it counts. */
static bool leaf_is_confined(const struct conformance_layout *layout, uint64_t entry, unsigned level)
{
    uint64_t address = entry & layout->caps.address_mask;
    uint64_t offset_mask = ept_level_size(level) - 1, offset = layout->probe_gpa & offset_mask;

    if (!in_scratch(layout, mapped(layout, address, offset_mask)))
        return false;
    if (!ept_caps_leaf(&layout->caps, level)) /* not even looked at as a leaf by a processor that has none */
        return true;
    /* Low bits or-ed to the offset make an address between the one with them cut off and this one. */
    return in_scratch(layout, address + offset);
}

/* The frame of an entry's table, NO_FRAME if it is none of ours. */
static uint64_t table_frame(const struct conformance_layout *layout, uint64_t entry)
{
    uint64_t address = entry & layout->caps.address_mask;

    if (address < layout->tables || (address - layout->tables) >> EPT_PAGE_SHIFT >= CONFORMANCE_TABLES)
        return NO_FRAME;
    return (address - layout->tables) >> EPT_PAGE_SHIFT;
}

static bool frame_is_zero(uint64_t frame)
{
    switch (frame) {
    case CONFORMANCE_ROOT:
    case CONFORMANCE_FIXED_PDPT:
    case CONFORMANCE_FIXED_PD:
    case CONFORMANCE_FIXED_PT:
    case CONFORMANCE_PROBE_PDPT:
    case CONFORMANCE_PROBE_PD:
    case CONFORMANCE_PROBE_PT:
        return false;
    default:
        return frame < CONFORMANCE_TABLES;
    }
}

/* Takes what it must off a leaf. rights: of all entries down to it. */
static void confine_leaf(struct conformance_case *test, const struct conformance_layout *layout,
                         unsigned level, unsigned rights)
{
    unsigned needed = rights_needed(test->access);
    uint64_t entry = test->entry[level],
             frame = mapped(layout, entry & layout->caps.address_mask, ept_level_size(level) - 1);

    if (in_scratch(layout, frame))
        test->frame = frame;
    if ((rights & needed) == 0 || leaf_is_confined(layout, entry, level))
        return;
    test->entry[level] = without(entry, needed, &layout->caps);
    test->confined = true;
}

void conformance_confine(struct conformance_case *test, const struct conformance_layout *layout)
{
    unsigned rights = (unsigned)EPT_RIGHTS;

    test->frame = 0;
    for (unsigned level = CONFORMANCE_LEVELS; level >= EPT_LEVEL_PT; level--) {
        uint64_t entry = test->entry[level], frame;
        /* No processor has pages of 512 GiB: in the root bit 7 is at most ignored. */
        bool large = level == EPT_LEVEL_PT || (level < CONFORMANCE_LEVELS && (entry & EPT_LARGE));

        rights &= (unsigned)(entry & EPT_RIGHTS);
        if (!(entry & EPT_RIGHTS))
            return;
        if (large)
            confine_leaf(test, layout, level, rights);
        if (level == EPT_LEVEL_PT || (large && ept_caps_leaf(&layout->caps, level)))
            return;
        frame = table_frame(layout, entry);
        if (frame != layout->table[level - 1]) {
            if (frame == NO_FRAME || !frame_is_zero(frame)) {
                test->entry[level] &= ~(uint64_t)EPT_RIGHTS;
                test->confined = true;
            }
            return;
        }
    }
}
