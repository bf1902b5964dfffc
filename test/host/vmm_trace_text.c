/* SPDX-License-Identifier: MIT */
/* vmm/trace/text.c: the exact text of trace lines. The README's "Trace format" promises these. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ept/memtype.h"
#include "ept/misconfig.h"
#include "arch/x86/exit_reason.h"
#include "vmm/trace/text.h"

static struct trace_record record_of(uint32_t reason)
{
    struct trace_record record;

    memset(&record, 0, sizeof(record));
    record.sequence = 17;
    record.tsc = 1123456;
    record.reason = reason;

    record.ticks = 214;
    record.rip = 0x7c3e;
    record.source.kind = TRACE_EXIT;
    return record;
}

static void expect(const struct trace_record *record, const char *text)
{
    char line[TRACE_LINE_MAX];

    assert_int_equal(trace_text(record, "tour", 1000000, line, sizeof(line)), strlen(text));
    assert_string_equal(line, text);
}

static void ept_violation_as_in_the_readme(void **state)
{
    struct trace_record record = record_of(EXIT_EPT_VIOLATION);

    (void)state;
    record.guest_physical_address = record.guest_linear_address = 0xb8000;
    record.qualification = 0x182;
    record.result = (struct trace_result){.code = RESULT_MAP, .level = 1, .type = MEMORY_TYPE_WB};
    expect(&record,
           "#17 cpu=0 vm=tour t=123456 EPT_VIOLATION(48) cs:ip=0000:7c3e gpa=0xb8000 gla=0xb8000 qual=0x182 "
           "access=W page=--- -> map 4K WB (214)");
    record.qualification = 0x102; /* bit 7: no linear address */
    record.source.vcpu = 3;       /* its index + 1, in a VM of several */
    record.source.cpu = 5;
    expect(&record,
           "#17 cpu=5 vm=tour vcpu=2 t=123456 EPT_VIOLATION(48) cs:ip=0000:7c3e gpa=0xb8000 qual=0x102 "
           "access=W page=--- -> map 4K WB (214)");
    record.source.vcpu = record.source.cpu = 0;
    record.result.level = 2;
    record.result.type = MEMORY_TYPE_UC;
    expect(&record, "#17 cpu=0 vm=tour t=123456 EPT_VIOLATION(48) cs:ip=0000:7c3e gpa=0xb8000 qual=0x102 "
                    "access=W page=--- -> map 2M UC (214)");
}

static void misconfiguration_names_entry_bits_and_reason(void **state)
{
    struct trace_record record = record_of(EXIT_EPT_MISCONFIG);

    (void)state;
    record.guest_physical_address = 0x400000;
    record.word = 0x1234008;
    record.qualification = 0x4000b2;
    record.value = 0x2;
    record.result = (struct trace_result){.code = RESULT_REPAIR,
                                          .level = 2,
                                          .type = MEMORY_TYPE_WB,
                                          .entry_level = 2,
                                          .entry_reasons = EPT_REASON_WRITE_ONLY};
    char wanted[TRACE_LINE_MAX] =
        "#17 cpu=0 vm=tour t=123456 EPT_MISCONFIG(49) cs:ip=0000:7c3e gpa=0x400000 level=2 "
        "entry=0x1234008 raw=0x4000b2 bits=0x2 reason=\"";
    strcat(wanted, ept_misconfig_reason_text(EPT_REASON_WRITE_ONLY));
    strcat(wanted, "\" -> repair 2M WB (214)");
    expect(&record, wanted);
    record.result.entry_level = 0;
    expect(&record, "#17 cpu=0 vm=tour t=123456 EPT_MISCONFIG(49) cs:ip=0000:7c3e gpa=0x400000 entry=none -> "
                    "repair 2M WB "
                    "(214)");
}

