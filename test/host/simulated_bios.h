/* SPDX-License-Identifier: MIT */
/* A machine for the BIOS's services: 2 MiB of memory, a drive, and what was printed. Linear is physical. */
#ifndef TEST_SIMULATED_BIOS_H
#define TEST_SIMULATED_BIOS_H

#include <string.h>

#include "vmm/bios/bios.h"

#define SIMULATED_MEMORY 0x200000u
#define SIMULATED_DRIVE  64u /* sectors */

struct simulated_bios {
    struct bios bios;
    struct bios_access access; /* a test may put its own in */
    struct bios_call call;     /* the last one: its time is the next one's, its results stay */
    uint8_t memory[SIMULATED_MEMORY];
    uint8_t drive[SIMULATED_DRIVE * DISK_SECTOR_SIZE];
    uint8_t ports[0x10000]; /* each keeps what it is given */
    uint8_t crtc[256];      /* behind 3d4h and 3d5h */
    uint8_t cmos[128];      /* behind 70h and 71h */
    char printed[512];
    unsigned printed_length;
    unsigned patience; /* after so many looks it is late, once; 0: never */
    const char *ended; /* why, NULL: it has not */
    unsigned ended_vector;
};

static inline bool simulated_inside(uint64_t address, size_t length)
{
    return length <= SIMULATED_MEMORY && address <= SIMULATED_MEMORY - length;
}

static inline bool simulated_read_physical(void *context, uint64_t address, void *buffer, size_t length)
{
    if (!simulated_inside(address, length))
        return false;
    memcpy(buffer, ((struct simulated_bios *)context)->memory + address, length);
    return true;
}

static inline bool simulated_write_physical(void *context, uint64_t address, const void *buffer,
                                            size_t length)
{
    if (!simulated_inside(address, length))
        return false;
    memcpy(((struct simulated_bios *)context)->memory + address, buffer, length);
    return true;
}

static inline bool simulated_read(void *context, uint32_t linear, void *buffer, size_t length)
{
    return simulated_read_physical(context, linear, buffer, length);
}

static inline bool simulated_write(void *context, uint32_t linear, const void *buffer, size_t length)
{
    return simulated_write_physical(context, linear, buffer, length);
}

static inline uint8_t simulated_port_read(void *context, uint16_t port)
{
    struct simulated_bios *machine = context;

    return port == 0x71 ? machine->cmos[machine->ports[0x70] & 127] : machine->ports[port];
}

static inline void simulated_port_write(void *context, uint16_t port, uint8_t value)
{
    struct simulated_bios *machine = context;

    if (port == 0x3d5)
        machine->crtc[machine->ports[0x3d4]] = value;
    if (port != 0x2ef) /* no scratch register: the fourth serial port is not there */
        machine->ports[port] = value;
}

static inline void simulated_put(void *context, char character)
{
    struct simulated_bios *machine = context;

    if (machine->printed_length < sizeof(machine->printed) - 1)
        machine->printed[machine->printed_length++] = character;
}

static inline bool simulated_is_late(void *context)
{
    struct simulated_bios *machine = context;

    return machine->patience != 0 && --machine->patience == 0;
}

static inline void simulated_end(void *context, const char *why, unsigned vector, uint16_t cs, uint16_t ip)
{
    struct simulated_bios *machine = context;

    (void)cs;
    (void)ip;
    machine->ended = why;
    machine->ended_vector = vector;
}

/* As after POST, with a hard disk. */
static inline void simulated_bios_start(struct simulated_bios *machine)
{
    struct bios *bios = &machine->bios;

    memset(machine, 0, sizeof(*machine));
    machine->access = (struct bios_access){.read = simulated_read,
                                           .write = simulated_write,
                                           .read_physical = simulated_read_physical,
                                           .write_physical = simulated_write_physical,
                                           .port_read = simulated_port_read,
                                           .port_write = simulated_port_write,
                                           .put = simulated_put,
                                           .is_late = simulated_is_late,
                                           .end = simulated_end};
    machine->call = (struct bios_call){.bios = bios, .access = &machine->access, .context = machine};
    bios->code_segment = 0xf000;
    for (unsigned i = 0; i < 256; i++)
        bios->rom.vectors[i] = (uint16_t)(0x1000 + i);
    bios->rom.floppy_parameters = 0x3000;
    bios->rom.configuration = 0x3010;
    bios->rom.font_8x16 = 0xd000;
    bios->rom.font_8x8 = 0xe000;
    bios->map = (struct guest_memory_map){
        .ranges = {{0, 0x9fc00, 1}, {0x9fc00, 0x400, 2}, {0xc0000, 0x40000, 2}, {0x100000, 0x3f00000, 1}},
        .count = 4};
    for (unsigned i = 0; i < SIMULATED_DRIVE; i++)
        memset(machine->drive + i * DISK_SECTOR_SIZE, (int)i, DISK_SECTOR_SIZE);
    guest_disk_hard_disk(&bios->disk, machine->drive, sizeof(machine->drive));
    bios->disk.bytes = machine->drive;
    bios->has_disk = true;
    bios->load = 0x7c00;
    bios->load_length = DISK_SECTOR_SIZE;
    bios->entry_ip = 0x7c00;
    machine->cmos[4] = 0x12; /* the clock: 12:34:56 */
    machine->cmos[2] = 0x34;
    machine->cmos[0] = 0x56;
    machine->cmos[0x0d] = 0x80;
    bios_start(&machine->call);
}

/* Calls an interrupt with these registers; DS and ES are 0. */
static inline enum bios_outcome simulated_interrupt(struct simulated_bios *machine, unsigned vector,
                                                    struct bios_registers *registers)
{
    machine->call.missing = machine->call.missing_first = false;
    return bios_interrupt(&machine->call, vector, registers);
}

#endif
