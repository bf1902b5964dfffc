/* SPDX-License-Identifier: MIT */
/* Names of the basic exit reasons. */
#include "arch/x86/exit_reason.h"

const char *exit_reason_name(uint32_t basic_reason)
{
    switch (basic_reason) {
#define EXIT_REASON(number, name, kind, text)                                                                \
    case number:                                                                                             \
        return #name;
#include "arch/x86/exit_reasons.def"
#undef EXIT_REASON
    default:
        return "UNKNOWN";
    }
}

const char *exit_reason_text(uint32_t basic_reason)
{
    switch (basic_reason) {
#define EXIT_REASON(number, name, kind, text)                                                                \
    case number:                                                                                             \
        return text;
#include "arch/x86/exit_reasons.def"
#undef EXIT_REASON
    default:
        return "an exit reason that the manual does not list";
    }
}

enum exit_kind exit_reason_kind(uint32_t basic_reason)
{
    switch (basic_reason) {
#define EXIT_REASON(number, name, kind, text)                                                                \
    case number:                                                                                             \
        return EXIT_KIND_##kind;
#include "arch/x86/exit_reasons.def"
#undef EXIT_REASON
    default:
        return EXIT_KIND_NONE;
    }
}
