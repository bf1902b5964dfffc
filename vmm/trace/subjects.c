/* SPDX-License-Identifier: MIT */
/* What exits were about: the rare ways of the counters. */
#include "vmm/trace/subjects.h"

static void add(struct exit_subject *to, const struct exit_subject *from)
{
    to->count += from->count;
    to->ticks += from->ticks;
}

struct exit_subject *exit_subject_contend(struct exit_subjects *subjects, enum exit_subject_kind kind,
                                          struct exit_subject *place, uint64_t subject)
{
    struct exit_subject *others = &subjects->others[kind];

    if (++place->against <= place->count) {
        others->count++;
        return others;
    }
    add(others, place);
    *place = (struct exit_subject){.subject = subject, .count = 1};
    return place;
}

/* Of two at one place the one with more exits holds it. */
static void merge(struct exit_subject *place, struct exit_subject *others, const struct exit_subject *more)
{
    if (more->subject == place->subject || more->count == 0) {
        add(place, more);
    } else if (more->count > place->count) {
        add(others, place);
        *place = *more;
    } else {
        add(others, more);
    }
}

void exit_subject_add(struct exit_subjects *subjects, enum exit_subject_kind kind, uint64_t subject,
                      uint64_t count, uint64_t ticks)
{
    const struct exit_subject more = {.subject = subject, .count = count, .ticks = ticks};

    merge(exit_subject_place(subjects, kind, subject), &subjects->others[kind], &more);
}

void exit_subjects_merge(struct exit_subjects *sum, const struct exit_subjects *more)
{
    for (unsigned kind = 0; kind < SUBJECT_KIND_COUNT; kind++) {
        add(&sum->others[kind], &more->others[kind]);
        for (unsigned i = 0; i < EXIT_SUBJECT_PLACES; i++)
            merge(&sum->places[kind][i], &sum->others[kind], &more->places[kind][i]);
    }
}

unsigned exit_subjects_top(const struct exit_subjects *subjects, enum exit_subject_kind kind,
                           struct exit_subject *top, unsigned most, struct exit_subject *rest)
{
    unsigned count = 0;

    *rest = subjects->others[kind];
    for (unsigned i = 0; i < EXIT_SUBJECT_PLACES; i++) {
        struct exit_subject subject = subjects->places[kind][i];
        unsigned at = count;

        if (subject.count == 0)
            continue;
        /* Insertion: the smallest falls out at the end. */
        for (; at > 0 && top[at - 1].count < subject.count; at--) {
            if (at < most)
                top[at] = top[at - 1];
            else
                add(rest, &top[at - 1]);
        }
        if (at < most)
            top[at] = subject;
        else
            add(rest, &subject);
        if (count < most)
            count++;
    }
    return count;
}
