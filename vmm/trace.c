/* SPDX-License-Identifier: MIT */
/* Trace rings, and draining them to the console. */
#include "vmm/trace.h"
#include "arch/x86/memory.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"
#include "drivers/console.h"
#include "drivers/format.h"
#include "vmm/cpu.h"
#include "vmm/exit_reason.h"
#include "vmm/frame.h"
#include "vmm/hypercall_abi.h"
#include "vmm/trace_text.h"

#define VM_NAMES_MAX 64

static struct {
    char name[32];
    uint64_t start_tsc;
} vm_names[VM_NAMES_MAX];

/* The consumer's side: whoever holds the lock owns the line in the making and every ring's tail. */
static struct {
    struct spinlock lock;
    uint32_t owner; /* CPU index + 1 of the holder, 0: free */
    char line[TRACE_LINE_MAX + 2];
    size_t length, sent;
} drain;

/* Beyond every CPU index. */
#define WRITER_DRAIN 0xffffffffu

static void drain_locked(void)
{
    __atomic_store_n(&drain.owner, percpu()->index + 1, __ATOMIC_RELAXED);
}

bool trace_line_open;

static void drain_unlock(void)
{
    __atomic_store_n(&trace_line_open, drain.sent != drain.length, __ATOMIC_RELAXED);
    __atomic_store_n(&drain.owner, 0, __ATOMIC_RELAXED);
    spinlock_unlock(&drain.lock);
}

uint32_t trace_console_writer(void)
{
    uint32_t index = percpu()->index;

    return __atomic_load_n(&drain.owner, __ATOMIC_RELAXED) == index + 1 ? WRITER_DRAIN : index;
}

must_check bool trace_ring_create(struct vmm_cpu *cpu)
{
    uint64_t bytes = TRACE_RING_RECORDS * sizeof(struct trace_record);
    uint64_t frames = (bytes + 4095) / 4096;
    uint64_t physical = frame_alloc_run(FRAME_HOST, frames, 1);

    memset(&cpu->trace, 0, sizeof(cpu->trace));
    if (physical == FRAME_ALLOC_FAILED)
        return false;
    cpu->trace.records = phys_to_virt(physical);
    return true;
}

void trace_name_vm(uint16_t vm, const char *name, uint64_t start_tsc)
{
    if (vm >= VM_NAMES_MAX)
        return;
    (void)format(vm_names[vm].name, sizeof(vm_names[vm].name), "%s", name);
    vm_names[vm].start_tsc = start_tsc;
}

static bool ring_full(const struct trace_ring *ring)
{
    return ring->head - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) == TRACE_RING_RECORDS;
}

/* Publishes one record, or counts it as lost. The producer. */
static bool ring_put(struct trace_ring *ring, const struct trace_record *record)
{
    struct trace_record *slot;

    if (ring->records == NULL)
        return true;
    if (ring_full(ring)) {
        uint32_t exits = record->kind == TRACE_EXIT ? record->exit.repeats : 0;

        ring->lost = ring->lost > UINT32_MAX - exits ? UINT32_MAX : ring->lost + exits;
        return false;
    }
    slot = &ring->records[ring->head % TRACE_RING_RECORDS];
    *slot = *record;
    slot->lost = ring->lost;
    ring->lost = 0;
    __atomic_store_n(&ring->head, ring->head + 1, __ATOMIC_RELEASE);
    return true;
}

void trace_publish(struct trace_ring *ring)
{
    if (!ring->held_valid)
        return;
    ring->held_valid = false;
    (void)ring_put(ring, &ring->held); /* a full ring has counted it as lost */
}

/* Ports at which a guest prints text, a character each: their data does not make two exits differ. */
static bool is_text_port(const struct trace_exit *exit)
{
    uint16_t port = (uint16_t)(exit->qualification >> 16);

    if (exit->reason != EXIT_IO || exit->result.code != RESULT_DEVICE)
        return false;
    /* COM1 to COM4: 0x3f8, 0x2f8, 0x3e8, 0x2e8 */
    return (port & 0xfee8) == 0x2e8 || port == PORT_DEBUG_BOCHS || port == PORT_DEBUG_BIOS;
}

static bool same_exit(const struct trace_record *a, const struct trace_record *b)
{
    const struct trace_exit *x = &a->exit, *y = &b->exit;

    return a->vm == b->vm && x->reason == y->reason && x->rip == y->rip && x->cs == y->cs &&
           x->qualification == y->qualification && x->guest_physical_address == y->guest_physical_address &&
           x->word == y->word && (x->value == y->value || is_text_port(x)) &&
           x->result.code == y->result.code && x->result.level == y->result.level &&
           x->result.vector == y->result.vector;
}

void trace_record_exit(struct trace_ring *ring, const struct trace_record *record)
{
    if (ring->held_valid && ring->held.exit.repeats != UINT32_MAX && same_exit(&ring->held, record)) {
        ring->held.exit.repeats++;
        ring->held.exit.ticks += record->exit.ticks;
        return;
    }
    trace_publish(ring);
    ring->held = *record;
    ring->held_valid = true;
}

