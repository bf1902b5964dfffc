/* SPDX-License-Identifier: MIT */
/*
 * All guests of a run: from the boot modules to VMs, each to a CPU, and what is said at the end. A CPU with
 * several guests runs them one after the other; a VM's memory is taken when its turn comes and given back at
 * its end.
 */
#include "vmm/guests.h"
#include "arch/x86/memory.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"
#include "drivers/console.h"
#include "vmm/cpu.h"
#include "vmm/exit_reason.h"
#include "vmm/frame.h"
#include "vmm/machine.h"
#include "vmm/panic.h"
#include "vmm/preflight.h"
#include "vmm/statistics.h"
#include "vmm/vm.h"
#include "vmm/vm_report.h"
#include "vmm/vmcs.h"
#include "vmm/vpid.h"
#include "vmm/workaround.h"

struct guest {
    struct vm *vm;
    unsigned module;
    uint16_t cpus[GUEST_VCPUS_MAX]; /* indexes: vCPU n runs on cpus[n] */
    unsigned cpu_count;             /* fewer than config.vcpus: not so many are there, and it does not run */
    uint32_t arrived;               /* atomic: CPUs of the others than the first vCPU that wait for it */
    uint32_t stage;                 /* enum guest_stage, atomic */
    uint32_t left;                  /* atomic: vCPUs whose CPUs are done with it */
};

enum guest_stage { GUEST_WAITS, GUEST_RUNS, GUEST_FAILED };

/*
 * Written by the boot CPU before `go`; then each CPU goes through those in which it has a part, in their
 * order. A guest begins when all its CPUs have come to it. Since all go in the same order, the first guest
 * that has not ended has all its CPUs, or will have them: no two guests wait for each other.
 */
static struct guest guests[BOOT_MODULE_MAX];
static unsigned guest_count;
static uint64_t reserved_for_private; /* bytes that an identity guest leaves to the others */
static bool go;                       /* atomic: CPUs may start */
static unsigned cpus_busy;            /* atomic: CPUs whose guests have not all ended */
static bool machine_ends;             /* atomic: cpu_serve() returns */

uint64_t guests_private_memory(void)
{
    return reserved_for_private;
}

static struct vm *allocate_vm(void)
{
    uint64_t frames = (sizeof(struct vm) + PAGE_SIZE - 1) / PAGE_SIZE;
    uint64_t physical = frame_alloc_run(FRAME_HOST, frames, 1);
    struct vm *vm;

    if (physical == FRAME_ALLOC_FAILED)
        return NULL;
    vm = phys_to_virt(physical);
    memset(vm, 0, frames * PAGE_SIZE);
    return vm;
}

static void print_problems(const char *where, const struct option_problems *problems)
{
    for (unsigned i = 0; i < problems->count; i++)
        console_printf("adept: %s: %s\n", where, problems->line[i]);
    if (problems->dropped != 0)
        console_printf("adept: %s: and %u more\n", where, problems->dropped);
}

/* Names tell guests apart in every line: a second one of the same name gets its number behind it. */
static void make_name_unique(struct guest_config *config, unsigned index)
{
    for (unsigned i = 0; i < index; i++) {
        size_t length;

        if (strcmp(guests[i].vm->config.name, config->name) != 0)
            continue;
        length = strlen(config->name);
        if (length > GUEST_NAME_MAX - 4)
            length = GUEST_NAME_MAX - 4;
        config->name[length] = '.';
        config->name[length + 1] = (char)('0' + (index + 1) / 10);
        config->name[length + 2] = (char)('0' + (index + 1) % 10);
        config->name[length + 3] = '\0';
        return;
    }
}

static void configure(struct guest_config *config, unsigned index, const char *string)
{
    const struct cmdline_options *options = machine_options();

    guest_config_init(config, index);
    if (options->policy_given)
        config->policy_hole = config->policy_rom = config->policy_nx = options->policy;
    guest_config_parse(config, string);
    make_name_unique(config, index);
    if (!config->trace_given)
        config->trace = options->trace;
    /* The timer is the host's own clock, no doing of the guest's: `all` and what is taken from it leave it
     * out, a list may name it. */
    if (trace_filter_has(&config->trace, TRACE_FILTER_REASONS - 1))
        config->trace.reasons[0] &= ~(UINT64_C(1) << EXIT_PREEMPTION_TIMER);
    if (config->trace.stats_only)
        memset(config->trace.reasons, 0, sizeof(config->trace.reasons));
    config->dump_ept |= options->dump_ept;
    config->dump_vmcs |= options->dump_vmcs;
    for (unsigned i = 0; i < options->memtype.count; i++) {
        if (config->memtype.count < GUEST_MEMTYPE_MAX)
            config->memtype.gpa[config->memtype.count++] = options->memtype.gpa[i];
        else
            option_problem(&config->problems, "memtype: %#llx of the command line is one too many",
                           (unsigned long long)options->memtype.gpa[i]);
    }
    print_problems(config->name, &config->problems);
}

