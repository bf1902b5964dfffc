/* SPDX-License-Identifier: MIT */
/*
 * A screen of text in memory: what should be seen and what has been drawn, so that a screen driver redraws
 * only cells that changed, and looks only at rows in which one may have. Scrolling moves no text: `top` says
 * which stored row is seen first. It changes nearly all cells, so a screen that is slow to draw scrolls many
 * rows at once.
 */
#ifndef DRIVERS_TEXT_GRID_H
#define DRIVERS_TEXT_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/x86/compiler.h"

#define TEXT_GRID_ROWS_MAX 100u

struct text_grid {
    uint8_t *wanted; /* rows * columns, the seen row r at stored row (top + r) % rows */
    uint8_t *drawn;  /* rows * columns as they stand on the screen; 0 = not known */
    unsigned columns, rows;
    unsigned top;
    unsigned row, column; /* where the next character goes; column == columns: at the start of the next row */
    unsigned jump;        /* rows by which it scrolls */
    unsigned scan_row, scan_column;   /* next cell to compare */
    bool changed[TEXT_GRID_ROWS_MAX]; /* of a seen row: its cells are to be compared; while it is scan_row,
                                         from scan_column on */
};

struct text_grid_change {
    unsigned row, column;
    uint8_t character;
};

/* All blank, nothing drawn. `wanted` and `drawn` hold rows * columns bytes each; 1 <= jump <= rows <=
 * TEXT_GRID_ROWS_MAX. */
void text_grid_init(struct text_grid *, uint8_t *wanted, uint8_t *drawn, unsigned columns, unsigned rows,
                    unsigned jump);

/* Printable ASCII, '\n' (to the start of the next row), '\r', '\t'; anything else shows as '?'. */
void text_grid_put(struct text_grid *, char character);

/*
 * Finds the next cell that has to be redrawn and counts it as drawn. Compares at most *budget cells and takes
 * what it used off it; false when there is none, or none within the budget.
 */
bool text_grid_next_change(struct text_grid *, unsigned *budget, struct text_grid_change *) must_check;

#endif
