/* SPDX-License-Identifier: MIT */
/* A vCPU's state in words: each bit by its name, what has none by its number, and every text cut safely. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/report/vcpu_words.h"

typedef size_t words(char *text, size_t size, uint64_t value);

static void check(words *to_words, uint64_t value, const char *expected)
{
    char text[VCPU_WORDS_MAX], shorter[8];

    assert_int_equal(to_words(text, sizeof(text), value), strlen(expected));
    assert_string_equal(text, expected);
    /* Cut, terminated, and the whole length all the same. */
    memset(shorter, 'x', sizeof(shorter));
    assert_int_equal(to_words(shorter, sizeof(shorter) - 1, value), strlen(expected));
    assert_int_equal(strncmp(shorter, expected, sizeof(shorter) - 2), 0);
    assert_true(strlen(shorter) <= sizeof(shorter) - 2);
    assert_int_equal(shorter[sizeof(shorter) - 1], 'x');
    assert_int_equal(to_words(NULL, 0, value), strlen(expected));
}

static void segments(void **state)
{
    (void)state;
    check(vcpu_segment_words, 0x9b, "code execute-read accessed dpl=0 present 16-bit granularity=1");
    check(vcpu_segment_words, 0xc09b, "code execute-read accessed dpl=0 present 32-bit granularity=4K");
    check(vcpu_segment_words, 0xa0fb, "code execute-read accessed dpl=3 present 64-bit granularity=4K");
    check(vcpu_segment_words, 0x9c, "code execute-only conforming dpl=0 present 16-bit granularity=1");
    check(vcpu_segment_words, 0x93, "data read-write accessed dpl=0 present 16-bit granularity=1");
    check(vcpu_segment_words, 0x40d4, "data read-only expand-down dpl=2 present 32-bit granularity=1");
    /* L means something in code alone. */
    check(vcpu_segment_words, 0x2093, "data read-write accessed dpl=0 present 16-bit granularity=1");
    check(vcpu_segment_words, 0x13, "data read-write accessed dpl=0 not-present 16-bit granularity=1");
    check(vcpu_segment_words, 0x82, "LDT dpl=0 present granularity=1");
    check(vcpu_segment_words, 0x81, "available 16-bit TSS dpl=0 present granularity=1");
    check(vcpu_segment_words, 0x83, "busy 16-bit TSS dpl=0 present granularity=1");
    check(vcpu_segment_words, 0x89, "available TSS dpl=0 present granularity=1");
    check(vcpu_segment_words, 0x8b, "busy TSS dpl=0 present granularity=1");
    check(vcpu_segment_words, 0x80, "system type 0 dpl=0 present granularity=1");
    check(vcpu_segment_words, 0x8f, "system type 15 dpl=0 present granularity=1");
    check(vcpu_segment_words, 0x10000, "unusable");
    check(vcpu_segment_words, 0x1c09b, "unusable");
    check(vcpu_segment_words, 0x80000f9b,
          "code execute-read accessed dpl=0 present 16-bit granularity=1 reserved=0x80000f00");
}

static size_t event_with_error(char *text, size_t size, uint64_t information)
{
    return vcpu_event_words(text, size, information, 0x18);
}

static void events(void **state)
{
    (void)state;
    check(event_with_error, 0, "none");
    check(event_with_error, 0x00000b0e, "none"); /* all but the valid bit */
    check(event_with_error, 0x80000b0d, "hardware exception #GP(13) error=0x18");
    check(event_with_error, 0x80000306, "hardware exception #UD(6)");
    check(event_with_error, 0x80000020, "external interrupt vector=32");
    check(event_with_error, 0x80000202, "NMI");
    check(event_with_error, 0x80000480, "software interrupt vector=128");
    check(event_with_error, 0x80000501, "privileged software exception #DB(1)");
    check(event_with_error, 0x80000603, "software exception #BP(3)");
    check(event_with_error, 0x80000107, "reserved type vector=7");
    check(event_with_error, 0x80000700, "other event vector=0");
    check(event_with_error, 0x80001b0e, "hardware exception #PF(14) error=0x18 nmi-unblocking-due-to-IRET");
}

