/* udp_options: what of the configuration the UDP listener uses. */
#ifndef CLIENTS_UDP_OPTIONS_H
#define CLIENTS_UDP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum { UDP_PATH_MAX = 4096 };

struct udp_options {
    bool enabled;
    bool cookies;                 /* COOKIE options are read and answered; over TCP, too */
    uint16_t max_size;            /* bytes of a reply, at most DATAGRAM_REPLY_MAX, */
    uint16_t max_size_unverified; /* and of one to a foreign source without a valid cookie */
    uint32_t responses_per_s;     /* to the sources of one prefix without a valid cookie; 0: no limit */
    uint32_t slip;                /* over it, one question in so many gets TC; 0: none does */
    uint32_t receive_buffer_bytes;
    uint32_t max_pending;                  /* questions of one worker that wait for an answer */
    char cookie_secret_file[UDP_PATH_MAX]; /* empty: a secret of this process */
};

#endif
