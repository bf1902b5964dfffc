/* SPDX-License-Identifier: MIT */
/* The model's prediction of a case. */
#include "vmm/check/conformance/predict.h"
#include "ept/entry.h"
#include "ept/eptp.h"
#include "ept/qualification.h"

/* CR0: PE, MP, ET, NE, WP, PG. CR4: PAE. EFER: LMA, NXE. What else the processor wants changes nothing in a
 * walk. */
#define CR0_64_BIT  UINT64_C(0x80010033)
#define CR4_64_BIT  UINT64_C(0x20)
#define EFER_64_BIT UINT64_C(0xc00)
#define PAT_RESET   UINT64_C(0x0007040600070406)

#define EPTP_WALK_4_LEVELS UINT64_C(3)
#define FETCHED_LENGTH     5u /* MOV EAX, before VMCALL */

uint64_t conformance_eptp(const struct conformance_memory *memory, const struct conformance_case *test)
{
    return (memory->layout.tables + CONFORMANCE_ROOT * EPT_PAGE_SIZE_4K) | test->structures_type |
           EPTP_WALK_4_LEVELS << EPTP_WALK_SHIFT | (test->accessed_dirty ? EPTP_ACCESSED_DIRTY : 0);
}

static bool read_ept(void *context, uint64_t hpa, struct ept_entry *entry)
{
    const struct conformance_memory *memory = context;

    if (hpa - memory->layout.tables >= CONFORMANCE_TABLES * EPT_PAGE_SIZE_4K) /* below it, too */
        return false;
    entry->raw = conformance_memory_entry(memory, hpa);
    return true;
}

static bool read_guest(void *context, uint64_t hpa, unsigned size, uint64_t *value)
{
    const struct conformance_memory *memory = context;

    if (hpa - memory->ram_hpa > CONFORMANCE_RAM_SIZE - size)
        return false;
    *value = conformance_memory_read(memory, hpa);
    return true;
}

/* What the walk sets in the watched entries, or may set. */
static void take_flags(struct conformance_prediction *prediction, const struct conformance_memory *memory,
                       const struct walk2d *walk)
{
    for (unsigned i = 0; i < walk->count; i++) {
        const struct walk2d_reference *reference = &walk->references[i];
        unsigned n;

        if (reference->kind != WALK2D_EPT_ENTRY || !(reference->sets_accessed || reference->open_accessed))
            continue;
        n = conformance_watched(memory, reference->hpa);
        if (n == memory->watched_count)
            continue;
        if (reference->sets_accessed)
            prediction->outcome.watched[n] |= EPT_ACCESSED;
        else
            prediction->accessed_open[n] = ~prediction->outcome.watched[n] & EPT_ACCESSED;
        if (reference->sets_dirty)
            prediction->outcome.watched[n] |= EPT_DIRTY;
    }
}

/* One access; false: it ends the case. */
static bool predict_access(struct conformance_prediction *prediction, const struct conformance_memory *memory,
                           const struct conformance_case *test, struct walk2d *walk, uint64_t linear_address,
                           enum guest_access access)
{
    const struct ept_caps *caps = &memory->layout.caps;
    struct walk2d_machine machine = {.caps = caps,
                                     .eptp = conformance_eptp(memory, test),
                                     .context = (void *)(uintptr_t)memory,
                                     .read_ept = read_ept,
                                     .read_guest = read_guest};
    struct guest_paging paging = {.cr0 = CR0_64_BIT,
                                  .cr3 = conformance_root_gpa(memory),
                                  .cr4 = CR4_64_BIT,
                                  .efer = EFER_64_BIT,
                                  .pat = PAT_RESET,
                                  .physical_width = caps->physical_width};
    struct conformance_outcome *outcome = &prediction->outcome;

    walk2d(walk, &machine, &paging, linear_address, access);
    take_flags(prediction, memory, walk);
    outcome->end = walk->end;
    if (walk->end == WALK2D_DONE) {
        prediction->data = walk->hpa;
        return true;
    }
    outcome->gpa = walk->gpa;
    outcome->linear_address = linear_address;
    outcome->error_code = walk->error_code;
    outcome->qualification = walk->qualification;
    prediction->data = 0;
    prediction->flag_update = walk->flag_update;
    prediction->page_walk = !(walk->qualification & EPT_QUALIFICATION_TRANSLATED);
    prediction->qualification_open = walk->qualification_open;
    /* 11:9 are defined for the access itself, on processors that say so. */
    prediction->qualification_mask = ~(EPT_QUALIFICATION_EXECUTE_USER | walk->qualification_open);
    if (prediction->page_walk || !caps->advanced_exit_information)
        prediction->qualification_mask &= ~(EPT_QUALIFICATION_LINEAR_USER |
                                            EPT_QUALIFICATION_LINEAR_WRITABLE | EPT_QUALIFICATION_LINEAR_NX);
    return false;
}

