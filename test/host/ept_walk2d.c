/* SPDX-License-Identifier: MIT */
/* Tests of ept/walk2d.c: every paging mode over an EPT that the engine has made, reference by
 * reference. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/eptp.h"
#include "ept/misconfig.h"
#include "ept/qualification.h"
#include "ept/walk2d.h"
#include "test/host/ept_pool.h"

#define PG    (UINT64_C(1) << 31)
#define WP    (UINT64_C(1) << 16)
#define PE    UINT64_C(1)
#define PSE   (UINT64_C(1) << 4)
#define PAE   (UINT64_C(1) << 5)
#define LA57  (UINT64_C(1) << 12)
#define PCIDE (UINT64_C(1) << 17)
#define SMEP  (UINT64_C(1) << 20)
#define LMA   (UINT64_C(1) << 10)
#define NXE   (UINT64_C(1) << 11)
#define XD    (UINT64_C(1) << 63)

#define PAT_RESET UINT64_C(0x0007040600070406)
#define RAM_SIZE  (1 * MB)
#define RAM_AT    (4 * GB) /* host-physical */
#define HIGH      (8 * GB) /* a second mapping of the RAM's first 2 MiB, by a large page */

static struct bed bed;
static uint8_t ram[RAM_SIZE];
static struct guest_paging paging;
static struct walk2d_machine machine;
static struct walk2d walk;
static bool forget_ept, forget_guest; /* callbacks that read nothing */

static bool read_ept(void *context, uint64_t hpa, struct ept_entry *entry)
{
    uint64_t *table = pool_at(context, hpa & ~UINT64_C(0xfff));

    if (table == NULL || forget_ept)
        return false;
    entry->raw = table[(hpa & 0xfff) / 8];
    return true;
}

static bool read_guest(void *context, uint64_t hpa, unsigned size, uint64_t *value)
{
    (void)context;
    if (hpa < RAM_AT || hpa - RAM_AT > RAM_SIZE - size || forget_guest)
        return false;
    *value = 0;
    memcpy(value, ram + (hpa - RAM_AT), size);
    return true;
}

static void put64(uint64_t gpa, uint64_t value)
{
    memcpy(ram + gpa, &value, 8);
}

static void put32(uint64_t gpa, uint32_t value)
{
    memcpy(ram + gpa, &value, 4);
}

/* RAM at 0 in 4 KiB pages of the EPT; the same in one large page at HIGH. */
static void begin(uint64_t capabilities, unsigned width)
{
    assert_true(bed_init(&bed, capabilities, width, 32));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, RAM_SIZE, RAM_AT, RWX));
    assert_true(bed_add(&bed, EPT_REGION_RAM, HIGH, 2 * MB, RAM_AT, RWX));
    assert_int_equal(ept_map_range(&bed.ept, 0, RAM_SIZE).status, EPT_OK);
    assert_int_equal(ept_map_range(&bed.ept, HIGH, 2 * MB).status, EPT_OK);
    memset(ram, 0, sizeof(ram));
    memset(&paging, 0, sizeof(paging));
    paging.physical_width = 40;
    paging.large_1g = true;
    paging.pat = PAT_RESET;
    machine = (struct walk2d_machine){.caps = &bed.ept.caps,
                                      .eptp = eptp_make(&bed.ept.caps, bed.ept.root),
                                      .context = &bed.pool,
                                      .read_ept = read_ept,
                                      .read_guest = read_guest};
    forget_ept = forget_guest = false;
}

static void end(void)
{
    assert_true(bed_done(&bed));
}

static void walk_to(uint64_t linear, enum guest_access access, enum walk2d_end wanted)
{
    walk2d(&walk, &machine, &paging, linear, access);
    assert_int_equal(walk.end, wanted);
}

/* Tables from 0x1000 on, one a page, page at 0x8000; index 1 at each level. */
static uint64_t long_mode(unsigned levels)
{
    uint64_t linear = 0;

    paging.cr0 = PE | PG | WP;
    paging.cr4 = PAE | (levels == 5 ? LA57 : 0);
    paging.efer = LMA | NXE;
    paging.cr3 = 0x1000;
    for (unsigned level = levels, at = 1; level >= 1; level--, at++) {
        put64(at * 0x1000 + 8, (level == 1 ? 0x8000 : (at + 1) * 0x1000) | 7);
        linear |= UINT64_C(1) << (12 + 9 * (level - 1));
    }
    return linear;
}

