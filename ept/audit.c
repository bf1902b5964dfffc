/* SPDX-License-Identifier: MIT */
/* The audit: reaches every table once and asks about every frame. */
#include "ept/audit.h"
#include "ept/misconfig.h"
#include "ept/page_type.h"
#include "ept/planted.h"
#include "ept/table.h"

struct audit {
    struct ept *ept;
    const struct ept_audit_check *check;
    struct ept_audit *result;
    uint64_t path[EPT_LEVEL_MAX + 1]; /* the tables on the way down, by level */
    uint64_t remembered;
};

static void found(struct audit *audit, uint64_t *counter, uint64_t gpa)
{
    (*counter)++;
    if (audit->result->first_bad_gpa == UINT64_MAX)
        audit->result->first_bad_gpa = gpa;
}

/*
 * A bad entry of a level: what the list has behind it is not reached until a fault has put the entry right,
 * which it cannot always do. Counts the regions concerned.
 */
static void found_in_the_way(struct audit *audit, uint64_t *counter, uint64_t gpa, unsigned level)
{
    const struct ept_region_list *list = audit->ept->regions;
    uint64_t last = gpa + (ept_level_size(level) - 1);

    found(audit, counter, gpa);
    for (unsigned n = 0; n < list->count; n++) {
        const struct ept_region *region = &list->regions[n];

        if (region->rights != 0 && region->gpa <= last && region->gpa + (region->size - 1) >= gpa)
            audit->result->unreachable++;
    }
}

/* Regions that no fault finds, or whose pages no entry can express. */
static void audit_list(struct audit *audit)
{
    const struct ept_region_list *list = audit->ept->regions;

    for (unsigned n = 0; n < list->count; n++) {
        const struct ept_region *region = &list->regions[n];
        bool in_order = n == 0 || region[-1].gpa + region[-1].size <= region->gpa;

        if (!in_order || ept_region_check(list, region) != EPT_OK ||
            ept_region_find(list, region->gpa) != region)
            found(audit, &audit->result->unreachable, region->gpa);
    }
}

/* Remembers a table in the scratch words, an open hash. True if it was there already. */
static bool seen_before(struct audit *audit, uint64_t hpa)
{
    uint64_t words = audit->check->scratch_words;
    uint64_t at;

    if (audit->check->scratch == NULL || audit->remembered + 1 >= words) {
        audit->result->incomplete = true;
        return false;
    }
    at = (hpa >> 12) * UINT64_C(0x9e3779b97f4a7c15) % words;
    while (audit->check->scratch[at] != 0) {
        if (audit->check->scratch[at] == hpa)
            return true;
        at = at + 1 == words ? 0 : at + 1;
    }
    audit->check->scratch[at] = hpa;
    audit->remembered++;
    return false;
}

/* Does the list grant [gpa, gpa + size), in one region, at hpa, with these attributes of a leaf or more
 * rights? */
static bool granted(const struct ept *ept, const struct ept_region *region, uint64_t gpa, uint64_t hpa,
                    uint64_t size, struct ept_entry leaf)
{
    enum memory_type type;

    if ((ept_entry_rights(leaf) & ~(unsigned)region->rights) != 0 || region->hpa + (gpa - region->gpa) != hpa)
        return false;
    if (!ept_page_type(ept, region, gpa, size, &type))
        return false;
    return ept_entry_memory_type(leaf) == (unsigned)type &&
           ((leaf.raw & EPT_IGNORE_PAT) != 0) == region->ignore_pat;
}

/*
 * Does a leaf say what the list says about all that it maps? It may reach over several regions: after rights
 * were added to a part of it, until an access needs them.
 */
static bool listed(const struct audit *audit, uint64_t gpa, unsigned level, struct ept_entry leaf)
{
    uint64_t end = gpa + ept_level_size(level);
    uint64_t offset = ept_entry_address(leaf) - gpa;

    while (gpa < end) {
        const struct ept_region *region = ept_region_find(audit->ept->regions, gpa);
        uint64_t to;

        if (region == NULL)
            return false;
        to = region->gpa + region->size < end ? region->gpa + region->size : end;
        if (!granted(audit->ept, region, gpa, gpa + offset, to - gpa, leaf))
            return false;
        gpa = to;
    }
    return true;
}

