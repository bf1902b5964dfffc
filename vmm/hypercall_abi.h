/* SPDX-License-Identifier: MIT */
/*
 * The hypercall ABI: all that a guest needs to know about Adept. Used by C and, through build/gen/hypercall_abi.inc,
 * by the guests' nasm sources; so only comments and `#define NAME integer` are allowed here.
 *
 * A hypercall is the instruction VMCALL, at any privilege level and in any mode, with
 *     EAX = HYPERCALL_..., EBX, ECX, EDX = arguments (upper halves of the 64-bit registers are ignored),
 * and on return
 *     EAX = HYPERCALL_OK or an error below, EBX, ECX, EDX = results where a call has some, else unchanged.
 * An unknown number returns HYPERCALL_UNKNOWN and changes nothing else. No call changes RFLAGS or any other register.
 *
 * A call that takes long (PUT_CHARACTER, PUT_STRING, SET_RIGHTS, HARVEST_ACCESSED and those on the dirty log) is done in parts, as an instruction with REP
 * is, and the guest takes its interrupts in between. Then the instruction pointer is at the VMCALL still, EAX is HYPERCALL_UNDER_WAY + how
 * far it is, and EBX may be that of a result; VMCALL with these goes on. A handler that leaves registers as they were, as handlers do,
 * need not know. Until the call returns, what it changes is changed in part, and another call of any vCPU finds it so.
 */
#ifndef VMM_HYPERCALL_ABI_H
#define VMM_HYPERCALL_ABI_H

/* Status in EAX. */
#define HYPERCALL_OK 0
#define HYPERCALL_UNKNOWN 0xffffffff
#define HYPERCALL_BAD_ADDRESS 0xfffffffe
#define HYPERCALL_BAD_ARGUMENT 0xfffffffd
#define HYPERCALL_UNSUPPORTED 0xfffffffc
#define HYPERCALL_NO_MEMORY 0xfffffffb

#define HYPERCALL_UNDER_WAY 0x80000000

/* VERSION: EBX = HYPERCALL_ABI_VERSION. */
#define HYPERCALL_VERSION 0x41440000
#define HYPERCALL_ABI_VERSION 1

/* END: EBX = 0 pass, anything else fail; ECX = a code that is printed. Does not return. */
#define HYPERCALL_END 0x41440001

/* PUT_CHARACTER: BL = character. Lines appear on the console as "[name] text". */
#define HYPERCALL_PUT_CHARACTER 0x41440002

/* PUT_STRING: EBX = guest-physical address, ECX = length (at most 4096; the bytes must be RAM or ROM). */
#define HYPERCALL_PUT_STRING 0x41440003

/* EXIT_COUNT: EBX = low, ECX = high 32 bits of the number of VM exits of this vCPU up to and including this one. */
#define HYPERCALL_EXIT_COUNT 0x41440004

/*
 * PLANT_FAULT: makes the EPT entry that translates a guest-physical address faulty, as told.
 *     EBX = guest-physical address (below 4 GiB), ECX = kind (PLANT_...) | level << 8.
 * Level 1 is the EPT PTE (4 KiB), 2 the PDE, 3 the PDPTE, 4 the PML4E; level 0 means: the leaf, whatever its level.
 * The address must lie in RAM or ROM. It is first mapped (and split down to the level asked for), then its entry of that level is
 * made faulty and what processors may have cached is invalidated. Kinds that do not exist at a level, or that this
 * processor does not treat as a fault, return HYPERCALL_UNSUPPORTED.
 */
