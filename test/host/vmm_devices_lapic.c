/* SPDX-License-Identifier: MIT */
/* vmm/devices/lapic*.c: SDM vol. 3, "Advanced Programmable Interrupt Controller (APIC)". The timer is in
 * vmm_devices_lapic_timer.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "vmm/devices/lapic.h"

#define ID      0x020
#define VERSION 0x030
#define TPR     0x080
#define PPR     0x0a0
#define EOI     0x0b0
#define LDR     0x0d0
#define DFR     0x0e0
#define SVR     0x0f0
#define ISR     0x100
#define TMR     0x180
#define IRR     0x200
#define ESR     0x280
#define ICR     0x300
#define ICR2    0x310
#define LVT     0x320
#define LINT0   0x350
#define LINT1   0x360
#define ERROR   0x370

#define BASE_XAPIC  UINT64_C(0xfee00900)
#define BASE_X2APIC UINT64_C(0xfee00d00)

static struct lapic lapic;
static struct interrupt_message sent;
static unsigned sent_count, eoi_count;
static uint8_t eoi_vector;
static bool level_line; /* an I/O APIC's pin that is still active at the end of interrupt */

static void deliver(void *context, const struct interrupt_message *message)
{
    assert_ptr_equal(context, &sent);
    sent = *message;
    sent_count++;
}

static void end_of_interrupt(void *context, uint8_t vector)
{
    assert_ptr_equal(context, &sent);
    eoi_vector = vector;
    eoi_count++;
    if (level_line)
        assert_true(lapic_accept(&lapic, vector, true));
}

static int reset(void **state)
{
    (void)state;
    memset(&lapic, 0xa5, sizeof(lapic));
    lapic.config = (struct lapic_config){.id = 3,
                                         .timer_hz = 1000000000,
                                         .tsc_hz = 1000000000,
                                         .physical_address_bits = 40,
                                         .bsp = true,
                                         .x2apic = true,
                                         .tsc_deadline = true,
                                         .context = &sent,
                                         .deliver = deliver,
                                         .end_of_interrupt = end_of_interrupt};
    lapic.lint[0] = lapic.lint[1] = false;
    lapic_reset(&lapic, 0);
    sent_count = eoi_count = 0;
    level_line = false;
    return 0;
}

static uint32_t get(uint32_t offset)
{
    struct device_memory memory = lapic_memory(&lapic);

    assert_int_equal(memory.size, 0x1000);
    return (uint32_t)memory.read(memory.device, offset, 4, 0);
}

static void set(uint32_t offset, uint32_t value)
{
    struct device_memory memory = lapic_memory(&lapic);

    assert_int_equal(memory.size, 0x1000);
    memory.write(memory.device, offset, 4, value, 0);
}

static uint64_t msr(uint32_t index)
{
    uint64_t value = 0;

    assert_true(lapic_read_msr(&lapic, index, &value, 0));
    return value;
}

static void set_msr(uint32_t index, uint64_t value)
{
    assert_true(lapic_write_msr(&lapic, index, value, 0));
}

static void read_faults(uint32_t index)
{
    uint64_t value;

    if (lapic_read_msr(&lapic, index, &value, 0))
        fail_msg("RDMSR of 0x%x does not fault", index);
}

static void write_faults(uint32_t index, uint64_t value)
{
    struct lapic before = lapic;

    if (lapic_write_msr(&lapic, index, value, 0))
        fail_msg("WRMSR of 0x%lx to 0x%x does not fault", (unsigned long)value, index);
    assert_memory_equal(&lapic, &before, sizeof(lapic));
}

static int reset_enabled(void **state)
{
    reset(state);
    set(SVR, 0x1ff);
    return 0;
}

static int reset_x2apic(void **state)
{
    reset(state);
    set_msr(0x1b, BASE_X2APIC);
    set_msr(0x80f, 0x1ff);
    return 0;
}

