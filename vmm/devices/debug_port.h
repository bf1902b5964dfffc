/* SPDX-License-Identifier: MIT */
/*
 * The debug ports of the emulators, 0xe9 (Bochs) and 0x402 (firmware under QEMU): a byte written is printed.
 * A read gives 0xe9, by which a guest knows that the port is there. Pure.
 */
#ifndef VMM_DEVICES_DEBUG_PORT_H
#define VMM_DEVICES_DEBUG_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/guest_line.h"

/* Whether `port` is one of the two. */
bool debug_port_has(uint16_t port);
/* 0xe9 at both, 0xff elsewhere. */
uint8_t debug_port_read(uint16_t port);
/* True when `out` became complete by it: show and take it. */
bool debug_port_write(uint16_t port, uint8_t value, struct guest_line *out);

#endif
