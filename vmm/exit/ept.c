/* SPDX-License-Identifier: MIT */
/*
 * EPT violations and EPT misconfigurations. The memory map decides: what it grants is mapped and the guest
 * goes on; what it denies follows the guest's policy. SDM vol. 3, "EPT Violations", "EPT Misconfigurations",
 * "Exit Qualification for EPT Violations".
 */
#include "arch/x86/memory.h"
#include "ept/map.h"
#include "ept/misconfig.h"
#include "ept/page_type.h"
#include "ept/qualification.h"
#include "vmm/host/cpu.h"
#include "vmm/exit/denied_access.h"
#include "vmm/exit/exit.h"
#include "vmm/emulate/mmio.h"
#include "vmm/debug/step.h"
#include "vmm/debug/step_trap.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/flush.h"
#include "vmm/vm/tables.h"
#include "vmm/vm/pause.h"
#include "vmm/vcpu/vmcs.h"
#include "vmm/plug.h"

static enum exit_action end_guest(struct vcpu *vcpu)
{
    vcpu->result.code = RESULT_ENDED;
    return EXIT_ACTION_STOP;
}

/*
 * The same place faulting again and again, with nothing else in between, means that our repair does not help.
 * RIP is read only when the address repeats, so an ordinary fault does not pay for it.
 */
static bool is_stuck(struct vcpu *vcpu, uint64_t guest_physical_address)
{
    struct no_progress *last = &vcpu->no_progress;
    /* What another vCPU has changed in between may be why it faults again. */
    bool consecutive = vcpu->exit_count == last->exit_count + 1 && vcpu->caught_up == last->caught_up;
    uint64_t rip;

    last->exit_count = vcpu->exit_count;
    last->caught_up = vcpu->caught_up;
    if (likely(!consecutive || guest_physical_address != last->guest_physical_address)) {
        last->guest_physical_address = guest_physical_address;
        last->count = 1;
        return false;
    }
    rip = vmcs_read(VMCS_GUEST_RIP);
    if (last->count == 1 ||
        rip == last->rip) /* the first of a row is taken to have come from where the second did */
        last->count++;
    else
        last->count = 1;
    last->rip = rip;
    return last->count >= NO_PROGRESS_LIMIT;
}

static enum exit_action end_stuck(struct vcpu *vcpu, uint64_t guest_physical_address)
{
    vm_end(vcpu->vm, VM_FAILED, "no progress: %u EPT faults in a row at gpa=%#llx rip=%#llx",
           NO_PROGRESS_LIMIT, (unsigned long long)guest_physical_address,
           (unsigned long long)vcpu->no_progress.rip);
    return end_guest(vcpu);
}

/* Bit 12 of the qualification means something only with virtual NMIs. */
static bool virtual_nmis(void)
{
    return vmx_control_missing(vmx_shared_capabilities(), VMX_WORD_PIN, VMX_VIRTUAL_NMIS) == 0;
}

static inline void read_violation(struct ept_violation *violation)
{
    vmcs_read_three(VMCS_EXIT_QUALIFICATION, &violation->qualification, VMCS_GUEST_PHYSICAL_ADDRESS,
                    &violation->guest_physical_address, VMCS_IDT_VECTORING_INFORMATION,
                    &violation->vectoring);
}

enum exit_action exit_ept_resume(struct vcpu *vcpu, uint64_t qualification)
{
    uint32_t vectoring = (uint32_t)(vcpu->violation.exit_count == vcpu->exit_count
                                        ? vcpu->violation.vectoring
                                        : vmcs_read(VMCS_IDT_VECTORING_INFORMATION));

    if (unlikely(vcpu->vm->walk_armed))
        walk_check_again(vcpu);
    if (unlikely(vcpu->step.active))
        step_goes_on(vcpu);
    if (unlikely(vectoring & EVENT_VALID)) {
        (void)inject_again(vcpu, vectoring);
        return EXIT_ACTION_RESUME;
    }
    if (unlikely(qualification & EPT_QUALIFICATION_NMI_UNBLOCKING) &&
        virtual_nmis()) /* IRET faulted: still blocked */
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY_STATE,
                   vmcs_read(VMCS_GUEST_INTERRUPTIBILITY_STATE) | INTERRUPTIBILITY_NMI);
    return EXIT_ACTION_SETTLED;
}

