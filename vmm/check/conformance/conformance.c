/* SPDX-License-Identifier: MIT */
/* The run of the conformance tester, and its report. */
#include "vmm/plug.h"
#include "arch/x86/memory.h"
#include "arch/x86/tsc.h"
#include "drivers/console.h"
#include "drivers/format.h"
#include "vmm/check/conformance/guest.h"
#include "vmm/check/conformance/predict.h"
#include "vmm/host/cpu.h"
#include "vmm/host/bochs.h"
#include "vmm/host/frame.h"
#include "vmm/host/machine.h"
#include "vmm/host/power.h"

#define MISMATCHES_SHOWN 16
#define VERIFY_EVERY     16384u
#define SPOILT_CASE      1000u /* of test=conformance-... */
#define LAST_LINE        96
#define EXPLANATION      320
#define RUN_FAILED       2

struct run {
    struct conformance_guest guest;
    struct conformance_case test;
    struct conformance_prediction prediction;
    struct conformance_outcome outcome;
    struct conformance_judgement judgement;
    struct walk2d walk;
    uint64_t seed;
    bool departures; /* this machine is the emulator that has them */
    uint64_t cases, random, confined, mismatches, departing;
    uint64_t ends[WALK2D_NO_MEMORY + 1];
    uint64_t departure_counts[CONFORMANCE_DEPARTURES];
    uint64_t set[CONFORMANCE_CHOICES], clear[CONFORMANCE_CHOICES];
};

static char last_line[LAST_LINE];

static bool test_word(const char *word)
{
    return cmdline_has_test(machine_options(), word);
}

/* One line that has all that is needed to look at the case, and to run it again. */
static void print_case(const struct run *run, const char *what, const char *explanation)
{
    const struct conformance_case *test = &run->test;

    console_printf("conformance: %s case=%llu seed=%llu kind=%s access=%s instruction=%u guest_level=%u "
                   "ad=%u structures=%u confined=%u gpa=%#llx "
                   "level4=%#llx level3=%#llx level2=%#llx level1=%#llx %s\n",
                   what, (unsigned long long)test->number, (unsigned long long)run->seed,
                   test->random ? "random" : "systematic", conformance_access_text(test->access),
                   test->instruction, test->guest_level, test->accessed_dirty, test->structures_type,
                   test->confined, (unsigned long long)run->guest.memory.layout.probe_gpa,
                   (unsigned long long)test->entry[4], (unsigned long long)test->entry[3],
                   (unsigned long long)test->entry[2], (unsigned long long)test->entry[1], explanation);
}

static void mismatch(struct run *run, const char *explanation)
{
    if (run->mismatches++ < MISMATCHES_SHOWN)
        print_case(run, "mismatch", explanation);
}

static void count(struct run *run)
{
    const struct conformance_judgement *judgement = &run->judgement;

    run->departing += judgement->verdict == CONFORMANCE_KNOWN_DEPARTURE;
    for (unsigned n = 0; n < CONFORMANCE_DEPARTURES; n++)
        run->departure_counts[n] += judgement->departures >> n & 1;
    for (unsigned n = 0; n < CONFORMANCE_CHOICES; n++) {
        run->set[n] += judgement->set >> n & 1;
        run->clear[n] += judgement->clear >> n & 1;
    }
    if (judgement->verdict == CONFORMANCE_MISMATCH) {
        char text[EXPLANATION];

        conformance_explain(&run->prediction, &run->outcome, text, sizeof(text));
        mismatch(run, text);
    }
}

/* Faults on purpose: a wrong prediction, a flag changed behind the processor's back, a stray write. */
static void spoil(struct run *run, bool before)
{
    struct conformance_memory *memory = &run->guest.memory;

    if (run->test.number != SPOILT_CASE)
        return;
    if (before && test_word("conformance-wrong")) {
        run->prediction.outcome.gpa ^= 8;
        run->prediction.outcome.rax ^= 8;
    }
    if (!before && test_word("conformance-flag"))
        run->outcome.watched[CONFORMANCE_LEVELS] ^= EPT_ACCESSED;
    if (!before && test_word("conformance-stray"))
        memory->ram[CONFORMANCE_RAM_SIZE - 1] = 1;
}

/* Nothing of the VM's memory but what the cases have been seen to write may have changed. */
static void verify(struct run *run)
{
    struct conformance_memory *memory = &run->guest.memory;
    uint64_t hpa = conformance_memory_verify(memory);
    char text[EXPLANATION];

    if (hpa == 0)
        return;
    (void)format(text, sizeof(text),
                 "differs=memory hpa=%#llx was changed by this case or one of the %u before it",
                 (unsigned long long)hpa, VERIFY_EVERY);
    mismatch(run, text);
    conformance_memory_init(memory, &run->guest.vm.ept.caps, memory->layout.tables, memory->tables,
                            memory->ram_hpa, memory->ram);
    conformance_predict_prepare(memory, &run->walk);
}

/* Where a predicted access goes must be the VM's own; whatever a fault of ours may make of a case, it is not
 * run then. */
