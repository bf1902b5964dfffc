/* SPDX-License-Identifier: MIT */
/* vmm/vm/config.c, and the sizes and numbers of vmm/host/option_text.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "vmm/vm/config.h"

static struct guest_config config;

static void parse(const char *string)
{
    memset(&config, 0xa5, sizeof(config));
    guest_config_init(&config, 3);
    guest_config_parse(&config, string);
}

static void parse_cleanly(const char *string)
{
    parse(string);
    if (config.problems.count > 0)
        fail_msg("'%s': %s", string, config.problems.line[0]);
}

static void problem(const char *string, const char *expected)
{
    parse(string);
    assert_int_equal(config.problems.count, 1);
    assert_string_equal(config.problems.line[0], expected);
}

static void named(const char *string, const char *expected)
{
    parse_cleanly(string);
    assert_string_equal(config.name, expected);
}

static void a_plain_boot_sector(void **state)
{
    (void)state;
    parse_cleanly("");
    assert_string_equal(config.name, "guest3");
    assert_false(config.name_given);
    assert_int_equal(config.memory_bytes, 16 << 20);
    assert_int_equal(config.cpu, -1);
    assert_int_equal(config.load, 0x7c00);
    assert_int_equal(config.entry_cs, 0);
    assert_int_equal(config.entry_ip, 0x7c00);
    assert_int_equal(config.memory, GUEST_MEMORY_PRIVATE);
    assert_false(config.trace_given);
    assert_false(config.dump_ept);
    assert_int_equal(config.policy_hole, GUEST_POLICY_IGNORE);
    assert_int_equal(config.policy_rom, GUEST_POLICY_IGNORE);
    assert_int_equal(config.policy_nx, GUEST_POLICY_IGNORE);
    assert_int_equal(config.timeout_ms, 0);
    assert_int_equal(config.tables, 0);
}

static void every_option(void **state)
{
    (void)state;
    parse_cleanly(
        "/guests/x.bin name=tour mem=64M cpu=2 load=0x8000 entry=0800:0010 memory=identity trace=-IO "
        "policy=rom:end,nx:end timeout=5 dump=ept,screen memtype=0xb8000,1M tables=24");
    assert_string_equal(config.name, "tour");
    assert_true(config.name_given);
    assert_int_equal(config.memory_bytes, 64 << 20);
    assert_int_equal(config.cpu, 2);
    assert_int_equal(config.load, 0x8000);
    assert_int_equal(config.entry_cs, 0x800);
    assert_int_equal(config.entry_ip, 0x10);
    assert_int_equal(config.memory, GUEST_MEMORY_IDENTITY);
    assert_true(config.trace_given);
    assert_false(trace_filter_has(&config.trace, 30));
    assert_true(trace_filter_has(&config.trace, 48));
    assert_int_equal(config.policy_hole, GUEST_POLICY_IGNORE);
    assert_int_equal(config.policy_rom, GUEST_POLICY_END);
    assert_int_equal(config.policy_nx, GUEST_POLICY_END);
    assert_int_equal(config.timeout_ms, 5000);
    assert_true(config.dump_ept);
    assert_false(config.dump_vmcs);
    assert_int_equal(config.tables, 24);
    assert_true(config.dump_screen);
    assert_int_equal(config.memtype.count, 2);
    assert_int_equal(config.memtype.gpa[0], 0xb8000);
    assert_int_equal(config.memtype.gpa[1], 0x100000);
}

static void names(void **state)
{
    (void)state;
    named("hello", "hello");
    named("/boot/guests/hello.bin", "hello");
    named("./a.b.bin mem=1M", "a.b");
    named(".hidden", ".hidden");
    named("dir/", "guest3");
    named("name=x", "x");
    named("/a/b.bin name=x", "x");
    named("name=a/b\x01", "a_b_");
    named("caf\xc3\xa9.bin", "caf__");
    parse("/x/0123456789012345678901234567890123456789.bin");
    assert_string_equal(config.name, "0123456789012345678901234567890");
    problem("name=", "name: empty");
    assert_string_equal(config.name, "guest3");
    problem("name=01234567890123456789012345678901",
            "name: '01234567890123456789012345678901' is cut to 31 characters");
    assert_int_equal(strlen(config.name), GUEST_NAME_MAX - 1);
    /* Only the first word may be a name. */
    problem("hello world", "unknown guest option 'world': not of the form name=value");
    assert_string_equal(config.name, "hello");
}

static void memory_of(const char *string, uint64_t expected)
{
    parse_cleanly(string);
    assert_int_equal(config.memory_bytes, expected);
}