/* As ept_fault(), ept_map_one() and ept_plant() write leaves, with flags that a processor has set. */
static bool canonical(const struct ept *ept, unsigned level, struct ept_entry leaf)
{
    uint64_t known = ept->caps.address_mask | EPT_RIGHTS | EPT_MEMORY_TYPE | EPT_IGNORE_PAT |
                     EPT_SOFTWARE_PLANTED | EPT_ACCESSED | EPT_DIRTY;

    known |= level > EPT_LEVEL_PT ? EPT_LARGE : EPT_SOFTWARE_TEMPORARY;
    return (leaf.raw & ~known) == 0 &&
           !(level > EPT_LEVEL_PT && ept->no_executable_large && (leaf.raw & EPT_EXECUTE) != 0);
}

static void audit_leaf(struct audit *audit, uint64_t gpa, unsigned level, struct ept_entry leaf)
{
    const struct ept_audit_check *check = audit->check;

    audit->result->leaves[level]++;
    if (!canonical(audit->ept, level, leaf))
        found(audit, &audit->result->noncanonical, gpa);
    if ((leaf.raw & EPT_SOFTWARE_TEMPORARY) != 0)
        audit->result->temporary++;
    else if (!listed(audit, gpa, level, leaf))
        found(audit, &audit->result->unlisted, gpa);
    if (check->page != NULL && !check->page(check->context, gpa, ept_entry_address(leaf),
                                            ept_level_size(level), ept_entry_rights(leaf)))
        found(audit, &audit->result->foreign_pages, gpa);
}

static void audit_table(struct audit *audit, const struct ept_entry *table, uint64_t table_hpa,
                        unsigned level, uint64_t base);

/* A reference of a good form, standing at `level`. */
static void audit_reference(struct audit *audit, uint64_t gpa, unsigned level, struct ept_entry entry)
{
    const struct ept_audit_check *check = audit->check;
    uint64_t hpa = ept_entry_address(entry);
    const struct ept_entry *table = ept_table_at(audit->ept, hpa);

    for (unsigned above = level; above <= audit->ept->caps.levels; above++) {
        if (audit->path[above] == hpa) {
            found_in_the_way(audit, &audit->result->cycles, gpa, level);
            return;
        }
    }
    if (table == NULL || (check->table != NULL && !check->table(check->context, hpa)))
        found_in_the_way(audit, &audit->result->foreign_tables, gpa, level);
    else if (seen_before(audit, hpa))
        found_in_the_way(audit, &audit->result->shared, gpa, level);
    else
        audit_table(audit, table, hpa, level - 1, gpa);
}

static void audit_table(struct audit *audit, const struct ept_entry *table, uint64_t table_hpa,
                        unsigned level, uint64_t base)
{
    audit->result->tables++;
    audit->path[level] = table_hpa;
    for (unsigned n = 0; n < EPT_ENTRIES; n++) {
        struct ept_entry entry = ept_load(&table[n]);
        uint64_t gpa = base + n * ept_level_size(level);

        if (entry.raw == 0)
            continue;
        if (ept_planted_original(audit->ept, table_hpa + n * sizeof(struct ept_entry), entry, &entry))
            audit->result->planted++;
        else if (ept_is_planted_leaf(level, entry))
            audit->result->planted++;
        if (ept_is_table(audit->ept, level, entry))
            audit_reference(audit, gpa, level, entry);
        else if (ept_is_good_leaf(audit->ept, level, entry))
            audit_leaf(audit, gpa, level, entry);
        else if (!ept_is_planted_leaf(level, entry))
            found_in_the_way(audit, &audit->result->malformed, gpa, level);
    }
    audit->path[level] = 0;
}

bool ept_audit(struct ept *ept, const struct ept_audit_check *check, struct ept_audit *result)
{
    struct audit audit = {.ept = ept, .check = check, .result = result};
    uint64_t accounted;

    *result = (struct ept_audit){.first_bad_gpa = UINT64_MAX};
    for (uint64_t n = 0; check->scratch != NULL && n < check->scratch_words; n++)
        check->scratch[n] = 0;

    if (check->table != NULL && !check->table(check->context, ept->root))
        found(&audit, &result->foreign_tables, 0);
    audit_list(&audit);
    (void)seen_before(&audit, ept->root);
    audit_table(&audit, ept->root_table, ept->root, ept->caps.levels, 0);

    accounted = result->tables + ept->retired_count;
    result->lost = ept->table_count > accounted ? ept->table_count - accounted : 0;
    return (result->foreign_tables | result->foreign_pages | result->cycles | result->shared |
            result->malformed | result->unlisted | result->noncanonical | result->unreachable |
            result->lost) == 0;
}
