/* SPDX-License-Identifier: MIT */
/*
 * A VM's dirty log: memory for the engine's log of ept/dirty.h, and the processor's page-modification log
 * (PML) that feeds it: a page of it for each vCPU, which only the vCPU's own CPU can read out, for the index
 * is in the VMCS. So a vCPU empties its page whenever it parks, and the one that starts, collects or stops
 * the log does so while all others are parked (vmm/vm/pause.h). SDM vol. 3, "Page-Modification Logging". The
 * functions with a vCPU act on the calling CPU, which runs it and has its VMCS current.
 */
#ifndef VMM_VM_DIRTY_LOG_H
#define VMM_VM_DIRTY_LOG_H

#include "arch/x86/compiler.h"
#include "ept/dirty.h"
#include <stdint.h>

struct vcpu;
struct vm;

struct vm_dirty_log {
    struct ept_dirty_log log;
    uint64_t pages; /* that it covers, from guest-physical 0: to the end of the last memory that can be
                       written. 0: none runs */
    uint64_t memory,
        frames;         /* host-physical: the engine's words, and behind them the bitmap of a collection */
    uint64_t *bitmap;   /* ept_dirty_bitmap_words(pages): of the collection under way, or of the last one */
    uint64_t collected; /* bits that are set in it */
    bool complete;      /* no collection is under way */
    uint64_t pml_pages; /* host-physical, a page for each vCPU; 0: PML is not in use */
};

/*
 * Starts it, the VM being paused; vm_dirty_prepare() follows. wanted: EPT_DIRTY_BEST or a source;
 * granularity: level 1 or 2. *used: the source it is. EPT_UNSUPPORTED, EPT_BUSY (one runs already),
 * EPT_NO_FRAME_LEFT.
 */
must_check enum ept_status vm_dirty_start(struct vcpu *vcpu, enum ept_dirty_source wanted,
                                          unsigned granularity, enum ept_dirty_source *used);

/*
 * What follows goes on from the guest-physical address *at, which is 0 at first, until the TSC is `until`, or
 * a little longer, and leaves where it stands in *at; the VM is paused, and its guest may run between two
 * calls. vm_dirty_prepare(): what is written to from here on is logged. true: that holds of all memory.
 */
must_check bool vm_dirty_prepare(struct vcpu *vcpu, uint64_t *at, uint64_t until);

/*
 * Collects into vm->dirty.bitmap; vm->dirty.collected bits are set. *done: it is all there, valid until the
 * pause ends. Else the next call goes on with the same collection, whoever makes it: nothing that was
 * collected is lost. EPT_BUSY: none runs.
 */
must_check enum ept_status vm_dirty_collect(struct vcpu *vcpu, uint64_t *at, uint64_t until, bool *done);

/* Stops it, the VM being paused; vm_dirty_restore() follows. EPT_BUSY: none runs. */
must_check enum ept_status vm_dirty_stop(struct vcpu *vcpu);

/* Gives back the rights that the log took, and merges what it has split; *merged: large pages that this call
 * has made whole again. true: that is all. */
must_check bool vm_dirty_restore(struct vcpu *vcpu, uint64_t *at, uint64_t until, uint64_t *merged);

/* Moves what the processor has put into its page-modification log into the engine's log. PML is in use. */
void vm_dirty_drain(struct vcpu *vcpu);

/* Before a vCPU parks: its page-modification log is emptied. After it: PML is switched as the VM now wants
 * it. */
void vm_dirty_leave(struct vcpu *vcpu);
void vm_dirty_join(struct vcpu *vcpu);

/* Gives the memory of a log back that still runs when the VM has ended. Any CPU, none runs the VM. */
void vm_dirty_release(struct vm *vm);

#endif
