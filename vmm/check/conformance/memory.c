/* SPDX-License-Identifier: MIT */
/* Tables, guest structures and pages of the conformance tester. */
#include "vmm/check/conformance/memory.h"
#include "arch/x86/memory.h"
#include "ept/entry.h"
#include "ept/guest_walk.h"
#include "ept/memtype.h"

/* Indices of the linear addresses in the guest's structures, by level; those of the data differ, so that one
 * scratch frame serves as a structure of any level. */
static const uint16_t code_index[CONFORMANCE_LEVELS + 1] = {0, 4, 3, 2, 1};
static const uint16_t data_index[CONFORMANCE_LEVELS + 1] = {0, 12, 11, 10, 9};
#define DATA_OFFSET UINT64_C(0x340)
#define CODE_STRIDE 16u

#define GUEST_REFERENCE (GUEST_ENTRY_PRESENT | GUEST_ENTRY_WRITE)
#define GUEST_FLAGS     (GUEST_ENTRY_ACCESSED | GUEST_ENTRY_DIRTY)
#define FIXED_GPA_INDEX 0x20u /* of the first fixed page in its page table */

#define MOV_EAX_IMMEDIATE UINT64_C(0xb8)
#define VMCALL_AT_5       UINT64_C(0xc1010f0000000000)

/* The instructions, each followed by VMCALL: RSI holds the address, RAX the value. */
static const struct {
    uint8_t length;
    uint8_t bytes[8];
} code[] = {
    {3, {0x48, 0x8b, 0x06, 0x0f, 0x01, 0xc1}},             /* mov rax, [rsi] */
    {3, {0x48, 0x89, 0x06, 0x0f, 0x01, 0xc1}},             /* mov [rsi], rax */
    {2, {0xff, 0xe6, 0x0f, 0x01, 0xc1}},                   /* jmp rsi */
    {3, {0x48, 0x01, 0x06, 0x0f, 0x01, 0xc1}},             /* add [rsi], rax */
    {3, {0x48, 0x87, 0x06, 0x0f, 0x01, 0xc1}},             /* xchg [rsi], rax */
    {5, {0xf0, 0x48, 0x0f, 0xc1, 0x06, 0x0f, 0x01, 0xc1}}, /* lock xadd [rsi], rax */
};
enum { CODE_READ, CODE_WRITE, CODE_FETCH, CODE_READ_WRITE };

static unsigned code_number(enum conformance_access access, enum conformance_instruction instruction)
{
    static const uint8_t numbers[CONFORMANCE_ACCESSES] = {
        [CONFORMANCE_READ] = CODE_READ,
        [CONFORMANCE_WRITE] = CODE_WRITE,
        [CONFORMANCE_READ_WRITE] = CODE_READ_WRITE,
        [CONFORMANCE_FETCH] = CODE_FETCH,
        [CONFORMANCE_WALK] = CODE_READ,
        [CONFORMANCE_WALK_FLAGS] = CODE_WRITE,
    };

    return numbers[access] + (access == CONFORMANCE_READ_WRITE ? (unsigned)instruction : 0);
}

static uint64_t linear(const uint16_t *index)
{
    uint64_t address = 0;

    for (unsigned level = EPT_LEVEL_PT; level <= CONFORMANCE_LEVELS; level++)
        address |= index[level] * ept_level_size(level);
    return address;
}

uint64_t conformance_code_address(enum conformance_access access, enum conformance_instruction instruction)
{
    return linear(code_index) + code_number(access, instruction) * CODE_STRIDE;
}

uint64_t conformance_end_address(enum conformance_access access, enum conformance_instruction instruction)
{
    return conformance_code_address(access, instruction) + code[code_number(access, instruction)].length;
}

uint64_t conformance_data_address(void)
{
    return linear(data_index) + DATA_OFFSET;
}

uint64_t conformance_root_gpa(const struct conformance_memory *memory)
{
    return memory->layout.fixed_gpa + FIXED_GPA_INDEX * EPT_PAGE_SIZE_4K;
}

static uint64_t fixed_gpa(const struct conformance_memory *memory, enum conformance_page page)
{
    return conformance_root_gpa(memory) + page * EPT_PAGE_SIZE_4K;
}

static uint64_t *table_entry(const struct conformance_memory *memory, uint64_t hpa)
{
    return &memory->tables[(hpa - memory->layout.tables) / sizeof(uint64_t)];
}

