/* SPDX-License-Identifier: MIT */
/* The I/O APIC. Names of registers and fields are those of the 82093AA's data sheet. */
#include "vmm/devices/ioapic.h"

#define IOREGSEL 0x00u
#define IOWIN    0x10u
#define EOIR     0x40u

#define IOAPICID      0x00u
#define IOAPICVER     0x01u
#define IOAPICARB     0x02u
#define IOREDTBL      0x10u
#define IOREDTBL_LAST (IOREDTBL + 2 * IOAPIC_PINS - 1)
#define VERSION       ((IOAPIC_PINS - 1) << 16 | 0x20u)
#define ID_SHIFT      24
#define ID_BITS       0x0fu

#define ENTRY_VECTOR      UINT64_C(0xff)
#define ENTRY_MODE_SHIFT  8
#define ENTRY_LOGICAL     (UINT64_C(1) << 11)
#define ENTRY_ACTIVE_LOW  (UINT64_C(1) << 13)
#define ENTRY_REMOTE_IRR  (UINT64_C(1) << 14)
#define ENTRY_LEVEL       (UINT64_C(1) << 15)
#define ENTRY_MASKED      (UINT64_C(1) << 16)
#define ENTRY_DESTINATION 56
#define ENTRY_WRITABLE    UINT64_C(0xff0000000001afff)

static bool is_active(const struct ioapic *ioapic, unsigned pin)
{
    bool level = (ioapic->pins >> pin & 1) != 0;

    return level != ((ioapic->redirection[pin] & ENTRY_ACTIVE_LOW) != 0);
}

static enum delivery_mode mode_of(uint64_t entry)
{
    return (enum delivery_mode)(entry >> ENTRY_MODE_SHIFT & 7);
}

/* SMI, NMI, INIT and ExtINT are edges whatever the trigger mode says. */
static bool is_level(uint64_t entry)
{
    return (entry & ENTRY_LEVEL) != 0 && mode_of(entry) <= DELIVERY_LOWEST_PRIORITY;
}

static bool send(struct ioapic *ioapic, uint64_t entry)
{
    struct interrupt_message message = {.vector = (uint8_t)(entry & ENTRY_VECTOR),
                                        .mode = mode_of(entry),
                                        .level = is_level(entry),
                                        .logical = (entry & ENTRY_LOGICAL) != 0,
                                        .destination = (uint32_t)(entry >> ENTRY_DESTINATION)};

    if (message.mode == DELIVERY_SMI || message.mode == DELIVERY_RESERVED || message.mode == DELIVERY_STARTUP)
        return false;
    return ioapic->deliver != NULL && ioapic->deliver(ioapic->context, &message);
}

/* A level that is active and not yet acknowledged is sent. */
static void send_level(struct ioapic *ioapic, unsigned pin)
{
    uint64_t entry = ioapic->redirection[pin];

    if (!is_level(entry) || (entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)) != 0 || !is_active(ioapic, pin))
        return;
    if (send(ioapic, entry))
        ioapic->redirection[pin] |= ENTRY_REMOTE_IRR;
}

/* An edge at a masked pin is ignored, not kept. */
void ioapic_set_pin(void *context, unsigned pin, bool level)
{
    struct ioapic *ioapic = context;
    bool was_active;

    if (pin >= IOAPIC_PINS)
        return;
    was_active = is_active(ioapic, pin);
    ioapic->pins = (ioapic->pins & ~(UINT32_C(1) << pin)) | (uint32_t)level << pin;
    if (is_level(ioapic->redirection[pin]))
        send_level(ioapic, pin);
    else if (!was_active && is_active(ioapic, pin) && (ioapic->redirection[pin] & ENTRY_MASKED) == 0)
        (void)send(ioapic, ioapic->redirection[pin]);
}

void ioapic_end_of_interrupt(struct ioapic *ioapic, uint8_t vector)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t *entry = &ioapic->redirection[pin];

        if ((*entry & ENTRY_REMOTE_IRR) == 0 || (*entry & ENTRY_VECTOR) != vector)
            continue;
        *entry &= ~ENTRY_REMOTE_IRR;
        send_level(ioapic, pin);
    }
}

