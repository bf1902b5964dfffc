/* SPDX-License-Identifier: MIT */
/* Prediction against outcome, and the departures of Bochs. */
#include "drivers/format.h"
#include "ept/entry.h"
#include "ept/misconfig.h"
#include "ept/qualification.h"
#include "vmm/check/conformance/predict.h"
#include <stdarg.h>

#define BIT_12 EPT_BIT(12)

/* The first thing that differs, for a reader. */
enum difference {
    SAME,
    DIFFERENT_END,
    DIFFERENT_ADDRESS,
    DIFFERENT_QUALIFICATION,
    DIFFERENT_RESULT,
    DIFFERENT_ENTRY,
    DIFFERENT_GUEST_ENTRY,
};

static bool entries_match(const struct conformance_prediction *prediction,
                          const struct conformance_outcome *outcome, unsigned *which)
{
    for (*which = 0; *which < CONFORMANCE_WATCHED; ++*which)
        if (((prediction->outcome.watched[*which] ^ outcome->watched[*which]) &
             ~prediction->accessed_open[*which]) != 0)
            return false;
    return true;
}

/* allowed: qualification bits that may differ. */
static enum difference compare(const struct conformance_prediction *prediction,
                               const struct conformance_outcome *outcome, uint64_t allowed, unsigned *which)
{
    const struct conformance_outcome *expected = &prediction->outcome;
    bool fault = expected->end == WALK2D_VIOLATION || expected->end == WALK2D_MISCONFIG;

    *which = 0;
    if (outcome->other_exit || outcome->end != expected->end)
        return DIFFERENT_END;
    if ((fault && outcome->gpa != expected->gpa) ||
        (expected->end != WALK2D_DONE && expected->end != WALK2D_MISCONFIG &&
         outcome->linear_address != expected->linear_address))
        return DIFFERENT_ADDRESS;
    if (expected->end == WALK2D_VIOLATION &&
        ((outcome->qualification ^ expected->qualification) & prediction->qualification_mask & ~allowed) != 0)
        return DIFFERENT_QUALIFICATION;
    if (expected->end == WALK2D_PAGE_FAULT && outcome->error_code != expected->error_code)
        return DIFFERENT_QUALIFICATION;
    if (expected->end == WALK2D_DONE &&
        (outcome->rip != expected->rip || outcome->rax != expected->rax || outcome->data != expected->data))
        return DIFFERENT_RESULT;
    if (!entries_match(prediction, outcome, which))
        return DIFFERENT_ENTRY;
    /* Of a walk that ends in a fault the manual does not say which of the guest's flags it has written. */
    for (*which = 1; expected->end == WALK2D_DONE && *which <= CONFORMANCE_LEVELS; ++*which)
        if (outcome->guest[*which] != expected->guest[*which])
            return DIFFERENT_GUEST_ENTRY;
    return SAME;
}

static bool matches(const struct conformance_prediction *prediction, struct conformance_outcome *outcome,
                    const struct conformance_memory *memory, uint64_t allowed)
{
    unsigned which;

    if (outcome->end == WALK2D_DONE && prediction->data != 0)
        outcome->data = conformance_memory_read(memory, prediction->data);
    return compare(prediction, outcome, allowed, &which) == SAME;
}

static void count_choices(struct conformance_judgement *judgement,
                          const struct conformance_prediction *prediction,
                          const struct conformance_outcome *outcome)
{
    if (prediction->qualification_open != 0) {
        bool set = (outcome->qualification & prediction->qualification_open) != 0;

        *(set ? &judgement->set : &judgement->clear) |= 1u << CONFORMANCE_CHOICE_READ_BIT;
    }
    for (unsigned n = 0; n < CONFORMANCE_WATCHED; n++) {
        bool set = (outcome->watched[n] & prediction->accessed_open[n]) != 0;

        if (prediction->accessed_open[n] != 0)
            *(set ? &judgement->set : &judgement->clear) |= 1u << CONFORMANCE_CHOICE_ACCESSED_FLAG;
    }
}

/* The case as it is for a processor that ignores bit 12 of large pages; false: it has no such bit. */
static bool ignore_bit_12(const struct conformance_memory *memory, const struct conformance_case *test,
                          struct conformance_case *changed)
{
    bool any = false;

