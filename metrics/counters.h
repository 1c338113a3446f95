/* counters: everything the program counts, in one table, and the block of counters each thread owns.
 *
 * A block has one writer, its thread; readers add the blocks up when a scrape asks. So a count is one relaxed load and
 * store, no locked instruction. The tables below are the only place where a counter is declared: they make the members
 * of `struct counters`, the exposition and docs/METRICS.md. What is not counted but looked up when asked (cache size,
 * busiest clients, memory) has its table in metrics/figures.h.
 *
 * To add a metric: a line in the table, and count_event(counters, it) or count_event_by(counters, it, label) where it
 * happens. A unit test that demands the documentation be current says how to regenerate it; another one fails if a
 * declared label is counted nowhere. */
#ifndef METRICS_COUNTERS_H
#define METRICS_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "metrics/counter.h"
#include "metrics/histogram.h"

/* Upstreams of the configuration, and of one route, at most. */
enum { UPSTREAMS_MAX = 16 };

/* The bound of every series with an upstream label. The first UPSTREAMS_MAX are those of the default route; then come
 * those of the other routes, as many as there is room for; the last one stands for all the rest together. */
enum { UPSTREAM_SERIES = 64, UPSTREAM_SERIES_REST = UPSTREAM_SERIES - 1 };

/* The tables are laid out by hand: a metric's name and labels on a line, its help on the next. */
/* clang-format off */

/* Label sets: LABELS_x(L) lists the values of label x as L(IDENTIFIER, "text"). */
#define LABELS_QTYPE(L)                                                                                                \
    L(A, "A") L(AAAA, "AAAA") L(CNAME, "CNAME") L(MX, "MX") L(NS, "NS") L(PTR, "PTR") L(SOA, "SOA") L(SRV, "SRV")      \
    L(TXT, "TXT") L(HTTPS, "HTTPS") L(SVCB, "SVCB") L(DS, "DS") L(DNSKEY, "DNSKEY") L(NAPTR, "NAPTR") L(CAA, "CAA")    \
    L(TLSA, "TLSA") L(ANY, "ANY") L(OTHER, "other")
#define LABELS_RCODE(L)                                                                                                \
    L(NOERROR, "NOERROR") L(FORMERR, "FORMERR") L(SERVFAIL, "SERVFAIL") L(NXDOMAIN, "NXDOMAIN") L(NOTIMP, "NOTIMP")    \
    L(REFUSED, "REFUSED") L(BADVERS, "BADVERS") L(BADCOOKIE, "BADCOOKIE") L(OTHER, "other")
#define LABELS_EDE(L) /* info codes of RFC 8914 and the registry of IANA */                                            \
    L(0, "0") L(1, "1") L(2, "2") L(3, "3") L(4, "4") L(5, "5") L(6, "6") L(7, "7") L(8, "8") L(9, "9")                \
    L(10, "10") L(11, "11") L(12, "12") L(13, "13") L(14, "14") L(15, "15") L(16, "16") L(17, "17") L(18, "18")        \
    L(19, "19") L(20, "20") L(21, "21") L(22, "22") L(23, "23") L(24, "24") L(25, "25") L(26, "26") L(27, "27")        \
    L(28, "28") L(29, "29") L(30, "30") L(31, "31") L(32, "32") L(33, "33") L(34, "34") L(35, "35")                    \
    L(OTHER, "other")
#define LABELS_REJECTED(L) /* a connection, at once */                                                                 \
    L(ACCESS, "access") L(FULL, "max_connections") L(ADDRESS, "max_per_address") L(RATE, "rate")                       \
    L(DESCRIPTORS, "descriptors")
#define LABELS_CLOSED(L) /* a connection, later, by us or by the client */                                             \
    L(CLIENT, "client") L(IDLE, "idle_timeout") L(READ, "read_timeout") L(SLOW, "slow_reader")                         \
    L(PROTOCOL, "protocol") L(PRESSURE, "pressure") L(ERROR, "error") L(DRAIN, "drain") L(ACCESS, "access")
