#include "config/settings.h"

#include <stdio.h>
#include <string.h>

#include "clients/datagrams.h"
#include "common/clock.h"
#include "config/hints.h"
#include "config/lists.h"
#include "metrics/query_ring.h"

#define MS     NS_PER_MS
#define SECOND NS_PER_S
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define KIB    (UINT64_C(1) << 10)
#define MIB    (UINT64_C(1) << 20)
#define TIB    (UINT64_C(1) << 40)

#define FIELD(member) offsetof(struct config, member), sizeof(((struct config *)0)->member)
#define LIVE          SETTING_LIVE
#define RESTART       SETTING_RESTART

enum { HTTP_PORT = 5000 };

#define CLOUDFLARE   "#cloudflare-dns.com "
#define PRIVATE_IPV4 "127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 169.254.0.0/16"

/* clang-format off: a table is read by its lines */
static const struct setting of_config[] = {
    {"listen", SETTING_LIST, LIVE, FIELD(acceptor), 1, LISTENERS_MAX, NULL, "127.0.0.1:8853 [::1]:8853",
     "Where clients are answered, over TCP and UDP; a link-local address with its interface, as `[fe80::1%eth0]:53`.",
     &list_of_listen},
    {"workers", SETTING_WORKERS, RESTART, FIELD(workers), 1, WORKERS_MAX, NULL, "auto",
     "Worker threads; as many are active as the load needs. `auto`: the processors this process may run on, at most 8.",
     NULL},
    {"min_workers", SETTING_NUMBER, LIVE, FIELD(min_workers), 1, WORKERS_MAX, NULL, "1",
     "Workers that are active at any load, also a light one; with as many as `workers`, or more, always all.", NULL},
    {"upstreams", SETTING_LIST, LIVE, FIELD(pool), 1, UPSTREAMS_MAX, NULL,
     "1.1.1.1:853" CLOUDFLARE "1.0.0.1:853" CLOUDFLARE "[2606:4700:4700::1111]:853" CLOUDFLARE
     "[2606:4700:4700::1001]:853" CLOUDFLARE,
     "DNS-over-TLS servers, in order of preference.", &list_of_upstreams},
    {"bootstrap", SETTING_LIST, LIVE, FIELD(bootstrap), 0, BOOTSTRAP_MAX, NULL, "",
     "Servers that are asked for the addresses of `upstreams` that have a name alone, in order of preference: `IP` or "
     "`IP:PORT` (plain DNS over TCP, port 53), or with `#NAME` (DNS over TLS, port 853). They are asked for these "
     "names "
     "only, and again when the answer's TTL is over; while none answers, the last addresses are used.",
     &list_of_bootstrap},
    {"routes", SETTING_LIST, LIVE, FIELD(routes), 0, ROUTES_MAX, NULL, "",
     "Zones that servers of their own answer for. A route never falls back to `upstreams`.", &list_of_routes},
    {"drain_timeout", SETTING_DURATION, LIVE, FIELD(drain_timeout_ns), 0, 10 * MINUTE, NULL, "5s",
     "How long a stop waits for the questions in flight.", NULL},
    {"sandbox", SETTING_CHOICE, RESTART, FIELD(sandbox.mode), 0, 2, "on log off", "on",
     "Whether the program keeps itself from files, TCP ports and system calls that it does not need (Landlock, "
     "seccomp), "
     "as far as the kernel knows how. `log`: nothing is kept from it, and each such system call is logged.",
     NULL},
    {"user", SETTING_USER, RESTART, FIELD(sandbox.user), 0, SANDBOX_USER_BYTES - 1, NULL, "",
     "If started as root: the user, by name or number, that the program becomes once its sockets are open, without any "
     "capability. Empty: it stays who it is.",
     NULL},

    {"upstream.query_timeout", SETTING_DURATION, LIVE, FIELD(pool.query_timeout_ns), 100 * MS, MINUTE, NULL, "4.5s",
     "Total for a question, all attempts together. Stubs give up after 5 s.", NULL},
    {"upstream.connect_timeout", SETTING_DURATION, LIVE, FIELD(pool.connect_timeout_ns), 10 * MS, MINUTE, NULL, "2s",
     "For TCP and TLS handshake together.", NULL},
    {"upstream.idle_timeout", SETTING_DURATION, LIVE, FIELD(pool.idle_timeout_ns), 100 * MS, HOUR, NULL, "8s",
     "An idle session is acted on before the upstream closes it; Cloudflare does after about 10 s.", NULL},
    {"upstream.max_age", SETTING_DURATION, LIVE, FIELD(pool.max_age_ns), SECOND, 30 * DAY, "never", "1h",
     "A session is replaced at about this age.", NULL},
    {"upstream.keep_warm", SETTING_BOOLEAN, LIVE, FIELD(pool.keep_warm), 0, 1, NULL, "true",
     "A worker with recent traffic always has a live session.", NULL},
    {"upstream.probe_interval", SETTING_DURATION, LIVE, FIELD(pool.probe_ns), 100 * MS, HOUR, NULL, "4s",
     "Where no client's question proves the path to an upstream, one of our own does, this often.", NULL},
    {"upstream.max_in_flight", SETTING_NUMBER, LIVE, FIELD(pool.max_in_flight), 1, 32768, NULL, "1000",
     "Questions in flight on a session; the last quarter is for clients with few on their way.", NULL},
    {"upstream.max_sessions", SETTING_NUMBER, LIVE, FIELD(pool.max_sessions), 1, 64, NULL, "4",
     "Sessions of a worker to one upstream.", NULL},
    {"upstream.max_handshakes", SETTING_NUMBER, LIVE, FIELD(pool.max_handshakes), 1, 64, NULL, "4",
     "Handshakes of a worker at once, not counting those that got no word for a quarter of a second.", NULL},
    {"upstream.padding", SETTING_NUMBER, LIVE, FIELD(pool.padding), 1, 512, "off", "128",
     "Questions are padded to a multiple of so many bytes (RFC 8467).", NULL},
    {"upstream.hedge", SETTING_NUMBER, LIVE, FIELD(pool.hedge_percent), 0, 100, NULL, "5",
     "Percent of questions that may be asked a second time elsewhere because the first answer is slow.", NULL},

    {"tls.ca_file", SETTING_PATH, LIVE, FIELD(tls.ca_file), 0, TLS_PATH_MAX - 1, NULL, "",
     "Certificates trusted, PEM. Empty: the system's bundle.", NULL},
    {"tls.revalidate_interval", SETTING_DURATION, LIVE, FIELD(pool.revalidate_ns), SECOND, 30 * DAY, NULL, "1h",
     "A full handshake, with the certificate checked anew, at least this often.", NULL},

    {"names.special_use", SETTING_CHOICE, LIVE, FIELD(names.special_use), 0, 1, "local forward", "local",
     "Special-use names (RFC 6761, 6303), as localhost and 10.in-addr.arpa: answered here, or forwarded.", NULL},
    {"names.hosts_file", SETTING_PATH, LIVE, FIELD(names.hosts_file), 0, NAMES_PATH_MAX - 1, NULL, "",
     "A file as hosts(5), answered from; read again when it changes. Empty: none.", NULL},
    {"names.records", SETTING_LIST, LIVE, FIELD(names.records), 0, NAMES_RECORDS_MAX, NULL, "",
     "Records to answer with, their names written whole. These names are answered from them alone, a type they have "
     "not "
     "as NODATA; names below them are resolved as ever, unless a wildcard (`*.apps.example`) holds for them.",
     &list_of_records},

    {"cache.max_size", SETTING_SIZE, LIVE, FIELD(cache.max_bytes), 4 * KIB, TIB, "off", "64MiB", "Memory for answers.",
     NULL},
    {"cache.min_ttl", SETTING_DURATION, LIVE, FIELD(forwarder.cache_min_ns), 0, DAY, NULL, "0s",
     "An answer is kept at least so long, whatever its TTLs say; clients are told no smaller ones.", NULL},
    {"cache.max_ttl", SETTING_DURATION, LIVE, FIELD(forwarder.cache_max_ns), 0, 30 * DAY, NULL, "1d",
     "An answer is kept at most so long; clients are told no larger TTLs.", NULL},
    {"cache.negative_max_ttl", SETTING_DURATION, LIVE, FIELD(forwarder.cache_negative_ns), 0, DAY, NULL, "1h",
     "A negative answer (no such name, no such data) is kept at most so long, nor longer than its SOA record says; "
     "clients are told no larger TTLs.",
     NULL},
    {"cache.serve_stale", SETTING_DURATION, LIVE, FIELD(cache.stale_ns), SECOND, 30 * DAY, "off", "1d",
     "How long behind its end an answer may still be given where no upstream answers (RFC 8767).", NULL},

    {"prefetch.top", SETTING_NUMBER, RESTART, FIELD(topnames.top), 1, 100000, "off", "1000",
     "The names asked most are kept resolved; how many.", NULL},
    {"prefetch.share", SETTING_NUMBER, LIVE, FIELD(forwarder.prefetch_percent), 0, 100, NULL, "10",
     "Percent of upstream queries that refreshes nobody waits for may make.", NULL},
    {"prefetch.half_life", SETTING_DURATION, LIVE, FIELD(topnames.half_life_ns), SECOND, 7 * DAY, NULL, "10m",
     "How fast a name that is no longer asked sinks in the ranking.", NULL},

    {"access.allow", SETTING_LIST, LIVE, FIELD(access), 0, 65536, NULL, PRIVATE_IPV4 " ::1/128 fc00::/7 fe80::/10",
     "Clients that may ask; the connections of others are reset. `[]`: nobody.", &list_of_prefixes},

    {"rate_limit.queries_per_second", SETTING_NUMBER, LIVE, FIELD(ratelimit.queries_per_s), 1, 1000000, "no limit",
     "1000", "Questions a second that a client may go on asking.", NULL},
    {"rate_limit.burst", SETTING_NUMBER, LIVE, FIELD(ratelimit.burst), 0, 1000000, NULL, "2000",
     "Questions that a client may ask at once after a pause.", NULL},
    {"rate_limit.ipv4_prefix", SETTING_NUMBER, LIVE, FIELD(ratelimit.ipv4_prefix), 0, 32, NULL, "32",
     "Clients that share so many first bits of their IPv4 address share a limit.", NULL},
    {"rate_limit.ipv6_prefix", SETTING_NUMBER, LIVE, FIELD(ratelimit.ipv6_prefix), 0, 128, NULL, "64",
     "The same for IPv6.", NULL},
    {"rate_limit.max_clients", SETTING_NUMBER, RESTART, FIELD(ratelimit.max_clients), 1, 1048576, NULL, "65536",
     "Clients kept in mind at once, 64 bytes each; above it the one idle longest is forgotten.", NULL},
    {"rate_limit.action", SETTING_CHOICE, LIVE, FIELD(forwarder.rate_limit_action), 0, 2, "servfail refuse drop",
     "servfail",
     "What a question over the limit gets: SERVFAIL, REFUSED (which programs take for \"no such name\"), or no answer "
     "and the end of its connection.",
     NULL},

    {"clients.max_connections", SETTING_NUMBER, LIVE, FIELD(connections.max_connections), 1, 1000000, NULL, "10000",
     "Connections of all clients together.", NULL},
    {"clients.max_per_address", SETTING_NUMBER, LIVE, FIELD(connections.max_per_address), 1, 1000000, NULL, "256",
     "Connections of one client: an address, or a network as in `rate_limit`.", NULL},
    {"clients.new_per_second", SETTING_NUMBER, LIVE, FIELD(connections.new_per_s), 1, 1000000, "no limit", "0",
     "New connections of one client a second. No limit by default: resolvers behind one address may make a connection "
     "for each question.",
     NULL},
    {"clients.idle_timeout", SETTING_DURATION, LIVE, FIELD(client.idle_timeout_ns), 100 * MS, HOUR, NULL, "30s",
     "A connection with no question in flight is closed after it.", NULL},
    {"clients.read_timeout", SETTING_DURATION, LIVE, FIELD(client.read_timeout_ns), 100 * MS, 5 * MINUTE, NULL, "5s",
     "For the rest of a message once begun, and for a client to take some of what waits for it.", NULL},
    {"clients.first_timeout", SETTING_DURATION, LIVE, FIELD(client.first_timeout_ns), 100 * MS, 5 * MINUTE, NULL, "10s",
     "From connecting to the first byte.", NULL},
    {"clients.max_in_flight", SETTING_NUMBER, LIVE, FIELD(client.max_in_flight), 1, 65535, NULL, "100",
     "Questions of one connection in flight; above it nothing more is read from it.", NULL},
    {"clients.max_query_size", SETTING_SIZE, LIVE, FIELD(client.max_query_bytes), 512, 65535, NULL, "4KiB",
     "A longer message gets FORMERR.", NULL},
    {"clients.max_unsent", SETTING_SIZE, LIVE, FIELD(client.max_unsent_bytes), 128 * KIB, 64 * MIB, NULL, "256KiB",
     "Answers that a client has not taken; above it no more questions are read from its connection.", NULL},
    {"clients.max_buffered", SETTING_SIZE, LIVE, FIELD(client.max_buffered_bytes), MIB, 1024 * MIB, NULL, "16MiB",
     "Memory for unfinished messages, questions that wait and answers not taken, of all clients of one worker, half of "
     "it "
     "for one; above it the connections that hold most are closed.",
     NULL},
    {"clients.max_queries_in_flight", SETTING_NUMBER, LIVE, FIELD(forwarder.max_queries), 1, 1000000, NULL, "8192",
     "Questions of all clients of one worker in flight, the last quarter for clients with few; above it SERVFAIL.",
     NULL},

    {"udp.enabled", SETTING_BOOLEAN, LIVE, FIELD(udp.enabled), 0, 1, NULL, "true",
     "Whether the addresses of `listen` are served over UDP, too.", NULL},
    {"udp.max_size", SETTING_NUMBER, LIVE, FIELD(udp.max_size), 512, DATAGRAM_REPLY_MAX, NULL, "1232",
     "Bytes of a response at most, if the client takes so many; a longer one is cut, and the client asks over TCP.",
     NULL},
    {"udp.max_size_unverified", SETTING_NUMBER, LIVE, FIELD(udp.max_size_unverified), 512, DATAGRAM_REPLY_MAX, NULL,
     "512",
     "The same for a client with an address of the internet and without a cookie; nor is a response to it larger than "
     "its question, since the address may be forged.",
     NULL},
    {"udp.responses_per_second", SETTING_NUMBER, LIVE, FIELD(udp.responses_per_s), 1, 1000000, "no limit", "1000",
     "Responses a second to clients of one prefix (`rate_limit`) without a cookie, and twice as many at once.", NULL},
    {"udp.slip", SETTING_NUMBER, LIVE, FIELD(udp.slip), 1, 100, "never", "2",
     "Over that limit one question in so many gets an empty response that sends the client to TCP, and the others get "
     "none; where the question has a cookie, the response is BADCOOKIE with a valid one, each time.",
     NULL},
    {"udp.cookies", SETTING_BOOLEAN, LIVE, FIELD(udp.cookies), 0, 1, NULL, "true",
     "Whether DNS cookies (RFC 7873) are answered; a client with a valid one is treated as over TCP.", NULL},
    {"udp.cookie_secret_file", SETTING_PATH, LIVE, FIELD(udp.cookie_secret_file), 0, UDP_PATH_MAX - 1, NULL, "",
     "Secrets of cookies that the servers of a fleet share: one or two lines of 32 hexadecimal digits, the first of "
     "which makes cookies. Empty: secrets of this process, a new one each day.",
     NULL},
    {"udp.receive_buffer", SETTING_SIZE, LIVE, FIELD(udp.receive_buffer_bytes), 64 * KIB, 1024 * MIB, NULL, "1MiB",
     "Memory of the kernel for questions that wait, for each socket of a worker, if `net.core.rmem_max` allows so "
     "much: "
     "more bridges a longer pause of the machine, and delays clients for longer when a flood begins.",
     NULL},

    {"state.directory", SETTING_PATH, RESTART, FIELD(state.directory), 0, STATE_PATH_MAX - 1, NULL, "",
     "Where answers, top names and the secret of cookies are kept over a restart, in a file that holds names clients "
     "asked for. Empty: the directory that systemd names in `$STATE_DIRECTORY`; without it nothing is kept.",
     NULL},
    {"state.save_interval", SETTING_DURATION, LIVE, FIELD(state.save_interval_ns), SECOND, 30 * DAY, "at the end only",
     "10m", "How often they are written, besides at the end of the program.", NULL},

    {"shared_cache.address", SETTING_ADDRESS, LIVE, FIELD(store.address), 1, STORE_PORT_USUAL, "off", "",
     "Where the store is, by its IP address: Valkey or Redis, 6.0 or later, not as a cluster. Empty: no cache is "
     "shared.",
     NULL},
    {"shared_cache.timeout", SETTING_DURATION, LIVE, FIELD(store.timeout_ns), MS, SECOND, NULL, "5ms",
     "How long a question waits for the store at most; less where the store is used to answer sooner. Then upstream "
     "is asked, too, and the first answer counts.",
     NULL},
    {"shared_cache.prefix", SETTING_WORD, LIVE, FIELD(store.prefix), 0, STORE_WORD_MAX, NULL,
     "dtp:", "What each key begins with.", NULL},
    {"shared_cache.user", SETTING_WORD, LIVE, FIELD(store.user), 0, STORE_WORD_MAX, NULL, "",
     "A user of the store's access list. Empty: the default one.", NULL},
    {"shared_cache.password_file", SETTING_PATH, LIVE, FIELD(store.password_file), 0, STORE_PATH_MAX - 1, NULL, "",
     "A file with its password, on one line. Empty: the store wants none.", NULL},
    {"shared_cache.tls_name", SETTING_NAME, LIVE, FIELD(store.tls_name), 0, UPSTREAM_NAME_MAX, NULL, "",
     "The name of the store's certificate. Empty: plain TCP, for a network that is trusted.", NULL},
    {"shared_cache.ca_file", SETTING_PATH, LIVE, FIELD(store.ca_file), 0, STORE_PATH_MAX - 1, NULL, "",
     "Certificates trusted for the store, PEM. Empty: those of `tls.ca_file`.", NULL},
    {"shared_cache.secret_file", SETTING_PATH, LIVE, FIELD(store.secret_file), 0, STORE_PATH_MAX - 1, NULL, "",
     "A file with 64 hexadecimal digits, the same for the whole fleet, by which answers in the store are signed and "
     "names are hidden. Must be given with `address`; `none`: whoever writes to the store decides what clients get.",
     NULL},
    {"shared_cache.routes", SETTING_BOOLEAN, LIVE, FIELD(store.routes), 0, 1, NULL, "false",
     "Whether answers of `routes` are shared, too.", NULL},
    {"shared_cache.max_queued", SETTING_SIZE, LIVE, FIELD(store.queue_bytes), 128 * KIB, 64 * MIB, NULL, "1MiB",
     "Memory for what one worker has to say to the store, or waits for a reply to; above it, answers are not written, "
     "and questions go upstream alone.",
     NULL},

    {"http.listen", SETTING_ADDRESS, RESTART, FIELD(endpoint.listen), 0, HTTP_PORT, "off", "127.0.0.1:5000",
     "Where HTTP is answered.", NULL},
    {"http.status_page", SETTING_BOOLEAN, LIVE, FIELD(endpoint.status_page), 0, 1, NULL, "true",
     "Whether the status page is shown.", NULL},
    {"http.show_names", SETTING_BOOLEAN, LIVE, FIELD(endpoint.show_names), 0, 1, NULL, "false",
     "Whether it shows names and clients where `http.listen` is not a loopback address, too.", NULL},

    {"log.level", SETTING_CHOICE, LIVE, FIELD(log.level), 0, 3, "error warning info debug", "info",
     "Events of this level and graver are written.", NULL},
    {"log.format", SETTING_CHOICE, RESTART, FIELD(log.format), 0, 1, "text json", "text",
     "`key=value`, or a JSON object a line.", NULL},
    {"log.queries", SETTING_CHOICE, LIVE, FIELD(forwarder.log_queries), 0, 3, "off failed slow all", "off",
     "Queries written to the log at level info, with names and clients, 100 a second of each worker at most: none; "
     "those that failed (SERVFAIL, refused, limited, malformed, answered with a stale answer); these and slow ones; "
     "all.",
     NULL},
    {"log.slow", SETTING_DURATION, LIVE, FIELD(forwarder.slow_ns), MS, MINUTE, NULL, "100ms",
     "A query that took longer is slow, in the log and in `/queries.json`.", NULL},
    {"log.recent", SETTING_NUMBER, RESTART, FIELD(recent_queries), 1, QUERY_ENTRIES_MAX, "off", "64",
     "Queries of each kind (slow, servfail, refused, limited, stale, malformed) that each worker keeps for the status "
     "page and `/queries.json`; each takes 900 bytes.",
     NULL},

    {"dnstap.socket", SETTING_PATH, RESTART, FIELD(dnstap.socket), 0, DNSTAP_PATH_MAX - 1, NULL, "",
     "A Unix socket at which a program takes copies of the DNS messages of clients and upstreams (dnstap.info). Empty: "
     "none are made.",
     NULL},
    {"dnstap.sample", SETTING_NUMBER, RESTART, FIELD(dnstap.sample), 1, 1000000, NULL, "1",
     "Of so many questions one is copied, with its response.", NULL},
    {"dnstap.clients", SETTING_BOOLEAN, RESTART, FIELD(dnstap.clients), 0, 1, NULL, "true",
     "Whether messages of clients are copied, with their addresses; if not, those of upstreams alone are.", NULL},
};
/* clang-format on */

