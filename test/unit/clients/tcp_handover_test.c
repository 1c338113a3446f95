/* What a client is goes from one process to the next: here from one set of clients to another, over the same sockets.
 */
#include "clients/tcp_handover.h"

#include "tcp_story.h"

enum { KEPT = 20 };

/* What the next process gets to know, as the image would bring it. */
static struct kept {
    unsigned count;
    int fds[KEPT];
    struct tcp_client_state states[KEPT];
    uint8_t bytes[KEPT][2][4096];
} kept;

static const uint8_t *keep_bytes(uint8_t room[4096], const uint8_t *bytes, size_t size)
{
    assert_true(size <= 4096);
    if (size > 0) memcpy(room, bytes, size);
    return room;
}

static bool keep(void *context, int fd, const struct tcp_client_state *state)
{
    (void)context;
    struct tcp_client_state *own = &kept.states[kept.count];
    *own = *state;
    own->partial = keep_bytes(kept.bytes[kept.count][0], state->partial, state->partial_bytes);
    own->unsent = keep_bytes(kept.bytes[kept.count][1], state->unsent, state->unsent_bytes);
    kept.fds[kept.count++] = dup(fd);
    return true;
}

/* The former process ends and the next one starts; the peers' ends stay as they are. Returns how many could not be
 * handed over. */
static unsigned restart(void)
{
    struct peer peers[PEERS];
    memset(&kept, 0, sizeof kept);
    tcp_handover_hold(&story.clients);
    turn();
    assert_true(tcp_handover_is_quiet(&story.clients));
    unsigned left = tcp_handover_give(&story.clients, keep, NULL);
    uint64_t now_ns = story.loop.now_ns;
    memcpy(peers, story.peers, sizeof peers);
    memset(story.peers, 0, sizeof story.peers);
    end(NULL);
    begin(NULL);
    memcpy(story.peers, peers, sizeof peers);
    story.loop.now_ns = now_ns;
    return left;
}

static void take_all(void)
{
    story.clients.holding = true;
    for (unsigned i = 0; i < kept.count; i++) {
        uint8_t bits;
        assert_true(tcp_client_state_is_sound(&kept.states[i]));
        assert_int_equal(connections_resume(story.connections, &kept.states[i].address, 0, &bits),
                         CONNECTIONS_ADMITTED);
        assert_int_equal(tcp_handover_take(&story.clients, kept.fds[i], &kept.states[i], bits), TCP_TAKEN);
    }
    assert_true(tcp_handover_resume_times(&story.clients));
}

static void restart_and_go_on(void)
{
    restart();
    take_all();
    tcp_handover_begin(&story.clients);
}

/* A turn at a time of the test's choice. */
static void turn_at(uint64_t now_ns)
{
    loop_turn(&story.loop, 0);
    story.loop.now_ns = now_ns;
    tcp_clients_tick(&story.clients, now_ns);
}

static void a_client_goes_on_as_if_nothing_had_been(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    attempt(peer, 2);
    turn();
    read_some(peer);
    assert_int_equal(peer->received, 2 * (FRAME_LENGTH_BYTES + REPLY_BYTES));
    restart_and_go_on();
    attempt(peer, 1);
    turn();
    read_some(peer);
    assert_int_equal(peer->received, 3 * (FRAME_LENGTH_BYTES + REPLY_BYTES));
    assert_int_equal(story.clients.slots.taken, 1);
    assert_int_equal(story.load, 1);
}

static void what_comes_meanwhile_is_read_afterwards(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    attempt(peer, 1);
    turn();
    read_some(peer);
    tcp_handover_hold(&story.clients);
    attempt(peer, 2);
    turn();
    assert_int_equal(story.handled, 1); /* nothing more is handled */
    restart_and_go_on();
    turn();
    assert_int_equal(story.handled, 2);
    read_some(peer);
    assert_int_equal(peer->received, 3 * (FRAME_LENGTH_BYTES + REPLY_BYTES));
}

