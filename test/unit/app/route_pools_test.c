#include "../upstream/fake_channel.h"
#include "../upstream/pool_options.h"
#include "routes_story.h"

#include "app/route_pools.h"
#include "upstream/state.h"

#define CORP ROUTE("corp.example", "10.0.0.53")
#define LAB  ROUTE("lab.example", "10.0.0.54")

enum { QUESTIONS = 20 };

struct asked {
    struct exchange exchange;
    unsigned done;
    enum exchange_result result;
};

/* A worker's pools over fake channels; time is a number. */
static struct story {
    struct loop loop;
    struct buffers buffers;
    struct log log;
    struct counters *counters;
    struct counters *former_counters;
    struct tls_context tls;
    struct pool_options options;
    struct route_table *table;
    struct route_pools pools;
    struct asked questions[QUESTIONS];
    uint8_t scratch[16];
} story;

static struct route_pools_settings settings(void)
{
    return (struct route_pools_settings){.options = &story.options, .tls = &story.tls, .table = story.table};
}

static void begin(const char *routes)
{
    const struct log_options quiet = {.level = LOG_LEVEL_ERROR};
    memset(&world, 0, sizeof world);
    memset(&story, 0, sizeof story);
    story.loop.now_ns = 1000 * NS_PER_S;
    log_init(&story.log, &quiet, -1);
    story.counters = counters_new();
    story.former_counters = counters_new();
    story.options = options_for(1);
    story.options.keep_warm = false;
    story.options.padding = 128;
    story.table = table_of(routes, NULL);
    const struct pool_deps deps = {.loop = &story.loop,
                                   .buffers = &story.buffers,
                                   .scratch = story.scratch,
                                   .counters = story.counters,
                                   .log = &story.log,
                                   .seed = 1};
    const struct route_pools_settings first = settings();
    assert_true(route_pools_init(&story.pools, &first, &deps, story.former_counters));
}

static void end(void)
{
    for (int i = 0; i < QUESTIONS; i++)
        if (story.questions[i].exchange.on_done && story.questions[i].done == 0)
            pool_cancel(&story.questions[i].exchange);
    route_pools_done(&story.pools);
    route_table_free(story.table);
    counters_free(story.counters);
    counters_free(story.former_counters);
    for (unsigned i = 0; i < world.opened; i++) assert_null(world.sessions[i]);
}

static void reload(const char *routes)
{
    struct route_table *former = story.table;
    story.table = table_of(routes, former);
    const struct route_pools_settings next = settings();
    assert_true(route_pools_apply(&story.pools, &next));
    route_table_free(former);
}

static void on_done(struct exchange *exchange, enum exchange_result result, const struct answer *answer)
{
    struct asked *asked = container_of(exchange, struct asked, exchange);
    (void)answer;
    asked->done++;
    asked->result = result;
}

static void tick(void)
{
    route_pools_tick(&story.pools, story.loop.now_ns);
}

/* The n-th question, in flight on a session of its own. */
static struct asked *ask_pool(unsigned n, struct pool *pool)
{
    struct asked *asked = &story.questions[n];
    const uint8_t key[] = {1, (uint8_t)('a' + n), 0, 0, 1, QUESTION_KEY_RD};
    memset(asked, 0, sizeof *asked);
    memcpy(asked->exchange.key.bytes, key, sizeof key);
    asked->exchange.key.size = sizeof key;
    asked->exchange.on_done = on_done;
    pool_submit(pool, &asked->exchange, story.loop.now_ns);
    unsigned session = world.opened;
    tick();
    assert_int_equal(world.opened, session + 1);
    fake_ready(session);
    tick();
    return asked;
}

static struct asked *ask(unsigned n, uint16_t route)
{
    return ask_pool(n, route_pools_get(&story.pools, route));
}

static unsigned count_pools(void)
{
    unsigned count = 0;
    list_for_each (node, &story.pools.all) count++;
    return count;
}

static void a_pool_is_made_when_its_route_is_asked_first(void **state)
{
    (void)state;
    begin("[" CORP ", " LAB "]");
    struct pool *first = route_pools_get(&story.pools, 0);
    assert_int_equal(count_pools(), 1);
    struct pool *lab = route_pools_get(&story.pools, 2);
    assert_int_equal(count_pools(), 2);
    assert_ptr_not_equal(lab, first);
    assert_ptr_equal(route_pools_get(&story.pools, 2), lab);
    assert_int_equal(count_pools(), 2);
    assert_null(story.pools.by_index[1]);
    end();
}

