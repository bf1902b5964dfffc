/* SPDX-License-Identifier: MIT */
/* What of a vCPU is kept for the report of another one's CPU: its VMCS is not to be had there. */
#include "drivers/console.h"
#include "vmm/host/cpu.h"
#include "vmm/report/vcpu.h"
#include "vmm/report/vcpu_words.h"
#include "vmm/vm/vm.h"
#include "vmm/report/vmcs_text.h"
#include "vmm/plug.h"
#include "vmm/guest/symbols.h"
#include "vmm/vcpu/vcpu.h"

void vcpu_brief_take(struct vcpu *vcpu)
{
    struct vcpu_brief *brief = &vcpu->brief;
    struct vmcs_text rip = vmcs_text(VMCS_GUEST_RIP);

    brief->readable = rip.readable;
    brief->rip = rip.value;
    brief->linear_rip = vcpu_report_linear_rip();
    brief->cs = (uint16_t)vmcs_text(VMCS_GUEST_CS_SELECTOR).value;
    brief->activity = (uint32_t)vmcs_text(VMCS_GUEST_ACTIVITY_STATE).value;
    brief->mode =
        vcpu_mode_words(vmcs_text(VMCS_GUEST_CR0).value, vmcs_text(VMCS_GUEST_IA32_EFER).value,
                        vmcs_text(VMCS_GUEST_RFLAGS).value, vmcs_text(VMCS_GUEST_CS_ACCESS_RIGHTS).value);
}

void vcpu_report_brief(const struct vcpu *vcpu)
{
    const struct vcpu_brief *brief = &vcpu->brief;
    char activity[VCPU_WORDS_MAX], symbol[GUEST_SYMBOL_TEXT];

    console_printf("adept:   vcpu=%u cpu=%u", vcpu->index, vcpu->cpu->percpu->index);
    if (!vcpu->ran) {
        console_printf(" never started\n");
        return;
    }
    if (brief->readable) {
        (void)vcpu_activity_words(activity, sizeof(activity), brief->activity);
        guest_symbols_text(vcpu->vm->symbols, symbol, sizeof(symbol), brief->linear_rip);
        console_printf(" cs:ip=%04x:%0*llx%s mode=\"%s\" activity=%s", brief->cs,
                       brief->mode[0] == 'r' ? 4 : 8, (unsigned long long)brief->rip, symbol, brief->mode,
                       vcpu->interrupts.halted ? "HLT" : activity);
    } else {
        console_printf(" rip=unreadable");
    }
    console_printf(" exits=%llu", (unsigned long long)vcpu->exit_count);
    if (vcpu->exit_count != 0)
        console_printf(" last=%s(%u)", exit_reason_name(vcpu->exit_reason), vcpu->exit_reason);
    console_printf("\n");
}
