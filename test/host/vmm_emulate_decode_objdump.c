/* SPDX-License-Identifier: MIT */
/*
 * The decoder against objdump, in 16-, 32- and 64-bit code: every opcode that it knows with every addressing
 * form and with prefixes, and random bytes. Each instruction is written out as objdump would and compared:
 * length, mnemonic, operands with their sizes, segment, displacement and immediate.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/emulate/decode.h"
#include "vmm/emulate/alu.h"
#include "vmm/emulate/opcode.h"

#define SLOT      32u /* an instruction at the start, NOPs behind it: objdump is in step again at the next one */
#define SLOTS_MAX 200000u
#define RANDOM    20000u
#define TEXT      256u
#define COMPARED_PERCENT                                                                                     \
    40u /* of what is made; the rest is UNKNOWN or UNDEFINED by its prefixes or group                        \
         */

static uint8_t corpus[SLOTS_MAX * SLOT];
static unsigned slots;
static uint64_t random_state;

static uint32_t random32(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 32);
}

static void add_slot(const uint8_t *bytes, unsigned count)
{
    uint8_t *slot = corpus + (size_t)slots * SLOT;

    assert_true(slots < SLOTS_MAX);
    memset(slot, 0x90, SLOT);
    memcpy(slot, bytes, count < INSTRUCTION_LENGTH_MAX ? count : INSTRUCTION_LENGTH_MAX);
    slots++;
}

static const uint8_t prefixes[][3] = {{0},    {0x66}, {0x67},       {0x66, 0x67},
                                      {0xf0}, {0x64}, {0x36, 0x67}, {0xf3, 0x66}};

/* One opcode with every ModRM.mod and rm, or without one. */
static void add_opcode(const uint8_t *opcode, unsigned length, bool modrm, unsigned code_size)
{
    for (unsigned p = 0; p < sizeof(prefixes) / sizeof(prefixes[0]); p++) {
        for (unsigned form = 0; form < (modrm ? 24u : 2u); form++) {
            uint8_t bytes[32];
            unsigned count = 0;

            for (unsigned i = 0; i < 3 && prefixes[p][i] != 0; i++)
                bytes[count++] = prefixes[p][i];
            if (code_size == 8 && random32() % 2)
                bytes[count++] = (uint8_t)(0x40 | random32() % 16);
            memcpy(bytes + count, opcode, length);
            count += length;
            if (modrm)
                bytes[count++] = (uint8_t)(form >> 3 << 6 | random32() % 8 << 3 | (form & 7));
            while (count < INSTRUCTION_LENGTH_MAX)
                bytes[count++] = (uint8_t)random32();
            add_slot(bytes, count);
        }
    }
}

/* Every move of a vector register: as SSE, and with VEX prefixes of two and three bytes, mostly with what
 * they must have where they name no register. */
static void add_vectors(unsigned code_size)
{
    static const uint8_t prefix_bytes[] = {0, 0x66, 0xf3, 0xf2};

    for (unsigned i = 0; i < opcodes_vector_count; i++) {
        const struct opcode_vector *opcode = &opcodes_vector[i];

        for (unsigned form = 0; form < 24 * 6; form++) {
            uint8_t bytes[32];
            unsigned count = 0, kind = form / 24, low = form % 24;
            uint8_t last = (uint8_t)(opcode->prefix | (random32() % 2 ? 4 : 0) |
                                     (random32() % 8 ? 0x78 : random32() % 16 << 3));

            if (random32() % 4 == 0)
                bytes[count++] = 0x64;
            if (kind >= 4 && opcode->map == 1) {
                bytes[count++] = 0xc5;
                bytes[count++] = (uint8_t)(last | (code_size == 8 && random32() % 2 ? 0 : 0x80));
            } else if (kind >= 2) {
                bytes[count++] = 0xc4;
                bytes[count++] = (uint8_t)(opcode->map | (code_size == 8 ? random32() % 8 << 5 : 0xe0));
                bytes[count++] = (uint8_t)(last | random32() % 2 << 7);
            } else {
                if (opcode->prefix != PREFIX_NONE)
                    bytes[count++] = prefix_bytes[opcode->prefix];
                if (code_size == 8 && random32() % 2)
                    bytes[count++] = (uint8_t)(0x40 | random32() % 16);
                bytes[count++] = 0x0f;
                if (opcode->map == 2)
                    bytes[count++] = 0x38;
            }
            bytes[count++] = opcode->byte;
            bytes[count++] = (uint8_t)(low >> 3 << 6 | random32() % 8 << 3 | (low & 7));
            while (count < INSTRUCTION_LENGTH_MAX)
                bytes[count++] = (uint8_t)random32();
            add_slot(bytes, count);
        }
    }
}

