/* SPDX-License-Identifier: MIT */
/*
 * Watched memory and breakpoints of a guest. A page with one of them is a region of its own in the VM's
 * memory map, with rights withheld; its `policy` keeps those that the guest has. An access that is only
 * denied because of that is executed alone (vmm/debug/step.h, hidden) with the page opened and the other
 * vCPUs parked, and told of afterwards. So the guest sees its memory as it is, and its code unchanged. What
 * the hypervisor reads and writes in the guest's stead goes by the guest's rights and is not seen. Lists
 * change while the VM is paused.
 */
#ifndef VMM_DEBUG_WATCH_H
#define VMM_DEBUG_WATCH_H

#include "arch/x86/compiler.h"
#include "ept/region.h"
#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct vm;

#define WATCH_MAX        16
#define WATCH_SIZE_MAX   UINT64_C(0x10000)
#define WATCH_CODE_SHOWN 8
#define WATCH_HITS_MAX   8
#define WATCH_VALUE_MAX  8 /* bytes that are shown */

/* ept_region.policy: WATCH_POLICY and, in bits 2:0, the rights that the guest has. */
#define WATCH_POLICY 0x80u

struct watch {
    bool used;
    bool is_break; /* a fetch at `linear`; rights is EPT_EXECUTE */
    bool stops;    /* the VM; else it is only told of */
    unsigned rights;
    uint64_t start, last; /* guest-physical */
    uint64_t linear;
    uint64_t hits;
};

/* An access to watched memory that is under way. */
struct watch_hit {
    uint8_t watch;   /* its index */
    uint8_t access;  /* EPT_READ... */
    uint8_t width;   /* bytes; 0: not known */
    uint8_t part;    /* those of them on this page; 0: not known */
    uint8_t size;    /* of the value that is shown */
    bool by_walk;    /* by the processor's walk of the guest's paging structures */
    bool by_event;   /* by the delivery of an event */
    bool if_changed; /* it counts only if the value has changed: the flags that a walk sets */
    bool counts;     /* it does */
    uint64_t gpa;
    uint64_t old, now; /* before and behind the step */
    uint16_t cs;
    uint64_t rip;
};

/*
 * A page that was opened for a write, as it was before: an instruction may touch it more than once, as the
 * pushes of INT do and the walks before a fetch and a load, and only the first time is seen.
 */
struct watch_snapshot {
    uint64_t page;
    struct watch_hit hit; /* the first time */
    uint8_t bytes[4096];
};

#define WATCH_SNAPSHOTS 4

struct watch_list {
    struct watch watches[WATCH_MAX];
    struct watch_snapshot snapshots[WATCH_SNAPSHOTS]; /* of one vCPU at a time: the others are parked */
};

/* Of a vCPU; its own CPU's. */
struct vcpu_debug {
    bool expects; /* the end of a step: watch_attend() looks */
    bool trapped; /* it has come by the step's own trap */
    bool passes;  /* the breakpoint at pass_rip is not to stop it this time */
    bool breaks;  /* at a breakpoint, `broken` */
    uint8_t broken, hit_count;
    uint64_t rip;      /* where the step began */
    uint64_t pass_rip; /* linear */
    uint64_t steps;    /* still to be made for the monitor's `step`, while vm_steps() */
    struct watch_hit hits[WATCH_HITS_MAX];
    uint8_t snapshot_count; /* in watch_list */
    bool pair;              /* the last step was of two instructions: vmm/debug/step_plan.h, is_pair */
    uint8_t code_count;     /* bytes at RIP, for the line behind `step` */
    uint8_t code[WATCH_CODE_SHOWN];
};

/* The rights that the guest has to a region, whatever is withheld. */
static inline unsigned watch_rights(const struct ept_region *region)
{
    return region->policy & WATCH_POLICY ? region->policy & 7u : region->rights;
}

/* Whether an access (EPT_READ...) is denied for the watch's sake alone. */
static inline bool watch_withholds(const struct ept_region *region, unsigned access)
{
    return (region->policy & WATCH_POLICY) != 0 && (access & ~watch_rights(region)) == 0;
}

/* So many bytes of the guest's memory as a number; what is not there counts as 0. */
uint64_t watch_value(struct vm *vm, uint64_t gpa, unsigned size);

/*
 * watch_list.c: adds a copy of `watch`. Its number from 1, or 0 and *why: the list is full, the range is no
 * RAM or ROM, the memory map has no room. The VM paused, by a vCPU of its.
 */
must_check unsigned watch_add(struct vm *vm, const struct watch *watch, const char **why);

/* Takes one away, or all (0). false: there is none with this number. The VM paused. */
must_check bool watch_delete(struct vm *vm, unsigned number);

/* Rights of the guest's own have changed in this range, in the list and in the EPT: the watches' follow. The
 * VM paused. */
void watch_rights_changed(struct vm *vm, uint64_t gpa, uint64_t size, unsigned rights);

/* A page that a device lay over is in the memory map again, as it was: watches may have come or gone
 * meanwhile. The VM paused; nothing is mapped of the page. */
void watch_page_returns(struct vm *vm, uint64_t page);

enum watch_verdict {
    WATCH_STEPS, /* the access is to be executed alone */
    WATCH_STOPS, /* at a breakpoint: nothing is to be executed */
};

/* An access that watch_withholds(). In the EPT-violation handler, the VM paused. */
enum watch_verdict watch_access(struct vcpu *vcpu, uint64_t gpa, uint64_t qualification);

/* A step begins whose end watch_attend() is to see. */
void watch_expect(struct vcpu *vcpu);

/* The step with the accesses ends, and the VM is still paused: what they have made of the memory. */
void watch_collect(struct vcpu *vcpu);

/* At a breakpoint, which is not to be passed this time: then `breaks` is set, for watch_attend(). */
must_check bool watch_at_break(struct vcpu *vcpu);

/* watch_tell.c, for vm_attend(): tells what has come of accesses and steps. */
void watch_attend(struct vcpu *vcpu);

/*
 * `step`: so many instructions are to be executed, from watch_go_on() on, until a breakpoint, a watch that
 * stops or vm_stepping_ends() comes between. The vCPU's CPU, between an exit and an entry.
 */
void watch_step(struct vcpu *vcpu, uint64_t steps);

/*
 * Begins the next step, if one is to be made and none is under way. A guest that HLT has put to sleep is
 * waited for first: interrupts_wait() calls this again when it wakes up. The vCPU's CPU, in vm_attend() or
 * right before an entry.
 */
void watch_go_on(struct vcpu *vcpu);

/* The breakpoint at its RIP, if there is one, does not stop the vCPU this time. The same CPU. */
void watch_pass(struct vcpu *vcpu);

#endif
