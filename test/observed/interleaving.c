/* SPDX-License-Identifier: MIT */
/* The search over interleavings. */
#include "test/observed/interleaving.h"
#include <ucontext.h>

#define STACK           (256 * 1024)
#define POINTS          8192u
#define WORDS           32768u /* a power of 2 */
#define PREEMPTIONS_MAX 4u
#define ACCESSES_MAX    1000000u

/* Who has accessed a word in any run until now. */
static struct word {
    uintptr_t address;
    uint8_t actors;
    bool written;
} words[WORDS];
static bool grown; /* a word has become one at which actors are switched: the search begins anew */

static const struct interleaving *what;
static unsigned actor_count, current;
static ucontext_t scheduler, contexts[ACTORS];
static _Alignas(16) char stacks[ACTORS][STACK];
static enum { READY, BLOCKED, DONE } states[ACTORS];

/* The schedule that is being run, and what it met. */
static struct {
    unsigned order[ACTORS];
    struct {
        unsigned at, to;
    } preemptions[PREEMPTIONS_MAX];
    unsigned preemption_count, points;
    uint8_t running[POINTS], ready[POINTS];
} run;

unsigned interleaving_actor(void)
{
    return current;
}

const char *interleaving_text(void)
{
    static char text[256];
    int length = snprintf(text, sizeof(text), "order %u %u %u", run.order[0], run.order[1], run.order[2]);

    for (unsigned n = 0; n < run.preemption_count; n++)
        length += snprintf(text + length, sizeof(text) - (size_t)length, ", at %u to %u",
                           run.preemptions[n].at, run.preemptions[n].to);
    return text;
}

static void switch_to(unsigned actor)
{
    unsigned from = current;

    if (actor == from)
        return;
    current = actor;
    swapcontext(&contexts[from], &contexts[actor]);
}

/* The next in the order that can go on; the actor itself if there is none. */
static unsigned other_actor(unsigned actor)
{
    for (unsigned n = 0; n < actor_count; n++) {
        if (run.order[n] != actor && states[run.order[n]] == READY)
            return run.order[n];
    }
    return actor;
}

void interleaving_wait(void)
{
    unsigned next = other_actor(current);

    if (next == current) {
        /* Those that wait for each other's writes get one more try; without any progress it is a deadlock. */
        world_fail("all actors wait");
        swapcontext(&contexts[current], &scheduler);
    }
    states[current] = BLOCKED;
    switch_to(next);
}

static struct word *word_of(const void *address)
{
    uintptr_t key = (uintptr_t)address & ~(uintptr_t)7;
    unsigned at = (unsigned)((key >> 3) * 0x9e3779b1u >> 8) & (WORDS - 1);

    while (words[at].address != 0 && words[at].address != key)
        at = (at + 1) & (WORDS - 1);
    words[at].address = key;
    return &words[at];
}

static bool on_a_stack(const void *address)
{
    uintptr_t offset = (uintptr_t)address - (uintptr_t)stacks;

    return offset < sizeof(stacks);
}

static void point(void)
{
    unsigned n = run.points;

    if (n >= POINTS) {
        world_fail("too many points for this test");
        return;
    }
    run.running[n] = (uint8_t)current;
    run.ready[n] = 0;
    for (unsigned actor = 0; actor < actor_count; actor++)
        run.ready[n] |= (uint8_t)((states[actor] == READY) << actor);
    run.points++;
    for (unsigned k = 0; k < run.preemption_count; k++) {
        if (run.preemptions[k].at == n)
            switch_to(run.preemptions[k].to);
    }
}

static void before(const struct memory_access *access)
{
    struct word *word;
    bool shared;

    if (world.failure[0] != '\0' || world.accesses > ACCESSES_MAX) {
        world_fail("it goes on for ever");
        swapcontext(&contexts[current], &scheduler);
    }
    if (!on_a_stack(access->address) && world_probed_word(access->address)) {
        word = word_of(access->address);
        shared = word->written && (word->actors & (word->actors - 1)) != 0;
        word->actors |= (uint8_t)(1u << current);
        word->written |= access->kind != ACCESS_READ && access->kind != ACCESS_LOAD;
        if (shared)
            point();
        else if (word->written && (word->actors & (word->actors - 1)) != 0)
            grown = true;
    }
    world_before(access);
}

