/* SPDX-License-Identifier: MIT */
/* One CPU after the other, in MADT order, the boot CPU first. */
#include "vmm/start_cpus.h"

#include "arch/x86/apic.h"
#include "arch/x86/exception.h"
#include "arch/x86/ioapic.h"
#include "arch/x86/memory.h"
#include "arch/x86/microcode.h"
#include "arch/x86/paging.h"
#include "arch/x86/smp.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"
#include "drivers/console.h"
#include "drivers/format.h"
#include "vmm/guests.h"
#include "vmm/host/cpu.h"
#include "vmm/host/frame.h"
#include "vmm/plug.h"
#include "vmm/host/machine.h"
#include "vmm/host/memory_setup.h"

#define XAPIC_ID_MAX 0xfeu /* 0xff is everyone */
#define STOP_WAIT_US 1000000

static bool want_x2apic;
static enum apic_mode boot_mode;
static uint32_t ids[ACPI_CPU_MAX + 1]; /* of the CPUs to start, the boot CPU's first */
static unsigned id_count;
static bool mtrrs_differ; /* CPUs come one after the other */

bool machine_mtrrs_differ(void)
{
    return mtrrs_differ;
}

/* What differs from the boot CPU though it should not. */
static void compare_with_boot_cpu(void)
{
    static struct mtrr_raw mtrr; /* CPUs come one after the other */
    struct mtrr_difference difference;
    const struct percpu *boot = percpu_of(0), *self = percpu();

    mtrr_capture(&mtrr);
    if (!mtrr_equal(machine_mtrr(), &mtrr, &difference)) {
        char index[8] = "";
        mtrrs_differ = true;
        if (difference.index >= 0)
            (void)format(index, sizeof(index), "%d", difference.index);
        console_printf("adept: cpu=%u apic=%#x mtrr: %s%s=%#llx, but %#llx on the boot CPU\n", self->index,
                       self->apic_id, difference.name, index, (unsigned long long)difference.right,
                       (unsigned long long)difference.left);
    }
    if (self->microcode != boot->microcode)
        console_printf("adept: cpu=%u apic=%#x microcode=%#llx differs from the boot CPU's %#llx\n",
                       self->index, self->apic_id, (unsigned long long)self->microcode,
                       (unsigned long long)boot->microcode);
}

/* Where every CPU but the boot CPU comes into C with all its own things loaded. */
static noreturn_fn void other_cpu(void)
{
    struct percpu *self = percpu();
    enum apic_mode mode = apic_init_cpu(want_x2apic);

    self->microcode = microcode_revision();
    if (mode != boot_mode)
        console_printf("adept: cpu=%u apic=%#x its local APIC is in %s mode, the boot CPU's in %s mode\n",
                       self->index, self->apic_id, apic_mode_text(mode), apic_mode_text(boot_mode));
    compare_with_boot_cpu();
    cpu_vmx_on();
    if (smp_ready()) {
        host_test_other_cpu();
        cpu_serve();
    }
    cpu_vmx_off();
    percpu_set_state(self, CPU_STOPPED);
    cpu_halt_forever();
}

/* No device of the machine's sends an interrupt from here on but by a message of its own, which the task
 * priority keeps pending. */
static void mask_machine_interrupts(const struct acpi_info *acpi)
{
    struct ioapic_pins all = {0, 0};

    pic_mask();
    for (unsigned i = 0; i < acpi->ioapic_count; i++) {
        struct ioapic_pins pins = ioapic_mask(acpi->ioapics[i]);

        all.all += pins.all;
        all.open += pins.open;
    }
    if (all.open != 0)
        console_printf("adept: interrupts: firmware left open=%u of=%u pins of I/O APICs: masked\n", all.open,
                       all.all);
    if (acpi->ioapics_dropped != 0)
        console_printf("adept: acpi: %u I/O APICs more than %u are not masked\n", acpi->ioapics_dropped,
                       ACPI_IOAPIC_MAX);
}

