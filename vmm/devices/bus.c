/* SPDX-License-Identifier: MIT */
/* Ports, memory and deadlines of a VM's devices. */
#include "vmm/devices/bus.h"

#define NO_DEVICE_BYTE 0xffu

void bus_init(struct bus *bus)
{
    *bus = (struct bus){.page_count = 1, .port_count = 1, .earliest = DEVICE_NEVER};
}

static const struct device_ports *ports_at(const struct bus *bus, uint16_t port)
{
    return &bus->ports[bus->range_of[bus->page_of[port >> 8]][port & 0xff]];
}

/* The number of a device's timer, counted from 1. */
static uint8_t timer_of(const struct bus *bus, const void *device)
{
    for (unsigned i = 0; i < bus->timer_count; i++)
        if (bus->timers[i].device == device)
            return (uint8_t)(i + 1);
    return 0;
}

/* Fixes the earliest of all moments. */
static void set_earliest(struct bus *bus)
{
    uint64_t earliest = DEVICE_NEVER;

    for (unsigned i = 0; i < bus->timer_count; i++)
        if (bus->moments[i] < earliest)
            earliest = bus->moments[i];
    bus->earliest = earliest;
}

/* The device behind a range was accessed: it may want to be called at another moment now. */
static inline void accessed(struct bus *bus, unsigned timer)
{
    uint64_t moment, old;

    if (timer == 0)
        return;
    moment = bus->timers[timer - 1].next(bus->timers[timer - 1].device);
    old = bus->moments[timer - 1];
    if (likely(moment == old))
        return;
    bus->moments[timer - 1] = moment;
    if (moment < bus->earliest)
        bus->earliest = moment;
    else if (old == bus->earliest)
        set_earliest(bus);
}

void bus_device_accessed(struct bus *bus, const void *device)
{
    accessed(bus, timer_of(bus, device));
}

bool bus_add_ports(struct bus *bus, const struct device_ports *ports)
{
    unsigned new_pages = 0;

    if (bus->port_count == BUS_PORT_RANGES || ports->last < ports->first ||
        (ports->width != 1 && ports->width != 2 && ports->width != 4))
        return false;
    for (unsigned port = ports->first; port <= ports->last; port++)
        if (ports_at(bus, (uint16_t)port)->read != NULL)
            return false;
    for (unsigned page = ports->first >> 8; page <= ports->last >> 8; page++)
        new_pages += bus->page_of[page] == 0;
    if (bus->page_count + new_pages > BUS_PORT_PAGES)
        return false;
    bus->ports[bus->port_count] = *ports;
    bus->timer_of_ports[bus->port_count] = timer_of(bus, ports->device);
    for (unsigned port = ports->first; port <= ports->last; port++) {
        if (bus->page_of[port >> 8] == 0)
            bus->page_of[port >> 8] = bus->page_count++;
        bus->range_of[bus->page_of[port >> 8]][port & 0xff] = bus->port_count;
    }
    bus->port_count++;
    return true;
}

static bool overlap(const struct device_memory *one, const struct device_memory *other)
{
    return one->size != 0 && other->size != 0 && one->gpa <= other->gpa + (other->size - 1) &&
           other->gpa <= one->gpa + (one->size - 1);
}

bool bus_add_memory(struct bus *bus, const struct device_memory *memory)
{
    if (bus->memory_count == BUS_MEMORY_RANGES || memory->size == 0 ||
        memory->gpa + (memory->size - 1) < memory->gpa)
        return false;
    for (unsigned i = 0; i < bus->memory_count; i++)
        if (overlap(memory, &bus->memory[i]))
            return false;
    bus->timer_of_memory[bus->memory_count] = timer_of(bus, memory->device);
    bus->memory[bus->memory_count++] = *memory;
    return true;
}

void bus_move_memory(struct bus *bus, const struct device_memory *memory)
{
    bool overlaps = false;

    for (unsigned i = 0; i < bus->memory_count; i++) {
        if (bus->memory[i].device == memory->device) {
            bus->memory[i].gpa = memory->gpa;
            bus->memory[i].size = memory->size;
        }
        for (unsigned other = 0; other < i; other++)
            overlaps = overlaps || overlap(&bus->memory[i], &bus->memory[other]);
    }
    /* The first range may always be the hint, since it answers where others lie over it. */
    bus->memory_overlaps = overlaps;
    __atomic_store_n(&bus->memory_hint, 0, __ATOMIC_RELAXED);
}

