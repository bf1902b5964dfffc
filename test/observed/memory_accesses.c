/* SPDX-License-Identifier: MIT */
/* The entry points that compilers call under -fsanitize=thread. Their names and meanings are part of the
 * compilers' interface. */
#include "test/observed/memory_accesses.h"
#include <string.h>

const struct memory_observer *memory_observer;

static void before(enum access_kind kind, const volatile void *address, size_t size)
{
    if (memory_observer != NULL)
        memory_observer->before(
            &(struct memory_access){.kind = kind, .address = (void *)address, .size = size});
}

static void after(enum access_kind kind, const volatile void *address, size_t size, uint64_t old,
                  uint64_t value, bool changed)
{
    if (memory_observer != NULL)
        memory_observer->after(&(struct memory_access){kind, (void *)address, size, old, value, changed});
}

void __tsan_init(void);
void __tsan_init(void) {}

void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller)
{
    (void)caller;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void) {}

#define PLAIN(name, kind, size)                                                                              \
    void __tsan_##name(void *address);                                                                       \
    void __tsan_##name(void *address)                                                                        \
    {                                                                                                        \
        before(kind, address, size);                                                                         \
    }
#define PLAIN_BOTH(size)                                                                                     \
    PLAIN(read##size, ACCESS_READ, size)                                                                     \
    PLAIN(write##size, ACCESS_WRITE, size)                                                                   \
    PLAIN(unaligned_read##size, ACCESS_READ, size)                                                           \
    PLAIN(unaligned_write##size, ACCESS_WRITE, size)                                                         \
    PLAIN(volatile_read##size, ACCESS_READ, size)                                                            \
    PLAIN(volatile_write##size, ACCESS_WRITE, size)
PLAIN_BOTH(1)
PLAIN_BOTH(2)
PLAIN_BOTH(4)
PLAIN_BOTH(8)
PLAIN_BOTH(16)

#define RANGE(name, kind)                                                                                    \
    void __tsan_##name(void *address, size_t size);                                                          \
    void __tsan_##name(void *address, size_t size)                                                           \
    {                                                                                                        \
        before(kind, address, size);                                                                         \
    }
RANGE(read_range, ACCESS_READ)
RANGE(write_range, ACCESS_WRITE)

/* clang turns copies and fills into these. */
void *__tsan_memcpy(void *to, const void *from, size_t size);
void *__tsan_memcpy(void *to, const void *from, size_t size)
{
    before(ACCESS_READ, from, size);
    before(ACCESS_WRITE, to, size);
    return memcpy(to, from, size);
}

void *__tsan_memset(void *to, int value, size_t size);
void *__tsan_memset(void *to, int value, size_t size)
{
    before(ACCESS_WRITE, to, size);
    return memset(to, value, size);
}

/* The memory orders that are asked for are ThreadSanitizer's business. */
#define ATOMIC_FETCH(bits, type, name, expression)                                                           \
    type __tsan_atomic##bits##_fetch_##name(volatile type *address, type operand, int order);                \
    type __tsan_atomic##bits##_fetch_##name(volatile type *address, type operand, int order)                 \
    {                                                                                                        \
        type old;                                                                                            \
                                                                                                             \
        (void)order;                                                                                         \
        before(ACCESS_UPDATE, address, sizeof(type));                                                        \
        old = *address;                                                                                      \
        *address = (type)(expression);                                                                       \
        after(ACCESS_UPDATE, address, sizeof(type), old, *address, true);                                    \
        return old;                                                                                          \
    }
#define ATOMIC_EXCHANGE(bits, type, name)                                                                    \
    int __tsan_atomic##bits##_compare_exchange_##name(volatile type *address, type *expected, type desired,  \
                                                      int order, int otherwise);                             \
    int __tsan_atomic##bits##_compare_exchange_##name(volatile type *address, type *expected, type desired,  \
                                                      int order, int otherwise)                              \
    {                                                                                                        \
        type old;                                                                                            \
                                                                                                             \
        (void)order;                                                                                         \
        (void)otherwise;                                                                                     \
        before(ACCESS_UPDATE, address, sizeof(type));                                                        \
        old = *address;                                                                                      \
        if (old == *expected)                                                                                \
            *address = desired;                                                                              \
        after(ACCESS_UPDATE, address, sizeof(type), old, *address, old == *expected);                        \
        if (old == *expected)                                                                                \
            return 1;                                                                                        \
        *expected = old;                                                                                     \
        return 0;                                                                                            \
    }
#define ATOMIC(bits, type)                                                                                   \
    type __tsan_atomic##bits##_load(const volatile type *address, int order);                                \
    type __tsan_atomic##bits##_load(const volatile type *address, int order)                                 \
    {                                                                                                        \
        type value;                                                                                          \
                                                                                                             \
        (void)order;                                                                                         \
        before(ACCESS_LOAD, address, sizeof(type));                                                          \
        value = *address;                                                                                    \
        after(ACCESS_LOAD, address, sizeof(type), value, value, false);                                      \
        return value;                                                                                        \
    }                                                                                                        \
    void __tsan_atomic##bits##_store(volatile type *address, type value, int order);                         \
    void __tsan_atomic##bits##_store(volatile type *address, type value, int order)                          \
    {                                                                                                        \
        type old;                                                                                            \
                                                                                                             \
        (void)order;                                                                                         \
        before(ACCESS_STORE, address, sizeof(type));                                                         \
        old = *address;                                                                                      \
        *address = value;                                                                                    \
        after(ACCESS_STORE, address, sizeof(type), old, value, true);                                        \
    }                                                                                                        \
    type __tsan_atomic##bits##_exchange(volatile type *address, type value, int order);                      \
    type __tsan_atomic##bits##_exchange(volatile type *address, type value, int order)                       \
    {                                                                                                        \
        type old;                                                                                            \
                                                                                                             \
        (void)order;                                                                                         \
        before(ACCESS_UPDATE, address, sizeof(type));                                                        \
        old = *address;                                                                                      \
        *address = value;                                                                                    \
        after(ACCESS_UPDATE, address, sizeof(type), old, value, true);                                       \
        return old;                                                                                          \
    }                                                                                                        \
    ATOMIC_EXCHANGE(bits, type, strong)                                                                      \
    ATOMIC_EXCHANGE(bits, type, weak)                                                                        \
    ATOMIC_FETCH(bits, type, add, old + operand)                                                             \
    ATOMIC_FETCH(bits, type, sub, old - operand)                                                             \
    ATOMIC_FETCH(bits, type, and, old &operand)                                                              \
    ATOMIC_FETCH(bits, type, or, old | operand)                                                              \
    ATOMIC_FETCH(bits, type, xor, old ^ operand)
ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)
