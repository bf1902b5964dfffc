/* SPDX-License-Identifier: MIT */
/*
 * What test= on the command line makes the host do to itself, so that its own safety nets are seen to hold.
 * Words that are looked at elsewhere: ap-mute and x2apic (vmm/start_cpus.c), vmx-off (vmm/host/cpu.c),
 * ept-wrong-root and ept-bad-root (vmm/vm/vm.c), mmio-device (vmm/vm/devices.c), no-quick-exits
 * (vmm/quick/quick.c), walk-wrong (vmm/check/self/walk.c), entry-rules, entry-random, entry-broken-controls,
 * -host and -guest (vmm/check/entry/trial.c), monitor-trap-absent and monitor-trap-works
 * (vmm/debug/trap_flag.c), vpid-few and vpid-none (vmm/vcpu/vpid.c), forced-exits, undefined-exit and
 * unhandled-exit (vmm/vcpu/vmcs.c), bus-lock (vmm/vcpu/vcpu.c), string-io-decoded, as if exits told nothing
 * of INS and OUTS (vmm/host/cpu.c), key-id-bits, as if memory encryption took 6 bits off physical addresses
 * (vmm/vcpu/cpuid.c), conformance-wrong, -flag, -stray and -processor (vmm/check/conformance/conformance.c).
 */
#include "vmm/plug.h"

#include <stdint.h>

#include "arch/x86/apic.h"
#include "arch/x86/ioapic.h"
#include "arch/x86/memory.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/port.h"
#include "arch/x86/sleep.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"
#include "drivers/console.h"
#include "ept/map.h"
#include "vmm/host/frame.h"
#include "vmm/check/self/invalidation.h"
#include "vmm/host/machine.h"
#include "vmm/host/panic.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"

#define NMI_WAIT_US 100000
/* Of an interrupt that is taken, and of one that waits, because the task priority is above it. */
#define PENDING_VECTOR  0xf8
#define FIRMWARE_VECTOR 0x40
/* The 8254's channel 0 in mode 2 at about 10 kHz, and where machines have its interrupt. */
#define PIT_MODE     0x43
#define PIT_COUNTER  0x40
#define PIT_MODE_2   0x34
#define PIT_COUNT    119
#define PIT_PINS     3
#define PIN_EDGE_LOW 0u /* fixed delivery to APIC ID 0, edge-triggered, not masked */
/* Page 0 is unmapped; an offset into it is what a null pointer to a structure makes. */
#define NULL_MEMBER 0x18
/* Far more than a stack holds. */
#define RECURSION 100000u
/* The CPU that host-exception-ap is about, and the lines that the boot CPU prints meanwhile, far more than
 * come out before the panic. */
#define OTHER_CPU   1
#define OTHER_LINES 100000u
/* Where isolation-foreign puts a frame of the hypervisor's: RAM that guests leave alone. */
#define FOREIGN_GPA 0x9f000
#define LOW_MODULES 0x2000
#define ABSENT_MSR  0x12345678u
#define RET_OPCODE  0xc3

/* What the report of a failed assertion must show in RSI, RDX, R8 and R12, the register's number added. */
#define ASSERT_VALUE UINT64_C(0x5eed0000)

void host_test_page_fault(volatile uint32_t *nowhere);
void host_test_assert(uint64_t value);
void host_test_undefined(void);
uint32_t host_test_recurse(uint32_t depth);

__attribute__((noinline)) void host_test_page_fault(volatile uint32_t *nowhere)
{
    *nowhere = 1;
}

/* Registers hold values that a test knows, and the assertion fails. */
__attribute__((noinline)) void host_test_assert(uint64_t value)
{
    register uint64_t rsi __asm__("rsi") = value + 6, rdx __asm__("rdx") = value + 2;
    register uint64_t r8 __asm__("r8") = value + 8, r12 __asm__("r12") = value + 12;

    __asm__ volatile("" : "+r"(rsi), "+r"(rdx), "+r"(r8), "+r"(r12));
    assert(value != ASSERT_VALUE);
    __asm__ volatile("" : : "r"(rsi), "r"(rdx), "r"(r8), "r"(r12));
}

__attribute__((noinline)) void host_test_undefined(void)
{
    __asm__ volatile("ud2");
}

