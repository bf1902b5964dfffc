/* SPDX-License-Identifier: MIT */
/* The table of a VM's exits. */
#include "vmm/trace/statistics.h"
#include "arch/x86/memory.h"
#include "drivers/console.h"
#include "drivers/format.h"
#include "vmm/vm/vm.h"
#include "vmm/quick/quick.h"
#include "vmm/vcpu/vcpu.h"

#define SUBJECTS_SHOWN 8

static unsigned long long mean(uint64_t ticks, uint64_t count)
{
    return count != 0 ? ticks / count : 0;
}

void statistics_add_up(struct vm *vm)
{
    for (unsigned reason = 0; reason < EXIT_REASON_COUNT; reason++) {
        exit_statistics_init(&vm->statistics[reason]);
        for (unsigned i = 0; i < vm->vcpu_count; i++)
            exit_statistics_merge(&vm->statistics[reason], &vm->vcpus[i].statistics[reason]);
    }
    memset(&vm->subjects, 0, sizeof(vm->subjects));
    vm->bus_lock_count = 0;
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        vm->bus_lock_count += vm->vcpus[i].bus_lock_count;
        exit_quick_collect(&vm->vcpus[i]);
        exit_subjects_merge(&vm->subjects, &vm->vcpus[i].subjects);
    }
}

static void print_shootdowns(const struct vm *vm)
{
    const struct shootdown_statistics *s = &vm->shootdown_statistics;

    console_printf(
        "adept: shootdown: vm=%s requests=%llu interrupts=%llu nmis=%llu invalidations=%llu ticks=%llu "
        "mean=%llu longest=%llu\n",
        vm->config.name, (unsigned long long)s->requests, (unsigned long long)s->interrupts,
        (unsigned long long)s->nmis, (unsigned long long)s->invalidations, (unsigned long long)s->ticks,
        mean(s->ticks, s->requests), (unsigned long long)s->longest);
}

/* "7:12,8:3": 12 exits of 2^7 to 2^8 - 1 ticks, 3 of 2^8 to 2^9 - 1. In JSON the numbers of the bins are
 * quoted. */
static void histogram_text(const struct exit_statistics *statistics, const char *quote, char *text,
                           size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (unsigned bin = 0; bin < EXIT_HISTOGRAM_BINS && length < size; bin++)
        if (statistics->histogram[bin] != 0)
            length += format(text + length, size - length, "%s%s%u%s:%llu", length != 0 ? "," : "", quote,
                             bin, quote, (unsigned long long)statistics->histogram[bin]);
}

static void print_reason(const char *vm, const char *reason, int number,
                         const struct exit_statistics *statistics, bool json)
{
    unsigned long long count = exit_statistics_count(statistics), ticks = statistics->ticks;
    unsigned long long min = count != 0 ? statistics->min : 0;
    char histogram[EXIT_HISTOGRAM_BINS * 28], name[40];

    histogram_text(statistics, json ? "\"" : "", histogram, sizeof(histogram));
    if (json) {
        console_printf("{\"vm\":\"%s\",\"reason\":\"%s\",\"number\":%d,\"count\":%llu,\"ticks\":%llu,\"min\":"
                       "%llu,\"mean\":%llu,"
                       "\"max\":%llu,\"log2\":{%s}}\n",
                       vm, reason, number, count, ticks, min, mean(ticks, count),
                       (unsigned long long)statistics->max, histogram);
        return;
    }
    (void)format(name, sizeof(name), number < 0 ? "%s" : "%s(%d)", reason, number);
    console_printf("adept: exits vm=%s reason=%s count=%llu ticks=%llu mean=%llu min=%llu max=%llu log2=%s\n",
                   vm, name, count, ticks, mean(ticks, count), min, (unsigned long long)statistics->max,
                   histogram);
}

static const char *const kind_names[SUBJECT_KIND_COUNT] = {
    [SUBJECT_PORT] = "port",           [SUBJECT_MSR] = "msr",   [SUBJECT_CPUID] = "cpuid",
    [SUBJECT_HYPERCALL] = "hypercall", [SUBJECT_PAGE] = "page",
};

/* `others`: all that have no line of their own. */
static void print_subject(const char *vm, enum exit_subject_kind kind, const struct exit_subject *figures,
                          bool others, bool json)
{
    unsigned long long count = figures->count, ticks = figures->ticks;
    char subject[24] = "others";

    if (!others)
        (void)format(
            subject, sizeof(subject), "%#llx",
            (unsigned long long)(kind == SUBJECT_PAGE ? figures->subject * PAGE_SIZE : figures->subject));
    console_printf(json ? "{\"vm\":\"%s\",\"subject\":\"%s\",\"value\":\"%s\",\"count\":%llu,\"ticks\":%llu,"
                          "\"mean\":%llu}\n"
                        : "adept: subjects vm=%s %s=%s count=%llu ticks=%llu mean=%llu\n",
                   vm, kind_names[kind], subject, count, ticks, mean(ticks, count));
}

static void print_subjects(const struct vm *vm, bool json)
{
    for (unsigned kind = 0; kind < SUBJECT_KIND_COUNT; kind++) {
        struct exit_subject top[SUBJECTS_SHOWN], rest;
        unsigned count = exit_subjects_top(&vm->subjects, kind, top, SUBJECTS_SHOWN, &rest);

        for (unsigned i = 0; i < count; i++)
            print_subject(vm->config.name, kind, &top[i], false, json);
        if (rest.count != 0)
            print_subject(vm->config.name, kind, &rest, true, json);
    }
}

void statistics_print(const struct vm *vm, bool json)
{
    struct exit_statistics all;

    exit_statistics_init(&all);
    for (unsigned reason = 0; reason < EXIT_REASON_COUNT; reason++) {
        if (exit_statistics_count(&vm->statistics[reason]) == 0)
            continue;
        exit_statistics_merge(&all, &vm->statistics[reason]);
        print_reason(vm->config.name, exit_reason_name(reason), (int)reason, &vm->statistics[reason], json);
    }
    print_reason(vm->config.name, "all", -1, &all, json);
    print_subjects(vm, json);
    if (vm->config.vcpus > 1)
        print_shootdowns(vm);
    if (vm->bus_lock_count != 0 && !json) /* each has kept all CPUs from memory for its time */
        console_printf("adept: bus-locks: vm=%s count=%llu\n", vm->config.name,
                       (unsigned long long)vm->bus_lock_count);
}
