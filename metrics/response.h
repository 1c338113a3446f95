/* response: what an HTTP answer of ours says before its body (RFC 9110). Pure; any thread. */
#ifndef METRICS_RESPONSE_H
#define METRICS_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct response {
    int status;
    const char *content_type;
    const char *body;
    size_t size;
    bool close; /* it ends the connection, and says so */
};

/* "OK", "Not Found", ... */
const char *response_status_text(int status);

/* The status line and header, with the security policy of the page; returns their size. */
enum { RESPONSE_HEAD_BYTES = 1024 };
size_t response_write_head(const struct response *response, int64_t wall_s, char out[static RESPONSE_HEAD_BYTES]);

/* Whether the connection ends with these bytes, a whole response of response_write_head's: it says so, or it is none.
 */
bool response_is_last(const uint8_t *bytes, size_t size);

#endif
