/* SPDX-License-Identifier: MIT */
/*
 * What a virtual device is to the machine around it: ranges of ports and of memory that it answers at,
 * moments at which it wants to be called, and lines that it drives. Pure, as all of vmm/devices/: a device
 * knows no vCPU, no VMCS and no clock.
 *
 * Guest time is handed in: `now`, nanoseconds since the VM's start, never smaller than in an earlier call.
 * Any CPU that runs one of the VM's vCPUs calls a device, with the VM's devices locked (vmm/vm/devices.h); so
 * nothing in here locks.
 */
#ifndef VMM_DEVICES_DEVICE_H
#define VMM_DEVICES_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_NEVER  UINT64_MAX
#define DEVICE_SECOND UINT64_C(1000000000)
/*
 * A timer with a shorter period interrupts no more often than this, and requests that were due in between are
 * one; its counter reads as if it were not so. Periods shorter than an exit, an entry and a handler would
 * keep the guest from everything else.
 */
#define DEVICE_LEAST_PERIOD UINT64_C(200000)

/* An output: an interrupt request, NMI, reset, A20, a gate. `set` may be NULL: nobody listens. */
struct device_line {
    void (*set)(void *context, unsigned number, bool level);
    void *context;
    unsigned number; /* of the input at the other end: IRQ, pin */
};

static inline void device_line_set(const struct device_line *line, bool level)
{
    if (line->set != NULL)
        line->set(line->context, line->number, level);
}

/* Bytes that leave the machine, at a serial line or a debug port. `put` may be NULL: they go nowhere. */
struct device_output {
    void (*put)(void *context, unsigned number, uint8_t byte);
    void *context;
    unsigned number; /* of the way they took, for a context that serves several */
};

static inline void device_output_put(const struct device_output *output, uint8_t byte)
{
    if (output->put != NULL)
        output->put(output->context, output->number, byte);
}

/*
 * Ports first..last. `width` is the widest access in bytes (1, 2, 4) that the device takes as one; the bus
 * splits a wider one into accesses of that width, lowest port first. `port` is absolute.
 */
struct device_ports {
    const char *name; /* for the trace, as "pic" */
    uint16_t first, last;
    uint8_t width;
    void *device;
    uint32_t (*read)(void *device, uint16_t port, unsigned size, uint64_t now);
    void (*write)(void *device, uint16_t port, unsigned size, uint32_t value, uint64_t now);
};

/* Guest-physical [gpa, gpa + size). `offset` is from gpa; size of an access: 1, 2, 4 or 8 bytes, within the
 * range. */
struct device_memory {
    const char *name;
    uint64_t gpa, size;
    void *device;
    uint64_t (*read)(void *device, uint64_t offset, unsigned size, uint64_t now);
    void (*write)(void *device, uint64_t offset, unsigned size, uint64_t value, uint64_t now);
};

/*
 * A device that acts by itself. `next` is the moment at which it wants `run` to be called, DEVICE_NEVER for
 * none; it may change with every access to the device. `run` may be called at any time, also early or late:
 * it does what is due by `now`.
 */
struct device_timer {
    void *device;
    uint64_t (*next)(const void *device);
    void (*run)(void *device, uint64_t now);
};

/*
 * Of a timer whose period has `period` nanoseconds, and which interrupted last at the moment `last` (0: it
 * has not yet): whether a period that has ended by `now` interrupts, and when the timer acts by itself, a
 * period ending at `next`.
 */
static inline bool device_period_interrupts(uint64_t period, uint64_t last, uint64_t now)
{
    return period >= DEVICE_LEAST_PERIOD || last == 0 || now - last >= DEVICE_LEAST_PERIOD;
}

static inline uint64_t device_period_next(uint64_t period, uint64_t last, uint64_t next)
{
    return device_period_interrupts(period, last, next) ? next : last + DEVICE_LEAST_PERIOD;
}

#endif
