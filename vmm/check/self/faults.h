/* SPDX-License-Identifier: MIT */
/*
 * What test= on the command line makes the host do to itself, so that its own safety nets are seen to hold.
 * Words that are looked at elsewhere: ap-mute and x2apic (vmm/start_cpus.c), vmx-off (vmm/host/cpu.c),
 * ept-wrong-root and ept-bad-root (vmm/vm/vm.c), mmio-device (vmm/vm/devices.c), no-quick-exits
 * (vmm/quick/quick.c), walk-wrong (vmm/check/self/walk.c), entry-rules, entry-random, entry-broken-controls,
 * -host and -guest (vmm/check/entry/trial.c), monitor-trap-absent and monitor-trap-works
 * (vmm/check/self/trap_flag.c), vpid-few and vpid-none (vmm/vcpu/vpid.c), forced-exits, undefined-exit and
 * unhandled-exit (vmm/vcpu/vmcs.c), bus-lock (vmm/vcpu/vcpu.c), string-io-decoded, as if exits told nothing
 * of INS and OUTS (vmm/host/cpu.c), key-id-bits, as if memory encryption took 6 bits off physical addresses
 * (vmm/vcpu/cpuid.c), conformance-wrong, -flag, -stray and -processor (vmm/check/conformance/conformance.c).
 */
#ifndef VMM_CHECK_SELF_FAULTS_H
#define VMM_CHECK_SELF_FAULTS_H

struct boot_info;
struct vcpu;
struct vm;

/* Boot CPU, before the machine's interrupts are masked: firmware-pins opens pins of an I/O APIC and starts a
 * timer behind them. */
void host_test_before_masks(void);

/* Boot CPU, before memory_setup(): low-modules puts the modules where GRUB has them that UEFI started. */
void host_test_modules(struct boot_info *boot);

/*
 * Runs the words of test= that are host tests; boot CPU, after all CPUs are up. host-nmi, guest-interrupt,
 * firmware-interrupt (one below the task priority), host-sleep, invalidate and host-absent-msr return;
 * host-exception (#PF), host-exception-ap (the same on cpu=1 while this CPU prints), host-write-text,
 * host-execute-data, host-undefined (#UD), host-stack-overflow and host-panic and host-assert end the
 * machine. With panic-report-fault or panic-report-panic before them a part of that report faults, or panics,
 * itself.
 */
void host_test_run(void);

/* Every other CPU, once it is up: host-exception-ap. */
void host_test_other_cpu(void);

/* Boot CPU, when the last guest has ended: panic-after-guest. */
void host_test_after_guests(void);

/* The CPU of a guest, before its crash report: report-no-vmcs takes its VMCS away, so that no field can be
 * read. */
void host_test_before_report(struct vcpu *vcpu);

/* A part of every crash report: report-fault (#PF) and report-assert come to grief in it. */
void host_test_in_report(struct vcpu *vcpu);

/* The CPU of a guest at its end: isolation-foreign maps a frame of the hypervisor's into its EPT, which the
 * audit must find. */
void host_test_before_audit(struct vm *vm);

#endif
