/* SPDX-License-Identifier: MIT */
/* vmm/trace/frame.c and tools/trace_decode.c: what goes in comes out, whatever happens to the stream in
 * between. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tools/trace_decode.h"
#include "arch/x86/exit_reason.h"

#define RECORDS 1000
#define CPUS    3

static struct trace_record sent[RECORDS];
static uint8_t stream[RECORDS * 256];
static size_t ends[RECORDS]; /* of each record's frames in the stream */
static size_t length;

static struct {
    struct trace_record records[RECORDS];
    char devices[RECORDS][TRACE_NAME_MAX];
    size_t count;
    char text[4096];
    size_t text_length;
    uint64_t missing;
    unsigned joins;
} got;

static uint64_t seed;

static uint64_t next(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed >> 20;
}

/* Small numbers more often than large ones, now and then all ones. */
static uint64_t any(void)
{
    uint64_t bits = next() % 66;

    return bits == 65  ? UINT64_MAX
           : bits == 0 ? 0
                       : (next() ^ next() << 40) >> (64 - (bits > 64 ? 64 : bits));
}

static struct trace_record random_record(uint64_t tsc)
{
    static const uint8_t reasons[] = {
        EXIT_CPUID, EXIT_IO,        EXIT_IO,     EXIT_EPT_VIOLATION, EXIT_EPT_MISCONFIG,
        EXIT_RDMSR, EXIT_CR_ACCESS, EXIT_VMCALL, EXIT_XSETBV,        EXIT_EXCEPTION_NMI,
        EXIT_HLT};
    static const char *const devices[] = {"uart", "pic", "a device with a name that is rather long"};
    struct trace_record record;

    for (size_t i = 0; i < sizeof(record) / 8; i++)
        ((uint64_t *)&record)[i] = any();
    record.tsc = tsc;
    record.source = (struct trace_source){
        .kind = TRACE_EXIT, .vm = 1 + next() % 2, .cpu = next() % CPUS, .vcpu = next() % 3};
    if (next() % 50 == 0)
        record.source.kind = next() % 2 ? TRACE_LOST : TRACE_SUPPRESSED;
    record.reason = reasons[next() % sizeof(reasons)];
    record.folded = next() % 4 ? 0 : (uint32_t)any();
    trace_record_set_mode(&record, next() % TRACE_MODE_COUNT);
    record.result = (struct trace_result){
        .code = next() % RESULT_COUNT, .level = 1 + next() % 3, .type = next() % 7, .vector = next() % 32};
    record.result.entry_level = next() % 5;
    record.result.entry_reasons = (uint16_t)next();
    record.device = devices[next() % 3];
    if (next() % 8 == 0)
        record.cs = TRACE_NO_CS;
    trace_record_tidy(&record);
    return record;
}

static void encode(unsigned cpus)
{
    struct trace_frame_cpu *states = calloc(CPUS, sizeof(*states));
    struct trace_frame_stream line = {.cpu = TRACE_FRAME_NO_CPU, .tsc_khz = 4000};
    uint64_t tsc = 1000;

    length = 0;
    for (size_t i = 0; i < RECORDS; i++) {
        tsc += any() >> 34;
        sent[i] = random_record(tsc);
        sent[i].source.cpu %= cpus;
        if (sent[i].source.kind != TRACE_EXIT)
            sent[i].source.vm = sent[i].source.vcpu = 0;
        length += trace_frame_encode(&line, &states[sent[i].source.cpu], &sent[i],
                                     sent[i].source.vm == 1 ? "tour" : "other", 77, stream + length);
        assert_true(length + TRACE_FRAMES_MAX < sizeof(stream));
        ends[i] = length;
    }
    free(states);
}

static void on_record(void *context, const struct trace_record *record, const struct trace_decoder_vm *vm)
{
    (void)context;
    assert_true(got.count < RECORDS);
    got.records[got.count] = *record;
    if (record->device != NULL) {
        strcpy(got.devices[got.count], record->device);
        got.records[got.count].device = got.devices[got.count];
    }
    if (record->source.kind == TRACE_EXIT && (record->source.vm == 1 || record->source.vm == 2)) {
        assert_non_null(vm);
        assert_string_equal(vm->name, record->source.vm == 1 ? "tour" : "other");
        assert_int_equal(vm->start_tsc, 77);
    }
    got.count++;
}

