/* SPDX-License-Identifier: MIT */
/* Choosing the console's devices. */
#include "vmm/host/console_setup.h"

#include "drivers/console.h"
#include "vmm/host/spcr_uart.h"

#define COM1 0x3f8

static struct {
    struct console_config config;
    struct console_state state;
    bool from_spcr;
    const char *spcr_unused; /* why SPCR's port is not used, NULL: it is, or there is none that should be */
    uint64_t spcr_address;
} chosen;

/* A serial port that ACPI names, if the command line does not and the driver can drive it. */
static bool use_spcr(struct console_config *config, const struct cmdline_options *options,
                     const struct acpi_info *acpi)
{
    uint32_t baud = config->baud;

    if (acpi == NULL || !acpi->spcr_found || options->console.serial_given || !config->serial)
        return false;
    chosen.spcr_address = acpi->spcr_address;
    chosen.spcr_unused = spcr_uart(acpi, config);
    if (options->console.baud_given)
        config->baud = baud;
    return chosen.spcr_unused == NULL;
}

/* Text at 0xb8000: where the loader says so, or says nothing on a BIOS machine. Under UEFI there is none. */
static bool has_vga_text(const struct boot_info *boot)
{
    if (boot->framebuffer.present)
        return boot->framebuffer.type == BOOT_FRAMEBUFFER_EGA_TEXT;
    return !boot->from_efi;
}

static struct framebuffer_config framebuffer_of(const struct boot_info *boot)
{
    const struct boot_framebuffer *fb = &boot->framebuffer;

    return (struct framebuffer_config){
        .present = fb->present && fb->type == BOOT_FRAMEBUFFER_RGB,
        .address = fb->address,
        .pitch = fb->pitch,
        .width = fb->width,
        .height = fb->height,
        .bits_per_pixel = fb->bits_per_pixel,
        .red_position = fb->red_position,
        .red_size = fb->red_size,
        .green_position = fb->green_position,
        .green_size = fb->green_size,
        .blue_position = fb->blue_position,
        .blue_size = fb->blue_size,
    };
}

void console_setup(const struct cmdline_options *options, const struct boot_info *boot,
                   const struct acpi_info *acpi)
{
    struct console_config *config = &chosen.config;

    *config = (struct console_config){
        .serial = options->console.serial,
        .uart_port = options->console.uart_port,
        .uart_mmio = options->console.uart_mmio,
        .uart_layout = UART_LAYOUT_WORDS,
        .baud = options->console.baud,
        .vga_text = options->console.vga_text && has_vga_text(boot),
    };
    if (options->console.framebuffer)
        config->fb = framebuffer_of(boot);
    chosen.spcr_unused = NULL;
    chosen.from_spcr = use_spcr(config, options, acpi);
    chosen.state = console_init(config);
    if (chosen.from_spcr && chosen.state.uart != UART_OK) {
        chosen.from_spcr = false;
        chosen.spcr_unused = uart_status_text(chosen.state.uart);
        config->uart_port = COM1;
        config->uart_mmio = 0;
        config->baud = options->console.baud;
        chosen.state = console_init(config);
    }
}

void console_setup_print(void)
{
    const struct console_config *config = &chosen.config;

    console_printf("adept: console: uart=%#llx %s baud=%u%s vga=%s framebuffer=%s\n",
                   (unsigned long long)(config->uart_mmio != 0 ? config->uart_mmio : config->uart_port),
                   config->serial ? uart_status_text(chosen.state.uart) : "off", config->baud,
                   chosen.from_spcr ? " (ACPI SPCR)" : "", chosen.state.vga_text ? "text" : "off",
                   config->fb.present ? framebuffer_status_text(chosen.state.framebuffer) : "off");
    if (chosen.spcr_unused != NULL)
        console_printf(
            "adept: console: the serial port that ACPI's SPCR names is not used: address=%#llx why=\"%s\" "
            "(console= names another)\n",
            (unsigned long long)chosen.spcr_address, chosen.spcr_unused);
}
