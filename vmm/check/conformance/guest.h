/* SPDX-License-Identifier: MIT */
/* The guest of the conformance tester: a VM with a vCPU in 64-bit mode, and one entry a case. */
#ifndef VMM_CHECK_CONFORMANCE_GUEST_H
#define VMM_CHECK_CONFORMANCE_GUEST_H

#include "arch/x86/compiler.h"
#include "vmm/check/conformance/predict.h"
#include "vmm/vm/vm.h"
#include <stdbool.h>

struct conformance_guest {
    struct vm vm;
    uint64_t tables; /* host-physical */
    uint64_t eptp;   /* in the VMCS */
    struct conformance_memory memory;
};

/* Makes the VM, its memory and its vCPU, which becomes current on the calling CPU. false: guest->vm.end says
 * why not, and nothing is left behind. */
must_check bool conformance_guest_create(struct conformance_guest *guest);
void conformance_guest_destroy(struct conformance_guest *guest);

/* Runs a case for which the memory is armed. false: it could not be entered (guest->vm.end says why), or
 * INVEPT failed. */
must_check bool conformance_guest_run(struct conformance_guest *guest, const struct conformance_case *test,
                                      struct conformance_outcome *outcome);

#endif