static void on_text(void *context, char character)
{
    (void)context;
    if (got.text_length < sizeof(got.text))
        got.text[got.text_length++] = character;
}

static void on_missing(void *context, uint32_t cpu, uint64_t frames)
{
    (void)context;
    (void)cpu;
    got.missing += frames;
    got.joins += frames == 0;
}

static const struct trace_decoder_events events = {
    .record = on_record, .text = on_text, .missing = on_missing};
static struct trace_decoder decoder;

static void decode(const uint8_t *bytes, size_t count)
{
    memset(&got, 0, sizeof(got));
    trace_decoder_init(&decoder, &events, NULL);
    for (size_t i = 0; i < count; i++)
        trace_decoder_byte(&decoder, bytes[i]);
    trace_decoder_end(&decoder);
    assert_int_equal(decoder.records, got.count);
    trace_decoder_free(&decoder);
}

static bool same(const struct trace_record *a, const struct trace_record *b)
{
    struct trace_record x = *a, y = *b;

    if ((x.device == NULL) != (y.device == NULL) ||
        (x.device != NULL && strncmp(x.device, y.device, TRACE_NAME_MAX - 1) != 0))
        return false;
    x.device = y.device = NULL;
    return memcmp(&x, &y, sizeof(x)) == 0;
}

static void all_comes_back(void **state)
{
    (void)state;
    for (seed = 1; seed < 40; seed += 7) {
        encode(seed % 2 ? 1 : CPUS);
        decode(stream, length);
        assert_int_equal(got.count, RECORDS);
        assert_int_equal(decoder.damaged + decoder.missing + decoder.stray, 0);
        for (size_t i = 0; i < RECORDS; i++)
            assert_true(same(&got.records[i], &sent[i]));
    }
}

static void no_byte_is_text(void **state)
{
    size_t frames = 0;

    (void)state;
    seed = 3;
    encode(CPUS);
    for (size_t i = 0; i < length; i++) {
        assert_true(stream[i] & 0x80);
        frames += stream[i] == TRACE_FRAME_START;
    }
    decode(stream, length);
    assert_int_equal(frames, decoder.frames);
}

/* Text at any place of the stream, even within a frame, hurts neither. */
static void text_goes_through(void **state)
{
    static uint8_t mixed[sizeof(stream) * 2];
    size_t count = 0, texts = 0;

    (void)state;
    seed = 5;
    encode(CPUS);
    for (size_t i = 0; i < length; i++) {
        if (next() % 100 == 0 && texts < 1000) {
            mixed[count++] = 'a' + texts % 26;
            texts++;
        }
        mixed[count++] = stream[i];
    }
    decode(mixed, count);
    assert_int_equal(got.count, RECORDS);
    assert_int_equal(got.text_length, texts);
    for (size_t i = 0; i < texts; i++)
        assert_int_equal(got.text[i], 'a' + i % 26);
    assert_int_equal(decoder.damaged + decoder.missing + decoder.stray, 0);
}

static void every_end(void **state)
{
    size_t whole = 0;

    (void)state;
    seed = 2;
    encode(CPUS);
    for (size_t cut = 0; cut < ends[60]; cut++) {
        while (ends[whole] <= cut)
            whole++;
        decode(stream, cut);
        assert_int_equal(got.count, whole);
        for (size_t i = 0; i < whole; i++)
            assert_true(same(&got.records[i], &sent[i]));
        assert_true(decoder.damaged <= 1);
    }
}

/* The records that came out are such that went in, in their order; all behind the next key frame are there.
 */
static void expect_subsequence(size_t damage_ends, unsigned cpus)
{
    unsigned since[CPUS] = {0};
    size_t at = 0;

    for (size_t i = 0; i < RECORDS; i++) {
        bool there = at < got.count && same(&got.records[at], &sent[i]);

        at += there;
        if (ends[i] <= damage_ends || there)
            continue;
        assert_true(++since[sent[i].source.cpu % cpus] <=
                    TRACE_FRAME_KEY_EVERY + 16); /* lost and suppressed ones do not count there */
    }
    assert_int_equal(at, got.count);
}

static void every_beginning(void **state)
{
    (void)state;
    seed = 6;
    encode(CPUS);
    for (size_t begin = 0; begin < ends[20]; begin++) {
        decode(stream + begin, length - begin);
        expect_subsequence(begin, CPUS);
        assert_true(got.count > RECORDS - 20 - CPUS * (TRACE_FRAME_KEY_EVERY + 16));
        assert_int_equal(decoder.missing, 0);
    }
}

