/* SPDX-License-Identifier: MIT */
/* ACPI: finds and checks the tables, reads the processors from the MADT. ACPI Specification 6.5. */
#include "arch/x86/acpi_table.h"

#define RSDP_LENGTH_1    20 /* ACPI 1.0's part, with a checksum of its own */
#define RSDP_LENGTH_2    36
#define ROOT_ENTRIES_MAX 1024

/* "Initializing OSPM": where a BIOS may put the RSDP, on 16-byte boundaries. */
#define EBDA_SEGMENT_AT 0x40e
#define EBDA_LOWEST     0x80000
#define EBDA_SEARCHED   0x400
#define BIOS_AREA_BASE  0xe0000
#define BIOS_AREA_END   0x100000

#define MADT_LOCAL_APIC         0
#define MADT_IO_APIC            1
#define MADT_LOCAL_APIC_ADDRESS 5
#define MADT_LOCAL_X2APIC       9
#define MADT_ENABLED            1u
#define MADT_PCAT_COMPATIBLE    1u

static void add_cpu(struct acpi_info *out, uint32_t apic_id, uint32_t flags, bool x2apic_entry)
{
    uint32_t nobody = x2apic_entry ? 0xffffffff : 0xff;

    if (!(flags & MADT_ENABLED) || apic_id == nobody) {
        out->disabled_count++;
        return;
    }
    /* Firmware lists processors below 255 in both kinds of entries at times. */
    for (unsigned i = 0; i < out->cpu_count; i++) {
        if (out->cpus[i].apic_id == apic_id)
            return;
    }
    if (out->cpu_count >= ACPI_CPU_MAX) {
        out->cpus_dropped++;
        return;
    }
    out->cpus[out->cpu_count++] = (struct acpi_cpu){apic_id, x2apic_entry};
}

/* One interrupt controller structure of `length` bytes; false if that is too short for its type. */
static bool read_madt_entry(struct acpi_info *out, const uint8_t *entry, unsigned length)
{
    switch (entry[0]) {
    case MADT_LOCAL_APIC:
        if (length < 8)
            return false;
        add_cpu(out, entry[3], acpi_read32(entry + 4), false);
        return true;
    case MADT_IO_APIC:
        if (length < 12)
            return false;
        if (out->ioapic_count < ACPI_IOAPIC_MAX)
            out->ioapics[out->ioapic_count++] = acpi_read32(entry + 4);
        else
            out->ioapics_dropped++;
        return true;
    case MADT_LOCAL_APIC_ADDRESS:
        if (length < 12)
            return false;
        out->local_apic_address = acpi_read64(entry + 4);
        return true;
    case MADT_LOCAL_X2APIC:
        if (length < 16)
            return false;
        add_cpu(out, acpi_read32(entry + 4), acpi_read32(entry + 8), true);
        return true;
    default:
        return true;
    }
}

static bool read_madt(struct acpi_info *out, const struct acpi_table *madt)
{
    if (madt->length < 44) {
        acpi_problem(out, "APIC", madt->address, "the table is too short");
        return false;
    }
    out->local_apic_address = acpi_read32(madt->bytes + 36);
    out->pcat_compatible = (acpi_read32(madt->bytes + 40) & MADT_PCAT_COMPATIBLE) != 0;
    for (uint32_t at = 44; at < madt->length;) {
        const uint8_t *entry = madt->bytes + at;
        uint32_t left = madt->length - at;

        if (left < 2 || entry[1] < 2 || entry[1] > left) {
            acpi_problem(out, "APIC", madt->address,
                         "an entry has an impossible length; the rest is not read");
            break;
        }
        if (!read_madt_entry(out, entry, entry[1]))
            acpi_problem(out, "APIC", madt->address, "an entry is too short for its type and not used");
        at += entry[1];
    }
    return true;
}

/* The RSDT or XSDT: an array of 4- or 8-byte addresses behind the header. */
struct root {
    struct acpi_table table;
    unsigned entry_size, count;
};

