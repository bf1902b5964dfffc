/* SPDX-License-Identifier: MIT */
/* arch/x86/acpi_power.c: FADT, \_S5, SPCR and HPET in their variants, and broken. */
#include "test/host/arch_acpi_tables.h"

static void fadt_variants(void **state)
{
    (void)state;
    /* The extended fields win; a broken table at X_DSDT leaves the old address. */
    gas(FADT + 172, ACPI_SPACE_IO, 16, 0x1804);
    gas(FADT + 184, ACPI_SPACE_MEMORY, 16, 0x9999); /* not a port */
    gas(FADT + 208, ACPI_SPACE_IO, 32, 0x1808);
    put64(FADT + 140, SSDT);
    again(FADT);
    assert_int_equal(parse(), ACPI_OK);
    assert_int_equal(info.pm1a_control, 0x1804);
    assert_int_equal(info.pm1b_control, 0x704);
    assert_int_equal(info.pm_timer_port, 0x1808);
    assert_string_equal(info.problem, "DSDT at 0x104000: the signature is another one");
    assert_int_equal(info.s5_type_a, 5);

    /* X_DSDT wins where it is good. */
    put_s5(SSDT, "DSDT", "\x08_S5_\x12\x06\x02\x01\xff", 10);
    assert_int_equal(parse(), ACPI_OK);
    assert_int_equal(info.s5_type_a, 1);
    assert_int_equal(info.s5_type_b, 7);
    put_s5(SSDT, "SSDT", "\x08_S5_\x12\x06\x02\x01\x01", 10);

    /* ACPI 1.0: nothing behind the flags. */
    header(FADT, "FACP", 116);
    assert_int_equal(parse(), ACPI_OK);
    assert_false(info.reset_found);
    assert_int_equal(info.pm1a_control, 0x604);
    assert_true(info.s5_found);
    header(FADT, "FACP", 115);
    assert_int_equal(parse(), ACPI_OK);
    assert_int_equal(info.pm1a_control, 0);
    assert_string_equal(info.problem, "FACP at 0x102000: the table is too short");
    assert_int_equal(info.s5_type_a, 1); /* from the SSDT */

    /* Reset register: not supported, then nonsense. */
    put32(FADT + 112, 0);
    header(FADT, "FACP", 276);
    assert_int_equal(parse(), ACPI_OK);
    assert_false(info.reset_found);
    assert_false(info.pm_timer_32bit);
    put32(FADT + 112, 1u << 10);
    gas(FADT + 116, ACPI_SPACE_IO, 8, 0x10cf9);
    again(FADT);
    assert_int_equal(parse(), ACPI_OK);
    assert_false(info.reset_found);

    /* No PM timer; hardware-reduced ACPI. */
    memory[FADT + 91] = 0;
    again(FADT);
    assert_int_equal(parse(), ACPI_OK);
    assert_int_equal(info.pm_timer_port, 0);
    put32(FADT + 112, 1u << 20);
    gas(FADT + 244, ACPI_SPACE_MEMORY, 8, 0xfe000000);
    again(FADT);
    assert_int_equal(parse(), ACPI_OK);
    assert_true(info.hardware_reduced);
    assert_int_equal(info.sleep_control_address, 0xfe000000);
    assert_int_equal(info.pm1a_control, 0);
}

/* What a DSDT with this AML, and no SSDT, says. */
static bool s5(const char *aml, size_t length)
{
    put_s5(DSDT, "DSDT", aml, length);
    memset(memory + SSDT, 0, 36);
    assert_int_equal(parse(), ACPI_OK);
    assert_int_equal(info.problem_count, 0);
    return info.s5_found;
}

