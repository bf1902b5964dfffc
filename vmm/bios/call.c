/* SPDX-License-Identifier: MIT */
/*
 * A BIOS call of a guest: from the stub's hypercall to the service and back. The caller's segments and paging
 * are taken as they are, so a BIOS in virtual-8086 mode works as well.
 */
#include "vmm/bios/call.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/exception.h"
#include "arch/x86/memory.h"
#include "arch/x86/tsc.h"
#include "vmm/bios/bios.h"
#include "vmm/vm/output.h"
#include "vmm/hypercall_abi.h"
#include "vmm/vcpu/interrupts.h"
#include "vmm/emulate/linear.h"
#include "vmm/trace/trace.h"
#include "vmm/vm/devices.h"
#include "vmm/vcpu/vmcs.h"
#include "drivers/format.h"
#include "vmm/devices/pc.h"

#define SEGMENT_BIG (1u << 14) /* SS.B: the stack pointer is ESP */

_Static_assert((int)BIOS_HALT == BIOS_ANSWER_HALT, "the ABI's numbers are the BIOS's");
_Static_assert((int)BIOS_AGAIN == BIOS_ANSWER_AGAIN, "the ABI's numbers are the BIOS's");
_Static_assert((int)BIOS_BREAK == BIOS_ANSWER_BREAK, "the ABI's numbers are the BIOS's");

/* What the stub and INT have put on the stack. */
struct stack_frame {
    uint32_t progress; /* of a call that the stub has made before */
    uint32_t eax;
    uint16_t ip, cs, flags;
} __attribute__((packed));

/* Whose call it is: memory is reached through this vCPU's segments and page tables. */
struct caller {
    struct vcpu *vcpu;
    struct linear linear;
};

static bool read_linear(void *context, uint32_t linear, void *buffer, size_t length)
{
    struct emulate_exception exception;

    return linear_read(&((struct caller *)context)->linear, linear, buffer, length, &exception) ==
           EMULATE_DONE;
}

static bool write_linear(void *context, uint32_t linear, const void *buffer, size_t length)
{
    struct emulate_exception exception;

    return linear_write(&((struct caller *)context)->linear, linear, buffer, length, &exception) ==
           EMULATE_DONE;
}

/* Only a program that has all memory anyhow moves blocks by physical address: no task of a guest's own system
 * that runs under paging. */
static bool owns_memory(void *context)
{
    return !(((struct caller *)context)->linear.paging.cr0 & CR0_PG);
}

static bool read_physical(void *context, uint64_t address, void *buffer, size_t length)
{
    return owns_memory(context) &&
           guest_memory_read(((struct caller *)context)->vcpu->vm, address, buffer, length) == length;
}

static bool write_physical(void *context, uint64_t address, const void *buffer, size_t length)
{
    return owns_memory(context) &&
           guest_memory_write(((struct caller *)context)->vcpu->vm, address, buffer, length) == length;
}

static uint8_t port_read(void *context, uint16_t port)
{
    struct vm *vm = ((struct caller *)context)->vcpu->vm;
    const char *device;

    return (uint8_t)bus_port_read(&vm->pc->bus, port, 1, guest_time_now(&vm->time, tsc_read()), &device);
}

static void port_write(void *context, uint16_t port, uint8_t value)
{
    struct vm *vm = ((struct caller *)context)->vcpu->vm;
    const char *device;

    bus_port_write(&vm->pc->bus, port, 1, value, guest_time_now(&vm->time, tsc_read()), &device);
}

static void put(void *context, char character)
{
    struct vcpu *vcpu = ((struct caller *)context)->vcpu;

    if (vcpu->vm->config.dump_screen) /* it will be seen there */
        return;
    if (guest_line_put(&vcpu->vm->bios_line, character))
        guest_output_line(vcpu, &vcpu->vm->bios_line);
}

/* So that no exit takes long, and none waits for the console. */
static bool is_late(void *context)
{
    struct vcpu *vcpu = ((struct caller *)context)->vcpu;

    return tsc_read() >= exit_piece_end(vcpu) || guest_output_room(vcpu) == 0;
}

static void end(void *context, const char *why, unsigned vector, uint16_t cs, uint16_t ip)
{
    struct vcpu *vcpu = ((struct caller *)context)->vcpu;

    vcpu->result.code = RESULT_ENDED;
    vm_end(vcpu->vm, VM_FAILED, "BIOS: %s: INT %02xh (%s) at %04x:%04x", why, vector, exception_name(vector),
           cs, ip);
}

static uint32_t stack_pointer(void)
{
    uint32_t sp = (uint32_t)vmcs_read(VMCS_GUEST_RSP);

    if (!(vmcs_read(VMCS_GUEST_SS_ACCESS_RIGHTS) & SEGMENT_BIG))
        sp &= 0xffff;
    return (uint32_t)vmcs_read(VMCS_GUEST_SS_BASE) + sp;
}

static void set_low(uint64_t *reg, uint32_t value)
{
    *reg = (*reg & ~UINT64_C(0xffffffff)) | value;
}

