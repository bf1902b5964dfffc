/* SPDX-License-Identifier: MIT */
/* A virtual machine: its configuration, its memory map, the EPT that caches the map, its vCPUs, its devices,
 * and how it ended. */
#ifndef VMM_VM_VM_H
#define VMM_VM_VM_H

#include "arch/x86/compiler.h"
#include "arch/x86/spinlock.h"
#include "ept/cover.h"
#include "ept/map.h"
#include "ept/region.h"
#include "vmm/vm/dirty_log.h"
#include "vmm/vm/config.h"
#include "vmm/vm/line.h"
#include "vmm/vm/mtrr.h"
#include "vmm/vcpu/state.h"
#include "vmm/vm/time.h"
#include "vmm/vm/shootdown.h"
#include "vmm/vm/table_pool.h"
#include "arch/x86/exit_reason.h"
#include "vmm/trace/exit_statistics.h"
#include "vmm/trace/subjects.h"
#include "vmm/vm/stop.h"
#include <stdbool.h>
#include <stdint.h>

#define VM_REGIONS_MAX 512
#define VM_WHY_LENGTH  112
#define VM_OUTPUTS     5 /* of its PC that print: PC_OUTPUTS of vmm/devices/pc.h */

struct bios;
struct guest_symbols;
struct pc;
struct test_memory;
struct vm_parts;
struct walk_check;
struct watch_list;

enum vm_verdict { VM_RUNNING, VM_PASSED, VM_FAILED };

struct vm_end {
    uint32_t claimed;        /* atomic: somebody writes the rest, or has */
    enum vm_verdict verdict; /* atomic, written last */
    bool by_guest;           /* the guest ended itself in an orderly way: no crash report */
    struct vcpu *vcpu;       /* that was running on the CPU that ended it; NULL: none */
    char why[VM_WHY_LENGTH];
};

struct vm {
    uint16_t id; /* from 1: the number in its frames' owner tags */
    struct guest_config config;
    struct vm_end end;

    /* Its vCPUs, each on a CPU of its own. Once it has ended their statistics are added up here. */
    struct vcpu *vcpus;
    unsigned vcpu_count;
    uint32_t vcpus_out; /* atomic: that will not enter the guest any more */
    struct shootdown_vm sync;
    struct vm_stop stop;
    struct shootdown_statistics shootdown_statistics;
    struct exit_statistics statistics[EXIT_REASON_COUNT];
    uint64_t bus_lock_count;
    struct exit_subjects subjects;

    /* Memory: the list is the truth, the EPT its cache. */
    struct ept_region regions_storage[VM_REGIONS_MAX];
    struct ept_region_list regions;
    struct ept ept;
    struct mtrr_snapshot mtrr;       /* the machine's */
    struct mtrr_snapshot guest_mtrr; /* the guest's own, by vmm/vm/mtrr.h */
    struct table_pool tables;
    uint64_t eptp;
    bool large_1g;       /* the guest's paging may map 1 GiB pages */
    bool faults_planted; /* by PLANT_FAULT: some may stand in the EPT to its end */
    struct vm_dirty_log dirty;
    struct ept_cover apic_page;    /* what is below the local APIC's page, out of the memory map */
    uint64_t ram_base, ram_frames; /* private: host-physical start of its RAM, one run */
    uint64_t rom_base;             /* private: host-physical start of its ROM */
    uint64_t text_base;            /* private: the same of its VGA text memory */
    uint64_t bus_pages; /* STEP_PAGES_MAX frames a vCPU that stand for a hole, or take a ROM's discarded
                           write, during one instruction */
    uint64_t msr_bitmap;
    int console_character; /* with config.input: one that its devices had no room for, -1: none */
    struct walk_check *walk_check; /* vmm/check/self/walk.c's; NULL: it has checked nothing */
    bool walk_armed;               /* a walk is being checked: HYPERCALL_WALK_PREPARE */
    struct guest_start start;     /* how it is entered first */
    uint64_t disk_base, disk_frames; /* the drive's sectors: frames of its own, not in its memory map */

    /* Devices: one vCPU at a time. */
    struct spinlock device_lock;
    struct guest_time time; /* what they take for the time; from its first entry on */
    struct guest_line output_lines[VM_OUTPUTS], hypercall_line, bios_line;

    /* What other rooms keep for it, in one piece of memory that stays until the next VM is made in this structure:
     * who looks at a VM that has ended finds it. */
    struct vm_parts *parts;
    struct watch_list *watches;
    struct guest_symbols *symbols; /* of its code, by map= */
    struct bios *bios;
    bool has_bios; /* it is in the ROM */
    struct pc *pc;
    struct test_memory *test_memory; /* in its PC with test=mmio-device */
};

/* Any CPU. */
static inline bool vm_has_ended(const struct vm *vm)
{
    return __atomic_load_n(&vm->end.verdict, __ATOMIC_ACQUIRE) != VM_RUNNING;
}

/*
 * Ends the VM: the run loops of its vCPUs stop at the next chance. Later calls change nothing, the first
 * reason stands. A CPU that runs one of its vCPUs, or any while none is run. `format` gives the `why` of the
 * line "adept: guest NAME: pass (why)".
 */
void vm_end(struct vm *vm, enum vm_verdict verdict, const char *format, ...) printf_like(3, 4);

/* The guest itself says that it has passed or failed. */
void vm_end_by_guest(struct vm *vm, bool passed, const char *format, ...) printf_like(3, 4);

#define VM_NO_MODULE (~0u)

/*
 * Makes a VM from its configuration and the boot loader's module number `module` (VM_NO_MODULE: nothing is
 * loaded): memory, EPT, VMCS, devices, the program. On failure everything is given back, vm->end says what is
 * missing, and false is returned. Any CPU; others may make or run VMs at the same time.
 */
must_check bool vm_create(struct vm *vm, uint16_t id, const struct guest_config *config, unsigned module);

/*
 * Between these two no VM's vCPUs go away: vm->vcpus, vm->vcpu_count and cpu->vcpu may be followed on a CPU
 * that runs none of them. Any CPU, for a moment: nothing is waited for or printed meanwhile.
 */
void vm_hold_vcpus(void);
void vm_let_go_vcpus(void);

/* Gives all memory of an ended VM back. Any CPU, none runs it. */
void vm_destroy(struct vm *vm);

#endif