static void instructions(void **state)
{
    struct trace_record record = record_of(EXIT_IO);

    (void)state;
    record.qualification = 0x3f80000; /* out, 1 byte, port 0x3f8 */
    record.value = 0x41;
    record.result = (struct trace_result){.code = RESULT_DEVICE};
    record.device = "uart";
    record.folded = 9;
    record.ticks = 2000;
    expect(&record, "#17 cpu=0 vm=tour t=123456 IO(30) cs:ip=0000:7c3e port=0x3f8 out size=1 value=0x41 -> "
                    "uart (200) x10");
    record = record_of(EXIT_IO);
    record.qualification = 0x60003b; /* rep ins, 4 bytes, port 0x60 */
    record.result.code = RESULT_NO_DEVICE;
    expect(&record, "#17 cpu=0 vm=tour t=123456 IO(30) cs:ip=0000:7c3e port=0x60 in rep string size=4 -> no "
                    "device (214)");
    record = record_of(EXIT_CPUID);
    trace_record_set_mode(&record, TRACE_MODE_PROTECTED);
    record.cs = 8;
    record.word = 0x80000008;
    expect(&record, "#17 cpu=0 vm=tour t=123456 CPUID(10) cs:ip=0008:00007c3e leaf=0x80000008 subleaf=0x0 -> "
                    "emulated (214)");
    record = record_of(EXIT_RDMSR);
    trace_record_set_mode(&record, TRACE_MODE_LONG);
    record.word = 0x1234;
    record.result = (struct trace_result){.code = RESULT_INJECT, .vector = 13};
    expect(&record, "#17 cpu=0 vm=tour t=123456 RDMSR(31) cs:ip=0000:0000000000007c3e msr=unknown(0x1234) "
                    "value=0x0 -> inject #GP "
                    "(214)");
    record.word = 0xc0000080;
    record.value = 0x100;
    record.result.code = RESULT_EMULATED;
    expect(&record, "#17 cpu=0 vm=tour t=123456 RDMSR(31) cs:ip=0000:0000000000007c3e "
                    "msr=IA32_EFER(0xc0000080) value=0x100 "
                    "-> emulated (214)");
    record = record_of(EXIT_VMCALL);
    record.word = 0x41440007;
    record.value = 0x40000;
    expect(
        &record,
        "#17 cpu=0 vm=tour t=123456 VMCALL(18) cs:ip=0000:7c3e call=QUERY_MAPPING(0x41440007) ebx=0x40000 -> "
        "emulated (214)");
    record.word = 0x41441013;
    record.value = 0x0501;
    record.result.code = RESULT_BIOS_MISSING;
    expect(&record, "#17 cpu=0 vm=tour t=123456 VMCALL(18) cs:ip=0000:7c3e call=BIOS int=0x13 ax=0x0501 -> "
                    "no such BIOS function (214)");
    record = record_of(EXIT_CR_ACCESS);
    record.qualification = 0x4;
    record.value = 0x20;
    expect(
        &record,
        "#17 cpu=0 vm=tour t=123456 CR_ACCESS(28) cs:ip=0000:7c3e cr=4 write value=0x20 -> emulated (214)");
    record = record_of(EXIT_EXCEPTION_NMI);
    record.word = 0x80000b11;
    record.result = (struct trace_result){.code = RESULT_INJECT, .vector = 17};
    expect(
        &record,
        "#17 cpu=0 vm=tour t=123456 EXCEPTION_NMI(0) cs:ip=0000:7c3e vector=#AC(17) error=0x0 -> inject #AC "
        "(214)");
}

static void places(void **state)
{
    struct trace_record record = record_of(EXIT_HLT);
    static const struct {
        enum trace_mode mode;
        uint64_t cs;
        const char *place;
    } table[] = {{TRACE_MODE_REAL, 0xf000, " cs:ip=f000:7c3e "},
                 {TRACE_MODE_PROTECTED, 8, " cs:ip=0008:00007c3e "},
                 {TRACE_MODE_LONG, 0, " cs:ip=0000:0000000000007c3e "},
                 {TRACE_MODE_PROTECTED, TRACE_NO_CS, " cs:ip=----:00007c3e "},
                 {TRACE_MODE_LONG, TRACE_NO_CS, " cs:ip=----:0000000000007c3e "}};

    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char line[TRACE_LINE_MAX];

        record.cs = table[i].cs;
        trace_record_set_mode(&record, table[i].mode);
        trace_record_tidy(&record);
        (void)trace_text(&record, "tour", 0, line, sizeof(line));
        if (strstr(line, table[i].place) == NULL)
            fail_msg("%s: not%s", line, table[i].place);
    }
}

static void a_short_buffer_cuts(void **state)
{
    struct trace_record record = record_of(EXIT_HLT);
    char line[8];

    (void)state;
    assert_int_equal(trace_text(&record, "tour", 0, line, sizeof(line)), 7);
    assert_string_equal(line, "#17 cpu");
    assert_int_equal(trace_text(&record, "tour", 0, line, 0), 0);
}

static void numbers_without_a_name(void **state)
{
    (void)state;
    assert_string_equal(exit_reason_name(35), "UNKNOWN");
    assert_string_equal(exit_reason_name(48), "EPT_VIOLATION");
    assert_string_equal(exit_reason_text(49), "EPT misconfiguration");
    assert_string_equal(trace_page_size(3), "1G");
    assert_string_equal(trace_page_size(9), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ept_violation_as_in_the_readme),
        cmocka_unit_test(misconfiguration_names_entry_bits_and_reason),
        cmocka_unit_test(instructions),
        cmocka_unit_test(places),
        cmocka_unit_test(a_short_buffer_cuts),
        cmocka_unit_test(numbers_without_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
