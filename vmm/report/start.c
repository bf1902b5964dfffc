/* SPDX-License-Identifier: MIT */
/* What the hypervisor's own start has taken. */
#include "vmm/plug.h"

#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "arch/x86/vmx.h"
#include "drivers/console.h"
#include "vmm/host/frame.h"
#include "vmm/host/machine.h"

extern const uint64_t boot_tsc; /* boot/entry.asm */

static struct {
#ifdef BENCH
    uint64_t vmreads, vmwrites;
#endif
    uint32_t entered; /* atomic: somebody writes the next two, or has written them */
    uint64_t ticks, console_ticks;
    uint64_t host_bytes, image_bytes;
} report;

void start_report_memory(void)
{
    struct frame_stats frames;

    frame_stats(&frames);
    report.host_bytes = frames.host * FRAME_SIZE;
    report.image_bytes = frames.image * FRAME_SIZE;
}

void start_report_entry(void)
{
    if (__atomic_exchange_n(&report.entered, 1, __ATOMIC_RELAXED) != 0)
        return;
    report.ticks = tsc_read() - boot_tsc;
    report.console_ticks = console_ticks();
#ifdef BENCH
    report.vmreads = vmx_bench_reads;
    report.vmwrites = vmx_bench_writes;
#endif
}

void start_report_print(void)
{
    if (report.ticks == 0)
        return;
    console_printf("adept: start: ticks=%llu console=%llu cpus=%u image=%llu KiB host=%llu KiB\n",
                   (unsigned long long)report.ticks, (unsigned long long)report.console_ticks, percpu_count(),
                   (unsigned long long)(report.image_bytes / 1024),
                   (unsigned long long)(report.host_bytes / 1024));
#ifdef BENCH
    console_printf("adept: start: vmread=%llu vmwrite=%llu\n", (unsigned long long)report.vmreads,
                   (unsigned long long)report.vmwrites);
#endif
}
