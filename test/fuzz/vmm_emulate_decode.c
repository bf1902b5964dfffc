/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes decoder and emulator: any bytes in any mode. The decoder gives an answer that makes sense and is the
 * same again; what it decodes is emulated against memory that faults here and there, and leaves memory and
 * registers alone when it raises an exception.
 */
#include <stdlib.h>
#include <string.h>

#include "vmm/emulate/emulate.h"
#include "vmm/emulate/alu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REGISTERS 16u
#define MEMORY    4096u

/* What the input says first; the instruction follows. */
struct head {
    uint8_t mode, flags, faults, segments;
    uint64_t gpr[4];
};

struct guest {
    const struct head *head;
    uint8_t memory[MEMORY];
    unsigned translated, accesses;
};

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void segment(void *context, enum segment_register which, struct emulate_segment *segment_)
{
    const struct guest *guest = context;

    require(which <= SEGMENT_TR);
    *segment_ =
        (struct emulate_segment){.base = (uint64_t)guest->head->segments << 4,
                                 .limit = guest->head->segments & 1 ? UINT32_MAX : 0xffff,
                                 .access_rights = (uint32_t)guest->head->segments << 9 | (which & 15) << 1,
                                 .selector = (uint16_t)(guest->head->segments * 257u)};
}

static enum emulate_status translate(void *context, struct emulate_place *place, bool write,
                                     struct emulate_exception *exception)
{
    struct guest *guest = context;

    (void)write;
    require(place->size[0] >= 1 && place->size[0] + place->size[1] <= 32);
    require((place->linear[0] & 4095) + place->size[0] <= 4096);
    require(place->size[1] == 0 || (place->linear[1] & 4095) == 0);
    if (guest->translated++ % 8 == guest->head->faults % 8u && (guest->head->faults & 8)) {
        *exception = (struct emulate_exception){.vector = 14, .error_code = 2, .address = place->linear[0]};
        return guest->head->faults & 16 ? EMULATE_REFUSED : EMULATE_EXCEPTION;
    }
    place->guest_physical[0] = place->linear[0] % MEMORY;
    place->guest_physical[1] = place->linear[1] % MEMORY;
    return EMULATE_DONE;
}

static enum emulate_status read(void *context, const struct emulate_place *place, uint64_t *value)
{
    struct guest *guest = context;

    guest->accesses++;
    *value = 0;
    for (unsigned part = 0, done = 0; part < 2; part++)
        for (unsigned i = 0; i < place->size[part]; i++)
            *value |= (uint64_t)guest->memory[(place->guest_physical[part] + i) % MEMORY] << (8 * done++);
    return EMULATE_DONE;
}

static enum emulate_status write(void *context, const struct emulate_place *place, uint64_t value)
{
    struct guest *guest = context;

    guest->accesses++;
    for (unsigned part = 0, done = 0; part < 2; part++)
        for (unsigned i = 0; i < place->size[part]; i++)
            guest->memory[(place->guest_physical[part] + i) % MEMORY] = (uint8_t)(value >> (8 * done++));
    return EMULATE_DONE;
}

static enum emulate_status transfer(void *context, uint16_t port, bool in, const struct emulate_place *place,
                                    unsigned count, unsigned *moved)
{
    struct guest *guest = context;
    unsigned size = place->size[0] + (unsigned)place->size[1];

    (void)in;
    require(count >= 1 && count <= 16 && (size == 1 || size == 2 || size == 4));
    require(count == 1 || (place->size[1] == 0 && (place->linear[0] & 4095) + count * size <= 4096));
    guest->accesses++;
    *moved = 1 + port % count;
    return EMULATE_DONE;
}

static void controls(void *context, struct emulate_controls *controls_)
{
    const struct guest *guest = context;

    *controls_ = (struct emulate_controls){.cr0 = guest->head->flags, .cr4 = UINT64_MAX, .xcr0 = 7};
}

static void vector_read(void *context, unsigned reg, unsigned size, void *bytes)
{
    (void)context;
    require(reg < REGISTERS && (size == 16 || size == 32));
    memset(bytes, (int)reg, size);
}

static void vector_write(void *context, unsigned reg, unsigned size, bool clears, const void *bytes)
{
    (void)context;
    (void)bytes;
    require(reg < REGISTERS && (size == 16 || (size == 32 && clears)));
}

