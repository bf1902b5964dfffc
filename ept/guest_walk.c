/* SPDX-License-Identifier: MIT */
/* SDM vol. 3, "Hierarchical Paging Structures: an Overview" to "Access Rights" and "Page-Fault Exceptions".
 */
#include "ept/guest_walk.h"

#define CR0_PAGING          (UINT64_C(1) << 31)
#define CR0_WRITE_PROTECT   (UINT64_C(1) << 16)
#define CR4_PAGE_SIZE       (UINT64_C(1) << 4)
#define CR4_PAE_PAGING      (UINT64_C(1) << 5)
#define CR4_5_LEVEL         (UINT64_C(1) << 12)
#define CR4_PROCESS_CONTEXT (UINT64_C(1) << 17)
#define CR4_SMEP_ON         (UINT64_C(1) << 20)
#define CR4_SMAP_ON         (UINT64_C(1) << 21)
#define CR4_LAM_SUPERVISOR  (UINT64_C(1) << 28)
#define CR3_LAM_USER_57     (UINT64_C(1) << 61)
#define CR3_LAM_USER_48     (UINT64_C(1) << 62)
#define EFER_LONG_ACTIVE    (UINT64_C(1) << 10)
#define EFER_NX_ENABLED     (UINT64_C(1) << 11)

#define ADDRESS_MASK UINT64_C(0x000ffffffffff000)

/* Bits low to high, both included; none if high < low. */
static uint64_t bits(unsigned low, unsigned high)
{
    return high < low ? 0 : (UINT64_MAX >> (63 - (high - low))) << low;
}

enum guest_paging_mode guest_paging_mode(const struct guest_paging *paging)
{
    if (!(paging->cr0 & CR0_PAGING))
        return GUEST_MODE_NONE;
    if (!(paging->cr4 & CR4_PAE_PAGING))
        return GUEST_MODE_32_BIT;
    if (!(paging->efer & EFER_LONG_ACTIVE))
        return GUEST_MODE_PAE;
    return paging->cr4 & CR4_5_LEVEL ? GUEST_MODE_5_LEVEL : GUEST_MODE_4_LEVEL;
}

/* Of the two for user pointers the one with the narrower tag counts if both are set. */
unsigned guest_tag_from(const struct guest_paging *paging, bool upper_half)
{
    if (!(paging->efer & EFER_LONG_ACTIVE))
        return GUEST_TAG_NONE;
    if (upper_half)
        return !(paging->cr4 & CR4_LAM_SUPERVISOR) ? GUEST_TAG_NONE : paging->cr4 & CR4_5_LEVEL ? 57 : 48;
    return paging->cr3 & CR3_LAM_USER_57 ? 57 : paging->cr3 & CR3_LAM_USER_48 ? 48 : GUEST_TAG_NONE;
}

const char *guest_paging_mode_text(enum guest_paging_mode mode)
{
    static const char *const texts[] = {"no paging", "32-bit", "PAE", "4-level", "5-level"};

    return (unsigned)mode < sizeof(texts) / sizeof(texts[0]) ? texts[mode] : "?";
}

unsigned guest_pat_type(uint64_t pat, unsigned index)
{
    return (unsigned)(pat >> (8 * (index & 7))) & 7;
}

static bool execute_disable(const struct guest_paging *paging)
{
    return (paging->cr4 & CR4_PAE_PAGING) && (paging->efer & EFER_NX_ENABLED);
}

/* PCD and PWT of what references an entry select one of the first four PAT entries. */
static uint8_t table_pat_index(uint64_t reference)
{
    return (uint8_t)((reference & GUEST_ENTRY_PCD ? 2 : 0) | (reference & GUEST_ENTRY_PWT ? 1 : 0));
}

static uint8_t leaf_pat_index(uint64_t leaf, unsigned level)
{
    unsigned pat_bit = level == 1 ? 7 : 12;

    return (uint8_t)(table_pat_index(leaf) | (leaf >> pat_bit & 1) << 2);
}

