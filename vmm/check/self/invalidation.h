/* SPDX-License-Identifier: MIT */
/* test=invalidate: every type of INVEPT and INVVPID that this processor has, executed, and what became of it.
 */
#ifndef VMM_CHECK_SELF_INVALIDATION_H
#define VMM_CHECK_SELF_INVALIDATION_H

/* Prints a line a type, and one for operands that must be refused. A CPU in VMX root operation without a
 * guest. */
void invalidation_test(void);

#endif
