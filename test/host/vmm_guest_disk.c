/* SPDX-License-Identifier: MIT */
/* vmm/guest_disk.c: diskettes, disks, geometry. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "vmm/guest_disk.h"

static uint8_t image[2880 * 1024];
static struct guest_disk disk;

static void diskettes(void **state)
{
    static const struct {
        unsigned kib, cylinders, heads, per_track, type;
    } all[] = {{160, 40, 1, 8, 1}, {180, 40, 1, 9, 1},   {320, 40, 2, 8, 1},   {360, 40, 2, 9, 1},
               {720, 80, 2, 9, 3}, {1200, 80, 2, 15, 2}, {1440, 80, 2, 18, 4}, {2880, 80, 2, 36, 5}};

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
    assert_false(guest_disk_floppy(&disk, image, 0));
    assert_false(guest_disk_floppy(&disk, image, 1440 * 1024 - 1));
    assert_false(guest_disk_floppy(&disk, image, 1440 * 1024 + 512));
}

static void geometry_of_size(void **state)
{
    (void)state;
    memset(image, 0, 512);
    guest_disk_hard_disk(&disk, image, 1);
    assert_int_equal(disk.cylinders, 1);
    assert_int_equal(disk.number, 0x80);
    guest_disk_hard_disk(&disk, image, 1024 * 16 * 63);
    assert_int_equal(disk.heads, 16);
    assert_int_equal(disk.cylinders, 1024);
    guest_disk_hard_disk(&disk, image, 1024 * 16 * 63 + 1);
    assert_int_equal(disk.heads, 32);
    assert_int_equal(disk.cylinders, 513);
    guest_disk_hard_disk(&disk, image, UINT64_C(1) << 40); /* more than CHS can say */
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
    guest_disk_hard_disk(&disk, image, 615 * 15 * 17);
    assert_int_equal(disk.heads, 15);
    assert_int_equal(disk.per_track, 17);
    assert_int_equal(disk.cylinders, 615);
    assert_true(guest_disk_bootable(&disk));
    entry(1, 14, 17, 614, 17, 615 * 15 * 17 - 18); /* CHS and number do not agree */
    guest_disk_hard_disk(&disk, image, 615 * 15 * 17);
    assert_int_equal(disk.per_track, 63);
    entry(1, 254, 63, 1023, 63, 1024 * 255 * 63 - 63); /* what stands for "further than CHS can say" */
    guest_disk_hard_disk(&disk, image, 5000000);
    assert_int_equal(disk.heads, 128); /* by size */
    image[510] = 0;
    entry(1, 14, 17, 614, 17, 615 * 15 * 17 - 17);
    guest_disk_hard_disk(&disk, image, 615 * 15 * 17);
    assert_int_equal(disk.per_track, 63); /* no signature: no table */
    assert_false(guest_disk_bootable(&disk));
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
    guest_disk_hard_disk(&disk, image, 100); /* an incomplete cylinder */
    assert_true(guest_disk_translate(&disk, 0, 1, 37, &lba));
    assert_int_equal(lba, 99);
    assert_false(guest_disk_translate(&disk, 0, 1, 38, &lba));
}

static void ranges(void **state)
{
    (void)state;
    assert_int_equal(guest_disk_sectors(0), 0);
    assert_int_equal(guest_disk_sectors(1), 1);
    assert_int_equal(guest_disk_sectors(512), 1);
    assert_int_equal(guest_disk_sectors(513), 2);
    guest_disk_hard_disk(&disk, image, 100);
    assert_ptr_equal(guest_disk_range(&disk, 0, 100), image);
    assert_ptr_equal(guest_disk_range(&disk, 99, 1), image + 99 * 512);
    assert_null(guest_disk_range(&disk, 99, 2));
    assert_null(guest_disk_range(&disk, UINT64_MAX, 1));
    assert_null(guest_disk_range(&disk, 1, UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(diskettes),
        cmocka_unit_test(geometry_of_size),
        cmocka_unit_test(geometry_of_table),
        cmocka_unit_test(translation),
        cmocka_unit_test(ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
