/* SPDX-License-Identifier: MIT */
/*
 * What ept/ costs on this machine: nanoseconds of the operations of ept_scale.h for guests of three sizes,
 * and how much more two threads do in one EPT than one does. Exit status 1: less than 1.8 times as much.
 *
 * The time is the threads' CPU time, and a pair of runs counts only if both have run at the same time and
 * neither had to wait for its processor. Of what counts the least is taken: so other programs on the machine
 * make it take longer, and do not change what it finds. `--threads`: that alone.
 */
#define _GNU_SOURCE
#include "test/bench/ept_scale.h"
#include <sched.h>
#include <time.h>

#define PAIRS    3  /* that count, at least */
#define BLOCKS   24 /* of 2 MiB, that a thread touches page by page: less than a millisecond */
#define PATIENCE 60 /* seconds */
#define ENOUGH   1.8
#define ROUNDS   15u

static double seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double measured;

static void measure(bool on)
{
    double now = seconds(CLOCK_THREAD_CPUTIME_ID);

    measured += on ? -now : now;
}

static void show_sizes(void)
{
    printf("nanoseconds of one, the least of %u:   %8s %8s %8s\n", ROUNDS, "1 GiB", "64 GiB", "1 TiB");
    for (unsigned n = 0; n < SCALE_OPERATIONS; n++) {
        printf("%-36s ", scale_operations[n].name);
        for (unsigned size = 0; size < SCALE_SIZES; size++) {
            double best = 1e9;

            for (unsigned round = 0; round < ROUNDS; round++) {
                double each;

                measured = 0;
                each = (double)scale_run(&scale_operations[n], scale_sizes[size], measure);
                each = measured * 1e9 / each;
                best = each < best ? each : best;
            }
            printf(" %8.1f", best);
        }
        printf("\n");
        fflush(stdout);
    }
}

/* Frames that have been zeroed ahead; taken without a lock, as they would be from a processor's own reserve.
 */
struct frames {
    uint8_t *memory;
    uint64_t next, count;
};

static uint64_t take_frame(void *context)
{
    struct frames *frames = context;
    uint64_t n = __atomic_fetch_add(&frames->next, 1, __ATOMIC_RELAXED);

    return n < frames->count ? (uintptr_t)frames->memory + n * SCALE_PAGE : EPT_NO_FRAME;
}

static void leave_frame(void *context, uint64_t hpa)
{
    (void)context;
    (void)hpa;
}

struct run {
    pthread_t thread;
    struct ept *ept;
    uint64_t gpa;
    unsigned *ready, wanted; /* none starts before all are there */
    double start, end, cpu;
};

static void *touch_all(void *argument)
{
    struct run *run = argument;

    (void)__atomic_fetch_add(run->ready, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(run->ready, __ATOMIC_ACQUIRE) < run->wanted) {
    }
    run->start = seconds(CLOCK_MONOTONIC);
    run->cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned page = 0; page < BLOCKS * 512; page++)
        scale_expect(ept_fault(run->ept, run->gpa + page * SCALE_PAGE, EPT_WRITE).kind == EPT_FAULT_INSTALLED,
                     "a page is not mapped");
    run->cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - run->cpu;
    run->end = seconds(CLOCK_MONOTONIC);
    return NULL;
}

/* CPU seconds of one thread (`first`, 0 or 1), or of both, in a new EPT. false: they have not run at the same
 * time, or had to wait. */