static void after_reset(void **state)
{
    (void)state;
    assert_int_equal(msr(0x1b), BASE_XAPIC);
    assert_true(lapic_is_enabled(&lapic));
    assert_true(lapic_memory(&lapic).gpa == 0xfee00000);
    assert_int_equal(get(ID), 0x03000000);
    assert_int_equal(get(VERSION), 0x00050014);
    assert_int_equal(get(TPR), 0);
    assert_int_equal(get(PPR), 0);
    assert_int_equal(get(LDR), 0);
    assert_int_equal(get(DFR), 0xffffffff);
    assert_int_equal(get(SVR), 0xff);
    for (uint32_t offset = ISR; offset < ESR; offset += 16)
        assert_int_equal(get(offset), 0);
    for (uint32_t offset = LVT; offset <= ERROR; offset += 16)
        assert_int_equal(get(offset), 0x10000);
    assert_int_equal(get(ICR), 0);
    assert_int_equal(get(ICR2), 0);
    assert_int_equal(get(0x380), 0);
    assert_int_equal(get(0x390), 0);
    assert_int_equal(get(0x3e0), 0);
    assert_int_equal(lapic_highest(&lapic), LAPIC_NONE);
    assert_false(lapic_external(&lapic));
    lapic.config.bsp = false;
    lapic_reset(&lapic, 0);
    assert_int_equal(msr(0x1b), 0xfee00800);
}

static void writable_bits(void **state)
{
    static const struct {
        uint32_t offset, bits;
    } registers[] = {{ID, 0},           {VERSION, 0},     {TPR, 0xff},        {PPR, 0},
                     {LDR, 0xff000000}, {SVR, 0x1ff},     {LVT, 0x000700ff},  {0x330, 0x107ff},
                     {0x340, 0x107ff},  {LINT0, 0x1a7ff}, {LINT1, 0x1a7ff},   {ERROR, 0x100ff},
                     {0x390, 0},        {0x3e0, 0xb},     {ICR2, 0xff000000}, {ISR, 0},
                     {TMR + 0x70, 0},   {IRR + 0x30, 0},  {0x090, 0},         {0x0c0, 0}};

    (void)state;
    for (unsigned i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
        uint32_t before = get(registers[i].offset);

        if (registers[i].bits == 0) {
            set(registers[i].offset, ~before);
            assert_int_equal(get(registers[i].offset), before);
            continue;
        }
        set(registers[i].offset, 0xffffffff);
        assert_int_equal(get(registers[i].offset), registers[i].bits);
        set(registers[i].offset, 0);
        if (registers[i].offset != SVR)
            assert_int_equal(get(registers[i].offset), 0);
        set(SVR, 0x1ff);
    }
    set(DFR, 0);
    assert_int_equal(get(DFR), 0x0fffffff);
    set(ESR, 0);
    assert_int_equal(get(ESR), 0); /* none of these is an illegal register */
}

static void access_widths(void **state)
{
    struct device_memory memory = lapic_memory(&lapic);

    (void)state;
    assert_int_equal(memory.read(memory.device, ID + 3, 1, 0), 3);
    assert_int_equal(memory.read(memory.device, ID, 1, 0), 0);
    assert_int_equal(memory.read(memory.device, VERSION, 2, 0), 0x14);
    assert_int_equal(memory.read(memory.device, VERSION, 8, 0), 0x50014);
    assert_int_equal(memory.read(memory.device, VERSION + 4, 4, 0), 0);
    memory.write(memory.device, TPR, 1, 0x55, 0);
    memory.write(memory.device, TPR, 8, 0x55, 0);
    memory.write(memory.device, TPR + 4, 4, 0x55, 0);
    assert_int_equal(get(TPR), 0);
}

