/* SPDX-License-Identifier: MIT */
/* The two 8259A. Names of commands and bits are those of Intel's data sheet. */
#include "vmm/devices/pic.h"

#define MASTER_COMMAND 0x20u
#define MASTER_DATA    0x21u
#define SLAVE_COMMAND  0xa0u
#define SLAVE_DATA     0xa1u
#define MASTER_ELCR    0x4d0u
#define SLAVE_ELCR     0x4d1u

#define INPUTS         8u
#define NO_INPUT       8u
#define CASCADE_INPUT  2u
#define SPURIOUS_INPUT 7u

#define ICW1          0x10u
#define ICW1_IC4      0x01u
#define ICW1_SNGL     0x02u
#define ICW2_VECTOR   0xf8u
#define ICW3_SLAVE_ID 0x07u
#define ICW4_AEOI     0x02u
#define ICW4_SFNM     0x10u
#define OCW2_EOI      0x20u
#define OCW2_SL       0x40u
#define OCW2_R        0x80u
#define OCW2_LEVEL    0x07u
#define OCW3          0x08u
#define OCW3_RIS      0x01u
#define OCW3_RR       0x02u
#define OCW3_P        0x04u
#define OCW3_SMM      0x20u
#define OCW3_ESMM     0x40u
#define POLL_REQUEST  0x80u

/* Timer, keyboard, cascade, clock and coprocessor are edge-triggered for good. */
#define MASTER_ELCR_BITS 0xf8u
#define SLAVE_ELCR_BITS  0xdeu

static uint8_t requests(const struct pic_chip *chip)
{
    return (uint8_t)((chip->inputs & chip->level) | (chip->edges & ~chip->level));
}

/* The inputs of `chip` that have a slave behind them. */
static uint8_t slaves_of(const struct pic *pic, const struct pic_chip *chip)
{
    bool single = (chip->icw1 & ICW1_SNGL) != 0;

    return chip == &pic->master && !single ? chip->cascade : 0;
}

/* The n-th input by priority, 0 the highest. */
static unsigned input_of_rank(const struct pic_chip *chip, unsigned n)
{
    return (chip->lowest + 1u + n) % INPUTS;
}

/* The input that would be acknowledged now, NO_INPUT if nothing is requested. */
static unsigned highest_request(const struct pic *pic, const struct pic_chip *chip)
{
    unsigned wanted = requests(chip) & ~chip->mask;
    unsigned blocking = chip->in_service;
    unsigned nested = chip->special_fully_nested ? slaves_of(pic, chip) : 0;

    if (!chip->initialized)
        return NO_INPUT;
    if (chip->special_mask)
        blocking &= ~(unsigned)chip->mask;
    for (unsigned n = 0; n < INPUTS; n++) {
        unsigned input = input_of_rank(chip, n), bit = 1u << input;

        if ((blocking & bit & ~nested) != 0)
            return NO_INPUT;
        if ((wanted & bit) != 0)
            return input;
        if ((blocking & bit) != 0)
            return NO_INPUT;
    }
    return NO_INPUT;
}

static void set_input(struct pic_chip *chip, unsigned input, bool level)
{
    uint8_t bit = (uint8_t)(1u << input);

    if (!level)
        chip->edges &= (uint8_t)~bit;
    else if ((chip->inputs & bit) == 0)
        chip->edges |= bit;
    chip->inputs = (uint8_t)(level ? chip->inputs | bit : chip->inputs & ~bit);
}

/* Brings the wires between the chips and to the processor up to date. */
static void update(struct pic *pic)
{
    set_input(&pic->master, CASCADE_INPUT, highest_request(pic, &pic->slave) != NO_INPUT);

    unsigned input = highest_request(pic, &pic->master);
    bool level = input != NO_INPUT;

    if (level)
        pic->from_slave = input == CASCADE_INPUT && (slaves_of(pic, &pic->master) & (1u << input)) != 0;
    if (level != pic->output_level) {
        pic->output_level = level;
        device_line_set(&pic->output, level);
    }
}