void trace_record_text(struct vmm_cpu *cpu, uint16_t vm, const char *text, size_t length)
{
    struct trace_record record = {.kind = TRACE_TEXT, .vm = vm, .cpu = (uint16_t)cpu->percpu->index};
    struct trace_ring *ring = &cpu->trace;

    if (length > TRACE_TEXT_LENGTH)
        length = TRACE_TEXT_LENGTH;
    record.tsc = tsc_read();
    record.text_length = (uint8_t)length;
    memcpy(record.text, text, length);
    trace_publish(ring);
    while (ring->records != NULL && ring_full(ring))
        (void)trace_drain_some();
    (void)ring_put(ring, &record);
}

/* The ring whose oldest record is the oldest of all. Under the drain lock. */
static struct trace_ring *oldest_ring(void)
{
    struct trace_ring *best = NULL;
    uint64_t best_tsc = 0;

    for (unsigned i = 0; i < vmm_cpu_count(); i++) {
        struct vmm_cpu *cpu = vmm_cpu_at(i);
        const struct trace_record *record;

        if (cpu == NULL || cpu->trace.records == NULL ||
            __atomic_load_n(&cpu->trace.head, __ATOMIC_ACQUIRE) == cpu->trace.tail)
            continue;
        record = &cpu->trace.records[cpu->trace.tail % TRACE_RING_RECORDS];
        if (best == NULL || record->tsc < best_tsc) {
            best = &cpu->trace;
            best_tsc = record->tsc;
        }
    }
    return best;
}

static size_t line_of(const struct trace_record *record, char *buffer, size_t size)
{
    const char *name = record->vm < VM_NAMES_MAX ? vm_names[record->vm].name : "?";
    uint64_t start = record->vm < VM_NAMES_MAX ? vm_names[record->vm].start_tsc : 0;
    size_t length = 0;

    if (record->lost != 0)
        length = format(buffer, size, "adept: trace: cpu=%u lost=%u exits did not fit into the ring\n",
                        record->cpu, record->lost);
    if (record->kind == TRACE_TEXT)
        length +=
            format(buffer + length, size - length, "[%s] %.*s", name, record->text_length, record->text);
    else
        length += trace_text(record, name, start, buffer + length, size - length);
    return length;
}

/* Makes the next line. Under the drain lock; false: every ring is empty. */
static bool next_line(void)
{
    struct trace_ring *ring = oldest_ring();
    size_t length;

    if (ring == NULL)
        return false;
    length = line_of(&ring->records[ring->tail % TRACE_RING_RECORDS], drain.line, sizeof(drain.line) - 1);
    if (length > sizeof(drain.line) - 2)
        length = sizeof(drain.line) - 2;
    drain.line[length++] = '\n';
    drain.length = length;
    drain.sent = 0;
    __atomic_store_n(&ring->tail, ring->tail + 1, __ATOMIC_RELEASE);
    return true;
}

bool trace_drain_some(void)
{
    bool more = true;

    if (!spinlock_try_lock(&drain.lock))
        return true;
    drain_locked();
    if (drain.sent == drain.length)
        more = next_line();
    if (more)
        drain.sent += console_try_write(drain.line + drain.sent, drain.length - drain.sent);
    drain_unlock();
    return more;
}

/* Under the drain lock. */
static void drain_rest(void)
{
    do {
        console_write(drain.line + drain.sent, drain.length - drain.sent);
        drain.sent = drain.length = 0;
    } while (next_line());
}

void trace_drain_all(void)
{
    spinlock_lock(&drain.lock);
    drain_locked();
    drain_rest();
    drain_unlock();
}

void trace_report_begin(void)
{
    struct vmm_cpu *cpu = vmm_cpu();

    if (cpu != NULL)
        trace_publish(&cpu->trace);
    spinlock_lock(&drain.lock);
    drain_locked();
    drain_rest();
}

void trace_report_end(void)
{
    drain_unlock();
}

void trace_print_last(struct vmm_cpu *cpu, unsigned count)
{
    char line[TRACE_LINE_MAX];
    struct trace_ring *ring = &cpu->trace;
    uint32_t first, oldest;

    if (ring->records == NULL)
        return;
    trace_publish(ring);
    oldest = ring->head > TRACE_RING_RECORDS ? ring->head - TRACE_RING_RECORDS : 0;
    for (first = ring->head; first != oldest && count > 0;) /* text lies between */
        count -= ring->records[--first % TRACE_RING_RECORDS].kind == TRACE_EXIT;
    for (uint32_t i = first; i != ring->head; i++) {
        const struct trace_record *record = &ring->records[i % TRACE_RING_RECORDS];

        if (record->kind != TRACE_EXIT)
            continue;
        (void)line_of(record, line, sizeof(line));
        console_printf("adept:   %s\n", line);
    }
}
