/* SPDX-License-Identifier: MIT */
/*
 * Every access to memory that the sources under test make, one by one and in order. They are compiled for
 * ThreadSanitizer, so that each access calls a function of its run-time library; memory_accesses.c stands in
 * for that library and tells an observer. Tests themselves are compiled without, so what they access is not
 * seen.
 */
#ifndef TEST_OBSERVED_MEMORY_ACCESSES_H
#define TEST_OBSERVED_MEMORY_ACCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum access_kind {
    ACCESS_READ,   /* plain: may be torn, repeated or left out by the compiler */
    ACCESS_WRITE,  /* plain */
    ACCESS_LOAD,   /* atomic */
    ACCESS_STORE,  /* atomic */
    ACCESS_UPDATE, /* atomic read and write in one: exchange, compare-and-exchange, fetch-and-add... */
};

struct memory_access {
    enum access_kind kind;
    void *address;
    size_t size;
    /* Known after an atomic access only. changed: an exchange that failed has written nothing. */
    uint64_t old, value;
    bool changed;
};

/* NULL: nobody looks. `before` is called when the access is next to come, `after` when an atomic one is done.
 */
struct memory_observer {
    void (*before)(const struct memory_access *access);
    void (*after)(const struct memory_access *access);
};
extern const struct memory_observer *memory_observer;

#endif