#define LABELS_INVALID(L)                                                                                              \
    L(NOT_QUERY, "not_a_query") L(FORMERR, "malformed") L(TOO_LONG, "too_long") L(OPCODE, "opcode")                    \
    L(EDNS_VERSION, "edns_version") L(TRANSFER, "transfer") L(CLASS, "class") L(ANY, "any")                    \
    L(TSIG, "tsig")
#define LABELS_SOURCE(L)                                                                                               \
    L(CACHE, "cache") L(UPSTREAM, "upstream") L(STALE, "stale") L(LOCAL, "local")
#define LABELS_DROPPED(L) /* a query that gets no reply */                                                             \
    L(RATE, "rate_limit") L(NOT_QUERY, "not_a_query") L(CLIENT_GONE, "client_gone")
#define LABELS_TRANSPORT(L)                                                                                            \
    L(TCP, "tcp") L(UDP, "udp")
#define LABELS_COOKIE(L) /* of a query, by what was in its COOKIE option */                                            \
    L(VALID, "valid") L(CLIENT, "client_only") L(INVALID, "invalid") L(MALFORMED, "malformed")
#define LABELS_UDP_DROPPED(L) /* a datagram, unread; of the last reason: a response */                                 \
    L(ACCESS, "access") L(NOT_QUERY, "not_a_query") L(PORT, "source_port") L(OLD, "too_old") L(OVERLOAD, "overload")   \
    L(UNSENT, "not_sent")
#define LABELS_UDP_SOURCE(L) /* verified: by a cookie; else by the range of its address */                             \
    L(VERIFIED, "verified") L(PRIVATE, "private") L(FOREIGN, "foreign")
#define LABELS_PREFETCH(L)                                                                                             \
    L(REFRESHED, "refreshed") L(FAILED, "failed") L(OVER_SHARE, "over_share")
#define LABELS_FAILURE(L) /* of an upstream, by what was seen of it */                                                 \
    L(REFUSED, "connect_refused") L(CONNECT_TIMEOUT, "connect_timeout") L(CONNECT, "connect_error") L(TLS, "tls")      \
    L(TLS_TIMEOUT, "tls_timeout") L(CERTIFICATE, "certificate") L(CLOSED, "closed") L(RESET, "reset")                  \
    L(HUNG, "hung") L(FRAME, "bad_frame") L(UNSOLICITED, "unsolicited") L(MISMATCH, "mismatch")                        \
    L(MALFORMED, "malformed")
#define LABELS_RETRY(L)                                                                                                \
    L(CLOSED, "closed") L(HUNG, "hung") L(HEDGE, "hedge") L(RCODE, "rcode") L(MALFORMED, "malformed")
#define LABELS_SESSION_END(L) /* with nothing wrong */                                                                 \
    L(IDLE, "idle") L(AGE, "max_age") L(REPLACED, "replaced") L(REVALIDATED, "revalidated") L(RELOAD, "reload")        \
    L(PEER, "peer_idle")
#define LABELS_STATE_SAVE(L)                                                                                           \
    L(GOOD, "good") L(FAILED, "failed")
#define LABELS_STATE_REJECTED(L) /* a record of a snapshot */                                                          \
    L(DAMAGED, "damaged") L(INVALID, "invalid") L(EXPIRED, "expired") L(ROUTE, "route") L(FULL, "no_room")             \
    L(PURGED, "purged")
#define LABELS_RESUMED(L)                                                                                              \
    L(NO, "false") L(YES, "true")

/* X(member, kind, name behind "dns_tls_proxy_", first label: set and name, second label: set and name, help)
 * A first label of set UPSTREAM takes its values from the configuration. */