#define HYPERCALL_PLANT_FAULT 0x41440005
#define PLANT_NOT_PRESENT 0
#define PLANT_READ_ONLY 1
#define PLANT_NO_EXECUTE 2
#define PLANT_WRITE_ONLY 3            /* misconfiguration: bits 2:0 = 010b */
#define PLANT_WRITE_EXECUTE 4         /* misconfiguration: bits 2:0 = 110b */
#define PLANT_EXECUTE_ONLY 5          /* misconfiguration where execute-only is not supported: bits 2:0 = 100b */
#define PLANT_MEMORY_TYPE_2 6         /* misconfiguration: reserved memory types, leaf entries only */
#define PLANT_MEMORY_TYPE_3 7
#define PLANT_MEMORY_TYPE_7 8
#define PLANT_RESERVED_LOW 9          /* misconfiguration: a reserved bit in 6:3 of an entry that references a table */
#define PLANT_RESERVED_ADDRESS 10     /* misconfiguration: an address bit at or above MAXPHYADDR */
#define PLANT_RESERVED_ALIGNMENT 11   /* misconfiguration: an address bit below the size of a large page (levels 2, 3) */
#define PLANT_LARGE_PAGE 12           /* misconfiguration: bit 7 in a PML4E, or in a PDPTE without 1 GiB page support */
#define PLANT_KIND_COUNT 13

/*
 * LAST_FAULT: EBX = exit reason of this vCPU's most recent EPT fault (48 violation, 49 misconfiguration, 0 none yet),
 *     ECX = level of the faulty entry (1..4; 0 when none was there), EDX = FAULT_ACCESS_... bits of a violation, or the PLANT_ kind
 *     that the analyser found for a misconfiguration.
 */
#define HYPERCALL_LAST_FAULT 0x41440006
#define FAULT_ACCESS_READ 1
#define FAULT_ACCESS_WRITE 2
#define FAULT_ACCESS_EXECUTE 4

/*
 * QUERY_MAPPING: EBX = guest-physical address. Results: EBX = level of the leaf (1: 4 KiB, 2: 2 MiB, 3: 1 GiB; 0: not mapped),
 *     ECX = rights (bit 0 read, 1 write, 2 execute), EDX = EPT memory type (0 UC, 1 WC, 4 WT, 5 WP, 6 WB).
 */
#define HYPERCALL_QUERY_MAPPING 0x41440007

/*
 * SET_RIGHTS: changes the rights of the guest's own RAM in its memory map, as a board with such memory would have them.
 *     EBX = guest-physical address and ECX = length, both multiples of 4 KiB, EDX = rights (bit 0 read, 1 write, 2 execute).
 * A large page that reaches beyond the range is split, and no other page of it is missing meanwhile; when its pages have equal rights
 * again it is put together again. HYPERCALL_BAD_ADDRESS: it is not all RAM, and nothing has changed. HYPERCALL_BAD_ARGUMENT: the memory map
 * cannot be cut into more parts; what lies in front may have its new rights.
 */
#define HYPERCALL_SET_RIGHTS 0x41440008

/* MEMORY_SIZE: EBX = KiB of RAM that this guest was given. */
#define HYPERCALL_MEMORY_SIZE 0x41440009

/*
 * WALK_PREPARE, WALK_CHECK: compares the two-dimensional walk that Adept predicts with what the processor does. PREPARE walks for the
 * one access that the guest announces, clears the accessed and dirty flags of its whole EPT (a dirty log of the same flags loses them)
 * and invalidates; the guest then makes the access by one instruction, in the page of the VMCALL, and CHECKs in the same page. All
 * that the processor uses in between is predicted: the fetch of that page, the access, EPT violations and misconfigurations on the way
 * and again after each, and the delivery of a page fault to a handler of the same privilege (gate, descriptor, stack, fetch). The
 * handler may use registers and the stack page, and must CHECK in its own page. The memory map must grant the access: one to a hole or a
 * write to ROM, which Adept does in the guest's stead, is not compared well. A processor that reads ahead of its instructions may use
 * more EPT entries than these; an emulator does not.
 *     PREPARE: EBX = linear address, EDX = its upper half, ECX = WALK_ACCESS_...
 *         HYPERCALL_BAD_ADDRESS: not canonical, or the walk leads to no memory.
 *     CHECK: EBX = 1 if a page fault came, with ECX = its error code and EDX = low half of CR2; else 0.
 *         EBX = number of differences, 0 if all came as predicted; in 31:16 the number of known departures of an emulator.
 *         ECX = how the walk was predicted to end, WALK_END_...; in 15:8 its number of memory references; in 31:16 the number of EPT
 *         entries whose flags were compared, 0 on a processor without accessed and dirty flags for EPT.
 *         EDX = error code of the #PF, or exit qualification, that was predicted.
 *         HYPERCALL_BAD_ARGUMENT: without PREPARE.
 */
