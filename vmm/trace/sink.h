/* SPDX-License-Identifier: MIT */
/*
 * Where the trace goes, by trace_to=: text on the console, frames on the console's UART or on one of their
 * own, or nowhere: then the rings keep the newest exits for reports. The drain lock's holder alone sends.
 */
#ifndef VMM_TRACE_SINK_H
#define VMM_TRACE_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/x86/compiler.h"
#include "vmm/trace/record.h"

struct vmm_cpu;

/* Opens the UART for frames, if trace_to= names one, and says what came of it. Boot CPU, before any guest
 * runs. */
void trace_sink_setup(void);

bool trace_sink_text(void);
/* Whether anything reads the rings. */
bool trace_sink_drains(void);
bool trace_sink_binary(void);

/* The frames of a tidy record of this CPU, into out[TRACE_FRAMES_MAX]; the number of bytes, 0 without
 * trace_to=binary. */
size_t trace_sink_encode(struct vmm_cpu *cpu, const struct trace_record *record, uint8_t *out);

/* Sends as much as is taken now; returns how much. */
size_t trace_sink_try_send(const uint8_t *bytes, size_t length) must_check;
/* Sends all, waiting. */
void trace_sink_send(const uint8_t *bytes, size_t length);

#endif
