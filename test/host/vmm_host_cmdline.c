/* SPDX-License-Identifier: MIT */
/* vmm/host/cmdline.c, and what it uses of vmm/host/option_text.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "vmm/host/cmdline.h"

static struct cmdline_options options;

static void parse(const char *line)
{
    memset(&options, 0xa5, sizeof(options));
    cmdline_parse(&options, line);
}

static void parse_cleanly(const char *line)
{
    parse(line);
    if (options.problems.count > 0)
        fail_msg("'%s': %s", line, options.problems.line[0]);
}

static void problem(const char *line, const char *expected)
{
    parse(line);
    assert_int_equal(options.problems.count, 1);
    assert_string_equal(options.problems.line[0], expected);
}

static void assert_defaults(void)
{
    assert_true(trace_filter_has(&options.trace, 48));
    assert_false(options.trace_given);
    assert_false(options.dump_ept);
    assert_false(options.dump_vmcs);
    assert_false(options.dump_screen);
    assert_false(options.walk_given);
    assert_int_equal(options.conformance_cases, 0);
    assert_int_equal(options.on_end, ON_END_POWEROFF);
    assert_false(options.mitigate_verw || options.mitigate_l1d);
    assert_true(options.console.serial);
    assert_false(options.console.serial_given);
    assert_int_equal(options.console.uart_port, 0x3f8);
    assert_int_equal(options.console.uart_mmio, 0);
    assert_int_equal(options.console.baud, 115200);
    assert_true(options.console.vga_text);
    assert_true(options.console.framebuffer);
    assert_int_equal(options.cpus, 0);
    assert_int_equal(options.timeout_s, 0);
    assert_false(options.policy_given);
    assert_int_equal(options.guests, GUESTS_PARALLEL);
    assert_int_equal(options.test_count, 0);
    assert_int_equal(options.memtype.count, 0);
    assert_true(options.trace_to.text);
    assert_false(options.trace_to.binary || options.trace_to.uart.given);
    assert_int_equal(options.trace_to.uart.baud, 115200);
    assert_string_equal(options.script, "");
    assert_int_equal(options.trace_terms.count, 0);
    assert_int_equal(options.trace_rate, 0);
    assert_false(options.stats_json);
}

static void where_the_trace_goes(void **state)
{
    (void)state;
    parse_cleanly("trace_to=binary,com2,9600");
    assert_false(options.trace_to.text);
    assert_true(options.trace_to.binary && options.trace_to.uart.given);
    assert_int_equal(options.trace_to.uart.port, 0x2f8);
    assert_int_equal(options.trace_to.uart.baud, 9600);
    parse_cleanly("trace_to=TEXT,binary,0xfe032000");
    assert_true(options.trace_to.text && options.trace_to.binary);
    assert_int_equal(options.trace_to.uart.port, 0);
    assert_int_equal(options.trace_to.uart.mmio, 0xfe032000);
    parse_cleanly("trace_to=ram");
    assert_false(options.trace_to.text || options.trace_to.binary);
    problem("trace_to=paper", "trace_to: 'paper' is not text, binary, ram, a port or a baud rate");
    problem("trace_to=com2", "trace_to: text, binary or ram expected");
    assert_true(options.trace_to.text && !options.trace_to.uart.given);
}

static void what_is_traced_and_counted(void **state)
{
    (void)state;
    parse_cleanly("filter=port:0x3f8,-vm:tour trace_rate=100 stats=json");
    assert_int_equal(options.trace_terms.count, 2);
    assert_int_equal(options.trace_rate, 100);
    assert_true(options.stats_json);
    parse_cleanly("stats=text");
    assert_false(options.stats_json);
    problem("trace_rate=0", "trace_rate: '0' is no number of records a second");
    problem("trace_rate=4294967296", "trace_rate: '4294967296' is no number of records a second");
    problem("filter=port", "filter: 'port' is no [-]port|msr|cpuid|gpa|rip|cpu|vm|reason:VALUE");
    parse("stats=xml");
    assert_int_equal(options.problems.count, 1);
}

static void defaults(void **state)
{
    static const char *const lines[] = {"", "   \t ", "/boot/adept", "adept.elf  ", "/x"};

    (void)state;
    for (unsigned i = 0; i < array_count(lines); i++) {
        parse_cleanly(lines[i]);
        assert_defaults();
    }
}

static void every_option(void **state)
{
    (void)state;
    parse_cleanly(
        "/boot/adept trace=EPT_VIOLATION,VMCALL dump=ept,vmcs on_end=halt cpus=4\ttimeout=30 policy=end "
        "guests=sequential test=host-nmi,ap-mute console=com2,9600");
    assert_true(options.trace_given);
    assert_true(trace_filter_has(&options.trace, 48));
    assert_false(trace_filter_has(&options.trace, 49));
    assert_true(options.dump_ept && options.dump_vmcs);
    assert_int_equal(options.on_end, ON_END_HALT);
    assert_int_equal(options.cpus, 4);
    assert_int_equal(options.timeout_s, 30);
    assert_true(options.policy_given);
    assert_int_equal(options.policy, GUEST_POLICY_END);
    assert_int_equal(options.guests, GUESTS_SEQUENTIAL);
    assert_true(cmdline_has_test(&options, "host-nmi"));
    assert_true(cmdline_has_test(&options, "ap-mute"));
    assert_false(cmdline_has_test(&options, "ap"));
    assert_false(cmdline_has_test(&options, "host-exception"));
    assert_int_equal(options.console.uart_port, 0x2f8);
    assert_int_equal(options.console.baud, 9600);

    /* The first word may be an option; case does not matter; the last of two counts. */
    parse_cleanly("ON_END=Reboot trace=none trace=stats");
    assert_int_equal(options.on_end, ON_END_REBOOT);
    assert_true(options.trace.stats_only);
    parse_cleanly("dump=screen");
    assert_true(options.dump_screen && !options.dump_ept && !options.dump_vmcs);
    parse_cleanly("dump=vmcs");
    assert_true(options.dump_vmcs && !options.dump_ept);
}

