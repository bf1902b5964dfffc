/* SPDX-License-Identifier: MIT */
/* Keys from the console. */
#include "vmm/monitor/keys.h"
#include "arch/x86/memory.h"
#include "arch/x86/percpu.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"
#include "drivers/console.h"
#include "vmm/monitor/monitor.h"
#include "vmm/trace/trace.h"
#include "vmm/plug.h"

#define GUEST_KEYS  64u     /* a power of two */
#define PATIENCE_US 1000000 /* a guest that takes nothing for so long loses what waits for it */
#define PAGE_LINES  22
#define CONTROL_C   3

/* For the guest: one writer, who holds the session's lock, and one reader. */
static struct {
    char keys[GUEST_KEYS];
    uint32_t head, tail; /* atomic; only the writer changes head, only the reader tail */
    uint32_t discarded;  /* atomic: up to here the reader leaves them out */
    uint64_t full_since; /* TSC; the writer's */
} guest;

static struct {
    bool open;     /* atomic: any CPU asks */
    bool complete; /* the line */
} typing;

static struct {
    bool active;
    uint32_t cpu; /* that is paged */
    unsigned lines;
    bool line_start, stopped;
} page;

static void put(void *context, const char *bytes, size_t count)
{
    (void)context;
    if (bytes[0] == '\r' || console_prompt_shown()) /* else it is drawn as a whole, later */
        (void)!console_prompt_write(bytes, count);
}

void monitor_keys_prepare(struct monitor_line *line)
{
    line->put = put;
}

int monitor_guest_key(void)
{
    uint32_t tail = guest.tail, discarded = __atomic_load_n(&guest.discarded, __ATOMIC_ACQUIRE);
    char key;

    if ((int32_t)(discarded - tail) > 0)
        tail = discarded;
    if (tail == __atomic_load_n(&guest.head, __ATOMIC_ACQUIRE)) {
        __atomic_store_n(&guest.tail, tail, __ATOMIC_RELEASE);
        return -1;
    }
    key = guest.keys[tail % GUEST_KEYS];
    __atomic_store_n(&guest.tail, tail + 1, __ATOMIC_RELEASE);
    return (uint8_t)key;
}

/* Room for another key: else what comes stays in the UART, unless the guest takes nothing for too long. */
static bool guest_has_room(void)
{
    if (guest.head - __atomic_load_n(&guest.tail, __ATOMIC_ACQUIRE) < GUEST_KEYS) {
        guest.full_since = 0;
        return true;
    }
    if (guest.full_since == 0)
        guest.full_since = tsc_read();
    return tsc_read() - guest.full_since > tsc_ticks(PATIENCE_US);
}

static void give_to_guest(char key)
{
    if (guest.full_since != 0) { /* no room: this one is lost, too, as are those before it once it wakes up */
        __atomic_store_n(&guest.discarded, guest.head, __ATOMIC_RELEASE);
        return;
    }
    guest.keys[guest.head % GUEST_KEYS] = key;
    __atomic_store_n(&guest.head, guest.head + 1, __ATOMIC_RELEASE);
}

static void set_open(bool open)
{
    __atomic_store_n(&typing.open, open, __ATOMIC_RELAXED);
}

bool monitor_keys_open(void)
{
    return __atomic_load_n(&typing.open, __ATOMIC_RELAXED);
}

void monitor_keys_close(void)
{
    if (typing.open)
        console_prompt_erase();
    set_open(false);
    typing.complete = false;
}

void monitor_close(void)
{
    monitor_keys_close();
}

void monitor_keys_read(struct monitor_line *line)
{
    int key;

    while (!typing.complete && (typing.open || guest_has_room()) && (key = console_try_read()) >= 0) {
        if (key == MONITOR_KEY && typing.open) {
            monitor_keys_close();
        } else if (key == MONITOR_KEY) {
            set_open(true);
            line->escape = 0; /* of a sequence that closing has cut short */
        } else if (!typing.open) {
            give_to_guest((char)key);
        } else {
            switch (monitor_line_key(line, (char)key)) {
            case MONITOR_KEY_TAKEN:
                break;
            case MONITOR_KEY_ENTER:
                typing.complete = true;
                break;
            case MONITOR_KEY_CLOSES:
                monitor_keys_close();
                break;
            }
        }
    }
}

bool monitor_keys_take_line(void)
{
    bool complete = typing.complete;

    typing.complete = false;
    return complete;
}

void monitor_keys_draw(const struct monitor_line *line, bool wanted)
{
    if (typing.open && wanted && !console_prompt_shown())
        monitor_line_draw(line);
}

/* Waits for a key, and lets other CPUs use the console meanwhile. */
static void wait_for_key(void)
{
    static const char more[] = "\r--more-- (space: a page, Enter: a line, q: no more)";
    int key = -1;

    trace_report_end();
    while (key < 0) {
        if (!console_prompt_shown())
            (void)!console_prompt_write(more, sizeof(more) - 1);
        (void)trace_drain_some();
        cpu_pause();
        key = console_try_read();
        if (key != ' ' && key != '\r' && key != '\n' && key != 'q' && key != CONTROL_C && key != MONITOR_KEY)
            key = -1;
    }
    console_prompt_erase();
    page.lines = key == ' ' ? 0 : PAGE_LINES - 1;
    page.stopped = key != ' ' && key != '\r' && key != '\n';
    trace_report_begin();
}

static bool pager(const char *format)
{
    if (percpu()->index != page.cpu)
        return true;
    if (!page.stopped && page.line_start && page.lines >= PAGE_LINES)
        wait_for_key();
    for (; *format != '\0'; format++) {
        page.line_start = *format == '\n';
        page.lines += page.line_start;
    }
    return !page.stopped;
}

void monitor_keys_page(bool paged)
{
    if (!paged) {
        console_set_pager(NULL);
        return;
    }
    page.cpu = percpu()->index;
    page.lines = 0;
    page.line_start = true;
    page.stopped = false;
    console_set_pager(pager);
}
