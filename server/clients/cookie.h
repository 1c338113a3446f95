/* cookie: DNS cookies (RFC 7873) of version 1 (RFC 9018): a client that sends back the server cookie it was given has
 * shown that it receives what is sent to its address.
 *
 * A cookie of ours is the client's eight octets, then version, three reserved octets, the time in seconds (serial
 * arithmetic, RFC 1982), and SipHash-2-4 of all these and the client's address under a secret. No state is kept for a
 * client. Servers that have the same secret accept each other's cookies, also those of other makes (NSD, BIND, Knot
 * DNS, Unbound). Time is passed in, in seconds of the wall clock. Pure, except cookie_keys_draw; any thread, on its own
 * copy of the keys. */
#ifndef CLIENTS_COOKIE_H
#define CLIENTS_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"

enum {
    COOKIE_CLIENT_BYTES = 8,
    COOKIE_BYTES = 24, /* client cookie and server cookie of version 1 */
    COOKIE_SECRET_BYTES = 16,
    COOKIE_SECRETS_MAX = 2,
};

/* Serial arithmetic allows these (RFC 9018, 4.3). */
enum {
    COOKIE_AGE_MAX_S = 3600,   /* an older one is not accepted */
    COOKIE_AHEAD_MAX_S = 300,  /* nor one that is made so far in the future: clocks of a fleet differ */
    COOKIE_RENEW_AGE_S = 1800, /* an older one is answered with a new one */
};

/* The secrets: [0] makes cookies, all `count` of them are accepted. */
struct cookie_secrets {
    uint8_t secrets[COOKIE_SECRETS_MAX][COOKIE_SECRET_BYTES];
    unsigned count; /* 1..COOKIE_SECRETS_MAX */
};

/* Where the secrets come from: a file that a fleet shares, or a key of this process, from which each day's secret is
 * derived (the secret of the day before is accepted, too). */
struct cookie_keys {
    struct cookie_secrets current;
    uint8_t master[COOKIE_SECRET_BYTES];
    uint32_t day; /* of `current`, if it is derived */
    bool rotates; /* `current` is derived from `master` */
};

/* Keys of this process alone, from the kernel's random source, for the time `now_s`. */
struct cookie_keys cookie_keys_draw(uint32_t now_s);

/* The keys that are derived from a master key, which another run of the program has drawn. */
struct cookie_keys cookie_keys_of_master(const uint8_t master[static COOKIE_SECRET_BYTES], uint32_t now_s);

/* Keys from the text of a secret file: one or two lines of 32 hexadecimal digits, the first of which makes cookies;
 * empty lines and lines that begin with # do not count. False: it is no such text, and `ret_error` says why. */
enum { COOKIE_ERROR_BYTES = 96 };
bool cookie_keys_parse(const char *text, size_t size, struct cookie_keys *ret_keys,
                       char ret_error[static COOKIE_ERROR_BYTES]);

/* Derives the secrets of another day if that has come. Cheap if it has not. */
void cookie_keys_update(struct cookie_keys *keys, uint32_t now_s);

/* The option's lengths: 8, or 16 to 40 octets; any other is FORMERR (RFC 7873, 5.2.2). */
bool cookie_is_well_formed(size_t option_size);

/* Whether the option's server cookie is one of ours, made for this client address, and of the right age. Takes the same
 * time wherever a wrong one differs. */
bool cookie_is_valid(const struct cookie_secrets *secrets, const uint8_t *option, size_t option_size,
                     const struct address *client, uint32_t now_s);

/* The cookie for the reply to a well-formed option: the same if it `is_valid` and young, else a new one. */
void cookie_answer(const struct cookie_secrets *secrets, const uint8_t *option, bool is_valid,
                   const struct address *client, uint32_t now_s, uint8_t ret_cookie[static COOKIE_BYTES]);

#endif
