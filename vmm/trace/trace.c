/* SPDX-License-Identifier: MIT */
/* The trace's recording side: each CPU's rings, names of VMs, and the last exits for reports. */
#include "vmm/trace/trace.h"
#include "arch/x86/memory.h"
#include "arch/x86/tsc.h"
#include "drivers/console.h"
#include "drivers/format.h"
#include "vmm/host/cpu.h"
#include "vmm/exit/trace_filter.h"
#include "vmm/host/frame.h"
#include "vmm/trace/frame.h"
#include "vmm/trace/sink.h"
#include "vmm/trace/text.h"

#define VM_NAMES_MAX 64

static struct trace_vm_name vm_names[VM_NAMES_MAX];

void trace_name_vm(uint16_t vm, const char *name, uint64_t start_tsc)
{
    if (vm >= VM_NAMES_MAX)
        return;
    (void)format(vm_names[vm].name, sizeof(vm_names[vm].name), "%s", name);
    vm_names[vm].start_tsc = start_tsc;
}

const struct trace_vm_name *trace_vm_name(uint16_t vm)
{
    static const struct trace_vm_name unknown = {.name = "?"};

    return vm < VM_NAMES_MAX ? &vm_names[vm] : &unknown;
}

must_check bool trace_create(struct vmm_cpu *cpu)
{
    struct trace_record *records = frame_alloc_zeroed(TRACE_RING_RECORDS * sizeof(*records));

    cpu->output = (struct trace_output){.bytes = frame_alloc_zeroed(TRACE_OUTPUT_BYTES)};
    trace_ring_init(&cpu->trace, records, records != NULL ? TRACE_RING_RECORDS : 0, trace_sink_drains());
    cpu->frames = trace_sink_binary() ? frame_alloc_zeroed(sizeof(*cpu->frames)) : NULL;
    return records != NULL && cpu->output.bytes != NULL;
}

void trace_record_text(struct vmm_cpu *cpu, uint16_t vm, const char *text, size_t length)
{
    struct trace_output_line line = {.vm = vm};

    if (cpu->output.bytes == NULL)
        return;
    trace_ring_publish(&cpu->trace);
    line.mark = cpu->trace.held;
    line.tsc = tsc_read();
    while (!trace_output_put(&cpu->output, &line, text, length))
        (void)trace_drain_some();
    __atomic_store_n(&cpu->trace.listens, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&cpu->trace.pending, 1, __ATOMIC_RELAXED);
}

void trace_finish(struct vmm_cpu *cpu)
{
    while (!exit_trace_rate_finish(cpu) || !trace_ring_finish(&cpu->trace))
        (void)trace_drain_some();
}

unsigned trace_last(const struct vmm_cpu *cpu, struct trace_record *records, unsigned count)
{
    return trace_ring_last(&cpu->trace, records, count);
}

void trace_print_last(struct vmm_cpu *cpu, unsigned count)
{
    char line[TRACE_LINE_MAX];
    struct trace_record records[32];
    unsigned found = trace_last(cpu, records, count < array_count(records) ? count : array_count(records));

    for (unsigned i = 0; i < found; i++) {
        const struct trace_vm_name *vm = trace_vm_name(records[i].source.vm);

        (void)trace_text(&records[i], vm->name, vm->start_tsc, line, sizeof(line));
        console_printf("adept:   %s\n", line);
    }
}
