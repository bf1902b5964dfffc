/* SPDX-License-Identifier: MIT */
/*
 * The VMX instructions, one function each. Every one returns how it ended: an unchecked VMX instruction is a
 * bug that shows up somewhere else. All of them need VMX root operation (vmx_on: CR4.VMXE set) on the calling
 * CPU. SDM vol. 3, "VMX Instruction Reference" and "Conventions".
 */
#ifndef ARCH_X86_VMX_H
#define ARCH_X86_VMX_H

#include "arch/x86/compiler.h"
#include "arch/x86/invept_type.h"
#include "arch/x86/vmx_fields.h"
#include <stdbool.h>
#include <stdint.h>

enum vmx_status {
    VMX_OK = 0,
    VMX_FAIL_INVALID = 1, /* RFLAGS.CF: there is no current VMCS, or the operand is no good */
    VMX_FAIL_VALID = 2,   /* RFLAGS.ZF: the current VMCS holds a VM-instruction error number */
    VMX_FAULT = 3, /* the instruction raised an exception (VMXON outside of what the firmware allows) */
};

/* The outcome is in CF and ZF; reads as a branch-free sum: 0, 1 or 2. */
#define VMX_STATUS_FROM_FLAGS(carry, zero)                                                                   \
    ((enum vmx_status)((carry) ? VMX_FAIL_INVALID : (zero) ? VMX_FAIL_VALID : VMX_OK))

/*
 * Enters VMX root operation with the VMXON region at this physical address (4 KiB, revision identifier
 * written). Survives the #GP that a processor raises when IA32_FEATURE_CONTROL does not allow VMXON.
 */
must_check enum vmx_status vmx_on(uint64_t region_physical);

static inline must_check enum vmx_status vmx_off(void)
{
    bool carry, zero;
    __asm__ volatile("vmxoff" : "=@ccc"(carry), "=@ccz"(zero) : : "memory");
    return VMX_STATUS_FROM_FLAGS(carry, zero);
}

static inline must_check enum vmx_status vmx_clear(uint64_t vmcs_physical)
{
    bool carry, zero;
    __asm__ volatile("vmclear %2" : "=@ccc"(carry), "=@ccz"(zero) : "m"(vmcs_physical) : "memory");
    return VMX_STATUS_FROM_FLAGS(carry, zero);
}

static inline must_check enum vmx_status vmx_load_pointer(uint64_t vmcs_physical)
{
    bool carry, zero;
    __asm__ volatile("vmptrld %2" : "=@ccc"(carry), "=@ccz"(zero) : "m"(vmcs_physical) : "memory");
    return VMX_STATUS_FROM_FLAGS(carry, zero);
}

/*
 * With -DBENCH every VMREAD and VMWRITE is counted, for `make bench`: of all CPUs together, and not
 * atomically. Never in a hypervisor whose ticks count.
 */
#ifdef BENCH
extern uint64_t vmx_bench_reads, vmx_bench_writes;
#define VMX_BENCH_COUNT(counter) ((void)++(counter))
#else
#define VMX_BENCH_COUNT(counter) ((void)0)
#endif

static inline must_check enum vmx_status vmx_read(enum vmcs_field field, uint64_t *value)
{
    bool carry, zero;
    uint64_t result;

    VMX_BENCH_COUNT(vmx_bench_reads);
    __asm__ volatile("vmread %3, %2" : "=@ccc"(carry), "=@ccz"(zero), "=r"(result) : "r"((uint64_t)field));
    *value = result;
    return VMX_STATUS_FROM_FLAGS(carry, zero);
}

static inline must_check enum vmx_status vmx_write(enum vmcs_field field, uint64_t value)
{
    bool carry, zero;

    VMX_BENCH_COUNT(vmx_bench_writes);
    __asm__ volatile("vmwrite %2, %3" : "=@ccc"(carry), "=@ccz"(zero) : "r"(value), "r"((uint64_t)field));
    return VMX_STATUS_FROM_FLAGS(carry, zero);
}

/* The same two where failure is the caller's own fault: true is success, and how it failed is asked again.
 * One branch each. */
static inline must_check bool vmx_read_succeeds(enum vmcs_field field, uint64_t *value)
{
    bool failed;

    VMX_BENCH_COUNT(vmx_bench_reads);
    __asm__ volatile("vmread %2, %1" : "=@ccbe"(failed), "=r"(*value) : "r"((uint64_t)field));
    return !failed;
}

static inline must_check bool vmx_write_succeeds(enum vmcs_field field, uint64_t value)
{
    bool failed;

    VMX_BENCH_COUNT(vmx_bench_writes);
    __asm__ volatile("vmwrite %1, %2" : "=@ccbe"(failed) : "r"(value), "r"((uint64_t)field));
    return !failed;
}

static inline must_check enum vmx_status vmx_invept(enum invept_type type, uint64_t eptp)
{
    struct {
        uint64_t eptp, reserved;
    } descriptor = {eptp, 0};
    bool carry, zero;
    __asm__ volatile("invept %2, %3"
                     : "=@ccc"(carry), "=@ccz"(zero)
                     : "m"(descriptor), "r"((uint64_t)type)
                     : "memory");
    return VMX_STATUS_FROM_FLAGS(carry, zero);
}

static inline must_check enum vmx_status vmx_invvpid(enum invvpid_type type, uint16_t vpid,
                                                     uint64_t linear_address)
{
    struct {
        uint64_t vpid, linear_address;
    } descriptor = {vpid, linear_address};
    bool carry, zero;
    __asm__ volatile("invvpid %2, %3"
                     : "=@ccc"(carry), "=@ccz"(zero)
                     : "m"(descriptor), "r"((uint64_t)type)
                     : "memory");
    return VMX_STATUS_FROM_FLAGS(carry, zero);
}

/* Text of a VM-instruction error number (SDM vol. 3, "VM Instruction Error Numbers"); never NULL. */
const char *vmx_error_text(uint64_t number);
/* "VMfailInvalid", "VMfailValid" and so on. */
const char *vmx_status_text(enum vmx_status status);
/* Name of a VMCS field, "unknown" when it is none. */
const char *vmcs_field_name(uint32_t encoding);

#endif
