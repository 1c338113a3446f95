#include "metrics/dnstap.h"

#include <fstrm.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "metrics/dnstap_socket.h"

struct dnstap_tap {
    struct dnstap *dnstap;
    struct fstrm_iothr_queue *queue;
};

struct dnstap {
    struct dnstap_options options;
    char identity[DNSTAP_NAME_MAX + 1];
    _Atomic uint64_t written; /* frames that the socket took */
    struct fstrm_iothr *thread;
    _Atomic uint64_t given;       /* frames in a queue so far; a frame's bytes are written before it counts */
    _Atomic uint64_t done;        /* of these, the ones that were written or thrown away */
    _Atomic uint64_t refused;     /* frames for which there was no room */
    _Atomic size_t waiting_bytes; /* of the frames that are not done */
    unsigned count;
    struct dnstap_tap taps[];
};

/* ---- start and stop ---- */

static struct fstrm_writer *make_writer(struct dnstap *dnstap)
{
    static const char type[] = DNSTAP_CONTENT_TYPE;
    struct fstrm_writer_options *options = fstrm_writer_options_init();
    struct fstrm_rdwr *stream = dnstap_socket_new(dnstap->options.socket, DNSTAP_PATIENCE_S, &dnstap->written);
    struct fstrm_writer *writer = NULL;
    if (options && stream && fstrm_writer_options_add_content_type(options, type, sizeof type - 1) == fstrm_res_success)
        writer = fstrm_writer_init(options, &stream); /* takes the stream */
    if (options) fstrm_writer_options_destroy(&options);
    if (stream) fstrm_rdwr_destroy(&stream);
    return writer;
}

static struct fstrm_iothr *make_thread(const struct dnstap *dnstap, struct fstrm_writer **writer)
{
    struct fstrm_iothr_options *options = fstrm_iothr_options_init();
    if (!options) return NULL;
    bool good = fstrm_iothr_options_set_num_input_queues(options, dnstap->count) == fstrm_res_success &&
                fstrm_iothr_options_set_input_queue_size(options, DNSTAP_QUEUE_FRAMES) == fstrm_res_success &&
                fstrm_iothr_options_set_queue_model(options, FSTRM_IOTHR_QUEUE_MODEL_SPSC) == fstrm_res_success &&
                fstrm_iothr_options_set_flush_timeout(options, 1) == fstrm_res_success &&
                fstrm_iothr_options_set_reopen_interval(options, DNSTAP_REOPEN_S) == fstrm_res_success;
    struct fstrm_iothr *thread = good ? fstrm_iothr_init(options, writer) : NULL; /* takes the writer */
    fstrm_iothr_options_destroy(&options);
    return thread;
}

struct dnstap *dnstap_start(const struct dnstap_options *options, unsigned count)
{
    CHECK(count > 0 && *options->socket && options->sample > 0);
    struct dnstap *dnstap = calloc(1, sizeof *dnstap + count * sizeof *dnstap->taps);
    if (!dnstap) return NULL;
    dnstap->options = *options;
    dnstap->count = count;
    if (gethostname(dnstap->identity, sizeof dnstap->identity - 1) != 0) *dnstap->identity = '\0';
    struct fstrm_writer *writer = make_writer(dnstap);
    if (writer) dnstap->thread = make_thread(dnstap, &writer);
    if (writer) fstrm_writer_destroy(&writer);
    if (!dnstap->thread) {
        free(dnstap);
        return NULL;
    }
    for (unsigned i = 0; i < count; i++)
        dnstap->taps[i] = (struct dnstap_tap){dnstap, fstrm_iothr_get_input_queue_idx(dnstap->thread, i)};
    return dnstap;
}

struct dnstap_tap *dnstap_tap(struct dnstap *dnstap, unsigned index)
{
    if (!dnstap) return NULL;
    CHECK(index < dnstap->count);
    return &dnstap->taps[index];
}

void dnstap_stop(struct dnstap *dnstap)
{
    if (!dnstap) return;
    fstrm_iothr_destroy(&dnstap->thread);
    CHECK(atomic_load(&dnstap->given) == atomic_load(&dnstap->done));
    free(dnstap);
}

