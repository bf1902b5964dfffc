/* SPDX-License-Identifier: MIT */
/* The BIOS's beginning, and which service each interrupt is. */
#include "vmm/bios/bios.h"

/* Equipment: 0 diskette, 1 coprocessor, 5:4 = 2 colour 80 columns; 11:9 serial ports are added later. */
#define EQUIPMENT_FLOPPY      0x0001u
#define EQUIPMENT_COPROCESSOR 0x0002u
#define EQUIPMENT_COLOUR_80   0x0020u

#define VECTOR_FLOPPY_PARAMETERS 0x1eu
#define VECTOR_FONT_UPPER_8X8    0x1fu
#define VECTOR_DISK_PARAMETERS   0x41u
#define VECTOR_FONT              0x43u

#define BOOT_BYTES 0x8000u /* copied between two looks at the clock */

#define KEYBOARD_ENHANCED 0x10u /* BDA_KEYBOARD_MODE: 101 or 102 keys */

uint8_t bios_read8(struct bios_call *call, uint32_t linear)
{
    uint8_t value;

    return call->access->read(call->context, linear, &value, sizeof(value)) ? value : 0xff;
}

uint16_t bios_read16(struct bios_call *call, uint32_t linear)
{
    return (uint16_t)(bios_read8(call, linear) | bios_read8(call, linear + 1) << 8);
}

uint32_t bios_read32(struct bios_call *call, uint32_t linear)
{
    return bios_read16(call, linear) | (uint32_t)bios_read16(call, linear + 2) << 16;
}

void bios_write8(struct bios_call *call, uint32_t linear, uint8_t value)
{
    (void)call->access->write(call->context, linear, &value, sizeof(value));
}

void bios_write16(struct bios_call *call, uint32_t linear, uint16_t value)
{
    const uint8_t bytes[] = {(uint8_t)value, (uint8_t)(value >> 8)};

    (void)call->access->write(call->context, linear, bytes, sizeof(bytes));
}

void bios_write32(struct bios_call *call, uint32_t linear, uint32_t value)
{
    bios_write16(call, linear, (uint16_t)value);
    bios_write16(call, linear + 2, (uint16_t)(value >> 16));
}

static void set_vector(struct bios_call *call, unsigned vector, uint16_t segment, uint16_t offset)
{
    bios_write16(call, vector * 4, offset);
    bios_write16(call, vector * 4 + 2, segment);
}

static void set_vectors(struct bios_call *call)
{
    for (unsigned vector = 0; vector < 256; vector++)
        set_vector(call, vector, call->bios->code_segment, call->bios->rom.vectors[vector]);
    set_vector(call, VECTOR_FLOPPY_PARAMETERS, call->bios->code_segment, call->bios->rom.floppy_parameters);
    /* INT 1Fh points to the glyphs from 80h on. */
    set_vector(call, VECTOR_FONT_UPPER_8X8, call->bios->code_segment,
               (uint16_t)(call->bios->rom.font_8x8 + 128 * 8));
    set_vector(call, VECTOR_FONT, call->bios->code_segment, call->bios->rom.font_8x16);
    set_vector(call, VECTOR_DISK_PARAMETERS, EBDA_SEGMENT, EBDA_DISK_PARAMETERS);
}

/* The table that INT 41h points to. IBM PC/AT Technical Reference, "Fixed disk parameter table". */
static void set_disk_table(struct bios_call *call)
{
    uint32_t table = (EBDA_SEGMENT << 4) + EBDA_DISK_PARAMETERS;

    bios_write16(call, table, (uint16_t)call->bios->disk.cylinders);
    bios_write8(call, table + 2, (uint8_t)call->bios->disk.heads);
    bios_write16(call, table + 5, 0xffff); /* no write precompensation */
    bios_write8(call, table + 8, call->bios->disk.heads > 8 ? 8 : 0);
    bios_write16(call, table + 12, (uint16_t)call->bios->disk.cylinders); /* landing zone */
    bios_write8(call, table + 14, (uint8_t)call->bios->disk.per_track);
}

static void set_keyboard(struct bios_call *call)
{
    bios_write16(call, BDA_KEYBOARD_HEAD, BDA_KEYBOARD_BUFFER_OFFSET);
    bios_write16(call, BDA_KEYBOARD_TAIL, BDA_KEYBOARD_BUFFER_OFFSET);
    bios_write16(call, BDA_KEYBOARD_START, BDA_KEYBOARD_BUFFER_OFFSET);
    bios_write16(call, BDA_KEYBOARD_END, BDA_KEYBOARD_BUFFER_END);
    bios_write8(call, BDA_KEYBOARD_MODE, KEYBOARD_ENHANCED);
}

