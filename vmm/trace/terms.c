/* SPDX-License-Identifier: MIT */
/* The finer filter of the trace. */
#include "vmm/trace/terms.h"

#include "arch/x86/exit_reason.h"
#include "vmm/trace/filter.h"

static const char *const keys[] = {
    [TERM_REASON] = "reason", [TERM_PORT] = "port", [TERM_MSR] = "msr", [TERM_CPUID] = "cpuid",
    [TERM_GPA] = "gpa",       [TERM_RIP] = "rip",   [TERM_CPU] = "cpu", [TERM_VM] = "vm",
};

/* Terms of one group are alternatives: what an exit is about, where, on which CPU, of which VM. */
enum group { GROUP_SUBJECT, GROUP_RIP, GROUP_CPU, GROUP_VM, GROUP_COUNT };

static enum group group_of(enum trace_term_key key)
{
    switch (key) {
    case TERM_RIP:
        return GROUP_RIP;
    case TERM_CPU:
        return GROUP_CPU;
    case TERM_VM:
        return GROUP_VM;
    default:
        return GROUP_SUBJECT;
    }
}

static bool take_range(struct trace_term *term, struct option_span value)
{
    struct option_span first, last;

    if (!option_split(value, '-', &first, &last))
        return option_number(value, &term->first) && option_number(value, &term->last);
    return option_number(first, &term->first) && option_number(last, &term->last) &&
           term->first <= term->last;
}

static bool take_reason(struct trace_term *term, struct option_span value)
{
    unsigned reason;

    if (!trace_filter_reason(value, &reason))
        return false;
    term->first = term->last = reason;
    return true;
}

static bool take_vm(struct trace_term *term, struct option_span value)
{
    if (value.length == 0 || value.length >= TRACE_TERM_NAME_MAX)
        return false;
    for (size_t i = 0; i < value.length; i++)
        term->vm[i] = value.text[i];
    return true;
}

static bool take_term(struct trace_term *term, struct option_span item)
{
    struct option_span key, value;

    *term = (struct trace_term){.exclude = item.text[0] == '-'};
    if (term->exclude)
        item = (struct option_span){item.text + 1, item.length - 1};
    if (!option_split(item, ':', &key, &value))
        return take_reason(term, item);
    for (unsigned i = 0; i < array_count(keys); i++) {
        if (!option_is(key, keys[i]))
            continue;
        term->key = (enum trace_term_key)i;
        if (term->key == TERM_REASON)
            return take_reason(term, value);
        return term->key == TERM_VM ? take_vm(term, value) : take_range(term, value);
    }
    return false;
}

bool trace_terms_parse(struct trace_terms *terms, const char *option, const char *text, size_t length,
                       struct option_problems *problems)
{
    struct option_span rest = {text, length}, item;
    struct trace_terms result = {.count = 0};
    unsigned understood = 0, unknown = 0;

    while (option_next_item(&rest, &item)) {
        if (option_is(item, "none")) {
            result.count = 0;
            understood++;
        } else if (result.count == TRACE_TERMS_MAX) {
            option_problem(problems, "%s: '%.*s' is more than %u terms", option, option_span_arguments(item),
                           TRACE_TERMS_MAX);
            unknown++;
        } else if (take_term(&result.terms[result.count], item)) {
            result.count++;
            understood++;
        } else {
            option_problem(problems, "%s: '%.*s' is no [-]port|msr|cpuid|gpa|rip|cpu|vm|reason:VALUE", option,
                           option_span_arguments(item));
            unknown++;
        }
    }
    if (understood == 0 && unknown == 0)
        option_problem(problems, "%s: none or terms like port:0x3f8-0x3ff expected", option);
    if (understood > 0)
        *terms = result;
    return understood > 0;
}

/* Whether exits of this reason have what the key is about. */
static bool applies(enum trace_term_key key, unsigned reason)
{
    switch (key) {
    case TERM_PORT:
        return reason == EXIT_IO;
    case TERM_MSR:
        return reason == EXIT_RDMSR || reason == EXIT_WRMSR;
    case TERM_CPUID:
        return reason == EXIT_CPUID;
    case TERM_GPA:
        return reason == EXIT_EPT_VIOLATION || reason == EXIT_EPT_MISCONFIG;
    default:
        return true;
    }
}

static bool same_name(const char *a, const char *b)
{
    for (; *a == *b; a++, b++)
        if (*a == '\0')
            return true;
    return false;
}

static uint64_t value_of(enum trace_term_key key, const struct trace_record *record)
{
    switch (key) {
    case TERM_REASON:
        return record->reason;
    case TERM_PORT:
        return record->qualification >> 16 & 0xffff;
    case TERM_GPA:
        return record->guest_physical_address;
    case TERM_RIP:
        return record->rip;
    case TERM_CPU:
        return record->source.cpu;
    default:
        return record->word;
    }
}

static bool met(const struct trace_term *term, const struct trace_record *record, const char *vm)
{
    uint64_t value;

    if (term->key == TERM_VM)
        return same_name(term->vm, vm);
    if (!applies(term->key, record->reason))
        return false;
    value = value_of(term->key, record);
    return value >= term->first && value <= term->last;
}

bool trace_terms_pass(const struct trace_terms *terms, const struct trace_record *record, const char *vm)
{
    unsigned wanted = 0, found = 0; /* a bit a group */

    for (unsigned i = 0; i < terms->count; i++) {
        const struct trace_term *term = &terms->terms[i];
        unsigned group = 1u << group_of(term->key);
        bool is_met = met(term, record, vm);

        if (term->exclude && is_met)
            return false;
        wanted |= term->exclude ? 0 : group;
        found |= is_met ? group : 0;
    }
    return (wanted & ~found) == 0;
}

enum trace_terms_verdict trace_terms_of(const struct trace_terms *terms, unsigned reason, unsigned cpu,
                                        const char *vm)
{
    const struct trace_record record = {.reason = reason,
                                        .source = {.kind = TRACE_EXIT, .cpu = (uint16_t)cpu}};
    unsigned wanted = 0, surely = 0, perhaps = 0;
    bool depends = false;

    for (unsigned i = 0; i < terms->count; i++) {
        const struct trace_term *term = &terms->terms[i];
        unsigned group = 1u << group_of(term->key);
        bool settled = term->key == TERM_REASON || term->key == TERM_CPU || term->key == TERM_VM;
        bool is_met = settled && met(term, &record, vm), may_be = !settled && applies(term->key, reason);

        if (term->exclude && is_met)
            return TERMS_NEVER;
        depends |= term->exclude && may_be;
        if (term->exclude)
            continue;
        wanted |= group;
        surely |= is_met ? group : 0;
        perhaps |= is_met || may_be ? group : 0;
    }
    if (wanted & ~perhaps)
        return TERMS_NEVER;
    return depends || (wanted & ~surely) ? TERMS_DEPENDS : TERMS_ALWAYS;
}