static void a_routes_pool_has_the_settings_of_the_default_one_and_upstreams_of_its_own(void **state)
{
    (void)state;
    begin("[" CORP ", {zones: [lab.example], upstreams: [{address: 10.0.0.54, name: dns.lab.example}]}]");
    story.pools.deps.is_prober = true;
    const struct pool *tcp = route_pools_get(&story.pools, 1);
    const struct pool *tls = route_pools_get(&story.pools, 2);
    assert_int_equal(tcp->upstream_count, 1);
    assert_int_equal(tcp->options.upstreams[0].transport, UPSTREAM_TCP);
    assert_int_equal(tcp->options.upstreams[0].address.port, 53);
    assert_int_equal(tcp->options.first_series, story.table->routes[0].first_series);
    assert_string_equal(tcp->options.route, "corp.example");
    assert_int_equal(tcp->options.query_timeout_ns, story.options.query_timeout_ns);
    assert_int_equal(tcp->options.padding, 128); /* which counts for TLS alone (pool_test) */
    assert_int_equal(tls->options.padding, 128);
    assert_string_equal(tls->options.upstreams[0].name, "dns.lab.example");
    assert_false(tcp->is_prober || tls->is_prober);
    end();
}

static void the_pool_of_a_route_that_nobody_asks_is_freed(void **state)
{
    (void)state;
    begin("[" CORP "]");
    route_pools_get(&story.pools, 1);
    story.loop.now_ns += 60 * NS_PER_S;
    tick();
    assert_non_null(story.pools.by_index[1]);
    story.loop.now_ns += 1;
    tick();
    assert_null(story.pools.by_index[1]);
    assert_int_equal(count_pools(), 1);
    assert_non_null(story.pools.by_index[0]); /* the default one stays */
    assert_non_null(route_pools_get(&story.pools, 1));
    end();
}

static void a_pool_with_a_question_in_flight_is_kept(void **state)
{
    (void)state;
    begin("[" CORP "]");
    struct pool *pool = route_pools_get(&story.pools, 1);
    story.loop.now_ns += 58 * NS_PER_S;
    struct asked *asked = ask_pool(0, pool);
    story.loop.now_ns += 3 * NS_PER_S;
    tick();
    assert_non_null(story.pools.by_index[1]);
    fake_answer(0, &asked->exchange, DNS_RCODE_NOERROR);
    assert_int_equal(asked->result, EXCHANGE_ANSWERED);
    story.loop.now_ns += 10 * NS_PER_S; /* the session is idle for too long */
    tick();
    tick();
    assert_null(story.pools.by_index[1]);
    end();
}

static void a_reload_keeps_the_pool_of_a_route_that_stays_at_another_index(void **state)
{
    (void)state;
    begin("[" CORP ", " LAB "]");
    struct pool *lab = route_pools_get(&story.pools, 2);
    struct asked *asked = ask(0, 2);
    reload("[" LAB "]");
    assert_ptr_equal(route_pools_get(&story.pools, 1), lab);
    fake_answer(0, &asked->exchange, DNS_RCODE_NOERROR);
    assert_int_equal(asked->result, EXCHANGE_ANSWERED);
    end();
}

static void a_pool_whose_route_has_gone_answers_what_it_has(void **state)
{
    (void)state;
    begin("[" CORP ", " LAB "]");
    struct asked *asked = ask(0, 1);
    reload("[" LAB "]");
    assert_null(story.pools.by_index[1]);
    tick();
    assert_int_equal(count_pools(), 2);
    assert_int_equal(asked->done, 0);
    fake_answer(0, &asked->exchange, DNS_RCODE_NOERROR);
    assert_int_equal(asked->result, EXCHANGE_ANSWERED);
    tick();
    tick();
    assert_int_equal(count_pools(), 1);
    end();
}

static void a_default_pool_with_the_same_upstreams_takes_new_settings(void **state)
{
    (void)state;
    begin("[]");
    struct pool *pool = route_pools_get(&story.pools, 0);
    story.options.query_timeout_ns = NS_PER_S;
    reload("[]");
    assert_ptr_equal(route_pools_get(&story.pools, 0), pool);
    assert_int_equal(pool->options.query_timeout_ns, NS_PER_S);
    assert_int_equal(count_pools(), 1);
    end();
}

static void another_default_upstream_takes_over_and_its_series_start_at_zero(void **state)
{
    (void)state;
    begin("[" CORP "]");
    struct asked *asked = ask(0, 0);
    struct pool *former = route_pools_get(&story.pools, 0);
    assert_true(atomic_load(&story.counters->upstream_queries[0][0]) > 0);
    story.options.upstreams[0].address.port = 8853;
    reload("[" CORP "]");
    struct pool *pool = route_pools_get(&story.pools, 0);
    assert_ptr_not_equal(pool, former);
    assert_int_equal(pool->options.upstreams[0].address.port, 8853);
    assert_int_equal(atomic_load(&story.counters->upstream_queries[0][0]), 0);
    fake_answer(0, &asked->exchange, DNS_RCODE_NOERROR);
    assert_int_equal(asked->result, EXCHANGE_ANSWERED);
    end();
}

