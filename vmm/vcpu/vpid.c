/* SPDX-License-Identifier: MIT */
/* The machine's virtual-processor identifiers. */
#include "vmm/vcpu/vpid.h"
#include "arch/x86/invept_type.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/vmx_capabilities.h"
#include "vmm/host/cpu.h"
#include "vmm/host/machine.h"
#include "vmm/host/panic.h"
#include "vmm/vcpu/vpid_pool.h"

/* For test=vpid-few. */
#define FEW 2

static struct spinlock lock;
static struct vpid_pool pool;

void vpid_prepare(void)
{
    const struct vmx_capabilities *vmx = vmx_shared_capabilities();
    enum invvpid_type type;
    /* Without INVVPID of a whole context nothing old could be removed. */
    bool usable = invvpid_type_for(vmx->ept_vpid, INVVPID_SINGLE_CONTEXT, &type) &&
                  !vmx_control_missing(vmx, VMX_WORD_SECONDARY, VMX_ENABLE_VPID);
    uint32_t highest = cmdline_has_test(machine_options(), "vpid-few") ? FEW : VPID_HIGHEST;

    vpid_pool_init(&pool, usable && !cmdline_has_test(machine_options(), "vpid-none") ? highest : 0);
}

uint16_t vpid_take(void)
{
    uint16_t vpid;

    spinlock_lock(&lock);
    vpid = vpid_pool_take(&pool);
    spinlock_unlock(&lock);
    return vpid;
}

void vpid_give_back(uint16_t vpid)
{
    bool taken;

    if (vpid == 0)
        return;
    spinlock_lock(&lock);
    taken = vpid_pool_give_back(&pool, vpid);
    spinlock_unlock(&lock);
    assert(taken);
}
