/* SPDX-License-Identifier: MIT */
/* A trace record as one line of text. Pure. The README's "Trace format" describes what this writes. */
#ifndef VMM_TRACE_TEXT_H
#define VMM_TRACE_TEXT_H

#include "vmm/trace/record.h"
#include <stddef.h>
#include <stdint.h>

#define TRACE_LINE_MAX 320

/*
 * Writes the line of a record that trace_record_tidy() has seen, without a newline, NUL-terminated, cut at
 * `size` bytes; returns its length. `vm_start` is the TSC from which t= counts.
 */
size_t trace_text(const struct trace_record *record, const char *vm_name, uint64_t vm_start, char *buffer,
                  size_t size);

/* "4K", "2M", "1G" of a leaf's level, "512G" of a PML4E's span. */
const char *trace_page_size(unsigned level);

#endif
