/* SPDX-License-Identifier: MIT */
/*
 * MOV to SS and POP SS, for a step that is made by RFLAGS.TF: behind them no trap comes before the next
 * instruction is done, too, so they are done in the guest's stead. SDM vol. 3, "Masking Exceptions and
 * Interrupts When Switching Stacks"; vol. 2, "MOV", "POP".
 */
#ifndef VMM_DEBUG_STEP_LOAD_SS_H
#define VMM_DEBUG_STEP_LOAD_SS_H

#include "arch/x86/compiler.h"
#include "vmm/debug/step_plan.h"
#include "vmm/vcpu/code.h"
#include <stdbool.h>

struct vcpu;

/*
 * Does the instruction at RIP, of which `plan` is STEP_LOADS_SS: SS, RSP and RIP are changed, and interrupts
 * and debug exceptions are blocked until the next one is done. false: nothing is changed, for it would fault,
 * or its operand is where the hypervisor does not read; the processor is to run it. The vCPU's CPU with its
 * VMCS current.
 */
must_check bool step_load_ss(struct vcpu *vcpu, const struct vcpu_code *code, const struct step_plan *plan);

#endif
