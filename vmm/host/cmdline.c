/* SPDX-License-Identifier: MIT */
/* The hypervisor's command line. */
#include "vmm/host/cmdline.h"

#define UART_PORT_COM1   0x3f8
#define UART_PORT_MAX    0xfff8 /* a 16550 has eight registers */
#define UART_BAUD_MAX    4000000
#define CPUS_MAX         256
#define CONFORMANCE_SEED 1

static void handle_trace(void *target, struct option_span value, struct option_problems *problems)
{
    struct cmdline_options *options = target;

    if (trace_filter_parse(&options->trace, "trace", value.text, value.length, problems))
        options->trace_given = true;
}

static void handle_filter(void *target, struct option_span value, struct option_problems *problems)
{
    (void)trace_terms_parse(&((struct cmdline_options *)target)->trace_terms, "filter", value.text,
                            value.length, problems);
}

static void handle_trace_rate(void *target, struct option_span value, struct option_problems *problems)
{
    uint64_t rate;

    if (option_number(value, &rate) && rate >= 1 && rate <= UINT32_MAX)
        ((struct cmdline_options *)target)->trace_rate = (uint32_t)rate;
    else
        option_problem(problems, "trace_rate: '%.*s' is no number of records a second",
                       option_span_arguments(value));
}

static void handle_dump(void *target, struct option_span value, struct option_problems *problems)
{
    struct cmdline_options *options = target;

    guest_config_dump(&options->dump_ept, &options->dump_vmcs, &options->dump_screen, value, problems);
}

static void handle_memtype(void *target, struct option_span value, struct option_problems *problems)
{
    guest_config_memtype(&((struct cmdline_options *)target)->memtype, value, problems);
}

static void handle_on_end(void *target, struct option_span value, struct option_problems *problems)
{
    static const enum cmdline_on_end values[] = {ON_END_POWEROFF, ON_END_HALT, ON_END_REBOOT};
    struct cmdline_options *options = target;
    unsigned index;

    if (option_choose(value, "on_end", "poweroff|halt|reboot", &index, problems))
        options->on_end = values[index];
}

static void handle_mitigations(void *target, struct option_span value, struct option_problems *problems)
{
    struct cmdline_options *options = target;
    unsigned index;

    if (option_choose(value, "mitigations", "off|verw|l1d|all", &index, problems)) {
        options->mitigate_verw = index & 1;
        options->mitigate_l1d = index & 2;
    }
}

static void handle_stats(void *target, struct option_span value, struct option_problems *problems)
{
    unsigned index;

    if (option_choose(value, "stats", "text|json", &index, problems))
        ((struct cmdline_options *)target)->stats_json = index == 1;
}

static void handle_guests(void *target, struct option_span value, struct option_problems *problems)
{
    static const enum cmdline_guests values[] = {GUESTS_PARALLEL, GUESTS_SEQUENTIAL};
    struct cmdline_options *options = target;
    unsigned index;

    if (option_choose(value, "guests", "parallel|sequential", &index, problems))
        options->guests = values[index];
}

static void handle_policy(void *target, struct option_span value, struct option_problems *problems)
{
    static const enum guest_policy values[] = {GUEST_POLICY_IGNORE, GUEST_POLICY_END};
    struct cmdline_options *options = target;
    unsigned index;

    if (option_choose(value, "policy", "ignore|end", &index, problems)) {
        options->policy = values[index];
        options->policy_given = true;
    }
}

static void handle_cpus(void *target, struct option_span value, struct option_problems *problems)
{
    struct cmdline_options *options = target;
    uint64_t count;

    if (option_number(value, &count) && count >= 1 && count <= CPUS_MAX)
        options->cpus = (unsigned)count;
    else
        option_problem(problems, "cpus: '%.*s' is not 1..%u", option_span_arguments(value), CPUS_MAX);
}

static void handle_timeout(void *target, struct option_span value, struct option_problems *problems)
{
    struct cmdline_options *options = target;
    uint64_t seconds;

    if (option_number(value, &seconds) && seconds <= UINT32_MAX)
        options->timeout_s = (uint32_t)seconds;
    else
        option_problem(problems, "timeout: '%.*s' is no number of seconds", option_span_arguments(value));
}

