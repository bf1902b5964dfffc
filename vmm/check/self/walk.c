/* SPDX-License-Identifier: MIT */
/* Predicting what the processor uses between two hypercalls, and comparing. */
#include "vmm/check/self/walk.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/exception.h"
#include "arch/x86/memory.h"
#include "drivers/format.h"
#include "ept/eptp.h"
#include "ept/qualification.h"
#include "ept/used.h"
#include "vmm/vm/guest_memory.h"
#include "vmm/hypercall_abi.h"
#include "vmm/host/machine.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/flush.h"
#include "vmm/vcpu/vm_walk.h"
#include "vmm/vcpu/vmcs.h"
#include "vmm/plug.h"
#include "vmm/host/frame.h"
#include "drivers/console.h"

_Static_assert(WALK_ACCESS_READ == GUEST_ACCESS_READ && WALK_ACCESS_WRITE == GUEST_ACCESS_WRITE &&
                   WALK_ACCESS_FETCH == GUEST_ACCESS_FETCH,
               "the ABI's numbers are the engine's");
_Static_assert(WALK_END_DONE == WALK2D_DONE && WALK_END_PAGE_FAULT == WALK2D_PAGE_FAULT &&
                   WALK_END_VIOLATION == WALK2D_VIOLATION && WALK_END_MISCONFIG == WALK2D_MISCONFIG,
               "the ABI's numbers are the engine's");

#define GATE_TYPE_MASK                                                                                       \
    0x1e /* of a gate's access byte; with the lowest bit either an interrupt or a trap gate of 32 or 64 bits \
          */
#define GATE_TYPE_WIDE 0x0e
#define SELECTOR_INDEX 0xfff8u

static void differ(struct walk_check *check, const char *text, ...) printf_like(2, 3);

static void differ(struct walk_check *check, const char *text, ...)
{
    va_list arguments;

    if (check->differences_total++ == 0) {
        va_start(arguments, text);
        format_v(check->first_difference, sizeof(check->first_difference), text, arguments);
        va_end(arguments);
    }
    check->differences++;
}

static void depart(struct walk_check *check, enum walk_departure departure)
{
    check->departures++;
    check->departure_counts[departure]++;
}

/* A quick look says that most of the EPT's entries are not among those that are expected. */
static unsigned filter_word(uint64_t entry_hpa)
{
    return entry_hpa / (8 * 64) % WALK_CHECK_FILTER_WORDS;
}

static uint64_t filter_bit(uint64_t entry_hpa)
{
    return UINT64_C(1) << entry_hpa / 8 % 64;
}

static void expect_entry(struct walk_check *check, const struct walk2d_reference *reference)
{
    for (unsigned i = 0; i < check->entry_count; i++) {
        if (check->entries[i].hpa == reference->hpa) {
            check->entries[i].dirty |= reference->sets_dirty;
            return;
        }
    }
    if (check->entry_count == WALK_CHECK_ENTRIES_MAX) {
        differ(check, "more than %u EPT entries", WALK_CHECK_ENTRIES_MAX);
        return;
    }
    check->expected[filter_word(reference->hpa)] |= filter_bit(reference->hpa);
    check->entries[check->entry_count++] =
        (struct walk_check_entry){.hpa = reference->hpa, .dirty = reference->sets_dirty};
}

/* One access of what is to come; false: it ends in a fault, and then what comes after it is not predicted
 * yet. */
static bool predict_access(struct vcpu *vcpu, const struct guest_paging *paging, uint64_t linear_address,
                           enum guest_access access)
{
    struct walk_check *check = vcpu->vm->walk_check;
    struct walk2d *walk = &check->walk;

    vm_walk(walk, vcpu, paging, linear_address, access);
    for (unsigned i = 0; i < walk->count; i++)
        if (walk->references[i].kind == WALK2D_EPT_ENTRY && walk->references[i].sets_accessed)
            expect_entry(check, &walk->references[i]);
    if (walk->end == WALK2D_DONE)
        return true;
    check->event = (struct walk_event){.end = walk->end,
                                       .flag_update = walk->flag_update,
                                       .qualification = walk->qualification,
                                       .qualification_open = walk->qualification_open,
                                       .gpa = walk->gpa,
                                       .linear_address = linear_address};
    return false;
}

