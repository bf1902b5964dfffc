/* SPDX-License-Identifier: MIT */
/* The report at a VM's end: if it crashed why, and everything about the vCPU that ended it
 * (vmm/report/vcpu.h), then the dumps that were asked for, and whether isolation held. */
#include "vmm/plug.h"
#include "arch/x86/exception_guard.h"
#include "drivers/console.h"
#include "drivers/format.h"
#include "vmm/host/cpu.h"
#include "vmm/report/ept_dump.h"
#include "vmm/vm/output.h"
#include "vmm/report/isolation.h"
#include "vmm/report/memtype.h"
#include "vmm/report/screen.h"
#include "vmm/host/symbols.h"
#include "vmm/report/vcpu.h"
#include "vmm/vm/vm.h"
#include "vmm/report/vmcs_dump.h"
#include "vmm/report/walk.h"
#include "vmm/vcpu/vcpu.h"

#define LAST_EXITS 32

static void print_entry_check(void *argument)
{
    struct vcpu *vcpu = argument;

    if (vcpu->entry_failed && entry_report(vcpu->vm->config.name) == 0)
        console_printf("adept: entry-check: vm=%s no rule of the manual is broken\n", vcpu->vm->config.name);
}

static void print_exit(void *argument)
{
    vcpu_report_exit(argument);
}

static void print_registers(void *argument)
{
    vcpu_report_registers(argument);
}

static void print_control_registers(void *argument)
{
    vcpu_report_control_registers(argument);
}

static void print_segments(void *argument)
{
    vcpu_report_segments(argument);
}

static void print_events(void *argument)
{
    vcpu_report_events(argument);
}

static void print_code(void *argument)
{
    vcpu_report_code(argument);
}

static void print_stack(void *argument)
{
    vcpu_report_stack(argument);
}

static void print_walk(void *argument)
{
    vcpu_report_fault_walk(argument);
}

static void print_last_exits(void *argument)
{
    struct vcpu *vcpu = argument;

    console_printf("adept:   exits: the last %u of cpu=%u that were recorded (trace=)\n", LAST_EXITS,
                   vcpu->cpu->percpu->index);
    trace_print_last(vcpu->cpu, LAST_EXITS);
}

static void print_other_vcpus(void *argument)
{
    struct vcpu *vcpu = argument;
    struct vm *vm = vcpu->vm;

    for (unsigned i = 0; i < vm->vcpu_count; i++)
        if (&vm->vcpus[i] != vcpu)
            vcpu_report_brief(&vm->vcpus[i]);
}

static void fault_on_purpose(void *argument)
{
    host_test_in_report(argument);
}

static const struct {
    const char *name;
    void (*print)(void *vcpu);
} parts[] = {
    {"entry-check", print_entry_check},
    {"exit", print_exit},
    {"test", fault_on_purpose},
    {"regs", print_registers},
    {"ctrl", print_control_registers},
    {"segs", print_segments},
    {"event", print_events},
    {"code", print_code},
    {"stack", print_stack},
    {"walk", print_walk},
    {"vcpus", print_other_vcpus},
    {"exits", print_last_exits},
};

/* A part that faults in the hypervisor says so, and the next one follows: other guests go on. */
static void print_part(const char *name, void (*print)(void *argument), struct vcpu *vcpu)
{
    struct exception_guard guard;
    char symbol[SYMBOL_TEXT];

    if (exception_guarded(print, vcpu, &guard))
        return;
    symbols_format(symbol, sizeof(symbol), guard.frame.rip);
    console_printf("\nadept: report: vm=%s part=%s is cut off: exception %s(%u) in the hypervisor while "
                   "reporting: error=%#llx "
                   "cr2=%#llx rip=%#llx %s\n",
                   vcpu->vm->config.name, name, exception_name((unsigned)guard.frame.vector),
                   (unsigned)guard.frame.vector, (unsigned long long)guard.frame.error_code,
                   (unsigned long long)guard.cr2, (unsigned long long)guard.frame.rip, symbol);
}

static void print_crash(struct vcpu *vcpu)
{
    const struct vm *vm = vcpu->vm;

    console_printf("adept: report: vm=%s cpu=%u", vm->config.name, vcpu->cpu->percpu->index);
    if (vm->vcpu_count > 1)
        console_printf(" vcpu=%u", vcpu->index);
    console_printf(" ended: %s\n", vm->end.why);
    host_test_before_report(vcpu);
    for (unsigned i = 0; i < array_count(parts); i++)
        print_part(parts[i].name, parts[i].print, vcpu);
    console_printf("adept: report: end vm=%s\n", vm->config.name);
}

void vm_report(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;

    if (!vcpu->ran)
        return;
    guest_output_flush(vcpu);
    trace_report_begin();
    if (vm->end.verdict != VM_PASSED && !vm->end.by_guest)
        print_crash(vcpu);
    if (vm->config.dump_vmcs)
        vmcs_dump();
    if (vm->config.dump_ept)
        ept_dump_print(vm);
    if (vm->config.dump_screen)
        screen_report(vm);
    for (unsigned i = 0; i < vm->config.memtype.count; i++)
        memtype_report(vcpu, vm->config.memtype.gpa[i]);
    host_test_before_audit(vm);
    walk_report(vcpu);
    if (vm->tables.taken_back != 0 || vm->tables.dropped != 0)
        console_printf("adept: tables: vm=%s limit=%llu taken_back=%llu dropped=%llu\n", vm->config.name,
                       (unsigned long long)vm->tables.limit, (unsigned long long)vm->tables.taken_back,
                       (unsigned long long)vm->tables.dropped);
    if (!isolation_check(vm)) { /* our own fault, whatever the guest says of itself */
        vm->end.verdict = VM_FAILED;
        vm->end.by_guest = false;
        (void)format(vm->end.why, sizeof(vm->end.why), "isolation violated: see above");
    }
    trace_report_end();
}
