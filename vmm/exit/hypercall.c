/* SPDX-License-Identifier: MIT */
/* The VMCALL exit: the hypercalls of vmm/hypercall_abi.h. */
#include "arch/x86/cpuid.h"
#include "arch/x86/memory.h"
#include "arch/x86/tsc.h"
#include "ept/leaves.h"
#include "ept/map.h"
#include "ept/plant.h"
#include "ept/protect.h"
#include "ept/walk.h"
#include "vmm/bios/call.h"
#include "vmm/exit/dirty_call.h"
#include "arch/x86/vmx.h"
#include "vmm/exit/exit.h"
#include "vmm/vm/guest_memory.h"
#include "vmm/vm/output.h"
#include "vmm/exit/hypercall.h"
#include "vmm/exit/hypercall_status.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/devices.h"
#include "vmm/vm/flush.h"
#include "vmm/vm/tables.h"
#include "vmm/vm/pause.h"
#include "vmm/plug.h"

#define PUT_STRING_MAX 4096

_Static_assert(PLANT_NOT_PRESENT == EPT_PLANT_NOT_PRESENT, "the ABI's numbers are the engine's");
_Static_assert(PLANT_READ_ONLY == EPT_PLANT_READ_ONLY, "the ABI's numbers are the engine's");
_Static_assert(PLANT_NO_EXECUTE == EPT_PLANT_NO_EXECUTE, "the ABI's numbers are the engine's");
_Static_assert(PLANT_WRITE_ONLY == EPT_PLANT_WRITE_ONLY, "the ABI's numbers are the engine's");
_Static_assert(PLANT_WRITE_EXECUTE == EPT_PLANT_WRITE_EXECUTE, "the ABI's numbers are the engine's");
_Static_assert(PLANT_EXECUTE_ONLY == EPT_PLANT_EXECUTE_ONLY, "the ABI's numbers are the engine's");
_Static_assert(PLANT_MEMORY_TYPE_2 == EPT_PLANT_MEMORY_TYPE_2, "the ABI's numbers are the engine's");
_Static_assert(PLANT_MEMORY_TYPE_3 == EPT_PLANT_MEMORY_TYPE_3, "the ABI's numbers are the engine's");
_Static_assert(PLANT_MEMORY_TYPE_7 == EPT_PLANT_MEMORY_TYPE_7, "the ABI's numbers are the engine's");
_Static_assert(PLANT_RESERVED_LOW == EPT_PLANT_RESERVED_LOW, "the ABI's numbers are the engine's");
_Static_assert(PLANT_RESERVED_ADDRESS == EPT_PLANT_RESERVED_ADDRESS, "the ABI's numbers are the engine's");
_Static_assert(PLANT_RESERVED_ALIGNMENT == EPT_PLANT_RESERVED_ALIGNMENT,
               "the ABI's numbers are the engine's");
_Static_assert(PLANT_LARGE_PAGE == EPT_PLANT_LARGE_PAGE, "the ABI's numbers are the engine's");
_Static_assert(PLANT_KIND_COUNT == EPT_PLANT_KIND_COUNT, "the ABI's numbers are the engine's");

static void put_characters(struct vcpu *vcpu, const char *characters, uint32_t count)
{
    struct vm *vm = vcpu->vm;

    vm_lock_devices(vm);
    for (uint32_t i = 0; i < count; i++)
        if (guest_line_put(&vm->hypercall_line, characters[i]))
            guest_output_line(vcpu, &vm->hypercall_line);
    vm_unlock_devices(vm);
}

/* Progress: bytes. */
static uint32_t put_string(struct vcpu *vcpu, struct hypercall *call)
{
    char piece[128];
    uint32_t done = call->progress;

    if (call->ecx > PUT_STRING_MAX)
        return HYPERCALL_BAD_ARGUMENT;
    while (done < call->ecx) {
        uint32_t size = call->ecx - done < sizeof(piece) ? call->ecx - done : (uint32_t)sizeof(piece);
        unsigned room = guest_output_room(vcpu);

        if (room == 0)
            return hypercall_goes_on(call, done);
        if (size > room)
            size = room;
        if (guest_memory_read(vcpu->vm, (uint64_t)call->ebx + done, piece, size) != size)
            return HYPERCALL_BAD_ADDRESS;
        put_characters(vcpu, piece, size);
        done += size;
        if (done < call->ecx && tsc_read() >= exit_piece_end(vcpu))
            return hypercall_goes_on(call, done);
    }
    return HYPERCALL_OK;
}

