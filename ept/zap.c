/* SPDX-License-Identifier: MIT */
/*
 * Unmapping. A table that goes is unlinked first (its reference becomes 0), then every entry of it is
 * exchanged for a frozen one, so that a CPU which still works in it can add nothing; its frame is given back
 * only after the flush.
 */
#include "ept/zap.h"
#include "ept/dirty.h"
#include "ept/planted.h"
#include "ept/table.h"

/* The table below an entry that was taken out of its slot, or 0. */
static uint64_t child_of(struct ept *ept, uint64_t slot_hpa, unsigned level, struct ept_entry entry)
{
    uint64_t hpa;

    if (!ept_is_table(ept, level, entry) && !ept_planted_take(ept, slot_hpa, entry, &entry))
        return 0;
    hpa = ept_entry_address(entry);
    /* The root is nobody's child: a reference to it is a corruption that must not take the whole hierarchy
     * away. */
    return hpa != ept->root && ept_table_at(ept, hpa) != NULL ? hpa : 0;
}

/*
 * Entry 0 of a retired table holds the next one, 0: none; it stays a frozen entry for whoever reads it as
 * one. The address is inverted: no memory is there. SDM vol. 3 knows nothing of it, but processors with the
 * L1 terminal fault (L1TF) go on with the address of an entry that is not present, speculatively.
 */
static struct ept_entry link_to(uint64_t table_hpa)
{
    return (struct ept_entry){EPT_SOFTWARE_FROZEN | (~table_hpa & EPT_ADDRESS)};
}

static uint64_t linked_from(struct ept_entry link)
{
    return ept_is_frozen(link) ? ~link.raw & EPT_ADDRESS : 0;
}

