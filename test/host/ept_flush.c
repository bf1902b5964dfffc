/* SPDX-License-Identifier: MIT */
/*
 * Tests of ept/flush.c and of what every operation returns: one for each row of the table in ept/README.md,
 * by the row's own name, so that the two cannot drift apart. What a row calls "context" must not be "none",
 * and the other way round.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/cold.h"
#include "ept/dirty.h"
#include "ept/eptp.h"
#include "ept/harvest.h"
#include "ept/merge.h"
#include "ept/page_type.h"
#include "ept/misconfig.h"
#include "ept/plant.h"
#include "ept/protect.h"
#include "ept/split.h"
#include "ept/zap.h"
#include "test/host/ept_pool.h"
#include <stdio.h>

#define NONE    EPT_FLUSH_NONE
#define CONTEXT EPT_FLUSH_CONTEXT

/* What one changed entry needs; with A/D flags, and execute-only pages. */
static enum ept_flush change(unsigned level, uint64_t old, uint64_t new_raw)
{
    struct ept_caps caps;

    assert_int_equal(ept_caps_init(&caps, CAP_ALL, 40), EPT_OK);
    return ept_flush_for_change(&caps, level, (struct ept_entry){old}, (struct ept_entry){new_raw});
}

static struct bed bed;

/* 1 GiB of RAM in pages of 2 MiB; the first is mapped. */
static int start(void **state)
{
    (void)state;
    if (!bed_init(&bed, CAP_NO_1G, 40, 64) || !bed_add(&bed, EPT_REGION_RAM, 0, GB, 16 * GB, RWX))
        return -1;
    return ept_fault(&bed.ept, 0, 0).level == 2 ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    return bed_done(&bed) ? 0 : -1;
}

static void not_present(void **state)
{
    (void)state;
    assert_int_equal(change(1, 0, 0x1037), NONE);
    assert_int_equal(change(1, 0x1030, 0x2037), NONE);
    assert_int_equal(change(3, 0, 0x1007), NONE);
    assert_int_equal(ept_fault(&bed.ept, 2 * MB, EPT_READ).flush, NONE);
    assert_int_equal(ept_map_range(&bed.ept, 4 * MB, 4 * MB).flush, NONE);
    assert_int_equal(ept_map_one(&bed.ept, 32 * GB, 0, R, MEMORY_TYPE_WB).flush, NONE);
}

static void misconfigured(void **state)
{
    (void)state;
    assert_int_equal(change(1, 0x1032, 0x2037), NONE); /* write without read */
    assert_int_equal(change(1, 0x103f, 0), NONE);
    assert_int_equal(ept_plant(&bed.ept, 0x8000, 2, EPT_PLANT_WRITE_ONLY).flush, CONTEXT);
    assert_int_equal(ept_repair(&bed.ept, 0x8000, EPT_READ).flush, NONE);
    assert_int_equal(ept_plant(&bed.ept, 0x8000, 4, EPT_PLANT_RESERVED_LOW).flush, CONTEXT);
    assert_int_equal(ept_repair(&bed.ept, 0x8000, EPT_READ).flush, NONE);
}

static void rights_added(void **state)
{
    (void)state;
    assert_int_equal(change(1, 0x1031, 0x1037), NONE);
    assert_int_equal(change(3, 0x1001, 0x1007), NONE);
    assert_int_equal(ept_set_rights(&bed.ept, 0, 2 * MB, R).flush, CONTEXT);
    assert_int_equal(ept_set_rights(&bed.ept, 0, 2 * MB, RWX).flush, NONE);
    assert_int_equal(ept_plant(&bed.ept, 0, 2, EPT_PLANT_READ_ONLY).flush, CONTEXT);
    assert_int_equal(ept_fault(&bed.ept, 0, EPT_WRITE).flush, NONE);
}

static void spurious(void **state)
{
    struct ept_fault_result result = ept_fault(&bed.ept, 0, EPT_READ);

    (void)state;
    assert_int_equal(result.kind, EPT_FAULT_SPURIOUS);
    assert_int_equal(result.flush, NONE);
    assert_int_equal(ept_fault(&bed.ept, 2 * GB, EPT_READ).flush,
                     NONE); /* denied: nothing has changed either */
}

