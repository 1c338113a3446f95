/* stream: the bytes of one connection to an upstream, over TLS (tls.h) or in plain text (RFC 7766). Both look the same
 * to the channel. A stream and its socket belong to one thread; the socket is the caller's. */
#ifndef UPSTREAM_STREAM_H
#define UPSTREAM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "upstream/tls.h"

struct stream {
    struct tls *tls; /* NULL: plain text; then the rest is in use */
    int fd;
    int error;    /* errno of the last call that failed */
    size_t share; /* bytes that may still be read in this turn */
    uint64_t received;
    bool drained; /* the last read took all there was: the next one would find nothing */
    bool more;    /* the turn's share is used up: the socket may have more */
};

/* `tls` NULL: plain text. `name`, `alpn` and `ticket` as for tls_new. False if memory is short. */
bool stream_open(struct stream *stream, struct tls_context *tls, int fd, const char *name, const char *alpn,
                 const struct tls_ticket *ticket);
void stream_close(struct stream *stream, bool says_goodbye); /* one that was never opened is fine, if it is zero */

/* As the functions of tls.h. Plain text needs no handshake: it is done at once. */
enum tls_status stream_handshake(struct stream *stream);
enum tls_status stream_read(struct stream *stream, void *out, size_t capacity, size_t *ret_size);
enum tls_status stream_write(struct stream *stream, const void *bytes, size_t size, size_t *ret_size);
void stream_on_readable(struct stream *stream);
void stream_begin_turn(struct stream *stream, size_t share);
bool stream_has_more(const struct stream *stream);
uint64_t stream_received(const struct stream *stream);

/* What only TLS has; false, 0 and NULL in plain text. */
bool stream_is_resumed(const struct stream *stream);
int64_t stream_certificate_expiry_s(struct stream *stream);
struct tls_ticket *stream_take_ticket(struct stream *stream);

const char *stream_error(const struct stream *stream);

#endif
