/* SPDX-License-Identifier: MIT */
/*
 * A screen of text in memory. When the console's lock was broken in a panic, two CPUs may be in here at once:
 * text may then be garbled, but positions are checked in local copies, so no write leaves the arrays.
 */
#include "drivers/text_grid.h"

#define TAB_WIDTH 8u
#define BLANK     ' '

static void mark_changed(struct text_grid *grid)
{
    grid->to_compare = grid->rows * grid->columns;
}

void text_grid_init(struct text_grid *grid, uint8_t *wanted, uint8_t *drawn, unsigned columns, unsigned rows)
{
    *grid = (struct text_grid){.wanted = wanted, .drawn = drawn, .columns = columns, .rows = rows};
    for (size_t cell = 0; cell < (size_t)columns * rows; cell++) {
        wanted[cell] = BLANK;
        drawn[cell] = 0;
    }
    mark_changed(grid);
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
    grid->top = (grid->top + 1) % grid->rows;
    for (unsigned column = 0; column < grid->columns; column++) {
        grid->wanted[stored_at(grid, grid->rows - 1, column)] = BLANK;
    }
    return grid->rows - 1;
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
        column++;
    }
    grid->row = row;
    grid->column = column;
    mark_changed(grid);
}

static unsigned at_most(unsigned value, unsigned limit)
{
    return value < limit ? value : limit;
}

bool text_grid_next_change(struct text_grid *grid, unsigned *budget, struct text_grid_change *change)
{
    while (*budget > 0 && grid->to_compare > 0) {
        unsigned cell = grid->scan < grid->rows * grid->columns ? grid->scan : 0;
        unsigned row = cell / grid->columns, column = cell % grid->columns;
        const uint8_t *wanted = &grid->wanted[stored_at(grid, row, column)];
        uint8_t *drawn = &grid->drawn[cell];
        unsigned limit = at_most(at_most(*budget, grid->to_compare), grid->columns - column);
        unsigned same = 0, compared;

        while (same < limit && wanted[same] == drawn[same]) {
            same++;
        }
        compared = same < limit ? same + 1 : same;
        *budget -= compared;
        grid->to_compare -= at_most(compared, grid->to_compare);
        grid->scan = cell + compared;
        if (same < limit) {
            drawn[same] = wanted[same];
            *change =
                (struct text_grid_change){.row = row, .column = column + same, .character = wanted[same]};
            return true;
        }
    }
    return false;
}