void pic_set_line(void *context, unsigned irq, bool level)
{
    struct pic *pic = context;

    if (irq >= PIC_IRQS || irq == CASCADE_INPUT)
        return;
    set_input(irq < INPUTS ? &pic->master : &pic->slave, irq % INPUTS, level);
    update(pic);
}

bool pic_requests(const struct pic *pic)
{
    return pic->output_level;
}

/* What the chip's INTA does for `input`. The slave's INT falls with it, so that the master sees another edge.
 */
static void take(struct pic *pic, struct pic_chip *chip, unsigned input)
{
    uint8_t bit = (uint8_t)(1u << input);

    chip->edges &= (uint8_t)~bit;
    if (!chip->auto_eoi)
        chip->in_service |= bit;
    else if (chip->rotate_on_auto_eoi)
        chip->lowest = (uint8_t)input;
    if (chip == &pic->slave)
        set_input(&pic->master, CASCADE_INPUT, false);
}

static uint8_t acknowledge_slave(struct pic *pic, unsigned called)
{
    unsigned input = highest_request(pic, &pic->slave);

    if ((pic->slave.cascade & ICW3_SLAVE_ID) != called)
        return 0xff;
    if (input == NO_INPUT)
        return (uint8_t)(pic->slave.base + SPURIOUS_INPUT);
    take(pic, &pic->slave, input);
    return (uint8_t)(pic->slave.base + input);
}

uint8_t pic_acknowledge(struct pic *pic)
{
    unsigned input = highest_request(pic, &pic->master);
    uint8_t vector;

    if (input == NO_INPUT && pic->from_slave)
        input = CASCADE_INPUT;
    if (input == NO_INPUT)
        return (uint8_t)(pic->master.base + SPURIOUS_INPUT);
    take(pic, &pic->master, input);
    vector = (uint8_t)(pic->master.base + input);
    if ((slaves_of(pic, &pic->master) & (1u << input)) != 0)
        vector = acknowledge_slave(pic, input);
    pic->from_slave = false;
    update(pic);
    return vector;
}

static void reset_chip(struct pic_chip *chip)
{
    *chip = (struct pic_chip){.lowest = INPUTS - 1, .inputs = chip->inputs};
}

void pic_reset(struct pic *pic)
{
    reset_chip(&pic->master);
    reset_chip(&pic->slave);
    pic->from_slave = false;
    update(pic);
}

/* ICW1 forgets the edges: an input that is high must fall and rise again to request. */
static void write_icw1(struct pic_chip *chip, uint8_t value)
{
    uint8_t level = chip->level, base = chip->base, cascade = chip->cascade;

    reset_chip(chip);
    chip->level = level;
    chip->base = base;
    chip->cascade = cascade;
    chip->icw1 = value;
    chip->next_icw = 2;
}

static void write_icw(struct pic_chip *chip, uint8_t value)
{
    switch (chip->next_icw) {
    case 2:
        chip->base = value & ICW2_VECTOR;
        chip->next_icw = 3;
        if ((chip->icw1 & ICW1_SNGL) == 0)
            return;
        break;
    case 3:
        chip->cascade = value;
        break;
    default:
        chip->auto_eoi = (value & ICW4_AEOI) != 0;
        chip->special_fully_nested = (value & ICW4_SFNM) != 0;
        chip->next_icw = 0;
        chip->initialized = true;
        return;
    }
    chip->next_icw = (chip->icw1 & ICW1_IC4) != 0 ? 4 : 0;
    chip->initialized = chip->next_icw == 0;
}

/* The input in service with the highest priority. In the special mask mode one that is masked does not count.
 */
