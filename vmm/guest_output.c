/* SPDX-License-Identifier: MIT */
/* What guests print. */
#include "vmm/guest_output.h"
#include "vmm/cpu.h"
#include "vmm/vm.h"

void guest_output_line(struct vcpu *vcpu, struct guest_line *line)
{
    trace_record_text(vcpu->cpu, vcpu->vm->id, line->text, line->length);
    guest_line_take(line);
}

void guest_output_flush(struct vcpu *vcpu)
{
    struct guest_line *const lines[] = {&vcpu->vm->uart_line, &vcpu->vm->debug_line,
                                        &vcpu->vm->hypercall_line, &vcpu->vm->bios_line};

    for (unsigned i = 0; i < array_count(lines); i++)
        if (lines[i]->length > 0)
            guest_output_line(vcpu, lines[i]);
}
