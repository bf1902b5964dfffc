/* SPDX-License-Identifier: MIT */
/* The 8042: its ports, its commands, and what it makes of the keyboard's bytes. */
#include "vmm/devices/keyboard.h"
#include "vmm/devices/keyboard_device.h"

#define PORT_DATA    0x60u
#define PORT_COMMAND 0x64u

/* Status, read at 0x64. Bits 1 (input buffer full), 5 to 7 (auxiliary data, time-out, parity) never come. */
#define STATUS_OUTPUT_FULL   0x01u
#define STATUS_SYSTEM        0x04u
#define STATUS_COMMAND       0x08u
#define STATUS_NOT_INHIBITED 0x10u

/* The command byte. */
#define BYTE_INTERRUPT    0x01u
#define BYTE_SYSTEM       0x04u
#define BYTE_DISABLED     0x10u
#define BYTE_AUX_DISABLED 0x20u
#define BYTE_TRANSLATE    0x40u

#define OUTPUT_PORT_RESET 0x01u /* low: the processor is being reset */
#define OUTPUT_PORT_A20   0x02u
#define OUTPUT_PORT_FULL  0x10u /* IRQ 1 */
#define OUTPUT_PORT_LINES 0xc0u /* clock and data of the keyboard */
#define INPUT_PORT        0xa0u /* not locked, no jumper set */

/* Commands that take a parameter at 0x60. */
#define COMMAND_WRITE_MEMORY      0x60u
#define COMMAND_WRITE_OUTPUT_PORT 0xd1u
#define COMMAND_WRITE_OUTPUT      0xd2u
#define COMMAND_WRITE_AUX_OUTPUT  0xd3u
#define COMMAND_WRITE_AUX         0xd4u

static void update_interrupt(const struct keyboard *keyboard)
{
    device_line_set(&keyboard->interrupt,
                    keyboard->output_full && (keyboard->memory[0] & BYTE_INTERRUPT) != 0);
}

void keyboard_reset(struct keyboard *keyboard)
{
    *keyboard =
        (struct keyboard){.interrupt = keyboard->interrupt,
                          .reset = keyboard->reset,
                          .memory = {BYTE_INTERRUPT | BYTE_SYSTEM | BYTE_AUX_DISABLED | BYTE_TRANSLATE},
                          .output_port = OUTPUT_PORT_LINES | OUTPUT_PORT_A20 | OUTPUT_PORT_RESET};
    keyboard_device_defaults(keyboard);
    keyboard->scanning = true;
    update_interrupt(keyboard);
}

bool keyboard_a20(const struct keyboard *keyboard)
{
    return (keyboard->output_port & OUTPUT_PORT_A20) != 0;
}

static void fill_output(struct keyboard *keyboard, uint8_t value)
{
    keyboard->output = value;
    keyboard->output_full = true;
    update_interrupt(keyboard);
}

/* In set 2 a key's release is 0xf0 and its code; translated it is the code of set 1 with bit 7 set. false:
 * nothing to show yet. */
static bool translate(struct keyboard *keyboard, uint8_t *byte)
{
    if ((keyboard->memory[0] & BYTE_TRANSLATE) == 0)
        return true;
    if (*byte == 0xf0) {
        keyboard->break_prefix = true;
        return false;
    }
    *byte = keyboard_set2_to_set1(*byte) | (keyboard->break_prefix ? 0x80 : 0);
    keyboard->break_prefix = false;
    return true;
}

/* Whether a byte of the keyboard waits, and nothing keeps it from the output buffer but perhaps time. */
static bool can_take(const struct keyboard *keyboard)
{
    return keyboard->queue_count != 0 && !keyboard->output_full && (keyboard->memory[0] & BYTE_DISABLED) == 0;
}

static uint64_t next(const void *device)
{
    const struct keyboard *keyboard = device;
    uint64_t moment = can_take(keyboard) ? keyboard->ready_at : DEVICE_NEVER;

    if (keyboard_map_waits(&keyboard->map) && keyboard->escape_at < moment)
        moment = keyboard->escape_at;
    return moment;
}

static void run(void *device, uint64_t now)
{
    struct keyboard *keyboard = device;
    struct keyboard_stroke stroke;

    if (keyboard_map_waits(&keyboard->map) && keyboard->escape_at <= now &&
        keyboard_map_flush(&keyboard->map, &stroke))
        keyboard_device_stroke(keyboard, &stroke);
    while (can_take(keyboard) && keyboard->ready_at <= now) {
        uint8_t byte = keyboard_device_take(keyboard);

        if (translate(keyboard, &byte))
            fill_output(keyboard, byte);
    }
}

bool keyboard_receive(struct keyboard *keyboard, char character, uint64_t now)
{
    struct keyboard_stroke stroke;

    if (!keyboard_device_has_room(keyboard))
        return false;
    keyboard->escape_at = now + KEYBOARD_ESCAPE_NS;
    if (keyboard_map_character(&keyboard->map, character, &stroke))
        keyboard_device_stroke(keyboard, &stroke);
    run(keyboard, now);
    return true;
}

static uint8_t read_data(struct keyboard *keyboard, uint64_t now)
{
    if (keyboard->output_full) {
        keyboard->output_full = false;
        keyboard->ready_at = now + KEYBOARD_BYTE_NS;
        update_interrupt(keyboard);
    }
    return keyboard->output;
}