static uint64_t root_entry(const struct root *root, unsigned index)
{
    const uint8_t *entry = root->table.bytes + ACPI_HEADER_LENGTH + (size_t)index * root->entry_size;

    return root->entry_size == 8 ? acpi_read64(entry) : acpi_read32(entry);
}

/* Calls for the table at a root entry what reads it. `ssdts`: only those, else all others. */
static void read_listed(struct acpi_info *out, const struct acpi_reader *reader, uint64_t address, bool ssdts,
                        enum acpi_status *madt_status)
{
    const uint8_t *signature = address == 0 ? NULL : acpi_read_at(reader, address, 4);
    struct acpi_table table;

    if (!signature) {
        if (!ssdts && address != 0)
            acpi_problem(out, "a listed table", address, "the address cannot be read");
        return;
    }
    if (ssdts) {
        if (__builtin_memcmp(signature, "SSDT", 4) == 0 &&
            acpi_load_table(out, reader, "SSDT", address, &table))
            acpi_scan_s5(out, &table);
    } else if (__builtin_memcmp(signature, "APIC", 4) == 0) {
        if (*madt_status == ACPI_OK)
            return;
        *madt_status = ACPI_BAD_MADT;
        if (acpi_load_table(out, reader, "APIC", address, &table) && read_madt(out, &table))
            *madt_status = ACPI_OK;
    } else if (__builtin_memcmp(signature, "FACP", 4) == 0) {
        if (acpi_load_table(out, reader, "FACP", address, &table))
            acpi_read_fadt(out, reader, &table);
    } else if (__builtin_memcmp(signature, "SPCR", 4) == 0) {
        if (acpi_load_table(out, reader, "SPCR", address, &table))
            acpi_read_spcr(out, &table);
    } else if (__builtin_memcmp(signature, "HPET", 4) == 0) {
        if (acpi_load_table(out, reader, "HPET", address, &table))
            acpi_read_hpet(out, &table);
    }
}

static bool load_root(struct acpi_info *out, const struct acpi_reader *reader, const char *name,
                      uint64_t address, unsigned entry_size, struct root *root)
{
    if (address == 0 || !acpi_load_table(out, reader, name, address, &root->table))
        return false;
    root->entry_size = entry_size;
    root->count = (root->table.length - ACPI_HEADER_LENGTH) / entry_size;
    if (root->count > ROOT_ENTRIES_MAX) {
        acpi_problem(out, name, address, "more entries than any machine has; the rest is not read");
        root->count = ROOT_ENTRIES_MAX;
    }
    return true;
}

/* The RSDP's 20 bytes, and what the longer form adds: 0 where that is absent or broken. */
struct rsdp {
    uint64_t address; /* 0 for the loader's copy */
    uint8_t revision;
    uint64_t rsdt, xsdt;
};

/* Checks an RSDP of `length` readable bytes. False if it cannot be used. */
static bool check_rsdp(struct acpi_info *out, const uint8_t *bytes, unsigned length, uint64_t address,
                       struct rsdp *rsdp)
{
    if (length < RSDP_LENGTH_1 || __builtin_memcmp(bytes, "RSD PTR ", 8) != 0 ||
        acpi_sum(bytes, RSDP_LENGTH_1) != 0)
        return false;
    *rsdp = (struct rsdp){.address = address, .revision = bytes[15], .rsdt = acpi_read32(bytes + 16)};
    if (rsdp->revision >= 2 && length >= RSDP_LENGTH_2) {
        if (acpi_read32(bytes + 20) == RSDP_LENGTH_2 && acpi_sum(bytes, RSDP_LENGTH_2) == 0)
            rsdp->xsdt = acpi_read64(bytes + 24);
        else
            acpi_problem(out, "RSDP", address, "the extended checksum or length is wrong; its RSDT is used");
    }
    return true;
}

