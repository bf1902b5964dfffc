/* SPDX-License-Identifier: MIT */
/*
 * MTRRs of real machines, as their owners published them, and beside each the map of types that follows from
 * it by the manual's rules, worked out by hand. Facts alone are taken from the sources: addresses, masks,
 * types.
 *
 * What a source does not show is said. /proc/mtrr has neither the default type nor the fixed ranges: UC is
 * assumed then (it lists RAM as WB, which would be of no use otherwise) and fixed ranges off. MAXPHYADDR:
 * from the masks where they are shown.
 */
#ifndef TEST_HOST_MTRR_LAYOUTS_H
#define TEST_HOST_MTRR_LAYOUTS_H

#include "ept/memtype.h"
#include <stdint.h>

#define LAYOUT_FIXED_MAX    6
#define LAYOUT_VARIABLE_MAX 8
#define LAYOUT_MAP_MAX      10
#define LAYOUT_END          UINT64_MAX

#define UC MEMORY_TYPE_UC
#define WC MEMORY_TYPE_WC
#define WT MEMORY_TYPE_WT
#define WP MEMORY_TYPE_WP
#define WB MEMORY_TYPE_WB

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

struct mtrr_layout {
    const char *machine, *source;
    uint8_t phys_width;
    enum memory_type def_type;
    /* Fixed ranges, from 0 on: each up to (not with) `end`. None: they are off. */
    struct {
        uint32_t end;
        enum memory_type type;
    } fixed[LAYOUT_FIXED_MAX];
    /* In the order of the registers; a size where /proc/mtrr gave one, else the mask of the kernel's or
     * coreboot's log. */
    struct {
        uint64_t base, size, mask;
        enum memory_type type;
    } variable[LAYOUT_VARIABLE_MAX];
    /* The whole address space: each type up to (not with) `end`; neighbours differ. */
    struct {
        uint64_t end;
        enum memory_type type;
    } map[LAYOUT_MAP_MAX];
};

