/* What docs/CONFIG.md says the program takes is what it takes: the sum for the defaults, and room for what is kept of
 * each question in flight. */
#include <inttypes.h>
#include <stdbool.h>

#include "../config/outcome.h"
#include "app/worker_settings.h"
#include "clients/udp_state.h"
#include "config/manual.h"
#include "queries/alias.h"
#include "queries/query.h"

enum { KIB = 1024, MIB = 1024 * KIB };

/* The whole of docs/CONFIG.md; to be freed. */
static void write_manual(char **ret_text)
{
    size_t size = 0;
    FILE *out = open_memstream(ret_text, &size);
    assert_non_null(out);
    manual_write_markdown(out);
    fclose(out);
}

/* What a size with its unit, or a setting, stands for. */
static uint64_t factor_of(const char *text, const struct config *config)
{
    const struct {
        const char *name;
        uint64_t value;
    } names[] = {
        {"workers", config->workers},
        {"(workers + 1)", config->workers + 1},
        {"upstreams", config->pool.upstream_count},
        {"upstream.max_sessions", config->pool.max_sessions},
        {"cache.max_size", config->cache.max_bytes},
        {"rate_limit.max_clients", config->ratelimit.max_clients},
        {"prefetch.top", config->topnames.top},
        {"clients.max_queries_in_flight", config->forwarder.max_queries},
        {"clients.max_connections", config->connections.max_connections},
        {"clients.max_buffered", config->client.max_buffered_bytes},
        {"log.recent", config->recent_queries},
        {"(records of names.records + zones of routes)", 0},
        {"names in names.hosts_file", 0},
    };
    char unit[4];
    uint64_t number;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i].name) == 0) return names[i].value;
    if (sscanf(text, "%" SCNu64 " %3s", &number, unit) != 2) fail_msg("'%s' is not known", text);
    return number * (strcmp(unit, "MiB") == 0 ? MIB : strcmp(unit, "KiB") == 0 ? KIB : 1);
}

/* A line of the sum: factors with " x " between. A part that the defaults do not have counts nothing. */
static uint64_t product_of(char *line, const struct config *config)
{
    uint64_t product = 1;
    line += strspn(line, " +");
    if (strstr(line, " if ")) return 0;
    for (char *next = line; next; line = next) {
        char *end = strstr(line, " x ");
        next = end ? end + 3 : NULL;
        if (!end) end = line + strlen(line);
        while (end > line && end[-1] == ' ') end--;
        *end = '\0';
        product *= factor_of(line, config);
    }
    return product;
}

static void the_sum_for_the_defaults_is_right(void **state)
{
    (void)state;
    struct outcome outcome = assert_accepted("workers: 2\n");
    char *text, *rest = NULL;
    unsigned said;
    write_manual(&text);
    const char *sentence = strstr(text, "the sum is ");
    assert_non_null(sentence);
    assert_int_equal(sscanf(sentence, "the sum is %u MiB", &said), 1);
    char *block = strstr(text, "Memory is at most\n\n```\n");
    assert_non_null(block);
    block = strstr(block, "```\n") + 4;
    *strstr(block, "```") = '\0';
    uint64_t sum = 0;
    for (char *line = strtok_r(block, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        sum += product_of(line, &outcome.config);
    assert_int_equal(said, (sum + MIB / 2) / MIB);
    free(text);
    outcome_done(&outcome);
}

/* With as many clients waiting as may, over UDP as far as they may, and each question led on by a CNAME record. */
static void a_question_in_flight_takes_no_more_than_is_said(void **state)
{
    (void)state;
    enum { QUERIES = 1025 }; /* buckets are a power of two: just above one there are most for each */
    static struct notices notices;
    const struct hash_key hash_key = {1, 2};
    struct queries queries;
    struct aliases aliases;
    struct slots pending;
    char *text;
    unsigned said;
    assert_true(queries_init(&queries, QUERIES, &hash_key, &notices));
    assert_true(aliases_init(&aliases, QUERIES, &notices));
    assert_true(slots_init(&pending, sizeof(struct udp_pending), QUERIES * UDP_PENDING_PER_QUERY));
    size_t bytes = queries.queries.object_bytes + WAITERS_PER_QUERY * queries.waiters.object_bytes +
                   UDP_PENDING_PER_QUERY * pending.object_bytes + aliases.slots.object_bytes +
                   queries.bucket_count * sizeof(struct list) / QUERIES;
    write_manual(&text);
    const char *end = strstr(text, " KiB   x workers x clients.max_queries_in_flight\n");
    assert_non_null(end);
    assert_int_equal(sscanf(end - 2, "%u", &said), 1);
    print_message("%zu bytes of %u KiB\n", bytes, said);
    assert_in_range(bytes, said * KIB * 3 / 4, said * KIB);
    free(text);
    slots_done(&pending);
    aliases_done(&aliases);
    queries_done(&queries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sum_for_the_defaults_is_right),
        cmocka_unit_test(a_question_in_flight_takes_no_more_than_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
