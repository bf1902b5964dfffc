/* SPDX-License-Identifier: MIT */
/* vmm/guest/disk.c: diskettes, disks, geometry. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "vmm/guest/disk.h"

static uint8_t image[2880 * 1024];
static struct guest_disk disk;

static void diskettes(void **state)
{
    static const struct {
        unsigned kib, cylinders, heads, per_track, type;
    } all[] = {{160, 40, 1, 8, 1},   {180, 40, 1, 9, 1},   {320, 40, 2, 8, 1},
               {360, 40, 2, 9, 1},   {640, 80, 2, 8, 3},   {720, 80, 2, 9, 3},
               {1200, 80, 2, 15, 2}, {1440, 80, 2, 18, 4}, {2880, 80, 2, 36, 5}};

    (void)state;
    for (unsigned i = 0; i < array_count(all); i++) {
        assert_true(guest_disk_floppy(&disk, image, all[i].kib * 1024));
        assert_int_equal(disk.cylinders, all[i].cylinders);
        assert_int_equal(disk.heads, all[i].heads);
        assert_int_equal(disk.per_track, all[i].per_track);
        assert_int_equal(disk.floppy_type, all[i].type);
        assert_int_equal(disk.number, 0);
        assert_int_equal(disk.sectors, disk.cylinders * disk.heads * disk.per_track);
    }
}

static void expect_geometry(unsigned cylinders, unsigned heads, unsigned per_track, unsigned type)
{
    assert_int_equal(disk.cylinders, cylinders);
    assert_int_equal(disk.heads, heads);
    assert_int_equal(disk.per_track, per_track);
    assert_int_equal(disk.floppy_type, type);
    assert_int_equal(disk.sectors, cylinders * heads * per_track);
}

/* Without a BPB: the usual diskette, what the image lacks is zero. */
static void short_diskettes(void **state)
{
    static const unsigned usual[] = {0, 1, 512, 1024, 160 * 1024 - 1, 160 * 1024 + 512, 1440 * 1024 - 1};

    (void)state;
    memset(image, 0, 512);
    for (unsigned i = 0; i < array_count(usual); i++) {
        assert_true(guest_disk_floppy(&disk, image, usual[i]));
        expect_geometry(80, 2, 18, 4);
    }
    assert_true(guest_disk_floppy(&disk, image, 1440 * 1024 + 1));
    expect_geometry(80, 2, 36, 5);
    assert_false(guest_disk_floppy(&disk, image, 2880 * 1024 + 1));
    assert_false(guest_disk_floppy(&disk, image, UINT64_MAX));
}

static void bpb(unsigned sector_size, unsigned per_cluster, unsigned total, unsigned media,
                unsigned per_track, unsigned heads)
{
    memset(image, 0, 512);
    image[0] = 0xeb;
    image[11] = (uint8_t)sector_size;
    image[12] = (uint8_t)(sector_size >> 8);
    image[13] = (uint8_t)per_cluster;
    image[19] = (uint8_t)total;
    image[20] = (uint8_t)(total >> 8);
    image[21] = (uint8_t)media;
    image[24] = (uint8_t)per_track;
    image[26] = (uint8_t)heads;
}

static void diskettes_by_bpb(void **state)
{
    static const struct {
        unsigned total, per_track, heads, cylinders, type;
    } all[] = {{320, 8, 1, 40, 1},   {720, 9, 2, 40, 1},   {756, 9, 2, 42, 1},   {1280, 8, 2, 80, 3},
               {1440, 9, 2, 80, 3},  {1600, 10, 2, 80, 3}, {2400, 15, 2, 80, 2}, {2880, 18, 2, 80, 4},
               {3360, 21, 2, 80, 4}, {3444, 21, 2, 82, 4}, {5760, 36, 2, 80, 5}};

    (void)state;
    for (unsigned i = 0; i < array_count(all); i++) {
        bpb(512, 1, all[i].total, 0xf0, all[i].per_track, all[i].heads);
        assert_true(guest_disk_floppy(&disk, image, 1024)); /* a short image, of that diskette */
        expect_geometry(all[i].cylinders, all[i].heads, all[i].per_track, all[i].type);
        assert_true(guest_disk_floppy(&disk, image, all[i].total * UINT64_C(512)));
        expect_geometry(all[i].cylinders, all[i].heads, all[i].per_track, all[i].type);
    }
    image[0] = 0xe9;
    assert_true(
        guest_disk_floppy(&disk, image, 1440 * 1024)); /* a larger diskette, cut to a smaller one's size */
    expect_geometry(80, 2, 36, 5);
}

