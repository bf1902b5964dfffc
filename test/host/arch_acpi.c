/* SPDX-License-Identifier: MIT */
/* arch/x86/acpi.c: finding the tables, and the MADT; first all good, then each broken. */
#include "test/host/arch_acpi_tables.h"

static void everything(void **state)
{
    (void)state;
    assert_int_equal(parse(), ACPI_OK);
    assert_string_equal(info.problem, "");
    assert_int_equal(info.problem_count, 0);
    assert_true(info.found);
    assert_int_equal(info.revision, 2);
    assert_int_equal(info.local_apic_address, 0x1fee00000);
    assert_true(info.pcat_compatible);
    assert_int_equal(info.ioapic_count, 1);
    assert_int_equal(info.ioapics[0], 0xfec00000);
    assert_int_equal(info.ioapics_dropped, 0);
    assert_int_equal(info.cpu_count, 3);
    assert_int_equal(info.cpus[0].apic_id, 0);
    assert_int_equal(info.cpus[1].apic_id, 2);
    assert_false(info.cpus[1].x2apic_entry);
    assert_int_equal(info.cpus[2].apic_id, 256);
    assert_true(info.cpus[2].x2apic_entry);
    assert_int_equal(info.disabled_count, 4);
    assert_int_equal(info.cpus_dropped, 0);
    assert_true(info.s5_found);
    assert_int_equal(info.s5_type_a, 5);
    assert_int_equal(info.s5_type_b, 6);
    assert_int_equal(info.pm1a_control, 0x604);
    assert_int_equal(info.pm1b_control, 0x704);
    assert_int_equal(info.smi_command, 0xb2);
    assert_int_equal(info.acpi_enable, 0xf1);
    assert_int_equal(info.pm_timer_port, 0x608);
    assert_true(info.pm_timer_32bit);
    assert_true(info.reset_found);
    assert_int_equal(info.reset_space, ACPI_SPACE_IO);
    assert_int_equal(info.reset_address, 0xcf9);
    assert_int_equal(info.reset_value, 6);
    assert_true(info.spcr_found);
    assert_int_equal(info.spcr_address, 0x2f8);
    assert_int_equal(info.spcr_baud, 115200);
    assert_int_equal(info.hpet_address, 0xfed00000);
}

static void where_the_rsdp_may_be(void **state)
{
    uint8_t copy[36];

    (void)state;
    memcpy(copy, memory + RSDP, sizeof(copy));
    memset(memory + RSDP, 0, 36);
    assert_int_equal(parse(), ACPI_NO_RSDP);
    assert_false(info.found);
    assert_int_equal(info.cpu_count, 0);

    /* The loader's copy, long and short. */
    assert_int_equal(parse_copy(copy, 36), ACPI_OK);
    assert_int_equal(info.hpet_address, 0xfed00000);
    assert_int_equal(parse_copy(copy, 20), ACPI_OK);
    assert_int_equal(info.hpet_address, 0); /* the RSDT lists none */
    assert_int_equal(parse_copy(copy, 19), ACPI_BAD_RSDP);

    /* In the EBDA, and not beyond its first KiB; on 16-byte boundaries only. */
    put_rsdp(EBDA + 0x3e0, 2);
    assert_int_equal(parse(), ACPI_OK);
    memset(memory + EBDA + 0x3e0, 0, 36);
    put_rsdp(EBDA + 0x208, 2);
    assert_int_equal(parse(), ACPI_NO_RSDP);
    put_rsdp(0xfffe0 - 0x10, 2);
    assert_int_equal(parse(), ACPI_OK);

    /* A broken copy: search. */
    copy[10] ^= 1;
    assert_int_equal(parse_copy(copy, 36), ACPI_OK);
    assert_string_equal(info.problem, "the loader's RSDP: the checksum is wrong");
}

static void broken_rsdps(void **state)
{
    (void)state;
    memory[RSDP + 10] ^= 1;
    assert_int_equal(parse(), ACPI_BAD_RSDP);
    assert_string_equal(info.problem, "RSDP at 0xf5a10: the checksum is wrong");
    /* A good one after a broken one is found. */
    put_rsdp(RSDP + 0x100, 2);
    assert_int_equal(parse(), ACPI_OK);
    memset(memory + RSDP + 0x100, 0, 36);

    /* Only the extended part is broken: the RSDT does. */
    put_rsdp(RSDP, 2);
    memory[RSDP + 33] ^= 1;
    assert_int_equal(parse(), ACPI_OK);
    assert_int_equal(info.cpu_count, 3);
    assert_int_equal(info.hpet_address, 0);
    assert_string_equal(info.problem,
                        "RSDP at 0xf5a10: the extended checksum or length is wrong; its RSDT is used");

    /* ACPI 1.0 has no XSDT, whatever stands there. */
    put_rsdp(RSDP, 0);
    assert_int_equal(parse(), ACPI_OK);
    assert_int_equal(info.revision, 0);
    assert_int_equal(info.hpet_address, 0);
    assert_int_equal(info.problem_count, 0);
}

