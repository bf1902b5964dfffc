/* SPDX-License-Identifier: MIT */
/* Names of exception vectors. Pure. SDM vol. 3, "Exceptions and Interrupts". */
#include "arch/x86/exception.h"

#include <stddef.h>

const char *exception_name(unsigned vector)
{
    static const char *const names[32] = {
        "#DE", "#DB", "NMI", "#BP", "#OF",    "#BR", "#UD", "#NM", "#DF", "vector", "#TS",
        "#NP", "#SS", "#GP", "#PF", "vector", "#MF", "#AC", "#MC", "#XM", "#VE",    "#CP",
    };

    if (vector >= array_count(names))
        return "interrupt";
    return names[vector] != NULL ? names[vector] : "vector";
}
