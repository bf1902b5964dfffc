/* SPDX-License-Identifier: MIT */
/* A pretended physical memory with a whole set of ACPI tables, for the tests of the ACPI parser. */
#ifndef TEST_HOST_ARCH_ACPI_TABLES_H
#define TEST_HOST_ARCH_ACPI_TABLES_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "arch/x86/acpi.h"

#define SIZE 0x110000u
#define EBDA 0x9fc00u
#define RSDP 0xf5a10u
#define XSDT 0x100000u
#define RSDT 0x100200u
#define MADT 0x101000u
#define FADT 0x102000u
#define DSDT 0x103000u
#define SSDT 0x104000u
#define SPCR 0x105000u
#define HPET 0x106000u

static uint8_t *memory;
static uint32_t forbidden; /* nothing from here on can be read */
static struct acpi_info info;

/* Every range is handed out as a block of its own, so that ASan sees a read beyond what was asked for. */
static void *blocks[20000];
static unsigned block_count;

static const void *at(void *context, uint64_t physical, size_t length)
{
    (void)context;
    if (physical >= forbidden || length > forbidden - physical)
        return NULL;
    assert_true(block_count < array_count(blocks));
    void *block = malloc(length);

    memcpy(block, memory + physical, length);
    return blocks[block_count++] = block;
}

static inline enum acpi_status parse_copy(const uint8_t *copy, unsigned length)
{
    static const struct acpi_reader reader = {.at = at};

    memset(&info, 0xa5, sizeof(info));
    enum acpi_status status = acpi_parse(&info, copy, length, &reader);

    while (block_count > 0)
        free(blocks[--block_count]);
    return status;
}

static inline enum acpi_status parse(void)
{
    return parse_copy(NULL, 0);
}

static inline void put16(uint32_t address, uint16_t value)
{
    memcpy(memory + address, &value, sizeof(value));
}

static inline void put32(uint32_t address, uint32_t value)
{
    memcpy(memory + address, &value, sizeof(value));
}

static inline void put64(uint32_t address, uint64_t value)
{
    memcpy(memory + address, &value, sizeof(value));
}

static inline void make_sum_zero(uint32_t address, uint32_t length, uint32_t checksum_at)
{
    uint8_t sum = 0;

    memory[address + checksum_at] = 0;
    for (uint32_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + memory[address + i]);
    memory[address + checksum_at] = (uint8_t)-sum;
}

static inline void header(uint32_t address, const char *signature, uint32_t length)
{
    memcpy(memory + address, signature, 4);
    put32(address + 4, length);
    make_sum_zero(address, length, 9);
}

static inline void again(uint32_t address)
{
    uint32_t length;

    memcpy(&length, memory + address + 4, sizeof(length));
    make_sum_zero(address, length, 9);
}

static inline void gas(uint32_t address, uint8_t space, uint8_t width, uint64_t where)
{
    memory[address] = space;
    memory[address + 1] = width;
    put64(address + 4, where);
}

static inline void put_rsdp(uint32_t address, uint8_t revision)
{
    memcpy(memory + address, "RSD PTR ", 8);
    memory[address + 15] = revision;
    put32(address + 16, RSDT);
    make_sum_zero(address, 20, 8);
    put32(address + 20, 36);
    put64(address + 24, XSDT);
    make_sum_zero(address, 36, 32);
}

static inline void put_madt(void)
{
    static const uint8_t entries[] = {
        0, 8,  0, 0,    1,    0,    0,    0,                            /* id 0, enabled */
        0, 8,  1, 2,    1,    0,    0,    0,                            /* id 2, enabled */
        0, 8,  2, 4,    0,    0,    0,    0,                            /* id 4, disabled */
        0, 8,  3, 6,    2,    0,    0,    0,                            /* id 6, online capable only */
        0, 8,  4, 0xff, 1,    0,    0,    0,                            /* nobody */
        1, 12, 9, 0,    0,    0,    0xc0, 0xfe, 0, 0, 0, 0,             /* an I/O APIC */
        9, 16, 0, 0,    2,    0,    0,    0,    1, 0, 0, 0, 1, 0, 0, 0, /* repeats id 2 */
        9, 16, 0, 0,    0,    1,    0,    0,    1, 0, 0, 0, 2, 0, 0, 0, /* id 256 */
        9, 16, 0, 0,    0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 3, 0, 0, 0,
        5, 12, 0, 0,    0,    0,    0xe0, 0xfe, 1, 0, 0, 0, /* local APIC at 0x1fee00000 */
    };

    put32(MADT + 36, 0xfee00000);
    put32(MADT + 40, 1);
    memcpy(memory + MADT + 44, entries, sizeof(entries));
    header(MADT, "APIC", 44 + sizeof(entries));
}

static inline void put_s5(uint32_t table, const char *signature, const char *aml, size_t length)
{
    memset(memory + table, 0, 128);
    memcpy(memory + table + 40, aml, length);
    header(table, signature, (uint32_t)(40 + length));
}

static inline void put_fadt(void)
{
    put32(FADT + 40, DSDT);
    put32(FADT + 48, 0xb2);
    memory[FADT + 52] = 0xf1;
    put32(FADT + 64, 0x604);
    put32(FADT + 68, 0x704);
    put32(FADT + 76, 0x608);
    memory[FADT + 91] = 4;
    put32(FADT + 112, 1u << 8 | 1u << 10);
    gas(FADT + 116, ACPI_SPACE_IO, 8, 0xcf9);
    memory[FADT + 128] = 6;
    header(FADT, "FACP", 276);
}

/* All tables, all good. */
static inline int set_up(void **state)
{
    (void)state;
    memory = calloc(1, SIZE);
    forbidden = SIZE;
    put16(0x40e, EBDA >> 4);
    put_rsdp(RSDP, 2);
    put64(XSDT + 36, FADT);
    put64(XSDT + 44, MADT);
    put64(XSDT + 52, SPCR);
    put64(XSDT + 60, HPET);
    put64(XSDT + 68, SSDT);
    header(XSDT, "XSDT", 76);
    put32(RSDT + 36, FADT);
    put32(RSDT + 40, MADT);
    header(RSDT, "RSDT", 44);
    put_madt();
    put_fadt();
    put_s5(DSDT, "DSDT", "\x08_S5_\x12\x0a\x04\x0a\x05\x0a\x06\x00\x00", 14);
    put_s5(SSDT, "SSDT", "\x08_S5_\x12\x06\x02\x01\x01", 10);
    gas(SPCR + 40, ACPI_SPACE_IO, 8, 0x2f8);
    memory[SPCR + 58] = 7;
    header(SPCR, "SPCR", 80);
    gas(HPET + 40, ACPI_SPACE_MEMORY, 64, 0xfed00000);
    header(HPET, "HPET", 56);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    free(memory);
    memory = NULL;
    return 0;
}

/* A test that finds all tables good at first. */
#define with_tables(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
