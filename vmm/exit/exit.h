/* SPDX-License-Identifier: MIT */
/*
 * VM exits: the dispatch, and the handlers' signature. A handler looks at the vCPU, does what the exit asks
 * for and says what comes next; it never prints (what guests print goes into the trace ring) and leaves in
 * vcpu->result what the trace shall say. All run on the vCPU's CPU with its VMCS current.
 */
#ifndef VMM_EXIT_EXIT_H
#define VMM_EXIT_EXIT_H

#include "arch/x86/compiler.h"
#include "vmm/emulate/emulate.h"
#include "vmm/vcpu/inject.h"
#include "vmm/vcpu/vcpu.h"
#include <stdbool.h>
#include <stdint.h>

enum exit_action {
    EXIT_ACTION_RESUME,  /* look round, and enter again at the guest's RIP as it is */
    EXIT_ACTION_STOP,    /* the VM has ended */
    EXIT_ACTION_SETTLED, /* all that the exit was about is done: enter again at the guest's RIP as it is */
    EXIT_ACTION_ADVANCE, /* so is the instruction: RIP goes on by its length first */
};

typedef enum exit_action exit_handler(struct vcpu *vcpu);

/* Handles the exit that has just come: vmx_run() has it called for each that is not quick (vmm/quick/quick.h). */
must_check enum exit_action exit_dispatch(struct vcpu *vcpu);
/* What handles a traced exit of this reason, any number. every: all of them are recorded, no matter what they
 * are about. Pure. */
exit_recorder *exit_recorder_of(unsigned reason, bool every);
/* Handles a VM entry that failed: `outcome` is what vmx_run() returned. Ends the VM. */
must_check enum exit_action exit_entry_failed(struct vcpu *vcpu, uint64_t outcome);

/*
 * What one exit may take, in TSC ticks. A handler whose work grows with what the guest asks for does it in
 * parts that take EXIT_PIECE_TICKS or less each, at least one an exit, and looks at the clock between them:
 * exit_piece_end() is when the next part is left for the next exit. exit_again() has the guest come back for
 * it: RIP stays, so the instruction is begun again, and in between is all that is between an exit and an
 * entry, interrupts for the guest included. How far it is stands where the guest cannot lose it: in a
 * register or on a stack of the guest's that the call's definition gives to Adept, or with the VM's memory
 * map.
 */
#define EXIT_BUDGET_TICKS 200000
#define EXIT_PIECE_TICKS  (EXIT_BUDGET_TICKS / 2)

static inline uint64_t exit_piece_end(const struct vcpu *vcpu)
{
    return vcpu->quick.start + EXIT_PIECE_TICKS;
}

enum exit_action exit_again(struct vcpu *vcpu);

/*
 * exit.c: the end of an instruction that was done in the guest's stead: RIP becomes `rip`, and a guest that
 * single-steps, as its RFLAGS tell, gets its trap.
 */
void exit_advance_to(struct vcpu *vcpu, uint64_t rip, uint64_t rflags);

/*
 * vmm/exit/ept.c: the end of an exit that came out of an access to memory, of which `qualification` tells. An
 * event that was being delivered is delivered again, now that the memory it needs is there; NMIs stay blocked
 * if an IRET was interrupted.
 */
enum exit_action exit_ept_resume(struct vcpu *vcpu, uint64_t qualification);

/* vmm/exit/ept.c: ends the guest for an access (EPT_READ...) that the memory map denies, with a line that says
 * where it was. The vCPU's CPU, its VMCS current. */
void exit_ept_end_denied(struct vcpu *vcpu, const char *what, uint64_t guest_physical_address,
                         uint64_t access);

/* What this exit is about, for the statistics: `subject` of the kind. The handler, once. */
static inline void exit_count_subject(struct vcpu *vcpu, enum exit_subject_kind kind, uint64_t subject)
{
    vcpu->subject = exit_subject_count(&vcpu->subjects, kind, subject);
}

/* #UD for an instruction that this guest's processor does not have. */
static inline enum exit_action exit_inject_ud(struct vcpu *vcpu)
{
    inject_exception(vcpu, VECTOR_UD, 0);
    return EXIT_ACTION_RESUME;
}

static inline enum exit_action exit_inject_gp(struct vcpu *vcpu)
{
    inject_exception(vcpu, VECTOR_GP, 0);
    return EXIT_ACTION_RESUME;
}

/* vmm/exit/event.c: events */
exit_handler exit_exception, exit_external_interrupt, exit_triple_fault, exit_init_signal, exit_ignored_event;
exit_handler exit_preemption_timer, exit_window, exit_monitor_trap_flag, exit_bus_lock;
/*
 * vmm/exit/event.c: #DB for the guest at the next entry, DR6 and DR7 as its delivery makes them. qualification:
 * bits as in a #DB exit's. SDM vol. 3, "Exit Qualification for Debug Exceptions".
 */
void exit_deliver_debug_exception(struct vcpu *vcpu, uint64_t qualification);
/* vmm/exit/cr.c: loads the PDPTE registers from memory at CR3. false: a reserved bit is set, or no RAM is there.
 */
must_check bool exit_load_pdptes(struct vcpu *vcpu, uint64_t cr3);
/* vmm/exit/cr.c: the vCPU's linear and combined mappings go. false: INVVPID fails. */
must_check bool exit_flush_linear(const struct vcpu *vcpu);
/*
 * vmm/exit/event.c: for the hypervisor's own guests, which have no dispatch: whether an exit with this reason
 * came of the machine, not of the guest (interrupt, timer, INIT, NMI, machine check). Then it is dealt with,
 * and the guest may be entered again.
 */
must_check bool exit_is_outside_event(struct vcpu *vcpu, uint32_t reason);
exit_handler exit_task_switch; /* vmm/exit/task.c */
/* vmm/exit/instruction.c: instructions with little to them */
exit_handler exit_hlt, exit_cache_instruction, exit_rdpmc, exit_xsetbv;
exit_handler exit_rdtsc, exit_pause, exit_invlpg, exit_invpcid, exit_mov_dr;
exit_handler exit_cpuid; /* vmm/exit/cpuid.c */
exit_handler exit_io;    /* vmm/exit/io.c */
/* vmm/exit/io.c: struct emulate_processor's callback of INS and OUTS, with a struct linear as context. */
enum emulate_status exit_io_transfer(void *context, uint16_t port, bool in, const struct emulate_place *place,
                                     unsigned count, unsigned *moved);
exit_handler exit_cr_access;                         /* vmm/exit/cr.c */
exit_handler exit_rdmsr, exit_wrmsr, exit_wrmsrns;   /* vmm/exit/msr.c */
exit_handler exit_vmcall;                            /* vmm/exit/hypercall.c */
exit_handler exit_ept_violation, exit_ept_misconfig; /* vmm/exit/ept.c */
exit_handler exit_pml_full;                          /* vmm/exit/pml.c */
/* exit.c: what no handler is there for */
exit_handler exit_unexpected;

#endif
