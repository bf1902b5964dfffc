/* SPDX-License-Identifier: MIT */
/*
 * All interleavings of two or three actors with at most so many preemptions, each tried once: actors are
 * coroutines, and another may go on before each access to a word that two of them access and one changes.
 * (The order of all other accesses makes no difference.) Few preemptions find most races: Musuvathi and
 * Qadeer, "Iterative Context Bounding for Systematic Testing of Multithreaded Programs".
 */
#ifndef TEST_OBSERVED_INTERLEAVING_H
#define TEST_OBSERVED_INTERLEAVING_H

#include "test/observed/world.h"

#define ACTORS 3u

struct interleaving {
    void (*actors[ACTORS])(void); /* the first that is NULL ends the list */
    void (*start)(void);          /* before each run */
    void (*finish)(void);         /* after each run: checks */
};

/* The number of interleavings. Stops at the first with a failure in world.failure. */
uint64_t interleave(const struct interleaving *what, unsigned preemptions);

/* For an actor: which one it is, 0..2. */
unsigned interleaving_actor(void);
/* For an actor: the others go on until one of them has written something. */
void interleaving_wait(void);
/* For an actor that is no engine: its accesses. */
uint64_t actor_load(uint64_t *word);
bool actor_replace(uint64_t *word, uint64_t expected, uint64_t desired);
void actor_add(uint64_t *word, uint64_t more);

/* The schedule of the last run, in words. */
const char *interleaving_text(void);

#endif
