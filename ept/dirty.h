/* SPDX-License-Identifier: MIT */
/*
 * The dirty log of a VM: which 4 KiB pages were written since the last collection. Three sources, one
 * interface:
 *
 * PML    the processor sets a leaf's dirty flag and puts the address into a log, which the caller drains into
 * the bitmap. A collection costs by the pages written. FLAGS  the processor sets dirty flags; a collection
 * walks every mapped table to find them. WRITE_PROTECTION   leaves lose W; the first write to a page faults,
 * and the fault notes it.
 *
 * Leaves above the granularity lose W in all three: the first write to one splits it (PML, FLAGS) or maps the
 * page written by itself (WRITE_PROTECTION splits as well, but only that page gets W). With granularity 4K
 * the log is exact; with 2M a write to a 2 MiB page reports its 512 pages, and no 2 MiB page is split.
 *
 * With PML and FLAGS a processor also marks pages that hold the guest's paging structures when it merely
 * reads them: SDM vol. 3, "Accessed and Dirty Flags for EPT".
 */
#ifndef EPT_DIRTY_H
#define EPT_DIRTY_H

#include "ept/map.h"
#include <stddef.h>

enum ept_dirty_source {
    EPT_DIRTY_BEST, /* the first of the following that there is */
    EPT_DIRTY_PML,
    EPT_DIRTY_FLAGS,
    EPT_DIRTY_WRITE_PROTECTION,
    EPT_DIRTY_SOURCE_COUNT,
};

#define EPT_PML_ENTRIES 512 /* of the page-modification log, 8 bytes each */

#define EPT_DIRTY_SUMMARIES 6

/*
 * Over words that the caller hands in. A page's bit is set, then its block's of 512 pages in summary 0, then
 * for each word of a summary its bit in the next one, up to a summary of one word; a collection takes them
 * from the top, so it looks at dirty blocks alone and misses none.
 */
struct ept_dirty_log {
    enum ept_dirty_source source;
    unsigned granularity; /* level of the largest page that is written without being split: 1 or 2 */
    uint64_t pages;       /* the log covers guest-physical [0, pages * 4 KiB) */
    uint64_t *bits;       /* a bit for each page. Atomic, as the next ones */
    uint64_t *summary[EPT_DIRTY_SUMMARIES]; /* a bit: some below it may be set */
    unsigned summaries;                     /* that there are: one more for each 64-fold of pages */
};

/* 64-bit words of a bitmap of so many pages as ept_dirty_collect() fills it: whole blocks of 512 bits. */
static inline size_t ept_dirty_bitmap_words(uint64_t pages)
{
    return (size_t)((pages + 511) / 512 * 8);
}

/* 64-bit words that a log of so many pages needs: bits and summaries. */
size_t ept_dirty_log_words(uint64_t pages);

/*
 * The source that `wanted` stands for on this processor. EPT_UNSUPPORTED: it is not there.
 * caps->accessed_dirty and caps->page_modification_log decide.
 */
EPT_MUST_CHECK enum ept_status ept_dirty_pick(const struct ept_caps *caps, enum ept_dirty_source wanted,
                                              enum ept_dirty_source *source);

/*
 * Starts logging for [0, size) into `words` (ept_dirty_log_words(size / 4096) of them; cleared here) with a
 * source that ept_dirty_pick() gave. No other CPU may be in a function of this EPT meanwhile, guests may run:
 * what they write after the flush is logged. With PML the caller switches ENABLE_PML on in each VMCS.
 * EPT_UNALIGNED, EPT_BEYOND_WIDTH, EPT_UNSUPPORTED (source or granularity), EPT_BUSY: a log runs already.
 */
EPT_MUST_CHECK struct ept_change ept_dirty_start(struct ept *ept, struct ept_dirty_log *log,
                                                 enum ept_dirty_source source, unsigned granularity,
                                                 uint64_t size, uint64_t *words);

