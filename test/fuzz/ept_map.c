/* SPDX-License-Identifier: MIT */
/* Fuzzes the EPT engine: region list, faults, plants, repairs, zaps and corrupted entries, against the model
 * of the host tests. */
#include "test/host/ept_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_entry(const uint8_t *data, size_t size)
{
    struct ept_caps caps;
    uint64_t word[2];
    uint64_t offending;

    if (size < sizeof(word))
        return;
    memcpy(word, data, sizeof(word));
    if (ept_caps_init(&caps, word[0], (unsigned)(word[0] >> 48 & 63)) != EPT_OK)
        return;
    for (unsigned level = 1; level <= EPT_LEVEL_MAX; level++) {
        struct ept_entry entry = {word[1]};
        uint32_t reasons = ept_misconfig_reasons(&caps, level, entry, &offending);

        require((reasons != 0) == (offending != 0));
        require(reasons == 0 || ept_entry_present(entry));
        require((offending & ~(entry.raw | EPT_RIGHTS | EPT_MEMORY_TYPE)) == 0);
        require(ept_flush_for_change(&caps, level, entry, entry) == EPT_FLUSH_NONE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    one_entry(data, size);
    if (size > 0)
        (void)model_run(data, size);
    return 0;
}
