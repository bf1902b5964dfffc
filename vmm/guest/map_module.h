/* SPDX-License-Identifier: MIT */
/*
 * Modules that are symbol maps (vmm/guest/symbols.h): those that a guest's string names with map=. Such a
 * module needs no word of its own and is no guest. Pure.
 */
#ifndef VMM_GUEST_MAP_MODULE_H
#define VMM_GUEST_MAP_MODULE_H

#include <stdbool.h>

#include "boot/boot_info.h"
#include "vmm/vm/config.h"

/* Whether another module's string has map= with the file name of this one. */
bool guest_map_module_is(const struct boot_info *info, unsigned index);

/*
 * The module whose file is called `name`, its folder left aside; never `guest` itself, nor one that says
 * for=. info->module_count: there is none.
 */
unsigned guest_map_module_find(const struct boot_info *info, unsigned guest, const char *name);

#endif
