/* SPDX-License-Identifier: MIT */
/* The keyboard at the other end of the 8042's cable. */
#include "vmm/devices/keyboard_device.h"

#define ACKNOWLEDGE  0xfau
#define RESEND       0xfeu
#define SELF_TEST_OK 0xaau
#define ECHO         0xeeu
#define EXTENDED     0xe0u
#define RELEASE      0xf0u

#define COMMAND_LEDS     0xedu
#define COMMAND_ECHO     0xeeu
#define COMMAND_SET      0xf0u
#define COMMAND_IDENTIFY 0xf2u
#define COMMAND_RATE     0xf3u
#define COMMAND_ENABLE   0xf4u
#define COMMAND_DISABLE  0xf5u
#define COMMAND_DEFAULTS 0xf6u
#define COMMAND_RESEND   0xfeu
#define COMMAND_RESET    0xffu

#define RATE_DEFAULT 0x2bu /* 10.9 characters a second after 500 ms */

/* Shift and Control down, an extended key down and up, Control and Shift up: in set 2. */
#define STROKE_BYTES_MAX (1u + 1u + 2u + 3u + 2u + 2u)

void keyboard_device_defaults(struct keyboard *keyboard)
{
    keyboard->set = 2;
    keyboard->leds = 0;
    keyboard->rate = RATE_DEFAULT;
    keyboard->keyboard_command = 0;
}

static void send(struct keyboard *keyboard, uint8_t byte)
{
    if (keyboard->queue_count == KEYBOARD_QUEUE) /* the guest asks and asks and does not listen */
        return;
    keyboard->queue[(keyboard->queue_first + keyboard->queue_count) % KEYBOARD_QUEUE] = byte;
    keyboard->queue_count++;
}

uint8_t keyboard_device_take(struct keyboard *keyboard)
{
    uint8_t byte = keyboard->queue[keyboard->queue_first];

    keyboard->queue_first = (keyboard->queue_first + 1) % KEYBOARD_QUEUE;
    keyboard->queue_count--;
    keyboard->last_sent = byte;
    return byte;
}

bool keyboard_device_has_room(const struct keyboard *keyboard)
{
    return keyboard->queue_count + STROKE_BYTES_MAX <= KEYBOARD_QUEUE;
}

static void send_key(struct keyboard *keyboard, uint8_t key, bool down)
{
    uint8_t number = key & ~KEYBOARD_EXTENDED & 0xff;

    if ((key & KEYBOARD_EXTENDED) != 0)
        send(keyboard, EXTENDED);
    if (keyboard->set == 1) {
        send(keyboard, down ? number : number | 0x80);
        return;
    }
    if (!down)
        send(keyboard, RELEASE);
    send(keyboard, keyboard_set1_to_set2(number));
}

void keyboard_device_stroke(struct keyboard *keyboard, const struct keyboard_stroke *stroke)
{
    if (!keyboard->scanning || !keyboard_device_has_room(keyboard))
        return;
    if (stroke->shift)
        send_key(keyboard, KEY_SHIFT, true);
    if (stroke->control)
        send_key(keyboard, KEY_CONTROL, true);
    send_key(keyboard, stroke->key, true);
    send_key(keyboard, stroke->key, false);
    if (stroke->control)
        send_key(keyboard, KEY_CONTROL, false);
    if (stroke->shift)
        send_key(keyboard, KEY_SHIFT, false);
}

/* What was typed before a command is gone. */
static void empty_queue(struct keyboard *keyboard)
{
    keyboard->queue_first = keyboard->queue_count = 0;
    keyboard->break_prefix = false;
}

/* A value from 0x80 on is no parameter but the next command. */
static bool take_parameter(struct keyboard *keyboard, uint8_t value)
{
    uint8_t command = keyboard->keyboard_command;

    keyboard->keyboard_command = 0;
    if (command == 0 || value >= 0x80)
        return false;
    if (command == COMMAND_SET && value > 2) { /* set 3 is not modelled */
        send(keyboard, RESEND);
        return true;
    }
    send(keyboard, ACKNOWLEDGE);
    if (command == COMMAND_LEDS)
        keyboard->leds = value & 0x07;
    else if (command == COMMAND_RATE)
        keyboard->rate = value;
    else if (value == 0)
        send(keyboard, keyboard->set);
    else
        keyboard->set = value;
    return true;
}

void keyboard_device_command(struct keyboard *keyboard, uint8_t value)
{
    if (take_parameter(keyboard, value))
        return;
    switch (value) {
    case COMMAND_LEDS:
    case COMMAND_SET:
    case COMMAND_RATE:
        send(keyboard, ACKNOWLEDGE);
        keyboard->keyboard_command = value;
        break;
    case COMMAND_ECHO:
        send(keyboard, ECHO);
        break;
    case COMMAND_IDENTIFY: /* an MF2 keyboard */
        send(keyboard, ACKNOWLEDGE);
        send(keyboard, 0xab);
        send(keyboard, 0x83);
        break;
    case COMMAND_ENABLE:
        empty_queue(keyboard);
        keyboard->scanning = true;
        send(keyboard, ACKNOWLEDGE);
        break;
    case COMMAND_DISABLE:
    case COMMAND_DEFAULTS:
        empty_queue(keyboard);
        keyboard_device_defaults(keyboard);
        keyboard->scanning = value == COMMAND_DEFAULTS;
        send(keyboard, ACKNOWLEDGE);
        break;
    case COMMAND_RESEND:
        send(keyboard, keyboard->last_sent);
        break;
    case COMMAND_RESET:
        empty_queue(keyboard);
        keyboard_device_defaults(keyboard);
        keyboard->scanning = true;
        send(keyboard, ACKNOWLEDGE);
        send(keyboard, SELF_TEST_OK);
        break;
    default: /* 0xf7 to 0xfd are for set 3; others do not exist */
        send(keyboard, RESEND);
    }
}