static bool may_run(struct run *run)
{
    const struct conformance_prediction *prediction = &run->prediction;

    if (prediction->outcome.end != WALK2D_NO_MEMORY &&
        (prediction->data == 0 || frame_owner_of(prediction->data) == FRAME_GUEST(run->guest.vm.id)))
        return true;
    mismatch(run, "differs=confinement the case would leave its VM and is not run");
    return false;
}

/* One case; false: the guest cannot be entered. */
static bool run_case(struct run *run, uint64_t number)
{
    struct conformance_memory *memory = &run->guest.memory;

    conformance_case_make(&run->test, &memory->layout, run->seed, number);
    conformance_memory_arm(memory, &run->test);
    conformance_predict(&run->prediction, memory, &run->test, &run->walk);
    run->cases++;
    run->random += run->test.random;
    run->confined += run->test.confined;
    run->ends[run->prediction.outcome.end]++;
    if (!may_run(run)) {
        conformance_memory_restore(memory, &run->test);
        return true;
    }
    spoil(run, true);
    if (!conformance_guest_run(&run->guest, &run->test, &run->outcome))
        return false;
    spoil(run, false);
    conformance_judge(&run->judgement, memory, &run->test, &run->prediction, &run->outcome, run->departures,
                      &run->walk);
    count(run);
    conformance_memory_restore(memory, &run->test);
    if (number % VERIFY_EVERY == VERIFY_EVERY - 1)
        verify(run);
    return true;
}

static void print_report(const struct run *run, uint64_t ticks)
{
    console_printf(
        "conformance: done=%llu violation=%llu misconfiguration=%llu random=%llu confined=%llu "
        "ticks_per_case=%llu\n",
        (unsigned long long)run->ends[WALK2D_DONE], (unsigned long long)run->ends[WALK2D_VIOLATION],
        (unsigned long long)run->ends[WALK2D_MISCONFIG], (unsigned long long)run->random,
        (unsigned long long)run->confined, (unsigned long long)(run->cases ? ticks / run->cases : 0));
    for (unsigned n = 0; n < CONFORMANCE_CHOICES; n++)
        console_printf("conformance: choice name=\"%s\" set=%llu clear=%llu manual=\"%s\"\n",
                       conformance_choice_text((enum conformance_choice)n), (unsigned long long)run->set[n],
                       (unsigned long long)run->clear[n],
                       conformance_choice_manual((enum conformance_choice)n));
    for (unsigned n = 0; n < CONFORMANCE_DEPARTURES; n++)
        if (run->departure_counts[n] != 0)
            console_printf("conformance: departure emulator=\"Bochs\" name=\"%s\" cases=%llu manual=\"%s\"\n",
                           conformance_departure_text((enum conformance_departure)n),
                           (unsigned long long)run->departure_counts[n],
                           conformance_departure_manual((enum conformance_departure)n));
}

static bool run_cases(struct run *run)
{
    const struct cmdline_options *options = machine_options();
    const struct conformance_layout *layout = &run->guest.memory.layout;
    uint64_t start = tsc_read();
    bool entered = true;

    conformance_predict_prepare(&run->guest.memory, &run->walk);
    run->seed = options->conformance_seed;
    run->departures = emulator_bochs() != 0 && !test_word("conformance-processor");
    console_printf("conformance: begin cases=%llu seed=%llu systematic=%u ad=%u large_1g=%u execute_only=%u "
                   "physical_width=%u machine=%s\n",
                   (unsigned long long)options->conformance_cases, (unsigned long long)run->seed,
                   conformance_systematic_count(layout), layout->caps.accessed_dirty, layout->caps.large_1g,
                   layout->caps.execute_only, layout->caps.physical_width,
                   run->departures ? "bochs" : "processor");
    for (uint64_t number = 0; entered && number < options->conformance_cases; number++)
        entered = run_case(run, number);
    if (entered)
        verify(run);
    else
        print_case(run, "failed", run->guest.vm.end.why);
    print_report(run, tsc_read() - start);
    return entered;
}

/*
 * Runs the cases of the command line (conformance=CASES,SEED) on the boot CPU and prints what differs; the
 * last line of the console will be "conformance: N cases, N mismatches, N known departures". 0: no mismatch,
 * 1: some, 2: the test could not be run.
 */
int conformance_run(void)
{
    struct run *run = frame_alloc_zeroed(sizeof(*run));
    int status = RUN_FAILED;

    if (run == NULL) {
        console_printf("adept: refused: memory for the conformance test is missing\n");
        return RUN_FAILED;
    }
    if (vmm_cpu() == NULL || !vmm_cpu()->vmx_on)
        console_printf("adept: refused: VMX on the boot CPU is missing\n");
    else if (!conformance_guest_create(&run->guest))
        console_printf("adept: refused: conformance test: %s\n", run->guest.vm.end.why);
    else {
        if (run_cases(run))
            status = run->mismatches != 0;
        conformance_guest_destroy(&run->guest);
        (void)format(last_line, sizeof(last_line),
                     "conformance: %llu cases, %llu mismatches, %llu known departures",
                     (unsigned long long)run->cases, (unsigned long long)run->mismatches,
                     (unsigned long long)run->departing);
        power_set_last_line(last_line);
    }
    frame_free_run(virt_to_phys(run), (sizeof(*run) + PAGE_SIZE - 1) / PAGE_SIZE, FRAME_HOST);
    return status;
}
