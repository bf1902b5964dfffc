/* SPDX-License-Identifier: MIT */
/* The BIOS in a guest's ROM, and its state before the first instruction. */
#include "vmm/bios/rom.h"
#include "arch/x86/memory.h"
#include "drivers/font.h"
#include "vmm/bios/bios.h"
#include "vmm/vm/guest_memory.h"
#include "vmm/hypercall_abi.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/memory.h"
#include "vmm/devices/pc.h"

#define BIOS_SEGMENT 0xf000u

/* Offsets in the segment that programs know from the IBM PC. */
#define FONT_8X8_LOWER 0xfa6eu /* the glyphs below 80h */
#define RESET_VECTOR   0xfff0u
#define RELEASE_DATE   0xfff5u
#define MODEL_BYTE     0xfffeu
#define MODEL_AT       0xfcu

#define FONT_GLYPHS      256u
#define FLOPPY_PER_TRACK 4u /* in the diskette parameter table */
#define JUMP_FAR         0xeau

/* vmm/bios/image.asm */
extern const uint8_t bios_image[], bios_image_end[];

/* Of the 8x16 font's rows pairs become one: small, and readable. */
static void put_fonts(uint8_t *rom, const struct bios_rom *layout)
{
    for (unsigned character = 0; character < FONT_GLYPHS; character++) {
        bool there = character >= FONT_FIRST && character <= FONT_LAST;

        for (unsigned row = 0; row < FONT_HEIGHT; row++) {
            uint8_t bits = there ? font_glyph((uint8_t)character)[row] : 0;

            rom[layout->font_8x16 + character * FONT_HEIGHT + row] = bits;
            rom[layout->font_8x8 + character * 8 + row / 2] |= bits;
        }
    }
    memcpy(rom + FONT_8X8_LOWER, rom + layout->font_8x8, 128 * 8);
}

static void put_top(uint8_t *rom, const struct bios_rom *layout)
{
    const uint8_t jump[] = {JUMP_FAR, (uint8_t)layout->reset, (uint8_t)(layout->reset >> 8),
                            BIOS_SEGMENT & 0xff, BIOS_SEGMENT >> 8};

    memcpy(rom + RESET_VECTOR, jump, sizeof(jump));
    memcpy(rom + RELEASE_DATE, "01/01/26", 8);
    rom[MODEL_BYTE] = MODEL_AT;
}

static void fill_rom(struct vm *vm)
{
    uint8_t *rom = (uint8_t *)phys_to_virt(vm->rom_base) + (GUEST_ROM_SIGNATURE - GUEST_ROM_BASE);
    struct bios_rom *layout = &vm->bios->rom;

    memcpy(layout, bios_image + BIOS_ROM_HEADER, sizeof(*layout));
    memcpy(rom, bios_image, (size_t)(bios_image_end - bios_image));
    memset(rom + layout->font_8x8, 0, FONT_GLYPHS * 8);
    put_fonts(rom, layout);
    put_top(rom, layout);
    if (vm->bios->has_disk && vm->bios->disk.floppy_type != 0)
        rom[layout->floppy_parameters + FLOPPY_PER_TRACK] = (uint8_t)vm->bios->disk.per_track;
}

/* Before the first entry there is no paging: linear is physical. */
static bool read_memory(void *context, uint32_t linear, void *buffer, size_t length)
{
    return guest_memory_read(context, linear, buffer, length) == length;
}

static bool write_memory(void *context, uint32_t linear, const void *buffer, size_t length)
{
    return guest_memory_write(context, linear, buffer, length) == length;
}

/* Guest time begins with the first entry. */
static uint8_t port_read(void *context, uint16_t port)
{
    const char *device;

    return (uint8_t)bus_port_read(&((struct vm *)context)->pc->bus, port, 1, 0, &device);
}

static void port_write(void *context, uint16_t port, uint8_t value)
{
    const char *device;

    bus_port_write(&((struct vm *)context)->pc->bus, port, 1, value, 0, &device);
}

/* POST prints nothing, moves no blocks and does not end the guest. */
static const struct bios_access access = {
    .read = read_memory, .write = write_memory, .port_read = port_read, .port_write = port_write};

void bios_rom_install(struct vm *vm)
{
    struct bios *bios = vm->bios;
    struct bios_call call = {.bios = bios, .access = &access, .context = vm};

    bios->code_segment = BIOS_SEGMENT;
    vm_memory_tell(vm, &bios->map);
    fill_rom(vm);
    bios_start(&call);
    vm->has_bios = true;
}