static void test_no_paging(void **state)
{
    (void)state;
    begin(CAP_NO_1G, 40);
    walk_to(UINT64_C(0x100008123), GUEST_ACCESS_READ, WALK2D_DONE); /* cut to 32 bits */
    assert_int_equal(walk.mode, GUEST_MODE_NONE);
    assert_int_equal(walk.memory_references, 4);
    assert_int_equal(walk.gpa, 0x8123);
    assert_int_equal(walk.hpa, RAM_AT + 0x8123);
    assert_int_equal(walk.pat_type, 6);
    for (unsigned i = 0; i < 4; i++) {
        const struct walk2d_reference *reference = &walk.references[i];

        assert_int_equal(reference->kind, WALK2D_EPT_ENTRY);
        assert_int_equal(reference->level, 4 - i);
        assert_int_equal(reference->gpa, 0x8123);
        assert_int_equal(reference->raw, *pool_entry(&bed.pool, &bed.ept, 0x8123, 4 - i));
        assert_int_equal(reference->leaf, i == 3);
        assert_int_equal(reference->memory_type, 6);
        assert_int_equal(reference->rights, RWX);
        assert_true(reference->sets_accessed);
        assert_false(reference->sets_dirty);
    }
    walk_to(0x8123, GUEST_ACCESS_WRITE, WALK2D_DONE);
    assert_true(walk.references[3].sets_dirty);
    assert_false(walk.references[2].sets_dirty);
    end();
}

static void test_32_bit(void **state)
{
    (void)state;
    begin(CAP_NO_1G, 40);
    paging.cr0 = PE | PG;
    paging.cr3 = 0x1000 | 0x18; /* PCD, PWT: PAT entry 3, UC */
    put32(0x1004, 0x2000 | 7 | 0x10);
    put32(0x200c, 0x8000 | 7);
    walk_to(0x403123, GUEST_ACCESS_READ, WALK2D_DONE);
    assert_int_equal(walk.mode, GUEST_MODE_32_BIT);
    assert_int_equal(walk.memory_references, 14);
    assert_int_equal(walk.count, 14);
    assert_int_equal(walk.hpa, RAM_AT + 0x8123);
    assert_int_equal(walk.references[4].kind, WALK2D_GUEST_ENTRY);
    assert_int_equal(walk.references[4].gpa, 0x1004);
    assert_int_equal(walk.references[4].hpa, RAM_AT + 0x1004);
    assert_int_equal(walk.references[4].raw, 0x2017);
    assert_int_equal(walk.references[4].memory_type, 0);
    assert_int_equal(walk.references[9].gpa, 0x200c);
    assert_int_equal(walk.references[9].memory_type, 7); /* PCD alone: UC- */
    assert_true(walk.references[9].leaf);

    paging.cr4 = PSE;
    put32(0x1008, 0x87 | 0x1000 | 2u << 13); /* 4 MiB page at 8 GiB, PAT bit */
    walk_to(0x800123, GUEST_ACCESS_WRITE, WALK2D_DONE);
    assert_int_equal(walk.gpa, HIGH + 0x123);
    assert_int_equal(walk.hpa, RAM_AT + 0x123);
    assert_int_equal(walk.guest_page_shift, 22);
    assert_int_equal(walk.memory_references, 5 + 3); /* and a 2 MiB page of the EPT */
    assert_int_equal(walk.pat_type, 6);
    put32(0x1008, 0x87 | 1u << 21);
    walk_to(0x800123, GUEST_ACCESS_READ, WALK2D_PAGE_FAULT);
    assert_int_equal(walk.error_code, PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED);
    paging.physical_width = 36;
    put32(0x1008, 0x87 | 1u << 17); /* address bit 36 */
    walk_to(0x800123, GUEST_ACCESS_READ, WALK2D_PAGE_FAULT);
    put32(0x1008, 0x87 | 1u << 16); /* address bit 35: nothing is mapped there */
    walk_to(0x800123, GUEST_ACCESS_READ, WALK2D_VIOLATION);
    assert_int_equal(walk.gpa, (UINT64_C(1) << 35) + 0x123);
    end();
}

