#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service.h"

enum {
    BACKLOG = 4096,          /* connections the kernel holds for us; it cuts this to net.core.somaxconn */
    SEND_BYTES = 128 * 1024, /* the kernel would hold megabytes for a client that does not read */
    DEFER_SECONDS = 1,       /* a connection is accepted when its first query is there, or after that time */
};

/* Options every accepted socket inherits, and the one that lets a query come with its connection. */
static void set_options(int fd)
{
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){SEND_BYTES}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &(int){DEFER_SECONDS}, sizeof(int));
}

/* A listening socket, or -1 with errno. */
static int open_one(const struct address *address)
{
    struct sockaddr_storage storage;
    socklen_t size = address_to_socket(address, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (storage.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
    set_options(fd);
    if (bind(fd, (struct sockaddr *)&storage, size) == 0 && listen(fd, BACKLOG) == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool add_opened(struct listeners *listeners, const struct address *address,
                       char ret_error[static LISTENER_ERROR_BYTES])
{
    int fd = open_one(address);
    if (fd < 0) {
        char text[ADDRESS_TEXT_BYTES];
        int error = errno;
        const char *hint = errno == EACCES ? " (ports below 1024 need CAP_NET_BIND_SERVICE)" : "";
        snprintf(ret_error, LISTENER_ERROR_BYTES, "cannot listen on %s: %s%s", address_format(address, text),
                 strerror(error), hint);
        errno = error;
        return false;
    }
    listeners->fds[listeners->count] = fd;
    listeners->addresses[listeners->count] = *address;
    listeners->count++;
    return true;
}

/* Takes over one socket of systemd's. */
static bool add_inherited(struct listeners *listeners, int fd, char ret_error[static LISTENER_ERROR_BYTES])
{
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    if (!service_is_listener(fd) || getsockname(fd, (struct sockaddr *)&storage, &size) != 0) {
        snprintf(ret_error, LISTENER_ERROR_BYTES, "the socket passed as descriptor %d is not a listening TCP socket",
                 fd);
        return false;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    set_options(fd);
    listeners->fds[listeners->count] = fd;
    listeners->addresses[listeners->count] = address_from_socket(&storage);
    listeners->count++;
    return true;
}

/* No IPv6 here: not a reason to leave the other addresses unanswered. */
static bool is_dispensable(const struct address *address, unsigned count)
{
    return !address_is_ipv4(address) && count > 1 && (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT);
}

/* Opens all, but for those that can be done without. */
static bool open_all(struct listeners *listeners, const struct address *addresses, unsigned count,
                     const struct log *log, char ret_error[static LISTENER_ERROR_BYTES])
{
    for (unsigned i = 0; i < count; i++) {
        if (add_opened(listeners, &addresses[i], ret_error)) continue;
        if (!is_dispensable(&addresses[i], count)) return false;
        log_warning(log, "address left out", log_text("why", ret_error));
    }
    return listeners->count > 0;
}

bool listeners_open(struct listeners *ret_listeners, const struct address *addresses, unsigned count,
                    const struct log *log, char ret_error[static LISTENER_ERROR_BYTES])
{
    struct listeners listeners = {.count = 0};
    int first;
    unsigned passed = service_sockets(&first);
    bool good = true;
    listeners.inherited = passed > 0;
    for (unsigned i = 0; good && i < passed && i < LISTENERS_MAX; i++)
        good = add_inherited(&listeners, first + (int)i, ret_error);
    if (good && !listeners.inherited) good = open_all(&listeners, addresses, count, log, ret_error);
    if (good)
        *ret_listeners = listeners;
    else
        listeners_close(&listeners);
    return good;
}

static int take_same(struct listeners *listeners, const struct address *address)
{
    for (unsigned i = 0; i < listeners->count; i++) {
        if (!address_equal(&listeners->addresses[i], address)) continue;
        int fd = listeners->fds[i];
        listeners->count--;
        listeners->fds[i] = listeners->fds[listeners->count];
        listeners->addresses[i] = listeners->addresses[listeners->count];
        return fd;
    }
    return -1;
}

bool listeners_reopen(struct listeners *listeners, struct listeners *ret_listeners, const struct address *addresses,
                      unsigned count, char ret_error[static LISTENER_ERROR_BYTES])
{
    struct listeners former = *listeners;
    struct listeners kept = {.count = 0};
    struct listeners opened = {.count = 0};
    for (unsigned i = 0; i < count; i++) {
        int fd = take_same(&former, &addresses[i]);
        if (fd >= 0) {
            kept.fds[kept.count] = fd;
            kept.addresses[kept.count++] = addresses[i];
        } else if (!add_opened(&opened, &addresses[i], ret_error)) {
            listeners_close(&opened);
            return false;
        }
    }
    for (unsigned i = 0; i < opened.count; i++) {
        kept.fds[kept.count] = opened.fds[i];
        kept.addresses[kept.count++] = opened.addresses[i];
    }
    *listeners = former;
    *ret_listeners = kept;
    return true;
}

void listeners_close(struct listeners *listeners)
{
    for (unsigned i = 0; i < listeners->count; i++) close(listeners->fds[i]);
    listeners->count = 0;
}