static enum exit_action flush_failed(struct vcpu *vcpu)
{
    vm_end(vcpu->vm, VM_FAILED, "INVEPT fails");
    return end_guest(vcpu);
}

static void set_result(struct vcpu *vcpu, const struct ept_fault_result *fault)
{
    static const uint8_t codes[] = {[EPT_FAULT_INSTALLED] = RESULT_MAP,
                                    [EPT_FAULT_SPURIOUS] = RESULT_SPURIOUS,
                                    [EPT_FAULT_REPAIRED] = RESULT_REPAIR};

    vcpu->result.code = codes[fault->kind];
    vcpu->result.level = fault->level;
    vcpu->result.type = fault->memory_type;
}

void exit_ept_end_denied(struct vcpu *vcpu, const char *what, uint64_t guest_physical_address,
                         uint64_t qualification)
{
    char access[EPT_QUALIFICATION_WORD_SIZE];

    ept_qualification_access_text(qualification, access, sizeof(access));
    vm_end(vcpu->vm, VM_FAILED, "%s: gpa=%#llx access=%s cs:ip=%04x:%04llx", what,
           (unsigned long long)guest_physical_address, access, (unsigned)vmcs_read(VMCS_GUEST_CS_SELECTOR),
           (unsigned long long)vmcs_read(VMCS_GUEST_RIP));
}

/* The frame that stands for one page during one instruction. */
static uint64_t bus_page(struct vcpu *vcpu, const struct ept_region *region, uint64_t guest_physical_address,
                         enum denied_page contents)
{
    uint64_t number = vcpu->index * STEP_PAGES_MAX + vcpu->step.page_count;
    uint64_t physical = vcpu->vm->bus_pages + number * PAGE_SIZE;
    void *page = phys_to_virt(physical);

    if (contents == DENIED_PAGE_ONES)
        memset(page, 0xff, PAGE_SIZE);
    else
        memcpy(page, phys_to_virt(region->hpa + ((guest_physical_address & ~PAGE_MASK) - region->gpa)),
               PAGE_SIZE);
    return physical;
}

/* For when the VM has no table frame left, and no cold table. The pages of a step under way go as well, and
 * come back by further faults of the same step. */
static bool drop_ept(struct vcpu *vcpu)
{
    vcpu->step.page_count = 0;
    return vm_drop_ept(vcpu->vm);
}

/* `fault` has found no table frame for an address: frames from colder places, and `handle` once more. */
static struct ept_fault_result with_frames(struct vcpu *vcpu, uint64_t guest_physical_address,
                                           unsigned access, struct ept_fault_result fault,
                                           struct ept_fault_result (*handle)(struct ept *, uint64_t,
                                                                             unsigned))
{
    enum ept_flush flush = fault.flush;

    while (fault.kind == EPT_FAULT_NO_FRAME && vm_take_cold_tables(vcpu->vm, guest_physical_address)) {
        fault = handle(&vcpu->vm->ept, guest_physical_address, access);
        flush = ept_flush_both(flush, fault.flush);
    }
    if (fault.kind == EPT_FAULT_NO_FRAME && drop_ept(vcpu))
        fault = handle(&vcpu->vm->ept, guest_physical_address, access);
    fault.flush = ept_flush_both(flush, fault.flush);
    return fault;
}

/* step_over(), likewise. */
static bool step_with_frames(struct vcpu *vcpu, uint64_t guest_physical_address, uint64_t host_physical,
                             unsigned rights, enum memory_type type, bool ignored)
{
    do {
        if (step_over(vcpu, guest_physical_address, host_physical, rights, type, ignored))
            return true;
    } while (vm_take_cold_tables(vcpu->vm, guest_physical_address));
    return drop_ept(vcpu) && step_over(vcpu, guest_physical_address, host_physical, rights, type, ignored);
}