static void rights_taken(void **state)
{
    (void)state;
    assert_int_equal(change(1, 0x1037, 0), CONTEXT);
    assert_int_equal(change(1, 0x1037, 0x1033), CONTEXT);
    assert_int_equal(change(4, 0x1007, 0x1003), CONTEXT);
    assert_int_equal(change(4, 0x1007, 0), CONTEXT);
    assert_int_equal(change(1, 0x1033, 0x1035), CONTEXT); /* one less, one more */
    assert_int_equal(ept_set_rights(&bed.ept, 0, 2 * MB, RX).flush, CONTEXT);
    assert_int_equal(ept_set_rights(&bed.ept, 0, 2 * MB, 0).flush, CONTEXT);
    assert_int_equal(ept_fault(&bed.ept, 2 * MB, 0).flush, NONE);
    assert_int_equal(ept_remove(&bed.ept, 2 * MB, 2 * MB).flush, CONTEXT);
    assert_int_equal(ept_fault(&bed.ept, 4 * MB, 0).flush, NONE);
    assert_int_equal(ept_zap(&bed.ept, 4 * MB, 4 * KB), CONTEXT);
    assert_int_equal(ept_zap(&bed.ept, 0, TB), CONTEXT); /* tables, though nothing is mapped by them */
}

static void address_size_type(void **state)
{
    (void)state;
    assert_int_equal(change(1, 0x1037, 0x2037), CONTEXT);
    assert_int_equal(change(2, 0x2000b7, 0x200007), CONTEXT);
    assert_int_equal(change(2, 0x200007, 0x2000b7), CONTEXT);
    assert_int_equal(change(1, 0x1037, 0x1007), CONTEXT);
    assert_int_equal(change(1, 0x1037, 0x1077), CONTEXT);
    assert_int_equal(ept_split(&bed.ept, 0, 1).flush, CONTEXT);
    assert_int_equal(ept_split(&bed.ept, 0, 1).flush, NONE); /* it was split */
    assert_int_equal(ept_set_type(&bed.ept, 0x2000, 0x1000, MEMORY_TYPE_UC, false).flush, CONTEXT);
    assert_int_equal(ept_set_type(&bed.ept, 0x2000, 0x1000, MEMORY_TYPE_UC, true).flush, CONTEXT);
    assert_int_equal(ept_map_one(&bed.ept, 0x5000, 0, RWX, MEMORY_TYPE_WB).flush, CONTEXT);
    assert_int_equal(ept_fault(&bed.ept, 2 * MB, 0).level, 2);
    assert_int_equal(ept_set_rights(&bed.ept, 2 * MB, 0x1000, RWX).flush, NONE);
    assert_int_equal(ept_remove(&bed.ept, 4 * MB, 0x1000).flush, NONE);
}

static void no_leaf_shows(void **state)
{
    (void)state;
    assert_int_equal(ept_zap(&bed.ept, 4 * MB, 4 * MB), NONE);
    assert_int_equal(ept_set_rights(&bed.ept, 4 * MB, 2 * MB, R).flush, NONE);
    assert_int_equal(ept_set_rights(&bed.ept, 0, 2 * MB, RWX).flush, NONE);
    assert_int_equal(ept_set_type(&bed.ept, 0, 2 * MB, MEMORY_TYPE_WB, false).flush, NONE);
    assert_int_equal(ept_set_type(&bed.ept, 4 * MB, 2 * MB, MEMORY_TYPE_UC, false).flush, NONE);
    assert_int_equal(ept_remove(&bed.ept, 6 * MB, 2 * MB).flush, NONE);
    assert_int_equal(ept_set_rights(&bed.ept, 0, 0x1001, R).flush, NONE); /* an error */
}

static void flags_cleared(void **state)
{
    (void)state;
    assert_int_equal(change(1, 0x1137, 0x1037), CONTEXT);
    assert_int_equal(change(1, 0x1237, 0x1037), CONTEXT);
    assert_int_equal(change(2, 0x1107, 0x1007), CONTEXT);
    assert_int_equal(change(1, 0x1037, 0x1337), NONE); /* set */
}

static void flags_without_meaning(void **state)
{
    struct ept_caps caps;

    (void)state;
    assert_int_equal(ept_caps_init(&caps, CAP_ALL & ~EPT_BIT(21), 40), EPT_OK);
    assert_int_equal(ept_flush_for_change(&caps, 1, (struct ept_entry){0x1337}, (struct ept_entry){0x1037}),
                     NONE);
    assert_int_equal(change(2, 0x1207, 0x1007), NONE);
}