static bool maps_page(const struct guest_paging *paging, enum guest_paging_mode mode, unsigned level,
                      uint64_t raw)
{
    if (level == 1)
        return true;
    if (!(raw & GUEST_ENTRY_LARGE))
        return false;
    if (mode == GUEST_MODE_32_BIT)
        return paging->cr4 & CR4_PAGE_SIZE;
    return level == 2 || (level == 3 && paging->large_1g);
}

/* The bits of a present entry that must be 0. */
static uint64_t reserved(const struct guest_paging *paging, enum guest_paging_mode mode, unsigned level,
                         bool leaf)
{
    uint64_t mask;

    if (mode == GUEST_MODE_32_BIT) /* PSE-36: 20:13 are address bits 39:32 */
        return leaf && level == 2
                   ? bits(21, 21) | (paging->physical_width < 40 ? bits(paging->physical_width - 19u, 20) : 0)
                   : 0;
    mask = bits(paging->physical_width, 51);
    if (mode == GUEST_MODE_PAE)
        mask |= bits(52, 62);
    if (!(paging->efer & EFER_NX_ENABLED))
        mask |= GUEST_ENTRY_NO_EXECUTE;
    if (leaf && level > 1)
        mask |= bits(13, 11 + 9 * (level - 1));
    if (!leaf) /* bit 7, where it would not have made it a leaf */
        mask |= GUEST_ENTRY_LARGE;
    return mask;
}

static uint64_t page_frame(enum guest_paging_mode mode, unsigned level, unsigned shift, uint64_t raw)
{
    if (mode == GUEST_MODE_32_BIT && level == 2)
        return (raw & 0xffc00000) | (raw >> 13 & 0xff) << 32;
    return raw & ADDRESS_MASK & ~bits(0, shift - 1);
}

static bool is_write(enum guest_access access)
{
    return access == GUEST_ACCESS_WRITE || access == GUEST_ACCESS_READ_WRITE;
}

/* SDM vol. 3, "Determination of Access Rights". */
static bool allowed(const struct guest_paging *paging, const struct guest_walk *walk,
                    enum guest_access access)
{
    if (paging->user) {
        if (!walk->user || (is_write(access) && !walk->writable))
            return false;
        return access != GUEST_ACCESS_FETCH || !walk->no_execute;
    }
    if (access == GUEST_ACCESS_FETCH)
        return !walk->no_execute && !(walk->user && (paging->cr4 & CR4_SMEP_ON));
    if (walk->user && (paging->cr4 & CR4_SMAP_ON) && !paging->rflags_ac)
        return false;
    return !is_write(access) || walk->writable || !(paging->cr0 & CR0_WRITE_PROTECT);
}

static void fault(const struct guest_paging *paging, struct guest_walk *walk, enum guest_access access,
                  uint32_t flags)
{
    walk->status = GUEST_PAGING_FAULT;
    walk->error_code =
        flags | (is_write(access) ? PAGE_FAULT_WRITE : 0) | (paging->user ? PAGE_FAULT_USER : 0);
    if (access == GUEST_ACCESS_FETCH && (execute_disable(paging) || (paging->cr4 & CR4_SMEP_ON)))
        walk->error_code |= PAGE_FAULT_FETCH;
}

/* From the table of level `top` down to the page; `reference` is what references the table. */
static void descend(const struct guest_paging *paging, struct guest_walk *walk, uint64_t linear,
                    enum guest_access access, uint64_t reference, unsigned top)
{
    unsigned index_bits = walk->mode == GUEST_MODE_32_BIT ? 10 : 9;
    uint8_t size = walk->mode == GUEST_MODE_32_BIT ? 4 : 8;

