/* SPDX-License-Identifier: MIT */
/* ACPI: power-off, restart, PM timer (FADT, \_S5), HPET and the firmware's serial console (SPCR). */
#include "arch/x86/acpi_table.h"

/* "Fixed ACPI Description Table (FADT)": offsets; those from X_DSDT on are absent in ACPI 1.0's. */
#define FADT_DSDT            40
#define FADT_SMI_COMMAND     48
#define FADT_ACPI_ENABLE     52
#define FADT_PM1A_CONTROL    64
#define FADT_PM1B_CONTROL    68
#define FADT_PM_TIMER        76
#define FADT_PM_TIMER_LENGTH 91
#define FADT_FLAGS           112
#define FADT_RESET_REGISTER  116
#define FADT_RESET_VALUE     128
#define FADT_X_DSDT          140
#define FADT_X_PM1A_CONTROL  172
#define FADT_X_PM1B_CONTROL  184
#define FADT_X_PM_TIMER      208
#define FADT_SLEEP_CONTROL   244
#define FADT_LENGTH_MIN      116

#define FADT_FLAG_TIMER_32BIT      (1u << 8)
#define FADT_FLAG_RESET            (1u << 10)
#define FADT_FLAG_HARDWARE_REDUCED (1u << 20)

/* "Generic Address Structure (GAS)" */
#define GAS_LENGTH 12

struct generic_address {
    uint8_t space, width, access; /* ACPI_SPACE_..., bits, access size */
    uint64_t address;
};

/* All zero if the table ends before it. */
static struct generic_address read_gas(const struct acpi_table *table, uint32_t at)
{
    if (table->length < at + GAS_LENGTH)
        return (struct generic_address){0};
    return (struct generic_address){table->bytes[at], table->bytes[at + 1], table->bytes[at + 3],
                                    acpi_read64(table->bytes + at + 4)};
}

/* A port from the extended field where that holds one, else from the 32-bit field; 0 if neither does. */
static uint16_t read_port(const struct acpi_table *fadt, uint32_t at, uint32_t extended_at)
{
    struct generic_address extended = read_gas(fadt, extended_at);
    uint32_t port = acpi_read32(fadt->bytes + at);

    if (extended.space == ACPI_SPACE_IO && extended.address > 0 && extended.address <= 0xffff)
        return (uint16_t)extended.address;
    return port <= 0xffff ? (uint16_t)port : 0;
}

static void read_reset(struct acpi_info *out, const struct acpi_table *fadt)
{
    struct generic_address reset = read_gas(fadt, FADT_RESET_REGISTER);

    if (fadt->length <= FADT_RESET_VALUE || !(acpi_read32(fadt->bytes + FADT_FLAGS) & FADT_FLAG_RESET))
        return;
    if (reset.address == 0 || reset.space > ACPI_SPACE_PCI)
        return;
    if (reset.space == ACPI_SPACE_IO && reset.address > 0xffff)
        return;
    out->reset_found = true;
    out->reset_space = reset.space;
    out->reset_address = reset.address;
    out->reset_value = fadt->bytes[FADT_RESET_VALUE];
}

static void read_dsdt(struct acpi_info *out, const struct acpi_reader *reader, const struct acpi_table *fadt)
{
    uint64_t old_address = acpi_read32(fadt->bytes + FADT_DSDT);
    uint64_t address = fadt->length >= FADT_X_DSDT + 8 ? acpi_read64(fadt->bytes + FADT_X_DSDT) : 0;
    struct acpi_table dsdt;

    if (address != 0 && acpi_load_table(out, reader, "DSDT", address, &dsdt))
        acpi_scan_s5(out, &dsdt);
    else if (old_address != 0 && old_address != address &&
             acpi_load_table(out, reader, "DSDT", old_address, &dsdt))
        acpi_scan_s5(out, &dsdt);
}

void acpi_read_fadt(struct acpi_info *out, const struct acpi_reader *reader, const struct acpi_table *fadt)
{
    if (fadt->length < FADT_LENGTH_MIN) {
        acpi_problem(out, "FACP", fadt->address, "the table is too short");
        return;
    }
    uint32_t flags = acpi_read32(fadt->bytes + FADT_FLAGS);
    uint32_t smi_command = acpi_read32(fadt->bytes + FADT_SMI_COMMAND);

    out->hardware_reduced = (flags & FADT_FLAG_HARDWARE_REDUCED) != 0;
    if (out->hardware_reduced) {
        struct generic_address sleep = read_gas(fadt, FADT_SLEEP_CONTROL);

        out->sleep_control_space = sleep.space;
        out->sleep_control_address = sleep.address;
    } else {
        out->pm1a_control = read_port(fadt, FADT_PM1A_CONTROL, FADT_X_PM1A_CONTROL);
        out->pm1b_control = read_port(fadt, FADT_PM1B_CONTROL, FADT_X_PM1B_CONTROL);
        out->smi_command = smi_command <= 0xffff ? (uint16_t)smi_command : 0;
        out->acpi_enable = fadt->bytes[FADT_ACPI_ENABLE];
        if (fadt->bytes[FADT_PM_TIMER_LENGTH] == 4)
            out->pm_timer_port = read_port(fadt, FADT_PM_TIMER, FADT_X_PM_TIMER);
        out->pm_timer_32bit = (flags & FADT_FLAG_TIMER_32BIT) != 0;
    }
    read_reset(out, fadt);
    read_dsdt(out, reader, fadt);
}

