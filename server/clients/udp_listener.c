#include "clients/udp_listener.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/bind_hint.h"
#include "common/check.h"
#include "common/service.h"

enum { BUFFER_BYTES_MAX = 1 << 30 }; /* which the kernel doubles */

static void set(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof value);
}

/* Where it may, beyond net.core.rmem_max (CAP_NET_ADMIN). `sharing`: workers that read from the socket. */
static void set_buffer(int fd, uint32_t bytes, unsigned sharing)
{
    uint64_t wanted = (uint64_t)bytes * sharing;
    const int value = wanted < BUFFER_BYTES_MAX ? (int)wanted : BUFFER_BYTES_MAX;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &value, sizeof value) != 0) set(fd, SOL_SOCKET, SO_RCVBUF, value);
}

static bool is_wildcard(const struct address *address)
{
    static const uint8_t none[4];
    return address_is_ipv4(address) ? memcmp(address->ip + 12, none, sizeof none) == 0 : address_is_any(address);
}

/* Replies are not fragmented and do not depend on path MTU discovery, which anybody can forge (RFC 9715, R2): what is
 * larger than the interface takes is refused with EMSGSIZE. */
static void set_options(int fd, const struct address *address)
{
    bool is_ipv4 = address_is_ipv4(address);
    set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
    set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
    set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_INTERFACE);
    if (!is_ipv4) set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_INTERFACE);
    if (is_wildcard(address)) set(fd, is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6, is_ipv4 ? IP_PKTINFO : IPV6_RECVPKTINFO, 1);
}

/* A bound socket, or -1 with errno. */
static int open_one(const struct address *address, uint32_t buffer_bytes)
{
    struct sockaddr_storage storage;
    address_to_socket(address, &storage);
    int fd = socket(storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (storage.ss_family == AF_INET6) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    set_options(fd, address);
    set_buffer(fd, buffer_bytes, 1);
    if (listener_bind(fd, address)) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* ---- sets ---- */

static unsigned count_of(const struct udp_listeners *listeners)
{
    return listeners->of_worker[0].count;
}

/* Counts one more address, whose sockets are `fds`, one for each worker. */
static void add(struct udp_listeners *listeners, const struct address *address, const int fds[static WORKERS_MAX])
{
    unsigned index = count_of(listeners);
    listeners->addresses[index] = *address;
    for (unsigned i = 0; i < listeners->workers; i++) {
        struct udp_sockets *sockets = &listeners->of_worker[i];
        sockets->fds[index] = fds[i];
        sockets->is_wildcard[index] = is_wildcard(address);
        sockets->shared = listeners->inherited;
        sockets->counts_drops = !listeners->inherited || i == 0;
        sockets->count++;
    }
}

/* Takes up to `most` sockets of the address out of `former`; returns how many. */
static unsigned take_former(struct udp_former *former, const struct address *address, uint32_t buffer_bytes,
                            unsigned most, int ret_fds[static WORKERS_MAX])
{
    unsigned taken = 0, kept = 0;
    for (unsigned i = 0; former && i < former->count; i++) {
        if (taken < most && address_equal(&former->sockets[i].address, address))
            ret_fds[taken++] = former->sockets[i].fd;
        else
            former->sockets[kept++] = former->sockets[i];
    }
    if (former) former->count = kept;
    for (unsigned i = 0; i < taken; i++) {
        set_options(ret_fds[i], address);
        set_buffer(ret_fds[i], buffer_bytes, 1);
    }
    return taken;
}

static bool add_opened(struct udp_listeners *listeners, struct udp_former *former, const struct address *address,
                       uint32_t buffer_bytes, char ret_error[static LISTENER_ERROR_BYTES])
{
    int fds[WORKERS_MAX];
    unsigned opened = take_former(former, address, buffer_bytes, listeners->workers, fds);
    while (opened < listeners->workers && (fds[opened] = open_one(address, buffer_bytes)) >= 0) opened++;
    if (opened == listeners->workers) {
        add(listeners, address, fds);
        return true;
    }
    char text[ADDRESS_TEXT_BYTES], hint[BIND_HINT_BYTES];
    int error = errno;
    snprintf(ret_error, LISTENER_ERROR_BYTES, "cannot open UDP on %s: %s%s", address_format(address, text),
             strerror(error), bind_hint(error, address, PORT_UDP, hint));
    while (opened > 0) close(fds[--opened]);
    errno = error;
    return false;
}

/* The sockets that `current` has for the address. False: none. */
static bool add_kept(struct udp_listeners *listeners, const struct udp_listeners *current,
                     const struct address *address, uint32_t buffer_bytes)
{
    for (unsigned i = 0; i < count_of(current); i++) {
        if (!address_equal(&current->addresses[i], address)) continue;
        int fds[WORKERS_MAX];
        for (unsigned j = 0; j < current->workers; j++) {
            fds[j] = current->of_worker[j].fds[i];
            set_buffer(fds[j], buffer_bytes, 1);
        }
        add(listeners, address, fds);
        return true;
    }
    return false;
}

/* No IPv6 here: not a reason to leave the other addresses unanswered. */
static bool is_dispensable(const struct address *address, unsigned count)
{
    return !address_is_ipv4(address) && count > 1 && (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT);
}

/* Takes over one datagram socket of systemd's, for all workers; leaves any other alone. */
static void add_inherited(struct udp_listeners *listeners, int fd, uint32_t buffer_bytes)
{
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    if (count_of(listeners) == LISTENERS_MAX || !service_is_datagram(fd)) return;
    if (getsockname(fd, (struct sockaddr *)&storage, &size) != 0) return;
    struct address address = address_from_socket(&storage);
    int fds[WORKERS_MAX];
    for (unsigned i = 0; i < listeners->workers; i++) fds[i] = fd;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    set_options(fd, &address);
    set_buffer(fd, buffer_bytes, listeners->workers);
    add(listeners, &address, fds);
}

/* Every address: with its sockets of `current` or `former`, or with new ones. */
static bool open_all(struct udp_listeners *ret_listeners, const struct udp_listeners *current,
                     struct udp_former *former, const struct address *addresses, unsigned count, uint32_t buffer_bytes,
                     const struct log *log, char ret_error[static LISTENER_ERROR_BYTES])
{
    struct udp_listeners next = {.workers = current->workers};
    for (unsigned i = 0; i < count; i++) {
        if (add_kept(&next, current, &addresses[i], buffer_bytes)) continue;
        if (add_opened(&next, former, &addresses[i], buffer_bytes, ret_error)) continue;
        if (is_dispensable(&addresses[i], count)) {
            log_warning(log, "address left out", log_text("why", ret_error));
            continue;
        }
        udp_listeners_close_but(&next, current);
        return false;
    }
    *ret_listeners = next;
    return true;
}

bool udp_listeners_open(struct udp_listeners *ret_listeners, struct udp_former *former, const struct address *addresses,
                        unsigned count, unsigned workers, uint32_t buffer_bytes, const struct log *log,
                        char ret_error[static LISTENER_ERROR_BYTES])
{
    struct udp_listeners none = {.workers = workers};
    int fds[SERVICE_SOCKETS_MAX];
    unsigned passed = service_sockets(fds);
    if (passed == 0) return open_all(ret_listeners, &none, former, addresses, count, buffer_bytes, log, ret_error);
    *ret_listeners = (struct udp_listeners){.workers = workers, .inherited = true};
    for (unsigned i = 0; count > 0 && i < passed; i++) add_inherited(ret_listeners, fds[i], buffer_bytes);
    return true;
}

bool udp_listeners_reopen(const struct udp_listeners *current, struct udp_listeners *ret_listeners,
                          const struct address *addresses, unsigned count, uint32_t buffer_bytes, const struct log *log,
                          char ret_error[static LISTENER_ERROR_BYTES])
{
    if (!current->inherited)
        return open_all(ret_listeners, current, NULL, addresses, count, buffer_bytes, log, ret_error);
    *ret_listeners = *current;
    return true;
}

/* ---- active workers ---- */

void udp_listener_steer(int fd, unsigned active, unsigned workers)
{
    CHECK(active >= 1 && active <= workers);
    if (active == workers) {
        set(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0);
        return;
    }
    /* The socket's number is the id modulo `active`; 0 of what is shorter. Offset 0 is the payload's first byte. */
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, active),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    const struct sock_fprog program = {sizeof steps / sizeof *steps, steps};
    setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program);
}