/*
 * The same in parts, for a VM whose guest is to run between them: begin, then prepare, which takes D or W
 * from the leaves of [start, end), for all of [0, size). A write to a page is logged after the flush behind
 * its part.
 */
EPT_MUST_CHECK enum ept_status ept_dirty_begin(struct ept *ept, struct ept_dirty_log *log,
                                               enum ept_dirty_source source, unsigned granularity,
                                               uint64_t size, uint64_t *words);
EPT_MUST_CHECK enum ept_flush ept_dirty_prepare(struct ept *ept, uint64_t start, uint64_t end);

/* Notes a write by other hands than the guest's: by the hypervisor in its stead. Nothing without a log. Any
 * CPU. */
void ept_dirty_mark(struct ept *ept, uint64_t gpa, uint64_t size);

/* Notes what a processor has put into its page-modification log: `count` entries, in any order. Any CPU. */
void ept_dirty_drain(struct ept *ept, const uint64_t *entries, unsigned count);

struct ept_dirty_collected {
    enum ept_flush flush;
    bool more;      /* ept_dirty_take() alone */
    uint64_t pages; /* how many bits were set */
};

/*
 * Moves what was written since the last call into `bitmap` (ept_dirty_bitmap_words() words, bit n % 64 of
 * word n / 64 for page n; bits are added, none is cleared), and makes the pages log again. First drain the
 * page-modification log of every CPU that runs the VM. A page may be read or copied after the flush: a write
 * before it is in this collection or in the copy and the next collection, a write after it is in the next.
 * Any CPU, beside faults; one collection at a time. Without a log nothing is collected.
 */
EPT_MUST_CHECK struct ept_dirty_collected ept_dirty_collect(struct ept *ept, uint64_t *bitmap);

/*
 * The same in parts: gather, for all of [0, pages * 4 KiB), notes the dirty flags of [start, end) in the log,
 * of which a source of flags knows nothing else; take is the collection of what the log has noted, of at most
 * `blocks` blocks of 512 pages. `more`: some are left. `pages`: bits that were not set in the bitmap before.
 */
void ept_dirty_gather(struct ept *ept, uint64_t start, uint64_t end);
EPT_MUST_CHECK struct ept_dirty_collected ept_dirty_take(struct ept *ept, uint64_t *bitmap, uint64_t blocks);

/*
 * Ends logging and gives back the W that was taken. The words are the caller's again. Order as
 * ept_dirty_start(). ept_merge() of merge.h then puts large pages together again. EPT_BUSY: no log runs.
 */
EPT_MUST_CHECK struct ept_change ept_dirty_stop(struct ept *ept);

/* The same in parts: end, then restore for all that was logged, [start, end) each time. */
EPT_MUST_CHECK enum ept_status ept_dirty_end(struct ept *ept);
void ept_dirty_restore(struct ept *ept, uint64_t start, uint64_t end);

/* "PML", "dirty flags", "write protection", "best"; "?" for another number. */
const char *ept_dirty_source_name(enum ept_dirty_source source);

/* Inside the engine: sets bits of one word of log->bits, which are all within the log. Any CPU. */
void ept_dirty_mark_word(struct ept_dirty_log *log, uint64_t word, uint64_t bits);

/* Inside the engine, of a VM with a log: a leaf's dirty flag is gone; a leaf has got W for a write. */
void ept_dirty_note_flag(struct ept *ept, uint64_t gpa, unsigned level, struct ept_entry old);
void ept_dirty_note_write(struct ept *ept, uint64_t gpa, unsigned level);

/*
 * Inside the engine: after an entry that translated gpa was taken out of its slot, or lost its dirty flag.
 * Whoever replaces a leaf calls it, so that no write is forgotten with the leaf.
 */
static inline void ept_dirty_flag_lost(struct ept *ept, uint64_t gpa, unsigned level, struct ept_entry old)
{
    if ((old.raw & EPT_DIRTY) != 0 && __atomic_load_n(&ept->dirty, __ATOMIC_ACQUIRE) != NULL)
        ept_dirty_note_flag(ept, gpa, level, old);
}

#endif
