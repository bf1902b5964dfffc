/* SPDX-License-Identifier: MIT */
/* The console: one stream of text to every device, line by line, under one lock that can be broken. */
#include "drivers/console.h"

#include "arch/x86/memory.h"
#include "arch/x86/spinlock.h"
#include "drivers/console_devices.h"
#include "drivers/format.h"

#define PRINTF_MAX 2048u

/*
 * Attempts to take the lock before it counts as dead. A holder may legitimately be some seconds sending a
 * long text at a low rate; in a panic the holder has probably been stopped.
 */
#define LOCK_TRIES          (1u << 26)
#define LOCK_TRIES_IN_PANIC (1u << 21)

struct console {
    struct spinlock lock;
    struct spinlock read_lock; /* of what is typed alone: CPUs that write without end keep no reader away */
    bool lock_broken;          /* the last wait for the lock ran out: the next is one attempt */
    bool panic;
    uint32_t (*cpu_index)(void);
    uint64_t (*clock)(void);
    bool (*pager)(const char *format); /* atomic */
    bool prompt_shown;                 /* written under the lock */

    /* All below belongs to the holder of the lock. */
    bool line_open;      /* the last byte written was not '\n' */
    uint32_t line_owner; /* the CPU that wrote it */
    uint64_t ticks;      /* of the clock, in write_locked() */
    struct console_devices devices;
    char text[PRINTF_MAX];
};

static struct console console;

static bool in_panic(void)
{
    return __atomic_load_n(&console.panic, __ATOMIC_RELAXED);
}

/* Not asked in a panic: the per-CPU area may be what is broken. */
static uint32_t this_cpu(void)
{
    return console.cpu_index != NULL && !in_panic() ? console.cpu_index() : 0;
}

static uint64_t now(void)
{
    return console.clock != NULL ? console.clock() : 0;
}

/* False: the lock could not be had, go on without it, and do not unlock. */
static bool lock_or_give_up(void)
{
    uint32_t tries = 0;

    do {
        if (spinlock_try_lock(&console.lock)) {
            __atomic_store_n(&console.lock_broken, false, __ATOMIC_RELAXED);
            return true;
        }
        cpu_pause();
        tries++;
    } while (!__atomic_load_n(&console.lock_broken, __ATOMIC_RELAXED) &&
             tries < (in_panic() ? LOCK_TRIES_IN_PANIC : LOCK_TRIES));
    __atomic_store_n(&console.lock_broken, true, __ATOMIC_RELAXED);
    return false;
}

static void unlock(bool locked)
{
    if (locked) {
        spinlock_unlock(&console.lock);
    }
}

static void note_line_state(const char *text, size_t length, uint32_t cpu)
{
    if (length > 0) {
        console.line_open = text[length - 1] != '\n';
        console.line_owner = cpu;
    }
}

static void take_prompt_away(void)
{
    static const char erase[] = "\r\x1b[K";

    if (console.prompt_shown) {
        uart_write(&console.devices.uart, erase, sizeof(erase) - 1);
        __atomic_store_n(&console.prompt_shown, false, __ATOMIC_RELAXED);
    }
}

static void write_locked(const char *text, size_t length)
{
    uint32_t cpu = this_cpu();
    uint64_t start = now();

    if (length == 0) {
        return;
    }
    take_prompt_away();
    if (console.line_open && console.line_owner != cpu) {
        console_devices_write(&console.devices, "\n", 1);
    }
    console_devices_write(&console.devices, text, length);
    note_line_state(text, length, cpu);
    console.ticks += now() - start;
}

void console_write(const char *text, size_t length)
{
    bool locked = lock_or_give_up();

    write_locked(text, length);
    unlock(locked);
}

void console_vprintf(const char *format, va_list arguments)
{
    static const char cut[] = "[text cut]\n";
    bool (*pager)(const char *) = __atomic_load_n(&console.pager, __ATOMIC_ACQUIRE);
    bool locked;
    size_t length;

    if (pager != NULL && !in_panic() && !pager(format)) {
        return;
    }
    locked = lock_or_give_up();
    length = format_v(console.text, sizeof(console.text), format, arguments);

    if (length < sizeof(console.text)) {
        write_locked(console.text, length);
    } else {
        write_locked(console.text, sizeof(console.text) - 1);
        write_locked(cut, sizeof(cut) - 1);
    }
    unlock(locked);
}

void console_printf(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    console_vprintf(format, arguments);
    va_end(arguments);
}

