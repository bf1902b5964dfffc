/* SPDX-License-Identifier: MIT */
/*
 * INT 10h: text on a VGA. Characters and attributes go to the text memory at b8000h, the cursor into the BIOS
 * data area; what is written as on a teletype goes to the console, too.
 */
#include "vmm/bios.h"
#include "vmm/bios_video.h"

#define MODE_KEEP_MEMORY 0x80u
#define MODE_COLOUR_80   3u
#define CRTC_PORT        0x3d4u
#define CURSOR_SHAPE     0x0607u
#define PAGE_COUNT       8u
#define VIDEO_SIZE       0x8000u
#define COLUMNS_MAX      132u
#define ROWS_MAX         60u
#define STRING_MAX       4096u /* characters of one AH=13h: more than a screen, and no exit is long */

#define BELL            7
#define BACKSPACE       8
#define LINE_FEED       10
#define CARRIAGE_RETURN 13

/* AH=0Ah and 0Eh keep the attributes that are there. */
#define KEEP_ATTRIBUTE (-1)

void bios_video_screen(struct bios *bios, struct video_screen *screen)
{
    screen->columns = bios_read16(bios, BDA_VIDEO_COLUMNS);
    screen->rows = bios_read8(bios, BDA_VIDEO_ROWS) + 1u;
    screen->page_size = bios_read16(bios, BDA_VIDEO_PAGE_SIZE);
    /* The guest may have written anything there. */
    if (screen->columns == 0 || screen->columns > COLUMNS_MAX)
        screen->columns = 80;
    if (screen->rows > ROWS_MAX)
        screen->rows = 25;
}

static uint32_t cell(const struct video_screen *screen, unsigned page, unsigned column, unsigned row)
{
    return VIDEO_MEMORY +
           ((page * screen->page_size + (row * screen->columns + column) * 2) & (VIDEO_SIZE - 2));
}

static uint16_t cursor(struct bios *bios, unsigned page)
{
    return bios_read16(bios, BDA_CURSOR_POSITIONS + page % PAGE_COUNT * 2);
}

static void set_cursor(struct bios *bios, unsigned page, unsigned column, unsigned row)
{
    bios_write16(bios, BDA_CURSOR_POSITIONS + page % PAGE_COUNT * 2, (uint16_t)((column & 0xff) | row << 8));
}

/* One row of a window: copied from another, or blank. */
static void move_row(struct bios *bios, uint32_t to, uint32_t from, unsigned width, bool blank,
                     uint8_t attribute)
{
    uint8_t cells[COLUMNS_MAX * 2];
    uint32_t end = VIDEO_MEMORY + VIDEO_SIZE, room = end - (from > to ? from : to);

    if (width > room / 2) /* the data area is spoilt: no row reaches behind the memory of the screen */
        width = room / 2;
    for (unsigned i = 0; i < width; i++) {
        cells[i * 2] = ' ';
        cells[i * 2 + 1] = attribute;
    }
    if (!blank)
        (void)bios->access.read(bios->access.context, from, cells, (size_t)width * 2);
    (void)bios->access.write(bios->access.context, to, cells, (size_t)width * 2);
}

void bios_video_scroll(struct bios *bios, const struct video_window *window, unsigned lines, bool down,
                       uint8_t attribute)
{
    struct video_screen screen;
    unsigned page = bios_read8(bios, BDA_VIDEO_PAGE), right = window->right, bottom = window->bottom;
    unsigned height;

    bios_video_screen(bios, &screen);
    if (right >= screen.columns)
        right = screen.columns - 1;
    if (bottom >= screen.rows)
        bottom = screen.rows - 1;
    if (window->left > right || window->top > bottom)
        return;
    height = bottom - window->top + 1;
    if (lines == 0 || lines > height)
        lines = height;
    for (unsigned i = 0; i < height; i++) {
        unsigned row = down ? bottom - i : window->top + i;

        move_row(bios, cell(&screen, page, window->left, row),
                 cell(&screen, page, window->left, down ? row - lines : row + lines),
                 right - window->left + 1, i + lines >= height, attribute);
    }
}

/* Line feed: behind the last row everything moves up. */
static void next_row(struct bios *bios, const struct video_screen *screen, unsigned page, unsigned column,
                     unsigned row)
{
    const struct video_window all = {0, 0, (uint8_t)(screen->columns - 1), (uint8_t)(screen->rows - 1)};

    if (row + 1 < screen->rows) {
        set_cursor(bios, page, column, row + 1);
        return;
    }
    bios_video_scroll(bios, &all, 1, false,
                      bios_read8(bios, cell(screen, page, column, screen->rows - 1) + 1));
    set_cursor(bios, page, column, screen->rows - 1);
}