static void test_pae(void **state)
{
    (void)state;
    begin(CAP_NO_1G, 40);
    paging.cr0 = PE | PG | WP;
    paging.cr4 = PAE;
    paging.pdpte[1] = 0x1000 | 1;
    put64(0x1000, 0x2000 | 7);
    put64(0x2008, 0x8000 | 5 | XD);
    walk_to(0x40001010, GUEST_ACCESS_READ, WALK2D_PAGE_FAULT);
    assert_int_equal(walk.error_code, PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED); /* bit 63 without NXE */
    paging.efer = NXE;
    walk_to(0x40001010, GUEST_ACCESS_READ, WALK2D_DONE);
    assert_int_equal(walk.count, 15);
    assert_int_equal(walk.memory_references, 14);
    assert_int_equal(walk.references[0].kind, WALK2D_PDPTE_REGISTER);
    assert_int_equal(walk.references[0].raw, 0x1001);
    assert_int_equal(walk.references[0].level, 3);
    assert_int_equal(walk.references[5].gpa, 0x1000);
    assert_int_equal(walk.references[10].rights, EPT_READ);
    walk_to(0x40001010, GUEST_ACCESS_FETCH, WALK2D_PAGE_FAULT);
    assert_int_equal(walk.error_code, PAGE_FAULT_PRESENT | PAGE_FAULT_FETCH);
    assert_int_equal(walk.memory_references, 10); /* both tables are read before that is known */
    walk_to(0x40001010, GUEST_ACCESS_WRITE, WALK2D_PAGE_FAULT);
    assert_int_equal(walk.error_code, PAGE_FAULT_PRESENT | PAGE_FAULT_WRITE);
    put64(0x1008, 0x200000 | 0x87 | UINT64_C(1) << 62); /* 62:52 are reserved in PAE paging, not in 4-level */
    walk_to(0x40200000, GUEST_ACCESS_READ, WALK2D_PAGE_FAULT);
    walk_to(0x80000000, GUEST_ACCESS_WRITE, WALK2D_PAGE_FAULT);
    assert_int_equal(walk.error_code, PAGE_FAULT_WRITE);
    assert_int_equal(walk.memory_references, 0);
    end();
}

static void test_4_level(void **state)
{
    uint64_t linear;

    (void)state;
    begin(CAP_NO_1G, 40);
    linear = long_mode(4);
    walk_to(linear + 8, GUEST_ACCESS_WRITE, WALK2D_DONE);
    assert_int_equal(walk.memory_references, 24);
    assert_int_equal(walk.count, 24);
    assert_int_equal(walk.hpa, RAM_AT + 0x8008);
    for (unsigned i = 0; i < 24; i++) {
        const struct walk2d_reference *reference = &walk.references[i];
        unsigned table = i / 5; /* 4: the page itself */

        assert_int_equal(reference->kind, i % 5 == 4 ? WALK2D_GUEST_ENTRY : WALK2D_EPT_ENTRY);
        assert_int_equal(reference->gpa, table == 4 ? 0x8008 : (table + 1) * 0x1000 + 8);
        assert_int_equal(reference->level, i % 5 == 4 ? 4 - table : 4 - i % 5);
        assert_true(reference->sets_accessed);
        /* Each leaf of the EPT: reads of the guest's entries count as writes. And the guest's own leaf. */
        assert_int_equal(reference->sets_dirty, i % 5 == 3 || i == 19);
        if (reference->kind == WALK2D_GUEST_ENTRY)
            assert_int_equal(reference->hpa, RAM_AT + reference->gpa);
        else
            assert_int_equal(reference->raw,
                             *(uint64_t *)(pool_at(&bed.pool, reference->hpa & ~UINT64_C(0xfff)) +
                                           (reference->hpa & 0xfff)));
    }
    walk_to(linear, GUEST_ACCESS_READ, WALK2D_DONE);
    assert_false(walk.references[23].sets_dirty);
    assert_false(walk.references[19].sets_dirty);

    put64(0x3008, HIGH | 0x87); /* a 2 MiB page over a 2 MiB page */
    walk_to(linear, GUEST_ACCESS_READ, WALK2D_DONE);
    assert_int_equal(walk.memory_references, 3 * 5 + 3);
    assert_int_equal(walk.guest_page_shift, 21);
    put64(0x2008, 0x87); /* a 1 GiB page */
    walk_to(linear, GUEST_ACCESS_READ, WALK2D_VIOLATION);
    assert_int_equal(walk.gpa, 0x201000);
    walk_to(linear - 0x200000 + 0x7000, GUEST_ACCESS_READ, WALK2D_DONE);
    assert_int_equal(walk.memory_references, 2 * 5 + 4);
    paging.large_1g = false;
    walk_to(linear, GUEST_ACCESS_READ, WALK2D_PAGE_FAULT);
    assert_int_equal(walk.error_code, PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED);
    walk_to(UINT64_C(0x0000800000000000), GUEST_ACCESS_READ, WALK2D_NOT_CANONICAL);
    assert_int_equal(walk.memory_references, 0);
    walk_to(UINT64_C(0xffff800000000000), GUEST_ACCESS_READ, WALK2D_PAGE_FAULT);
    assert_int_equal(walk.error_code, 0);
    end();
}

