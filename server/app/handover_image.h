/* handover_image: what one process tells the next of the sockets that it hands over, as bytes: pure functions.
 *
 * The image has a version and a checksum; one of another version, or that is not whole, is refused as a whole, so that
 * nothing is guessed. What it says of a client is looked at again, field by field: no image, whatever its bytes, makes
 * the reader read outside of it or return a state that a client cannot have. Numbers are big-endian. It describes, in
 * this order, the descriptors that go with it: listeners, UDP sockets, TCP clients. */
#ifndef APP_HANDOVER_IMAGE_H
#define APP_HANDOVER_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clients/listener.h"
#include "clients/tcp_handover.h"
#include "clients/udp_listener.h"
#include "common/address.h"
#include "common/buffer.h"

enum {
    HANDOVER_IMAGE_VERSION = 1, /* raised with every change of the bytes */
    HANDOVER_BY_BYTES = 32,     /* of the program's version, with its NUL */
};

/* What stands at the image's front. */
struct handover_summary {
    char by[HANDOVER_BY_BYTES]; /* the program's version that wrote it */
    uint64_t stopped_ns;        /* when it stopped reading, by common/clock.h */
    uint32_t listeners;         /* at most LISTENERS_MAX */
    uint32_t udp_sockets;       /* at most UDP_FORMER_MAX */
    uint32_t clients;
    uint32_t left; /* clients that it closed, since their questions were not answered in time */
};

/* ---- writing ---- */

/* The counts of the summary are raised by what is added. */
struct handover_writer {
    struct buffer image;
    struct handover_summary summary;
    bool failed; /* memory was short */
};

void handover_writer_init(struct handover_writer *writer, uint64_t stopped_ns);
void handover_writer_done(struct handover_writer *writer);
void handover_writer_add_listener(struct handover_writer *writer, const struct address *address);
void handover_writer_add_udp(struct handover_writer *writer, const struct address *address);

/* `cookie`: the socket's SO_COOKIE, by which the next process knows it again. */
void handover_writer_add_client(struct handover_writer *writer, uint64_t cookie, const struct tcp_client_state *state);

/* Completes the image, which is then writer->image. False: memory was short. */
bool handover_writer_finish(struct handover_writer *writer);

/* Writes version, size and checksum of an image of at least HANDOVER_FRONT_BYTES, as handover_writer_finish does: for
 * tests, which change images. */
enum { HANDOVER_FRONT_BYTES = 8 + 4 + 8 + 8 };
void handover_image_seal(uint8_t *image, size_t size);

/* ---- reading ---- */

struct handover_reader {
    const uint8_t *bytes; /* the caller's */
    size_t size;
    size_t at;
    struct handover_summary summary;
    uint32_t clients_left; /* not read yet */
};

enum handover_verdict {
    HANDOVER_GOOD,
    HANDOVER_DAMAGED, /* not an image, cut, or changed */
    HANDOVER_VERSION  /* of another version of the program, whose bytes mean something else */
};

/* Judges the whole image, and goes to its first listener. */
enum handover_verdict handover_reader_init(struct handover_reader *reader, const uint8_t *bytes, size_t size);

/* The next listener's or UDP socket's address; as often as the summary says. False: damaged. */
bool handover_reader_next_address(struct handover_reader *reader, struct address *ret_address);

/* The next client; its bytes are the image's. HANDOVER_DAMAGED: the rest of the image cannot be used, or there are no
 * more. `ret_sound`: the state is one that a client may have (tcp_client_state_is_sound); else only its cookie
 * counts. */
enum handover_verdict handover_reader_next_client(struct handover_reader *reader, uint64_t *ret_cookie,
                                                  struct tcp_client_state *ret_state, bool *ret_sound);

#endif
