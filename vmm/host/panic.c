/* SPDX-License-Identifier: MIT */
/* Panics and host exceptions: stop the others, say all there is to say, end. */
#include "vmm/host/panic.h"

#include "arch/x86/control_registers.h"
#include "arch/x86/exception.h"
#include "arch/x86/exception_guard.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "arch/x86/percpu.h"
#include "arch/x86/smp.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"
#include "drivers/console.h"
#include "vmm/host/panic_stack.h"
#include "vmm/host/power.h"
#include "vmm/host/symbols.h"

#define STATUS_PANIC        2
#define OTHERS_STOP_US      20000
#define CODE_BYTES          16
#define MACHINE_CHECK_VALID (UINT64_C(1) << 63)

static uint32_t panicking; /* index + 1 of the CPU that panics, 0 while none does; the first one stays */
static void (*report_hook)(uint32_t cpu_index);

void panic_set_hook(void (*hook)(uint32_t cpu_index))
{
    report_hook = hook;
}

bool panic_active(void)
{
    return __atomic_load_n(&panicking, __ATOMIC_ACQUIRE) != 0;
}

static noreturn_fn void stop_this_cpu(void)
{
    percpu_set_state(percpu(), CPU_STOPPED);
    cpu_halt_forever();
}

void exception_nmi(struct exception_frame *frame)
{
    (void)frame;
    /* The CPU that panics may take one, too: it has to go on. */
    if (panic_active() && panicking != percpu()->index + 1)
        stop_this_cpu();
}

static bool others_stopped(void)
{
    for (uint32_t i = 0; i < percpu_count(); i++) {
        if (percpu_of(i) != percpu() && percpu_state(percpu_of(i)) == CPU_ONLINE)
            return false;
    }
    return true;
}

static void stop_others(void)
{
    uint64_t start = tsc_read();

    if (percpu_count() < 2)
        return;
    (void)smp_nmi_others();
    while (!others_stopped() && tsc_read() - start < tsc_ticks(OTHERS_STOP_US))
        cpu_pause();
}

/*
 * Called first in every report. Returns only on the first CPU that panics, and only the first time; after
 * that the console is this CPU's alone.
 */
