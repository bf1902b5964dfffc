/* SPDX-License-Identifier: MIT */
/* The exit "page-modification log full": before the write that would need a 513th entry. SDM vol. 3,
 * "Page-Modification Log-Full Events". */
#include "vmm/vm/dirty_log.h"
#include "vmm/exit/exit.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"

enum exit_action exit_pml_full(struct vcpu *vcpu)
{
    if (vcpu->pml_page == 0)
        return exit_unexpected(vcpu);
    vm_dirty_drain(vcpu);
    vcpu->result.code = RESULT_LOG_DRAINED;
    /* The write may have been part of an event's delivery, or of an IRET: as with an EPT violation, and in
     * the same bit. */
    return exit_ept_resume(vcpu, vmcs_read(VMCS_EXIT_QUALIFICATION));
}
