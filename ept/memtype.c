/* SPDX-License-Identifier: MIT */
/* MTRR snapshot to memory type. SDM vol. 3, "Memory Type Range Registers (MTRRs)" and "MTRR Precedences". */
#include "ept/memtype.h"
#include <stddef.h>

#define DEF_TYPE_FIXED   (UINT64_C(1) << 10)
#define DEF_TYPE_ENABLED (UINT64_C(1) << 11)
#define CAP_FIXED        (UINT64_C(1) << 8)
#define MASK_VALID       (UINT64_C(1) << 11)
#define ONE_MIB          UINT64_C(0x100000)
#define ADDRESS_END      UINT64_MAX

/* A range that is cut into more pieces than this counts as not uniform: masks with gaps can make very many.
 */
#define PIECES_MAX 4096
/* Working a guest's registers out is part of its WRMSR. */
#define WORKED_OUT_MAX 512

/* Where the first fixed range of a register begins, and the size of each of its eight ranges. */
static const struct {
    uint32_t base, size;
} fixed_ranges[MTRR_SNAPSHOT_FIXED] = {
    {0x00000, 0x10000}, {0x80000, 0x4000}, {0xa0000, 0x4000}, {0xc0000, 0x1000},
    {0xc8000, 0x1000},  {0xd0000, 0x1000}, {0xd8000, 0x1000}, {0xe0000, 0x1000},
    {0xe8000, 0x1000},  {0xf0000, 0x1000}, {0xf8000, 0x1000},
};

bool memory_type_valid(unsigned type)
{
    return type <= MEMORY_TYPE_WC || (type >= MEMORY_TYPE_WT && type <= MEMORY_TYPE_WB);
}

const char *memory_type_name(enum memory_type type)
{
    static const char *const names[] = {"UC", "WC", "?", "?", "WT", "WP", "WB"};

    if ((unsigned)type >= sizeof(names) / sizeof(names[0]))
        return "?";
    return names[type];
}

/* The processor refuses reserved values in these registers; should one be read all the same, it is UC. */
static enum memory_type type_of(uint64_t field)
{
    unsigned type = (unsigned)(field & 0xff);

    return memory_type_valid(type) ? (enum memory_type)type : MEMORY_TYPE_UC;
}

static struct memory_type_range fixed_type_at(const struct mtrr_snapshot *mtrr, uint64_t hpa)
{
    unsigned n = MTRR_SNAPSHOT_FIXED - 1;
    unsigned piece;

    while (hpa < fixed_ranges[n].base)
        n--;
    piece = (unsigned)(hpa - fixed_ranges[n].base) / fixed_ranges[n].size;
    return (struct memory_type_range){.type = type_of(mtrr->fixed[n] >> 8 * piece),
                                      .end =
                                          fixed_ranges[n].base + (uint64_t)(piece + 1) * fixed_ranges[n].size,
                                      .source = MTRR_SOURCE_FIXED};
}

/* One variable range at an address: does it match, and up to where is that answer certain? */
static bool variable_matches(uint64_t base, uint64_t mask, uint64_t top, uint64_t hpa, uint64_t *end)
{
    uint64_t lowest = mask & (~mask + 1);
    bool matches = (hpa & mask) == (base & mask);

    if (mask == 0) {
        *end = ADDRESS_END;
    } else if ((mask | (lowest - 1)) == top) {
        /* No gaps in the mask: one range of `lowest` bytes. */
        uint64_t start = base & mask;

        if (matches)
            *end = start + lowest;
        else
            *end = hpa < start ? start : ADDRESS_END;
    } else {
        *end = (hpa | (lowest - 1)) + 1;
    }
    return matches;
}

/* SDM vol. 3, "MTRR Precedences": the type of an address in variable ranges of these types (bit n: type n),
 * of which there is one at least. */
static enum memory_type overlap(unsigned types, enum mtrr_source *source)
{
    const unsigned wt = 1u << MEMORY_TYPE_WT, wb = 1u << MEMORY_TYPE_WB;

    *source = MTRR_SOURCE_VARIABLE;
    if ((types & (types - 1)) == 0)
        return (enum memory_type)__builtin_ctz(types);
    *source = MTRR_SOURCE_OVERLAP_UC;
    if (types & 1u << MEMORY_TYPE_UC)
        return MEMORY_TYPE_UC;
    *source = MTRR_SOURCE_OVERLAP_WT;
    if (types == (wt | wb))
        return MEMORY_TYPE_WT;
    *source = MTRR_SOURCE_UNDEFINED;
    return MEMORY_TYPE_UC;
}

struct memory_type_range mtrr_type_at(const struct mtrr_snapshot *mtrr, uint64_t hpa)
{
    struct memory_type_range result = {
        .type = type_of(mtrr->def_type), .end = ADDRESS_END, .source = MTRR_SOURCE_DEFAULT};
    unsigned width = mtrr->phys_width < 32 ? 32 : mtrr->phys_width > 52 ? 52 : mtrr->phys_width;
    uint64_t top = (UINT64_C(1) << width) - 1;
    unsigned types = 0;

