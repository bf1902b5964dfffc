/* SPDX-License-Identifier: MIT */
/* What an operation of the EPT engine can answer, and the attribute that no answer may be dropped. */
#ifndef EPT_STATUS_H
#define EPT_STATUS_H

#define EPT_MUST_CHECK __attribute__((warn_unused_result))

enum ept_status {
    EPT_OK,
    EPT_NO_FRAME_LEFT, /* alloc_table gave none; what was done until then stays and is right */
    EPT_BEYOND_WIDTH,  /* a guest-physical or host-physical address that the processor or the walk cannot
                          express */
    EPT_UNALIGNED,     /* an address or size is no multiple of 4 KiB, or the size is 0 */
    EPT_OVERLAP,       /* two regions would hold the same guest-physical address */
    EPT_NOT_LISTED,    /* no region, a hole, or a region without any rights at the address */
    EPT_LIST_FULL,     /* the caller's array of regions has no room */
    EPT_BAD_RIGHTS,    /* write without read; execute-only where the processor cannot; more than R, W, X */
    EPT_BAD_TYPE,      /* a memory type that does not exist; a kind that does not exist */
    EPT_UNSUPPORTED,   /* the processor lacks it, or it would be no fault there */
    EPT_TOO_MANY,      /* more planted faults at a time than struct ept records */
    EPT_BUSY,          /* a dirty log runs and may not, or must and does not */
    EPT_STATUS_COUNT,
};

/* In words, for a message. Never NULL. */
const char *ept_status_text(enum ept_status status);

#endif