static void load(struct bios_registers *registers, const struct vcpu *vcpu, const struct stack_frame *frame)
{
    const uint64_t *gpr = vcpu->registers.gpr;

    *registers = (struct bios_registers){
        .progress = frame->progress,
        .eax = frame->eax,
        .ebx = (uint32_t)gpr[GPR_RBX],
        .ecx = (uint32_t)gpr[GPR_RCX],
        .edx = (uint32_t)gpr[GPR_RDX],
        .esi = (uint32_t)gpr[GPR_RSI],
        .edi = (uint32_t)gpr[GPR_RDI],
        .ebp = (uint32_t)gpr[GPR_RBP],
        .ds_base = (uint32_t)vmcs_read(VMCS_GUEST_DS_BASE),
        .es_base = (uint32_t)vmcs_read(VMCS_GUEST_ES_BASE),
        .flags = frame->flags,
        .cs = frame->cs,
        .ip = frame->ip,
    };
}

static void store(const struct bios_registers *registers, struct vcpu *vcpu, struct stack_frame *frame)
{
    uint64_t *gpr = vcpu->registers.gpr;

    frame->progress = registers->progress;
    frame->eax = registers->eax;
    frame->flags = registers->flags;
    set_low(&gpr[GPR_RBX], registers->ebx);
    set_low(&gpr[GPR_RCX], registers->ecx);
    set_low(&gpr[GPR_RDX], registers->edx);
    set_low(&gpr[GPR_RSI], registers->esi);
    set_low(&gpr[GPR_RDI], registers->edi);
    set_low(&gpr[GPR_RBP], registers->ebp);
    if (registers->set_es) { /* as a MOV to ES in real mode: limit and rights stay */
        vmcs_write(VMCS_GUEST_ES_SELECTOR, registers->es);
        vmcs_write(VMCS_GUEST_ES_BASE, (uint64_t)registers->es << 4);
    }
}

/* Once for each function, among the guest's own lines, so that it is seen without a trace, too. */
static void tell_missing(struct vcpu *vcpu, unsigned vector)
{
    struct vm *vm = vcpu->vm;
    char text[64];

    format(text, sizeof(text), "bios: no such function: int=0x%02x ax=0x%04x", vector, vcpu->bios_function);
    trace_record_text(vcpu->cpu, vm->id, text, strlen(text));
}

/* A stub runs in real or virtual-8086 mode; elsewhere the frame would mean something else. */
static bool mode_fits(void)
{
    return !(vmcs_read(VMCS_GUEST_CR0) & CR0_PE) || (vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_VM);
}

static const struct bios_access access = {.read = read_linear,
                                          .write = write_linear,
                                          .read_physical = read_physical,
                                          .write_physical = write_physical,
                                          .port_read = port_read,
                                          .port_write = port_write,
                                          .put = put,
                                          .is_late = is_late,
                                          .end = end};

/* Stubs that call again when they are told to, and services that may print. */
static bool may_print(unsigned vector)
{
    return vector >= 0x10 && vector <= 0x18;
}

must_check enum exit_action bios_call(struct vcpu *vcpu, unsigned vector)
{
    struct caller caller = {.vcpu = vcpu};
    struct bios_call call = {.bios = vcpu->vm->bios, .access = &access, .context = &caller};
    struct bios_registers registers;
    struct stack_frame frame;
    uint32_t at = stack_pointer();
    enum bios_outcome outcome;

    linear_begin(&caller.linear, vcpu);
    vcpu->registers.gpr[GPR_RAX] = HYPERCALL_UNSUPPORTED;
    vcpu->result.code = RESULT_REFUSED_CALL;
    vcpu->bios_function = 0;
    if (!vcpu->vm->has_bios || !mode_fits() || !read_linear(&caller, at, &frame, sizeof(frame)))
        return EXIT_ACTION_ADVANCE;
    vcpu->result.code = RESULT_EMULATED;
    vcpu->bios_function = (uint16_t)frame.eax;
    if (unlikely(vcpu->output_full) && may_print(vector) && guest_output_room(vcpu) == 0) {
        vcpu->registers.gpr[GPR_RAX] = BIOS_AGAIN;
        vcpu->result.code = RESULT_UNFINISHED;
        return EXIT_ACTION_ADVANCE;
    }
    load(&registers, vcpu, &frame);
    vm_lock_devices(vcpu->vm);
    caller.linear.devices_held = true;
    call.time_us = guest_time_now(&vcpu->vm->time, tsc_read()) / 1000;
    outcome = bios_interrupt(&call, vector, &registers);
    caller.linear.devices_held = false;
    vm_unlock_devices(vcpu->vm);
    store(&registers, vcpu, &frame);
    interrupts_look(vcpu->vm); /* what it did to the interrupt controllers */
    vcpu->registers.gpr[GPR_RAX] = outcome;
    if (!write_linear(&caller, at, &frame, sizeof(frame)))
        vm_end(vcpu->vm, VM_FAILED, "BIOS: INT %02xh: the stack at %#x is no memory", vector, at);
    if (call.missing)
        vcpu->result.code = RESULT_BIOS_MISSING;
    if (call.missing_first)
        tell_missing(vcpu, vector);
    return !vm_has_ended(vcpu->vm) ? EXIT_ACTION_ADVANCE : EXIT_ACTION_STOP;
}
