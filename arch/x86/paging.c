/* SPDX-License-Identifier: MIT */
/* The host's page tables: walking, growing, splitting, and the mappings that come after paging_init()
 * (paging_layout.c). */
#include "arch/x86/paging.h"

#include "arch/x86/control_registers.h"
#include "arch/x86/memory.h"
#include "arch/x86/paging_entry.h"
#include "arch/x86/percpu.h"

/* A CPU's part of the stack area, from below: guard, stack, guard, stack, ... */
#define STACK_SLOT_SIZE UINT64_C(0x40000)
#define STACK_GUARD     PAGE_SIZE
#define MAIN_STACK_SIZE UINT64_C(0x8000)
#define IST_STACK_SIZE  UINT64_C(0x4000)
_Static_assert(STACK_SLOT_SIZE >=
                   MAIN_STACK_SIZE + IST_COUNT * IST_STACK_SIZE + (IST_COUNT + 1) * STACK_GUARD,
               "the stacks of a CPU fit into its slot");

static uint64_t root; /* 0 until paging_init(): the boot tables are in use */
static paging_alloc alloc_frame;

uint64_t paging_root(void)
{
    return root;
}

void paging_set_root(uint64_t table)
{
    root = table;
}

void paging_set_alloc(paging_alloc alloc)
{
    alloc_frame = alloc;
}

uint64_t paging_level_size(unsigned level)
{
    return PAGE_SIZE << 9 * (level - 1);
}

static uint64_t *slot(uint64_t table, uint64_t address, unsigned level)
{
    uint64_t *entries = phys_to_virt(table);

    return &entries[address >> (12 + 9 * (level - 1)) & 511];
}

/* A zeroed table, or PAGING_NO_FRAME. */
static uint64_t new_table(void)
{
    uint64_t table = alloc_frame();

    if (table != PAGING_NO_FRAME)
        memset(phys_to_virt(table), 0, PAGE_SIZE);
    return table;
}

uint64_t paging_leaf(uint64_t physical, unsigned level, uint64_t rights, enum pat_index type)
{
    uint64_t entry = physical | rights | PAGE_PRESENT | PAGE_ACCESSED | PAGE_DIRTY | PAGE_GLOBAL;

    if (type & 1)
        entry |= PAGE_PWT;
    if (type & 2)
        entry |= PAGE_PCD;
    if (type & 4)
        entry |= level == 1 ? PAGE_PAT_4K : PAGE_PAT_LARGE;
    if (level > 1)
        entry |= PAGE_LARGE;
    return entry;
}

static enum pat_index leaf_type(uint64_t entry, unsigned level)
{
    unsigned type = 0;

    if (entry & PAGE_PWT)
        type |= 1;
    if (entry & PAGE_PCD)
        type |= 2;
    if (entry & (level == 1 ? PAGE_PAT_4K : PAGE_PAT_LARGE))
        type |= 4;
    return (enum pat_index)type;
}

static uint64_t leaf_physical(uint64_t entry, unsigned level)
{
    return entry & PAGE_ADDRESS & ~(paging_level_size(level) - 1);
}

/* Replaces a large page by a table that translates the same: filled first, then linked. */
static bool split(uint64_t *entry, unsigned level)
{
    uint64_t table = new_table(), old = *entry;
    uint64_t *children;

    if (table == PAGING_NO_FRAME)
        return false;
    children = phys_to_virt(table);
    for (unsigned i = 0; i < 512; i++)
        children[i] = paging_leaf(leaf_physical(old, level) + i * paging_level_size(level - 1), level - 1,
                                  old & (PAGE_WRITE | PAGE_NO_EXECUTE), leaf_type(old, level));
    __atomic_store_n(entry, table | PAGE_PRESENT | PAGE_WRITE | PAGE_ACCESSED, __ATOMIC_RELEASE);
    return true;
}

uint64_t *paging_entry(uint64_t address, unsigned level)
{
    uint64_t table = root;

    for (unsigned at = 4; at > level; at--) {
        uint64_t *entry = slot(table, address, at);
        if (!(*entry & PAGE_PRESENT)) {
            uint64_t child = new_table();
            if (child == PAGING_NO_FRAME)
                return NULL;
            __atomic_store_n(entry, child | PAGE_PRESENT | PAGE_WRITE | PAGE_ACCESSED, __ATOMIC_RELEASE);
        } else if ((*entry & PAGE_LARGE) && !split(entry, at)) {
            return NULL;
        }
        table = *entry & PAGE_ADDRESS;
    }
    return slot(table, address, level);
}

/* The leaf entry that translates the address and its level, 0 if there is none. */
static unsigned find_leaf(uint64_t address, uint64_t *leaf)
{
    uint64_t table = root;

    for (unsigned level = 4; level >= 1; level--) {
        uint64_t entry = *slot(table, address, level);
        if (!(entry & PAGE_PRESENT))
            return 0;
        if (level == 1 || (entry & PAGE_LARGE)) {
            *leaf = entry;
            return level;
        }
        table = entry & PAGE_ADDRESS;
    }
    return 0;
}

