/* SPDX-License-Identifier: MIT */
/*
 * The I/O-instruction exit: IN, OUT and their string forms. Which device answers at which port is the bus's
 * affair.
 * SDM vol. 3, "Exit Qualification for I/O Instructions".
 */
#include "arch/x86/memory.h"
#include "arch/x86/tsc.h"
#include "vmm/vcpu/boundary.h"
#include "vmm/host/cpu.h"
#include "vmm/exit/exit.h"
#include "vmm/vm/output.h"
#include "vmm/vcpu/interrupts.h"
#include "vmm/vcpu/code.h"
#include "vmm/emulate/vcpu.h"
#include "vmm/vm/devices.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"
#include "vmm/devices/pc.h"

/* Characters that are printed between two looks at the clock. */
#define PRINTED_AT_ONCE 64u

#define QUALIFICATION_IN     (1u << 3)
#define QUALIFICATION_STRING (1u << 4)
#define QUALIFICATION_REP    (1u << 5)

/* Bytes that go between a port and RAM before the clock is looked at: an element takes a device up to 400
 * ticks, so all of them less than EXIT_PIECE_TICKS. And those of one run, over which memory is looked up. */
#define TRANSFER_PART  128u
#define TRANSFER_BYTES 1024u

/* SDM vol. 3, "Format of the VM-Exit Instruction-Information Field as Used for INS and OUTS": 9:7 address
 * size, 17:15 segment register of OUTS. */
#define INFORMATION_ADDRESS_SIZE(information) (((information) >> 7) & 7)
#define INFORMATION_SEGMENT(information)      (((information) >> 15) & 7)

/* What the trace says of an access. */
static void set_result(struct vcpu *vcpu, const char *device)
{
    vcpu->result.code = device != NULL ? RESULT_DEVICE : RESULT_NO_DEVICE;
    vcpu->device = device;
    if (device != NULL)
        interrupts_look(vcpu->vm);
}

static uint32_t port_read(struct vcpu *vcpu, uint16_t port, unsigned size)
{
    struct vm *vm = vcpu->vm;
    const char *device;
    uint32_t value;

    vm_lock_devices(vm);
    value = bus_port_read(&vm->pc->bus, port, size, guest_time_now(&vm->time, tsc_read()), &device);
    vm_unlock_devices(vm);
    set_result(vcpu, device);
    return value;
}

