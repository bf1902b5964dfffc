/* SPDX-License-Identifier: MIT */
/*
 * The few things Adept wants from ACPI: the processors (MADT), how to switch off and restart (FADT and \_S5),
 * the PM timer and HPET, and the firmware's serial console (SPCR). Pure: memory is read through the reader
 * handed in, no global. Every table's length and checksum are checked before it is used; a broken table is
 * left out, named in `problem`, and costs only what it alone would have told. acpi.c finds the tables and
 * reads the MADT, acpi_power.c reads the others.
 *
 * Source: ACPI Specification 6.5, "System Description Tables" and "Multiple APIC Description Table (MADT)".
 */
#ifndef ARCH_X86_ACPI_H
#define ARCH_X86_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/x86/compiler.h"

#define ACPI_CPU_MAX    256
#define ACPI_IOAPIC_MAX 32

/* Address spaces of a Generic Address Structure. */
#define ACPI_SPACE_MEMORY 0
#define ACPI_SPACE_IO     1
#define ACPI_SPACE_PCI    2 /* reset register: address = device << 32 | function << 16 | offset, on bus 0 */

/* `at` returns a pointer to [physical, physical + length) that stays good until the parser returns, or NULL
 * when that range is not readable. length is at least 1. */
struct acpi_reader {
    const void *(*at)(void *context, uint64_t physical, size_t length);
    void *context;
};

struct acpi_cpu {
    uint32_t apic_id;
    bool x2apic_entry; /* from a Processor Local x2APIC structure */
};

struct acpi_info {
    bool found;        /* an RSDP with a good checksum */
    unsigned revision; /* of the RSDP: 0 (ACPI 1.0) or 2 and above */

    /* MADT. Enabled processors in table order, each APIC ID once. */
    uint64_t local_apic_address; /* physical; 0 if there was no MADT */
    struct acpi_cpu cpus[ACPI_CPU_MAX];
    unsigned cpu_count;
    unsigned disabled_count;           /* entries not enabled, those that could be hot-plugged among them */
    unsigned cpus_dropped;             /* enabled, but beyond ACPI_CPU_MAX */
    bool pcat_compatible;              /* two 8259s are there and must be masked */
    uint32_t ioapics[ACPI_IOAPIC_MAX]; /* physical addresses of the I/O APICs' registers */
    unsigned ioapic_count;
    unsigned ioapics_dropped; /* beyond ACPI_IOAPIC_MAX */

    /* \_S5 from the DSDT or an SSDT, and the FADT's registers. A port of 0 is absent. */
    bool s5_found;
    uint8_t s5_type_a, s5_type_b; /* SLP_TYP, 3 bits each, for PM1a and PM1b */
    uint16_t pm1a_control, pm1b_control;
    uint16_t smi_command;
    uint8_t acpi_enable; /* write it to smi_command if SCI_EN (bit 0 of pm1a_control) is clear */
    uint32_t pm_timer_port;
    bool pm_timer_32bit; /* else it wraps at 24 bits; 3.579545 MHz */
    bool hardware_reduced;
    uint8_t sleep_control_space; /* hardware-reduced ACPI only; address 0 = absent */
    uint64_t sleep_control_address;
    bool reset_found;
    uint8_t reset_space, reset_value; /* ACPI_SPACE_... */
    uint64_t reset_address;

    /* SPCR: only when it describes a 16450 or 16550 with an address. */
    bool spcr_found;
    uint8_t spcr_space;          /* ACPI_SPACE_MEMORY or ACPI_SPACE_IO */
    uint8_t spcr_register_width; /* bits; 32 means a stride of 4 bytes */
    uint8_t spcr_access_size;    /* of the address structure: 0 not said, 1 byte, 2 word, 3 dword, 4 qword */
    uint64_t spcr_address;
    uint32_t spcr_baud; /* 0: leave as the firmware set it */

    uint64_t hpet_address; /* physical, 0 if none */

    char problem[128];      /* the first thing found wrong: table, address, what; empty if nothing */
    unsigned problem_count; /* how many things were wrong */
};

enum acpi_status {
    ACPI_OK,
    ACPI_NO_RSDP,       /* none handed over, none in the EBDA or the BIOS area */
    ACPI_BAD_RSDP,      /* one was found, but its checksum is wrong */
    ACPI_NO_ROOT_TABLE, /* neither XSDT nor RSDT is usable */
    ACPI_NO_MADT,       /* no MADT is listed */
    ACPI_BAD_MADT,      /* one is listed, but unreadable, too short or with a wrong checksum */
    ACPI_NO_CPUS,       /* the MADT has no enabled processor */
};

/*
 * Reads all tables. `rsdp_copy` is the loader's copy of the RSDP (rsdp_length bytes); length 0, or a copy
 * that is broken, makes it search the first KiB of the EBDA and 0xe0000..0xfffff. *out is always wholly
 * initialised and, whatever the status, holds everything that could be read: ACPI_NO_MADT may still come with
 * a way to switch off.
 */
enum acpi_status acpi_parse(struct acpi_info *out, const uint8_t *rsdp_copy, unsigned rsdp_length,
                            const struct acpi_reader *reader) must_check;

/* The status in words, for the console. Never NULL. */
const char *acpi_status_text(enum acpi_status status);

#endif
