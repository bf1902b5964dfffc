/* SPDX-License-Identifier: MIT */
/*
 * A PC: all devices of a VM, the wires between them, and the ranges at which they answer. Pure: what leaves
 * the machine goes to the functions of a pc_host. Only the CPU that runs the VM calls any of this.
 */
#ifndef VMM_DEVICES_PC_H
#define VMM_DEVICES_PC_H

#include "vmm/devices/acpi_pm.h"
#include "vmm/devices/bus.h"
#include "vmm/devices/debug_port.h"
#include "vmm/devices/fw_cfg.h"
#include "vmm/devices/hpet.h"
#include "vmm/devices/ioapic.h"
#include "vmm/devices/keyboard.h"
#include "vmm/devices/lapic.h"
#include "vmm/devices/pci.h"
#include "vmm/devices/pic.h"
#include "vmm/devices/pit.h"
#include "vmm/devices/rtc.h"
#include "vmm/devices/system_ports.h"
#include "vmm/devices/uart.h"
#include "vmm/devices/vga_text.h"

/* Where bytes come out. */
enum pc_output {
    PC_OUTPUT_COM1,
    PC_OUTPUT_COM2,
    PC_OUTPUT_COM3,
    PC_OUTPUT_COM4,
    PC_OUTPUT_DEBUG,
    PC_OUTPUTS
};

#define PC_UARTS 4u

/* How what is typed at the console arrives. */
enum pc_console { PC_CONSOLE_BOTH, PC_CONSOLE_COM1, PC_CONSOLE_KEYBOARD };

/* How the guest ended its machine. */
enum pc_end {
    PC_END_PORT,      /* detail: what was written to port 0xf4 */
    PC_END_RESET,     /* detail: the port that did it */
    PC_END_POWER_OFF, /* ACPI's S5; detail: 0 */
};

/* The machine around it; all functions must be there. They may be called while a device is being accessed. */
struct pc_host {
    void *context;
    void (*output)(void *context, unsigned output, uint8_t byte);
    void (*end)(void *context, enum pc_end end, unsigned detail);
};

/* What the machine tells of itself to whoever asks. */
struct pc_config {
    uint64_t ram_bytes;
    uint16_t cpus;
    const struct e820_entry *map; /* for fw_cfg, by rising address */
    unsigned map_count;
    struct rtc_config rtc;
    struct lapic_config lapic; /* its context and functions are pc_create()'s affair */
};

struct pc {
    struct bus bus; /* first: each access to a device begins with it */
    struct pc_host host;
    uint8_t irq_sources[PIC_IRQS]; /* of each wire, a bit for each that holds it high */
    uint8_t pin_sources[IOAPIC_PINS];
    bool nmi_pending;
    enum pc_console console;
    uint64_t console_last; /* nanoseconds: when a character from the console was taken last */
    struct lapic lapic;
    struct ioapic ioapic;
    struct pic pic;
    struct pit pit;
    struct rtc rtc;
    struct hpet hpet;
    bool hpet_legacy; /* the HPET has taken IRQ 0 and 8 over from PIT and RTC */
    bool pit_level, rtc_level;
    struct acpi_pm acpi_pm;
    struct guest_uart uarts[PC_UARTS];
    struct debug_port debug_port;
    struct system_ports system;
    struct keyboard keyboard;
    struct vga_text vga;
    struct fw_cfg fw_cfg;
    struct pci pci;
};

/*
 * Makes it, at guest time 0, as firmware hands it over; but the interrupt controllers and timers are as after
 * power-on: they want to be programmed first. false: two devices want the same place, which is a fault of our
 * own.
 */
must_check bool pc_create(struct pc *pc, const struct pc_host *host, const struct pc_config *config);

/*
 * A character typed at the console: it comes over the line of COM1, and as keys from the keyboard, or as
 * pc.console says one of these ways, for a guest that listens to both gets it twice. false: neither has room,
 * or the line may have it within 20 ms: try again later.
 */
must_check bool pc_console_input(struct pc *pc, char character, uint64_t now);

/*
 * The processor's side of the interrupt controllers: whether one requests an interrupt that the processor
 * would take with RFLAGS.IF set, and the acknowledge, which returns the vector. The same for NMI, of which
 * any number pending is one.
 */
bool pc_interrupt_pending(const struct pc *pc);
uint8_t pc_interrupt_acknowledge(struct pc *pc);
bool pc_nmi_pending(const struct pc *pc);
void pc_nmi_acknowledge(struct pc *pc);

/* False: there is certainly neither an interrupt nor an NMI for the processor. In a few instructions. */
static inline bool pc_may_interrupt_now(const struct pc *pc)
{
    return pc->nmi_pending || !lapic_is_quiet(&pc->lapic);
}

/*
 * Whether any device can still interrupt a processor that does nothing: false if every input of the 8259s and
 * of the I/O APIC is masked, and no timer of the local APIC runs that may interrupt.
 */
bool pc_can_interrupt(const struct pc *pc);

/* Whether any device can still send an NMI to a processor that does nothing. */
bool pc_can_send_nmi(const struct pc *pc);

/* WRMSR of an MSR that lapic_has_msr(). false: #GP(0). A new IA32_APIC_BASE moves the page. */
must_check bool pc_write_apic_msr(struct pc *pc, uint32_t msr, uint64_t value, uint64_t now);

/* The A20 gate: opened by port 0x92 or by the keyboard controller. Nothing in the machine hears it. */
bool pc_a20(const struct pc *pc);

/* The earliest moment at which pc_run() has something to do, DEVICE_NEVER for none. */
uint64_t pc_next_deadline(const struct pc *pc);

/* Lets the devices do what is due by `now`. */
void pc_run(struct pc *pc, uint64_t now);

#endif
