/* SPDX-License-Identifier: MIT */
/* INT 10h AH=00h: the text modes 0 to 3, in the adapter's registers and in the BIOS data area. */
#include "vmm/bios/bios.h"
#include "vmm/bios/video.h"
#include "vmm/devices/vga_text.h"

#define MODE_COLOUR_80 3u
#define BLANK          0x0720u /* light grey on black */

#define PORT_ATTRIBUTE      0x3c0u
#define PORT_MISCELLANEOUS  0x3c2u
#define PORT_SEQUENCER      0x3c4u
#define PORT_DAC_MASK       0x3c6u
#define PORT_DAC_WRITE      0x3c8u
#define PORT_DAC_DATA       0x3c9u
#define PORT_GRAPHICS       0x3ceu
#define PORT_INPUT_STATUS_1 0x3dau
#define CRTC_RETRACE_END    0x11u /* bit 7: registers 0 to 7 are protected */
#define ATTRIBUTE_SCREEN_ON 0x20u

static void write_indexed(struct bios_call *call, uint16_t port, const uint8_t *values, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        bios_out(call, port, (uint8_t)i);
        bios_out(call, port + 1, values[i]);
    }
}

static void write_registers(struct bios_call *call, const struct vga_text_mode *mode)
{
    bios_out(call, PORT_MISCELLANEOUS, mode->miscellaneous);
    write_indexed(call, PORT_SEQUENCER, mode->sequencer, VGA_SEQUENCER);
    bios_out(call, VIDEO_CRTC, CRTC_RETRACE_END);
    bios_out(call, VIDEO_CRTC + 1, 0);
    write_indexed(call, VIDEO_CRTC, mode->crtc, VGA_CRTC);
    write_indexed(call, PORT_GRAPHICS, mode->graphics, VGA_GRAPHICS);
    (void)bios_in(call, PORT_INPUT_STATUS_1); /* the next write is an index */
    for (unsigned i = 0; i < VGA_ATTRIBUTE; i++) {
        bios_out(call, PORT_ATTRIBUTE, (uint8_t)i);
        bios_out(call, PORT_ATTRIBUTE, mode->attribute[i]);
    }
    bios_out(call, PORT_ATTRIBUTE, ATTRIBUTE_SCREEN_ON);
    bios_out(call, PORT_DAC_MASK, 0xff);
    bios_out(call, PORT_DAC_WRITE, 0);
    for (unsigned i = 0; i < VGA_TEXT_COLOURS * 3; i++)
        bios_out(call, PORT_DAC_DATA, vga_text_colour(i / 3, i % 3));
}

/* All of it, not just the page that is shown. */
static void clear_memory(struct bios_call *call)
{
    uint16_t cells[512];

    for (unsigned i = 0; i < array_count(cells); i++)
        cells[i] = BLANK;
    for (unsigned done = 0; done < VIDEO_SIZE; done += sizeof(cells))
        (void)call->access->write(call->context, VIDEO_MEMORY + done, cells, sizeof(cells));
}

bool bios_video_set_mode(struct bios_call *call, uint8_t mode)
{
    static const uint8_t mode_control[] = {0x2c, 0x28, 0x2d, 0x29}; /* what CGA's register had, port 3d8h */
    unsigned number = mode & ~VIDEO_KEEP_MEMORY, columns = number < 2 ? 40 : 80;

    if (number > MODE_COLOUR_80)
        return false;
    write_registers(call, vga_text_mode(columns));
    bios_write8(call, BDA_VIDEO_MODE, (uint8_t)number);
    bios_write16(call, BDA_VIDEO_COLUMNS, (uint16_t)columns);
    bios_write16(call, BDA_VIDEO_PAGE_SIZE, columns == 80 ? 0x1000 : 0x800);
    bios_write8(call, BDA_VIDEO_ROWS, 24);
    bios_video_home(call);
    bios_write16(call, BDA_CRTC_PORT, VIDEO_CRTC);
    bios_write8(call, BDA_CRT_MODE_CONTROL, mode_control[number]);
    bios_write8(call, BDA_CRT_PALETTE, 0x30);
    bios_write16(call, BDA_CHARACTER_HEIGHT, 16);
    bios_write8(call, BDA_VIDEO_CONTROL, (uint8_t)(0x60 | (mode & VIDEO_KEEP_MEMORY)));
    bios_write8(call, BDA_VIDEO_SWITCHES, 0xf9);
    bios_write8(call, BDA_VGA_FLAGS, 0x51);
    bios_write8(call, BDA_VIDEO_DISPLAY, 8); /* VGA with a colour display */
    if (!(mode & VIDEO_KEEP_MEMORY))
        clear_memory(call);
    return true;
}

void bios_video_start(struct bios_call *call)
{
    (void)bios_video_set_mode(call, MODE_COLOUR_80);
}
