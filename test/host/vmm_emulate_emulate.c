/* SPDX-License-Identifier: MIT */
/* What the comparison with a processor in 64-bit mode cannot show: exceptions, segments, REP in parts, near
 * CALL and JMP, 16-bit stacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/emulate/emulate.h"
#include "vmm/emulate/alu.h"

#define MEMORY    0x4000u
#define DATA      0xc093u /* 32-bit, writable */
#define READ_ONLY 0xc091u
#define CODE      0xc09bu
#define NOT_READ  0xc099u /* execute-only */
#define DOWN      0xc097u /* expand-down */
#define OSFXSR    (1u << 9)
#define OSXSAVE   (1u << 18)
#define UMIP      (1u << 11)
#define EM        4u
#define TS        8u

static uint8_t memory[MEMORY];
static uint64_t gpr[16];
static struct emulate_segment segments[SEGMENT_TR + 1];
static struct emulate_processor processor;
static struct emulate_exception exception;
static uint64_t fault_from; /* linear addresses from here on fault */
static unsigned reads, writes;
static struct emulate_controls control_registers;
static uint8_t vectors[16][EMULATE_VECTOR_BYTES];

static void segment(void *context, enum segment_register which, struct emulate_segment *segment_)
{
    *segment_ = segments[which];
}

static enum emulate_status translate(void *context, struct emulate_place *place, bool write,
                                     struct emulate_exception *exception_)
{
    for (unsigned i = 0; i < 2; i++) {
        if (place->size[i] != 0 && place->linear[i] >= fault_from) {
            *exception_ = (struct emulate_exception){
                .vector = 14, .error_code = write ? 2 : 0, .address = place->linear[i]};
            return EMULATE_EXCEPTION;
        }
        place->guest_physical[i] = place->linear[i] % MEMORY;
    }
    return EMULATE_DONE;
}

static enum emulate_status read(void *context, const struct emulate_place *place, uint64_t *value)
{
    reads++;
    *value = 0;
    memcpy(value, memory + place->guest_physical[0], place->size[0]);
    memcpy((uint8_t *)value + place->size[0], memory + place->guest_physical[1], place->size[1]);
    return EMULATE_DONE;
}

static enum emulate_status write(void *context, const struct emulate_place *place, uint64_t value)
{
    writes++;
    memcpy(memory + place->guest_physical[0], &value, place->size[0]);
    memcpy(memory + place->guest_physical[1], (uint8_t *)&value + place->size[0], place->size[1]);
    return EMULATE_DONE;
}

static void controls(void *context, struct emulate_controls *controls_)
{
    *controls_ = control_registers;
}

static void vector_read(void *context, unsigned reg, unsigned size, void *bytes)
{
    memcpy(bytes, vectors[reg], size);
}

static void vector_write(void *context, unsigned reg, unsigned size, bool clears, const void *bytes)
{
    memcpy(vectors[reg], bytes, size);
    if (clears)
        memset(vectors[reg] + size, 0, EMULATE_VECTOR_BYTES - size);
}

static int reset(void **state)
{
    control_registers = (struct emulate_controls){.cr0 = 0x31, .cr4 = OSFXSR | OSXSAVE, .xcr0 = 7};
    memset(vectors, 0xee, sizeof(vectors));
    memset(memory, 0, sizeof(memory));
    memset(gpr, 0, sizeof(gpr));
    for (unsigned i = 0; i < SEGMENT_COUNT; i++)
        segments[i] =
            (struct emulate_segment){.limit = UINT32_MAX, .access_rights = i == SEGMENT_CS ? CODE : DATA};
    processor = (struct emulate_processor){.gpr = gpr,
                                           .rip = 0x1000,
                                           .rflags = 2,
                                           .protected_mode = true,
                                           .linear_width = 48,
                                           .elements_max = EMULATE_ELEMENTS_MAX,
                                           .segment = segment,
                                           .translate = translate,
                                           .read = read,
                                           .write = write,
                                           .controls = controls,
                                           .vector_read = vector_read,
                                           .vector_write = vector_write};
    fault_from = UINT64_MAX;
    reads = writes = 0;
    exception = (struct emulate_exception){0};
    return 0;
}

