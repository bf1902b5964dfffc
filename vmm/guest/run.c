/* SPDX-License-Identifier: MIT */
/* One guest from the making of its VM to its end. */
#include "vmm/guest/run.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"
#include "drivers/console.h"
#include "vmm/host/cpu.h"
#include "vmm/host/machine.h"
#include "vmm/plug.h"
#include "vmm/trace/statistics.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"

enum guest_stage { GUEST_WAITS, GUEST_RUNS, GUEST_FAILED };

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
        monitor_poll();
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
        monitor_at_end(vcpu);
        vm_report(vcpu);
    }
    if (vmcs_release(vcpu) != VMX_OK)
        console_printf("adept: %s: VMCLEAR fails\n", vm->config.name);
    (void)__atomic_add_fetch(&guest->left, 1, __ATOMIC_RELEASE);
}

/* The CPU of the first vCPU makes the VM and takes it away again. */
static bool make_guest(struct guest *guest, const struct guest_config *config)
{
    if (guest->cpu_count < config->vcpus) {
        vm_end_by_guest(guest->vm, false,
                        "vcpus=%u: only %u CPUs are up with VMX (give it fewer, or the machine more)",
                        config->vcpus, vmx_cpus_on());
        return false;
    }
    if (!vm_create(guest->vm, (uint16_t)(guest->module + 1), config, guest->module))
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
        monitor_poll();
        (void)trace_drain_some();
    }
    if (stage == GUEST_RUNS)
        run_vcpu(guest, index, cpu);
}

void guest_take_part(struct guest *guest, struct vmm_cpu *cpu)
{
    for (unsigned n = 0; n < guest->cpu_count; n++) {
        if (guest->cpus[n] != cpu->percpu->index)
            continue;
        if (n == 0)
            run_guest(guest, cpu);
        else
            help_guest(guest, n, cpu);
    }
}