bool bus_add_timer(struct bus *bus, const struct device_timer *timer)
{
    if (bus->timer_count == BUS_TIMERS)
        return false;
    bus->moments[bus->timer_count] = DEVICE_NEVER;
    bus->timers[bus->timer_count++] = *timer;
    for (unsigned i = 0; i < bus->port_count; i++)
        if (bus->ports[i].device == timer->device)
            bus->timer_of_ports[i] = bus->timer_count;
    for (unsigned i = 0; i < bus->memory_count; i++)
        if (bus->memory[i].device == timer->device)
            bus->timer_of_memory[i] = bus->timer_count;
    accessed(bus, bus->timer_count);
    return true;
}

/* How many of the `left` bytes of an access the device at `port` takes at once: a power of two. */
static unsigned piece(const struct device_ports *ports, uint16_t port, unsigned left)
{
    unsigned size = ports->read == NULL ? 1 : ports->width;

    while (size > left || (port != ports->first && size > 1 && port + size - 1 > ports->last))
        size /= 2;
    return size;
}

/* Wider accesses, piece by piece. Out of line, so that one of a byte saves no registers for them. */
static __attribute__((noinline)) uint32_t read_pieces(struct bus *bus, uint16_t port, unsigned size,
                                                      uint64_t now, const char **name)
{
    uint32_t value = 0;

    for (unsigned done = 0; done < size;) {
        uint16_t at = (uint16_t)(port + done);
        const struct device_ports *ports = ports_at(bus, at);
        unsigned part = piece(ports, at, size - done);
        uint32_t bits = ports->read != NULL ? ports->read(ports->device, at, part, now) : NO_DEVICE_BYTE;

        accessed(bus, bus->timer_of_ports[ports - bus->ports]);
        if (part < 4)
            bits &= (UINT32_C(1) << (8 * part)) - 1;
        value |= bits << (8 * done);
        if (*name == NULL)
            *name = ports->name;
        done += part;
    }
    return value;
}

static __attribute__((noinline)) void write_pieces(struct bus *bus, uint16_t port, unsigned size,
                                                   uint32_t value, uint64_t now, const char **name)
{
    for (unsigned done = 0; done < size;) {
        uint16_t at = (uint16_t)(port + done);
        const struct device_ports *ports = ports_at(bus, at);
        unsigned part = piece(ports, at, size - done);
        uint32_t bits = value >> (8 * done);

        if (part < 4)
            bits &= (UINT32_C(1) << (8 * part)) - 1;
        if (ports->write != NULL)
            ports->write(ports->device, at, part, bits, now);
        accessed(bus, bus->timer_of_ports[ports - bus->ports]);
        if (*name == NULL)
            *name = ports->name;
        done += part;
    }
}

uint32_t bus_port_read(struct bus *bus, uint16_t port, unsigned size, uint64_t now, const char **name)
{
    const struct device_ports *ports = ports_at(bus, port);
    uint32_t value;

    *name = ports->name;
    if (size != 1)
        return read_pieces(bus, port, size, now, name);
    if (ports->read == NULL)
        return NO_DEVICE_BYTE;
    value = ports->read(ports->device, port, 1, now) & 0xff;
    accessed(bus, bus->timer_of_ports[ports - bus->ports]);
    return value;
}

void bus_port_write(struct bus *bus, uint16_t port, unsigned size, uint32_t value, uint64_t now,
                    const char **name)
{
    const struct device_ports *ports = ports_at(bus, port);

    *name = ports->name;
    if (size != 1) {
        write_pieces(bus, port, size, value, now, name);
    } else if (ports->write != NULL) {
        ports->write(ports->device, port, 1, value & 0xff, now);
        accessed(bus, bus->timer_of_ports[ports - bus->ports]);
    }
}

/* Bytes, most of what is moved in runs, need neither be put together nor be looked up one by one. */
void bus_port_read_run(struct bus *bus, uint16_t port, unsigned size, uint8_t *bytes, unsigned count,
                       uint64_t now, const char **name)
{
    const struct device_ports *ports = ports_at(bus, port);

    *name = ports->name;
    if (size == 1) {
        for (unsigned i = 0; i < count; i++)
            bytes[i] =
                ports->read != NULL ? (uint8_t)ports->read(ports->device, port, 1, now) : NO_DEVICE_BYTE;
        accessed(bus, bus->timer_of_ports[ports - bus->ports]);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        uint32_t value = bus_port_read(bus, port, size, now, name);

        for (unsigned byte = 0; byte < size; byte++)
            *bytes++ = (uint8_t)(value >> (8 * byte));
    }
}