static void states(void **state)
{
    (void)state;
    check(vcpu_activity_words, 0, "active");
    check(vcpu_activity_words, 1, "HLT");
    check(vcpu_activity_words, 2, "shutdown");
    check(vcpu_activity_words, 3, "wait-for-SIPI");
    check(vcpu_activity_words, 4, "no such state");
    check(vcpu_activity_words, UINT64_MAX, "no such state");
    check(vcpu_interruptibility_words, 0, "none");
    check(vcpu_interruptibility_words, 0x1f,
          "blocking by STI, blocking by MOV SS, blocking by SMI, blocking by NMI, enclave interruption");
    check(vcpu_interruptibility_words, 0x28, "blocking by NMI, bit 5");
    check(vcpu_pending_debug_words, 0, "none");
    check(vcpu_pending_debug_words, 0x1580f, "B0 B1 B2 B3 BLD enabled-breakpoint BS RTM");
    check(vcpu_pending_debug_words, 0x8000000000004000, "BS bit 63");
}

static void registers(void **state)
{
    (void)state;
    check(vcpu_rflags_words, 2, "none");
    check(vcpu_rflags_words, 0x3fffd7, "IOPL=3 CF PF AF ZF SF TF IF DF OF NT RF VM AC VIF VIP ID bit 15");
    check(vcpu_rflags_words, 0x1202, "IOPL=1 IF");
    check(vcpu_cr0_words, 0x80000011, "PE ET PG");
    check(vcpu_cr0_words, 0xe005003f, "PE MP EM TS ET NE WP AM NW CD PG");
    check(vcpu_cr0_words, 0x100000000, "bit 32");
    check(vcpu_cr4_words, 0x20, "PAE");
    check(vcpu_cr4_words, 0xfff, "VME PVI TSD DE PSE PAE MCE PGE PCE OSFXSR OSXMMEXCPT UMIP");
    check(vcpu_cr4_words, 0x10bff7000,
          "LA57 VMXE SMXE FSGSBASE PCIDE OSXSAVE KL SMEP SMAP PKE CET PKS UINTR LASS FRED");
    check(vcpu_efer_words, 0xd01, "SCE LME LMA NXE");
    check(vcpu_efer_words, 0, "none");
}

/* All bits of a register together must fit into what callers have. */
static void room(void **state)
{
    words *all[] = {vcpu_segment_words,       vcpu_activity_words, vcpu_interruptibility_words,
                    vcpu_pending_debug_words, vcpu_rflags_words,   vcpu_efer_words};

    (void)state;
    assert_true(vcpu_cr4_words(NULL, 0, 0x10bff7fff) < VCPU_WORDS_MAX);
    assert_true(vcpu_rflags_words(NULL, 0, 0x3fffff) < VCPU_WORDS_MAX);
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        char text[VCPU_WORDS_MAX];

        (void)all[i](text, sizeof(text), UINT64_MAX);
        assert_non_null(memchr(text, '\0', sizeof(text)));
    }
}

static void modes(void **state)
{
    enum { PE = 1, LMA = 0x400, VM = 0x20000, L = 0x2000, DB = 0x4000 };

    (void)state;
    assert_string_equal(vcpu_mode_words(0x10, 0, 2, 0x93), "real");
    assert_string_equal(vcpu_mode_words(PE, 0, 2, 0x9b), "protected 16-bit");
    assert_string_equal(vcpu_mode_words(PE, 0, 2, 0x9b | DB), "protected 32-bit");
    assert_string_equal(vcpu_mode_words(PE, 0, VM | 2, 0xf3), "virtual-8086");
    assert_string_equal(vcpu_mode_words(PE, LMA, 2, 0x9b | L), "64-bit");
    assert_string_equal(vcpu_mode_words(PE, LMA, 2, 0x9b | DB), "compatibility 32-bit");
    assert_string_equal(vcpu_mode_words(PE, LMA, 2, 0x9b), "compatibility 16-bit");
    /* L says nothing outside of IA-32e mode. */
    assert_string_equal(vcpu_mode_words(PE, 0, 2, 0x9b | L), "protected 16-bit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments),  cmocka_unit_test(events), cmocka_unit_test(states),
        cmocka_unit_test(registers), cmocka_unit_test(room),   cmocka_unit_test(modes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