void bios_start(struct bios_call *call)
{
    bool floppy = call->bios->has_disk && call->bios->disk.floppy_type != 0;

    set_vectors(call);
    bios_write16(call, BDA_EBDA_SEGMENT, EBDA_SEGMENT);
    bios_write16(call, BDA_EQUIPMENT,
                 (uint16_t)(EQUIPMENT_COPROCESSOR | EQUIPMENT_COLOUR_80 | (floppy ? EQUIPMENT_FLOPPY : 0)));
    bios_write16(call, BDA_MEMORY_KIB, (uint16_t)guest_memory_map_lower(&call->bios->map));
    bios_write8(call, EBDA_SEGMENT << 4, EBDA_KIB);
    for (unsigned i = 0; i < 4; i++) {
        bios_write8(call, BDA_PRINTER_TIMEOUTS + i, 0x14);
        bios_write8(call, BDA_SERIAL_TIMEOUTS + i, 1);
    }
    if (call->bios->has_disk && !floppy) {
        bios_write8(call, BDA_DISK_COUNT, 1);
        set_disk_table(call);
    }
    set_keyboard(call);
    bios_start_devices(call);
    bios_video_start(call);
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

enum bios_outcome bios_missing(struct bios_call *call, struct bios_registers *registers, unsigned vector,
                               uint8_t error)
{
    unsigned function = bios_high(registers->eax);
    uint32_t *known = &call->bios->missing_known[family(vector) * (256 / 32) + function / 32];

    call->missing = true;
    call->missing_first = !(*known >> (function % 32) & 1);
    *known |= UINT32_C(1) << (function % 32);
    bios_set_high(&registers->eax, error);
    bios_flag(registers, FLAGS_CF, true);
    return BIOS_RETURN;
}

/* INT 19h: EBX gets where to go, CS:IP, and DL the drive. Progress: bytes. */
static enum bios_outcome boot(struct bios_call *call, struct bios_registers *registers)
{
    const struct bios *bios = call->bios;
    uint64_t done = registers->progress;

    while (bios->has_disk && done < bios->load_length) {
        size_t size = bios->load_length - done < BOOT_BYTES ? (size_t)(bios->load_length - done) : BOOT_BYTES;

        if (!call->access->write(call->context, (uint32_t)(bios->load + done), bios->disk.bytes + done, size))
            break;
        done += size;
        if (done < bios->load_length && call->access->is_late(call->context)) {
            registers->progress = (uint32_t)done;
            return BIOS_AGAIN;
        }
    }
    if (!bios->has_disk || done < bios->load_length) {
        call->access->end(call->context, "no drive to boot from", 0x19, registers->cs, registers->ip);
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
static enum bios_outcome exception(struct bios_call *call, unsigned vector, struct bios_registers *registers)
{
    uint32_t at = ((uint32_t)registers->cs << 4) + registers->ip;

    if (registers->ip >= 2 && bios_read16(call, at - 2) == (vector << 8 | 0xcd))
        return BIOS_RETURN;
    call->access->end(call->context, "exception without a handler", vector, registers->cs, registers->ip);
    return BIOS_RETURN;
}

enum bios_outcome bios_interrupt(struct bios_call *call, unsigned vector, struct bios_registers *registers)
{
    switch (vector) {
    case 0x08:
        bios_time_tick(call);
        return BIOS_RETURN;
    case 0x09:
        return bios_scan_code(call, registers);
    case 0x10:
        return bios_video(call, registers);
    case 0x11:
        return bios_equipment(call, registers);
    case 0x12:
        return bios_low_memory(call, registers);
    case 0x13:
        return bios_disk(call, registers);
    case 0x15:
        return bios_system(call, registers);
    case 0x16:
        return bios_keyboard(call, registers);
    case 0x17: /* no printer: it is busy for ever */
        bios_set_high(&registers->eax, 1);
        return BIOS_RETURN;
    case 0x18:
        call->access->end(call->context, "nothing to boot", vector, registers->cs, registers->ip);
        return BIOS_RETURN;
    case 0x19:
        return boot(call, registers);
    case 0x1a:
        return bios_time(call, registers);
    default:
        return exception(call, vector, registers);
    }
}
