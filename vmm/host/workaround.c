/* SPDX-License-Identifier: MIT */
/* Workarounds for processors and hypervisors, in one table. */
#include "vmm/host/workaround.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/memory.h"
#include "drivers/console.h"
#include "vmm/host/bochs.h"
#include "vmm/host/machine.h"
#include "vmm/host/weakness.h"
#include <stddef.h>
#include <stdint.h>

/* Type, family, model and stepping of CPUID leaf 1; the rest of EAX is reserved. */
#define SIGNATURE_MASK 0x0fff3fffu

#define SIGNATURE_AVOTON_FAMILY 6
#define SIGNATURE_AVOTON_MODEL  0x4d

static bool under_hypervisor(void)
{
    char vendor[13];

    cpuid_hypervisor(vendor);
    return vendor[0] != '\0';
}

/* Intel's specification updates: BA86, AAX65, AAT59, AAU65, AAO95, AAN92, AAP86, AAM126, AAJ124, AAK139 and
 * others. */
static bool timer_is_broken(void)
{
    static const uint32_t signatures[] = {0x106a0, 0x106a1, 0x106a4, 0x106a5, 0x106e5,
                                          0x20652, 0x20655, 0x206e6, 0x306a8};
    uint32_t signature = cpuid(1, 0).eax & SIGNATURE_MASK;

    if (under_hypervisor()) /* the timer is then the host's own, made of other parts */
        return false;
    for (size_t i = 0; i < array_count(signatures); i++)
        if (signatures[i] == signature)
            return true;
    return false;
}

static bool accessed_dirty_is_broken(void)
{
    struct cpuid_version version = cpuid_version();

    return version.family == SIGNATURE_AVOTON_FAMILY && version.model == SIGNATURE_AVOTON_MODEL;
}

static bool below_is_kvm(void)
{
    char vendor[13];

    cpuid_hypervisor(vendor);
    return strcmp(vendor, "KVMKVMKVM") == 0;
}

/* A hypervisor below sees to it by itself. */
static bool has_itlb_multihit(void)
{
    struct weakness_processor processor;

    weakness_processor_read(&processor);
    return !under_hypervisor() && weakness_affects(&processor, WEAKNESS_ITLB_MULTIHIT);
}

static bool exit_changes_la57_in_vain(void)
{
    return emulator_bochs() == 300;
}

static bool reads_of_cs_are_dear(void)
{
    return under_hypervisor() || cmdline_has_test(machine_options(), "spare-cs");
}

static const struct {
    const char *name, *why;
    bool (*applies)(void);
} table[WORKAROUND_COUNT] = {
    [WORKAROUND_PREEMPTION_TIMER_RATE] =
        {"preemption-timer-rate",
         "this processor's VMX-preemption timer counts at a wrong rate: a guest that never "
         "exits may outlive its timeout",
         timer_is_broken},
    [WORKAROUND_NO_ACCESSED_DIRTY] = {"no-accessed-dirty",
                                      "EPT accessed and dirty flags do not work on this processor",
                                      accessed_dirty_is_broken},
    [WORKAROUND_ITLB_MULTIHIT] =
        {"itlb-multihit",
         "large EPT pages are not executable on this processor, and split at the first fetch",
         has_itlb_multihit},
    [WORKAROUND_CR0_PG_EXITS] = {"cr0-pg-exits", "KVM below: switching paging on is emulated", below_is_kvm},
    [WORKAROUND_NO_LA57] = {"no-la57",
                            "Bochs 3.0 below: guests are not offered five-level paging, which stops it",
                            exit_changes_la57_in_vain},
    [WORKAROUND_SPARE_CS] = {"spare-cs",
                             "a hypervisor below: the trace shows the CS selector in real mode alone",
                             reads_of_cs_are_dear},
};

static bool active[WORKAROUND_COUNT];

void workaround_detect(void)
{
    for (unsigned i = 0; i < WORKAROUND_COUNT; i++) {
        active[i] = table[i].applies();
        if (active[i])
            console_printf("adept: workaround: %s: %s\n", table[i].name, table[i].why);
    }
}

bool workaround_active(enum workaround workaround)
{
    return (unsigned)workaround < WORKAROUND_COUNT && active[workaround];
}
