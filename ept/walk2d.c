/* SPDX-License-Identifier: MIT */
/* The walk of the guest's structures, each entry of which is found by a walk of the EPT. */
#include "ept/walk2d.h"
#include "ept/eptp.h"
#include "ept/misconfig.h"
#include "ept/qualification.h"
#include <stddef.h>

struct descent {
    struct walk2d *walk;
    const struct walk2d_machine *machine;
    const struct guest_paging *paging;
    bool accessed_dirty;
    /* Of each step of the guest's walk: its reference, and what the EPT allows on the page that holds it. */
    struct walk2d_reference *step_reference[GUEST_WALK_STEPS_MAX];
    uint8_t step_rights[GUEST_WALK_STEPS_MAX];
    unsigned steps;
};

static struct walk2d_reference *next_reference(struct descent *descent, enum walk2d_kind kind, unsigned level,
                                               uint64_t gpa, uint64_t hpa, uint64_t raw)
{
    struct walk2d_reference *reference = &descent->walk->references[descent->walk->count++];

    *reference = (struct walk2d_reference){
        .gpa = gpa, .hpa = hpa, .raw = raw, .kind = (uint8_t)kind, .level = (uint8_t)level};
    descent->walk->memory_references += kind != WALK2D_PDPTE_REGISTER;
    return reference;
}

static bool stop(struct descent *descent, enum walk2d_end end, uint64_t gpa)
{
    descent->walk->end = end;
    descent->walk->gpa = gpa;
    return false;
}

/* translated: the final access, whose linear address has these rights; NULL: an access of the guest's walk.
 */
static bool violate(struct descent *descent, uint64_t gpa, unsigned access, unsigned rights,
                    const struct guest_walk *translated)
{
    uint64_t qualification =
        access | (uint64_t)rights << EPT_QUALIFICATION_RIGHTS_SHIFT | EPT_QUALIFICATION_LINEAR_VALID;

    if (translated != NULL) {
        qualification |= EPT_QUALIFICATION_TRANSLATED;
        if (descent->machine->caps->advanced_exit_information)
            qualification |= (translated->user ? EPT_QUALIFICATION_LINEAR_USER : 0) |
                             (translated->writable ? EPT_QUALIFICATION_LINEAR_WRITABLE : 0) |
                             (translated->no_execute ? EPT_QUALIFICATION_LINEAR_NX : 0);
    }
    descent->walk->qualification = qualification;
    return stop(descent, WALK2D_VIOLATION, gpa);
}

/* Reads one EPT entry into a reference; false: the walk ends here. */
static bool read_ept_entry(struct descent *descent, uint64_t gpa, unsigned level, uint64_t hpa,
                           struct ept_entry *entry, struct walk2d_reference *reference)
{
    const struct walk2d_machine *machine = descent->machine;
    uint64_t offending;

    if (!machine->read_ept(machine->context, hpa, entry)) {
        descent->walk->hpa = hpa;
        return stop(descent, WALK2D_NO_MEMORY, gpa);
    }
    *reference = (struct walk2d_reference){.gpa = gpa,
                                           .hpa = hpa,
                                           .raw = entry->raw,
                                           .kind = WALK2D_EPT_ENTRY,
                                           .level = (uint8_t)level,
                                           .rights = (uint8_t)ept_entry_rights(*entry),
                                           .memory_type = (uint8_t)(machine->eptp & EPTP_MEMORY_TYPE)};
    descent->walk->count++;
    descent->walk->memory_references++;
    /* The commonest of all entries, all rights and nothing else, is sound at every level. */
    if (level > EPT_LEVEL_PT && (entry->raw & machine->caps->table_check) == EPT_RIGHTS)
        return true;
    descent->walk->reasons = ept_misconfig_reasons(machine->caps, level, *entry, &offending);
    if (descent->walk->reasons != 0)
        return stop(descent, WALK2D_MISCONFIG, gpa);
    reference->leaf = ept_entry_present(*entry) && ept_entry_maps_page(*entry, level);
    if (reference->leaf) {
        reference->memory_type = (uint8_t)ept_entry_memory_type(*entry);
        reference->ignore_pat = (entry->raw & EPT_IGNORE_PAT) != 0;
    }
    return true;
}

