/* SPDX-License-Identifier: MIT */
/* The words for enum ept_status. */
#include "ept/status.h"

const char *ept_status_text(enum ept_status status)
{
    static const char *const texts[EPT_STATUS_COUNT] = {
        [EPT_OK] = "ok",
        [EPT_NO_FRAME_LEFT] = "no frame left for a table",
        [EPT_BEYOND_WIDTH] = "address beyond the width that the processor can translate",
        [EPT_UNALIGNED] = "address or size is no multiple of 4 KiB, or the size is 0",
        [EPT_OVERLAP] = "regions overlap",
        [EPT_NOT_LISTED] = "nothing is there in the memory map",
        [EPT_LIST_FULL] = "too many regions",
        [EPT_BAD_RIGHTS] = "rights that no entry can have",
        [EPT_BAD_TYPE] = "no such memory type or kind",
        [EPT_UNSUPPORTED] = "not on this processor, or not at this level",
        [EPT_TOO_MANY] = "too many planted faults at a time",
        [EPT_BUSY] = "a dirty log runs and may not, or must and does not",
    };

    if ((unsigned)status >= EPT_STATUS_COUNT)
        return "?";
    return texts[status];
}