static bool power_of_two(unsigned value)
{
    return value == 1 || value == 2 || value == 4 || value == 8;
}

static void check_decoded(const struct instruction *instruction, size_t count, unsigned code_size)
{
    require(instruction->length >= 1 && instruction->length <= INSTRUCTION_LENGTH_MAX &&
            instruction->length <= count);
    require(instruction->operation > OPERATION_NONE && instruction->operation < OPERATION_COUNT);
    bool vector = operation_moves_vector(instruction->operation);

    require(instruction->code_size == code_size &&
            (vector ? instruction->operand_size == 16 || instruction->operand_size == 32
                    : power_of_two(instruction->operand_size)) &&
            (power_of_two(instruction->memory_size) || instruction->memory_size == 16 ||
             (vector && instruction->memory_size == 32)) &&
            power_of_two(instruction->address_size));
    require(instruction->address_size >= 2 && instruction->reg < REGISTERS);
    require(instruction->memory.segment < SEGMENT_COUNT && instruction->memory.base <= REGISTER_RIP &&
            instruction->memory.index <= REGISTER_NONE && power_of_two(instruction->memory.scale));
    require(code_size == 8 || (instruction->reg < 8 && (vector || instruction->operand_size < 8) &&
                               instruction->address_size < 8));
    require(!operation_is_string(instruction->operation) || !instruction->lock);
    (void)instruction_uses_rsp(instruction);
}

static void run(const struct head *head, const struct instruction *instruction)
{
    struct guest guest = {.head = head};
    uint64_t gpr[REGISTERS], old[REGISTERS];
    struct emulate_exception exception = {0};
    struct emulate_processor processor = {.gpr = gpr,
                                          .rip = head->gpr[0],
                                          .rflags = head->flags * UINT64_C(0x11),
                                          .protected_mode = head->segments & 2,
                                          .check_alignment = head->segments & 4,
                                          .linear_width = head->segments & 8 ? 57 : 48,
                                          .elements_max = 16,
                                          .context = &guest,
                                          .segment = segment,
                                          .translate = translate,
                                          .read = read,
                                          .write = write,
                                          .transfer = transfer,
                                          .controls = controls,
                                          .vector_read = vector_read,
                                          .vector_write = vector_write};
    enum emulate_status status;

    for (unsigned i = 0; i < REGISTERS; i++)
        gpr[i] = old[i] = head->gpr[i % 4] * (i + 1);
    status = emulate_instruction(&processor, instruction, &exception);
    require(status <= EMULATE_REFUSED);
    if (status == EMULATE_EXCEPTION)
        require(exception.vector < 32 && processor.rip == head->gpr[0]);
    if (status == EMULATE_EXCEPTION && instruction->repeat == REPEAT_NONE) {
        require(memcmp(gpr, old, sizeof(gpr)) == 0);
        require(guest.accesses == 0 || instruction->operation == OPERATION_CALL ||
                instruction->operation == OPERATION_JMP || /* their pointer is read to be checked */
                instruction->operation == OPERATION_DIV || instruction->operation == OPERATION_IDIV);
    }
    require(guest.accesses <= 2 * 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct instruction first, second;
    enum decode_status status;
    struct head head;
    unsigned code_size;

    if (size < sizeof(head))
        return 0;
    memcpy(&head, data, sizeof(head));
    data += sizeof(head);
    size -= sizeof(head);
    code_size = 2u << head.mode % 3;
    status = decode_instruction(data, size, code_size, &first);
    require(status <= DECODE_UNKNOWN);
    require(status != DECODE_MORE || size < INSTRUCTION_LENGTH_MAX);
    require(decode_instruction(data, size, code_size, &second) == status);
    if (status != DECODE_OK)
        return 0;
    require(memcmp(&first, &second, sizeof(first)) == 0);
    check_decoded(&first, size, code_size);
    /* Bytes behind it do not matter, and none less will do. */
    require(decode_instruction(data, first.length, code_size, &second) == DECODE_OK);
    require(decode_instruction(data, first.length - 1u, code_size, &second) == DECODE_MORE);
    run(&head, &first);
    return 0;
}
