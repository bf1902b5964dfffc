/* SPDX-License-Identifier: MIT */
/* Which VM exits are traced: the value of `trace=`. */
#include "vmm/trace/filter.h"

static const struct {
    unsigned number;
    const char *name;
} reasons[] = {
#define EXIT_REASON(number, name, kind, text) {number, #name},
#include "arch/x86/exit_reasons.def"
};

void trace_filter_all(struct trace_filter *filter)
{
    filter->reasons[0] = filter->reasons[1] = UINT64_MAX;
    filter->stats_only = false;
}

void trace_filter_none(struct trace_filter *filter)
{
    filter->reasons[0] = filter->reasons[1] = 0;
    filter->stats_only = false;
}

bool trace_filter_has(const struct trace_filter *filter, unsigned reason)
{
    /* No reason has the table's last number: only `all` sets its bit, and so it speaks for everything beyond.
     */
    if (reason >= TRACE_FILTER_REASONS)
        reason = TRACE_FILTER_REASONS - 1;
    return (filter->reasons[reason / 64] >> (reason % 64) & 1) != 0;
}

bool trace_filter_reason(struct option_span name, unsigned *reason)
{
    uint64_t number;

    if (option_number(name, &number)) {
        *reason = (unsigned)number;
        return number < TRACE_FILTER_REASONS - 1;
    }
    for (size_t i = 0; i < array_count(reasons); i++) {
        if (option_is(name, reasons[i].name)) {
            *reason = reasons[i].number;
            return true;
        }
    }
    return false;
}

static void set_reason(struct trace_filter *filter, unsigned reason, bool traced)
{
    uint64_t bit = UINT64_C(1) << (reason % 64);

    if (traced)
        filter->reasons[reason / 64] |= bit;
    else
        filter->reasons[reason / 64] &= ~bit;
    filter->stats_only = false;
}

/* One item of the list; false if it means nothing. */
static bool apply(struct trace_filter *filter, struct option_span item)
{
    bool add = item.text[0] != '-';
    unsigned reason;

    if (option_is(item, "all")) {
        trace_filter_all(filter);
        return true;
    }
    if (option_is(item, "none") || option_is(item, "stats")) {
        trace_filter_none(filter);
        filter->stats_only = option_is(item, "stats");
        return true;
    }
    if (!add)
        item = (struct option_span){item.text + 1, item.length - 1};
    if (!trace_filter_reason(item, &reason))
        return false;
    set_reason(filter, reason, add);
    return true;
}

bool trace_filter_parse(struct trace_filter *filter, const char *option, const char *text, size_t length,
                        struct option_problems *problems)
{
    struct option_span rest = {text, length}, item;
    struct trace_filter result;
    unsigned understood = 0, unknown = 0;

    if (length > 0 && text[0] == '-')
        trace_filter_all(&result);
    else
        trace_filter_none(&result);
    while (option_next_item(&rest, &item)) {
        if (apply(&result, item)) {
            understood++;
        } else {
            option_problem(problems, "%s: no exit reason '%.*s'", option, option_span_arguments(item));
            unknown++;
        }
    }
    if (understood == 0 && unknown == 0)
        option_problem(problems, "%s: all, none, stats or exit reasons expected", option);
    if (understood > 0)
        *filter = result;
    return understood > 0;
}