static uint32_t put_character(struct vcpu *vcpu, struct hypercall *call)
{
    char character = (char)call->ebx;

    if (unlikely(vcpu->output_full) && guest_output_room(vcpu) == 0)
        return hypercall_goes_on(call, 0);
    put_characters(vcpu, &character, 1);
    return HYPERCALL_OK;
}

static uint32_t plant_fault(struct vcpu *vcpu, const struct hypercall *call)
{
    const struct ept_region *region = ept_region_find(&vcpu->vm->regions, call->ebx);
    unsigned kind = call->ecx & 0xff, level = (call->ecx >> 8) & 0xff;
    struct ept_change change;

    if (kind >= PLANT_KIND_COUNT || level > EPT_LEVEL_PML4 || call->ecx >> 16)
        return HYPERCALL_BAD_ARGUMENT;
    if (region == NULL || region->kind == EPT_REGION_HOLE || region->kind == EPT_REGION_MMIO)
        return HYPERCALL_BAD_ADDRESS;
    /* Where memory encryption has taken key-id bits off the address, a bit above is a key, and no fault. */
    if (kind == PLANT_RESERVED_ADDRESS && vcpu->vm->ept.caps.physical_width != cpuid_physical_width())
        return HYPERCALL_UNSUPPORTED;
    vcpu->vm->faults_planted = true;
    change = ept_plant(&vcpu->vm->ept, call->ebx, level, (enum ept_plant_kind)kind);
    if (!vm_flush(vcpu->vm, change.flush))
        vm_end(vcpu->vm, VM_FAILED, "INVEPT fails after a fault was planted");
    return hypercall_status(change.status);
}

static uint32_t last_fault(const struct vcpu *vcpu, struct hypercall *call)
{
    call->ebx = vcpu->last_fault.reason;
    call->ecx = vcpu->last_fault.level;
    call->edx = vcpu->last_fault.detail;
    call->set_ebx = call->set_ecx = call->set_edx = true;
    return HYPERCALL_OK;
}

static uint32_t query_mapping(const struct vcpu *vcpu, struct hypercall *call)
{
    struct ept_walk walk = ept_walk(&vcpu->vm->ept, call->ebx);
    bool mapped = walk.end == EPT_WALK_MAPPED;

    call->ebx = mapped ? walk.level : 0;
    call->ecx = mapped ? walk.rights : 0;
    call->edx = mapped ? walk.memory_type : 0;
    call->set_ebx = call->set_ecx = call->set_edx = true;
    return HYPERCALL_OK;
}

/* Its own RAM alone. */
static bool is_own_ram(const struct vm *vm, uint64_t at, uint64_t end)
{
    while (at < end) {
        const struct ept_region *region = ept_region_find(&vm->regions, at);

        if (region == NULL || (region->kind != EPT_REGION_RAM && region->kind != EPT_REGION_IDENTITY))
            return false;
        at = region->gpa + region->size;
    }
    return true;
}

/* A part of it, the list and the EPT. */
static enum ept_status set_rights_of(struct vm *vm, uint64_t gpa, uint64_t size, unsigned rights)
{
    struct ept_change change = ept_set_rights(&vm->ept, gpa, size, rights);
    uint64_t merged;

    if (change.status == EPT_OK)
        watch_rights_changed(vm, gpa, size, rights);
    if (!vm_flush(vm, change.flush) || (change.status == EPT_OK && !vm_merge(vm, gpa, size, &merged)))
        vm_end(vm, VM_FAILED, "INVEPT fails after a change of rights");
    return change.status;
}

/* Progress: pages. Each part is a change of rights of its own, so whatever the guest does in between finds
 * the map and its EPT as they should be. */