static void flipped_bits(void **state)
{
    (void)state;
    for (seed = 100; seed < 110; seed++) {
        uint64_t start = seed;
        unsigned cpus = start % 2 ? 1 : CPUS;

        encode(cpus);
        for (unsigned i = 0; i < 20; i++) {
            size_t at = next() % ends[RECORDS - 400];
            uint8_t bit = 1u << next() % 8;

            stream[at] ^= bit;
            decode(stream, length);
            expect_subsequence(length, cpus);
            assert_true(got.count >= RECORDS - CPUS * (TRACE_FRAME_KEY_EVERY + 16));
            if (got.count < RECORDS) {
                assert_true(decoder.damaged + decoder.stray > 0);
                assert_true(decoder.missing > 0);
            }
            stream[at] ^= bit;
        }
        seed = start;
    }
}

/* Whole frames that never came: their number is said. */
static void missing_frames_are_counted(void **state)
{
    size_t frames = 0, from, to;

    (void)state;
    seed = 9;
    encode(1);
    from = ends[300];
    to = ends[500];
    for (size_t i = from; i < to; i++)
        frames += stream[i] == TRACE_FRAME_START;
    memmove(stream + from, stream + to, length - to);
    length -= to - from;
    decode(stream, length);
    assert_int_equal(decoder.missing, got.missing);
    /* Those that were received, but came before the next key frame, are missing, too. */
    assert_int_equal(got.missing, frames + decoder.damaged);
    assert_in_range(decoder.damaged, 1, TRACE_FRAME_KEY_EVERY + 32);
}

/* A stream that begins anew, as after the machine's own start: nothing is missing between the two. */
static void another_stream(void **state)
{
    (void)state;
    seed = 5;
    encode(2);
    length = ends[400];
    memcpy(stream + length, stream, length);
    decode(stream, 2 * length);
    assert_int_equal(decoder.damaged + decoder.missing + decoder.stray + got.joins, 0);
    assert_int_equal(got.count, 2 * 401);
    for (size_t i = 0; i < got.count; i++)
        assert_true(same(&got.records[i], &sent[i % 401]));
    /* Its beginning is lost. */
    memmove(stream + length, stream + length + ends[99], length - ends[99]);
    decode(stream, 2 * length - ends[99]);
    assert_int_equal(decoder.missing, 0);
    assert_in_range(got.joins, 1, 2);
    assert_in_range(got.count, 401 + 150, 2 * 401 - 100);
}

/* Counts of missing exits alone: a reader can begin in between, too. */
static void nothing_but_losses(void **state)
{
    struct trace_frame_cpu cpu = {.number = 0};
    struct trace_frame_stream line = {.cpu = TRACE_FRAME_NO_CPU, .tsc_khz = 4000};
    size_t begin = 0;

    (void)state;
    length = 0;
    for (uint64_t i = 0; i < 3 * TRACE_FRAME_KEY_EVERY; i++) {
        const struct trace_record lost = {.tsc = i, .source = {.kind = TRACE_LOST}, .count = i};

        begin = i == 10 ? length : begin;
        length += trace_frame_encode(&line, &cpu, &lost, "", 0, stream + length);
    }
    decode(stream + begin, length - begin);
    assert_int_equal(got.joins, 1);
    assert_int_equal(got.count, 2 * TRACE_FRAME_KEY_EVERY);
}

static void noise(void **state)
{
    (void)state;
    for (seed = 1; seed < 40; seed++) {
        uint64_t start = seed;

        for (size_t i = 0; i < 20000; i++)
            stream[i] = (uint8_t)next() | (next() % 8 ? 0x80 : 0);
        decode(stream, 20000);
        assert_true(got.count < 20);
        seed = start;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_comes_back),
        cmocka_unit_test(no_byte_is_text),
        cmocka_unit_test(text_goes_through),
        cmocka_unit_test(every_end),
        cmocka_unit_test(every_beginning),
        cmocka_unit_test(flipped_bits),
        cmocka_unit_test(missing_frames_are_counted),
        cmocka_unit_test(another_stream),
        cmocka_unit_test(nothing_but_losses),
        cmocka_unit_test(noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
