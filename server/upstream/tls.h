/* tls: one TLS connection as a client, over a non-blocking socket; only tls*.c know wolfSSL.
 *
 * The peer is authenticated by chain and by DNS name (RFC 8310, strict): there is no way to switch that off. TLS 1.3,
 * or 1.2 if the peer has no more; the cheaper cipher first (tls_crypto.h).
 * The socket belongs to the caller. A context may be shared by threads once made; a connection and its
 * ticket belong to one thread. */
#ifndef UPSTREAM_TLS_H
#define UPSTREAM_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TLS_PATH_MAX = 4096, TLS_ERROR_MAX = 256 };

struct tls_options {
    char ca_file[TLS_PATH_MAX]; /* PEM; empty: the system's bundle */
};

/* The certificates trusted. */
struct tls_context;
struct tls_crypto;

/* `crypto`: tls_crypto.h; outlives the context; NULL: the library encrypts by itself, with ChaCha20 if the peer can.
 * NULL if the bundle cannot be read, is not a regular file or holds no certificate that can be used; `ret_error`
 * then says which file and why. Dates do not matter: they are compared with the clock in each handshake. */
struct tls_context *tls_context_new(const struct tls_options *options, struct tls_crypto *crypto,
                                    char ret_error[static TLS_ERROR_MAX]);
struct tls_context *tls_context_share(struct tls_context *context);
void tls_context_free(struct tls_context *context); /* the last owner's call frees it */

/* True if the dates of at least one certificate of the bundle include `now_s`, seconds since 1970. If none does,
 * no handshake can succeed until the clock or the bundle is set right. */
bool tls_context_is_valid_at(const struct tls_context *context, int64_t now_s);

/* The file the options mean. */
static inline const char *tls_ca_path(const struct tls_options *options)
{
    return options->ca_file[0] ? options->ca_file : "/etc/ssl/certs/ca-certificates.crt";
}

struct tls;
struct tls_ticket; /* what a later connection to the same peer resumes by (RFC 8446, 2.2; RFC 5077) */

enum tls_status {
    TLS_DONE,
    TLS_AGAIN,     /* the socket would block; call again when it is ready */
    TLS_CLOSED,    /* the peer ended the stream, with or without close_notify */
    TLS_RESET,     /* the connection broke */
    TLS_FAILED,    /* the peer breaks the protocol, or sent an alert */
    TLS_UNTRUSTED, /* handshake only: chain, name or dates of the certificate are not right */
};

/* `name`: of the peer's certificate, and SNI. `alpn`: the one protocol that is offered (RFC 7301), which a peer may
 * leave unanswered; NULL: none is. `ticket`: NULL for a full handshake. NULL if memory is short. */
struct tls *tls_new(struct tls_context *context, int fd, const char *name, const char *alpn,
                    const struct tls_ticket *ticket);
void tls_free(struct tls *tls); /* NULL is fine; sends nothing */

enum tls_status tls_handshake(struct tls *tls);

/* TLS_DONE: ret_size bytes (at least one) were read or taken. After TLS_AGAIN, tls_write is called again with the same
 * bytes at its front; bytes behind them may have been added. */
enum tls_status tls_read(struct tls *tls, void *out, size_t capacity, size_t *ret_size);
enum tls_status tls_write(struct tls *tls, const void *bytes, size_t size, size_t *ret_size);

/* The loop says that the socket can be read: what an earlier, short read said of it holds no more. Before every call
 * that may read. */
void tls_on_readable(struct tls *tls);

/* Bounds what is read from the socket until the next call to `share` bytes; none may be read before the first call.
 * A peer that sends without end, in records however small, takes no more than its share of a turn. tls_has_more: a call
 * returned TLS_AGAIN because the share was used up, and not because the socket had no more. tls_received: bytes read so
 * far. */
void tls_begin_turn(struct tls *tls, size_t share);
bool tls_has_more(const struct tls *tls);
uint64_t tls_received(const struct tls *tls);

/* Says goodbye (close_notify) as far as the socket takes it; the peer's is not waited for. */
void tls_close(struct tls *tls);

/* After a handshake. */
bool tls_is_resumed(const struct tls *tls);
int64_t tls_certificate_expiry_s(struct tls *tls); /* of a full handshake; 0 if not known */

/* The ticket of a full handshake, or NULL if the peer gave none or the handshake was itself a resumption. With
 * TLS 1.3 it comes behind the handshake: ask after the first answer. It may be used any number of times. */
struct tls_ticket *tls_take_ticket(struct tls *tls);
void tls_ticket_free(struct tls_ticket *ticket);

/* Why the last call that failed did so, in words; NULL if none did. */
const char *tls_error(const struct tls *tls);

/* Gives back what the library keeps for this thread to make its handshakes faster: 3 MB that save 4 ms of a full one.
 * Worth it when none was made for a while, and due before the thread ends. */
void tls_trim(void);

/* "5.5.4" */
const char *tls_library_version(void);

#endif