static void s5_variants(void **state)
{
    (void)state;
    assert_true(s5("\x08\\_S5_\x12\x06\x04\x00\x00\x00\x00", 13)); /* Bochs: all zero */
    assert_int_equal(info.s5_type_a, 0);
    assert_true(s5("\x08_S5_\x12\x40\x0a\x02\x0b\x07\x00\x0c\x03\x00\x00\x00", 17));
    assert_int_equal(info.s5_type_a, 7);
    assert_int_equal(info.s5_type_b, 3);
    assert_true(s5("\x08_S5_\x12\xc0\x01\x01\x01\x02\x0a\x05\x0a\x06", 15)); /* the longest package length */
    assert_int_equal(info.s5_type_b, 6);
    assert_true(s5("\x08_S5_\x12\x05\x01\x0b\x05\x03", 11)); /* both in one */
    assert_int_equal(info.s5_type_a, 5);
    assert_int_equal(info.s5_type_b, 3);
    /* A mention that is no definition comes first. */
    assert_true(s5("_S5_\x12\x06\x02\x01\x01\x08_S5_\x12\x06\x02\x0a\x05\x0a\x05", 21));
    assert_int_equal(info.s5_type_a, 5);

    /* The byte before the name's root prefix belongs to the header. */
    memory[DSDT + 35] = 8;
    memcpy(memory + DSDT + 36, "\\_S5_\x12\x06\x02\x01\x01", 10);
    header(DSDT, "DSDT", 46);
    assert_int_equal(parse(), ACPI_OK);
    assert_false(info.s5_found);

    assert_false(s5("\x14_S5_\x12\x06\x02\x01\x01", 10)); /* a method */
    assert_false(s5("\x08_S5_\x12\x06\x00\x01\x01", 10)); /* an empty package */
    assert_false(s5("\x08_S5_\x12\x06\x02\x70\x01", 10)); /* no constant */
    assert_false(s5("\x08_S5_\x0a\x06\x02\x01\x01", 10)); /* no package */
    assert_false(s5("\x08_S5", 4));
    for (size_t cut = 0; cut < 5; cut++) /* the table ends within it */
        assert_false(s5("\x08_S5_\x12\xc0\x01\x01\x01\x02\x0a\x05", 5 + cut + 2));
    assert_false(s5("\x08_S5_\x12\x06\x02\x01\x0a", 10));
}

static void spcr_variants(void **state)
{
    (void)state;
    memory[SPCR + 36] = 0x12;
    gas(SPCR + 40, ACPI_SPACE_MEMORY, 32, 0xfe034000);
    memory[SPCR + 58] = 0;
    header(SPCR, "SPCR", 80);
    assert_int_equal(parse(), ACPI_OK);
    assert_true(info.spcr_found);
    assert_int_equal(info.spcr_space, ACPI_SPACE_MEMORY);
    assert_int_equal(info.spcr_register_width, 32);
    memory[SPCR + 43] = 3;
    again(SPCR);
    assert_int_equal(parse(), ACPI_OK);
    assert_int_equal(info.spcr_access_size, 3);
    assert_int_equal(info.spcr_baud, 0);
    static const struct {
        uint8_t code;
        uint32_t baud;
    } rates[] = {{3, 9600}, {4, 19200}, {6, 57600}, {7, 115200}, {99, 0}};

    for (unsigned i = 0; i < array_count(rates); i++) {
        memory[SPCR + 58] = rates[i].code;
        again(SPCR);
        assert_int_equal(parse(), ACPI_OK);
        assert_int_equal(info.spcr_baud, rates[i].baud);
    }
    gas(SPCR + 40, ACPI_SPACE_IO, 8, 0x10000); /* no port */
    again(SPCR);
    assert_int_equal(parse(), ACPI_OK);
    assert_false(info.spcr_found);
    assert_int_equal(info.problem_count, 1);
    gas(SPCR + 40, ACPI_SPACE_IO, 8, 0x3f8);
    memory[SPCR + 36] = 3; /* another kind of port is not passed over in silence */
    again(SPCR);
    assert_int_equal(parse(), ACPI_OK);
    assert_false(info.spcr_found);
    assert_int_equal(info.problem_count, 1);
    memory[SPCR + 36] = 0x12;
    gas(SPCR + 40, ACPI_SPACE_IO, 8, 0); /* that is how firmware says that there is none */
    again(SPCR);
    assert_int_equal(parse(), ACPI_OK);
    assert_false(info.spcr_found);
    assert_int_equal(info.problem_count, 0);
    gas(SPCR + 40, ACPI_SPACE_MEMORY, 32, 0xfe034000);
    put32(SPCR + 80, 3000000);
    header(SPCR, "SPCR", 84);
    assert_int_equal(parse(), ACPI_OK);
    assert_int_equal(info.spcr_baud, 3000000);
    memory[SPCR + 36] = 3; /* an Arm PL011 */
    again(SPCR);
    assert_int_equal(parse(), ACPI_OK);
    assert_false(info.spcr_found);
    memory[SPCR + 36] = 0;
    put64(SPCR + 44, 0); /* switched off */
    again(SPCR);
    assert_int_equal(parse(), ACPI_OK);
    assert_false(info.spcr_found);
    header(SPCR, "SPCR", 75);
    assert_int_equal(parse(), ACPI_OK);
    assert_string_equal(info.problem, "SPCR at 0x105000: the table is too short");
    header(SPCR, "SPCR", 80);
    header(HPET, "HPET", 51);
    assert_int_equal(parse(), ACPI_OK);
    assert_int_equal(info.hpet_address, 0);
    assert_string_equal(info.problem, "HPET at 0x106000: the table is too short");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_tables(fadt_variants),
        with_tables(s5_variants),
        with_tables(spcr_variants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