void bus_port_write_run(struct bus *bus, uint16_t port, unsigned size, const uint8_t *bytes, unsigned count,
                        uint64_t now, const char **name)
{
    const struct device_ports *ports = ports_at(bus, port);

    *name = ports->name;
    if (size == 1) {
        for (unsigned i = 0; ports->write != NULL && i < count; i++)
            ports->write(ports->device, port, 1, bytes[i], now);
        accessed(bus, bus->timer_of_ports[ports - bus->ports]);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        uint32_t value = 0;

        for (unsigned byte = 0; byte < size; byte++)
            value |= (uint32_t)*bytes++ << (8 * byte);
        bus_port_write(bus, port, size, value, now, name);
    }
}

static inline bool holds(const struct device_memory *memory, uint64_t gpa, unsigned size)
{
    uint64_t offset = gpa - memory->gpa;

    return offset < memory->size && memory->size - offset >= size;
}

/* The index of the range that holds the whole of [gpa, gpa + size), of several the first; BUS_MEMORY_RANGES:
 * none does. */
static __attribute__((noinline)) unsigned search(const struct bus *bus, uint64_t gpa, unsigned size)
{
    for (unsigned i = 0; i < bus->memory_count; i++)
        if (holds(&bus->memory[i], gpa, size))
            return i;
    return BUS_MEMORY_RANGES;
}

bool bus_has_memory(const struct bus *bus, uint64_t gpa)
{
    return search(bus, gpa, 1) != BUS_MEMORY_RANGES;
}

/* For an access: the next one will probably be there again. */
static inline unsigned access_at(struct bus *bus, uint64_t gpa, unsigned size)
{
    unsigned found = bus->memory_hint;

    if (likely(holds(&bus->memory[found], gpa, size)))
        return found;
    found = search(bus, gpa, size);
    if (found != BUS_MEMORY_RANGES && !bus->memory_overlaps)
        __atomic_store_n(&bus->memory_hint, (uint8_t)found, __ATOMIC_RELAXED);
    return found;
}

/* What crosses a range's end. */
static __attribute__((noinline)) uint64_t read_bytes(struct bus *bus, uint64_t gpa, unsigned size,
                                                     uint64_t now, const char **name)
{
    uint64_t value = 0;

    *name = NULL;
    if (size == 1)
        return NO_DEVICE_BYTE;
    for (unsigned i = 0; i < size; i++) {
        const char *who;

        value |= bus_memory_read(bus, gpa + i, 1, now, &who) << (8 * i);
        if (*name == NULL)
            *name = who;
    }
    return value;
}

uint64_t bus_memory_read(struct bus *bus, uint64_t gpa, unsigned size, uint64_t now, const char **name)
{
    unsigned index = access_at(bus, gpa, size);
    const struct device_memory *memory = &bus->memory[index];
    uint64_t value;

    if (unlikely(index == BUS_MEMORY_RANGES))
        return read_bytes(bus, gpa, size, now, name);
    *name = memory->name;
    value = memory->read(memory->device, gpa - memory->gpa, size, now);
    accessed(bus, bus->timer_of_memory[index]);
    return value & UINT64_MAX >> (64 - 8 * size);
}

static __attribute__((noinline)) void write_bytes(struct bus *bus, uint64_t gpa, unsigned size,
                                                  uint64_t value, uint64_t now, const char **name)
{
    *name = NULL;
    for (unsigned i = 0; size > 1 && i < size; i++) {
        const char *who;

        bus_memory_write(bus, gpa + i, 1, (value >> (8 * i)) & 0xff, now, &who);
        if (*name == NULL)
            *name = who;
    }
}

void bus_memory_write(struct bus *bus, uint64_t gpa, unsigned size, uint64_t value, uint64_t now,
                      const char **name)
{
    unsigned index = access_at(bus, gpa, size);
    const struct device_memory *memory = &bus->memory[index];

    if (unlikely(index == BUS_MEMORY_RANGES)) {
        write_bytes(bus, gpa, size, value, now, name);
        return;
    }
    *name = memory->name;
    memory->write(memory->device, gpa - memory->gpa, size, value & UINT64_MAX >> (64 - 8 * size), now);
    accessed(bus, bus->timer_of_memory[index]);
}

void bus_run(struct bus *bus, uint64_t now)
{
    /* Bounded: a device that wants to be called again at once is not let do so for ever. */
    for (unsigned round = 0; round <= bus->timer_count && bus->earliest <= now; round++) {
        for (unsigned i = 0; i < bus->timer_count; i++) {
            const struct device_timer *timer = &bus->timers[i];

            if (bus->moments[i] > now)
                continue;
            timer->run(timer->device, now);
            bus->moments[i] = timer->next(timer->device);
        }
        set_earliest(bus);
    }
}
