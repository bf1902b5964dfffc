/* SPDX-License-Identifier: MIT */
/* Frames that the EPT's tables take for each GiB of guest memory, by page size: `NAME FRAMES` a line. A
 * program for this machine. */
#include <inttypes.h>
#include <stdio.h>

#include "ept/map.h"
#include "test/host/ept_pool.h"

#define FRAMES 4096
#define GIBS   4

/* Tables of a VM with so many GiB, all mapped; 0 if they cannot be. */
static uint64_t tables(uint64_t capabilities, uint64_t gibs)
{
    struct bed bed;
    uint64_t count = 0;

    if (bed_init(&bed, capabilities, 40, FRAMES) && bed_add(&bed, EPT_REGION_RAM, 0, gibs * GB, 0, RWX) &&
        ept_map_range(&bed.ept, 0, gibs * GB).status == EPT_OK)
        count = bed.ept.table_count;
    return bed_done(&bed) ? count : 0;
}

int main(void)
{
    static const struct {
        const char *name;
        uint64_t capabilities;
    } sizes[] = {{"4k", CAP_NO_LARGE}, {"2m", CAP_NO_1G}, {"1g", CAP_ALL}};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        uint64_t one = tables(sizes[i].capabilities, 1), all = tables(sizes[i].capabilities, GIBS + 1);

        if (one == 0 || all < one || (all - one) % GIBS != 0)
            return 1;
        printf("tables_per_gib_%s %" PRIu64 "\n", sizes[i].name, (all - one) / GIBS);
    }
    return 0;
}
