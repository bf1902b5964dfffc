/* SPDX-License-Identifier: MIT */
/*
 * A device for tests: memory-mapped registers that behave as RAM and count how they are accessed, so that a
 * guest can run an instruction on RAM and on the device and compare. It is there only with test=mmio-device.
 * Pure.
 */
#ifndef VMM_DEVICES_TEST_MEMORY_H
#define VMM_DEVICES_TEST_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/devices/device.h"
#include "vmm/hypercall_abi.h"

struct test_memory {
    uint8_t bytes[TEST_MEMORY_SIZE];
    /* Of accesses below TEST_MEMORY_REGISTERS; a write to one of them clears all. */
    uint32_t reads, writes;
    uint32_t last_size, last_offset;
};

/* All zero. */
void test_memory_reset(struct test_memory *memory);

/* The range at which it answers, TEST_MEMORY_GPA. */
struct device_memory test_memory_range(struct test_memory *memory);

#endif
