/* SPDX-License-Identifier: MIT */
/* A virtual machine: its configuration, its memory map, the EPT that caches the map, one vCPU, its devices,
 * and how it ended. */
#ifndef VMM_VM_H
#define VMM_VM_H

#include "arch/x86/compiler.h"
#include "ept/map.h"
#include "ept/region.h"
#include "vmm/bios.h"
#include "vmm/devices/pc.h"
#include "vmm/dirty_log.h"
#include "vmm/guest_config.h"
#include "vmm/guest_line.h"
#include "vmm/guest_state.h"
#include "vmm/guest_time.h"
#include "vmm/table_pool.h"
#include "vmm/vcpu.h"
#include "vmm/walk_check.h"
#include <stdbool.h>
#include <stdint.h>

#define VM_REGIONS_MAX 512
#define VM_WHY_LENGTH  112

enum vm_verdict { VM_RUNNING, VM_PASSED, VM_FAILED };

struct vm_end {
    enum vm_verdict verdict;
    bool by_guest; /* the guest ended itself in an orderly way: no crash report */
    char why[VM_WHY_LENGTH];
};

struct vm {
    uint16_t id; /* from 1: the number in its frames' owner tags and its vCPU's VPID */
    struct guest_config config;
    struct vcpu vcpu;
    struct vm_end end;

    /* Memory: the list is the truth, the EPT its cache. */
    struct ept_region regions_storage[VM_REGIONS_MAX];
    struct ept_region_list regions;
    struct ept ept;
    struct mtrr_snapshot mtrr;
    struct table_pool tables;
    uint64_t eptp;
    bool faults_planted; /* by PLANT_FAULT: some may stand in the EPT to its end */
    struct vm_dirty_log dirty;
    uint64_t ram_base, ram_frames; /* private: host-physical start of its RAM, one run */
    uint64_t rom_base;             /* private: host-physical start of its ROM */
    uint64_t text_base;            /* private: the same of its VGA text memory */
    uint64_t bus_pages; /* STEP_PAGES_MAX frames that stand for a hole, or take a ROM's discarded write,
                           during one instruction */
    uint64_t msr_bitmap;
    struct walk_check walk_check;
    struct guest_start start; /* how it is entered first */

    /* Its BIOS, if it has one, and the drive's sectors: frames of its own, not in its memory map. */
    struct bios bios;
    bool has_bios;
    uint64_t disk_base, disk_frames;

    /* Devices. */
    struct pc pc;
    struct guest_time time; /* what they take for the time; from its first entry on */
    struct guest_line output_lines[PC_OUTPUTS], hypercall_line, bios_line;
};

/*
 * Ends the VM: the run loop stops at the next chance. Later calls change nothing, the first reason stands.
 * The CPU that runs it. `format` gives the `why` of the line "adept: guest NAME: pass (why)".
 */
void vm_end(struct vm *vm, enum vm_verdict verdict, const char *format, ...) printf_like(3, 4);

/* The guest itself says that it has passed or failed. */
void vm_end_by_guest(struct vm *vm, bool passed, const char *format, ...) printf_like(3, 4);

/*
 * Makes a VM from its configuration and the boot loader's module number `module`: memory, EPT, VMCS, devices,
 * the program. On failure everything is given back, vm->end says what is missing, and false is returned. Any
 * CPU; others may make or run VMs at the same time.
 */
must_check bool vm_create(struct vm *vm, uint16_t id, const struct guest_config *config, unsigned module);

/* Gives all memory of an ended VM back. Any CPU, none runs it. */
void vm_destroy(struct vm *vm);

#endif
