/* SPDX-License-Identifier: MIT */
/* Walks as the processor does: SDM vol. 3, "EPT Translation Mechanism". */
#include "ept/walk.h"
#include "ept/misconfig.h"
#include "ept/table.h"

static void finish(struct ept_walk *walk, struct ept_entry leaf, uint64_t gpa, unsigned rights)
{
    uint64_t offset_mask = ept_level_size(walk->level) - 1;

    walk->end = EPT_WALK_MAPPED;
    walk->rights = (uint8_t)rights;
    walk->memory_type = (uint8_t)ept_entry_memory_type(leaf);
    walk->ignore_pat = (leaf.raw & EPT_IGNORE_PAT) != 0;
    walk->accessed = (leaf.raw & EPT_ACCESSED) != 0;
    walk->dirty = (leaf.raw & EPT_DIRTY) != 0;
    walk->hpa = (ept_entry_address(leaf) & ~offset_mask) | (gpa & offset_mask);
}

struct ept_walk ept_walk(const struct ept *ept, uint64_t gpa)
{
    struct ept_walk walk = {.end = EPT_WALK_BEYOND_WIDTH};
    const struct ept_entry *table = ept->root_table;
    uint64_t table_hpa = ept->root;
    unsigned rights = (unsigned)EPT_RIGHTS;

    if (gpa >> ept->caps.guest_width != 0)
        return walk;
    for (unsigned level = ept->caps.levels; level >= EPT_LEVEL_PT; level--) {
        struct ept_entry entry = ept_load(&table[ept_index(gpa, level)]);
        uint64_t offending;

        walk.steps[walk.count++] =
            (struct ept_walk_step){ept_slot_hpa(table_hpa, gpa, level), entry, (uint8_t)level};
        walk.level = (uint8_t)level;
        if (!ept_entry_present(entry)) {
            walk.end = EPT_WALK_NOT_PRESENT;
            break;
        }
        if (ept_misconfig_reasons(&ept->caps, level, entry, &offending) != 0) {
            walk.end = EPT_WALK_MISCONFIG;
            break;
        }
        rights &= ept_entry_rights(entry);
        if (ept_entry_maps_page(entry, level)) {
            finish(&walk, entry, gpa, rights);
            break;
        }
        table_hpa = ept_entry_address(entry);
        table = ept_table_at(ept, table_hpa);
        if (table == NULL) {
            walk.end = EPT_WALK_FOREIGN;
            break;
        }
    }
    return walk;
}

const char *ept_walk_end_text(enum ept_walk_end end)
{
    static const char *const texts[] = {"mapped", "not present", "misconfigured",
                                        "references no table of this EPT", "beyond the guest-physical width"};

    return (unsigned)end < sizeof(texts) / sizeof(texts[0]) ? texts[end] : "?";
}