static enum emulate_status run(unsigned code_size, const uint8_t *bytes, size_t count)
{
    struct instruction instruction;

    assert_int_equal(decode_instruction(bytes, count, code_size, &instruction), DECODE_OK);
    return emulate_instruction(&processor, &instruction, &exception);
}

#define RUN(code_size, ...)                                                                                  \
    run(code_size, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void assert_raises(enum emulate_status status, unsigned vector)
{
    assert_int_equal(status, EMULATE_EXCEPTION);
    assert_int_equal(exception.vector, vector);
    assert_int_equal(processor.rip, 0x1000);
    assert_int_equal(reads + writes, 0);
}

static void test_segment_limit(void **state)
{
    segments[SEGMENT_DS].limit = 0xfff;
    gpr[REGISTER_RBX] = 0xffc;
    assert_int_equal(RUN(4, 0x8b, 0x03), EMULATE_DONE);
    reset(NULL);
    segments[SEGMENT_DS].limit = 0xfff;
    gpr[REGISTER_RBX] = 0xffd;
    assert_raises(RUN(4, 0x8b, 0x03), 13);
    assert_int_equal(exception.error_code, 0);
    segments[SEGMENT_SS].limit = 0xfff;
    gpr[REGISTER_RBP] = 0xffd;
    assert_raises(RUN(4, 0x8b, 0x45, 0), 12); /* #SS by the stack segment */
    gpr[REGISTER_RBX] = 0xffffffff;
    segments[SEGMENT_DS].limit = UINT32_MAX;
    assert_raises(RUN(4, 0x8b, 0x03), 13); /* not around the end of 4 GiB */
}

static void test_real_mode_limit(void **state)
{
    processor.protected_mode = false;
    segments[SEGMENT_DS].limit = 0xffff;
    segments[SEGMENT_DS].access_rights = READ_ONLY; /* types do not count there */
    gpr[REGISTER_RBX] = 0xfffe;
    assert_int_equal(RUN(2, 0x89, 0x07), EMULATE_DONE);
    reset(NULL);
    processor.protected_mode = false;
    segments[SEGMENT_DS].limit = 0xffff;
    gpr[REGISTER_RBX] = 0xffff;
    assert_raises(RUN(2, 0x8b, 0x07), 13);
    gpr[REGISTER_RBX] = 0x12345;
    segments[SEGMENT_DS].limit = UINT32_MAX; /* big real mode */
    assert_int_equal(RUN(2, 0x67, 0x8b, 0x03), EMULATE_DONE);
}

static void test_segment_type(void **state)
{
    gpr[REGISTER_RBX] = 0x100;
    segments[SEGMENT_DS].access_rights = READ_ONLY;
    assert_int_equal(RUN(4, 0x8b, 0x03), EMULATE_DONE);
    assert_int_equal(RUN(4, 0x39, 0x03), EMULATE_DONE); /* CMP writes nothing */
    reset(NULL);
    segments[SEGMENT_DS].access_rights = READ_ONLY;
    assert_raises(RUN(4, 0x89, 0x03), 13);
    assert_raises(RUN(4, 0x01, 0x03), 13);
    assert_raises(RUN(4, 0x2e, 0x89, 0x03), 13); /* code is never written */
    segments[SEGMENT_CS].access_rights = NOT_READ;
    assert_raises(RUN(4, 0x2e, 0x8b, 0x03), 13);
    segments[SEGMENT_DS].access_rights = DATA | SEGMENT_UNUSABLE;
    assert_raises(RUN(4, 0x8b, 0x03), 13);
}

static void test_expand_down(void **state)
{
    segments[SEGMENT_DS] = (struct emulate_segment){.limit = 0xfff, .access_rights = DOWN};
    gpr[REGISTER_RBX] = 0xfff;
    assert_raises(RUN(4, 0x8b, 0x03), 13);
    gpr[REGISTER_RBX] = 0x1000;
    assert_int_equal(RUN(4, 0x8b, 0x03), EMULATE_DONE);
    reset(NULL);
    segments[SEGMENT_DS] = (struct emulate_segment){.limit = 0xfff, .access_rights = DOWN & ~SEGMENT_DB};
    gpr[REGISTER_RBX] = 0xfffd; /* without B it ends at 64 KiB */
    assert_raises(RUN(4, 0x8b, 0x03), 13);
}

static void test_base_wraps(void **state)
{
    segments[SEGMENT_DS].base = 0xfffff000;
    gpr[REGISTER_RBX] = 0x1010;
    memory[0x10] = 0x77;
    assert_int_equal(RUN(4, 0x8a, 0x03), EMULATE_DONE);
    assert_int_equal(gpr[REGISTER_RAX], 0x77);
}

static void test_canonical(void **state)
{
    gpr[REGISTER_RBX] = UINT64_C(0x00007ffffffffffd);
    assert_raises(RUN(8, 0x8b, 0x03), 13); /* its last byte is beyond */
    gpr[REGISTER_RSP] = UINT64_C(0x8000000000000000);
    assert_raises(RUN(8, 0x8b, 0x04, 0x24), 12);
    processor.linear_width = 57;
    assert_int_equal(RUN(8, 0x8b, 0x03), EMULATE_DONE);
    segments[SEGMENT_GS].base = UINT64_C(0xffff800000000000);
    processor.linear_width = 48;
    gpr[REGISTER_RBX] = 0x40;
    assert_int_equal(RUN(8, 0x65, 0x8b, 0x03), EMULATE_DONE);
}

static void test_alignment(void **state)
{
    processor.check_alignment = true;
    gpr[REGISTER_RBX] = 0x102;
    assert_raises(RUN(8, 0x8b, 0x03), 17);
    assert_int_equal(exception.error_code, 0);
    assert_int_equal(RUN(8, 0x66, 0x8b, 0x03), EMULATE_DONE);
}

/* Nothing is read, nothing changes, when the second operand faults. */
static void test_fault_leaves_all(void **state)
{
    fault_from = 0x2000;
    gpr[REGISTER_RSI] = 0x100;
    gpr[REGISTER_RDI] = 0x1ffe;
    assert_raises(RUN(4, 0xa5), 14); /* MOVSD over the border */
    assert_int_equal(exception.address, 0x2000);
    assert_int_equal(exception.error_code, 2);
    assert_int_equal(gpr[REGISTER_RSI], 0x100);
    gpr[REGISTER_RBX] = 0x100;
    gpr[REGISTER_RSP] = 0x2004;
    assert_raises(RUN(4, 0xff, 0x33), 14); /* PUSH */
    assert_int_equal(gpr[REGISTER_RSP], 0x2004);
    gpr[REGISTER_RSP] = 0x100;
    assert_raises(RUN(4, 0x8f, 0x84, 0x24, 0x00, 0x20, 0, 0), 14); /* POP [ESP+0x2000] */
    assert_int_equal(exception.address, 0x2104);                   /* with ESP moved already */
    assert_int_equal(gpr[REGISTER_RSP], 0x100);
    gpr[REGISTER_RBX] = 0x2000;
    processor.rflags = 2;
    assert_raises(RUN(4, 0x11, 0x03), 14);
    assert_int_equal(processor.rflags, 2);
}

static void test_repeat_in_parts(void **state)
{
    processor.elements_max = 10;
    gpr[REGISTER_RCX] = 25;
    gpr[REGISTER_RDI] = 0x100;
    gpr[REGISTER_RAX] = 0x5a;
    assert_int_equal(RUN(4, 0xf3, 0xaa), EMULATE_AGAIN);
    assert_int_equal(processor.rip, 0x1000);
    assert_int_equal(gpr[REGISTER_RCX], 15);
    assert_int_equal(RUN(4, 0xf3, 0xaa), EMULATE_AGAIN);
    assert_int_equal(RUN(4, 0xf3, 0xaa), EMULATE_DONE);
    assert_int_equal(processor.rip, 0x1002);
    assert_int_equal(gpr[REGISTER_RCX], 0);
    assert_int_equal(gpr[REGISTER_RDI], 0x100 + 25);
    assert_int_equal(writes, 25);
    assert_int_equal(RUN(4, 0xf3, 0xaa), EMULATE_DONE); /* a counter of 0 */
    assert_int_equal(writes, 25);
}

static void test_repeat_faults_in_between(void **state)
{
    fault_from = 0x2000;
    processor.rflags |= FLAG_CF;
    gpr[REGISTER_RCX] = 8;
    gpr[REGISTER_RDI] = 0x2000 - 12;
    assert_int_equal(RUN(4, 0xf3, 0xab), EMULATE_EXCEPTION);
    assert_int_equal(exception.address, 0x2000);
    assert_int_equal(gpr[REGISTER_RCX], 5); /* three elements are done */
    assert_int_equal(gpr[REGISTER_RDI], 0x2000);
    assert_int_equal(processor.rip, 0x1000);
}

/* 16-bit registers wrap in string instructions, and only 16 bits of a counter count. */
static void test_string_16_bit(void **state)
{
    processor.protected_mode = false;
    gpr[REGISTER_RCX] = 0x10002;
    gpr[REGISTER_RDI] = 0x5ffff;
    gpr[REGISTER_RAX] = 0xab;
    assert_int_equal(RUN(2, 0xf3, 0xaa), EMULATE_DONE);
    assert_int_equal(gpr[REGISTER_RCX], 0x10000);
    assert_int_equal(gpr[REGISTER_RDI], 0x50001);
    assert_int_equal(memory[0xffff % MEMORY], 0xab);
    assert_int_equal(memory[0], 0xab);
    segments[SEGMENT_FS].base = 0x200;
    memory[0x210] = 0x99;
    gpr[REGISTER_RSI] = 0x10;
    processor.rflags |= FLAG_DF;
    assert_int_equal(RUN(2, 0x64, 0xac), EMULATE_DONE); /* LODSB FS:[SI], downwards */
    assert_int_equal(gpr[REGISTER_RAX], 0x99);
    assert_int_equal(gpr[REGISTER_RSI], 0xf);
}

static void test_stack_sizes(void **state)
{
    segments[SEGMENT_SS].access_rights &= ~SEGMENT_DB; /* SP */
    gpr[REGISTER_RSP] = 0x12340002;
    gpr[REGISTER_RBX] = 0x100;
    memory[0x100] = 0x11;
    assert_int_equal(RUN(2, 0x67, 0xff, 0x33), EMULATE_DONE);
    assert_int_equal(gpr[REGISTER_RSP], 0x12340000);
    assert_int_equal(memory[0], 0x11);
    gpr[REGISTER_RSP] = 0x12340000;
    segments[SEGMENT_SS].limit = 0xffff;
    assert_int_equal(RUN(2, 0x67, 0xff, 0x33), EMULATE_DONE); /* wraps to 0xfffe */
    assert_int_equal(gpr[REGISTER_RSP], 0x1234fffe);
    assert_int_equal(memory[0xfffe % MEMORY], 0x11);
}

static void test_call_and_jump(void **state)
{
    const uint64_t far_away = UINT64_C(0x8000000000000000);

    gpr[REGISTER_RBX] = 0x100;
    gpr[REGISTER_RSP] = 0x800;
    memory[0x101] = 0x34;
    assert_int_equal(RUN(8, 0xff, 0x13), EMULATE_DONE);
    assert_int_equal(processor.rip, 0x3400);
    assert_int_equal(gpr[REGISTER_RSP], 0x7f8);
    assert_int_equal(memory[0x7f8] | memory[0x7f9] << 8, 0x1002);
    assert_int_equal(RUN(8, 0xff, 0x23), EMULATE_DONE);
    assert_int_equal(processor.rip, 0x3400);
    processor.rip = 0x1000;
    memcpy(memory + 0x100, &far_away, 8);
    writes = 0;
    assert_int_equal(RUN(8, 0xff, 0x13), EMULATE_EXCEPTION);
    assert_int_equal(exception.vector, 13);
    assert_int_equal(writes, 0);
    assert_int_equal(gpr[REGISTER_RSP], 0x7f8);
    segments[SEGMENT_CS].limit = 0xfff;
    memcpy(memory + 0x100, (uint8_t[]){0, 0x10, 0, 0}, 4);
    assert_int_equal(RUN(4, 0xff, 0x23), EMULATE_EXCEPTION); /* beyond the limit of CS */
    assert_int_equal(exception.vector, 13);
}

/* A bit number reaches backwards, too. */
static void test_bit_string(void **state)
{
    gpr[REGISTER_RBX] = 0x100;
    gpr[REGISTER_RAX] = (uint32_t)-1;
    assert_int_equal(RUN(4, 0x0f, 0xab, 0x03), EMULATE_DONE); /* BTS [EBX],EAX */
    assert_int_equal(memory[0xff], 0x80);
    gpr[REGISTER_RAX] = 0xffef; /* 16 bits: -17 */
    assert_int_equal(RUN(4, 0x66, 0x0f, 0xab, 0x03), EMULATE_DONE);
    assert_int_equal(memory[0xfd], 0x80);
    assert_int_equal(RUN(4, 0x0f, 0xba, 0x2b, 33), EMULATE_DONE); /* in an immediate it does not */
    assert_int_equal(memory[0x100], 2);
}

static void test_compare_exchange_writes(void **state)
{
    gpr[REGISTER_RBX] = 0x100;
    gpr[REGISTER_RAX] = 1;
    assert_int_equal(RUN(4, 0xf0, 0x0f, 0xb1, 0x0b), EMULATE_DONE); /* not equal: written all the same */
    assert_int_equal(writes, 1);
    assert_int_equal(gpr[REGISTER_RAX], 0);
    assert_false(processor.rflags & FLAG_ZF);
}

static void test_divide(void **state)
{
    gpr[REGISTER_RBX] = 0x100;
    gpr[REGISTER_RAX] = 100;
    assert_int_equal(RUN(4, 0xf7, 0x33), EMULATE_EXCEPTION); /* by 0 */
    assert_int_equal(exception.vector, 0);
    assert_true(gpr[REGISTER_RAX] == 100 && processor.rip == 0x1000);
    memory[0x100] = 7;
    assert_int_equal(RUN(4, 0xf7, 0x33), EMULATE_DONE);
    assert_true(gpr[REGISTER_RAX] == 14 && gpr[REGISTER_RDX] == 2);
    gpr[REGISTER_RDX] = 7;
    processor.rip = 0x1000;
    assert_int_equal(RUN(4, 0xf7, 0x33), EMULATE_EXCEPTION); /* a quotient of 33 bits */
    assert_int_equal(exception.vector, 0);
    memory[0x100] = 0xff;
    gpr[REGISTER_RAX] = 0xff80; /* IDIV: -128 / -1 has no room in AL */
    assert_int_equal(RUN(4, 0xf6, 0x3b), EMULATE_EXCEPTION);
    gpr[REGISTER_RAX] = 0xff81;
    assert_int_equal(RUN(4, 0xf6, 0x3b), EMULATE_DONE);
    assert_int_equal(gpr[REGISTER_RAX], 127);
    gpr[REGISTER_RAX] = 128; /* of a negative quotient one more fits */
    processor.rip = 0x1000;
    assert_int_equal(RUN(4, 0xf6, 0x3b), EMULATE_DONE);
    assert_int_equal(gpr[REGISTER_RAX], 0x80);
    gpr[REGISTER_RAX] = 129;
    assert_int_equal(RUN(4, 0xf6, 0x3b), EMULATE_EXCEPTION);
}

/* CMPXCHG16B compares both halves. */
static void test_compare_exchange_16(void **state)
{
    static const uint64_t there[2] = {0x1111, 0x2222}, new[2] = {0x3333, 0x4444};

    for (unsigned differs = 0; differs < 4; differs++) {
        reset(NULL);
        memcpy(memory + 0x100, there, sizeof(there));
        gpr[REGISTER_RSI] = 0x100;
        gpr[REGISTER_RAX] = there[0] + (differs & 1);
        gpr[REGISTER_RDX] = there[1] + (differs >> 1);
        gpr[REGISTER_RBX] = new[0];
        gpr[REGISTER_RCX] = new[1];
        assert_int_equal(RUN(8, 0x48, 0x0f, 0xc7, 0x0e), EMULATE_DONE);
        assert_memory_equal(memory + 0x100, differs == 0 ? new : there, sizeof(there));
        assert_int_equal(!(processor.rflags & FLAG_ZF), differs != 0);
        assert_true(gpr[REGISTER_RAX] == there[0] && gpr[REGISTER_RDX] == there[1]);
    }
}

static void test_system_registers(void **state)
{
    gpr[REGISTER_RBX] = 0x100;
    segments[SEGMENT_LDTR].selector = 0x1234;
    segments[SEGMENT_TR].selector = 0x5678;
    memset(memory + 0x100, 0xff, 8);
    assert_int_equal(RUN(4, 0x0f, 0x00, 0x03), EMULATE_DONE);
    assert_memory_equal(memory + 0x100, "\x34\x12\xff", 3);
    assert_int_equal(RUN(8, 0x48, 0x0f, 0x00, 0x0b), EMULATE_DONE); /* 16 bits whatever the operand size */
    assert_memory_equal(memory + 0x100, "\x78\x56\xff", 3);
    assert_int_equal(RUN(4, 0x0f, 0x01, 0x23), EMULATE_DONE); /* SMSW */
    assert_memory_equal(memory + 0x100, "\x31\x00\xff", 3);
    reset(NULL);
    processor.protected_mode = false;
    assert_raises(RUN(4, 0x0f, 0x00, 0x03), 6); /* SLDT in real mode */
    assert_int_equal(RUN(4, 0x0f, 0x01, 0x23), EMULATE_DONE);
    reset(NULL);
    control_registers.cr4 |= UMIP;
    assert_int_equal(RUN(4, 0x0f, 0x01, 0x23), EMULATE_DONE); /* CPL 0 */
    reset(NULL);
    control_registers.cr4 |= UMIP;
    segments[SEGMENT_SS].access_rights |= 3 << 5;
    assert_raises(RUN(4, 0x0f, 0x01, 0x23), 13);
    assert_raises(RUN(4, 0x0f, 0x00, 0x0b), 13);
}

/* Who may use the vector registers, and in which order what is missing shows. */
static void test_vectors_enabled(void **state)
{
    control_registers.cr0 |= EM | TS;
    assert_raises(RUN(4, 0x0f, 0x10, 0x03), 6);
    control_registers.cr0 ^= EM;
    assert_raises(RUN(4, 0x0f, 0x10, 0x03), 7);
    assert_raises(RUN(4, 0xc5, 0xf8, 0x10, 0x03), 7);
    control_registers = (struct emulate_controls){.cr0 = EM, .cr4 = OSXSAVE, .xcr0 = 7};
    assert_int_equal(RUN(4, 0xc5, 0xf8, 0x10, 0x03), EMULATE_DONE); /* EM and OSFXSR are nothing to AVX */
    reset(NULL);
    control_registers.cr4 = OSXSAVE;
    assert_raises(RUN(4, 0x0f, 0x10, 0x03), 6);
    control_registers.cr4 = OSFXSR;
    assert_raises(RUN(4, 0xc5, 0xf8, 0x10, 0x03), 6);
    control_registers = (struct emulate_controls){.cr4 = OSFXSR | OSXSAVE, .xcr0 = 3};
    assert_raises(RUN(4, 0xc5, 0xf8, 0x10, 0x03), 6);
    control_registers.xcr0 = 7;
    processor.protected_mode = false;
    assert_raises(RUN(2, 0xc5, 0xf8, 0x10, 0x07), 6);
}

static void test_vector_memory(void **state)
{
    gpr[REGISTER_RBX] = 0x108;
    assert_raises(RUN(8, 0x66, 0x0f, 0x6f, 0x03), 13); /* MOVDQA */
    assert_raises(RUN(8, 0x66, 0x0f, 0xe7, 0x03), 13); /* MOVNTDQ */
    assert_raises(RUN(8, 0x48, 0x0f, 0xc7, 0x0b), 13); /* CMPXCHG16B */
    gpr[REGISTER_RSP] = 0x108;
    assert_raises(RUN(8, 0x66, 0x0f, 0x6f, 0x04, 0x24), 13); /* #GP by the stack segment, too */
    gpr[REGISTER_RBX] = 0x110;
    assert_raises(RUN(8, 0xc5, 0xfd, 0x6f, 0x03), 13); /* VMOVDQA of 32 bytes */
    assert_int_equal(RUN(8, 0xc5, 0xf9, 0x6f, 0x03), EMULATE_DONE);
    reset(NULL);
    processor.check_alignment = true;
    gpr[REGISTER_RBX] = 0x1ff1;
    for (unsigned i = 0; i < 32; i++)
        memory[0x1ff1 + i] = (uint8_t)i;
    assert_int_equal(RUN(8, 0xf3, 0x0f, 0x6f, 0x0b), EMULATE_DONE); /* MOVDQU over a page border */
    assert_memory_equal(vectors[1], memory + 0x1ff1, 16);
    assert_int_equal(vectors[1][16], 0xee);
    assert_int_equal(RUN(8, 0xc5, 0xfe, 0x6f, 0x13), EMULATE_DONE);
    assert_memory_equal(vectors[2], memory + 0x1ff1, 32);
    assert_int_equal(RUN(8, 0xc5, 0xfa, 0x6f, 0x0b), EMULATE_DONE); /* with VEX the rest is cleared */
    assert_int_equal(vectors[1][16], 0);
    reset(NULL);
    fault_from = 0x2000;
    gpr[REGISTER_RBX] = 0x1ff1;
    assert_raises(RUN(8, 0xf3, 0x0f, 0x7f, 0x0b), 14);
    assert_int_equal(exception.address, 0x2000);
    assert_raises(RUN(8, 0x0f, 0x13, 0x5b, 0x08), 14); /* MOVLPS [RBX+8] */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_segment_limit, reset),
        cmocka_unit_test_setup(test_real_mode_limit, reset),
        cmocka_unit_test_setup(test_segment_type, reset),
        cmocka_unit_test_setup(test_expand_down, reset),
        cmocka_unit_test_setup(test_base_wraps, reset),
        cmocka_unit_test_setup(test_canonical, reset),
        cmocka_unit_test_setup(test_alignment, reset),
        cmocka_unit_test_setup(test_fault_leaves_all, reset),
        cmocka_unit_test_setup(test_repeat_in_parts, reset),
        cmocka_unit_test_setup(test_repeat_faults_in_between, reset),
        cmocka_unit_test_setup(test_string_16_bit, reset),
        cmocka_unit_test_setup(test_stack_sizes, reset),
        cmocka_unit_test_setup(test_call_and_jump, reset),
        cmocka_unit_test_setup(test_bit_string, reset),
        cmocka_unit_test_setup(test_compare_exchange_writes, reset),
        cmocka_unit_test_setup(test_divide, reset),
        cmocka_unit_test_setup(test_compare_exchange_16, reset),
        cmocka_unit_test_setup(test_system_registers, reset),
        cmocka_unit_test_setup(test_vectors_enabled, reset),
        cmocka_unit_test_setup(test_vector_memory, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
