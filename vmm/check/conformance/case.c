/* SPDX-License-Identifier: MIT */
/* From a number to a case. */
#include "vmm/check/conformance/case.h"
#include "ept/entry.h"
#include "ept/memtype.h"
#include "vmm/check/conformance/confine.h"

#define LOW_VALUES      4096u
#define HIGH_BITS       52u
#define HIGH_BIT_FIRST  12u
#define RIGHTS_VALUES   8u
#define PROBE_FRAME     0x155u /* in scratch memory */
#define FIXED_INDEX     3u     /* in its PDPT: 3 GiB, below 4 GiB for a physical width of 32 */
#define RANDOM_EVERY    8u     /* one case in so many is random while there are systematic ones */
#define TYPE_CHOICES    16u    /* memory type and IPAT */
#define PAGE_LEVELS     3u     /* 4 KiB, 2 MiB, 1 GiB */
#define ADDRESS_BITS_39 ((UINT64_C(1) << 39) - 1)

/* Kinds of entries whose high bits are varied. */
static const struct {
    uint8_t level;
    bool large;
} kinds[] = {{1, false}, {2, false}, {2, true}, {3, false}, {3, true}, {4, false}};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* "SplitMix64", by Guy Steele, Doug Lea and Christine Flood: a bijection of 64 bits that leaves no pattern.
 */
