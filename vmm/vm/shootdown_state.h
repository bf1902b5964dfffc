/* SPDX-License-Identifier: MIT */
/*
 * The words by which the vCPUs of one VM tell each other where they are, and the steps on them. Pure: atomic
 * operations alone. vmm/vm/shootdown.c adds the instructions, vmm/vm/pause.c the stop of all but one.
 *
 * Who changes the EPT raises the generation, and then looks where the others are. Who enters the guest says
 * so, and then looks at the generation. Each of the two is a store, then a load, both sequentially
 * consistent; so for every pair of them at least one sees what the other has stored:
 *   - the entering CPU sees the new generation: it does not enter, but invalidates first; or
 *   - the changing CPU sees VCPU_GUEST: it kicks that CPU, and waits until it is out or has invalidated
 * since. A kick that arrives between the look at the generation and the VM entry is a pending interrupt,
 * which ends the entry's guest at once; an NMI there would be taken by the host and be gone, so it is no more
 * than a second try, made again and again. The preemption timer ends the wait if neither works.
 */
#ifndef VMM_VM_SHOOTDOWN_STATE_H
#define VMM_VM_SHOOTDOWN_STATE_H

#include <stdbool.h>
#include <stdint.h>

/* Where a vCPU's CPU is. */
enum vcpu_place {
    VCPU_PARKED, /* neither in the guest nor in anything of the VM that another may change: not started,
                    ended, or waiting for a pause to end */
    VCPU_HOST,   /* in the host: it may be inside the EPT engine, or read the memory map */
    VCPU_GUEST,  /* in the guest, or about to enter it: it may walk the EPT and cache what it finds */
};

/* Of a vCPU; written by its own CPU, read by the others. */
struct shootdown_vcpu {
    uint32_t place; /* enum vcpu_place */
    uint32_t owed;  /* 1: held up by a pause, and as far as is known it has not got on since */
    uint64_t seen;  /* the generation that it has invalidated for */
};

/* Of a VM. */
struct shootdown_vm {
    uint64_t generation; /* from 1; raised after each change that cached translations must follow */
    uint32_t next;       /* the ticket that the next to ask for a pause draws */
    uint32_t turn;       /* the ticket whose turn it is */
    uint32_t owner;      /* index + 1 of the vCPU for which the others are parked; 0: none */
    uint32_t depth;      /* how often it has asked for that; the owner's own */
};

/* The vCPU's CPU, last before VM entry. false: something has happened; it is in the host again and must catch
 * up.
 */
static inline bool shootdown_enter(const struct shootdown_vm *vm, struct shootdown_vcpu *self)
{
    __atomic_store_n(&self->place, VCPU_GUEST, __ATOMIC_SEQ_CST);
    if (__builtin_expect(__atomic_load_n(&vm->generation, __ATOMIC_SEQ_CST) == self->seen, 1))
        return true;
    __atomic_store_n(&self->place, VCPU_HOST, __ATOMIC_SEQ_CST);
    return false;
}

/* The same CPU, first after a VM exit. */
static inline void shootdown_leave(struct shootdown_vcpu *self)
{
    __atomic_store_n(&self->place, VCPU_HOST, __ATOMIC_RELEASE);
}

/* After a change, on the CPU that has made it: the generation that the others must reach. */
static inline uint64_t shootdown_raise(struct shootdown_vm *vm)
{
    return __atomic_add_fetch(&vm->generation, 1, __ATOMIC_SEQ_CST);
}

static inline uint64_t shootdown_generation(const struct shootdown_vm *vm)
{
    return __atomic_load_n(&vm->generation, __ATOMIC_SEQ_CST);
}

/* The vCPU's CPU has invalidated, after it had read this generation. */
static inline void shootdown_seen(struct shootdown_vcpu *self, uint64_t generation)
{
    __atomic_store_n(&self->seen, generation, __ATOMIC_RELEASE);
}

/* True once that vCPU can use nothing that was cached before the generation. */
static inline bool shootdown_passed(const struct shootdown_vcpu *other, uint64_t generation)
{
    return __atomic_load_n(&other->place, __ATOMIC_SEQ_CST) != VCPU_GUEST ||
           __atomic_load_n(&other->seen, __ATOMIC_ACQUIRE) >= generation;
}

static inline bool shootdown_is_parked(const struct shootdown_vcpu *other)
{
    return __atomic_load_n(&other->place, __ATOMIC_SEQ_CST) == VCPU_PARKED;
}

/* The same CPU: an instruction of the guest's is done. An exit alone is not enough: what repairs an EPT
 * violation may be undone before the instruction has run. */
static inline void shootdown_got_on(struct shootdown_vcpu *self)
{
    __atomic_store_n(&self->owed, 0, __ATOMIC_RELAXED);
}

/* Of its own accord: nothing is owed to one that does not want to run. */
static inline void shootdown_park(struct shootdown_vcpu *self)
{
    __atomic_store_n(&self->owed, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&self->place, VCPU_PARKED, __ATOMIC_SEQ_CST);
}

/* Whether the others are to stay parked for another vCPU than the one with this index. */
static inline bool shootdown_paused_for_other(const struct shootdown_vm *vm, unsigned index)
{
    uint32_t owner = __atomic_load_n(&vm->owner, __ATOMIC_SEQ_CST);

    return owner != 0 && owner != index + 1;
}

/* Asks for a pause: the ticket. */
static inline uint32_t shootdown_draw(struct shootdown_vm *vm)
{
    return __atomic_fetch_add(&vm->next, 1, __ATOMIC_RELAXED);
}

/* Whether it is the turn of that ticket. Until its owner disowns it nobody else's turn comes. */
static inline bool shootdown_is_turn(const struct shootdown_vm *vm, uint32_t ticket)
{
    return __atomic_load_n(&vm->turn, __ATOMIC_ACQUIRE) == ticket;
}

/* In its turn: the others are to be parked from here on. */
static inline void shootdown_own(struct shootdown_vm *vm, unsigned index)
{
    __atomic_store_n(&vm->owner, index + 1, __ATOMIC_SEQ_CST);
}

static inline void shootdown_disown(struct shootdown_vm *vm)
{
    __atomic_store_n(&vm->owner, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&vm->turn, vm->turn + 1, __ATOMIC_RELEASE);
}

/* Whether the next pause is to wait for that vCPU to have its moment; `in_guest`: it is having it. */
static inline bool shootdown_is_owed(const struct shootdown_vcpu *other, bool *in_guest)
{
    bool owed = __atomic_load_n(&other->owed, __ATOMIC_SEQ_CST) != 0;

    *in_guest = __atomic_load_n(&other->place, __ATOMIC_SEQ_CST) == VCPU_GUEST;
    return owed;
}

/* Parked because another has the VM paused. Who takes its turn before it sees this does so once; the next one
 * sees it. */
static inline void shootdown_hold_up(struct shootdown_vcpu *self)
{
    __atomic_store_n(&self->owed, 1, __ATOMIC_SEQ_CST);
}

/*
 * Back from PARKED to HOST, unless another wants it parked: then false, and it is parked. The store of the
 * place comes before the look at the owner, as the owner's store comes before its look at the places.
 */
static inline bool shootdown_unpark(const struct shootdown_vm *vm, struct shootdown_vcpu *self,
                                    unsigned index)
{
    __atomic_store_n(&self->place, VCPU_HOST, __ATOMIC_SEQ_CST);
    if (!shootdown_paused_for_other(vm, index))
        return true;
    __atomic_store_n(&self->place, VCPU_PARKED, __ATOMIC_SEQ_CST);
    return false;
}

#endif