void start_cpus_prepare(void)
{
    const struct acpi_info *acpi = machine_acpi();
    unsigned limit = machine_options()->cpus;
    struct percpu *self = percpu();

    for (unsigned i = 0; i < acpi->cpu_count; i++)
        want_x2apic = want_x2apic || acpi->cpus[i].apic_id > XAPIC_ID_MAX;
    want_x2apic = want_x2apic || cmdline_has_test(machine_options(), "x2apic");
    host_test_before_masks();
    mask_machine_interrupts(acpi);
    boot_mode = apic_init_cpu(want_x2apic);
    want_x2apic = boot_mode == APIC_X2APIC;
    self->apic_id = apic_id();
    self->microcode = microcode_revision();

    ids[id_count++] = self->apic_id;
    for (unsigned i = 0; i < acpi->cpu_count; i++) {
        if (acpi->cpus[i].apic_id != self->apic_id)
            ids[id_count++] = acpi->cpus[i].apic_id;
    }
    if (limit != 0 && limit < id_count) {
        console_printf("adept: cpus=%u: %u of %u CPUs are left alone\n", limit, id_count - limit, id_count);
        id_count = limit;
    }
    if (id_count > PERCPU_MAX)
        id_count = PERCPU_MAX;
}

/* A CPU's own memory with stacks of slot `slot`; NULL if there is none left. */
static struct percpu *make_cpu(uint32_t slot)
{
    uint64_t frame = memory_host_frame();
    struct percpu *cpu;

    _Static_assert(sizeof(struct percpu) <= PAGE_SIZE, "one frame a CPU");
    if (frame == FRAME_ALLOC_FAILED)
        return NULL;
    cpu = phys_to_virt(frame);
    memset(cpu, 0, sizeof(*cpu));
    cpu->self = cpu;
    return paging_map_stacks(slot, memory_host_frame, &cpu->stacks) ? cpu : NULL;
}

/* True: it is up. False: *cpu may serve for the next attempt unless it has been set to NULL. */
static bool start_one(struct percpu **cpu, uint32_t id, bool mute)
{
    (*cpu)->apic_id = id;
    (*cpu)->index = percpu_count();
    gdt_build(*cpu);
    switch (smp_start(*cpu, other_cpu, mute)) {
    case SMP_READY:
        percpu_register(*cpu);
        *cpu = NULL;
        return true;
    case SMP_NO_ANSWER:
        console_printf("adept: cpu apic=%#x does not answer INIT-SIPI-SIPI within %u ms: left out\n", id,
                       SMP_ANSWER_MS);
        return false;
    case SMP_IPI_FAILED:
        console_printf("adept: cpu apic=%#x cannot be sent INIT-SIPI-SIPI by this local APIC: left out\n",
                       id);
        return false;
    case SMP_NOT_READY:
        /* INIT takes it off its stack, but who knows: it keeps that. */
        console_printf("adept: cpu apic=%#x answers, but is not ready within %u ms: left out\n", id,
                       SMP_READY_MS);
        if (!apic_send_init(id))
            console_printf("adept: cpu apic=%#x cannot be sent INIT\n", id);
        *cpu = NULL;
        return false;
    }
    return false;
}

void start_cpus(void)
{
    uint64_t trampoline = FRAME_ALLOC_FAILED;
    struct percpu *cpu = NULL;
    uint32_t slot = 1; /* 0 is the boot CPU's */

    cpu_vmx_on();
    if (id_count > 1)
        trampoline = memory_claim_trampoline();
    if (trampoline != FRAME_ALLOC_FAILED && boot_mode != APIC_ABSENT) {
        smp_init(trampoline);
        for (unsigned i = 1; i < id_count; i++) {
            bool mute = i + 1 == id_count && cmdline_has_test(machine_options(), "ap-mute");
            if (cpu == NULL)
                cpu = make_cpu(slot++);
            if (cpu == NULL) {
                console_printf("adept: cpu apic=%#x and those after it: no memory for their stacks\n",
                               ids[i]);
                break;
            }
            (void)start_one(&cpu, ids[i], mute);
        }
    } else if (id_count > 1) {
        console_printf("adept: the other CPUs stay off: %s\n",
                       boot_mode == APIC_ABSENT ? "no local APIC"
                                                : "no free page below 1 MiB for their start");
    }
    console_printf("adept: cpus: up=%u of=%u apic=%s\n", percpu_count(), id_count, apic_mode_text(boot_mode));
}

void stop_cpus(void)
{
    uint64_t start = tsc_read();

    for (uint32_t i = 1; i < percpu_count(); i++) {
        const struct percpu *other = percpu_of(i);
        while (percpu_state(other) != CPU_STOPPED && tsc_read() - start < tsc_ticks(STOP_WAIT_US))
            cpu_pause();
        if (percpu_state(other) != CPU_STOPPED)
            console_printf("adept: cpu=%u apic=%#x does not stop\n", i, other->apic_id);
    }
}