size_t console_try_write(const char *text, size_t length)
{
    uint32_t cpu;
    size_t taken = 0;

    if (in_panic() || !spinlock_try_lock(&console.lock)) {
        return 0;
    }
    cpu = this_cpu();
    if (!console.line_open || console.line_owner == cpu || length == 0) {
        if (length != 0) {
            take_prompt_away();
        }
        taken = console_devices_put(&console.devices, text, length);
        note_line_state(text, taken, cpu);
    }
    spinlock_unlock(&console.lock);
    return taken;
}

size_t console_try_write_frames(const uint8_t *bytes, size_t length)
{
    size_t taken = 0;

    if (in_panic() || !spinlock_try_lock(&console.lock)) {
        return 0;
    }
    if (!console.line_open) {
        taken = uart_put(&console.devices.uart, (const char *)bytes, length);
    }
    spinlock_unlock(&console.lock);
    return taken;
}

void console_write_frames(const uint8_t *bytes, size_t length)
{
    bool locked = lock_or_give_up();

    if (console.line_open && length > 0) {
        console_devices_write(&console.devices, "\n", 1);
        console.line_open = false;
    }
    uart_write(&console.devices.uart, (const char *)bytes, length);
    unlock(locked);
}

bool console_uses_uart(uint16_t port, uint64_t mmio)
{
    const struct console_devices *devices = &console.devices;

    if (!devices->uart.present) {
        return false;
    }
    return mmio != 0 ? devices->uart_mmio == mmio
                     : devices->uart.registers == NULL && devices->uart.port == port;
}

enum uart_status console_open_uart(struct uart16550 *uart, uint16_t port, uint64_t mmio, uint32_t baud)
{
    return console_devices_open_uart(&console.devices, uart, port, mmio, UART_LAYOUT_WORDS, baud);
}

int console_try_read(void)
{
    int character;

    if (in_panic() || !spinlock_try_lock(&console.read_lock)) {
        return -1;
    }
    character = uart_get(&console.devices.uart); /* of the UART's fields it uses constant ones alone */
    spinlock_unlock(&console.read_lock);
    return character;
}

must_check bool console_prompt_write(const char *bytes, size_t length)
{
    bool locked = lock_or_give_up(), closed = !console.line_open;

    if (closed) {
        uart_write(&console.devices.uart, bytes, length);
        __atomic_store_n(&console.prompt_shown, true, __ATOMIC_RELAXED);
    }
    unlock(locked);
    return closed;
}

bool console_prompt_shown(void)
{
    return __atomic_load_n(&console.prompt_shown, __ATOMIC_RELAXED);
}

void console_prompt_end(void)
{
    bool locked = lock_or_give_up();

    if (console.prompt_shown) {
        uart_write(&console.devices.uart, "\r\n", 2);
        __atomic_store_n(&console.prompt_shown, false, __ATOMIC_RELAXED);
    }
    unlock(locked);
}

void console_prompt_erase(void)
{
    bool locked = lock_or_give_up();

    take_prompt_away();
    unlock(locked);
}

void console_set_pager(bool (*pager)(const char *format))
{
    __atomic_store_n(&console.pager, pager, __ATOMIC_RELEASE);
}

void console_flush(void)
{
    bool locked = lock_or_give_up();

    console_devices_flush(&console.devices);
    unlock(locked);
}

/* From here on all CPUs count as CPU 0, except that a line begun before counts as another's. */
void console_panic_mode(void)
{
    bool locked = false;

    if (__atomic_exchange_n(&console.panic, true, __ATOMIC_RELAXED)) {
        return;
    }
    locked = lock_or_give_up();
    console.line_owner = UINT32_MAX;
    unlock(locked);
}

uint64_t console_lost(void)
{
    return __atomic_load_n(&console.devices.uart.lost, __ATOMIC_RELAXED);
}

void console_set_clock(uint64_t (*clock)(void))
{
    console.clock = clock;
}

uint64_t console_ticks(void)
{
    return console.ticks;
}

void console_set_cpu_index(uint32_t (*cpu_index)(void))
{
    console.cpu_index = cpu_index;
}

struct console_state console_init(const struct console_config *config)
{
    bool locked = lock_or_give_up();
    struct console_state state = console_devices_start(&console.devices, config);

    unlock(locked);
    return state;
}

void console_init_hardware(const struct console_hardware *hardware)
{
    memset(&console, 0, sizeof(console));
    console.devices.hardware = hardware;
}
