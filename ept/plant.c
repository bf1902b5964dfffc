/* SPDX-License-Identifier: MIT */
/* Spoils one entry on purpose. */
#include "ept/plant.h"
#include "ept/dirty.h"
#include "ept/planted.h"
#include "ept/split.h"
#include "ept/table.h"
#include "ept/zap.h"

/* Above every processor's physical-address width but the widest. */
#define HIGHEST_ADDRESS_BIT EPT_BIT(51)
/* Below the size of both large pages; bit 12 would do as well, but Bochs 2.7 does not look at it. */
#define ALIGNMENT_BIT      EPT_BIT(13)
#define TABLE_RESERVED_BIT EPT_BIT(3)

/* Kinds that only a leaf, or only a reference to a table can have. */
static bool leaf_only(enum ept_plant_kind kind)
{
    return kind == EPT_PLANT_MEMORY_TYPE_2 || kind == EPT_PLANT_MEMORY_TYPE_3 ||
           kind == EPT_PLANT_MEMORY_TYPE_7 || kind == EPT_PLANT_RESERVED_ALIGNMENT;
}

static bool table_only(enum ept_plant_kind kind)
{
    return kind == EPT_PLANT_RESERVED_LOW || kind == EPT_PLANT_LARGE_PAGE;
}

/* False: this processor, or an entry of this level, knows no such fault. */
static bool exists(const struct ept_caps *caps, unsigned level, enum ept_plant_kind kind)
{
    switch (kind) {
    case EPT_PLANT_EXECUTE_ONLY:
        return !caps->execute_only;
    case EPT_PLANT_MEMORY_TYPE_2:
    case EPT_PLANT_MEMORY_TYPE_3:
    case EPT_PLANT_MEMORY_TYPE_7:
        return ept_caps_leaf(caps, level) && level <= EPT_LEVEL_PDPT;
    case EPT_PLANT_RESERVED_LOW:
        return level > EPT_LEVEL_PT;
    case EPT_PLANT_RESERVED_ADDRESS:
        return (caps->reserved_address & HIGHEST_ADDRESS_BIT) != 0;
    case EPT_PLANT_RESERVED_ALIGNMENT:
        return level > EPT_LEVEL_PT && level <= EPT_LEVEL_PDPT && ept_caps_leaf(caps, level);
    case EPT_PLANT_LARGE_PAGE:
        return level > EPT_LEVEL_PDPT || (level > EPT_LEVEL_PT && !ept_caps_leaf(caps, level));
    default:
        return (unsigned)kind < EPT_PLANT_KIND_COUNT;
    }
}

static struct ept_entry with_rights(struct ept_entry entry, uint64_t rights)
{
    return (struct ept_entry){(entry.raw & ~EPT_RIGHTS) | rights};
}

static struct ept_entry with_type(struct ept_entry entry, uint64_t type)
{
    return (struct ept_entry){(entry.raw & ~EPT_MEMORY_TYPE) | type << EPT_MEMORY_TYPE_SHIFT};
}

static struct ept_entry with_bit(struct ept_entry entry, uint64_t bit)
{
    return (struct ept_entry){entry.raw | bit};
}

static struct ept_entry spoilt(struct ept_entry entry, enum ept_plant_kind kind, bool leaf)
{
    switch (kind) {
    case EPT_PLANT_READ_ONLY:
        return with_rights(entry, entry.raw & EPT_READ);
    case EPT_PLANT_NO_EXECUTE:
        return with_rights(entry, entry.raw & (EPT_READ | EPT_WRITE));
    case EPT_PLANT_WRITE_ONLY:
        return with_rights(entry, EPT_WRITE);
    case EPT_PLANT_WRITE_EXECUTE:
        return with_rights(entry, EPT_WRITE | EPT_EXECUTE);
    case EPT_PLANT_EXECUTE_ONLY:
        return with_rights(entry, EPT_EXECUTE);
    case EPT_PLANT_MEMORY_TYPE_2:
        return with_type(entry, 2);
    case EPT_PLANT_MEMORY_TYPE_3:
        return with_type(entry, 3);
    case EPT_PLANT_MEMORY_TYPE_7:
        return with_type(entry, 7);
    case EPT_PLANT_RESERVED_LOW:
        return with_bit(entry, TABLE_RESERVED_BIT);
    case EPT_PLANT_RESERVED_ADDRESS:
        return with_bit(entry, HIGHEST_ADDRESS_BIT);
    case EPT_PLANT_RESERVED_ALIGNMENT:
        return with_bit(entry, ALIGNMENT_BIT);
    case EPT_PLANT_LARGE_PAGE:
        return with_bit(entry, EPT_LARGE);
    default:
        /* Not present. An empty leaf comes back by itself; for a table the mark keeps the slot from being
         * filled anew. */
        return (struct ept_entry){leaf ? 0 : EPT_SOFTWARE_PLANTED};
    }
}