static void make_corpus(unsigned code_size)
{
    slots = 0;
    random_state = code_size;
    for (unsigned i = 0; i < 256; i++) {
        uint8_t one[] = {(uint8_t)i}, two[] = {0x0f, (uint8_t)i};
        unsigned form = opcodes_one_byte[i].form;

        if (form > FORM_UNDEFINED)
            add_opcode(one, 1, form != FORM_A_O && form != FORM_O_A && form != FORM_STRING, code_size);
        if (opcodes_two_byte[i].form > FORM_UNDEFINED)
            add_opcode(two, 2, true, code_size);
    }
    for (unsigned i = 0; i < 2; i++) {
        add_opcode((const uint8_t[]){0x0f, 0x38, (uint8_t)(0xf0 | i)}, 3, true, code_size);
        add_opcode((const uint8_t[]){0xf2, 0x0f, 0x38, (uint8_t)(0xf0 | i)}, 4, true, code_size);
        add_opcode((const uint8_t[]){0xf3, 0x0f, (uint8_t)(0xbc | i)}, 3, true, code_size);
    }
    add_opcode((const uint8_t[]){0xf3, 0x0f, 0xb8}, 3, true, code_size);
    add_vectors(code_size);
    for (unsigned i = 0; i < RANDOM; i++) {
        uint8_t bytes[INSTRUCTION_LENGTH_MAX];

        for (unsigned k = 0; k < sizeof(bytes); k++)
            bytes[k] = (uint8_t)random32();
        add_slot(bytes, sizeof(bytes));
    }
}

/* --- The instruction as text --- */

static const char *const segments[] = {"es", "cs", "ss", "ds", "fs", "gs"};

static void register_text(char *to, unsigned reg, unsigned size, bool high)
{
    static const char *const low[] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
    static const char *const bytes[] = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"};

    if (high)
        sprintf(to, "%ch", low[reg][0]);
    else if (size > 8)
        sprintf(to, "%cmm%u", size == 16 ? 'x' : 'y', reg);
    else if (reg >= 8)
        sprintf(to, "r%u%s", reg, size == 1 ? "b" : size == 2 ? "w" : size == 4 ? "d" : "");
    else if (size == 1)
        strcpy(to, bytes[reg]);
    else
        sprintf(to, "%s%s", size == 8 ? "r" : size == 4 ? "e" : "", low[reg]);
}

static const char *size_text(unsigned size)
{
    return size == 1    ? "BYTE"
           : size == 2  ? "WORD"
           : size == 4  ? "DWORD"
           : size == 8  ? "QWORD"
           : size == 16 ? "XMMWORD"
                        : "YMMWORD";
}

static void memory_text(char *to, const struct instruction *instruction)
{
    const struct memory_operand *memory = &instruction->memory;
    uint64_t mask = alu_mask(instruction->address_size);
    int64_t displacement = memory->displacement;
    char reg[8];

    to += sprintf(to, "%s PTR %s:", size_text(instruction->memory_size), segments[memory->segment]);
    if (memory->base == REGISTER_NONE && memory->index == REGISTER_NONE) {
        sprintf(to, "0x%llx", (unsigned long long)((uint64_t)displacement & mask));
        return;
    }
    *to++ = '[';
    if (memory->base == REGISTER_RIP) {
        to += sprintf(to, "%s", instruction->address_size == 8 ? "rip" : "eip");
    } else if (memory->base != REGISTER_NONE) {
        register_text(reg, memory->base, instruction->address_size, false);
        to += sprintf(to, "%s", reg);
    }
    if (memory->index != REGISTER_NONE) {
        register_text(reg, memory->index, instruction->address_size, false);
        to += sprintf(to, "%s%s", memory->base != REGISTER_NONE ? "+" : "", reg);
        if (instruction->address_size != 2)
            to += sprintf(to, "*%u", memory->scale);
    }
    if (memory->base == REGISTER_RIP)
        to += sprintf(to, "+0x%llx", (unsigned long long)displacement);
    else if (displacement < 0)
        to += sprintf(to, "-0x%llx", (unsigned long long)-displacement);
    else if (displacement > 0)
        to += sprintf(to, "+0x%llx", (unsigned long long)displacement);
    sprintf(to, "]");
}