static uint64_t *ram_word(const struct conformance_memory *memory, uint64_t hpa)
{
    return (uint64_t *)(void *)(memory->ram + (hpa - memory->ram_hpa));
}

uint64_t conformance_data_value(uint64_t hpa)
{
    return MOV_EAX_IMMEDIATE | (uint64_t)(uint32_t)(hpa >> EPT_PAGE_SHIFT ^ 0x5a5a0000u) << 8 | VMCALL_AT_5;
}

/* The fixed pages' own entries: references RWX, pages RWX and WB. Number 0 is the root's. */
static uint64_t fixed_entry(const struct conformance_memory *memory, unsigned number)
{
    static const uint8_t tables[] = {CONFORMANCE_FIXED_PDPT, CONFORMANCE_FIXED_PD, CONFORMANCE_FIXED_PT};

    if (number < CONFORMANCE_FIXED_REFERENCES)
        return ept_entry_table(memory->layout.tables + tables[number] * EPT_PAGE_SIZE_4K).raw;
    return ept_entry_leaf(memory->fixed_hpa + (number - CONFORMANCE_FIXED_REFERENCES) * EPT_PAGE_SIZE_4K,
                          EPT_LEVEL_PT, (unsigned)EPT_RIGHTS, MEMORY_TYPE_WB, false)
        .raw;
}

static uint64_t fixed_slot(const struct conformance_memory *memory, unsigned number)
{
    static const uint8_t tables[] = {CONFORMANCE_ROOT, CONFORMANCE_FIXED_PDPT, CONFORMANCE_FIXED_PD,
                                     CONFORMANCE_FIXED_PT};
    unsigned depth = number < CONFORMANCE_FIXED_REFERENCES ? number : CONFORMANCE_FIXED_REFERENCES;
    uint64_t gpa = fixed_gpa(memory, number < CONFORMANCE_FIXED_REFERENCES
                                         ? CONFORMANCE_PAGE_PML4
                                         : (enum conformance_page)(number - CONFORMANCE_FIXED_REFERENCES));

    return memory->layout.tables + tables[depth] * EPT_PAGE_SIZE_4K +
           ept_index(gpa, CONFORMANCE_LEVELS - depth) * sizeof(uint64_t);
}

/* The page that is the structure of a level on the way to the data; level 0: the data. */
static enum conformance_page fixed_structure(unsigned level)
{
    static const uint8_t pages[] = {CONFORMANCE_PAGE_DATA, CONFORMANCE_PAGE_PT, CONFORMANCE_PAGE_PD,
                                    CONFORMANCE_PAGE_PDPT, CONFORMANCE_PAGE_PML4};

    return (enum conformance_page)pages[level];
}

/* Where the guest's entry of a level stands; 0: nowhere, the case has no frame. */
static uint64_t guest_slot(const struct conformance_memory *memory, const struct conformance_case *test,
                           unsigned level)
{
    uint64_t page = memory->fixed_hpa + fixed_structure(level) * EPT_PAGE_SIZE_4K;

    if (test->guest_level == level)
        page = test->frame & ~(EPT_PAGE_SIZE_4K - 1);
    return page == 0 ? 0 : page + data_index[level] * sizeof(uint64_t);
}

/* The guest's entry of a level, that leads to the probe if that is of the level below. */
static uint64_t guest_value(const struct conformance_memory *memory, unsigned probe_level, unsigned level)
{
    uint64_t page =
        probe_level == level - 1 ? memory->layout.probe_gpa : fixed_gpa(memory, fixed_structure(level - 1));

    return page | GUEST_REFERENCE | GUEST_FLAGS;
}

uint64_t conformance_guest_entry(const struct conformance_memory *memory, const struct conformance_case *test,
                                 unsigned level)
{
    uint64_t slot = guest_slot(memory, test, level);

    return slot == 0 ? 0 : conformance_memory_read(memory, slot);
}

static bool in_scratch(const struct conformance_memory *memory, uint64_t hpa)
{
    return hpa >= memory->layout.scratch && hpa - memory->layout.scratch < CONFORMANCE_SCRATCH_SIZE;
}

/* What a scratch frame holds at an offset: an entry for each level that it may be a structure of, and the
 * data. */
static uint64_t scratch_value(const struct conformance_memory *memory, uint64_t hpa)
{
    uint64_t offset = hpa & (EPT_PAGE_SIZE_4K - 1);

    if (offset == DATA_OFFSET)
        return conformance_data_value(hpa);
    for (unsigned level = EPT_LEVEL_PT; level < CONFORMANCE_LEVELS; level++)
        if (offset == data_index[level] * sizeof(uint64_t))
            return guest_value(memory, level, level);
    return 0;
}

