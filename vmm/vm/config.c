/* SPDX-License-Identifier: MIT */
/* A guest as its module string describes it. */
#include "vmm/vm/config.h"

#include "drivers/format.h"

#define CPU_MAX    255
#define BOOT_WORDS "sector|flat|floppy|disk|multiboot" /* in the order of enum guest_boot */

/* Appends to a text of `size` bytes with its NUL; what does not fit is cut. */
static void append(char *text, size_t size, struct option_span span)
{
    size_t length = 0;

    while (text[length] != '\0')
        length++;
    for (size_t i = 0; i < span.length && length + 1 < size; i++)
        text[length++] = span.text[i];
    text[length] = '\0';
}

static bool is_name_character(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') || character == '_' || character == '-' || character == '.';
}

/* The name goes into every line of the trace, so it holds nothing that would break one. */
static void set_name(struct guest_config *config, struct option_span name)
{
    size_t length = name.length < GUEST_NAME_MAX ? name.length : GUEST_NAME_MAX - 1;

    for (size_t i = 0; i < length; i++)
        config->name[i] = is_name_character(name.text[i]) ? name.text[i] : '_';
    config->name[length] = '\0';
}

static void handle_name(void *target, struct option_span value, struct option_problems *problems)
{
    struct guest_config *config = target;

    if (value.length == 0) {
        option_problem(problems, "name: empty");
        return;
    }
    if (value.length >= GUEST_NAME_MAX)
        option_problem(problems, "name: '%.*s' is cut to %u characters", option_span_arguments(value),
                       GUEST_NAME_MAX - 1);
    set_name(config, value);
    config->name_given = true;
}

static void handle_memory_size(void *target, struct option_span value, struct option_problems *problems)
{
    struct guest_config *config = target;
    uint64_t bytes;

    if (!option_size(value, &bytes)) {
        option_problem(problems, "mem: '%.*s' is no size (like 16M)", option_span_arguments(value));
    } else if (bytes < GUEST_MEMORY_MIN) {
        option_problem(problems, "mem: '%.*s' is less than 1M", option_span_arguments(value));
    } else if (bytes > GUEST_MEMORY_MAX) {
        option_problem(problems, "mem: '%.*s' is more than 3G: device registers are above that",
                       option_span_arguments(value));
    } else if (bytes % 4096 != 0) {
        option_problem(problems, "mem: '%.*s' is no multiple of 4K", option_span_arguments(value));
    } else {
        config->memory_bytes = bytes;
    }
}

static void handle_cpu(void *target, struct option_span value, struct option_problems *problems)
{
    struct guest_config *config = target;
    uint64_t cpu;

    if (option_is(value, "any"))
        config->cpu = -1;
    else if (option_number(value, &cpu) && cpu <= CPU_MAX)
        config->cpu = (int)cpu;
    else
        option_problem(problems, "cpu: '%.*s' is neither 'any' nor 0..%u", option_span_arguments(value),
                       CPU_MAX);
}

static void handle_vcpus(void *target, struct option_span value, struct option_problems *problems)
{
    struct guest_config *config = target;
    uint64_t count;

    if (option_number(value, &count) && count >= 1 && count <= GUEST_VCPUS_MAX)
        config->vcpus = (unsigned)count;
    else
        option_problem(problems, "vcpus: '%.*s' is not in 1..%u", option_span_arguments(value),
                       GUEST_VCPUS_MAX);
}

static void handle_load(void *target, struct option_span value, struct option_problems *problems)
{
    struct guest_config *config = target;
    uint64_t address;

    config->place_given = true;
    if (option_size(value, &address))
        config->load = address;
    else
        option_problem(problems, "load: '%.*s' is no address (like 0x7c00)", option_span_arguments(value));
}

/* SSSS:OOOO in hexadecimal, or a number below 64 KiB: then the segment is 0. */
static void handle_entry(void *target, struct option_span value, struct option_problems *problems)
{
    struct guest_config *config = target;
    struct option_span left, right;
    uint64_t segment = 0, offset = 0;
    bool good;

    config->place_given = true;
    if (option_split(value, ':', &left, &right))
        good = option_hexadecimal(left, &segment) && option_hexadecimal(right, &offset);
    else
        good = option_number(value, &offset);
    if (!good || segment > 0xffff || offset > 0xffff) {
        option_problem(problems, "entry: '%.*s' is no real-mode address (like 0000:7c00)",
                       option_span_arguments(value));
        return;
    }
    config->entry_cs = (uint16_t)segment;
    config->entry_ip = (uint16_t)offset;
}

