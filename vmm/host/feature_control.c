/* SPDX-License-Identifier: MIT */
/* IA32_FEATURE_CONTROL. */
#include "vmm/host/feature_control.h"
#include "arch/x86/msr.h"

#define LOCK            (UINT64_C(1) << 0)
#define VMX_INSIDE_SMX  (UINT64_C(1) << 1)
#define VMX_OUTSIDE_SMX (UINT64_C(1) << 2)

enum feature_control_state feature_control_state(uint64_t *value)
{
    if (!msr_read_safe(MSR_IA32_FEATURE_CONTROL, value))
        return FEATURE_CONTROL_ABSENT;
    if (!(*value & LOCK))
        return FEATURE_CONTROL_UNLOCKED;
    if (*value & VMX_OUTSIDE_SMX)
        return FEATURE_CONTROL_ENABLED;
    return *value & VMX_INSIDE_SMX ? FEATURE_CONTROL_ONLY_SMX : FEATURE_CONTROL_LOCKED_OFF;
}

must_check bool feature_control_enable(void)
{
    uint64_t value;

    switch (feature_control_state(&value)) {
    case FEATURE_CONTROL_ABSENT:
    case FEATURE_CONTROL_ENABLED:
        return true;
    case FEATURE_CONTROL_UNLOCKED:
        return msr_write_safe(MSR_IA32_FEATURE_CONTROL, LOCK | VMX_OUTSIDE_SMX);
    case FEATURE_CONTROL_ONLY_SMX:
    case FEATURE_CONTROL_LOCKED_OFF:
        return false;
    }
    return false;
}
