/* SPDX-License-Identifier: MIT */
/*
 * The two cascaded 8259A of a PC, with the edge/level control registers of later chipsets. Intel's data
 * sheet "8259A Programmable Interrupt Controller"; for 0x4d0 and 0x4d1 that of the 82371 (PIIX).
 *
 * As in those chipsets LTIM of ICW1 has no effect, ELCR decides. The MCS-80 mode (ICW4 without uPM) is
 * taken for the 8086 mode. Without an initialization nothing is requested.
 */
#ifndef VMM_DEVICES_PIC_H
#define VMM_DEVICES_PIC_H

#include "vmm/devices/device.h"

#define PIC_PORT_RANGES 3u
#define PIC_IRQS        16u

struct pic_chip {
    uint8_t inputs;     /* levels of IR0..IR7 */
    uint8_t edges;      /* low-to-high transitions not yet acknowledged; of edge-triggered inputs */
    uint8_t level;      /* ELCR: the inputs that are level-triggered */
    uint8_t in_service; /* ISR */
    uint8_t mask;       /* IMR */
    uint8_t base;       /* vector of IR0 */
    uint8_t cascade;    /* ICW3: the master's inputs with a slave, the slave's number */
    uint8_t lowest;     /* input of the lowest priority */
    uint8_t next_icw;   /* 2 to 4: written next at the odd port; 0: initialized */
    uint8_t icw1;
    bool initialized; /* with the last ICW, until the next ICW1 */
    bool auto_eoi, rotate_on_auto_eoi;
    bool special_fully_nested, special_mask;
    bool read_in_service; /* the even port reads ISR, else IRR */
    bool poll;            /* the next read is an acknowledge */
};

/* The owner zeroes it and sets `output` (the INTR wire) once, before the first reset; it is told of changes
 * only. */
struct pic {
    struct device_line output;
    bool output_level;
    bool from_slave; /* what was requested last came through the slave */
    struct pic_chip master, slave;
};

void pic_reset(struct pic *pic);

/* Fills in the ranges 0x20-0x21, 0xa0-0xa1, 0x4d0-0x4d1. */
void pic_ports(struct pic *pic, struct device_ports ports[PIC_PORT_RANGES]);

/*
 * An input, 0 to 15; 2 is the cascade's and does nothing. `pic` is a struct pic: the function fits into a
 * device_line. A request lasts until it is acknowledged or its line falls.
 */
void pic_set_line(void *pic, unsigned irq, bool level);

/* The level of the INTR wire. */
bool pic_requests(const struct pic *pic);

/*
 * The processor's interrupt acknowledge: returns the vector. If the request has gone since the wire was
 * looked at, it is the spurious one: IR7 of the chip that had requested, not in service there (after the
 * slave's, IR2 of the master is). A slave that does not have the number that its master calls leaves 0xff on
 * the bus.
 */
uint8_t pic_acknowledge(struct pic *pic);

#endif