static struct ept_dirty_log log;
static uint64_t words[16384], bitmap[8192];

static void collection_finds(void **state)
{
    (void)state;
    for (enum ept_dirty_source source = EPT_DIRTY_PML; source < EPT_DIRTY_SOURCE_COUNT; source++) {
        bed.ept.caps.page_modification_log = true;
        (void)!ept_dirty_start(&bed.ept, &log, source, 1, GB, words).flush;
        assert_true(ept_fault_resolved(ept_fault(&bed.ept, 0x3000, EPT_WRITE).kind));
        if (source != EPT_DIRTY_WRITE_PROTECTION)
            *pool_entry(&bed.pool, &bed.ept, 0x3000, 1) |= EPT_DIRTY;
        if (source == EPT_DIRTY_PML)
            ept_dirty_drain(&bed.ept, &(uint64_t){0x3000}, 1);
        assert_int_equal(ept_dirty_collect(&bed.ept, bitmap).flush, CONTEXT);
        /* Written by other hands: no leaf changes, but whoever took one away may not have flushed. */
        ept_dirty_mark(&bed.ept, 0x5000, 1);
        assert_int_equal(ept_dirty_collect(&bed.ept, bitmap).flush, CONTEXT);
        assert_int_equal(ept_dirty_stop(&bed.ept).flush, NONE);
    }
}

static void harvest_clears(void **state)
{
    (void)state;
    assert_int_equal(ept_split(&bed.ept, 0x3000, 1).status, EPT_OK);
    *pool_entry(&bed.pool, &bed.ept, 0x3000, 1) |= EPT_ACCESSED;
    assert_int_equal(ept_harvest(&bed.ept, 0, GB, EPT_ACCESSED, NULL, NULL).flush, CONTEXT);
    *pool_entry(&bed.pool, &bed.ept, 0x3000, 1) |= EPT_DIRTY;
    assert_int_equal(ept_harvest(&bed.ept, 0, GB, EPT_DIRTY, NULL, NULL).flush, CONTEXT);
}

static void collection_finds_nothing(void **state)
{
    (void)state;
    for (enum ept_dirty_source source = EPT_DIRTY_PML; source < EPT_DIRTY_SOURCE_COUNT; source++) {
        bed.ept.caps.page_modification_log = true;
        (void)!ept_dirty_start(&bed.ept, &log, source, 1, GB, words).flush;
        assert_int_equal(ept_dirty_collect(&bed.ept, bitmap).flush, NONE);
        (void)!ept_dirty_stop(&bed.ept).flush;
    }
    assert_int_equal(ept_harvest(&bed.ept, 0, GB, EPT_ACCESSED | EPT_DIRTY, NULL, NULL).flush, NONE);
}

static void log_starts(void **state)
{
    (void)state;
    assert_int_equal(ept_dirty_start(&bed.ept, &log, EPT_DIRTY_WRITE_PROTECTION, 1, GB, words).flush,
                     CONTEXT);
    (void)!ept_dirty_stop(&bed.ept).flush;
    /* No leaf has D, and 2 MiB pages keep W. */
    assert_int_equal(ept_dirty_start(&bed.ept, &log, EPT_DIRTY_FLAGS, 2, GB, words).flush, NONE);
    (void)!ept_dirty_stop(&bed.ept).flush;
    *pool_entry(&bed.pool, &bed.ept, 0, 2) |= EPT_DIRTY;
    assert_int_equal(ept_dirty_start(&bed.ept, &log, EPT_DIRTY_FLAGS, 2, GB, words).flush, CONTEXT);
    (void)!ept_dirty_stop(&bed.ept).flush;
    assert_int_equal(ept_dirty_start(&bed.ept, &log, EPT_DIRTY_FLAGS, 1, GB, words).flush,
                     CONTEXT); /* lost W */
    (void)!ept_dirty_stop(&bed.ept).flush;
}

static void log_stops(void **state)
{
    (void)state;
    assert_int_equal(ept_dirty_start(&bed.ept, &log, EPT_DIRTY_WRITE_PROTECTION, 1, GB, words).flush,
                     CONTEXT);
    assert_int_equal(ept_dirty_stop(&bed.ept).flush, NONE);
    assert_int_equal(pool_entry(&bed.pool, &bed.ept, 0, 2)[0] & RWX, RWX);
}

