/* SPDX-License-Identifier: MIT */
/* The stack in a panic's report. Both take the struct exception_frame of the CPU they run on. */
#ifndef VMM_HOST_PANIC_STACK_H
#define VMM_HOST_PANIC_STACK_H

/* Prints RIP and who called it, along the saved frame pointers, each of which lies above the one before, on a
 * stack of this CPU. */
void panic_stack_frames(void *registers);

/*
 * Prints the words at the top of the stack that are addresses of code: a function that has no frame yet, or
 * none at all, is not in the chain above, nor is who called through a bad pointer.
 */
void panic_stack_words(void *registers);

#endif