static void operand_text(char *to, const struct instruction *instruction, unsigned kind)
{
    bool count = (instruction->operation >= OPERATION_ROL && instruction->operation <= OPERATION_BTC) ||
                 kind == OPERAND_CL;

    switch (kind) {
    case OPERAND_MEMORY:
        memory_text(to, instruction);
        break;
    case OPERAND_REGISTER:
        register_text(to, instruction->reg, instruction->operand_size, instruction->reg_high);
        break;
    case OPERAND_VECTOR:
        register_text(to, instruction->reg, instruction->operand_size, false);
        break;
    case OPERAND_VECTOR_2:
        register_text(to, instruction->vector, instruction->operand_size, false);
        break;
    case OPERAND_SEGMENT:
        strcpy(to, segments[instruction->reg]);
        break;
    case OPERAND_CL:
        strcpy(to, "cl");
        break;
    default:
        sprintf(
            to, "0x%llx",
            (unsigned long long)(instruction->immediate & alu_mask(count ? 1 : instruction->operand_size)));
    }
}

static void string_text(char *to, const struct instruction *instruction)
{
    const char *size = size_text(instruction->memory_size), *segment = segments[instruction->memory.segment];
    char si[8], di[8], a[8];

    register_text(si, REGISTER_RSI, instruction->address_size, false);
    register_text(di, REGISTER_RDI, instruction->address_size, false);
    register_text(a, REGISTER_RAX, instruction->memory_size, false);
    switch (instruction->operation) {
    case OPERATION_MOVS:
        sprintf(to, "movs %s PTR es:[%s],%s PTR %s:[%s]", size, di, size, segment, si);
        break;
    case OPERATION_CMPS:
        sprintf(to, "cmps %s PTR %s:[%s],%s PTR es:[%s]", size, segment, si, size, di);
        break;
    case OPERATION_STOS:
        sprintf(to, "stos %s PTR es:[%s],%s", size, di, a);
        break;
    case OPERATION_LODS:
        sprintf(to, "lods %s,%s PTR %s:[%s]", a, size, segment, si);
        break;
    case OPERATION_INS:
        sprintf(to, "ins %s PTR es:[%s],dx", size, di);
        break;
    case OPERATION_OUTS:
        sprintf(to, "outs dx,%s PTR %s:[%s]", size, segment, si);
        break;
    default:
        sprintf(to, "scas %s,%s PTR es:[%s]", a, size, di);
    }
}

static void instruction_text(char *to, const struct instruction *instruction)
{
    static const char *const conditions[] = {"o", "no", "b", "ae", "e", "ne", "be", "a",
                                             "s", "ns", "p", "np", "l", "ge", "le", "g"};
    const unsigned operands[] = {instruction->destination, instruction->source, instruction->third};

    if (operation_is_string(instruction->operation)) {
        string_text(to, instruction);
        return;
    }
    if (instruction->vex)
        *to++ = 'v';
    for (const char *name = operation_name(instruction->operation); *name != '\0'; name++)
        *to++ = (char)(*name >= 'A' && *name <= 'Z' ? *name + ('a' - 'A') : *name);
    if (instruction->operation == OPERATION_CMOV || instruction->operation == OPERATION_SET)
        to += sprintf(to, "%s", conditions[instruction->condition]);
    for (unsigned i = 0; i < 3 && operands[i] != OPERAND_NONE; i++) {
        *to++ = i == 0 ? ' ' : ',';
        operand_text(to, instruction, operands[i]);
        to += strlen(to);
    }
}

/* --- objdump's text in the same shape --- */

static bool is_prefix_word(const char *word, size_t length)
{
    static const char *const words[] = {"lock",   "rep",    "repz",     "repnz",    "data16", "data32",
                                        "addr16", "addr32", "cs",       "ds",       "es",     "ss",
                                        "fs",     "gs",     "xacquire", "xrelease", "bnd",    "notrack"};

    if (length >= 3 && strncmp(word, "rex", 3) == 0)
        return true;
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strlen(words[i]) == length && strncmp(word, words[i], length) == 0)
            return true;
    return false;
}