#define COUNTERS(X)                                                                                                    \
    X(client_connections, GAUGE_SUM, "client_connections", NONE, "", NONE, "",                                         \
      "Client connections open now.")                                                                                  \
    X(client_accepted, COUNTER_SUM, "client_connections_total", NONE, "", NONE, "",                                    \
      "Client connections accepted.")                                                                                  \
    X(client_rejected, COUNTER_SUM, "client_connections_rejected_total", REJECTED, "reason", NONE, "",                 \
      "Client connections closed as soon as they were accepted, by reason.")                                           \
    X(client_closed, COUNTER_SUM, "client_connections_closed_total", CLOSED, "cause", NONE, "",                        \
      "Client connections ended, by cause.")                                                                           \
    X(client_moved, COUNTER_SUM, "client_connections_moved_total", NONE, "", NONE, "",                                 \
      "Client connections that went on with another worker, as more or fewer workers became active.")                  \
    X(queries, COUNTER_SUM, "queries_total", QTYPE, "qtype", TRANSPORT, "transport",                                   \
      "Queries received from clients, by type.")                                                                       \
    X(invalid, COUNTER_SUM, "invalid_queries_total", INVALID, "reason", NONE, "",                                      \
      "Queries refused for their form, by reason.")                                                                    \
    X(responses, COUNTER_SUM, "responses_total", RCODE, "rcode", TRANSPORT, "transport",                               \
      "Responses given to clients, by response code.")                                                                 \
    X(errors, COUNTER_SUM, "extended_errors_total", EDE, "code", NONE, "",                                             \
      "Extended DNS Errors of failed and stale replies, by info code (RFC 8914).")                                     \
    X(dropped, COUNTER_SUM, "dropped_queries_total", DROPPED, "reason", NONE, "",                                      \
      "Queries that got no response, by reason.")                                                                      \
    X(truncated, COUNTER_SUM, "truncated_responses_total", NONE, "", NONE, "",                                         \
      "Responses over UDP with TC, after which a client asks over TCP.")                                               \
    X(cookies, COUNTER_SUM, "cookies_total", COOKIE, "result", NONE, "",                                               \
      "Queries with a COOKIE option, by what it was.")                                                                 \
    X(udp_received, COUNTER_SUM, "udp_received_bytes_total", UDP_SOURCE, "source", NONE, "",                           \
      "Bytes of queries over UDP that were not dropped unread, by kind of source.")                                    \
    X(udp_sent, COUNTER_SUM, "udp_sent_bytes_total", UDP_SOURCE, "source", NONE, "",                                   \
      "Bytes of responses over UDP, by kind of source.")                                                               \
    X(udp_dropped, COUNTER_SUM, "udp_dropped_datagrams_total", UDP_DROPPED, "reason", NONE, "",                        \
      "Datagrams dropped before they count as a query, and responses that the kernel did not take, by reason.")        \
    X(udp_kernel_drops, COUNTER_SUM, "udp_kernel_drops_total", NONE, "", NONE, "",                                     \
      "Datagrams that the kernel dropped because a socket's buffer was full.")                                         \
    X(rate_limited, COUNTER_SUM, "rate_limited_total", NONE, "", NONE, "",                                             \
      "Queries over their client's rate.")                                                                             \
    X(access_denied, COUNTER_SUM, "access_denied_total", NONE, "", NONE, "",                                           \
      "Connections and datagrams of addresses that may not ask.")                                                      \
    X(overloaded, COUNTER_SUM, "overloaded_total", NONE, "", NONE, "",                                                 \
      "Queries answered SERVFAIL because a bound was reached.")                                                        \
    X(queries_not_logged, COUNTER_SUM, "queries_not_logged_total", NONE, "", NONE, "",                                 \
      "Queries that log.queries wanted in the log and that were too many for it.")                                     \
    X(merged, COUNTER_SUM, "merged_queries_total", NONE, "", NONE, "",                                                 \
      "Queries that waited for an identical one in flight.")                                                           \
    X(in_flight, GAUGE_SUM, "queries_in_flight", NONE, "", NONE, "",                                                   \
      "Questions being asked upstream now.")                                                                           \
    X(cache_hits, COUNTER_SUM, "cache_hits_total", NONE, "", NONE, "",                                                 \
      "Queries answered from the cache, fresh.")                                                                       \
    X(cache_misses, COUNTER_SUM, "cache_misses_total", NONE, "", NONE, "",                                             \
      "Cacheable queries with no fresh answer in the cache.")                                                          \
    X(cache_stale, COUNTER_SUM, "cache_stale_answers_total", NONE, "", NONE, "",                                       \
      "Queries answered from the cache after the TTL.")                                                                \
    X(prefetch, COUNTER_SUM, "prefetch_total", PREFETCH, "result", NONE, "",                                           \
      "Refreshes of top names, by result.")                                                                            \
    X(state_saves, COUNTER_SUM, "state_saves_total", STATE_SAVE, "result", NONE, "",                                   \
      "Snapshots of the state over a restart, by whether they were written.")                                          \
    X(state_saved, COUNTER_SUM, "state_saved_entries_total", NONE, "", NONE, "",                                       \
      "Answers and top names written into snapshots.")                                                                 \
    X(state_loaded, COUNTER_SUM, "state_loaded_entries_total", NONE, "", NONE, "",                                     \
      "Answers and top names taken from the snapshot of an earlier run.")                                              \
    X(state_rejected, COUNTER_SUM, "state_rejected_entries_total", STATE_REJECTED, "reason", NONE, "",                 \
      "Records of such a snapshot that were not taken, by reason.")                                                    \
    X(upstream_queries, COUNTER_SUM, "upstream_queries_total", UPSTREAM, "upstream", NONE, "",                         \
      "Queries sent upstream.")                                                                                        \
    X(upstream_responses, COUNTER_SUM, "upstream_responses_total", UPSTREAM, "upstream", RCODE, "rcode",               \
      "Responses from upstream, by response code.")                                                                    \
    X(upstream_failures, COUNTER_SUM, "upstream_failures_total", UPSTREAM, "upstream", FAILURE, "reason",              \
      "Failures of an upstream, by reason.")                                                                           \
    X(upstream_retries, COUNTER_SUM, "upstream_retries_total", UPSTREAM, "upstream", RETRY, "reason",                  \
      "Questions asked again, by the upstream they were first asked of and the reason.")                               \
    X(upstream_in_flight, GAUGE_SUM, "upstream_in_flight", UPSTREAM, "upstream", NONE, "",                             \
      "Queries waiting for a response.")                                                                               \
    X(upstream_sessions, GAUGE_SUM, "upstream_sessions", UPSTREAM, "upstream", NONE, "",                               \
      "TLS sessions ready for queries.")                                                                               \
    X(upstream_ended, COUNTER_SUM, "upstream_sessions_ended_total", UPSTREAM, "upstream", SESSION_END, "cause",        \
      "Sessions ended with nothing wrong, by cause.")                                                                  \
    X(upstream_handshakes, COUNTER_SUM, "upstream_handshakes_total", UPSTREAM, "upstream", RESUMED, "resumed",         \
      "TLS handshakes completed, full or resumed.")                                                                    \
    X(upstream_connects, COUNTER_SUM, "upstream_connects_total", UPSTREAM, "upstream", NONE, "",                       \
      "Connections begun.")                                                                                            \
    X(upstream_late, COUNTER_SUM, "upstream_late_responses_total", UPSTREAM, "upstream", NONE, "",                     \
      "Responses to questions that had been answered or given up.")                                                    \
    X(upstream_up, GAUGE_MAX, "upstream_up", UPSTREAM, "upstream", NONE, "",                                           \
      "1 where the upstream answered a worker lately; 0 where it fails or is not needed.")                             \
    X(upstream_state, GAUGE_MAX, "upstream_state", UPSTREAM, "upstream", NONE, "",                                     \
      "0 standby (not needed, or not tried lately), 1 down, 2 certificate refused, 3 silent, 4 up.")                   \
    X(upstream_expiry, TIME_SEEN, "upstream_certificate_expiry_timestamp_seconds", UPSTREAM, "upstream", NONE, "",     \
      "When the certificate validated last ends. Absent until one was.")                                               \
    X(upstream_validated, TIME_SEEN, "upstream_certificate_validated_timestamp_seconds", UPSTREAM, "upstream", NONE,   \
      "", "When the certificate was last validated in a full handshake. Absent until one was.")