/* Remote IRR goes with level-triggered mode: what turns to edge-triggered loses it. */
static void write_entry(struct ioapic *ioapic, unsigned pin, bool high, uint32_t value)
{
    uint64_t *entry = &ioapic->redirection[pin];
    uint64_t half = high ? UINT64_C(0xffffffff00000000) : UINT64_C(0xffffffff);
    uint64_t written = (high ? (uint64_t)value << 32 : value) & ENTRY_WRITABLE;

    *entry = (*entry & (~half | ENTRY_REMOTE_IRR)) | (written & ~ENTRY_REMOTE_IRR);
    if (!is_level(*entry))
        *entry &= ~ENTRY_REMOTE_IRR;
    send_level(ioapic, pin);
}

static uint32_t read_register(const struct ioapic *ioapic)
{
    uint8_t index = ioapic->index;

    if (index == IOAPICID || index == IOAPICARB)
        return (uint32_t)ioapic->id << ID_SHIFT;
    if (index == IOAPICVER)
        return VERSION;
    if (index >= IOREDTBL && index <= IOREDTBL_LAST) {
        uint64_t entry = ioapic->redirection[(index - IOREDTBL) / 2];

        return (uint32_t)((index & 1) != 0 ? entry >> 32 : entry);
    }
    return 0;
}

static void write_register(struct ioapic *ioapic, uint32_t value)
{
    uint8_t index = ioapic->index;

    if (index == IOAPICID)
        ioapic->id = value >> ID_SHIFT & ID_BITS;
    else if (index >= IOREDTBL && index <= IOREDTBL_LAST)
        write_entry(ioapic, (index - IOREDTBL) / 2, (index & 1) != 0, value);
}

/* A read of any width sees the register at its first four bytes; the rest of its 16 bytes is 0. */
static uint64_t read_memory(void *device, uint64_t offset, unsigned size, uint64_t now)
{
    const struct ioapic *ioapic = device;
    uint64_t value = 0;

    (void)now;
    if ((offset & ~UINT64_C(15)) == IOREGSEL)
        value = ioapic->index;
    else if ((offset & ~UINT64_C(15)) == IOWIN)
        value = read_register(ioapic);
    value = (offset & 15) < 8 ? value >> (offset & 15) * 8 : 0;
    return size < 8 ? value & ((UINT64_C(1) << size * 8) - 1) : value;
}

static void write_memory(void *device, uint64_t offset, unsigned size, uint64_t value, uint64_t now)
{
    struct ioapic *ioapic = device;

    (void)now;
    if (offset == IOREGSEL)
        ioapic->index = (uint8_t)value;
    else if (offset == IOWIN && size >= 4)
        write_register(ioapic, (uint32_t)value);
    else if (offset == EOIR)
        ioapic_end_of_interrupt(ioapic, (uint8_t)value);
}

struct device_memory ioapic_memory(struct ioapic *ioapic)
{
    return (struct device_memory){.name = "ioapic",
                                  .gpa = IOAPIC_GPA,
                                  .size = IOAPIC_SIZE,
                                  .device = ioapic,
                                  .read = read_memory,
                                  .write = write_memory};
}

void ioapic_reset(struct ioapic *ioapic)
{
    ioapic->id = 0;
    ioapic->index = 0;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        ioapic->redirection[pin] = ENTRY_MASKED;
}

bool ioapic_pin_may_send_nmi(const struct ioapic *ioapic, unsigned pin)
{
    uint64_t entry = ioapic->redirection[pin];

    return (entry & ENTRY_MASKED) == 0 && (entry >> ENTRY_MODE_SHIFT & 7) == DELIVERY_NMI;
}

bool ioapic_pin_may_interrupt(const struct ioapic *ioapic, unsigned pin)
{
    return (ioapic->redirection[pin] & ENTRY_MASKED) == 0;
}
