/* SPDX-License-Identifier: MIT */
/*
 * Parts of a vCPU's state as words, for reports and the monitor. Pure. Every function writes at most `size`
 * bytes, always terminated if size is not 0, and gives the length that the whole text has, as format() does.
 * Bits without a name appear as `bit N`; nothing set reads `none`.
 */
#ifndef VMM_REPORT_VCPU_WORDS_H
#define VMM_REPORT_VCPU_WORDS_H

#include <stddef.h>
#include <stdint.h>

/* Enough for every text of these functions. */
#define VCPU_WORDS_MAX 192

/*
 * Access rights of a segment as the VMCS holds them (3:0 type, 4 S, 6:5 DPL, 7 P, 13 L, 14 D/B, 15 G, 16
 * unusable): "code execute-read accessed dpl=0 present 64-bit". SDM vol. 3, "Guest Register State", "Segment
 * Descriptors".
 */
size_t vcpu_segment_words(char *text, size_t size, uint64_t rights);

/*
 * Interruption information, of an exit, of IDT vectoring, of an entry: "hardware exception #PF(14)
 * error=0x2". SDM vol. 3, "Information for VM Exits Due to Vectored Events".
 */
size_t vcpu_event_words(char *text, size_t size, uint64_t information, uint64_t error_code);

/* Guest activity state: "active", "HLT", "shutdown", "wait-for-SIPI". SDM vol. 3, "Guest Non-Register State".
 */
size_t vcpu_activity_words(char *text, size_t size, uint64_t state);
/* Guest interruptibility state: "blocking by STI", with commas between several. */
size_t vcpu_interruptibility_words(char *text, size_t size, uint64_t state);
/* Pending debug exceptions: "B0 B3 enabled-breakpoint BS". */
size_t vcpu_pending_debug_words(char *text, size_t size, uint64_t pending);

/* Names of the bits that are set, lowest first: "PF ZF IF IOPL=3". */
size_t vcpu_rflags_words(char *text, size_t size, uint64_t rflags);
size_t vcpu_cr0_words(char *text, size_t size, uint64_t cr0);
size_t vcpu_cr4_words(char *text, size_t size, uint64_t cr4);
size_t vcpu_efer_words(char *text, size_t size, uint64_t efer);

/* "real", "virtual-8086", "protected 16-bit", "protected 32-bit", "compatibility 16-bit", "compatibility
 * 32-bit", "64-bit". A constant. */
const char *vcpu_mode_words(uint64_t cr0, uint64_t efer, uint64_t rflags, uint64_t cs_rights);

#endif