/* ---- sockets that were handed over ---- */

bool udp_former_add(struct udp_former *former, int fd, const struct address *address)
{
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    if (former->count == UDP_FORMER_MAX || !service_is_datagram(fd)) return false;
    if (getsockname(fd, (struct sockaddr *)&storage, &size) != 0) return false;
    const struct address own = address_from_socket(&storage);
    if (!address_equal(&own, address)) return false;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    former->sockets[former->count].fd = fd;
    former->sockets[former->count++].address = *address;
    return true;
}

void udp_former_spread(const struct udp_former *former, unsigned worker, unsigned workers,
                       struct udp_sockets *ret_sockets)
{
    *ret_sockets = (struct udp_sockets){.counts_drops = true};
    for (unsigned i = worker; i < former->count; i += workers) {
        if (ret_sockets->count == LISTENERS_MAX) { /* fewer workers than before, and other addresses as well */
            close(former->sockets[i].fd);
            continue;
        }
        ret_sockets->is_wildcard[ret_sockets->count] = is_wildcard(&former->sockets[i].address);
        ret_sockets->fds[ret_sockets->count++] = former->sockets[i].fd;
    }
}

/* ---- closing ---- */

bool udp_sockets_have(const struct udp_sockets *sockets, int fd)
{
    for (unsigned i = 0; i < sockets->count; i++)
        if (sockets->fds[i] == fd) return true;
    return false;
}

void udp_sockets_close_but(const struct udp_sockets *sockets, const struct udp_sockets *kept)
{
    for (unsigned i = 0; i < sockets->count; i++)
        if (!sockets->shared && !udp_sockets_have(kept, sockets->fds[i])) close(sockets->fds[i]);
}

void udp_listeners_close_but(struct udp_listeners *listeners, const struct udp_listeners *kept)
{
    for (unsigned i = 0; i < listeners->workers; i++)
        udp_sockets_close_but(&listeners->of_worker[i], &kept->of_worker[i]);
}
