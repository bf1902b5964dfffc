/* SPDX-License-Identifier: MIT */
/* Merging and taking back the tables of a VM's EPT, with the flushes in between. */
#include "vmm/vm/tables.h"
#include "ept/cold.h"
#include "ept/merge.h"
#include "ept/zap.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/flush.h"

/* Of the tables that a VM may have, the part that goes at a time: an INVEPT for many, but not too many. */
#define COLD_PART 8
#define COLD_MOST 8 /* as much as one exit has time for */

must_check bool vm_merge(struct vm *vm, uint64_t gpa, uint64_t size, uint64_t *merged)
{
    *merged = 0;
    for (unsigned level = EPT_LEVEL_PD; level <= EPT_LEVEL_PDPT; level++) {
        uint64_t at = gpa;

        while (at < gpa + size) {
            struct ept_merge_batch batch = {.count = 0};
            enum ept_flush due;
            bool flushed;

            at = ept_merge(&vm->ept, at, gpa + size, level, &batch, &due);
            *merged += batch.count;
            flushed = vm_flush(vm, due);
            ept_merge_finish(&vm->ept, &batch);
            if (!flushed)
                return false;
        }
    }
    /* The flushes are done, and the VM is paused: no other CPU can be in a table that was retired. */
    (void)ept_reclaim(&vm->ept);
    return true;
}

must_check bool vm_take_cold_tables(struct vm *vm, uint64_t gpa)
{
    enum ept_flush flush;
    uint64_t part = vm->tables.limit / COLD_PART + 1;
    uint64_t taken = ept_take_cold(&vm->ept, gpa, part < COLD_MOST ? part : COLD_MOST, &flush);

    vm->tables.taken_back += taken;
    return vm_flush(vm, flush) && taken > 0;
}
