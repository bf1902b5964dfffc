/* SPDX-License-Identifier: MIT */
/* ept/memtype.c with the MTRRs of real machines (mtrr_layouts.h): the type of every address, and which pages
 * are uniform. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/memtype.h"
#include "mtrr_layouts.h"
#include <stdbool.h>
#include <string.h>

#define VALID UINT64_C(0x800)
#define PAGE  UINT64_C(0x1000)

/* The registers that give a layout. */
static struct mtrr_snapshot snapshot_of(const struct mtrr_layout *layout)
{
    struct mtrr_snapshot mtrr = {.cap = 0x500 | LAYOUT_VARIABLE_MAX,
                                 .def_type = 0x800 | (uint64_t)layout->def_type,
                                 .phys_width = layout->phys_width,
                                 .variable_count = LAYOUT_VARIABLE_MAX};
    uint64_t top = (UINT64_C(1) << layout->phys_width) - 1;
    unsigned piece = 0;

    if (layout->fixed[0].end != 0)
        mtrr.def_type |= 0x400;
    for (uint32_t at = 0; layout->fixed[0].end != 0 && at < 0x100000; piece++) {
        unsigned which = 0;

        while (at >= layout->fixed[which].end)
            which++;
        mtrr.fixed[piece / 8] |= (uint64_t)layout->fixed[which].type << 8 * (piece % 8);
        at += at < 0x80000 ? 0x10000 : at < 0xc0000 ? 0x4000 : 0x1000;
    }
    for (unsigned n = 0; n < LAYOUT_VARIABLE_MAX; n++) {
        uint64_t size = layout->variable[n].size, mask = layout->variable[n].mask;

        if (size == 0 && mask == 0)
            continue; /* a disabled register */
        mtrr.variable[n].base = layout->variable[n].base | (uint64_t)layout->variable[n].type;
        mtrr.variable[n].mask = (size != 0 ? top & ~(size - 1) : mask) | VALID;
    }
    return mtrr;
}

static unsigned map_length(const struct mtrr_layout *layout)
{
    unsigned length = 1;

    while (layout->map[length - 1].end != LAYOUT_END)
        length++;
    return length;
}

/* The fixtures themselves: credited, ordered, within the address width, and the registers such as a processor
 * takes. */
static void the_layouts_are_sound(void **state)
{
    unsigned seen[8] = {0}, above_4g = 0, with_fixed = 0;

    (void)state;
    assert_true(MTRR_LAYOUT_COUNT >= 6);
    for (unsigned i = 0; i < MTRR_LAYOUT_COUNT; i++) {
        const struct mtrr_layout *layout = &mtrr_layouts[i];
        uint64_t top = (UINT64_C(1) << layout->phys_width) - 1;

        assert_non_null(layout->source);
        with_fixed += layout->fixed[0].end != 0;
        for (unsigned n = 0; n < LAYOUT_VARIABLE_MAX; n++) {
            uint64_t base = layout->variable[n].base, size = layout->variable[n].size,
                     mask = layout->variable[n].mask;

            assert_true(size == 0 || mask == 0);
            assert_true((size & (size - 1)) == 0 && (size == 0 || base % size == 0));
            assert_true((base & ~top) == 0 && (mask & ~top) == 0 && base % PAGE == 0 && mask % PAGE == 0);
            assert_true(mask == 0 || (base & ~mask) == 0);
            if (size != 0 || mask != 0) {
                seen[layout->variable[n].type]++;
                above_4g += base >= GIB(4);
            }
        }
        assert_true(map_length(layout) <= LAYOUT_MAP_MAX);
        for (unsigned n = 1; n < map_length(layout); n++)
            assert_true(layout->map[n].end > layout->map[n - 1].end &&
                        layout->map[n].type != layout->map[n - 1].type);
    }
    assert_true(seen[UC] && seen[WC] && seen[WT] && seen[WP] && seen[WB] && above_4g > 1 && with_fixed > 1);
}