static void link(struct conformance_memory *memory, enum conformance_page from, unsigned index,
                 enum conformance_page to)
{
    *ram_word(memory, memory->fixed_hpa + from * EPT_PAGE_SIZE_4K + index * sizeof(uint64_t)) =
        fixed_gpa(memory, to) | GUEST_REFERENCE | GUEST_FLAGS;
}

static void watch(struct conformance_memory *memory, uint64_t hpa)
{
    uint8_t *number = &memory->watched_number[(hpa - memory->layout.tables) / sizeof(uint64_t)];

    if (*number != 0) /* the root's entry may be the probe's and the fixed pages' */
        return;
    memory->watched[memory->watched_count] = hpa;
    *number = (uint8_t)++memory->watched_count;
}

void conformance_memory_init(struct conformance_memory *memory, const struct ept_caps *caps,
                             uint64_t tables_hpa, uint64_t *tables, uint64_t ram_hpa, uint8_t *ram)
{
    uint64_t scratch = (ram_hpa + CONFORMANCE_SCRATCH_SIZE - 1) & ~(CONFORMANCE_SCRATCH_SIZE - 1);

    *memory = (struct conformance_memory){.tables = tables, .ram_hpa = ram_hpa, .ram = ram};
    memory->fixed_hpa = scratch == ram_hpa ? ram_hpa + CONFORMANCE_SCRATCH_SIZE : ram_hpa;
    conformance_layout_init(&memory->layout, caps, tables_hpa, scratch);
    memset(tables, 0, CONFORMANCE_TABLES * EPT_PAGE_SIZE_4K);
    memset(ram, 0, CONFORMANCE_RAM_SIZE);
    for (unsigned level = EPT_LEVEL_PT; level <= CONFORMANCE_LEVELS; level++)
        watch(memory, memory->layout.slot[level]);
    for (unsigned number = 0; number < CONFORMANCE_FIXED_ENTRIES; number++) {
        memory->fixed_slot[number] = fixed_slot(memory, number);
        watch(memory, memory->fixed_slot[number]);
    }
    link(memory, CONFORMANCE_PAGE_PML4, code_index[4], CONFORMANCE_PAGE_CODE_PDPT);
    link(memory, CONFORMANCE_PAGE_CODE_PDPT, code_index[3], CONFORMANCE_PAGE_CODE_PD);
    link(memory, CONFORMANCE_PAGE_CODE_PD, code_index[2], CONFORMANCE_PAGE_CODE_PT);
    link(memory, CONFORMANCE_PAGE_CODE_PT, code_index[1], CONFORMANCE_PAGE_CODE);
    for (unsigned n_code = 0; n_code < sizeof(code) / sizeof(code[0]); n_code++)
        memcpy(ram_word(memory,
                        memory->fixed_hpa + CONFORMANCE_PAGE_CODE * EPT_PAGE_SIZE_4K + n_code * CODE_STRIDE),
               code[n_code].bytes, sizeof(code[n_code].bytes));
    for (uint64_t page = scratch; page < scratch + CONFORMANCE_SCRATCH_SIZE; page += EPT_PAGE_SIZE_4K) {
        *ram_word(memory, page + DATA_OFFSET) = scratch_value(memory, page + DATA_OFFSET);
        for (unsigned level = EPT_LEVEL_PT; level < CONFORMANCE_LEVELS; level++)
            *ram_word(memory, page + data_index[level] * sizeof(uint64_t)) =
                scratch_value(memory, page + data_index[level] * sizeof(uint64_t));
    }
    conformance_memory_restore(memory, &(struct conformance_case){.number = 0});
}

void conformance_memory_arm(struct conformance_memory *memory, const struct conformance_case *test)
{
    uint64_t cleared = test->access == CONFORMANCE_WALK_FLAGS ? GUEST_FLAGS : 0;

    for (unsigned number = 0; number < CONFORMANCE_FIXED_ENTRIES; number++)
        *table_entry(memory, memory->fixed_slot[number]) = fixed_entry(memory, number);
    for (unsigned level = EPT_LEVEL_PT; level <= CONFORMANCE_LEVELS; level++) {
        uint64_t slot = guest_slot(memory, test, level);

        *table_entry(memory, memory->layout.slot[level]) = test->entry[level];
        if (slot != 0)
            *ram_word(memory, slot) = guest_value(memory, test->guest_level, level) & ~cleared;
    }
}

