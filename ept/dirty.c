/* SPDX-License-Identifier: MIT */
/* The dirty log: start, notes, stop. The fault path's part is in map.c. */
#include "ept/dirty.h"
#include "ept/leaves.h"
#include "ept/table.h"

#define PAGE_SHIFT  12
#define BLOCK_PAGES 512u
#define BLOCK_WORDS (BLOCK_PAGES / 64)
#define WORD_SIZE   (UINT64_C(64) << PAGE_SHIFT) /* bytes that a word of bits covers */

/* Where among the words of a log each summary begins, and behind the last one how many words all are. How
 * many summaries there are. */
static unsigned lay_out(uint64_t pages, size_t start[EPT_DIRTY_SUMMARIES + 1])
{
    size_t bits = (size_t)((pages + BLOCK_PAGES - 1) / BLOCK_PAGES);
    unsigned n = 0;

    start[0] = ept_dirty_bitmap_words(pages);
    do {
        bits = (bits + 63) / 64;
        start[n + 1] = start[n] + bits;
        n++;
    } while (bits > 1);
    return n;
}

size_t ept_dirty_log_words(uint64_t pages)
{
    size_t start[EPT_DIRTY_SUMMARIES + 1];

    return start[lay_out(pages, start)];
}

enum ept_status ept_dirty_pick(const struct ept_caps *caps, enum ept_dirty_source wanted,
                               enum ept_dirty_source *source)
{
    bool pml = caps->accessed_dirty && caps->page_modification_log;

    switch (wanted) {
    case EPT_DIRTY_BEST:
        *source = pml ? EPT_DIRTY_PML : caps->accessed_dirty ? EPT_DIRTY_FLAGS : EPT_DIRTY_WRITE_PROTECTION;
        return EPT_OK;
    case EPT_DIRTY_PML:
        *source = wanted;
        return pml ? EPT_OK : EPT_UNSUPPORTED;
    case EPT_DIRTY_FLAGS:
        *source = wanted;
        return caps->accessed_dirty ? EPT_OK : EPT_UNSUPPORTED;
    case EPT_DIRTY_WRITE_PROTECTION:
        *source = wanted;
        return EPT_OK;
    default:
        return EPT_UNSUPPORTED;
    }
}

static void set_bit(uint64_t *words, uint64_t n)
{
    uint64_t bit = UINT64_C(1) << n % 64;

    if ((__atomic_load_n(&words[n / 64], __ATOMIC_SEQ_CST) & bit) == 0)
        __atomic_fetch_or(&words[n / 64], bit, __ATOMIC_SEQ_CST);
}

static void mark_block(struct ept_dirty_log *log, uint64_t block)
{
    for (unsigned n = 0; n < log->summaries; n++, block /= 64)
        set_bit(log->summary[n], block);
}

void ept_dirty_mark_word(struct ept_dirty_log *log, uint64_t word, uint64_t bits)
{
    uint64_t old = __atomic_load_n(&log->bits[word], __ATOMIC_SEQ_CST);

    /* Who set the others sets the block's bit too, if it is not set yet. */
    if ((old & bits) == bits)
        return;
    __atomic_fetch_or(&log->bits[word], bits, __ATOMIC_SEQ_CST);
    mark_block(log, word / BLOCK_WORDS);
}

/* Pages [page, end), as far as the log covers them. */
static void mark_pages(struct ept_dirty_log *log, uint64_t page, uint64_t end)
{
    if (end > log->pages)
        end = log->pages;
    while (page < end) {
        uint64_t next = (page | 63) + 1 < end ? (page | 63) + 1 : end;
        uint64_t bits = UINT64_MAX >> (64 - (next - page)) << page % 64;

        ept_dirty_mark_word(log, page / 64, bits);
        page = next;
    }
}

