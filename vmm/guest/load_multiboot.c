/* SPDX-License-Identifier: MIT */
/* boot=multiboot: a kernel, its modules, and what it is told. */
#include "vmm/guest/load_multiboot.h"
#include "arch/x86/memory.h"
#include "drivers/console.h"
#include "vmm/bios/rom.h"
#include "vmm/host/frame.h"
#include "vmm/vm/guest_memory.h"
#include "vmm/guest/multiboot.h"
#include "vmm/guest/multiboot_information.h"
#include "vmm/host/machine.h"
#include "vmm/vm/vm.h"
#include "vmm/bios/bios.h"
#include "vmm/hypercall_abi.h"

#define LOADER_NAME "Adept"

static bool put(struct vm *vm, uint64_t gpa, const void *bytes, uint64_t length)
{
    return guest_memory_write(vm, gpa, bytes, length) == length;
}

/* RAM was zeroed, but a segment may lie where the BIOS keeps its data. */
static bool clear(struct vm *vm, uint64_t gpa, uint64_t length)
{
    static const uint8_t zeros[FRAME_SIZE];

    for (uint64_t done = 0; done < length; done += sizeof(zeros)) {
        uint64_t piece = length - done < sizeof(zeros) ? length - done : sizeof(zeros);

        if (!put(vm, gpa + done, zeros, piece))
            return false;
    }
    return true;
}

static bool load_image(struct vm *vm, const struct multiboot_image *image, const uint8_t *bytes)
{
    for (unsigned i = 0; i < image->segment_count; i++) {
        const struct multiboot_segment loaded = guest_multiboot_loaded(&image->segments[i], GUEST_HOLE_BASE),
                                       *segment = &loaded;

        if (segment->memory_size == 0)
            continue;
        if (segment->memory_size <= guest_memory_map_room(&vm->bios->map, segment->gpa) &&
            put(vm, segment->gpa, bytes + segment->offset, segment->size) &&
            clear(vm, segment->gpa + segment->size, segment->memory_size - segment->size))
            continue;
        vm_end_by_guest(vm, false,
                        "boot=multiboot: its segment of %#llx bytes at %#llx is not in its RAM (mem=)",
                        (unsigned long long)segment->memory_size, (unsigned long long)segment->gpa);
        return false;
    }
    return true;
}

/* Every module that says for=NAME of this guest, in the boot loader's order, page-aligned behind the kernel.
 */
static bool load_modules(struct vm *vm, const struct multiboot_image *image, struct multiboot_module *modules,
                         unsigned *count, uint64_t *end)
{
    const struct boot_info *info = machine_boot_info();

    *count = 0;
    *end = 0;
    for (unsigned i = 0; i < info->module_count; i++) {
        const struct boot_module *module = &info->modules[i];
        char owner[GUEST_NAME_MAX];
        uint32_t at;

        if (!guest_config_owner(module->string, owner) || strcmp(owner, vm->config.name) != 0)
            continue;
        at = guest_multiboot_high_place(image, &vm->bios->map, *end, module->length);
        if (at == 0 || !put(vm, at, phys_to_virt(module->base), module->length)) {
            vm_end_by_guest(vm, false, "boot=multiboot: its RAM has no room for module '%.48s' (mem=)",
                            module->string);
            return false;
        }
        modules[(*count)++] = (struct multiboot_module){at, (uint32_t)(at + module->length), module->string};
        *end = at + module->length;
    }
    return true;
}

static bool put_section(void *context, uint64_t gpa, const void *bytes, uint64_t length)
{
    return put(context, gpa, bytes, length);
}

/* An ELF kernel's section headers, and the sections that are in none of its segments, behind its modules.
 * Without room for them it is not told of any. */
static void load_sections(struct vm *vm, const struct multiboot_image *image,
                          const struct boot_module *source, uint64_t from,
                          struct multiboot_section_headers *told)
{
    const uint8_t *bytes = phys_to_virt(source->base);
    uint64_t size = guest_multiboot_sections(bytes, source->length, image, 0, NULL, NULL);
    uint32_t at = size == 0 ? 0 : guest_multiboot_high_place(image, &vm->bios->map, from, size);

    if (size == 0)
        return;
    if (at == 0 || guest_multiboot_sections(bytes, source->length, image, at, put_section, vm) == 0) {
        console_printf(
            "adept: %s: boot=multiboot: its RAM has no room for its ELF sections, %llu bytes: it is "
            "not told of them (mem=)\n",
            vm->config.name, (unsigned long long)size);
        return;
    }
    *told = (struct multiboot_section_headers){.count = image->sections.count,
                                               .entry_size = image->sections.entry_size,
                                               .gpa = at,
                                               .names = image->sections.names};
}

static bool put_information(struct vm *vm, const struct multiboot_image *image,
                            const struct multiboot_boot *boot)
{
    uint64_t scratch = frame_alloc_run(FRAME_HOST, MULTIBOOT_INFORMATION_MAX / FRAME_SIZE, 1);
    uint32_t at = guest_multiboot_low_place(image, &vm->bios->map, MULTIBOOT_INFORMATION_MAX);
    size_t length = 0;

    if (scratch != FRAME_ALLOC_FAILED) {
        uint8_t *buffer = phys_to_virt(scratch);

        length = guest_multiboot_information(buffer, MULTIBOOT_INFORMATION_MAX, at, boot);
        if (at == 0 || !put(vm, at, buffer, length))
            length = 0;
        frame_free_run(scratch, MULTIBOOT_INFORMATION_MAX / FRAME_SIZE, FRAME_HOST);
    }
    vm->start.ebx = at;
    if (length == 0)
        vm_end_by_guest(vm, false, "boot=multiboot: its RAM has no room for the boot information (mem=)");
    return length != 0;
}

must_check bool guest_load_multiboot(struct vm *vm, unsigned module)
{
    const struct boot_module *source = &machine_boot_info()->modules[module];
    struct multiboot_module modules[MULTIBOOT_MODULES_MAX];
    struct multiboot_boot boot = {
        .command_line = vm->config.arguments,
        .loader_name = LOADER_NAME,
        .modules = modules,
        .map = &vm->bios->map,
    };
    struct multiboot_image image;
    uint64_t end;
    const char *wrong = guest_multiboot_parse(phys_to_virt(source->base), source->length, &image);

    _Static_assert(MULTIBOOT_MODULES_MAX >= BOOT_MODULE_MAX, "every module has room");
    if (wrong != NULL) {
        vm_end_by_guest(vm, false, "boot=multiboot: %s", wrong);
        return false;
    }
    bios_rom_install(vm);
    if (!load_image(vm, &image, phys_to_virt(source->base)) ||
        !load_modules(vm, &image, modules, &boot.module_count, &end))
        return false;
    load_sections(vm, &image, source, end, &boot.sections);
    vm->start = (struct guest_start){.flat32 = true, .ip = image.entry, .eax = MULTIBOOT_BOOTED};
    return put_information(vm, &image, &boot);
}
