/* fake_pool: an upstream without sockets, for tests of what stands on the pool: it takes the place of pool.c at link
 * time, so that a test decides what becomes of a question. */
#ifndef FAKE_POOL_H
#define FAKE_POOL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../dns/packet.h"
#include "upstream/pool.h"

enum { FAKE_ASKED_MAX = 512 };

/* What the test sees and decides. */
static struct fake_pool {
    struct exchange *asked[FAKE_ASKED_MAX]; /* in order; NULL once over */
    unsigned count;
    const char *error;
    bool down;
    struct packet packet;
    uint8_t answer[ANSWER_BYTES_MAX];
} fake_pool;

void pool_submit(struct pool *pool, struct exchange *exchange, uint64_t now_ns)
{
    (void)pool;
    (void)now_ns;
    assert_true(fake_pool.count < FAKE_ASKED_MAX);
    fake_pool.asked[fake_pool.count++] = exchange;
}

void pool_promote(struct pool *pool, struct exchange *exchange)
{
    (void)pool;
    exchange->light = true;
}

void pool_cancel(struct exchange *exchange)
{
    for (unsigned i = 0; i < fake_pool.count; i++)
        if (fake_pool.asked[i] == exchange) fake_pool.asked[i] = NULL;
}

const char *pool_error(const struct pool *pool)
{
    (void)pool;
    return fake_pool.error;
}

bool pool_is_down(const struct pool *pool)
{
    (void)pool;
    return fake_pool.down;
}

/* ---- what becomes of the n-th question ---- */

static inline struct exchange *fake_take(unsigned n)
{
    assert_true(n < fake_pool.count);
    struct exchange *exchange = fake_pool.asked[n];
    assert_non_null(exchange);
    fake_pool.asked[n] = NULL;
    return exchange;
}

/* None is left on its way. */
static inline bool fake_pool_is_idle(void)
{
    for (unsigned i = 0; i < fake_pool.count; i++)
        if (fake_pool.asked[i]) return false;
    return true;
}

/* It fails. */
static inline void fake_fail(unsigned n, enum exchange_result result)
{
    struct exchange *exchange = fake_take(n);
    exchange->on_done(exchange, result, NULL);
}

/* Begins the packet that answers it, in which the test then puts records. */
static inline struct packet *fake_packet(unsigned n, unsigned flags)
{
    const struct question_key *key = &fake_pool.asked[n]->key;
    struct packet *packet = &fake_pool.packet;
    packet_header(packet, 0, DNS_QR | DNS_RA | flags);
    packet_raw(packet, key->bytes, question_key_name_size(key));
    packet_u16(packet, question_key_type(key));
    packet_u16(packet, DNS_CLASS_IN);
    packet_count(packet, DNS_QUESTION, 1);
    return packet;
}

/* It is answered with that packet. */
static inline void fake_answer_packet(unsigned n)
{
    struct exchange *exchange = fake_take(n);
    const struct packet *packet = &fake_pool.packet;
    struct answer answer;
    assert_int_equal(answer_parse(packet->bytes, packet->size, &exchange->key, fake_pool.answer, &answer), ANSWER_GOOD);
    exchange->on_done(exchange, EXCHANGE_ANSWERED, &answer);
}

/* With one A record of that TTL, whose data ends in `number`. */
static inline void fake_answer(unsigned n, uint32_t ttl, uint8_t number)
{
    const uint8_t data[] = {192, 0, 2, number};
    struct packet *packet = fake_packet(n, DNS_RD);
    packet_record(packet, DNS_ANSWER, DNS_TYPE_A, ttl, data, sizeof data);
    fake_answer_packet(n);
}

/* With that rcode, of up to 12 bits, and nothing else. */
static inline void fake_answer_rcode(unsigned n, unsigned rcode)
{
    struct packet *packet = fake_packet(n, DNS_RD | (rcode & DNS_RCODE));
    if (rcode > DNS_RCODE) packet_opt(packet, rcode >> 4 << 24, "", 0);
    fake_answer_packet(n);
}

/* With that rcode and an SOA record. */
static inline void fake_answer_soa(unsigned n, unsigned rcode, uint32_t ttl, uint32_t minimum)
{
    packet_soa(fake_packet(n, DNS_RD | rcode), ttl, minimum);
    fake_answer_packet(n);
}

/* With that rcode of 12 bits, and an Extended DNS Error that explains it. */
static inline void fake_answer_verdict(unsigned n, unsigned rcode, uint8_t code)
{
    const char option[] = {0, 15, 0, 5, 0, (char)code, 'w', 'h', 'y'};
    packet_opt(fake_packet(n, rcode & DNS_RCODE), rcode >> 4 << 24, option, sizeof option);
    fake_answer_packet(n);
}

#endif