static void replace(char *text, const char *from, const char *to)
{
    char *at = strstr(text, from);
    char rest[TEXT];

    if (at == NULL)
        return;
    strcpy(rest, at + strlen(from));
    strcpy(at, to);
    strcat(at, rest);
}

/* "[eiz*1+0x10]", a SIB with neither base nor index, is an address like any other. */
static void plain_address(char *text, unsigned code_size)
{
    char *at = strstr(text, "[eiz*"), rest[TEXT];
    unsigned long long address;

    if (at == NULL)
        at = strstr(text, "[riz*");
    if (at == NULL)
        return;
    address = (at[6] == '-' ? -1ull : 1ull) * strtoull(at + 7, NULL, 16);
    strcpy(rest, strchr(at, ']') + 1);
    sprintf(at, "0x%llx%s", at[1] == 'e' || code_size != 8 ? address & UINT32_MAX : address, rest);
}

/* The segment of "[base..." where none is said. */
static const char *default_segment(const char *bracket)
{
    size_t length = strcspn(bracket + 1, "+-*]");
    bool stack = (length == 2 && strncmp(bracket + 1, "bp", 2) == 0) ||
                 (length == 3 && (strncmp(bracket + 2, "bp", 2) == 0 || strncmp(bracket + 2, "sp", 2) == 0));

    return stack && bracket[1 + length] != '*' ? "ss:" : "ds:";
}

static void normalise(char *text, unsigned code_size)
{
    static const char *const idle[] = {"+eiz*1", "+eiz*2", "+eiz*4", "+eiz*8",
                                       "+riz*1", "+riz*2", "+riz*4", "+riz*8"};
    static const char *const renamed[][2] = {{"movabs ", "mov "},
                                             {"movnti ", "mov "},
                                             {"movsxd ", "movsx "},
                                             {"sal ", "shl "},
                                             {"cmpxchg16b OWORD", "cmpxchg16b XMMWORD"}};
    char *comment = strstr(text, " #"), *at;

    if (comment != NULL)
        *comment = '\0';
    for (size_t length = strcspn(text, " "); text[length] != '\0' && is_prefix_word(text, length);
         length = strcspn(text, " "))
        memmove(text, text + length + strspn(text + length, " "),
                strlen(text + length + strspn(text + length, " ")) + 1);
    while ((at = strstr(text, "  ")) != NULL)
        memmove(at, at + 1, strlen(at));
    for (at = text + strlen(text); at > text && at[-1] == ' '; at--)
        at[-1] = '\0';
    for (unsigned i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++)
        if (strncmp(text, renamed[i][0], strlen(renamed[i][0])) == 0)
            replace(text, renamed[i][0], renamed[i][1]);
    for (unsigned i = 0; i < sizeof(idle) / sizeof(idle[0]); i++)
        replace(text, idle[i], "");
    replace(text, "+0x0]", "]");
    if (strlen(text) > 2 && strcmp(text + strlen(text) - 2, ",1") == 0)
        replace(text + strlen(text) - 2, ",1", ",0x1");
    /* LDDQU alone is written without the size. */
    if (strstr(text, "lddqu ") != NULL && strstr(text, "PTR") == NULL)
        replace(text, ",", strstr(text, "ymm") != NULL ? ",YMMWORD PTR " : ",XMMWORD PTR ");
    at = strstr(text, "PTR [");
    if (at != NULL) {
        char with[16];

        sprintf(with, "PTR %s[", default_segment(at + 4));
        replace(text, "PTR [", with);
    }
    plain_address(text, code_size);
    if (code_size == 8 && (at = strstr(text, "s:[")) != NULL &&
        (at[-1] == 'c' || at[-1] == 'e' || at[-1] == 'd' || at[-1] == 's') &&
        strstr(text, "PTR es:[") == NULL) {
        char with[16], from[16];

        sprintf(from, "%cs:[", at[-1]);
        sprintf(with, "%s[", default_segment(at + 2));
        replace(text, from, with);
    }
}

