/* SPDX-License-Identifier: MIT */
/*
 * What exits were about: how many at which port, MSR, CPUID leaf, hypercall number and guest-physical page,
 * and their ticks. A small table of each kind, whose places are chosen by a hash of the subject; no loop, no
 * allocation. Two subjects of one place compete: each exit of the loser counts against the holder, and when
 * there were more of them than of the holder's own, the place changes hands (a majority vote, so a subject
 * with more than half of its place's exits ends as its holder). Nothing is counted twice or lost: what has no
 * place any more, or never had one, is in `others`. So a holder's figures are exact from the moment it came
 * to its place, and the kind's sum always is. Pure.
 */
#ifndef VMM_TRACE_SUBJECTS_H
#define VMM_TRACE_SUBJECTS_H

#include <stddef.h>
#include <stdint.h>

enum exit_subject_kind {
    SUBJECT_PORT,      /* I/O port */
    SUBJECT_MSR,       /* MSR number */
    SUBJECT_CPUID,     /* leaf */
    SUBJECT_HYPERCALL, /* EAX of VMCALL */
    SUBJECT_PAGE, /* number of the 4-KiB page of an EPT violation or misconfiguration: guest-physical address
                     >> 12 */
    SUBJECT_KIND_COUNT,
};

#define EXIT_SUBJECT_PLACES_LOG2 5
#define EXIT_SUBJECT_PLACES      (1u << EXIT_SUBJECT_PLACES_LOG2)

struct exit_subject {
    uint64_t subject;
    uint64_t count; /* 0: the place is free */
    uint64_t ticks;
    uint64_t against; /* exits of others at this place, since it changed hands */
};

/* One vCPU's. Its CPU alone touches it. */
struct exit_subjects {
    struct exit_subject places[SUBJECT_KIND_COUNT][EXIT_SUBJECT_PLACES];
    struct exit_subject others[SUBJECT_KIND_COUNT]; /* `subject` and `against` are unused */
};

_Static_assert(sizeof(struct exit_subject) == 32, "an index is a shift");

/* Where the subject's exits are counted if it holds the place. */
static inline struct exit_subject *exit_subject_place(struct exit_subjects *subjects,
                                                      enum exit_subject_kind kind, uint64_t subject)
{
    return &subjects
                ->places[kind][(uint32_t)subject * UINT32_C(0x9e3779b1) >> (32 - EXIT_SUBJECT_PLACES_LOG2)];
}

/* An exit about something that does not hold its place. Where it is counted is returned. */
struct exit_subject *exit_subject_contend(struct exit_subjects *subjects, enum exit_subject_kind kind,
                                          struct exit_subject *place, uint64_t subject);

/* Counts one exit; its ticks are added to what is returned, once they are known. */
static inline struct exit_subject *exit_subject_count(struct exit_subjects *subjects,
                                                      enum exit_subject_kind kind, uint64_t subject)
{
    struct exit_subject *place = exit_subject_place(subjects, kind, subject);

    __asm__("" : "+r"(place)); /* made once: this is in every exit's path */
    if (__builtin_expect(place->subject != subject, 0))
        return exit_subject_contend(subjects, kind, place, subject);
    place->count++;
    return place;
}

/* Counts `count` exits about one subject, of so many ticks together. */
void exit_subject_add(struct exit_subjects *subjects, enum exit_subject_kind kind, uint64_t subject,
                      uint64_t count, uint64_t ticks);

/* *sum gets what `more` has, too. */
void exit_subjects_merge(struct exit_subjects *sum, const struct exit_subjects *more);

/*
 * The `most` subjects of a kind with the most exits, sorted, into top[]; how many there are is returned. All
 * others together, those without a place among them, are in *rest.
 */
unsigned exit_subjects_top(const struct exit_subjects *subjects, enum exit_subject_kind kind,
                           struct exit_subject *top, unsigned most, struct exit_subject *rest);

#endif
