/* SPDX-License-Identifier: MIT */
/*
 * What the assembly of the quick exits (vmm/quick/entry.asm) knows of struct vcpu and of other structures and numbers in C.
 * vmm/quick/quick.c asserts each of them.
 */
#ifndef VMM_QUICK_QUICK_ABI_H
#define VMM_QUICK_QUICK_ABI_H

/* Offsets into struct vcpu. */
#define VCPU_EXIT_COUNT 136
#define VCPU_QUICK_DUE 144
#define VCPU_QUICK_START 152
#define VCPU_QUICK_CLOSED 160
#define VCPU_QUICK_REASON 168
#define VCPU_QUICK_TRAP_FLAGS 172
#define VCPU_QUICK_CALL 176
#define VCPU_TRACE_SOURCE 200
#define VCPU_RING 208
#define VCPU_STATISTICS 256
#define VCPU_QUICK_CPUID 22272
#define VCPU_QUICK_MSRS 30464
#define VCPU_QUICK_PORTS 30720

/*
 * The eight bytes at VCPU_QUICK_CLOSED. The lowest has a bit a kind of exit that goes to C at once, the next
 * one the same bits where exits of the kind are recorded in the trace; any bit above closes all.
 */
#define EXIT_QUICK_VMCALL 1
#define EXIT_QUICK_CPUID 2
#define EXIT_QUICK_RDMSR 4
#define EXIT_QUICK_IO 8
#define EXIT_QUICK_EPT 16
#define EXIT_QUICK_TRACED_SHIFT 8
#define EXIT_QUICK_ALL (~0xffff)

/* struct quick_key: what an exit must be about, and its own count. */
#define QUICK_KEY 0
#define QUICK_COUNT 8
#define QUICK_TICKS 16

/* struct quick_cpuid: the answers to CPUID, and the ECX from which on C answers. */
#define QUICK_CPUID_LEAVES 128
#define QUICK_CPUID_SHIFT 6
#define QUICK_CPUID_EAX 24
#define QUICK_CPUID_EBX 28
#define QUICK_CPUID_ECX 32
#define QUICK_CPUID_EDX 36
#define QUICK_CPUID_QUICK_BELOW 40

/* struct quick_msr */
#define QUICK_MSRS 8
#define QUICK_MSR_SHIFT 5
#define QUICK_MSR_LOW 24
#define QUICK_MSR_HIGH 28

/* struct quick_port; its key is the whole exit qualification. */
#define QUICK_PORTS 8
#define QUICK_PORT_SHIFT 5
#define QUICK_PORT_ONES 24
#define QUICK_PORT_MASK 28
#define QUICK_IO_IN 8
#define QUICK_IO_PORT_SHIFT 16

/* struct exit_statistics */
#define STATISTICS_SIZE 256
#define STATISTICS_TICKS 0
#define STATISTICS_MIN 8
#define STATISTICS_MAX 16
#define STATISTICS_HISTOGRAM 24
#define STATISTICS_LAST_BIN 28

/* struct trace_ring, struct trace_record */
#define RING_NEXT 0
#define RING_LIMIT 8
#define RING_HELD 16
#define RING_OPEN 24
#define RING_PENDING 41
#define RECORD_SIZE 128
#define RECORD_SEQUENCE 0
#define RECORD_TSC 8
#define RECORD_SOURCE 16
#define RECORD_RIP 24
#define RECORD_CS 32
#define RECORD_CS_RIGHTS 40
#define RECORD_CR0 48
#define RECORD_QUALIFICATION 56
#define RECORD_LINEAR 72
#define RECORD_WORD 80
#define RECORD_VALUE 88
#define RECORD_TICKS 96
#define RECORD_REASON 104
#define RECORD_FOLDED 108
#define RECORD_RESULT 112
#define QUICK_RESULT_EMULATED 0
#define QUICK_RESULT_NO_DEVICE 8
#define QUICK_RESULT_UNKNOWN_CALL 14

/* Basic exit reasons, VMCS fields. */
#define QUICK_REASON_CPUID 10
#define QUICK_REASON_VMCALL 18
#define QUICK_REASON_IO 30
#define QUICK_REASON_RDMSR 31
#define QUICK_REASON_EPT_VIOLATION 48
#define QUICK_FIELD_CS 0x802
#define QUICK_FIELD_REASON 0x4402
#define QUICK_FIELD_INSTRUCTION_LENGTH 0x440c
#define QUICK_FIELD_CS_RIGHTS 0x4816
#define QUICK_FIELD_QUALIFICATION 0x6400
#define QUICK_FIELD_LINEAR 0x640a
#define QUICK_FIELD_CR0 0x6800
#define QUICK_FIELD_RIP 0x681e
#define QUICK_FIELD_RFLAGS 0x6820

#endif
