/* SPDX-License-Identifier: MIT */
/* arch/x86/apic_quiet.h: which interrupts of the machine's are masked, and which are the firmware's. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/x86/apic_quiet.h"
#include "arch/x86/exception.h"
#include "vmm/vm/shootdown.h"

static void entries(void **state)
{
    (void)state;
    for (uint32_t mode = 0; mode < 8; mode++) {
        /* All other bits as they may be: vector, destination mode, polarity, trigger, timer mode. */
        for (uint32_t other = 0; other < 0x80; other++) {
            uint32_t entry = mode << 8 | 0x31 | (other & 7) << 11 | (other >> 3) << 14;
            uint32_t masked = entry | 1u << 16;

            assert_int_equal(apic_lvt_quiet(entry), mode == 2 || mode == 4 ? entry : masked);
            assert_int_equal(ioapic_pin_quiet(entry), mode == 2 ? entry : masked);
            assert_int_equal(apic_lvt_quiet(masked), masked);
            assert_int_equal(ioapic_pin_quiet(masked), masked);
        }
    }
}

/* SDM vol. 3, "Task, Interrupt, and Processor Priority": what has no higher class than the task priority
 * waits. */
static void priority(void **state)
{
    (void)state;
    for (unsigned vector = 16; vector < 256; vector++) {
        int waits = vector >> 4 <= APIC_TPR_OWN >> 4;
        int own = vector == VECTOR_WAKE || vector == VECTOR_SPURIOUS || vector == SHOOTDOWN_VECTOR;

        assert_int_equal(waits, vector < OWN_VECTOR_FIRST);
        assert_false(waits && own);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(entries), cmocka_unit_test(priority)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
