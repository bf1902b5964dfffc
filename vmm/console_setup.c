/* SPDX-License-Identifier: MIT */
/* Choosing the console's devices. */
#include "vmm/console_setup.h"

#include "drivers/console.h"

#define COM1            0x3f8
#define MMIO_UART_WIDTH 32 /* bits: the only memory-mapped layout that drivers/uart16550.c knows */

static struct {
    struct console_config config;
    struct console_state state;
    bool from_spcr;
} chosen;

/* A serial port that ACPI names, if the command line does not and the driver can drive it. */
static bool use_spcr(struct console_config *config, const struct cmdline_options *options,
                     const struct acpi_info *acpi)
{
    if (acpi == NULL || !acpi->spcr_found || options->console.serial_given || !config->serial)
        return false;
    if (acpi->spcr_space == ACPI_SPACE_IO && acpi->spcr_address != 0 && acpi->spcr_address <= UINT16_MAX) {
        config->uart_port = (uint16_t)acpi->spcr_address;
        config->uart_mmio = 0;
    } else if (acpi->spcr_space == ACPI_SPACE_MEMORY && acpi->spcr_register_width == MMIO_UART_WIDTH &&
               acpi->spcr_address != 0) {
        config->uart_mmio = acpi->spcr_address;
    } else {
        return false;
    }
    if (!options->console.baud_given)
        config->baud = acpi->spcr_baud;
    return true;
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
        .baud = options->console.baud,
        .vga_text = options->console.vga_text && has_vga_text(boot),
    };
    if (options->console.framebuffer)
        config->fb = framebuffer_of(boot);
    chosen.from_spcr = use_spcr(config, options, acpi);
    chosen.state = console_init(config);
    if (chosen.from_spcr && chosen.state.uart != UART_OK) {
        /* SPCR names a port that does not answer: as if it were not there. */
        chosen.from_spcr = false;
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
}