/* The registers and the 8 bytes of data after the instruction; old: those before. */
static void predict_result(struct conformance_prediction *prediction, const struct conformance_case *test,
                           uint64_t old)
{
    struct conformance_outcome *outcome = &prediction->outcome;

    outcome->rip = conformance_end_address(test->access, test->instruction);
    outcome->rax = CONFORMANCE_WRITTEN;
    outcome->data = old;
    switch (test->access) {
    case CONFORMANCE_READ:
    case CONFORMANCE_WALK:
        outcome->rax = old;
        break;
    case CONFORMANCE_WRITE:
    case CONFORMANCE_WALK_FLAGS:
        outcome->data = CONFORMANCE_WRITTEN;
        break;
    case CONFORMANCE_READ_WRITE:
        outcome->data =
            test->instruction == CONFORMANCE_XCHG ? CONFORMANCE_WRITTEN : old + CONFORMANCE_WRITTEN;
        if (test->instruction != CONFORMANCE_ADD)
            outcome->rax = old;
        break;
    default:
        outcome->rip = conformance_data_address() + FETCHED_LENGTH;
        outcome->rax = (uint32_t)(old >> 8);
    }
}

static bool predict_code(struct conformance_prediction *prediction, const struct conformance_memory *memory,
                         const struct conformance_case *test, struct walk2d *walk)
{
    if (!memory->code_known)
        return predict_access(prediction, memory, test, walk,
                              conformance_code_address(test->access, test->instruction), GUEST_ACCESS_FETCH);
    for (unsigned n = 0; test->accessed_dirty && n < memory->watched_count; n++)
        prediction->outcome.watched[n] |= memory->code_flags[n];
    return true;
}

void conformance_predict_prepare(struct conformance_memory *memory, struct walk2d *walk)
{
    struct conformance_case test;
    struct conformance_prediction prediction;

    if (memory->layout.slot[CONFORMANCE_LEVELS] == memory->fixed_slot[0])
        return;
    conformance_case_make(&test, &memory->layout, 0, 0);
    test.accessed_dirty = true;
    conformance_memory_arm(memory, &test);
    prediction = (struct conformance_prediction){.data = 0};
    memory->code_known = predict_code(&prediction, memory, &test, walk);
    for (unsigned n = 0; n < memory->watched_count; n++)
        memory->code_flags[n] = prediction.outcome.watched[n];
    conformance_memory_restore(memory, &test);
}

void conformance_predict(struct conformance_prediction *prediction, const struct conformance_memory *memory,
                         const struct conformance_case *test, struct walk2d *walk)
{
    static const uint8_t accesses[CONFORMANCE_ACCESSES] = {
        [CONFORMANCE_READ] = GUEST_ACCESS_READ,
        [CONFORMANCE_WRITE] = GUEST_ACCESS_WRITE,
        [CONFORMANCE_READ_WRITE] = GUEST_ACCESS_READ_WRITE,
        [CONFORMANCE_FETCH] = GUEST_ACCESS_FETCH,
        [CONFORMANCE_WALK] = GUEST_ACCESS_READ,
        [CONFORMANCE_WALK_FLAGS] = GUEST_ACCESS_WRITE,
    };
    struct conformance_outcome *outcome = &prediction->outcome;

    *prediction = (struct conformance_prediction){.data = 0};
    conformance_observe(outcome, memory, test);
    if (!predict_code(prediction, memory, test, walk) ||
        !predict_access(prediction, memory, test, walk, conformance_data_address(),
                        (enum guest_access)accesses[test->access]))
        return;
    predict_result(prediction, test, conformance_data_value(prediction->data));
    for (unsigned level = 1; level <= CONFORMANCE_LEVELS; level++)
        outcome->guest[level] |= GUEST_ENTRY_ACCESSED;
    if (test->access == CONFORMANCE_WALK_FLAGS || test->access == CONFORMANCE_WRITE ||
        test->access == CONFORMANCE_READ_WRITE)
        outcome->guest[1] |= GUEST_ENTRY_DIRTY;
}

void conformance_observe(struct conformance_outcome *outcome, const struct conformance_memory *memory,
                         const struct conformance_case *test)
{
    for (unsigned n = 0; n < memory->watched_count; n++)
        outcome->watched[n] = conformance_memory_entry(memory, memory->watched[n]);
    for (unsigned level = 1; level <= CONFORMANCE_LEVELS; level++)
        outcome->guest[level] = conformance_guest_entry(memory, test, level);
}