static void console(void **state)
{
    (void)state;
    parse_cleanly("console=com1,115200");
    assert_true(options.console.serial_given && options.console.baud_given);
    assert_true(options.console.vga_text && options.console.framebuffer);
    parse_cleanly("console=com4");
    assert_int_equal(options.console.uart_port, 0x2e8);
    assert_false(options.console.baud_given);
    parse_cleanly("console=0x6000,57600");
    assert_int_equal(options.console.uart_port, 0x6000);
    assert_int_equal(options.console.baud, 57600);
    parse_cleanly("console=0xfe032000");
    assert_int_equal(options.console.uart_mmio, 0xfe032000);
    assert_int_equal(options.console.uart_port, 0);
    assert_true(options.console.serial);
    parse_cleanly("console=none");
    assert_false(options.console.serial || options.console.vga_text || options.console.framebuffer);
    parse_cleanly("console=none,fb");
    assert_false(options.console.serial || options.console.vga_text);
    assert_true(options.console.framebuffer);
    parse_cleanly("console=-vga,-fb");
    assert_true(options.console.serial);
    assert_false(options.console.vga_text || options.console.framebuffer);

    problem("console=com5", "console: 'com5' is no port, baud rate, vga, fb or none");
    problem("console=0xfffc", "console: '0xfffc' is no port, baud rate, vga, fb or none");
    problem("console=0xfe032001", "console: '0xfe032001' is no port, baud rate, vga, fb or none");
    problem("console=0x0", "console: '0x0' is no port, baud rate, vga, fb or none");
    problem("console=49", "console: '49' is no port, baud rate, vga, fb or none");
    assert_int_equal(options.console.uart_port, 0x3f8);
    assert_int_equal(options.console.baud, 115200);
}