/* Whoever reloads again and again, faster than questions are answered, cannot make pools without bound. */
static void of_many_replaced_pools_the_oldest_is_given_up(void **state)
{
    (void)state;
    begin("[]");
    for (unsigned i = 0; i < 17; i++) {
        ask(i, 0);
        assert_int_equal(story.questions[0].done, 0);
        story.options.upstreams[0].address.port++;
        reload("[]");
    }
    assert_int_equal(count_pools(), 17); /* 16 replaced ones, and the one in use */
    assert_int_equal(story.questions[0].done, 1);
    assert_int_equal(story.questions[0].result, EXCHANGE_UNREACHABLE);
    assert_int_equal(story.questions[1].done, 0);
    end();
}

static void the_deadline_is_that_of_the_pool_that_is_due_first(void **state)
{
    (void)state;
    begin("[" CORP "]");
    tick();
    uint64_t alone_ns = route_pools_deadline_ns(&story.pools);
    ask(0, 1);
    uint64_t deadline_ns = route_pools_deadline_ns(&story.pools);
    assert_true(deadline_ns < alone_ns);
    assert_int_equal(deadline_ns, pool_deadline_ns(route_pools_get(&story.pools, 1)));
    end();
}

/* Whether the pools' turn is more than looking whether it is due: it shows how many sessions there are. */
static bool works(void)
{
    enum { MARK = 4711 };
    set_gauge_by(story.counters, upstream_sessions, 0, MARK);
    tick();
    return counter_read(cell_upstream_sessions(story.counters, 0)) != MARK;
}

static void a_pool_works_in_turns_in_which_something_is_to_be_done(void **state)
{
    (void)state;
    begin("[]");
    assert_true(works()); /* nobody has asked it yet when it is due */
    route_pools_deadline_ns(&story.pools);
    assert_false(works());
    ask(0, 0);
    uint64_t deadline_ns = route_pools_deadline_ns(&story.pools);
    tick();
    assert_int_equal(route_pools_deadline_ns(&story.pools), deadline_ns);
    assert_false(works());
    reload("[]");
    assert_true(works());
    story.loop.now_ns = route_pools_deadline_ns(&story.pools);
    assert_true(works());
    end();
}

/* Pools that are made while the worker is inactive, too. */
static void all_pools_of_an_inactive_worker_rest(void **state)
{
    (void)state;
    begin("[" CORP ", " LAB "]");
    struct pool *first = route_pools_get(&story.pools, 0), *corp = route_pools_get(&story.pools, 1);
    route_pools_set_resting(&story.pools, true);
    struct pool *lab = route_pools_get(&story.pools, 2);
    for (int i = 0; i < 3; i++) assert_true(((struct pool *[]){first, corp, lab})[i]->rested_ns == story.loop.now_ns);
    route_pools_set_resting(&story.pools, false);
    for (int i = 0; i < 3; i++) assert_true(((struct pool *[]){first, corp, lab})[i]->rested_ns == CLOCK_NEVER);
    end();
}

static void pools_that_were_never_made_can_be_freed(void **state)
{
    (void)state;
    static struct route_pools pools;
    route_pools_done(&pools);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_is_made_when_its_route_is_asked_first),
        cmocka_unit_test(a_routes_pool_has_the_settings_of_the_default_one_and_upstreams_of_its_own),
        cmocka_unit_test(the_pool_of_a_route_that_nobody_asks_is_freed),
        cmocka_unit_test(a_pool_with_a_question_in_flight_is_kept),
        cmocka_unit_test(a_reload_keeps_the_pool_of_a_route_that_stays_at_another_index),
        cmocka_unit_test(a_pool_whose_route_has_gone_answers_what_it_has),
        cmocka_unit_test(a_default_pool_with_the_same_upstreams_takes_new_settings),
        cmocka_unit_test(another_default_upstream_takes_over_and_its_series_start_at_zero),
        cmocka_unit_test(of_many_replaced_pools_the_oldest_is_given_up),
        cmocka_unit_test(a_pool_works_in_turns_in_which_something_is_to_be_done),
        cmocka_unit_test(the_deadline_is_that_of_the_pool_that_is_due_first),
        cmocka_unit_test(all_pools_of_an_inactive_worker_rest),
        cmocka_unit_test(pools_that_were_never_made_can_be_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
