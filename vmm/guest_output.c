/* SPDX-License-Identifier: MIT */
/* What guests print. */
#include "vmm/guest_output.h"
#include "vmm/cpu.h"
#include "vmm/vm.h"
#include "arch/x86/memory.h"

/* Lines of COM1 and of the debug ports stand for themselves, those of the other ports say where they come
 * from. */
static const char *prefix_of(const struct vm *vm, const struct guest_line *line)
{
    static const char *const prefixes[] = {
        [PC_OUTPUT_COM2] = "com2: ", [PC_OUTPUT_COM3] = "com3: ", [PC_OUTPUT_COM4] = "com4: "};

    for (unsigned i = 0; i < array_count(prefixes); i++)
        if (line == &vm->output_lines[i])
            return prefixes[i];
    return NULL;
}

void guest_output_line(struct vcpu *vcpu, struct guest_line *line)
{
    const char *prefix = prefix_of(vcpu->vm, line);
    char text[TRACE_TEXT_LENGTH];

    _Static_assert(sizeof("comN: ") - 1 + GUEST_LINE_MAX <= TRACE_TEXT_LENGTH, "a line fits with its prefix");
    if (prefix != NULL) {
        memcpy(text, prefix, strlen(prefix));
        memcpy(text + strlen(prefix), line->text, line->length);
        trace_record_text(vcpu->cpu, vcpu->vm->id, text, strlen(prefix) + line->length);
    } else {
        trace_record_text(vcpu->cpu, vcpu->vm->id, line->text, line->length);
    }
    guest_line_take(line);
}

void guest_output_flush(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;

    for (unsigned i = 0; i < PC_OUTPUTS; i++)
        if (vm->output_lines[i].length > 0)
            guest_output_line(vcpu, &vm->output_lines[i]);
    if (vm->hypercall_line.length > 0)
        guest_output_line(vcpu, &vm->hypercall_line);
    if (vm->bios_line.length > 0)
        guest_output_line(vcpu, &vm->bios_line);
}
