/* SPDX-License-Identifier: MIT */
/*
 * What the manual says that a case of the conformance tester does (by ept/walk2d.c, the model), what came of
 * it, and the judgement. Pure.
 */
#ifndef VMM_CHECK_CONFORMANCE_PREDICT_H
#define VMM_CHECK_CONFORMANCE_PREDICT_H

#include "ept/walk2d.h"
#include "vmm/check/conformance/memory.h"
#include <stddef.h>

/* Where an emulator is known to depart from the manual. Each is looked for in its own situation alone and
 * must have its own outcome exactly. conformance_departure_text() says where the manual has it otherwise. */
enum conformance_departure {
    /* Bochs 2.7: with A/D flags for EPT, a violation by the guest's page walk lacks the read bit. */
    CONFORMANCE_DEPARTURE_READ_BIT,
    /* Bochs 2.7: without them, the guest's accessed and dirty flags are written to memory that the EPT has
       not writable. */
    CONFORMANCE_DEPARTURE_FLAG_WRITE,
    /* Bochs 2.7: bit 12 of an entry that maps a large page is ignored, not reserved. */
    CONFORMANCE_DEPARTURE_BIT_12,
    CONFORMANCE_DEPARTURES,
};

/* What the manual leaves to the processor: both are right, and counted. */
enum conformance_choice {
    CONFORMANCE_CHOICE_READ_BIT,      /* of a read-modify-write's violation */
    CONFORMANCE_CHOICE_ACCESSED_FLAG, /* of an entry used by a translation that ends in a fault */
    CONFORMANCE_CHOICES,
};

/* RAX before each case, and what a write writes. */
#define CONFORMANCE_WRITTEN UINT64_C(0x0123456789abcdef)

/* How a case ended. */
struct conformance_outcome {
    bool other_exit;                             /* than those that `end` knows: exit_reason says which */
    uint32_t exit_reason;                        /* the basic one */
    enum walk2d_end end;                         /* DONE: VMCALL */
    uint64_t qualification, gpa, linear_address; /* linear_address: of a #PF, CR2's */
    uint32_t error_code;
    uint64_t rip, rax;
    uint64_t data; /* DONE: the 8 bytes at the prediction's data */
    uint64_t watched[CONFORMANCE_WATCHED];
    uint64_t guest[CONFORMANCE_LEVELS + 1];
};

struct conformance_prediction {
    struct conformance_outcome outcome;
    uint64_t qualification_mask; /* bits that are defined, and the processor has no choice of */
    uint64_t qualification_open; /* bits of which it has */
    uint64_t data;               /* DONE: host-physical address that is accessed; else 0 */
    bool page_walk;              /* VIOLATION: by an access of the guest's page walk */
    bool flag_update;            /* VIOLATION: of the update of a guest's flag */
    uint64_t accessed_open[CONFORMANCE_WATCHED]; /* EPT_ACCESSED where that is left to the processor */
};

/* The EPTP of a case. */
uint64_t conformance_eptp(const struct conformance_memory *memory, const struct conformance_case *test);

/* Once, after conformance_memory_init(): predicts what is the same in all cases. */
void conformance_predict_prepare(struct conformance_memory *memory, struct walk2d *walk);

/* memory: armed with the case, not run. walk: room to work in. */
void conformance_predict(struct conformance_prediction *prediction, const struct conformance_memory *memory,
                         const struct conformance_case *test, struct walk2d *walk);

/* Reads what has become of the watched and the guest's entries. */
void conformance_observe(struct conformance_outcome *outcome, const struct conformance_memory *memory,
                         const struct conformance_case *test);

enum conformance_verdict { CONFORMANCE_AS_PREDICTED, CONFORMANCE_KNOWN_DEPARTURE, CONFORMANCE_MISMATCH };

struct conformance_judgement {
    enum conformance_verdict verdict;
    unsigned departures; /* KNOWN_DEPARTURE: a bit for each */
    unsigned set,
        clear; /* AS_PREDICTED: a bit for each choice that the case left open, and how it was taken */
};

/*
 * Judges an outcome. departures: whether those of the emulator are to be looked for. memory: as the case has
 * left it; a departure that wants other entries arms it anew.
 */
void conformance_judge(struct conformance_judgement *judgement, struct conformance_memory *memory,
                       const struct conformance_case *test, struct conformance_prediction *prediction,
                       struct conformance_outcome *outcome, bool departures, struct walk2d *walk);

/* What is different, in words, cut at size. `outcome` is none that was predicted. */
void conformance_explain(const struct conformance_prediction *prediction,
                         const struct conformance_outcome *outcome, char *buffer, size_t size);

/* The departure, and the place in the manual. */
const char *conformance_departure_text(enum conformance_departure departure);
const char *conformance_departure_manual(enum conformance_departure departure);
const char *conformance_choice_text(enum conformance_choice choice);
const char *conformance_choice_manual(enum conformance_choice choice);

#endif
