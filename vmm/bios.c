/* SPDX-License-Identifier: MIT */
/* The BIOS's beginning, and which service each interrupt is. */
#include "vmm/bios.h"

/* Equipment: 0 diskette, 1 coprocessor, 5:4 = 2 colour 80 columns; 11:9 serial ports are added later. */
#define EQUIPMENT_FLOPPY      0x0001u
#define EQUIPMENT_COPROCESSOR 0x0002u
#define EQUIPMENT_COLOUR_80   0x0020u

#define VECTOR_FLOPPY_PARAMETERS 0x1eu
#define VECTOR_FONT_UPPER_8X8    0x1fu
#define VECTOR_DISK_PARAMETERS   0x41u
#define VECTOR_FONT              0x43u

#define KEYBOARD_ENHANCED 0x10u /* BDA_KEYBOARD_MODE: 101 or 102 keys */

uint8_t bios_read8(struct bios *bios, uint32_t linear)
{
    uint8_t value;

    return bios->access.read(bios->access.context, linear, &value, sizeof(value)) ? value : 0xff;
}

uint16_t bios_read16(struct bios *bios, uint32_t linear)
{
    return (uint16_t)(bios_read8(bios, linear) | bios_read8(bios, linear + 1) << 8);
}

uint32_t bios_read32(struct bios *bios, uint32_t linear)
{
    return bios_read16(bios, linear) | (uint32_t)bios_read16(bios, linear + 2) << 16;
}

void bios_write8(struct bios *bios, uint32_t linear, uint8_t value)
{
    (void)bios->access.write(bios->access.context, linear, &value, sizeof(value));
}

void bios_write16(struct bios *bios, uint32_t linear, uint16_t value)
{
    const uint8_t bytes[] = {(uint8_t)value, (uint8_t)(value >> 8)};

    (void)bios->access.write(bios->access.context, linear, bytes, sizeof(bytes));
}

void bios_write32(struct bios *bios, uint32_t linear, uint32_t value)
{
    bios_write16(bios, linear, (uint16_t)value);
    bios_write16(bios, linear + 2, (uint16_t)(value >> 16));
}

static void set_vector(struct bios *bios, unsigned vector, uint16_t segment, uint16_t offset)
{
    bios_write16(bios, vector * 4, offset);
    bios_write16(bios, vector * 4 + 2, segment);
}

static void set_vectors(struct bios *bios)
{
    for (unsigned vector = 0; vector < 256; vector++)
        set_vector(bios, vector, bios->code_segment, bios->rom.vectors[vector]);
    set_vector(bios, VECTOR_FLOPPY_PARAMETERS, bios->code_segment, bios->rom.floppy_parameters);
    /* INT 1Fh points to the glyphs from 80h on. */
    set_vector(bios, VECTOR_FONT_UPPER_8X8, bios->code_segment, (uint16_t)(bios->rom.font_8x8 + 128 * 8));
    set_vector(bios, VECTOR_FONT, bios->code_segment, bios->rom.font_8x16);
    set_vector(bios, VECTOR_DISK_PARAMETERS, EBDA_SEGMENT, EBDA_DISK_PARAMETERS);
}

/* The table that INT 41h points to. IBM PC/AT Technical Reference, "Fixed disk parameter table". */
static void set_disk_table(struct bios *bios)
{
    uint32_t table = (EBDA_SEGMENT << 4) + EBDA_DISK_PARAMETERS;

    bios_write16(bios, table, (uint16_t)bios->disk.cylinders);
    bios_write8(bios, table + 2, (uint8_t)bios->disk.heads);
    bios_write16(bios, table + 5, 0xffff); /* no write precompensation */
    bios_write8(bios, table + 8, bios->disk.heads > 8 ? 8 : 0);
    bios_write16(bios, table + 12, (uint16_t)bios->disk.cylinders); /* landing zone */
    bios_write8(bios, table + 14, (uint8_t)bios->disk.per_track);
}

static void set_keyboard(struct bios *bios)
{
    bios_write16(bios, BDA_KEYBOARD_HEAD, BDA_KEYBOARD_BUFFER_OFFSET);
    bios_write16(bios, BDA_KEYBOARD_TAIL, BDA_KEYBOARD_BUFFER_OFFSET);
    bios_write16(bios, BDA_KEYBOARD_START, BDA_KEYBOARD_BUFFER_OFFSET);
    bios_write16(bios, BDA_KEYBOARD_END, BDA_KEYBOARD_BUFFER_END);
    bios_write8(bios, BDA_KEYBOARD_MODE, KEYBOARD_ENHANCED);
}

