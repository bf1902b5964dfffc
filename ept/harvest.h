/* SPDX-License-Identifier: MIT */
/* Harvesting the accessed and dirty flags that processors set in leaves. */
#ifndef EPT_HARVEST_H
#define EPT_HARVEST_H

#include "ept/map.h"

struct ept_harvest {
    enum ept_status status;
    enum ept_flush flush;
    uint64_t accessed, dirty; /* 4 KiB pages of the range whose leaf had the flag, if it was asked for */
};

/* A part of the range that one leaf translates, and which of the flags asked for were set in it. */
typedef void ept_harvest_page(void *context, uint64_t gpa, uint64_t size, uint64_t flags);

/*
 * Reads and clears `flags` (EPT_ACCESSED, EPT_DIRTY or both) in the leaves of [gpa, gpa + size), each by one
 * compare-and-exchange: a flag that a processor sets is either returned or left for the next time. A large
 * page that reaches beyond the range is reported for its part inside and keeps its flags, which are also
 * those of the rest. `page` (may be NULL) is called for each leaf with a flag set. Until the flush is done a
 * processor need not set a cleared flag again. A dirty flag that is cleared while a dirty log runs is noted
 * in the log. Any CPU, beside faults, zaps and other harvests. EPT_UNALIGNED, EPT_UNSUPPORTED: the EPT has no
 * accessed and dirty flags.
 */
EPT_MUST_CHECK struct ept_harvest ept_harvest(struct ept *ept, uint64_t gpa, uint64_t size, uint64_t flags,
                                              ept_harvest_page *page, void *context);

/*
 * The idle-page map: bit n of `bitmap` (bit n % 64 of word n / 64) becomes 1 if the n-th 4 KiB page of the
 * range was not accessed since the last harvest of its accessed flag, or is not mapped, else 0. All (size /
 * 4096 + 63) / 64 words are written; bits behind the range are 0. Clears accessed flags. Otherwise as
 * ept_harvest().
 */
EPT_MUST_CHECK struct ept_harvest ept_harvest_idle(struct ept *ept, uint64_t gpa, uint64_t size,
                                                   uint64_t *bitmap);

/*
 * A part of the same, [gpa, gpa + size), of a range from `base` on of which all below is done: writes its
 * bits, and clears those that follow in its last word.
 */
EPT_MUST_CHECK struct ept_harvest ept_harvest_idle_part(struct ept *ept, uint64_t base, uint64_t gpa,
                                                        uint64_t size, uint64_t *bitmap);

#endif