static void port_write(struct vcpu *vcpu, uint16_t port, unsigned size, uint32_t value)
{
    struct vm *vm = vcpu->vm;
    const char *device;

    vm_lock_devices(vm);
    bus_port_write(&vm->pc->bus, port, size, value, guest_time_now(&vm->time, tsc_read()), &device);
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

static void port_read_run(struct vcpu *vcpu, uint16_t port, unsigned size, uint8_t *bytes, unsigned count)
{
    struct vm *vm = vcpu->vm;
    const char *device;

    vm_lock_devices(vm);
    bus_port_read_run(&vm->pc->bus, port, size, bytes, count, guest_time_now(&vm->time, tsc_read()), &device);
    vm_unlock_devices(vm);
    set_result(vcpu, device);
}

static void port_write_run(struct vcpu *vcpu, uint16_t port, unsigned size, const uint8_t *bytes,
                           unsigned count)
{
    struct vm *vm = vcpu->vm;
    const char *device;

    vm_lock_devices(vm);
    bus_port_write_run(&vm->pc->bus, port, size, bytes, count, guest_time_now(&vm->time, tsc_read()),
                       &device);
    vm_unlock_devices(vm);
    set_result(vcpu, device);
}

/* A run of at most `count` elements, until the exit has taken its time: how many there were. */
static unsigned run_in_parts(struct vcpu *vcpu, uint16_t port, bool in, unsigned size, uint8_t *bytes,
                             unsigned count)
{
    unsigned done = 0;

    do {
        unsigned part = count - done < TRANSFER_PART / size ? count - done : TRANSFER_PART / size;

        if (in)
            port_read_run(vcpu, port, size, bytes + done * size, part);
        else
            port_write_run(vcpu, port, size, bytes + done * size, part);
        done += part;
    } while (done < count && tsc_read() < exit_piece_end(vcpu));
    return done;
}

/* Between a port and memory that is no RAM: an element. */
static enum emulate_status transfer_one(struct linear *linear, uint16_t port, bool in,
                                        const struct emulate_place *place)
{
    unsigned size = place->size[0] + (unsigned)place->size[1];
    enum emulate_status status;
    uint64_t value = 0;

    if (in) {
        port_read_run(linear->vcpu, port, size, (uint8_t *)&value, 1);
        return linear_write_place(linear, place, value);
    }
    status = linear_read_place(linear, place, &value);
    if (status == EMULATE_DONE)
        port_write_run(linear->vcpu, port, size, (const uint8_t *)&value, 1);
    return status;
}

enum emulate_status exit_io_transfer(void *context, uint16_t port, bool in, const struct emulate_place *place,
                                     unsigned count, unsigned *moved)
{
    struct linear *linear = context;
    struct vm *vm = linear->vcpu->vm;
    uint64_t at = place->guest_physical[0];
    unsigned size = place->size[0], bytes;
    uint8_t buffer[TRANSFER_BYTES];
    enum emulate_status status = EMULATE_DONE;

    if (count > TRANSFER_BYTES / size)
        count = TRANSFER_BYTES / size;
    if (!in && guest_output_prints(port, size)) {
        unsigned room = guest_output_room(linear->vcpu);

        if (room == 0) /* the rest when the console has taken some */
            return EMULATE_RESTART;
        if (room > PRINTED_AT_ONCE) /* each may end a line */
            room = PRINTED_AT_ONCE;
        if (count > room)
            count = room;
    }
    bytes = count * size;
    *moved = count;
    if (place->size[1] == 0 && in && guest_memory_writable(vm, at, bytes)) {
        *moved = run_in_parts(linear->vcpu, port, true, size, buffer, count);
        (void)guest_memory_write(vm, at, buffer, (size_t)*moved * size);
    } else if (place->size[1] == 0 && !in && guest_memory_read(vm, at, buffer, bytes) == bytes) {
        *moved = run_in_parts(linear->vcpu, port, false, size, buffer, count);
    } else {
        *moved = 1;
        status = transfer_one(linear, port, in, place);
    }
    return vm_has_ended(vm) ? EMULATE_REFUSED : status;
}

/*
 * What the instruction at RIP is beyond the exit qualification: from the instruction-information field where
 * the processor reports it, else from the instruction itself. false: it is there no more, for another vCPU
 * has written there.
 */
static bool string_instruction(struct vcpu *vcpu, uint64_t qualification, struct instruction *instruction)
{
    unsigned size = (qualification & 7) + 1;
    struct vcpu_code code;
    uint64_t information;

    if (!(vmx_shared_capabilities()->basic & VMX_BASIC_INS_OUTS_INFORMATION)) {
        vcpu_code_read(vcpu, &code);
        return decode_instruction(code.bytes, code.count, code.code_size, instruction) == DECODE_OK &&
               operation_is_port_string(instruction->operation) && instruction->memory_size == size;
    }
    information = vmcs_read(VMCS_EXIT_INSTRUCTION_INFORMATION);
    *instruction =
        (struct instruction){.operation = qualification & QUALIFICATION_IN ? OPERATION_INS : OPERATION_OUTS,
                             .length = (uint8_t)vmcs_read(VMCS_EXIT_INSTRUCTION_LENGTH),
                             .code_size = (uint8_t)vcpu_code_size(),
                             .operand_size = (uint8_t)size,
                             .memory_size = (uint8_t)size,
                             .address_size = (uint8_t)(2u << INFORMATION_ADDRESS_SIZE(information)),
                             .repeat = qualification & QUALIFICATION_REP ? REPEAT_EQUAL : REPEAT_NONE,
                             .memory = {.segment = (uint8_t)INFORMATION_SEGMENT(information),
                                        .base = REGISTER_NONE,
                                        .index = REGISTER_NONE,
                                        .scale = 1}};
    return true;
}

/*
 * The processor has checked the port's permissions: these faults come before the exit. All others come after
 * it and are for Adept to raise. SDM vol. 3, "Relative Priority of Faults and VM Exits". Out of line, so that
 * the plain forms save no registers for it.
 */
static __attribute__((noinline)) enum exit_action string_io(struct vcpu *vcpu, uint64_t qualification)
{
    struct instruction instruction;
    struct linear linear;

    if (!string_instruction(vcpu, qualification, &instruction))
        return EXIT_ACTION_RESUME;
    linear_begin(&linear, vcpu);
    return vcpu_emulate(&linear, &instruction, vmcs_read(VMCS_GUEST_RIP), vmcs_read(VMCS_GUEST_RFLAGS));
}

enum exit_action exit_io(struct vcpu *vcpu)
{
    uint64_t qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
    uint16_t port = (uint16_t)(qualification >> 16);
    unsigned size = (qualification & 7) + 1;
    uint64_t *rax = &vcpu->registers.gpr[GPR_RAX];

    exit_count_subject(vcpu, SUBJECT_PORT, port);
    if (qualification & QUALIFICATION_STRING)
        return string_io(vcpu, qualification);
    if (qualification & QUALIFICATION_IN)
        set_low(rax, size, port_read(vcpu, port, size));
    else if (unlikely(vcpu->output_full) && guest_output_holds(vcpu, port, size))
        return exit_again(vcpu);
    else
        port_write(vcpu, port, size, (uint32_t)*rax);
    if (vcpu->device == NULL)
        exit_quick_note_port(vcpu, (uint32_t)qualification);
    return vm_has_ended(vcpu->vm) ? EXIT_ACTION_STOP : EXIT_ACTION_ADVANCE;
}
