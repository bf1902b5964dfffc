/* SPDX-License-Identifier: MIT */
/* The local APIC's registers, and the xAPIC page. SDM vol. 3, "Local APIC". */
#include "vmm/devices/lapic_registers.h"

#define VERSION        (0x14u | (LVT_ENTRIES - 1) << 16)
#define XAPIC_ID_SHIFT 24
#define LDR_BITS       0xff000000u
#define DFR_BITS       0xf0000000u

/* The bits of each entry that exist; delivery status and remote IRR are among them, but read-only. */
static const uint32_t lvt_bits[LVT_ENTRIES] = {
    [LVT_TIMER] = 0x000710ff, [LVT_THERMAL] = 0x000117ff, [LVT_PERFORMANCE] = 0x000117ff,
    [LVT_LINT0] = 0x0001f7ff, [LVT_LINT1] = 0x0001f7ff,   [LVT_ERROR] = 0x000110ff,
};

static bool is_lvt(unsigned number)
{
    return number >= LAPIC_LVT && number < LAPIC_LVT + LVT_ENTRIES;
}

uint32_t lapic_lvt_bits(const struct lapic *lapic, unsigned entry)
{
    uint32_t bits = lvt_bits[entry];

    if (entry == LVT_TIMER && !lapic->config.tsc_deadline)
        bits &= ~(LVT_TIMER_DEADLINE << LVT_TIMER_SHIFT);
    return bits;
}

bool lapic_read_register(const struct lapic *lapic, unsigned number, uint32_t *value, uint64_t now)
{
    if (number >= LAPIC_ISR && number < LAPIC_ESR) {
        const uint32_t *sets[3] = {lapic->isr, lapic->tmr, lapic->irr};

        *value = sets[(number - LAPIC_ISR) / 8][number % 8];
        return true;
    }
    if (is_lvt(number)) {
        *value = lapic->lvt[number - LAPIC_LVT];
        return true;
    }
    *value = 0;
    switch (number) {
    case LAPIC_ID:
        *value = lapic_is_x2apic(lapic) ? lapic->config.id : lapic->config.id << XAPIC_ID_SHIFT;
        return true;
    case LAPIC_VERSION:
        *value = VERSION;
        return true;
    case LAPIC_TPR:
        *value = lapic->tpr;
        return true;
    case LAPIC_PPR:
        *value = lapic_ppr(lapic);
        return true;
    case LAPIC_LDR:
        *value = lapic_logical_id(lapic);
        return true;
    case LAPIC_DFR:
        *value = lapic->dfr;
        return true;
    case LAPIC_SVR:
        *value = lapic->svr;
        return true;
    case LAPIC_ESR:
        *value = lapic->error_status;
        return true;
    case LAPIC_ICR:
        *value = (uint32_t)lapic->icr;
        return true;
    case LAPIC_ICR_HIGH:
        *value = (uint32_t)(lapic->icr >> 32);
        return true;
    case LAPIC_INITIAL_COUNT:
        *value = lapic->initial_count;
        return true;
    case LAPIC_CURRENT_COUNT:
        *value = lapic_current_count(lapic, now);
        return true;
    case LAPIC_DIVIDE:
        *value = lapic->divide;
        return true;
    case LAPIC_APR:
    case LAPIC_RRD:
    case LAPIC_EOI: /* write-only, but there */
        return true;
    default:
        return false;
    }
}

/* While the APIC is software-disabled the mask bits cannot be cleared. */
static void write_lvt(struct lapic *lapic, unsigned entry, uint32_t value)
{
    uint32_t old = lapic->lvt[entry],
             writable = lapic_lvt_bits(lapic, entry) & ~(LVT_STATUS | LVT_REMOTE_IRR);

    lapic->lvt[entry] = (value & writable) | (old & LVT_REMOTE_IRR);
    if ((lapic->svr & SVR_ENABLE) == 0)
        lapic->lvt[entry] |= LVT_MASKED;
    if (entry == LVT_TIMER)
        lapic_timer_mode_changed(lapic, old);
    else if (entry == LVT_LINT0)
        lapic_check_lint0(lapic);
}

static void write_svr(struct lapic *lapic, uint32_t value)
{
    lapic->svr = value & SVR_BITS;
    if ((lapic->svr & SVR_ENABLE) == 0) {
        for (unsigned i = 0; i < LVT_ENTRIES; i++)
            lapic->lvt[i] |= LVT_MASKED;
    }
}

bool lapic_write_register(struct lapic *lapic, unsigned number, uint32_t value, uint64_t now)
{
    uint32_t ignored;

    if (is_lvt(number)) {
        write_lvt(lapic, number - LAPIC_LVT, value);
        return true;
    }
    switch (number) {
    case LAPIC_TPR:
        lapic->tpr = value & TPR_BITS;
        return true;
    case LAPIC_EOI:
        lapic_eoi(lapic);
        return true;
    case LAPIC_LDR:
        lapic->ldr = value & LDR_BITS;
        return true;
    case LAPIC_DFR:
        lapic->dfr = value | ~DFR_BITS;
        return true;
    case LAPIC_SVR:
        write_svr(lapic, value);
        return true;
    case LAPIC_ESR: /* shows what has been detected since the last write */
        lapic->error_status = lapic->errors;
        lapic->errors = 0;
        return true;
    case LAPIC_ICR:
        lapic->icr = (lapic->icr & ~UINT64_C(0xffffffff)) | (value & ICR_LOW_BITS & ~ICR_STATUS);
        lapic_send(lapic);
        return true;
    case LAPIC_ICR_HIGH:
        lapic->icr = (lapic->icr & UINT64_C(0xffffffff)) | (uint64_t)(value & LDR_BITS) << 32;
        return true;
    case LAPIC_INITIAL_COUNT:
        lapic_set_initial_count(lapic, value, now);
        return true;
    case LAPIC_DIVIDE:
        lapic_set_divide(lapic, value, now);
        return true;
    default:
        return lapic_read_register(lapic, number, &ignored, now);
    }
}

/* --- The xAPIC page --- */

/* A read of any width sees the register at the first four of its 16 bytes; the others are 0. */
static uint64_t read_memory(void *device, uint64_t offset, unsigned size, uint64_t now)
{
    struct lapic *lapic = device;
    uint32_t value = 0;

    lapic_timer_advance(lapic, now);
    if (!lapic_read_register(lapic, (unsigned)(offset >> 4), &value, now))
        lapic_error(lapic, ESR_REGISTER);
    if ((offset & 15) >= 4)
        return 0;
    value >>= (offset & 15) * 8;
    return size < 4 ? value & ((UINT32_C(1) << size * 8) - 1) : value;
}

/* Registers are written whole: the manual leaves other accesses open, they do nothing here. */
static void write_memory(void *device, uint64_t offset, unsigned size, uint64_t value, uint64_t now)
{
    struct lapic *lapic = device;

    lapic_timer_advance(lapic, now);
    if (size != 4 || (offset & 15) != 0)
        return;
    if (!lapic_write_register(lapic, (unsigned)(offset >> 4), (uint32_t)value, now))
        lapic_error(lapic, ESR_REGISTER);
}

struct device_memory lapic_memory(struct lapic *lapic)
{
    bool present = lapic_is_enabled(lapic) && !lapic_is_x2apic(lapic);

    return (struct device_memory){.name = "lapic",
                                  .gpa = lapic->base & ~LAPIC_BASE_FLAGS,
                                  .size = present ? LAPIC_SIZE : 0,
                                  .device = lapic,
                                  .read = read_memory,
                                  .write = write_memory};
}