static void a_message_may_be_cut_in_two_by_it(void **state)
{
    (void)state;
    static const uint8_t message[FRAME_LENGTH_BYTES + QUERY_BYTES] = {0, QUERY_BYTES, [13] = 9};
    for (size_t cut = 1; cut < sizeof message; cut++) {
        struct peer *peer = connect_peer(0, 0);
        assert_int_equal(send(peer->fd, message, cut, 0), cut);
        turn();
        restart_and_go_on();
        turn();
        assert_int_equal(story.handled, 0);
        assert_int_equal(send(peer->fd, message + cut, sizeof message - cut, 0), sizeof message - cut);
        turn();
        read_some(peer);
        assert_int_equal(peer->received, FRAME_LENGTH_BYTES + REPLY_BYTES);
        assert_int_equal(peer->last, 9);
        end(NULL);
        begin(NULL);
    }
}

static void replies_that_were_not_taken_are_sent_afterwards(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    ask_later(peer);
    turn();
    assert_true(answer_waiting(100));
    /* Its socket is as good as full: the reply waits in the client. */
    assert_int_equal(story.clients.in_flight, 0);
    unsigned left = restart();
    assert_int_equal(left, 0);
    take_all();
    tcp_handover_begin(&story.clients);
    turn();
    read_some(peer);
    assert_int_equal(peer->received, FRAME_LENGTH_BYTES + 100);
    assert_int_equal(peer->last, 'w');
}

/* Until a question is answered, its client is not quiet; one that is not answered in time is not handed over. */
static void whoever_waits_for_an_answer_is_waited_for(void **state)
{
    (void)state;
    struct peer *busy = connect_peer(0, 0), *idle = connect_peer(1, 0);
    attempt(idle, 1);
    ask_later(busy);
    turn();
    read_some(idle);
    tcp_handover_hold(&story.clients);
    turn();
    assert_false(tcp_handover_is_quiet(&story.clients));
    memset(&kept, 0, sizeof kept);
    assert_int_equal(tcp_handover_give(&story.clients, keep, NULL), 1);
    assert_int_equal(kept.count, 1);
    close(kept.fds[0]);
    assert_true(answer_waiting(10));
    turn();
    assert_true(tcp_handover_is_quiet(&story.clients));
    assert_true(is_open(busy) && is_open(idle));
}

static void a_client_that_leaves_meanwhile_is_waited_for_no_longer(void **state)
{
    (void)state;
    struct peer *busy = connect_peer(0, 0);
    ask_later(busy);
    turn();
    tcp_handover_hold(&story.clients);
    close(busy->fd);
    busy->fd = 0;
    tcp_client_close(container_of(story.clients.all.next, struct tcp_client, all), LABEL_CLOSED_ERROR);
    assert_true(tcp_handover_is_quiet(&story.clients));
    assert_false(answer_waiting(10));
}

static void idle_time_goes_on(void **state)
{
    (void)state;
    struct peer *older = connect_peer(0, 0), *younger = connect_peer(1, 0);
    attempt(older, 1);
    turn();
    read_some(older);
    uint64_t began_ns = story.loop.now_ns;
    attempt(younger, 1);
    turn();
    read_some(younger);
    restart();
    kept.states[1].input_started_ns += 10 * NS_PER_S; /* as if it had asked then */
    story.loop.now_ns = began_ns + 20 * NS_PER_S;
    take_all();
    tcp_handover_begin(&story.clients);
    turn_at(began_ns + 29 * NS_PER_S);
    assert_true(is_open(older) && is_open(younger));
    turn_at(began_ns + 31 * NS_PER_S);
    assert_false(is_open(older));
    assert_true(is_open(younger));
}

/* Its time has passed while nobody read; what it sent in time is answered. */
static void a_time_that_is_over_counts_once_what_came_is_read(void **state)
{
    (void)state;
    struct peer *asks = connect_peer(0, 0), *silent = connect_peer(1, 0);
    attempt(asks, 1);
    attempt(silent, 1);
    turn();
    read_some(asks);
    read_some(silent);
    tcp_handover_hold(&story.clients);
    uint64_t later_ns = story.loop.now_ns + 100 * NS_PER_S;
    attempt(asks, 1);
    restart();
    take_all();
    story.loop.now_ns = later_ns;
    tcp_clients_tick(&story.clients, later_ns);
    assert_true(is_open(asks) && is_open(silent)); /* nobody has looked yet */
    tcp_handover_begin(&story.clients);
    tcp_clients_tick(&story.clients, later_ns);
    read_some(asks);
    assert_int_equal(asks->received, 2 * (FRAME_LENGTH_BYTES + REPLY_BYTES));
    assert_true(is_open(asks));
    assert_false(is_open(silent));
}

