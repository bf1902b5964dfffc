/* SPDX-License-Identifier: MIT */
/* The BIOS in a guest's ROM, and its state before the first instruction. */
#ifndef VMM_BIOS_ROM_H
#define VMM_BIOS_ROM_H

struct vm;

/*
 * Fills the ROM of a private VM with stubs, fonts and what else programs look for, and memory with vectors
 * and data areas. The drive, if there is one, and what INT 19h does are in vm->bios already. Any CPU, before
 * the VM runs.
 */
void bios_rom_install(struct vm *vm);

#endif
