/* SPDX-License-Identifier: MIT */
/* A VGA in text mode. */
#include "vmm/devices/vga_text.h"

#define PORT_ATTRIBUTE      0x3c0u
#define PORT_ATTRIBUTE_READ 0x3c1u
#define PORT_MISCELLANEOUS  0x3c2u /* read: input status 0 */
#define PORT_SEQUENCER      0x3c4u
#define PORT_SEQUENCER_DATA 0x3c5u
#define PORT_DAC_MASK       0x3c6u
#define PORT_DAC_READ       0x3c7u /* read: DAC state */
#define PORT_DAC_WRITE      0x3c8u
#define PORT_DAC_DATA       0x3c9u
#define PORT_FEATURE_READ   0x3cau
#define PORT_MISC_READ      0x3ccu
#define PORT_GRAPHICS       0x3ceu
#define PORT_GRAPHICS_DATA  0x3cfu
#define PORT_CRTC           0x3d4u
#define PORT_CRTC_DATA      0x3d5u
#define PORT_INPUT_STATUS_1 0x3dau /* write: feature control */

#define CRTC_COLUMNS        0x01u /* less one */
#define CRTC_OVERFLOW       0x07u
#define CRTC_SCAN_LINES     0x09u /* 4:0 of a character, less one */
#define CRTC_CURSOR_START   0x0au /* bit 5: off */
#define CRTC_CURSOR_END     0x0bu
#define CRTC_START          0x0cu /* high, low */
#define CRTC_CURSOR         0x0eu /* high, low */
#define CRTC_RETRACE_END    0x11u /* bit 7: registers 0 to 7 are protected */
#define CRTC_DISPLAY_END    0x12u /* vertical, less one; bits 8 and 9 are in the overflow register's 1 and 6 */
#define CRTC_OFFSET         0x13u /* from row to row, in pairs of characters */
#define OVERFLOW_COMPARE_8  0x10u /* can be written in spite of the protection */
#define PROTECT             0x80u
#define GRAPHICS_MISC       0x06u /* bit 0: graphics mode */
#define ATTRIBUTE_SCREEN_ON 0x20u
#define ATTRIBUTE_PALETTE   0x10u /* registers */
#define MISCELLANEOUS_BITS  0xefu

/* 720 x 400 at 70 Hz: lines of 31.78 us, 449 of them, of which 400 show; a line shows four fifths of its
 * time. */
#define LINE_NS    UINT64_C(31778)
#define LINES      449u
#define LINES_SEEN 400u
#define SEEN_NS    (LINE_NS * 4 / 5)

#define STATUS_NOT_SHOWING 0x01u
#define STATUS_RETRACE     0x08u

#define MODE_REGISTERS                                                                                       \
    .miscellaneous = 0x67, .graphics = {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff},               \
    .attribute = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a,                          \
                  0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00}

