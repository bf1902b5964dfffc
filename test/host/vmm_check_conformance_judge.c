/* SPDX-License-Identifier: MIT */
/* Tests of vmm/check/conformance/judge.c: departures are known only in their own situation, and anything else is a
 * mismatch. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/host/conformance_processor.h"

#define CASES 60000u

static struct processor processor;
static struct conformance_judgement judgement;
static struct conformance_prediction prediction;
static struct walk2d walk;

struct tally {
    unsigned known[CONFORMANCE_DEPARTURES], departing, mismatches, set[CONFORMANCE_CHOICES],
        clear[CONFORMANCE_CHOICES];
};

static struct tally run(bool departures)
{
    struct tally tally = {.departing = 0};

    for (unsigned n = 0; n < CASES; n++) {
        enum conformance_verdict verdict =
            processor_case(&processor, 9, n, departures, &judgement, &prediction);

        tally.departing += verdict == CONFORMANCE_KNOWN_DEPARTURE;
        tally.mismatches += verdict == CONFORMANCE_MISMATCH;
        for (unsigned i = 0; i < CONFORMANCE_DEPARTURES; i++)
            tally.known[i] += judgement.departures >> i & 1;
        for (unsigned i = 0; i < CONFORMANCE_CHOICES; i++) {
            tally.set[i] += judgement.set >> i & 1;
            tally.clear[i] += judgement.clear >> i & 1;
        }
    }
    return tally;
}

static void begin(void)
{
    processor_init(&processor, CAPS_ALL, 40, TABLES, RAM);
    conformance_predict_prepare(&processor.memory, &walk);
}

/* Bochs's departures one by one and together: each is named, none is another's, and without leave each is a
 * mismatch. */
static void departures(void **state)
{
    struct tally tally;

    (void)state;
    for (unsigned mask = 0; mask < 1u << CONFORMANCE_DEPARTURES; mask++) {
        begin();
        processor.without_read_bit = mask >> CONFORMANCE_DEPARTURE_READ_BIT & 1;
        processor.unchecked_flags = mask >> CONFORMANCE_DEPARTURE_FLAG_WRITE & 1;
        processor.ignores_bit_12 = mask >> CONFORMANCE_DEPARTURE_BIT_12 & 1;
        tally = run(true);
        assert_int_equal(tally.mismatches, 0);
        assert_int_equal(conformance_memory_verify(&processor.memory), 0);
        for (unsigned i = 0; i < CONFORMANCE_DEPARTURES; i++)
            assert_int_equal(tally.known[i] != 0, mask >> i & 1);
        tally.mismatches = tally.departing;
        assert_int_equal(run(false).mismatches, tally.mismatches);
        processor_free(&processor);
    }
}

/* Both ways of what the manual leaves open are right, and counted. */
static void choices(void **state)
{
    struct tally no, yes;

    (void)state;
    begin();
    no = run(false);
    processor.read_bit_of_both = processor.accessed_when_faulting = true;
    yes = run(false);
    for (unsigned i = 0; i < CONFORMANCE_CHOICES; i++) {
        assert_int_equal(no.set[i], 0);
        assert_true(no.clear[i] > 100);
        assert_int_equal(yes.set[i], no.clear[i]);
        assert_int_equal(yes.clear[i], 0);
    }
    assert_int_equal(no.mismatches + yes.mismatches + no.departing + yes.departing, 0);
    processor_free(&processor);
}

/* One thing of an outcome is changed; false: this one does not apply. */
static bool change(struct conformance_outcome *outcome, unsigned which, unsigned n)
{
    const struct conformance_memory *memory = &processor.memory;
    bool done = outcome->end == WALK2D_DONE, violation = outcome->end == WALK2D_VIOLATION;

    if (which == 0)
        outcome->other_exit = true;
    else if (which == 1)
        outcome->end = done ? WALK2D_MISCONFIG : WALK2D_DONE;
    else if (which == 2 && !done)
        outcome->gpa ^= 1;
    else if (which == 3 && violation)
        outcome->linear_address ^= 0x1000;
    else if (which == 4 && violation)
        outcome->qualification ^= UINT64_C(1) << (n % 2 ? 1 + n % 5 : 12 + n % 5);
    else if (which == 5 && done)
        outcome->rip++;
    else if (which == 6 && done)
        outcome->rax ^= 1;
    else if (which == 7 && done && prediction.data != 0)
        *(uint64_t *)(void *)(memory->ram + (prediction.data - memory->ram_hpa)) ^= 1;
    else if (which == 8 && done)
        outcome->guest[1 + n % 4] ^= n % 2 ? 0x20 : 0x1000;
    else if (which >= 9 && which - 9 < memory->watched_count && !prediction.accessed_open[which - 9])
        outcome->watched[which - 9] ^= n % 2 ? 0x100 : 0x200;
    else
        return false;
    return true;
}

