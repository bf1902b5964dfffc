/* SPDX-License-Identifier: MIT */
/* dump=screen: what stands on a guest's screen at its end. */
#ifndef VMM_REPORT_SCREEN_H
#define VMM_REPORT_SCREEN_H

struct vm;

/*
 * Prints one line about the screen and one for each row that is not blank:
 *     adept: screen: vm=NAME columns=80 rows=25 start=0x0 cursor=ROW,COLUMN
 *     adept: screen: vm=NAME row=ROW |text
 * Any CPU, between trace_report_begin() and trace_report_end().
 */
void screen_report(const struct vm *vm);

#endif