static void problems_keep_the_default(void **state)
{
    (void)state;
    problem("nonsense=1", "unknown option 'nonsense'");
    problem("/boot/adept quiet", "unknown option 'quiet': not of the form name=value");
    problem("quiet", "unknown option 'quiet': not of the form name=value");
    problem("=", "unknown option ''");
    problem("cpus=0", "cpus: '0' is not 1..256");
    problem("cpus=257", "cpus: '257' is not 1..256");
    problem("cpus=", "cpus: '' is not 1..256");
    problem("cpus=-1", "cpus: '-1' is not 1..256");
    problem("cpus=99999999999999999999", "cpus: '99999999999999999999' is not 1..256");
    problem("timeout=4294967296", "timeout: '4294967296' is no number of seconds");
    parse_cleanly("walk=0xfffff80000001000");
    assert_true(options.walk_given);
    assert_int_equal(options.walk, UINT64_C(0xfffff80000001000));
    problem("walk=", "walk: '' is no address");
    assert_false(options.walk_given);
    parse_cleanly("input=tour");
    assert_string_equal(options.input, "tour");
    assert_int_equal(options.input_device, CMDLINE_INPUT_BOTH);
    parse_cleanly("input=tour,com1");
    assert_string_equal(options.input, "tour");
    assert_int_equal(options.input_device, CMDLINE_INPUT_COM1);
    parse_cleanly("input=,keyboard");
    assert_string_equal(options.input, "");
    assert_int_equal(options.input_device, CMDLINE_INPUT_KEYBOARD);
    problem("input=tour,mouse", "input: 'mouse' is not both|com1|keyboard");
    problem("input=", "input: '' is no guest's name");
    problem("input=01234567890123456789012345678901",
            "input: '01234567890123456789012345678901' is no guest's name");
    problem("timeout=1s", "timeout: '1s' is no number of seconds");
    problem("mitigations=some", "mitigations: 'some' is not off|verw|l1d|all");
    problem("on_end=explode", "on_end: 'explode' is not poweroff|halt|reboot");
    problem("on_end=", "on_end: '' is not poweroff|halt|reboot");
    problem("on_end=poweroff|halt", "on_end: 'poweroff|halt' is not poweroff|halt|reboot");
    problem("policy=rom:end", "policy: 'rom:end' is not ignore|end");
    problem("guests=some", "guests: 'some' is not parallel|sequential");
    problem("dump=registers", "dump: 'registers' is not ept|vmcs|screen");
    problem("trace=FOO", "trace: no exit reason 'FOO'");
    problem("trace", "unknown option 'trace': not of the form name=value");
    assert_defaults();
}

static void memtype(void **state)
{
    (void)state;
    parse_cleanly("memtype=0xb8000");
    assert_int_equal(options.memtype.count, 1);
    assert_int_equal(options.memtype.gpa[0], 0xb8000);
    /* Sizes do as addresses; a second one adds. */
    parse_cleanly("memtype=1M,4096 MEMTYPE=0xffffffffffffffff");
    assert_int_equal(options.memtype.count, 3);
    assert_int_equal(options.memtype.gpa[0], 0x100000);
    assert_int_equal(options.memtype.gpa[1], 4096);
    assert_true(options.memtype.gpa[2] == UINT64_MAX);
    parse_cleanly("memtype=0,1,2,3,4,5,6,7");
    assert_int_equal(options.memtype.count, GUEST_MEMTYPE_MAX);

    problem("memtype=", "memtype: no address (like 0xb8000)");
    problem("memtype=b8000", "memtype: 'b8000' is no address (like 0xb8000)");
    problem("memtype=0x10000000000000000", "memtype: '0x10000000000000000' is no address (like 0xb8000)");
    problem("memtype=1,x,2", "memtype: 'x' is no address (like 0xb8000)");
    assert_int_equal(options.memtype.count, 2);
    problem("memtype=0,1,2,3,4,5,6,7,8", "memtype: '8' is one too many after 8");
    assert_int_equal(options.memtype.count, GUEST_MEMTYPE_MAX);
}