static void times_of_input_stand_still_while_nobody_reads(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    attempt(peer, 1);
    turn();
    read_some(peer);
    tcp_handover_hold(&story.clients);
    turn_at(story.loop.now_ns + 100 * NS_PER_S);
    assert_true(is_open(peer));
    assert_true(tcp_clients_deadline_ns(&story.clients) == CLOCK_NEVER);
}

static void whoever_may_not_ask_any_more_is_closed(void **state)
{
    (void)state;
    struct peer *peer = connect_peer(0, 0);
    attempt(peer, 1);
    turn();
    read_some(peer);
    restart();
    allow_only("198.51.100.0/24");
    take_all();
    tcp_handover_begin(&story.clients);
    turn();
    assert_false(is_open(peer));
    assert_int_equal(value_client_closed(story.counters, LABEL_CLOSED_ACCESS), 1);
}

static void more_bytes_than_may_be_kept_are_not_taken(void **state)
{
    (void)state;
    static const uint8_t bytes[60000];
    uint8_t bits;
    struct tcp_client_state large = {
        .address = story.address, .greeted = true, .unsent = bytes, .unsent_bytes = sizeof bytes};
    story.clients.options.max_buffered_bytes = 100 * 1024;
    int pairs[2][2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[i]), 0);
        assert_int_equal(connections_resume(story.connections, &large.address, 0, &bits), CONNECTIONS_ADMITTED);
        assert_int_equal(tcp_handover_take(&story.clients, pairs[i][0], &large, bits),
                         i == 0 ? TCP_TAKEN : TCP_TAKE_LIMIT);
        close(pairs[i][1]);
    }
    connections_release(story.connections, &large.address, bits);
    close(pairs[1][0]);
}

static void what_no_client_can_be_is_not_sound(void **state)
{
    (void)state;
    static const uint8_t bytes[1];
    const struct tcp_client_state good = {.greeted = true, .partial = bytes, .partial_bytes = 1, .discard = 65535};
    struct tcp_client_state bad = good;
    assert_true(tcp_client_state_is_sound(&good));
    bad.greeted = false; /* and yet it has sent something */
    assert_false(tcp_client_state_is_sound(&bad));
    bad = good;
    bad.end_cause = LABEL_CLOSED_COUNT;
    assert_false(tcp_client_state_is_sound(&bad));
    bad = good;
    bad.rate_started_ns = 1; /* a second in which it asks, and asks nothing */
    assert_false(tcp_client_state_is_sound(&bad));
    bad = good;
    bad.rate_started_ns = 1;
    bad.asked = TCP_ASKED_MAX;
    assert_true(tcp_client_state_is_sound(&bad));
    bad.asked++; /* more than it can ask in a second, and near the number that the next query makes 0 */
    assert_false(tcp_client_state_is_sound(&bad));
    bad = good;
    bad.discard = 65536;
    assert_false(tcp_client_state_is_sound(&bad));
    bad = good;
    bad.partial_bytes = FRAME_LENGTH_BYTES + 65535; /* a whole message */
    assert_false(tcp_client_state_is_sound(&bad));
    bad.held_back = true; /* which had to wait */
    assert_true(tcp_client_state_is_sound(&bad));
    bad.partial_bytes = TCP_PARTIAL_MAX + 1;
    assert_false(tcp_client_state_is_sound(&bad));
    bad.partial_bytes = 0;
    assert_false(tcp_client_state_is_sound(&bad));
}

int main(void)
{
#define story_test(function) cmocka_unit_test_setup_teardown(function, begin, end)
    const struct CMUnitTest tests[] = {
        story_test(a_client_goes_on_as_if_nothing_had_been),
        story_test(what_comes_meanwhile_is_read_afterwards),
        story_test(a_message_may_be_cut_in_two_by_it),
        story_test(replies_that_were_not_taken_are_sent_afterwards),
        story_test(whoever_waits_for_an_answer_is_waited_for),
        story_test(a_client_that_leaves_meanwhile_is_waited_for_no_longer),
        story_test(idle_time_goes_on),
        story_test(a_time_that_is_over_counts_once_what_came_is_read),
        story_test(times_of_input_stand_still_while_nobody_reads),
        story_test(whoever_may_not_ask_any_more_is_closed),
        story_test(more_bytes_than_may_be_kept_are_not_taken),
        story_test(what_no_client_can_be_is_not_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
