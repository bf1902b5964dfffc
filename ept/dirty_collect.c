/* SPDX-License-Identifier: MIT */
/* A collection of the dirty log: what was written, once, and the pages log again. */
#include "ept/dirty.h"
#include "ept/leaves.h"

#define PAGE_SHIFT  12
#define BLOCK_PAGES 512u
#define BLOCK_WORDS (BLOCK_PAGES / 64)

/* FLAGS: from dirty flags to bits. A clean slot costs a load and a test. */
static void gather_run(struct ept *ept, const struct ept_run *run, void *context)
{
    struct ept_dirty_log *log = ept->dirty;
    uint64_t page = run->gpa >> PAGE_SHIFT, bits = 0;

    (void)context;
    if (run->level > EPT_LEVEL_PT) {
        if (ept_clear_in_leaf(run->slots, run->level, EPT_DIRTY) != 0)
            ept_dirty_note_write(ept, run->gpa, run->level);
        return;
    }
    /* The log begins at 0, so a run begins where a word does. */
    for (unsigned n = 0; n < run->count; n++) {
        if ((__atomic_load_n(&run->slots[n].raw, __ATOMIC_RELAXED) & EPT_DIRTY) != 0 &&
            ept_clear_in_leaf(&run->slots[n], EPT_LEVEL_PT, EPT_DIRTY) != 0)
            bits |= UINT64_C(1) << n % 64;
        if (bits != 0 && (n % 64 == 63 || n + 1 == run->count)) {
            ept_dirty_mark_word(log, (page + n) / 64, bits);
            bits = 0;
        }
    }
}

struct collection {
    struct ept_dirty_collected result;
    uint64_t left;               /* blocks that may still be taken */
    uint64_t once;               /* all ones: what the bitmap has already is not counted again */
    uint64_t taken[BLOCK_WORDS]; /* the bits of the block at hand */
};

/*
 * ept_clear_in_leaf() of one flag in the level-1 slots that `bits` names. One test does for an entry: an
 * empty or a frozen one has neither D nor W. Kept out of its caller for its registers' sake: this is what a
 * collection costs by the page.
 */
static __attribute__((noinline)) void clear_in_pages(struct ept_entry *slots, uint64_t bits, uint64_t flag)
{
    const uint64_t wanted = flag == EPT_WRITE ? EPT_WRITE | EPT_READ : flag;
    const uint64_t looked_at = wanted | EPT_SOFTWARE_TEMPORARY;

    do {
        uint64_t *slot = &slots[__builtin_ctzll(bits)].raw;
        uint64_t raw = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

        while (
            (raw & looked_at) == wanted &&
            !__atomic_compare_exchange_n(slot, &raw, raw - flag, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        }
        bits &= bits - 1;
    } while (bits != 0);
}

/* Makes a page of 2 MiB or more log again. False: it had not the flag, or is no page any more. */
static bool rearm_large(const struct ept_dirty_log *log, uint64_t block, uint64_t flag,
                        const struct ept_run *run, struct collection *collection)
{
    if (ept_clear_in_leaf(run->slots, run->level, flag) == 0)
        return false;
    /* PML logs one address of a large page, whatever else is written in it then. */
    for (unsigned n = 0; n < BLOCK_WORDS; n++) {
        uint64_t page = block * BLOCK_PAGES + n * UINT64_C(64);

        if (page < log->pages)
            collection->taken[n] =
                log->pages - page < 64 ? (UINT64_C(1) << (log->pages - page)) - 1 : UINT64_MAX;
    }
    return true;
}

/* Makes the pages of a block log again. `flag`: what tells a page that was written, and goes. */
static void rearm(struct ept *ept, const struct ept_dirty_log *log, uint64_t block, uint64_t flag,
                  struct collection *collection)
{
    struct ept_run run;

    /* A large page that another CPU splits meanwhile is looked for again: its parts have the flag. */
    do {
        if (!ept_find_run(ept, block * ept_level_size(EPT_LEVEL_PD), &run))
            return; /* not mapped any more: whoever took the leaf has noted what it knew */
    } while (run.level > EPT_LEVEL_PT && !rearm_large(log, block, flag, &run, collection) &&
             ept_is_table(ept, run.level, ept_load(run.slots)));
    if (run.level > EPT_LEVEL_PT)
        return;
    for (unsigned n = 0; n < BLOCK_WORDS; n++) {
        if (collection->taken[n] != 0)
            clear_in_pages(&run.slots[n * 64], collection->taken[n], flag);
    }
}

/* Set bits of a word, by halves, quarters, eighths. */
static unsigned count_bits(uint64_t word)
{
    word -= word >> 1 & UINT64_C(0x5555555555555555);
    word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
    word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)(word * UINT64_C(0x0101010101010101) >> 56);
}