/* Maps gpa; the level of its leaf, or 0. */
static unsigned leaf_level(struct ept *ept, uint64_t gpa, struct ept_change *change)
{
    struct ept_fault_result result = ept_fault(ept, gpa, 0);

    change->flush = ept_flush_both(change->flush, result.flush);
    if (result.kind == EPT_FAULT_NO_FRAME)
        change->status = EPT_NO_FRAME_LEFT;
    else if (result.kind == EPT_FAULT_BEYOND_WIDTH)
        change->status = EPT_BEYOND_WIDTH;
    else if (!ept_fault_resolved(result.kind))
        change->status = EPT_NOT_LISTED;
    return change->status == EPT_OK ? result.level : 0;
}

/* Brings the leaf to where `kind` at `level` needs it: at the level, or below it. */
static void arrange(struct ept *ept, uint64_t gpa, unsigned level, enum ept_plant_kind kind,
                    struct ept_change *change)
{
    unsigned leaf = leaf_level(ept, gpa, change);
    unsigned highest = table_only(kind) ? level - 1 : level;

    if (change->status == EPT_OK && leaf < level && leaf_only(kind)) {
        /* Smaller pages are there; without them the largest that the list allows comes. */
        uint64_t size = ept_level_size(level);

        change->flush = ept_flush_both(change->flush, ept_zap(ept, gpa & ~(size - 1), size));
        leaf = leaf_level(ept, gpa, change);
        if (change->status == EPT_OK && leaf < level)
            change->status = EPT_UNSUPPORTED;
    }
    if (change->status == EPT_OK && leaf > highest) {
        struct ept_change split = ept_split(ept, gpa, highest);

        /* Not mapped any more: another CPU zapped it, and spoil() will ask for another round. */
        if (split.status != EPT_NOT_LISTED)
            change->status = split.status;
        change->flush = ept_flush_both(change->flush, split.flush);
    }
}

/* Spoils the entry of the level. *done is false if another CPU changed something meanwhile: then arrange
 * anew. */
static void spoil(struct ept *ept, uint64_t gpa, unsigned level, enum ept_plant_kind kind,
                  struct ept_change *change, bool *done)
{
    struct ept_cursor cursor = {.flush = EPT_FLUSH_NONE};
    struct ept_entry planted;
    bool leaf;

    ept_cursor_start(ept, gpa, &cursor);
    ept_cursor_descend(ept, gpa, level, &cursor);
    change->flush = ept_flush_both(change->flush, cursor.flush);
    *done = false;
    leaf = ept_is_good_leaf(ept, cursor.level, cursor.entry);
    if (cursor.level != level || (!leaf && !ept_is_table(ept, level, cursor.entry)) ||
        (leaf && table_only(kind)) || (!leaf && leaf_only(kind)))
        return;
    planted = spoilt(cursor.entry, kind, leaf);
    if (planted.raw == cursor.entry.raw) {
        change->status = EPT_UNSUPPORTED; /* the list grants no more than this anyway */
    } else if (leaf) {
        planted.raw = ept_entry_present(planted) ? planted.raw | EPT_SOFTWARE_PLANTED : 0;
        *done = ept_replace(cursor.slot, cursor.entry, planted);
        /* A collection passes over a spoilt large page. */
        if (*done)
            ept_dirty_flag_lost(ept, gpa, level, cursor.entry);
    } else {
        change->status = ept_planted_set(ept, cursor.slot, cursor.slot_hpa, cursor.entry, planted, done);
    }
    if (*done)
        change->flush =
            ept_flush_both(change->flush, ept_flush_for_change(&ept->caps, level, cursor.entry, planted));
}

struct ept_change ept_plant(struct ept *ept, uint64_t gpa, unsigned level, enum ept_plant_kind kind)
{
    struct ept_change change = {EPT_OK, EPT_FLUSH_NONE};
    bool done = false;

    ept_shape_changes(ept);
    if (level == 0)
        level = leaf_level(ept, gpa, &change);
    if (change.status == EPT_OK && (level > ept->caps.levels || !exists(&ept->caps, level, kind)))
        change.status = EPT_UNSUPPORTED;
    while (change.status == EPT_OK && !done) {
        arrange(ept, gpa, level, kind, &change);
        if (change.status == EPT_OK)
            spoil(ept, gpa, level, kind, &change, &done);
    }
    return change;
}

const char *ept_plant_kind_text(enum ept_plant_kind kind)
{
    static const char *const texts[EPT_PLANT_KIND_COUNT] = {
        "not present",       "read-only",      "no execute",           "write-only",
        "write and execute", "execute-only",   "memory type 2",        "memory type 3",
        "memory type 7",     "reserved bit 3", "reserved address bit", "unaligned large page",
        "bit 7 set",
    };

    return (unsigned)kind < EPT_PLANT_KIND_COUNT ? texts[kind] : "?";
}
