/* SPDX-License-Identifier: MIT */
/* The machine's life from the first line of C to its end, in order. */
#include "vmm/host/machine.h"

#include "arch/x86/control_registers.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/gdt.h"
#include "arch/x86/idt.h"
#include "arch/x86/memory.h"
#include "arch/x86/paging.h"
#include "arch/x86/pat.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "boot/layout_abi.h"
#include "drivers/console.h"
#include "version.h"
#include "vmm/host/console_setup.h"
#include "vmm/host/frame.h"
#include "vmm/plug.h"
#include "vmm/host/memory_setup.h"
#include "vmm/host/panic.h"
#include "vmm/host/power.h"
#include "vmm/guests.h"
#include "vmm/host/cpu.h"
#include "vmm/preflight.h"
#include "vmm/start_cpus.h"

_Static_assert(MEMORY_DIRECT_MAP_BASE == DIRECT_MAP_BASE, "arch/x86/memory.h repeats boot/layout_abi.h");
_Static_assert(MEMORY_STACK_AREA_BASE == STACK_AREA_BASE, "arch/x86/memory.h repeats boot/layout_abi.h");

#define EARLY_IST_SIZE 0x2000
#define STATUS_REFUSED 2

extern const uint8_t image_start[], image_end[], boot_stack_bottom[], boot_stack_top[];
noreturn_fn void adept_main(uint32_t magic, uint64_t information, uint64_t image_load_delta);
/* arch/x86/exception_entry.asm */
noreturn_fn void stack_call(uint64_t stack_top, void (*function)(void));

static struct boot_info boot;
static enum boot_status boot_status;
static struct cmdline_options options;
static struct acpi_info acpi;
static enum acpi_status acpi_status;
static struct mtrr_raw mtrr;
static struct image_range image;
static struct percpu boot_cpu;
static uint8_t early_ist[IST_COUNT][EARLY_IST_SIZE] __attribute__((aligned(16)));

const struct boot_info *machine_boot_info(void)
{
    return &boot;
}

const struct acpi_info *machine_acpi(void)
{
    return &acpi;
}

const struct cmdline_options *machine_options(void)
{
    return &options;
}

const struct mtrr_raw *machine_mtrr(void)
{
    return &mtrr;
}

uint64_t machine_image_base(void)
{
    return image.base;
}

static uint32_t cpu_index(void)
{
    return percpu()->index;
}

static uint64_t clock(void)
{
    return tsc_read();
}

static const void *read_physical(void *context, uint64_t physical, size_t length)
{
    (void)context;
    return paging_is_mapped(physical, length) ? phys_to_virt(physical) : NULL;
}

/* GDT, TSS, IDT and GS base on the boot stacks: from here on an exception is reported. */
static void load_boot_cpu(void)
{
    boot_cpu.self = &boot_cpu;
    boot_cpu.bootstrap = true;
    boot_cpu.stacks.main_bottom = (uint64_t)(uintptr_t)boot_stack_bottom;
    boot_cpu.stacks.main_top = (uint64_t)(uintptr_t)boot_stack_top;
    for (unsigned i = 0; i < IST_COUNT; i++) {
        boot_cpu.stacks.ist_bottom[i] = (uint64_t)(uintptr_t)early_ist[i];
        boot_cpu.stacks.ist_top[i] = boot_cpu.stacks.ist_bottom[i] + EARLY_IST_SIZE;
    }
    gdt_build(&boot_cpu);
    gdt_load(&boot_cpu);
    idt_build();
    idt_load();
    percpu_set_state(&boot_cpu, CPU_ONLINE);
    percpu_register(&boot_cpu);
    control_registers_set();
    pat_set();
}

static void print_boot(void)
{
    console_printf("adept: version %s hash=%s\n", ADEPT_VERSION, ADEPT_HASH);
    console_printf("adept: boot: loader=\"%s\" protocol=%s firmware=%s command_line=\"%s\"\n",
                   boot.loader_name, boot.protocol == BOOT_PROTOCOL_MULTIBOOT2 ? "multiboot2" : "multiboot1",
                   boot.from_efi ? "uefi" : "bios", boot.command_line);
    if (boot_status != BOOT_OK)
        console_printf("adept: boot: %s\n", boot_status_text(boot_status));
    for (unsigned bit = 0; bit < BOOT_NOTE_COUNT; bit++) {
        if (boot.notes & 1u << bit)
            console_printf("adept: boot: note: %s\n", boot_note_text(bit));
    }
    for (unsigned i = 0; i < options.problems.count; i++)
        console_printf("adept: command line: %s\n", options.problems.line[i]);
    if (options.problems.dropped != 0)
        console_printf("adept: command line: %u more problems\n", options.problems.dropped);
    for (unsigned i = 0; i < boot.module_count; i++)
        console_printf("adept: module: base=%#llx length=%llu string=\"%s\"\n",
                       (unsigned long long)boot.modules[i].base, (unsigned long long)boot.modules[i].length,
                       boot.modules[i].string);
    console_setup_print();
}

