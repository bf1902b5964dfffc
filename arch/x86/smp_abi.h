/* SPDX-License-Identifier: MIT */
/*
 * The words at the end of the AP trampoline page, by which the boot CPU tells the CPU that it starts what it
 * needs, as offsets into the page. Shared by smp.c and boot/ap_trampoline.asm.
 */
#ifndef ARCH_X86_SMP_ABI_H
#define ARCH_X86_SMP_ABI_H

#define TRAMPOLINE_BOOT_CR3 0xf80 /* 32 bits: boot tables, with the page itself mapped identically */
#define TRAMPOLINE_APIC_ID  0xf84 /* 32 bits: who is meant; anyone else who comes along halts */
#define TRAMPOLINE_TICKET   0xf88 /* 32 bits: TICKET_..., taken by compare-and-exchange */
#define TRAMPOLINE_GDTR     0xf90 /* 6 bytes: limit, base (physical) */
#define TRAMPOLINE_JUMP     0xf98 /* 6 bytes: far pointer offset, selector */
#define TRAMPOLINE_CR3      0xfa0 /* 64 bits: the final tables */
#define TRAMPOLINE_STACK    0xfa8 /* 64 bits: top of the main stack */
#define TRAMPOLINE_PERCPU   0xfb0 /* 64 bits: struct percpu * */
#define TRAMPOLINE_CR0      0xfb8 /* 32 bits: HOST_CR0 */
#define TRAMPOLINE_CR4      0xfbc /* 32 bits: HOST_CR4 */

#define TICKET_CLOSED  0 /* nobody is being started, or the boot CPU has given up */
#define TICKET_OPEN    1
#define TICKET_CLAIMED 2 /* the CPU has come and uses its stack */

#endif
