/* SPDX-License-Identifier: MIT */
/* Which VM exits are traced: the value of `trace=`. Pure. Names of reasons come from
 * arch/x86/exit_reasons.def. */
#ifndef VMM_TRACE_FILTER_H
#define VMM_TRACE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/host/option_text.h"

#define TRACE_FILTER_REASONS 128

struct trace_filter {
    uint64_t
        reasons[TRACE_FILTER_REASONS / 64]; /* bit n of the pair: exits with basic exit reason n are traced */
    bool stats_only;                        /* trace=stats: no lines, the table at the end alone */
};

void trace_filter_all(struct trace_filter *filter);
void trace_filter_none(struct trace_filter *filter);

/*
 * Sets *filter from `text` (`length` bytes): `all`, `none`, `stats`, or a list of reasons with commas
 * between, each a name (any case) or a number, `-` before it takes it out again. A list that starts with `-`
 * starts from all, any other from none; `all`, `none` and `stats` may also stand in a list and undo what is
 * before them. What is unknown is skipped and adds a line to *problems, which begins with `option` (for
 * example "trace"). Returns true if *filter was set, false if nothing in the text was understood; then
 * *filter is left alone.
 */
bool trace_filter_parse(struct trace_filter *filter, const char *option, const char *text, size_t length,
                        struct option_problems *problems);

/* A reason's number, from its name (any case) or number. false: there is none. */
bool trace_filter_reason(struct option_span name, unsigned *reason);

/* True if exits with this basic exit reason (0..65535) are traced; reasons from 127 on are if `all` was asked
 * for. */
bool trace_filter_has(const struct trace_filter *filter, unsigned reason);

#endif
