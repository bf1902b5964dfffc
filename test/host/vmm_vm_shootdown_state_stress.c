/* SPDX-License-Identifier: MIT */
/*
 * The steps of vmm/vm/shootdown_state.h with threads for CPUs. A number stands for the EPT, and each thread's
 * copy of it for what its CPU has cached: while in the guest it uses the copy alone. Once a change has been
 * promised to be seen, no thread may use an older copy. Kicks get lost, as NMIs may. What is changed in a
 * pause is no atomic, so ThreadSanitizer sees whether any other thread can be in the host meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "vmm/vm/shootdown_state.h"

#define CPUS        4u
#define ROUNDS      30000u
#define GUEST_TURNS 64u /* the preemption timer */

struct cpu {
    struct shootdown_vcpu sync;
    unsigned index;
    uint64_t random, cached, stale_uses, torn_maps, entries, catch_ups;
    uint32_t kicked;
};

static struct shootdown_vm vm;
static struct cpu cpus[CPUS];
static uint64_t translation, promised;
static uint64_t map[2]; /* not atomic: equal, but for the one who is alone */

static uint64_t next(struct cpu *cpu)
{
    cpu->random ^= cpu->random << 13;
    cpu->random ^= cpu->random >> 7;
    cpu->random ^= cpu->random << 17;
    return cpu->random >> 8;
}

static void kick(struct cpu *self, struct cpu *other)
{
    if (next(self) % 4 != 0)
        __atomic_store_n(&other->kicked, 1, __ATOMIC_RELAXED);
}

/* As shootdown_catch_up() of vmm/vm/shootdown.c. */
static void catch_up(struct cpu *self)
{
    uint64_t generation;

    do {
        if (shootdown_paused_for_other(&vm, self->index)) {
            shootdown_park(&self->sync);
            do {
                while (shootdown_paused_for_other(&vm, self->index)) {
                    shootdown_hold_up(&self->sync);
                    sched_yield();
                }
            } while (!shootdown_unpark(&vm, &self->sync, self->index));
        }
        generation = shootdown_generation(&vm);
        if (shootdown_paused_for_other(&vm, self->index))
            continue;
        self->cached = __atomic_load_n(&translation, __ATOMIC_SEQ_CST); /* INVEPT, and the next walk */
        self->catch_ups++;
        shootdown_seen(&self->sync, generation);
    } while (!shootdown_enter(&vm, &self->sync));
}

static void guest(struct cpu *self)
{
    for (unsigned turn = 0; turn < GUEST_TURNS && !__atomic_load_n(&self->kicked, __ATOMIC_RELAXED); turn++) {
        uint64_t due = __atomic_load_n(&promised, __ATOMIC_SEQ_CST);

        if (self->cached < due)
            self->stale_uses++;
        if (turn % 8 == 7)
            sched_yield();
    }
    shootdown_leave(&self->sync);
    shootdown_got_on(&self->sync);
    __atomic_store_n(&self->kicked, 0, __ATOMIC_RELAXED);
}

static void change(struct cpu *self)
{
    uint64_t value = __atomic_add_fetch(&translation, 1, __ATOMIC_SEQ_CST), before;
    uint64_t generation = shootdown_raise(&vm);

    for (unsigned i = 0; i < CPUS; i++) {
        while (i != self->index && !shootdown_passed(&cpus[i].sync, generation)) {
            kick(self, &cpus[i]);
            sched_yield();
        }
    }
    before = __atomic_load_n(&promised, __ATOMIC_SEQ_CST);
    while (before < value && !__atomic_compare_exchange_n(&promised, &before, value, false, __ATOMIC_SEQ_CST,
                                                          __ATOMIC_SEQ_CST)) {
    }
}

/* As shootdown_wait_owed(), but who is in the guest is waited for until it leaves: that counts what is owed.
 */
static void wait_owed(const struct cpu *self)
{
    bool in_guest;

    for (unsigned i = 0; i < CPUS; i++) {
        while (i != self->index && shootdown_is_owed(&cpus[i].sync, &in_guest))
            sched_yield();
    }
}