void ept_dirty_mark(struct ept *ept, uint64_t gpa, uint64_t size)
{
    struct ept_dirty_log *log = __atomic_load_n(&ept->dirty, __ATOMIC_ACQUIRE);

    if (log != NULL && size != 0)
        mark_pages(log, gpa >> PAGE_SHIFT, ((gpa + size - 1) >> PAGE_SHIFT) + 1);
}

void ept_dirty_note_write(struct ept *ept, uint64_t gpa, unsigned level)
{
    ept_dirty_mark(ept, gpa & ~(ept_level_size(level) - 1), ept_level_size(level));
}

void ept_dirty_note_flag(struct ept *ept, uint64_t gpa, unsigned level, struct ept_entry old)
{
    const struct ept_dirty_log *log = ept->dirty;

    /* Under write protection the fault has noted the page; a dirty flag may be from before the last
     * collection. */
    if (log->source != EPT_DIRTY_WRITE_PROTECTION && ept_entry_maps_page(old, level) &&
        ept_is_guest_page(old))
        ept_dirty_note_write(ept, gpa, level);
}

/* As ept_dirty_mark_word(), for the word of the pages from `gpa` on, as far as the log covers them. */
static void mark_bits(struct ept_dirty_log *log, uint64_t gpa, uint64_t bits)
{
    uint64_t page = gpa >> PAGE_SHIFT;

    if (page < log->pages && log->pages - page < 64)
        bits &= (UINT64_C(1) << (log->pages - page)) - 1;
    if (page < log->pages && bits != 0)
        ept_dirty_mark_word(log, page / 64, bits);
}

/* Addresses come in rows: the bits of a word are gathered before they are set. */
void ept_dirty_drain(struct ept *ept, const uint64_t *entries, unsigned count)
{
    struct ept_dirty_log *log = __atomic_load_n(&ept->dirty, __ATOMIC_ACQUIRE);
    uint64_t base = UINT64_MAX & ~(WORD_SIZE - 1), bits = 0; /* no entry has such an address */

    if (log == NULL)
        return;
    for (unsigned n = 0; n < count; n++) {
        uint64_t offset = entries[n] - base;

        if (offset >= WORD_SIZE) {
            mark_bits(log, base, bits);
            base = entries[n] & ~(WORD_SIZE - 1);
            offset = entries[n] - base;
            bits = 0;
        }
        bits |= UINT64_C(1) << (offset >> PAGE_SHIFT);
    }
    mark_bits(log, base, bits);
}

static void prepare_run(struct ept *ept, const struct ept_run *run, void *context)
{
    const struct ept_dirty_log *log = ept->dirty;
    enum ept_flush *flush = context;
    uint64_t flags = ept->caps.accessed_dirty ? EPT_DIRTY : 0;

    if (log->source == EPT_DIRTY_WRITE_PROTECTION || run->level > log->granularity)
        flags |= EPT_WRITE;
    for (unsigned n = 0; n < run->count; n++) {
        if (ept_clear_in_leaf(&run->slots[n], run->level, flags) != 0)
            *flush = EPT_FLUSH_CONTEXT;
    }
}

enum ept_flush ept_dirty_prepare(struct ept *ept, uint64_t start, uint64_t end)
{
    enum ept_flush flush = EPT_FLUSH_NONE;

    ept_for_each_run(ept, start, end, prepare_run, &flush);
    return flush;
}

