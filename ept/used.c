/* SPDX-License-Identifier: MIT */
/* Every entry of an EPT, reached as a processor would reach it. */
#include "ept/used.h"
#include "ept/table.h"

struct visit {
    const struct ept *ept;
    void (*entry)(struct visit *visit, struct ept_entry *slot, uint64_t hpa, unsigned level);
    void (*each)(void *context, uint64_t entry_hpa, unsigned level, struct ept_entry entry);
    void *context;
};

static void visit_table(struct visit *visit, uint64_t table_hpa, unsigned level)
{
    struct ept_entry *table = ept_table_at(visit->ept, table_hpa);

    if (table == NULL)
        return;
    for (unsigned n = 0; n < EPT_ENTRIES; n++) {
        struct ept_entry entry = ept_load(&table[n]);

        bool is_table = ept_is_table(visit->ept, level, entry);

        /* No other has been used by a processor; and a planted one must stay as its record has it. */
        if (!is_table && !ept_is_good_leaf(visit->ept, level, entry))
            continue;
        visit->entry(visit, &table[n], table_hpa + n * sizeof(entry), level);
        if (is_table) /* a level less each time: at most five deep */
            visit_table(visit, ept_entry_address(entry), level - 1);
    }
}

static void clear_entry(struct visit *visit, struct ept_entry *slot, uint64_t hpa, unsigned level)
{
    /* In a reference to a table bit 9 is ignored: it may go everywhere. */
    (void)visit;
    (void)hpa;
    (void)level;
    __atomic_fetch_and(&slot->raw, ~(EPT_ACCESSED | EPT_DIRTY), __ATOMIC_ACQ_REL);
}

static void show_entry(struct visit *visit, struct ept_entry *slot, uint64_t hpa, unsigned level)
{
    visit->each(visit->context, hpa, level, ept_load(slot));
}

enum ept_flush ept_used_clear(struct ept *ept)
{
    struct visit visit = {.ept = ept, .entry = clear_entry};

    if (!ept->caps.accessed_dirty)
        return EPT_FLUSH_NONE;
    visit_table(&visit, ept->root, ept->caps.levels);
    return EPT_FLUSH_CONTEXT;
}

void ept_used_each(const struct ept *ept,
                   void (*each)(void *context, uint64_t entry_hpa, unsigned level, struct ept_entry entry),
                   void *context)
{
    struct visit visit = {.ept = ept, .entry = show_entry, .each = each, .context = context};

    visit_table(&visit, ept->root, ept->caps.levels);
}
