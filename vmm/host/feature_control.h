/* SPDX-License-Identifier: MIT */
/* IA32_FEATURE_CONTROL: whether the firmware lets VMXON work. SDM vol. 3, "Enabling and Entering VMX
 * Operation". */
#ifndef VMM_HOST_FEATURE_CONTROL_H
#define VMM_HOST_FEATURE_CONTROL_H

#include "arch/x86/compiler.h"
#include <stdbool.h>
#include <stdint.h>

enum feature_control_state {
    FEATURE_CONTROL_ABSENT,     /* the MSR does not exist: VMXON is tried all the same */
    FEATURE_CONTROL_UNLOCKED,   /* ours to set */
    FEATURE_CONTROL_ENABLED,    /* locked, VMX outside of SMX allowed */
    FEATURE_CONTROL_ONLY_SMX,   /* locked, VMX only inside of SMX (TXT) */
    FEATURE_CONTROL_LOCKED_OFF, /* locked, VMX forbidden */
};

/* Of the calling CPU; *value is the MSR's, 0 where it is absent. */
enum feature_control_state feature_control_state(uint64_t *value);

/* Sets and locks it where it is unlocked (its other bits may be random then). Every CPU for itself. false:
 * VMXON is forbidden. */
must_check bool feature_control_enable(void);

#endif
