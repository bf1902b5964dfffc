/* SPDX-License-Identifier: MIT */
/* The devices as a BIOS leaves them for the programs that it boots. */
#include "vmm/bios/bios.h"

#define PIC1         0x20u
#define PIC2         0xa0u
#define PIC_INIT     0x11u /* edge-triggered, cascaded, ICW4 follows */
#define PIC_8086     0x01u
#define PIC1_VECTORS 0x08u
#define PIC2_VECTORS 0x70u
#define PIC1_CASCADE 0x04u /* the second controller is at its input 2... */
#define PIC2_CASCADE 0x02u /* ...and knows that */
#define PIC1_MASK    0xb8u /* timer, keyboard, cascade and diskette may interrupt */
#define PIC2_MASK    0xffu

#define PIT_CHANNEL_0 0x40u
#define PIT_CONTROL   0x43u
#define PIT_MODE_3    0x36u /* channel 0, low byte then high byte, square wave, binary */

#define CMOS_INDEX   0x70u
#define CMOS_DATA    0x71u
#define CMOS_HOURS   0x04u
#define CMOS_MINUTES 0x02u
#define CMOS_SECONDS 0x00u
#define CMOS_D       0x0du /* 7: the battery is good; all else is 0 */

#define UART_SCRATCH           7u
#define SCRATCH_VALUE          0x5au
#define EQUIPMENT_SERIAL_SHIFT 9

/* 1193182 / 65536 ticks in a second, in units of 1/65536 */
#define TICKS_A_SECOND UINT64_C(1193182)

static void start_interrupts(struct bios_call *call)
{
    /* The timer first: its output rises with the mode, and the 8259s' initialization forgets that edge. */
    bios_out(call, PIT_CONTROL, PIT_MODE_3); /* 65536 periods: 18.2 times a second */
    bios_out(call, PIT_CHANNEL_0, 0);
    bios_out(call, PIT_CHANNEL_0, 0);
    bios_out(call, PIC1, PIC_INIT);
    bios_out(call, PIC1 + 1, PIC1_VECTORS);
    bios_out(call, PIC1 + 1, PIC1_CASCADE);
    bios_out(call, PIC1 + 1, PIC_8086);
    bios_out(call, PIC2, PIC_INIT);
    bios_out(call, PIC2 + 1, PIC2_VECTORS);
    bios_out(call, PIC2 + 1, PIC2_CASCADE);
    bios_out(call, PIC2 + 1, PIC_8086);
    bios_out(call, PIC1 + 1, PIC1_MASK);
    bios_out(call, PIC2 + 1, PIC2_MASK);
}

/* A port with a UART keeps what its scratch register is given; it must be as it was afterwards. */
static void find_serial_ports(struct bios_call *call)
{
    static const uint16_t ports[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    unsigned count = 0;

    for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        uint16_t scratch = (uint16_t)(ports[i] + UART_SCRATCH);
        uint8_t before = bios_in(call, scratch);
        bool there;

        bios_out(call, scratch, SCRATCH_VALUE);
        there = bios_in(call, scratch) == SCRATCH_VALUE;
        bios_out(call, scratch, before);
        if (there)
            bios_write16(call, BDA_SERIAL_PORTS + 2 * count++, ports[i]);
    }
    bios_write16(call, BDA_EQUIPMENT,
                 (uint16_t)(bios_read16(call, BDA_EQUIPMENT) | count << EQUIPMENT_SERIAL_SHIFT));
}

static uint8_t read_clock(struct bios_call *call, uint8_t place)
{
    uint8_t value;

    bios_out(call, CMOS_INDEX, place);
    value = bios_in(call, CMOS_DATA);
    bios_out(call, CMOS_INDEX, CMOS_D); /* where no stray access does harm */
    return value;
}

static unsigned from_bcd(uint8_t value)
{
    return (value >> 4) * 10u + (value & 15);
}

/* Ticks since midnight are the clock's from now on; without one the machine starts at midnight. */
static void start_ticks(struct bios_call *call)
{
    unsigned seconds;

    if (read_clock(call, CMOS_D) & 0x7f)
        return;
    seconds = from_bcd(read_clock(call, CMOS_HOURS)) * 3600 + from_bcd(read_clock(call, CMOS_MINUTES)) * 60 +
              from_bcd(read_clock(call, CMOS_SECONDS));
    bios_write32(call, BDA_TICKS, (uint32_t)(seconds * TICKS_A_SECOND / 65536));
}

void bios_start_devices(struct bios_call *call)
{
    start_interrupts(call);
    find_serial_ports(call);
    start_ticks(call);
}
