/* SPDX-License-Identifier: MIT */
/*
 * Inside the engine: access to tables and entries. Every entry of a linked table is read and written through
 * these functions and no other way: a processor's walk, its A/D flags and other CPUs work on the same words.
 */
#ifndef EPT_TABLE_H
#define EPT_TABLE_H

#include "ept/map.h"
#include <stddef.h>

/* A pointer to a table, or NULL if the caller says that this is none of ours. */
static inline struct ept_entry *ept_table_at(const struct ept *ept, uint64_t hpa)
{
    if (ept->memory.table_at == NULL)
        return (struct ept_entry *)(ept->memory.direct_map + hpa);
    return ept->memory.table_at(ept->memory.context, hpa);
}

static inline uint64_t ept_slot_hpa(uint64_t table_hpa, uint64_t gpa, unsigned level)
{
    return table_hpa + ept_index(gpa, level) * sizeof(struct ept_entry);
}

/* Acquire: what a table was filled with before it was linked is seen. */
static inline struct ept_entry ept_load(const struct ept_entry *slot)
{
    return (struct ept_entry){__atomic_load_n(&slot->raw, __ATOMIC_ACQUIRE)};
}

/* Publishes `desired` if the slot still holds `expected`. */
static inline EPT_MUST_CHECK bool ept_replace(struct ept_entry *slot, struct ept_entry expected,
                                              struct ept_entry desired)
{
    return __atomic_compare_exchange_n(&slot->raw, &expected.raw, desired.raw, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static inline struct ept_entry ept_exchange(struct ept_entry *slot, struct ept_entry desired)
{
    return (struct ept_entry){__atomic_exchange_n(&slot->raw, desired.raw, __ATOMIC_ACQ_REL)};
}

/* True for a reference to a table exactly as the engine writes it (the processor may have set the accessed
 * flag). */
static inline bool ept_is_table(const struct ept *ept, unsigned level, struct ept_entry entry)
{
    return level > EPT_LEVEL_PT && (entry.raw & ept->caps.table_check) == EPT_RIGHTS;
}

static inline bool ept_is_frozen(struct ept_entry entry)
{
    return (entry.raw & (EPT_SOFTWARE_FROZEN | EPT_RIGHTS)) == EPT_SOFTWARE_FROZEN;
}

/* True for a leaf that ept_plant() spoilt. */
static inline bool ept_is_planted_leaf(unsigned level, struct ept_entry entry)
{
    return (entry.raw & EPT_SOFTWARE_PLANTED) != 0 && ept_entry_present(entry) &&
           ept_entry_maps_page(entry, level);
}

/* True for a leaf that a processor would use. */
bool ept_is_good_leaf(const struct ept *ept, unsigned level, struct ept_entry entry);

/* Before a table goes, an entry that references one is spoilt, or the region list, types or a dirty log
 * change: what a struct ept_near has kept holds no longer. */
static inline void ept_shape_changes(struct ept *ept)
{
    (void)__atomic_fetch_add(&ept->shape, 1, __ATOMIC_ACQ_REL);
}

/* Frames, counted. EPT_NO_FRAME: none left. */
uint64_t ept_table_alloc(struct ept *ept);
void ept_table_free(struct ept *ept, uint64_t hpa);

/* Where an operation stands: a slot in a linked table, and what was last read from it. */
struct ept_cursor {
    struct ept_entry *slot;
    uint64_t slot_hpa;
    struct ept_entry entry;
    unsigned level;
    uint64_t frozen_hpa;     /* the last frozen slot met: the same again is corruption, see ept_correct() */
    enum ept_flush flush;    /* collected on the way */
    unsigned repaired_level; /* highest level at which ept_correct() changed something */
};

/* The cursor at the root's slot for gpa. Keeps what was collected. */
void ept_cursor_start(const struct ept *ept, uint64_t gpa, struct ept_cursor *cursor);

/* Reads the slot again. */
static inline void ept_cursor_read(struct ept_cursor *cursor)
{
    cursor->entry = ept_load(cursor->slot);
}

/* Down into the table that the entry references; false: it is no good reference to one of our tables. */
EPT_MUST_CHECK bool ept_cursor_down(const struct ept *ept, uint64_t gpa, struct ept_cursor *cursor);

/*
 * Puts an entry right that is neither empty, nor a table of ours, nor a good leaf, and reads again: a planted
 * one is restored, any other is cleared without believing anything in it. A frozen entry means that its table
 * was retired after the cursor got there: then the cursor starts again at the root.
 */
void ept_correct(struct ept *ept, uint64_t gpa, struct ept_cursor *cursor);

/* Links a new empty table into an empty slot and reads again; harmless if another CPU was first.
 * EPT_NO_FRAME_LEFT. */
EPT_MUST_CHECK enum ept_status ept_link_table(struct ept *ept, struct ept_cursor *cursor, bool *added);

/*
 * Puts a leaf for gpa below an empty slot of `level`: the tables between are made, with what leads to the
 * leaf in them, and linked by one exchange; no processor and no CPU has seen them before. *added: how many;
 * 0: another CPU was first, and nothing has changed. level > leaf_level. EPT_NO_FRAME_LEFT, and nothing has
 * changed.
 */
EPT_MUST_CHECK enum ept_status ept_link_leaf(struct ept *ept, uint64_t gpa, struct ept_entry *slot,
                                             unsigned level, struct ept_entry leaf, unsigned leaf_level,
                                             unsigned *added);

/*
 * Replaces the good leaf in the slot (level 2 or 3), which translates gpa, by a table of the same
 * translations, with `grant` added to the rights of each, and reads again; harmless if another CPU was first.
 */
EPT_MUST_CHECK enum ept_status ept_split_leaf(struct ept *ept, uint64_t gpa, struct ept_cursor *cursor,
                                              unsigned grant);

/*
 * Down from where the cursor is until it stands at a slot of `level`, or above it at an empty slot or at a
 * good leaf. Wrong entries are corrected on the way.
 */
void ept_cursor_descend(struct ept *ept, uint64_t gpa, unsigned level, struct ept_cursor *cursor);

/* Freezes a table that was just unlinked, which translated `gpa` on, and all below it, and puts the frames on
 * the retired list. */
void ept_retire(struct ept *ept, uint64_t table_hpa, unsigned level, uint64_t gpa);

#endif