static unsigned highest_in_service(const struct pic_chip *chip)
{
    unsigned candidates = chip->in_service & (chip->special_mask ? ~(unsigned)chip->mask : ~0u);

    for (unsigned n = 0; n < INPUTS; n++) {
        if ((candidates & (1u << input_of_rank(chip, n))) != 0)
            return input_of_rank(chip, n);
    }
    return NO_INPUT;
}

static void write_ocw2(struct pic_chip *chip, uint8_t value)
{
    bool rotate = (value & OCW2_R) != 0, specific = (value & OCW2_SL) != 0;
    unsigned input = specific ? value & OCW2_LEVEL : highest_in_service(chip);

    if ((value & OCW2_EOI) == 0) {
        if (!specific)
            chip->rotate_on_auto_eoi = rotate;
        else if (rotate)
            chip->lowest = (uint8_t)input;
        return;
    }
    if (input == NO_INPUT)
        return;
    chip->in_service &= (uint8_t) ~(1u << input);
    if (rotate)
        chip->lowest = (uint8_t)input;
}

static void write_ocw3(struct pic_chip *chip, uint8_t value)
{
    if ((value & OCW3_ESMM) != 0)
        chip->special_mask = (value & OCW3_SMM) != 0;
    if ((value & OCW3_P) != 0)
        chip->poll = true;
    else if ((value & OCW3_RR) != 0)
        chip->read_in_service = (value & OCW3_RIS) != 0;
}

static void write_port(void *device, uint16_t port, unsigned size, uint32_t value32, uint64_t now)
{
    struct pic *pic = device;
    struct pic_chip *chip = port == MASTER_COMMAND || port == MASTER_DATA ? &pic->master : &pic->slave;
    uint8_t value = (uint8_t)value32;

    (void)size;
    (void)now;
    if (port == MASTER_ELCR)
        pic->master.level = value & MASTER_ELCR_BITS;
    else if (port == SLAVE_ELCR)
        pic->slave.level = value & SLAVE_ELCR_BITS;
    else if (port == MASTER_DATA || port == SLAVE_DATA) {
        if (chip->next_icw != 0)
            write_icw(chip, value);
        else
            chip->mask = value;
    } else if ((value & ICW1) != 0)
        write_icw1(chip, value);
    else if ((value & OCW3) != 0)
        write_ocw3(chip, value);
    else
        write_ocw2(chip, value);
    update(pic);
}

/* The poll command's read: the acknowledge of one chip alone. */
static uint8_t read_poll(struct pic *pic, struct pic_chip *chip)
{
    unsigned input = highest_request(pic, chip);

    chip->poll = false;
    if (input == NO_INPUT)
        return 0;
    take(pic, chip, input);
    update(pic);
    return (uint8_t)(POLL_REQUEST | input);
}

static uint32_t read_port(void *device, uint16_t port, unsigned size, uint64_t now)
{
    struct pic *pic = device;
    struct pic_chip *chip = port == MASTER_COMMAND || port == MASTER_DATA ? &pic->master : &pic->slave;

    (void)size;
    (void)now;
    if (port == MASTER_ELCR)
        return pic->master.level;
    if (port == SLAVE_ELCR)
        return pic->slave.level;
    if (chip->poll)
        return read_poll(pic, chip);
    if (port == MASTER_DATA || port == SLAVE_DATA)
        return chip->mask;
    return chip->read_in_service ? chip->in_service : requests(chip);
}

void pic_ports(struct pic *pic, struct device_ports ports[PIC_PORT_RANGES])
{
    static const uint16_t first[PIC_PORT_RANGES] = {MASTER_COMMAND, SLAVE_COMMAND, MASTER_ELCR};

    for (unsigned i = 0; i < PIC_PORT_RANGES; i++) {
        ports[i] = (struct device_ports){.name = "pic",
                                         .first = first[i],
                                         .last = (uint16_t)(first[i] + 1),
                                         .width = 1,
                                         .device = pic,
                                         .read = read_port,
                                         .write = write_port};
    }
}