__attribute__((noinline)) uint32_t host_test_recurse(uint32_t depth)
{
    volatile uint32_t room[64];

    room[depth % 64] = depth;
    if (depth == 0)
        return room[0];
    return host_test_recurse(depth - 1) + room[depth % 64];
}

/* In .data: a return instruction that must not be executed. */
static uint8_t data_with_code[16] = {RET_OPCODE};

static bool boot_cpu_prints; /* atomic: host-exception-ap may go on */

/* As a panic's report calls it for the last exits. */
static void fault_in_hook(uint32_t cpu_index)
{
    uintptr_t nowhere = NULL_MEMBER;

    (void)cpu_index;
    host_test_page_fault((volatile uint32_t *)nowhere);
}

static void panic_in_hook(uint32_t cpu_index)
{
    panic("the report of cpu=%u panics, too", cpu_index);
}

static uint32_t nmi_count(void)
{
    return __atomic_load_n(&percpu()->nmi_count, __ATOMIC_RELAXED);
}

static void nmi_to_self(void)
{
    uint32_t before = nmi_count();
    uint64_t start = tsc_read();

    if (!apic_send_nmi(percpu()->apic_id)) {
        console_printf("adept: nmi: could not be sent\n");
        return;
    }
    while (nmi_count() == before && tsc_read() - start < tsc_ticks(NMI_WAIT_US))
        cpu_pause();
    if (nmi_count() == before)
        console_printf("adept: nmi: did not arrive\n");
    else
        console_printf("adept: nmi: survived count=%u\n", nmi_count());
}

/* RDMSR and WRMSR of what no processor has: #GP, which the fix-up table turns into an answer. */
static void absent_msr(void)
{
    uint64_t value;
    bool read = msr_read_safe(ABSENT_MSR, &value), written = msr_write_safe(ABSENT_MSR, 0);

    console_printf("adept: msr: %#x is absent: read %s, write %s\n", ABSENT_MSR, read ? "works" : "survived",
                   written ? "works" : "survived");
}

/* An interrupt of the machine's that waits, the host never taking any, until the first guest with RFLAGS.IF
 * set runs, or for ever. */
static void interrupt_to_self(uint8_t vector)
{
    if (!apic_send_fixed(percpu()->apic_id, vector))
        console_printf("adept: interrupt: could not be sent\n");
}

/* As firmware may leave a machine: a device that interrupts all the time, by a vector that nothing but a mask
 * holds back. */
void host_test_before_masks(void)
{
    if (!cmdline_has_test(machine_options(), "firmware-pins") || machine_acpi()->ioapic_count == 0)
        return;
    out8(PIT_MODE, PIT_MODE_2);
    out8(PIT_COUNTER, PIT_COUNT);
    out8(PIT_COUNTER, 0);
    for (unsigned pin = 0; pin < PIT_PINS; pin++)
        ioapic_pin_write(machine_acpi()->ioapics[0], pin, PIN_EDGE_LOW | PENDING_VECTOR);
}

/* Asleep for so long, by the TSC: with the alarm of the local APIC, in steps when it is more than one may be.
 */
static void sleep_a_while(void)
{
    static const uint64_t microseconds[] = {100, 1000, CPU_SLEEP_MAX_US};

    (void)apic_timer_khz(); /* the first call measures it */
    for (unsigned i = 0; i < array_count(microseconds); i++) {
        uint64_t start = tsc_read(), ticks;

        cpu_sleep(microseconds[i]);
        ticks = tsc_read() - start;
        console_printf("adept: sleep: asked_us=%llu slept_us=%llu timer_khz=%llu\n",
                       (unsigned long long)microseconds[i], (unsigned long long)(ticks * 1000 / tsc_khz()),
                       (unsigned long long)apic_timer_khz());
    }
}

/* The other CPU faults while this one prints. */
static void print_until_stopped(void)
{
    if (percpu_count() <= OTHER_CPU) {
        console_printf("adept: test=host-exception-ap: there is no other CPU\n");
        return;
    }
    for (uint32_t i = 0; i < OTHER_LINES; i++) {
        console_printf("adept: the boot CPU prints line %u of many\n", i);
        if (i == 4)
            __atomic_store_n(&boot_cpu_prints, true, __ATOMIC_RELEASE);
    }
}

void host_test_other_cpu(void)
{
    uintptr_t nowhere = NULL_MEMBER;

    if (percpu()->index != OTHER_CPU || !cmdline_has_test(machine_options(), "host-exception-ap"))
        return;
    while (!__atomic_load_n(&boot_cpu_prints, __ATOMIC_ACQUIRE))
        cpu_pause();
    host_test_page_fault((volatile uint32_t *)nowhere);
}