static bool read_linear(struct vcpu *vcpu, const struct guest_paging *paging, uint64_t linear_address,
                        void *buffer, size_t length)
{
    uint64_t fault;
    uint32_t error;

    return guest_linear_read(vcpu, paging, linear_address, buffer, length, &fault, &error) == GUEST_PAGING_OK;
}

static uint32_t descriptor_base(uint64_t descriptor)
{
    return (uint32_t)((descriptor >> 16 & 0xffffff) | (descriptor >> 32 & 0xff000000));
}

/* The delivery of #PF through an interrupt or trap gate without a change of stack. SDM vol. 3, "Exception and
 * Interrupt Handling". */
static void predict_delivery(struct vcpu *vcpu, struct guest_paging paging)
{
    struct walk_check *check = vcpu->vm->walk_check;
    bool wide = paging.efer & EFER_LMA;
    unsigned gate_size = wide ? 16 : 8;
    uint64_t gate_at = vmcs_read(VMCS_GUEST_IDTR_BASE) + VECTOR_PF * gate_size, gate[2] = {0, 0};
    uint64_t descriptor_at, descriptor = 0, handler, stack;

    paging.user = false; /* the processor's own accesses: supervisor, and SMAP counts */
    paging.rflags_ac = false;
    if (!read_linear(vcpu, &paging, gate_at, gate, gate_size) ||
        (gate[0] >> 40 & GATE_TYPE_MASK) != GATE_TYPE_WIDE) {
        differ(check, "the gate of #PF cannot be predicted");
        return;
    }
    descriptor_at = vmcs_read(VMCS_GUEST_GDTR_BASE) + (gate[0] >> 16 & SELECTOR_INDEX);
    if (!read_linear(vcpu, &paging, descriptor_at, &descriptor, sizeof(descriptor))) {
        differ(check, "the code segment of #PF's handler cannot be predicted");
        return;
    }
    handler = (gate[0] & 0xffff) | (gate[0] >> 32 & 0xffff0000);
    stack = vmcs_read(VMCS_GUEST_RSP);
    if (wide) { /* SS, RSP, RFLAGS, CS, RIP, error code */
        handler |= gate[1] << 32;
        stack = (stack & ~UINT64_C(15)) - 48;
    } else { /* EFLAGS, CS, EIP, error code */
        handler = (uint32_t)(handler + descriptor_base(descriptor));
        stack = (uint32_t)(vmcs_read(VMCS_GUEST_SS_BASE) + stack - 16);
    }
    if (predict_access(vcpu, &paging, gate_at, GUEST_ACCESS_READ) &&
        predict_access(vcpu, &paging, gate_at + gate_size - 1, GUEST_ACCESS_READ) &&
        predict_access(vcpu, &paging, descriptor_at, GUEST_ACCESS_READ) &&
        predict_access(vcpu, &paging, stack, GUEST_ACCESS_WRITE) &&
        predict_access(vcpu, &paging, stack + (wide ? 40 : 12), GUEST_ACCESS_WRITE))
        (void)predict_access(vcpu, &paging, handler, GUEST_ACCESS_FETCH);
}

/* Everything from here to CHECK, or to the next EPT exit. rip: of the next instruction. */
static void predict(struct vcpu *vcpu, uint64_t rip)
{
    struct walk_check *check = vcpu->vm->walk_check;
    uint64_t code = vmcs_read(VMCS_GUEST_CS_BASE) + rip;
    struct guest_paging paging;

    guest_paging_state(vcpu, &paging);
    check->event = (struct walk_event){.end = WALK2D_DONE};
    check->page_fault = false;
    if (!predict_access(vcpu, &paging, code, GUEST_ACCESS_FETCH))
        return;
    if (predict_access(vcpu, &paging, check->linear_address, check->access) ||
        check->event.end != WALK2D_PAGE_FAULT)
        return;
    check->page_fault = true;
    check->error_code = check->walk.error_code;
    check->event.end = WALK2D_DONE;
    predict_delivery(vcpu, paging);
}

/* The VM's, made with its first check; NULL: there is no frame for it. */
static struct walk_check *check_of(struct vm *vm)
{
    _Static_assert(sizeof(struct walk_check) <= PAGE_SIZE, "one frame");
    if (vm->walk_check == NULL) {
        uint64_t frame = frame_alloc(FRAME_HOST);

        if (frame != FRAME_ALLOC_FAILED) {
            vm->walk_check = phys_to_virt(frame);
            memset(vm->walk_check, 0, sizeof(*vm->walk_check));
        }
    }
    return vm->walk_check;
}