enum ept_status ept_dirty_begin(struct ept *ept, struct ept_dirty_log *log, enum ept_dirty_source source,
                                unsigned granularity, uint64_t size, uint64_t *words)
{
    enum ept_status status;
    uint64_t pages = size >> PAGE_SHIFT;
    size_t start[EPT_DIRTY_SUMMARIES + 1];
    enum ept_dirty_source picked;

    if (ept->dirty != NULL)
        status = EPT_BUSY;
    else if (size == 0 || (size & (EPT_PAGE_SIZE_4K - 1)) != 0)
        status = EPT_UNALIGNED;
    else if (size > UINT64_C(1) << ept->caps.guest_width)
        status = EPT_BEYOND_WIDTH;
    else if (source == EPT_DIRTY_BEST || (granularity != EPT_LEVEL_PT && granularity != EPT_LEVEL_PD))
        status = EPT_UNSUPPORTED;
    else
        status = ept_dirty_pick(&ept->caps, source, &picked);
    if (status != EPT_OK)
        return status;
    *log = (struct ept_dirty_log){.source = source,
                                  .granularity = granularity,
                                  .pages = pages,
                                  .bits = words,
                                  .summaries = lay_out(pages, start)};
    for (unsigned n = 0; n < log->summaries; n++)
        log->summary[n] = words + start[n];
    for (size_t n = 0; n < start[log->summaries]; n++)
        words[n] = 0;
    __atomic_store_n(&ept->dirty, log, __ATOMIC_RELEASE);
    ept_shape_changes(ept);
    return EPT_OK;
}

struct ept_change ept_dirty_start(struct ept *ept, struct ept_dirty_log *log, enum ept_dirty_source source,
                                  unsigned granularity, uint64_t size, uint64_t *words)
{
    struct ept_change change = {ept_dirty_begin(ept, log, source, granularity, size, words), EPT_FLUSH_NONE};

    if (change.status == EPT_OK)
        change.flush = ept_dirty_prepare(ept, 0, size);
    return change;
}

/* Gives back the W of what the list lets be written. */
struct restore {
    const struct ept_region *region;
};

static void restore_run(struct ept *ept, const struct ept_run *run, void *context)
{
    const struct ept_region *region = ((const struct restore *)context)->region;
    uint64_t size = ept_level_size(run->level);

    for (unsigned n = 0; n < run->count; n++) {
        uint64_t hpa = region->hpa + (run->gpa + n * size - region->gpa);
        struct ept_entry entry;

        do {
            entry = ept_load(&run->slots[n]);
            if ((entry.raw & (EPT_WRITE | EPT_SOFTWARE)) != 0 || !ept_is_good_leaf(ept, run->level, entry) ||
                ept_entry_address(entry) != hpa)
                break;
        } while (!ept_replace(&run->slots[n], entry, (struct ept_entry){entry.raw | EPT_WRITE}));
    }
}

void ept_dirty_restore(struct ept *ept, uint64_t start, uint64_t end)
{
    const struct ept_region *last = ept->regions->regions + ept->regions->count;

    for (const struct ept_region *region = ept_region_next(ept->regions, start);
         region != NULL && region < last && region->gpa < end; region++) {
        struct restore restore = {region};
        uint64_t from = region->gpa > start ? region->gpa : start, to = region->gpa + region->size;

        if ((region->rights & EPT_WRITE) != 0)
            ept_for_each_run(ept, from, to < end ? to : end, restore_run, &restore);
    }
}

enum ept_status ept_dirty_end(struct ept *ept)
{
    if (ept->dirty == NULL)
        return EPT_BUSY;
    __atomic_store_n(&ept->dirty, NULL, __ATOMIC_RELEASE);
    return EPT_OK;
}

struct ept_change ept_dirty_stop(struct ept *ept)
{
    const struct ept_dirty_log *log = ept->dirty;
    struct ept_change change = {ept_dirty_end(ept), EPT_FLUSH_NONE};

    /* Rights that are added need no flush: an access that a cached translation denies faults and drops it. */
    if (change.status == EPT_OK)
        ept_dirty_restore(ept, 0, log->pages << PAGE_SHIFT);
    return change;
}

const char *ept_dirty_source_name(enum ept_dirty_source source)
{
    static const char *const names[EPT_DIRTY_SOURCE_COUNT] = {"best", "PML", "dirty flags",
                                                              "write protection"};

    return (unsigned)source < EPT_DIRTY_SOURCE_COUNT ? names[source] : "?";
}
