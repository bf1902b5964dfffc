/* SPDX-License-Identifier: MIT */
/* Basic exit reasons as constants, EXIT_<NAME>, and their names, from exit_reasons.def. SDM vol. 3, "VMX
 * Basic Exit Reasons". */
#ifndef ARCH_X86_EXIT_REASON_H
#define ARCH_X86_EXIT_REASON_H

#include <stdint.h>

enum exit_reason {
#define EXIT_REASON(number, name, kind, text) EXIT_##name = (number),
#include "arch/x86/exit_reasons.def"
#undef EXIT_REASON
    EXIT_REASON_COUNT, /* one more than the last */
};

enum exit_kind {
    EXIT_KIND_NONE, /* the manual does not list the reason */
    EXIT_KIND_INSTRUCTION,
    EXIT_KIND_EVENT,
    EXIT_KIND_ENTRY,
};

/*
 * The EXIT_REASON field beside the basic reason in bits 15:0. Bit 26: before this exit the guest acquired a
 * bus lock, and its own exit (BUS_LOCK) was lost to this one. SDM vol. 3, "Basic VM-Exit Information".
 */
#define EXIT_REASON_BASIC_MASK    0xffffu
#define EXIT_REASON_AND_BUS_LOCK  (1u << 26)
#define EXIT_REASON_ENTRY_FAILURE (1u << 31)

/* "EPT_VIOLATION"; "UNKNOWN" for a number that the manual does not list. Never NULL. */
const char *exit_reason_name(uint32_t basic_reason);
/* "EPT violation", for sentences. Never NULL. */
const char *exit_reason_text(uint32_t basic_reason);
/* What kind of exit it is. Any number. */
enum exit_kind exit_reason_kind(uint32_t basic_reason);

#endif