static uint8_t read_status(const struct keyboard *keyboard)
{
    return (uint8_t)(STATUS_NOT_INHIBITED | (keyboard->output_full ? STATUS_OUTPUT_FULL : 0) |
                     ((keyboard->memory[0] & BYTE_SYSTEM) != 0 ? STATUS_SYSTEM : 0) |
                     (keyboard->last_was_command ? STATUS_COMMAND : 0));
}

static uint32_t read(void *device, uint16_t port, unsigned size, uint64_t now)
{
    struct keyboard *keyboard = device;

    (void)size;
    run(keyboard, now);
    return port == PORT_DATA ? read_data(keyboard, now) : read_status(keyboard);
}

static void write_output_port(struct keyboard *keyboard, uint8_t value)
{
    keyboard->output_port = (value & OUTPUT_PORT_A20) | OUTPUT_PORT_LINES | OUTPUT_PORT_RESET;
    if ((value & OUTPUT_PORT_RESET) == 0)
        device_line_set(&keyboard->reset, true);
}

static void write_memory(struct keyboard *keyboard, unsigned address, uint8_t value)
{
    keyboard->memory[address] = value;
    if (address == 0) { /* no device, no way to enable it */
        keyboard->memory[0] |= BYTE_AUX_DISABLED;
        update_interrupt(keyboard);
    }
}

/* The parameter of a controller command; false: none was waited for. */
static bool take_parameter(struct keyboard *keyboard, uint8_t value)
{
    uint8_t command = keyboard->command;

    keyboard->command = 0;
    switch (command) {
    case 0:
        return false;
    case COMMAND_WRITE_OUTPUT_PORT:
        write_output_port(keyboard, value);
        break;
    case COMMAND_WRITE_OUTPUT: /* as if the keyboard had sent it, without translation */
        fill_output(keyboard, value);
        break;
    case COMMAND_WRITE_AUX_OUTPUT:
    case COMMAND_WRITE_AUX:
        break; /* nobody is there */
    default:
        write_memory(keyboard, command & 0x1f, value);
    }
    return true;
}

static void write_data(struct keyboard *keyboard, uint8_t value)
{
    keyboard->last_was_command = false;
    if (take_parameter(keyboard, value))
        return;
    keyboard->memory[0] &= (uint8_t)~BYTE_DISABLED; /* what is sent to the keyboard enables it */
    keyboard_device_command(keyboard, value);
}

static void self_test(struct keyboard *keyboard)
{
    keyboard->memory[0] |= BYTE_SYSTEM;
    keyboard->output_port = OUTPUT_PORT_LINES | OUTPUT_PORT_A20 | OUTPUT_PORT_RESET;
    fill_output(keyboard, 0x55);
}

static void write_command(struct keyboard *keyboard, uint8_t command)
{
    keyboard->last_was_command = true;
    keyboard->command = 0;
    if (command >= 0x20 && command < 0x40) {
        fill_output(keyboard, keyboard->memory[command & 0x1f]);
        return;
    }
    if ((command >= 0x60 && command < 0x80) || (command >= 0xd1 && command <= 0xd4)) {
        keyboard->command = command;
        return;
    }
    if (command >= 0xf0) { /* bits 3:0 that are 0 pulse the output port's; only bit 0, the reset, is wired */
        if ((command & OUTPUT_PORT_RESET) == 0)
            device_line_set(&keyboard->reset, true);
        return;
    }
    switch (command) {
    case 0xa9: /* auxiliary interface test: the clock line is stuck low */
        fill_output(keyboard, 0x01);
        break;
    case 0xaa:
        self_test(keyboard);
        break;
    case 0xab: /* interface test: no error */
        fill_output(keyboard, 0x00);
        break;
    case 0xad:
        keyboard->memory[0] |= BYTE_DISABLED;
        break;
    case 0xae:
        keyboard->memory[0] &= (uint8_t)~BYTE_DISABLED;
        break;
    case 0xc0:
        fill_output(keyboard, INPUT_PORT);
        break;
    case 0xd0:
        fill_output(keyboard, keyboard->output_port | (keyboard->output_full ? OUTPUT_PORT_FULL : 0));
        break;
    case 0xdd: /* A20 off and on, of later controllers */
    case 0xdf:
        keyboard->output_port &= (uint8_t)~OUTPUT_PORT_A20;
        keyboard->output_port |= command & OUTPUT_PORT_A20;
        break;
    case 0xe0: /* test inputs: the keyboard holds clock and data high */
        fill_output(keyboard, 0x03);
        break;
    default: /* 0xa7, 0xa8: no auxiliary device to disable or enable; others do not exist */
        break;
    }
}

static void write(void *device, uint16_t port, unsigned size, uint32_t value, uint64_t now)
{
    struct keyboard *keyboard = device;

    (void)size;
    run(keyboard, now);
    if (port == PORT_DATA)
        write_data(keyboard, (uint8_t)value);
    else
        write_command(keyboard, (uint8_t)value);
    run(keyboard, now);
}

bool keyboard_attach(struct keyboard *keyboard, struct bus *bus)
{
    const struct device_ports data = {"keyboard", PORT_DATA, PORT_DATA, 1, keyboard, read, write};
    const struct device_ports command = {"keyboard", PORT_COMMAND, PORT_COMMAND, 1, keyboard, read, write};
    const struct device_timer timer = {keyboard, next, run};

    return bus_add_ports(bus, &data) && bus_add_ports(bus, &command) && bus_add_timer(bus, &timer);
}
