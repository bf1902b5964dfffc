/* SPDX-License-Identifier: MIT */
/* Bits to words. */
#include "vmm/report/vcpu_words.h"

#include <stdbool.h>

#include "arch/x86/control_registers.h"
#include "arch/x86/exception.h"
#include "drivers/format.h"
#include "vmm/vcpu/inject.h"

#define SEGMENT_TYPE(rights) ((unsigned)((rights)&15))
#define SEGMENT_S            (1u << 4)
#define SEGMENT_DPL(rights)  ((unsigned)((rights) >> 5) & 3)
#define SEGMENT_PRESENT      (1u << 7)
#define SEGMENT_L            (1u << 13)
#define SEGMENT_DB           (1u << 14)
#define SEGMENT_G            (1u << 15)
#define SEGMENT_UNUSABLE     (1u << 16)
#define SEGMENT_RESERVED     UINT64_C(0xfffe0f00)
#define TYPE_CODE            8u
#define RFLAGS_IOPL(rflags)  ((unsigned)((rflags) >> 12) & 3)
#define RFLAGS_IOPL_MASK     (UINT64_C(3) << 12)

struct words {
    char *text;
    size_t size, length;
};

struct bit_name {
    uint64_t bit;
    const char *name;
};

static void add(struct words *words, const char *text, ...) printf_like(2, 3);

static void add(struct words *words, const char *text, ...)
{
    size_t at = words->length < words->size ? words->length : words->size;
    va_list arguments;

    va_start(arguments, text);
    words->length += format_v(words->text + at, words->size - at, text, arguments);
    va_end(arguments);
}

/* A word behind the others, divided by `between`. */
static void add_word(struct words *words, const char *between, const char *word)
{
    add(words, "%s%s", words->length != 0 ? between : "", word);
}

static void add_bits(struct words *words, uint64_t value, const struct bit_name *names, size_t count,
                     const char *between)
{
    for (size_t i = 0; i < count; i++) {
        if (value & names[i].bit)
            add_word(words, between, names[i].name);
        value &= ~names[i].bit;
    }
    for (unsigned bit = 0; bit < 64; bit++)
        if (value >> bit & 1)
            add(words, "%sbit %u", words->length != 0 ? between : "", bit);
    if (words->length == 0)
        add(words, "none");
}

static size_t bit_words(char *text, size_t size, uint64_t value, const struct bit_name *names, size_t count,
                        const char *between)
{
    struct words words = {text, size, 0};

    add_bits(&words, value, names, count, between);
    return words.length;
}

static void add_system_type(struct words *words, unsigned type)
{
    static const char *const names[] = {
        [1] = "available 16-bit TSS", [2] = "LDT",       [3] = "busy 16-bit TSS",
        [9] = "available TSS",        [11] = "busy TSS", [15] = NULL};

    if (names[type] != NULL)
        add(words, "%s", names[type]);
    else
        add(words, "system type %u", type);
}

static void add_segment_type(struct words *words, unsigned type)
{
    if (type & TYPE_CODE)
        add(words, "code %s%s", type & 2 ? "execute-read" : "execute-only", type & 4 ? " conforming" : "");
    else
        add(words, "data %s%s", type & 2 ? "read-write" : "read-only", type & 4 ? " expand-down" : "");
    if (type & 1)
        add(words, " accessed");
}

size_t vcpu_segment_words(char *text, size_t size, uint64_t rights)
{
    struct words words = {text, size, 0};
    unsigned type = SEGMENT_TYPE(rights);

    if (rights & SEGMENT_UNUSABLE)
        return format(text, size, "unusable");
    if (rights & SEGMENT_S)
        add_segment_type(&words, type);
    else
        add_system_type(&words, type);
    add(&words, " dpl=%u%s", SEGMENT_DPL(rights), rights & SEGMENT_PRESENT ? " present" : " not-present");
    if (rights & SEGMENT_S)
        add(&words, "%s",
            (rights & SEGMENT_L) && (type & TYPE_CODE) ? " 64-bit"
            : rights & SEGMENT_DB                      ? " 32-bit"
                                                       : " 16-bit");
    add(&words, "%s", rights & SEGMENT_G ? " granularity=4K" : " granularity=1");
    if (rights & SEGMENT_RESERVED)
        add(&words, " reserved=%#llx", (unsigned long long)(rights & SEGMENT_RESERVED));
    return words.length;
}

size_t vcpu_event_words(char *text, size_t size, uint64_t information, uint64_t error_code)
{
    static const char *const types[] = {
        "external interrupt", "reserved type",      "NMI",
        "hardware exception", "software interrupt", "privileged software exception",
        "software exception", "other event"};
    struct words words = {text, size, 0};
    unsigned vector = EVENT_VECTOR(information), type = EVENT_TYPE(information);
    bool exception = type == EVENT_HARDWARE_EXCEPTION || type == EVENT_PRIVILEGED_SOFTWARE_EXCEPTION ||
                     type == EVENT_SOFTWARE_EXCEPTION;

    if (!(information & EVENT_VALID))
        return format(text, size, "none");
    add(&words, "%s", types[type]);
    if (exception)
        add(&words, " %s(%u)", exception_name(vector), vector);
    else if (type != EVENT_NMI)
        add(&words, " vector=%u", vector);
    if (information & EVENT_HAS_ERROR_CODE)
        add(&words, " error=%#llx", (unsigned long long)error_code);
    if (information & EVENT_NMI_UNBLOCKING)
        add(&words, " nmi-unblocking-due-to-IRET");
    return words.length;
}

size_t vcpu_activity_words(char *text, size_t size, uint64_t state)
{
    static const char *const names[] = {"active", "HLT", "shutdown", "wait-for-SIPI"};

    if (state < array_count(names))
        return format(text, size, "%s", names[state]);
    return format(text, size, "no such state");
}

