/* SPDX-License-Identifier: MIT */
/*
 * The I/O-instruction exit: IN, OUT and their string forms. Which device answers at which port is the bus's
 * affair.
 * SDM vol. 3, "Exit Qualification for I/O Instructions".
 */
#include "arch/x86/control_registers.h"
#include "arch/x86/tsc.h"
#include "vmm/cpu.h"
#include "vmm/exit.h"
#include "vmm/guest_memory.h"
#include "vmm/interrupts.h"
#include "vmm/vcpu_code.h"
#include "vmm/vm_devices.h"
#include "vmm/vm.h"
#include "vmm/vmcs.h"

#define QUALIFICATION_IN     (1u << 3)
#define QUALIFICATION_STRING (1u << 4)
#define QUALIFICATION_REP    (1u << 5)

/* Elements of a REP string instruction done in one exit; the rest follows in further exits, so that no exit
 * is long. */
#define STRING_ELEMENTS_MAX 256

/* SDM vol. 3, "Format of the VM-Exit Instruction-Information Field as Used for INS and OUTS": 9:7 address
 * size. */
#define INFORMATION_ADDRESS_SIZE(information) (((information) >> 7) & 7)

/* What the trace says of an access. */
static void set_result(struct vcpu *vcpu, const char *device)
{
    vcpu->result.code = device != NULL ? RESULT_DEVICE : RESULT_NO_DEVICE;
    vcpu->device = device;
    if (device != NULL)
        interrupts_look(vcpu);
}

static uint32_t port_read(struct vcpu *vcpu, uint16_t port, unsigned size)
{
    struct vm *vm = vcpu->vm;
    const char *device;
    uint32_t value;

    vm_lock_devices(vm);
    value = bus_port_read(&vm->pc.bus, port, size, guest_time_now(&vm->time, tsc_read()), &device);
    vm_unlock_devices(vm);
    set_result(vcpu, device);
    return value;
}

static void port_write(struct vcpu *vcpu, uint16_t port, unsigned size, uint32_t value)
{
    struct vm *vm = vcpu->vm;
    const char *device;

    vm_lock_devices(vm);
    bus_port_write(&vm->pc.bus, port, size, value, guest_time_now(&vm->time, tsc_read()), &device);
    vm_unlock_devices(vm);
    set_result(vcpu, device);
}

/* Writes the low `size` bytes of a register; as everywhere, a 32-bit result clears the upper half. */
static void set_low(uint64_t *reg, unsigned size, uint64_t value)
{
    if (size == 1)
        *reg = (*reg & ~UINT64_C(0xff)) | (value & 0xff);
    else if (size == 2)
        *reg = (*reg & ~UINT64_C(0xffff)) | (value & 0xffff);
    else if (size == 4)
        *reg = (uint32_t)value;
    else
        *reg = value;
}

/* A string instruction, as far as it goes in one exit. */
struct string_io {
    uint16_t port;
    unsigned size;         /* of an element, in bytes */
    unsigned address_size; /* in bytes: which part of RCX and of RSI or RDI counts */
    bool in, repeat;
    uint64_t rflags;
    uint64_t linear_address; /* of the next element */
    int64_t step;
};

/* Moves one element. false: an event is pending instead, or the VM has ended. */
static bool string_element(struct vcpu *vcpu, const struct guest_paging *paging, const struct string_io *io)
{
    enum guest_paging_status status;
    uint64_t fault_address = 0;
    uint32_t error_code = 0, value = 0;

    if (io->in) {
        /* The device's answer, written where ES:(E)DI points; a device that is read and then faults has lost
         * a byte, as on a real bus. */
        value = port_read(vcpu, io->port, io->size);
        status = guest_linear_write(vcpu, paging, io->linear_address, &value, io->size, &fault_address,
                                    &error_code);
    } else {
        status = guest_linear_read(vcpu, paging, io->linear_address, &value, io->size, &fault_address,
                                   &error_code);
        if (status == GUEST_PAGING_NO_TABLE)
            value = 0xffffffff; /* an empty bus */
        if (status != GUEST_PAGING_FAULT)
            port_write(vcpu, io->port, io->size, value);
    }
    if (status == GUEST_PAGING_FAULT) {
        inject_page_fault(vcpu, fault_address, error_code);
        return false;
    }
    return !vm_has_ended(vcpu->vm);
}

