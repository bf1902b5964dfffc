/* SPDX-License-Identifier: MIT */
/* The walk over all leaves of a range. */
#include "ept/leaves.h"
#include "ept/planted.h"

/* A look at a slot costs as much as some work on 20 leaves. */
#define PORTION_SLOTS 32
/* Nor has a portion of more than this a further slot: who makes a bitmap of it has work by its size, too. */
#define PORTION_SIZE (UINT64_C(1) << 28)

struct visit {
    uint64_t start, end;
    ept_run_visitor *run;
    void *context;
};

/* One table, which translates from `base` on. Recursion goes one level down each time, so at most four deep.
 */
static void visit_table(struct ept *ept, struct ept_entry *table, uint64_t table_hpa, unsigned level,
                        uint64_t base, const struct visit *visit)
{
    uint64_t size = ept_level_size(level);
    uint64_t top = base + size * EPT_ENTRIES - 1;
    unsigned first = visit->start > base ? ept_index(visit->start, level) : 0;
    unsigned last = visit->end - 1 < top ? ept_index(visit->end - 1, level) : EPT_ENTRIES - 1;

    if (level == EPT_LEVEL_PT) {
        visit->run(ept, &(struct ept_run){&table[first], base + first * size, level, last - first + 1},
                   visit->context);
        return;
    }
    for (unsigned n = first; n <= last; n++) {
        struct ept_entry entry = ept_load(&table[n]), original;
        uint64_t gpa = base + n * size;

        if (entry.raw == 0)
            continue;
        /* The table behind a planted fault will be linked again, with all that it holds. */
        if (ept_planted_original(ept, table_hpa + n * sizeof(struct ept_entry), entry, &original))
            entry = original;
        if (ept_is_table(ept, level, entry)) {
            struct ept_entry *child = ept_table_at(ept, ept_entry_address(entry));

            if (child != NULL)
                visit_table(ept, child, ept_entry_address(entry), level - 1, gpa, visit);
        } else if (ept_is_good_leaf(ept, level, entry)) {
            visit->run(ept, &(struct ept_run){&table[n], gpa, level, 1}, visit->context);
        }
    }
}

void ept_for_each_run(struct ept *ept, uint64_t start, uint64_t end, ept_run_visitor *visit, void *context)
{
    const struct visit what = {start, end, visit, context};

    if (start < end)
        visit_table(ept, ept->root_table, ept->root, ept->caps.levels, 0, &what);
}

bool ept_find_run(struct ept *ept, uint64_t gpa, struct ept_run *run)
{
    struct ept_cursor cursor = {.flush = EPT_FLUSH_NONE};

    ept_cursor_start(ept, gpa, &cursor);
    while (cursor.level > EPT_LEVEL_PT) {
        struct ept_entry seen = cursor.entry;

        if (ept_cursor_down(ept, gpa, &cursor))
            continue;
        if (ept_planted_original(ept, cursor.slot_hpa, seen, &cursor.entry)) {
            if (!ept_cursor_down(ept, gpa, &cursor))
                break;
            continue;
        }
        /* A fault that was planted when the entry was read may have been repaired since. */
        ept_cursor_read(&cursor);
        if (cursor.entry.raw == seen.raw)
            break;
    }
    if (cursor.level == EPT_LEVEL_PT) {
        *run = (struct ept_run){cursor.slot - ept_index(gpa, EPT_LEVEL_PT),
                                gpa & ~(ept_level_size(EPT_LEVEL_PD) - 1), EPT_LEVEL_PT, EPT_ENTRIES};
        return true;
    }
    *run = (struct ept_run){cursor.slot, gpa & ~(ept_level_size(cursor.level) - 1), cursor.level, 1};
    return ept_is_good_leaf(ept, cursor.level, cursor.entry);
}

uint64_t ept_portion(struct ept *ept, uint64_t start, uint64_t end, unsigned pages)
{
    uint64_t size = pages * ept_level_size(EPT_LEVEL_PT), at = start;
    struct ept_run run;

    for (unsigned n = 0; n < PORTION_SLOTS && at < end && at - start < PORTION_SIZE; n++) {
        (void)!ept_find_run(ept, at, &run);
        if (run.level == EPT_LEVEL_PT) {
            if (n == 0)
                at = (start & ~(size - 1)) + size;
            break;
        }
        at = run.gpa + ept_level_size(run.level);
    }
    return at < end ? at : end;
}