static bool same(const char *ours, const char *theirs)
{
    char without_size[TEXT];

    if (strcmp(ours, theirs) == 0)
        return true;
    /* Where the accumulator says the size, it is left out: "mov al,ds:0x10". */
    strcpy(without_size, ours);
    for (unsigned size = 1; size <= 32; size *= 2) {
        char from[16];

        sprintf(from, "%s PTR ", size_text(size));
        if (size == 2 && strstr(without_size, "DWORD PTR ") != NULL)
            continue;
        if (size == 2 && strstr(without_size, "QWORD PTR ") != NULL)
            continue;
        replace(without_size, from, "");
    }
    return strcmp(without_size, theirs) == 0;
}

/* objdump's forms that the instruction's meaning does not depend on. */
static bool differs_by_taste(const struct instruction *instruction, const uint8_t *bytes)
{
    bool branch = instruction->operation == OPERATION_CALL || instruction->operation == OPERATION_JMP;

    if (instruction->code_size != 8 || memchr(bytes, 0x66, instruction->length) == NULL)
        return false;
    /* In 64-bit code Intel's processors have near branches of 8 bytes alone, and MOVSXD to 16 bits reads 16.
     */
    return branch || (instruction->operation == OPERATION_MOVSX && instruction->memory_size == 2);
}

static unsigned compare_line(unsigned slot, unsigned length, char *text, unsigned code_size)
{
    const uint8_t *bytes = corpus + (size_t)slot * SLOT;
    struct instruction instruction;
    char ours[TEXT];

    if (decode_instruction(bytes, INSTRUCTION_LENGTH_MAX, code_size, &instruction) != DECODE_OK ||
        differs_by_taste(&instruction, bytes))
        return 0;
    instruction_text(ours, &instruction);
    normalise(text, code_size);
    if (strncmp(text, "rex", 3) == 0) /* a REX that another prefix makes void: objdump takes it by itself */
        return 0;
    if (length == instruction.length && same(ours, text))
        return 1;
    for (unsigned i = 0; i < INSTRUCTION_LENGTH_MAX; i++)
        printf(" %02x", bytes[i]);
    printf("\n ours:    %u \"%s\"\n objdump: %u \"%s\"\n", instruction.length, ours, length, text);
    fail_msg("the decoder and objdump differ");
    return 0;
}

/* "  addr:<tab>byte byte ... <tab>text" */
static bool parse_line(char *line, unsigned *address, unsigned *length, char **text)
{
    char *bytes = strchr(line, '\t');
    char *end;

    if (bytes == NULL)
        return false;
    *address = (unsigned)strtoul(line, &end, 16);
    if (*end != ':')
        return false;
    *text = strchr(bytes + 1, '\t');
    if (*text == NULL)
        return false;
    *(*text)++ = '\0';
    (*text)[strcspn(*text, "\n")] = '\0';
    *length = 0;
    for (char *at = strtok(bytes + 1, " "); at != NULL; at = strtok(NULL, " "))
        ++*length;
    return true;
}

static void compare_mode(unsigned code_size, const char *machine)
{
    char command[TEXT], line[1024], *text;
    unsigned address, length, seen = 0, compared = 0;
    FILE *file = tmpfile(), *pipe;

    make_corpus(code_size);
    assert_non_null(file);
    assert_int_equal(fwrite(corpus, SLOT, slots, file), slots);
    assert_int_equal(fflush(file), 0);
    sprintf(command, "objdump -D -z -b binary -M intel --insn-width=16 -m %s /dev/fd/%d", machine,
            fileno(file));
    pipe = popen(command, "r");
    assert_non_null(pipe);
    while (fgets(line, sizeof(line), pipe) != NULL) {
        if (!parse_line(line, &address, &length, &text) || address % SLOT != 0)
            continue;
        seen++;
        compared += compare_line(address / SLOT, length, text, code_size);
    }
    assert_int_equal(pclose(pipe), 0);
    fclose(file);
    printf("code size %u: %u instructions, %u compared\n", code_size, slots, compared);
    assert_int_equal(seen, slots);
    assert_true(compared >= (slots - RANDOM) / 100 * COMPARED_PERCENT);
}

static void test_16_bit_code(void **state)
{
    compare_mode(2, "i8086");
}

static void test_32_bit_code(void **state)
{
    compare_mode(4, "i386");
}

static void test_64_bit_code(void **state)
{
    compare_mode(8, "i386:x86-64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_16_bit_code),
        cmocka_unit_test(test_32_bit_code),
        cmocka_unit_test(test_64_bit_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