/* The CPU with the fewest guests among those with VMX on, the lowest of them. */
static unsigned least_loaded_cpu(const unsigned *load)
{
    unsigned best = 0;

    for (unsigned i = 0; i < vmm_cpu_count(); i++) {
        const struct vmm_cpu *cpu = vmm_cpu_at(i), *leader = vmm_cpu_at(best);

        if (cpu == NULL || !cpu->vmx_on)
            continue;
        if (leader == NULL || !leader->vmx_on || load[i] < load[best])
            best = i;
    }
    return best;
}

static bool has_cpu(const struct guest *guest, unsigned cpu)
{
    for (unsigned i = 0; i < guest->cpu_count; i++)
        if (guest->cpus[i] == cpu)
            return true;
    return false;
}

/* CPUs for the vCPUs behind the first: each time the one with the fewest guests of those not yet taken. */
static void choose_more_cpus(struct guest *guest, unsigned *load)
{
    while (guest->cpu_count < guest->vm->config.vcpus) {
        unsigned best = PERCPU_MAX;

        for (unsigned i = 0; i < vmm_cpu_count(); i++) {
            const struct vmm_cpu *cpu = vmm_cpu_at(i);

            if (cpu != NULL && cpu->vmx_on && !has_cpu(guest, i) &&
                (best == PERCPU_MAX || load[i] < load[best]))
                best = i;
        }
        if (best == PERCPU_MAX)
            return;
        guest->cpus[guest->cpu_count++] = (uint16_t)best;
        load[best]++;
    }
}

static unsigned choose_cpu(const struct guest_config *config, unsigned *load)
{
    const struct vmm_cpu *wanted = config->cpu >= 0 ? vmm_cpu_at((unsigned)config->cpu) : NULL;
    unsigned chosen = machine_options()->guests == GUESTS_SEQUENTIAL
                          ? least_loaded_cpu((unsigned[PERCPU_MAX]){0})
                          : least_loaded_cpu(load);

    if (wanted != NULL && wanted->vmx_on)
        chosen = (unsigned)config->cpu;
    else if (config->cpu >= 0)
        console_printf("adept: %s: cpu=%d is not up with VMX: it runs on cpu=%u\n", config->name, config->cpu,
                       chosen);
    load[chosen]++;
    return chosen;
}

/* Configurations first, so that all are known before one runs. false: no memory for their structures. */
static bool prepare(void)
{
    static unsigned load[PERCPU_MAX];
    const struct boot_info *info = machine_boot_info();

    guest_count = 0;
    for (unsigned i = 0; i < info->module_count; i++) {
        struct guest *guest = &guests[i];

        guest->vm = allocate_vm();
        if (guest->vm == NULL)
            return false;
        guest->module = i;
        configure(&guest->vm->config, i, info->modules[i].string);
        guest->cpus[0] = (uint16_t)choose_cpu(&guest->vm->config, load);
        guest->cpu_count = 1;
        choose_more_cpus(guest, load);
        if (guest->vm->config.memory == GUEST_MEMORY_PRIVATE)
            reserved_for_private += align_up(guest->vm->config.memory_bytes, PAGE_SIZE_2M) + 2 * PAGE_SIZE_2M;
        guest_count = i + 1;
    }
    if (guest_count > vmx_cpus_on())
        console_printf("adept: guests=%u cpus=%u: some guests wait until another has ended\n", guest_count,
                       vmx_cpus_on());
    return true;
}

static uint64_t deadline_of(const struct guest_config *config)
{
    uint64_t now = tsc_read(), deadline = ~UINT64_C(0);
    uint32_t run_seconds = machine_options()->timeout_s;

    if (config->timeout_ms != 0)
        deadline = now + tsc_ticks((uint64_t)config->timeout_ms * 1000);
    if (run_seconds != 0 && now + tsc_ticks((uint64_t)run_seconds * 1000000) < deadline)
        deadline = now + tsc_ticks((uint64_t)run_seconds * 1000000);
    return deadline;
}

static void wait_for_count(const uint32_t *counter, uint32_t wanted)
{
    while (__atomic_load_n(counter, __ATOMIC_ACQUIRE) != wanted) {
        cpu_pause();
        (void)trace_drain_some();
    }
}

/* One vCPU on this CPU, from its start to its end. The report comes from the CPU that has the end in its
 * VMCS. */
static void run_vcpu(struct guest *guest, unsigned index, struct vmm_cpu *cpu)
{
    struct vm *vm = guest->vm;
    struct vcpu *vcpu = &vm->vcpus[index];

    vcpu_run(vcpu, cpu);
    if (vcpu == (vm->end.vcpu != NULL ? vm->end.vcpu : &vm->vcpus[0])) {
        wait_for_count(&vm->vcpus_out, vm->vcpu_count);
        vm_report(vcpu);
    }
    if (vmcs_release(vcpu) != VMX_OK)
        console_printf("adept: %s: VMCLEAR fails\n", vm->config.name);
    (void)__atomic_add_fetch(&guest->left, 1, __ATOMIC_RELEASE);
}