static void priorities(void **state)
{
    (void)state;
    assert_true(lapic_accept(&lapic, 0x41, false));
    assert_true(lapic_accept(&lapic, 0x45, false));
    assert_true(lapic_accept(&lapic, 0x83, false));
    assert_int_equal(get(IRR + 0x20), 0x22);
    assert_int_equal(get(IRR + 0x40), 0x08);
    assert_int_equal(lapic_highest(&lapic), 0x83);
    set(TPR, 0x80);
    assert_int_equal(lapic_highest(&lapic), LAPIC_NONE); /* the class must be higher */
    assert_int_equal(lapic_requested(&lapic), 0x83);
    assert_int_equal(get(PPR), 0x80);
    set(TPR, 0x7f);
    assert_int_equal(get(PPR), 0x7f);
    assert_int_equal(lapic_acknowledge(&lapic), 0x83);
    assert_int_equal(get(ISR + 0x40), 0x08);
    assert_int_equal(get(IRR + 0x40), 0);
    assert_int_equal(get(PPR), 0x80);
    set(TPR, 0x85); /* the same class: TPR */
    assert_int_equal(get(PPR), 0x85);
    set(TPR, 0);
    assert_int_equal(lapic_highest(&lapic), LAPIC_NONE);
    assert_true(lapic_accept(&lapic, 0x8f, false)); /* the class of what is in service */
    assert_int_equal(lapic_highest(&lapic), LAPIC_NONE);
    assert_true(lapic_accept(&lapic, 0x90, false));
    assert_int_equal(lapic_acknowledge(&lapic), 0x90);
    set(EOI, 0);
    assert_int_equal(get(ISR + 0x40), 0x08); /* the highest has ended */
    assert_int_equal(lapic_highest(&lapic), LAPIC_NONE);
    set(EOI, 0);
    assert_int_equal(lapic_acknowledge(&lapic), 0x8f);
    set(EOI, 0);
    assert_int_equal(lapic_acknowledge(&lapic), 0x45);
    set(EOI, 0);
    assert_int_equal(lapic_acknowledge(&lapic), 0x41);
    set(EOI, 0);
    set(EOI, 0); /* nothing in service */
    assert_int_equal(eoi_count, 0);
    assert_true(lapic_accept(&lapic, 0xff, false));
    assert_true(lapic_accept(&lapic, 0x10, false));
    assert_int_equal(lapic_acknowledge(&lapic), 0xff);
    assert_int_equal(get(ISR + 0x70), 0x80000000);
}

static void cr8(void **state)
{
    (void)state;
    lapic_set_cr8(&lapic, 9);
    assert_int_equal(get(TPR), 0x90);
    set(TPR, 0xa7);
    assert_int_equal(lapic_cr8(&lapic), 10);
    lapic_set_cr8(&lapic, 0xff);
    assert_int_equal(get(TPR), 0xf0);
}

static void level_and_edge(void **state)
{
    (void)state;
    assert_true(lapic_accept(&lapic, 0x61, true));
    assert_int_equal(get(TMR + 0x30), 0x02);
    assert_int_equal(lapic_acknowledge(&lapic), 0x61);
    set(EOI, 0);
    assert_int_equal(eoi_count, 1);
    assert_int_equal(eoi_vector, 0x61);
    level_line = true;
    assert_true(lapic_accept(&lapic, 0x61, true));
    assert_int_equal(lapic_acknowledge(&lapic), 0x61);
    set(EOI, 0);
    assert_int_equal(eoi_count, 2);
    assert_int_equal(lapic_highest(&lapic), 0x61); /* at once again */
    assert_true(lapic_accept(&lapic, 0x61, false));
    assert_int_equal(get(TMR + 0x30), 0);
    assert_int_equal(lapic_acknowledge(&lapic), 0x61);
    set(EOI, 0);
    assert_int_equal(eoi_count, 2);
}

static void software_disabled(void **state)
{
    (void)state;
    set(LINT0, 0x700);
    set(ERROR, 0x40);
    assert_true(lapic_accept(&lapic, 0x55, false));
    set(SVR, 0xff);
    assert_int_equal(get(LINT0), 0x10700);
    assert_int_equal(get(ERROR), 0x10040);
    set(LINT0, 0x700);
    assert_int_equal(get(LINT0), 0x10700); /* cannot be unmasked */
    assert_false(lapic_accept(&lapic, 0x66, false));
    assert_int_equal(lapic_acknowledge(&lapic), 0x55); /* what was there is kept */
    assert_true(lapic_receive(&lapic, &(struct interrupt_message){.mode = DELIVERY_NMI, .destination = 3}));
    assert_int_equal(sent_count, 1);
    assert_false(
        lapic_receive(&lapic, &(struct interrupt_message){.mode = DELIVERY_EXTINT, .destination = 3}));
    assert_false(lapic_external(&lapic));
    set(SVR, 0x1ff);
    assert_int_equal(get(LINT0), 0x10700); /* stays masked */
}