    for (unsigned level = top;; level--) {
        struct guest_walk_step *step = &walk->steps[walk->count];
        unsigned shift = 12 + index_bits * (level - 1);
        uint64_t table = reference & (walk->mode == GUEST_MODE_32_BIT ? UINT64_C(0xfffff000) : ADDRESS_MASK);

        step->gpa = table + (linear >> shift & bits(0, index_bits - 1)) * size;
        step->level = (uint8_t)level;
        step->size = size;
        step->pat_index = table_pat_index(reference);
        if (!paging->read(paging->context, step->gpa, size, &step->raw)) {
            walk->status = GUEST_PAGING_NO_TABLE;
            walk->gpa = step->gpa;
            return;
        }
        walk->count++;
        if (!(step->raw & GUEST_ENTRY_PRESENT))
            return fault(paging, walk, access, 0);
        step->leaf = maps_page(paging, walk->mode, level, step->raw);
        if (step->raw & reserved(paging, walk->mode, level, step->leaf))
            return fault(paging, walk, access, PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED);
        walk->writable &= (step->raw & GUEST_ENTRY_WRITE) != 0;
        walk->user &= (step->raw & GUEST_ENTRY_USER) != 0;
        walk->no_execute |= size == 8 && (step->raw & GUEST_ENTRY_NO_EXECUTE) != 0;
        if (step->leaf) {
            walk->page_shift = (uint8_t)shift;
            walk->pat_index = leaf_pat_index(step->raw, level);
            walk->gpa = page_frame(walk->mode, level, shift, step->raw) | (linear & bits(0, shift - 1));
            break;
        }
        reference = step->raw;
    }
    if (!allowed(paging, walk, access))
        fault(paging, walk, access, PAGE_FAULT_PRESENT);
}

static bool canonical(uint64_t linear, unsigned width)
{
    uint64_t top = linear >> (width - 1);

    return top == 0 || top == bits(0, 64 - width);
}

/* 4-level and 5-level paging. The bits below a tag must be canonical on their own. */
static void walk_long(const struct guest_paging *paging, struct guest_walk *walk, uint64_t linear,
                      enum guest_access access, uint64_t root)
{
    bool five = walk->mode == GUEST_MODE_5_LEVEL;
    unsigned width = five ? 57 : 48;

    if (access != GUEST_ACCESS_FETCH) {
        unsigned tag_from = guest_tag_from(paging, linear >> 63);

        linear = guest_untag(linear, tag_from);
        if (tag_from < width)
            width = tag_from;
    }
    if (!canonical(linear, width))
        walk->status = GUEST_PAGING_NOT_CANONICAL;
    else
        descend(paging, walk, linear, access, root, five ? 5 : 4);
}

struct guest_walk guest_walk(const struct guest_paging *paging, uint64_t linear_address,
                             enum guest_access access)
{
    struct guest_walk walk = {.mode = guest_paging_mode(paging),
                              .status = GUEST_PAGING_OK,
                              .writable = true,
                              .user = true,
                              .page_shift = 12};
    /* CR3 as a reference. With process-context identifiers its low bits are no PCD and PWT. */
    uint64_t root = paging->cr4 & CR4_PROCESS_CONTEXT ? paging->cr3 & ADDRESS_MASK : paging->cr3;

    if (walk.mode < GUEST_MODE_4_LEVEL)
        linear_address &= UINT32_MAX;
    switch (walk.mode) {
    case GUEST_MODE_NONE:
        walk.gpa = linear_address;
        break;
    case GUEST_MODE_32_BIT:
        descend(paging, &walk, linear_address, access, root, 2);
        break;
    case GUEST_MODE_PAE:
        walk.steps[0].raw = paging->pdpte[linear_address >> 30];
        walk.steps[0].level = 3;
        walk.count = 1;
        if (walk.steps[0].raw & GUEST_ENTRY_PRESENT)
            descend(paging, &walk, linear_address, access, walk.steps[0].raw, 2);
        else
            fault(paging, &walk, access, 0);
        break;
    default:
        walk_long(paging, &walk, linear_address, access, root);
    }
    return walk;
}
