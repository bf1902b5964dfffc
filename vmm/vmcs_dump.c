/* SPDX-License-Identifier: MIT */
/* Printing a VMCS, from the table of fields. */
#include "vmm/vmcs_dump.h"
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

void vmcs_dump(void)
{
    for (unsigned group = 0; group < array_count(groups); group++) {
        for (unsigned i = 0; i < array_count(fields); i++) {
            uint64_t value;

            if (FIELD_GROUP(fields[i].encoding) != group)
                continue;
            if (vmx_read((enum vmcs_field)fields[i].encoding, &value) == VMX_OK)
                console_printf("adept: vmcs: %s %s(0x%04x)=%#llx\n", groups[group], fields[i].name,
                               fields[i].encoding, (unsigned long long)value);
            else
                console_printf("adept: vmcs: %s %s(0x%04x)=absent\n", groups[group], fields[i].name,
                               fields[i].encoding);
        }
    }
}