static void test_5_level(void **state)
{
    uint64_t linear;

    (void)state;
    begin(CAP_5_LEVEL & ~UINT64_C(0x20000), 52); /* no 1 GiB pages */
    linear = long_mode(5);
    walk_to(linear, GUEST_ACCESS_FETCH, WALK2D_DONE);
    assert_int_equal(walk.mode, GUEST_MODE_5_LEVEL);
    assert_int_equal(walk.memory_references, 5 * 6 + 5);
    walk_to(UINT64_C(1) << 56, GUEST_ACCESS_READ, WALK2D_NOT_CANONICAL);
    put64(0x1008, 0x2000 | 0x87);
    walk_to(linear, GUEST_ACCESS_READ, WALK2D_PAGE_FAULT);
    assert_int_equal(walk.error_code, PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED);
    end();
}

static void test_page_fault_codes(void **state)
{
    uint64_t linear;

    (void)state;
    begin(CAP_NO_1G, 40);
    linear = long_mode(4);
    put64(0x4008, 0x8000 | 3); /* supervisor */
    paging.user = true;
    walk_to(linear, GUEST_ACCESS_WRITE, WALK2D_PAGE_FAULT);
    assert_int_equal(walk.error_code, PAGE_FAULT_PRESENT | PAGE_FAULT_WRITE | PAGE_FAULT_USER);
    paging.user = false;
    put64(0x4008, 0x8000 | 7);
    paging.cr4 |= SMEP;
    paging.efer &= ~NXE;
    walk_to(linear, GUEST_ACCESS_FETCH, WALK2D_PAGE_FAULT);
    assert_int_equal(walk.error_code, PAGE_FAULT_PRESENT | PAGE_FAULT_FETCH);
    put64(0x4008, 0);
    paging.cr4 &= ~SMEP;
    walk_to(linear, GUEST_ACCESS_FETCH, WALK2D_PAGE_FAULT);
    assert_int_equal(walk.error_code, 0); /* neither SMEP nor NXE: a fetch is not told */
    assert_int_equal(walk.memory_references, 20);
    /* The CR3's low bits are no PCD and PWT with process-context identifiers. */
    paging.cr3 |= 0x18;
    walk_to(linear, GUEST_ACCESS_READ, WALK2D_PAGE_FAULT);
    assert_int_equal(walk.references[4].memory_type, 0);
    paging.cr4 |= PCIDE;
    walk_to(linear, GUEST_ACCESS_READ, WALK2D_PAGE_FAULT);
    assert_int_equal(walk.references[4].memory_type, 6);
    end();
}