size_t vcpu_interruptibility_words(char *text, size_t size, uint64_t state)
{
    static const struct bit_name names[] = {
        {INTERRUPTIBILITY_STI, "blocking by STI"}, {INTERRUPTIBILITY_MOV_SS, "blocking by MOV SS"},
        {INTERRUPTIBILITY_SMI, "blocking by SMI"}, {INTERRUPTIBILITY_NMI, "blocking by NMI"},
        {1u << 4, "enclave interruption"},
    };

    return bit_words(text, size, state, names, array_count(names), ", ");
}

size_t vcpu_pending_debug_words(char *text, size_t size, uint64_t pending)
{
    static const struct bit_name names[] = {
        {UINT64_C(1) << 0, "B0"},  {UINT64_C(1) << 1, "B1"},   {UINT64_C(1) << 2, "B2"},
        {UINT64_C(1) << 3, "B3"},  {UINT64_C(1) << 11, "BLD"}, {UINT64_C(1) << 12, "enabled-breakpoint"},
        {UINT64_C(1) << 14, "BS"}, {UINT64_C(1) << 16, "RTM"},
    };

    return bit_words(text, size, pending, names, array_count(names), " ");
}

/* SDM vol. 1, "EFLAGS Register". Bit 1 is always 1 and says nothing. */
size_t vcpu_rflags_words(char *text, size_t size, uint64_t rflags)
{
    static const struct bit_name names[] = {
        {RFLAGS_CF, "CF"},         {UINT64_C(1) << 2, "PF"},   {UINT64_C(1) << 4, "AF"},
        {RFLAGS_ZF, "ZF"},         {UINT64_C(1) << 7, "SF"},   {RFLAGS_TF, "TF"},
        {RFLAGS_IF, "IF"},         {RFLAGS_DF, "DF"},          {UINT64_C(1) << 11, "OF"},
        {UINT64_C(1) << 14, "NT"}, {RFLAGS_RF, "RF"},          {RFLAGS_VM, "VM"},
        {UINT64_C(1) << 18, "AC"}, {UINT64_C(1) << 19, "VIF"}, {UINT64_C(1) << 20, "VIP"},
        {UINT64_C(1) << 21, "ID"},
    };
    struct words words = {text, size, 0};

    if (RFLAGS_IOPL(rflags) != 0)
        add(&words, "IOPL=%u", RFLAGS_IOPL(rflags));
    add_bits(&words, rflags & ~(RFLAGS_RESERVED1 | RFLAGS_IOPL_MASK), names, array_count(names), " ");
    return words.length;
}

size_t vcpu_cr0_words(char *text, size_t size, uint64_t cr0)
{
    static const struct bit_name names[] = {
        {CR0_PE, "PE"}, {CR0_MP, "MP"}, {CR0_EM, "EM"}, {CR0_TS, "TS"}, {CR0_ET, "ET"}, {CR0_NE, "NE"},
        {CR0_WP, "WP"}, {CR0_AM, "AM"}, {CR0_NW, "NW"}, {CR0_CD, "CD"}, {CR0_PG, "PG"},
    };

    return bit_words(text, size, cr0, names, array_count(names), " ");
}

size_t vcpu_cr4_words(char *text, size_t size, uint64_t cr4)
{
    static const struct bit_name names[] = {
        {CR4_VME, "VME"},
        {CR4_PVI, "PVI"},
        {CR4_TSD, "TSD"},
        {CR4_DE, "DE"},
        {CR4_PSE, "PSE"},
        {CR4_PAE, "PAE"},
        {CR4_MCE, "MCE"},
        {CR4_PGE, "PGE"},
        {CR4_PCE, "PCE"},
        {CR4_OSFXSR, "OSFXSR"},
        {CR4_OSXMMEXCPT, "OSXMMEXCPT"},
        {CR4_UMIP, "UMIP"},
        {CR4_LA57, "LA57"},
        {CR4_VMXE, "VMXE"},
        {CR4_SMXE, "SMXE"},
        {CR4_FSGSBASE, "FSGSBASE"},
        {CR4_PCIDE, "PCIDE"},
        {CR4_OSXSAVE, "OSXSAVE"},
        {CR4_KL, "KL"},
        {CR4_SMEP, "SMEP"},
        {CR4_SMAP, "SMAP"},
        {CR4_PKE, "PKE"},
        {CR4_CET, "CET"},
        {CR4_PKS, "PKS"},
        {CR4_UINTR, "UINTR"},
        {CR4_LASS, "LASS"},
        {CR4_FRED, "FRED"},
    };

    return bit_words(text, size, cr4, names, array_count(names), " ");
}

size_t vcpu_efer_words(char *text, size_t size, uint64_t efer)
{
    static const struct bit_name names[] = {
        {EFER_SCE, "SCE"}, {EFER_LME, "LME"}, {EFER_LMA, "LMA"}, {EFER_NXE, "NXE"}};

    return bit_words(text, size, efer, names, array_count(names), " ");
}

const char *vcpu_mode_words(uint64_t cr0, uint64_t efer, uint64_t rflags, uint64_t cs_rights)
{
    bool wide = cs_rights & SEGMENT_DB;

    if (!(cr0 & CR0_PE))
        return "real";
    if (!(efer & EFER_LMA)) {
        if (rflags & RFLAGS_VM)
            return "virtual-8086";
        return wide ? "protected 32-bit" : "protected 16-bit";
    }
    if (cs_rights & SEGMENT_L)
        return "64-bit";
    return wide ? "compatibility 32-bit" : "compatibility 16-bit";
}