static uint32_t set_rights_alone(struct vcpu *vcpu, struct hypercall *call)
{
    struct vm *vm = vcpu->vm;
    uint64_t at = call->ebx + (uint64_t)call->progress * PAGE_SIZE, end = (uint64_t)call->ebx + call->ecx,
             next;
    enum ept_status status;

    if (((call->ebx | call->ecx) & PAGE_MASK) != 0 || !is_own_ram(vm, call->ebx, end))
        return HYPERCALL_BAD_ADDRESS;
    if (!call->begun && at < end && !vm_flush(vm, ept_split_borders(&vm->ept, at, end - at)))
        vm_end(vm, VM_FAILED, "INVEPT fails before a change of rights");
    do {
        next = at < end ? ept_portion(&vm->ept, at, end, EPT_PORTION_PAGES) : end;
        status = set_rights_of(vm, at < end ? at : call->ebx, at < end ? next - at : 0, call->edx);
        at = next;
        if (status == EPT_OK && at < end && tsc_read() >= exit_piece_end(vcpu))
            return hypercall_goes_on(call, (at - call->ebx) / PAGE_SIZE);
    } while (status == EPT_OK && at < end);
    return hypercall_status(status);
}

static uint32_t set_rights(struct vcpu *vcpu, struct hypercall *call)
{
    uint32_t status;

    if (call->edx & ~(uint32_t)EPT_RIGHTS)
        return HYPERCALL_BAD_ARGUMENT;
    vm_pause(vcpu->vm);
    status = set_rights_alone(vcpu, call);
    vm_unpause(vcpu->vm);
    return status;
}

static uint32_t start_vcpu(struct vcpu *vcpu, const struct hypercall *call)
{
    if (!vcpu_start(vcpu->vm, call->ebx, (uint16_t)(call->ecx >> 16), (uint16_t)call->ecx))
        return HYPERCALL_BAD_ARGUMENT;
    return HYPERCALL_OK;
}

/* What the processor uses is told from flags that all vCPUs set: one alone can be compared. */
static uint32_t walk_prepare(struct vcpu *vcpu, const struct hypercall *call)
{
    if (vcpu->vm->vcpu_count > 1 ||
        __atomic_load_n(&vcpu->vm->ept.table_count, __ATOMIC_RELAXED) > WALK_CHECK_TABLES_MAX)
        return HYPERCALL_UNSUPPORTED;
    if (call->ecx > WALK_ACCESS_FETCH)
        return HYPERCALL_BAD_ARGUMENT;
    if (!walk_check_prepare(vcpu, (uint64_t)call->edx << 32 | call->ebx, (enum guest_access)call->ecx))
        return HYPERCALL_BAD_ADDRESS;
    return HYPERCALL_OK;
}

static uint32_t walk_finish(struct vcpu *vcpu, struct hypercall *call)
{
    struct walk_check_result result;

    if (!walk_check_finish(vcpu, call->ebx != 0, call->ecx, call->edx, &result))
        return HYPERCALL_BAD_ARGUMENT;
    call->ebx = (result.differences > 0xffff ? 0xffff : result.differences) | result.departures << 16;
    call->ecx = (uint32_t)result.end | (uint32_t)result.references << 8 | result.entries << 16;
    call->edx = (uint32_t)result.detail;
    call->set_ebx = call->set_ecx = call->set_edx = true;
    return HYPERCALL_OK;
}

static uint32_t end_call(struct vcpu *vcpu, const struct hypercall *call)
{
    vcpu->result.code = RESULT_ENDED;
    vm_end_by_guest(vcpu->vm, call->ebx == 0, "hypercall END code=%#x", call->ecx);
    return HYPERCALL_OK;
}

static uint32_t answer(struct hypercall *call, uint32_t ebx)
{
    call->ebx = ebx;
    call->set_ebx = true;
    return HYPERCALL_OK;
}