must_check bool paging_is_mapped(uint64_t physical, uint64_t length)
{
    uint64_t end = physical + length, leaf;

    if (end < physical || end > MEMORY_DIRECT_MAP_SIZE)
        return false;
    if (root == 0)
        return end <= FOUR_GIB;
    while (physical < end) {
        unsigned level = find_leaf(MEMORY_DIRECT_MAP_BASE + physical, &leaf);
        if (level == 0)
            return false;
        physical = align_down(physical, paging_level_size(level)) + paging_level_size(level);
    }
    return true;
}

/* One page of device memory; returns how many bytes from `physical` on are as wanted now, 0 if out of frames.
 */
static uint64_t map_device_page(uint64_t physical, uint64_t end, enum pat_index type, bool *changed)
{
    uint64_t address = MEMORY_DIRECT_MAP_BASE + physical, leaf;
    unsigned level = find_leaf(address, &leaf);
    uint64_t *entry;

    if (level != 0 && leaf_type(leaf, level) == type) {
        uint64_t size = paging_level_size(level);
        return size - (physical & (size - 1));
    }
    level = (physical & (PAGE_SIZE_2M - 1)) == 0 && end - physical >= PAGE_SIZE_2M ? 2 : 1;
    entry = paging_entry(address, level);
    if (entry == NULL)
        return 0;
    if (level == 2 && (*entry & PAGE_PRESENT) && !(*entry & PAGE_LARGE)) {
        /* There is a table already: go on in it. */
        level = 1;
        entry = paging_entry(address, level);
        if (entry == NULL)
            return 0;
    }
    __atomic_store_n(entry, paging_leaf(physical, level, PAGE_WRITE | PAGE_NO_EXECUTE, type),
                     __ATOMIC_RELEASE);
    *changed = true;
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
    return paging_level_size(level);
}

must_check void *paging_map_mmio(uint64_t physical, uint64_t size, enum pat_index type)
{
    uint64_t at = align_down(physical, PAGE_SIZE), end = physical + size;
    bool changed = false;

    if (end < physical || end > MEMORY_DIRECT_MAP_SIZE || size == 0)
        return NULL;
    if (root == 0)
        return end <= FOUR_GIB ? phys_to_virt(physical) : NULL;
    end = align_up(end, PAGE_SIZE);
    while (at < end) {
        uint64_t done = map_device_page(at, end, type, &changed);
        if (done == 0)
            return NULL;
        at += done;
    }
    /* What was cached of this memory by an earlier mapping of another type must not come back. */
    if (changed)
        __asm__ volatile("wbinvd" : : : "memory");
    return phys_to_virt(physical);
}

static bool map_stack(uint64_t bottom, uint64_t size, paging_alloc alloc)
{
    for (uint64_t at = bottom; at < bottom + size; at += PAGE_SIZE) {
        uint64_t *entry = paging_entry(at, 1);
        uint64_t frame = entry == NULL ? PAGING_NO_FRAME : alloc();
        if (frame == PAGING_NO_FRAME)
            return false;
        memset(phys_to_virt(frame), 0, PAGE_SIZE);
        *entry = paging_leaf(frame, 1, PAGE_WRITE | PAGE_NO_EXECUTE, PAT_WB);
    }
    return true;
}

must_check bool paging_map_stacks(uint32_t index, paging_alloc alloc, struct cpu_stacks *out)
{
    uint64_t at = MEMORY_STACK_AREA_BASE + index * STACK_SLOT_SIZE;

    if (index >= PERCPU_MAX)
        return false;
    for (unsigned i = 0; i < IST_COUNT; i++) {
        at += STACK_GUARD;
        out->ist_bottom[i] = at;
        at += IST_STACK_SIZE;
        out->ist_top[i] = at;
        if (!map_stack(out->ist_bottom[i], IST_STACK_SIZE, alloc))
            return false;
    }
    at += STACK_GUARD;
    out->main_bottom = at;
    out->main_top = at + MAIN_STACK_SIZE;
    return map_stack(out->main_bottom, MAIN_STACK_SIZE, alloc);
}

must_check bool paging_is_guard(uint64_t address)
{
    uint64_t leaf;

    return root != 0 && address >= MEMORY_STACK_AREA_BASE &&
           address < MEMORY_STACK_AREA_BASE + PERCPU_MAX * STACK_SLOT_SIZE && find_leaf(address, &leaf) == 0;
}

must_check bool paging_is_readable(uint64_t address)
{
    uint64_t leaf;

    if (address + 7 < address || address < MEMORY_DIRECT_MAP_BASE || address > UINT64_MAX - 2 * PAGE_SIZE)
        return false;
    if (root == 0)
        return address + 7 < MEMORY_DIRECT_MAP_BASE + FOUR_GIB || virt_is_image(address);
    return find_leaf(address, &leaf) != 0 && find_leaf(address + 7, &leaf) != 0;
}