    *changed = *test;
    for (unsigned level = EPT_LEVEL_PD; level <= EPT_LEVEL_PDPT; level++) {
        if (!ept_caps_leaf(&memory->layout.caps, level) || !(test->entry[level] & EPT_LARGE) ||
            !(test->entry[level] & BIT_12))
            continue;
        changed->entry[level] &= ~BIT_12;
        any = true;
    }
    return any;
}

/* The predicted entries are those without bit 12, the real ones have it. */
static void put_bit_12_back(struct conformance_prediction *prediction,
                            const struct conformance_memory *memory, const struct conformance_case *test)
{
    for (unsigned level = EPT_LEVEL_PD; level <= EPT_LEVEL_PDPT; level++)
        if (test->entry[level] & EPT_LARGE)
            prediction->outcome.watched[conformance_watched(memory, memory->layout.slot[level])] |=
                test->entry[level] & BIT_12;
}

/*
 * As on a processor that asks the EPT for no right when it writes a guest's flag: the case with the flags set
 * already, but that they are written. memory: armed.
 */
static void predict_unchecked_flags(struct conformance_prediction *prediction,
                                    struct conformance_memory *memory, const struct conformance_case *test,
                                    struct walk2d *walk)
{
    struct conformance_case with_flags = *test;
    struct conformance_outcome armed;

    conformance_observe(&armed, memory, test);
    with_flags.access = CONFORMANCE_WALK;
    conformance_memory_arm(memory, &with_flags);
    conformance_predict(prediction, memory, test, walk);
    for (unsigned level = 1; level <= CONFORMANCE_LEVELS; level++)
        prediction->outcome.guest[level] = armed.guest[level] | GUEST_ENTRY_ACCESSED;
    prediction->outcome.guest[1] |= GUEST_ENTRY_DIRTY;
}

/* Departures in the way to this case; true: with them it is as predicted. `judged` says which. */
static bool departs(struct conformance_judgement *judged, struct conformance_memory *memory,
                    const struct conformance_case *test, const struct conformance_case *original,
                    struct conformance_outcome *outcome, struct walk2d *walk, unsigned before)
{
    struct conformance_prediction prediction;

    conformance_memory_arm(memory, test);
    conformance_predict(&prediction, memory, test, walk);
    put_bit_12_back(&prediction, memory, original);
    judged->departures = before;
    if (before != 0 && matches(&prediction, outcome, memory, 0))
        return true;
    if (prediction.page_walk && test->accessed_dirty && prediction.outcome.end == WALK2D_VIOLATION &&
        !(outcome->qualification & EPT_QUALIFICATION_READ)) {
        judged->departures = before | 1u << CONFORMANCE_DEPARTURE_READ_BIT;
        return matches(&prediction, outcome, memory, EPT_QUALIFICATION_READ);
    }
    if (prediction.flag_update && !test->accessed_dirty) {
        predict_unchecked_flags(&prediction, memory, test, walk);
        put_bit_12_back(&prediction, memory, original);
        judged->departures = before | 1u << CONFORMANCE_DEPARTURE_FLAG_WRITE;
        return matches(&prediction, outcome, memory, 0);
    }
    return false;
}

void conformance_judge(struct conformance_judgement *judgement, struct conformance_memory *memory,
                       const struct conformance_case *test, struct conformance_prediction *prediction,
                       struct conformance_outcome *outcome, bool departures, struct walk2d *walk)
{
    struct conformance_case changed;

    *judgement = (struct conformance_judgement){.verdict = CONFORMANCE_AS_PREDICTED};
    if (matches(prediction, outcome, memory, 0)) {
        count_choices(judgement, prediction, outcome);
        return;
    }
    judgement->verdict = CONFORMANCE_KNOWN_DEPARTURE;
    if (departures && departs(judgement, memory, test, test, outcome, walk, 0))
        return;
    if (departures && ignore_bit_12(memory, test, &changed) &&
        departs(judgement, memory, &changed, test, outcome, walk, 1u << CONFORMANCE_DEPARTURE_BIT_12))
        return;
    *judgement = (struct conformance_judgement){.verdict = CONFORMANCE_MISMATCH};
}

