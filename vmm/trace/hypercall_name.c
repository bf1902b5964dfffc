/* SPDX-License-Identifier: MIT */
/* Names of the hypercalls. */
#include "vmm/trace/hypercall_name.h"
#include "vmm/exit/hypercall.h"

#define CALL_SHIFT 28 /* of EAX: bit 31 is HYPERCALL_UNDER_WAY, 30:28 which call, 27:0 its progress */

static const uint32_t long_calls[] = {
    HYPERCALL_PUT_STRING,    HYPERCALL_SET_RIGHTS, HYPERCALL_DIRTY_START,     HYPERCALL_DIRTY_COLLECT,
    HYPERCALL_PUT_CHARACTER, HYPERCALL_DIRTY_STOP, HYPERCALL_HARVEST_ACCESSED};

#define LONG_CALLS (sizeof(long_calls) / sizeof(long_calls[0]))

uint32_t hypercall_number(uint32_t eax)
{
    uint32_t call = (eax & ~HYPERCALL_UNDER_WAY) >> CALL_SHIFT;

    return (eax & HYPERCALL_UNDER_WAY) != 0 && call < LONG_CALLS ? long_calls[call] : eax;
}

uint32_t hypercall_under_way(uint32_t number, uint32_t progress)
{
    uint32_t call = 0;

    while (call < LONG_CALLS - 1 && long_calls[call] != number)
        call++;
    return HYPERCALL_UNDER_WAY | call << CALL_SHIFT | progress;
}

const char *hypercall_name(uint32_t number)
{
    if (number >= HYPERCALL_BIOS && number <= HYPERCALL_BIOS_LAST)
        return "BIOS";
    switch (hypercall_number(number)) {
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
