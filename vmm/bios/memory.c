/* SPDX-License-Identifier: MIT */
/* INT 11h, 12h and 15h: what the machine has, its memory, A20, moving blocks, waiting. */
#include "vmm/bios/bios.h"

#define ERROR_NO_FUNCTION 0x86u
#define ERROR_A20_FIXED   0x02u /* the gate cannot be closed */
#define SMAP              0x534d4150u
#define E820_SIZE         20u
#define KIB_15_MIB        0x3c00u
#define KIB_64_MIB        0xffffu
#define BLOCK_WORDS_MAX   0x8000u
#define A20_OPEN          1u
#define A20_BY_ALL        3u /* keyboard controller, port 92h */

/* AH=87h: a table of six descriptors at ES:SI; the third is the source, the fourth the target. */
#define BLOCK_SOURCE 0x10u
#define BLOCK_TARGET 0x18u
#define BLOCK_PIECE  512u

enum bios_outcome bios_equipment(struct bios_call *call, struct bios_registers *r)
{
    bios_set16(&r->eax, bios_read16(call, BDA_EQUIPMENT));
    return BIOS_RETURN;
}

enum bios_outcome bios_low_memory(struct bios_call *call, struct bios_registers *r)
{
    bios_set16(&r->eax, bios_read16(call, BDA_MEMORY_KIB));
    return BIOS_RETURN;
}

static enum bios_outcome done(struct bios_registers *r)
{
    bios_set_high(&r->eax, 0);
    bios_flag(r, FLAGS_CF, false);
    return BIOS_RETURN;
}

static enum bios_outcome fail(struct bios_registers *r, uint8_t error)
{
    bios_set_high(&r->eax, error);
    bios_flag(r, FLAGS_CF, true);
    return BIOS_RETURN;
}

/* ACPI Specification, "INT 15H, E820H": EBX counts ranges, 0 begins and ends. */
static enum bios_outcome memory_map(struct bios_call *call, struct bios_registers *r)
{
    uint32_t index = r->ebx, to = r->es_base + (uint16_t)r->edi;
    const struct guest_memory_range *range;

    if (r->edx != SMAP || r->ecx < E820_SIZE || index >= call->bios->map.count)
        return fail(r, ERROR_NO_FUNCTION);
    range = &call->bios->map.ranges[index];
    bios_write32(call, to, (uint32_t)range->base);
    bios_write32(call, to + 4, (uint32_t)(range->base >> 32));
    bios_write32(call, to + 8, (uint32_t)range->length);
    bios_write32(call, to + 12, (uint32_t)(range->length >> 32));
    bios_write32(call, to + 16, range->type);
    r->eax = SMAP;
    r->ecx = E820_SIZE;
    r->ebx = index + 1 < call->bios->map.count ? index + 1 : 0;
    bios_flag(r, FLAGS_CF, false);
    return BIOS_RETURN;
}

/* AX=E801h: KiB between 1 and 16 MiB, then blocks of 64 KiB above 16 MiB. */
static enum bios_outcome memory_sizes(struct bios_call *call, struct bios_registers *r)
{
    uint32_t upper = guest_memory_map_upper(&call->bios->map);
    uint32_t low = upper > KIB_15_MIB ? KIB_15_MIB : upper;
    uint32_t blocks = (upper - low) / 64;

    bios_set16(&r->eax, (uint16_t)low);
    bios_set16(&r->ecx, (uint16_t)low);
    bios_set16(&r->ebx, (uint16_t)blocks);
    bios_set16(&r->edx, (uint16_t)blocks);
    bios_flag(r, FLAGS_CF, false);
    return BIOS_RETURN;
}

static uint32_t descriptor_base(struct bios_call *call, uint32_t at)
{
    return (bios_read32(call, at + 2) & 0xffffffu) | (uint32_t)bios_read8(call, at + 7) << 24;
}

/* AH=87h: CX words between any two places in memory. Progress: bytes. */
static enum bios_outcome move_block(struct bios_call *call, struct bios_registers *r)
{
    uint32_t table = r->es_base + (uint16_t)r->esi, length = (uint16_t)r->ecx * 2u;
    uint32_t from = descriptor_base(call, table + BLOCK_SOURCE);
    uint32_t to = descriptor_base(call, table + BLOCK_TARGET);
    uint8_t piece[BLOCK_PIECE];
    uint32_t moved = r->progress < length ? r->progress : 0;