/* What no diskette can be counts for nothing: the size says. */
static void absurd_bpbs(void **state)
{
    static const struct {
        unsigned sector_size, per_cluster, total, media, per_track, heads;
    } all[] = {{1024, 1, 2400, 0xf0, 15, 2}, {512, 0, 2400, 0xf0, 15, 2},
               {512, 3, 2400, 0xf0, 15, 2},  {512, 1, 0, 0xf0, 15, 2},
               {512, 1, 2400, 0xef, 15, 2},  {512, 1, 2400, 0xf0, 0, 2},
               {512, 1, 2400, 0xf0, 15, 0},  {512, 1, 2401, 0xf0, 15, 2},
               {512, 1, 2400, 0xf0, 64, 2},  {512, 1, 2400, 0xf0, 15, 3},
               {512, 1, 65535, 0xf0, 15, 1}, {512, 1, 2400, 0xf0, 1, 1},
               {512, 1, 2, 0xf0, 1, 2}, /* smaller than the image */
               {0, 0, 0, 0, 0, 0},           {0xffff, 0xff, 0xffff, 0xff, 0xff, 0xff}};
    uint32_t random = 1;

    (void)state;
    for (unsigned i = 0; i < array_count(all); i++) {
        bpb(all[i].sector_size, all[i].per_cluster, all[i].total, all[i].media, all[i].per_track,
            all[i].heads);
        assert_true(guest_disk_floppy(&disk, image, 2048));
        expect_geometry(80, 2, 18, 4);
    }
    bpb(512, 1, 2400, 0xf0, 15, 2);
    assert_true(guest_disk_floppy(&disk, image, 511)); /* it is not all there */
    expect_geometry(80, 2, 18, 4);
    image[0] = 0xfa; /* code, not a jump over a BPB */
    assert_true(guest_disk_floppy(&disk, image, 2048));
    expect_geometry(80, 2, 18, 4);
    for (unsigned round = 0; round < 200000; round++) {
        for (unsigned i = 0; i < 36; i++) {
            random = random * 1664525u + 1013904223u;
            image[i] = (uint8_t)(random >> 24 & (random >> 16 & 1 ? 0xff : 0x03));
        }
        image[0] = 0xeb;
        image[11] = 0;
        image[12] = 2;
        if (!guest_disk_floppy(&disk, image, random % (3000 * 1024)))
            continue;
        assert_in_range(disk.cylinders, 1, 86);
        assert_in_range(disk.heads, 1, 2);
        assert_in_range(disk.per_track, 1, 63);
        assert_in_range(disk.floppy_type, 1, 5);
        assert_int_equal(disk.sectors, disk.cylinders * disk.heads * disk.per_track);
        assert_true(disk.sectors * 512 >= random % (3000 * 1024));
    }
    memset(image, 0, 512);
}

static void geometry_of_size(void **state)
{
    (void)state;
    memset(image, 0, 512);
    guest_disk_hard_disk(&disk, image, 1); /* even of a byte */
    assert_int_equal(disk.cylinders, 1);
    assert_int_equal(disk.number, 0x80);
    guest_disk_hard_disk(&disk, image, 1024 * 16 * 63 * 512);
    assert_int_equal(disk.heads, 16);
    assert_int_equal(disk.cylinders, 1024);
    guest_disk_hard_disk(&disk, image, 1024 * 16 * 63 * 512 + 1);
    assert_int_equal(disk.heads, 32);
    assert_int_equal(disk.cylinders, 513);
    guest_disk_hard_disk(&disk, image, UINT64_C(1) << 49); /* more than CHS can say */
    assert_int_equal(disk.heads, 255);
    assert_int_equal(disk.cylinders, 1024);
}

