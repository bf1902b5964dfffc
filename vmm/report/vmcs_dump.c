/* SPDX-License-Identifier: MIT */
/* Printing a VMCS, from the table of fields. */
#include "vmm/report/vmcs_dump.h"
#include "arch/x86/vmx.h"
#include "drivers/console.h"

/* Bits 11:10 of an encoding. SDM vol. 3, "Field Encoding in VMCS". */
#define FIELD_GROUP(encoding) (((encoding) >> 10) & 3)

static const char *const groups[] = {"control", "read-only", "guest", "host"};

static const struct {
    uint16_t encoding;
    const char *name;
} fields[] = {
#define VMCS_FIELD(encoding, name, gate) {encoding, #name},
#include "arch/x86/vmx_fields.def"
#undef VMCS_FIELD
};

static bool has_part(const char *name, struct option_span part)
{
    struct option_span rest = option_span_of(name);

    for (; rest.length >= part.length; rest.text++, rest.length--)
        if (option_same((struct option_span){rest.text, part.length}, part))
            return true;
    return false;
}

static void print_field(unsigned i, const char *group)
{
    uint64_t value;

    if (vmx_read((enum vmcs_field)fields[i].encoding, &value) == VMX_OK)
        console_printf("adept: vmcs: %s %s(0x%04x)=%#llx\n", group, fields[i].name, fields[i].encoding,
                       (unsigned long long)value);
    else
        console_printf("adept: vmcs: %s %s(0x%04x)=absent\n", group, fields[i].name, fields[i].encoding);
}

unsigned vmcs_dump_part(struct option_span part)
{
    unsigned count = 0;

    for (unsigned group = 0; group < array_count(groups); group++) {
        bool whole = option_is(part, groups[group]), other = false;

        for (unsigned i = 0; i < array_count(groups); i++)
            other |= i != group && option_is(part, groups[i]);
        for (unsigned i = 0; i < array_count(fields); i++) {
            if (FIELD_GROUP(fields[i].encoding) != group ||
                (!whole && (other || !has_part(fields[i].name, part))))
                continue;
            print_field(i, groups[group]);
            count++;
        }
    }
    return count;
}

void vmcs_dump(void)
{
    (void)vmcs_dump_part(option_span_of(""));
}
