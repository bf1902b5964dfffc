/* SPDX-License-Identifier: MIT */
/* The rules of SDM vol. 3, "EPT Misconfigurations", and the repair of what breaks them. */
#include "ept/misconfig.h"
#include "ept/planted.h"
#include "ept/table.h"

static uint32_t rights_reason(const struct ept_caps *caps, struct ept_entry entry)
{
    switch (ept_entry_rights(entry)) {
    case EPT_WRITE:
        return EPT_REASON_WRITE_ONLY;
    case EPT_WRITE | EPT_EXECUTE:
        return EPT_REASON_WRITE_EXECUTE;
    case EPT_EXECUTE:
        return caps->execute_only ? 0 : EPT_REASON_EXECUTE_ONLY;
    default:
        return 0;
    }
}

uint32_t ept_misconfig_reasons(const struct ept_caps *caps, unsigned level, struct ept_entry entry,
                               uint64_t *offending)
{
    uint32_t reasons;
    uint64_t low_address;
    bool bit_7_reserved = level > EPT_LEVEL_PDPT || !ept_caps_leaf(caps, level);

    *offending = 0;
    if (!ept_entry_present(entry))
        return 0;

    reasons = rights_reason(caps, entry);
    if (reasons != 0)
        *offending |= EPT_RIGHTS;
    if ((entry.raw & caps->reserved_address) != 0) {
        reasons |= EPT_REASON_ADDRESS;
        *offending |= entry.raw & caps->reserved_address;
    }
    if (!bit_7_reserved && ept_entry_maps_page(entry, level)) {
        if (!memory_type_valid(ept_entry_memory_type(entry))) {
            reasons |= EPT_REASON_MEMORY_TYPE;
            *offending |= EPT_MEMORY_TYPE;
        }
        low_address = entry.raw & EPT_ADDRESS & (ept_level_size(level) - 1);
        if (low_address != 0) {
            reasons |= EPT_REASON_ALIGNMENT;
            *offending |= low_address;
        }
        return reasons;
    }
    if ((entry.raw & EPT_TABLE_RESERVED) != 0) {
        reasons |= EPT_REASON_TABLE_BITS;
        *offending |= entry.raw & EPT_TABLE_RESERVED;
    }
    if (bit_7_reserved && (entry.raw & EPT_LARGE) != 0) {
        reasons |= EPT_REASON_BIT_7;
        *offending |= EPT_LARGE;
    }
    return reasons;
}

struct ept_misconfig ept_misconfig_analyse(struct ept *ept, uint64_t gpa)
{
    struct ept_misconfig result = {.count = 0};
    struct ept_cursor cursor = {.flush = EPT_FLUSH_NONE};

    if (gpa >> ept->caps.guest_width != 0)
        return result;
    ept_cursor_start(ept, gpa, &cursor);
    do {
        uint64_t offending;
        uint32_t reasons = ept_misconfig_reasons(&ept->caps, cursor.level, cursor.entry, &offending);
        struct ept_entry original;

        if (reasons != 0)
            result.entries[result.count++] = (struct ept_misconfig_entry){
                .entry_hpa = cursor.slot_hpa,
                .entry = cursor.entry,
                .offending = offending,
                .reasons = reasons,
                .level = (uint8_t)cursor.level,
            };
        if (ept_planted_original(ept, cursor.slot_hpa, cursor.entry, &original))
            cursor.entry = original;
    } while (ept_cursor_down(ept, gpa, &cursor));
    return result;
}

const char *ept_misconfig_reason_text(uint32_t reason)
{
    static const char *const texts[EPT_REASON_COUNT] = {
        "write without read",
        "write and execute without read",
        "execute-only, which this processor does not have",
        "reserved memory type",
        "reserved bits 6:3 of an entry that references a table",
        "bit 7 where this processor has no page of that size",
        "address beyond the physical-address width",
        "address below the size of a large page",
    };

    for (unsigned n = 0; n < EPT_REASON_COUNT; n++) {
        if (reason == 1u << n)
            return texts[n];
    }
    return "?";
}

enum ept_plant_kind ept_misconfig_plant_kind(const struct ept_misconfig_entry *entry)
{
    if ((entry->reasons & EPT_REASON_WRITE_ONLY) != 0)
        return EPT_PLANT_WRITE_ONLY;
    if ((entry->reasons & EPT_REASON_WRITE_EXECUTE) != 0)
        return EPT_PLANT_WRITE_EXECUTE;
    if ((entry->reasons & EPT_REASON_EXECUTE_ONLY) != 0)
        return EPT_PLANT_EXECUTE_ONLY;
    if ((entry->reasons & EPT_REASON_MEMORY_TYPE) != 0) {
        unsigned type = ept_entry_memory_type(entry->entry);

        if (type == 7)
            return EPT_PLANT_MEMORY_TYPE_7;
        return type == 2 ? EPT_PLANT_MEMORY_TYPE_2 : EPT_PLANT_MEMORY_TYPE_3;
    }
    if ((entry->reasons & EPT_REASON_TABLE_BITS) != 0)
        return EPT_PLANT_RESERVED_LOW;
    if ((entry->reasons & EPT_REASON_BIT_7) != 0)
        return EPT_PLANT_LARGE_PAGE;
    return (entry->reasons & EPT_REASON_ADDRESS) != 0 ? EPT_PLANT_RESERVED_ADDRESS
                                                      : EPT_PLANT_RESERVED_ALIGNMENT;
}

struct ept_fault_result ept_repair(struct ept *ept, uint64_t gpa, unsigned access)
{
    struct ept_fault_result result = ept_fault(ept, gpa, access);
    struct ept_cursor cursor = {.flush = EPT_FLUSH_NONE};

    if (ept_fault_resolved(result.kind) || result.kind == EPT_FAULT_BEYOND_WIDTH)
        return result;
    /* The list has no page for this access, so nobody has walked: what is wrong goes all the same. */
    ept_cursor_start(ept, gpa, &cursor);
    ept_cursor_descend(ept, gpa, EPT_LEVEL_PT, &cursor);
    while (cursor.level == EPT_LEVEL_PT && cursor.entry.raw != 0 &&
           !ept_is_good_leaf(ept, cursor.level, cursor.entry)) {
        ept_correct(ept, gpa, &cursor);
        ept_cursor_descend(ept, gpa, EPT_LEVEL_PT, &cursor);
    }
    result.flush = ept_flush_both(result.flush, cursor.flush);
    if (cursor.repaired_level > result.repaired_level)
        result.repaired_level = (uint8_t)cursor.repaired_level;
    return result;
}