/* X(member, name behind "dns_tls_proxy_", first label: set and name, second label: set and name, help) */
#define HISTOGRAMS(X)                                                                                                  \
    X(request_duration, "request_duration_seconds", SOURCE, "source", TRANSPORT, "transport",                          \
      "From reading a query to writing its response.")                                                                 \
    X(upstream_duration, "upstream_duration_seconds", UPSTREAM, "upstream", NONE, "",                                  \
      "From sending a query upstream to its response.")                                                                \
    X(handshake_duration, "upstream_handshake_duration_seconds", NONE, "", NONE, "",                                   \
      "From connecting to a session ready for queries.")

/* X(member, name behind "dns_tls_proxy_", help) */
#define SIZES(X)                                                                                                       \
    X(query_size, "query_size_bytes",                                                                                  \
      "Size of queries from clients, without the length of a frame.")                                                  \
    X(response_size, "response_size_bytes",                                                                            \
      "Size of responses to clients, without the length of a frame.")

/* clang-format on */

/* enum label_qtype { LABEL_QTYPE_A, ... }, LABEL_QTYPE_COUNT, and so on for each set. */
#define LABELS_ONE(id, text) +1
#define LABELS_ENUM(set, tag)                                                                                          \
    enum label_##tag{LABELS_##set(LABELS_ENUM_##set)};                                                                 \
    enum { LABEL_##set##_COUNT = LABELS_##set(LABELS_ONE) };
#define LABELS_ENUM_QTYPE(id, text)          LABEL_QTYPE_##id,
#define LABELS_ENUM_RCODE(id, text)          LABEL_RCODE_##id,
#define LABELS_ENUM_EDE(id, text)            LABEL_EDE_##id,
#define LABELS_ENUM_REJECTED(id, text)       LABEL_REJECTED_##id,
#define LABELS_ENUM_CLOSED(id, text)         LABEL_CLOSED_##id,
#define LABELS_ENUM_INVALID(id, text)        LABEL_INVALID_##id,
#define LABELS_ENUM_SOURCE(id, text)         LABEL_SOURCE_##id,
#define LABELS_ENUM_DROPPED(id, text)        LABEL_DROPPED_##id,
#define LABELS_ENUM_PREFETCH(id, text)       LABEL_PREFETCH_##id,
#define LABELS_ENUM_FAILURE(id, text)        LABEL_FAILURE_##id,
#define LABELS_ENUM_RETRY(id, text)          LABEL_RETRY_##id,
#define LABELS_ENUM_SESSION_END(id, text)    LABEL_SESSION_END_##id,
#define LABELS_ENUM_RESUMED(id, text)        LABEL_RESUMED_##id,
#define LABELS_ENUM_TRANSPORT(id, text)      LABEL_TRANSPORT_##id,
#define LABELS_ENUM_COOKIE(id, text)         LABEL_COOKIE_##id,
#define LABELS_ENUM_UDP_SOURCE(id, text)     LABEL_UDP_SOURCE_##id,
#define LABELS_ENUM_UDP_DROPPED(id, text)    LABEL_UDP_DROPPED_##id,
#define LABELS_ENUM_STATE_SAVE(id, text)     LABEL_STATE_SAVE_##id,
#define LABELS_ENUM_STATE_REJECTED(id, text) LABEL_STATE_REJECTED_##id,

LABELS_ENUM(QTYPE, qtype)
LABELS_ENUM(RCODE, rcode)
LABELS_ENUM(EDE, ede)
LABELS_ENUM(REJECTED, rejected)
LABELS_ENUM(CLOSED, closed)
LABELS_ENUM(INVALID, invalid)
LABELS_ENUM(SOURCE, source)
LABELS_ENUM(DROPPED, dropped)
LABELS_ENUM(PREFETCH, prefetch)
LABELS_ENUM(FAILURE, failure)
LABELS_ENUM(RETRY, retry)
LABELS_ENUM(SESSION_END, session_end)
LABELS_ENUM(RESUMED, resumed)
LABELS_ENUM(TRANSPORT, transport)
LABELS_ENUM(COOKIE, cookie)
LABELS_ENUM(UDP_SOURCE, udp_source)
LABELS_ENUM(UDP_DROPPED, udp_dropped)
LABELS_ENUM(STATE_SAVE, state_save)
LABELS_ENUM(STATE_REJECTED, state_rejected)

enum { LABEL_NONE_COUNT = 1, LABEL_UPSTREAM_COUNT = UPSTREAM_SERIES };

/* How the blocks of the threads become one figure. */
enum counter_kind {
    COUNTER_SUM, /* counts up */
    GAUGE_SUM,   /* each thread's share of a whole */
    GAUGE_MAX,   /* true in any thread */
    TIME_SEEN /* of a certificate, seconds since 1970, from the thread that validated last; 0 = not known, not shown */
};

/* Sessions to upstreams that a block shows; more are not shown. */
enum { SESSIONS_SHOWN_MAX = 64 };

/* A session to an upstream as its thread last showed it. `number` 0: the row is free. */
struct session_row {
    _Atomic uint64_t worker; /* of the thread, from 0 */
    _Atomic uint64_t number; /* among the sessions of its pool */
    _Atomic uint64_t upstream;
    _Atomic uint64_t is_open; /* it takes questions */
    _Atomic uint64_t in_flight;
    _Atomic uint64_t sent;    /* questions in all, */
    _Atomic uint64_t answers; /* and valid answers to them */
    _Atomic uint64_t window;  /* questions in flight that it takes */
    _Atomic uint64_t age_ms;
};

struct counters {
#define X(member, kind, name, set1, label1, set2, label2, help)                                                        \
    _Atomic uint64_t member[LABEL_##set1##_COUNT][LABEL_##set2##_COUNT];
    COUNTERS(X)
#undef X
#define X(member, name, set1, label1, set2, label2, help)                                                              \
    struct histogram member[LABEL_##set1##_COUNT][LABEL_##set2##_COUNT];
    HISTOGRAMS(X)
#undef X
#define X(member, name, help) struct size_histogram member;
    SIZES(X)
#undef X
    /* When the DoT path last proved itself: an authenticated session of this thread gave a valid response. */
    _Atomic uint64_t upstream_answered_ns;
    /* When each upstream last answered this thread; 0: not yet. */
    _Atomic uint64_t upstream_last_ns[UPSTREAM_SERIES];
    /* Why the last attempt to reach an upstream failed: a constant text; NULL where it did not fail, or none was made.
     */
    _Atomic(const char *) upstream_error[UPSTREAM_SERIES];
    struct session_row sessions[SESSIONS_SHOWN_MAX];
};

/* Parameters and indexes of the functions below: a series is found by an upstream's index, a label, both or neither. */
#define KEY_NONE
#define KEY_UPSTREAM         , unsigned upstream
#define KEY_QTYPE            , enum label_qtype label
#define KEY_RCODE            , enum label_rcode label
#define KEY_EDE              , enum label_ede label
#define KEY_REJECTED         , enum label_rejected label
#define KEY_CLOSED           , enum label_closed label
#define KEY_INVALID          , enum label_invalid label
#define KEY_SOURCE           , enum label_source label
#define KEY_DROPPED          , enum label_dropped label
#define KEY_PREFETCH         , enum label_prefetch label
#define KEY_FAILURE          , enum label_failure label
#define KEY_RETRY            , enum label_retry label
#define KEY_SESSION_END      , enum label_session_end label
#define KEY_RESUMED          , enum label_resumed label
#define KEY_TRANSPORT        , enum label_transport transport
#define KEY_COOKIE           , enum label_cookie label
#define KEY_UDP_SOURCE       , enum label_udp_source label
#define KEY_UDP_DROPPED      , enum label_udp_dropped label
#define KEY_STATE_SAVE       , enum label_state_save label
#define KEY_STATE_REJECTED   , enum label_state_rejected label
#define INDEX_NONE           0
#define INDEX_UPSTREAM       upstream
#define INDEX_QTYPE          label
#define INDEX_RCODE          label
#define INDEX_EDE            label
#define INDEX_REJECTED       label
#define INDEX_CLOSED         label
#define INDEX_INVALID        label
#define INDEX_SOURCE         label
#define INDEX_DROPPED        label
#define INDEX_PREFETCH       label
#define INDEX_FAILURE        label
#define INDEX_RETRY          label
#define INDEX_SESSION_END    label
#define INDEX_RESUMED        label
#define INDEX_TRANSPORT      transport
#define INDEX_COOKIE         label
#define INDEX_UDP_SOURCE     label
#define INDEX_UDP_DROPPED    label
#define INDEX_STATE_SAVE     label
#define INDEX_STATE_REJECTED label

/* cell_cache_hits(counters), cell_queries(counters, LABEL_QTYPE_A), cell_upstream_failures(counters, upstream,
 * LABEL_FAILURE_TLS), and so on: one series, for the writer; and value_...(): what it shows, in any thread. The
 * compiler demands the keys the table declares, and a label of the right set. */
#define X(member, kind, name, set1, label1, set2, label2, help)                                                        \
    static inline _Atomic uint64_t *cell_##member(struct counters *counters KEY_##set1 KEY_##set2)                     \
    {                                                                                                                  \
        return &counters->member[INDEX_##set1][INDEX_##set2];                                                          \
    }                                                                                                                  \
    static inline uint64_t value_##member(const struct counters *counters KEY_##set1 KEY_##set2)                       \
    {                                                                                                                  \
        return counter_read(&counters->member[INDEX_##set1][INDEX_##set2]);                                            \
    }
COUNTERS(X)
#undef X

/* cell_request_duration(counters, source, transport), and so on: one histogram, for histogram_observe. */
#define X(member, name, set1, label1, set2, label2, help)                                                              \
    static inline struct histogram *cell_##member(struct counters *counters KEY_##set1 KEY_##set2)                     \
    {                                                                                                                  \
        return &counters->member[INDEX_##set1][INDEX_##set2];                                                          \
    }
HISTOGRAMS(X)
#undef X

/* Counts one event: count_event(counters, cache_hits). `key`: a label, or an upstream's index. The writer's thread
 * only. */
#define count_event(counters, member)                           counter_add(cell_##member(counters), 1)
#define count_event_by(counters, member, key)                   counter_add(cell_##member(counters, key), 1)
#define count_upstream_event(counters, member, upstream, label) counter_add(cell_##member(counters, upstream, label), 1)

/* Sets a gauge. The writer's thread only. */
#define set_gauge(counters, member, value)         gauge_set(cell_##member(counters), value)
#define set_gauge_by(counters, member, key, value) gauge_set(cell_##member(counters, key), value)

/* `text`: constant, or NULL. The writer's thread only. */
static inline void set_upstream_error(struct counters *counters, unsigned upstream, const char *text)
{
    atomic_store_explicit(&counters->upstream_error[upstream], text, memory_order_relaxed);
}

/* Any thread. */
static inline const char *upstream_error(const struct counters *counters, unsigned upstream)
{
    return atomic_load_explicit(&counters->upstream_error[upstream], memory_order_relaxed);
}

/* The label of a DNS type, a response code, or the info code of an Extended DNS Error. */
enum label_qtype counters_qtype_label(uint16_t qtype);
enum label_rcode counters_rcode_label(uint16_t rcode);
enum label_ede counters_ede_label(uint16_t code);

/* A block, zeroed, on cache lines of its own; NULL if memory is short. */
struct counters *counters_new(void);
void counters_free(struct counters *counters);

/* Zero for `count` series with an upstream label, from `first`: the upstreams are others now. The
 * writer's thread only. */
void counters_forget_upstreams(struct counters *counters, unsigned first, unsigned count);

/* Reads `count` blocks, each as it is at that moment, into one that stands for the whole program. `ret_total` is the
 * caller's own. */
void counters_merge(struct counters *const *blocks, unsigned count, struct counters *ret_total);

#endif