enum { OF_CONFIG = sizeof of_config / sizeof *of_config };
_Static_assert((size_t)OF_CONFIG <= SETTINGS_MAX, "arrays with an element for each setting are large enough");
_Static_assert(LOG_LEVEL_ERROR == 0 && LOG_LEVEL_DEBUG == 3 && LOG_FORMAT_TEXT == 0,
               "the order of the words of log.level and log.format");

struct settings settings_of_config(void)
{
    return (struct settings){of_config, OF_CONFIG};
}

const struct setting *settings_find(struct settings settings, const char *key)
{
    for (size_t i = 0; i < settings.count; i++)
        if (strcmp(settings.rows[i].key, key) == 0) return &settings.rows[i];
    return NULL;
}

bool setting_name_in(const struct setting *setting, const char *section, char ret_name[static SETTING_NAME_BYTES])
{
    const char *name = setting->key;
    size_t size = strlen(section);
    if (size > 0) {
        if (strncmp(name, section, size) != 0 || name[size] != '.') return false;
        name += size + 1;
    }
    snprintf(ret_name, SETTING_NAME_BYTES, "%.*s", (int)strcspn(name, "."), name);
    return true;
}

const char *settings_why_not(const char *key)
{
    if (strcmp(key, "upstreams.transport") == 0)
        return "these are asked over TLS; plain TCP is for the upstreams of 'routes' alone";
    return NULL;
}

bool settings_nearest(struct settings settings, const char *section, const char *name,
                      char ret_name[static SETTING_NAME_BYTES])
{
    _Static_assert((int)SETTING_NAME_BYTES == (int)HINT_WORD_BYTES, "every name can be a hint");
    struct hint hint = hint_begin(name);
    for (size_t i = 0; i < settings.count; i++) {
        char candidate[SETTING_NAME_BYTES];
        if (setting_name_in(&settings.rows[i], section, candidate)) hint_offer(&hint, candidate);
    }
    if (hint.found[0] == '\0') return false;
    memcpy(ret_name, hint.found, sizeof hint.found);
    return true;
}
