/* SPDX-License-Identifier: MIT */
/* The lazy map: from an address and the region list to the largest page that may translate it. */
#include "ept/map.h"
#include "ept/dirty.h"
#include "ept/table.h"
#include "ept/target.h"
#include "ept/zap.h"

enum ept_status ept_init(struct ept *ept, const struct ept_memory *memory, const struct ept_caps *caps,
                         struct ept_region_list *regions)
{
    if ((!caps->walk_4 && !caps->walk_5) || caps->levels < EPT_LEVEL_PML4 || caps->levels > EPT_LEVEL_MAX)
        return EPT_UNSUPPORTED;
    *ept = (struct ept){.memory = *memory, .caps = *caps, .regions = regions, .old_types_from = UINT64_MAX};
    ept->root = ept_table_alloc(ept);
    if (ept->root == EPT_NO_FRAME)
        return EPT_NO_FRAME_LEFT;
    ept->root_table = ept_table_at(ept, ept->root);
    if (ept->root_table == NULL) {
        ept_table_free(ept, ept->root);
        return EPT_NO_FRAME_LEFT;
    }
    return EPT_OK;
}

void ept_destroy(struct ept *ept)
{
    ept_retire(ept, ept->root, ept->caps.levels, 0);
    ept_reclaim(ept);
    if (ept->memory.any_table != NULL) {
        uint64_t lost;

        while ((lost = ept->memory.any_table(ept->memory.context)) != EPT_NO_FRAME)
            ept_table_free(ept, lost);
        ept->retired_count = 0; /* what a damaged list of retired frames still counted was among them */
    }
    ept->root_table = NULL;
    ept->root = 0;
}

/*
 * The region of an address: the one that the hint names, else by search. The hint goes to larger regions
 * only, so it comes to rest: were it the last region, CPUs with faults in two would write it in turns, and
 * each would wait for the other's cache line. Racing hints are harmless: each is checked.
 */
static inline const struct ept_region *region_at(struct ept *ept, uint64_t gpa)
{
    const struct ept_region_list *list = ept->regions;
    uint32_t hint = __atomic_load_n(&ept->region_hint, __ATOMIC_RELAXED);
    const struct ept_region *region;

    if (hint < list->count && ept_region_holds(&list->regions[hint], gpa))
        return &list->regions[hint];
    region = ept_region_find(list, gpa);
    if (region != NULL && (hint >= list->count || region->size > list->regions[hint].size))
        __atomic_store_n(&ept->region_hint, (uint32_t)(region - list->regions), __ATOMIC_RELAXED);
    return region;
}

enum ept_fault_kind ept_fault_denial(const struct ept_region *region, unsigned access)
{
    if (region == NULL || region->kind == EPT_REGION_HOLE)
        return EPT_FAULT_DENIED_HOLE;
    if (region->kind == EPT_REGION_ROM && (access & EPT_WRITE & ~(unsigned)region->rights) != 0)
        return EPT_FAULT_DENIED_ROM_WRITE;
    if ((access & ~(unsigned)region->rights) == EPT_EXECUTE)
        return EPT_FAULT_DENIED_NX;
    return EPT_FAULT_DENIED_RIGHTS;
}

/*
 * A good leaf is in the way. Returns true when it is (or has become) what the list wants. result->kind:
 * SPURIOUS until something was installed, NO_FRAME if a split failed.
 */
static bool settle_leaf(struct ept *ept, uint64_t gpa, const struct ept_target *target,
                        struct ept_cursor *cursor, struct ept_fault_result *result)
{
    struct ept_entry old = cursor->entry;
    struct ept_entry wanted = ept_target_leaf(target, gpa, cursor->level);
    bool same, write_alone;

