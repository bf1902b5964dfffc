/* SPDX-License-Identifier: MIT */
/*
 * Where things stand in the hypervisor's address space. Shared by C and by nasm (through build/gen/layout_abi.inc),
 * so only comments and `#define NAME integer` are allowed here.
 *
 *   0x0000000000000000  nothing: the low half is unmapped after boot (so is page 0)
 *   0xffff800000000000  all physical memory (DIRECT_MAP_BASE + physical address), 127 TiB at most
 *   0xffffffff80000000  the image, 4 KiB pages, write xor execute (KERNEL_VIRTUAL_BASE + physical address as linked)
 *   0xffffffffc0000000  stacks with their guard pages
 */
#ifndef BOOT_LAYOUT_ABI_H
#define BOOT_LAYOUT_ABI_H

#define LINK_PHYSICAL 0x200000
#define KERNEL_VIRTUAL_BASE 0xffffffff80000000
#define DIRECT_MAP_BASE 0xffff800000000000
#define STACK_AREA_BASE 0xffffffffc0000000

#endif
