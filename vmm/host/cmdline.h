/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's command line, for example
 *     /boot/adept.elf trace=EPT_VIOLATION,VMCALL console=com1,115200 cpus=4 on_end=halt
 * Pure; never fails: what is unknown or absurd becomes a line to print, and the default stays.
 */
#ifndef VMM_HOST_CMDLINE_H
#define VMM_HOST_CMDLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/vm/config.h"
#include "vmm/host/option_text.h"
#include "vmm/trace/filter.h"
#include "vmm/trace/terms.h"

enum cmdline_on_end { ON_END_POWEROFF, ON_END_HALT, ON_END_REBOOT };
enum cmdline_guests { GUESTS_PARALLEL, GUESTS_SEQUENTIAL };
enum cmdline_input { CMDLINE_INPUT_BOTH, CMDLINE_INPUT_COM1, CMDLINE_INPUT_KEYBOARD };

/*
 * console=: a list of com1..com4 or 0xBASE (a port, or above 0xffff an address of 32-bit registers), a
 * decimal baud rate, `vga` and `fb` (on), `-vga` and `-fb` (off), `none` (all off; what follows it in the
 * list is on).
 */
struct cmdline_console {
    bool serial;        /* use a serial port at all; default true */
    bool serial_given;  /* the port or address was named: SPCR and probing do not matter */
    uint16_t uart_port; /* default COM1's 0x3f8; 0 if uart_mmio is set */
    uint64_t uart_mmio; /* physical, 0 if it is a port */
    uint32_t baud;      /* default 115200 */
    bool baud_given;
    bool vga_text;    /* may write VGA text if the machine has it; default true */
    bool framebuffer; /* the same for a framebuffer; default true */
};

#define CMDLINE_TEST_MAX    8
#define CMDLINE_TEST_LENGTH 32
#define CMDLINE_SCRIPT_MAX  768 /* with the NUL */

/* A serial port: com1..com4, or 0xBASE. */
struct cmdline_uart {
    bool given;
    uint16_t port; /* 0 if mmio is set */
    uint64_t mmio; /* physical, 0 if it is a port */
    uint32_t baud; /* default 115200 */
};

/* trace_to=: a list of text, binary, ram, a port and a baud rate as in console=. Neither text nor binary: the
 * rings alone. */
struct cmdline_trace_to {
    bool text, binary;        /* default text */
    struct cmdline_uart uart; /* of the frames; not given: the console's */
};

struct cmdline_options {
    struct cmdline_trace_to trace_to;
    struct trace_filter trace; /* default all */
    bool trace_given;
    struct trace_terms trace_terms; /* of all guests; default none */
    uint32_t trace_rate;            /* records a second and CPU; 0: no limit */
    bool dump_ept, dump_vmcs, dump_screen;
    struct guest_memtype memtype; /* of every guest */
    enum cmdline_on_end on_end;
    bool mitigate_verw, mitigate_l1d; /* before each entry of a guest */
    bool stats_json;                  /* the exit statistics as JSON lines instead of a table */
    struct cmdline_console console;
    unsigned cpus;      /* at most this many CPUs are used; 0: all */
    uint32_t timeout_s; /* of the whole run in seconds; 0: none */
    bool policy_given;  /* then policy is the default of every guest, for hole, rom and nx alike */
    enum guest_policy policy;
    enum cmdline_guests guests;
    char input[GUEST_NAME_MAX];      /* the guest that gets what is typed at the console; empty: the first */
    enum cmdline_input input_device; /* what it types on */
    uint64_t conformance_cases;      /* 0: guests run; else the conformance tester, instead of them */
    uint64_t conformance_seed;
    char script[CMDLINE_SCRIPT_MAX]; /* cmd=: commands of the monitor with ; between them */
    bool walk_given;
    uint64_t walk; /* a linear address whose two-dimensional walk is printed at each guest's end */
    char tests[CMDLINE_TEST_MAX][CMDLINE_TEST_LENGTH]; /* the words of test= */
    unsigned test_count;
    struct option_problems problems;
};

/* Sets *options from the whole line. The first word is skipped if it is the kernel's file name: one without
 * `=`. */
void cmdline_parse(struct cmdline_options *options, const char *line);

/* True if test= has this word (case matters not). */
bool cmdline_has_test(const struct cmdline_options *options, const char *word);

#endif
