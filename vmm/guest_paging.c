/* SPDX-License-Identifier: MIT */
/* The walk of a guest's paging structures: none, 32-bit, PAE, 4-level. */
#include "vmm/guest_paging.h"
#include "arch/x86/control_registers.h"

#define ENTRY_P UINT64_C(1)
#define ENTRY_RW UINT64_C(2)
#define ENTRY_US UINT64_C(4)
#define ENTRY_PWT UINT64_C(8)
#define ENTRY_PCD UINT64_C(0x10)
#define ENTRY_PS UINT64_C(0x80)
/* The bit PAT stands where a 4 KiB page's entry needs no PS. */
#define ENTRY_PAT_4K UINT64_C(0x80)
#define ENTRY_PAT_LARGE UINT64_C(0x1000)
#define ENTRY_XD (UINT64_C(1) << 63)
#define ADDRESS_MASK UINT64_C(0x000ffffffffff000)

/* What a walk has gathered: the AND of rights on the way down. */
struct walk {
    const struct guest_paging *paging;
    uint64_t linear_address;
    bool writable, user, no_execute;
    bool nx_enabled;
    bool reserved; /* a reserved bit was set */
    uint64_t leaf; /* the entry that maps the page */
};

enum step { STEP_TABLE, STEP_LEAF, STEP_NOT_PRESENT, STEP_NO_TABLE };

static bool read_entry(const struct walk *walk, uint64_t address, unsigned size, uint64_t *entry)
{
    uint64_t value;

    if (!walk->paging->read(walk->paging->context, address & ~UINT64_C(7), &value))
        return false;
    *entry = size == 4 ? (uint32_t)(value >> ((address & 4) * 8)) : value;
    return true;
}

static void gather(struct walk *walk, uint64_t entry, bool wide)
{
    walk->writable &= (entry & ENTRY_RW) != 0;
    walk->user &= (entry & ENTRY_US) != 0;
    if (!wide)
        return;
    if (entry & ENTRY_XD) {
        walk->no_execute |= walk->nx_enabled;
        walk->reserved |= !walk->nx_enabled;
    }
    if (walk->paging->phys_width < 52 && (entry & ADDRESS_MASK) >> walk->paging->phys_width)
        walk->reserved = true;
}

/* 32-bit paging: two levels of 1024 entries of 4 bytes; 4 MiB pages with CR4.PSE. */
static enum step walk_32(struct walk *walk, uint64_t *page, unsigned *shift)
{
    uint64_t linear = (uint32_t)walk->linear_address, entry;

    if (!read_entry(walk, (walk->paging->cr3 & 0xfffff000) + (linear >> 22) * 4, 4, &entry))
        return STEP_NO_TABLE;
    if (!(entry & ENTRY_P))
        return STEP_NOT_PRESENT;
    gather(walk, entry, false);
    walk->leaf = entry;
    if ((entry & ENTRY_PS) && (walk->paging->cr4 & CR4_PSE)) {
        *page = (entry & 0xffc00000) | ((entry >> 13) & 0xff) << 32; /* PSE-36 */
        *shift = 22;
        return STEP_LEAF;
    }
    if (!read_entry(walk, (entry & 0xfffff000) + ((linear >> 12) & 0x3ff) * 4, 4, &entry))
        return STEP_NO_TABLE;
    if (!(entry & ENTRY_P))
        return STEP_NOT_PRESENT;
    gather(walk, entry, false);
    walk->leaf = entry;
    *page = entry & 0xfffff000;
    *shift = 12;
    return STEP_LEAF;
}

/* PAE and 4-level paging below the top: entries of 8 bytes, 512 a table. `top` is the first level read here: 4, or 2 for PAE. */
static enum step walk_wide(struct walk *walk, uint64_t table, unsigned top, uint64_t *page, unsigned *shift)
{
    for (unsigned level = top;; level--) {
        unsigned level_shift = 12 + 9 * (level - 1);
        uint64_t entry;

        if (!read_entry(walk, table + ((walk->linear_address >> level_shift) & 0x1ff) * 8, 8, &entry))
            return STEP_NO_TABLE;
        if (!(entry & ENTRY_P))
            return STEP_NOT_PRESENT;
        gather(walk, entry, true);
        walk->leaf = entry;
        if (level == 4 && (entry & ENTRY_PS))
            walk->reserved = true;
        if (walk->reserved)
            return STEP_LEAF;
        if (level == 1 || (entry & ENTRY_PS)) {
            *page = entry & ADDRESS_MASK & ~((UINT64_C(1) << level_shift) - 1);
            *shift = level_shift;
            return STEP_LEAF;
        }
        table = entry & ADDRESS_MASK;
    }
}

