/* SPDX-License-Identifier: MIT */
/* VMXON, which may fault, and the names of outcomes, errors and fields. */
#include "arch/x86/vmx.h"

#ifdef BENCH
uint64_t vmx_bench_reads, vmx_bench_writes;
#endif

must_check enum vmx_status vmx_on(uint64_t region_physical)
{
    uint64_t outcome = VMX_FAULT;

    /* The fix-up entry sends a #GP or #UD of VMXON to label 2, which leaves `outcome` as it is. */
    __asm__ volatile("1: vmxon %1\n\t"
                     "setc %%cl\n\t"
                     "setz %%dl\n\t"
                     "movzbl %%cl, %%ecx\n\t"
                     "movzbl %%dl, %%edx\n\t"
                     "leal (%%ecx, %%edx, 2), %k0\n\t"
                     "2:\n\t"
                     ".pushsection .fixup, \"a\"\n\t"
                     ".balign 8\n\t"
                     ".quad 1b, 2b\n\t"
                     ".popsection"
                     : "+r"(outcome)
                     : "m"(region_physical)
                     : "rcx", "rdx", "cc", "memory");
    return (enum vmx_status)outcome;
}

const char *vmx_error_text(uint64_t number)
{
    switch (number) {
#define VMX_ERROR(value, text)                                                                               \
    case value:                                                                                              \
        return text;
#include "arch/x86/vmx_errors.def"
#undef VMX_ERROR
    default:
        return "an error number that the manual does not list";
    }
}

const char *vmx_status_text(enum vmx_status status)
{
    switch (status) {
    case VMX_OK:
        return "VMsucceed";
    case VMX_FAIL_INVALID:
        return "VMfailInvalid";
    case VMX_FAIL_VALID:
        return "VMfailValid";
    case VMX_FAULT:
        return "an exception";
    }
    return "an unknown outcome";
}

const char *vmcs_field_name(uint32_t encoding)
{
    switch (encoding) {
#define VMCS_FIELD(value, name, gate)                                                                        \
    case value:                                                                                              \
        return #name;
#include "arch/x86/vmx_fields.def"
#undef VMCS_FIELD
    default:
        return "unknown";
    }
}
