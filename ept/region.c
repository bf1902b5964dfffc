/* SPDX-License-Identifier: MIT */
/* The sorted region list: checks, search, cutting and merging. */
#include "ept/region.h"
#include <stddef.h>

static bool aligned(uint64_t value)
{
    return (value & (EPT_PAGE_SIZE_4K - 1)) == 0;
}

/* True if [start, start + size) ends at or below 1 << width. */
static bool within(uint64_t start, uint64_t size, unsigned width)
{
    uint64_t limit = UINT64_C(1) << width;

    return size <= limit && start <= limit - size;
}

static uint64_t end_of(const struct ept_region *region)
{
    return region->gpa + region->size;
}

static enum ept_status check_rights(const struct ept_region_list *list, unsigned rights)
{
    if ((rights & ~(unsigned)EPT_RIGHTS) != 0)
        return EPT_BAD_RIGHTS;
    if ((rights & EPT_WRITE) != 0 && (rights & EPT_READ) == 0)
        return EPT_BAD_RIGHTS;
    if (rights == EPT_EXECUTE && !list->execute_only)
        return EPT_BAD_RIGHTS;
    return EPT_OK;
}

void ept_region_list_init(struct ept_region_list *list, struct ept_region *storage, unsigned capacity,
                          const struct ept_caps *caps)
{
    *list = (struct ept_region_list){
        .regions = storage,
        .capacity = capacity,
        .guest_width = caps->guest_width,
        .physical_width = caps->physical_width,
        .execute_only = caps->execute_only,
    };
}

static enum ept_status check_range(const struct ept_region_list *list, uint64_t gpa, uint64_t size)
{
    if (size == 0 || !aligned(gpa) || !aligned(size))
        return EPT_UNALIGNED;
    return within(gpa, size, list->guest_width) ? EPT_OK : EPT_BEYOND_WIDTH;
}

enum ept_status ept_region_check(const struct ept_region_list *list, const struct ept_region *region)
{
    enum ept_status status = check_range(list, region->gpa, region->size);

    if (status != EPT_OK)
        return status;
    if ((unsigned)region->kind >= EPT_REGION_KIND_COUNT || !memory_type_valid(region->memory_type))
        return EPT_BAD_TYPE;
    if (region->kind == EPT_REGION_HOLE)
        return region->rights == 0 ? EPT_OK : EPT_BAD_RIGHTS;
    if (!aligned(region->hpa))
        return EPT_UNALIGNED;
    if (!within(region->hpa, region->size, list->physical_width))
        return EPT_BEYOND_WIDTH;
    if (region->kind == EPT_REGION_IDENTITY && region->hpa != region->gpa)
        return EPT_BAD_TYPE;
    return check_rights(list, region->rights);
}

enum ept_status ept_region_validate(const struct ept_region_list *list)
{
    if (list->count > list->capacity)
        return EPT_LIST_FULL;
    for (unsigned n = 0; n < list->count; n++) {
        enum ept_status status = ept_region_check(list, &list->regions[n]);

        if (status != EPT_OK)
            return status;
        if (n > 0 && end_of(&list->regions[n - 1]) > list->regions[n].gpa)
            return EPT_OVERLAP;
    }
    return EPT_OK;
}

