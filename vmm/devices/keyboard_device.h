/* SPDX-License-Identifier: MIT */
/* The keyboard at the other end of the 8042's cable: its commands, and the bytes that it sends. For
 * keyboard.c. */
#ifndef VMM_DEVICES_KEYBOARD_DEVICE_H
#define VMM_DEVICES_KEYBOARD_DEVICE_H

#include "vmm/devices/keyboard.h"

/* What it is after power-on and after the commands that say so: set 2, 10.9 characters a second. */
void keyboard_device_defaults(struct keyboard *keyboard);

/* A byte that the controller sends: a command or its parameter. */
void keyboard_device_command(struct keyboard *keyboard, uint8_t value);

/* A key goes down and up, if the keyboard is scanning. */
void keyboard_device_stroke(struct keyboard *keyboard, const struct keyboard_stroke *stroke);

/* Whether the longest stroke has room. */
bool keyboard_device_has_room(const struct keyboard *keyboard);

/* The oldest byte on its way; there must be one. */
uint8_t keyboard_device_take(struct keyboard *keyboard);

#endif
