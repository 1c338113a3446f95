/* counter_table: everything the program counts: the labels, the counters and the histograms, as tables. They make the
 * members of `struct counters` (counters.h), the exposition and docs/METRICS.md, and are the only place where one is
 * declared. */
#ifndef METRICS_COUNTER_TABLE_H
#define METRICS_COUNTER_TABLE_H

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
    L(CACHE, "cache") L(UPSTREAM, "upstream") L(STALE, "stale") L(LOCAL, "local") L(SHARED, "shared_cache")
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
#define LABELS_SHARED_RESULT(L) /* of a question to the shared cache */                                                \
    L(HIT, "hit") L(MISS, "miss") L(REJECTED, "rejected") L(FORGED, "forged") L(FAILED, "failed")                      \
    L(OVERTAKEN, "overtaken")
#define LABELS_SHARED_REJECTED(L) /* an entry of it */                                                                 \
    L(FORMAT, "format") L(ANSWER, "answer") L(EXPIRED, "expired") L(FUTURE, "future") L(PURGED, "purged")
#define LABELS_SHARED_SKIPPED(L) /* a question that it was not asked */                                                \
    L(UNAVAILABLE, "unavailable") L(FULL, "full")
#define LABELS_SHARED_DROPPED(L) /* an answer that it did not get */                                                   \
    L(UNAVAILABLE, "unavailable") L(FULL, "full") L(REFUSED, "refused") L(LOST, "lost")
#define LABELS_SHARED_REFRESH(L) /* of a top name */                                                                   \
    L(CLAIMED, "claimed") L(FOUND, "found") L(LEFT, "left")
#define LABELS_SHARED_FAILURE(L) /* of its connection */                                                               \
    L(CONNECT, "connect") L(CONNECT_TIMEOUT, "connect_timeout") L(TLS, "tls") L(CERTIFICATE, "certificate")            \
    L(CREDENTIALS, "credentials") L(REFUSED, "refused") L(SLOW, "time_out") L(CLOSED, "closed") L(RESET, "reset")      \
    L(PROTOCOL, "protocol")
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
    X(shared_asked, COUNTER_SUM, "shared_cache_asked_total", NONE, "", NONE, "",                                       \
      "Questions asked of the shared cache.")                                                                          \
    X(shared_results, COUNTER_SUM, "shared_cache_results_total", SHARED_RESULT, "result", NONE, "",                    \
      "What came of them; `overtaken`: upstream answered first.")                                                      \
    X(shared_late, COUNTER_SUM, "shared_cache_late_total", NONE, "", NONE, "",                                         \
      "Questions for which upstream was asked, too, since the shared cache was late.")                                 \
    X(shared_rejected, COUNTER_SUM, "shared_cache_rejected_entries_total", SHARED_REJECTED, "reason", NONE, "",        \
      "Entries of the shared cache that were not used, by reason; without forged ones.")                               \
    X(shared_skipped, COUNTER_SUM, "shared_cache_skipped_total", SHARED_SKIPPED, "reason", NONE, "",                   \
      "Questions that the shared cache was not asked, by reason.")                                                     \
    X(shared_written, COUNTER_SUM, "shared_cache_written_total", NONE, "", NONE, "",                                   \
      "Answers that the store took.")                                                                                  \
    X(shared_dropped, COUNTER_SUM, "shared_cache_dropped_total", SHARED_DROPPED, "reason", NONE, "",                   \
      "Answers that were to be written and were not, by reason.")                                                      \
    X(shared_refreshes, COUNTER_SUM, "shared_cache_refreshes_total", SHARED_REFRESH, "result", NONE, "",               \
      "Refreshes: by this instance, found in the shared cache, or left to another instance.")                          \
    X(shared_connections, GAUGE_SUM, "shared_cache_connections", NONE, "", NONE, "",                                   \
      "Connections to the store that are in use.")                                                                     \
    X(shared_connects, COUNTER_SUM, "shared_cache_connects_total", NONE, "", NONE, "",                                 \
      "Connections to the store begun.")                                                                               \
    X(shared_failures, COUNTER_SUM, "shared_cache_failures_total", SHARED_FAILURE, "reason", NONE, "",                 \
      "Connections to the store that failed or ended, by reason.")                                                     \
    X(shared_state, GAUGE_MAX, "shared_cache_state", NONE, "", NONE, "",                                               \
      "0 no shared cache, 1 no connection, 2 refused by the store, 3 left alone (too slow), 4 in use.")                \
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
      "From connecting to a session ready for queries.")                                                               \
    X(shared_duration, "shared_cache_duration_seconds", NONE, "", NONE, "",                                            \
      "From asking the store to its reply, at most `shared_cache.timeout` and a little more.")

/* X(member, name behind "dns_tls_proxy_", help) */
#define SIZES(X)                                                                                                       \
    X(query_size, "query_size_bytes",                                                                                  \
      "Size of queries from clients, without the length of a frame.")                                                  \
    X(response_size, "response_size_bytes",                                                                            \
      "Size of responses to clients, without the length of a frame.")

/* clang-format on */

#endif