static enum step walk_pae(struct walk *walk, uint64_t *page, unsigned *shift)
{
    uint64_t pdpte = walk->paging->pdpte[(uint32_t)walk->linear_address >> 30];

    walk->linear_address = (uint32_t)walk->linear_address;
    if (!(pdpte & ENTRY_P))
        return STEP_NOT_PRESENT;
    return walk_wide(walk, pdpte & ADDRESS_MASK, 2, page, shift);
}

/* SDM vol. 3, "Determination of Access Rights". */
static bool allowed(const struct walk *walk, enum guest_access access)
{
    const struct guest_paging *paging = walk->paging;

    if (paging->user) {
        if (!walk->user || (access == GUEST_ACCESS_WRITE && !walk->writable))
            return false;
        return access != GUEST_ACCESS_FETCH || !walk->no_execute;
    }
    if (access == GUEST_ACCESS_FETCH)
        return !walk->no_execute && !(walk->user && (paging->cr4 & CR4_SMEP));
    if (walk->user && (paging->cr4 & CR4_SMAP) && !paging->rflags_ac)
        return false;
    return access == GUEST_ACCESS_READ || walk->writable || !(paging->cr0 & CR0_WP);
}

/* The walk in the mode of the control registers; paging is on. */
static enum step walk_to_page(struct walk *walk, uint64_t *page, unsigned *shift)
{
    walk->nx_enabled = walk->paging->efer & EFER_NXE;
    if (walk->paging->efer & EFER_LMA)
        return walk_wide(walk, walk->paging->cr3 & ADDRESS_MASK, 4, page, shift);
    if (walk->paging->cr4 & CR4_PAE)
        return walk_pae(walk, page, shift);
    return walk_32(walk, page, shift);
}

must_check enum guest_paging_status guest_paging_translate(const struct guest_paging *paging, uint64_t linear_address,
                                                           enum guest_access access, uint64_t *guest_physical_address,
                                                           uint32_t *error_code)
{
    struct walk walk = {.paging = paging, .linear_address = linear_address, .writable = true, .user = true};
    uint64_t page = 0;
    unsigned shift = 12;
    enum step step;

    if (!(paging->cr0 & CR0_PG)) {
        *guest_physical_address = (uint32_t)linear_address;
        return GUEST_PAGING_OK;
    }
    step = walk_to_page(&walk, &page, &shift);
    if (step == STEP_NO_TABLE)
        return GUEST_PAGING_NO_TABLE;
    if (step == STEP_LEAF && !walk.reserved && allowed(&walk, access)) {
        *guest_physical_address = page + (linear_address & ((UINT64_C(1) << shift) - 1));
        return GUEST_PAGING_OK;
    }
    *error_code = (step == STEP_LEAF ? PAGE_FAULT_PRESENT : 0) | (walk.reserved ? PAGE_FAULT_RESERVED : 0) |
                  (access == GUEST_ACCESS_WRITE ? PAGE_FAULT_WRITE : 0) | (paging->user ? PAGE_FAULT_USER : 0);
    if (access == GUEST_ACCESS_FETCH && (walk.nx_enabled || (paging->cr4 & CR4_SMEP)))
        *error_code |= PAGE_FAULT_FETCH;
    return GUEST_PAGING_FAULT;
}

must_check bool guest_paging_pat_index(const struct guest_paging *paging, uint64_t linear_address,
                                       uint64_t *guest_physical_address, unsigned *pat_index)
{
    struct walk walk = {.paging = paging, .linear_address = linear_address, .writable = true, .user = true};
    uint64_t page = 0;
    unsigned shift = 12;

    if (!(paging->cr0 & CR0_PG) || walk_to_page(&walk, &page, &shift) != STEP_LEAF || walk.reserved)
        return false;
    *guest_physical_address = page + (linear_address & ((UINT64_C(1) << shift) - 1));
    *pat_index = (walk.leaf & (shift == 12 ? ENTRY_PAT_4K : ENTRY_PAT_LARGE) ? 4 : 0) | (walk.leaf & ENTRY_PCD ? 2 : 0) |
                 (walk.leaf & ENTRY_PWT ? 1 : 0);
    return true;
}