    /* What a dirty log has let be written stays so until it is collected, whatever the access is now. */
    if (target->log != NULL)
        wanted.raw |= old.raw & EPT_WRITE;
    same = ((old.raw ^ wanted.raw) & ~(EPT_ACCESSED | EPT_DIRTY)) == 0;
    if (cursor->level <= target->largest) {
        if (same)
            return true;
        if (ept_entry_address(old) == ept_entry_address(wanted))
            wanted.raw |= old.raw & (EPT_ACCESSED | EPT_DIRTY);
    } else if (cursor->level <= target->fits && same) {
        if (ept_split_leaf(ept, gpa, cursor, cursor->level == EPT_LEVEL_PD ? target->split_grant : 0) !=
            EPT_OK)
            result->kind = EPT_FAULT_NO_FRAME;
        else if (target->log != NULL)
            result->kind = EPT_FAULT_INSTALLED;
        return false;
    } else {
        wanted.raw = 0; /* larger than the list allows: it comes back smaller */
    }
    write_alone = ((old.raw ^ wanted.raw) & ~(EPT_ACCESSED | EPT_DIRTY | EPT_WRITE)) == 0;
    if (ept_replace(cursor->slot, old, wanted)) {
        cursor->flush =
            ept_flush_both(cursor->flush, ept_flush_for_change(&ept->caps, cursor->level, old, wanted));
        if ((wanted.raw & EPT_DIRTY) == 0)
            ept_dirty_flag_lost(ept, gpa, cursor->level, old);
        if (target->log != NULL && write_alone)
            result->kind = EPT_FAULT_INSTALLED;
        else if (cursor->level > cursor->repaired_level)
            cursor->repaired_level = cursor->level;
    }
    ept_cursor_read(cursor);
    return false;
}

/* The slot is empty. true: no longer, and the cursor is at the leaf. Else result->kind is NO_FRAME, or
 * another CPU was first. */
static bool install_empty(struct ept *ept, uint64_t gpa, const struct ept_target *target,
                          struct ept_cursor *cursor, struct ept_fault_result *result)
{
    unsigned level = cursor->level < target->largest ? cursor->level : target->largest, added = 0;
    struct ept_entry leaf = ept_target_leaf(target, gpa, level);
    bool linked = false;

    if (level == cursor->level)
        linked = ept_replace(cursor->slot, cursor->entry, leaf);
    else if (ept_link_leaf(ept, gpa, cursor->slot, cursor->level, leaf, level, &added) == EPT_OK)
        linked = added != 0;
    else
        result->kind = EPT_FAULT_NO_FRAME;
    if (!linked) {
        ept_cursor_read(cursor);
        return false;
    }
    cursor->level = level;
    cursor->entry = leaf;
    result->tables_added = (uint8_t)added;
    result->kind = EPT_FAULT_INSTALLED;
    return true;
}

/* Installs the target: one walk down, each slot settled before the next. */
static void install(struct ept *ept, uint64_t gpa, const struct ept_target *target,
                    struct ept_fault_result *result)
{
    struct ept_cursor cursor = {.flush = EPT_FLUSH_NONE};

    result->kind = EPT_FAULT_SPURIOUS;
    ept_cursor_start(ept, gpa, &cursor);
    while (result->kind != EPT_FAULT_NO_FRAME) {
        if (ept_cursor_down(ept, gpa, &cursor))
            continue;
        if (cursor.entry.raw == 0) {
            if (install_empty(ept, gpa, target, &cursor, result))
                break;
        } else if (ept_is_good_leaf(ept, cursor.level, cursor.entry)) {
            if (settle_leaf(ept, gpa, target, &cursor, result))
                break;
        } else {
            ept_correct(ept, gpa, &cursor);
        }
    }
    result->flush = cursor.flush;
    result->repaired_level = (uint8_t)cursor.repaired_level;
    if (result->kind == EPT_FAULT_NO_FRAME)
        return;
    if (cursor.repaired_level != 0)
        result->kind = EPT_FAULT_REPAIRED;
    result->hpa = gpa + target->offset;
    result->level = (uint8_t)cursor.level;
    result->rights = (uint8_t)ept_entry_rights(cursor.entry);
    result->memory_type = (uint8_t)ept_entry_memory_type(cursor.entry);
}

