/* SPDX-License-Identifier: MIT */
/*
 * printf-style formatting into a buffer. Pure. Understands
 *     %[-0 #+][width][.precision][hh h l ll z j t](d i u x X p c s %)
 * width and precision may be '*'. Precision cuts strings and is the minimal number of digits of integers.
 * `%#x` prints 0x also before 0; %p is %#lx; a NULL string prints as (null). Anything else after a % is
 * copied as it stands and takes no argument: so %n and floating point are not supported and do no harm by
 * themselves.
 */
#ifndef DRIVERS_FORMAT_H
#define DRIVERS_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

#include "arch/x86/compiler.h"

/*
 * Writes at most `size` bytes to `buffer`, the last of them always NUL (nothing if size is 0), and returns
 * the length in bytes, without the NUL, that the whole text has: a result >= size means that it was cut.
 */
size_t format_v(char *buffer, size_t size, const char *format, va_list arguments);
size_t format(char *buffer, size_t size, const char *format, ...) printf_like(3, 4);

#endif
