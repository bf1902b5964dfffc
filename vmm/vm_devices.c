/* SPDX-License-Identifier: MIT */
/* A VM's PC and the hypervisor. */
#include "vmm/vm_devices.h"
#include "vmm/guest_output.h"
#include "vmm/panic.h"
#include "vmm/vm.h"

/* Serial lines and debug ports: whole lines go on. The VM's CPU, in its exit path. */
static void output(void *context, unsigned way, uint8_t byte)
{
    struct vm *vm = context;

    if (guest_line_put(&vm->output_lines[way], (char)byte))
        guest_output_line(&vm->vcpu, &vm->output_lines[way]);
}

static void end(void *context, enum pc_end how, unsigned detail)
{
    struct vm *vm = context;

    switch (how) {
    case PC_END_PORT:
        vm_end_by_guest(vm, detail == 0, "port 0xf4 value=%#x", detail);
        break;
    case PC_END_RESET:
        vm_end_by_guest(vm, false, "guest reset: port %#x", detail);
        break;
    case PC_END_POWER_OFF:
        vm_end_by_guest(vm, true, "power off");
        break;
    }
}

void vm_devices_create(struct vm *vm)
{
    const struct pc_host host = {.context = vm, .output = output, .end = end};

    if (!pc_create(&vm->pc, &host))
        panic("two virtual devices at one place");
}
