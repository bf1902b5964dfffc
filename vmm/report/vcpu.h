/* SPDX-License-Identifier: MIT */
/*
 * A vCPU's state, printed in words: the pieces of the crash report, each for itself. All print lines that
 * begin with `adept:   ` and name their piece, and none of them ever fails: a VMCS field that cannot be read
 * shows as `unreadable`, a byte of memory as `--`. Unless said otherwise: on the CPU that runs the vCPU, in
 * VMX root operation with its VMCS current (without one all fields are unreadable), the console the caller's
 * (trace_report_begin()). Nothing is changed, neither the guest's state nor its EPT.
 */
#ifndef VMM_REPORT_VCPU_H
#define VMM_REPORT_VCPU_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/compiler.h"

struct guest_paging;
struct vcpu;

/* vmm/report/vcpu.c: the last exit: its reason, qualification and addresses. `exit:` */
void vcpu_report_exit(const struct vcpu *vcpu);

/* vmm/report/vcpu.c: general-purpose registers, RIP with the guest's symbol, RFLAGS, and the processor's
 * mode. `regs:` */
void vcpu_report_registers(const struct vcpu *vcpu);

/* vmm/report/vcpu.c: CR0, CR2, CR3, CR4, CR8 (TPR), EFER, PAT, XCR0, debug registers, SYSENTER and SYSCALL
 * MSRs. `ctrl:` */
void vcpu_report_control_registers(const struct vcpu *vcpu);

/* vmm/report/vcpu_segments.c: selector, base, limit and access rights of each segment register, GDTR, IDTR.
 * `segs:` */
void vcpu_report_segments(const struct vcpu *vcpu);

/*
 * vmm/report/vcpu_events.c: the event that the exit was about, the one whose delivery it interrupted, the one
 * that the next entry would deliver; activity, blocking, pending debug exceptions. `event:`
 */
void vcpu_report_events(const struct vcpu *vcpu);

/*
 * vmm/report/vcpu_code.c: bytes in front of RIP and from RIP on, through the guest's page tables with
 * supervisor rights; the byte at RIP is in brackets. `code:`
 */
void vcpu_report_code(struct vcpu *vcpu);

/* vmm/report/vcpu_code.c: the words at the top of the stack, each with the guest's symbol if it has one.
 * `stack:`
 */
void vcpu_report_stack(struct vcpu *vcpu);

/*
 * vmm/report/vcpu_code.c: the paging state for looking where the guest's own privilege may not: as
 * supervisor, SMAP off. false: a field of the VMCS that it needs cannot be read.
 */
must_check bool vcpu_report_paging(struct vcpu *vcpu, struct guest_paging *paging);

/* vmm/report/vcpu_code.c: the linear address of the instruction at RIP; 0 if the VMCS cannot be read. */
uint64_t vcpu_report_linear_rip(void);

/* vmm/report/vcpu_walk.c: the walk of a guest-physical address through the VM's EPT, an entry a line. `ept:`
 * Any CPU. */
void vcpu_report_ept_walk(const struct vcpu *vcpu, uint64_t guest_physical_address);

/*
 * vmm/report/vcpu_walk.c: the walk of a linear address through the guest's own paging structures, an entry a
 * line, and of the guest-physical address that it leads to through the EPT. `paging:`, `ept:`
 */
void vcpu_report_guest_walk(struct vcpu *vcpu, uint64_t linear_address);

/* vmm/report/vcpu_walk.c: both of the above, of what the last exit was about: GPA and GLA of an EPT violation
 * or misconfiguration, CR2 and RIP of a triple fault. Nothing if it was not about memory. */
void vcpu_report_fault_walk(struct vcpu *vcpu);

/* vmm/report/vcpu_brief.c: one line on a vCPU that has left its run loop (vcpu_brief_take()). `vcpu=` Any
 * CPU. */
void vcpu_report_brief(const struct vcpu *vcpu);

#endif
