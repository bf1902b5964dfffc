/* SPDX-License-Identifier: MIT */
/* tools/trace_write.c: whatever a VM is called, a row of CSV has its columns and JSON its quotes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tools/trace_write.h"
#include "arch/x86/exit_reason.h"

static struct trace_decoder decoder;

/* What is written of one exit of a VM with this name. To be freed. */
static char *written(enum trace_write_format format, const char *name)
{
    const struct trace_record record = {.sequence = 1,
                                        .tsc = 10,
                                        .source = {.kind = TRACE_EXIT, .vm = 1},
                                        .reason = EXIT_EPT_VIOLATION,
                                        .result = {.code = RESULT_MAP, .level = 1, .type = 6}};
    struct trace_decoder_vm vm = {.start_tsc = 3};
    struct trace_writer writer;
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    assert_non_null(file);
    strcpy(vm.name, name);
    trace_writer_begin(&writer, file, format, &decoder);
    trace_writer_events.record(&writer, &record, &vm);
    trace_writer_end(&writer);
    assert_int_equal(fclose(file), 0);
    return text;
}

/* Of one row, quoted as RFC 4180 says; the third one into name[]. */
static unsigned columns(const char *row, char *name)
{
    unsigned count = 1;
    int quoted = 0;

    for (; *row != '\n'; row++) {
        assert_int_not_equal(*row, '\0');
        if (*row == '"' && quoted && row[1] == '"') {
            row++;
        } else if (*row == '"') {
            quoted = !quoted;
            continue;
        } else if (*row == ',' && !quoted) {
            count++;
            continue;
        }
        if (count == 3)
            *name++ = *row;
    }
    *name = '\0';
    return count;
}

static void names_in_csv(void **state)
{
    static const char *const names[] = {"tour", "a,b", "say \"hello\"", "\"", ",", ",\",\"\""};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char *text = written(TRACE_WRITE_CSV, names[i]), name[2 * TRACE_NAME_MAX];
        const char *row = strchr(text, '\n') + 1;

        assert_int_equal(columns(text, name), 19);
        assert_int_equal(columns(row, name), 19);
        assert_string_equal(name, names[i]);
        free(text);
    }
}

static void names_in_json(void **state)
{
    char *text = written(TRACE_WRITE_JSON, "a\"b\\c");

    (void)state;
    assert_non_null(strstr(text, "\"args\":{\"name\":\"a\\\"b\\\\c\"}"));
    assert_non_null(strstr(text, "\"name\":\"EPT map 4K WB\""));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_in_csv), cmocka_unit_test(names_in_json)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