static void merged(void **state)
{
    struct ept_merge_batch batch = {.count = 0};
    enum ept_flush flush;

    (void)state;
    assert_true(ept_merge(&bed.ept, 0, GB, 2, &batch, &flush) >= GB);
    assert_int_equal(flush, NONE); /* nothing is split */
    assert_int_equal(ept_split(&bed.ept, 0, 1).flush, CONTEXT);
    assert_true(ept_merge(&bed.ept, 0, GB, 2, &batch, &flush) >= GB);
    assert_int_equal(flush, CONTEXT);
    ept_merge_finish(&bed.ept, &batch);
}

static void cold_taken(void **state)
{
    enum ept_flush flush;

    (void)state;
    assert_int_equal(ept_take_cold(&bed.ept, 0, 8, &flush), 0); /* the only tables lead there */
    assert_int_equal(flush, NONE);
    assert_int_equal(ept_split(&bed.ept, 0, 1).flush, CONTEXT);
    *pool_entry(&bed.pool, &bed.ept, 0, 2) |= EPT_ACCESSED;
    assert_int_equal(ept_map_one(&bed.ept, 0x5000, 0, RWX, MEMORY_TYPE_WB).flush, CONTEXT);
    assert_int_equal(ept_take_cold(&bed.ept, 4 * MB, 8, &flush), 0); /* not this one, for its page */
    assert_int_equal(flush, CONTEXT);                                /* but A is cleared */
    assert_int_equal(ept_zap(&bed.ept, 0x5000, 0x1000), CONTEXT);
    assert_int_equal(ept_take_cold(&bed.ept, 4 * MB, 8, &flush), 1);
    assert_int_equal(flush, CONTEXT);
}

static void guest_mtrrs_change(void **state)
{
    struct mtrr_snapshot mtrr = {.def_type = 0x806, .phys_width = 40};

    (void)state;
    assert_int_equal(ept_set_guest_mtrr(&bed.ept, &mtrr), NONE); /* WB, as it was */
    mtrr.variable_count = 1;
    mtrr.variable[0].base = GB / 2;
    mtrr.variable[0].mask = 0xffffe00800;
    assert_int_equal(ept_set_guest_mtrr(&bed.ept, &mtrr), NONE); /* UC, where nothing is mapped */
    mtrr.variable[0].base = 0;
    assert_int_equal(ept_set_guest_mtrr(&bed.ept, &mtrr), CONTEXT);
}

static void becomes_misconfigured(void **state)
{
    (void)state;
    assert_int_equal(change(1, 0x1037, 0x103f), CONTEXT);
    assert_int_equal(change(4, 0x1007, 0x100f), CONTEXT);
    assert_int_equal(change(2, 0x1007, 0x1002), CONTEXT);
    assert_int_equal(ept_plant(&bed.ept, 0, 2, EPT_PLANT_MEMORY_TYPE_2).flush, CONTEXT);
    assert_int_equal(ept_plant(&bed.ept, 4 * MB, 3, EPT_PLANT_RESERVED_LOW).flush, CONTEXT);
}

static void bad_entry_of_unknown_origin(void **state)
{
    (void)state;
    *pool_entry(&bed.pool, &bed.ept, 2 * MB, 2) =
        POOL_BASE | RWX | 1 << 3; /* it would not be cached itself */
    assert_int_equal(ept_fault(&bed.ept, 2 * MB, EPT_READ).flush, CONTEXT);
    *pool_entry(&bed.pool, &bed.ept, 2 * MB, 2) = POOL_BASE | RWX | 1 << 3;
    assert_int_equal(ept_zap(&bed.ept, 2 * MB, 2 * MB), CONTEXT);
    assert_int_equal(ept_split(&bed.ept, 0, 1).flush, CONTEXT);
    *pool_entry(&bed.pool, &bed.ept, 0, 1) |= 1 << 3; /* at level 1 there is no table behind it */
    assert_int_equal(ept_fault(&bed.ept, 0, EPT_READ).flush, NONE);
}

