/* SPDX-License-Identifier: MIT */
/* Events around the last exit and the next entry, and what holds others back. */
#include "arch/x86/vmx.h"
#include "drivers/console.h"
#include "vmm/report/vcpu.h"
#include "vmm/report/vcpu_words.h"
#include "vmm/vm/vm.h"
#include "vmm/report/vmcs_text.h"
#include "vmm/vcpu/vcpu.h"

static void print_event(const char *name, enum vmcs_field information, enum vmcs_field error_code)
{
    struct vmcs_text value = vmcs_text(information), error = vmcs_text(error_code);
    char words[VCPU_WORDS_MAX];

    console_printf("adept:   event: %s=%s", name, value.text);
    if (value.readable) {
        (void)vcpu_event_words(words, sizeof(words), value.value, error.value);
        console_printf(" (%s)", words);
    }
    console_printf(" error_code=%s\n", error.text);
}

static void print_state(const char *name, enum vmcs_field field, size_t (*to_words)(char *, size_t, uint64_t))
{
    struct vmcs_text value = vmcs_text(field);
    char words[VCPU_WORDS_MAX];

    console_printf(" %s=%s", name, value.text);
    if (value.readable) {
        (void)to_words(words, sizeof(words), value.value);
        console_printf(" (%s)", words);
    }
}

void vcpu_report_events(const struct vcpu *vcpu)
{
    print_event("exit_interruption", VMCS_EXIT_INTERRUPTION_INFORMATION, VMCS_EXIT_INTERRUPTION_ERROR_CODE);
    print_event("idt_vectoring", VMCS_IDT_VECTORING_INFORMATION, VMCS_IDT_VECTORING_ERROR_CODE);
    print_event("entry_interruption", VMCS_ENTRY_INTERRUPTION_INFORMATION, VMCS_ENTRY_EXCEPTION_ERROR_CODE);
    console_printf("adept:   event:");
    print_state("activity", VMCS_GUEST_ACTIVITY_STATE, vcpu_activity_words);
    print_state("interruptibility", VMCS_GUEST_INTERRUPTIBILITY_STATE, vcpu_interruptibility_words);
    print_state("pending_debug", VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, vcpu_pending_debug_words);
    console_printf("%s\n", vcpu->interrupts.halted ? " waits=HLT" : "");
}