static void after(const struct memory_access *access)
{
    world_after(access);
    if (access->changed) {
        for (unsigned actor = 0; actor < actor_count; actor++) {
            if (states[actor] == BLOCKED)
                states[actor] = READY;
        }
    }
    /* A lock that is taken: who spins lets another go on. */
    if (access->address == &world.bed.ept.planted_lock && access->old != 0 && access->value != 0)
        interleaving_wait();
}

uint64_t actor_load(uint64_t *word)
{
    before(&(struct memory_access){.kind = ACCESS_LOAD, .address = word, .size = 8});
    return *word;
}

bool actor_replace(uint64_t *word, uint64_t expected, uint64_t desired)
{
    uint64_t old;

    before(&(struct memory_access){.kind = ACCESS_UPDATE, .address = word, .size = 8});
    old = *word;
    if (old == expected)
        *word = desired;
    after(&(struct memory_access){ACCESS_UPDATE, word, 8, old, *word, old == expected});
    return old == expected;
}

void actor_add(uint64_t *word, uint64_t more)
{
    before(&(struct memory_access){.kind = ACCESS_UPDATE, .address = word, .size = 8});
    *word += more;
    after(&(struct memory_access){ACCESS_UPDATE, word, 8, *word - more, *word, true});
}

static void act(void)
{
    unsigned next;

    what->actors[current]();
    states[current] = DONE;
    /* What it did may be what another waits for. */
    for (unsigned actor = 0; actor < actor_count; actor++) {
        if (states[actor] == BLOCKED)
            states[actor] = READY;
    }
    next = other_actor(current);
    if (next == current)
        setcontext(&scheduler);
    current = next;
    setcontext(&contexts[next]);
}

static void run_once(void)
{
    static const struct memory_observer observer = {before, after};

    world_restore();
    what->start();
    run.points = 0;
    for (unsigned n = 0; n < actor_count; n++) {
        states[n] = READY;
        getcontext(&contexts[n]);
        contexts[n].uc_stack.ss_sp = stacks[n];
        contexts[n].uc_stack.ss_size = STACK;
        contexts[n].uc_link = NULL;
        makecontext(&contexts[n], act, 0);
    }
    current = run.order[0];
    memory_observer = &observer;
    swapcontext(&scheduler, &contexts[current]);
    memory_observer = NULL;
    if (world.failure[0] == '\0')
        what->finish();
}

/* This schedule, and all that have one more preemption behind its last one. */
static uint64_t search(unsigned preemptions)
{
    uint64_t count = 1;
    unsigned depth = run.preemption_count, first, points;
    uint8_t running[POINTS], ready[POINTS];

    run_once();
    if (world.failure[0] != '\0' || depth == preemptions)
        return count;
    points = run.points;
    memcpy(running, run.running, points);
    memcpy(ready, run.ready, points);
    first = depth == 0 ? 0 : run.preemptions[depth - 1].at + 1;
    for (unsigned at = first; at < points; at++) {
        for (unsigned to = 0; to < actor_count; to++) {
            if (to == running[at] || (ready[at] >> to & 1) == 0)
                continue;
            run.preemptions[depth].at = at;
            run.preemptions[depth].to = to;
            run.preemption_count = depth + 1;
            count += search(preemptions);
            if (world.failure[0] != '\0' || grown)
                return count;
            run.preemption_count = depth;
        }
    }
    return count;
}

uint64_t interleave(const struct interleaving *interleaving, unsigned preemptions)
{
    static const uint8_t orders[6][ACTORS] = {{0, 1, 2}, {1, 0, 2}, {0, 2, 1},
                                              {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    uint64_t count = 0;

    what = interleaving;
    for (actor_count = 0; actor_count < ACTORS && what->actors[actor_count] != NULL; actor_count++) {
    }
    memset(words, 0, sizeof(words));
    do {
        grown = false;
        count = 0;
        for (unsigned order = 0; order < (actor_count == 3 ? 6 : 2) && !grown; order++) {
            for (unsigned n = 0; n < ACTORS; n++)
                run.order[n] = orders[order][n];
            run.preemption_count = 0;
            count += search(preemptions < PREEMPTIONS_MAX ? preemptions : PREEMPTIONS_MAX);
            if (world.failure[0] != '\0')
                return count;
        }
    } while (grown);
    return count;
}
