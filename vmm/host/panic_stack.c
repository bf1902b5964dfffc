/* SPDX-License-Identifier: MIT */
/* A panicking CPU's stack, as functions. */
#include "vmm/host/panic_stack.h"

#include "arch/x86/exception.h"
#include "arch/x86/paging.h"
#include "arch/x86/percpu.h"
#include "drivers/console.h"
#include "vmm/host/symbols.h"

#define TRACE_DEPTH 24
#define STACK_WORDS 16

static bool on_a_stack(const struct percpu *cpu, uint64_t address)
{
    if (address >= cpu->stacks.main_bottom && address + 16 <= cpu->stacks.main_top)
        return true;
    for (unsigned i = 0; i < IST_COUNT; i++) {
        if (address >= cpu->stacks.ist_bottom[i] && address + 16 <= cpu->stacks.ist_top[i])
            return true;
    }
    return false;
}

static void print_frame(unsigned depth, uint64_t rip)
{
    char symbol[SYMBOL_TEXT];

    symbols_format(symbol, sizeof(symbol), rip);
    console_printf("adept: panic: stack[%u]=%#llx %s\n", depth, (unsigned long long)rip, symbol);
}

void panic_stack_frames(void *argument)
{
    const struct exception_frame *registers = argument;
    uint64_t previous = 0, rbp = registers->rbp;

    print_frame(0, registers->rip);
    for (unsigned depth = 1; depth < TRACE_DEPTH; depth++) {
        const uint64_t *frame = (const uint64_t *)(uintptr_t)rbp;
        if (rbp <= previous || (rbp & 7) != 0 || !on_a_stack(percpu(), rbp) || !paging_is_readable(rbp) ||
            !paging_is_readable(rbp + 8) || frame[1] == 0)
            return;
        print_frame(depth, frame[1]);
        previous = rbp;
        rbp = frame[0];
    }
    console_printf("adept: panic: stack: more frames than %u\n", TRACE_DEPTH);
}

void panic_stack_words(void *argument)
{
    const struct exception_frame *registers = argument;
    const uint64_t *words = (const uint64_t *)(uintptr_t)registers->rsp;
    char symbol[SYMBOL_TEXT];
    uint64_t offset;

    for (unsigned i = 0; i < STACK_WORDS; i++) {
        uint64_t at = registers->rsp + 8 * i;

        if ((at & 7) != 0 || !on_a_stack(percpu(), at) || !paging_is_readable(at))
            return;
        if (symbols_find(words[i], &offset) == NULL)
            continue;
        symbols_format(symbol, sizeof(symbol), words[i]);
        console_printf("adept: panic: rsp+%#x=%#llx %s\n", 8 * i, (unsigned long long)words[i], symbol);
    }
}