static inline struct ept_fault_result installed(const struct ept_region *region,
                                                const struct ept_target *target, uint64_t gpa, unsigned level,
                                                struct ept_entry leaf, unsigned tables_added)
{
    return (struct ept_fault_result){
        .kind = EPT_FAULT_INSTALLED,
        .flush = EPT_FLUSH_NONE,
        .region = region,
        .hpa = gpa + target->offset,
        .level = (uint8_t)level,
        .rights = (uint8_t)ept_entry_rights(leaf),
        .memory_type = (uint8_t)ept_entry_memory_type(leaf),
        .tables_added = (uint8_t)tables_added,
    };
}

/* Everything but the common cases, which ept_fault() handles by itself; kept out of it for its registers'
 * sake. `target`: as ept_target_choose() left it. */
static __attribute__((noinline)) struct ept_fault_result install_slow(struct ept *ept, uint64_t gpa,
                                                                      unsigned access,
                                                                      const struct ept_region *region,
                                                                      struct ept_target *target)
{
    struct ept_fault_result result = {.flush = EPT_FLUSH_NONE, .region = region};

    ept_target_for_log(ept, gpa, access, target);
    install(ept, gpa, target, &result);
    /* First W, then the note: a collection in between leaves W, and the next one takes both. */
    if (target->log != NULL && target->log->source == EPT_DIRTY_WRITE_PROTECTION &&
        (access & EPT_WRITE) != 0 && ept_fault_resolved(result.kind))
        ept_dirty_note_write(ept, gpa, result.level);
    return result;
}

/* An empty slot above the level of the page: the tables between are missing. */
static __attribute__((noinline)) struct ept_fault_result
install_with_tables(struct ept *ept, uint64_t gpa, unsigned access, const struct ept_region *region,
                    struct ept_target *target, struct ept_entry *slot, unsigned level)
{
    struct ept_entry leaf = ept_target_leaf(target, gpa, target->largest);
    unsigned added;

    if (ept_link_leaf(ept, gpa, slot, level, leaf, target->largest, &added) != EPT_OK || added == 0)
        return install_slow(ept, gpa, access, region, target);
    return installed(region, target, gpa, target->largest, leaf, added);
}

/* No page to be mapped, or one under a dirty log. */
static __attribute__((noinline)) struct ept_fault_result
fault_slow(struct ept *ept, uint64_t gpa, unsigned access, const struct ept_region *region)
{
    struct ept_fault_result result = {
        .kind = EPT_FAULT_BEYOND_WIDTH, .flush = EPT_FLUSH_NONE, .region = region};
    struct ept_target target;

    if (gpa >> ept->caps.guest_width != 0)
        return result;
    if (region == NULL || region->rights == 0 || (access & ~(unsigned)region->rights) != 0) {
        result.kind = ept_fault_denial(region, access);
        return result;
    }
    ept_target_choose(ept, region, gpa, access, &target);
    return install_slow(ept, gpa, access, region, &target);
}

/*
 * The common case with nothing but locals: tables of ours down to an empty slot where the leaf belongs. It is
 * the path that counts: every new page of a guest comes by here. What it cannot do at once it leaves to
 * others, which need no second walk but where something is in the way.
 */
struct ept_fault_result ept_fault(struct ept *ept, uint64_t gpa, unsigned access)
{
    void *(*const table_at)(void *, uint64_t) = ept->memory.table_at;
    const uintptr_t direct_map = ept->memory.direct_map;
    const uint64_t check = ept->caps.table_check;
    struct ept_entry *table = ept->root_table;
    unsigned shift = EPT_PAGE_SHIFT + EPT_INDEX_BITS * (ept->caps.levels - 1u);
    const struct ept_region *region;
    struct ept_entry *slot;
    struct ept_entry entry, leaf;
    struct ept_target target;
    unsigned level;