static void spurious(void **state)
{
    (void)state;
    set(SVR, 0x1e3);
    assert_true(lapic_accept(&lapic, 0x30, false));
    set(TPR, 0x30);
    assert_int_equal(lapic_acknowledge(&lapic), 0xe3);
    assert_int_equal(get(ISR + 0x70), 0);
    assert_int_equal(get(IRR + 0x10), 0x10000);
}

static void errors(void **state)
{
    (void)state;
    set(ERROR, 0x77);
    (void)get(0x040);
    assert_int_equal(get(ESR), 0); /* shown by a write */
    assert_int_equal(lapic_acknowledge(&lapic), 0x77);
    set(EOI, 0);
    set(0x3f0, 1);
    assert_int_equal(lapic_highest(&lapic), LAPIC_NONE); /* the same error again, not yet rearmed */
    set(ESR, 0xffffffff);
    assert_int_equal(get(ESR), 0x80);
    assert_int_equal(get(ESR), 0x80);
    set(ESR, 0);
    assert_int_equal(get(ESR), 0);
    (void)get(0xff0);
    assert_int_equal(lapic_acknowledge(&lapic), 0x77);
    set(EOI, 0);
    set(ESR, 0);
    assert_int_equal(get(ESR), 0x80);

    set(ICR2, 0x03000000);
    set(ICR, 0x0f);
    set(ESR, 0);
    assert_int_equal(get(ESR), 0x60); /* sent and received by this one */
    set(ICR2, 0x04000000);
    set(ICR, 0x00);
    set(ESR, 0);
    assert_int_equal(get(ESR), 0x20);
    assert_int_equal(get(IRR), 0);
    assert_false(lapic_receive(&lapic, &(struct interrupt_message){.vector = 5, .destination = 3}));
    set(ESR, 0);
    assert_int_equal(get(ESR), 0x40);
    set(ERROR, 0x05); /* an illegal vector for the error itself */
    (void)get(0x040);
    set(ESR, 0);
    assert_int_equal(get(ESR), 0xc0);
    set(ICR, 0x0f | 4 << 8); /* an NMI has no vector */
    set(ESR, 0);
    assert_int_equal(get(ESR), 0);
}

static void illegal_registers(void **state)
{
    (void)state;
    for (uint32_t offset = 0; offset < 0x1000; offset += 16) {
        bool legal = (offset >= 0x20 && offset < 0x40) || (offset >= 0x80 && offset <= 0x280) ||
                     (offset >= 0x300 && offset <= 0x390) || offset == 0x3e0;

        (void)get(offset);
        set(ESR, 0);
        assert_int_equal(get(ESR), legal ? 0 : 0x80);
    }
}

static void lint_external(void **state)
{
    (void)state;
    lapic_set_lint(&lapic, 0, true);
    assert_false(lapic_external(&lapic));
    set(LINT0, 0x700);
    assert_true(lapic_external(&lapic));
    lapic_external_taken(&lapic);
    assert_true(lapic_external(&lapic)); /* follows the wire */
    set(LINT0, 0x10700);
    assert_false(lapic_external(&lapic));
    set(LINT0, 0x2700); /* active low */
    assert_false(lapic_external(&lapic));
    lapic_set_lint(&lapic, 0, false);
    assert_true(lapic_external(&lapic));
    set(LINT0, 0x700);
    assert_false(lapic_external(&lapic));
    lapic_set_lint(&lapic, 2, true);
    assert_int_equal(lapic_highest(&lapic), LAPIC_NONE);
    assert_int_equal(sent_count, 0);
}

static void lint_nmi(void **state)
{
    (void)state;
    lapic_set_lint(&lapic, 1, true);
    lapic_set_lint(&lapic, 1, false);
    assert_int_equal(sent_count, 0); /* masked */
    set(LINT1, 0x400);
    lapic_set_lint(&lapic, 1, true);
    lapic_set_lint(&lapic, 1, true);
    assert_int_equal(sent_count, 1);
    assert_int_equal(sent.mode, DELIVERY_NMI);
    lapic_set_lint(&lapic, 1, false);
    assert_int_equal(sent_count, 1);
    set(LINT1, 0x200);
    lapic_set_lint(&lapic, 1, true);
    assert_int_equal(sent.mode, DELIVERY_SMI);
    set(LINT1, 0x500);
    lapic_set_lint(&lapic, 1, false);
    lapic_set_lint(&lapic, 1, true);
    assert_int_equal(sent.mode, DELIVERY_INIT);
    assert_int_equal(sent_count, 3);
}

