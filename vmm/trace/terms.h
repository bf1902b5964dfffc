/* SPDX-License-Identifier: MIT */
/*
 * The finer filter of the trace, the value of `filter=`: terms that a record must meet. Pure.
 *
 * A term is KEY:VALUE or KEY:FIRST-LAST, with `-` before it to leave those out; KEY is port, msr, cpuid
 * (leaf), gpa, rip, cpu, vm (a name) or reason (a name or number, for which KEY: may be missing). An exit
 * passes if no term leaves it out, and if of each of these groups that has terms one is met: what it is about
 * (reason, port, msr, cpuid, gpa: any of them), where it was (rip), cpu, vm.
 */
#ifndef VMM_TRACE_TERMS_H
#define VMM_TRACE_TERMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/host/option_text.h"
#include "vmm/trace/record.h"

#define TRACE_TERMS_MAX     16u
#define TRACE_TERM_NAME_MAX 32u /* with the NUL */

enum trace_term_key { TERM_REASON, TERM_PORT, TERM_MSR, TERM_CPUID, TERM_GPA, TERM_RIP, TERM_CPU, TERM_VM };

struct trace_term {
    enum trace_term_key key;
    bool exclude;
    uint64_t first, last;
    char vm[TRACE_TERM_NAME_MAX]; /* TERM_VM */
};

struct trace_terms {
    struct trace_term terms[TRACE_TERMS_MAX];
    unsigned count;
};

/*
 * Sets *terms from a list with commas; `none` takes all away that is before it. What means nothing is skipped
 * and adds a line to *problems that begins with `option`. Returns true if *terms was set, false if nothing in
 * the text was understood; then *terms is left alone.
 */
bool trace_terms_parse(struct trace_terms *terms, const char *option, const char *text, size_t length,
                       struct option_problems *problems);

enum trace_terms_verdict { TERMS_NEVER, TERMS_ALWAYS, TERMS_DEPENDS };

/* Whether exits with this reason, of this VM on this CPU, pass; TERMS_DEPENDS: ask trace_terms_pass() for
 * each. */
enum trace_terms_verdict trace_terms_of(const struct trace_terms *terms, unsigned reason, unsigned cpu,
                                        const char *vm);

/* Whether this exit passes; the record may be untidy. */
bool trace_terms_pass(const struct trace_terms *terms, const struct trace_record *record, const char *vm);

#endif
