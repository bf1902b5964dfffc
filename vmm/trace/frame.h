/* SPDX-License-Identifier: MIT */
/*
 * The trace as binary frames: the format, in which vmm/trace/frame.c writes and tools/trace_decode.c reads,
 * and what both must remember. Pure.
 *
 * Every byte of a frame has bit 7 set, so a line that carries text too is taken apart by that bit alone, and
 * neither can damage the other. A frame is 0xff, length, units..., two units of check sum with 7 bits to a
 * unit: byte 0x80 + unit; units 126 and 127 are the two bytes 0xfe, 0x80 + (unit - 126), so 0xff is nowhere
 * but at a frame's start. `length` is 0x80 + the number of bytes behind it where that is less than
 * TRACE_FRAME_LONG; else it is 0x80 + TRACE_FRAME_LONG, and two bytes more, 0x80 + n / 64 and 0x80 + n % 64,
 * say by how much it is more. A number is units of 6 bits, the lowest first, bit 6 set in all but the last; a
 * signed one is zigzag: 0, -1, 1, -2... (modulo 2^64).
 *
 * The check sum is the low 14 bits of CRC-16/CCITT over the frame's units. For all but a key frame it begins
 * with the CPU and the number of the frame in its CPU's stream, which are not sent: a frame behind one that
 * is missing does not check, so nobody applies differences to the wrong base. How many are missing follows
 * from the next key frame, which says its number; between two of a CPU are at most TRACE_FRAME_KEY_EVERY
 * exits and counts of missing ones, with the names that they need. A key frame makes all that is remembered
 * of that CPU zero: a reader can begin there. One with a lower number than was due begins another stream.
 *
 * The first unit of an exit has the HEAD_... bits, that of any other frame HEAD_KIND, HEAD_CPU, and its
 * FRAME_... shifted by 1. Behind it stand, each if its bit is set or its condition holds, in this order:
 *
 * - HEAD_CPU: the CPU's index, when it is not that of the frame before
 * - HEAD_MORE: the MORE_... bits
 * - HEAD_SOURCE: VM id, vCPU
 * - HEAD_PLACE: CS, mode
 * - HEAD_REASON: the basic exit reason, one unit
 * - MORE_SEQUENCE: signed, less the CPU's last one + 1 + folded
 * - TSC less the CPU's last one
 * - RIP, signed, less the last one
 * - HEAD_RESULT: its code; of MAP and REPAIR level and type, of INJECT and REINJECT the vector, of DEVICE the
 *   device's number
 * - of EPT_MISCONFIG: the entry's level and reasons
 * - MORE_QUALIFICATION: exclusive-or with the last one
 * - MORE_PHYSICAL: signed, less the last one
 * - MORE_LINEAR: signed, less the physical address, which it is without this bit
 * - MORE_WORD: exclusive-or with the last one
 * - MORE_VALUE, MORE_FOLDED
 * - ticks, signed, less the last ones
 *
 * "The last one" is that of the last exit with the same reason on that CPU, and what is not sent is as there;
 * but VM, vCPU, CS, mode and reason are as in the last exit of any reason, and folded is 0.
 */
#ifndef VMM_TRACE_FRAME_H
#define VMM_TRACE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/trace/record.h"

#define TRACE_FRAME_START     0xffu
#define TRACE_FRAME_ESCAPE    0xfeu
#define TRACE_FRAME_VERSION   1u
#define TRACE_FRAME_KEY_EVERY 64u
#define TRACE_FRAME_LONG      125u

#define HEAD_CPU    (1u << 0)
#define HEAD_SOURCE (1u << 1)
#define HEAD_PLACE  (1u << 2)
#define HEAD_REASON (1u << 3)
#define HEAD_RESULT (1u << 4)
#define HEAD_MORE   (1u << 5)
#define HEAD_KIND   (1u << 6)

#define MORE_QUALIFICATION (1u << 0)
#define MORE_PHYSICAL      (1u << 1)
#define MORE_LINEAR        (1u << 2)
#define MORE_WORD          (1u << 3)
#define MORE_VALUE         (1u << 4)
#define MORE_FOLDED        (1u << 5)
#define MORE_SEQUENCE      (1u << 6)

enum trace_frame_kind {
    FRAME_KEY = 1, /* version, the frame's number, TSC, TSC ticks a millisecond */
    FRAME_VM,      /* id, TSC of its start, its name: number of characters, a unit each. Before its first exit
                      since the key frame */
    FRAME_DEVICE,  /* the next device's name, likewise; the numbers begin with 0 at the key frame */
    FRAME_LOST,    /* TSC against the CPU's last one, count */
    FRAME_SUPPRESSED, /* likewise */
};

#define TRACE_FRAME_REASONS 128u /* the last one stands for all beyond */
#define TRACE_FRAME_DEVICES 32u
#define TRACE_FRAME_VMS     8u

/* The last exit of a reason. */
struct trace_frame_last {
    uint64_t rip, qualification, guest_physical_address, word, value, ticks;
    struct trace_result result;
    uint16_t device; /* its number */
};

/* What both sides remember of a CPU. */
struct trace_frame_cpu {
    uint32_t number; /* of the next frame, from 0 */
    uint32_t until_key;
    uint64_t tsc, sequence; /* `sequence`: that the next exit will have if none is left out */
    uint16_t vm, vcpu;
    uint32_t cs;
    uint8_t mode, reason;
    struct trace_frame_last last[TRACE_FRAME_REASONS];
    uint8_t device_count, vm_count;
    uint16_t vms[TRACE_FRAME_VMS];            /* whose names were sent */
    const char *devices[TRACE_FRAME_DEVICES]; /* likewise; the encoder's: constants */
};

/* The one of the stream. */
struct trace_frame_stream {
    uint32_t cpu; /* of the frame before; TRACE_FRAME_NO_CPU: there was none */
    uint32_t tsc_khz;
};

#define TRACE_FRAME_NO_CPU UINT32_MAX

/* More bytes than one call can write. */
#define TRACE_FRAMES_MAX 1024u

/*
 * Writes the frame of a tidy record to out[], and what must come before it; returns the number of bytes.
 * `vm_name` and `vm_start` are those of the record's VM. The CPU's state begins zeroed.
 */
size_t trace_frame_encode(struct trace_frame_stream *stream, struct trace_frame_cpu *cpu,
                          const struct trace_record *record, const char *vm_name, uint64_t vm_start,
                          uint8_t out[TRACE_FRAMES_MAX]);

/* All that a key frame makes forgotten; the number stays. */
void trace_frame_forget(struct trace_frame_cpu *cpu, uint64_t tsc);

/* After the frame of this exit, whose device has this number. */
void trace_frame_remember(struct trace_frame_cpu *cpu, const struct trace_record *record, uint16_t device);

/* The check sum's first value for a frame of this CPU with this number, and with one more unit. */
uint16_t trace_frame_crc_start(uint32_t cpu, uint32_t number);
uint16_t trace_frame_crc_key(void);
uint16_t trace_frame_crc(uint16_t crc, uint8_t unit);

static inline uint64_t trace_frame_zigzag(uint64_t difference)
{
    return difference << 1 ^ (0 - (difference >> 63));
}

static inline uint64_t trace_frame_unzigzag(uint64_t number)
{
    return number >> 1 ^ (0 - (number & 1));
}

#endif
