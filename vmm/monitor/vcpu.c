/* SPDX-License-Identifier: MIT */
/* Commands that show a virtual processor. */
#include "vmm/monitor/command.h"
#include "vmm/vcpu/vcpu.h"
#include "vmm/report/vcpu.h"
#include "vmm/report/vmcs_dump.h"
#include "vmm/report/walk.h"

void monitor_regs(struct monitor_call *call)
{
    struct vcpu *vcpu = call->vcpu;

    vcpu_report_exit(vcpu);
    vcpu_report_registers(vcpu);
    vcpu_report_control_registers(vcpu);
    vcpu_report_segments(vcpu);
    vcpu_report_events(vcpu);
    vcpu_report_code(vcpu);
    vcpu_report_stack(vcpu);
}

void monitor_vmcs(struct monitor_call *call)
{
    if (vmcs_dump_part(monitor_word(call, 1)) == 0)
        monitor_complain(call, "expected: control, read-only, guest, host, or a part of a field's name");
}

void monitor_walk(struct monitor_call *call)
{
    uint64_t address;

    if (!monitor_number(monitor_word(call, 1), &address)) {
        monitor_expected(call);
        return;
    }
    walk_report_address(call->vcpu, address);
}