/* AML: "AML Grammar Definition". */
#define AML_ZERO    0x00
#define AML_ONE     0x01
#define AML_NAME    0x08
#define AML_BYTE    0x0a
#define AML_WORD    0x0b
#define AML_DWORD   0x0c
#define AML_PACKAGE 0x12
#define AML_ROOT    '\\'
#define AML_ONES    0xff

/* Reads a constant at *at and moves on; false if there is none before `end`. */
static bool read_constant(const uint8_t *bytes, uint32_t end, uint32_t *at, uint32_t *value)
{
    uint32_t left = end - *at;

    if (left == 0)
        return false;
    const uint8_t *code = bytes + *at;
    uint32_t length = 1;

    if (*code == AML_ZERO || *code == AML_ONE) {
        *value = *code;
    } else if (*code == AML_ONES) {
        *value = 0xffffffff;
    } else if (*code == AML_BYTE && left >= 2) {
        *value = code[1];
        length = 2;
    } else if (*code == AML_WORD && left >= 3) {
        *value = acpi_read16(code + 1);
        length = 3;
    } else if (*code == AML_DWORD && left >= 5) {
        *value = acpi_read32(code + 1);
        length = 5;
    } else {
        return false;
    }
    *at += length;
    return true;
}

/* `at` is just behind the name _S5_. Its value is Package () { type for PM1a, type for PM1b, ... }. */
static void read_s5_package(struct acpi_info *out, const struct acpi_table *table, uint32_t at)
{
    uint32_t type_a, type_b;

    if (table->length - at < 4 || table->bytes[at] != AML_PACKAGE)
        return;
    /* The length of the package: bits 7:6 of its first byte tell how many more follow. Then the number of
     * elements. */
    at += 2 + (table->bytes[at + 1] >> 6);
    if (at >= table->length)
        return;
    unsigned elements = table->bytes[at++];

    if (elements == 0 || !read_constant(table->bytes, table->length, &at, &type_a))
        return;
    /* Some firmware packs both types into one element. */
    if (elements == 1)
        type_b = type_a >> 8;
    else if (!read_constant(table->bytes, table->length, &at, &type_b))
        return;
    out->s5_found = true;
    out->s5_type_a = type_a & 7;
    out->s5_type_b = type_b & 7;
}

void acpi_scan_s5(struct acpi_info *out, const struct acpi_table *table)
{
    const uint8_t *bytes = table->bytes;

    for (uint32_t at = ACPI_HEADER_LENGTH + 1; !out->s5_found && at + 4 <= table->length; at++) {
        if (bytes[at] != '_' || __builtin_memcmp(bytes + at, "_S5_", 4) != 0)
            continue;
        uint32_t name = bytes[at - 1] == AML_ROOT ? at - 2 : at - 1;

        if (name >= ACPI_HEADER_LENGTH && bytes[name] == AML_NAME)
            read_s5_package(out, table, at + 4);
    }
}

/* "Serial Port Console Redirection Table" (Microsoft): offsets. */
#define SPCR_INTERFACE    36
#define SPCR_ADDRESS      40
#define SPCR_BAUD         58
#define SPCR_PRECISE_BAUD 80
#define SPCR_LENGTH_MIN   76

#define SPCR_16550              0x00
#define SPCR_16450              0x01
#define SPCR_16550_AS_DESCRIBED 0x12 /* 16550-compatible with the address structure's register width */

void acpi_read_spcr(struct acpi_info *out, const struct acpi_table *spcr)
{
    if (spcr->length < SPCR_LENGTH_MIN) {
        acpi_problem(out, "SPCR", spcr->address, "the table is too short");
        return;
    }
    struct generic_address address = read_gas(spcr, SPCR_ADDRESS);
    uint8_t kind = spcr->bytes[SPCR_INTERFACE];

    if (address.address == 0) /* no console is redirected */
        return;
    if (kind != SPCR_16550 && kind != SPCR_16450 && kind != SPCR_16550_AS_DESCRIBED) {
        acpi_problem(out, "SPCR", spcr->address, "the serial port that it names is no 16550");
        return;
    }
    if (address.space > ACPI_SPACE_IO || (address.space == ACPI_SPACE_IO && address.address > 0xffff)) {
        acpi_problem(out, "SPCR", spcr->address,
                     "the serial port that it names is in no memory and at no port");
        return;
    }
    out->spcr_found = true;
    out->spcr_space = address.space;
    out->spcr_register_width = address.width;
    out->spcr_access_size = address.access;
    out->spcr_address = address.address;
    switch (spcr->bytes[SPCR_BAUD]) {
    case 3:
        out->spcr_baud = 9600;
        break;
    case 4:
        out->spcr_baud = 19200;
        break;
    case 6:
        out->spcr_baud = 57600;
        break;
    case 7:
        out->spcr_baud = 115200;
        break;
    default:
        break;
    }
    if (spcr->length >= SPCR_PRECISE_BAUD + 4 && acpi_read32(spcr->bytes + SPCR_PRECISE_BAUD) != 0)
        out->spcr_baud = acpi_read32(spcr->bytes + SPCR_PRECISE_BAUD);
}

/* "IA-PC HPET Specification 1.0a", "The ACPI 2.0 HPET Description Table (HPET)". */
#define HPET_ADDRESS 40

void acpi_read_hpet(struct acpi_info *out, const struct acpi_table *hpet)
{
    struct generic_address address = read_gas(hpet, HPET_ADDRESS);

    if (hpet->length < HPET_ADDRESS + GAS_LENGTH)
        acpi_problem(out, "HPET", hpet->address, "the table is too short");
    else if (address.space == ACPI_SPACE_MEMORY)
        out->hpet_address = address.address;
}