void walk_check_release(struct vm *vm)
{
    if (vm->walk_check != NULL)
        frame_free_run(virt_to_phys(vm->walk_check), 1, FRAME_HOST);
    vm->walk_check = NULL;
}

must_check bool walk_check_prepare(struct vcpu *vcpu, uint64_t linear_address, enum guest_access access)
{
    struct walk_check *check = check_of(vcpu->vm);
    struct guest_paging paging;
    enum ept_flush flush;

    if (check == NULL)
        return false;
    guest_paging_state(vcpu, &paging);
    vm_walk(&check->walk, vcpu, &paging, linear_address, access);
    if (check->walk.end > WALK2D_MISCONFIG)
        return false;
    vcpu->vm->walk_armed = true;
    /* A wrong prediction, to show that it is noticed. */
    check->linear_address =
        linear_address + (cmdline_has_test(machine_options(), "walk-wrong") ? PAGE_SIZE : 0);
    check->access = access;
    check->first_end = check->walk.end;
    check->first_references = check->walk.memory_references;
    check->first_detail =
        check->walk.end == WALK2D_PAGE_FAULT ? check->walk.error_code : check->walk.qualification;
    check->differences = check->departures = 0;
    check->entry_count = 0;
    memset(check->expected, 0, sizeof(check->expected));
    /* Also without flags to clear: what is cached would spare the processor the walk. */
    flush = ept_flush_both(EPT_FLUSH_CONTEXT, ept_used_clear(&vcpu->vm->ept));
    if (!vm_flush(vcpu->vm, flush))
        vm_end(vcpu->vm, VM_FAILED, "INVEPT fails before a walk is checked");
    predict(vcpu, vmcs_read(VMCS_GUEST_RIP) + vmcs_read(VMCS_EXIT_INSTRUCTION_LENGTH));
    return true;
}

static void compare_violation(struct vcpu *vcpu)
{
    struct walk_check *check = vcpu->vm->walk_check;
    const struct ept_caps *caps = &vcpu->vm->ept.caps;
    uint64_t qualification = vmcs_read(VMCS_EXIT_QUALIFICATION),
             linear = vmcs_read(VMCS_GUEST_LINEAR_ADDRESS);
    uint64_t wrong = (qualification ^ check->event.qualification) & walk2d_qualification_mask(caps) &
                     ~check->event.qualification_open;
    bool page_walk = !(check->event.qualification & EPT_QUALIFICATION_TRANSLATED);

    if (wrong == EPT_QUALIFICATION_READ && page_walk && !(qualification & EPT_QUALIFICATION_READ) &&
        (vcpu->vm->eptp & EPTP_ACCESSED_DIRTY))
        depart(check, WALK_DEPARTURE_READ_BIT);
    else if (wrong != 0)
        differ(check, "qualification %#llx instead of %#llx at gpa=%#llx", (unsigned long long)qualification,
               (unsigned long long)check->event.qualification, (unsigned long long)check->event.gpa);
    if (linear != check->event.linear_address)
        differ(check, "violation with gla=%#llx instead of %#llx", (unsigned long long)linear,
               (unsigned long long)check->event.linear_address);
}

void walk_check_exit(struct vcpu *vcpu)
{
    struct walk_check *check = vcpu->vm->walk_check;
    enum walk2d_end came = vcpu->exit_reason == EXIT_EPT_VIOLATION ? WALK2D_VIOLATION : WALK2D_MISCONFIG;
    uint64_t gpa = vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS);

    check->faults++;
    if (check->event.end != came || check->event.gpa != gpa)
        differ(check, "%s at gpa=%#llx instead of %s at gpa=%#llx", walk2d_end_text(came),
               (unsigned long long)gpa, walk2d_end_text(check->event.end),
               (unsigned long long)check->event.gpa);
    else if (came == WALK2D_VIOLATION)
        compare_violation(vcpu);
}

void walk_check_again(struct vcpu *vcpu)
{
    predict(vcpu, vmcs_read(VMCS_GUEST_RIP));
}