/* Position of the first region that ends above an address; count if there is none. */
static unsigned position(const struct ept_region_list *list, uint64_t gpa)
{
    unsigned low = 0;
    unsigned high = list->count;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;

        if (end_of(&list->regions[middle]) > gpa)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

const struct ept_region *ept_region_next(const struct ept_region_list *list, uint64_t gpa)
{
    unsigned n = position(list, gpa);

    return n < list->count ? &list->regions[n] : NULL;
}

const struct ept_region *ept_region_find(const struct ept_region_list *list, uint64_t gpa)
{
    const struct ept_region *region = ept_region_next(list, gpa);

    return region != NULL && ept_region_holds(region, gpa) ? region : NULL;
}

/* Room must be there. */
static void insert(struct ept_region_list *list, unsigned n, const struct ept_region *region)
{
    struct ept_region added = *region; /* it may be in the array */

    for (unsigned at = list->count; at > n; at--)
        list->regions[at] = list->regions[at - 1];
    list->regions[n] = added;
    list->count++;
}

static void erase(struct ept_region_list *list, unsigned n, unsigned count)
{
    for (unsigned at = n; at + count < list->count; at++)
        list->regions[at] = list->regions[at + count];
    list->count -= count;
}

/* True if `right` carries on what `left` is. */
static bool continues(const struct ept_region *left, const struct ept_region *right)
{
    if (end_of(left) != right->gpa || left->kind != right->kind || left->rights != right->rights ||
        left->type_from_mtrr != right->type_from_mtrr ||
        (!left->type_from_mtrr && left->memory_type != right->memory_type) ||
        left->ignore_pat != right->ignore_pat || left->policy != right->policy)
        return false;
    return left->kind == EPT_REGION_HOLE || left->hpa + left->size == right->hpa;
}

/* Merges the regions from `first` to `last` with each other and their neighbours. */
static void merge(struct ept_region_list *list, unsigned first, unsigned last)
{
    unsigned kept = first > 0 ? first - 1 : 0, next = kept + 1;

    for (; next <= last + 1 && next < list->count; next++) {
        if (continues(&list->regions[kept], &list->regions[next]))
            list->regions[kept].size += list->regions[next].size;
        else
            list->regions[++kept] = list->regions[next];
    }
    if (next > kept + 1)
        erase(list, kept + 1, next - kept - 1);
}

enum ept_status ept_region_add(struct ept_region_list *list, const struct ept_region *region)
{
    struct ept_region added = *region;
    enum ept_status status = ept_region_check(list, region);
    unsigned n;

    if (status != EPT_OK)
        return status;
    if (added.kind == EPT_REGION_HOLE) {
        added.hpa = 0;
        added.memory_type = MEMORY_TYPE_UC;
        added.type_from_mtrr = added.ignore_pat = false;
    }
    n = position(list, added.gpa);
    if (n < list->count && list->regions[n].gpa < end_of(&added))
        return EPT_OVERLAP;
    if (n > 0 && continues(&list->regions[n - 1], &added)) {
        list->regions[n - 1].size += added.size;
        merge(list, n - 1, n - 1);
        return EPT_OK;
    }
    if (n < list->count && continues(&added, &list->regions[n])) {
        added.size += list->regions[n].size;
        list->regions[n] = added;
        return EPT_OK;
    }
    if (list->count == list->capacity)
        return EPT_LIST_FULL;
    insert(list, n, &added);
    return EPT_OK;
}

/* How many regions have an address strictly inside: 0 or 1. */
static unsigned cuts_at(const struct ept_region_list *list, uint64_t gpa)
{
    const struct ept_region *region = ept_region_find(list, gpa);

    return region != NULL && region->gpa != gpa ? 1 : 0;
}

/* Makes an address a border between regions. Room must be there. */
static void cut(struct ept_region_list *list, uint64_t gpa)
{
    unsigned n = position(list, gpa);
    struct ept_region upper;
    uint64_t below;

    if (n == list->count || list->regions[n].gpa >= gpa)
        return;
    below = gpa - list->regions[n].gpa;
    upper = list->regions[n];
    upper.gpa = gpa;
    upper.size -= below;
    if (upper.kind != EPT_REGION_HOLE)
        upper.hpa += below;
    list->regions[n].size = below;
    insert(list, n + 1, &upper);
}

/* Checks the range and makes both its ends borders; [*first, *last) are then the regions inside. */
static enum ept_status carve(struct ept_region_list *list, uint64_t gpa, uint64_t size, unsigned *first,
                             unsigned *last)
{
    if (cuts_at(list, gpa) + cuts_at(list, gpa + size) > list->capacity - list->count)
        return EPT_LIST_FULL;
    cut(list, gpa);
    cut(list, gpa + size);
    *first = position(list, gpa);
    *last = position(list, gpa + size);
    return EPT_OK;
}

enum ept_status ept_region_remove(struct ept_region_list *list, uint64_t gpa, uint64_t size)
{
    unsigned first, last;
    enum ept_status status = check_range(list, gpa, size);

    if (status == EPT_OK)
        status = carve(list, gpa, size, &first, &last);
    if (status == EPT_OK)
        erase(list, first, last - first);
    return status;
}

/* Every page of the range must be in a region that is no hole. */
static enum ept_status check_listed(const struct ept_region_list *list, uint64_t gpa, uint64_t size)
{
    enum ept_status status = check_range(list, gpa, size);
    uint64_t at = gpa;

    if (status != EPT_OK)
        return status;
    while (at < gpa + size) {
        const struct ept_region *region = ept_region_find(list, at);

        if (region == NULL || region->kind == EPT_REGION_HOLE)
            return EPT_NOT_LISTED;
        at = end_of(region);
    }
    return EPT_OK;
}

enum ept_status ept_region_set_rights(struct ept_region_list *list, uint64_t gpa, uint64_t size,
                                      unsigned rights)
{
    unsigned first, last;
    enum ept_status status = check_listed(list, gpa, size);

    if (status == EPT_OK)
        status = check_rights(list, rights);
    if (status == EPT_OK)
        status = carve(list, gpa, size, &first, &last);
    if (status != EPT_OK)
        return status;
    for (unsigned n = first; n < last; n++)
        list->regions[n].rights = (uint8_t)rights;
    merge(list, first, last);
    return EPT_OK;
}

static enum ept_status set_type(struct ept_region_list *list, uint64_t gpa, uint64_t size,
                                enum memory_type type, bool from_mtrr, bool ignore_pat)
{
    unsigned first, last;
    enum ept_status status = check_listed(list, gpa, size);

    if (status == EPT_OK && !memory_type_valid(type))
        status = EPT_BAD_TYPE;
    if (status == EPT_OK)
        status = carve(list, gpa, size, &first, &last);
    if (status != EPT_OK)
        return status;
    for (unsigned n = first; n < last; n++) {
        list->regions[n].memory_type = (uint8_t)type;
        list->regions[n].type_from_mtrr = from_mtrr;
        list->regions[n].ignore_pat = ignore_pat;
    }
    merge(list, first, last);
    return EPT_OK;
}

enum ept_status ept_region_set_type(struct ept_region_list *list, uint64_t gpa, uint64_t size,
                                    enum memory_type type, bool ignore_pat)
{
    return set_type(list, gpa, size, type, false, ignore_pat);
}

enum ept_status ept_region_set_type_from_mtrr(struct ept_region_list *list, uint64_t gpa, uint64_t size,
                                              bool ignore_pat)
{
    return set_type(list, gpa, size, MEMORY_TYPE_UC, true, ignore_pat);
}

const char *ept_region_kind_name(enum ept_region_kind kind)
{
    static const char *const names[EPT_REGION_KIND_COUNT] = {"RAM",    "ROM",      "MMIO",
                                                             "shared", "identity", "hole"};

    return (unsigned)kind < EPT_REGION_KIND_COUNT ? names[kind] : "?";
}