static void broken_root(void **state)
{
    (void)state;
    memory[XSDT + 40] ^= 1;
    assert_int_equal(parse(), ACPI_OK);
    assert_int_equal(info.cpu_count, 3);
    assert_string_equal(info.problem, "XSDT at 0x100000: the checksum is wrong");
    memory[RSDT] = 'X';
    assert_int_equal(parse(), ACPI_NO_ROOT_TABLE);
    assert_true(info.found);
    assert_int_equal(info.problem_count, 2);

    header(RSDT, "RSDT", 36);
    assert_int_equal(parse(), ACPI_NO_MADT);
    put32(RSDT + 4, 35);
    again(RSDT);
    assert_int_equal(parse(), ACPI_NO_ROOT_TABLE);
}

static void listed_addresses_that_cannot_be_read(void **state)
{
    (void)state;
    put64(XSDT + 36, 0xfffffffffffffffe);
    put64(XSDT + 60, 0);
    again(XSDT);
    assert_int_equal(parse(), ACPI_OK);
    assert_string_equal(info.problem, "a listed table at 0xfffffffffffffffe: the address cannot be read");
    assert_int_equal(info.problem_count, 1);
    assert_int_equal(info.pm1a_control, 0);
    assert_true(info.s5_found); /* from the SSDT */
    assert_int_equal(info.s5_type_a, 1);
}

static void broken_madt(void **state)
{
    (void)state;
    memory[MADT + 60] ^= 1;
    assert_int_equal(parse(), ACPI_BAD_MADT);
    assert_string_equal(info.problem, "APIC at 0x101000: the checksum is wrong");
    assert_int_equal(info.cpu_count, 0);
    assert_true(info.s5_found); /* nothing else is lost */
    assert_int_equal(info.hpet_address, 0xfed00000);

    header(MADT, "APIC", 43);
    assert_int_equal(parse(), ACPI_BAD_MADT);
    assert_string_equal(info.problem, "APIC at 0x101000: the table is too short");

    header(MADT, "APIC", 44);
    assert_int_equal(parse(), ACPI_NO_CPUS);

    put32(MADT + 4, SIZE);
    assert_int_equal(parse(), ACPI_BAD_MADT);
    assert_string_equal(info.problem, "APIC at 0x101000: its end cannot be read");
    put32(MADT + 4, 0xffffffff);
    assert_int_equal(parse(), ACPI_BAD_MADT);
    assert_string_equal(info.problem, "APIC at 0x101000: the length is impossible");

    put64(XSDT + 44, HPET);
    again(XSDT);
    assert_int_equal(parse(), ACPI_NO_MADT);
    assert_int_equal(info.problem_count, 0);
}

static void broken_madt_entries(void **state)
{
    (void)state;
    /* The third entry has length 0: the two before it count. */
    memory[MADT + 44 + 17] = 0;
    again(MADT);
    assert_int_equal(parse(), ACPI_OK);
    assert_int_equal(info.cpu_count, 2);
    assert_string_equal(info.problem,
                        "APIC at 0x101000: an entry has an impossible length; the rest is not read");

    /* Too short for its type: only that entry is lost. */
    put_madt();
    memory[MADT + 44] = 9;
    again(MADT);
    assert_int_equal(parse(), ACPI_OK);
    assert_int_equal(info.cpu_count, 2);
    assert_string_equal(info.problem, "APIC at 0x101000: an entry is too short for its type and not used");

    /* The table ends in the middle of an entry. */
    for (uint32_t left = 1; left < 8; left++) {
        put_madt();
        header(MADT, "APIC", 44 + 8 + left);
        assert_int_equal(parse(), ACPI_OK);
        assert_int_equal(info.cpu_count, 1);
        assert_int_equal(info.problem_count, 1);
    }
}

