/* SPDX-License-Identifier: MIT */
/* Segment registers and descriptor-table registers. */
#include "arch/x86/vmx.h"
#include "drivers/console.h"
#include "vmm/report/vcpu.h"
#include "vmm/report/vcpu_words.h"
#include "vmm/report/vmcs_text.h"

/* The four fields of a segment register follow those of the one before, in this order. SDM vol. 3, "Field
 * Encoding in VMCS". */
static const char *const names[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};

static struct vmcs_text field_of(enum vmcs_field of_es, unsigned segment)
{
    return vmcs_text((enum vmcs_field)(of_es + 2 * segment));
}

static void print_table_register(const char *name, enum vmcs_field base, enum vmcs_field limit)
{
    console_printf("adept:   segs: %-11s base=%-18s limit=%s\n", name, vmcs_text(base).text,
                   vmcs_text(limit).text);
}

void vcpu_report_segments(const struct vcpu *vcpu)
{
    char words[VCPU_WORDS_MAX];

    (void)vcpu;
    for (unsigned i = 0; i < array_count(names); i++) {
        struct vmcs_text rights = field_of(VMCS_GUEST_ES_ACCESS_RIGHTS, i);

        console_printf("adept:   segs: %s=%-*s base=%-18s limit=%-10s rights=%s", names[i],
                       names[i][2] == '\0' ? 8 : 6, field_of(VMCS_GUEST_ES_SELECTOR, i).text,
                       field_of(VMCS_GUEST_ES_BASE, i).text, field_of(VMCS_GUEST_ES_LIMIT, i).text,
                       rights.text);
        if (rights.readable) {
            (void)vcpu_segment_words(words, sizeof(words), rights.value);
            console_printf(" (%s)", words);
        }
        console_printf("\n");
    }
    print_table_register("gdtr", VMCS_GUEST_GDTR_BASE, VMCS_GUEST_GDTR_LIMIT);
    print_table_register("idtr", VMCS_GUEST_IDTR_BASE, VMCS_GUEST_IDTR_LIMIT);
}