static void entry(unsigned number, uint8_t head, uint8_t sector, unsigned cylinder, uint32_t first,
                  uint32_t count)
{
    uint8_t *e = image + 446 + 16 * number;

    e[4] = 6;
    e[5] = head;
    e[6] = (uint8_t)(sector | (cylinder >> 2 & 0xc0));
    e[7] = (uint8_t)cylinder;
    memcpy(e + 8, &first, 4);
    memcpy(e + 12, &count, 4);
}

static void geometry_of_table(void **state)
{
    (void)state;
    memset(image, 0, 512);
    image[510] = 0x55;
    image[511] = 0xaa;
    entry(1, 14, 17, 614, 17, 615 * 15 * 17 - 17); /* 615 cylinders, 15 heads, 17 sectors */
    guest_disk_hard_disk(&disk, image, 615 * 15 * 17 * 512);
    assert_int_equal(disk.heads, 15);
    assert_int_equal(disk.per_track, 17);
    assert_int_equal(disk.cylinders, 615);
    assert_true(guest_disk_bootable(image));
    entry(1, 14, 17, 614, 17, 615 * 15 * 17 - 18); /* CHS and number do not agree */
    guest_disk_hard_disk(&disk, image, 615 * 15 * 17 * 512);
    assert_int_equal(disk.per_track, 63);
    entry(1, 254, 63, 1023, 63, 1024 * 255 * 63 - 63); /* what stands for "further than CHS can say" */
    guest_disk_hard_disk(&disk, image, 5000000 * UINT64_C(512));
    assert_int_equal(disk.heads, 128); /* by size */
    image[510] = 0;
    entry(1, 14, 17, 614, 17, 615 * 15 * 17 - 17);
    guest_disk_hard_disk(&disk, image, 615 * 15 * 17 * 512);
    assert_int_equal(disk.per_track, 63); /* no signature: no table */
    assert_false(guest_disk_bootable(image));
}

static void translation(void **state)
{
    uint64_t lba;

    (void)state;
    assert_true(guest_disk_floppy(&disk, image, 1440 * 1024));
    assert_true(guest_disk_translate(&disk, 0, 0, 1, &lba));
    assert_int_equal(lba, 0);
    assert_true(guest_disk_translate(&disk, 0, 1, 1, &lba));
    assert_int_equal(lba, 18);
    assert_true(guest_disk_translate(&disk, 79, 1, 18, &lba));
    assert_int_equal(lba, 2879);
    assert_false(guest_disk_translate(&disk, 0, 0, 0, &lba));
    assert_false(guest_disk_translate(&disk, 0, 0, 19, &lba));
    assert_false(guest_disk_translate(&disk, 0, 2, 1, &lba));
    assert_false(guest_disk_translate(&disk, 80, 0, 1, &lba));
    memset(image, 0, 512);
    guest_disk_hard_disk(&disk, image, 100 * 512 - 1); /* an incomplete cylinder */
    assert_true(guest_disk_translate(&disk, 0, 1, 37, &lba));
    assert_int_equal(lba, 99);
    assert_false(guest_disk_translate(&disk, 0, 1, 38, &lba));
}

static void ranges(void **state)
{
    (void)state;
    guest_disk_hard_disk(&disk, image, 512);
    assert_int_equal(disk.sectors, 1);
    guest_disk_hard_disk(&disk, image, 513);
    assert_int_equal(disk.sectors, 2);
    guest_disk_hard_disk(&disk, image, 100 * 512 - 1);
    disk.bytes = image;
    assert_ptr_equal(guest_disk_range(&disk, 0, 100), image);
    assert_ptr_equal(guest_disk_range(&disk, 99, 1), image + 99 * 512);
    assert_null(guest_disk_range(&disk, 99, 2));
    assert_null(guest_disk_range(&disk, UINT64_MAX, 1));
    assert_null(guest_disk_range(&disk, 1, UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(diskettes),        cmocka_unit_test(short_diskettes),
        cmocka_unit_test(diskettes_by_bpb), cmocka_unit_test(absurd_bpbs),
        cmocka_unit_test(geometry_of_size), cmocka_unit_test(geometry_of_table),
        cmocka_unit_test(translation),      cmocka_unit_test(ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