static void take_block(struct ept *ept, struct ept_dirty_log *log, uint64_t block, uint64_t *bitmap,
                       struct collection *collection)
{
    uint64_t *words = &log->bits[block * BLOCK_WORDS], any = 0;

    for (unsigned n = 0; n < BLOCK_WORDS; n++) {
        collection->taken[n] = __atomic_load_n(&words[n], __ATOMIC_SEQ_CST);
        if (collection->taken[n] != 0)
            collection->taken[n] = __atomic_exchange_n(&words[n], 0, __ATOMIC_SEQ_CST);
        any |= collection->taken[n];
    }
    if (any == 0)
        return;
    /* The bit goes before the flag: a write in between is noted again, one after that faults or is logged
     * anew. */
    if (log->source != EPT_DIRTY_FLAGS)
        rearm(ept, log, block, log->source == EPT_DIRTY_PML ? EPT_DIRTY : EPT_WRITE, collection);
    for (unsigned n = 0; n < BLOCK_WORDS; n++) {
        uint64_t *word = &bitmap[block * BLOCK_WORDS + n];

        collection->result.pages += count_bits(collection->taken[n] & ~(*word & collection->once));
        *word |= collection->taken[n];
    }
    collection->result.flush = EPT_FLUSH_CONTEXT;
    collection->left--;
}

/* The bits of a word are set again, and those above it that lead there: from below, as who marks a block. */
static void put_back(struct ept_dirty_log *log, unsigned summary, uint64_t word, uint64_t bits)
{
    __atomic_fetch_or(&log->summary[summary][word], bits, __ATOMIC_SEQ_CST);
    while (++summary < log->summaries) {
        __atomic_fetch_or(&log->summary[summary][word / 64], UINT64_C(1) << word % 64, __ATOMIC_SEQ_CST);
        word /= 64;
    }
}

/* The bits of a word of a summary, and all below them. Recursion goes one summary down each time. */
static void take_word(struct ept *ept, struct ept_dirty_log *log, unsigned summary, uint64_t word,
                      uint64_t *bitmap, struct collection *collection)
{
    uint64_t bits = __atomic_exchange_n(&log->summary[summary][word], 0, __ATOMIC_SEQ_CST);

    for (; bits != 0; bits &= bits - 1) {
        uint64_t below = word * 64 + (unsigned)__builtin_ctzll(bits);

        if (collection->left == 0) {
            collection->result.more = true;
            put_back(log, summary, word, bits);
            return;
        }
        if (summary > 0)
            take_word(ept, log, summary - 1, below, bitmap, collection);
        else
            take_block(ept, log, below, bitmap, collection);
    }
}

void ept_dirty_gather(struct ept *ept, uint64_t start, uint64_t end)
{
    const struct ept_dirty_log *log = __atomic_load_n(&ept->dirty, __ATOMIC_ACQUIRE);

    if (log != NULL && log->source == EPT_DIRTY_FLAGS)
        ept_for_each_run(ept, start, end, gather_run, NULL);
}

/*
 * The flush is due for a page also where no flag was cleared here: then another CPU has taken the leaf or
 * cleared its flag, and may not have carried its own flush out yet. Until then a processor writes on by what
 * it has cached.
 */
static struct ept_dirty_collected take(struct ept *ept, uint64_t *bitmap, struct collection *collection)
{
    struct ept_dirty_log *log = __atomic_load_n(&ept->dirty, __ATOMIC_ACQUIRE);

    if (log != NULL)
        take_word(ept, log, log->summaries - 1, 0, bitmap, collection);
    return collection->result;
}

struct ept_dirty_collected ept_dirty_take(struct ept *ept, uint64_t *bitmap, uint64_t blocks)
{
    struct collection collection = {.left = blocks, .once = UINT64_MAX};

    return take(ept, bitmap, &collection);
}

struct ept_dirty_collected ept_dirty_collect(struct ept *ept, uint64_t *bitmap)
{
    const struct ept_dirty_log *log = __atomic_load_n(&ept->dirty, __ATOMIC_ACQUIRE);
    struct collection collection = {.left = UINT64_MAX};

    if (log != NULL)
        ept_dirty_gather(ept, 0, log->pages << PAGE_SHIFT);
    return take(ept, bitmap, &collection);
}