/* As vm_pause() and vm_unpause() of vmm/vm/pause.c. */
static void alone(struct cpu *self)
{
    uint32_t ticket;

    shootdown_park(&self->sync);
    ticket = shootdown_draw(&vm);
    while (!shootdown_is_turn(&vm, ticket))
        sched_yield();
    wait_owed(self);
    shootdown_own(&vm, self->index);
    shootdown_leave(&self->sync);
    (void)shootdown_raise(&vm);
    for (unsigned i = 0; i < CPUS; i++) {
        while (i != self->index && !shootdown_is_parked(&cpus[i].sync)) {
            kick(self, &cpus[i]);
            sched_yield();
        }
    }
    map[0]++;
    sched_yield();
    map[1]++;
    shootdown_disown(&vm);
}

static void *run(void *argument)
{
    struct cpu *self = argument;

    for (unsigned round = 0; round < ROUNDS; round++) {
        if (!shootdown_enter(&vm, &self->sync))
            catch_up(self);
        self->entries++;
        guest(self);
        if (map[0] != map[1])
            self->torn_maps++;
        if (next(self) % 8 == 0)
            change(self);
        if (next(self) % 16 == 0)
            alone(self);
    }
    shootdown_park(&self->sync);
    return NULL;
}

static void test_all_at_once(void **state)
{
    pthread_t threads[CPUS];
    uint64_t catch_ups = 0, requests = vm.generation;

    (void)state;
    vm.generation = 1;
    for (unsigned i = 0; i < CPUS; i++)
        cpus[i] = (struct cpu){.index = i, .random = 0x9e3779b97f4a7c15u * (i + 1)};
    for (unsigned i = 0; i < CPUS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run, &cpus[i]), 0);
    for (unsigned i = 0; i < CPUS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (unsigned i = 0; i < CPUS; i++) {
        assert_int_equal(cpus[i].stale_uses, 0);
        assert_int_equal(cpus[i].torn_maps, 0);
        assert_int_equal(cpus[i].entries, ROUNDS);
        catch_ups += cpus[i].catch_ups;
    }
    /* Something was to be caught up with; and several requests were often answered by one invalidation. */
    requests = vm.generation - requests;
    assert_true(requests > CPUS * ROUNDS / 16);
    assert_true(catch_ups > 0 && catch_ups < (CPUS - 1) * requests);
    assert_int_equal(map[0], map[1]);
}

/* Nothing has happened: the entry is a store and a comparison, and nobody invalidates. */
static void test_nothing_to_do(void **state)
{
    struct shootdown_vm quiet = {.generation = 7};
    struct shootdown_vcpu vcpu = {.place = VCPU_HOST, .seen = 7};

    (void)state;
    assert_true(shootdown_enter(&quiet, &vcpu));
    assert_int_equal(vcpu.place, VCPU_GUEST);
    assert_true(shootdown_passed(&vcpu, 7));
    assert_false(
        shootdown_passed(&vcpu, 8)); /* in the guest, and has not invalidated since: it is waited for */
    shootdown_leave(&vcpu);
    assert_true(shootdown_passed(&vcpu, 8)); /* outside: it is not */
    assert_int_equal(shootdown_raise(&quiet), 8);
    assert_false(shootdown_enter(&quiet, &vcpu));
    assert_int_equal(vcpu.place, VCPU_HOST);
    shootdown_seen(&vcpu, 8);
    assert_true(shootdown_enter(&quiet, &vcpu));
    assert_true(shootdown_passed(&vcpu, 8));
}

/* A pause belongs to one, who is not held back by it. */
static void test_owner(void **state)
{
    struct shootdown_vm paused = {.generation = 1};
    struct shootdown_vcpu vcpu = {.place = VCPU_PARKED};

    (void)state;
    assert_true(shootdown_is_turn(&paused, shootdown_draw(&paused)));
    shootdown_own(&paused, 2);
    assert_false(shootdown_is_turn(&paused, shootdown_draw(&paused)));
    assert_false(shootdown_paused_for_other(&paused, 2));
    assert_true(shootdown_paused_for_other(&paused, 0));
    assert_false(shootdown_unpark(&paused, &vcpu, 0));
    assert_true(shootdown_is_parked(&vcpu));
    shootdown_disown(&paused);
    assert_true(shootdown_unpark(&paused, &vcpu, 0));
    assert_false(shootdown_is_parked(&vcpu));
}

