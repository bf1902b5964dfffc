/* SPDX-License-Identifier: MIT */
/* A VM's PC and the hypervisor. */
#include "vmm/vm/devices.h"
#include "arch/x86/cmos_clock.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/memory.h"
#include "arch/x86/tsc.h"
#include "vmm/host/cpu.h"
#include "vmm/vcpu/cpuid.h"
#include "vmm/vm/memory_map.h"
#include "vmm/vm/output.h"
#include "vmm/hypercall_abi.h"
#include "vmm/host/machine.h"
#include "vmm/host/panic.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/memory.h"
#include "vmm/devices/pc.h"
#include "vmm/devices/test_memory.h"

/* Serial lines and debug ports: whole lines go on. The VM's CPU, in its exit path. */
static void output(void *context, unsigned way, uint8_t byte)
{
    struct vm *vm = context;

    if (guest_line_put(&vm->output_lines[way], (char)byte))
        guest_output_line(vmm_cpu()->vcpu, &vm->output_lines[way]);
}

static void end(void *context, enum pc_end how, unsigned detail)
{
    struct vm *vm = context;

    switch (how) {
    case PC_END_PORT:
        vm_end_by_guest(vm, detail == 0, "port 0xf4 value=%#x", detail);
        break;
    case PC_END_RESET:
        vm_end_by_guest(vm, false, "guest reset: port %#x", detail);
        break;
    case PC_END_POWER_OFF:
        vm_end_by_guest(vm, true, "power off");
        break;
    }
}

_Static_assert(GUEST_MEMORY_MAP_MAX <= FW_CFG_E820_MAX, "all that is told fits into etc/e820");
_Static_assert((int)E820_RAM == GUEST_MEMORY_USABLE && (int)E820_RESERVED == GUEST_MEMORY_RESERVED,
               "one numbering of types");

/* What fw_cfg tells is what the BIOS and multiboot tell. Returns the number of entries. */
static unsigned make_e820(const struct vm *vm, struct e820_entry *map)
{
    struct guest_memory_map told;

    vm_memory_tell(vm, &told);
    for (unsigned i = 0; i < told.count; i++)
        map[i] = (struct e820_entry){told.ranges[i].base, told.ranges[i].length, told.ranges[i].type};
    return told.count;
}

/* The machine's date and time; without a clock, the first day that one without a battery would show. */
static struct rtc_time time_of_day(void)
{
    struct cmos_time time;

    if (!cmos_clock_read(&time))
        return (struct rtc_time){.year = 2000, .month = 1, .day = 1};
    return (struct rtc_time){.year = time.year,
                             .month = time.month,
                             .day = time.day,
                             .hour = time.hour,
                             .minute = time.minute,
                             .second = time.second};
}

/* What the CMOS memory says of the RAM: up to the last of the map below 4 GiB, and from 4 GiB on. */
static struct rtc_config make_rtc_config(const struct e820_entry *map, unsigned count)
{
    struct rtc_config config = {.time = time_of_day()};

    for (unsigned i = 0; i < count; i++) {
        uint64_t end_address = map[i].base + map[i].length;

        if (map[i].type != E820_RAM)
            continue;
        if (map[i].base < FOUR_GIB)
            config.memory_below_4g = end_address < FOUR_GIB ? end_address : FOUR_GIB;
        if (end_address > FOUR_GIB)
            config.memory_above_4g = end_address - FOUR_GIB;
    }
    return config;
}

/* The timer counts as the TSC does. */
static struct lapic_config make_lapic_config(void)
{
    return (struct lapic_config){.bsp = true,
                                 .timer_hz = tsc_khz() * 1000,
                                 .tsc_hz = tsc_khz() * 1000,
                                 .physical_address_bits = (uint8_t)guest_cpuid_physical_width(),
                                 .x2apic = true,
                                 .tsc_deadline = true};
}

void vm_devices_start(struct vm *vm, uint64_t tsc)
{
    guest_time_start(&vm->time, tsc, tsc_khz());
    vm->console_character = -1;
    switch (machine_options()->input_device) {
    case CMDLINE_INPUT_BOTH:
        vm->pc->console = PC_CONSOLE_BOTH;
        break;
    case CMDLINE_INPUT_COM1:
        vm->pc->console = PC_CONSOLE_COM1;
        break;
    case CMDLINE_INPUT_KEYBOARD:
        vm->pc->console = PC_CONSOLE_KEYBOARD;
        break;
    }
    lapic_set_tsc(&vm->pc->lapic, tsc, 0);
}

/* With test=mmio-device: memory that behaves as RAM and is none. */
static bool add_test_memory(struct vm *vm)
{
    const struct device_memory test = test_memory_range(vm->test_memory);

    test_memory_reset(vm->test_memory);
    return !cmdline_has_test(machine_options(), "mmio-device") || vm->config.memory != GUEST_MEMORY_PRIVATE ||
           bus_add_memory(&vm->pc->bus, &test);
}

void vm_devices_create(struct vm *vm)
{
    struct e820_entry map[FW_CFG_E820_MAX];
    unsigned count = make_e820(vm, map);
    const struct pc_host host = {.context = vm, .output = output, .end = end};
    const struct pc_config config = {.ram_bytes = vm->ram_frames * PAGE_SIZE,
                                     .cpus = 1,
                                     .map = map,
                                     .map_count = count,
                                     .rtc = make_rtc_config(map, count),
                                     .lapic = make_lapic_config()};

    if (!pc_create(vm->pc, &host, &config) || !add_test_memory(vm))
        panic("two virtual devices at one place");
}
