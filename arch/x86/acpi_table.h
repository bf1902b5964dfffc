/* SPDX-License-Identifier: MIT */
/* What acpi.c, acpi_table.c and acpi_power.c share; nobody else includes this. Pure. */
#ifndef ARCH_X86_ACPI_TABLE_H
#define ARCH_X86_ACPI_TABLE_H

#include "arch/x86/acpi.h"

#define ACPI_HEADER_LENGTH 36

/* A table whose header, length and checksum are good: bytes[0 .. length - 1] is readable, length >=
 * ACPI_HEADER_LENGTH. */
struct acpi_table {
    uint64_t address;
    const uint8_t *bytes;
    uint32_t length;
};

/* Little-endian numbers at any alignment. */
uint16_t acpi_read16(const uint8_t *bytes);
uint32_t acpi_read32(const uint8_t *bytes);
uint64_t acpi_read64(const uint8_t *bytes);

/* The sum of all bytes modulo 256: 0 for a good table. */
uint8_t acpi_sum(const uint8_t *bytes, uint32_t length);

/* The reader's `at`, and NULL where the range wraps around. */
const uint8_t *acpi_read_at(const struct acpi_reader *reader, uint64_t physical, uint32_t length);

/* Writes "NAME at 0xADDRESS: WHAT" to out->problem unless there is one already, and counts it. Address 0 is
 * left out. */
void acpi_problem(struct acpi_info *out, const char *name, uint64_t address, const char *what);

/* Checks the table at a physical address. `name` is its signature (4 characters). False after noting what is
 * wrong. */
bool acpi_load_table(struct acpi_info *out, const struct acpi_reader *reader, const char *name,
                     uint64_t address, struct acpi_table *table) must_check;

/* Each takes from a checked table what acpi_info wants of it. The FADT's brings in the DSDT. */
void acpi_read_fadt(struct acpi_info *out, const struct acpi_reader *reader, const struct acpi_table *fadt);
void acpi_read_spcr(struct acpi_info *out, const struct acpi_table *spcr);
void acpi_read_hpet(struct acpi_info *out, const struct acpi_table *hpet);

/* Looks for \_S5 in the AML of a checked DSDT or SSDT; does nothing if it was found before. */
void acpi_scan_s5(struct acpi_info *out, const struct acpi_table *table);

#endif
