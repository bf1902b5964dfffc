/* SPDX-License-Identifier: MIT */
/*
 * Inside the engine: the record of references to tables that ept_plant() spoilt. Only with a record is the
 * address of a spoilt reference believed. A lock guards it, which a fault takes only when it meets a bad
 * entry.
 */
#ifndef EPT_PLANTED_H
#define EPT_PLANTED_H

#include "ept/map.h"

/* True, and what the entry was, if it is a planted one (but for its accessed flag). */
EPT_MUST_CHECK bool ept_planted_original(struct ept *ept, uint64_t slot_hpa, struct ept_entry entry,
                                         struct ept_entry *original);

/*
 * Puts a bad entry right: a planted one gets its true value back and its record is dropped, any other is
 * cleared. Looking for the record and changing the slot are one step under the lock: between the two another
 * CPU could put the entry right and a third plant it anew, and then clearing it would lose a table.
 */
enum ept_settled {
    EPT_SETTLED_NOT,      /* the slot holds something else by now */
    EPT_SETTLED_RESTORED, /* *now is the true value */
    EPT_SETTLED_CLEARED,  /* *now is empty */
};

EPT_MUST_CHECK enum ept_settled ept_planted_settle(struct ept *ept, struct ept_entry *slot, uint64_t slot_hpa,
                                                   struct ept_entry bad, struct ept_entry *now);

/* Drops the record of an entry that was planted and has been taken out of its slot. As
 * ept_planted_original(). */
EPT_MUST_CHECK bool ept_planted_take(struct ept *ept, uint64_t slot_hpa, struct ept_entry entry,
                                     struct ept_entry *original);

/* Drops what records there are of slots in a table that is retired: its frame will hold other things. */
void ept_planted_forget_table(struct ept *ept, uint64_t table_hpa);

/* Replaces `original` in the slot by `planted`, with a record. EPT_TOO_MANY; *done false: the slot held
 * something else, try again. */
EPT_MUST_CHECK enum ept_status ept_planted_set(struct ept *ept, struct ept_entry *slot, uint64_t slot_hpa,
                                               struct ept_entry original, struct ept_entry planted,
                                               bool *done);

#endif