static void teletype(struct bios *bios, unsigned page, uint8_t character, int attribute)
{
    struct video_screen screen;
    unsigned column = cursor(bios, page) & 0xff, row = cursor(bios, page) >> 8;

    bios_video_screen(bios, &screen);
    if (character != BELL && character != BACKSPACE && character != CARRIAGE_RETURN)
        bios->access.put(bios->access.context, (char)character);
    switch (character) {
    case BELL:
        return;
    case BACKSPACE:
        set_cursor(bios, page, column > 0 ? column - 1 : 0, row);
        return;
    case CARRIAGE_RETURN:
        set_cursor(bios, page, 0, row);
        return;
    case LINE_FEED:
        next_row(bios, &screen, page, column, row);
        return;
    default:
        bios_write8(bios, cell(&screen, page, column, row), character);
        if (attribute != KEEP_ATTRIBUTE)
            bios_write8(bios, cell(&screen, page, column, row) + 1, (uint8_t)attribute);
        if (column + 1 < screen.columns)
            set_cursor(bios, page, column + 1, row);
        else
            next_row(bios, &screen, page, 0, row);
    }
}

void bios_video_teletype(struct bios *bios, uint8_t character)
{
    teletype(bios, bios_read8(bios, BDA_VIDEO_PAGE), character, KEEP_ATTRIBUTE);
}

/* AH=13h: bit 0 of AL moves the cursor, bit 1 says that attributes stand between the characters. */
static void write_string(struct bios *bios, struct bios_registers *r)
{
    unsigned page = bios_high(r->ebx), count = (uint16_t)r->ecx;
    uint16_t before = cursor(bios, page);
    uint32_t from = r->es_base + (uint16_t)r->ebp;
    uint8_t mode = (uint8_t)r->eax;

    if (count > STRING_MAX)
        count = STRING_MAX;
    set_cursor(bios, page, r->edx & 0xff, bios_high(r->edx));
    for (unsigned i = 0; i < count; i++) {
        uint8_t character = bios_read8(bios, from++);
        uint8_t attribute = mode & 2 ? bios_read8(bios, from++) : (uint8_t)r->ebx;

        teletype(bios, page, character, attribute);
    }
    if (!(mode & 1))
        set_cursor(bios, page, before & 0xff, before >> 8);
}

/* AH=09h, 0Ah: the same character CX times from the cursor on, which stays. */
static void repeat_character(struct bios *bios, struct bios_registers *r, int attribute)
{
    struct video_screen screen;
    unsigned page = bios_high(r->ebx), count = (uint16_t)r->ecx;
    unsigned column = cursor(bios, page) & 0xff, row = cursor(bios, page) >> 8;

    bios_video_screen(bios, &screen);
    if (count > screen.columns * screen.rows)
        count = screen.columns * screen.rows;
    for (unsigned i = 0; i < count; i++) {
        bios_write8(bios, cell(&screen, page, column + i, row), (uint8_t)r->eax);
        if (attribute != KEEP_ATTRIBUTE)
            bios_write8(bios, cell(&screen, page, column + i, row) + 1, (uint8_t)attribute);
    }
}

static bool set_mode(struct bios *bios, uint8_t mode)
{
    const struct video_window all = {0, 0, 255, 255};
    unsigned number = mode & ~MODE_KEEP_MEMORY, columns = number < 2 ? 40 : 80;

    if (number > MODE_COLOUR_80)
        return false;
    bios_write8(bios, BDA_VIDEO_MODE, (uint8_t)number);
    bios_write16(bios, BDA_VIDEO_COLUMNS, (uint16_t)columns);
    bios_write16(bios, BDA_VIDEO_PAGE_SIZE, columns == 80 ? 0x1000 : 0x800);
    bios_write16(bios, BDA_VIDEO_PAGE_START, 0);
    for (unsigned page = 0; page < PAGE_COUNT; page++)
        set_cursor(bios, page, 0, 0);
    bios_write16(bios, BDA_CURSOR_SHAPE, CURSOR_SHAPE);
    bios_write8(bios, BDA_VIDEO_PAGE, 0);
    bios_write16(bios, BDA_CRTC_PORT, CRTC_PORT);
    bios_write8(bios, BDA_CRT_MODE_CONTROL, columns == 80 ? 0x29 : 0x28);
    bios_write8(bios, BDA_VIDEO_ROWS, 24);
    bios_write16(bios, BDA_CHARACTER_HEIGHT, 16);
    bios_write8(bios, BDA_VIDEO_CONTROL, (uint8_t)(0x60 | (mode & MODE_KEEP_MEMORY)));
    bios_write8(bios, BDA_VIDEO_SWITCHES, 0xf9);
    bios_write8(bios, BDA_VGA_FLAGS, 0x51);
    bios_write8(bios, BDA_VIDEO_DISPLAY, 8); /* VGA with a colour display */
    if (!(mode & MODE_KEEP_MEMORY))
        bios_video_scroll(bios, &all, 0, false, 7);
    return true;
}