/* The instruction runs alone, over a translation of this page that lasts as long. */
static enum exit_action step_denied(struct vcpu *vcpu, uint64_t guest_physical_address,
                                    uint64_t host_physical, unsigned rights, enum memory_type type,
                                    bool watched)
{
    if (step_with_frames(vcpu, guest_physical_address, host_physical, rights, type, !watched))
        return EXIT_ACTION_RESUME;
    vm_end(vcpu->vm, VM_FAILED, "no table frame is left for gpa=%#llx",
           (unsigned long long)guest_physical_address);
    return end_guest(vcpu);
}

/* Over the memory itself, with rights that the map does not grant or withholds. */
static enum exit_action step_over_memory(struct vcpu *vcpu, const struct ept_region *region,
                                         uint64_t guest_physical_address, unsigned rights, bool watched)
{
    enum memory_type type;

    if (!ept_page_type(&vcpu->vm->ept, region, guest_physical_address & ~PAGE_MASK, PAGE_SIZE, &type))
        type = MEMORY_TYPE_UC;
    return step_denied(vcpu, guest_physical_address, region->hpa + (guest_physical_address - region->gpa),
                       rights, type, watched);
}

static bool has_room(struct vcpu *vcpu)
{
    if (vcpu->step.page_count < STEP_PAGES_MAX)
        return true;
    vm_end(vcpu->vm, VM_FAILED, "one instruction reaches more than %u pages that are no RAM", STEP_PAGES_MAX);
    return false;
}

static enum exit_action denied(struct vcpu *vcpu, const struct ept_fault_result *fault,
                               uint64_t guest_physical_address, uint64_t qualification)
{
    const struct ept_region *region = fault->region;
    unsigned rights = region != NULL ? watch_rights(region) : 0;
    struct denied_access denied =
        denied_access(&vcpu->vm->config, fault->kind, (unsigned)(qualification & EPT_RIGHTS), rights);

    if (!denied.may_be_ignored || denied.policy == GUEST_POLICY_END) {
        exit_ept_end_denied(vcpu, denied.what, guest_physical_address, qualification);
        return end_guest(vcpu);
    }
    if (!has_room(vcpu))
        return end_guest(vcpu);
    vcpu->result.code = denied.result;
    if (denied.page == DENIED_PAGE_OWN)
        return step_over_memory(vcpu, region, guest_physical_address, rights | EPT_EXECUTE, false);
    return step_denied(vcpu, guest_physical_address,
                       bus_page(vcpu, region, guest_physical_address, denied.page), EPT_RIGHTS,
                       MEMORY_TYPE_WB, false);
}

/* Denied because the monitor watches: executed alone, or not at all at a breakpoint. */
static enum exit_action watched(struct vcpu *vcpu, const struct ept_fault_result *fault,
                                uint64_t guest_physical_address, uint64_t qualification)
{
    bool steps = watch_access(vcpu, guest_physical_address, qualification) == WATCH_STEPS;

    vcpu->result.code = RESULT_WATCHED;
    if (!steps)
        return EXIT_ACTION_RESUME;
    if (!has_room(vcpu))
        return end_guest(vcpu);
    return step_over_memory(vcpu, fault->region, guest_physical_address, watch_rights(fault->region), true);
}

/* What the engine made of the fault is settled: the rest of the exit. */
static enum exit_action finish_violation(struct vcpu *vcpu, const struct ept_fault_result *fault,
                                         uint64_t guest_physical_address, uint64_t qualification)
{
    vcpu->last_fault.reason = EXIT_EPT_VIOLATION;
    vcpu->last_fault.level = fault->repaired_level;
    vcpu->last_fault.detail = (uint32_t)(qualification & EPT_RIGHTS);
    if (unlikely(is_stuck(vcpu, guest_physical_address)))
        return end_stuck(vcpu, guest_physical_address);
    if (unlikely(!vm_flush(vcpu->vm, fault->flush)))
        return flush_failed(vcpu);
    if (likely(ept_fault_resolved(fault->kind))) {
        set_result(vcpu, fault);
        if (fault->kind == EPT_FAULT_INSTALLED && likely(!(vcpu->quick.kinds & EXIT_QUICK_EPT)))
            ept_near_learn(&vcpu->vm->ept, &vcpu->near, guest_physical_address, fault->level);
    } else {
        bool withheld =
            fault->region != NULL && watch_withholds(fault->region, (unsigned)(qualification & EPT_RIGHTS));
        enum exit_action action = withheld ? watched(vcpu, fault, guest_physical_address, qualification)
                                           : denied(vcpu, fault, guest_physical_address, qualification);

        if (action == EXIT_ACTION_STOP)
            return action;
    }
    return exit_ept_resume(vcpu, qualification);
}