static void print_memory(void)
{
    struct frame_stats frames;

    frame_stats(&frames);
    console_printf(
        "adept: memory: ram=%llu MiB free=%llu MiB host=%llu KiB top=%#llx image=%#llx+%#llx ranges=%u\n",
        (unsigned long long)(frames.total / 256), (unsigned long long)(frames.free / 256),
        (unsigned long long)(frames.host * 4), (unsigned long long)frame_top(),
        (unsigned long long)image.base, (unsigned long long)image.length, boot.memory_count);
}

static void print_machine(void)
{
    char vendor[13], brand[49], hypervisor[13], features[160];
    struct cpuid_version version = cpuid_version();

    if (acpi_status == ACPI_OK)
        console_printf("adept: acpi: revision=%u cpus=%u disabled=%u\n", acpi.revision, acpi.cpu_count,
                       acpi.disabled_count);
    else
        console_printf("adept: acpi: %s: only the boot CPU is used\n", acpi_status_text(acpi_status));
    if (acpi.problem_count != 0)
        console_printf("adept: acpi: problems=%u the first: %s\n", acpi.problem_count, acpi.problem);
    if (acpi.cpus_dropped != 0)
        console_printf("adept: acpi: %u CPUs more than %u are left out\n", acpi.cpus_dropped, ACPI_CPU_MAX);

    cpuid_vendor(vendor);
    cpuid_brand(brand);
    cpuid_hypervisor(hypervisor);
    (void)cpuid_feature_line(features, sizeof(features));
    console_printf(
        "adept: processor: vendor=%s brand=\"%s\" family=%#x model=%#x stepping=%#x microcode=%#llx "
        "physical_width=%u features=\"%s\"\n",
        vendor, brand, version.family, version.model, version.stepping,
        (unsigned long long)boot_cpu.microcode, cpuid_physical_width(), features);
    if (hypervisor[0] != '\0')
        console_printf("adept: platform: hypervisor=\"%s\"\n", hypervisor);
    console_printf("adept: tsc: khz=%llu source=%s", (unsigned long long)tsc_khz(),
                   tsc_source_text(tsc_source()));
    if (tsc_cpuid_khz() != 0 && tsc_source() != TSC_SOURCE_CPUID)
        console_printf(" (cpuid says %llu)", (unsigned long long)tsc_cpuid_khz());
    console_printf("\n");
}

/* The rest, on the boot CPU's guarded stack. */
static noreturn_fn void run(void)
{
    struct acpi_reader reader = {.at = read_physical};
    int status;

    acpi_status = acpi_parse(&acpi, boot.rsdp, boot.rsdp_length, &reader);
    tsc_calibrate(acpi.pm_timer_port, acpi.pm_timer_32bit);
    power_init(&acpi, options.on_end);
    console_setup(&options, &boot, &acpi);
    start_cpus_prepare();
    print_boot();
    print_memory();
    print_machine();

    (void)preflight_run(); /* guests_run() looks at its outcome again; the CPUs are shown working all the same
                            */
    start_cpus();
    host_test_run();
    status = guests_run();
    host_test_after_guests();
    cpu_vmx_off();
    stop_cpus();
    power_end(status);
}

/* Entered by boot/entry.asm on the boot stack and the boot tables, interrupts off. */
noreturn_fn void adept_main(uint32_t magic, uint64_t information, uint64_t image_load_delta)
{
    struct boot_memory_reader reader = {.at = read_physical};

    image.base = LINK_PHYSICAL + image_load_delta;
    image.length = (uint64_t)(image_end - image_start);
    memory_set_image(image.base);
    load_boot_cpu();
    console_init_early();
    console_set_cpu_index(cpu_index);
    console_set_clock(clock);

    boot_status = boot_info_parse(&boot, magic, information, &reader);
    cmdline_parse(&options, boot.command_line);
    power_init(NULL, options.on_end);
    console_setup(&options, &boot, NULL);
    if (boot.memory_count == 0) {
        console_printf(
            "adept: refused: a memory map is missing: %s (start it by GRUB's multiboot2 command)\n",
            boot_status_text(boot_status));
        power_end(STATUS_REFUSED);
    }
    mtrr_capture(&mtrr);
    host_test_modules(&boot);
    memory_setup(&boot, &image, &mtrr);
    if (!paging_map_stacks(0, memory_host_frame, &boot_cpu.stacks))
        panic("no memory for the boot CPU's stacks");
    gdt_build(&boot_cpu);
    gdt_load(&boot_cpu);
    stack_call(boot_cpu.stacks.main_top, run);
}
