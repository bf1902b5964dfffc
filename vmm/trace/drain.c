/* SPDX-License-Identifier: MIT */
/* The trace's printing side: records in the order of time, as lines on the console. */
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"
#include "drivers/console.h"
#include "drivers/format.h"
#include "vmm/host/cpu.h"
#include "vmm/trace/trace.h"
#include "vmm/trace/frame.h"
#include "vmm/trace/sink.h"
#include "vmm/trace/text.h"

/* The longest is one of a guest: "[name] text". */
#define LINE_MAX (sizeof(struct trace_vm_name) + TRACE_TEXT_MAX)
_Static_assert(TRACE_LINE_MAX <= LINE_MAX, "an exit's line is shorter");

/* The consumer's side: whoever holds the lock owns what is being sent and every ring's tail. */
static struct {
    struct spinlock lock;
    uint32_t owner; /* CPU index + 1 of the holder, 0: free */
    char line[LINE_MAX + 2];
    size_t length, sent;
    uint8_t frames[TRACE_FRAMES_MAX];
    size_t frames_length, frames_sent;
} drain;

/* Beyond every CPU index. */
#define WRITER_DRAIN 0xffffffffu

bool trace_line_open;

static void drain_locked(void)
{
    __atomic_store_n(&drain.owner, percpu()->index + 1, __ATOMIC_RELAXED);
}

/* Under the drain lock. */
static bool all_sent(void)
{
    return drain.sent == drain.length && drain.frames_sent == drain.frames_length;
}

static void drain_unlock(void)
{
    __atomic_store_n(&trace_line_open, !all_sent(), __ATOMIC_RELAXED);
    __atomic_store_n(&drain.owner, 0, __ATOMIC_RELAXED);
    spinlock_unlock(&drain.lock);
}

uint32_t trace_console_writer(void)
{
    uint32_t index = percpu()->index;

    return __atomic_load_n(&drain.owner, __ATOMIC_RELAXED) == index + 1 ? WRITER_DRAIN : index;
}

/* What comes next from a CPU: an exit, or a line that a guest has printed; both NULL: nothing. */
struct item {
    struct vmm_cpu *cpu;
    const struct trace_record *record;
    const struct trace_output_line *line;
    uint64_t tsc;
};

/* `to_mark`: of what was there when mark_all() was called. */
static struct item next_of(struct vmm_cpu *cpu, bool to_mark)
{
    struct item item = {
        .cpu = cpu, .record = trace_ring_oldest(&cpu->trace), .line = trace_output_oldest(&cpu->output)};

    if (item.line != NULL && trace_ring_read_up_to(&cpu->trace, item.line->mark))
        item.record = NULL;
    if (item.record != NULL)
        item.line = NULL;
    if (to_mark && trace_ring_at_mark(&cpu->trace))
        item.record = NULL;
    if (to_mark && trace_output_at_mark(&cpu->output))
        item.line = NULL;
    item.tsc = item.record != NULL ? item.record->tsc : item.line != NULL ? item.line->tsc : 0;
    return item;
}

/* The oldest of all CPUs. A CPU that has nothing at all is not pending any more; what it puts from now on
 * makes it so again. */
static struct item oldest(bool to_mark)
{
    struct item best = {.cpu = NULL};

    for (unsigned i = 0; i < vmm_cpu_count(); i++) {
        struct vmm_cpu *cpu = vmm_cpu_at(i);
        struct item item;

        if (cpu == NULL)
            continue;
        item = next_of(cpu, to_mark);
        if (!to_mark && item.record == NULL && item.line == NULL && trace_pending(&cpu->trace)) {
            __atomic_store_n(&cpu->trace.listens, cpu->trace.drained, __ATOMIC_RELAXED);
            (void)__atomic_exchange_n(&cpu->trace.pending, 0, __ATOMIC_SEQ_CST);
            item = next_of(cpu, to_mark); /* what came between the look and the exchange */
        }
        if (item.record == NULL && item.line == NULL)
            continue;
        if (best.cpu == NULL || item.tsc < best.tsc)
            best = item;
    }
    return best;
}

/* Under the drain lock. */
static void send_line(size_t length)
{
    if (length > sizeof(drain.line) - 2)
        length = sizeof(drain.line) - 2;
    drain.line[length++] = '\n';
    drain.length = length;
    drain.sent = 0;
}

static void take_record(struct vmm_cpu *cpu, const struct trace_record *source)
{
    struct trace_record record = *source;
    const struct trace_vm_name *vm = trace_vm_name(record.source.vm);

    trace_ring_taken(&cpu->trace);
    trace_record_tidy(&record);
    if (trace_sink_text())
        send_line(trace_text(&record, vm->name, vm->start_tsc, drain.line, sizeof(drain.line) - 1));
    drain.frames_sent = 0;
    drain.frames_length = trace_sink_encode(cpu, &record, drain.frames);
}

static void take_line(struct vmm_cpu *cpu, const struct trace_output_line *line)
{
    size_t length = format(drain.line, sizeof(drain.line) - 1, "[%s] %.*s", trace_vm_name(line->vm)->name,
                           line->length, line->text);

    trace_output_taken(&cpu->output);
    send_line(length);
}

/* Takes the next item, for sending, if it is not newer than `until`. Under the drain lock, with nothing left
 * to send; false: there is none. */
static bool take_next(bool to_mark, uint64_t until)
{
    struct item item = oldest(to_mark);

    if (item.tsc > until)
        return false;
    if (item.record != NULL)
        take_record(item.cpu, item.record);
    else if (item.line != NULL)
        take_line(item.cpu, item.line);
    return item.cpu != NULL;
}

bool trace_drain_some(void)
{
    bool more = true;

    if (!spinlock_try_lock(&drain.lock))
        return true;
    drain_locked();
    if (all_sent())
        more = take_next(false, UINT64_MAX);
    if (drain.sent != drain.length)
        drain.sent += console_try_write(drain.line + drain.sent, drain.length - drain.sent);
    if (drain.sent == drain.length && drain.frames_sent != drain.frames_length)
        drain.frames_sent +=
            trace_sink_try_send(drain.frames + drain.frames_sent, drain.frames_length - drain.frames_sent);
    drain_unlock();
    return more;
}

/* What all rings hold now, and no more: other CPUs go on recording. A line's exits are published before the
 * line is, so its mark is taken first. */
static void mark_all(void)
{
    for (unsigned i = 0; i < vmm_cpu_count(); i++) {
        struct vmm_cpu *cpu = vmm_cpu_at(i);

        if (cpu == NULL)
            continue;
        trace_output_mark(&cpu->output);
        trace_ring_mark(&cpu->trace);
    }
}

/* Prints all that is there now and was recorded up to `until`, a TSC. Under the drain lock. */
static void drain_rest(uint64_t until)
{
    mark_all();
    do {
        console_write(drain.line + drain.sent, drain.length - drain.sent);
        drain.sent = drain.length = 0;
        if (drain.frames_sent != drain.frames_length)
            trace_sink_send(drain.frames + drain.frames_sent, drain.frames_length - drain.frames_sent);
        drain.frames_sent = drain.frames_length = 0;
    } while (take_next(true, until));
}

void trace_report_begin(void)
{
    struct vmm_cpu *cpu = vmm_cpu();
    uint64_t asked;

    if (cpu != NULL)
        trace_ring_publish(&cpu->trace);
    asked = tsc_read(); /* not once the reports before this one are done: they are long */
    spinlock_lock(&drain.lock);
    drain_locked();
    drain_rest(asked);
}

void trace_report_end(void)
{
    drain_unlock();
}