/*
 * What is more than a page to map is done with the other vCPUs parked: dropping the EPT; a page that stands
 * in for a hole, which step_finish() takes away before they go on. The map may have changed while this vCPU
 * waited for its turn, so the engine is asked again.
 */
static enum exit_action violation_alone(struct vcpu *vcpu, enum ept_flush due,
                                        uint64_t guest_physical_address, uint64_t qualification)
{
    unsigned access = (unsigned)(qualification & EPT_RIGHTS);
    struct vm *vm = vcpu->vm;
    struct ept_fault_result fault;
    enum exit_action action;

    vm_pause(vm);
    fault = ept_fault(&vm->ept, guest_physical_address, access);
    if (fault.kind == EPT_FAULT_NO_FRAME)
        fault = with_frames(vcpu, guest_physical_address, access, fault, ept_fault);
    fault.flush = ept_flush_both(fault.flush, due);
    action = finish_violation(vcpu, &fault, guest_physical_address, qualification);
    vm_unpause(vm);
    return action;
}

/* For exit_ept_violation(), which comes next. Out of line, so that a quick exit saves no registers for it. */
static __attribute__((noinline)) struct exit_subject *
keep(struct vcpu *vcpu, uint64_t qualification, uint64_t guest_physical_address, uint64_t vectoring)
{
    vcpu->violation =
        (struct ept_violation){.exit_count = vcpu->exit_count + 1, /* the exit is counted afterwards */
                               .qualification = qualification,
                               .guest_physical_address = guest_physical_address,
                               .vectoring = vectoring};
    return NULL;
}

/* NULL: this is not all that there is to it. */
static inline __attribute__((always_inline)) struct exit_subject *
quick_violation(struct vcpu *vcpu, const struct ept_violation *violation)
{
    struct no_progress *last = &vcpu->no_progress;
    uint64_t qualification = violation->qualification;
    uint64_t guest_physical_address = violation->guest_physical_address;

    if (unlikely((qualification & EPT_QUALIFICATION_NMI_UNBLOCKING) != 0 || vcpu->vm->walk_armed ||
                 (violation->vectoring & EVENT_VALID) != 0) ||
        !ept_near_install(&vcpu->vm->ept, &vcpu->near, guest_physical_address,
                          (unsigned)(qualification & EPT_RIGHTS)))
        return keep(vcpu, qualification, guest_physical_address, violation->vectoring);
    vcpu->last_fault.reason = EXIT_EPT_VIOLATION;
    vcpu->last_fault.level = 0;
    vcpu->last_fault.detail = (uint32_t)(qualification & EPT_RIGHTS);
    /* is_stuck() with an address that does not repeat: the slot was empty. The exit is counted afterwards. */
    last->exit_count = vcpu->exit_count + 1;
    last->caught_up = vcpu->caught_up;
    last->guest_physical_address = guest_physical_address;
    last->count = 1;
    return exit_subject_count(&vcpu->subjects, SUBJECT_PAGE, guest_physical_address / PAGE_SIZE);
}

struct exit_subject *exit_quick_ept(struct vcpu *vcpu)
{
    struct ept_violation violation;

    read_violation(&violation);
    return quick_violation(vcpu, &violation);
}

