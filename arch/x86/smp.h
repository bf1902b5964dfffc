/* SPDX-License-Identifier: MIT */
/*
 * Starting the other processors, one at a time, by INIT-SIPI-SIPI. SDM vol. 3, "MP Initialization Protocol
 * Algorithm". The first instructions of such a CPU are in boot/ap_trampoline.asm.
 */
#ifndef ARCH_X86_SMP_H
#define ARCH_X86_SMP_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/compiler.h"
#include "arch/x86/percpu.h"

#define SMP_ANSWER_MS 100  /* from the second SIPI to the CPU's first sign of life */
#define SMP_READY_MS  5000 /* from there until it is ready */

enum smp_status {
    SMP_READY,
    SMP_NO_ANSWER,  /* no sign of life; should it come later, it halts by itself */
    SMP_NOT_READY,  /* came, but did not get through its own start */
    SMP_IPI_FAILED, /* the local APIC did not deliver the IPI */
};

/* Copies the trampoline to a page below 1 MiB that stays ours for good. */
void smp_init(uint64_t trampoline_physical);

/*
 * Starts the CPU that `cpu` describes (apic_id, index, stacks; gdt_build() done) and waits until it has
 * called smp_ready(). `entry` runs on that CPU, on its main stack, with GDT, TSS, IDT, GS base, PAT and
 * control registers set. mute: leave the SIPIs out, so that nothing answers (test=ap-mute).
 */
must_check enum smp_status smp_start(struct percpu *cpu, noreturn_fn void (*entry)(void), bool mute);

/* The started CPU says so. False: the boot CPU has given it up meanwhile; it must halt. */
must_check bool smp_ready(void);

/* Sends an NMI to every other CPU that is online. Safe at any time; false if some could not be sent. */
bool smp_nmi_others(void);

#endif
