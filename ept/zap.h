/* SPDX-License-Identifier: MIT */
/* Taking translations away, and the life of table frames after that. */
#ifndef EPT_ZAP_H
#define EPT_ZAP_H

#include "ept/map.h"

/*
 * Unmaps every page that has a part in [gpa, gpa + size), of whatever size (a large page goes whole and comes
 * back smaller or the same by itself). Tables that are wholly inside are unlinked, frozen and retired. What
 * is beyond the guest-physical width is not mapped and passed over. Any CPU, beside faults. EPT_FLUSH_CONTEXT
 * if anything was mapped.
 */
EPT_MUST_CHECK enum ept_flush ept_zap(struct ept *ept, uint64_t gpa, uint64_t size);

/*
 * Gives retired table frames back, and returns how many. Only when the flush that ept_zap() or another
 * function asked for is done on every CPU that runs the VM, and no other CPU has been inside a function of
 * this EPT since before that flush (a shootdown that waits until each CPU has left its exit handler gives
 * both). Without it frames wait until ept_destroy().
 */
uint64_t ept_reclaim(struct ept *ept);

#endif
