/* SPDX-License-Identifier: MIT */
/* Large pages into smaller ones. */
#ifndef EPT_SPLIT_H
#define EPT_SPLIT_H

#include "ept/map.h"

/*
 * Splits what maps gpa until a leaf of `level` (1, 2) maps it; nothing to do if it is so already. The new
 * table is filled with the same translation, rights, type and A/D flags before it replaces the large page at
 * once, so no CPU sees anything missing. Any CPU. EPT_NOT_LISTED: gpa is not mapped. EPT_NO_FRAME_LEFT. The
 * flush is due: bit 7 of an entry has changed.
 */
EPT_MUST_CHECK struct ept_change ept_split(struct ept *ept, uint64_t gpa, unsigned level);

#endif
