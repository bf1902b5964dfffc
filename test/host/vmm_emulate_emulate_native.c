/* SPDX-License-Identifier: MIT */
/*
 * The emulator against the processor that this test runs on: random instructions of 64-bit code, each
 * executed natively and emulated with the same registers, flags and memory. What the manual leaves undefined
 * is not compared. Seeded: every run is the same.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>
#include <cpuid.h>

#include "vmm/emulate/emulate.h"
#include "vmm/emulate/alu.h"
#include "vmm/emulate/operand.h"
#include "vmm/emulate/opcode.h"

#define CASES        400000u
#define COVERED_MIN  200u /* cases of each operation */
#define BUFFER_SIZE  (3u * 4096u)
#define INDEX_MAX    64
#define ELEMENTS_MAX 20u

#define VECTOR_BYTES 32u

struct state {
    uint64_t gpr[16];
    uint64_t rflags;
    uint8_t vectors[16][VECTOR_BYTES];
};
_Static_assert(offsetof(struct state, vectors) == 136, "the shim's");

/* The shim's: what to load, what came out, where to go. */
struct state native_in, native_out;
uint64_t native_stack, native_target;

/* Vector registers from native_in and to native_out, as wide as they are. */
void load_sse(void);
void load_avx(void);
void store_sse(void);
void store_avx(void);
void (*native_load)(void) = load_sse, (*native_store)(void) = store_sse;

#define EACH_VECTOR ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
__asm__(".text\n"
        "load_sse:\n" EACH_VECTOR "  movups 136+32*\\n+native_in(%rip), %xmm\\n\n .endr\n ret\n"
        "load_avx:\n" EACH_VECTOR "  vmovups 136+32*\\n+native_in(%rip), %ymm\\n\n .endr\n ret\n"
        "store_sse:\n" EACH_VECTOR "  movups %xmm\\n, 136+32*\\n+native_out(%rip)\n .endr\n ret\n"
        "store_avx:\n" EACH_VECTOR
        "  vmovups %ymm\\n, 136+32*\\n+native_out(%rip)\n .endr\n vzeroupper\n ret\n");

void native_run(void);
extern const char native_back[];

__asm__(".text\n"
        ".globl native_run, native_back\n"
        "native_run:\n"
        "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; pushfq\n"
        "  mov %rsp, native_stack(%rip)\n"
        "  call *native_load(%rip)\n"
        "  pushq 128+native_in(%rip); popfq\n"
        "  mov 0+native_in(%rip), %rax; mov 8+native_in(%rip), %rcx; mov 16+native_in(%rip), %rdx\n"
        "  mov 24+native_in(%rip), %rbx; mov 32+native_in(%rip), %rsp; mov 40+native_in(%rip), %rbp\n"
        "  mov 48+native_in(%rip), %rsi; mov 56+native_in(%rip), %rdi; mov 64+native_in(%rip), %r8\n"
        "  mov 72+native_in(%rip), %r9; mov 80+native_in(%rip), %r10; mov 88+native_in(%rip), %r11\n"
        "  mov 96+native_in(%rip), %r12; mov 104+native_in(%rip), %r13; mov 112+native_in(%rip), %r14\n"
        "  mov 120+native_in(%rip), %r15\n"
        "  jmp *native_target(%rip)\n"
        "native_back:\n"
        "  mov %rax, 0+native_out(%rip); mov %rcx, 8+native_out(%rip); mov %rdx, 16+native_out(%rip)\n"
        "  mov %rbx, 24+native_out(%rip); mov %rsp, 32+native_out(%rip); mov %rbp, 40+native_out(%rip)\n"
        "  mov %rsi, 48+native_out(%rip); mov %rdi, 56+native_out(%rip); mov %r8, 64+native_out(%rip)\n"
        "  mov %r9, 72+native_out(%rip); mov %r10, 80+native_out(%rip); mov %r11, 88+native_out(%rip)\n"
        "  mov %r12, 96+native_out(%rip); mov %r13, 104+native_out(%rip); mov %r14, 112+native_out(%rip)\n"
        "  mov %r15, 120+native_out(%rip)\n"
        "  mov native_stack(%rip), %rsp\n"
        "  pushfq; popq 128+native_out(%rip)\n"
        "  call *native_store(%rip)\n"
        "  popfq; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "  cld\n"
        "  ret\n");

