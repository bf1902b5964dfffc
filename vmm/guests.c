/* SPDX-License-Identifier: MIT */
/*
 * All guests of a run: from the boot modules to VMs, each to a CPU, and what is said at the end. A CPU with
 * several guests runs them one after the other; a VM's memory is taken when its turn comes and given back at
 * its end.
 */
#include "vmm/guests.h"
#include "arch/x86/apic.h"
#include "arch/x86/memory.h"
#include "arch/x86/spinlock.h"
#include "drivers/console.h"
#include "vmm/plug.h"
#include "vmm/host/cpu.h"
#include "vmm/exit/trace_filter.h"
#include "arch/x86/exit_reason.h"
#include "vmm/host/frame.h"
#include "vmm/guest/cpus.h"
#include "vmm/guest/map_module.h"
#include "vmm/guest/run.h"
#include "vmm/host/machine.h"
#include "vmm/host/panic.h"
#include "vmm/preflight.h"
#include "vmm/trace/statistics.h"
#include "vmm/debug/trap_flag.h"
#include "vmm/trace/sink.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vpid.h"
#include "vmm/host/weakness.h"
#include "vmm/host/workaround.h"
#include "vmm/guest/disk.h"

#define LAST_EXITS 32 /* in a panic */

/* Written by the boot CPU before `go`. */
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

struct vm *guests_vm(unsigned index)
{
    return index < guest_count ? guests[index].vm : NULL;
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
    config->dump_screen |= options->dump_screen;
    for (unsigned i = 0; i < options->memtype.count; i++) {
        if (config->memtype.count < GUEST_MEMTYPE_MAX)
            config->memtype.gpa[config->memtype.count++] = options->memtype.gpa[i];
        else
            option_problem(&config->problems, "memtype: %#llx of the command line is one too many",
                           (unsigned long long)options->memtype.gpa[i]);
    }
    print_problems(config->name, &config->problems);
}

static void list_cpus(struct guest_cpus *all)
{
    all->count = vmm_cpu_count();
    for (unsigned i = 0; i < all->count; i++)
        all->usable[i] = vmm_cpu_at(i) != NULL && vmm_cpu_at(i)->vmx_on;
}

static void choose_cpus(struct guest *guest, struct guest_cpus *all)
{
    const struct guest_config *config = &guest->vm->config;
    bool sequential = machine_options()->guests == GUESTS_SEQUENTIAL;
    bool enough = guest_cpus_choose(all, config->cpu, sequential, config->vcpus, guest->cpus);

    guest->cpu_count = enough ? config->vcpus : 1;
    if (config->cpu >= 0 && guest->cpus[0] != config->cpu)
        console_printf("adept: %s: cpu=%d is not up with VMX: it runs on cpu=%u\n", config->name, config->cpu,
                       guest->cpus[0]);
}

/* A module for a guest must follow it: what comes first may be somebody else's. */
static bool belongs_to_guest(const char *string)
{
    char owner[GUEST_NAME_MAX];

    if (!guest_config_owner(string, owner))
        return false;
    for (unsigned i = 0; i < guest_count; i++)
        if (strcmp(guests[i].vm->config.name, owner) == 0 &&
            guests[i].vm->config.boot == GUEST_BOOT_MULTIBOOT)
            return true;
    console_printf("adept: module: '%.64s': no guest '%s' with boot=multiboot is before it: not used\n",
                   string, owner);
    return true;
}

/* Bytes that a private guest takes beside the machine's own: RAM, and a copy of its drive. */
static uint64_t private_bytes(const struct guest_config *config, const struct boot_module *module)
{
    uint64_t drive =
        config->boot == GUEST_BOOT_FLAT || config->boot == GUEST_BOOT_MULTIBOOT ? 0 : module->length;

    if (config->boot == GUEST_BOOT_FLOPPY) /* its image may be shorter than the diskette */
        drive = DISK_FLOPPY_BYTES_MAX;
    return align_up(config->memory_bytes, PAGE_SIZE_2M) + align_up(drive, PAGE_SIZE) + 2 * PAGE_SIZE_2M;
}