static void sizes(void **state)
{
    (void)state;
    memory_of("mem=1M", 1 << 20);
    memory_of("mem=2048K", 2 << 20);
    memory_of("mem=2g", 2ull << 30);
    memory_of("mem=2GB", 2ull << 30);
    memory_of("mem=3MiB", 3 << 20);
    memory_of("mem=1048576", 1 << 20);
    memory_of("mem=0x100000", 1 << 20);
    memory_of("mem=0x10M", 16 << 20);
    memory_of("mem=0x1B000000", 0x1b000000);
    memory_of("mem=3G", 3ull << 30);
    problem("mem=3145729K", "mem: '3145729K' is more than 3G: device registers are above that");
    problem("mem=17179869183G", "mem: '17179869183G' is more than 3G: device registers are above that");
    problem("mem=17179869184G", "mem: '17179869184G' is no size (like 16M)");
    problem("mem=", "mem: '' is no size (like 16M)");
    problem("mem=M", "mem: 'M' is no size (like 16M)");
    problem("mem=16B", "mem: '16B' is no size (like 16M)");
    problem("mem=16iB", "mem: '16iB' is no size (like 16M)");
    problem("mem=16T", "mem: '16T' is no size (like 16M)");
    problem("mem=-1M", "mem: '-1M' is no size (like 16M)");
    problem("mem=0x", "mem: '0x' is no size (like 16M)");
    problem("mem=1023K", "mem: '1023K' is less than 1M");
    problem("mem=1048577", "mem: '1048577' is no multiple of 4K");
    assert_int_equal(config.memory_bytes, 16 << 20);
}

static void entry_of(const char *string, unsigned cs, unsigned ip)
{
    parse_cleanly(string);
    assert_int_equal(config.entry_cs, cs);
    assert_int_equal(config.entry_ip, ip);
}

static void entry_points(void **state)
{
    (void)state;
    entry_of("entry=07c0:0000", 0x7c0, 0);
    entry_of("entry=0xF000:0xfff0", 0xf000, 0xfff0);
    entry_of("entry=0x7e00", 0, 0x7e00);
    entry_of("entry=31744", 0, 0x7c00);
    problem("entry=10000:0", "entry: '10000:0' is no real-mode address (like 0000:7c00)");
    problem("entry=0:10000", "entry: '0:10000' is no real-mode address (like 0000:7c00)");
    problem("entry=0x10000", "entry: '0x10000' is no real-mode address (like 0000:7c00)");
    problem("entry=7c00h:0", "entry: '7c00h:0' is no real-mode address (like 0000:7c00)");
    problem("entry=1:", "entry: '1:' is no real-mode address (like 0000:7c00)");
    problem("entry=:", "entry: ':' is no real-mode address (like 0000:7c00)");
    problem("entry=", "entry: '' is no real-mode address (like 0000:7c00)");
    assert_int_equal(config.entry_ip, 0x7c00);
}

static void policies(void **state)
{
    (void)state;
    parse_cleanly("policy=end");
    assert_int_equal(config.policy_hole, GUEST_POLICY_END);
    assert_int_equal(config.policy_rom, GUEST_POLICY_END);
    assert_int_equal(config.policy_nx, GUEST_POLICY_END);
    parse_cleanly("policy=end,hole:ignore");
    assert_int_equal(config.policy_hole, GUEST_POLICY_IGNORE);
    assert_int_equal(config.policy_rom, GUEST_POLICY_END);
    problem("policy=wall:end,rom:end", "policy: 'wall' is not hole|rom|nx");
    assert_int_equal(config.policy_rom, GUEST_POLICY_END);
    problem("policy=rom:maybe", "policy: 'maybe' is not ignore|end");
    problem("policy=rom", "policy: 'rom' is not ignore|end");
}

static void absurd_values_keep_the_default(void **state)
{
    (void)state;
    parse_cleanly("cpu=1 cpu=any");
    assert_int_equal(config.cpu, -1);
    parse_cleanly("cpu=255");
    assert_int_equal(config.cpu, 255);
    assert_int_equal(config.vcpus, 1);
    parse_cleanly("vcpus=4");
    assert_int_equal(config.vcpus, 4);
    parse_cleanly("vcpus=64");
    assert_int_equal(config.vcpus, GUEST_VCPUS_MAX);
    problem("vcpus=0", "vcpus: '0' is not in 1..64");
    problem("vcpus=65", "vcpus: '65' is not in 1..64");
    problem("vcpus=", "vcpus: '' is not in 1..64");
    problem("vcpus=all", "vcpus: 'all' is not in 1..64");
    assert_int_equal(config.vcpus, 1);
    problem("cpu=256", "cpu: '256' is neither 'any' nor 0..255");
    problem("memory=shared", "memory: 'shared' is not private|identity");
    problem("load=here", "load: 'here' is no address (like 0x7c00)");
    problem("timeout=4294968", "timeout: '4294968' is no number of seconds up to 4294967");
    problem("tables=7", "tables: '7' is no number of EPT tables from 8 on");
    problem("tables=few", "tables: 'few' is no number of EPT tables from 8 on");
    problem("tables=4294967296", "tables: '4294967296' is no number of EPT tables from 8 on");
    assert_int_equal(config.tables, 0);
    parse_cleanly("a.bin");
    assert_false(config.halt_passes);
    parse_cleanly("on_halt=pass");
    assert_true(config.halt_passes);
    parse_cleanly("on_halt=pass on_halt=fail");
    assert_false(config.halt_passes);
    problem("on_halt=stop", "on_halt: 'stop' is not fail|pass");
    assert_false(config.halt_passes);
    problem("args=x", "unknown guest option 'args'");
    parse_cleanly("timeout=4294967");
    assert_int_equal(config.timeout_ms, 4294967000u);
}

