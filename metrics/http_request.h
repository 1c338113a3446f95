/* http_request: the head of an HTTP/1 request, checked strictly and rebuilt (RFC 9110, RFC 9112).
 *
 * The HTTP server behind the front end never sees what a client sent, but a head written here from what was understood.
 * So the two cannot disagree about where a request ends, and no byte of a body is ever taken for a request: every field
 * that frames a message either has exactly one valid meaning or the request is refused, and a request with a body ends
 * its connection.
 *
 * Stricter than the RFC demands: a line ends with CRLF only, equal repeated lengths are refused like different ones,
 * and Host must have the form of a host.
 *
 * Pure; any thread. */
#ifndef METRICS_HTTP_REQUEST_H
#define METRICS_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"

enum {
    HTTP_TARGET_BYTES_MAX = 8000, /* RFC 9112, 3, wants at least this much; beyond it 414 */
    HTTP_WRITTEN_EXTRA = 64       /* http_request_write writes at most so many bytes more than were parsed */
};

/* Bytes of the parsed head, which owns them; no NUL. */
struct http_text {
    const char *bytes;
    size_t size;
};

struct http_request {
    struct http_text method;
    struct http_text target;    /* path and query; "*"; empty or "?..." if the path of an absolute target is missing */
    struct http_text authority; /* of an absolute target or of Host; bytes NULL if there is neither */
    struct http_text fields;    /* the field lines, each with its CRLF */
    bool is_last;               /* the client wants the connection closed, speaks HTTP/1.0, or sends a body */
};

/* Bytes of the head at the front of `bytes`, the blank line included; 0 if it is not complete. One empty line before
 * the request line belongs to it. Its content is not checked, and lines may end with LF alone here, so that a malformed
 * head is refused at once rather than after a timeout. */
size_t http_request_head_size(const uint8_t *bytes, size_t size);

/* `head` is complete and must outlive `ret_request`. Returns 0, or the status to refuse the request with: 400, 414, 501
 * (method or transfer coding), 505. The connection must then be closed: where the next request begins is unknown. */
int http_request_parse(const uint8_t *head, size_t size, struct http_request *ret_request);

/* The path used for the target "*", the server as a whole: civetweb does not pass on an asterisk alone. */
#define HTTP_SERVER_PATH "/*"

/* Appends the head for the server: HTTP/1.1, the target in origin form ("*" as HTTP_SERVER_PATH), the fields the
 * endpoint reads (lists in one line), and `Connection: close` if the request is the last one.
 * False without memory. */
bool http_request_write(const struct http_request *request, struct buffer *out);

#endif
