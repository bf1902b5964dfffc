/* SPDX-License-Identifier: MIT */
/* The isolation check, over the engine's audit and the frame allocator's owners. */
#include "vmm/report/isolation.h"
#include "arch/x86/memory.h"
#include "drivers/console.h"
#include "ept/audit.h"
#include "vmm/host/frame.h"
#include "vmm/vm/vm.h"

/* Room for the audit to remember tables in: 2 MiB hold 262144 words, good for 131072 tables. */
#define SCRATCH_FRAMES 512

struct check {
    const struct vm *vm;
    uint64_t pages, violations;
};

static bool table_is_ours(void *context, uint64_t hpa)
{
    const struct check *check = context;

    return frame_owner_of(hpa) == FRAME_EPT(check->vm->id);
}

/* What is not RAM has no owner: only what the VM's own memory map lists as MMIO or as firmware's tables may
 * be reached. */
static bool listed_device(const struct vm *vm, uint64_t gpa, uint64_t hpa)
{
    const struct ept_region *region = ept_region_find(&vm->regions, gpa);
    frame_owner owner = frame_owner_of(hpa);

    return region != NULL && (owner == FRAME_NONE || owner == FRAME_RESERVED) &&
           (region->kind == EPT_REGION_MMIO || region->kind == EPT_REGION_ROM);
}

static bool page_is_ours(void *context, uint64_t gpa, uint64_t hpa, uint64_t size, unsigned rights)
{
    struct check *check = context;

    (void)rights;
    for (uint64_t offset = 0; offset < size; offset += FRAME_SIZE) {
        frame_owner owner = frame_owner_of(hpa + offset);

        check->pages++;
        if (owner == FRAME_GUEST(check->vm->id) || listed_device(check->vm, gpa + offset, hpa + offset))
            continue;
        if (check->violations++ < 8)
            console_printf("adept: isolation: VIOLATION vm=%s gpa=%#llx hpa=%#llx owner=%#x\n",
                           check->vm->config.name, (unsigned long long)(gpa + offset),
                           (unsigned long long)(hpa + offset), owner);
    }
    return check->violations == 0;
}

must_check bool isolation_check(struct vm *vm)
{
    struct check check = {.vm = vm};
    uint64_t scratch = frame_alloc_run(FRAME_HOST, SCRATCH_FRAMES, 1);
    struct ept_audit_check audit = {.context = &check, .table = table_is_ours, .page = page_is_ours};
    struct ept_audit result;
    bool ok;

    if (scratch != FRAME_ALLOC_FAILED) {
        audit.scratch = phys_to_virt(scratch);
        audit.scratch_words = SCRATCH_FRAMES * FRAME_SIZE / sizeof(uint64_t);
    }
    ok = ept_audit(&vm->ept, &audit, &result);
    if (!ok && vm->faults_planted) { /* what it has spoilt itself and never touched again: such an entry maps
                                        nothing */
        result.malformed = result.unreachable = 0;
        ok = result.foreign_tables + result.foreign_pages + result.cycles + result.shared + result.unlisted +
                 result.noncanonical + result.lost ==
             0;
    }
    if (scratch != FRAME_ALLOC_FAILED)
        frame_free_run(scratch, SCRATCH_FRAMES, FRAME_HOST);
    if (ok) {
        console_printf("adept: isolation: ok vm=%s pages=%llu tables=%llu\n", vm->config.name,
                       (unsigned long long)check.pages, (unsigned long long)result.tables);
        return true;
    }
    console_printf(
        "adept: isolation: VIOLATION vm=%s foreign_pages=%llu foreign_tables=%llu cycles=%llu shared=%llu "
        "malformed=%llu unlisted=%llu noncanonical=%llu unreachable=%llu lost=%llu first_gpa=%#llx\n",
        vm->config.name, (unsigned long long)result.foreign_pages, (unsigned long long)result.foreign_tables,
        (unsigned long long)result.cycles, (unsigned long long)result.shared,
        (unsigned long long)result.malformed, (unsigned long long)result.unlisted,
        (unsigned long long)result.noncanonical, (unsigned long long)result.unreachable,
        (unsigned long long)result.lost, (unsigned long long)result.first_bad_gpa);
    return false;
}