static bool try(struct frames *frames, bool two_regions, unsigned first, unsigned threads, double *took)
{
    const struct ept_memory memory = {
        .context = frames, .alloc_table = take_frame, .free_table = leave_frame};
    struct ept_region storage[4];
    struct ept_region_list list;
    struct ept_caps caps;
    struct ept ept;
    struct run runs[2];
    unsigned ready = 0;
    double start = 0, end = 1e300;
    bool undisturbed = true;

    memset(frames->memory, 0, frames->count * SCALE_PAGE);
    frames->next = 0;
    scale_expect(ept_caps_init(&caps, CAP_NO_LARGE, 48) == EPT_OK, "no EPT");
    ept_region_list_init(&list, storage, 4, &caps);
    for (unsigned n = 0; n < 2; n++) {
        struct ept_region region = {.gpa = n * 64 * SCALE_GIB,
                                    .size = 64 * SCALE_GIB,
                                    .hpa = (two_regions ? n + 1 : 1) * 1024 * SCALE_GIB + n * 64 * SCALE_GIB,
                                    .rights = EPT_RIGHTS,
                                    .memory_type = MEMORY_TYPE_WB};

        scale_expect(ept_region_add(&list, &region) == EPT_OK, "no memory map");
    }
    scale_expect(ept_init(&ept, &memory, &caps, &list) == EPT_OK, "no frames");
    for (unsigned n = 0; n < threads; n++) {
        runs[n] = (struct run){
            .ept = &ept, .gpa = (first + n) * 64 * SCALE_GIB, .ready = &ready, .wanted = threads};
        scale_expect(pthread_create(&runs[n].thread, NULL, touch_all, &runs[n]) == 0, "no thread");
    }
    for (unsigned n = 0; n < threads; n++) {
        pthread_join(runs[n].thread, NULL);
        took[n] = runs[n].cpu;
        undisturbed &= runs[n].end - runs[n].start < 1.05 * runs[n].cpu;
        start = runs[n].start > start ? runs[n].start : start;
        end = runs[n].end < end ? runs[n].end : end;
    }
    for (unsigned n = 0; n < threads; n++)
        undisturbed &= end - start > 0.9 * runs[n].cpu;
    return undisturbed;
}

/* The least that each thread has taken, by itself and beside the other. */
struct least {
    double alone[2], beside[2];
    unsigned pairs;
};

static double factor(const struct least *least)
{
    return least->alone[0] / least->beside[0] + least->alone[1] / least->beside[1];
}

/* Until it is enough, or time is up: what other programs do can only make it less. 0: never together. */
static double more(struct frames *frames, bool two_regions)
{
    double until = seconds(CLOCK_MONOTONIC) + PATIENCE;
    struct least least = {{1e9, 1e9}, {1e9, 1e9}, 0};

    do {
        double took[2];

        for (unsigned n = 0; n < 2; n++) {
            if (try(frames, two_regions, n, 1, took) && took[0] < least.alone[n])
                least.alone[n] = took[0];
        }
        if (try(frames, two_regions, 0, 2, took)) {
            least.pairs++;
            for (unsigned n = 0; n < 2; n++)
                least.beside[n] = took[n] < least.beside[n] ? took[n] : least.beside[n];
        }
    } while ((least.pairs < PAIRS || factor(&least) < ENOUGH) && seconds(CLOCK_MONOTONIC) < until);
    return least.pairs >= PAIRS ? factor(&least) : 0;
}

int main(int count, char **words)
{
    struct frames frames = {.count = 2 * BLOCKS + 16};
    cpu_set_t allowed;
    int status = 0;

    if (count < 2 || strcmp(words[1], "--threads") != 0)
        show_sizes();
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0 || CPU_COUNT(&allowed) < 2) {
        printf("ept_scale: two threads need two processors\n");
        return 1;
    }
    frames.memory = aligned_alloc(4096, frames.count * SCALE_PAGE);
    for (unsigned two_regions = 0; two_regions < 2; two_regions++) {
        double times = more(&frames, two_regions);

        if (times == 0)
            printf("ept_scale: in %d seconds two threads hardly ever ran at the same time\n", PATIENCE);
        else
            printf("two threads on disjoint memory, in %s: %.2f times the work of one\n",
                   two_regions ? "two regions" : "one region", times);
        if (times < ENOUGH)
            status = 1;
    }
    free(frames.memory);
    return status;
}