/* One guest-physical address through the EPT; false: the walk ends here. *rights: what the entries allow. */
static bool translate(struct descent *descent, uint64_t gpa, unsigned access,
                      const struct guest_walk *translated, uint64_t *hpa, unsigned *rights)
{
    struct walk2d *walk = descent->walk;
    unsigned level = (unsigned)(descent->machine->eptp >> EPTP_WALK_SHIFT & 7) + 1;
    uint64_t table = descent->machine->eptp & EPTP_ADDRESS;
    unsigned first = walk->count;

    *rights = (unsigned)EPT_RIGHTS;
    if (gpa >> (12 + 9 * level) != 0 || gpa >> descent->machine->caps->physical_width != 0)
        return violate(descent, gpa, access, 0, translated);
    for (;; level--) {
        struct walk2d_reference *reference = &walk->references[walk->count];
        struct ept_entry entry;

        if (!read_ept_entry(descent, gpa, level, table + ept_index(gpa, level) * sizeof(entry), &entry,
                            reference))
            return false;
        *rights &= ept_entry_rights(entry);
        if (!ept_entry_present(entry))
            return violate(descent, gpa, access, 0, translated);
        reference->open_accessed = descent->accessed_dirty;
        table = ept_entry_address(entry);
        if (ept_entry_maps_page(entry, level))
            break;
    }
    if ((access & ~*rights) != 0)
        return violate(descent, gpa, access, *rights, translated);
    *hpa = table | (gpa & (ept_level_size(level) - 1));
    if (descent->accessed_dirty) {
        for (unsigned n = first; n < walk->count; n++) {
            walk->references[n].sets_accessed = true;
            walk->references[n].open_accessed = false;
        }
        walk->references[walk->count - 1].sets_dirty = (access & EPT_WRITE) != 0;
    }
    return true;
}

/* The guest walk's callback. With A/D flags for EPT such an access is a write, too. */
static bool read_guest_entry(void *context, uint64_t gpa, unsigned size, uint64_t *value)
{
    struct descent *descent = context;
    unsigned access = (unsigned)EPT_READ | (descent->accessed_dirty ? (unsigned)EPT_WRITE : 0);
    unsigned rights;
    uint64_t hpa;

    if (!translate(descent, gpa, access, NULL, &hpa, &rights))
        return false;
    if (!descent->machine->read_guest(descent->machine->context, hpa, size, value)) {
        descent->walk->hpa = hpa;
        return stop(descent, WALK2D_NO_MEMORY, gpa);
    }
    descent->step_rights[descent->steps] = (uint8_t)rights;
    descent->step_reference[descent->steps++] =
        next_reference(descent, WALK2D_GUEST_ENTRY, 0, gpa, hpa, *value);
    return true;
}

/* What the guest's walk knows of its entries goes into their references. */
static void describe(struct descent *descent, const struct guest_walk *guest)
{
    unsigned n = 0;

    for (unsigned i = 0; i < guest->count; i++) {
        const struct guest_walk_step *step = &guest->steps[i];
        struct walk2d_reference *reference =
            step->size == 0 ? &descent->walk->references[0] : descent->step_reference[n++];

        reference->level = step->level;
        reference->leaf = step->leaf;
        reference->memory_type = (uint8_t)guest_pat_type(descent->paging->pat, step->pat_index);
        if (!(step->raw & GUEST_ENTRY_PRESENT))
            continue;
        /* A PDPTE register has a P bit alone. */
        reference->user = step->size == 0 || (step->raw & GUEST_ENTRY_USER) != 0;
        reference->rights = (uint8_t)EPT_READ;
        if (step->size == 0 || (step->raw & GUEST_ENTRY_WRITE))
            reference->rights |= EPT_WRITE;
        if (step->size != 8 || !(step->raw & GUEST_ENTRY_NO_EXECUTE))
            reference->rights |= EPT_EXECUTE;
    }
}