void bios_start(struct bios *bios)
{
    bool floppy = bios->has_disk && bios->disk.floppy_type != 0;

    set_vectors(bios);
    bios_write16(bios, BDA_EBDA_SEGMENT, EBDA_SEGMENT);
    bios_write16(bios, BDA_EQUIPMENT,
                 (uint16_t)(EQUIPMENT_COPROCESSOR | EQUIPMENT_COLOUR_80 | (floppy ? EQUIPMENT_FLOPPY : 0)));
    bios_write16(bios, BDA_MEMORY_KIB, (uint16_t)guest_memory_map_lower(&bios->map));
    bios_write8(bios, EBDA_SEGMENT << 4, EBDA_KIB);
    for (unsigned i = 0; i < 4; i++) {
        bios_write8(bios, BDA_PRINTER_TIMEOUTS + i, 0x14);
        bios_write8(bios, BDA_SERIAL_TIMEOUTS + i, 1);
    }
    if (bios->has_disk && !floppy) {
        bios_write8(bios, BDA_DISK_COUNT, 1);
        set_disk_table(bios);
    }
    set_keyboard(bios);
    bios_start_devices(bios);
    bios_video_start(bios);
}

static unsigned family(unsigned vector)
{
    switch (vector) {
    case 0x10:
        return 0;
    case 0x13:
        return 1;
    case 0x15:
        return 2;
    case 0x16:
        return 3;
    case 0x1a:
        return 4;
    default:
        return 5;
    }
}

enum bios_outcome bios_missing(struct bios *bios, struct bios_registers *registers, unsigned vector,
                               uint8_t error)
{
    unsigned function = bios_high(registers->eax);
    uint32_t *known = &bios->missing_known[family(vector) * (256 / 32) + function / 32];

    bios->missing = true;
    bios->missing_first = !(*known >> (function % 32) & 1);
    *known |= UINT32_C(1) << (function % 32);
    bios_set_high(&registers->eax, error);
    bios_flag(registers, FLAGS_CF, true);
    return BIOS_RETURN;
}

/* INT 19h: EBX gets where to go, CS:IP, and DL the drive. */
static enum bios_outcome boot(struct bios *bios, struct bios_registers *registers)
{
    if (!bios->has_disk ||
        !bios->access.write(bios->access.context, bios->load, bios->disk.bytes, (size_t)bios->load_length)) {
        bios->access.end(bios->access.context, "no drive to boot from", 0x19, registers->cs, registers->ip);
        return BIOS_RETURN;
    }
    registers->ebx = (uint32_t)bios->entry_cs << 16 | bios->entry_ip;
    registers->edx = bios->disk.number;
    return BIOS_RETURN;
}

/*
 * A vector of exceptions whose handler nobody has replaced. INT n brings a program here too, and returns;
 * what an exception returns to is the instruction that raised it, without end.
 */
static enum bios_outcome exception(struct bios *bios, unsigned vector, struct bios_registers *registers)
{
    uint32_t at = ((uint32_t)registers->cs << 4) + registers->ip;

    if (registers->ip >= 2 && bios_read16(bios, at - 2) == (vector << 8 | 0xcd))
        return BIOS_RETURN;
    bios->access.end(bios->access.context, "exception without a handler", vector, registers->cs,
                     registers->ip);
    return BIOS_RETURN;
}

enum bios_outcome bios_interrupt(struct bios *bios, unsigned vector, struct bios_registers *registers)
{
    bios->missing = bios->missing_first = false;
    switch (vector) {
    case 0x08:
        bios_time_tick(bios);
        return BIOS_RETURN;
    case 0x09:
        return bios_scan_code(bios, registers);
    case 0x10:
        return bios_video(bios, registers);
    case 0x11:
        return bios_equipment(bios, registers);
    case 0x12:
        return bios_low_memory(bios, registers);
    case 0x13:
        return bios_disk(bios, registers);
    case 0x15:
        return bios_system(bios, registers);
    case 0x16:
        return bios_keyboard(bios, registers);
    case 0x17: /* no printer: it is busy for ever */
        bios_set_high(&registers->eax, 1);
        return BIOS_RETURN;
    case 0x18:
        bios->access.end(bios->access.context, "nothing to boot", vector, registers->cs, registers->ip);
        return BIOS_RETURN;
    case 0x19:
        return boot(bios, registers);
    case 0x1a:
        return bios_time(bios, registers);
    default:
        return exception(bios, vector, registers);
    }
}
