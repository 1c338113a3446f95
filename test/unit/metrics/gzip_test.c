/* gzip: what is compressed is what comes out again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <zlib.h>

#include "metrics/gzip.h"

enum { SIZE = 100 * 1000 };

static void a_text_becomes_smaller_and_comes_back(void **state)
{
    (void)state;
    char *text = malloc(SIZE);
    char *again = malloc(SIZE + 1);
    char *bytes;
    size_t size;
    for (size_t i = 0; i < SIZE; i++) text[i] = (char)('a' + i % 7 + i / 10000);
    assert_true(gzip_compress(text, SIZE, &bytes, &size));
    assert_true(size < SIZE / 10);
    z_stream stream = {.next_in = (Bytef *)bytes, .avail_in = (uInt)size};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK); /* the format of gzip, checksum and length included */
    stream.next_out = (Bytef *)again;
    stream.avail_out = SIZE + 1;
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, SIZE);
    assert_memory_equal(again, text, SIZE);
    inflateEnd(&stream);
    free(bytes);
    free(again);
    free(text);
}

static void what_would_not_shrink_is_left_alone(void **state)
{
    (void)state;
    char noise[2000];
    uint32_t seed = 1;
    char *bytes = noise;
    size_t size = 7;
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
    assert_false(gzip_compress(noise, sizeof noise, &bytes, &size));
    assert_false(gzip_compress("", 0, &bytes, &size));
    assert_ptr_equal(bytes, noise);
    assert_int_equal(size, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_becomes_smaller_and_comes_back),
        cmocka_unit_test(what_would_not_shrink_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
