/* SPDX-License-Identifier: MIT */
/* How the console reaches the devices of the machine that it runs on. */
#include "drivers/console.h"

#include "arch/x86/memory.h"
#include "arch/x86/paging.h"
#include "arch/x86/port.h"

#define COM1_PORT 0x3f8u

static uint8_t port_in(uint16_t port)
{
    return in8(port);
}

static void port_out(uint16_t port, uint8_t value)
{
    out8(port, value);
}

static volatile void *map(uint64_t physical, uint64_t length, enum console_memory memory)
{
    return paging_map_mmio(physical, length, memory == CONSOLE_MEMORY_PIXELS ? PAT_WC : PAT_UC);
}

void console_init_early(void)
{
    static const struct console_hardware machine = {.ports = {.in = port_in, .out = port_out}, .map = map};
    const struct console_config com1 = {.serial = true, .uart_port = COM1_PORT, .baud = UART_BASE_BAUD};

    console_init_hardware(&machine);
    (void)console_init(&com1); /* absent: the console is mute until console_init finds another */
}
