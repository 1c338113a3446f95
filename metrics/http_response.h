/* http_response: an HTTP response and its head (RFC 9110). Pure; any thread. */
#ifndef METRICS_HTTP_RESPONSE_H
#define METRICS_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HTTP_RESPONSE_TEXT_BYTES = 64, HTTP_RESPONSE_HEAD_BYTES = 1280 };

/* NULL and 0: the field, or the body, is left out. Not to be copied: `body` may be `text`. */
struct http_response {
    int status;
    const char *content_type;
    const char *body;
    size_t size;
    char *owned;                         /* memory of the body that must be freed, else NULL */
    const char *allow;                   /* the methods of the resource: for 405, and for OPTIONS */
    const char *content_encoding;        /* "gzip" */
    bool varies;                         /* the coding depends on Accept-Encoding */
    bool close;                          /* it ends the connection, and says so */
    char text[HTTP_RESPONSE_TEXT_BYTES]; /* of http_response_set_status */
};

/* Makes it a response that consists of the status alone, with a line that names it. Frees what it owned; keeps `allow`
 * and `close`. */
void http_response_set_status(struct http_response *response, int status);

/* The status line and header, with the security policy of the page; returns their size. */
size_t http_response_write_head(const struct http_response *response, int64_t wall_s,
                                char out[static HTTP_RESPONSE_HEAD_BYTES]);

/* Whether the bytes are one response as a whole: a head of http_response_write_head and the body it announces, or the
 * head alone where it is the response to HEAD. */
bool http_response_is_whole(const uint8_t *bytes, size_t size, bool is_to_head);

/* Whether the connection ends with these bytes, a whole response with a head of http_response_write_head: it says so,
 * or it is none. */
bool http_response_is_last(const uint8_t *bytes, size_t size);

#endif