static void push_retired(struct ept *ept, uint64_t table_hpa, struct ept_entry *table)
{
    uint64_t head = __atomic_load_n(&ept->retired, __ATOMIC_RELAXED);

    __atomic_fetch_add(&ept->retired_count, 1, __ATOMIC_RELAXED);
    do {
        __atomic_store_n(&table[0].raw, link_to(head).raw, __ATOMIC_RELEASE);
    } while (!__atomic_compare_exchange_n(&ept->retired, &head, table_hpa, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
}

/* Takes entry 0 for ourselves; false: another has it, because corruption made the table reachable twice. */
static bool freeze_first(struct ept_entry *table, struct ept_entry *old)
{
    *old = ept_load(&table[0]);
    while (!ept_is_frozen(*old)) {
        if (ept_replace(&table[0], *old, (struct ept_entry){EPT_SOFTWARE_FROZEN}))
            return true;
        *old = ept_load(&table[0]);
    }
    return false;
}

/* Recursion goes one level down each time, so at most four deep. */
void ept_retire(struct ept *ept, uint64_t table_hpa, unsigned level, uint64_t gpa)
{
    struct ept_entry *table = ept_table_at(ept, table_hpa);
    struct ept_entry old;

    ept_shape_changes(ept);
    if (table == NULL || !freeze_first(table, &old))
        return;
    for (unsigned n = 0; n < EPT_ENTRIES; n++) {
        if (n > 0)
            old = ept_exchange(&table[n], (struct ept_entry){EPT_SOFTWARE_FROZEN});
        ept_dirty_flag_lost(ept, gpa + n * ept_level_size(level), level, old);
        if (level > EPT_LEVEL_PT && old.raw != 0) {
            uint64_t child = child_of(ept, table_hpa + n * sizeof(struct ept_entry), level, old);

            if (child != 0)
                ept_retire(ept, child, level - 1, gpa + n * ept_level_size(level));
        }
    }
    ept_planted_forget_table(ept, table_hpa);
    push_retired(ept, table_hpa, table);
}

uint64_t ept_reclaim(struct ept *ept)
{
    uint64_t hpa = __atomic_exchange_n(&ept->retired, 0, __ATOMIC_ACQ_REL);
    uint64_t count = 0;

    while (hpa != 0) {
        const struct ept_entry *table = ept_table_at(ept, hpa);
        struct ept_entry link;

        /* Should corruption have reached a retired table, the rest of the list is not believed, but lost
         * until the end. */
        if (table == NULL)
            break;
        link = ept_load(&table[0]);
        __atomic_fetch_sub(&ept->retired_count, 1, __ATOMIC_RELAXED);
        ept_table_free(ept, hpa);
        hpa = linked_from(link);
        count++;
    }
    return count;
}

/* A range being zapped: [start, end), and what it needs. */
struct zap {
    uint64_t start, end;
    enum ept_flush flush;
};

static void zap_table(struct ept *ept, struct ept_entry *table, uint64_t table_hpa, unsigned level,
                      uint64_t base, struct zap *zap);

/* Clears what is neither a table of ours nor a leaf; a planted reference is restored instead. True: look
 * again. */
static bool zap_bad(struct ept *ept, struct ept_entry *slot, uint64_t slot_hpa, unsigned level, uint64_t base,
                    struct ept_entry bad, struct zap *zap)
{
    struct ept_entry now;

    if (ept_planted_settle(ept, slot, slot_hpa, bad, &now) != EPT_SETTLED_CLEARED)
        return true;
    ept_dirty_flag_lost(ept, base, level, bad);
    if (level == EPT_LEVEL_PT || ept_is_planted_leaf(level, bad))
        zap->flush = ept_flush_both(zap->flush, ept_flush_for_change(&ept->caps, level, bad, now));
    else
        zap->flush = EPT_FLUSH_CONTEXT; /* it may once have referenced a table */
    return false;
}

/* One slot, translating [base, base + size of the level), of which some or all is in the range. True: look
 * again. */
static bool zap_slot(struct ept *ept, struct ept_entry *slot, uint64_t slot_hpa, unsigned level,
                     uint64_t base, struct zap *zap)
{
    const struct ept_entry empty = {0};
    bool whole = base >= zap->start && base + ept_level_size(level) <= zap->end;
    struct ept_entry entry = ept_load(slot);
    struct ept_entry *table = NULL;

    /* A frozen slot: another CPU takes this very table away, with all that is in it. */
    if (entry.raw == 0 || ept_is_frozen(entry))
        return false;
    if (ept_is_table(ept, level, entry))
        table = ept_table_at(ept, ept_entry_address(entry));
    if (table != NULL && !whole) {
        zap_table(ept, table, ept_entry_address(entry), level - 1, base, zap);
        return false;
    }
    if (table == NULL && !ept_is_good_leaf(ept, level, entry))
        return zap_bad(ept, slot, slot_hpa, level, base, entry, zap);
    if (!ept_replace(slot, entry, empty))
        return true;
    ept_dirty_flag_lost(ept, base, level, entry);
    zap->flush = ept_flush_both(zap->flush, ept_flush_for_change(&ept->caps, level, entry, empty));
    if (table != NULL && ept_entry_address(entry) != ept->root)
        ept_retire(ept, ept_entry_address(entry), level - 1, base);
    return false;
}

static void zap_table(struct ept *ept, struct ept_entry *table, uint64_t table_hpa, unsigned level,
                      uint64_t base, struct zap *zap)
{
    uint64_t size = ept_level_size(level);
    unsigned first = zap->start > base ? ept_index(zap->start, level) : 0;

    for (unsigned n = first; n < EPT_ENTRIES && base + n * size < zap->end; n++)
        while (
            zap_slot(ept, &table[n], table_hpa + n * sizeof(struct ept_entry), level, base + n * size, zap)) {
        }
}

enum ept_flush ept_zap(struct ept *ept, uint64_t gpa, uint64_t size)
{
    uint64_t limit = UINT64_C(1) << ept->caps.guest_width;
    struct zap zap = {.start = gpa,
                      .end = size < limit && gpa < limit - size ? gpa + size : limit,
                      .flush = EPT_FLUSH_NONE};

    if (size == 0 || gpa >= limit)
        return EPT_FLUSH_NONE;
    zap_table(ept, ept->root_table, ept->root, ept->caps.levels, 0, &zap);
    return zap.flush;
}