static void set_rights(uint64_t gpa, unsigned rights)
{
    uint64_t *entry = pool_entry(&bed.pool, &bed.ept, gpa, 1);

    *entry = (*entry & ~EPT_RIGHTS) | rights;
}

static void test_violations(void **state)
{
    uint64_t linear;

    (void)state;
    begin(CAP_NO_1G, 40); /* A/D flags on */
    linear = long_mode(4);
    set_rights(0x8000, RX);
    walk_to(linear + 4, GUEST_ACCESS_WRITE, WALK2D_VIOLATION);
    assert_int_equal(walk.qualification & walk2d_qualification_mask(&bed.ept.caps), 0x1aa | 0x600);
    assert_int_equal(walk.gpa, 0x8004);
    assert_int_equal(walk.memory_references, 24);
    assert_int_equal(walk.qualification_open, 0);
    assert_true(walk.references[18].sets_accessed);
    assert_false(walk.references[18].open_accessed);
    for (unsigned i = 20; i < 24;
         i++) { /* nothing was translated by them: the processor may set their flags or not */
        assert_false(walk.references[i].sets_accessed);
        assert_true(walk.references[i].open_accessed);
    }
    walk_to(linear + 4, GUEST_ACCESS_READ_WRITE, WALK2D_VIOLATION); /* the read bit may be set or not */
    assert_int_equal(walk.qualification & 0x1ff, 0x1ab);
    assert_int_equal(walk.qualification_open, EPT_QUALIFICATION_READ);
    set_rights(0x8000, RW);
    walk_to(linear, GUEST_ACCESS_FETCH, WALK2D_VIOLATION);
    assert_int_equal(walk.qualification & 0x1ff, 0x19c);
    set_rights(0x8000, 0);
    walk_to(linear, GUEST_ACCESS_READ, WALK2D_VIOLATION);
    assert_int_equal(walk.qualification & 0x1ff, 0x181);
    assert_true(walk.references[22].open_accessed);
    assert_false(walk.references[23].open_accessed); /* not present: no entry that is used */
    set_rights(0x8000, 2);
    walk_to(linear, GUEST_ACCESS_READ_WRITE, WALK2D_MISCONFIG);
    assert_true(walk.references[22].open_accessed);
    assert_false(walk.references[23].open_accessed);
    set_rights(0x8000, RW);
    walk_to(linear, GUEST_ACCESS_READ_WRITE, WALK2D_DONE);
    assert_true(walk.references[23].sets_dirty);
    assert_true(walk.references[19].sets_dirty);
    assert_int_equal(walk.qualification_open, 0);

    set_rights(0x3000, RX); /* a guest's table, read-only: its entries cannot be read with A/D flags on */
    put64(0x3008, 0x4000 | 0x27);
    walk_to(linear, GUEST_ACCESS_READ, WALK2D_VIOLATION);
    assert_int_equal(walk.qualification, 0xab);
    assert_int_equal(walk.gpa, 0x3008);
    assert_int_equal(walk.memory_references, 14);
    assert_false(walk.flag_update);
    set_rights(0x3000, 0);
    walk_to(linear, GUEST_ACCESS_WRITE, WALK2D_VIOLATION);
    assert_int_equal(walk.qualification, 0x83);
    end();
}