#define HYPERCALL_WALK_PREPARE 0x41440010
#define WALK_ACCESS_READ 0
#define WALK_ACCESS_WRITE 1
#define WALK_ACCESS_FETCH 2
#define HYPERCALL_WALK_CHECK 0x41440011
#define WALK_END_DONE 0
#define WALK_END_PAGE_FAULT 1
#define WALK_END_VIOLATION 2
#define WALK_END_MISCONFIG 3

/*
 * The dirty log: which pages of guest-physical memory were written since the log was started or last collected. A bitmap has one bit for
 * each 4 KiB page from address 0 on: page n is bit n % 8 of byte n / 8.
 *
 * DIRTY_START: EBX = DIRTY_SOURCE_..., ECX = DIRTY_GRANULARITY_.... Results: EBX = the source in use, ECX = bytes of its bitmap (a multiple
 *     of 64, to the end of this guest's RAM at least). HYPERCALL_UNSUPPORTED: this processor does not have the source;
 *     HYPERCALL_BAD_ARGUMENT: no such source or granularity, or a log runs already; HYPERCALL_NO_MEMORY.
 *     With DIRTY_GRANULARITY_4K the log is exact: a large page is split at the first write to it. With DIRTY_GRANULARITY_2M large pages
 *     of 2 MiB stay, and a write to one reports all of its 512 pages.
 * DIRTY_COLLECT: EBX = guest-physical address of memory for the bitmap, ECX = its bytes. Results: EBX = pages that were written (bits that
 *     are set), ECX = bytes written. Begins anew: what this call writes to the bitmap's memory is in the next collection.
 *     HYPERCALL_BAD_ARGUMENT: too few bytes, or no log runs; HYPERCALL_BAD_ADDRESS: not all of it is RAM. Of a collection that was begun
 *     and not brought to its end, what it had found is in the next one, of whichever vCPU.
 * DIRTY_STOP: ends the log. Result: EBX = large pages that were put together again. HYPERCALL_BAD_ARGUMENT: no log runs.
 * With paging on, PML and dirty flags also count pages with paging structures that the processor has only read.
 */
#define HYPERCALL_DIRTY_START 0x41440020
#define HYPERCALL_DIRTY_COLLECT 0x41440021
#define HYPERCALL_DIRTY_STOP 0x41440022
#define DIRTY_SOURCE_BEST 0             /* the first of the following that this processor has */
#define DIRTY_SOURCE_PML 1              /* page-modification logging */
#define DIRTY_SOURCE_FLAGS 2            /* the EPT's dirty flags */
#define DIRTY_SOURCE_WRITE_PROTECTION 3 /* EPT violations: every processor has it */
#define DIRTY_GRANULARITY_4K 0
#define DIRTY_GRANULARITY_2M 1

/*
 * HARVEST_ACCESSED: which pages were accessed since the last harvest, or since they were mapped. EBX = guest-physical address and ECX = length,
 *     both multiples of 4 KiB, EDX = guest-physical address of memory for the idle-page map, ECX / 4 KiB bits rounded up to 8 bytes: a bit is
 *     1 for a page that was not accessed. Results: EBX = pages that were accessed, ECX = bytes written. A large page counts as a whole if it
 *     lies in the range; else its part counts, and counts again the next time. HYPERCALL_UNSUPPORTED: the EPT has no accessed flags.
 */
#define HYPERCALL_HARVEST_ACCESSED 0x41440023