static void lint_fixed(void **state)
{
    (void)state;
    set(LINT1, 0x52);
    lapic_set_lint(&lapic, 1, true);
    assert_int_equal(lapic_acknowledge(&lapic), 0x52);
    set(EOI, 0);
    assert_int_equal(lapic_highest(&lapic), LAPIC_NONE);

    set(LINT0, 0x8051); /* level */
    lapic_set_lint(&lapic, 0, true);
    assert_int_equal(get(LINT0), 0xc051);
    assert_int_equal(get(TMR + 0x20), 0x20000);
    assert_int_equal(lapic_acknowledge(&lapic), 0x51);
    lapic_set_lint(&lapic, 0, false);
    lapic_set_lint(&lapic, 0, true);
    assert_int_equal(lapic_requested(&lapic), LAPIC_NONE); /* remote IRR */
    set(EOI, 0);
    assert_int_equal(lapic_acknowledge(&lapic), 0x51); /* still active */
    lapic_set_lint(&lapic, 0, false);
    set(EOI, 0);
    assert_int_equal(lapic_highest(&lapic), LAPIC_NONE);
    assert_int_equal(get(LINT0), 0x8051);
    lapic_set_lint(&lapic, 0, true);
    set(LINT0, 0x0051); /* edge */
    assert_int_equal(get(LINT0), 0x0051);
}

static void virtual_wire(void **state)
{
    (void)state;
    lapic_virtual_wire(&lapic);
    assert_int_equal(get(SVR), 0x1ff);
    assert_int_equal(get(LINT0), 0x700);
    assert_int_equal(get(LINT1), 0x400);
    lapic_set_lint(&lapic, 0, true);
    assert_true(lapic_external(&lapic));
}

static void base_disable(void **state)
{
    (void)state;
    set(TPR, 0x40);
    set(LINT1, 0x400);
    assert_true(lapic_accept(&lapic, 0x55, false));
    set_msr(0x1b, 0xfee00100);
    assert_false(lapic_is_enabled(&lapic));
    assert_int_equal(lapic_memory(&lapic).size, 0);
    assert_int_equal(lapic_highest(&lapic), LAPIC_NONE);
    assert_false(lapic_accept(&lapic, 0x55, false));
    assert_false(
        lapic_receive(&lapic, &(struct interrupt_message){.mode = DELIVERY_NMI, .destination = 0xff}));
    lapic_set_lint(&lapic, 0, true);
    assert_true(lapic_external(&lapic)); /* the pins are INTR and NMI */
    lapic_set_lint(&lapic, 0, false);
    assert_false(lapic_external(&lapic));
    lapic_set_lint(&lapic, 1, true);
    lapic_set_lint(&lapic, 1, true);
    assert_int_equal(sent_count, 1);
    assert_int_equal(sent.mode, DELIVERY_NMI);
    set_msr(0x1b, BASE_XAPIC);
    assert_int_equal(get(TPR), 0); /* as after power-up */
    assert_int_equal(get(SVR), 0xff);
    assert_int_equal(get(LINT1), 0x10000);
    assert_int_equal(lapic_requested(&lapic), LAPIC_NONE);
}

static void base_moves(void **state)
{
    (void)state;
    set(TPR, 0x40);
    set_msr(0x1b, UINT64_C(0x8012345900));
    assert_true(lapic_memory(&lapic).gpa == UINT64_C(0x8012345000));
    assert_int_equal(get(TPR), 0x40);
    write_faults(0x1b, UINT64_C(0x10000000900)); /* beyond MAXPHYADDR */
    write_faults(0x1b, BASE_XAPIC | 1);
    write_faults(0x1b, BASE_XAPIC | 0x80);
    write_faults(0x1b, BASE_XAPIC | 0x200);
    lapic.config.x2apic = false;
    write_faults(0x1b, BASE_X2APIC);
}

