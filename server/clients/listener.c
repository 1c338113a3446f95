#include "clients/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/bind_hint.h"
#include "common/service.h"

enum {
    BACKLOG = 4096,          /* connections the kernel holds for us; it cuts this to net.core.somaxconn */
    SEND_BYTES = 128 * 1024, /* by default the kernel holds megabytes for a client that does not read */
    DEFER_SECONDS = 1,       /* a connection is accepted when its first query is there, or after that time */
};

/* Options every accepted socket inherits, and the one that lets a query come with its connection. */
static void set_options(int fd)
{
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){SEND_BYTES}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &(int){DEFER_SECONDS}, sizeof(int));
}

static void set_shared(int fd, bool shared)
{
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){shared}, sizeof(int));
}

/* Whether the machine has the IPv6 address, but does not know yet that no other machine has it. */
static bool is_tentative(const struct address *address)
{
    enum { TENTATIVE = 0x40 }; /* IFA_F_TENTATIVE of linux/if_addr.h */
    char line[128], ip[33], wanted[33];
    unsigned flags;
    bool found = false;
    for (unsigned i = 0; i < sizeof address->ip; i++) snprintf(wanted + 2 * i, 3, "%02x", address->ip[i]);
    FILE *file = fopen("/proc/self/net/if_inet6", "re");
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, "%32s %*x %*x %*x %x", ip, &flags) == 2 && strcmp(ip, wanted) == 0 && (flags & TENTATIVE);
    if (file) fclose(file);
    return found;
}

bool listener_bind(int fd, const struct address *address)
{
    struct sockaddr_storage storage;
    socklen_t size = address_to_socket(address, &storage);
    if (bind(fd, (struct sockaddr *)&storage, size) == 0) return true;
    if (errno != EADDRNOTAVAIL || storage.ss_family != AF_INET6 || !is_tentative(address)) return false;
    setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &(int){1}, sizeof(int));
    return bind(fd, (struct sockaddr *)&storage, size) == 0;
}