static void handle_test(void *target, struct option_span value, struct option_problems *problems)
{
    struct cmdline_options *options = target;
    struct option_span item;

    while (option_next_item(&value, &item)) {
        if (options->test_count >= CMDLINE_TEST_MAX || item.length >= CMDLINE_TEST_LENGTH) {
            option_problem(problems, "test: '%.*s' is too much", option_span_arguments(item));
            continue;
        }
        char *place = options->tests[options->test_count++];

        for (size_t i = 0; i < item.length; i++)
            place[i] = item.text[i];
        place[item.length] = '\0';
    }
}

/* CASES or CASES,SEED. */
static void handle_conformance(void *target, struct option_span value, struct option_problems *problems)
{
    struct cmdline_options *options = target;
    struct option_span cases, seed;
    uint64_t number, first = CONFORMANCE_SEED;
    bool given = option_split(value, ',', &cases, &seed);

    if (option_number(cases, &number) && number != 0 && (!given || option_number(seed, &first))) {
        options->conformance_cases = number;
        options->conformance_seed = first;
    } else {
        option_problem(problems, "conformance: '%.*s' is no number of cases, or no seed",
                       option_span_arguments(value));
    }
}

/* NAME, NAME,DEVICE or ,DEVICE. */
static void handle_input(void *target, struct option_span value, struct option_problems *problems)
{
    struct cmdline_options *options = target;
    struct option_span name = value, device;
    unsigned index = CMDLINE_INPUT_BOTH;

    if (option_split(value, ',', &name, &device) &&
        !option_choose(device, "input", "both|com1|keyboard", &index, problems))
        return;
    if ((name.length == 0 && name.length == value.length) || name.length >= sizeof(options->input)) {
        option_problem(problems, "input: '%.*s' is no guest's name", option_span_arguments(name));
        return;
    }
    for (size_t i = 0; i < name.length; i++)
        options->input[i] = name.text[i];
    options->input[name.length] = '\0';
    options->input_device = (enum cmdline_input)index;
}

static void handle_walk(void *target, struct option_span value, struct option_problems *problems)
{
    struct cmdline_options *options = target;

    if (option_number(value, &options->walk))
        options->walk_given = true;
    else
        option_problem(problems, "walk: '%.*s' is no address", option_span_arguments(value));
}

static void handle_cmd(void *target, struct option_span value, struct option_problems *problems)
{
    struct cmdline_options *options = target;

    if (!option_unquote(value, options->script, sizeof(options->script)))
        option_problem(problems, "cmd: more than %u characters: the rest is left out",
                       CMDLINE_SCRIPT_MAX - 1);
}

/* Begins with 0x: then it is a base, else a baud rate. */
static bool is_hexadecimal(struct option_span item)
{
    return item.length >= 2 && item.text[0] == '0' && (item.text[1] | 0x20) == 'x';
}

/* com1..com4, a port, or an address above the ports; false if the item is none of these. */
static bool take_base(uint16_t *port, uint64_t *mmio, struct option_span item)
{
    static const uint16_t ports[] = {UART_PORT_COM1, 0x2f8, 0x3e8, 0x2e8};
    static const char *const names[] = {"com1", "com2", "com3", "com4"};
    uint64_t base = 0;

    for (unsigned i = 0; i < array_count(names); i++) {
        if (option_is(item, names[i]))
            base = ports[i];
    }
    if (base == 0) {
        if (!is_hexadecimal(item) || !option_number(item, &base) || base == 0)
            return false;
    }
    if (base > UART_PORT_MAX && (base <= 0xffff || base % 4 != 0 || base >> 52 != 0))
        return false;
    *port = base <= UART_PORT_MAX ? (uint16_t)base : 0;
    *mmio = base <= UART_PORT_MAX ? 0 : base;
    return true;
}

static bool take_uart(struct cmdline_console *console, struct option_span item)
{
    if (!take_base(&console->uart_port, &console->uart_mmio, item))
        return false;
    console->serial = console->serial_given = true;
    return true;
}