static void base_transitions(void **state)
{
    (void)state;
    write_faults(0x1b, BASE_X2APIC & ~UINT64_C(0x800)); /* EXTD without EN */
    set(ICR2, 0xff000000);
    set(LDR, 0x01000000);
    set(TPR, 0x20);
    set_msr(0x1b, BASE_X2APIC);
    assert_int_equal(lapic_memory(&lapic).size, 0);
    assert_int_equal(msr(0x808), 0x20);
    assert_int_equal(msr(0x830), 0); /* the destination is not kept */
    write_faults(0x1b, BASE_XAPIC);  /* x2APIC to xAPIC */
    write_faults(0x1b, BASE_X2APIC & ~UINT64_C(0x800));
    set_msr(0x1b, BASE_X2APIC);
    set_msr(0x1b, 0xfee00100);
    write_faults(0x1b, BASE_X2APIC); /* disabled to x2APIC */
    set_msr(0x1b, 0xfee00100);
    set_msr(0x1b, BASE_XAPIC);
    assert_int_equal(get(TPR), 0);
    set_msr(0x1b, BASE_X2APIC);
}

static void x2apic_only_in_its_mode(void **state)
{
    (void)state;
    for (uint32_t index = 0x800; index <= 0x8ff; index++) {
        assert_true(lapic_has_msr(index));
        read_faults(index);
        write_faults(index, 0);
    }
    assert_true(lapic_has_msr(0x1b));
    assert_true(lapic_has_msr(0x6e0));
    assert_false(lapic_has_msr(0x7ff));
    assert_false(lapic_has_msr(0x900));
    read_faults(0x900);
    write_faults(0x10, 0);
}

static void x2apic_registers(void **state)
{
    /* r readable, w writable, with its bits */
    static const struct {
        uint8_t first, last;
        bool readable, writable;
        uint64_t bits;
    } registers[] = {{0x02, 0x03, true, false, 0},
                     {0x08, 0x08, true, true, 0xff},
                     {0x0a, 0x0a, true, false, 0},
                     {0x0b, 0x0b, false, true, 0},
                     {0x0d, 0x0d, true, false, 0},
                     {0x0f, 0x0f, true, true, 0x1ff},
                     {0x10, 0x27, true, false, 0},
                     {0x28, 0x28, true, true, 0},
                     {0x30, 0x30, true, true, UINT64_C(0xffffffff000cdfff)},
                     {0x32, 0x32, true, true, 0x710ff},
                     {0x33, 0x34, true, true, 0x117ff},
                     {0x35, 0x36, true, true, 0x1f7ff},
                     {0x37, 0x37, true, true, 0x110ff},
                     {0x38, 0x38, true, true, 0xffffffff},
                     {0x39, 0x39, true, false, 0},
                     {0x3e, 0x3e, true, true, 0x0b},
                     {0x3f, 0x3f, false, true, 0xff}};

    (void)state;
    for (uint32_t number = 0; number < 0x100; number++) {
        bool readable = false, writable = false;
        uint64_t bits = 0, value;

        for (unsigned i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
            if (number >= registers[i].first && number <= registers[i].last) {
                readable = registers[i].readable;
                writable = registers[i].writable;
                bits = registers[i].bits;
            }
        }
        if (lapic_read_msr(&lapic, 0x800 + number, &value, 0) != readable)
            fail_msg("RDMSR 0x%x", 0x800 + number);
        if (!writable) {
            write_faults(0x800 + number, 0);
            continue;
        }
        for (unsigned bit = 0; bit < 64; bit++) {
            if ((bits >> bit & 1) == 0)
                write_faults(0x800 + number, UINT64_C(1) << bit);
        }
        if (number == 0x30)
            set_msr(0x830, UINT64_C(0x12345678000c00ff)); /* to others: nobody */
        else
            set_msr(0x800 + number, number == 0x3f ? 0xff : bits);
    }
    assert_int_equal(msr(0x802), 3);
    assert_int_equal(msr(0x80d), 8);
    assert_int_equal(msr(0x830), UINT64_C(0x12345678000c00ff));
    lapic.config.id = 0x12345;
    assert_int_equal(msr(0x802), 0x12345);
    assert_int_equal(msr(0x80d), 0x12340020);
    lapic.config.tsc_deadline = false;
    write_faults(0x832, 0x40000);
    read_faults(0x6e0);
    write_faults(0x6e0, 0);
}

