/* SPDX-License-Identifier: MIT */
/*
 * The keyboard controller (8042) at 0x60 and 0x64, and the keyboard behind it. IBM's "Personal System/2
 * Hardware Interface Technical Reference", chapters on the keyboard controller and the keyboard.
 *
 * The keyboard has scan code sets 1 and 2; the controller translates set 2 into set 1 while its command byte
 * says so. Not modelled: set 3, typematic repeat (a console says nothing of keys held), the auxiliary device:
 * its port fails its test and stays disabled. A20 is a line and no more, see system_ports.h. Pure.
 */
#ifndef VMM_DEVICES_KEYBOARD_H
#define VMM_DEVICES_KEYBOARD_H

#include "vmm/devices/bus.h"
#include "vmm/devices/keyboard_map.h"

/* Room for three characters of ten codes each; a real keyboard has 16 bytes, but its user waits. */
#define KEYBOARD_QUEUE 32u

/* A byte is on its way from the keyboard for so long: a program that reads one twice gets the same one. */
#define KEYBOARD_BYTE_NS UINT64_C(1000000)

/* An ESC after which nothing comes for so long was the key. */
#define KEYBOARD_ESCAPE_NS UINT64_C(50000000)

struct keyboard {
    struct device_line interrupt; /* IRQ 1 */
    struct device_line reset;     /* raised by the output port's bit 0 */

    /* The controller. */
    uint8_t memory[32]; /* 0 is the command byte */
    uint8_t output_port;
    uint8_t output; /* the output buffer: what 0x60 reads */
    bool output_full;
    bool last_was_command; /* what was written last went to 0x64 */
    uint8_t command;       /* waits for its parameter at 0x60; 0: none */
    bool break_prefix;     /* 0xf0 came and is being translated */

    /* The keyboard. */
    uint8_t queue[KEYBOARD_QUEUE]; /* on the way to the controller */
    uint8_t queue_first, queue_count;
    uint64_t ready_at; /* the next byte of the queue is there at this time */
    uint8_t last_sent;
    uint8_t set; /* 1 or 2 */
    uint8_t leds, rate;
    uint8_t keyboard_command; /* waits for its parameter; 0: none */
    bool scanning;

    /* The console. */
    struct keyboard_map map;
    uint64_t escape_at; /* when an ESC alone is the key */
};

/* As a PC's firmware leaves it: set 2, translated, interrupt and keyboard enabled, A20 on. The lines stay. */
void keyboard_reset(struct keyboard *keyboard);

/* Adds 0x60 and 0x64 and its timer. false: as bus_add_ports(). */
must_check bool keyboard_attach(struct keyboard *keyboard, struct bus *bus);

/* A character from the console becomes keys pressed and released. false: no room yet, try again later. */
must_check bool keyboard_receive(struct keyboard *keyboard, char character, uint64_t now);

/* The A20 gate, as the controller drives it. */
bool keyboard_a20(const struct keyboard *keyboard);

#endif