/* Looks for a good RSDP in [base, end). *broken is set if there was one with a wrong checksum only. */
static bool search_rsdp(struct acpi_info *out, const struct acpi_reader *reader, uint64_t base, uint64_t end,
                        struct rsdp *rsdp, bool *broken)
{
    for (uint64_t at = base; at + RSDP_LENGTH_1 <= end; at += 16) {
        const uint8_t *bytes = acpi_read_at(reader, at, RSDP_LENGTH_1);

        if (!bytes || __builtin_memcmp(bytes, "RSD PTR ", 8) != 0)
            continue;
        const uint8_t *all = acpi_read_at(reader, at, RSDP_LENGTH_2);

        if (check_rsdp(out, all ? all : bytes, all ? RSDP_LENGTH_2 : RSDP_LENGTH_1, at, rsdp))
            return true;
        acpi_problem(out, "RSDP", at, "the checksum is wrong");
        *broken = true;
    }
    return false;
}

static enum acpi_status find_rsdp(struct acpi_info *out, const uint8_t *copy, unsigned length,
                                  const struct acpi_reader *reader, struct rsdp *rsdp)
{
    const uint8_t *segment = acpi_read_at(reader, EBDA_SEGMENT_AT, 2);
    uint64_t ebda = segment ? (uint64_t)acpi_read16(segment) << 4 : 0;
    bool broken = false;

    if (length > 0) {
        if (check_rsdp(out, copy, length, 0, rsdp))
            return ACPI_OK;
        acpi_problem(out, "the loader's RSDP", 0, "the checksum is wrong");
        broken = true;
    }
    if (ebda >= EBDA_LOWEST && ebda + EBDA_SEARCHED <= BIOS_AREA_END &&
        search_rsdp(out, reader, ebda, ebda + EBDA_SEARCHED, rsdp, &broken))
        return ACPI_OK;
    if (search_rsdp(out, reader, BIOS_AREA_BASE, BIOS_AREA_END, rsdp, &broken))
        return ACPI_OK;
    return broken ? ACPI_BAD_RSDP : ACPI_NO_RSDP;
}

enum acpi_status acpi_parse(struct acpi_info *out, const uint8_t *rsdp_copy, unsigned rsdp_length,
                            const struct acpi_reader *reader)
{
    enum acpi_status madt_status = ACPI_NO_MADT;
    struct rsdp rsdp;
    struct root root;

    __builtin_memset(out, 0, sizeof(*out));
    enum acpi_status status = find_rsdp(out, rsdp_copy, rsdp_length, reader, &rsdp);

    if (status != ACPI_OK)
        return status;
    out->found = true;
    out->revision = rsdp.revision;
    if (!load_root(out, reader, "XSDT", rsdp.xsdt, 8, &root) &&
        !load_root(out, reader, "RSDT", rsdp.rsdt, 4, &root))
        return ACPI_NO_ROOT_TABLE;

    for (unsigned i = 0; i < root.count; i++)
        read_listed(out, reader, root_entry(&root, i), false, &madt_status);
    /* The DSDT came with the FADT; only where it has no \_S5 are the SSDTs looked at. */
    for (unsigned i = 0; i < root.count && !out->s5_found; i++)
        read_listed(out, reader, root_entry(&root, i), true, &madt_status);
    return madt_status == ACPI_OK && out->cpu_count == 0 ? ACPI_NO_CPUS : madt_status;
}

const char *acpi_status_text(enum acpi_status status)
{
    switch (status) {
    case ACPI_OK:
        return "good";
    case ACPI_NO_RSDP:
        return "no RSDP: the firmware offers no ACPI";
    case ACPI_BAD_RSDP:
        return "the RSDP has a wrong checksum";
    case ACPI_NO_ROOT_TABLE:
        return "neither XSDT nor RSDT can be used";
    case ACPI_NO_MADT:
        return "no MADT is listed";
    case ACPI_BAD_MADT:
        return "the MADT is broken";
    case ACPI_NO_CPUS:
        return "the MADT lists no enabled processor";
    }
    return "unknown status";
}