static void end_text(const struct conformance_outcome *outcome, char *buffer, size_t size)
{
    if (outcome->other_exit)
        (void)format(buffer, size, "exit reason %u", outcome->exit_reason);
    else if (outcome->end == WALK2D_VIOLATION)
        (void)format(buffer, size, "%s qual=%#llx gpa=%#llx gla=%#llx", walk2d_end_text(outcome->end),
                     (unsigned long long)outcome->qualification, (unsigned long long)outcome->gpa,
                     (unsigned long long)outcome->linear_address);
    else if (outcome->end == WALK2D_MISCONFIG)
        (void)format(buffer, size, "%s gpa=%#llx", walk2d_end_text(outcome->end),
                     (unsigned long long)outcome->gpa);
    else if (outcome->end == WALK2D_PAGE_FAULT)
        (void)format(buffer, size, "%s error=%#x cr2=%#llx", walk2d_end_text(outcome->end),
                     outcome->error_code, (unsigned long long)outcome->linear_address);
    else
        (void)format(buffer, size, "%s rip=%#llx rax=%#llx data=%#llx", walk2d_end_text(outcome->end),
                     (unsigned long long)outcome->rip, (unsigned long long)outcome->rax,
                     (unsigned long long)outcome->data);
}

void conformance_explain(const struct conformance_prediction *prediction,
                         const struct conformance_outcome *outcome, char *buffer, size_t size)
{
    static const char *const words[] = {[SAME] = "nothing",
                                        [DIFFERENT_END] = "end",
                                        [DIFFERENT_ADDRESS] = "address",
                                        [DIFFERENT_QUALIFICATION] = "qualification",
                                        [DIFFERENT_RESULT] = "result",
                                        [DIFFERENT_ENTRY] = "ept-entry",
                                        [DIFFERENT_GUEST_ENTRY] = "guest-entry"};
    char expected[112], got[112];
    unsigned which;
    enum difference difference = compare(prediction, outcome, 0, &which);
    size_t used;

    end_text(&prediction->outcome, expected, sizeof(expected));
    end_text(outcome, got, sizeof(got));
    used = format(buffer, size, "differs=%s expected=\"%s\" got=\"%s\"", words[difference], expected, got);
    if (used >= size)
        return;
    if (difference == DIFFERENT_ENTRY)
        (void)format(buffer + used, size - used, " entry=%u expected_raw=%#llx got_raw=%#llx", which,
                     (unsigned long long)prediction->outcome.watched[which],
                     (unsigned long long)outcome->watched[which]);
    if (difference == DIFFERENT_GUEST_ENTRY)
        (void)format(buffer + used, size - used, " guest_level=%u expected_raw=%#llx got_raw=%#llx", which,
                     (unsigned long long)prediction->outcome.guest[which],
                     (unsigned long long)outcome->guest[which]);
}

static const struct {
    const char *text, *manual;
} departure_texts[CONFORMANCE_DEPARTURES] =
    {
        [CONFORMANCE_DEPARTURE_READ_BIT] = {"page-walk violation without the read bit",
                                            "SDM vol. 3, Exit Qualification for EPT Violations"},
        [CONFORMANCE_DEPARTURE_FLAG_WRITE] =
            {"guest's accessed and dirty flags written to memory that is not writable",
             "SDM vol. 3, EPT Violations"},
        [CONFORMANCE_DEPARTURE_BIT_12] = {"bit 12 of a large page's entry ignored",
                                          "SDM vol. 3, EPT Translation Mechanism"},
},
  choice_texts[CONFORMANCE_CHOICES] = {
      [CONFORMANCE_CHOICE_READ_BIT] = {"read bit of a read-modify-write's violation",
                                       "SDM vol. 3, Exit Qualification for EPT Violations"},
      [CONFORMANCE_CHOICE_ACCESSED_FLAG] = {"accessed flags of a translation that ends in a fault",
                                            "SDM vol. 3, Accessed and Dirty Flags for EPT"},
};

const char *conformance_departure_text(enum conformance_departure departure)
{
    return departure_texts[departure].text;
}

const char *conformance_departure_manual(enum conformance_departure departure)
{
    return departure_texts[departure].manual;
}

const char *conformance_choice_text(enum conformance_choice choice)
{
    return choice_texts[choice].text;
}

const char *conformance_choice_manual(enum conformance_choice choice)
{
    return choice_texts[choice].manual;
}