void conformance_memory_restore(struct conformance_memory *memory, const struct conformance_case *test)
{
    uint64_t slot = test->guest_level != 0 ? guest_slot(memory, test, test->guest_level) : 0;
    uint64_t data = memory->fixed_hpa + CONFORMANCE_PAGE_DATA * EPT_PAGE_SIZE_4K + DATA_OFFSET;

    if (slot != 0)
        *ram_word(memory, slot) = scratch_value(memory, slot);
    if (test->frame != 0)
        *ram_word(memory, test->frame + DATA_OFFSET) = conformance_data_value(test->frame);
    *ram_word(memory, data) = conformance_data_value(data);
    for (unsigned level = EPT_LEVEL_PT; level <= CONFORMANCE_LEVELS; level++) /* as without a probe */
        *ram_word(memory, memory->fixed_hpa + fixed_structure(level) * EPT_PAGE_SIZE_4K +
                              data_index[level] * sizeof(uint64_t)) =
            guest_value(memory, CONFORMANCE_LEVELS, level);
}

/* What a word of the fixed pages holds between cases. */
static uint64_t fixed_value(const struct conformance_memory *memory, uint64_t hpa)
{
    uint64_t page = (hpa - memory->fixed_hpa) / EPT_PAGE_SIZE_4K, offset = hpa & (EPT_PAGE_SIZE_4K - 1);

    for (unsigned level = EPT_LEVEL_PT; level <= CONFORMANCE_LEVELS; level++) {
        if (page == fixed_structure(level) && offset == data_index[level] * sizeof(uint64_t))
            return guest_value(memory, CONFORMANCE_LEVELS, level);
        if (page == CONFORMANCE_LEVELS - level + CONFORMANCE_PAGE_PML4 &&
            offset == code_index[level] * sizeof(uint64_t))
            return fixed_gpa(memory, (enum conformance_page)(page + 1)) | GUEST_REFERENCE | GUEST_FLAGS;
    }
    if (page == CONFORMANCE_PAGE_DATA && offset == DATA_OFFSET)
        return conformance_data_value(hpa);
    if (page == CONFORMANCE_PAGE_CODE && offset / CODE_STRIDE < sizeof(code) / sizeof(code[0]) &&
        offset % CODE_STRIDE == 0) {
        uint64_t value;

        memcpy(&value, code[offset / CODE_STRIDE].bytes, sizeof(value));
        return value;
    }
    return 0;
}

/* Words from here on are zero in every page but in those of the code and the data. */
#define USED_WORDS 16u
_Static_assert(USED_WORDS > CONFORMANCE_LEVELS * 3, "beyond the indices of code_index[] and data_index[]");

/* The first word of a page that is not as it was made; 0: none. */
static uint64_t verify_page(const struct conformance_memory *memory, uint64_t page)
{
    const uint64_t *words = ram_word(memory, page);
    uint64_t fixed = page - memory->fixed_hpa;

    for (unsigned n = 0; n < EPT_PAGE_SIZE_4K / sizeof(uint64_t); n++) {
        uint64_t hpa = page + n * sizeof(uint64_t), wanted = 0;

        if (words[n] == 0 && n >= USED_WORDS && n != DATA_OFFSET / sizeof(uint64_t))
            continue;
        if (in_scratch(memory, page))
            wanted = scratch_value(memory, hpa);
        else if (fixed < CONFORMANCE_PAGES * EPT_PAGE_SIZE_4K)
            wanted = fixed_value(memory, hpa);
        if (words[n] != wanted)
            return hpa;
    }
    return 0;
}

uint64_t conformance_memory_verify(const struct conformance_memory *memory)
{
    uint64_t tables_end = memory->layout.tables + CONFORMANCE_TABLES * EPT_PAGE_SIZE_4K;

    for (uint64_t hpa = memory->layout.tables; hpa < tables_end; hpa += sizeof(uint64_t))
        if (*table_entry(memory, hpa) != 0 && conformance_watched(memory, hpa) == memory->watched_count)
            return hpa;
    for (uint64_t page = memory->ram_hpa; page < memory->ram_hpa + CONFORMANCE_RAM_SIZE;
         page += EPT_PAGE_SIZE_4K) {
        uint64_t hpa = verify_page(memory, page);

        if (hpa != 0)
            return hpa;
    }
    return 0;
}
