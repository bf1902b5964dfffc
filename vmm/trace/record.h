/* SPDX-License-Identifier: MIT */
/*
 * A record of the trace: one VM exit, 128 bytes, as the exit path writes it. Pure: the hypervisor and
 * tools/adept-trace share it.
 *
 * The exit path fills only what the exit's reason gives a meaning, the rest is what the place in the ring
 * held before: readers take a record through trace_record_tidy().
 */
#ifndef VMM_TRACE_RECORD_H
#define VMM_TRACE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the handler did, the words behind "->". */
enum trace_result_code {
#define TRACE_RESULT(name, text) RESULT_##name,
#include "vmm/trace/results.def"
#undef TRACE_RESULT
    RESULT_COUNT,
};

struct trace_result {
    uint8_t code;        /* enum trace_result_code */
    uint8_t level;       /* of the EPT leaf in question: 1 4K, 2 2M, 3 1G */
    uint8_t type;        /* its memory type */
    uint8_t vector;      /* of an injected exception */
    uint8_t entry_level; /* EPT_MISCONFIG: the entry's, 0: none was found */
    uint8_t reserved;
    uint16_t entry_reasons; /* EPT_MISCONFIG: EPT_REASON_... */
};

/* How CS:RIP is written. */
enum trace_mode { TRACE_MODE_REAL, TRACE_MODE_PROTECTED, TRACE_MODE_LONG, TRACE_MODE_COUNT };

/* A place in the ring that was never written has none of these. */
enum trace_kind {
    TRACE_EXIT = 1,
    TRACE_LOST,       /* `count` exits did not fit into the ring */
    TRACE_SUPPRESSED, /* `count` exits were above trace_rate= */
};

/* Who: the same for all exits of a vCPU on its CPU. */
struct trace_source {
    uint16_t kind; /* enum trace_kind */
    uint16_t vm;   /* its id */
    uint16_t cpu;
    uint16_t vcpu; /* its index + 1 in a VM of several, else 0 */
};

struct trace_record {
    uint64_t sequence; /* the exit's number in its vCPU, from 1; of the first one if folded */
    uint64_t tsc;
    struct trace_source source;
    uint64_t rip;
    uint64_t cs;        /* selector, or TRACE_NO_CS */
    uint64_t cs_rights; /* its access rights as the VMCS has them */
    uint64_t cr0;
    uint64_t qualification; /* EPT_MISCONFIG: the entry's value */
    uint64_t guest_physical_address;
    uint64_t guest_linear_address;
    uint64_t word;  /* reason-specific: leaf, MSR number, hypercall number, event; EPT_MISCONFIG: the entry's
                       address */
    uint64_t value; /* reason-specific: subleaf, MSR value, I/O data; EPT_MISCONFIG: offending bits */
    union {
        uint64_t ticks; /* TSC ticks in the host, sum over the folded */
        uint64_t count; /* TRACE_LOST, TRACE_SUPPRESSED */
    };
    union {
        struct {
            uint32_t reason;
            uint32_t folded; /* identical exits that followed and have no record of their own */
        };
        uint64_t reason_alone; /* the reason, and 0 folded */
    };
    struct trace_result result;
    const char *device; /* RESULT_DEVICE: which; a constant */
};

_Static_assert(sizeof(struct trace_record) == 128, "two cache lines");
_Static_assert(sizeof(struct trace_result) == 8 && sizeof(struct trace_source) == 8, "copied as one word");

/* The selector was not read. */
#define TRACE_NO_CS 0x10000u

/* What a reason gives a meaning to. */
#define TRACE_HAS_QUALIFICATION    (1u << 0)
#define TRACE_HAS_PHYSICAL_ADDRESS (1u << 1)
#define TRACE_HAS_LINEAR_ADDRESS   (1u << 2)
#define TRACE_HAS_WORD             (1u << 3)
#define TRACE_HAS_VALUE            (1u << 4)

/* TRACE_HAS_... of a TRACE_EXIT record. */
unsigned trace_record_fields(const struct trace_record *record);

enum trace_mode trace_record_mode(const struct trace_record *record);
/* Makes trace_record_mode() give this one. */
void trace_record_set_mode(struct trace_record *record, enum trace_mode mode);

/* Makes all zero that has no meaning in this record. */
void trace_record_tidy(struct trace_record *record);

/* Whether two exits differ in nothing but time, or in the characters that the guest prints. */
bool trace_record_same(const struct trace_record *a, const struct trace_record *b);

#endif