static uint64_t mix(uint64_t value)
{
    value += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

static uint64_t draw(uint64_t *state, uint64_t below)
{
    *state = mix(*state);
    return (*state >> 16) % below;
}

static uint32_t flag_settings(const struct conformance_layout *layout)
{
    return layout->caps.accessed_dirty ? 2 : 1;
}

static uint32_t structure_types(const struct conformance_layout *layout)
{
    return layout->caps.structures_uc && layout->caps.structures_wb ? 2 : 1;
}

static uint32_t family_values(const struct conformance_layout *layout, enum conformance_family family)
{
    switch (family) {
    case CONFORMANCE_LOW_BITS:
        return LOW_VALUES * CONFORMANCE_LEVELS;
    case CONFORMANCE_HIGH_BITS:
        return KINDS * HIGH_BITS;
    case CONFORMANCE_RIGHTS_4K:
        return RIGHTS_VALUES * RIGHTS_VALUES * RIGHTS_VALUES * RIGHTS_VALUES;
    case CONFORMANCE_RIGHTS_2M:
        return layout->caps.large_2m ? RIGHTS_VALUES * RIGHTS_VALUES * RIGHTS_VALUES : 0;
    case CONFORMANCE_RIGHTS_1G:
        return layout->caps.large_1g ? RIGHTS_VALUES * RIGHTS_VALUES : 0;
    default:
        return PAGE_LEVELS * TYPE_CHOICES * structure_types(layout);
    }
}

/* The systematic cases in strides of about the golden section, so that any beginning is spread over all. */
static uint32_t stride(uint32_t count)
{
    uint32_t step = (uint32_t)((uint64_t)count * 618 / 1000) | 1;

    for (;; step += 2) {
        uint32_t a = count, b = step;

        while (b != 0) {
            uint32_t rest = a % b;

            a = b;
            b = rest;
        }
        if (a == 1)
            return step;
    }
}

void conformance_layout_init(struct conformance_layout *layout, const struct ept_caps *caps, uint64_t tables,
                             uint64_t scratch)
{
    bool high = caps->physical_width >= 40; /* an entry of the root of its own */
    uint64_t page = scratch + PROBE_FRAME * EPT_PAGE_SIZE_4K;
    uint32_t end = 0;
    uint64_t fixed_index = ept_index(page, EPT_LEVEL_PDPT) == FIXED_INDEX ? FIXED_INDEX - 1 : FIXED_INDEX;

    *layout = (struct conformance_layout){.caps = *caps, .tables = tables, .scratch = scratch};
    layout->probe_gpa = (page & ADDRESS_BITS_39) | (high ? ADDRESS_BITS_39 + 1 : 0);
    layout->fixed_gpa = fixed_index * ept_level_size(EPT_LEVEL_PDPT);
    layout->table[4] = CONFORMANCE_ROOT;
    layout->table[3] = high ? CONFORMANCE_PROBE_PDPT : CONFORMANCE_FIXED_PDPT;
    layout->table[2] = CONFORMANCE_PROBE_PD;
    layout->table[1] = CONFORMANCE_PROBE_PT;
    for (unsigned level = EPT_LEVEL_PT; level <= CONFORMANCE_LEVELS; level++)
        layout->slot[level] = tables + layout->table[level] * EPT_PAGE_SIZE_4K +
                              ept_index(layout->probe_gpa, level) * sizeof(struct ept_entry);
    for (unsigned family = 0; family < CONFORMANCE_FAMILIES; family++) {
        end += family_values(layout, (enum conformance_family)family) * CONFORMANCE_ACCESSES *
               flag_settings(layout);
        layout->family_end[family] = end;
    }
    layout->stride = stride(end);
}

uint32_t conformance_systematic_count(const struct conformance_layout *layout)
{
    return layout->family_end[CONFORMANCE_FAMILIES - 1];
}

/* An entry of that level with all rights: a leaf that maps the probe to its own frame, or a reference to the
 * next table. A leaf of a size that this processor does not have keeps the address of a table. */
static uint64_t sound_entry(const struct conformance_layout *layout, unsigned level, bool large)
{
    uint64_t page = layout->scratch + PROBE_FRAME * EPT_PAGE_SIZE_4K;

    if (level == EPT_LEVEL_PT || (large && ept_caps_leaf(&layout->caps, level)))
        return ept_entry_leaf(page & ~(ept_level_size(level) - 1), level, (unsigned)EPT_RIGHTS,
                              MEMORY_TYPE_WB, false)
            .raw;
    return ept_entry_table(layout->tables + layout->table[level - 1] * EPT_PAGE_SIZE_4K).raw |
           (large ? EPT_LARGE : 0);
}

static void sound_entries(struct conformance_case *test, const struct conformance_layout *layout,
                          unsigned leaf_level)
{
    for (unsigned level = EPT_LEVEL_PT; level <= CONFORMANCE_LEVELS; level++)
        test->entry[level] = sound_entry(layout, level, level == leaf_level);
}

static void vary_low_bits(struct conformance_case *test, const struct conformance_layout *layout,
                          unsigned level, uint64_t value)
{
    test->entry[level] = (sound_entry(layout, level, (value & EPT_LARGE) != 0) & EPT_ADDRESS) | value;
}

static void set_rights(struct conformance_case *test, unsigned level, uint64_t rights)
{
    test->entry[level] = (test->entry[level] & ~EPT_RIGHTS) | (rights & EPT_RIGHTS);
}

static void vary(struct conformance_case *test, const struct conformance_layout *layout,
                 enum conformance_family family, uint32_t value)
{
    unsigned leaf_level = EPT_LEVEL_PT;

    switch (family) {
    case CONFORMANCE_LOW_BITS:
        vary_low_bits(test, layout, value % CONFORMANCE_LEVELS + 1, value / CONFORMANCE_LEVELS);
        break;
    case CONFORMANCE_HIGH_BITS:
        leaf_level = kinds[value % KINDS].level;
        test->entry[leaf_level] = sound_entry(layout, leaf_level, kinds[value % KINDS].large) ^
                                  EPT_BIT(HIGH_BIT_FIRST + value / KINDS);
        break;
    case CONFORMANCE_RIGHTS_4K:
    case CONFORMANCE_RIGHTS_2M:
    case CONFORMANCE_RIGHTS_1G:
        leaf_level += (unsigned)(family - CONFORMANCE_RIGHTS_4K);
        sound_entries(test, layout, leaf_level);
        for (unsigned level = leaf_level; level <= CONFORMANCE_LEVELS; level++, value /= RIGHTS_VALUES)
            set_rights(test, level, value % RIGHTS_VALUES);
        break;
    default:
        leaf_level += value % PAGE_LEVELS;
        value /= PAGE_LEVELS;
        sound_entries(test, layout, leaf_level);
        test->entry[leaf_level] &= ~(EPT_MEMORY_TYPE | EPT_IGNORE_PAT);
        test->entry[leaf_level] |= (uint64_t)(value % TYPE_CHOICES) << EPT_MEMORY_TYPE_SHIFT;
        if (value / TYPE_CHOICES != 0)
            test->structures_type = MEMORY_TYPE_UC;
    }
}

static void make_systematic(struct conformance_case *test, const struct conformance_layout *layout,
                            uint32_t index)
{
    enum conformance_family family = CONFORMANCE_LOW_BITS;
    uint32_t value;

    while (index >= layout->family_end[family])
        family++;
    value = family == CONFORMANCE_LOW_BITS ? index : index - layout->family_end[family - 1];
    test->access = (enum conformance_access)(value % CONFORMANCE_ACCESSES);
    value /= CONFORMANCE_ACCESSES;
    test->accessed_dirty = flag_settings(layout) == 2 && value % 2 == 0;
    value /= flag_settings(layout);
    vary(test, layout, family, value);
}

/* Something that is likely to be wrong, and not much else. */
static void spoil(struct conformance_case *test, const struct conformance_layout *layout, unsigned level,
                  uint64_t *state)
{
    uint64_t *entry = &test->entry[level];
    uint64_t value;

    switch (draw(state, 6)) {
    case 0:
        set_rights(test, level, draw(state, RIGHTS_VALUES));
        break;
    case 1:
        vary_low_bits(test, layout, level, draw(state, LOW_VALUES));
        break;
    case 2:
        *entry ^= EPT_BIT(draw(state, 64));
        break;
    case 3:
        *entry ^= EPT_BIT(draw(state, 12)) | EPT_BIT(draw(state, 12));
        break;
    case 4: /* another page of scratch memory */
        *entry =
            (*entry & ~EPT_ADDRESS) |
            (layout->scratch + draw(state, CONFORMANCE_SCRATCH_SIZE / EPT_PAGE_SIZE_4K) * EPT_PAGE_SIZE_4K);
        break;
    default:
        value = mix(*state);
        *entry =
            (value & ~EPT_ADDRESS) | (sound_entry(layout, level, (value & EPT_LARGE) != 0) & EPT_ADDRESS);
    }
}

static void make_random(struct conformance_case *test, const struct conformance_layout *layout,
                        uint64_t *state)
{
    test->access = (enum conformance_access)draw(state, CONFORMANCE_ACCESSES);
    test->accessed_dirty = layout->caps.accessed_dirty && draw(state, 2) == 0;
    if (structure_types(layout) == 2 && draw(state, 4) == 0)
        test->structures_type = MEMORY_TYPE_UC;
    sound_entries(test, layout, EPT_LEVEL_PT + (unsigned)draw(state, PAGE_LEVELS));
    for (unsigned level = EPT_LEVEL_PT; level <= CONFORMANCE_LEVELS; level++) {
        if (draw(state, 3) == 0)
            spoil(test, layout, level, state);
        if (draw(state, 2) == 0) /* ignored, all of them */
            test->entry[level] |= draw(state, LOW_VALUES) << 52 | (draw(state, 4) << 10);
        if (draw(state, 2) == 0)
            test->entry[level] |= EPT_ACCESSED;
        if (draw(state, 4) == 0)
            test->entry[level] |= EPT_DIRTY;
    }
}

void conformance_case_make(struct conformance_case *test, const struct conformance_layout *layout,
                           uint64_t seed, uint64_t number)
{
    uint32_t count = conformance_systematic_count(layout);
    uint64_t systematic = number - number / RANDOM_EVERY, state = mix(seed) ^ mix(~number);

    *test = (struct conformance_case){.number = number};
    test->structures_type = layout->caps.structures_wb ? MEMORY_TYPE_WB : MEMORY_TYPE_UC;
    test->instruction = (enum conformance_instruction)draw(&state, CONFORMANCE_INSTRUCTIONS);
    sound_entries(test, layout, EPT_LEVEL_PT);
    test->random = number % RANDOM_EVERY == RANDOM_EVERY - 1 || systematic >= count;
    if (test->random)
        make_random(test, layout, &state);
    else
        make_systematic(test, layout, (uint32_t)(systematic * layout->stride % count));
    if (test->access == CONFORMANCE_WALK || test->access == CONFORMANCE_WALK_FLAGS)
        test->guest_level = (uint8_t)(1 + draw(&state, 3));
    conformance_confine(test, layout);
}

const char *conformance_access_text(enum conformance_access access)
{
    static const char *const texts[CONFORMANCE_ACCESSES] = {"read",  "write",     "read-modify-write",
                                                            "fetch", "page-walk", "page-walk-flags"};

    return (unsigned)access < CONFORMANCE_ACCESSES ? texts[access] : "?";
}