static void handle_memory_kind(void *target, struct option_span value, struct option_problems *problems)
{
    struct guest_config *config = target;
    unsigned index;

    if (option_choose(value, "memory", "private|identity", &index, problems))
        config->memory = index == 0 ? GUEST_MEMORY_PRIVATE : GUEST_MEMORY_IDENTITY;
}

static void handle_map(void *target, struct option_span value, struct option_problems *problems)
{
    struct guest_config *config = target;

    if (value.length == 0 || value.length >= GUEST_MAP_MAX) {
        option_problem(problems, "map: '%.*s' is no file name of 1 to %u characters",
                       option_span_arguments(value), GUEST_MAP_MAX - 1);
        return;
    }
    config->map[0] = '\0';
    append(config->map, sizeof(config->map), value);
}

static void handle_boot(void *target, struct option_span value, struct option_problems *problems)
{
    struct guest_config *config = target;
    unsigned index;

    if (option_choose(value, "boot", BOOT_WORDS, &index, problems))
        config->boot = (enum guest_boot)index;
}

static void handle_trace(void *target, struct option_span value, struct option_problems *problems)
{
    struct guest_config *config = target;

    if (trace_filter_parse(&config->trace, "trace", value.text, value.length, problems))
        config->trace_given = true;
}

static void handle_dump(void *target, struct option_span value, struct option_problems *problems)
{
    struct guest_config *config = target;

    guest_config_dump(&config->dump_ept, &config->dump_vmcs, &config->dump_screen, value, problems);
}

static void handle_memtype(void *target, struct option_span value, struct option_problems *problems)
{
    guest_config_memtype(&((struct guest_config *)target)->memtype, value, problems);
}

static void handle_policy(void *target, struct option_span value, struct option_problems *problems)
{
    guest_config_policy(target, value, problems);
}

static void handle_on_halt(void *target, struct option_span value, struct option_problems *problems)
{
    struct guest_config *config = target;
    unsigned index;

    if (option_choose(value, "on_halt", "fail|pass", &index, problems))
        config->halt_passes = index == 1;
}

static void handle_timeout(void *target, struct option_span value, struct option_problems *problems)
{
    struct guest_config *config = target;
    uint64_t seconds;

    if (option_number(value, &seconds) && seconds <= UINT32_MAX / 1000)
        config->timeout_ms = (uint32_t)seconds * 1000;
    else
        option_problem(problems, "timeout: '%.*s' is no number of seconds up to %u",
                       option_span_arguments(value), UINT32_MAX / 1000);
}

static void handle_tables(void *target, struct option_span value, struct option_problems *problems)
{
    struct guest_config *config = target;
    uint64_t tables;

    if (option_number(value, &tables) && tables >= GUEST_TABLES_MIN && tables <= UINT32_MAX)
        config->tables = (uint32_t)tables;
    else
        option_problem(problems, "tables: '%.*s' is no number of EPT tables from %u on",
                       option_span_arguments(value), GUEST_TABLES_MIN);
}

void guest_config_dump(bool *ept, bool *vmcs, bool *screen, struct option_span value,
                       struct option_problems *problems)
{
    bool *const dumps[] = {ept, vmcs, screen};
    struct option_span item;
    unsigned index;

    while (option_next_item(&value, &item)) {
        if (option_choose(item, "dump", "ept|vmcs|screen", &index, problems))
            *dumps[index] = true;
    }
}

void guest_config_memtype(struct guest_memtype *memtype, struct option_span value,
                          struct option_problems *problems)
{
    struct option_span item;
    uint64_t gpa;

    if (value.length == 0)
        option_problem(problems, "memtype: no address (like 0xb8000)");
    while (option_next_item(&value, &item)) {
        if (!option_size(item, &gpa))
            option_problem(problems, "memtype: '%.*s' is no address (like 0xb8000)",
                           option_span_arguments(item));
        else if (memtype->count == GUEST_MEMTYPE_MAX)
            option_problem(problems, "memtype: '%.*s' is one too many after %u", option_span_arguments(item),
                           GUEST_MEMTYPE_MAX);
        else
            memtype->gpa[memtype->count++] = gpa;
    }
}

void guest_config_policy(struct guest_config *config, struct option_span value,
                         struct option_problems *problems)
{
    enum guest_policy *const places[] = {&config->policy_hole, &config->policy_rom, &config->policy_nx};
    static const enum guest_policy policies[] = {GUEST_POLICY_IGNORE, GUEST_POLICY_END};
    struct option_span item, left, right;
    unsigned place, policy;

