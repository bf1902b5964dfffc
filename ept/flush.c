/* SPDX-License-Identifier: MIT */
/* Which flush a changed entry needs. README.md has the table. */
#include "ept/flush.h"
#include "ept/caps.h"
#include "ept/misconfig.h"

enum ept_flush ept_flush_for_change(const struct ept_caps *caps, unsigned level, struct ept_entry old,
                                    struct ept_entry new_entry)
{
    uint64_t offending;
    uint64_t cleared = old.raw & ~new_entry.raw;
    uint64_t changed = old.raw ^ new_entry.raw;
    bool leaf = ept_entry_maps_page(old, level);

    /* "No guest-physical mapping is created with information derived from" such entries. */
    if (!ept_entry_present(old) || ept_misconfig_reasons(caps, level, old, &offending) != 0)
        return EPT_FLUSH_NONE;
    if ((cleared & EPT_RIGHTS) != 0 || ept_misconfig_reasons(caps, level, new_entry, &offending) != 0)
        return EPT_FLUSH_CONTEXT;
    if ((changed & EPT_ADDRESS) != 0 || leaf != ept_entry_maps_page(new_entry, level))
        return EPT_FLUSH_CONTEXT;
    if (leaf && (changed & (EPT_MEMORY_TYPE | EPT_IGNORE_PAT)) != 0)
        return EPT_FLUSH_CONTEXT;
    if (caps->accessed_dirty && (cleared & (leaf ? EPT_ACCESSED | EPT_DIRTY : EPT_ACCESSED)) != 0)
        return EPT_FLUSH_CONTEXT;
    return EPT_FLUSH_NONE;
}