/* From the first address to the last, change by change. */
static void the_whole_address_space(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MTRR_LAYOUT_COUNT; i++) {
        const struct mtrr_layout *layout = &mtrr_layouts[i];
        struct mtrr_snapshot mtrr = snapshot_of(layout);
        uint64_t at = 0;

        for (unsigned n = 0; n < map_length(layout); n++) {
            struct memory_type_range range = mtrr_range_at(&mtrr, at);

            if (range.type != layout->map[n].type || range.end != layout->map[n].end)
                fail_msg("%s: from %#llx %s to %#llx, not %s to %#llx", layout->machine,
                         (unsigned long long)at, memory_type_name(range.type), (unsigned long long)range.end,
                         memory_type_name(layout->map[n].type), (unsigned long long)layout->map[n].end);
            at = range.end;
        }
    }
}

/* At the border of each register's range and of the map: the byte before, the byte after, a page on either
 * side. */
static void borders(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MTRR_LAYOUT_COUNT; i++) {
        const struct mtrr_layout *layout = &mtrr_layouts[i];
        struct mtrr_snapshot mtrr = snapshot_of(layout);
        uint64_t border[2 * LAYOUT_VARIABLE_MAX + LAYOUT_MAP_MAX], start = 0;
        unsigned count = 0;

        for (unsigned n = 0; n < LAYOUT_VARIABLE_MAX; n++) {
            uint64_t mask = mtrr.variable[n].mask & ~(PAGE - 1), base = mtrr.variable[n].base & ~(PAGE - 1);

            border[count++] = base;
            border[count++] = base + (mask & (~mask + 1));
        }
        for (unsigned n = 0; n + 1 < map_length(layout); n++)
            border[count++] = layout->map[n].end;
        for (unsigned n = 0; n < count; n++) {
            const uint64_t near[] = {border[n] - PAGE, border[n] - 1, border[n], border[n] + 1,
                                     border[n] + PAGE};

            for (unsigned k = 0; k < 5; k++) {
                unsigned piece = 0;

                if (border[n] < PAGE && k < 2)
                    continue;
                while (near[k] >= layout->map[piece].end)
                    piece++;
                start = piece > 0 ? layout->map[piece - 1].end : 0;
                if (mtrr_type_at(&mtrr, near[k]).type != layout->map[piece].type)
                    fail_msg("%s: %#llx is not %s", layout->machine, (unsigned long long)near[k],
                             memory_type_name(layout->map[piece].type));
                assert_true(near[k] >= start && mtrr_type_at(&mtrr, near[k]).end <= layout->map[piece].end);
            }
        }
    }
}

static bool uniform(const struct mtrr_snapshot *mtrr, uint64_t address, uint64_t size,
                    enum memory_type expected)
{
    enum memory_type type = (enum memory_type)9;

    return mtrr_type_uniform(mtrr, address, size, &type) && type == expected;
}

/* Which large pages an identity map may use: none over a border of the map, all others. */
static void uniform_ranges(void **state)
{
    const uint64_t sizes[] = {PAGE, MIB(2), GIB(1)};
    enum memory_type type;

    (void)state;
    for (unsigned i = 0; i < 2 * MTRR_LAYOUT_COUNT; i++) {
        const struct mtrr_layout *layout = &mtrr_layouts[i / 2];
        struct mtrr_snapshot mtrr = snapshot_of(layout);
        uint64_t start = 0;

        if (i % 2 != 0) {
            mtrr_work_out(&mtrr);
            assert_true(mtrr.stretch_end[mtrr.stretch_count - 1] == UINT64_MAX);
        }
        for (unsigned n = 0; n + 1 < map_length(layout); n++) {
            uint64_t end = layout->map[n].end;

            assert_true(uniform(&mtrr, start, end - start, layout->map[n].type));
            assert_true(uniform(&mtrr, end - 1, 1, layout->map[n].type));
            assert_false(mtrr_type_uniform(&mtrr, start, end - start + 1, &type));
            for (unsigned k = 0; k < 3; k++) {
                uint64_t page = end & ~(sizes[k] - 1), last = (end - 1) & ~(sizes[k] - 1);

                /* The page that holds the border, if one does, is mixed; the last one before it is not. */
                if (page != end)
                    assert_false(mtrr_type_uniform(&mtrr, page, sizes[k], &type));
                else if (last >= start)
                    assert_true(uniform(&mtrr, last, sizes[k], layout->map[n].type));
            }
            start = end;
        }
    }
}

