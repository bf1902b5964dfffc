/* SPDX-License-Identifier: MIT */
/* vmm/trace/subjects.c: nothing is lost or counted twice, and who is frequent is found. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/trace/subjects.h"

static struct exit_subjects table, sum;

static void count(struct exit_subjects *subjects, enum exit_subject_kind kind, uint64_t subject,
                  uint64_t ticks)
{
    exit_subject_count(subjects, kind, subject)->ticks += ticks;
}

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

/* All that the table says of a kind, added up. */
static struct exit_subject total(const struct exit_subjects *subjects, enum exit_subject_kind kind,
                                 unsigned most)
{
    struct exit_subject top[EXIT_SUBJECT_PLACES], all;
    unsigned found = exit_subjects_top(subjects, kind, top, most, &all);

    assert_true(found <= most);
    for (unsigned i = 0; i < found; i++) {
        assert_true(i == 0 || top[i - 1].count >= top[i].count);
        all.count += top[i].count;
        all.ticks += top[i].ticks;
    }
    return all;
}

/* Counted elsewhere and added later: as if each had been counted here, but for who holds a place. */
static void many_at_once(void **state)
{
    struct exit_subject top[8], rest;

    (void)state;
    memset(&table, 0, sizeof(table));
    exit_subject_add(&table, SUBJECT_CPUID, 7, 1000, 67000);
    count(&table, SUBJECT_CPUID, 7, 300);
    assert_int_equal(exit_subjects_top(&table, SUBJECT_CPUID, top, 8, &rest), 1);
    assert_int_equal(top[0].subject, 7);
    assert_int_equal(top[0].count, 1001);
    assert_int_equal(top[0].ticks, 67300);
    for (unsigned subject = 0; subject < 1000; subject++)
        exit_subject_add(&table, SUBJECT_CPUID, subject, subject + 1, 3);
    assert_int_equal(total(&table, SUBJECT_CPUID, 8).count, 1001 + 1000 * 1001 / 2);
    assert_int_equal(total(&table, SUBJECT_CPUID, 8).ticks, 67300 + 3000);
    (void)exit_subjects_top(&table, SUBJECT_CPUID, top, 8, &rest);
    assert_int_equal(top[0].subject, 7); /* that of most exits */
}

static void few_are_exact(void **state)
{
    struct exit_subject top[8], rest;

    (void)state;
    memset(&table, 0, sizeof(table));
    count(&table, SUBJECT_PORT, 0, 7); /* subject 0 is one like any other */
    for (unsigned i = 0; i < 5; i++)
        count(&table, SUBJECT_PORT, 0x3f8, 10);
    count(&table, SUBJECT_MSR, 0x3f8, 1);
    assert_int_equal(exit_subjects_top(&table, SUBJECT_PORT, top, 8, &rest), 2);
    assert_int_equal(top[0].subject, 0x3f8);
    assert_int_equal(top[0].count, 5);
    assert_int_equal(top[0].ticks, 50);
    assert_int_equal(top[1].subject, 0);
    assert_int_equal(top[1].count, 1);
    assert_int_equal(top[1].ticks, 7);
    assert_int_equal(rest.count, 0);
    assert_int_equal(exit_subjects_top(&table, SUBJECT_MSR, top, 8, &rest), 1);
    assert_int_equal(exit_subjects_top(&table, SUBJECT_PAGE, top, 8, &rest), 0);
}

/* A million of different ones, and one that every third exit is about: it is found, its figures are no more
 * than true, the sums are exact. */
static void a_frequent_one_among_many(void **state)
{
    struct exit_subject top[4], rest;
    uint64_t seed = 1, ticks = 0;

    (void)state;
    memset(&table, 0, sizeof(table));
    for (unsigned i = 0; i < 1000000; i++) {
        uint64_t subject = i % 3 == 0 ? 0xabcdef : next(&seed), taken = next(&seed) % 1000;

        ticks += taken;
        count(&table, SUBJECT_PAGE, subject, taken);
    }
    assert_int_equal(exit_subjects_top(&table, SUBJECT_PAGE, top, 4, &rest), 4);
    assert_int_equal(top[0].subject, 0xabcdef);
    assert_in_range(top[0].count, 333000, 333334); /* it may have come to its place a little late */
    for (unsigned most = 1; most <= EXIT_SUBJECT_PLACES; most++) {
        struct exit_subject all = total(&table, SUBJECT_PAGE, most);

        assert_int_equal(all.count, 1000000);
        assert_int_equal(all.ticks, ticks);
    }
}

static void a_place_changes_hands(void **state)
{
    uint64_t first = 1, second = 2;
    struct exit_subject top[2], rest;

    (void)state;
    memset(&table, 0, sizeof(table));
    while (exit_subject_place(&table, SUBJECT_MSR, second) != exit_subject_place(&table, SUBJECT_MSR, first))
        second++;
    for (unsigned i = 0; i < 3; i++)
        count(&table, SUBJECT_MSR, first, 100);
    for (unsigned i = 0; i < 3; i++)
        count(&table, SUBJECT_MSR, second, 1);
    assert_int_equal(exit_subjects_top(&table, SUBJECT_MSR, top, 2, &rest), 1);
    assert_int_equal(top[0].subject, first);
    assert_int_equal(rest.count, 3);
    assert_int_equal(rest.ticks, 3);
    count(&table, SUBJECT_MSR, second, 1);
    assert_int_equal(exit_subjects_top(&table, SUBJECT_MSR, top, 2, &rest), 1);
    assert_int_equal(top[0].subject, second);
    assert_int_equal(top[0].count, 1);
    assert_int_equal(rest.count, 6);
    assert_int_equal(rest.ticks, 303);
}

static void merging_keeps_the_sums(void **state)
{
    struct exit_subject top[8], rest;
    uint64_t seed = 2, ticks = 0;

    (void)state;
    memset(&sum, 0, sizeof(sum));
    for (unsigned vcpu = 0; vcpu < 4; vcpu++) {
        memset(&table, 0, sizeof(table));
        for (unsigned i = 0; i < 5000; i++) {
            uint64_t taken = next(&seed) % 100;

            ticks += taken;
            count(&table, SUBJECT_CPUID, i % 2 ? 7 : next(&seed) % 500, taken);
        }
        exit_subjects_merge(&sum, &table);
    }
    assert_int_equal(total(&sum, SUBJECT_CPUID, 8).count, 20000);
    assert_int_equal(total(&sum, SUBJECT_CPUID, 8).ticks, ticks);
    (void)exit_subjects_top(&sum, SUBJECT_CPUID, top, 8, &rest);
    assert_int_equal(top[0].subject, 7);
    assert_in_range(top[0].count, 9900, 10200);
    assert_int_equal(total(&sum, SUBJECT_PORT, 8).count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_are_exact),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(a_frequent_one_among_many),
        cmocka_unit_test(a_place_changes_hands),
        cmocka_unit_test(merging_keeps_the_sums),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
