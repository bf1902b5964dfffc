/* SPDX-License-Identifier: MIT */
/* Where the trace goes. */
#include "vmm/trace/sink.h"
#include "arch/x86/tsc.h"
#include "drivers/console.h"
#include "vmm/host/cpu.h"
#include "vmm/host/machine.h"
#include "vmm/trace/trace.h"
#include "vmm/trace/frame.h"

static struct {
    bool own_uart; /* frames go to `uart`, not to the console's */
    bool binary_off;
    struct uart16550 uart;
    struct trace_frame_stream stream;
} sink = {.stream = {.cpu = TRACE_FRAME_NO_CPU}};

void trace_sink_setup(void)
{
    const struct cmdline_trace_to *to = &machine_options()->trace_to;
    enum uart_status status;

    sink.stream.tsc_khz = (uint32_t)tsc_khz();
    if (!to->binary || !to->uart.given || console_uses_uart(to->uart.port, to->uart.mmio))
        return;
    status = console_open_uart(&sink.uart, to->uart.port, to->uart.mmio, to->uart.baud);
    console_printf("adept: trace: frames on uart=%#llx baud=%u: %s\n",
                   (unsigned long long)(to->uart.mmio != 0 ? to->uart.mmio : to->uart.port), to->uart.baud,
                   uart_status_text(status));
    sink.own_uart = true;
    sink.binary_off = status != UART_OK;
}

bool trace_sink_text(void)
{
    return machine_options()->trace_to.text;
}

bool trace_sink_binary(void)
{
    return machine_options()->trace_to.binary;
}

bool trace_sink_drains(void)
{
    return trace_sink_text() || trace_sink_binary();
}

size_t trace_sink_encode(struct vmm_cpu *cpu, const struct trace_record *record, uint8_t *out)
{
    const struct trace_vm_name *vm = trace_vm_name(record->source.vm);

    if (!trace_sink_binary() || sink.binary_off || cpu->frames == NULL)
        return 0;
    return trace_frame_encode(&sink.stream, cpu->frames, record, vm->name, vm->start_tsc, out);
}

must_check size_t trace_sink_try_send(const uint8_t *bytes, size_t length)
{
    if (sink.own_uart)
        return uart_put(&sink.uart, (const char *)bytes, length);
    return console_try_write_frames(bytes, length);
}

void trace_sink_send(const uint8_t *bytes, size_t length)
{
    if (sink.own_uart) {
        uart_write(&sink.uart, (const char *)bytes, length);
        (void)uart_flush(&sink.uart); /* nothing to be done about a stuck UART */
    } else {
        console_write_frames(bytes, length);
    }
}
