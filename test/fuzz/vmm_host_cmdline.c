/* SPDX-License-Identifier: MIT */
/* libFuzzer: the command line, a guest's string and a trace filter, all from the same text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/host/cmdline.h"

static void require(int condition)
{
    if (!condition)
        abort();
}

static void check_problems(const struct option_problems *problems)
{
    require(problems->count <= OPTION_PROBLEMS_MAX);
    require(problems->dropped == 0 || problems->count == OPTION_PROBLEMS_MAX);
    for (unsigned i = 0; i < problems->count; i++) {
        require(memchr(problems->line[i], '\0', OPTION_PROBLEM_LENGTH) != NULL);
        size_t length = strlen(problems->line[i]);

        require(length > 0);
        for (size_t at = 0; at < length; at++)
            require(problems->line[i][at] >= ' ' && problems->line[i][at] <= '~');
    }
}

static void check_command_line(const char *text)
{
    static struct cmdline_options options;

    memset(&options, 0xa5, sizeof(options));
    cmdline_parse(&options, text);
    check_problems(&options.problems);
    require(options.cpus <= 256);
    require(options.memtype.count <= GUEST_MEMTYPE_MAX);
    require(options.test_count <= CMDLINE_TEST_MAX);
    for (unsigned i = 0; i < options.test_count; i++)
        require(cmdline_has_test(&options, options.tests[i]));
    if (options.console.serial)
        require((options.console.uart_port != 0) != (options.console.uart_mmio != 0));
    require(options.console.uart_mmio == 0 || options.console.uart_mmio > 0xffff);
    require(options.console.baud >= 50);
    require(options.trace_terms.count <= TRACE_TERMS_MAX);
    require(options.trace_to.uart.baud >= 50);
    require(!options.trace.stats_only || (options.trace.reasons[0] | options.trace.reasons[1]) == 0);
}

static void check_guest(const char *text)
{
    static struct guest_config config;

    memset(&config, 0xa5, sizeof(config));
    guest_config_init(&config, 7);
    guest_config_parse(&config, text);
    check_problems(&config.problems);
    require(memchr(config.name, '\0', GUEST_NAME_MAX) != NULL);
    size_t length = strlen(config.name);

    require(length > 0);
    for (size_t i = 0; i < length; i++)
        require(config.name[i] > ' ' && config.name[i] <= 'z');
    require(config.memory_bytes >= GUEST_MEMORY_MIN && config.memory_bytes <= GUEST_MEMORY_MAX &&
            config.memory_bytes % 4096 == 0);
    require(config.memtype.count <= GUEST_MEMTYPE_MAX);
    require(config.cpu >= -1 && config.cpu <= 255);
    require(config.memory == GUEST_MEMORY_PRIVATE || config.memory == GUEST_MEMORY_IDENTITY);
    require((unsigned)config.boot <= GUEST_BOOT_MULTIBOOT);
    require(memchr(config.arguments, '\0', GUEST_ARGUMENTS_MAX) != NULL);
    char owner[GUEST_NAME_MAX];

    if (guest_config_owner(text, owner))
        require(memchr(owner, '\0', GUEST_NAME_MAX) != NULL && owner[0] != '\0');
    char map[GUEST_MAP_MAX];

    require(memchr(config.map, '\0', GUEST_MAP_MAX) != NULL);
    if (guest_config_map(text, map))
        require(memchr(map, '\0', GUEST_MAP_MAX) != NULL && map[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char *span = malloc(size + 1);
    struct option_problems problems = {0};
    struct trace_filter filter;
    struct trace_terms terms;

    memcpy(text, data, size);
    text[size] = '\0';
    check_command_line(text);
    check_guest(text);

    /* A span has no NUL behind it: in a block of exactly its size ASan sees a read too far. */
    char *exact = realloc(span, size > 0 ? size : 1);

    memcpy(exact, data, size);
    trace_filter_none(&filter);
    trace_filter_parse(&filter, "trace", exact, size, &problems);
    check_problems(&problems);
    if (trace_terms_parse(&terms, "filter", exact, size, &problems))
        require(terms.count <= TRACE_TERMS_MAX);
    check_problems(&problems);
    free(exact);
    free(text);
    return 0;
}
