/* SPDX-License-Identifier: MIT */
/* Names of the hypercalls. */
#include "vmm/hypercall_name.h"
#include "vmm/hypercall_abi.h"

const char *hypercall_name(uint32_t number)
{
    if (number >= HYPERCALL_BIOS && number <= HYPERCALL_BIOS_LAST)
        return "BIOS";
    switch (number) {
    case HYPERCALL_VERSION:
        return "VERSION";
    case HYPERCALL_END:
        return "END";
    case HYPERCALL_PUT_CHARACTER:
        return "PUT_CHARACTER";
    case HYPERCALL_PUT_STRING:
        return "PUT_STRING";
    case HYPERCALL_EXIT_COUNT:
        return "EXIT_COUNT";
    case HYPERCALL_PLANT_FAULT:
        return "PLANT_FAULT";
    case HYPERCALL_LAST_FAULT:
        return "LAST_FAULT";
    case HYPERCALL_QUERY_MAPPING:
        return "QUERY_MAPPING";
    case HYPERCALL_SET_RIGHTS:
        return "SET_RIGHTS";
    case HYPERCALL_MEMORY_SIZE:
        return "MEMORY_SIZE";
    case HYPERCALL_WALK_PREPARE:
        return "WALK_PREPARE";
    case HYPERCALL_WALK_CHECK:
        return "WALK_CHECK";
    case HYPERCALL_DIRTY_START:
        return "DIRTY_START";
    case HYPERCALL_DIRTY_COLLECT:
        return "DIRTY_COLLECT";
    case HYPERCALL_DIRTY_STOP:
        return "DIRTY_STOP";
    case HYPERCALL_HARVEST_ACCESSED:
        return "HARVEST_ACCESSED";
    case HYPERCALL_START_VCPU:
        return "START_VCPU";
    case HYPERCALL_VCPU_COUNT:
        return "VCPU_COUNT";
    case HYPERCALL_BENCH_COUNTS:
        return "BENCH_COUNTS";
    case HYPERCALL_BIOS_RESET:
        return "BIOS_RESET";
    default:
        return "unknown";
    }
}