static uint32_t perform(struct vcpu *vcpu, uint32_t number, struct hypercall *call)
{
    switch (number) {
    case HYPERCALL_VERSION:
        return answer(call, HYPERCALL_ABI_VERSION);
    case HYPERCALL_END:
        return end_call(vcpu, call);
    case HYPERCALL_PUT_CHARACTER:
        return put_character(vcpu, call);
    case HYPERCALL_PUT_STRING:
        return put_string(vcpu, call);
    case HYPERCALL_EXIT_COUNT:
        call->ecx = (uint32_t)(vcpu->exit_count >> 32);
        call->set_ecx = true;
        return answer(call, (uint32_t)vcpu->exit_count);
    case HYPERCALL_PLANT_FAULT:
        return plant_fault(vcpu, call);
    case HYPERCALL_LAST_FAULT:
        return last_fault(vcpu, call);
    case HYPERCALL_QUERY_MAPPING:
        return query_mapping(vcpu, call);
    case HYPERCALL_SET_RIGHTS:
        return set_rights(vcpu, call);
    case HYPERCALL_MEMORY_SIZE:
        return answer(call, (uint32_t)(vcpu->vm->ram_frames * 4));
    case HYPERCALL_WALK_PREPARE:
        return walk_prepare(vcpu, call);
    case HYPERCALL_WALK_CHECK:
        return walk_finish(vcpu, call);
    case HYPERCALL_START_VCPU:
        return start_vcpu(vcpu, call);
    case HYPERCALL_VCPU_COUNT:
        call->ecx = vcpu->index;
        call->set_ecx = true;
        return answer(call, vcpu->vm->vcpu_count);
    case HYPERCALL_DIRTY_START:
    case HYPERCALL_DIRTY_COLLECT:
    case HYPERCALL_DIRTY_STOP:
    case HYPERCALL_HARVEST_ACCESSED:
        return dirty_call(vcpu, number, call);
#ifdef BENCH
    case HYPERCALL_BENCH_COUNTS:
        call->ecx = (uint32_t)vmx_bench_writes;
        call->set_ecx = true;
        return answer(call, (uint32_t)vmx_bench_reads);
#endif
    case HYPERCALL_BIOS_RESET:
        vcpu->result.code = RESULT_ENDED;
        vm_end(vcpu->vm, VM_FAILED, "reset by the reset vector");
        return HYPERCALL_OK;
    default:
        vcpu->result.code = RESULT_UNKNOWN_CALL;
        return HYPERCALL_UNKNOWN;
    }
}

enum exit_action exit_vmcall(struct vcpu *vcpu)
{
    uint64_t *gpr = vcpu->registers.gpr;
    struct hypercall call = {
        .ebx = (uint32_t)gpr[GPR_RBX], .ecx = (uint32_t)gpr[GPR_RCX], .edx = (uint32_t)gpr[GPR_RDX]};
    uint32_t number = (uint32_t)gpr[GPR_RAX], status;

    if (unlikely(number & HYPERCALL_UNDER_WAY) && number != hypercall_number(number)) {
        call.begun = true;
        call.progress = number & (HYPERCALL_PROGRESS_END - 1);
        number = hypercall_number(number);
    }
    exit_count_subject(vcpu, SUBJECT_HYPERCALL, number);
    if (number >= HYPERCALL_BIOS && number <= HYPERCALL_BIOS_LAST)
        return bios_call(vcpu, number - HYPERCALL_BIOS);
    status = perform(vcpu, number, &call);
    if (status == HYPERCALL_UNKNOWN)
        exit_quick_note_call(vcpu, number);
    if (status != HYPERCALL_OK && status != HYPERCALL_UNKNOWN)
        vcpu->result.code = RESULT_REFUSED_CALL;
    gpr[GPR_RAX] = likely(!call.unfinished) ? status : hypercall_under_way(number, call.progress);
    if (call.set_ebx)
        gpr[GPR_RBX] = call.ebx;
    if (call.set_ecx)
        gpr[GPR_RCX] = call.ecx;
    if (call.set_edx)
        gpr[GPR_RDX] = call.edx;
    if (unlikely(call.unfinished))
        return exit_again(vcpu);
    return vm_has_ended(vcpu->vm) ? EXIT_ACTION_STOP : EXIT_ACTION_ADVANCE;
}
