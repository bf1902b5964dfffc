/* SPDX-License-Identifier: MIT */
/* Carrying out EPT flush requests. */
#include "vmm/vm_flush.h"
#include "arch/x86/invept.h"
#include "ept/zap.h"
#include "vmm/cpu.h"
#include "vmm/vm.h"

must_check bool vm_flush(struct vm *vm, enum ept_flush flush)
{
    if (flush == EPT_FLUSH_NONE)
        return true;
    if (invept_context(vmx_shared_capabilities()->ept_vpid, vm->eptp) != VMX_OK)
        return false;
    (void)ept_reclaim(&vm->ept); /* tables that were unlinked: no CPU can walk them any more */
    return true;
}

must_check bool vm_drop_ept(struct vm *vm)
{
    vm->tables.dropped++;
    return vm_flush(vm, ept_zap(&vm->ept, 0, UINT64_C(1) << vm->ept.caps.guest_width));
}