static void x2apic_self_ipi(void **state)
{
    (void)state;
    set_msr(0x83f, 0x42);
    assert_int_equal(msr(0x822), 4);
    assert_int_equal(lapic_acknowledge(&lapic), 0x42);
    set_msr(0x80b, 0);
    assert_int_equal(msr(0x812), 0);
    set_msr(0x83f, 0x0e);
    set_msr(0x828, 0);
    assert_int_equal(msr(0x828), 0x60);
    assert_int_equal(lapic_requested(&lapic), LAPIC_NONE);
}

/* Sends and says whether the vector arrived here; what arrived is taken away. */
static bool arrives(uint8_t vector)
{
    bool arrived = lapic_highest(&lapic) == vector;

    if (arrived) {
        (void)lapic_acknowledge(&lapic);
        if (lapic_memory(&lapic).size != 0)
            set(EOI, 0);
        else
            set_msr(0x80b, 0);
    }
    return arrived;
}

static bool ipi(uint32_t destination, uint32_t low)
{
    set(ICR2, destination << 24);
    set(ICR, low);
    assert_int_equal(get(ICR), low & ~0x1000u); /* sent: idle */
    return arrives((uint8_t)low);
}

static void ipi_destinations(void **state)
{
    (void)state;
    assert_true(ipi(3, 0x50));
    assert_false(ipi(4, 0x50));
    assert_true(ipi(0xff, 0x50));
    assert_true(ipi(0, 0x40051));  /* self */
    assert_true(ipi(0, 0x80052));  /* all including self */
    assert_false(ipi(3, 0xc0053)); /* all excluding self */
    assert_true(ipi(3, 0x154));    /* lowest priority */
    assert_true(ipi(3, 0x1050));
    assert_true(ipi(3, 0xc050)); /* a level-triggered fixed IPI is an edge */
    assert_int_equal(eoi_count, 0);

    set(LDR, 0x42000000); /* flat */
    assert_true(ipi(0x02, 0x850));
    assert_true(ipi(0x40, 0x850));
    assert_true(ipi(0xc3, 0x850));
    assert_false(ipi(0xbd, 0x850));
    assert_true(ipi(0xff, 0x850));
    set(DFR, 0x0fffffff); /* cluster 4, member 1 */
    assert_true(ipi(0x42, 0x850));
    assert_true(ipi(0x4f, 0x850));
    assert_false(ipi(0x41, 0x850));
    assert_false(ipi(0x22, 0x850));
    assert_true(ipi(0xff, 0x850));
    set(DFR, 0x5fffffff); /* no such model */
    assert_false(ipi(0x42, 0x850));
}

static void ipi_modes(void **state)
{
    (void)state;
    set(ICR2, 0x03000000);
    set(ICR, 0x4400);
    assert_int_equal(sent_count, 1);
    assert_int_equal(sent.mode, DELIVERY_NMI);
    set(ICR, 0x4500);
    assert_int_equal(sent.mode, DELIVERY_INIT);
    set(ICR, 0x8500); /* INIT level de-assert */
    assert_int_equal(sent_count, 2);
    set(ICR, 0x4608);
    assert_int_equal(sent.mode, DELIVERY_STARTUP);
    assert_int_equal(sent.vector, 8);
    set(ICR, 0x4200);
    assert_int_equal(sent.mode, DELIVERY_SMI);
    assert_int_equal(sent_count, 4);
    set(ICR, 0x4350); /* reserved */
    set(ICR, 0x4750);
    set(ICR, 0x44400); /* self: fixed alone is valid */
    set(ICR, 0x84400);
    set(ICR, 0xc4400); /* to others */
    assert_int_equal(sent_count, 4);
    assert_int_equal(lapic_requested(&lapic), LAPIC_NONE);
    lapic.config.deliver = NULL;
    set(ICR, 0x4400);
    lapic_set_lint(&lapic, 1, true);
}

static bool x2ipi(uint64_t destination, uint32_t low)
{
    set_msr(0x830, destination << 32 | low);
    return arrives((uint8_t)low);
}

