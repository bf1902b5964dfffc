/* SPDX-License-Identifier: MIT */
/*
 * One operation of the engine, step by step. It runs once to see where it leads; once more with every rule of
 * world.h checked after every access; and again for each access, with a processor that reads or writes the
 * probed pages just before it, to see that no accessed or dirty flag is lost.
 */
#ifndef TEST_OBSERVED_ONE_OPERATION_H
#define TEST_OBSERVED_ONE_OPERATION_H

#include "test/observed/world.h"

/* What an operation may do besides leaving each probed address as it was or making it as it will be. */
#define MAY_UNMAP      0x01u /* an address may be not present in between */
#define MAY_BE_LISTED  0x02u /* it may be as the region list says, with fewer rights */
#define KEEPS_ACCESSED 0x04u /* an accessed flag set meanwhile is in the leaf, or reported, in the end */
#define KEEPS_DIRTY    0x08u /* so is a dirty flag; or it is in the dirty log */
#define FLUSHES_MORE   0x10u /* it cannot know that no flush is needed */
#define NOBODY_RUNS    0x20u /* no processor runs the VM meanwhile */
#define KEEPS_FLAGS    (KEEPS_ACCESSED | KEEPS_DIRTY)

struct operation {
    const char *name;
    uint64_t capabilities;
    void (*prepare)(unsigned variant); /* regions, what is mapped, world_probe() for each address */
    void (*operate)(unsigned variant);
    unsigned variants; /* 0..variants-1 */
    unsigned contract;
};

/* Runs an operation, all variants; the number of accesses that were looked at. Fails the cmocka test. */
uint64_t run_operation(const struct operation *operation);

/* For operate(): the operation, or a part of it, is over and asks for this flush, which is carried out. */
void operated(enum ept_flush flush);
/* For operate(): the operation must have said so. */
#define expect(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            world_fail("not so: %s", #condition);                                                            \
    } while (0)

#endif