static void conformance(void **state)
{
    (void)state;
    parse_cleanly("conformance=200000");
    assert_int_equal(options.conformance_cases, 200000);
    assert_int_equal(options.conformance_seed, 1);
    parse_cleanly("conformance=0x10,0xffffffffffffffff");
    assert_int_equal(options.conformance_cases, 16);
    assert_true(options.conformance_seed == UINT64_MAX);
    parse_cleanly("conformance=1,0");
    assert_int_equal(options.conformance_seed, 0);

    problem("conformance=", "conformance: '' is no number of cases, or no seed");
    problem("conformance=0", "conformance: '0' is no number of cases, or no seed");
    problem("conformance=100,", "conformance: '100,' is no number of cases, or no seed");
    problem("conformance=100,1,2", "conformance: '100,1,2' is no number of cases, or no seed");
    problem("conformance=many", "conformance: 'many' is no number of cases, or no seed");
    assert_int_equal(options.conformance_cases, 0);
}

static void problem_lines_can_be_printed(void **state)
{
    char line[1024];

    (void)state;
    problem("a\x1b[2J\xff=1", "unknown option 'a?[2J?'");
    memset(line, 'y', sizeof(line));
    line[sizeof(line) - 1] = '\0';
    parse(line);
    assert_int_equal(options.problems.count, 1);
    assert_true(strlen(options.problems.line[0]) < OPTION_PROBLEM_LENGTH);

    /* A longer line is cut, and nothing behind it touched. */
    memset(&options.problems, 0, sizeof(options.problems));
    option_problem(&options.problems, "%s", line);
    assert_int_equal(strlen(options.problems.line[0]), OPTION_PROBLEM_LENGTH - 1);
    assert_string_equal(options.problems.line[1], "");

    parse("a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 i=1 j=1 on_end=halt");
    assert_int_equal(options.problems.count, OPTION_PROBLEMS_MAX);
    assert_int_equal(options.problems.dropped, 2);
    assert_int_equal(options.on_end, ON_END_HALT);
}

/* As GRUB passes it, which puts quotes around the whole word; and as QEMU does, which passes all as it
 * stands. */
static void scripts(void **state)
{
    char long_one[CMDLINE_SCRIPT_MAX + 100];

    (void)state;
    parse_cleanly("/boot/adept trace=none \"cmd=regs; x gpa 0x10 16;continue\" cpus=2");
    assert_string_equal(options.script, "regs; x gpa 0x10 16;continue");
    assert_int_equal(options.cpus, 2);
    parse_cleanly("adept.elf cmd=\"regs; vms\" cpus=3");
    assert_string_equal(options.script, "regs; vms");
    assert_int_equal(options.cpus, 3);
    parse_cleanly("cmd=vms");
    assert_string_equal(options.script, "vms");
    parse_cleanly("\"cmd=say \\\"a b\\\" \\\\ \\'c\\'\"");
    assert_string_equal(options.script, "say \"a b\" \\ 'c'");
    parse_cleanly("cmd=\"never closed; vms");
    assert_string_equal(options.script, "never closed; vms");
    parse_cleanly("cmd=");
    assert_string_equal(options.script, "");
    memset(long_one, 'a', sizeof(long_one) - 1);
    memcpy(long_one, "cmd=", 4);
    long_one[sizeof(long_one) - 1] = '\0';
    problem(long_one, "cmd: more than 767 characters: the rest is left out");
    assert_int_equal(strlen(options.script), CMDLINE_SCRIPT_MAX - 1);
}

static void tests_beyond_their_place(void **state)
{
    (void)state;
    parse("test=1,2,3,4,5,6,7,8,9 test=10");
    assert_int_equal(options.test_count, CMDLINE_TEST_MAX);
    assert_int_equal(options.problems.count, 2);
    problem("test=a-word-of-thirty-two-characters!", "test: 'a-word-of-thirty-two-characters!' is too much");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_the_trace_goes),
        cmocka_unit_test(what_is_traced_and_counted),
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_option),
        cmocka_unit_test(console),
        cmocka_unit_test(problems_keep_the_default),
        cmocka_unit_test(memtype),
        cmocka_unit_test(conformance),
        cmocka_unit_test(problem_lines_can_be_printed),
        cmocka_unit_test(scripts),
        cmocka_unit_test(tests_beyond_their_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