/*
 * START_VCPU: starts another vCPU of this guest (`vcpus=` in its module string). EBX = its index, from 1; ECX = CS << 16 | IP, where it
 *     begins in real mode. All its registers are 0 but EBX = its index and DL = 80h. Returns at once. HYPERCALL_BAD_ARGUMENT: there is no
 *     such vCPU, or it was started before.
 * VCPU_COUNT: EBX = how many vCPUs this guest has, ECX = the index of the calling one.
 * The first vCPU, index 0, starts with the guest. Each vCPU runs on a processor of its own. The guest ends when one of them ends it. SET_RIGHTS and
 * the calls on dirty logs hold the others back for their time. WALK_PREPARE is HYPERCALL_UNSUPPORTED in a guest of several vCPUs, and in
 * one that has so much memory mapped in small pages that its EPT has more than 10 tables.
 */
#define HYPERCALL_START_VCPU 0x41440030
#define HYPERCALL_VCPU_COUNT 0x41440031

/*
 * BENCH_COUNTS: EBX = VMREADs, ECX = VMWRITEs that all CPUs have executed, low 32 bits. Only of a hypervisor built with -DBENCH, for `make bench`;
 * HYPERCALL_UNKNOWN from any other.
 */
#define HYPERCALL_BENCH_COUNTS 0x41440050

/*
 * For the stubs of the guest's BIOS (guests/bios/), and of no use to others: EAX = HYPERCALL_BIOS + vector. At SS:SP stand the
 * how far the call is (4 bytes, 0 at first), the
 * caller's EAX (4 bytes), IP, CS and FLAGS; how far it is, EAX and FLAGS are written back there, all other results into the registers. The status in
 * EAX is what the stub does next: 0 return; the others below. INT 19h: EBX = CS:IP to go to, DL = the drive. RESET: the reset vector.
 */
#define HYPERCALL_BIOS 0x41441000
#define HYPERCALL_BIOS_LAST 0x414410ff
#define HYPERCALL_BIOS_RESET 0x41441100
#define BIOS_ANSWER_HALT 1  /* wait for an interrupt, then call again */
#define BIOS_ANSWER_AGAIN 2 /* call again */
#define BIOS_ANSWER_BREAK 3 /* INT 1Bh, then return */

/* Ports. */
#define PORT_COM1 0x3f8        /* a 16550A: its lines appear as "[name] text" */
#define PORT_DEBUG_BOCHS 0xe9  /* a byte is a character; reads give 0xe9 */
#define PORT_DEBUG_BIOS 0x402
#define PORT_END 0xf4          /* a write ends the guest: 0 = pass, other = fail */

/* CPUID of the hypervisor: leaf 0x40000000 answers EAX = highest leaf, EBX:ECX:EDX = "AdeptAdeptHv". */
#define CPUID_HYPERVISOR_LEAF 0x40000000

/* A private guest's memory map below its first MiB, and above. */
#define GUEST_HOLE_BASE 0xa0000       /* a hole up to GUEST_TEXT_BASE: reads give all ones, writes go nowhere */
#define GUEST_TEXT_BASE 0xb8000       /* the VGA's text memory, up to GUEST_ROM_BASE: a character and its attribute in turn */
#define GUEST_ROM_BASE 0xc0000        /* ROM up to 1 MiB; "ADEPT ROM" stands at GUEST_ROM_SIGNATURE, the BIOS behind it, all else is 0xff */
#define GUEST_ROM_SIGNATURE 0xf0000

/*
 * With test=mmio-device on the hypervisor's command line a private guest has a device in the hole: RAM-like storage that counts accesses to
 * it. Its registers, of 4 bytes, are at the end; a write to one of them makes them all 0.
 */
#define TEST_MEMORY_GPA 0xa0000         /* right behind RAM */
#define TEST_MEMORY_SIZE 0x2000
#define TEST_MEMORY_REGISTERS 0x1f00    /* offset of the registers */
#define TEST_MEMORY_READS 0x1f00        /* accesses since the last write here */
#define TEST_MEMORY_WRITES 0x1f04
#define TEST_MEMORY_LAST_SIZE 0x1f08    /* bytes of the last access */
#define TEST_MEMORY_LAST_OFFSET 0x1f0c

#endif
