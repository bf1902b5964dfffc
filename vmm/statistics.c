/* SPDX-License-Identifier: MIT */
/* The table of a VM's exits. */
#include "vmm/statistics.h"
#include "drivers/console.h"
#include "vmm/vm.h"

static unsigned long long mean(uint64_t ticks, uint64_t count)
{
    return count != 0 ? ticks / count : 0;
}

void statistics_print(const struct vm *vm)
{
    const struct exit_statistics *statistics = vm->vcpu.statistics;
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
}
