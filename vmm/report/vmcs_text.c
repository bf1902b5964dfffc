/* SPDX-License-Identifier: MIT */
/* Tolerant VMREAD. */
#include "vmm/report/vmcs_text.h"

#include "arch/x86/vmx.h"
#include "drivers/format.h"

struct vmcs_text vmcs_text(enum vmcs_field field)
{
    struct vmcs_text result;

    result.readable = vmx_read(field, &result.value) == VMX_OK;
    if (!result.readable)
        result.value = 0;
    (void)format(result.text, sizeof(result.text), result.readable ? "%#llx" : "unreadable",
                 (unsigned long long)result.value);
    return result;
}
