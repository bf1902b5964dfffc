/* SPDX-License-Identifier: MIT */
/* Commands about what exits there are: which are traced, and what they have cost. */
#include "vmm/exit/trace_filter.h"
#include "vmm/monitor/command.h"
#include "vmm/trace/statistics.h"
#include "vmm/vm/vm.h"

/* Prints what is wrong with a filter, if anything is. */
static void complain(const struct monitor_call *call, const struct option_problems *problems)
{
    for (unsigned i = 0; i < problems->count; i++)
        monitor_complain(call, "%s", problems->line[i]);
}

static void set_reasons(const struct monitor_call *call, struct option_span value)
{
    struct option_problems problems = {.count = 0};
    struct trace_filter filter;

    if (trace_filter_parse(&filter, "reasons", value.text, value.length, &problems))
        exit_trace_set_reasons(call->vm, &filter);
    complain(call, &problems);
}

static void set_terms(const struct monitor_call *call, struct option_span value)
{
    struct option_problems problems = {.count = 0};
    struct trace_terms terms = {.count = 0};

    if (trace_terms_parse(&terms, "filter", value.text, value.length, &problems))
        exit_trace_set_terms(&terms);
    complain(call, &problems);
}

void monitor_trace(struct monitor_call *call)
{
    struct option_span what = monitor_word(call, 1), value = monitor_word(call, 2);
    struct trace_filter filter;
    uint64_t rate;

    if (call->words.count == 2 && option_is(what, "on")) {
        trace_filter_all(&filter);
        exit_trace_set_reasons(call->vm, &filter);
    } else if (call->words.count == 2 && option_is(what, "off")) {
        trace_filter_none(&filter);
        exit_trace_set_reasons(call->vm, &filter);
    } else if (call->words.count == 3 && option_is(what, "reasons")) {
        set_reasons(call, value);
    } else if (call->words.count == 3 && option_is(what, "filter")) {
        set_terms(call, value);
    } else if (call->words.count == 3 && option_is(what, "rate") && monitor_number(value, &rate) &&
               rate <= UINT32_MAX) {
        exit_trace_set_rate((uint32_t)rate);
    } else {
        monitor_expected(call);
    }
}

void monitor_stats(struct monitor_call *call)
{
    bool json = option_is(monitor_word(call, 1), "json");

    if (call->words.count == 2 && !json) {
        monitor_expected(call);
        return;
    }
    if (call->vcpu != NULL)
        statistics_add_up(call->vm);
    statistics_print(call->vm, json);
}