static void x2apic_ipi_destinations(void **state)
{
    (void)state;
    assert_true(x2ipi(3, 0x50));
    assert_false(x2ipi(0xff, 0x50)); /* an ID */
    assert_true(x2ipi(0xffffffff, 0x50));
    assert_true(x2ipi(0x00000008, 0x850));
    assert_true(x2ipi(0x0000ffff, 0x850));
    assert_false(x2ipi(0x00000007, 0x850));
    assert_false(x2ipi(0x00010008, 0x850));
    assert_true(x2ipi(0xffffffff, 0x850));
    assert_true(x2ipi(0, 0x40050));
    assert_true(x2ipi(0, 0x80050));
    assert_false(x2ipi(3, 0xc0050));
}

static void messages(void **state)
{
    struct interrupt_message message = {
        .vector = 0x66, .mode = DELIVERY_LOWEST_PRIORITY, .level = true, .destination = 3};

    (void)state;
    assert_true(lapic_receive(&lapic, &message));
    assert_int_equal(get(TMR + 0x30), 0x40);
    assert_true(arrives(0x66));
    assert_int_equal(eoi_count, 1);
    message.destination = 4;
    assert_false(lapic_receive(&lapic, &message));
    message.destination = 0xff;
    assert_true(lapic_receive(&lapic, &message));
    message.mode = DELIVERY_RESERVED;
    assert_false(lapic_receive(&lapic, &message));
    message.mode = DELIVERY_EXTINT;
    assert_true(lapic_receive(&lapic, &message));
    assert_true(lapic_external(&lapic));
    lapic_external_taken(&lapic);
    assert_false(lapic_external(&lapic));
    set_msr(0x1b, BASE_X2APIC);
    message.mode = DELIVERY_FIXED;
    assert_true(lapic_receive(&lapic, &message)); /* 0xff is everyone for an I/O APIC's message */
}

static void init_keeps_base(void **state)
{
    (void)state;
    set_msr(0x1b, UINT64_C(0x12000900));
    set(TPR, 0x20);
    assert_true(lapic_accept(&lapic, 0x99, false));
    lapic_init(&lapic);
    assert_int_equal(msr(0x1b), 0x12000900);
    assert_int_equal(get(TPR), 0);
    assert_int_equal(get(SVR), 0xff);
    assert_int_equal(lapic_requested(&lapic), LAPIC_NONE);
    assert_int_equal(get(ID), 0x03000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(after_reset, reset),
        cmocka_unit_test_setup(writable_bits, reset_enabled),
        cmocka_unit_test_setup(access_widths, reset),
        cmocka_unit_test_setup(priorities, reset_enabled),
        cmocka_unit_test_setup(cr8, reset),
        cmocka_unit_test_setup(level_and_edge, reset_enabled),
        cmocka_unit_test_setup(software_disabled, reset_enabled),
        cmocka_unit_test_setup(spurious, reset_enabled),
        cmocka_unit_test_setup(errors, reset_enabled),
        cmocka_unit_test_setup(illegal_registers, reset),
        cmocka_unit_test_setup(lint_external, reset_enabled),
        cmocka_unit_test_setup(lint_nmi, reset_enabled),
        cmocka_unit_test_setup(lint_fixed, reset_enabled),
        cmocka_unit_test_setup(virtual_wire, reset),
        cmocka_unit_test_setup(base_disable, reset_enabled),
        cmocka_unit_test_setup(base_moves, reset),
        cmocka_unit_test_setup(base_transitions, reset),
        cmocka_unit_test_setup(x2apic_only_in_its_mode, reset),
        cmocka_unit_test_setup(x2apic_registers, reset_x2apic),
        cmocka_unit_test_setup(x2apic_self_ipi, reset_x2apic),
        cmocka_unit_test_setup(ipi_destinations, reset_enabled),
        cmocka_unit_test_setup(ipi_modes, reset_enabled),
        cmocka_unit_test_setup(x2apic_ipi_destinations, reset_x2apic),
        cmocka_unit_test_setup(messages, reset_enabled),
        cmocka_unit_test_setup(init_keeps_base, reset_enabled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
