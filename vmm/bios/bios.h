/* SPDX-License-Identifier: MIT */
/*
 * The guest's BIOS: what its interrupts do. The real-mode stubs of guests/bios/ hand each call here by
 * hypercall (vmm/bios/call.c); a service sees the caller's registers, memory through the callbacks handed in,
 * the drive, and the time. Pure: one file for each family of interrupts, all tested on the host.
 *
 * Every address is linear: segment base + offset, as the caller's segment registers have it.
 */
#ifndef VMM_BIOS_BIOS_H
#define VMM_BIOS_BIOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/bios/data.h"
#include "vmm/guest/disk.h"
#include "vmm/vm/memory_map.h"

#define FLAGS_CF 0x0001u
#define FLAGS_ZF 0x0040u

/* The caller's registers. `flags` is the image that INT pushed; IRET will take it, so CF and ZF are results.
 */
struct bios_registers {
    /* 0 at the first call; at the next ones what the service has left here when it answered BIOS_AGAIN. Kept
     * on the caller's stack. */
    uint32_t progress;
    uint32_t eax, ebx, ecx, edx, esi, edi, ebp;
    uint32_t ds_base, es_base;
    uint16_t es; /* the result, if set_es */
    bool set_es;
    uint16_t flags;
    uint16_t cs, ip; /* where the call returns to */
};

/* What the stub does next. The numbers are BIOS_ANSWER_... of vmm/hypercall_abi.h. */
enum bios_outcome {
    BIOS_RETURN = 0, /* the call is done */
    BIOS_HALT = 1,   /* wait for an interrupt, then call again */
    BIOS_AGAIN = 2,  /* call again at once */
    BIOS_BREAK = 3,  /* done, but INT 1Bh first: Ctrl-Break */
};

/* What a call reaches outside of the BIOS. `context` is that of struct bios_call. */
struct bios_access {
    /* Copy `length` bytes; false if not all of them are memory: then some may have been copied. */
    bool (*read)(void *context, uint32_t linear, void *buffer, size_t length);
    bool (*write)(void *context, uint32_t linear, const void *buffer, size_t length);
    /* The same by physical address, for INT 15h AH=87h. */
    bool (*read_physical)(void *context, uint64_t address, void *buffer, size_t length);
    bool (*write_physical)(void *context, uint64_t address, const void *buffer, size_t length);
    /* A byte-wide port of the guest's devices. */
    uint8_t (*port_read)(void *context, uint16_t port);
    void (*port_write)(void *context, uint16_t port, uint8_t value);
    /* A character of teletype output, for the console; '\n' ends a line. */
    void (*put)(void *context, char character);
    /* The rest of a long service is for another call: BIOS_AGAIN, with `progress` set. */
    bool (*is_late)(void *context);
    /* Ends the guest: it has nothing to go on with. */
    void (*end)(void *context, const char *why, unsigned vector, uint16_t cs, uint16_t ip);
};

/* A VM's BIOS. All its vCPUs share it: whoever makes a call holds the VM's device lock. What belongs to one
 * call alone is in struct bios_call and never here. */
struct bios {
    uint16_t code_segment;  /* of the ROM with the stubs */
    struct bios_rom rom;    /* where things are in it */
    struct guest_disk disk; /* if has_disk */
    bool has_disk;
    struct guest_memory_map map;
    uint32_t load;               /* INT 19h puts the boot program here... */
    uint64_t load_length;        /* ...as many bytes from the drive's start */
    uint16_t entry_cs, entry_ip; /* ...and enters it there */
    uint64_t ticks_counted;      /* of 1/18.2 s since the start, that are in the BDA's count */
    uint64_t wait_until_us;      /* INT 15h AH=86h; 0: none is under way */
    uint32_t wait_caller;        /* CS:IP of who waits */
    uint8_t disk_status;         /* of the last INT 13h */
    uint32_t missing_known[256 / 32 * BIOS_FAMILIES]; /* by family and AH */
};

/* One call, from its first service to its last. It is the caller's own and reaches memory as that caller
 * does; each service gets it as a parameter. */
