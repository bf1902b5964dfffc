/* SPDX-License-Identifier: MIT */
/* What stands on a guest's screen. */
#include "vmm/report/screen.h"
#include "arch/x86/memory.h"
#include "drivers/console.h"
#include "drivers/format.h"
#include "vmm/vm/vm.h"
#include "vmm/devices/pc.h"

void screen_report(const struct vm *vm)
{
    struct vga_text_screen screen = vga_text_screen(&vm->pc->vga);
    char text[VGA_TEXT_COLUMNS_MAX + 1], cursor[32] = "none";

    if (vm->text_base == 0) {
        console_printf("adept: screen: vm=%s absent why=\"an identity guest writes to the machine's own\"\n",
                       vm->config.name);
        return;
    }
    if (!screen.text) {
        console_printf("adept: screen: vm=%s absent why=\"it is in no text mode\"\n", vm->config.name);
        return;
    }
    if (screen.cursor)
        (void)format(cursor, sizeof(cursor), "%u,%u", screen.cursor_row, screen.cursor_column);
    console_printf("adept: screen: vm=%s columns=%u rows=%u start=%#x cursor=%s\n", vm->config.name,
                   screen.columns, screen.rows, screen.start, cursor);
    for (unsigned row = 0; row < screen.rows; row++)
        if (vga_text_row(&screen, phys_to_virt(vm->text_base), row, text) > 0)
            console_printf("adept: screen: vm=%s row=%u |%s\n", vm->config.name, row, text);
}
