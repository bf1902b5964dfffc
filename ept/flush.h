/* SPDX-License-Identifier: MIT */
/*
 * The flush that a change of EPT entries asks for. The engine never executes INVEPT: its caller carries the
 * request out before it relies on the change. README.md has the table of which operation asks for which.
 */
#ifndef EPT_FLUSH_H
#define EPT_FLUSH_H

#include "ept/entry.h"
#include "ept/status.h"
#include <stdbool.h>

struct ept_caps;

/* Ordered: the larger includes the smaller. */
enum ept_flush {
    EPT_FLUSH_NONE,    /* nothing: no processor can hold anything stale that it would not drop by itself */
    EPT_FLUSH_CONTEXT, /* single-context INVEPT with this VM's EPTP, on every CPU that has entered the VM
                          since its last one */
};

/* What an operation has done and the flush it needs; the flush is due even if the status is not EPT_OK. */
struct ept_change {
    enum ept_status status;
    enum ept_flush flush;
};

static inline EPT_MUST_CHECK enum ept_flush ept_flush_both(enum ept_flush left, enum ept_flush right)
{
    return left > right ? left : right;
}

/*
 * The flush that replacing one entry of a level (1..5) by another asks for. SDM vol. 3, "Guidelines for Use
 * of the INVEPT Instruction": a privilege bit cleared; another address; bit 7 of a PDE or PDPTE changed; in a
 * leaf, another memory type or IPAT; the accessed flag cleared, in a leaf the dirty flag cleared (both only
 * where A/D flags are in use). An entry that is not present or is misconfigured was never cached ("Caching
 * Translation Information"), so nothing is stale after replacing it.
 */
EPT_MUST_CHECK enum ept_flush ept_flush_for_change(const struct ept_caps *caps, unsigned level,
                                                   struct ept_entry old, struct ept_entry new_entry);

#endif
