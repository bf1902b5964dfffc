/* SPDX-License-Identifier: MIT */
/* What guests print. */
#include "vmm/vm/output.h"
#include "vmm/host/cpu.h"
#include "vmm/hypercall_abi.h"
#include "vmm/vm/vm.h"
#include "arch/x86/memory.h"
#include "vmm/devices/pc.h"
#include "vmm/vcpu/vcpu.h"

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

/*
 * What a character may take in the ring: it is shown as \xNN, or ends a line, which has a head. Kept are some
 * lines that nobody has looked for room for: what stands in a line already when its end comes.
 */
#define CHARACTER_BYTES (sizeof(struct trace_output_line) + 8)
#define KEPT_BYTES      (4 * (TRACE_TEXT_MAX + CHARACTER_BYTES))

unsigned guest_output_room(struct vcpu *vcpu)
{
    unsigned room = trace_output_room(&vcpu->cpu->output);

    if (vcpu->cpu->output.bytes == NULL) /* what is printed is lost */
        room = TRACE_OUTPUT_BYTES;
    vcpu->output_full = room < KEPT_BYTES + CHARACTER_BYTES;
    return vcpu->output_full ? 0 : (unsigned)((room - KEPT_BYTES) / CHARACTER_BYTES);
}

/* COM1 to COM4: 0x3f8, 0x2f8, 0x3e8, 0x2e8. */
static bool prints(uint16_t port)
{
    return (port & 0xfeef) == 0x2e8 || port == PORT_DEBUG_BOCHS || port == PORT_DEBUG_BIOS;
}

bool guest_output_prints(uint16_t port, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        if (prints((uint16_t)(port + i)))
            return true;
    return false;
}

bool guest_output_holds(struct vcpu *vcpu, uint16_t port, unsigned size)
{
    return guest_output_room(vcpu) == 0 && guest_output_prints(port, size);
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
    (void)guest_output_room(vcpu);
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