const struct vga_text_mode *vga_text_mode(unsigned columns)
{
    static const struct vga_text_mode columns_40 = {
        .crtc = {0x2d, 0x27, 0x28, 0x90, 0x2b, 0xa0, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
                 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x14, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
        .sequencer = {0x03, 0x08, 0x03, 0x00, 0x02}, /* half the dot clock */
        MODE_REGISTERS};
    static const struct vga_text_mode columns_80 = {
        .crtc = {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
                 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
        .sequencer = {0x03, 0x00, 0x03, 0x00, 0x02},
        MODE_REGISTERS};

    return columns == 40 ? &columns_40 : &columns_80;
}

static void copy(uint8_t *to, const uint8_t *from, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        to[i] = from[i];
}

/* Two bits each of red, green and blue, the weaker one in 5:3. */
uint8_t vga_text_colour(unsigned colour, unsigned component)
{
    return (uint8_t)(((colour >> (2 - component)) & 1) * 0x2a + ((colour >> (5 - component)) & 1) * 0x15);
}

void vga_text_reset(struct vga_text *vga)
{
    const struct vga_text_mode *mode = vga_text_mode(80);

    *vga = (struct vga_text){
        .attribute_index = ATTRIBUTE_SCREEN_ON, .miscellaneous = mode->miscellaneous, .dac_mask = 0xff};
    copy(vga->crtc, mode->crtc, VGA_CRTC);
    copy(vga->sequencer, mode->sequencer, VGA_SEQUENCER);
    copy(vga->graphics, mode->graphics, VGA_GRAPHICS);
    copy(vga->attribute, mode->attribute, VGA_ATTRIBUTE);
    for (unsigned colour = 0; colour < VGA_TEXT_COLOURS; colour++)
        for (unsigned component = 0; component < 3; component++)
            vga->dac[colour][component] = vga_text_colour(colour, component);
}

/* The bits that exist; others read as 0. */
static const uint8_t sequencer_bits[VGA_SEQUENCER] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
static const uint8_t graphics_bits[VGA_GRAPHICS] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};

static uint8_t read_indexed(const uint8_t *registers, unsigned count, unsigned index)
{
    return index < count ? registers[index] : 0;
}

static uint8_t read_dac(struct vga_text *vga)
{
    uint8_t value = vga->dac[vga->dac_index][vga->dac_component];

    if (++vga->dac_component == 3) {
        vga->dac_component = 0;
        vga->dac_index++;
    }
    return value;
}

/* The beam, by the time. The whole of the vertical blanking counts as retrace, so that whoever polls sees it
 * in spite of what each poll costs. */
static uint8_t input_status_1(uint64_t now)
{
    uint64_t in_frame = now % (LINE_NS * LINES);

    if (in_frame >= LINE_NS * LINES_SEEN)
        return STATUS_NOT_SHOWING | STATUS_RETRACE;
    return in_frame % LINE_NS >= SEEN_NS ? STATUS_NOT_SHOWING : 0;
}

static uint32_t read(void *device, uint16_t port, unsigned size, uint64_t now)
{
    struct vga_text *vga = device;

    (void)size;
    switch (port) {
    case PORT_ATTRIBUTE:
        return vga->attribute_index;
    case PORT_ATTRIBUTE_READ:
        return read_indexed(vga->attribute, VGA_ATTRIBUTE, vga->attribute_index & 0x1f);
    case PORT_MISCELLANEOUS: /* the sense bit, a monitor is there; no retrace interrupt */
        return 0x10;
    case PORT_SEQUENCER:
        return vga->sequencer_index;
    case PORT_SEQUENCER_DATA:
        return read_indexed(vga->sequencer, VGA_SEQUENCER, vga->sequencer_index);
    case PORT_DAC_MASK:
        return vga->dac_mask;
    case PORT_DAC_READ:
        return vga->dac_reading ? 0x03 : 0x00;
    case PORT_DAC_WRITE:
        return vga->dac_index;
    case PORT_DAC_DATA:
        return read_dac(vga);
    case PORT_FEATURE_READ:
        return vga->feature;
    case PORT_MISC_READ:
        return vga->miscellaneous;
    case PORT_GRAPHICS:
        return vga->graphics_index;
    case PORT_GRAPHICS_DATA:
        return read_indexed(vga->graphics, VGA_GRAPHICS, vga->graphics_index);
    case PORT_CRTC:
        return vga->crtc_index;
    case PORT_CRTC_DATA:
        return read_indexed(vga->crtc, VGA_CRTC, vga->crtc_index);
    case PORT_INPUT_STATUS_1:
        vga->attribute_data = false;
        return input_status_1(now);
    default:
        return 0xff;
    }
}

static void write_crtc(struct vga_text *vga, uint8_t value)
{
    unsigned index = vga->crtc_index;

    if (index >= VGA_CRTC)
        return;
    if (index <= CRTC_OVERFLOW && (vga->crtc[CRTC_RETRACE_END] & PROTECT) != 0) {
        if (index == CRTC_OVERFLOW)
            vga->crtc[index] =
                (uint8_t)((vga->crtc[index] & ~OVERFLOW_COMPARE_8) | (value & OVERFLOW_COMPARE_8));
        return;
    }
    vga->crtc[index] = value;
}

/* The palette's entries have six bits; behind them are mode, border, planes, panning and colour select. */
static uint8_t attribute_bits(unsigned index)
{
    static const uint8_t bits[] = {0xef, 0xff, 0x3f, 0x0f, 0x0f};

    return index < ATTRIBUTE_PALETTE ? 0x3f : bits[index - ATTRIBUTE_PALETTE];
}

/* One port for index and data in turn; reading 0x3da begins with the index. */
static void write_attribute(struct vga_text *vga, uint8_t value)
{
    if (!vga->attribute_data)
        vga->attribute_index = value & 0x3f;
    else if ((vga->attribute_index & 0x1f) < VGA_ATTRIBUTE)
        vga->attribute[vga->attribute_index & 0x1f] = value & attribute_bits(vga->attribute_index & 0x1f);
    vga->attribute_data = !vga->attribute_data;
}

static void write_dac(struct vga_text *vga, uint8_t value)
{
    vga->dac[vga->dac_index][vga->dac_component] = value & 0x3f;
    if (++vga->dac_component == 3) {
        vga->dac_component = 0;
        vga->dac_index++;
    }
}

static void set_dac_index(struct vga_text *vga, uint8_t index, bool reading)
{
    vga->dac_index = index;
    vga->dac_component = 0;
    vga->dac_reading = reading;
}

static void write(void *device, uint16_t port, unsigned size, uint32_t wide, uint64_t now)
{
    struct vga_text *vga = device;
    uint8_t value = (uint8_t)wide;

    (void)size, (void)now;
    switch (port) {
    case PORT_ATTRIBUTE:
        write_attribute(vga, value);
        break;
    case PORT_MISCELLANEOUS:
        vga->miscellaneous = value & MISCELLANEOUS_BITS;
        break;
    case PORT_SEQUENCER:
        vga->sequencer_index = value & 0x07;
        break;
    case PORT_SEQUENCER_DATA:
        if (vga->sequencer_index < VGA_SEQUENCER)
            vga->sequencer[vga->sequencer_index] = value & sequencer_bits[vga->sequencer_index];
        break;
    case PORT_DAC_MASK:
        vga->dac_mask = value;
        break;
    case PORT_DAC_READ:
    case PORT_DAC_WRITE:
        set_dac_index(vga, value, port == PORT_DAC_READ);
        break;
    case PORT_DAC_DATA:
        write_dac(vga, value);
        break;
    case PORT_GRAPHICS:
        vga->graphics_index = value & 0x0f;
        break;
    case PORT_GRAPHICS_DATA:
        if (vga->graphics_index < VGA_GRAPHICS)
            vga->graphics[vga->graphics_index] = value & graphics_bits[vga->graphics_index];
        break;
    case PORT_CRTC:
        vga->crtc_index = value & 0x3f;
        break;
    case PORT_CRTC_DATA:
        write_crtc(vga, value);
        break;
    case PORT_INPUT_STATUS_1:
        vga->feature = value & 0x03;
        break;
    default:
        break;
    }
}

bool vga_text_attach(struct vga_text *vga, struct bus *bus)
{
    const struct device_ports ranges[] = {
        {"vga", PORT_ATTRIBUTE, PORT_GRAPHICS_DATA, 1, vga, read, write},
        {"vga", PORT_CRTC, PORT_CRTC_DATA, 1, vga, read, write},
        {"vga", PORT_INPUT_STATUS_1, PORT_INPUT_STATUS_1, 1, vga, read, write},
    };

    for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (!bus_add_ports(bus, &ranges[i]))
            return false;
    return true;
}

struct vga_text_screen vga_text_screen(const struct vga_text *vga)
{
    const uint8_t *crtc = vga->crtc;
    unsigned lines = crtc[CRTC_DISPLAY_END] + ((crtc[CRTC_OVERFLOW] & 0x02u) << 7) +
                     ((crtc[CRTC_OVERFLOW] & 0x40u) << 3) + 1;
    unsigned cursor = crtc[CRTC_CURSOR] * 256u + crtc[CRTC_CURSOR + 1];
    struct vga_text_screen screen = {.columns = crtc[CRTC_COLUMNS] + 1u,
                                     .rows = lines / ((crtc[CRTC_SCAN_LINES] & 0x1fu) + 1),
                                     .start = crtc[CRTC_START] * 256u + crtc[CRTC_START + 1],
                                     .pitch = crtc[CRTC_OFFSET] * 2u};

    screen.text = (vga->graphics[GRAPHICS_MISC] & 1) == 0 && screen.columns <= VGA_TEXT_COLUMNS_MAX &&
                  screen.rows >= 1 && screen.rows <= VGA_TEXT_ROWS_MAX;
    screen.cursor = screen.text && screen.pitch != 0 && (crtc[CRTC_CURSOR_START] & 0x20) == 0 &&
                    (crtc[CRTC_CURSOR_START] & 0x1f) <= (crtc[CRTC_CURSOR_END] & 0x1f) &&
                    cursor >= screen.start && (cursor - screen.start) / screen.pitch < screen.rows;
    if (screen.cursor) {
        screen.cursor_row = (cursor - screen.start) / screen.pitch;
        screen.cursor_column = (cursor - screen.start) % screen.pitch;
    }
    return screen;
}

static char shown(uint8_t character)
{
    if (character == 0x00 || character == 0xff)
        return ' ';
    if (character >= 0x20 && character < 0x7f)
        return (char)character;
    if (character == 0xb3 || character == 0xba)
        return '|';
    if (character == 0xc4 || character == 0xcd)
        return '-';
    if ((character >= 0xb0 && character <= 0xb2) || (character >= 0xdb && character <= 0xdf))
        return '#';
    return character >= 0xb4 && character <= 0xda ? '+' : '?';
}

unsigned vga_text_row(const struct vga_text_screen *screen, const uint8_t *memory, unsigned row,
                      char text[VGA_TEXT_COLUMNS_MAX + 1])
{
    unsigned length = 0;

    text[0] = '\0';
    if (!screen->text || row >= screen->rows)
        return 0;
    for (unsigned column = 0; column < screen->columns; column++) {
        unsigned cell = screen->start + row * screen->pitch + column; /* the memory comes round */

        text[column] = shown(memory[cell * 2 % VGA_TEXT_SIZE]);
        if (text[column] != ' ')
            length = column + 1;
    }
    text[length] = '\0';
    return length;
}