static void expect_source(const char *machine, uint64_t address, enum mtrr_source source, uint32_t variable)
{
    for (unsigned i = 0; i < MTRR_LAYOUT_COUNT; i++) {
        if (strncmp(mtrr_layouts[i].machine, machine, strlen(machine)) == 0) {
            struct mtrr_snapshot mtrr = snapshot_of(&mtrr_layouts[i]);
            struct memory_type_range range = mtrr_range_at(&mtrr, address);

            if (range.source != source || range.variable != variable)
                fail_msg("%s %#llx: %s %#x", machine, (unsigned long long)address,
                         mtrr_source_text(range.source), range.variable);
            return;
        }
    }
    fail_msg("no layout of %s", machine);
}

/* Why an address has its type. */
static void sources(void **state)
{
    struct mtrr_snapshot mtrr = {.cap = 0x508, .def_type = WB};

    (void)state;
    expect_source("Microsoft Surface", 0xb8000, MTRR_SOURCE_FIXED, 0);
    expect_source("Microsoft Surface", 0x100000, MTRR_SOURCE_DEFAULT, 0);
    expect_source("Microsoft Surface", 0xfee00000, MTRR_SOURCE_VARIABLE, 1u << 0);
    expect_source("Microsoft Surface", 0x5000000000, MTRR_SOURCE_VARIABLE, 1u << 6);
    expect_source("Microsoft Surface", 0x9000000000, MTRR_SOURCE_DEFAULT, 0); /* beyond MAXPHYADDR */
    expect_source("PC with 16 GiB", 0xfee00000, MTRR_SOURCE_OVERLAP_UC, 1u << 0 | 1u << 6);
    expect_source("PC with 16 GiB", 0x41f000000, MTRR_SOURCE_DEFAULT, 0);
    expect_source("Intel Brickland", 0x7fe00000, MTRR_SOURCE_VARIABLE, 1u << 2 | 1u << 3);
    expect_source("Asus P7P55D", 0xfffe0000, MTRR_SOURCE_OVERLAP_UC, 1u << 0 | 1u << 2 | 1u << 3);
    expect_source("Acer Aspire One", 0x10000, MTRR_SOURCE_OVERLAP_UC, 1u << 2 | 1u << 7);
    expect_source("Acer Aspire One", 0xffffffff, MTRR_SOURCE_VARIABLE, 1u << 0);
    expect_source("Google Coral (Apollo", 0xfffffff0, MTRR_SOURCE_VARIABLE, 1u << 6);
    expect_source("Dell Inspiron", 0xfb000000, MTRR_SOURCE_OVERLAP_UC, 1u << 5 | 1u << 6);

    /* No machine was found with these. */
    assert_int_equal(mtrr_range_at(&mtrr, 0).source, MTRR_SOURCE_DISABLED);
    mtrr = (struct mtrr_snapshot){.cap = 0x502, .def_type = 0x800, .phys_width = 36, .variable_count = 2};
    mtrr.variable[0].base = WT;
    mtrr.variable[0].mask = mtrr.variable[1].mask = 0xf80000000 | VALID;
    mtrr.variable[1].base = WB;
    assert_int_equal(mtrr_range_at(&mtrr, 0).source, MTRR_SOURCE_OVERLAP_WT);
    assert_int_equal(mtrr_range_at(&mtrr, 0).type, WT);
    mtrr.variable[1].base = WC;
    assert_int_equal(mtrr_range_at(&mtrr, 0).source, MTRR_SOURCE_UNDEFINED);
    assert_int_equal(mtrr_range_at(&mtrr, 0).type, UC);
    assert_string_equal(mtrr_source_text(MTRR_SOURCE_COUNT), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_layouts_are_sound),
        cmocka_unit_test(the_whole_address_space),
        cmocka_unit_test(borders),
        cmocka_unit_test(uniform_ranges),
        cmocka_unit_test(sources),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
