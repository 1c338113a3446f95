/* Any bytes as the image that a former process left: refused as a whole, or read within its bounds; what is taken of it
 * comes out the same when it is written again, and clients made from it answer what their bytes hold, and no more.
 *
 * The input is judged as it is, and once more with version, size and checksum put right, so that the fuzzer gets behind
 * them. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/handover_image.h"
#include "clients/tcp_clients.h"
#include "clients/tcp_handover.h"
#include "dns/message.h"
#include "need.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLIENTS_MADE = 4, TURNS = 8 };

/* A worker's clients, whose every message gets a reply of two octets. */
struct world {
    struct loop loop;
    struct buffers buffers;
    struct tcp_clients clients;
    struct connections *connections;
    struct busiest *busiest;
    struct counters *counters;
    struct access_list *everybody;
    atomic_uint load;
    uint8_t *scratch;
};

static void on_message(struct tcp_clients *clients, const struct requester *requester,
                       const struct client_message *message)
{
    struct transport *transport = &clients->transport;
    need(message->size <= clients->options.max_query_bytes);
    uint8_t *reply = transport->begin_reply(requester, 2);
    if (reply) memcpy(reply, "ok", 2);
    transport->end_reply(requester, reply ? 2 : 0);
}

static void make_world(struct world *world)
{
    static const struct hash_key hash_key = {1, 2};
    static const struct connections_options limits = {
        .max_connections = 8, .max_per_address = 8, .ipv4_prefix = 32, .ipv6_prefix = 64};
    static const struct tcp_client_options options = {.idle_timeout_ns = NS_PER_S,
                                                      .read_timeout_ns = NS_PER_S,
                                                      .first_timeout_ns = NS_PER_S,
                                                      .max_in_flight = 4,
                                                      .max_query_bytes = 512,
                                                      .max_unsent_bytes = 4096,
                                                      .max_buffered_bytes = 1 << 18,
                                                      .crowded_above = 8};
    memset(world, 0, sizeof *world);
    world->connections = connections_new(&limits, &hash_key);
    world->busiest = busiest_new();
    world->counters = counters_new();
    world->scratch = malloc(CLIENT_SCRATCH_BYTES);
    world->everybody = access_new(&(struct prefix){.bits = 0}, 1);
    buffers_init(&world->buffers);
    need(loop_init(&world->loop));
    const struct tcp_clients_deps deps = {.loop = &world->loop,
                                          .buffers = &world->buffers,
                                          .counters = world->counters,
                                          .connections = world->connections,
                                          .busiest = world->busiest,
                                          .load = &world->load,
                                          .scratch = world->scratch};
    need(tcp_clients_init(&world->clients, &options, &deps));
    tcp_clients_set_access(&world->clients, world->everybody);
    world->clients.on_message = on_message;
    world->clients.holding = true;
}

static void end_world(struct world *world)
{
    tcp_clients_done(&world->clients);
    need(world->load == 0 && connections_count(world->connections) == 0);
    access_free(world->everybody);
    loop_done(&world->loop);
    buffers_done(&world->buffers);
    need(world->buffers.memory_bytes == 0);
    connections_free(world->connections);
    busiest_free(world->busiest);
    counters_free(world->counters);
    free(world->scratch);
}

/* False: the limits leave no room. */
static bool take(struct world *world, int fd, const struct tcp_client_state *state)
{
    uint8_t bits;
    if (connections_resume(world->connections, &state->address, 0, &bits) != CONNECTIONS_ADMITTED) return false;
    if (tcp_handover_take(&world->clients, fd, state, bits) == TCP_TAKEN) return true;
    connections_release(world->connections, &state->address, bits);
    return false;
}

/* Whole messages at the front of what was read, and not more than that, are answered. */
static void run(struct world *world)
{
    need(tcp_handover_resume_times(&world->clients));
    tcp_handover_begin(&world->clients);
    for (int i = 0; i < TURNS; i++) {
        tcp_clients_tick(&world->clients, world->loop.now_ns);
        loop_turn(&world->loop, 0);
    }
    need(world->clients.in_flight == 0);
}

static bool is_within(const struct handover_reader *reader, const uint8_t *bytes, size_t size)
{
    return bytes >= reader->bytes && size <= reader->size && bytes - reader->bytes <= (ptrdiff_t)(reader->size - size);
}

/* Each client again, by the writer, is the bytes that were read. */
static void want_same(const struct handover_reader *reader, size_t begin, uint64_t cookie,
                      const struct tcp_client_state *state)
{
    struct handover_writer writer;
    handover_writer_init(&writer, 0);
    size_t front = buffer_size(&writer.image);
    handover_writer_add_client(&writer, cookie, state);
    need(!writer.failed && buffer_size(&writer.image) - front == reader->at - begin);
    need(memcmp(writer.image.bytes + front, reader->bytes + begin, reader->at - begin) == 0);
    handover_writer_done(&writer);
}

static void read_image(const uint8_t *bytes, size_t size)
{
    struct handover_reader reader;
    struct address address;
    struct tcp_client_state state;
    struct world world;
    uint64_t cookie;
    bool is_sound;
    int ends[CLIENTS_MADE][2];
    unsigned made = 0, read = 0;
    if (handover_reader_init(&reader, bytes, size) != HANDOVER_GOOD) return;
    need(reader.summary.listeners <= LISTENERS_MAX && reader.summary.udp_sockets <= UDP_FORMER_MAX);
    need(memchr(reader.summary.by, '\0', sizeof reader.summary.by));
    for (uint32_t i = 0; i < reader.summary.listeners + reader.summary.udp_sockets; i++)
        need(handover_reader_next_address(&reader, &address));
    make_world(&world);
    for (size_t begin = reader.at; handover_reader_next_client(&reader, &cookie, &state, &is_sound) == HANDOVER_GOOD;
         begin = reader.at) {
        need(++read <= reader.summary.clients);
        need(is_within(&reader, state.partial, state.partial_bytes) &&
             is_within(&reader, state.unsent, state.unsent_bytes));
        if (!is_sound) continue;
        want_same(&reader, begin, cookie, &state);
        if (made == CLIENTS_MADE) continue;
        need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends[made]) == 0);
        if (!take(&world, ends[made][0], &state)) close(ends[made][0]);
        made++;
    }
    run(&world);
    end_world(&world);
    for (unsigned i = 0; i < made; i++) close(ends[i][1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_image(data, size);
    if (size < HANDOVER_FRONT_BYTES) return 0;
    uint8_t *copy = malloc(size);
    if (!copy) return 0;
    memcpy(copy, data, size);
    handover_image_seal(copy, size);
    read_image(copy, size);
    free(copy);
    return 0;
}