/* A decimal baud rate, which a divisor of the 16550's 115200 or a faster part's clock can make. */
static bool take_baud(uint32_t *to, struct option_span item)
{
    uint64_t baud;

    if (is_hexadecimal(item) || !option_number(item, &baud) || baud < 50 || baud > UART_BAUD_MAX)
        return false;
    *to = (uint32_t)baud;
    return true;
}

static void handle_console(void *target, struct option_span value, struct option_problems *problems)
{
    struct cmdline_console *console = &((struct cmdline_options *)target)->console;
    struct option_span item;

    while (option_next_item(&value, &item)) {
        if (option_is(item, "none"))
            console->serial = console->serial_given = console->vga_text = console->framebuffer = false;
        else if (option_is(item, "vga") || option_is(item, "-vga"))
            console->vga_text = item.text[0] != '-';
        else if (option_is(item, "fb") || option_is(item, "-fb"))
            console->framebuffer = item.text[0] != '-';
        else if (take_baud(&console->baud, item))
            console->baud_given = true;
        else if (!take_uart(console, item))
            option_problem(problems, "console: '%.*s' is no port, baud rate, vga, fb or none",
                           option_span_arguments(item));
    }
}

static void handle_trace_to(void *target, struct option_span value, struct option_problems *problems)
{
    struct cmdline_trace_to *to = &((struct cmdline_options *)target)->trace_to;
    struct cmdline_trace_to given = {.uart = to->uart};
    struct option_span item;
    bool sink = false, understood = true;

    while (option_next_item(&value, &item)) {
        bool text = option_is(item, "text"), binary = option_is(item, "binary");

        if (text || binary || option_is(item, "ram")) {
            sink = true;
            given.text |= text;
            given.binary |= binary;
        } else if (take_base(&given.uart.port, &given.uart.mmio, item)) {
            given.uart.given = true;
        } else if (!take_baud(&given.uart.baud, item)) {
            understood = false;
            option_problem(problems, "trace_to: '%.*s' is not text, binary, ram, a port or a baud rate",
                           option_span_arguments(item));
        }
    }
    if (sink)
        *to = given;
    else if (understood)
        option_problem(problems, "trace_to: text, binary or ram expected");
}

static const struct option_handler handlers[] = {
    {"trace", handle_trace},
    {"dump", handle_dump},
    {"on_end", handle_on_end},
    {"console", handle_console},
    {"cpus", handle_cpus},
    {"timeout", handle_timeout},
    {"policy", handle_policy},
    {"guests", handle_guests},
    {"test", handle_test},
    {"memtype", handle_memtype},
    {"walk", handle_walk},
    {"conformance", handle_conformance},
    {"input", handle_input},
    {"stats", handle_stats},
    {"mitigations", handle_mitigations},
    {"trace_to", handle_trace_to},
    {"filter", handle_filter},
    {"trace_rate", handle_trace_rate},
    {"cmd", handle_cmd},
};

static bool is_file_name(struct option_span word)
{
    struct option_span left, right;

    return option_split(word, '/', &left, &right) || option_split(word, '.', &left, &right);
}

void cmdline_parse(struct cmdline_options *options, const char *line)
{
    struct option_span rest = option_span_of(line), word, name, value;

    *options = (struct cmdline_options){
        .console = {.serial = true,
                    .uart_port = UART_PORT_COM1,
                    .baud = 115200,
                    .vga_text = true,
                    .framebuffer = true},
    };
    options->trace_to = (struct cmdline_trace_to){.text = true, .uart = {.baud = 115200}};
    trace_filter_all(&options->trace);
    for (bool first = true; option_next_word(&rest, &word); first = false) {
        if (first && !option_split(word, '=', &name, &value) && is_file_name(word))
            continue;
        option_dispatch(handlers, array_count(handlers), word, options, "option", &options->problems);
    }
}

bool cmdline_has_test(const struct cmdline_options *options, const char *word)
{
    for (unsigned i = 0; i < options->test_count; i++) {
        if (option_is(option_span_of(options->tests[i]), word))
            return true;
    }
    return false;
}
