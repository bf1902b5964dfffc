/* SPDX-License-Identifier: MIT */
/* The way into a guest and out of it, in vmx_entry.asm: vmx_enter() once, vmx_run() as long as the guest is
 * to go on. Some exits end before either returns (vmm/quick/entry.asm). */
#ifndef ARCH_X86_VMX_ENTRY_H
#define ARCH_X86_VMX_ENTRY_H

#include "arch/x86/compiler.h"
#include "arch/x86/vmx_entry_abi.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The general-purpose registers in the order of their encoding, so that gpr[4] would be RSP; that one lives
 * in the VMCS. */
enum gpr {
    GPR_RAX,
    GPR_RCX,
    GPR_RDX,
    GPR_RBX,
    GPR_RSP,
    GPR_RBP,
    GPR_RSI,
    GPR_RDI,
    GPR_R8,
    GPR_R15 = 15,
    GPR_COUNT = 16
};

struct vmx_registers {
    uint64_t gpr[GPR_COUNT]; /* gpr[GPR_RSP] is not used: GUEST_RSP is in the VMCS */
    uint64_t host_rsp;       /* the stub's own: the host's stack pointer while the guest runs */
};

_Static_assert(offsetof(struct vmx_registers, gpr[GPR_RBX]) == VMX_REGISTER_RBX, "vmx_entry_abi.h");
_Static_assert(offsetof(struct vmx_registers, gpr[GPR_RBP]) == VMX_REGISTER_RBP, "vmx_entry_abi.h");
_Static_assert(offsetof(struct vmx_registers, gpr[GPR_R15]) == VMX_REGISTER_R15, "vmx_entry_abi.h");
_Static_assert(offsetof(struct vmx_registers, host_rsp) == VMX_REGISTER_HOST_RSP, "vmx_entry_abi.h");

/*
 * Enters the guest of the current VMCS with these registers and returns when it has left it, with the guest's
 * registers stored back: VMX_ENTER_EXITED (read EXIT_REASON), VMX_ENTER_FAIL_INVALID, or VMX_ENTER_FAIL_VALID
 * (read VM_INSTRUCTION_ERROR; nothing of the guest has run). Chooses VMRESUME or VMLAUNCH by itself. HOST_RIP
 * must be code that jumps to vmx_exit_saved with the guest's RAX, RCX, RDX and RBX stored, and HOST_RSP the
 * address of `host_rsp`, so that the exit finds the structure; both are constant for a vCPU. VMX root
 * operation, interrupts off.
 */
must_check uint64_t vmx_enter(struct vmx_registers *registers);

/*
 * The same, again and again: calls `exited` after each exit, with the guest's registers stored, and enters
 * once more while it says true. Returns as vmx_enter() does; VMX_ENTER_EXITED when it has said false.
 */
must_check uint64_t vmx_run(struct vmx_registers *registers, bool (*exited)(struct vmx_registers *registers));

/*
 * The same with VERW right before the entry, which clears buffers on processors whose microcode says so
 * (MD_CLEAR). `exited` must say false: it returns after each exit.
 */
must_check uint64_t vmx_run_cleared(struct vmx_registers *registers,
                                    bool (*exited)(struct vmx_registers *registers));

#endif