    while (option_next_item(&value, &item)) {
        bool single = option_split(item, ':', &left, &right);

        if (single && !option_choose(left, "policy", "hole|rom|nx", &place, problems))
            continue;
        if (!option_choose(single ? right : left, "policy", "ignore|end", &policy, problems))
            continue;
        for (unsigned i = 0; i < array_count(places); i++) {
            if (!single || i == place)
                *places[i] = policies[policy];
        }
    }
}

static const struct option_handler handlers[] = {
    {"name", handle_name},       {"mem", handle_memory_size}, {"cpu", handle_cpu},
    {"load", handle_load},       {"entry", handle_entry},     {"memory", handle_memory_kind},
    {"trace", handle_trace},     {"dump", handle_dump},       {"policy", handle_policy},
    {"timeout", handle_timeout}, {"memtype", handle_memtype}, {"tables", handle_tables},
    {"vcpus", handle_vcpus},     {"boot", handle_boot},       {"map", handle_map},
    {"on_halt", handle_on_halt},
};

void guest_config_init(struct guest_config *config, unsigned index)
{
    *config = (struct guest_config){
        .memory_bytes = GUEST_MEMORY_DEFAULT,
        .cpu = -1,
        .vcpus = 1,
        .load = 0x7c00,
        .entry_ip = 0x7c00,
    };
    format(config->name, sizeof(config->name), "guest%u", index);
    trace_filter_all(&config->trace);
}

/* What is behind the last slash, without extension. */
static struct option_span base_name(struct option_span path)
{
    size_t start = path.length, end;

    while (start > 0 && path.text[start - 1] != '/')
        start--;
    for (end = path.length; end > start && path.text[end - 1] != '.'; end--)
        ;
    /* `.x` and a name without a dot stay whole. */
    end = end > start + 1 ? end - 1 : path.length;
    return (struct option_span){path.text + start, end - start};
}

/* A kernel's command line begins with its own name, as a boot loader on a PC gives it. */
static void set_arguments(struct guest_config *config, struct option_span file, struct option_span rest)
{
    const struct option_span blank = {" ", 1};

    config->arguments[0] = '\0';
    append(config->arguments, sizeof(config->arguments),
           file.length > 0 ? file : option_span_of(config->name));
    while (rest.length > 0 && (rest.text[0] == ' ' || rest.text[0] == '\t'))
        rest = (struct option_span){rest.text + 1, rest.length - 1};
    if (rest.length > 0)
        append(config->arguments, sizeof(config->arguments), blank);
    append(config->arguments, sizeof(config->arguments), rest);
}

/* Words that are good by themselves and contradict each other. */
static void check_together(struct guest_config *config)
{
    bool image = config->boot == GUEST_BOOT_FLOPPY || config->boot == GUEST_BOOT_DISK ||
                 config->boot == GUEST_BOOT_MULTIBOOT;

    if (image && config->place_given)
        option_problem(&config->problems, "boot=%s: load= and entry= are for boot=sector and boot=flat",
                       guest_boot_name(config->boot));
}

void guest_config_parse(struct guest_config *config, const char *string)
{
    struct option_span rest = option_span_of(string), word, file = {NULL, 0}, name, value;

    for (bool first = true; option_next_word(&rest, &word); first = false) {
        if (option_is(word, "--"))
            break;
        if (first && !option_split(word, '=', &name, &value)) {
            file = word;
            name = base_name(word);
            if (name.length > 0)
                set_name(config, name);
            continue;
        }
        option_dispatch(handlers, array_count(handlers), word, config, "guest option", &config->problems);
    }
    set_arguments(config, file, rest);
    check_together(config);
}

/* The value of the first word `wanted=`, before `--`; false: there is none, or it is empty. */
static bool value_of(const char *string, const char *wanted, char *value_text, size_t size)
{
    struct option_span rest = option_span_of(string), word, name, value;

    while (option_next_word(&rest, &word)) {
        if (option_is(word, "--"))
            break;
        if (!option_split(word, '=', &name, &value) || !option_is(name, wanted) || value.length == 0)
            continue;
        value_text[0] = '\0';
        append(value_text, size, value);
        return true;
    }
    return false;
}

bool guest_config_owner(const char *string, char owner[GUEST_NAME_MAX])
{
    return value_of(string, "for", owner, GUEST_NAME_MAX);
}

bool guest_config_map(const char *string, char name[GUEST_MAP_MAX])
{
    return value_of(string, "map", name, GUEST_MAP_MAX);
}

const char *guest_boot_name(enum guest_boot boot)
{
    static const char *const names[] = {"sector", "flat", "floppy", "disk", "multiboot"};

    return (unsigned)boot < array_count(names) ? names[boot] : "?";
}
