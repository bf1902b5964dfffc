/* SPDX-License-Identifier: MIT */
/* A VM's making and unmaking. */
#include "vmm/vm/vm.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/memory.h"
#include "arch/x86/msr.h"
#include "drivers/console.h"
#include "drivers/format.h"
#include "ept/caps.h"
#include "ept/eptp.h"
#include "ept/page_type.h"
#include "vmm/host/cpu.h"
#include "vmm/exit/msr.h"
#include "vmm/host/frame.h"
#include "vmm/vcpu/cpuid.h"
#include "vmm/guest/load.h"
#include "vmm/host/machine.h"
#include "vmm/host/panic.h"
#include "vmm/vm/devices.h"
#include "vmm/vm/memory.h"
#include "vmm/host/workaround.h"
#include "vmm/plug.h"
#include "vmm/devices/test_memory.h"
#include "vmm/devices/pc.h"
#include "vmm/bios/bios.h"
#include "vmm/guest/symbols.h"
#include "vmm/vcpu/vcpu.h"
#include "vmm/debug/watch.h"
#include <stdarg.h>

#define TABLES_ELSEWHERE 64

/* The first reason stands. */
static void set_end(struct vm *vm, enum vm_verdict verdict, bool by_guest, const char *text,
                    va_list arguments)
{
    struct vcpu *self = vmm_cpu()->vcpu;

    if (__atomic_exchange_n(&vm->end.claimed, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    (void)format_v(vm->end.why, sizeof(vm->end.why), text, arguments);
    vm->end.by_guest = by_guest;
    vm->end.vcpu = self != NULL && self->vm == vm ? self : NULL;
    __atomic_store_n(&vm->end.verdict, verdict, __ATOMIC_RELEASE);
    if (vm->vcpu_count > 1)
        shootdown_nudge(vm);
}

void vm_end(struct vm *vm, enum vm_verdict verdict, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    set_end(vm, verdict, false, format, arguments);
    va_end(arguments);
}

void vm_end_by_guest(struct vm *vm, bool passed, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    set_end(vm, passed ? VM_PASSED : VM_FAILED, true, format, arguments);
    va_end(arguments);
}

static void take_mtrrs(struct mtrr_snapshot *snapshot)
{
    const struct mtrr_raw *raw = machine_mtrr();

    memset(snapshot, 0, sizeof(*snapshot));
    snapshot->cap = raw->cap;
    snapshot->def_type = raw->def_type;
    memcpy(snapshot->fixed, raw->fixed, sizeof(snapshot->fixed));
    snapshot->variable_count = raw->variable_count;
    for (unsigned i = 0; i < raw->variable_count; i++) {
        snapshot->variable[i].base = raw->variable[i].base;
        snapshot->variable[i].mask = raw->variable[i].mask;
    }
    snapshot->phys_width = (uint8_t)cpuid_physical_width();
    if (machine_mtrrs_differ()) /* the most restrictive reading of all: as if they were off, UC everywhere */
        snapshot->def_type = 0;
    mtrr_work_out(snapshot);
}

/* For test=ept-wrong-root and ept-bad-root: the processor walks a table of its own, whatever the engine
 * installs in the VM's, empty or with a misconfigured first entry. Kept to the machine's end. */
static uint64_t other_root(uint64_t first_entry)
{
    uint64_t physical = frame_alloc(FRAME_HOST);

    if (physical == FRAME_ALLOC_FAILED)
        panic("no frame for the root of test=");
    memset(phys_to_virt(physical), 0, PAGE_SIZE);
    *(uint64_t *)phys_to_virt(physical) = first_entry;
    return physical;
}

/*
 * Tables for all of its RAM in 4 KiB pages, and some for what lies elsewhere. When they run out cold ones are
 * taken back: an EPT is a cache, and what the guest still uses comes back.
 */
static uint64_t table_limit(const struct vm *vm)
{
    uint64_t frames = 0;

    for (unsigned i = 0; i < vm->regions.count; i++)
        frames += vm->regions.regions[i].size / FRAME_SIZE;
    return TABLES_ELSEWHERE + frames / 512 + frames / (512 * 512);
}

static bool create_ept(struct vm *vm, const struct ept_caps *caps)
{
    const struct ept_memory memory = {.context = &vm->tables,
                                      .alloc_table = table_pool_alloc,
                                      .free_table = table_pool_free,
                                      .direct_map = MEMORY_DIRECT_MAP_BASE};

    if (!table_pool_create(&vm->tables, vm->id, vm->config.tables != 0 ? vm->config.tables : table_limit(vm)))
        return false;
    take_mtrrs(&vm->mtrr);
    vm->large_1g = cpuid(0x80000001, 0).edx & CPUID_81_EDX_PAGE_1G;
    if (ept_init(&vm->ept, &memory, caps, &vm->regions) != EPT_OK) {
        table_pool_destroy(&vm->tables);
        return false;
    }
    vm->ept.mtrr = &vm->mtrr;
    guest_mtrr_reset(&vm->guest_mtrr, guest_cpuid_physical_width());
    (void)!ept_set_guest_mtrr(&vm->ept, &vm->guest_mtrr); /* nothing is mapped yet: no flush */
    vm->ept.no_executable_large = workaround_active(WORKAROUND_ITLB_MULTIHIT);
    vm->eptp = eptp_make(caps, vm->ept.root);
    if (cmdline_has_test(machine_options(), "ept-wrong-root"))
        vm->eptp = eptp_make(caps, other_root(0));
    if (cmdline_has_test(machine_options(), "ept-bad-root"))
        vm->eptp = eptp_make(caps, other_root(EPT_WRITE));
    return true;
}

/* The EPT and the frames of its tables. No CPU uses it any more. */
static void destroy_ept(struct vm *vm)
{
    ept_destroy(&vm->ept);
    table_pool_destroy(&vm->tables);
}

static bool create_bitmap(struct vm *vm)
{
    vm->msr_bitmap = frame_alloc(FRAME_HOST);
    if (vm->msr_bitmap == FRAME_ALLOC_FAILED)
        return false;
    msr_bitmap_fill(phys_to_virt(vm->msr_bitmap));
    return true;
}

static uint64_t vcpu_frames(const struct vm *vm)
{
    return (vm->config.vcpus * sizeof(struct vcpu) + PAGE_SIZE - 1) / PAGE_SIZE;
}

/* Of all VMs: whoever looks at the vCPUs of one that may end meanwhile. */
static struct spinlock vcpus_lock;

void vm_hold_vcpus(void)
{
    spinlock_lock(&vcpus_lock);
}

void vm_let_go_vcpus(void)
{
    spinlock_unlock(&vcpus_lock);
}

static void destroy_vcpus(struct vm *vm)
{
    struct vcpu *vcpus = vm->vcpus;
    unsigned count = vm->vcpu_count;

    vm_hold_vcpus();
    vm->vcpus = NULL;
    vm->vcpu_count = 0;
    vm_let_go_vcpus();
    while (count > 0)
        vcpu_destroy(&vcpus[--count]);
    frame_free_run(virt_to_phys(vcpus), vcpu_frames(vm), FRAME_HOST);
}

static bool create_vcpus(struct vm *vm)
{
    uint64_t physical = frame_alloc_run(FRAME_HOST, vcpu_frames(vm), 1);

    if (physical == FRAME_ALLOC_FAILED)
        return false;
    vm->vcpus = phys_to_virt(physical);
    vm->sync.generation = 1; /* none has seen it: each catches up before its first entry */
    for (unsigned i = 0; i < vm->config.vcpus; i++) {
        if (!vcpu_create(&vm->vcpus[i], vm, i)) {
            destroy_vcpus(vm);
            return false;
        }
        vm->vcpu_count = i + 1;
    }
    return true;
}

/* What is missing, NULL if nothing: then all parts are there. Else those made before are gone again. */
static const char *create_parts(struct vm *vm)
{
    struct ept_caps caps;

    if (ept_caps_init(&caps, vmx_shared_capabilities()->ept_vpid, guest_cpuid_physical_width()) != EPT_OK)
        return "an EPT walk of 4 levels is missing";
    if (workaround_active(WORKAROUND_NO_ACCESSED_DIRTY))
        caps.accessed_dirty = false;
    caps.page_modification_log =
        !vmx_control_missing(vmx_shared_capabilities(), VMX_WORD_SECONDARY, VMX_ENABLE_PML);
    if (!vm_memory_create(vm, &caps))
        return "memory is missing: give it less (mem=) or the machine more";
    if (!create_ept(vm, &caps)) {
        vm_memory_destroy(vm);
        return "memory for its EPT is missing";
    }
    if (!create_bitmap(vm)) {
        destroy_ept(vm);
        vm_memory_destroy(vm);
        return "memory for its MSR bitmap is missing";
    }
    if (!create_vcpus(vm)) {
        frame_free_run(vm->msr_bitmap, 1, FRAME_HOST);
        destroy_ept(vm);
        vm_memory_destroy(vm);
        return "memory for its VMCS is missing";
    }
    return NULL;
}

/* What other rooms keep for a VM. */
struct vm_parts {
    struct watch_list watches;
    struct guest_symbols symbols;
    struct bios bios;
    struct pc pc;
    struct test_memory test_memory;
};

/* Makes an empty VM with empty parts. false: no memory for them. */
static bool clear(struct vm *vm)
{
    struct vm_parts *parts = vm->parts;

    _Static_assert(VM_OUTPUTS == PC_OUTPUTS, "a line for each of the PC's outputs");
    memset(vm, 0, sizeof(*vm));
    if (parts != NULL)
        memset(parts, 0, sizeof(*parts));
    else
        parts = frame_alloc_zeroed(sizeof(*parts));
    if (parts == NULL)
        return false;
    vm->parts = parts;
    vm->watches = &parts->watches;
    vm->symbols = &parts->symbols;
    vm->bios = &parts->bios;
    vm->pc = &parts->pc;
    vm->test_memory = &parts->test_memory;
    return true;
}

must_check bool vm_create(struct vm *vm, uint16_t id, const struct guest_config *config, unsigned module)
{
    struct guest_config copy = *config;
    const char *missing;

    missing = clear(vm) ? NULL : "memory for its devices is missing";
    vm->id = id;
    vm->config = copy;
    if (missing == NULL)
        missing = create_parts(vm);
    if (missing != NULL) {
        vm_end_by_guest(vm, false, "%s", missing);
        return false;
    }
    vm_devices_create(vm);
    if (module != VM_NO_MODULE && !guest_load(vm, module)) {
        vm_destroy(vm);
        return false;
    }
    return true;
}

void vm_destroy(struct vm *vm)
{
    vm_dirty_release(vm);
    walk_check_release(vm);
    destroy_vcpus(vm);
    frame_free_run(vm->msr_bitmap, 1, FRAME_HOST);
    guest_unload(vm);
    destroy_ept(vm);
    vm_memory_destroy(vm);
}
