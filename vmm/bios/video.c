/* SPDX-License-Identifier: MIT */
/* INT 10h: text modes, pages and the cursor, in the BIOS data area and in the adapter's registers. */
#include "vmm/bios/bios.h"
#include "vmm/bios/video.h"

#define CURSOR_SHAPE 0x0607u
#define PAGE_COUNT   8u
#define CRTC_SHAPE   0x0au /* start line, then end line */
#define CRTC_START   0x0cu /* high byte, then low byte, in characters */
#define CRTC_CURSOR  0x0eu
#define ROWS_MAX     60u

void bios_video_screen(struct bios_call *call, struct video_screen *screen)
{
    screen->columns = bios_read16(call, BDA_VIDEO_COLUMNS);
    screen->rows = bios_read8(call, BDA_VIDEO_ROWS) + 1u;
    screen->page_size = bios_read16(call, BDA_VIDEO_PAGE_SIZE);
    /* The guest may have written anything there. */
    if (screen->columns == 0 || screen->columns > VIDEO_COLUMNS_MAX)
        screen->columns = 80;
    if (screen->rows > ROWS_MAX)
        screen->rows = 25;
}

uint32_t bios_video_cell(const struct video_screen *screen, unsigned page, unsigned column, unsigned row)
{
    return VIDEO_MEMORY +
           ((page * screen->page_size + (row * screen->columns + column) * 2) & (VIDEO_SIZE - 2));
}

uint16_t bios_video_cursor(struct bios_call *call, unsigned page)
{
    return bios_read16(call, BDA_CURSOR_POSITIONS + page % PAGE_COUNT * 2);
}

/* A pair of CRT controller registers, high byte first. */
static void set_crtc(struct bios_call *call, uint8_t index, unsigned value)
{
    bios_out(call, VIDEO_CRTC, index);
    bios_out(call, VIDEO_CRTC + 1, (uint8_t)(value >> 8));
    bios_out(call, VIDEO_CRTC, (uint8_t)(index + 1));
    bios_out(call, VIDEO_CRTC + 1, (uint8_t)value);
}

/* The adapter shows the cursor of the active page. */
static void show_cursor(struct bios_call *call)
{
    unsigned page = bios_read8(call, BDA_VIDEO_PAGE), place = bios_video_cursor(call, page);
    struct video_screen screen;

    bios_video_screen(call, &screen);
    set_crtc(call, CRTC_CURSOR, page * screen.page_size / 2 + (place >> 8) * screen.columns + (place & 0xff));
}

void bios_video_set_cursor(struct bios_call *call, unsigned page, unsigned column, unsigned row)
{
    bios_write16(call, BDA_CURSOR_POSITIONS + page % PAGE_COUNT * 2, (uint16_t)((column & 0xff) | row << 8));
    if (page == bios_read8(call, BDA_VIDEO_PAGE))
        show_cursor(call);
}

static void set_shape(struct bios_call *call, uint16_t shape)
{
    bios_write16(call, BDA_CURSOR_SHAPE, shape);
    set_crtc(call, CRTC_SHAPE, shape);
}

static void select_page(struct bios_call *call, uint8_t page)
{
    unsigned start = page * bios_read16(call, BDA_VIDEO_PAGE_SIZE);

    if (page >= PAGE_COUNT)
        return;
    bios_write8(call, BDA_VIDEO_PAGE, page);
    bios_write16(call, BDA_VIDEO_PAGE_START, (uint16_t)start);
    set_crtc(call, CRTC_START, start / 2);
    show_cursor(call);
}

void bios_video_home(struct bios_call *call)
{
    select_page(call, 0);
    for (unsigned page = 0; page < PAGE_COUNT; page++)
        bios_video_set_cursor(call, page, 0, 0);
    set_shape(call, CURSOR_SHAPE);
}

static void get_cursor(struct bios_call *call, struct bios_registers *r)
{
    bios_set16(&r->edx, bios_video_cursor(call, bios_high(r->ebx)));
    bios_set16(&r->ecx, bios_read16(call, BDA_CURSOR_SHAPE));
    bios_set16(&r->eax, 0);
}

static void get_mode(struct bios_call *call, struct bios_registers *r)
{
    bios_set8(&r->eax, (uint8_t)(bios_read8(call, BDA_VIDEO_MODE) |
                                 (bios_read8(call, BDA_VIDEO_CONTROL) & VIDEO_KEEP_MEMORY)));
    bios_set_high(&r->eax, (uint8_t)bios_read16(call, BDA_VIDEO_COLUMNS));
    bios_set_high(&r->ebx, bios_read8(call, BDA_VIDEO_PAGE));
}

enum bios_outcome bios_video(struct bios_call *call, struct bios_registers *r)
{
    switch (bios_high(r->eax)) {
    case 0x00:
        if (!bios_video_set_mode(call, (uint8_t)r->eax))
            break;
        bios_set8(&r->eax, 0x30); /* as a VGA BIOS leaves it for a text mode */
        return BIOS_RETURN;
    case 0x01:
        set_shape(call, (uint16_t)r->ecx);
        return BIOS_RETURN;
    case 0x02:
        bios_video_set_cursor(call, bios_high(r->ebx), r->edx & 0xff, bios_high(r->edx));
        return BIOS_RETURN;
    case 0x03:
        get_cursor(call, r);
        return BIOS_RETURN;
    case 0x05:
        select_page(call, (uint8_t)r->eax);
        return BIOS_RETURN;
    case 0x0f:
        get_mode(call, r);
        return BIOS_RETURN;
    default:
        if (bios_video_text(call, r) || bios_video_adapter(call, r))
            return r->progress != 0 ? BIOS_AGAIN : BIOS_RETURN;
    }
    /* Video functions have no error of their own: registers stay, which is how programs tell. */
    (void)bios_missing(call, r, 0x10, bios_high(r->eax));
    bios_flag(r, FLAGS_CF, false);
    return BIOS_RETURN;
}
