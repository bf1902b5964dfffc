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

static void frame_given_back(struct pool *pool, uint64_t hpa)
{
    (void)pool;
    if (world.level_of[world_frame(hpa)] != 0)
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
bool world_misconfigured(uint64_t raw, unsigned level, bool leaf)
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

struct translation world_translate(uint64_t gpa)
{
    struct translation result = {.how = NOT_PRESENT, .rights = 7};
    unsigned frame = world_frame(world.bed.ept.root);

    for (unsigned level = world.bed.caps.levels; level >= 1 && frame < WORLD_FRAMES; level--) {
        uint64_t *slot = &world_table(frame)[gpa >> (12 + 9 * (level - 1)) & 511], raw = *slot;
        uint64_t below = (UINT64_C(1) << (12 + 9 * (level - 1))) - 1;

        result.level = level;
        result.path[level] = slot;
        if ((raw & 7) == 0)
            return result;
        result.how = MISCONFIGURED;
        if (world_misconfigured(raw, level, world_is_leaf(raw, level)))
            return result;
        result.rights &= (unsigned)raw & 7;
        if (world_is_leaf(raw, level)) {
            result.how = MAPPED;
            result.hpa = (raw & EPT_ADDRESS & ~below) | (gpa & below);
            result.attributes = raw & (EPT_MEMORY_TYPE | EPT_IGNORE_PAT);
            result.flags = raw & FLAGS;
            return result;
        }
        frame = world_frame(raw & EPT_ADDRESS);
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

    if (slot == NULL || (*slot & access) == 0 || !world_is_leaf(*slot, level) ||
        world_misconfigured(*slot, level, true))
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

bool world_allowed(const struct probe *probe, const struct translation *now)
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
