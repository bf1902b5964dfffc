/* SPDX-License-Identifier: MIT */
/* The world of world.h: its processors and its watcher. */
#include "test/observed/world.h"
#include "ept/dirty.h"

#define FLAGS (EPT_ACCESSED | EPT_DIRTY)

struct world world;

static struct {
    struct world world;
    uint8_t memory[WORLD_FRAMES * 4096], taken[WORLD_FRAMES];
    uint32_t next[WORLD_FRAMES];
} saved;

void world_fail(const char *format, ...)
{
    va_list arguments;

    if (world.failure[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(world.failure, sizeof(world.failure), format, arguments);
    va_end(arguments);
}

static unsigned frame_of(uint64_t hpa)
{
    return hpa >= POOL_BASE && hpa < POOL_BASE + WORLD_FRAMES * UINT64_C(4096)
               ? (unsigned)((hpa - POOL_BASE) / 4096)
               : WORLD_FRAMES;
}

static uint64_t *table_of(unsigned frame)
{
    return (uint64_t *)(void *)(world.bed.pool.memory + frame * (size_t)4096);
}

static void frame_given_back(struct pool *pool, uint64_t hpa)
{
    (void)pool;
    if (world.level_of[frame_of(hpa)] != 0)
        world_fail("frame 0x%llx is given back while a processor may walk it", (unsigned long long)hpa);
}

void world_init(uint64_t capabilities)
{
    world = (struct world){0};
    if (!bed_init(&world.bed, capabilities, 40, WORLD_FRAMES))
        world_fail("bed_init()");
    world.bed.pool.on_free = frame_given_back;
}

void world_probe(uint64_t gpa)
{
    world.probes[world.probe_count++] = (struct probe){.gpa = gpa};
}

void world_save(void)
{
    saved.world = world;
    memcpy(saved.memory, world.bed.pool.memory, sizeof(saved.memory));
    memcpy(saved.taken, world.bed.pool.taken, sizeof(saved.taken));
    memcpy(saved.next, world.bed.pool.next, sizeof(saved.next));
}

void world_restore(void)
{
    world = saved.world;
    memcpy(world.bed.pool.memory, saved.memory, sizeof(saved.memory));
    memcpy(world.bed.pool.taken, saved.taken, sizeof(saved.taken));
    memcpy(world.bed.pool.next, saved.next, sizeof(saved.next));
}

void world_done(void)
{
    pool_done(&world.bed.pool);
}

/* --- Processors -------------------------------------------------------------------------------------------
 */

/* SDM vol. 3, "EPT Misconfigurations", for a processor with all page sizes that the capabilities tell. */
static bool misconfigured(uint64_t raw, unsigned level, bool leaf)
{
    const struct ept_caps *caps = &world.bed.caps;
    uint64_t type = raw >> 3 & 7, below = (UINT64_C(1) << (12 + 9 * (level - 1))) - 1;

    if ((raw & 3) == 2 || ((raw & 7) == 4 && !caps->execute_only))
        return true;
    if (((raw & EPT_ADDRESS) >> caps->physical_width) != 0)
        return true;
    if (leaf)
        return type == 2 || type == 3 || type == 7 || (raw & below & EPT_ADDRESS) != 0 ||
               (level == 2 && !caps->large_2m) || (level == 3 && !caps->large_1g);
    return (raw & 0x78) != 0 || (level >= 4 && (raw & 0x80) != 0);
}

static bool is_leaf(uint64_t raw, unsigned level)
{
    return level == 1 || (level <= 3 && (raw & EPT_LARGE) != 0);
}

struct translation world_translate(uint64_t gpa)
{
    struct translation result = {.how = NOT_PRESENT, .rights = 7};
    unsigned frame = frame_of(world.bed.ept.root);

    for (unsigned level = world.bed.caps.levels; level >= 1 && frame < WORLD_FRAMES; level--) {
        uint64_t *slot = &table_of(frame)[gpa >> (12 + 9 * (level - 1)) & 511], raw = *slot;
        uint64_t below = (UINT64_C(1) << (12 + 9 * (level - 1))) - 1;

        result.level = level;
        result.path[level] = slot;
        if ((raw & 7) == 0)
            return result;
        result.how = MISCONFIGURED;
        if (misconfigured(raw, level, is_leaf(raw, level)))
            return result;
        result.rights &= (unsigned)raw & 7;
        if (is_leaf(raw, level)) {
            result.how = MAPPED;
            result.hpa = (raw & EPT_ADDRESS & ~below) | (gpa & below);
            result.attributes = raw & (EPT_MEMORY_TYPE | EPT_IGNORE_PAT);
            result.flags = raw & FLAGS;
            return result;
        }
        frame = frame_of(raw & EPT_ADDRESS);
        if (frame == WORLD_FRAMES || !world.bed.pool.taken[frame])
            return result; /* not misconfigured as the manual has it, but as bad */
        result.how = NOT_PRESENT;
    }
    return result;
}

bool world_differ(const struct translation *one, const struct translation *other)
{
    return one->how != other->how ||
           (one->how == MAPPED &&
            (one->rights != other->rights || one->hpa != other->hpa || one->attributes != other->attributes));
}

/* The leaf is found and grants the access: its flags, and the log. */
static void use_leaf(uint64_t *leaf, uint64_t gpa, unsigned access)
{
    if (!world.bed.caps.accessed_dirty)
        return;
    *leaf |= EPT_ACCESSED;
    if ((access & EPT_WRITE) != 0 && (*leaf & EPT_DIRTY) == 0) {
        *leaf |= EPT_DIRTY;
        if (world.page_modification_log)
            world.modified[world.modified_count++] = gpa & ~UINT64_C(0xfff);
    }
}

bool world_access(uint64_t gpa, unsigned access)
{
    struct translation now = world_translate(gpa);

    if (now.how != MAPPED || (now.rights & access) == 0)
        return false;
    for (unsigned level = world.bed.caps.levels; level > now.level && world.bed.caps.accessed_dirty; level--)
        *now.path[level] |= EPT_ACCESSED;
    use_leaf(now.path[now.level], gpa, access);
    return true;
}

bool world_access_by_cached_table(const struct probe *probe, unsigned access)
{
    uint64_t *slot = probe->cached_slot;
    unsigned level = probe->cached_level;

    if (slot == NULL || (*slot & access) == 0 || !is_leaf(*slot, level) || misconfigured(*slot, level, true))
        return false;
    use_leaf(slot, probe->gpa, access);
    return true;
}

unsigned world_processors_use(const void *address)
{
    unsigned probes = 0;

    for (unsigned n = 0; n < world.probe_count; n++) {
        struct translation now = world_translate(world.probes[n].gpa);

        for (unsigned level = now.level; level <= world.bed.caps.levels; level++) {
            if (now.path[level] == address)
                probes |= 1u << n;
        }
        if (world.probes[n].cached_slot == address)
            probes |= 1u << n;
    }
    return probes;
}

bool world_knows_write(const struct probe *probe)
{
    struct translation now = world_translate(probe->gpa);
    uint64_t page = probe->gpa >> 12, bit = UINT64_C(1) << page % 64;

    for (unsigned n = 0; n < world.modified_count; n++) {
        if (world.modified[n] == (probe->gpa & ~UINT64_C(0xfff)))
            return true;
    }
    if (page < WORLD_PAGES && (((world.words[page / 64] | world.collected[page / 64]) & bit) != 0))
        return true;
    return (probe->reported & EPT_DIRTY) != 0 || (now.how == MAPPED && (now.flags & EPT_DIRTY) != 0);
}

/* --- What is allowed ---------------------------------------------------------------------------------------
 */

void world_allow(struct probe *probe, const struct translation *translation)
{
    probe->allowed[probe->allowed_count++] =
        (struct allowed){translation->how, translation->rights, translation->rights, translation->hpa,
                         translation->attributes};
}

void world_allow_listed(struct probe *probe)
{
    const struct ept_region_list *list = &world.bed.list;

    for (unsigned n = 0; n < list->count; n++) {
        const struct ept_region *region = &list->regions[n];

        if (probe->gpa - region->gpa < region->size && region->rights != 0)
            probe->allowed[probe->allowed_count++] = (struct allowed){
                MAPPED, 0, region->rights, region->hpa + (probe->gpa - region->gpa),
                (uint64_t)region->memory_type << 3 | (region->ignore_pat ? EPT_IGNORE_PAT : 0)};
    }
}

void world_allow_not_present(struct probe *probe)
{
    probe->allowed[probe->allowed_count++] = (struct allowed){.how = NOT_PRESENT};
}

static bool is_allowed(const struct probe *probe, const struct translation *now)
{
    for (unsigned n = 0; n < probe->allowed_count; n++) {
        const struct allowed *allowed = &probe->allowed[n];

        if (allowed->how == now->how &&
            (now->how != MAPPED ||
             (allowed->hpa == now->hpa && allowed->attributes == now->attributes &&
              (now->rights & ~allowed->most) == 0 && (allowed->least & ~now->rights) == 0)))
            return true;
    }
    return false;
}

/* --- What processors may have cached -----------------------------------------------------------------------
 */

static void mark_walkable(unsigned frame, unsigned level, bool new_link)
{
    if (world.level_of[frame] != 0) {
        if (world.level_of[frame] != level)
            world_fail("frame %u is linked as a table of level %u and of level %u", frame,
                       world.level_of[frame], level);
        return;
    }
    world.level_of[frame] = (uint8_t)level;
    for (unsigned n = 0; n < 512; n++) {
        uint64_t raw = table_of(frame)[n];
        bool leaf = is_leaf(raw, level);

        if ((raw & 7) == 0) {
            if (raw != 0 && new_link && (raw & EPT_SOFTWARE_PLANTED) == 0)
                world_fail("frame %u is linked with 0x%llx in entry %u", frame, (unsigned long long)raw, n);
            continue;
        }
        if (misconfigured(raw, level, leaf)) {
            if (new_link)
                world_fail("frame %u is linked with 0x%llx in entry %u", frame, (unsigned long long)raw, n);
            continue;
        }
        if (!leaf && frame_of(raw & EPT_ADDRESS) < WORLD_FRAMES)
            mark_walkable(frame_of(raw & EPT_ADDRESS), level - 1, new_link);
    }
}

void world_note_cached(void)
{
    for (unsigned n = 0; n < world.probe_count; n++) {
        struct probe *probe = &world.probes[n];
        struct translation now = world_translate(probe->gpa);

        if (now.how != MAPPED)
            continue;
        if (!probe->mapped)
            probe->first = now;
        probe->changed |= probe->first.hpa != now.hpa || probe->first.attributes != now.attributes ||
                          probe->first.level != now.level;
        /* A flag that was cleared will not be set again by a processor that has cached the translation. */
        if (world.bed.caps.accessed_dirty && (probe->flags & ~now.flags) != 0)
            probe->changed = true;
        probe->mapped = true;
        probe->rights |= now.rights;
        probe->flags |= now.flags;
    }
}

void world_flush(void)
{
    memset(world.level_of, 0, sizeof(world.level_of));
    mark_walkable(frame_of(world.bed.ept.root), world.bed.caps.levels, false);
    for (unsigned n = 0; n < world.probe_count; n++) {
        struct probe *probe = &world.probes[n];

        struct translation now = world_translate(probe->gpa);

        probe->cached_slot = now.how == MAPPED ? now.path[now.level] : NULL;
        probe->cached_level = now.level;
        probe->mapped = probe->changed = false;
        probe->rights = 0;
        probe->flags = 0;
    }
    world_note_cached();
}

/* Tables that a processor may have cached and that are not linked now. */
static bool stale_table(void)
{
    uint8_t before[WORLD_FRAMES];
    bool stale = false;

    memcpy(before, world.level_of, sizeof(before));
    memset(world.level_of, 0, sizeof(world.level_of));
    mark_walkable(frame_of(world.bed.ept.root), world.bed.caps.levels, false);
    for (unsigned n = 0; n < WORLD_FRAMES; n++)
        stale |= before[n] != 0 && world.level_of[n] != before[n];
    memcpy(world.level_of, before, sizeof(before));
    return stale;
}

enum ept_flush world_flush_due(void)
{
    bool flags = world.bed.caps.accessed_dirty;

    for (unsigned n = 0; n < world.probe_count; n++) {
        const struct probe *probe = &world.probes[n];
        struct translation now = world_translate(probe->gpa);

        if (probe->mapped &&
            (probe->changed || now.how != MAPPED || probe->first.hpa != now.hpa ||
             probe->first.level != now.level || probe->first.attributes != now.attributes ||
             (probe->rights & ~now.rights) != 0 || (flags && (probe->flags & ~now.flags) != 0)))
            return EPT_FLUSH_CONTEXT;
    }
    return stale_table() ? EPT_FLUSH_CONTEXT : EPT_FLUSH_NONE;
}

/* --- The watcher -------------------------------------------------------------------------------------------
 */

/* The frame that an address of ours is in, or WORLD_FRAMES. */
static unsigned frame_at(const void *address)
{
    uintptr_t offset = (uintptr_t)address - (uintptr_t)world.bed.pool.memory;

    return offset < WORLD_FRAMES * (size_t)4096 ? (unsigned)(offset / 4096) : WORLD_FRAMES;
}

bool world_probed_word(const void *address)
{
    unsigned frame = frame_at(address), index = (unsigned)((uintptr_t)address % 4096 / 8);

    if (frame == WORLD_FRAMES)
        return true;
    for (unsigned n = 0; world.level_of[frame] != 0 && n < world.probe_count; n++) {
        if ((world.probes[n].gpa >> (12 + 9 * (world.level_of[frame] - 1)) & 511) == index)
            return true;
    }
    return false;
}

void world_before(const struct memory_access *access)
{
    unsigned frame = frame_at(access->address);

    world.accesses++;
    if (frame == WORLD_FRAMES)
        return;
    if (!world.bed.pool.taken[frame])
        world_fail("an access to frame %u, which was given back", frame);
    if (world.level_of[frame] != 0 && access->kind == ACCESS_WRITE)
        world_fail("a plain write to frame %u, which a processor may walk", frame);
    if (access->size != 8)
        world_fail("an access of %zu bytes to frame %u", access->size, frame);
}

static void check_probes(void)
{
    for (unsigned n = 0; n < world.probe_count; n++) {
        const struct probe *probe = &world.probes[n];
        struct translation now = world_translate(probe->gpa);

        if (probe->allowed_count != 0 && !is_allowed(probe, &now))
            world_fail("0x%llx translates to %s 0x%llx rights %u attributes 0x%llx level %u",
                       (unsigned long long)probe->gpa,
                       now.how == MAPPED        ? "a page"
                       : now.how == NOT_PRESENT ? "nothing"
                                                : "a misconfiguration",
                       (unsigned long long)now.hpa, now.rights, (unsigned long long)now.attributes,
                       now.level);
    }
}

void world_after(const struct memory_access *access)
{
    unsigned frame = frame_at(access->address);
    unsigned level;

    if (frame == WORLD_FRAMES || !access->changed || (level = world.level_of[frame]) == 0)
        return;
    if (access->kind == ACCESS_STORE &&
        ((access->old & 7) != 0 || (access->value & 7) != 0 || (access->old & EPT_SOFTWARE_FROZEN) == 0))
        world_fail("a store to frame %u, which a processor may walk", frame);
    if ((access->value & 7) != 0 && !is_leaf(access->value, level) &&
        frame_of(access->value & EPT_ADDRESS) < WORLD_FRAMES && !misconfigured(access->value, level, false))
        mark_walkable(frame_of(access->value & EPT_ADDRESS), level - 1, true);
    check_probes();
    world_note_cached();
}