void bios_video_start(struct bios *bios)
{
    (void)set_mode(bios, MODE_COLOUR_80);
}

static void get_cursor(struct bios *bios, struct bios_registers *r)
{
    bios_set16(&r->edx, cursor(bios, bios_high(r->ebx)));
    bios_set16(&r->ecx, bios_read16(bios, BDA_CURSOR_SHAPE));
    bios_set16(&r->eax, 0);
}

static void read_character(struct bios *bios, struct bios_registers *r)
{
    struct video_screen screen;
    unsigned page = bios_high(r->ebx);

    bios_video_screen(bios, &screen);
    bios_set16(&r->eax,
               bios_read16(bios, cell(&screen, page, cursor(bios, page) & 0xff, cursor(bios, page) >> 8)));
}

static void select_page(struct bios *bios, uint8_t page)
{
    if (page >= PAGE_COUNT)
        return;
    bios_write8(bios, BDA_VIDEO_PAGE, page);
    bios_write16(bios, BDA_VIDEO_PAGE_START, (uint16_t)(page * bios_read16(bios, BDA_VIDEO_PAGE_SIZE)));
}

static void get_mode(struct bios *bios, struct bios_registers *r)
{
    bios_set8(&r->eax, (uint8_t)(bios_read8(bios, BDA_VIDEO_MODE) |
                                 (bios_read8(bios, BDA_VIDEO_CONTROL) & MODE_KEEP_MEMORY)));
    bios_set_high(&r->eax, (uint8_t)bios_read16(bios, BDA_VIDEO_COLUMNS));
    bios_set_high(&r->ebx, bios_read8(bios, BDA_VIDEO_PAGE));
}

/* Those that put characters on the screen or take them from it. false: the function is another. */
static bool text_function(struct bios *bios, struct bios_registers *r)
{
    struct video_window window = {(uint8_t)r->ecx, bios_high(r->ecx), (uint8_t)r->edx, bios_high(r->edx)};

    switch (bios_high(r->eax)) {
    case 0x06:
    case 0x07:
        bios_video_scroll(bios, &window, r->eax & 0xff, bios_high(r->eax) == 7, bios_high(r->ebx));
        return true;
    case 0x08:
        read_character(bios, r);
        return true;
    case 0x09:
        repeat_character(bios, r, (uint8_t)r->ebx);
        return true;
    case 0x0a:
        repeat_character(bios, r, KEEP_ATTRIBUTE);
        return true;
    case 0x0e:
        bios_video_teletype(bios, (uint8_t)r->eax);
        return true;
    case 0x13:
        if ((r->eax & 0xff) > 3)
            return false;
        write_string(bios, r);
        return true;
    default:
        return false;
    }
}

enum bios_outcome bios_video(struct bios *bios, struct bios_registers *r)
{
    switch (bios_high(r->eax)) {
    case 0x00:
        if (!set_mode(bios, (uint8_t)r->eax))
            break;
        bios_set8(&r->eax, 0x30); /* as a VGA BIOS leaves it for a text mode */
        return BIOS_RETURN;
    case 0x01:
        bios_write16(bios, BDA_CURSOR_SHAPE, (uint16_t)r->ecx);
        return BIOS_RETURN;
    case 0x02:
        set_cursor(bios, bios_high(r->ebx), r->edx & 0xff, bios_high(r->edx));
        return BIOS_RETURN;
    case 0x03:
        get_cursor(bios, r);
        return BIOS_RETURN;
    case 0x05:
        select_page(bios, (uint8_t)r->eax);
        return BIOS_RETURN;
    case 0x0f:
        get_mode(bios, r);
        return BIOS_RETURN;
    default:
        if (text_function(bios, r) || bios_video_adapter(bios, r))
            return BIOS_RETURN;
    }
    /* Video functions have no error of their own: registers stay, which is how programs tell. */
    (void)bios_missing(bios, r, 0x10, bios_high(r->eax));
    bios_flag(r, FLAGS_CF, false);
    return BIOS_RETURN;
}
