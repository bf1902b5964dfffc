/* SPDX-License-Identifier: MIT */
/* Loading: from a module of the boot loader to a program in a VM's memory, by boot=. */
#include "vmm/guest/load.h"
#include "arch/x86/memory.h"
#include "drivers/console.h"
#include "vmm/bios/rom.h"
#include "vmm/host/frame.h"
#include "vmm/guest/load_multiboot.h"
#include "vmm/guest/map_module.h"
#include "vmm/host/machine.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/memory.h"
#include "vmm/bios/bios.h"
#include "vmm/guest/disk.h"
#include "vmm/guest/symbols.h"

#define BOOT_ADDRESS 0x7c00u

static const void *bytes_of(const struct boot_module *module)
{
    return phys_to_virt(module->base);
}

/* The drive's bytes: a copy, for the guest may write to it, and what is behind the image's end is zero. */
static bool copy_image(struct vm *vm, const struct boot_module *module)
{
    struct guest_disk *disk = &vm->bios->disk;
    uint64_t frames = (disk->sectors * DISK_SECTOR_SIZE + FRAME_SIZE - 1) / FRAME_SIZE;

    vm->disk_base = frame_alloc_run(FRAME_GUEST(vm->id), frames, 1);
    if (vm->disk_base == FRAME_ALLOC_FAILED) {
        vm_end_by_guest(vm, false, "memory for its drive's %llu bytes is missing",
                        (unsigned long long)(disk->sectors * DISK_SECTOR_SIZE));
        return false;
    }
    vm->disk_frames = frames;
    disk->bytes = phys_to_virt(vm->disk_base);
    memcpy(disk->bytes, bytes_of(module), module->length);
    memset(disk->bytes + module->length, 0, frames * FRAME_SIZE - module->length);
    return true;
}

/* What drive the image is of; its bytes come by copy_image(). */
static bool make_drive(struct vm *vm, const struct boot_module *module)
{
    struct guest_disk *disk = &vm->bios->disk;

    if (vm->config.boot != GUEST_BOOT_FLOPPY) {
        guest_disk_hard_disk(disk, bytes_of(module), module->length);
        return true;
    }
    if (guest_disk_floppy(disk, bytes_of(module), module->length))
        return true;
    vm_end_by_guest(vm, false,
                    "boot=floppy: %llu bytes are more than a diskette has (2880K, or what its BPB says)",
                    (unsigned long long)module->length);
    return false;
}

void guest_unload(struct vm *vm)
{
    if (vm->disk_frames != 0)
        frame_free_run(vm->disk_base, vm->disk_frames, FRAME_GUEST(vm->id));
    vm->disk_frames = 0;
}

/* What both a boot sector and a flat program are: bytes at load=, entered at entry= in real mode. */
static bool load_bytes(struct vm *vm, const struct boot_module *module)
{
    const struct guest_config *config = &vm->config;

    vm->start =
        (struct guest_start){.cs = config->entry_cs, .ip = config->entry_ip, .edx = DISK_FIRST_HARD_DISK};
    if (vm_memory_load(vm, config->load, bytes_of(module), module->length))
        return true;
    vm_end_by_guest(vm, false, "its %llu bytes do not fit into its RAM at load=%#llx",
                    (unsigned long long)module->length, (unsigned long long)config->load);
    return false;
}

static void install_bios(struct vm *vm, uint64_t length)
{
    vm->bios->has_disk = true;
    vm->bios->load_length = length;
    bios_rom_install(vm);
}

/* As a BIOS leaves a boot sector: interrupts on, a stack below it. */
static void start_from_bios(struct vm *vm)
{
    vm->start.interrupts = true;
    vm->start.sp = BOOT_ADDRESS;
    vm->start.edx = vm->bios->disk.number;
}

static bool load_sector(struct vm *vm, const struct boot_module *module)
{
    struct bios *bios = vm->bios;

    if (vm->config.memory == GUEST_MEMORY_IDENTITY) /* the machine's own ROM and data areas are there */
        return load_bytes(vm, module);
    if (module->length == 0) {
        vm_end_by_guest(vm, false, "boot=sector: the file is empty");
        return false;
    }
    if (!make_drive(vm, module) || !copy_image(vm, module))
        return false;
    bios->load = (uint32_t)vm->config.load;
    bios->entry_cs = vm->config.entry_cs;
    bios->entry_ip = vm->config.entry_ip;
    install_bios(vm, module->length); /* first: the program may lie over what a BIOS leaves in memory */
    if (!load_bytes(vm, module))
        return false;
    start_from_bios(vm);
    return true;
}

/* boot=floppy, boot=disk: its first sector, as INT 19h does it. */
static bool load_drive(struct vm *vm, const struct boot_module *module)
{
    struct bios *bios = vm->bios;

    if (module->length < DISK_SECTOR_SIZE) {
        vm_end_by_guest(vm, false, "boot=%s: %llu bytes are less than a sector",
                        guest_boot_name(vm->config.boot), (unsigned long long)module->length);
        return false;
    }
    if (!make_drive(vm, module) || !copy_image(vm, module))
        return false;
    if (!guest_disk_bootable(bios->disk.bytes)) {
        vm_end_by_guest(vm, false, "boot=%s: its first sector does not end with 55h AAh: nothing to boot",
                        guest_boot_name(vm->config.boot));
        return false;
    }
    bios->load = BOOT_ADDRESS;
    bios->entry_ip = BOOT_ADDRESS;
    vm->start = (struct guest_start){.ip = BOOT_ADDRESS};
    install_bios(vm, DISK_SECTOR_SIZE);
    start_from_bios(vm);
    return vm_memory_load(vm, BOOT_ADDRESS, bios->disk.bytes, DISK_SECTOR_SIZE);
}

/* map=: names for the addresses in its crash report. A guest runs as well without. */
static void load_symbols(struct vm *vm, unsigned module)
{
    const struct boot_info *info = machine_boot_info();
    const char *name = vm->config.map;
    unsigned found = guest_map_module_find(info, module, name);

    if (name[0] == '\0')
        return;
    if (found == info->module_count) {
        console_printf("adept: %s: map=%s: no module has that file name (add a `module2` line for it)\n",
                       vm->config.name, name);
        return;
    }
    vm->symbols->text = bytes_of(&info->modules[found]);
    vm->symbols->length = info->modules[found].length;
    if (guest_symbols_count(vm->symbols) == 0)
        console_printf(
            "adept: %s: map=%s: no symbol is in it (a line is like `00007c00 T start`, as nm prints it)\n",
            vm->config.name, name);
}

must_check bool guest_load(struct vm *vm, unsigned module)
{
    const struct boot_module *source = &machine_boot_info()->modules[module];
    enum guest_boot boot = vm->config.boot;
    bool loaded;

    load_symbols(vm, module);
    if (vm->config.memory == GUEST_MEMORY_IDENTITY && boot != GUEST_BOOT_SECTOR && boot != GUEST_BOOT_FLAT) {
        vm_end_by_guest(vm, false, "boot=%s needs memory=private", guest_boot_name(boot));
        return false;
    }
    switch (boot) {
    case GUEST_BOOT_FLAT:
        loaded = load_bytes(vm, source);
        break;
    case GUEST_BOOT_FLOPPY:
    case GUEST_BOOT_DISK:
        loaded = load_drive(vm, source);
        break;
    case GUEST_BOOT_MULTIBOOT:
        loaded = guest_load_multiboot(vm, module);
        break;
    default:
        loaded = load_sector(vm, source);
        break;
    }
    return loaded;
}