/* Below 2 GiB, so that every addressing form can reach it: the code, then the buffer between pages that
 * nobody may touch. */
static uint8_t *area, *code, *buffer;
static uint8_t before[BUFFER_SIZE], copy[BUFFER_SIZE];
static uint32_t features; /* DECODE_FEATURE_... of this processor */
static uint16_t selectors[SEGMENT_COUNT];
static sigjmp_buf escape;

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t random64(void)
{
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static unsigned below(unsigned limit)
{
    return (unsigned)(random64() % limit);
}

static void on_signal(int number)
{
    siglongjmp(escape, number);
}

static int set_up(void **state_)
{
    static uint8_t stack[65536];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
    unsigned a, b, c, d;

    area = mmap(NULL, 8 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (area == MAP_FAILED)
        return -1;
    code = area + 4096;
    buffer = area + 3 * 4096;
    if (mprotect(code, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) != 0 ||
        mprotect(buffer, BUFFER_SIZE, PROT_READ | PROT_WRITE) != 0 || sigaltstack(&alternate, NULL) != 0)
        return -1;
    if (__get_cpuid(1, &a, &b, &c, &d))
        features |= (c & bit_MOVBE ? DECODE_FEATURE_MOVBE : 0) |
                    (c & bit_POPCNT ? DECODE_FEATURE_POPCNT : 0) |
                    (c & bit_SSE4_2 ? DECODE_FEATURE_CRC32 : 0) |
                    (c & bit_CMPXCHG16B ? DECODE_FEATURE_CMPXCHG16B : 0);
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
        features |= b & bit_BMI ? DECODE_FEATURE_TZCNT : 0;
    if (__get_cpuid(0x80000001, &a, &b, &c, &d))
        features |= c & bit_LZCNT ? DECODE_FEATURE_LZCNT : 0;
    if (__builtin_cpu_supports("avx")) {
        features |= DECODE_FEATURE_AVX;
        native_load = load_avx;
        native_store = store_avx;
    }
    __asm__("mov %%es, %0" : "=m"(selectors[SEGMENT_ES]));
    __asm__("mov %%cs, %0" : "=m"(selectors[SEGMENT_CS]));
    __asm__("mov %%ss, %0" : "=m"(selectors[SEGMENT_SS]));
    __asm__("mov %%ds, %0" : "=m"(selectors[SEGMENT_DS]));
    __asm__("mov %%fs, %0" : "=m"(selectors[SEGMENT_FS]));
    __asm__("mov %%gs, %0" : "=m"(selectors[SEGMENT_GS]));
    for (unsigned i = 0; i < BUFFER_SIZE; i++)
        before[i] = (uint8_t)random64();
    return 0;
}

/* An instruction as it is put together. */
struct encoding {
    uint8_t bytes[32];
    unsigned length;
    unsigned displacement_at, displacement_size; /* 0: there is none */
};

static void put(struct encoding *e, uint8_t byte)
{
    e->bytes[e->length++] = byte;
}

static void put_displacement(struct encoding *e, unsigned size)
{
    e->displacement_at = e->length;
    e->displacement_size = size;
    for (unsigned i = 0; i < size; i++)
        put(e, (uint8_t)random64());
}

static void put_prefixes(struct encoding *e)
{
    static const uint8_t ignored[] = {0x26, 0x2e, 0x36, 0x3e};

    if (below(4) == 0)
        put(e, 0x66);
    if (below(4) == 0)
        put(e, 0x67);
    if (below(8) == 0)
        put(e, ignored[below(4)]);
    if (below(4) == 0)
        put(e, below(2) ? 0xf3 : 0xf2);
    if (below(4) == 0)
        put(e, 0xf0);
    if (below(2) == 0)
        put(e, (uint8_t)(0x40 | below(16)));
}

static void put_modrm(struct encoding *e)
{
    uint8_t modrm = (uint8_t)(below(3) << 6 | below(64)), sib = 0;

    put(e, modrm);
    if ((modrm & 7) == 4) {
        sib = (uint8_t)random64();
        put(e, sib);
    }
    if (modrm >> 6 == 1)
        put_displacement(e, 1);
    else if (modrm >> 6 == 2 || (modrm & 7) == 5 || ((modrm & 7) == 4 && (sib & 7) == 5))
        put_displacement(e, 4);
}

/* What mandatory prefixes make: counts, CRC32, moves of vector registers with and without VEX. */
static void put_prefixed_opcode(struct encoding *e)
{
    static const uint8_t prefix_bytes[] = {0, 0x66, 0xf3, 0xf2};
    const struct opcode_vector *opcode = &opcodes_vector[below(opcodes_vector_count)];
    unsigned kind = below(8);
    uint8_t rex = (uint8_t)(0x40 | below(16));

    e->length = 0; /* prefixes in this order */
    if (kind == 0) {
        put(e, below(2) ? 0x66 : 0x3e);
        put(e, 0xf3);
        put(e, rex);
        put(e, 0x0f);
        put(e, (uint8_t)(below(3) ? 0xbc | below(2) : 0xb8));
        return;
    }
    if (kind == 1) {
        if (below(2))
            put(e, 0x66);
        put(e, 0xf2);
        put(e, rex);
        put(e, 0x0f);
        put(e, 0x38);
        put(e, (uint8_t)(0xf0 | below(2)));
        return;
    }
    if (kind == 2) { /* CMPXCHG8B and 16B, if ModRM.reg is 1 */
        put(e, rex);
        put(e, 0x0f);
        put(e, 0xc7);
        return;
    }
    if (kind >= 5) {
        put(e, 0xc4);
        put(e, (uint8_t)(opcode->map | below(8) << 5));
        put(e, (uint8_t)(opcode->prefix | below(2) << 2 | (below(2) ? 15 : below(16)) << 3 | below(2) << 7));
    } else {
        if (opcode->prefix != PREFIX_NONE)
            put(e, prefix_bytes[opcode->prefix]);
        put(e, rex);
        put(e, 0x0f);
        if (opcode->map == 2)
            put(e, 0x38);
    }
    put(e, opcode->byte);
}

/* Any opcode that the tables have, with whatever follows. */
static void make(struct encoding *e)
{
    struct opcode opcode;
    uint8_t byte;

    memset(e, 0, sizeof(*e));
    put_prefixes(e);
    do {
        byte = (uint8_t)random64();
        opcode = below(2) ? opcodes_one_byte[byte] : (struct opcode){0};
        if (opcode.form > FORM_UNDEFINED) {
            put(e, byte);
            break;
        }
        opcode = opcodes_two_byte[byte];
        if (opcode.form > FORM_UNDEFINED) {
            put(e, 0x0f);
            put(e, byte);
            break;
        }
        if (below(8) == 0) {
            put_prefixed_opcode(e);
            opcode.form = FORM_E_G;
        } else if (below(64) == 0) {
            put(e, 0x0f);
            put(e, 0x38);
            put(e, (uint8_t)(0xf0 | below(2)));
            opcode.form = FORM_E_G;
        }
    } while (opcode.form <= FORM_UNDEFINED);
    if (opcode.form == FORM_A_O || opcode.form == FORM_O_A)
        put_displacement(e, 8);
    else if (opcode.form != FORM_STRING)
        put_modrm(e);
    for (unsigned i = 0; i < 4; i++)
        put(e, (uint8_t)random64());
}

static void set_displacement(struct encoding *e, uint64_t value)
{
    memcpy(e->bytes + e->displacement_at, &value, e->displacement_size);
}

static bool bit_string(const struct instruction *instruction)
{
    return instruction->operation >= OPERATION_BT && instruction->operation <= OPERATION_BTC &&
           instruction->source == OPERAND_REGISTER;
}

/* Chooses registers, and a displacement where there is no base, so that the operand lies in the buffer's
 * middle page. */
static bool aim(struct encoding *e, struct instruction *instruction, struct state *in)
{
    const struct memory_operand *memory = &instruction->memory;
    uint64_t target =
        (uintptr_t)buffer + 4096 +
        (instruction->aligned ? below(4096) & -(unsigned)instruction->memory_size : below(4096));
    uint64_t high = instruction->address_size == 4 ? random64() << 32 : 0, index = 0;

    if (memory->base == memory->index && memory->base < 16)
        return false;
    if (bit_string(instruction)) {
        if (instruction->reg == memory->base || instruction->reg == memory->index)
            return false;
        in->gpr[instruction->reg] =
            instruction->operand_size == 2 ? random64() : (uint64_t)(int16_t)random64();
    }
    if (memory->index != REGISTER_NONE) {
        in->gpr[memory->index] = (uint64_t)(int64_t)((int)below(2 * INDEX_MAX) - INDEX_MAX);
        index = in->gpr[memory->index] * memory->scale;
    }
    if (memory->base < 16)
        in->gpr[memory->base] =
            ((target - index - (uint64_t)memory->displacement) & alu_mask(instruction->address_size)) | high;
    else if (memory->base == REGISTER_RIP)
        set_displacement(e, target - ((uintptr_t)code + instruction->length));
    else
        set_displacement(e, target - index);
    if (instruction->operation == OPERATION_PUSH || instruction->operation == OPERATION_POP) {
        if (memory->base == REGISTER_RSP && (memory->displacement > 128 || memory->displacement < -128))
            return false;
        if (memory->base == REGISTER_RSP)
            in->gpr[REGISTER_RSP] -= high; /* the stack's own address has 64 bits */
        else
            in->gpr[REGISTER_RSP] = (uintptr_t)buffer + 4096 + below(4096);
    }
    return true;
}

static void aim_string(const struct instruction *instruction, struct state *in)
{
    uint64_t high = instruction->address_size == 4 ? random64() << 32 : 0;

    in->gpr[REGISTER_RSI] = ((uintptr_t)buffer + 4096 + below(4096)) | high;
    in->gpr[REGISTER_RDI] = ((uintptr_t)buffer + 4096 + below(4096)) | high;
    if (below(4) == 0) /* equal elements, so that REPE goes on */
        in->gpr[REGISTER_RDI] = in->gpr[REGISTER_RSI];
    /* The processor clears the upper halves of 4-byte counters even for no element; that is not modelled. */
    in->gpr[REGISTER_RCX] = (1 + below(ELEMENTS_MAX)) | high;
}

/* Flags that the manual leaves undefined for this instruction. */
static uint64_t undefined_flags(const struct instruction *instruction, const struct state *in)
{
    unsigned operation = instruction->operation, bits = 8u * instruction->operand_size;
    bool by_cl = instruction->source == OPERAND_CL || instruction->third == OPERAND_CL;
    unsigned count =
        (unsigned)(by_cl ? in->gpr[REGISTER_RCX] : instruction->immediate) & (bits == 64 ? 63 : 31);
    uint64_t flags = 0;

    switch (operation) {
    case OPERATION_AND:
    case OPERATION_OR:
    case OPERATION_XOR:
    case OPERATION_TEST:
        return FLAG_AF;
    case OPERATION_SHL:
    case OPERATION_SHR:
        flags |= count >= bits ? FLAG_CF : 0;
        /* fall through */
    case OPERATION_SAR:
    case OPERATION_SHLD:
    case OPERATION_SHRD:
        flags |= count != 0 ? FLAG_AF : 0;
        /* fall through */
    case OPERATION_ROL:
    case OPERATION_ROR:
    case OPERATION_RCL:
    case OPERATION_RCR:
        return flags | (count > 1 ? FLAG_OF : 0);
    case OPERATION_BT:
    case OPERATION_BTS:
    case OPERATION_BTR:
    case OPERATION_BTC:
        return FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF;
    case OPERATION_DIV:
    case OPERATION_IDIV:
        return FLAGS_STATUS;
    case OPERATION_BSF:
    case OPERATION_BSR:
        return FLAGS_STATUS & ~FLAG_ZF;
    case OPERATION_TZCNT:
    case OPERATION_LZCNT:
        return FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF;
    case OPERATION_MUL:
    case OPERATION_IMUL:
    case OPERATION_IMUL_TO:
        return FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF;
    default:
        return 0;
    }
}

/* SHLD and SHRD of 16 bits by more have no defined result. */
static bool result_undefined(const struct instruction *instruction, const struct state *in)
{
    uint64_t count = instruction->third == OPERAND_CL ? in->gpr[REGISTER_RCX] : instruction->immediate;

    return (instruction->operation == OPERATION_SHLD || instruction->operation == OPERATION_SHRD) &&
           instruction->operand_size == 2 && (count & 31) > 16;
}

static void segment(void *context, enum segment_register which, struct emulate_segment *segment_)
{
    *segment_ = (struct emulate_segment){.limit = UINT32_MAX, .selector = selectors[which]};
}

static enum emulate_status translate(void *context, struct emulate_place *place, bool write,
                                     struct emulate_exception *exception)
{
    for (unsigned i = 0; i < 2; i++) {
        place->guest_physical[i] = place->linear[i] - (uintptr_t)buffer;
        if (place->size[i] != 0 && place->guest_physical[i] + place->size[i] > BUFFER_SIZE)
            return EMULATE_REFUSED;
    }
    return EMULATE_DONE;
}

static enum emulate_status read_copy(void *context, const struct emulate_place *place, uint64_t *value)
{
    *value = 0;
    memcpy(value, copy + place->guest_physical[0], place->size[0]);
    memcpy((uint8_t *)value + place->size[0], copy + place->guest_physical[1], place->size[1]);
    return EMULATE_DONE;
}

static enum emulate_status write_copy(void *context, const struct emulate_place *place, uint64_t value)
{
    memcpy(copy + place->guest_physical[0], &value, place->size[0]);
    memcpy(copy + place->guest_physical[1], (uint8_t *)&value + place->size[0], place->size[1]);
    return EMULATE_DONE;
}

/* Every one is on; the test's `out` has the registers. */
static void controls(void *context, struct emulate_controls *controls_)
{
    *controls_ = (struct emulate_controls){.cr4 = 1u << 9 | 1u << 18, .xcr0 = 7};
}

static void vector_read(void *context, unsigned reg, unsigned size, void *bytes)
{
    memcpy(bytes, ((struct state *)context)->vectors[reg], size);
}

static void vector_write(void *context, unsigned reg, unsigned size, bool clears, const void *bytes)
{
    uint8_t *to = ((struct state *)context)->vectors[reg];

    memcpy(to, bytes, size);
    if (clears)
        memset(to + size, 0, VECTOR_BYTES - size);
}

static void show(const struct encoding *e, const struct instruction *instruction)
{
    printf("%s:", operation_name(instruction->operation));
    for (unsigned i = 0; i < instruction->length; i++)
        printf(" %02x", e->bytes[i]);
    printf("\n");
}

/* 0, or the signal that stopped it. */
static int run_native(const struct encoding *e, const struct instruction *instruction, const struct state *in)
{
    static const uint8_t jump[] = {0xff, 0x25, 0, 0, 0, 0};
    uint64_t back = (uintptr_t)native_back;
    int number = sigsetjmp(escape, 0);

    if (number != 0) {
        __asm__ volatile("cld");
        return number;
    }
    memcpy(code, e->bytes, instruction->length);
    memcpy(code + instruction->length, jump, sizeof(jump));
    memcpy(code + instruction->length + sizeof(jump), &back, sizeof(back));
    native_in = *in;
    native_target = (uintptr_t)code;
    native_run();
    return 0;
}

static void compare(const struct encoding *e, const struct instruction *instruction, const struct state *in,
                    const struct state *out)
{
    uint64_t flags = FLAGS_STATUS & ~undefined_flags(instruction, in);
    bool same = ((native_out.rflags ^ out->rflags) & flags) == 0 && memcmp(buffer, copy, BUFFER_SIZE) == 0 &&
                memcmp(native_out.gpr, out->gpr, sizeof(out->gpr)) == 0;

    for (unsigned i = 0; i < 16; i++)
        same = same && memcmp(native_out.vectors[i], out->vectors[i],
                              features & DECODE_FEATURE_AVX ? VECTOR_BYTES : 16) == 0;

    if (same)
        return;
    show(e, instruction);
    printf("flags in=%#llx native=%#llx emulated=%#llx compared=%#llx\n", (unsigned long long)in->rflags,
           (unsigned long long)native_out.rflags, (unsigned long long)out->rflags, (unsigned long long)flags);
    for (unsigned i = 0; i < 16; i++)
        if (native_out.gpr[i] != out->gpr[i])
            printf("register %u in=%#llx native=%#llx emulated=%#llx\n", i, (unsigned long long)in->gpr[i],
                   (unsigned long long)native_out.gpr[i], (unsigned long long)out->gpr[i]);
    for (unsigned i = 0; i < BUFFER_SIZE; i++)
        if (buffer[i] != copy[i])
            printf("byte %#x before=%02x native=%02x emulated=%02x\n", i, before[i], buffer[i], copy[i]);
    fail_msg("the emulator and the processor differ");
}

/* Makes CMPXCHG find what it looks for, in some cases. */
static void make_equal(const struct instruction *instruction, struct state *in)
{
    struct emulate_processor processor = {.gpr = in->gpr, .rip = (uintptr_t)code};
    const uint8_t *at = before + (operand_offset(&processor, instruction) - (uintptr_t)buffer);

    if ((below(4) != 0 && instruction->operation != OPERATION_DIV &&
         instruction->operation != OPERATION_IDIV) ||
        instruction->memory.base == REGISTER_RAX || instruction->memory.index == REGISTER_RAX)
        return;
    if (instruction->operation == OPERATION_CMPXCHG) {
        memcpy(&in->gpr[REGISTER_RAX], at, instruction->operand_size);
    } else if (instruction->operation == OPERATION_CMPXCHG8B && instruction->memory.base != REGISTER_RDX &&
               instruction->memory.index != REGISTER_RDX) {
        memcpy(&in->gpr[REGISTER_RAX], at, 4);
        memcpy(&in->gpr[REGISTER_RDX], at + 4, 4);
    } else if (instruction->operation == OPERATION_CMPXCHG16B && instruction->memory.base != REGISTER_RDX &&
               instruction->memory.index != REGISTER_RDX) {
        memcpy(&in->gpr[REGISTER_RAX], at, 8);
        memcpy(&in->gpr[REGISTER_RDX], at + 8, 8);
    } else if (instruction->operation == OPERATION_DIV || instruction->operation == OPERATION_IDIV) {
        /* In half of the cases a quotient that has room, if the divisor is not small. */
        if (instruction->operand_size == 1)
            in->gpr[REGISTER_RAX] = (uint64_t)((int16_t)in->gpr[REGISTER_RAX] >> (4 + below(3)));
        else if (below(2) && instruction->memory.base != REGISTER_RDX &&
                 instruction->memory.index != REGISTER_RDX)
            in->gpr[REGISTER_RDX] =
                instruction->operation == OPERATION_IDIV
                    ? alu_sign_extend(in->gpr[REGISTER_RAX], instruction->operand_size) >> 63 ? UINT64_MAX : 0
                    : below(16);
    }
}

/* BSF and BSR of 0 leave the register undefined. */
static bool scans_nothing(const struct instruction *instruction, const struct state *in)
{
    struct emulate_processor processor = {.gpr = (uint64_t *)(uintptr_t)in->gpr, .rip = (uintptr_t)code};
    uint64_t value = 0;

    if (instruction->operation != OPERATION_BSF && instruction->operation != OPERATION_BSR)
        return false;
    memcpy(&value, before + (operand_offset(&processor, instruction) - (uintptr_t)buffer),
           instruction->operand_size);
    return value == 0;
}

/* One instruction; true if it was one that can be compared. */
static bool one_case(unsigned *covered, unsigned *locked, unsigned *repeated, unsigned *refused)
{
    struct emulate_exception exception;
    struct encoding e;
    struct instruction instruction;
    struct state in, out;
    struct emulate_processor processor = {.gpr = out.gpr,
                                          .rip = (uintptr_t)code,
                                          .protected_mode = true,
                                          .linear_width = 48,
                                          .elements_max = EMULATE_ELEMENTS_MAX,
                                          .segment = segment,
                                          .translate = translate,
                                          .read = read_copy,
                                          .write = write_copy,
                                          .context = &out,
                                          .controls = controls,
                                          .vector_read = vector_read,
                                          .vector_write = vector_write};
    enum emulate_status status;
    int number;

    make(&e);
    if (decode_instruction(e.bytes, e.length, 8, &instruction) != DECODE_OK ||
        decode_for_features(&instruction, features) != DECODE_OK ||
        operation_is_system_store(instruction.operation) || instruction.operation == OPERATION_CALL ||
        instruction.operation == OPERATION_JMP || operation_is_port_string(instruction.operation))
        return false;
    for (unsigned i = 0; i < 16; i++)
        in.gpr[i] = below(4) == 0 ? (uint64_t)(int8_t)random64() : random64();
    for (unsigned i = 0; i < sizeof(in.vectors); i += 8)
        memcpy((uint8_t *)in.vectors + i, &(uint64_t){random64()}, 8);
    in.rflags = 0x202 | (random64() & (FLAGS_STATUS | FLAG_DF));
    if (operation_is_string(instruction.operation))
        aim_string(&instruction, &in);
    else if (!aim(&e, &instruction, &in))
        return false;
    assert_int_equal(decode_instruction(e.bytes, e.length, 8, &instruction), DECODE_OK);
    make_equal(&instruction, &in);
    (void)decode_for_features(&instruction, features);
    if (result_undefined(&instruction, &in) || scans_nothing(&instruction, &in))
        return false;

    memcpy(buffer, before, BUFFER_SIZE);
    memcpy(copy, before, BUFFER_SIZE);
    out = in;
    processor.rflags = in.rflags;
    status = emulate_instruction(&processor, &instruction, &exception);
    if (status == EMULATE_EXCEPTION && exception.vector == EMULATE_VECTOR_DE) {
        if (run_native(&e, &instruction, &in) != SIGFPE) {
            show(&e, &instruction);
            fail_msg("the processor divides");
        }
        covered[instruction.operation]++;
        (*refused)++;
        return true;
    }
    if (status != EMULATE_DONE) {
        show(&e, &instruction);
        fail_msg("the emulator does not carry it out");
    }
    out.rflags = processor.rflags;
    assert_int_equal(processor.rip, (uintptr_t)code + instruction.length);
    number = run_native(&e, &instruction, &in);
    if (number != 0) {
        show(&e, &instruction);
        fail_msg("the processor raises signal %d", number);
    }
    compare(&e, &instruction, &in, &out);
    covered[instruction.operation]++;
    *locked += instruction.lock;
    *repeated += instruction.repeat != REPEAT_NONE;
    return true;
}

/* Not on this processor. */
static bool lacking(unsigned operation)
{
    struct instruction instruction = {.operation = (uint8_t)operation};

    return decode_for_features(&instruction, features) != DECODE_OK || instruction.operation != operation;
}

static void test_random_instructions(void **state_)
{
    unsigned covered[OPERATION_COUNT] = {0}, locked = 0, repeated = 0, refused = 0, cases = 0;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_NODEFER};

    /* Here, for cmocka has set its own. */
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
    sigaction(SIGTRAP, &action, NULL);

    while (cases < CASES)
        cases += one_case(covered, &locked, &repeated, &refused);
    for (unsigned i = OPERATION_NONE + 1; i < OPERATION_COUNT; i++) {
        printf("%s=%u ", operation_name(i), covered[i]);
        if (i == OPERATION_CALL || i == OPERATION_JMP || operation_is_port_string(i) ||
            operation_is_system_store(i) || lacking(i))
            continue;
        assert_true(covered[i] >= COVERED_MIN);
    }
    printf("locked=%u repeated=%u divide errors=%u cases=%u\n", locked, repeated, refused, cases);
    assert_true(locked > 1000 && repeated > 1000 && refused > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_instructions)};

    return cmocka_run_group_tests(tests, set_up, NULL);
}