struct exit_subject *exit_quick_ept_traced(struct vcpu *vcpu, struct trace_record *record,
                                           const struct trace_record *open)
{
    struct ept_violation violation;

    read_violation(&violation);
    if (unlikely(open->guest_physical_address == violation.guest_physical_address))
        return keep(vcpu, violation.qualification, violation.guest_physical_address, violation.vectoring);
    record->qualification = violation.qualification;
    record->guest_physical_address = violation.guest_physical_address;
    record->result =
        (struct trace_result){.code = RESULT_MAP, .level = vcpu->near.level, .type = vcpu->near.memory_type};
    return quick_violation(vcpu, &violation);
}

/* Out of line, so that an access to a device saves no registers for it. */
static __attribute__((noinline)) enum exit_action
map_violation(struct vcpu *vcpu, uint64_t guest_physical_address, uint64_t qualification)
{
    struct ept_fault_result fault =
        ept_fault(&vcpu->vm->ept, guest_physical_address, (unsigned)(qualification & EPT_RIGHTS));

    if (unlikely(!ept_fault_resolved(fault.kind)))
        return violation_alone(vcpu, fault.flush, guest_physical_address, qualification);
    return finish_violation(vcpu, &fault, guest_physical_address, qualification);
}

enum exit_action exit_ept_violation(struct vcpu *vcpu)
{
    struct ept_violation *violation = &vcpu->violation;

    if (unlikely(violation->exit_count != vcpu->exit_count)) { /* else exit_quick_ept() has read it */
        read_violation(violation);
        violation->exit_count = vcpu->exit_count;
    }
    exit_count_subject(vcpu, SUBJECT_PAGE, violation->guest_physical_address / PAGE_SIZE);
    if (unlikely(vcpu->vm->walk_armed))
        walk_check_exit(vcpu);
    if (mmio_applies(vcpu->vm, violation))
        return exit_mmio(vcpu, violation);
    return map_violation(vcpu, violation->guest_physical_address, violation->qualification);
}

enum exit_action exit_ept_misconfig(struct vcpu *vcpu)
{
    uint64_t guest_physical_address = vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS);
    struct ept_misconfig misconfig = ept_misconfig_analyse(&vcpu->vm->ept, guest_physical_address);
    struct ept_fault_result fault;

    exit_count_subject(vcpu, SUBJECT_PAGE, guest_physical_address / PAGE_SIZE);
    if (unlikely(vcpu->vm->walk_armed))
        walk_check_exit(vcpu);
    fault = ept_repair(&vcpu->vm->ept, guest_physical_address, 0);
    if (fault.kind == EPT_FAULT_NO_FRAME) {
        vm_pause(vcpu->vm);
        fault = with_frames(vcpu, guest_physical_address, 0, fault, ept_repair);
        vm_unpause(vcpu->vm);
    }
    vcpu->last_fault.reason = EXIT_EPT_MISCONFIG;
    vcpu->last_fault.level = misconfig.count > 0 ? misconfig.entries[0].level : 0;
    vcpu->last_fault.detail = misconfig.count > 0 ? ept_misconfig_plant_kind(&misconfig.entries[0]) : 0;
    vcpu->misconfig = misconfig.entries[0];
    if (misconfig.count == 0)
        vcpu->misconfig.level = 0;
    if (is_stuck(vcpu, guest_physical_address))
        return end_stuck(vcpu, guest_physical_address);
    if (!vm_flush(vcpu->vm, fault.flush))
        return flush_failed(vcpu);
    if (fault.kind == EPT_FAULT_NO_FRAME || fault.kind == EPT_FAULT_BEYOND_WIDTH) {
        vm_end(vcpu->vm, VM_FAILED, "EPT misconfiguration at gpa=%#llx: %s",
               (unsigned long long)guest_physical_address, ept_fault_kind_name(fault.kind));
        return end_guest(vcpu);
    }
    if (ept_fault_resolved(fault.kind))
        set_result(vcpu, &fault);
    else /* what the access was is not told; it comes again as a violation, and the policy has its say */
        vcpu->result.code = RESULT_CLEARED;
    return exit_ept_resume(vcpu, 0);
}
