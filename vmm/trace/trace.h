/* SPDX-License-Identifier: MIT */
/*
 * The exit trace. Recording is not printing: the exit path puts a record into its CPU's ring, without a lock
 * (vmm/exit/trace.h, vmm/trace/ring.h); trace_drain_some() and trace_report_begin() turn records into lines
 * on the console, or into frames, from outside of the exit path. What did not fit is counted, and the count
 * is said where the records are missing. Repeated identical exits are folded into one record.
 */
#ifndef VMM_TRACE_TRACE_H
#define VMM_TRACE_TRACE_H

#include "arch/x86/compiler.h"
#include "vmm/trace/output.h"
#include "vmm/trace/ring.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vmm_cpu;

/* Gives a CPU its rings. false: no memory (the CPU then runs without a trace, and what its guests print is
 * lost). */
must_check bool trace_create(struct vmm_cpu *cpu);

/* What trace_rate= needs of a CPU. */
struct trace_rate {
    uint64_t second;     /* TSC at which the current one began */
    uint64_t recorded;   /* in it */
    uint64_t suppressed; /* since the last record that said how many */
};

/* Records a line of a guest's output. Unlike exits it is never dropped: waits for room by draining. The CPU
 * itself. */
void trace_record_text(struct vmm_cpu *cpu, uint16_t vm, const char *text, size_t length);

/* A vCPU leaves the CPU: all that is recorded is published, also what was lost. The CPU itself. */
void trace_finish(struct vmm_cpu *cpu);

/* Sets the VM's name and the TSC of its start, for its lines. */
void trace_name_vm(uint16_t vm, const char *name, uint64_t start_tsc);

struct trace_vm_name {
    char name[32];
    uint64_t start_tsc;
};

/* Never NULL. Any CPU. */
const struct trace_vm_name *trace_vm_name(uint16_t vm);

/* Something is on its way to the console or the trace's UART, begun and not ended. Written under the drain
 * lock; read anywhere. */
extern bool trace_line_open;

/* Whether there may be something to print: of this CPU, or the rest of a line. The CPU itself. */
static inline bool trace_pending(const struct trace_ring *ring)
{
    return (__atomic_load_n(&ring->pending, __ATOMIC_RELAXED) &
            __atomic_load_n(&ring->listens, __ATOMIC_RELAXED)) != 0 ||
           __atomic_load_n(&trace_line_open, __ATOMIC_RELAXED);
}

/* Prints as much as the console takes at once, without waiting. Any CPU. false: there was nothing to print.
 */
bool trace_drain_some(void);

/*
 * A report of several lines that nothing comes between: prints all that is recorded up to now, the calling
 * CPU's open record included, then keeps the console for the caller's console_printf until
 * trace_report_end(). Any CPU, not nested.
 *
 * What is recorded from the call on comes behind the report, so a guest that floods the trace or the console
 * keeps nobody waiting: a report begins after the reports that other CPUs asked for before, and after what
 * the rings hold, which is at most TRACE_RING_RECORDS exits and TRACE_OUTPUT_LINES lines of guests for each
 * CPU. Lines stand in the order of time but for this: what was recorded while a report waited or was printed
 * stands behind it.
 */
void trace_report_begin(void);
void trace_report_end(void);

/* Who writes to the console, for console_set_cpu_index(): all CPUs that drain count as one, since any may
 * finish a line. */
uint32_t trace_console_writer(void);

/*
 * The newest exits of the CPU's ring, whether drained or not: copies of at most `count` records, the oldest
 * first; how many is returned. For crash reports: takes no lock. The CPU itself, or while it stands still.
 */
unsigned trace_last(const struct vmm_cpu *cpu, struct trace_record *records, unsigned count);

/* Prints them as lines. */
void trace_print_last(struct vmm_cpu *cpu, unsigned count);

#endif
