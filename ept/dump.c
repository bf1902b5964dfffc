/* SPDX-License-Identifier: MIT */
/* Range-compressed dump: goes through present tables only, and joins what runs on. */
#include "ept/dump.h"
#include "ept/misconfig.h"
#include "ept/table.h"

struct dump {
    const struct ept *ept;
    void (*range)(void *context, const struct ept_dump_range *);
    void *context;
    struct ept_dump_range pending; /* size 0: none */
};

static void flush(struct dump *dump)
{
    if (dump->pending.size != 0)
        dump->range(dump->context, &dump->pending);
    dump->pending.size = 0;
}

static bool joins(const struct ept_dump_range *left, const struct ept_dump_range *right)
{
    return left->size != 0 && left->kind == EPT_DUMP_PAGES && right->kind == EPT_DUMP_PAGES &&
           left->gpa + left->size == right->gpa && left->hpa + left->size == right->hpa &&
           left->level == right->level && left->rights == right->rights &&
           left->memory_type == right->memory_type && left->ignore_pat == right->ignore_pat &&
           left->accessed == right->accessed && left->dirty == right->dirty &&
           left->temporary == right->temporary;
}

static void add(struct dump *dump, const struct ept_dump_range *range)
{
    if (joins(&dump->pending, range)) {
        dump->pending.size += range->size;
    } else {
        flush(dump);
        dump->pending = *range;
    }
}

static void dump_table(struct dump *dump, const struct ept_entry *table, uint64_t table_hpa, unsigned level,
                       uint64_t base, unsigned rights)
{
    for (unsigned n = 0; n < EPT_ENTRIES; n++) {
        struct ept_entry entry = ept_load(&table[n]);
        struct ept_dump_range range = {
            .kind = EPT_DUMP_BAD,
            .gpa = base + n * ept_level_size(level),
            .size = ept_level_size(level),
            .entry_hpa = table_hpa + n * sizeof(struct ept_entry),
            .entry = entry,
            .level = (uint8_t)level,
            .rights = (uint8_t)(rights & ept_entry_rights(entry)),
        };
        const struct ept_entry *child = NULL;
        uint64_t offending;

        if (entry.raw == 0)
            continue;
        if (!ept_entry_present(entry)) {
            if ((entry.raw & EPT_SOFTWARE_PLANTED) != 0)
                range.kind = EPT_DUMP_PLANTED;
        } else if (ept_misconfig_reasons(&dump->ept->caps, level, entry, &offending) != 0) {
            range.rights = 0;
        } else if (ept_entry_maps_page(entry, level)) {
            range.kind = EPT_DUMP_PAGES;
            range.hpa = ept_entry_address(entry) & ~(ept_level_size(level) - 1);
            range.memory_type = (uint8_t)ept_entry_memory_type(entry);
            range.ignore_pat = (entry.raw & EPT_IGNORE_PAT) != 0;
            range.accessed = (entry.raw & EPT_ACCESSED) != 0;
            range.dirty = (entry.raw & EPT_DIRTY) != 0;
            range.temporary = (entry.raw & EPT_SOFTWARE_TEMPORARY) != 0;
        } else {
            child = ept_table_at(dump->ept, ept_entry_address(entry));
        }
        if (child != NULL)
            dump_table(dump, child, ept_entry_address(entry), level - 1, range.gpa, range.rights);
        else
            add(dump, &range);
    }
}

void ept_dump(const struct ept *ept, void (*range)(void *context, const struct ept_dump_range *),
              void *context)
{
    struct dump dump = {.ept = ept, .range = range, .context = context};

    dump_table(&dump, ept->root_table, ept->root, ept->caps.levels, 0, (unsigned)EPT_RIGHTS);
    flush(&dump);
}
