/* SPDX-License-Identifier: MIT */
/* The watcher of world.h: what processors may have cached, and what the engine may do to it. */
#include "test/observed/world.h"

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
        uint64_t raw = world_table(frame)[n];
        bool leaf = world_is_leaf(raw, level);

        if ((raw & 7) == 0) {
            if (raw != 0 && new_link && (raw & EPT_SOFTWARE_PLANTED) == 0)
                world_fail("frame %u is linked with 0x%llx in entry %u", frame, (unsigned long long)raw, n);
            continue;
        }
        if (world_misconfigured(raw, level, leaf)) {
            if (new_link)
                world_fail("frame %u is linked with 0x%llx in entry %u", frame, (unsigned long long)raw, n);
            continue;
        }
        if (!leaf && world_frame(raw & EPT_ADDRESS) < WORLD_FRAMES)
            mark_walkable(world_frame(raw & EPT_ADDRESS), level - 1, new_link);
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
    mark_walkable(world_frame(world.bed.ept.root), world.bed.caps.levels, false);
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
    mark_walkable(world_frame(world.bed.ept.root), world.bed.caps.levels, false);
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

        if (probe->allowed_count != 0 && !world_allowed(probe, &now))
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
    if ((access->value & 7) != 0 && !world_is_leaf(access->value, level) &&
        world_frame(access->value & EPT_ADDRESS) < WORLD_FRAMES &&
        !world_misconfigured(access->value, level, false))
        mark_walkable(world_frame(access->value & EPT_ADDRESS), level - 1, true);
    check_probes();
    world_note_cached();
}