struct bios_call {
    struct bios *bios;
    const struct bios_access *access;
    void *context;      /* for the functions of `access` */
    uint64_t time_us;   /* guest time, from the VM's start */
    bool missing;       /* a result: the caller asked for what is not there, for the trace... */
    bool missing_first; /* ...and this is the first time: for the console */
};

/* Sets the real-mode interrupt vectors, the BIOS data areas and the screen up, as POST leaves them. */
void bios_start(struct bios_call *call);

/* A part of bios_start(): interrupt controllers, timer and clock as a BIOS leaves them, the serial ports, and
 * the count of ticks from the clock. */
void bios_start_devices(struct bios_call *call);

/* Interrupt `vector` was called. The caller has set all of `call` but the results. */
enum bios_outcome bios_interrupt(struct bios_call *call, unsigned vector, struct bios_registers *registers);

/* The services, one family of interrupts each; bios_interrupt() calls them. */
enum bios_outcome bios_video(struct bios_call *call, struct bios_registers *registers);      /* INT 10h */
enum bios_outcome bios_equipment(struct bios_call *call, struct bios_registers *registers);  /* INT 11h */
enum bios_outcome bios_low_memory(struct bios_call *call, struct bios_registers *registers); /* INT 12h */
enum bios_outcome bios_disk(struct bios_call *call, struct bios_registers *registers);       /* INT 13h */
enum bios_outcome bios_system(struct bios_call *call, struct bios_registers *registers);     /* INT 15h */
enum bios_outcome bios_keyboard(struct bios_call *call, struct bios_registers *registers);   /* INT 16h */
enum bios_outcome bios_time(struct bios_call *call, struct bios_registers *registers);       /* INT 1Ah */
/* IRQ 1: BL is a scan code of set 1. IRQ 0: a tick. */
enum bios_outcome bios_scan_code(struct bios_call *call, struct bios_registers *registers);
void bios_time_tick(struct bios_call *call);
/* AH=41h to 48h of INT 13h, for hard disks. */
uint8_t bios_disk_extended(struct bios_call *call, struct bios_registers *registers);
/* What IRQ and POST need of the video services: clears the screen in the mode of POST. */
void bios_video_start(struct bios_call *call);
/* One character, as AH=0Eh writes it. */
void bios_video_teletype(struct bios_call *call, uint8_t character);

/* The function is not there: CF, an error as that family documents it in AH, and a line in the trace. */
enum bios_outcome bios_missing(struct bios_call *call, struct bios_registers *registers, unsigned vector,
                               uint8_t error);

/* Memory by linear address; what is no memory reads as all ones, and writes to it go nowhere. */
uint8_t bios_read8(struct bios_call *call, uint32_t linear);
uint16_t bios_read16(struct bios_call *call, uint32_t linear);
uint32_t bios_read32(struct bios_call *call, uint32_t linear);
void bios_write8(struct bios_call *call, uint32_t linear, uint8_t value);
void bios_write16(struct bios_call *call, uint32_t linear, uint16_t value);
void bios_write32(struct bios_call *call, uint32_t linear, uint32_t value);

/* Byte-wide ports. */
static inline uint8_t bios_in(struct bios_call *call, uint16_t port)
{
    return call->access->port_read(call->context, port);
}

static inline void bios_out(struct bios_call *call, uint16_t port, uint8_t value)
{
    call->access->port_write(call->context, port, value);
}

/* Parts of registers. */
static inline uint8_t bios_high(uint32_t reg)
{
    return (uint8_t)(reg >> 8);
}

static inline void bios_set8(uint32_t *reg, uint8_t value)
{
    *reg = (*reg & ~0xffu) | value;
}

static inline void bios_set_high(uint32_t *reg, uint8_t value)
{
    *reg = (*reg & ~0xff00u) | (uint32_t)value << 8;
}

static inline void bios_set16(uint32_t *reg, uint16_t value)
{
    *reg = (*reg & ~0xffffu) | value;
}

static inline void bios_flag(struct bios_registers *registers, uint16_t flag, bool set)
{
    registers->flags = (uint16_t)(set ? registers->flags | flag : registers->flags & ~flag);
}

#endif