struct dnstap_counts dnstap_counts(const struct dnstap *dnstap)
{
    if (!dnstap) return (struct dnstap_counts){0};
    uint64_t done = atomic_load_explicit(&dnstap->done, memory_order_acquire);
    uint64_t written = atomic_load_explicit(&dnstap->written, memory_order_acquire);
    uint64_t refused = atomic_load_explicit(&dnstap->refused, memory_order_relaxed);
    /* A frame is written before it is done, so one that is being written may count as written only. */
    return (struct dnstap_counts){.written = written, .lost = refused + (done > written ? done - written : 0)};
}

/* ---- frames ---- */

struct frame {
    size_t room; /* of it all */
    uint8_t bytes[];
};

/* On the library's thread, when the frame was written or thrown away. */
static void on_done(void *bytes, void *context)
{
    struct dnstap *dnstap = context;
    struct frame *frame = (struct frame *)(void *)((uint8_t *)bytes - offsetof(struct frame, bytes));
    atomic_load_explicit(&dnstap->given, memory_order_acquire); /* after its bytes were written */
    size_t room = frame->room;
    free(frame);
    atomic_fetch_sub_explicit(&dnstap->waiting_bytes, room, memory_order_relaxed);
    atomic_fetch_add_explicit(&dnstap->done, 1, memory_order_release);
}

/* NULL: there are too many bytes already, or memory is short. */
static struct frame *take_frame(struct dnstap *dnstap, size_t size)
{
    size_t room = sizeof(struct frame) + size;
    if (atomic_load_explicit(&dnstap->waiting_bytes, memory_order_relaxed) + room > DNSTAP_QUEUE_BYTES) return NULL;
    struct frame *frame = malloc(room);
    if (!frame) return NULL;
    frame->room = room;
    atomic_fetch_add_explicit(&dnstap->waiting_bytes, room, memory_order_relaxed);
    return frame;
}

static void submit(const struct dnstap_tap *tap, const struct dnstap_message *message)
{
    struct dnstap *dnstap = tap->dnstap;
    struct frame *frame = take_frame(dnstap, message->size + DNSTAP_EXTRA_BYTES);
    if (frame) {
        size_t size = dnstap_message_write(message, dnstap->identity, "dns-tls-proxy " PROJECT_VERSION, frame->bytes);
        atomic_fetch_add_explicit(&dnstap->given, 1, memory_order_release);
        fstrm_res result = fstrm_iothr_submit(dnstap->thread, tap->queue, frame->bytes, size, on_done, dnstap);
        if (result == fstrm_res_success) return;
        atomic_fetch_sub_explicit(&dnstap->given, 1, memory_order_relaxed);
        atomic_fetch_sub_explicit(&dnstap->waiting_bytes, frame->room, memory_order_relaxed);
        free(frame);
    }
    atomic_fetch_add_explicit(&dnstap->refused, 1, memory_order_relaxed);
}

/* Numbers that differ in any bit differ in the upper ones of the product (Fibonacci hashing). */
static bool is_chosen(const struct dnstap *dnstap, uint64_t number)
{
    return dnstap->options.sample == 1 || (number * UINT64_C(0x9e3779b97f4a7c15) >> 32) % dnstap->options.sample == 0;
}

static uint16_t id_of(const uint8_t *bytes, size_t size)
{
    return size >= 2 ? (uint16_t)(bytes[0] << 8 | bytes[1]) : 0;
}

void dnstap_client_message(struct dnstap_tap *tap, enum dnstap_type type, enum dnstap_protocol protocol,
                           const struct address *client, const uint8_t *bytes, size_t size)
{
    if (!tap || !tap->dnstap->options.clients) return;
    uint32_t low;
    memcpy(&low, client->ip + 12, sizeof low);
    uint64_t number = (uint64_t)low << 32 | (uint32_t)client->port << 16 | id_of(bytes, size);
    if (!is_chosen(tap->dnstap, number)) return;
    const struct dnstap_message message = {
        .type = type, .protocol = protocol, .client = client, .wall_ns = clock_wall_ns(), .bytes = bytes, .size = size};
    submit(tap, &message);
}

void dnstap_upstream_message(struct dnstap_tap *tap, enum dnstap_type type, enum dnstap_protocol protocol,
                             const struct address *upstream, uint32_t session, const uint8_t *bytes, size_t size)
{
    if (!tap || !is_chosen(tap->dnstap, (uint64_t)session << 16 | id_of(bytes, size))) return;
    const struct dnstap_message message = {.type = type,
                                           .protocol = protocol,
                                           .server = upstream,
                                           .wall_ns = clock_wall_ns(),
                                           .bytes = bytes,
                                           .size = size};
    submit(tap, &message);
}