static const struct mtrr_layout mtrr_layouts[] = {
    {
        .machine = "Microsoft Surface: default WB with UC holes, and all above 256 GiB UC",
        .source = "https://github.com/linux-surface/linux-surface/issues/398 (dmesg)",
        .phys_width = 39,
        .def_type = WB,
        .fixed = {{0xa0000, WB}, {0xc0000, UC}, {0x100000, WP}},
        .variable = {{0xc0000000, 0, 0x7fc0000000, UC},
                     {0xa0000000, 0, 0x7fe0000000, UC},
                     {0x98000000, 0, 0x7ff8000000, UC},
                     {0x94000000, 0, 0x7ffc000000, UC},
                     {0x92000000, 0, 0x7ffe000000, UC},
                     {0x91000000, 0, 0x7fff000000, UC},
                     {0x4000000000, 0, 0x4000000000, UC}},
        /* Beyond MAXPHYADDR no register reaches: the default type. */
        .map = {{0xa0000, WB},
                {0xc0000, UC},
                {0x100000, WP},
                {0x91000000, WB},
                {GIB(4), UC},
                {0x4000000000, WB},
                {0x8000000000, UC},
                {LAYOUT_END, WB}},
    },
    {
        .machine =
            "PC with 16 GiB: default UC, a UC hole below 4 GiB over a WB range of 16 GiB, RAM above in steps",
        .source = "https://github.com/zfsonlinux/mountall/issues/7 (dmesg)",
        .phys_width = 36,
        .def_type = UC,
        .fixed = {{0xa0000, WB}, {0xc0000, UC}, {0xd4000, WP}, {0xe8000, UC}, {0x100000, WP}},
        .variable = {{0, 0, 0xc00000000, WB},
                     {0x400000000, 0, 0xff0000000, WB},
                     {0x410000000, 0, 0xff8000000, WB},
                     {0x418000000, 0, 0xffc000000, WB},
                     {0x41c000000, 0, 0xffe000000, WB},
                     {0x41e000000, 0, 0xfff000000, WB},
                     {0x0e0000000, 0, 0xfe0000000, UC}},
        .map = {{0xa0000, WB},
                {0xc0000, UC},
                {0xd4000, WP},
                {0xe8000, UC},
                {0x100000, WP},
                {0xe0000000, WB},
                {GIB(4), UC},
                {0x41f000000, WB},
                {LAYOUT_END, UC}},
    },
    {
        .machine = "Intel Brickland (Xeon E7 v2): 46 bits, UC above 56 TiB, a UC range inside another",
        .source = "linux-mm list, Message-ID <20140319115540.GA7277@localhost>, 19 Mar 2014 (dmesg)",
        .phys_width = 46,
        .def_type = WB,
        .fixed = {{0xa0000, WB}, {0xc0000, UC}, {0xe0000, WP}, {0x100000, UC}},
        .variable = {{0x000080000000, 0, 0x3fff80000000, UC},
                     {0x380000000000, 0, 0x3f8000000000, UC},
                     {0x00007c000000, 0, 0x3ffffc000000, UC},
                     {0x00007fc00000, 0, 0x3fffffc00000, UC}},
        .map = {{0xa0000, WB},
                {0xc0000, UC},
                {0xe0000, WP},
                {0x100000, UC},
                {0x7c000000, WB},
                {GIB(4), UC},
                {0x380000000000, WB},
                {0x388000000000, UC},
                {LAYOUT_END, WB}},
    },
    {
        .machine = "Asus P7P55D Pro, Core i7-860: WB, UC and WP over the same flash; UC wins",
        .source = "Ubuntu Forums, x86 64-bit Users, 'Ubuntu 9.04 amd64 uses only 4GB out of 8GB RAM', 8 Oct "
                  "2009 (/proc/mtrr)",
        .phys_width = 36,
        .def_type = UC,
        .variable = {{0, GIB(4), 0, WB},
                     {GIB(4), GIB(1), 0, WB},
                     {GIB(3), GIB(1), 0, UC},
                     {0xfffe0000, KIB(64), 0, WP}},
        .map = {{GIB(3), WB}, {GIB(4), UC}, {GIB(5), WB}, {LAYOUT_END, UC}},
    },
    {
        .machine = "Acer Aspire One ZG5 (Atom N270): a UC range over WB at address 0, WP flash up to the "
                   "last address",
        .source = "https://blog.jolexa.net/2009/11/buggy-mtrr-on-acer-aspire-one-zg5/ (/proc/mtrr, before)",
        .phys_width = 32,
        .def_type = UC,
        .variable = {{0xfffe0000, KIB(128), 0, WP},
                     {0xfffc0000, KIB(128), 0, UC},
                     {0, MIB(512), 0, WB},
                     {0x20000000, MIB(512), 0, WB},
                     {0x3f800000, MIB(8), 0, UC},
                     {0x3f600000, MIB(2), 0, UC},
                     {0x3f500000, MIB(1), 0, UC},
                     {0, KIB(128), 0, UC}},
        .map = {{0x20000, UC}, {0x3f500000, WB}, {0xfffe0000, UC}, {GIB(4), WP}, {LAYOUT_END, UC}},
    },
    {
        .machine =
            "Google Coral (Apollo Lake), coreboot while it loads: flash WP, all eight registers in use",
        .source = "https://github.com/sjg20/u-boot, branch cros-2021.04, 'Vboot on coreboot', sample run "
                  "(first MTRR list)",
        .phys_width = 39,
        .def_type = UC,
        .fixed = {{0xa0000, WB}, {0xc0000, UC}, {0x100000, WB}},
        .variable = {{0x000000000, 0, 0x7fc0000000, WB},
                     {0x040000000, 0, 0x7fe0000000, WB},
                     {0x060000000, 0, 0x7ff0000000, WB},
                     {0x070000000, 0, 0x7ff8000000, WB},
                     {0x078000000, 0, 0x7ffc000000, WB},
                     {0x07b800000, 0, 0x7fff800000, UC},
                     {0x0ff000000, 0, 0x7fff000000, WP},
                     {0x100000000, 0, 0x7f00000000, WB}},
        .map = {{0xa0000, WB},
                {0xc0000, UC},
                {0x7b800000, WB},
                {0xff000000, UC},
                {GIB(4), WP},
                {GIB(8), WB},
                {LAYOUT_END, UC}},
    },
    {
        .machine =
            "Google Coral, coreboot for the system: default WB, the graphics aperture WC between UC ranges",
        .source = "https://github.com/sjg20/u-boot, branch cros-2021.04, 'Vboot on coreboot', sample run "
                  "(last MTRR list)",
        .phys_width = 39,
        .def_type = WB,
        .fixed = {{0xa0000, WB}, {0xc0000, UC}, {0x100000, WB}},
        .variable = {{0x7b800000, 0, 0x7fff800000, UC},
                     {0x7c000000, 0, 0x7ffc000000, UC},
                     {0x80000000, 0, 0x7fe0000000, UC},
                     {0xa0000000, 0, 0x7ff0000000, UC},
                     {0xb0000000, 0, 0x7ff0000000, WC},
                     {0xc0000000, 0, 0x7fc0000000, UC}},
        .map = {{0xa0000, WB},
                {0xc0000, UC},
                {0x7b800000, WB},
                {0xb0000000, UC},
                {0xc0000000, WC},
                {GIB(4), UC},
                {LAYOUT_END, WB}},
    },
    {
        /* AMD's TOM2 makes the RAM above 4 GiB WB where no MTRR says otherwise; it is no MTRR, so not in the
           map. */
        .machine = "AMD reference board with broken firmware: WP runs on over the 4 GiB border into RAM",
        .source = "amd-gfx and linux-kernel lists, 'slow boot with 7fef431be9c9', L. Liang, 16 Mar 2021 "
                  "(/proc/mtrr; masks of 48 bits)",
        .phys_width = 48,
        .def_type = UC,
        .variable = {{0, GIB(2), 0, WB},
                     {0xffe00000, MIB(2), 0, WP},
                     {0x100000000, MIB(16), 0, WP},
                     {0xffde0000, KIB(128), 0, WP},
                     {0xff000000, KIB(512), 0, WP}},
        .map = {{0x80000000, WB},
                {0xff000000, UC},
                {0xff080000, WP},
                {0xffde0000, UC},
                {0x101000000, WP},
                {LAYOUT_END, UC}},
    },
    {
        .machine = "AMD PC: 48 bits, a UC hole at the end of the WB range",
        .source = "https://github.com/b-rad-NDi/Ubuntu-media-tree-kernel-builder/issues/129 (dmesg; default "
                  "and fixed not shown)",
        .phys_width = 48,
        .def_type = UC,
        .variable = {{0x000000000000, 0, 0xffff80000000, WB},
                     {0x000080000000, 0, 0xfffff0000000, WB},
                     {0x00008f800000, 0, 0xffffff800000, UC}},
        .map = {{0x8f800000, WB}, {LAYOUT_END, UC}},
    },
    {
        .machine = "Lenovo ThinkPad T400: UC holes below and above 4 GiB, the graphics aperture WC",
        .source = "https://github.com/tomreyn/linux_mtrr_size_fix (/proc/mtrr; article by Adam Helbing)",
        .phys_width = 36,
        .def_type = UC,
        .variable = {{0, GIB(2), 0, WB},
                     {GIB(2), GIB(1), 0, WB},
                     {0xbc000000, MIB(64), 0, UC},
                     {GIB(4), GIB(2), 0, WB},
                     {GIB(6), GIB(1), 0, WB},
                     {0x1bc000000, MIB(64), 0, UC},
                     {0xd0000000, MIB(256), 0, WC}},
        .map = {{0xbc000000, WB},
                {0xd0000000, UC},
                {0xe0000000, WC},
                {GIB(4), UC},
                {0x1bc000000, WB},
                {LAYOUT_END, UC}},
    },
    {
        .machine = "PC with an Intel 855GM (Pentium M, 32 bits): WT flash, WC frame buffer",
        .source =
            "Ubuntu Forums, thread on slow Flash video in Ubuntu 9.04, April 2009, which refers to "
            "https://bugs.launchpad.net/ubuntu/+source/xserver-xorg-video-intel/+bug/314928 (/proc/mtrr)",
        .phys_width = 32,
        .def_type = UC,
        .variable = {{0, MIB(512), 0, WB},
                     {MIB(512), MIB(256), 0, WB},
                     {0x2ff00000, MIB(1), 0, UC},
                     {0xfeda0000, KIB(128), 0, WT},
                     {0xf0000000, MIB(128), 0, WC}},
        .map = {{0x2ff00000, WB},
                {0xf0000000, UC},
                {0xf8000000, WC},
                {0xfeda0000, UC},
                {0xfedc0000, WT},
                {LAYOUT_END, UC}},
    },
    {
        .machine = "Dell Inspiron E1405 (Core Duo, 32 bits): one UC page cut out of a WC range",
        .source = "Ubuntu Forums, New to Ubuntu, 'MTRR mess, need help restoring', 29 Nov 2009 (/proc/mtrr)",
        .phys_width = 32,
        .def_type = UC,
        .variable = {{0, GIB(2), 0, WB},
                     {GIB(2), MIB(512), 0, WB},
                     {0x9f800000, MIB(8), 0, UC},
                     {0x9f700000, MIB(1), 0, UC},
                     {0xf0000000, MIB(128), 0, WC},
                     {0xfb000000, MIB(16), 0, WC},
                     {0xfb000000, KIB(4), 0, UC}},
        .map = {{0x9f700000, WB},
                {0xf0000000, UC},
                {0xf8000000, WC},
                {0xfb001000, UC},
                {0xfc000000, WC},
                {LAYOUT_END, UC}},
    },
};

#define MTRR_LAYOUT_COUNT (sizeof(mtrr_layouts) / sizeof(mtrr_layouts[0]))

#endif
