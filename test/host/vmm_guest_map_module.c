/* SPDX-License-Identifier: MIT */
/* Which module is the map of which guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/guest/map_module.h"

static struct boot_info info;

static void modules(const char *const *strings)
{
    memset(&info, 0, sizeof(info));
    for (; strings[info.module_count] != NULL; info.module_count++)
        snprintf(info.modules[info.module_count].string, sizeof(info.modules[0].string), "%s",
                 strings[info.module_count]);
}

static void named_by_a_guest(void **state)
{
    (void)state;
    modules((const char *const[]){"/boot/a.map", "/boot/kernel boot=multiboot map=kernel.map", "kernel.map",
                                  "b.bin", "c.bin map=a.map", NULL});
    assert_int_equal(guest_map_module_find(&info, 1, "kernel.map"), 2);
    assert_int_equal(guest_map_module_find(&info, 4, "a.map"), 0);
    assert_true(guest_map_module_is(&info, 0));
    assert_false(guest_map_module_is(&info, 1));
    assert_true(guest_map_module_is(&info, 2));
    assert_false(guest_map_module_is(&info, 3));
    assert_false(guest_map_module_is(&info, 4));
}

static void not_there(void **state)
{
    (void)state;
    modules((const char *const[]){"/boot/k map=k.map", "/boot/k", NULL});
    assert_int_equal(guest_map_module_find(&info, 0, "k.map"), info.module_count);
    assert_int_equal(guest_map_module_find(&info, 0, ""), info.module_count);
    assert_false(guest_map_module_is(&info, 1));
    /* A guest's map is another file than itself; a module for= a guest is that guest's. */
    modules((const char *const[]){"self map=self", "x for=self", "y map=x", "name=z", NULL});
    assert_int_equal(guest_map_module_find(&info, 0, "self"), info.module_count);
    assert_false(guest_map_module_is(&info, 0));
    assert_false(guest_map_module_is(&info, 1));
    assert_int_equal(guest_map_module_find(&info, 2, "name=z"), info.module_count);
}

/* Of two files with one name the first is the map, the other one a guest. */
static void twice(void **state)
{
    (void)state;
    modules((const char *const[]){"k map=m", "m", "m name=other", NULL});
    assert_true(guest_map_module_is(&info, 1));
    assert_false(guest_map_module_is(&info, 2));
    /* Two guests may share one. */
    modules((const char *const[]){"k map=m", "l map=m", "m", NULL});
    assert_int_equal(guest_map_module_find(&info, 0, "m"), 2);
    assert_int_equal(guest_map_module_find(&info, 1, "m"), 2);
}

/* What is behind `--` is the guest's own. */
static void arguments(void **state)
{
    (void)state;
    modules((const char *const[]){"k boot=multiboot -- map=m", "m", NULL});
    assert_false(guest_map_module_is(&info, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_by_a_guest),
        cmocka_unit_test(not_there),
        cmocka_unit_test(twice),
        cmocka_unit_test(arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
