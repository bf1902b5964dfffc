/* SPDX-License-Identifier: MIT */
/*
 * The exit trace. Recording is not printing: the exit path puts a record into its CPU's ring, without a lock;
 * trace_drain_some() and trace_drain_all() turn records into lines on the console, from outside of the exit
 * path. What did not fit is counted, and the count is printed where the records are missing. Repeated
 * identical exits are folded into one record.
 */
#ifndef VMM_TRACE_H
#define VMM_TRACE_H

#include "arch/x86/compiler.h"
#include "vmm/trace_filter.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vmm_cpu;

/* What the handler did, the words behind "->". */
enum trace_result_code {
#define TRACE_RESULT(name, text) RESULT_##name,
#include "vmm/trace_results.def"
#undef TRACE_RESULT
    RESULT_COUNT,
};

struct trace_result {
    uint8_t code;       /* enum trace_result_code */
    uint8_t level;      /* of the EPT leaf in question: 1 4K, 2 2M, 3 1G */
    uint8_t type;       /* its memory type */
    uint8_t vector;     /* of an injected exception */
    const char *device; /* RESULT_DEVICE: which; a constant */
};

/* How CS:RIP is written. */
enum trace_mode { TRACE_MODE_REAL, TRACE_MODE_PROTECTED, TRACE_MODE_LONG };

enum trace_kind { TRACE_EXIT, TRACE_TEXT };

#define TRACE_TEXT_LENGTH 104

struct trace_exit {
    uint64_t qualification, guest_physical_address, guest_linear_address, rip;
    uint64_t word;  /* reason-specific: leaf, MSR number, port access, hypercall number, event */
    uint64_t value; /* reason-specific: subleaf, MSR value, I/O data */
    uint64_t ticks; /* sum over the repeats */
    uint32_t reason;
    uint32_t repeats; /* 1: it came once */
    uint16_t cs;
    uint8_t mode;
    uint8_t has_address; /* bit 0: guest_physical_address, bit 1: guest_linear_address */
    uint8_t entry_level; /* EPT_MISCONFIG: word = entry's address, qualification = its value, value =
                            offending bits */
    uint16_t entry_reasons;
    struct trace_result result;
};

struct trace_record {
    uint8_t kind;
    uint8_t text_length; /* TRACE_TEXT */
    uint16_t vm;         /* its id */
    uint16_t cpu;
    uint16_t vcpu;     /* its index + 1 in a VM of several, else 0 */
    uint64_t sequence; /* the exit's number in its vCPU, from 1 */
    uint64_t tsc;
    uint32_t lost; /* exits whose records did not fit just before this one */
    uint32_t reserved2;
    union {
        struct trace_exit exit;
        char text[TRACE_TEXT_LENGTH];
    };
};

_Static_assert(sizeof(struct trace_record) <= 144, "a record stays small");

#define TRACE_RING_RECORDS 2048u /* a power of two */

/* One producer, the CPU; one consumer at a time, who holds the drain lock. */
struct trace_ring {
    struct trace_record *records; /* TRACE_RING_RECORDS of them; NULL: no trace on this CPU */
    uint32_t head;                /* next to write; only the CPU writes it */
    uint32_t tail;                /* next to read; only the consumer writes it */
    uint32_t lost;                /* exits since the last record that fitted */
    bool held_valid;
    struct trace_record held; /* the newest exit, not yet published: an identical one only raises its count */
};

/* Gives a CPU its ring. false: no memory (the CPU then runs without a trace). */
must_check bool trace_ring_create(struct vmm_cpu *cpu);

/* Records an exit; folds it into the one before when only time differs. The CPU itself, in its exit path. */
void trace_record_exit(struct trace_ring *ring, const struct trace_record *record);

/* Records a line of a guest's output. Unlike exits it is never dropped: waits for room by draining. */
void trace_record_text(struct vmm_cpu *cpu, uint16_t vm, const char *text, size_t length);

/* Publishes the held record, so that a drain sees it. The CPU itself. */
void trace_publish(struct trace_ring *ring);

/* A line that is on its way to the console, begun and not ended. Written under the drain lock; read anywhere.
 */
extern bool trace_line_open;

/* Whether there is something to print: in this CPU's ring, or the rest of a line. The CPU itself. */
static inline bool trace_pending(const struct trace_ring *ring)
{
    return ring->head != __atomic_load_n(&ring->tail, __ATOMIC_RELAXED) ||
           __atomic_load_n(&trace_line_open, __ATOMIC_RELAXED);
}

/* Prints as much as the console takes at once, without waiting. Any CPU. false: there was nothing to print.
 */
bool trace_drain_some(void);

/* Prints everything that all rings have published. Any CPU; waits for the console. */
void trace_drain_all(void);

/*
 * A report of several lines that nothing comes between: prints all that is recorded up to now, the calling
 * CPU's held record included, then keeps the console for the caller's console_printf until
 * trace_report_end(). Any CPU, not nested.
 */
void trace_report_begin(void);
void trace_report_end(void);

/* Who writes to the console, for console_set_cpu_index(): all CPUs that drain count as one, since any may
 * finish a line. */
uint32_t trace_console_writer(void);

/* Sets the VM's name and the TSC of its start, for its lines. */
void trace_name_vm(uint16_t vm, const char *name, uint64_t start_tsc);

/* Prints the newest `count` exits (records of them, folded ones count once) of the CPU's ring whether drained
 * or not, for crash reports; takes no lock. */
void trace_print_last(struct vmm_cpu *cpu, unsigned count);

#endif