/* A listening socket, or -1 with errno. */
static int open_one(const struct address *address, bool shared)
{
    struct sockaddr_storage storage;
    address_to_socket(address, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    set_shared(fd, shared);
    if (storage.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
    set_options(fd);
    if (listener_bind(fd, address) && listen(fd, BACKLOG) == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void add(struct listeners *listeners, int fd, const struct address *address)
{
    listeners->fds[listeners->count] = fd;
    listeners->addresses[listeners->count] = *address;
    listeners->count++;
}

static bool add_opened(struct listeners *listeners, const struct address *address, bool shared,
                       char ret_error[static LISTENER_ERROR_BYTES])
{
    int fd = open_one(address, shared);
    if (fd < 0) {
        char text[ADDRESS_TEXT_BYTES], hint[BIND_HINT_BYTES];
        int error = errno;
        snprintf(ret_error, LISTENER_ERROR_BYTES, "cannot listen on %s: %s%s", address_format(address, text),
                 strerror(error), bind_hint(error, address, PORT_TCP, hint));
        errno = error;
        return false;
    }
    add(listeners, fd, address);
    return true;
}

/* Takes over one socket of systemd's; a UDP socket is another's business (udp_listener.h). */
static bool add_inherited(struct listeners *listeners, int fd, char ret_error[static LISTENER_ERROR_BYTES])
{
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    if (service_is_datagram(fd)) return true;
    if (!service_is_listener(fd) || getsockname(fd, (struct sockaddr *)&storage, &size) != 0) {
        snprintf(ret_error, LISTENER_ERROR_BYTES,
                 "the socket passed as descriptor %d is neither a listening TCP socket nor a UDP socket", fd);
        return false;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    set_options(fd);
    struct address address = address_from_socket(&storage);
    add(listeners, fd, &address);
    return true;
}

/* The machine has no such IPv6 address, or no IPv6: the other addresses are served all the same. */
static bool is_dispensable(const struct address *address, unsigned count)
{
    return !address_is_ipv4(address) && count > 1 && (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT);
}

static int find_address(const struct listeners *listeners, const struct address *address)
{
    for (unsigned i = 0; i < listeners->count; i++)
        if (address_equal(&listeners->addresses[i], address)) return listeners->fds[i];
    return -1;
}

/* Adds every address: with its socket of `current` (NULL: there is none), or with a new one. */
static bool add_all(struct listeners *listeners, const struct listeners *current, const struct address *addresses,
                    unsigned count, const struct log *log, char ret_error[static LISTENER_ERROR_BYTES])
{
    for (unsigned i = 0; i < count; i++) {
        int fd = current ? find_address(current, &addresses[i]) : -1;
        if (fd >= 0) {
            add(listeners, fd, &addresses[i]);
            continue;
        }
        if (add_opened(listeners, &addresses[i], current, ret_error)) continue;
        if (!is_dispensable(&addresses[i], count)) return false;
        listeners->missing[listeners->missing_count++] = addresses[i];
        log_warning(log, "address left out", log_text("why", ret_error),
                    log_text("do", "it is tried again every second"));
    }
    return listeners->count > 0;
}

bool listeners_open(struct listeners *ret_listeners, const struct listeners *former, const struct address *addresses,
                    unsigned count, const struct log *log, char ret_error[static LISTENER_ERROR_BYTES])
{
    struct listeners listeners = {.count = 0};
    int fds[SERVICE_SOCKETS_MAX];
    unsigned passed = service_sockets(fds);
    bool good = true;
    listeners.inherited = passed > 0;
    if (!listeners.inherited && former->count > 0)
        return listeners_reopen(former, ret_listeners, addresses, count, log, ret_error);
    for (unsigned i = 0; good && i < passed && listeners.count < LISTENERS_MAX; i++)
        good = add_inherited(&listeners, fds[i], ret_error);
    if (good && !listeners.inherited) good = add_all(&listeners, NULL, addresses, count, log, ret_error);
    if (good)
        *ret_listeners = listeners;
    else
        listeners_close(&listeners);
    return good;
}

static void share(const struct listeners *listeners, bool shared)
{
    for (unsigned i = 0; i < listeners->count; i++) set_shared(listeners->fds[i], shared);
}

bool listeners_reopen(const struct listeners *current, struct listeners *ret_listeners, const struct address *addresses,
                      unsigned count, const struct log *log, char ret_error[static LISTENER_ERROR_BYTES])
{
    struct listeners next = {.inherited = current->inherited};
    if (current->inherited) {
        *ret_listeners = *current;
        return true;
    }
    share(current, true);
    bool good = add_all(&next, current, addresses, count, log, ret_error);
    share(current, false);
    share(&next, false);
    if (good)
        *ret_listeners = next;
    else
        listeners_close_but(&next, current);
    return good;
}

bool listeners_retry(const struct listeners *current, struct listeners *ret_listeners)
{
    struct listeners next = *current;
    char error[LISTENER_ERROR_BYTES];
    next.missing_count = 0;
    for (unsigned i = 0; i < current->missing_count; i++)
        if (!add_opened(&next, &current->missing[i], false, error))
            next.missing[next.missing_count++] = current->missing[i];
    if (next.count == current->count) return false;
    *ret_listeners = next;
    return true;
}

void listeners_retire(const struct listeners *listeners, const struct listeners *kept)
{
    for (unsigned i = 0; i < listeners->count; i++) {
        if (listeners_have(kept, listeners->fds[i])) continue;
        set_shared(listeners->fds[i], true);
        setsockopt(listeners->fds[i], IPPROTO_TCP, TCP_DEFER_ACCEPT, &(int){0}, sizeof(int));
    }
}

bool listeners_add(struct listeners *listeners, int fd, const struct address *address)
{
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    if (listeners->count == LISTENERS_MAX || !service_is_listener(fd)) return false;
    if (getsockname(fd, (struct sockaddr *)&storage, &size) != 0) return false;
    const struct address own = address_from_socket(&storage);
    if (!address_equal(&own, address)) return false;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    set_options(fd);
    add(listeners, fd, address);
    return true;
}

bool listeners_have(const struct listeners *listeners, int fd)
{
    for (unsigned i = 0; i < listeners->count; i++)
        if (listeners->fds[i] == fd) return true;
    return false;
}

void listeners_close(struct listeners *listeners)
{
    const struct listeners none = {.count = 0};
    listeners_close_but(listeners, &none);
}

void listeners_close_but(struct listeners *listeners, const struct listeners *kept)
{
    for (unsigned i = 0; i < listeners->count; i++)
        if (!listeners_have(kept, listeners->fds[i])) close(listeners->fds[i]);
    listeners->count = 0;
}