    if ((mtrr->def_type & DEF_TYPE_ENABLED) == 0)
        return (struct memory_type_range){
            .type = MEMORY_TYPE_UC, .end = ADDRESS_END, .source = MTRR_SOURCE_DISABLED};
    if ((mtrr->def_type & DEF_TYPE_FIXED) != 0 && (mtrr->cap & CAP_FIXED) != 0 && hpa < ONE_MIB)
        return fixed_type_at(mtrr, hpa);
    if (hpa > top)
        return result;

    for (unsigned n = 0; n < mtrr->variable_count && n < MTRR_SNAPSHOT_VARIABLE; n++) {
        uint64_t base = mtrr->variable[n].base;
        uint64_t mask = mtrr->variable[n].mask;
        uint64_t end;

        if ((mask & MASK_VALID) == 0)
            continue;
        if (variable_matches(base & top & ~UINT64_C(0xfff), mask & top & ~UINT64_C(0xfff), top, hpa, &end)) {
            types |= 1u << type_of(base);
            result.variable |= UINT32_C(1) << n;
        }
        if (end < result.end)
            result.end = end;
    }
    if (types != 0)
        result.type = overlap(types, &result.source);
    if (result.end > top)
        result.end = type_of(mtrr->def_type) == result.type ? ADDRESS_END : top + 1;
    return result;
}

bool mtrr_type_uniform_slow(const struct mtrr_snapshot *mtrr, uint64_t hpa, uint64_t size,
                            enum memory_type *type)
{
    struct memory_type_range piece = mtrr_type_at(mtrr, hpa);

    *type = piece.type;
    for (unsigned pieces = 1; piece.end - hpa < size; pieces++) {
        if (pieces == PIECES_MAX)
            return false;
        piece = mtrr_type_at(mtrr, piece.end);
        if (piece.type != *type)
            return false;
    }
    return true;
}

struct memory_type_range mtrr_range_at(const struct mtrr_snapshot *mtrr, uint64_t hpa)
{
    struct memory_type_range result = mtrr_type_at(mtrr, hpa);

    for (unsigned pieces = 1; result.end != ADDRESS_END && pieces < PIECES_MAX; pieces++) {
        struct memory_type_range next = mtrr_type_at(mtrr, result.end);

        if (next.type != result.type)
            break;
        result.end = next.end;
    }
    return result;
}

void mtrr_work_out(struct mtrr_snapshot *mtrr)
{
    uint64_t at = 0;

    mtrr->stretch_count = 0;
    for (unsigned pieces = 0; pieces < WORKED_OUT_MAX; pieces++) {
        struct memory_type_range piece = mtrr_type_at(mtrr, at);
        unsigned n = mtrr->stretch_count;

        if (n == 0 || mtrr->stretch_type[n - 1] != piece.type) {
            if (n == MTRR_STRETCHES_MAX)
                return;
            mtrr->stretch_type[n++] = (uint8_t)piece.type;
        }
        mtrr->stretch_end[n - 1] = piece.end;
        mtrr->stretch_count = n;
        if (piece.end == ADDRESS_END)
            return;
        at = piece.end;
    }
    mtrr->stretch_count--; /* nobody knows how far the last one goes */
}

struct memory_type_stretch mtrr_stretch_at(const struct mtrr_snapshot *mtrr, uint64_t hpa)
{
    unsigned n = mtrr_stretch_of(mtrr, hpa);
    struct memory_type_range range;

    if (n < mtrr->stretch_count)
        return (struct memory_type_stretch){.start = n > 0 ? mtrr->stretch_end[n - 1] : 0,
                                            .end = mtrr->stretch_end[n],
                                            .type = (enum memory_type)mtrr->stretch_type[n]};
    range = mtrr_type_at(mtrr, hpa);
    return (struct memory_type_stretch){
        .start = hpa & ~UINT64_C(0xfff), .end = range.end, .type = range.type};
}

const char *mtrr_source_text(enum mtrr_source source)
{
    static const char *const texts[] = {
        [MTRR_SOURCE_DISABLED] = "the MTRRs are off",
        [MTRR_SOURCE_FIXED] = "a fixed range",
        [MTRR_SOURCE_VARIABLE] = "variable range",
        [MTRR_SOURCE_OVERLAP_UC] = "variable ranges overlap, UC wins",
        [MTRR_SOURCE_OVERLAP_WT] = "variable ranges overlap, WT wins over WB",
        [MTRR_SOURCE_UNDEFINED] = "variable ranges overlap in a way the manual leaves undefined, taken as UC",
        [MTRR_SOURCE_DEFAULT] = "no range holds it, the default type",
    };

    _Static_assert(sizeof(texts) / sizeof(texts[0]) == MTRR_SOURCE_COUNT, "a text for each source");
    return (unsigned)source < MTRR_SOURCE_COUNT ? texts[source] : "?";
}
