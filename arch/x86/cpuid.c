/* SPDX-License-Identifier: MIT */
/* What CPUID says about this CPU, in words. */
#include "arch/x86/cpuid.h"

#include "arch/x86/compiler.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/memory.h"

#define LEAF_EXTENDED   0x80000000u
#define LEAF_HYPERVISOR 0x40000000u

uint32_t cpuid_highest(void)
{
    return cpuid(0, 0).eax;
}

uint32_t cpuid_highest_extended(void)
{
    uint32_t highest = cpuid(LEAF_EXTENDED, 0).eax;

    return highest >= LEAF_EXTENDED && highest < LEAF_EXTENDED + 0x10000 ? highest : 0;
}

unsigned cpuid_physical_width(void)
{
    unsigned width = cpuid_highest_extended() >= 0x80000008u ? cpuid(0x80000008u, 0).eax & 0xff : 36;

    return width >= 32 && width <= 52 ? width : 36;
}

uint64_t cpuid_cr3_bits(void)
{
    bool lam = cpuid_highest() >= 7 && cpuid(7, 0).eax >= 1 && (cpuid(7, 1).eax & CPUID_7_1_EAX_LAM);

    return lam ? CR3_LAM_U57 | CR3_LAM_U48 : 0;
}

/* Appends the four characters of a register. */
static char *put_register(char *to, uint32_t value)
{
    memcpy(to, &value, sizeof(value));
    return to + sizeof(value);
}

void cpuid_vendor(char vendor[13])
{
    struct cpuid_result leaf = cpuid(0, 0);

    *put_register(put_register(put_register(vendor, leaf.ebx), leaf.edx), leaf.ecx) = '\0';
}

void cpuid_brand(char brand[49])
{
    char text[49], *end = text;
    size_t start = 0, length;

    brand[0] = '\0';
    if (cpuid_highest_extended() < 0x80000004u)
        return;
    for (uint32_t leaf = 0x80000002u; leaf <= 0x80000004u; leaf++) {
        struct cpuid_result part = cpuid(leaf, 0);
        end = put_register(put_register(put_register(put_register(end, part.eax), part.ebx), part.ecx),
                           part.edx);
    }
    *end = '\0';
    while (text[start] == ' ')
        start++;
    length = strlen(text + start);
    while (length > 0 && text[start + length - 1] == ' ')
        length--;
    memcpy(brand, text + start, length);
    brand[length] = '\0';
}

void cpuid_hypervisor(char vendor[13])
{
    struct cpuid_result leaf;

    vendor[0] = '\0';
    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR))
        return;
    leaf = cpuid(LEAF_HYPERVISOR, 0);
    *put_register(put_register(put_register(vendor, leaf.ebx), leaf.ecx), leaf.edx) = '\0';
}

struct cpuid_version cpuid_version(void)
{
    uint32_t eax = cpuid(1, 0).eax;
    unsigned base_family = eax >> 8 & 0xf;
    struct cpuid_version version = {base_family, eax >> 4 & 0xf, eax & 0xf};

    if (base_family == 0xf)
        version.family += eax >> 20 & 0xff;
    if (base_family == 0x6 || base_family == 0xf)
        version.model |= eax >> 12 & 0xf0;
    return version;
}

enum feature_register { LEAF1_ECX, LEAF1_EDX, LEAF81_EDX, LEAF87_EDX, FEATURE_REGISTERS };

size_t cpuid_feature_line(char *text, size_t size)
{
    static const struct {
        enum feature_register where;
        uint32_t bit;
        const char *name;
    } features[] = {
        {LEAF1_ECX, CPUID_1_ECX_VMX, "vmx"},
        {LEAF1_ECX, CPUID_1_ECX_X2APIC, "x2apic"},
        {LEAF1_ECX, CPUID_1_ECX_DEADLINE, "tsc-deadline"},
        {LEAF1_ECX, CPUID_1_ECX_XSAVE, "xsave"},
        {LEAF1_ECX, CPUID_1_ECX_PCID, "pcid"},
        {LEAF1_EDX, CPUID_1_EDX_MTRR, "mtrr"},
        {LEAF1_EDX, CPUID_1_EDX_PAT, "pat"},
        {LEAF1_EDX, CPUID_1_EDX_MCA, "mca"},
        {LEAF81_EDX, CPUID_81_EDX_PAGE_1G, "1g-pages"},
        {LEAF87_EDX, CPUID_87_EDX_INVARIANT_TSC, "invariant-tsc"},
        {LEAF1_ECX, CPUID_1_ECX_HYPERVISOR, "hypervisor"},
    };
    uint32_t registers[FEATURE_REGISTERS] = {
        [LEAF1_ECX] = cpuid(1, 0).ecx,
        [LEAF1_EDX] = cpuid(1, 0).edx,
        [LEAF81_EDX] = cpuid_highest_extended() >= 0x80000001u ? cpuid(0x80000001u, 0).edx : 0,
        [LEAF87_EDX] = cpuid_highest_extended() >= 0x80000007u ? cpuid(0x80000007u, 0).edx : 0,
    };
    size_t length = 0;

    for (size_t i = 0; i < array_count(features) && size > 0; i++) {
        size_t name_length = strlen(features[i].name);
        if (!(registers[features[i].where] & features[i].bit) || length + name_length + 2 > size)
            continue;
        if (length > 0)
            text[length++] = ' ';
        memcpy(text + length, features[i].name, name_length);
        length += name_length;
    }
    if (size > 0)
        text[length] = '\0';
    return length;
}