void host_test_modules(struct boot_info *boot)
{
    uint64_t at = LOW_MODULES;

    if (!cmdline_has_test(machine_options(), "low-modules"))
        return;
    for (unsigned i = 0; i < boot->module_count; i++) {
        struct boot_module *module = &boot->modules[i];

        memmove(phys_to_virt(at), phys_to_virt(module->base), module->length);
        module->base = at;
        at += (module->length + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    }
}

void host_test_after_guests(void)
{
    if (cmdline_has_test(machine_options(), "panic-after-guest"))
        panic("asked for by test=panic-after-guest");
}

void host_test_before_report(struct vcpu *vcpu)
{
    if (cmdline_has_test(machine_options(), "report-no-vmcs") && vmcs_release(vcpu) != VMX_OK)
        console_printf("adept: test=report-no-vmcs: VMCLEAR fails\n");
}

void host_test_in_report(struct vcpu *vcpu)
{
    uintptr_t nowhere = NULL_MEMBER;

    if (cmdline_has_test(machine_options(), "report-fault")) {
        console_printf("adept:   test: this line is not ended");
        host_test_page_fault((volatile uint32_t *)nowhere);
    }
    if (cmdline_has_test(machine_options(), "report-assert"))
        assert(vcpu == NULL);
}

void host_test_before_audit(struct vm *vm)
{
    if (cmdline_has_test(machine_options(), "isolation-foreign")) {
        struct ept_change change =
            ept_map_one(&vm->ept, FOREIGN_GPA, machine_image_base(), EPT_READ | EPT_WRITE, MEMORY_TYPE_WB);

        if (change.status != EPT_OK)
            console_printf("adept: test=isolation-foreign: the page cannot be mapped\n");
    }
}

/*
 * Runs the words of test= that are host tests; boot CPU, after all CPUs are up. host-nmi, guest-interrupt,
 * firmware-interrupt (one below the task priority), host-sleep, invalidate and host-absent-msr return;
 * host-exception (#PF), host-exception-ap (the same on cpu=1 while this CPU prints), host-write-text,
 * host-execute-data, host-undefined (#UD), host-stack-overflow and host-panic and host-assert end the
 * machine. With panic-report-fault or panic-report-panic before them a part of that report faults, or panics,
 * itself.
 */
void host_test_run(void)
{
    const struct cmdline_options *options = machine_options();
    uintptr_t nowhere = NULL_MEMBER;
    uintptr_t text = (uintptr_t)host_test_undefined, data = (uintptr_t)data_with_code;

    if (cmdline_has_test(options, "panic-report-fault"))
        panic_set_hook(fault_in_hook);
    if (cmdline_has_test(options, "panic-report-panic"))
        panic_set_hook(panic_in_hook);
    if (cmdline_has_test(options, "host-nmi"))
        nmi_to_self();
    if (cmdline_has_test(options, "guest-interrupt"))
        interrupt_to_self(PENDING_VECTOR);
    if (cmdline_has_test(options, "firmware-interrupt"))
        interrupt_to_self(FIRMWARE_VECTOR);
    if (cmdline_has_test(options, "host-sleep"))
        sleep_a_while();
    if (cmdline_has_test(options, "invalidate"))
        invalidation_test();
    if (cmdline_has_test(options, "host-absent-msr"))
        absent_msr();
    if (cmdline_has_test(options, "host-exception"))
        host_test_page_fault((volatile uint32_t *)nowhere);
    if (cmdline_has_test(options, "host-exception-ap"))
        print_until_stopped();
    if (cmdline_has_test(options, "host-write-text"))
        host_test_page_fault((volatile uint32_t *)text);
    if (cmdline_has_test(options, "host-execute-data"))
        ((void (*)(void))data)();
    if (cmdline_has_test(options, "host-undefined"))
        host_test_undefined();
    if (cmdline_has_test(options, "host-stack-overflow"))
        console_printf("adept: recursion came to an end: %u\n", host_test_recurse(RECURSION));
    if (cmdline_has_test(options, "host-assert"))
        host_test_assert(ASSERT_VALUE);
    if (cmdline_has_test(options, "host-panic"))
        panic("asked for by test=host-panic");
}