/* The guest's accessed flags, and the leaf's dirty flag; false: the EPT lets one not be written. */
static bool update_flags(struct descent *descent, enum guest_access access)
{
    for (unsigned n = 0; n < descent->steps; n++) {
        struct walk2d_reference *reference = descent->step_reference[n];
        uint64_t wanted = GUEST_ENTRY_ACCESSED;

        if (reference->leaf && (access == GUEST_ACCESS_WRITE || access == GUEST_ACCESS_READ_WRITE))
            wanted |= GUEST_ENTRY_DIRTY;
        /* With A/D flags for EPT the read has been a write as well, so the page is writable. */
        if ((wanted & ~reference->raw) != 0 && !(descent->step_rights[n] & EPT_WRITE)) {
            descent->walk->flag_update = true;
            descent->walk->qualification_open = EPT_QUALIFICATION_READ;
            return violate(descent, reference->gpa, (unsigned)(EPT_READ | EPT_WRITE), descent->step_rights[n],
                           NULL);
        }
        reference->sets_accessed = true;
        reference->sets_dirty = (wanted & GUEST_ENTRY_DIRTY) != 0;
    }
    return true;
}

/* All but the references, which are filled one by one. */
static void reset(struct walk2d *walk, enum guest_paging_mode mode)
{
    walk->end = WALK2D_DONE;
    walk->mode = mode;
    walk->count = walk->memory_references = 0;
    walk->flag_update = false;
    walk->guest_page_shift = walk->pat_type = 0;
    walk->error_code = walk->reasons = 0;
    walk->qualification = walk->qualification_open = 0;
    walk->gpa = walk->hpa = 0;
}

void walk2d(struct walk2d *walk, const struct walk2d_machine *machine, const struct guest_paging *paging,
            uint64_t linear_address, enum guest_access access)
{
    static const unsigned accesses[] = {[GUEST_ACCESS_READ] = (unsigned)EPT_READ,
                                        [GUEST_ACCESS_WRITE] = (unsigned)EPT_WRITE,
                                        [GUEST_ACCESS_FETCH] = (unsigned)EPT_EXECUTE,
                                        [GUEST_ACCESS_READ_WRITE] = (unsigned)(EPT_READ | EPT_WRITE)};
    struct descent descent = {.walk = walk,
                              .machine = machine,
                              .paging = paging,
                              .accessed_dirty = (machine->eptp & EPTP_ACCESSED_DIRTY) != 0};
    struct guest_paging through_ept = *paging;
    struct guest_walk guest;
    unsigned rights;

    reset(walk, guest_paging_mode(paging));
    through_ept.read = read_guest_entry;
    through_ept.context = &descent;
    if (walk->mode == GUEST_MODE_PAE)
        (void)next_reference(&descent, WALK2D_PDPTE_REGISTER, 3, 0, 0,
                             paging->pdpte[(uint32_t)linear_address >> 30]);
    guest = guest_walk(&through_ept, linear_address, access);
    describe(&descent, &guest);
    switch (guest.status) {
    case GUEST_PAGING_FAULT:
        walk->end = WALK2D_PAGE_FAULT;
        walk->error_code = guest.error_code;
        return;
    case GUEST_PAGING_NOT_CANONICAL:
        walk->end = WALK2D_NOT_CANONICAL;
        return;
    case GUEST_PAGING_NO_TABLE: /* read_guest_entry() has said why */
        return;
    case GUEST_PAGING_OK:
        break;
    }
    if (!update_flags(&descent, access) ||
        !translate(&descent, guest.gpa, accesses[access], &guest, &walk->hpa, &rights)) {
        if (walk->end == WALK2D_VIOLATION && access == GUEST_ACCESS_READ_WRITE)
            walk->qualification_open = EPT_QUALIFICATION_READ;
        return;
    }
    walk->gpa = guest.gpa;
    walk->guest_page_shift = guest.page_shift;
    walk->pat_type = (uint8_t)guest_pat_type(paging->pat, guest.pat_index);
}

uint64_t walk2d_qualification_mask(const struct ept_caps *caps)
{
    uint64_t mask = EPT_RIGHTS | EPT_RIGHTS << EPT_QUALIFICATION_RIGHTS_SHIFT |
                    EPT_QUALIFICATION_LINEAR_VALID | EPT_QUALIFICATION_TRANSLATED;

    if (caps->advanced_exit_information)
        mask |=
            EPT_QUALIFICATION_LINEAR_USER | EPT_QUALIFICATION_LINEAR_WRITABLE | EPT_QUALIFICATION_LINEAR_NX;
    return mask;
}

const char *walk2d_end_text(enum walk2d_end end)
{
    static const char *const texts[] = {"done",          "#PF",      "EPT violation", "EPT misconfiguration",
                                        "not canonical", "no memory"};

    return (unsigned)end < sizeof(texts) / sizeof(texts[0]) ? texts[end] : "?";
}