    if ((uint16_t)r->ecx > BLOCK_WORDS_MAX)
        return fail(r, ERROR_NO_FUNCTION);
    from += moved;
    to += moved;
    length -= moved;
    r->progress = 0;
    while (length > 0) {
        uint32_t size = length < sizeof(piece) ? length : (uint32_t)sizeof(piece);

        if (!call->access->read_physical(call->context, from, piece, size) ||
            !call->access->write_physical(call->context, to, piece, size))
            return fail(r, 2); /* exception */
        from += size;
        to += size;
        length -= size;
        moved += size;
        if (length > 0 && call->access->is_late(call->context)) {
            r->progress = moved;
            return BIOS_AGAIN;
        }
    }
    return done(r);
}

static enum bios_outcome a20(struct bios_call *call, struct bios_registers *r)
{
    switch (r->eax & 0xff) {
    case 0: /* a guest's address lines are all there always */
        return fail(r, ERROR_A20_FIXED);
    case 1:
        return done(r);
    case 2:
        bios_set8(&r->eax, A20_OPEN);
        return done(r);
    case 3:
        bios_set16(&r->ebx, A20_BY_ALL);
        return done(r);
    default:
        return bios_missing(call, r, 0x15, ERROR_NO_FUNCTION);
    }
}

/* AH=86h: CX:DX microseconds. The stub asks again and again until they have passed. */
static enum bios_outcome wait(struct bios_call *call, struct bios_registers *r)
{
    uint32_t caller = (uint32_t)r->cs << 16 | r->ip;

    /* Another caller's wait, which was never called for again, is over. */
    if (call->bios->wait_until_us == 0 || call->bios->wait_caller != caller)
        call->bios->wait_until_us = call->time_us + ((uint64_t)(uint16_t)r->ecx << 16 | (uint16_t)r->edx) + 1;
    call->bios->wait_caller = caller;
    if (call->time_us < call->bios->wait_until_us)
        return BIOS_AGAIN;
    call->bios->wait_until_us = 0;
    return done(r);
}

static enum bios_outcome configuration(struct bios_call *call, struct bios_registers *r)
{
    r->es = call->bios->code_segment;
    r->set_es = true;
    bios_set16(&r->ebx, call->bios->rom.configuration);
    return done(r);
}

static enum bios_outcome extended_memory(struct bios_call *call, struct bios_registers *r)
{
    uint32_t upper = guest_memory_map_upper(&call->bios->map);

    bios_set16(&r->eax, (uint16_t)(upper > KIB_64_MIB ? KIB_64_MIB : upper));
    bios_flag(r, FLAGS_CF, false);
    return BIOS_RETURN;
}

enum bios_outcome bios_system(struct bios_call *call, struct bios_registers *r)
{
    switch (bios_high(r->eax)) {
    case 0x24:
        return a20(call, r);
    case 0x4f: /* a program may replace a scan code here; nobody does */
        bios_flag(r, FLAGS_CF, true);
        return BIOS_RETURN;
    case 0x80: /* device opened, closed, program ended, waiting for a device: for operating systems */
    case 0x81:
    case 0x82:
    case 0x90:
    case 0x91:
        return done(r);
    case 0x86:
        return wait(call, r);
    case 0x87:
        return move_block(call, r);
    case 0x88:
        return extended_memory(call, r);
    case 0xc0:
        return configuration(call, r);
    case 0xc1:
        r->es = bios_read16(call, BDA_EBDA_SEGMENT);
        r->set_es = true;
        bios_flag(r, FLAGS_CF, false);
        return BIOS_RETURN;
    case 0xe8:
        if ((uint8_t)r->eax == 0x20)
            return memory_map(call, r);
        if ((uint8_t)r->eax == 0x01)
            return memory_sizes(call, r);
        break;
    }
    return bios_missing(call, r, 0x15, ERROR_NO_FUNCTION);
}
