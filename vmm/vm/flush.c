/* SPDX-License-Identifier: MIT */
/* Carrying out EPT flush requests. */
#include "vmm/vm/flush.h"
#include "ept/zap.h"
#include "vmm/vm/shootdown.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/pause.h"

must_check bool vm_flush(struct vm *vm, enum ept_flush flush)
{
    if (flush == EPT_FLUSH_NONE)
        return true;
    if (!shootdown(vm))
        return false;
    if (vm_is_alone(vm))
        (void)ept_reclaim(&vm->ept); /* tables that were unlinked: no CPU can walk them any more */
    return true;
}

must_check bool vm_drop_ept(struct vm *vm)
{
    vm->tables.dropped++;
    return vm_flush(vm, ept_zap(&vm->ept, 0, UINT64_C(1) << vm->ept.caps.guest_width));
}
