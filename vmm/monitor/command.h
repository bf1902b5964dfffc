/* SPDX-License-Identifier: MIT */
/* The commands of the monitor: their table, and what a command's function gets. */
#ifndef VMM_MONITOR_COMMAND_H
#define VMM_MONITOR_COMMAND_H

#include "arch/x86/compiler.h"
#include "vmm/monitor/parse.h"
#include <stdbool.h>

struct vcpu;
struct vm;

enum monitor_where { MONITOR_ANY, MONITOR_VCPU, MONITOR_ALONE, MONITOR_ALONE_IF_RUNS };

/* One command that was given. */
struct monitor_call {
    struct monitor_words words; /* the first is the name, without what follows a '/' */
    struct option_span format;  /* what followed it */
    struct vm *vm;              /* the chosen one; NULL: there is none */
    unsigned vcpu_index;
    struct vcpu *vcpu; /* not MONITOR_ANY: the chosen one, of this CPU; NULL: it does not run, for
                          MONITOR_ALONE_IF_RUNS */
    bool ended;        /* not MONITOR_ANY: the VM has ended; its state and its memory are as they were */
};

typedef void monitor_function(struct monitor_call *call);

struct monitor_command {
    const char *name, *arguments, *choices, *help;
    enum monitor_where where;
    unsigned most; /* words behind the name */
    monitor_function *function;
};

/* In the order of the help; the one behind the last has no name. */
extern const struct monitor_command monitor_commands[];

/* The command with this name, or the only one that begins so; NULL, and *several says why. */
const struct monitor_command *monitor_find(struct option_span name, bool *several);

/* For the line editor: see vmm/monitor/line.h. */
const char *monitor_choice(void *context, const char *before, size_t length, unsigned n);

/* "adept: NAME: " and what was expected instead. */
void monitor_complain(const struct monitor_call *call, const char *format, ...) printf_like(2, 3);

/* "expected: NAME ARGUMENTS". */
void monitor_expected(const struct monitor_call *call);

/* The word at an index as a span; an empty one if there are not so many. */
struct option_span monitor_word(const struct monitor_call *call, unsigned index);

/* vmm/monitor/call.c: takes a command apart; its VM and vCPU are the caller's to fill in. false: it is empty.
 */
must_check bool monitor_call_parse(struct monitor_call *call, struct option_span text);

/* vmm/monitor/call.c: the vCPU that it is about while its CPU will come to vm_attend(), else NULL. Between
 * vm_hold_vcpus() and vm_let_go_vcpus(), unless it is the caller's own. */
struct vcpu *monitor_call_target(const struct monitor_call *call);

/* vmm/monitor/call.c: in the command's stead: there is none of that name; the guest, or its vCPU, does not
 * run; it has more words than the command takes. */
monitor_function monitor_call_unknown, monitor_call_not_running, monitor_call_too_long;

#define MONITOR_COMMAND(name, where, most, arguments, choices, help) monitor_function monitor_##name;
#include "vmm/monitor/commands.def"

#endif
