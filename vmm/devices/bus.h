/* SPDX-License-Identifier: MIT */
/*
 * Where a VM's devices answer: ranges of ports, ranges of memory, and which of the devices acts next. Pure.
 *
 * An access goes to the device at its first port, as wide as that device takes it; what is left goes on at
 * the next port. A part that lies beyond the range goes to whoever is there; only at the first port of a
 * range may an access reach over its end, so that a register wider than its ports (0xcf8) is one port here.
 * Where no device is, reads give all ones and writes go nowhere.
 */
#ifndef VMM_DEVICES_BUS_H
#define VMM_DEVICES_BUS_H

#include "arch/x86/compiler.h"
#include "vmm/devices/device.h"

#define BUS_PORT_RANGES   48u
#define BUS_PORT_PAGES    12u /* pages of 256 ports that have a device, and the empty one */
#define BUS_MEMORY_RANGES 8u
#define BUS_TIMERS        16u

struct bus {
    /* Port -> range in two steps, bounded: page_of[port >> 8], range_of[page][port & 0xff]. Range 0 and page
     * 0 are empty. */
    uint8_t page_of[256];
    uint8_t range_of[BUS_PORT_PAGES][256];
    struct device_ports ports[BUS_PORT_RANGES];
    struct device_memory memory[BUS_MEMORY_RANGES];
    struct device_timer timers[BUS_TIMERS];
    /* The timer of the device behind a range, counted from 1; 0: it has none. */
    uint8_t timer_of_ports[BUS_PORT_RANGES], timer_of_memory[BUS_MEMORY_RANGES];
    uint64_t moments[BUS_TIMERS]; /* what each device's `next` said last */
    uint64_t earliest;            /* no device wants bus_run() before this */
    uint8_t page_count, port_count, memory_count, timer_count;
    uint8_t memory_hint;  /* atomic: the range of memory that is looked at first */
    bool memory_overlaps; /* two ranges of memory do: the hint stays the first one */
};

/* An empty bus. */
void bus_init(struct bus *bus);

/*
 * Before the VM runs. false: a port or address has a device already, the width is none of 1, 2 and 4, or
 * there is no room; then nothing has changed.
 */
must_check bool bus_add_ports(struct bus *bus, const struct device_ports *ports);
must_check bool bus_add_memory(struct bus *bus, const struct device_memory *memory);
must_check bool bus_add_timer(struct bus *bus, const struct device_timer *timer);

/*
 * The range of the same device is now there, of size 0: nowhere. Where it lies over another one, the one that
 * was added first answers.
 */
void bus_move_memory(struct bus *bus, const struct device_memory *memory);

/*
 * An access of 1, 2 or 4 bytes. *name is the device's, that of the first one if the access was split among
 * several, NULL if there is none.
 */
uint32_t bus_port_read(struct bus *bus, uint16_t port, unsigned size, uint64_t now, const char **name);
void bus_port_write(struct bus *bus, uint16_t port, unsigned size, uint32_t value, uint64_t now,
                    const char **name);

/* `count` such accesses at one moment, the values in a row: little-endian, `size` bytes each. */
void bus_port_read_run(struct bus *bus, uint16_t port, unsigned size, uint8_t *bytes, unsigned count,
                       uint64_t now, const char **name);
void bus_port_write_run(struct bus *bus, uint16_t port, unsigned size, const uint8_t *bytes, unsigned count,
                        uint64_t now, const char **name);

/* The same for guest-physical memory and 1, 2, 4 or 8 bytes; what crosses a range's end goes byte by byte. */
uint64_t bus_memory_read(struct bus *bus, uint64_t gpa, unsigned size, uint64_t now, const char **name);
void bus_memory_write(struct bus *bus, uint64_t gpa, unsigned size, uint64_t value, uint64_t now,
                      const char **name);

/* Whether a device's memory is at this address. Any CPU. */
bool bus_has_memory(const struct bus *bus, uint64_t gpa);

/* The same of the range that is looked at first, alone. */
static inline bool bus_hint_has(const struct bus *bus, uint64_t gpa)
{
    const struct device_memory *memory = &bus->memory[__atomic_load_n(&bus->memory_hint, __ATOMIC_RELAXED)];

    return gpa - memory->gpa < memory->size;
}

/* The earliest moment at which a device wants bus_run(), DEVICE_NEVER for none. Any access may change it. */
static inline uint64_t bus_next(const struct bus *bus)
{
    return bus->earliest;
}

/* After an access to a device that did not go by its ranges, also one by another device. */
void bus_device_accessed(struct bus *bus, const void *device);

/* Runs what is due by `now`, also what becomes so by what runs. */
void bus_run(struct bus *bus, uint64_t now);

#endif
