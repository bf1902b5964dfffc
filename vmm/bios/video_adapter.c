/* SPDX-License-Identifier: MIT */
/* INT 10h: what the adapter is, its palette, its fonts. */
#include "vmm/bios/bios.h"
#include "vmm/bios/video.h"

#define FONT_POINTER   0x30u
#define DISPLAY_VGA    8u
#define MEMORY_256_KIB 3u

#define VECTOR_FONT_UPPER_8X8 0x1fu
#define VECTOR_FONT           0x43u

/* AX=1130h: ES:BP points to a font, CX is the height of the one on the screen, DL its rows less one. */
static bool font_pointer(struct bios_call *call, struct bios_registers *r)
{
    uint16_t segment = call->bios->code_segment, offset;

    switch (bios_high(r->ebx)) {
    case 0:
        offset = bios_read16(call, VECTOR_FONT_UPPER_8X8 * 4);
        segment = bios_read16(call, VECTOR_FONT_UPPER_8X8 * 4 + 2);
        break;
    case 1:
        offset = bios_read16(call, VECTOR_FONT * 4);
        segment = bios_read16(call, VECTOR_FONT * 4 + 2);
        break;
    case 3:
        offset = call->bios->rom.font_8x8;
        break;
    case 4:
        offset = (uint16_t)(call->bios->rom.font_8x8 + 128 * 8);
        break;
    case 6:
        offset = call->bios->rom.font_8x16;
        break;
    default: /* 8x14 and 9-pixel fonts */
        return false;
    }
    bios_set16(&r->ebp, offset);
    r->es = segment;
    r->set_es = true;
    bios_set16(&r->ecx, bios_read8(call, BDA_CHARACTER_HEIGHT));
    bios_set8(&r->edx, bios_read8(call, BDA_VIDEO_ROWS));
    return true;
}

bool bios_video_adapter(struct bios_call *call, struct bios_registers *r)
{
    uint8_t function = (uint8_t)r->eax;

    switch (bios_high(r->eax)) {
    case 0x04: /* no light pen */
        bios_set_high(&r->eax, 0);
        return true;
    case 0x0b: /* border and palette of CGA */
        return true;
    case 0x10: /* attribute and palette registers: the screen has the sixteen colours of text mode */
        return function <= 3;
    case 0x11:
        return function == FONT_POINTER && font_pointer(call, r);
    case 0x12:
        if ((r->ebx & 0xff) != 0x10)
            return false;
        bios_set16(&r->ebx, MEMORY_256_KIB); /* BH: colour */
        bios_set16(&r->ecx, bios_read8(call, BDA_VIDEO_SWITCHES) & 0x0f);
        return true;
    case 0x1a:
        if (function != 0)
            return false;
        bios_set8(&r->eax, 0x1a);
        bios_set16(&r->ebx, DISPLAY_VGA);
        return true;
    default:
        return false;
    }
}