/* Turns come in the order of the asking, whoever looks first; also where the ticket wraps. */
static void test_turns(void **state)
{
    struct shootdown_vm asked = {.next = UINT32_MAX - 1, .turn = UINT32_MAX - 1};
    uint32_t tickets[4];

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        tickets[i] = shootdown_draw(&asked);
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned j = 0; j < 4; j++)
            assert_int_equal(shootdown_is_turn(&asked, tickets[j]), i == j);
        shootdown_own(&asked, i);
        shootdown_disown(&asked);
    }
}

/* Owed from being held up until it has got on, or wants to run no more. */
static void test_owed(void **state)
{
    struct shootdown_vm paused = {.generation = 1};
    struct shootdown_vcpu vcpu = {.place = VCPU_HOST, .seen = 1};
    bool in_guest;

    (void)state;
    shootdown_own(&paused, 2);
    shootdown_park(&vcpu);
    assert_false(shootdown_is_owed(&vcpu, &in_guest));
    shootdown_hold_up(&vcpu);
    assert_false(shootdown_unpark(&paused, &vcpu, 0));
    assert_true(shootdown_is_owed(&vcpu, &in_guest));
    assert_false(in_guest);
    shootdown_disown(&paused);
    assert_true(shootdown_unpark(&paused, &vcpu, 0));
    assert_true(shootdown_is_owed(&vcpu, &in_guest));
    assert_true(shootdown_enter(&paused, &vcpu));
    assert_true(shootdown_is_owed(&vcpu, &in_guest));
    assert_true(in_guest);
    shootdown_leave(&vcpu);
    assert_true(shootdown_is_owed(&vcpu, &in_guest));
    shootdown_got_on(&vcpu);
    assert_false(shootdown_is_owed(&vcpu, &in_guest));
    shootdown_hold_up(&vcpu);
    shootdown_park(&vcpu);
    assert_false(shootdown_is_owed(&vcpu, &in_guest));
}

static struct cpu *const runner = &cpus[0];
static uint64_t pauses;

static void *pause_often(void *argument)
{
    struct cpu *self = argument;

    while (__atomic_load_n(&runner->entries, __ATOMIC_RELAXED) < ROUNDS / 10) {
        alone(self);
        (void)__atomic_add_fetch(&pauses, 1, __ATOMIC_RELAXED);
    }
    shootdown_park(&self->sync);
    return NULL;
}

static void *only_run(void *argument)
{
    struct cpu *self = argument;

    while (self->entries < ROUNDS / 10) {
        if (!shootdown_enter(&vm, &self->sync))
            catch_up(self);
        __atomic_store_n(&self->entries, self->entries + 1, __ATOMIC_RELAXED);
        guest(self);
    }
    shootdown_park(&self->sync);
    return NULL;
}

/*
 * One who never asks for a pause runs between those of all the others, who ask for nothing else. Two pauses
 * in a row are possible, where the second's turn came before it was to be seen that somebody is held up; they
 * are rare, and without the wait for what is owed they are the rule.
 */
static void test_runner_runs(void **state)
{
    pthread_t threads[CPUS];

    (void)state;
    vm = (struct shootdown_vm){.generation = 1};
    for (unsigned i = 0; i < CPUS; i++)
        cpus[i] =
            (struct cpu){.index = i, .random = 0x9e3779b97f4a7c15u * (i + 1), .sync.place = VCPU_PARKED};
    runner->sync.place = VCPU_HOST;
    for (unsigned i = 0; i < CPUS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i == 0 ? only_run : pause_often, &cpus[i]), 0);
    for (unsigned i = 0; i < CPUS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(pauses > 0);
    assert_true(pauses <= ROUNDS / 10 + CPUS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_to_do), cmocka_unit_test(test_owner),
        cmocka_unit_test(test_turns),         cmocka_unit_test(test_owed),
        cmocka_unit_test(test_all_at_once),   cmocka_unit_test(test_runner_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
