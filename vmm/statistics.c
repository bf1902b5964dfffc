/* SPDX-License-Identifier: MIT */
/* The table of a VM's exits. */
#include "vmm/statistics.h"
#include "drivers/console.h"
#include "vmm/vm.h"

static unsigned long long mean(uint64_t ticks, uint64_t count)
{
    return count != 0 ? ticks / count : 0;
}

void statistics_add_up(struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        for (unsigned reason = 0; reason < EXIT_REASON_COUNT; reason++) {
            vm->statistics[reason].count += vm->vcpus[i].statistics[reason].count;
            vm->statistics[reason].ticks += vm->vcpus[i].statistics[reason].ticks;
        }
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

void statistics_print(const struct vm *vm)
{
    const struct exit_statistics *statistics = vm->statistics;
    uint64_t count = 0, ticks = 0;

    for (unsigned reason = 0; reason < EXIT_REASON_COUNT; reason++) {
        if (statistics[reason].count == 0)
            continue;
        count += statistics[reason].count;
        ticks += statistics[reason].ticks;
        console_printf("adept: exits vm=%s reason=%s(%u) count=%llu ticks=%llu mean=%llu\n", vm->config.name,
                       exit_reason_name(reason), reason, (unsigned long long)statistics[reason].count,
                       (unsigned long long)statistics[reason].ticks,
                       mean(statistics[reason].ticks, statistics[reason].count));
    }
    console_printf("adept: exits vm=%s reason=all count=%llu ticks=%llu mean=%llu\n", vm->config.name,
                   (unsigned long long)count, (unsigned long long)ticks, mean(ticks, count));
    if (vm->config.vcpus > 1)
        print_shootdowns(vm);
}
