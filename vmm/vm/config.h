/* SPDX-License-Identifier: MIT */
/*
 * A guest as its module string describes it. Pure. For example
 *     /boot/hello.bin name=a mem=16M cpu=1 vcpus=2 load=0x7c00 entry=0000:7c00 memory=private trace=all,-IO
 * policy=rom:end timeout=5
 * or, for a multiboot kernel, whose own arguments stand behind `--`, and a module for it,
 *     /boot/kernel boot=multiboot mem=32M name=k -- root=hd0 verbose
 *     /boot/initrd for=k
 */
#ifndef VMM_VM_CONFIG_H
#define VMM_VM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/host/option_text.h"
#include "vmm/trace/filter.h"

#define GUEST_NAME_MAX       32 /* with the NUL */
#define GUEST_MAP_MAX        64 /* the same */
#define GUEST_MEMORY_DEFAULT (16u << 20)
#define GUEST_MEMORY_MIN     (1u << 20)
#define GUEST_MEMORY_MAX     (UINT64_C(3) << 30) /* device registers are above, up to 4 GiB */
#define GUEST_TABLES_MIN     8 /* one instruction's code, stack and operands, each with tables of its own */

/* private: RAM of its own, zeroed. identity: guest-physical = host-physical, the hypervisor's memory
 * excluded. */
enum guest_memory { GUEST_MEMORY_PRIVATE, GUEST_MEMORY_IDENTITY };

/* How the module becomes a running program. README.md, "Run your own guest". */
enum guest_boot {
    GUEST_BOOT_SECTOR,    /* real mode at load=, with a BIOS; the file is the first disk, too */
    GUEST_BOOT_FLAT,      /* the same without a BIOS: all else is zero */
    GUEST_BOOT_FLOPPY,    /* image of a diskette: its first sector */
    GUEST_BOOT_DISK,      /* image of a disk: its master boot record */
    GUEST_BOOT_MULTIBOOT, /* kernel of the Multiboot Specification, version 1 */
};

/* What an access that the memory map does not allow does: go nowhere as on a real bus, or end the guest with
 * a report. */
enum guest_policy { GUEST_POLICY_IGNORE, GUEST_POLICY_END };

#define GUEST_VCPUS_MAX   64
#define GUEST_MEMTYPE_MAX 8

#define GUEST_ARGUMENTS_MAX 256 /* with the NUL */

/* The guest-physical addresses of memtype=. */
struct guest_memtype {
    uint64_t gpa[GUEST_MEMTYPE_MAX];
    unsigned count;
};

struct guest_config {
    char name[GUEST_NAME_MAX]; /* letters, digits, '_', '-', '.' */
    bool name_given;           /* by name=, not made from a file name or the index */
    uint64_t memory_bytes;     /* a multiple of 4 KiB, GUEST_MEMORY_MIN to GUEST_MEMORY_MAX */
    int cpu;                   /* index of the CPU it wants, -1: any */
    unsigned
        vcpus; /* 1..GUEST_VCPUS_MAX, each on a CPU of its own; the caller checks that there are so many */
    uint64_t load; /* guest-physical address of the module; the caller checks that it fits */
    uint16_t entry_cs, entry_ip;
    bool place_given; /* load= or entry= is there */
    enum guest_boot boot;
    char arguments[GUEST_ARGUMENTS_MAX]; /* a multiboot kernel's command line: file or name, what follows `--`
                                          */
    char map[GUEST_MAP_MAX];             /* file name of the module with its symbols; empty: none */
    enum guest_memory memory;
    struct trace_filter trace; /* valid if trace_given */
    bool trace_given;
    bool input; /* what is typed at the console goes to it: not of the string, the command line says so */
    bool polls; /* the console is read while it runs, for the monitor if not for itself: likewise */
    bool dump_ept, dump_vmcs, dump_screen;
    struct guest_memtype memtype;  /* addresses whose memory type is explained at its end */
    enum guest_policy policy_hole; /* access to a hole */
    enum guest_policy policy_rom;  /* write to ROM */
    enum guest_policy policy_nx;   /* fetch from no-execute */
    bool halt_passes;              /* HLT with interrupts disabled on all its vCPUs is a pass */
    uint32_t timeout_ms;           /* 0: none */
    uint32_t tables; /* frames for its EPT, at least GUEST_TABLES_MIN; 0: as many as its memory can need */
    struct option_problems problems;
};

/* The defaults: named guest<index>, 16 MiB private, any CPU, loaded and entered at 0000:7c00, no limit,
 * policies ignore. */
void guest_config_init(struct guest_config *config, unsigned index);

/* Sets all three policies from a value of `policy=`: end, ignore, or a list of hole:, rom:, nx: each with one
 * of these. */
void guest_config_policy(struct guest_config *config, struct option_span value,
                         struct option_problems *problems);

/* Sets *ept, *vmcs and *screen to true where the list of `dump=` has `ept`, `vmcs` and `screen`. */
void guest_config_dump(bool *ept, bool *vmcs, bool *screen, struct option_span value,
                       struct option_problems *problems);

/* Appends the addresses of a list like 0xb8000,1M; what is none, or too much, adds a line to *problems. */
void guest_config_memtype(struct guest_memtype *memtype, struct option_span value,
                          struct option_problems *problems);

/*
 * Changes *config, which guest_config_init() and then perhaps the command line have set, by a module's
 * string. A first word without `=` is a file or a name: its last path component without extension becomes the
 * guest's name unless name= is given. What is unknown or absurd adds a line to config->problems and changes
 * nothing else.
 */
void guest_config_parse(struct guest_config *config, const char *string);

/*
 * Whether the module is no guest but belongs to one: its string has a word for=NAME. Then owner[] holds NAME
 * (cut to GUEST_NAME_MAX - 1 characters), and the rest of the string is the guest's affair.
 */
bool guest_config_owner(const char *string, char owner[GUEST_NAME_MAX]);

/* Whether the string has a word map=FILE; then name[] holds FILE, cut as the owner is. */
bool guest_config_map(const char *string, char name[GUEST_MAP_MAX]);

/* "sector", "flat", "floppy", "disk", "multiboot". */
const char *guest_boot_name(enum guest_boot boot);

#endif
