/* SPDX-License-Identifier: MIT */
/* Choosing tables to give up: a clock whose hand is an address. */
#include "ept/cold.h"
#include "ept/table.h"

/* A part of a round: the tables that translate from an address in [start, end) on. */
struct hand {
    uint64_t start, end, keep, wanted, taken, at;
    bool by_accessed; /* a set accessed flag is a second chance */
    enum ept_flush flush;
};

/* True if the leaves of a table come back by faults just as they are. */
static bool has_own_pages_alone(const struct ept_entry *table)
{
    uint64_t seen = 0;

    for (unsigned n = 0; n < EPT_ENTRIES; n++)
        seen |= ept_load(&table[n]).raw;
    return (seen & (EPT_SOFTWARE_PLANTED | EPT_SOFTWARE_TEMPORARY)) == 0;
}

/* `entry`, at `level`, references a table that references none. True if the table was taken. */
static bool take(struct ept *ept, struct ept_entry *slot, struct ept_entry entry, unsigned level,
                 uint64_t gpa, struct hand *hand)
{
    uint64_t hpa = ept_entry_address(entry);
    const struct ept_entry *table = ept_table_at(ept, hpa);

    if (table == NULL || hpa == ept->root || gpa < hand->start || hand->keep - gpa < ept_level_size(level))
        return false;
    if (hand->by_accessed && (entry.raw & EPT_ACCESSED) != 0) {
        if (ept_replace(slot, entry, (struct ept_entry){entry.raw & ~EPT_ACCESSED}))
            hand->flush = EPT_FLUSH_CONTEXT; /* else a processor need not set it again */
        return false;
    }
    /* The exchange fails if a processor uses the table just now. */
    if (!has_own_pages_alone(table) || !ept_replace(slot, entry, (struct ept_entry){0}))
        return false;
    ept_retire(ept, hpa, level - 1, gpa);
    hand->flush = EPT_FLUSH_CONTEXT;
    hand->at = gpa + ept_level_size(level);
    hand->taken++;
    return true;
}

/*
 * Passes over the tables below one. True if it references none any more, and holds nothing but leaves: then
 * it is a candidate itself, after all below it. Recursion goes one level down each time, so at most four
 * deep.
 */
static bool pass(struct ept *ept, struct ept_entry *table, unsigned level, uint64_t base, struct hand *hand)
{
    uint64_t size = ept_level_size(level);
    unsigned n = hand->start > base ? ept_index(hand->start, level) : 0;
    bool leaves_alone = n == 0;

    if (level == EPT_LEVEL_PT)
        return true;
    for (; n < EPT_ENTRIES; n++) {
        struct ept_entry entry = ept_load(&table[n]), *child = NULL;
        uint64_t gpa = base + n * size;

        if (gpa >= hand->end && !leaves_alone)
            return false;
        if (entry.raw == 0)
            continue;
        if (ept_is_table(ept, level, entry))
            child = ept_table_at(ept, ept_entry_address(entry));
        if (child == NULL) {
            leaves_alone &= ept_is_good_leaf(ept, level, entry);
            continue;
        }
        if (gpa >= hand->end)
            return false;
        if (!pass(ept, child, level - 1, gpa, hand) || !take(ept, &table[n], entry, level, gpa, hand))
            leaves_alone = false;
        if (hand->taken == hand->wanted)
            return false;
    }
    return leaves_alone;
}

static void go_round(struct ept *ept, uint64_t from, struct hand *hand)
{
    hand->start = from;
    hand->end = UINT64_C(1) << ept->caps.guest_width;
    (void)pass(ept, ept->root_table, ept->caps.levels, 0, hand);
    hand->start = 0;
    hand->end = from;
    if (hand->taken < hand->wanted)
        (void)pass(ept, ept->root_table, ept->caps.levels, 0, hand);
}

uint64_t ept_take_cold(struct ept *ept, uint64_t keep, uint64_t wanted, enum ept_flush *flush)
{
    uint64_t from = __atomic_load_n(&ept->cold_hand, __ATOMIC_RELAXED);
    struct hand hand = {.keep = keep, .wanted = wanted, .at = from, .by_accessed = ept->caps.accessed_dirty};

    *flush = EPT_FLUSH_NONE;
    if (wanted == 0)
        return 0;
    go_round(ept, from, &hand);
    if (hand.taken == 0 && hand.by_accessed) {
        /* All were in use. One has to go; of the others the flags will tell at the next call. */
        hand.by_accessed = false;
        hand.wanted = 1;
        go_round(ept, from, &hand);
    }
    __atomic_store_n(&ept->cold_hand, hand.at, __ATOMIC_RELAXED);
    *flush = hand.flush;
    return hand.taken;
}