static void more_processors_than_fit(void **state)
{
    (void)state;
    memset(memory + MADT, 0, 44);
    for (uint32_t i = 0; i < 60; i++)
        memcpy(memory + MADT + 44 + i * 8, (uint8_t[]){0, 8, (uint8_t)i, (uint8_t)i, 1, 0, 0, 0}, 8);
    for (uint32_t i = 0; i < 210; i++) {
        uint32_t entry = MADT + 44 + 60 * 8 + i * 16;

        put16(entry, 9 | 16 << 8);
        put32(entry + 4, 1000 + i);
        put32(entry + 8, 1);
    }
    header(MADT, "APIC", 44 + 60 * 8 + 210 * 16);
    /* That is longer than the place of the MADT: point the FADT's entry elsewhere. */
    put64(XSDT + 36, MADT);
    again(XSDT);
    assert_int_equal(parse(), ACPI_OK);
    assert_int_equal(info.cpu_count, ACPI_CPU_MAX);
    assert_int_equal(info.cpus_dropped, 14);
    assert_int_equal(info.cpus[60].apic_id, 1000);
}

static void more_tables_than_are_read(void **state)
{
    (void)state;
    /* A root table of 1025 entries over the place of all the others; only the last is the MADT. */
    static uint8_t madt[4096];

    memcpy(madt, memory + MADT, sizeof(madt));
    memset(memory + XSDT + 36, 0, 0xa000);
    memcpy(memory + XSDT + 0x4000, madt, sizeof(madt));
    put64(XSDT + 36 + 1024 * 8, XSDT + 0x4000);
    header(XSDT, "XSDT", 36 + 1025 * 8);
    assert_int_equal(parse(), ACPI_NO_MADT);
    assert_string_equal(info.problem,
                        "XSDT at 0x100000: more entries than any machine has; the rest is not read");
    put64(XSDT + 36 + 1023 * 8, XSDT + 0x4000);
    again(XSDT);
    assert_int_equal(parse(), ACPI_OK);
    assert_int_equal(info.cpu_count, 3);
}

/* Memory that ends anywhere: no crash, no read beyond, and the status says that something is missing. */
static void memory_that_ends_anywhere(void **state)
{
    uint8_t copy[36];

    (void)state;
    memcpy(copy, memory + RSDP, sizeof(copy));
    for (forbidden = 1; forbidden < HPET + 56; forbidden += forbidden < XSDT ? 0x3333 : 5) {
        enum acpi_status status = parse_copy(copy, sizeof(copy));

        assert_true(info.problem_count > 0);
        assert_true(status == ACPI_OK || forbidden < MADT + 200);
    }
    forbidden = HPET + 56;
    assert_int_equal(parse_copy(copy, sizeof(copy)), ACPI_OK);
    assert_int_equal(info.problem_count, 0);
}

static void texts(void **state)
{
    (void)state;
    for (unsigned status = ACPI_OK; status <= ACPI_NO_CPUS; status++)
        assert_string_not_equal(acpi_status_text((enum acpi_status)status), "unknown status");
}

static void io_apics(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ACPI_IOAPIC_MAX + 3; i++) {
        memcpy(memory + MADT + 44 + 8 + i * 12, (uint8_t[]){1, 12, (uint8_t)i, 0}, 4);
        put32(MADT + 44 + 8 + i * 12 + 4, 0xfec00000 + i * 0x1000);
    }
    header(MADT, "APIC", 44 + 8 + (ACPI_IOAPIC_MAX + 3) * 12);
    assert_int_equal(parse(), ACPI_OK);
    assert_int_equal(info.ioapic_count, ACPI_IOAPIC_MAX);
    assert_int_equal(info.ioapics[ACPI_IOAPIC_MAX - 1], 0xfec00000 + (ACPI_IOAPIC_MAX - 1) * 0x1000);
    assert_int_equal(info.ioapics_dropped, 3);
    /* One that is too short for an address. */
    memcpy(memory + MADT + 44 + 8, (uint8_t[]){1, 8}, 2);
    header(MADT, "APIC", 44 + 8 + 8);
    assert_int_equal(parse(), ACPI_OK);
    assert_int_equal(info.ioapic_count, 0);
    assert_int_equal(info.problem_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_tables(everything),
        with_tables(where_the_rsdp_may_be),
        with_tables(broken_rsdps),
        with_tables(broken_root),
        with_tables(listed_addresses_that_cannot_be_read),
        with_tables(broken_madt),
        with_tables(broken_madt_entries),
        with_tables(io_apics),
        with_tables(more_processors_than_fit),
        with_tables(more_tables_than_are_read),
        with_tables(memory_that_ends_anywhere),
        cmocka_unit_test(texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
