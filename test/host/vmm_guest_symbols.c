/* SPDX-License-Identifier: MIT */
/* Symbol maps of nm, nasm and ld; what is no symbol; the nearest one before an address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/guest/symbols.h"

static struct guest_symbols map_of(const char *text)
{
    return (struct guest_symbols){text, strlen(text)};
}

static void check(const char *map, uint64_t address, const char *expected)
{
    struct guest_symbols symbols = map_of(map);
    char text[GUEST_SYMBOL_TEXT];

    guest_symbols_text(&symbols, text, sizeof(text), address);
    assert_string_equal(text, expected);
}

static const char nm[] = "                 U printf\n"
                         "0000000000100000 T start\n"
                         "0000000000100040 t loop\n"
                         "00100080 D data\n"
                         "00100090 b B\n"
                         "                 w weak\n";

static void from_nm(void **state)
{
    struct guest_symbols symbols = map_of(nm);

    (void)state;
    assert_int_equal(guest_symbols_count(&symbols), 4);
    check(nm, 0xfffff, "");
    check(nm, 0x100000, " symbol=start+0x0");
    check(nm, 0x10003f, " symbol=start+0x3f");
    check(nm, 0x100040, " symbol=loop+0x0");
    check(nm, 0x100085, " symbol=data+0x5");
    check(nm, 0x100091, " symbol=B+0x1");
    check(nm, 0x100090 + GUEST_SYMBOL_REACH - 1, " symbol=B+0xffff");
    check(nm, 0x100090 + GUEST_SYMBOL_REACH, "");
    check(nm, UINT64_MAX, "");
}

/* As nasm 2.16 writes it for [map all]. */
static const char nasm[] =
    "- NASM Map file ---------------------------------------------------------------\n\n"
    "Source file:  a.asm\nOutput file:  a.bin\n\n"
    "-- Program origin -------------------------------------------------------------\n\n7C00\n\n"
    "-- Sections (summary) ---------------------------------------------------------\n\n"
    "Vstart            Start             Stop              Length     Class     Name\n"
    "               7C00              7C00              7E00        200  progbits  .text\n\n"
    "-- Symbols --------------------------------------------------------------------\n\n"
    "---- No Section ---------------------------------------------------------------\n\n"
    "Value     Name\n0005      FIVE\n\n"
    "---- Section .text ------------------------------------------------------------\n\n"
    "Real              Virtual           Name\n"
    "            7C00              7C00  start\r\n"
    "            7C10             17C10  moved\r\n"
    "               A                 A  low\r\n";

static void from_nasm(void **state)
{
    (void)state;
    check(nasm, 0x7c05, " symbol=start+0x5");
    check(nasm, 0x17c11, " symbol=moved+0x1"); /* the virtual address counts */
    check(nasm, 0x7c10, " symbol=start+0x10");
    check(nasm, 0xa, " symbol=low+0x0");
    check(nasm, 0x6, " symbol=FIVE+0x1");
}

static void from_ld(void **state)
{
    static const char map[] = " .text          0x0000000000100000      0x1f4 kernel.o\n"
                              "                0x0000000000100010                main\n"
                              "                0x0000000000100000                . = 0x100000\n"
                              "                0x0000000000100100                PROVIDE (end = .)\n"
                              " *fill*         0x0000000000100020        0xc \n";
    struct guest_symbols symbols = map_of(map);

    (void)state;
    assert_int_equal(guest_symbols_count(&symbols), 1);
    check(map, 0x10001f, " symbol=main+0xf");
}

static void no_symbols(void **state)
{
    static const char *const bad[] = {
        "",
        "\n\n\n",
        "100000",
        "100000 T start extra",
        "00100000 T st\033art", /* nothing that a terminal would obey */
        "00100000 T 12",
        "00100000 T .",
        "00100000 T -x",
        "12345678901234567 T toolong",
        "xyz T start",
        "0x T start",
        "00100000 TT start",
        "main 00100000",
    };
    struct guest_symbols none = {NULL, 77};
    char text[GUEST_SYMBOL_TEXT] = "x";

    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct guest_symbols symbols = map_of(bad[i]);

        assert_int_equal(guest_symbols_count(&symbols), 0);
    }
    assert_int_equal(guest_symbols_count(&none), 0);
    guest_symbols_text(&none, text, sizeof(text), 0x100000);
    assert_string_equal(text, "");
}

/* Of two at one place the first; in whatever order; the last line without its end. */
static void order(void **state)
{
    (void)state;
    check("00002000 T late\n00001000 T first\n00001000 T second\n00001800 t mid", 0x1004,
          " symbol=first+0x4");
    check("00002000 T late\n00001000 T first\n00001000 T second\n00001800 t mid", 0x1804, " symbol=mid+0x4");
    check("00002000 T late\n00001000 T first\n00001000 T second\n00001800 t mid", 0x2000, " symbol=late+0x0");
    check("ffffffff80000000 T high", 0xffffffff80000001, " symbol=high+0x1");
}

static void cut(void **state)
{
    char map[300] = "00001000 T ", text[GUEST_SYMBOL_TEXT], shorter[10];
    struct guest_symbols symbols;

    (void)state;
    memset(map + strlen(map), 'n', 200);
    symbols = map_of(map);
    guest_symbols_text(&symbols, text, sizeof(text), 0x10fff);
    assert_int_equal(strlen(text), strlen(" symbol=") + GUEST_SYMBOL_NAME_MAX + strlen("+0xffff"));
    guest_symbols_text(&symbols, shorter, sizeof(shorter), 0x1000);
    assert_string_equal(shorter, " symbol=n");
    guest_symbols_text(&symbols, NULL, 0, 0x1000);
}

/* Exactly the bytes that there are: ASan sees one read too many. */
static void bounds(void **state)
{
    (void)state;
    for (size_t length = 0; length < sizeof(nm); length++) {
        char *copy = malloc(length + 1);
        struct guest_symbols symbols;
        struct guest_symbol symbol;

        copy = realloc(copy, length != 0 ? length : 1);
        memcpy(copy, nm, length);
        symbols = (struct guest_symbols){copy, length};
        (void)guest_symbols_count(&symbols);
        if (guest_symbols_find(&symbols, 0x100041, &symbol))
            assert_true(symbol.name >= copy && symbol.name + symbol.length <= copy + length);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_nm),    cmocka_unit_test(from_nasm), cmocka_unit_test(from_ld),
        cmocka_unit_test(no_symbols), cmocka_unit_test(order),     cmocka_unit_test(cut),
        cmocka_unit_test(bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
