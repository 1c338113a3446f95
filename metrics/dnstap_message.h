/* dnstap_message: one frame of dnstap (https://dnstap.info, dnstap.proto): a DNS message with who sent it, to whom, and
 * when, in protocol buffers' encoding. The dozen fields that this program fills are written by hand; why is in
 * docs/decisions/0024-dnstap.md. Pure; any thread. */
#ifndef METRICS_DNSTAP_MESSAGE_H
#define METRICS_DNSTAP_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/address.h"

/* The content type of a stream of frames. */
#define DNSTAP_CONTENT_TYPE "protobuf:dnstap.Dnstap"

/* As dnstap.proto numbers them. A forwarder query goes from this program to an upstream. */
enum dnstap_type {
    DNSTAP_CLIENT_QUERY = 5,
    DNSTAP_CLIENT_RESPONSE = 6,
    DNSTAP_FORWARDER_QUERY = 7,
    DNSTAP_FORWARDER_RESPONSE = 8,
};
enum dnstap_protocol { DNSTAP_UDP = 1, DNSTAP_TCP = 2, DNSTAP_DOT = 3 };

struct dnstap_message {
    enum dnstap_type type;
    enum dnstap_protocol protocol;
    const struct address *client; /* that asks; NULL: not said */
    const struct address *server; /* that is asked; NULL: not said. One of both is given. */
    uint64_t wall_ns;             /* since 1970, when the message came or went */
    const uint8_t *bytes;
    size_t size; /* at most 65,535 */
};

/* Bytes of a frame besides its DNS message, at most. */
enum { DNSTAP_NAME_MAX = 64, DNSTAP_EXTRA_BYTES = 2 * (DNSTAP_NAME_MAX + 2) + 128 };

/* Writes the frame to `out`, of message->size + DNSTAP_EXTRA_BYTES; returns its size. `identity` is the name of this
 * machine, `version` that of the program; of each at most DNSTAP_NAME_MAX bytes are written. */
size_t dnstap_message_write(const struct dnstap_message *message, const char *identity, const char *version,
                            uint8_t *out);

#endif
