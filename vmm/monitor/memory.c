/* SPDX-License-Identifier: MIT */
/* `x`: memory by guest-physical, linear and host-physical address. */
#include "arch/x86/memory.h"
#include "arch/x86/paging.h"
#include "drivers/console.h"
#include "drivers/format.h"
#include "vmm/host/frame.h"
#include "vmm/vm/guest_memory.h"
#include "vmm/monitor/command.h"
#include "vmm/vcpu/code.h"
#include "vmm/vm/vm.h"

#define LENGTH_DEFAULT 64
#define LENGTH_MAX     0x10000
#define LINE_BYTES     16
#define TEXT_MAX       256

enum space { SPACE_GPA, SPACE_GVA, SPACE_HPA };

/*
 * The host's memory: RAM alone, for a device's registers may change by being read, and what the direct map
 * has. The hypervisor's own is not kept from who sits at the console.
 */
static bool read_host(uint64_t address, uint8_t *to, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (frame_owner_of(address + i) == FRAME_NONE || !paging_is_mapped(address + i, 1))
            return false;
        to[i] = *(const volatile uint8_t *)phys_to_virt(address + i);
    }
    return true;
}

/* Bytes of one line; they do not cross a multiple of LINE_BYTES. */
static bool read(struct monitor_call *call, enum space space, uint64_t address, uint8_t *to, size_t length)
{
    switch (space) {
    case SPACE_GPA:
        return guest_memory_read(call->vm, address, to, length) == length;
    case SPACE_HPA:
        return read_host(address, to, length);
    case SPACE_GVA:
        break;
    }
    return vcpu_linear_exists(address) && vcpu_linear_read(call->vcpu, address, to, length);
}

static void print_line(const struct monitor_call *call, uint64_t address, const uint8_t *bytes, size_t length,
                       unsigned unit)
{
    char text[4 * LINE_BYTES + 8];
    size_t at = 0;

    for (size_t i = 0; i < LINE_BYTES; i += unit) {
        uint64_t value = 0;

        if (i >= length) {
            at += format(text + at, sizeof(text) - at, "%*s", (int)(2 * unit + 1), "");
            continue;
        }
        memcpy(&value, bytes + i, unit);
        at += format(text + at, sizeof(text) - at, " %0*llx", (int)(2 * unit), (unsigned long long)value);
    }
    console_printf("adept: x: %.*s=%#llx%s |", option_span_arguments(call->words.word[1]),
                   (unsigned long long)address, text);
    for (size_t i = 0; i < length; i++)
        console_printf("%c", bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '.');
    console_printf("|\n");
}

static void complain(const struct monitor_call *call, enum space space, uint64_t address)
{
    static const char *const what[] = {[SPACE_GPA] = "RAM or ROM of the guest's",
                                       [SPACE_GVA] = "a linear address that leads to RAM or ROM",
                                       [SPACE_HPA] = "RAM of the machine"};

    monitor_complain(call, "expected: %s, and %#llx is not", what[space], (unsigned long long)address);
}

static void show(struct monitor_call *call, enum space space, uint64_t address, uint64_t length,
                 unsigned unit)
{
    uint8_t bytes[LINE_BYTES];

    while (length > 0) {
        size_t piece = LINE_BYTES - (size_t)(address % LINE_BYTES);

        if (unit > 1) /* units are kept whole, wherever they begin */
            piece = LINE_BYTES;
        if (piece > length)
            piece = (size_t)length;
        if (!read(call, space, address, bytes, piece)) {
            complain(call, space, address);
            return;
        }
        print_line(call, address, bytes, piece, unit);
        address += piece;
        length -= piece;
    }
}

static void show_text(struct monitor_call *call, enum space space, uint64_t address)
{
    char text[TEXT_MAX + 1];
    size_t length = 0;
    uint8_t byte;

    while (length < TEXT_MAX) {
        if (!read(call, space, address + length, &byte, 1)) {
            complain(call, space, address + length);
            return;
        }
        if (byte == 0)
            break;
        text[length++] = byte >= ' ' && byte <= '~' ? (char)byte : '.';
    }
    text[length] = '\0';
    console_printf("adept: x: %.*s=%#llx \"%s\"%s\n", option_span_arguments(call->words.word[1]),
                   (unsigned long long)address, text, length == TEXT_MAX ? "..." : "");
}

static bool find_space(struct option_span word, enum space *space)
{
    static const char *const names[] = {"gpa", "gva", "hpa"};

    for (unsigned i = 0; i < array_count(names); i++) {
        *space = (enum space)i;
        if (option_is(word, names[i]))
            return true;
    }
    return false;
}

void monitor_x(struct monitor_call *call)
{
    struct monitor_format how = {.unit = 1};
    uint64_t address, length = 0;
    enum space space;

    if (!find_space(monitor_word(call, 1), &space) ||
        !monitor_range(monitor_word(call, 2), &address, &length) ||
        (call->words.count > 3 && !monitor_number(call->words.word[3], &length))) {
        monitor_expected(call);
        return;
    }
    if (call->format.text != NULL && !monitor_format(call->format, &how)) {
        monitor_complain(call, "expected behind x/: a number of units, a unit of b, h, w, g, or s");
        return;
    }
    if (how.count != 0)
        length = (uint64_t)how.count * how.unit;
    else if (length == 0 && call->words.count == 3)
        length = call->format.length > 0 ? how.unit : LENGTH_DEFAULT;
    if (length == 0 || length > LENGTH_MAX || length - 1 > UINT64_MAX - address) {
        monitor_complain(call, "expected: a length from 1 to %#x", LENGTH_MAX);
        return;
    }
    if (how.text)
        show_text(call, space, address);
    else
        show(call, space, address, (length + how.unit - 1) / how.unit * how.unit, how.unit);
}
