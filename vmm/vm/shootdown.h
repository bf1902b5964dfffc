/* SPDX-License-Identifier: MIT */
/*
 * Cross-CPU invalidation: what the other CPUs that run a VM have cached of its EPT is gone when shootdown()
 * returns, or will be gone before they enter the guest again. Waits for those alone that are in the guest at
 * this moment; all that was asked for while a CPU was outside costs it one INVEPT. The steps, and why none
 * can be missed, are in vmm/vm/shootdown_state.h.
 */
#ifndef VMM_VM_SHOOTDOWN_H
#define VMM_VM_SHOOTDOWN_H

#include "arch/x86/compiler.h"
#include "vmm/vm/shootdown_state.h"
#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct vm;

/* The interrupt that makes a CPU leave its guest. The exit acknowledges it; the host itself never takes one.
 */
#define SHOOTDOWN_VECTOR 0xf0

/* What shootdowns have cost a VM. Atomic. */
struct shootdown_statistics {
    uint64_t requests, interrupts, nmis; /* asked for; kicks sent */
    uint64_t invalidations;              /* by CPUs that caught up with others' requests */
    uint64_t ticks, longest;             /* of requests */
};

/*
 * After a change of the VM's EPT, in an exit handler on the CPU of one of its vCPUs, or on any when it does
 * not run. With one vCPU it executes INVEPT; with several the calling CPU does so before its own next entry.
 * false: INVEPT fails.
 */
must_check bool shootdown(struct vm *vm);

/* Makes every other vCPU of the VM look for what has changed (its end, a pause) before it runs on. Does not
 * wait.
 */
void shootdown_nudge(struct vm *vm);

/* Sends the vCPU's CPU, another than the calling one, what makes it leave the guest; in the host it wakes it.
 */
void shootdown_kick(struct vcpu *vcpu, bool by_nmi);

/* Waits until every other vCPU of the VM is parked; something must keep them so (vmm/vm/pause.c). */
void shootdown_wait_parked(struct vm *vm);

/*
 * Before a pause, in its turn (vmm/vm/pause.h), on the CPU of a parked vCPU: waits until every other vCPU
 * that an earlier pause has held up has got on, or has been in the guest for a moment.
 */
void shootdown_wait_owed(struct vm *vm);

/*
 * The vCPU's CPU, when shootdown_enter() has said no, and before the first entry: waits while the VM is
 * paused for another vCPU, invalidates, and says that it is in the guest. false: the VM has ended.
 */
must_check bool shootdown_catch_up(struct vcpu *vcpu);

/*
 * The vCPU's CPU, in the host, uses nothing of the VM's for a while: it counts as parked. Then back, when no
 * other vCPU has the VM paused.
 */
void shootdown_step_aside(struct vcpu *vcpu);
void shootdown_come_back(struct vcpu *vcpu);

#endif