/* Every part of an outcome is compared: one bit of one thing changed is a mismatch. verdict: without that. */
static void each_difference_counts(enum conformance_verdict verdict, unsigned cases,
                                   unsigned expected_changes)
{
    struct conformance_case test;
    struct conformance_outcome outcome, wrong;
    struct conformance_memory *memory = &processor.memory;
    unsigned changes = 0;
    char text[400];

    for (unsigned n = 0; n < cases; n++) {
        conformance_case_make(&test, &memory->layout, 1, n);
        conformance_memory_arm(memory, &test);
        conformance_predict(&prediction, memory, &test, &walk);
        processor_run(&processor, &test, &outcome);
        wrong = outcome;
        conformance_judge(&judgement, memory, &test, &prediction, &wrong, true, &walk);
        for (unsigned which = 0; which < 9 + CONFORMANCE_WATCHED && judgement.verdict == verdict; which++) {
            wrong = outcome;
            if (!change(&wrong, which, n))
                continue;
            changes++;
            conformance_judge(&judgement, memory, &test, &prediction, &wrong, true, &walk);
            if (judgement.verdict != CONFORMANCE_MISMATCH) {
                conformance_explain(&prediction, &wrong, text, sizeof(text));
                fail_msg("case %u change %u passes: %s", n, which, text);
            }
            if (which == 7)
                (void)change(&wrong, which, n);
            judgement.verdict = verdict;
        }
        conformance_memory_restore(memory, &test);
    }
    assert_true(changes > expected_changes);
}

static void differences(void **state)
{
    (void)state;
    begin();
    each_difference_counts(CONFORMANCE_AS_PREDICTED, 3000, 50000);
    processor_free(&processor);
    begin(); /* a departure excuses nothing else */
    processor.without_read_bit = processor.unchecked_flags = processor.ignores_bit_12 = true;
    each_difference_counts(CONFORMANCE_KNOWN_DEPARTURE, 60000, 20000);
    processor_free(&processor);
}

static void words(void **state)
{
    struct conformance_outcome outcome = {
        .end = WALK2D_VIOLATION, .qualification = 0x82, .gpa = 0x1000, .linear_address = 0x2000};
    char text[400], little[24];

    (void)state;
    memset(&prediction, 0, sizeof(prediction));
    prediction.outcome.end = WALK2D_MISCONFIG;
    prediction.outcome.gpa = 0x1000;
    conformance_explain(&prediction, &outcome, text, sizeof(text));
    assert_string_equal(text, "differs=end expected=\"EPT misconfiguration gpa=0x1000\" got=\"EPT violation "
                              "qual=0x82 gpa=0x1000 gla=0x2000\"");
    prediction.outcome = outcome;
    prediction.outcome.watched[3] = 0x107;
    conformance_explain(&prediction, &outcome, text, sizeof(text));
    assert_non_null(strstr(text, "differs=ept-entry "));
    assert_non_null(strstr(text, " entry=3 expected_raw=0x107 got_raw=0x0"));
    conformance_explain(&prediction, &outcome, little, sizeof(little));
    assert_int_equal(strlen(little), sizeof(little) - 1);
    for (unsigned n = 0; n < CONFORMANCE_DEPARTURES; n++) {
        assert_non_null(conformance_departure_text((enum conformance_departure)n));
        assert_non_null(strstr(conformance_departure_manual((enum conformance_departure)n), "SDM vol. 3, "));
    }
    for (unsigned n = 0; n < CONFORMANCE_CHOICES; n++) {
        assert_non_null(conformance_choice_text((enum conformance_choice)n));
        assert_non_null(strstr(conformance_choice_manual((enum conformance_choice)n), "SDM vol. 3, "));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(departures),
        cmocka_unit_test(choices),
        cmocka_unit_test(differences),
        cmocka_unit_test(words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
