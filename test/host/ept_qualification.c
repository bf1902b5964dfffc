/* SPDX-License-Identifier: MIT */
/* Tests of ept/qualification.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/qualification.h"
#include <string.h>

static void test_decode_every_bit(void **state)
{
    struct ept_qualification q;

    (void)state;
    for (unsigned access = 0; access < 8; access++) {
        for (unsigned rights = 0; rights < 8; rights++) {
            q = ept_qualification_decode(access | rights << 3, true);
            assert_int_equal(q.access, access);
            assert_int_equal(q.rights, rights);
            assert_false(q.linear_valid || q.page_walk || q.linear_known || q.nmi_unblocking ||
                         q.shadow_stack || q.page_shadow_stack || q.paging_verification || q.asynchronous);
        }
    }
    q = ept_qualification_decode(0x80, true);
    assert_true(q.linear_valid && q.page_walk && !q.linear_known);
    q = ept_qualification_decode(0x180, true);
    assert_true(q.linear_valid && !q.page_walk && q.linear_known && !q.linear_user);
    assert_true(ept_qualification_decode(0x380, true).linear_user);
    assert_true(ept_qualification_decode(0x580, true).linear_writable);
    assert_true(ept_qualification_decode(0x980, true).linear_no_execute);
    q = ept_qualification_decode(0xf80, false); /* the processor does not report bits 11:9 */
    assert_false(q.linear_known || q.linear_user || q.linear_writable || q.linear_no_execute);
    assert_true(ept_qualification_decode(1u << 12, true).nmi_unblocking);
    assert_true(ept_qualification_decode(1u << 13, true).shadow_stack);
    assert_true(ept_qualification_decode(1u << 14, true).page_shadow_stack);
    assert_true(ept_qualification_decode(1u << 15, true).paging_verification);
    assert_true(ept_qualification_decode(1u << 16, true).asynchronous);
}

static void test_short_words(void **state)
{
    const char *const access[8] = {"-", "R", "W", "RW", "X", "RX", "WX", "RWX"};
    const char *const rights[8] = {"---", "R--", "-W-", "RW-", "--X", "R-X", "-WX", "RWX"};
    char text[EPT_QUALIFICATION_WORD_SIZE];

    (void)state;
    for (unsigned n = 0; n < 8; n++) {
        ept_qualification_access_text(n | 0xfff8, text, sizeof(text));
        assert_string_equal(text, access[n]);
        ept_qualification_rights_text(n << 3 | 0xffc7, text, sizeof(text));
        assert_string_equal(text, rights[n]);
        ept_rights_text(n, text, sizeof(text));
        assert_string_equal(text, rights[n]);
    }
    for (size_t size = 1; size < 4; size++) {
        memset(text, '#', sizeof(text));
        ept_qualification_access_text(7, text, size);
        assert_int_equal(strlen(text), size - 1);
        memset(text, '#', sizeof(text));
        ept_rights_text(7, text, size);
        assert_int_equal(strlen(text), size - 1);
    }
}

static void test_long_words(void **state)
{
    char text[EPT_QUALIFICATION_TEXT_SIZE], all[EPT_QUALIFICATION_TEXT_SIZE];
    struct ept_qualification q = ept_qualification_decode(0x182, false);
    size_t length;

    (void)state;
    ept_qualification_text(&q, text, sizeof(text));
    assert_string_equal(text, "write, page ---, final translation");
    q = ept_qualification_decode(0xfaa, true);
    ept_qualification_text(&q, text, sizeof(text));
    assert_string_equal(text, "write, page R-X, final translation, user, writable, execute-disable");
    q = ept_qualification_decode(0x83, true);
    ept_qualification_text(&q, text, sizeof(text));
    assert_string_equal(text, "read, write, page ---, guest page walk");
    q = ept_qualification_decode(4 | 1u << 16, true);
    ept_qualification_text(&q, text, sizeof(text));
    assert_string_equal(text, "fetch, page ---, no linear address, asynchronous");
    /* Everything at once fits, and a short buffer is cut, not overrun. */
    q = ept_qualification_decode(0x1ffff, true);
    q.page_walk = true;
    length = ept_qualification_text(&q, all, sizeof(all));
    assert_true(length < sizeof(all));
    for (size_t size = 1; size < sizeof(text); size++) {
        memset(text, '#', sizeof(text));
        assert_int_equal(ept_qualification_text(&q, text, size), length);
        assert_int_equal(strlen(text), length < size ? length : size - 1);
        assert_memory_equal(text, all, strlen(text));
        if (size < sizeof(text))
            assert_true(text[size] == '#');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode_every_bit),
        cmocka_unit_test(test_short_words),
        cmocka_unit_test(test_long_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
