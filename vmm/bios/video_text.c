/* SPDX-License-Identifier: MIT */
/*
 * INT 10h: characters. They go to the text memory at b8000h with their attributes; what is written as on a
 * teletype goes to the console, too.
 */
#include "vmm/bios/bios.h"
#include "vmm/bios/video.h"

#define STRING_MAX 4096u /* characters of one AH=13h: more than a screen, and no exit is long */

#define BELL            7
#define BACKSPACE       8
#define LINE_FEED       10
#define CARRIAGE_RETURN 13

/* AH=0Ah and 0Eh keep the attributes that are there. */
#define KEEP_ATTRIBUTE (-1)

/* One row of a window: copied from another, or blank. */
static void move_row(struct bios_call *call, uint32_t to, uint32_t from, unsigned width, bool blank,
                     uint8_t attribute)
{
    uint8_t cells[VIDEO_COLUMNS_MAX * 2];
    uint32_t end = VIDEO_MEMORY + VIDEO_SIZE, room = end - (from > to ? from : to);

    if (width > room / 2) /* the data area is spoilt: no row reaches behind the memory of the screen */
        width = room / 2;
    for (unsigned i = 0; i < width; i++) {
        cells[i * 2] = ' ';
        cells[i * 2 + 1] = attribute;
    }
    if (!blank)
        (void)call->access->read(call->context, from, cells, (size_t)width * 2);
    (void)call->access->write(call->context, to, cells, (size_t)width * 2);
}

void bios_video_scroll(struct bios_call *call, const struct video_window *window, unsigned lines, bool down,
                       uint8_t attribute)
{
    struct video_screen screen;
    unsigned page = bios_read8(call, BDA_VIDEO_PAGE), right = window->right, bottom = window->bottom;
    unsigned height;

    bios_video_screen(call, &screen);
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

        move_row(call, bios_video_cell(&screen, page, window->left, row),
                 bios_video_cell(&screen, page, window->left, down ? row - lines : row + lines),
                 right - window->left + 1, i + lines >= height, attribute);
    }
}

/* Line feed: behind the last row everything moves up. */
static void next_row(struct bios_call *call, const struct video_screen *screen, unsigned page,
                     unsigned column, unsigned row)
{
    const struct video_window all = {0, 0, (uint8_t)(screen->columns - 1), (uint8_t)(screen->rows - 1)};

    if (row + 1 < screen->rows) {
        bios_video_set_cursor(call, page, column, row + 1);
        return;
    }
    bios_video_scroll(call, &all, 1, false,
                      bios_read8(call, bios_video_cell(screen, page, column, screen->rows - 1) + 1));
    bios_video_set_cursor(call, page, column, screen->rows - 1);
}

static void teletype(struct bios_call *call, unsigned page, uint8_t character, int attribute)
{
    struct video_screen screen;
    unsigned column = bios_video_cursor(call, page) & 0xff, row = bios_video_cursor(call, page) >> 8;

    bios_video_screen(call, &screen);
    if (character != BELL && character != BACKSPACE && character != CARRIAGE_RETURN)
        call->access->put(call->context, (char)character);
    switch (character) {
    case BELL:
        return;
    case BACKSPACE:
        bios_video_set_cursor(call, page, column > 0 ? column - 1 : 0, row);
        return;
    case CARRIAGE_RETURN:
        bios_video_set_cursor(call, page, 0, row);
        return;
    case LINE_FEED:
        next_row(call, &screen, page, column, row);
        return;
    default:
        bios_write8(call, bios_video_cell(&screen, page, column, row), character);
        if (attribute != KEEP_ATTRIBUTE)
            bios_write8(call, bios_video_cell(&screen, page, column, row) + 1, (uint8_t)attribute);
        if (column + 1 < screen.columns)
            bios_video_set_cursor(call, page, column + 1, row);
        else
            next_row(call, &screen, page, 0, row);
    }
}

void bios_video_teletype(struct bios_call *call, uint8_t character)
{
    teletype(call, bios_read8(call, BDA_VIDEO_PAGE), character, KEEP_ATTRIBUTE);
}

/* A long service is done in parts: `done` of `count` is what the next one begins behind. */
static bool is_to_go_on(struct bios_call *call, struct bios_registers *r, unsigned done, unsigned count,
                        uint32_t more)
{
    if (done >= count || !call->access->is_late(call->context))
        return false;
    r->progress = done | more;
    return true;
}