/* The CPU of the first vCPU makes the VM and takes it away again. */
static bool make_guest(struct guest *guest, const struct guest_config *config)
{
    const struct boot_module *module = &machine_boot_info()->modules[guest->module];

    if (guest->cpu_count < config->vcpus) {
        vm_end_by_guest(guest->vm, false,
                        "vcpus=%u: only %u CPUs are up with VMX (give it fewer, or the machine more)",
                        config->vcpus, guest->cpu_count);
        return false;
    }
    if (!vm_create(guest->vm, (uint16_t)(guest->module + 1), config, module->base, module->length))
        return false;
    for (unsigned i = 0; i < guest->vm->vcpu_count; i++)
        guest->vm->vcpus[i].deadline = deadline_of(config);
    return true;
}

static void run_guest(struct guest *guest, struct vmm_cpu *cpu)
{
    struct guest_config config = guest->vm->config;

    wait_for_count(&guest->arrived, guest->cpu_count - 1);
    if (!make_guest(guest, &config)) {
        __atomic_store_n(&guest->stage, GUEST_FAILED, __ATOMIC_RELEASE);
        return;
    }
    __atomic_store_n(&guest->stage, GUEST_RUNS, __ATOMIC_RELEASE);
    run_vcpu(guest, 0, cpu);
    wait_for_count(&guest->left, guest->cpu_count);
    statistics_add_up(guest->vm);
    vm_destroy(guest->vm);
}

/* This CPU runs another vCPU than the first. */
static void help_guest(struct guest *guest, unsigned index, struct vmm_cpu *cpu)
{
    uint32_t stage;

    (void)__atomic_add_fetch(&guest->arrived, 1, __ATOMIC_RELEASE);
    while ((stage = __atomic_load_n(&guest->stage, __ATOMIC_ACQUIRE)) == GUEST_WAITS) {
        cpu_pause();
        (void)trace_drain_some();
    }
    if (stage == GUEST_RUNS)
        run_vcpu(guest, index, cpu);
}

/* The guests in which this CPU has a part, one after the other. */
static void run_own_guests(struct vmm_cpu *cpu)
{
    if (cpu == NULL || !cpu->vmx_on)
        return;
    for (unsigned i = 0; i < guest_count; i++) {
        struct guest *guest = &guests[i];

        for (unsigned n = 0; n < guest->cpu_count; n++) {
            if (guest->cpus[n] != cpu->percpu->index)
                continue;
            if (n == 0)
                run_guest(guest, cpu);
            else
                help_guest(guest, n, cpu);
        }
    }
}

void cpu_serve(void)
{
    while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE) && !__atomic_load_n(&machine_ends, __ATOMIC_ACQUIRE))
        cpu_pause();
    if (__atomic_load_n(&go, __ATOMIC_ACQUIRE)) {
        run_own_guests(vmm_cpu());
        (void)__atomic_sub_fetch(&cpus_busy, 1, __ATOMIC_RELEASE);
    }
    while (!__atomic_load_n(&machine_ends, __ATOMIC_ACQUIRE)) {
        cpu_pause();
        (void)trace_drain_some(); /* for those that still run guests, the boot CPU among them */
    }
}

static void print_last_exits(uint32_t cpu_index)
{
    struct vmm_cpu *cpu = vmm_cpu_at(cpu_index);

    if (cpu != NULL)
        trace_print_last(cpu, 16);
}

/* The table of every guest, then one line a guest. 0: all passed, 1: one failed. */
static int print_results(void)
{
    int result = 0;

    for (unsigned i = 0; i < guest_count; i++)
        statistics_print(guests[i].vm);
    for (unsigned i = 0; i < guest_count; i++) {
        const struct vm *vm = guests[i].vm;
        bool passed = vm->end.verdict == VM_PASSED;

        console_printf("adept: guest %s: %s (%s)\n", vm->config.name, passed ? "pass" : "fail", vm->end.why);
        if (!passed)
            result = 1;
    }
    return result;
}

static int refuse(const char *why)
{
    console_printf("adept: refused: %s\n", why);
    return 2;
}

int guests_run(void)
{
    int result = 2;

    panic_set_hook(print_last_exits);
    workaround_detect();
    if (preflight_refusal() != NULL)
        result = refuse(preflight_refusal());
    else if (vmx_cpus_on() == 0)
        result = refuse("VMX on any CPU is missing (see each CPU's line above)");
    else if (machine_boot_info()->module_count == 0)
        result = refuse("a guest is missing (add a `module2 FILE` line to the GRUB menu entry)");
    else if (!prepare())
        result = refuse("memory for the guests' structures is missing (give the machine more memory)");
    else {
        console_set_cpu_index(trace_console_writer);
        vpid_prepare();
        if (machine_mtrrs_differ())
            console_printf("adept: mtrr: they differ between CPUs: guests' memory is uncached (UC)\n");
        __atomic_store_n(&cpus_busy, percpu_count() - 1, __ATOMIC_RELEASE);
        __atomic_store_n(&go, true, __ATOMIC_RELEASE);
        run_own_guests(vmm_cpu());
        while (__atomic_load_n(&cpus_busy, __ATOMIC_ACQUIRE) != 0)
            (void)trace_drain_some();
        trace_report_begin();
        result = print_results();
        trace_report_end();
    }
    __atomic_store_n(&machine_ends, true, __ATOMIC_RELEASE);
    return result;
}
