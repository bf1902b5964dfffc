/* SPDX-License-Identifier: MIT */
/*
 * The VMCS: checked access to its fields, and its set-up from constants and capabilities. SDM vol. 3,
 * "Virtual Machine Control Structures".
 */
#ifndef VMM_VCPU_VMCS_H
#define VMM_VCPU_VMCS_H

#include "arch/x86/compiler.h"
#include "arch/x86/vmx.h"
#include "vmm/vcpu/inject.h"
#include "vmm/vcpu/vcpu.h"
#include <stdint.h>

/*
 * Exceptions that exit: #DB and #AC because a guest can make the processor deliver either without end, within
 * one instruction; #MC because it is the machine's. All else is the guest's own affair.
 */
#define VMCS_EXCEPTIONS (1u << VECTOR_DB | 1u << VECTOR_AC | 1u << VECTOR_MC)

/* Report the failed access (our own bug: the field exists by capability) and stop the machine. */
noreturn_fn void vmcs_read_failed(enum vmcs_field field);
noreturn_fn void vmcs_write_failed(enum vmcs_field field, uint64_t value);

/* Reads a field that every processor has, or whose control is in use. The current VMCS of the calling CPU. */
static inline uint64_t vmcs_read(enum vmcs_field field)
{
    uint64_t value;

    if (unlikely(!vmx_read_succeeds(field, &value)))
        vmcs_read_failed(field);
    return value;
}

static inline void vmcs_write(enum vmcs_field field, uint64_t value)
{
    if (unlikely(!vmx_write_succeeds(field, value)))
        vmcs_write_failed(field, value);
}

/*
 * Three fields that every processor has: a VMREAD of them fails only without a current VMCS, and then all
 * three do, so that the last one's flags speak for all.
 */
static inline __attribute__((always_inline)) void vmcs_read_three(enum vmcs_field first, uint64_t *one,
                                                                  enum vmcs_field second, uint64_t *two,
                                                                  enum vmcs_field third, uint64_t *three)
{
    uint64_t a, b, c;
    bool failed;

    for (unsigned i = 0; i < 3; i++)
        VMX_BENCH_COUNT(vmx_bench_reads);
    __asm__ volatile("mov %[first], %k[a]\n\tvmread %[a], %[a]\n\t"
                     "mov %[second], %k[b]\n\tvmread %[b], %[b]\n\t"
                     "mov %[third], %k[c]\n\tvmread %[c], %[c]"
                     : "=@ccbe"(failed), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c)
                     : [first] "i"(first), [second] "i"(second), [third] "i"(third));
    if (unlikely(failed))
        vmcs_read_failed(third);
    *one = a;
    *two = b;
    *three = c;
}

/*
 * Clears, loads and fills the vCPU's VMCS on the calling CPU: control fields, host state of this CPU, guest
 * state of a real-mode start. Every field that the chosen controls make the processor read is written.
 */
must_check enum vmx_status vmcs_setup(struct vcpu *vcpu);

/* Clears it (its state goes to memory); the CPU then has no current VMCS. */
must_check enum vmx_status vmcs_release(struct vcpu *vcpu);

#endif