static void boots(void **state)
{
    static const char *const names[] = {"sector", "flat", "floppy", "disk", "multiboot"};

    (void)state;
    parse_cleanly("a.bin");
    assert_int_equal(config.boot, GUEST_BOOT_SECTOR);
    for (unsigned i = 0; i < 5; i++) {
        char string[32];

        snprintf(string, sizeof(string), "boot=%s", names[i]);
        parse_cleanly(string);
        assert_int_equal(config.boot, i);
        assert_string_equal(guest_boot_name(config.boot), names[i]);
    }
    problem("boot=cdrom", "boot: 'cdrom' is not sector|flat|floppy|disk|multiboot");
    parse_cleanly("boot=flat load=0x10000 entry=1000:0");
    problem("boot=disk load=0x10000", "boot=disk: load= and entry= are for boot=sector and boot=flat");
    problem("entry=0:0 boot=multiboot", "boot=multiboot: load= and entry= are for boot=sector and boot=flat");
}

static void arguments_of(const char *string, const char *expected)
{
    parse_cleanly(string);
    assert_string_equal(config.arguments, expected);
}

static void arguments(void **state)
{
    char string[400] = "k boot=multiboot -- ";

    (void)state;
    arguments_of("/boot/kernel boot=multiboot -- root=hd0  quiet", "/boot/kernel root=hd0  quiet");
    arguments_of("/boot/kernel boot=multiboot", "/boot/kernel");
    arguments_of("name=k boot=multiboot --   mem=7 colour=red", "k mem=7 colour=red");
    arguments_of("boot=multiboot --", "guest3");
    assert_int_equal(config.memory_bytes, 16 << 20);
    memset(string + strlen(string), 'x', 350);
    parse_cleanly(string);
    assert_int_equal(strlen(config.arguments), GUEST_ARGUMENTS_MAX - 1);
}

static void owners(void **state)
{
    char owner[GUEST_NAME_MAX];

    (void)state;
    assert_true(guest_config_owner("/initrd for=linux a=b", owner));
    assert_string_equal(owner, "linux");
    assert_true(guest_config_owner("for=k", owner));
    assert_true(guest_config_owner("x FOR=k mem=nonsense", owner));
    assert_false(guest_config_owner("a.bin name=for", owner));
    assert_false(guest_config_owner("for", owner));
    assert_false(guest_config_owner("for=", owner));
    assert_false(guest_config_owner("k boot=multiboot -- for=me", owner));
    assert_true(guest_config_owner("for=0123456789012345678901234567890123456789", owner));
    assert_int_equal(strlen(owner), GUEST_NAME_MAX - 1);
}

static void maps(void **state)
{
    char map[GUEST_MAP_MAX], string[120] = "k map=";

    (void)state;
    parse_cleanly("kernel boot=multiboot map=kernel.map");
    assert_string_equal(config.map, "kernel.map");
    parse_cleanly("kernel boot=multiboot -- map=kernel.map");
    assert_string_equal(config.map, "");
    problem("map=", "map: '' is no file name of 1 to 63 characters");
    assert_true(guest_config_map("kernel boot=multiboot MAP=kernel.map x", map));
    assert_string_equal(map, "kernel.map");
    assert_false(guest_config_map("kernel map= -- map=m", map));
    memset(string + strlen(string), 'm', 80);
    assert_true(guest_config_map(string, map));
    assert_int_equal(strlen(map), GUEST_MAP_MAX - 1);
}

/* What the caller set between init and parse stays where the string says nothing. */
static void defaults_of_the_caller(void **state)
{
    struct option_problems problems = {0};

    (void)state;
    guest_config_init(&config, 0);
    guest_config_policy(&config, option_span_of("end"), &problems);
    config.timeout_ms = 7;
    guest_config_parse(&config, "a.bin policy=nx:ignore");
    assert_string_equal(config.name, "a");
    assert_int_equal(config.timeout_ms, 7);
    assert_int_equal(config.policy_rom, GUEST_POLICY_END);
    assert_int_equal(config.policy_nx, GUEST_POLICY_IGNORE);
    assert_int_equal(problems.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_boot_sector),
        cmocka_unit_test(every_option),
        cmocka_unit_test(names),
        cmocka_unit_test(sizes),
        cmocka_unit_test(entry_points),
        cmocka_unit_test(policies),
        cmocka_unit_test(absurd_values_keep_the_default),
        cmocka_unit_test(defaults_of_the_caller),
        cmocka_unit_test(boots),
        cmocka_unit_test(arguments),
        cmocka_unit_test(owners),
        cmocka_unit_test(maps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