static void begin_report(const char *what, uint64_t rip)
{
    struct percpu *cpu = percpu();
    uint32_t nobody = 0;
    bool guarded = cpu->guard != NULL;
    char symbol[SYMBOL_TEXT];

    cpu->guard = NULL; /* there is no way back from here */
    cpu->exception_depth++;
    if (cpu->exception_depth > 2)
        stop_this_cpu();
    if (cpu->exception_depth == 2) {
        symbols_format(symbol, sizeof(symbol), rip);
        console_printf("\nadept: panic: %s while reporting, rip=%#llx %s\n", what, (unsigned long long)rip,
                       symbol);
        power_end(STATUS_PANIC);
    }
    if (!__atomic_compare_exchange_n(&panicking, &nobody, cpu->index + 1, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        stop_this_cpu();
    console_panic_mode();
    stop_others();
    if (guarded)
        console_printf("\nadept: panic: while a report was printed\n");
}

/* A part of the report that faults says so, and the next one follows. */
static void print_part(const char *part, void (*print)(void *argument), void *argument)
{
    struct exception_guard guard;
    char symbol[SYMBOL_TEXT];

    if (exception_guarded(print, argument, &guard))
        return;
    symbols_format(symbol, sizeof(symbol), guard.frame.rip);
    console_printf(
        "\nadept: panic: exception %s(%u) error=%#llx while reporting part=%s rip=%#llx %s cr2=%#llx\n",
        exception_name((unsigned)guard.frame.vector), (unsigned)guard.frame.vector,
        (unsigned long long)guard.frame.error_code, part, (unsigned long long)guard.frame.rip, symbol,
        (unsigned long long)guard.cr2);
}

static void print_control_registers(void *argument)
{
    (void)argument;
    console_printf("adept: panic: cr0=%#llx cr2=%#llx cr3=%#llx cr4=%#llx\n", (unsigned long long)cr0_read(),
                   (unsigned long long)cr2_read(), (unsigned long long)cr3_read(),
                   (unsigned long long)cr4_read());
    console_printf("adept: panic: efer=%#llx pat=%#llx gs_base=%#llx dr6=%#llx dr7=%#llx\n",
                   (unsigned long long)msr_read(MSR_IA32_EFER), (unsigned long long)msr_read(MSR_IA32_PAT),
                   (unsigned long long)msr_read(MSR_IA32_GS_BASE), (unsigned long long)dr6_read(),
                   (unsigned long long)dr7_read());
}

static void print_code(void *argument)
{
    const struct exception_frame *registers = argument;

    console_printf("adept: panic: code:");
    for (uint64_t at = registers->rip; at < registers->rip + CODE_BYTES; at++) {
        if (paging_is_readable(at))
            console_printf(" %02x", *(const uint8_t *)(uintptr_t)at);
        else
            console_printf(" --");
    }
    console_printf("\n");
}

static void print_registers(void *argument)
{
    const struct exception_frame *f = argument;

    console_printf("adept: panic: rax=%016llx rbx=%016llx rcx=%016llx rdx=%016llx\n",
                   (unsigned long long)f->rax, (unsigned long long)f->rbx, (unsigned long long)f->rcx,
                   (unsigned long long)f->rdx);
    console_printf("adept: panic: rsi=%016llx rdi=%016llx rbp=%016llx rsp=%016llx\n",
                   (unsigned long long)f->rsi, (unsigned long long)f->rdi, (unsigned long long)f->rbp,
                   (unsigned long long)f->rsp);
    console_printf("adept: panic: r8 =%016llx r9 =%016llx r10=%016llx r11=%016llx\n",
                   (unsigned long long)f->r8, (unsigned long long)f->r9, (unsigned long long)f->r10,
                   (unsigned long long)f->r11);
    console_printf("adept: panic: r12=%016llx r13=%016llx r14=%016llx r15=%016llx\n",
                   (unsigned long long)f->r12, (unsigned long long)f->r13, (unsigned long long)f->r14,
                   (unsigned long long)f->r15);
    console_printf("adept: panic: rip=%016llx rflags=%#llx cs=%#llx ss=%#llx\n", (unsigned long long)f->rip,
                   (unsigned long long)f->rflags, (unsigned long long)f->cs, (unsigned long long)f->ss);
}

/* SDM vol. 3, "Machine-Check Architecture". */
static void print_machine_check_banks(void *argument)
{
    uint64_t capability, global, status, address, misc;

    (void)argument;
    if (!msr_read_safe(MSR_IA32_MCG_CAP, &capability) || !msr_read_safe(MSR_IA32_MCG_STATUS, &global))
        return;
    console_printf("adept: panic: machine check: mcg_status=%#llx banks=%u\n", (unsigned long long)global,
                   (unsigned)(capability & 0xff));
    for (uint32_t bank = 0; bank < (capability & 0xff); bank++) {
        if (!msr_read_safe(MSR_IA32_MC0_STATUS + 4 * bank, &status) || !(status & MACHINE_CHECK_VALID))
            continue;
        if (!msr_read_safe(MSR_IA32_MC0_ADDR + 4 * bank, &address))
            address = 0;
        if (!msr_read_safe(MSR_IA32_MC0_MISC + 4 * bank, &misc))
            misc = 0;
        console_printf("adept: panic: machine check: bank=%u status=%#llx addr=%#llx misc=%#llx\n", bank,
                       (unsigned long long)status, (unsigned long long)address, (unsigned long long)misc);
    }
}

static void call_report_hook(void *argument)
{
    (void)argument;
    if (report_hook != NULL)
        report_hook(percpu()->index);
}

/* What both kinds of report end with. */
static noreturn_fn void end_report(struct exception_frame *registers)
{
    print_part("registers", print_registers, registers);
    print_part("control-registers", print_control_registers, NULL);
    print_part("code", print_code, registers);
    if (registers->vector == VECTOR_MC)
        print_part("machine-check", print_machine_check_banks, NULL);
    print_part("stack", panic_stack_frames, registers);
    print_part("stack-words", panic_stack_words, registers);
    print_part("last-exits", call_report_hook, NULL);
    power_end(STATUS_PANIC);
}

/* What a page fault wanted, from its error code. SDM vol. 3, "Page-Fault Exceptions". */
static void print_page_fault(uint64_t error)
{
    console_printf("adept: panic: %s of %#llx: %s\n",
                   error & 0x10 ? "execution"
                   : error & 2  ? "write"
                                : "read",
                   (unsigned long long)cr2_read(),
                   error & 8   ? "a reserved bit is set in a page-table entry"
                   : error & 1 ? "the page's rights forbid it"
                               : "not mapped");
}

noreturn_fn void exception_report(struct exception_frame *frame)
{
    const char *name = exception_name((unsigned)frame->vector);
    const struct percpu *cpu = percpu();
    char symbol[SYMBOL_TEXT];

    begin_report(name, frame->rip);
    symbols_format(symbol, sizeof(symbol), frame->rip);
    console_printf("adept: panic: exception %s(%u) error=%#llx cpu=%u apic=%#x rip=%#llx %s\n", name,
                   (unsigned)frame->vector, (unsigned long long)frame->error_code, cpu->index, cpu->apic_id,
                   (unsigned long long)frame->rip, symbol);
    if (frame->vector == VECTOR_PF)
        print_page_fault(frame->error_code);
    /* The push that ran into the guard page faulted, and so did pushing the #PF's frame. */
    if (frame->vector == VECTOR_DF && (paging_is_guard(cr2_read()) || paging_is_guard(frame->rsp - 8)))
        console_printf("adept: panic: stack overflow: rsp=%#llx is at the guard page of a stack of cpu=%u\n",
                       (unsigned long long)frame->rsp, cpu->index);
    end_report(frame);
}

noreturn_fn void panic_at(const char *file, int line, const char *format, ...)
{
    struct percpu *cpu = percpu();
    va_list arguments;

    cpu->captured.vector = ~UINT64_C(0); /* no exception */
    begin_report("panic", cpu->captured.rip);
    console_printf("adept: panic: ");
    va_start(arguments, format);
    console_vprintf(format, arguments);
    va_end(arguments);
    console_printf(" (%s:%d cpu=%u apic=%#x)\n", file, line, cpu->index, cpu->apic_id);
    end_report(&cpu->captured);
}