/* What is typed goes to the guest that input= names, else to the first. */
static void choose_console_guest(void)
{
    const char *wanted = machine_options()->input;

    for (unsigned i = 0; i < guest_count; i++) {
        if (wanted[0] == '\0' || strcmp(guests[i].vm->config.name, wanted) == 0) {
            guests[i].vm->config.input = true;
            for (unsigned n = 0; n < guest_count; n++)
                guests[n].vm->config.polls = true;
            return;
        }
    }
    if (guest_count > 0)
        console_printf("adept: input: no guest '%s': nobody gets what is typed\n", wanted);
}

/* Configurations first, so that all are known before one runs. false: no memory for their structures. */
static bool prepare(void)
{
    static struct guest_cpus cpus;
    const struct boot_info *info = machine_boot_info();
    unsigned vcpus = 0;

    guest_count = 0;
    list_cpus(&cpus);
    for (unsigned i = 0; i < info->module_count; i++) {
        struct guest *guest = &guests[guest_count];

        if (guest_map_module_is(info, i) || belongs_to_guest(info->modules[i].string))
            continue;
        guest->vm = frame_alloc_zeroed(sizeof(struct vm));
        if (guest->vm == NULL)
            return false;
        guest->module = i;
        configure(&guest->vm->config, guest_count, info->modules[i].string);
        choose_cpus(guest, &cpus);
        vcpus += guest->cpu_count;
        if (guest->vm->config.memory == GUEST_MEMORY_PRIVATE)
            reserved_for_private += private_bytes(&guest->vm->config, &info->modules[i]);
        guest_count++;
    }
    choose_console_guest();
    if (vcpus > vmx_cpus_on())
        console_printf("adept: guests=%u cpus=%u: some guests wait until another has ended\n", guest_count,
                       vmx_cpus_on());
    return true;
}

/* The guests in which this CPU has a part, one after the other. */
static void run_own_guests(struct vmm_cpu *cpu)
{
    if (cpu == NULL || !cpu->vmx_on)
        return;
    for (unsigned i = 0; i < guest_count; i++)
        guest_take_part(&guests[i], cpu);
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
        monitor_poll();
        (void)trace_drain_some(); /* for those that still run guests, the boot CPU among them */
    }
}

static void print_last_exits(uint32_t cpu_index)
{
    struct vmm_cpu *cpu = vmm_cpu_at(cpu_index);

    if (cpu != NULL)
        trace_print_last(cpu, LAST_EXITS);
}

/* The table of every guest, then one line a guest. 0: all passed, 1: one failed. */
static int print_results(void)
{
    int result = 0;

    for (unsigned i = 0; i < guest_count; i++)
        statistics_print(guests[i].vm, machine_options()->stats_json);
    start_report_print();
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
    weakness_report();
    if (preflight_refusal() != NULL)
        result = refuse(preflight_refusal());
    else if (vmx_cpus_on() == 0)
        result = refuse("VMX on any CPU is missing (see each CPU's line above)");
    else if (machine_options()->conformance_cases != 0)
        result = conformance_run();
    else if (machine_boot_info()->module_count == 0)
        result = refuse("a guest is missing (add a `module2 FILE` line to the GRUB menu entry)");
    else if (!prepare())
        result = refuse("memory for the guests' structures is missing (give the machine more memory)");
    else if (guest_count == 0)
        result = refuse("a guest is missing: every module belongs to another (for=, map=)");
    else {
        start_report_memory();
        console_set_cpu_index(trace_console_writer);
        trace_sink_setup();
        exit_trace_filter_setup();
        (void)apic_timer_khz(); /* measured now, not while a guest sleeps */
        vpid_prepare();
        step_test_run();
        if (machine_mtrrs_differ())
            console_printf("adept: mtrr: they differ between CPUs: guests' memory is uncached (UC)\n");
        __atomic_store_n(&cpus_busy, percpu_count() - 1, __ATOMIC_RELEASE);
        monitor_prepare();
        __atomic_store_n(&go, true, __ATOMIC_RELEASE);
        run_own_guests(vmm_cpu());
        while (__atomic_load_n(&cpus_busy, __ATOMIC_ACQUIRE) != 0) {
            monitor_poll();
            (void)trace_drain_some();
        }
        monitor_finish();
        trace_report_begin();
        result = print_results();
        trace_report_end();
    }
    __atomic_store_n(&machine_ends, true, __ATOMIC_RELEASE);
    return result;
}
