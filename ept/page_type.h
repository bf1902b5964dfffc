/* SPDX-License-Identifier: MIT */
/*
 * The memory type that a leaf must have: what the machine's MTRRs (or the region) say of the host-physical
 * address and what the guest's own MTRRs say of the guest-physical one, put together. Under EPT processors
 * consult neither for a guest's accesses: SDM vol. 3, "EPT and Memory Typing".
 */
#ifndef EPT_PAGE_TYPE_H
#define EPT_PAGE_TYPE_H

#include "ept/map.h"

/*
 * The weaker of two promises about caching: WB gives way to any type, equal types stay, and of two others
 * that differ neither may be assumed: UC.
 */
enum memory_type ept_combine_types(enum memory_type machine, enum memory_type guest);

/* Inside the engine: ept_page_type() below what the inline part settles. */
EPT_MUST_CHECK bool ept_page_type_mixed(const struct ept *ept, const struct ept_region *region, uint64_t gpa,
                                        uint64_t size, enum memory_type *type);

/*
 * True, and *type, if [gpa, gpa + size), all of it in `region`, has one type. 4 KiB always have. Any CPU.
 */
EPT_MUST_CHECK static inline bool ept_page_type(const struct ept *ept, const struct ept_region *region,
                                                uint64_t gpa, uint64_t size, enum memory_type *type)
{
    if (gpa < ept->guest_types_end)
        return ept_page_type_mixed(ept, region, gpa, size, type);
    *type = (enum memory_type)region->memory_type;
    return !region->type_from_mtrr ||
           mtrr_type_uniform(ept->mtrr, region->hpa + (gpa - region->gpa), size, type);
}

/*
 * Gives the VM's guest-physical memory the types of these MTRRs, which are copied, and zaps exactly what was
 * mapped with another type. NULL: WB everywhere, as after ept_init(). No other CPU may be in a function of
 * this EPT meanwhile; guests may run: they use the old types until the flush. Where masks with gaps cut a
 * 2 MiB page's addresses into many pieces they are zapped as a whole.
 */
EPT_MUST_CHECK enum ept_flush ept_set_guest_mtrr(struct ept *ept, const struct mtrr_snapshot *mtrr);

/*
 * The same in parts, for a VM whose guest is to run between them: begin, then step until it returns false.
 * From begin on faults map by the new types; a step zaps what was mapped before, in [start, end).
 */
struct ept_retyped {
    uint64_t start, end;
    enum ept_flush flush;
};
void ept_guest_mtrr_begin(struct ept *ept, const struct mtrr_snapshot *mtrr);
EPT_MUST_CHECK bool ept_guest_mtrr_step(struct ept *ept, struct ept_retyped *part);

/* Whether there are steps to be made. */
static inline bool ept_guest_mtrr_pending(const struct ept *ept)
{
    return ept->old_types_from != UINT64_MAX;
}

#endif
