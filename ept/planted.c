/* SPDX-License-Identifier: MIT */
/* The records of planted faults. An entry and its record change together under the lock. */
#include "ept/planted.h"
#include "ept/table.h"

static void lock(struct ept *ept)
{
    while (__atomic_exchange_n(&ept->planted_lock, 1, __ATOMIC_ACQUIRE) != 0) {
        while (__atomic_load_n(&ept->planted_lock, __ATOMIC_RELAXED) != 0) {
        }
    }
}

static void unlock(struct ept *ept)
{
    __atomic_store_n(&ept->planted_lock, 0, __ATOMIC_RELEASE);
}

/* Whoever has read a planted entry has acquired what its planter released, so a count of 0 means: not
 * planted. */
static bool none(const struct ept *ept)
{
    return __atomic_load_n(&ept->planted_count, __ATOMIC_RELAXED) == 0;
}

/* Locked. The record of a slot that still holds what was planted there, or NULL. */
static struct ept_planted *record_of(struct ept *ept, uint64_t slot_hpa, struct ept_entry entry)
{
    for (unsigned n = 0; n < EPT_PLANTED_MAX; n++) {
        struct ept_planted *record = &ept->planted[n];

        if (record->entry_hpa == slot_hpa && ((record->planted ^ entry.raw) & ~EPT_ACCESSED) == 0)
            return record;
    }
    return NULL;
}

static void drop(struct ept *ept, struct ept_planted *record)
{
    record->entry_hpa = 0;
    __atomic_fetch_sub(&ept->planted_count, 1, __ATOMIC_RELAXED);
}

static struct ept_entry value_of(const struct ept_planted *record, struct ept_entry entry)
{
    return (struct ept_entry){record->original | (entry.raw & EPT_ACCESSED)};
}

bool ept_planted_original(struct ept *ept, uint64_t slot_hpa, struct ept_entry entry,
                          struct ept_entry *original)
{
    const struct ept_planted *record;

    if (none(ept))
        return false;
    lock(ept);
    record = record_of(ept, slot_hpa, entry);
    if (record != NULL)
        *original = value_of(record, entry);
    unlock(ept);
    return record != NULL;
}

enum ept_settled ept_planted_settle(struct ept *ept, struct ept_entry *slot, uint64_t slot_hpa,
                                    struct ept_entry bad, struct ept_entry *now)
{
    struct ept_planted *record;
    enum ept_settled settled = EPT_SETTLED_NOT;

    lock(ept);
    record = record_of(ept, slot_hpa, bad);
    *now = record != NULL ? value_of(record, bad) : (struct ept_entry){0};
    if (ept_replace(slot, bad, *now)) {
        settled = record != NULL ? EPT_SETTLED_RESTORED : EPT_SETTLED_CLEARED;
        if (record != NULL)
            drop(ept, record);
    }
    unlock(ept);
    return settled;
}

bool ept_planted_take(struct ept *ept, uint64_t slot_hpa, struct ept_entry entry, struct ept_entry *original)
{
    struct ept_planted *record;

    if (none(ept))
        return false;
    lock(ept);
    record = record_of(ept, slot_hpa, entry);
    if (record != NULL) {
        *original = value_of(record, entry);
        drop(ept, record);
    }
    unlock(ept);
    return record != NULL;
}

/* Locked. Drops the records of slots in [hpa, hpa + size). */
static void forget(struct ept *ept, uint64_t hpa, uint64_t size)
{
    for (unsigned n = 0; n < EPT_PLANTED_MAX; n++) {
        if (ept->planted[n].entry_hpa != 0 && ept->planted[n].entry_hpa - hpa < size)
            drop(ept, &ept->planted[n]);
    }
}

void ept_planted_forget_table(struct ept *ept, uint64_t table_hpa)
{
    if (none(ept))
        return;
    lock(ept);
    forget(ept, table_hpa, EPT_PAGE_SIZE_4K);
    unlock(ept);
}

enum ept_status ept_planted_set(struct ept *ept, struct ept_entry *slot, uint64_t slot_hpa,
                                struct ept_entry original, struct ept_entry planted, bool *done)
{
    struct ept_planted *record = NULL;

    *done = false;
    lock(ept);
    if (ept_load(slot).raw != original.raw) {
        unlock(ept);
        return EPT_OK; /* perhaps planted by another CPU meanwhile: its record must stay */
    }
    /* A record that still stands for this slot is no longer true: what was planted there has been
     * overwritten. */
    forget(ept, slot_hpa, sizeof(struct ept_entry));
    for (unsigned n = 0; n < EPT_PLANTED_MAX && record == NULL; n++) {
        if (ept->planted[n].entry_hpa == 0)
            record = &ept->planted[n];
    }
    if (record != NULL) {
        /* Counted before it is published, see none(). */
        __atomic_fetch_add(&ept->planted_count, 1, __ATOMIC_RELAXED);
        *record = (struct ept_planted){slot_hpa, planted.raw, original.raw};
        *done = ept_replace(slot, original, planted);
        if (!*done)
            drop(ept, record);
    }
    unlock(ept);
    return record != NULL ? EPT_OK : EPT_TOO_MANY;
}