static void compare_entry(void *context, uint64_t entry_hpa, unsigned level, struct ept_entry entry)
{
    struct walk_check *check = context;
    bool accessed = (entry.raw & EPT_ACCESSED) != 0;
    bool dirty = ept_entry_maps_page(entry, level) && (entry.raw & EPT_DIRTY) != 0;

    if (!accessed && !dirty && !(check->expected[filter_word(entry_hpa)] & filter_bit(entry_hpa)))
        return;
    if (check->differences >= WALK_CHECK_DIFFERENCES_MAX) /* no more are looked for */
        return;
    for (unsigned i = 0; i < check->entry_count; i++) {
        struct walk_check_entry *expected = &check->entries[i];

        if (expected->hpa != entry_hpa)
            continue;
        expected->seen = true;
        if (!accessed || dirty != expected->dirty)
            differ(check, "entry at %#llx level=%u: accessed=%u dirty=%u, predicted 1 and %u",
                   (unsigned long long)entry_hpa, level, accessed, dirty, expected->dirty);
        return;
    }
    if (accessed || dirty)
        differ(check, "entry at %#llx level=%u raw=%#llx: used, and not predicted",
               (unsigned long long)entry_hpa, level, (unsigned long long)entry.raw);
}

static void compare_entries(struct vcpu *vcpu)
{
    struct walk_check *check = vcpu->vm->walk_check;

    if (!(vcpu->vm->eptp & EPTP_ACCESSED_DIRTY))
        return;
    for (unsigned i = 0; i < check->entry_count; i++)
        check->entries[i].seen = false;
    ept_used_each(&vcpu->vm->ept, compare_entry, check);
    for (unsigned i = 0; i < check->entry_count; i++)
        if (!check->entries[i].seen)
            differ(check, "entry at %#llx: predicted, and not in the EPT",
                   (unsigned long long)check->entries[i].hpa);
    check->entries_compared += check->entry_count;
}

must_check bool walk_check_finish(struct vcpu *vcpu, bool page_fault, uint32_t error_code, uint32_t cr2,
                                  struct walk_check_result *result)
{
    struct walk_check *check = vcpu->vm->walk_check;

    if (!vcpu->vm->walk_armed)
        return false;
    vcpu->vm->walk_armed = false;
    check->checks++;
    if (check->event.end != WALK2D_DONE) {
        if (check->event.flag_update && !(vcpu->vm->eptp & EPTP_ACCESSED_DIRTY))
            depart(check, WALK_DEPARTURE_FLAG_WRITE);
        else
            differ(check, "no %s came for gpa=%#llx", walk2d_end_text(check->event.end),
                   (unsigned long long)check->event.gpa);
    }
    if (page_fault != check->page_fault || (page_fault && error_code != check->error_code))
        differ(check, "#PF %u error=%#x instead of %u error=%#x at gla=%#llx", page_fault, error_code,
               check->page_fault, check->error_code, (unsigned long long)check->linear_address);
    else if (page_fault && cr2 != (uint32_t)check->linear_address)
        differ(check, "#PF with cr2=%#x instead of %#llx", cr2, (unsigned long long)check->linear_address);
    compare_entries(vcpu);
    *result = (struct walk_check_result){.differences = check->differences,
                                         .departures = check->departures,
                                         .entries = check->entry_count,
                                         .end = check->first_end,
                                         .references = check->first_references,
                                         .detail = check->first_detail};
    return true;
}

void walk_check_report(const struct vm *vm)
{
    static const char *const departures[] = {
        [WALK_DEPARTURE_READ_BIT] =
            "a page walk's violation lacks the read bit (SDM vol. 3, Exit Qualification for EPT Violations)",
        [WALK_DEPARTURE_FLAG_WRITE] =
            "the guest's accessed and dirty flags are written through read-only EPT entries (SDM vol. 3, "
            "EPT Violations)",
    };
    const struct walk_check *check = vm->walk_check;

    if (check == NULL || check->checks == 0)
        return;
    console_printf("adept: walk-check: vm=%s checks=%u faults=%u entries=%u differences=%u flags=%s\n",
                   vm->config.name, check->checks, check->faults, check->entries_compared,
                   check->differences_total, vm->ept.caps.accessed_dirty ? "compared" : "absent");
    if (check->differences_total > 0)
        console_printf("adept: walk-check: vm=%s first difference: %s\n", vm->config.name,
                       check->first_difference);
    for (unsigned i = 0; i < WALK_DEPARTURE_COUNT; i++)
        if (check->departure_counts[i] > 0)
            console_printf("adept: walk-check: vm=%s known departure x%u: %s\n", vm->config.name,
                           check->departure_counts[i], departures[i]);
}