static void test_flag_updates_without_ad(void **state)
{
    uint64_t linear;

    (void)state;
    begin(CAP_NO_1G & ~UINT64_C(0x600000), 40); /* neither A/D flags nor advanced exit information */
    linear = long_mode(4);
    assert_int_equal(machine.eptp & EPTP_ACCESSED_DIRTY, 0);
    walk_to(linear, GUEST_ACCESS_READ, WALK2D_DONE);
    assert_false(walk.references[0].sets_accessed);
    assert_true(walk.references[4].sets_accessed); /* the guest's own flags all the same */
    set_rights(0x4000, RX);
    walk_to(linear, GUEST_ACCESS_READ, WALK2D_VIOLATION);
    assert_true(walk.flag_update);
    assert_int_equal(walk.qualification, 0xab);
    assert_int_equal(walk.qualification_open,
                     EPT_QUALIFICATION_READ);        /* a read-modify-write of the processor's */
    assert_false(walk.references[16].open_accessed); /* there are no such flags */
    assert_int_equal(walk.gpa, 0x4008);
    assert_int_equal(walk.memory_references, 20);
    put64(0x4008, 0x8000 | 0x27); /* accessed already: nothing to write for a read */
    walk_to(linear, GUEST_ACCESS_READ, WALK2D_DONE);
    walk_to(linear, GUEST_ACCESS_FETCH, WALK2D_DONE);
    walk_to(linear, GUEST_ACCESS_WRITE, WALK2D_VIOLATION);
    assert_true(walk.flag_update);
    put64(0x4008, 0x8000 | 0x67);
    walk_to(linear, GUEST_ACCESS_WRITE, WALK2D_DONE);
    set_rights(0x4000, 0);
    walk_to(linear, GUEST_ACCESS_WRITE, WALK2D_VIOLATION);
    assert_int_equal(walk.qualification, 0x81);
    assert_false(walk.flag_update);
    set_rights(0x8000, R);
    set_rights(0x4000, RW);
    walk_to(linear, GUEST_ACCESS_WRITE, WALK2D_VIOLATION);
    assert_int_equal(walk.qualification, 0x18a); /* no bits 11:9 */
    end();
}

static void test_other_ends(void **state)
{
    uint64_t linear;

    (void)state;
    begin(CAP_NO_1G, 40);
    linear = long_mode(4);
    *pool_entry(&bed.pool, &bed.ept, 0x2008, 1) |= UINT64_C(7) << 3;
    walk_to(linear, GUEST_ACCESS_READ, WALK2D_MISCONFIG);
    assert_int_equal(walk.reasons, EPT_REASON_MEMORY_TYPE);
    assert_int_equal(walk.gpa, 0x2008);
    assert_int_equal(walk.memory_references, 9);
    *pool_entry(&bed.pool, &bed.ept, 0x2008, 1) &= ~(UINT64_C(1) << 3);
    walk_to(linear, GUEST_ACCESS_READ, WALK2D_DONE);
    set_rights(0x8000, 2);
    walk_to(linear, GUEST_ACCESS_READ, WALK2D_MISCONFIG);
    assert_int_equal(walk.reasons, EPT_REASON_WRITE_ONLY);
    assert_int_equal(walk.memory_references, 24);

    put64(0x1008, (UINT64_C(1) << 39) | 7); /* a table where the EPT has nothing */
    walk_to(linear, GUEST_ACCESS_READ, WALK2D_VIOLATION);
    assert_int_equal(walk.gpa, (UINT64_C(1) << 39) + 8);
    assert_int_equal(walk.qualification, 0x83);
    assert_int_equal(walk.memory_references, 6);
    forget_guest = true;
    walk_to(linear, GUEST_ACCESS_READ, WALK2D_NO_MEMORY);
    assert_int_equal(walk.hpa, RAM_AT + 0x1008);
    forget_ept = true;
    walk_to(linear, GUEST_ACCESS_READ, WALK2D_NO_MEMORY);
    assert_int_equal(walk.hpa, bed.ept.root);
    assert_int_equal(walk.memory_references, 0);
    for (int end_kind = 0; end_kind <= WALK2D_NO_MEMORY; end_kind++)
        assert_true(strlen(walk2d_end_text((enum walk2d_end)end_kind)) > 2);
    assert_string_equal(walk2d_end_text((enum walk2d_end)99), "?");
    for (int mode = 0; mode <= GUEST_MODE_5_LEVEL; mode++)
        assert_true(strlen(guest_paging_mode_text((enum guest_paging_mode)mode)) > 2);
    assert_string_equal(guest_paging_mode_text((enum guest_paging_mode)99), "?");
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_paging),  cmocka_unit_test(test_32_bit),
        cmocka_unit_test(test_pae),        cmocka_unit_test(test_4_level),
        cmocka_unit_test(test_5_level),    cmocka_unit_test(test_page_fault_codes),
        cmocka_unit_test(test_violations), cmocka_unit_test(test_flag_updates_without_ad),
        cmocka_unit_test(test_other_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
