/* SPDX-License-Identifier: MIT */
/* The table of the monitor's commands, completion over it, and `help`. */
#include "vmm/monitor/command.h"

#include "arch/x86/memory.h"
#include "drivers/console.h"
#include "drivers/format.h"
#include "arch/x86/exit_reason.h"
#include "vmm/guests.h"
#include "vmm/vm/vm.h"

#define WORDS_MAX 8 /* that one command has to choose from, but for lists */

const struct monitor_command monitor_commands[] = {
#define MONITOR_COMMAND(name, where, most, arguments, choices, help)                                         \
    {#name, arguments, choices, help, MONITOR_##where, most, monitor_##name},
#include "vmm/monitor/commands.def"
    {NULL, NULL, NULL, NULL, MONITOR_ANY, 0, NULL},
};

const struct monitor_command *monitor_find(struct option_span name, bool *several)
{
    const struct monitor_command *found = NULL;
    unsigned count = 0;

    for (const struct monitor_command *command = monitor_commands; command->name != NULL; command++) {
        struct option_span start = option_span_of(command->name);

        if (option_is(name, command->name)) {
            *several = false;
            return command;
        }
        if (start.length > name.length)
            start.length = name.length;
        if (name.length > 0 && start.length == name.length &&
            memcmp(start.text, name.text, name.length) == 0) {
            found = command;
            count++;
        }
    }
    *several = count > 1;
    return count == 1 ? found : NULL;
}

static const char *command_name(unsigned n)
{
    for (unsigned i = 0; monitor_commands[i].name != NULL; i++)
        if (i == n)
            return monitor_commands[i].name;
    return NULL;
}

static const char *group_name(unsigned n)
{
    static const char *const groups[] = {"control", "read-only", "guest", "host"};

    return n < array_count(groups) ? groups[n] : NULL;
}

/* The n-th exit reason that has a name. */
static const char *reason_name(unsigned n)
{
    static const char *const names[] = {
#define EXIT_REASON(number, name, kind, text) #name,
#include "arch/x86/exit_reasons.def"
    };

    return n < array_count(names) ? names[n] : NULL;
}

static const char *guest_name(unsigned n)
{
    const struct vm *vm = guests_vm(n);

    return vm != NULL ? vm->config.name : NULL;
}

/* The n-th word of a command's choices, where a word with `*` stands for many. */
static const char *nth_choice(const char *choices, unsigned n)
{
    static const struct {
        const char *word;
        const char *(*nth)(unsigned n);
    } lists[] = {
        {"*command", command_name}, {"*vm", guest_name}, {"*field", group_name}, {"*reason", reason_name}};
    static char texts[WORDS_MAX][16]; /* a place each: the caller keeps some while it asks for more */
    unsigned wanted = n % WORDS_MAX;
    struct option_span rest = option_span_of(choices), word;

    while (option_next_word(&rest, &word)) {
        const char *(*nth)(unsigned) = NULL;

        for (unsigned i = 0; i < array_count(lists); i++)
            if (option_is(word, lists[i].word))
                nth = lists[i].nth;
        if (nth == NULL) {
            if (n-- == 0) {
                (void)format(texts[wanted], sizeof(texts[wanted]), "%.*s", option_span_arguments(word));
                return texts[wanted];
            }
            continue;
        }
        for (unsigned i = 0; nth(i) != NULL; i++)
            if (n-- == 0)
                return nth(i);
    }
    return NULL;
}

const char *monitor_choice(void *context, const char *before, size_t length, unsigned n)
{
    struct option_span rest = {before, length}, name;
    bool several;
    const struct monitor_command *command;

    (void)context;
    if (!option_next_word(&rest, &name))
        return command_name(n);
    command = monitor_find(name, &several);
    return command != NULL ? nth_choice(command->choices, n) : NULL;
}

static void print_start(const struct monitor_call *call)
{
    console_printf("adept: %.*s: ", option_span_arguments(call->words.word[0]));
}

void monitor_complain(const struct monitor_call *call, const char *format, ...)
{
    va_list arguments;

    print_start(call);
    va_start(arguments, format);
    console_vprintf(format, arguments);
    va_end(arguments);
    console_printf("\n");
}

void monitor_expected(const struct monitor_call *call)
{
    bool several;
    const struct monitor_command *command = monitor_find(call->words.word[0], &several);

    monitor_complain(call, "expected: %s%s%s", command->name, command->arguments[0] != '\0' ? " " : " alone",
                     command->arguments);
}

struct option_span monitor_word(const struct monitor_call *call, unsigned index)
{
    return index < call->words.count ? call->words.word[index] : option_span_of("");
}

static void print_help(const struct monitor_command *command)
{
    console_printf("adept: help: %s%s%s: %s\n", command->name, command->arguments[0] != '\0' ? " " : "",
                   command->arguments, command->help);
}

void monitor_help(struct monitor_call *call)
{
    const struct monitor_command *command;
    bool several;

    if (call->words.count > 1) {
        command = monitor_find(call->words.word[1], &several);
        if (command != NULL)
            print_help(command);
        else
            monitor_complain(call, "expected: the name of a command (help alone shows them)");
        return;
    }
    for (command = monitor_commands; command->name != NULL; command++)
        print_help(command);
}