    if (gpa >> ept->caps.guest_width != 0)
        return fault_slow(ept, gpa, access, NULL);
    region = region_at(ept, gpa);
    if (region == NULL || region->rights == 0 || (access & ~(unsigned)region->rights) != 0 ||
        __atomic_load_n(&ept->dirty, __ATOMIC_ACQUIRE) != NULL)
        return fault_slow(ept, gpa, access, region);
    ept_target_choose(ept, region, gpa, access, &target);
    for (;; shift -= EPT_INDEX_BITS) {
        slot = &table[gpa >> shift & (EPT_ENTRIES - 1)];
        entry = ept_load(slot);
        if ((entry.raw & check) != EPT_RIGHTS || shift == EPT_PAGE_SHIFT) /* as ept_is_table() */
            break;
        if (table_at == NULL)
            table = (struct ept_entry *)(direct_map + ept_entry_address(entry));
        else
            table = table_at(ept->memory.context, ept_entry_address(entry));
        if (table == NULL)
            return install_slow(ept, gpa, access, region, &target);
    }
    level = (shift - EPT_PAGE_SHIFT) / EPT_INDEX_BITS + 1;
    if (entry.raw != 0)
        return install_slow(ept, gpa, access, region, &target);
    if (level > target.largest)
        return install_with_tables(ept, gpa, access, region, &target, slot, level);
    leaf = ept_target_leaf(&target, gpa, level);
    if (!ept_replace(slot, entry, leaf))
        return install_slow(ept, gpa, access, region, &target);
    return installed(region, &target, gpa, level, leaf, 0);
}

struct ept_change ept_map_range(struct ept *ept, uint64_t gpa, uint64_t size)
{
    struct ept_change change = {EPT_OK, EPT_FLUSH_NONE};
    uint64_t limit = UINT64_C(1) << ept->caps.guest_width;
    uint64_t at = gpa;

    if (size == 0 || ((gpa | size) & (EPT_PAGE_SIZE_4K - 1)) != 0)
        return (struct ept_change){EPT_UNALIGNED, EPT_FLUSH_NONE};
    if (size > limit || gpa > limit - size)
        return (struct ept_change){EPT_BEYOND_WIDTH, EPT_FLUSH_NONE};
    while (at < gpa + size) {
        const struct ept_region *region = ept_region_next(ept->regions, at);
        struct ept_fault_result result;

        if (region == NULL)
            break;
        if (region->gpa > at)
            at = region->gpa;
        if (region->rights == 0) {
            at = region->gpa + region->size;
            continue;
        }
        if (at >= gpa + size)
            break;
        result = ept_fault(ept, at, 0);
        change.flush = ept_flush_both(change.flush, result.flush);
        if (!ept_fault_resolved(result.kind)) {
            change.status = EPT_NO_FRAME_LEFT;
            break;
        }
        at = (at | (ept_level_size(result.level) - 1)) + 1;
    }
    return change;
}

const char *ept_fault_kind_name(enum ept_fault_kind kind)
{
    static const char *const names[EPT_FAULT_KIND_COUNT] = {
        [EPT_FAULT_INSTALLED] = "INSTALLED",     [EPT_FAULT_SPURIOUS] = "SPURIOUS",
        [EPT_FAULT_REPAIRED] = "REPAIRED",       [EPT_FAULT_DENIED_ROM_WRITE] = "DENIED_ROM_WRITE",
        [EPT_FAULT_DENIED_NX] = "DENIED_NX",     [EPT_FAULT_DENIED_RIGHTS] = "DENIED_RIGHTS",
        [EPT_FAULT_DENIED_HOLE] = "DENIED_HOLE", [EPT_FAULT_BEYOND_WIDTH] = "BEYOND_WIDTH",
        [EPT_FAULT_NO_FRAME] = "NO_FRAME",
    };

    return (unsigned)kind < EPT_FAULT_KIND_COUNT ? names[kind] : "?";
}
