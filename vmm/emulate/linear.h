/* SPDX-License-Identifier: MIT */
/*
 * A guest's memory by linear address, accessed in the guest's stead as its processor would access it. All
 * that Adept executes for a guest goes this way: instructions at device registers, INS and OUTS, BIOS calls,
 * loads of SS in a step, what an instruction reads and writes of descriptor tables and task-state segments.
 *
 * - The guest's paging decides with the rights of the access, and a page fault is the guest's.
 * - The accessed and dirty flags of the guest's tables are set by locked compare-and-exchange, so that no
 *   other vCPU's change of an entry is lost. Where another vCPU has changed the entry, the walk begins again.
 * - An access over a page border touches nothing before both pages are translated.
 * - The bytes are RAM, ROM, or a device's registers. What nobody answers follows the guest's `policy=`.
 * - A dirty log notes every write, those of the flags too.
 *
 * Segments come before: operand_locate() of vmm/emulate/operand.h checks limit, type, null selectors,
 * canonical addresses and alignment, and gives the linear address. An emulate_processor made by
 * linear_processor() does so by itself.
 *
 * Everything here is for the vCPU's CPU with its VMCS current, between an exit and an entry, outside of the
 * device lock unless `devices_held` says otherwise.
 */
#ifndef VMM_EMULATE_LINEAR_H
#define VMM_EMULATE_LINEAR_H

#include "arch/x86/compiler.h"
#include "vmm/emulate/emulate.h"
#include "vmm/vm/guest_memory.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vcpu;

/* Whose access it is. */
struct linear {
    struct vcpu *vcpu;
    /* `user` and `rflags_ac` are the rights of the accesses that follow. The caller may change them, also
     * CR3 and the rest, where one instruction accesses memory with several sets of rights (a task switch). */
    struct guest_paging paging;
    bool devices_held; /* the caller holds the VM's device lock */
    /* What an EPT violation tells: this linear address is at this device's address. */
    bool translated;
    bool translated_write; /* ... and the guest's paging allows to write it */
    uint64_t linear_address, guest_physical_address;
};

/* The accesses of the instruction at RIP: with the CPL's rights. */
void linear_begin(struct linear *linear, struct vcpu *vcpu);

/* The processor's own accesses to GDT, LDT, IDT and TSS: a supervisor's at every CPL, and RFLAGS.AC does not
 * let them pass SMAP. SDM vol. 3, "Access Rights", implicit supervisor-mode accesses. */
void linear_begin_system(struct linear *linear, struct vcpu *vcpu);

/*
 * `length` bytes from a linear address on. An access of up to 4096 bytes is whole: on EXCEPTION (#PF, or
 * #GP(0) for an address that is not canonical) and on RESTART nothing has been read or written. A longer one
 * goes 4096 bytes by 4096 bytes. DONE; EXCEPTION; RESTART: other vCPUs keep changing the guest's tables, the
 * instruction is to begin again; REFUSED: the guest's policy has ended the VM.
 */
must_check enum emulate_status linear_read(struct linear *linear, uint64_t address, void *buffer,
                                           size_t length, struct emulate_exception *exception);
must_check enum emulate_status linear_write(struct linear *linear, uint64_t address, const void *buffer,
                                            size_t length, struct emulate_exception *exception);

/* Whether such an access of up to 4096 bytes will succeed: translates it, sets the flags, touches nothing.
 * For an instruction that must not have changed anything when a later access faults. */
must_check enum emulate_status linear_check(struct linear *linear, uint64_t address, size_t length,
                                            bool write, struct emulate_exception *exception);

/*
 * One locked read-modify-write of 1, 2, 4 or 8 bytes: `value` if `expected` is still there (a descriptor's
 * accessed flag, a TSS's busy flag). RESTART: something else is there. In ROM nothing changes and it is DONE.
 */
must_check enum emulate_status linear_compare_exchange(struct linear *linear, uint64_t address, unsigned size,
                                                       uint64_t expected, uint64_t value,
                                                       struct emulate_exception *exception);

/* A walk of the guest's paging without flags: DONE, EXCEPTION or REFUSED as above. */
must_check enum emulate_status linear_walk(struct linear *linear, uint64_t address, enum guest_access access,
                                           struct guest_walk *walk, struct emulate_exception *exception);

/* The vCPU as the emulator takes it: mode, segments, memory through `linear`, ports. gpr[RSP] is the caller's
 * to fill in where the instruction uses it. */
void linear_processor(struct linear *linear, uint64_t rip, uint64_t rflags,
                      struct emulate_processor *processor);

/* The callbacks of struct emulate_processor, with a struct linear as context. */
void linear_segment(void *context, enum segment_register which, struct emulate_segment *segment);
enum emulate_status linear_translate(void *context, struct emulate_place *place, bool write,
                                     struct emulate_exception *exception);
enum emulate_status linear_read_place(void *context, const struct emulate_place *place, uint64_t *value);
enum emulate_status linear_write_place(void *context, const struct emulate_place *place, uint64_t value);

#endif
