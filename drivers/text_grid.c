/* SPDX-License-Identifier: MIT */
/*
 * A screen of text in memory. When the console's lock was broken in a panic, two CPUs may be in here at once:
 * text may then be garbled, but positions are checked in local copies, so no write leaves the arrays.
 */
#include "drivers/text_grid.h"

#define TAB_WIDTH 8u
#define BLANK     ' '

static void mark_changed(struct text_grid *grid, unsigned row)
{
    grid->changed[row] = true;
    if (row == grid->scan_row) {
        grid->scan_column = 0;
    }
}

static void mark_all_changed(struct text_grid *grid)
{
    for (unsigned row = 0; row < grid->rows; row++) {
        mark_changed(grid, row);
    }
}

void text_grid_init(struct text_grid *grid, uint8_t *wanted, uint8_t *drawn, unsigned columns, unsigned rows,
                    unsigned jump)
{
    *grid =
        (struct text_grid){.wanted = wanted, .drawn = drawn, .columns = columns, .rows = rows, .jump = jump};
    for (size_t cell = 0; cell < (size_t)columns * rows; cell++) {
        wanted[cell] = BLANK;
        drawn[cell] = 0;
    }
    mark_all_changed(grid);
}

static size_t stored_at(const struct text_grid *grid, unsigned row, unsigned column)
{
    return (size_t)((grid->top + row) % grid->rows) * grid->columns + column;
}

static unsigned next_row(struct text_grid *grid, unsigned row)
{
    if (row + 1 < grid->rows) {
        return row + 1;
    }
    grid->top = (grid->top % grid->rows + grid->jump) % grid->rows;
    for (unsigned blank = grid->rows - grid->jump; blank < grid->rows; blank++) {
        for (unsigned column = 0; column < grid->columns; column++) {
            grid->wanted[stored_at(grid, blank, column)] = BLANK;
        }
    }
    mark_all_changed(grid);
    return grid->rows - grid->jump;
}

void text_grid_put(struct text_grid *grid, char character)
{
    unsigned row = grid->row < grid->rows ? grid->row : grid->rows - 1;
    unsigned column = grid->column <= grid->columns ? grid->column : grid->columns;

    if (character == '\n') {
        row = next_row(grid, row);
        column = 0;
    } else if (character == '\r') {
        column = 0;
    } else if (character == '\t') {
        column = (column / TAB_WIDTH + 1) * TAB_WIDTH;
        column = column < grid->columns ? column : grid->columns;
    } else {
        bool printable = character >= ' ' && character <= '~';

        if (column == grid->columns) {
            row = next_row(grid, row);
            column = 0;
        }
        grid->wanted[stored_at(grid, row, column)] = printable ? (uint8_t)character : (uint8_t)'?';
        mark_changed(grid, row);
        column++;
    }
    grid->row = row;
    grid->column = column;
}

static unsigned at_most(unsigned value, unsigned limit)
{
    return value < limit ? value : limit;
}

/* Compares cells of a row from `column` on, at most `limit` of them: how many were the same. */
static unsigned count_same(const uint8_t *wanted, const uint8_t *drawn, unsigned limit)
{
    unsigned same = 0;

    while (same < limit && wanted[same] == drawn[same]) {
        same++;
    }
    return same;
}

bool text_grid_next_change(struct text_grid *grid, unsigned *budget, struct text_grid_change *change)
{
    unsigned row = grid->scan_row < grid->rows ? grid->scan_row : 0;
    unsigned column = row == grid->scan_row ? at_most(grid->scan_column, grid->columns) : 0;

    /* The row that the last look ended in comes twice: what is in front of that place may have changed. */
    for (unsigned looks = 0; looks <= grid->rows && *budget > 0; looks++) {
        if (grid->changed[row]) {
            const uint8_t *wanted = &grid->wanted[stored_at(grid, row, 0)];
            uint8_t *drawn = &grid->drawn[(size_t)row * grid->columns];
            unsigned limit = at_most(*budget, grid->columns - column);
            unsigned same = count_same(wanted + column, drawn + column, limit);

            column += same;
            *budget -= same < limit ? same + 1 : same;
            grid->scan_row = row;
            grid->scan_column = column;
            if (same < limit) {
                drawn[column] = wanted[column];
                *change =
                    (struct text_grid_change){.row = row, .column = column, .character = wanted[column]};
                grid->scan_column = column + 1;
                return true;
            }
            if (column < grid->columns) {
                return false; /* the budget is used up */
            }
            grid->changed[row] = false;
        }
        row = row + 1 < grid->rows ? row + 1 : 0;
        column = 0;
        grid->scan_row = row;
        grid->scan_column = 0;
    }
    return false;
}