static enum exit_action string_io(struct vcpu *vcpu, struct string_io *io)
{
    uint64_t *index = &vcpu->registers.gpr[io->in ? GPR_RDI : GPR_RSI];
    uint64_t *counter = &vcpu->registers.gpr[GPR_RCX];
    uint64_t mask = io->address_size == 8 ? ~UINT64_C(0) : (UINT64_C(1) << (8 * io->address_size)) - 1;
    bool single_steps = io->rflags & RFLAGS_TF;
    struct guest_paging paging;

    guest_paging_state(vcpu, &paging);
    for (unsigned done = 0; done < STRING_ELEMENTS_MAX; done++) {
        if (io->repeat && (*counter & mask) == 0)
            return EXIT_ACTION_ADVANCE;
        if (!string_element(vcpu, &paging, io))
            return vm_has_ended(vcpu->vm) ? EXIT_ACTION_STOP : EXIT_ACTION_RESUME;
        set_low(index, io->address_size, *index + (uint64_t)io->step);
        io->linear_address += (uint64_t)io->step;
        if (!io->repeat)
            return EXIT_ACTION_ADVANCE;
        set_low(counter, io->address_size, *counter - 1);
        if (single_steps)
            break; /* a trap after each element */
        if ((*index & mask) < io->size || (*index & mask) > mask - io->size)
            break; /* the index may wrap: the next exit has the linear address right */
    }
    if ((*counter & mask) == 0)
        return EXIT_ACTION_ADVANCE;
    /* The exit has saved RF as 0; in the middle of it the instruction does not break again. */
    vmcs_write(VMCS_GUEST_RFLAGS, io->rflags | RFLAGS_RF);
    if (single_steps)
        exit_advance_to(vcpu, vmcs_read(VMCS_GUEST_RIP), io->rflags);
    return EXIT_ACTION_RESUME;
}

/* The address size, from the instruction-information field where the processor reports it, else from the code
 * segment alone. */
static unsigned string_address_size(void)
{
    if (vmx_shared_capabilities()->basic & VMX_BASIC_INS_OUTS_INFORMATION)
        return 2u << INFORMATION_ADDRESS_SIZE(vmcs_read(VMCS_EXIT_INSTRUCTION_INFORMATION));
    return vcpu_code_size();
}

/* Out of line, so that the plain forms save no registers for it. */
static __attribute__((noinline)) enum exit_action string_instruction(struct vcpu *vcpu,
                                                                     uint64_t qualification)
{
    unsigned size = (qualification & 7) + 1;
    struct string_io io = {.port = (uint16_t)(qualification >> 16),
                           .size = size,
                           .address_size = string_address_size(),
                           .in = qualification & QUALIFICATION_IN,
                           .repeat = qualification & QUALIFICATION_REP};

    io.linear_address = vmcs_read(VMCS_GUEST_LINEAR_ADDRESS);
    io.rflags = vmcs_read(VMCS_GUEST_RFLAGS);
    io.step = io.rflags & RFLAGS_DF ? -(int64_t)size : (int64_t)size;
    return string_io(vcpu, &io);
}

enum exit_action exit_io(struct vcpu *vcpu)
{
    uint64_t qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
    uint16_t port = (uint16_t)(qualification >> 16);
    unsigned size = (qualification & 7) + 1;
    uint64_t *rax = &vcpu->registers.gpr[GPR_RAX];

    exit_count_subject(vcpu, SUBJECT_PORT, port);
    if (qualification & QUALIFICATION_STRING)
        return string_instruction(vcpu, qualification);
    if (qualification & QUALIFICATION_IN)
        set_low(rax, size, port_read(vcpu, port, size));
    else
        port_write(vcpu, port, size, (uint32_t)*rax);
    if (vcpu->device == NULL)
        exit_quick_note_port(vcpu, (uint32_t)qualification);
    return vm_has_ended(vcpu->vm) ? EXIT_ACTION_STOP : EXIT_ACTION_ADVANCE;
}