/*
 * AH=13h: bit 0 of AL moves the cursor, bit 1 says that attributes stand between the characters. Progress:
 * 15:0 characters, 31:16 the cursor as it was.
 */
static void write_string(struct bios_call *call, struct bios_registers *r)
{
    unsigned page = bios_high(r->ebx), count = (uint16_t)r->ecx, done = r->progress & 0xffff;
    uint8_t mode = (uint8_t)r->eax;
    unsigned width = mode & 2 ? 2 : 1;
    uint32_t from = r->es_base + (uint16_t)r->ebp;
    uint16_t before = (uint16_t)(r->progress >> 16);

    if (count > STRING_MAX)
        count = STRING_MAX;
    if (done == 0) {
        before = bios_video_cursor(call, page);
        bios_video_set_cursor(call, page, r->edx & 0xff, bios_high(r->edx));
    }
    r->progress = 0;
    while (done < count) {
        uint8_t character = bios_read8(call, from + done * width);
        uint8_t attribute = width == 2 ? bios_read8(call, from + done * width + 1) : (uint8_t)r->ebx;

        teletype(call, page, character, attribute);
        if (is_to_go_on(call, r, ++done, count, (uint32_t)before << 16))
            return;
    }
    if (!(mode & 1))
        bios_video_set_cursor(call, page, before & 0xff, before >> 8);
}

/* AH=09h, 0Ah: the same character CX times from the cursor on, which stays. Progress: characters. */
static void repeat_character(struct bios_call *call, struct bios_registers *r, int attribute)
{
    struct video_screen screen;
    unsigned page = bios_high(r->ebx), count = (uint16_t)r->ecx, done = r->progress;
    unsigned column = bios_video_cursor(call, page) & 0xff, row = bios_video_cursor(call, page) >> 8;
    uint8_t cells[VIDEO_COLUMNS_MAX * 2] = {0};

    bios_video_screen(call, &screen);
    if (count > screen.columns * screen.rows)
        count = screen.columns * screen.rows;
    r->progress = 0;
    while (done < count) {
        uint32_t at = bios_video_cell(&screen, page, column + done, row);
        unsigned room = (VIDEO_MEMORY + VIDEO_SIZE - at) / 2, width = count - done;

        if (width > VIDEO_COLUMNS_MAX)
            width = VIDEO_COLUMNS_MAX;
        if (width > room) /* the memory of the screen goes round */
            width = room;
        if (attribute == KEEP_ATTRIBUTE)
            (void)call->access->read(call->context, at, cells, (size_t)width * 2);
        for (unsigned i = 0; i < width; i++) {
            cells[i * 2] = (uint8_t)r->eax;
            if (attribute != KEEP_ATTRIBUTE)
                cells[i * 2 + 1] = (uint8_t)attribute;
        }
        (void)call->access->write(call->context, at, cells, (size_t)width * 2);
        done += width;
        if (is_to_go_on(call, r, done, count, 0))
            return;
    }
}

static void read_character(struct bios_call *call, struct bios_registers *r)
{
    struct video_screen screen;
    unsigned page = bios_high(r->ebx);

    bios_video_screen(call, &screen);
    bios_set16(&r->eax, bios_read16(call, bios_video_cell(&screen, page, bios_video_cursor(call, page) & 0xff,
                                                          bios_video_cursor(call, page) >> 8)));
}

bool bios_video_text(struct bios_call *call, struct bios_registers *r)
{
    struct video_window window = {(uint8_t)r->ecx, bios_high(r->ecx), (uint8_t)r->edx, bios_high(r->edx)};

    switch (bios_high(r->eax)) {
    case 0x06:
    case 0x07:
        bios_video_scroll(call, &window, r->eax & 0xff, bios_high(r->eax) == 7, bios_high(r->ebx));
        return true;
    case 0x08:
        read_character(call, r);
        return true;
    case 0x09:
        repeat_character(call, r, (uint8_t)r->ebx);
        return true;
    case 0x0a:
        repeat_character(call, r, KEEP_ATTRIBUTE);
        return true;
    case 0x0e:
        bios_video_teletype(call, (uint8_t)r->eax);
        return true;
    case 0x13:
        if ((r->eax & 0xff) > 3)
            return false;
        write_string(call, r);
        return true;
    default:
        return false;
    }
}
