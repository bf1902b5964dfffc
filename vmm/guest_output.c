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

/* Behind a line that is too long for one: the next line goes on with it. */
static const char goes_on[] = " [line goes on]";

_Static_assert(sizeof("comN: ") - 1 + GUEST_LINE_MAX + sizeof(goes_on) - 1 <= TRACE_TEXT_MAX,
               "a line fits with all around it");

static size_t append(char *text, size_t length, const char *more, size_t count)
{
    memcpy(text + length, more, count);
    return length + count;
}

void guest_output_line(struct vcpu *vcpu, struct guest_line *line)
{
    const char *prefix = prefix_of(vcpu->vm, line);
    char text[TRACE_TEXT_MAX];
    size_t length = 0;

    if (prefix != NULL)
        length = append(text, length, prefix, strlen(prefix));
    length = append(text, length, line->text, line->length);
    if (line->continued)
        length = append(text, length, goes_on, sizeof(goes_on) - 1);
    trace_record_text(vcpu->cpu, vcpu->vm->id, text, length);
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