static void ignored_bits(void **state)
{
    (void)state;
    assert_int_equal(change(1, 0x1037, 0x1837), NONE);
    assert_int_equal(change(1, 0x1037 | EPT_SUPPRESS_VE, 0x1037), NONE);
    assert_int_equal(change(1, 0x1037, 0x1037 | EPT_SOFTWARE_TEMPORARY), NONE);
    assert_int_equal(change(1, 0x1037 | EPT_SOFTWARE_PLANTED, 0x1037), NONE);
    assert_int_equal(change(3, 0x1007, 0x1007 | EPT_EXECUTE_USER), NONE);
}

/* A VM that ends and one that begins can have the same EPTP: what is cached by it was the first one's. */
static void new_eptp(void **state)
{
    struct ept_memory memory = pool_memory(&bed.pool);
    struct ept second;
    uint64_t eptp = eptp_make(&bed.caps, bed.ept.root);

    (void)state;
    assert_int_equal(ept_zap(&bed.ept, 0, TB), CONTEXT);
    assert_int_equal(ept_reclaim(&bed.ept), 2);
    ept_destroy(&bed.ept);
    assert_int_equal(ept_init(&second, &memory, &bed.caps, &bed.list), EPT_OK);
    assert_int_equal(eptp_make(&bed.caps, second.root), eptp);
    bed.ept = second;
    assert_int_equal(ept_fault(&bed.ept, 0, EPT_READ).flush, NONE); /* so no change will ask for it */
}

static void test_both(void **state)
{
    (void)state;
    assert_int_equal(ept_flush_both(NONE, CONTEXT), CONTEXT);
    assert_int_equal(ept_flush_both(CONTEXT, NONE), CONTEXT);
    assert_int_equal(ept_flush_both(NONE, NONE), NONE);
}

static void test_every_row(void **state);

#define ROW(name, test)                                                                                      \
    {                                                                                                        \
        name, test, start, end, NULL                                                                         \
    }

static const struct CMUnitTest tests[] = {
    ROW("not present → anything", not_present),
    ROW("misconfigured → anything (repair)", misconfigured),
    ROW("rights added, by a fault or by the list", rights_added),
    ROW("spurious fault", spurious),
    ROW("rights taken, unmapped, table unlinked", rights_taken),
    ROW("other address, leaf ↔ table (split), leaf's type or IPAT", address_size_type),
    ROW("change of the list that no leaf shows", no_leaf_shows),
    ROW("A cleared, D of a leaf cleared, with A/D flags on", flags_cleared),
    ROW("A or D cleared without A/D flags, D of a reference", flags_without_meaning),
    ROW("harvest that cleared a flag", harvest_clears),
    ROW("collection of a dirty log that found a page", collection_finds),
    ROW("harvest or collection that found nothing", collection_finds_nothing),
    ROW("start of a dirty log", log_starts),
    ROW("stop of a dirty log", log_stops),
    ROW("merge", merged),
    ROW("cold tables taken, or only their A cleared", cold_taken),
    ROW("the guest's MTRRs change a page's type", guest_mtrrs_change),
    ROW("becomes misconfigured (plant)", becomes_misconfigured),
    ROW("a bad entry of unknown origin above level 1 is cleared", bad_entry_of_unknown_origin),
    ROW("ignored and software bits", ignored_bits),
    ROW("first entry with a new EPTP on a CPU", new_eptp),
    cmocka_unit_test(test_both),
    cmocka_unit_test(test_every_row),
};

/* The first column of the table in ept/README.md is the names above, in this order; from the root of the
 * tree. */
static void test_every_row(void **state)
{
    char line[512];
    size_t rows = 0;
    bool inside = false;
    FILE *file = fopen("ept/README.md", "r");

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        char *bar;

        if (strncmp(line, "| change | flush", 16) == 0)
            inside = true;
        else if (line[0] != '|')
            inside = false;
        else if (inside && strncmp(line, "| ---", 5) != 0) {
            bar = strstr(line + 2, " | ");
            assert_non_null(bar);
            *bar = '\0';
            assert_string_equal(line + 2, tests[rows].name);
            assert_true(tests[rows].setup_func == start);
            assert_true(strncmp(bar + 3, "none", 4) == 0 || strncmp(bar + 3, "context", 7) == 0);
            rows++;
        }
    }
    (void)fclose(file);
    assert_true(rows > 0);
    assert_null(tests[rows].setup_func); /* no test of a row is left */
}

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
