#include "metrics/probe.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/printable.h"

/* Docker and Kubernetes give a probe a few seconds; it must say itself what is wrong before it is killed. */
#define PROBE_TIMEOUT_NS (3 * NS_PER_S)

static struct address address_to_ask(const struct address *listen)
{
    static const uint8_t any[16];
    struct address address = *listen;
    if (memcmp(address.ip, any, sizeof any) == 0)
        address.ip[15] = 1; /* ::1 */
    else if (address_is_ipv4(&address) && memcmp(address.ip + 12, any, 4) == 0)
        memcpy(address.ip + 12, (const uint8_t[]){127, 0, 0, 1}, 4);
    return address;
}

/* False, with errno, if the time is up. */
static bool await(int fd, short events, uint64_t deadline_ns)
{
    uint64_t now_ns = clock_now_ns();
    struct pollfd waiting = {.fd = fd, .events = events};
    int ms = now_ns < deadline_ns ? (int)((deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS) : 0;
    int ready = poll(&waiting, 1, ms);
    if (ready == 0) errno = ETIMEDOUT;
    return ready > 0;
}

/* A connected socket, or -1 with errno. */
static int connect_to(const struct address *address, uint64_t deadline_ns)
{
    struct sockaddr_storage storage;
    socklen_t size = address_to_socket(address, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (connect(fd, (const struct sockaddr *)&storage, size) == 0) return fd;
    int error = errno;
    socklen_t error_size = sizeof error;
    if (error == EINPROGRESS) {
        error = ETIMEDOUT;
        if (await(fd, POLLOUT, deadline_ns)) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size);
    }
    if (error == 0) return fd;
    close(fd);
    errno = error;
    return -1;
}

/* Reads until the other side closes or `size` bytes are there: the request asked for the close. False with errno. */
static bool read_all(int fd, char *text, size_t size, uint64_t deadline_ns)
{
    size_t used = 0;
    while (used < size - 1) {
        if (!await(fd, POLLIN, deadline_ns)) return false;
        ssize_t got = read(fd, text + used, size - 1 - used);
        if (got < 0 && errno != EAGAIN) return false;
        if (got == 0) break;
        if (got > 0) used += (size_t)got;
    }
    text[used] = '\0';
    return true;
}

static bool ask(int fd, const char *host, char *answer, size_t size, uint64_t deadline_ns)
{
    char request[192];
    int request_size =
        snprintf(request, sizeof request, "GET /readyz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);
    /* A socket just connected takes this much whole. */
    if (send(fd, request, (size_t)request_size, MSG_NOSIGNAL) != request_size) return false;
    return read_all(fd, answer, size, deadline_ns);
}

/* Of "HTTP/1.x 200 ..."; 0 if the answer does not begin so. */
static long status_of(const char *answer)
{
    static const char begin[] = "HTTP/1.1 ";
    char *end;
    if (strlen(answer) < sizeof begin || strncmp(answer, begin, strlen("HTTP/1.")) != 0 || answer[8] != ' ') return 0;
    long status = strtol(answer + 9, &end, 10);
    return end == answer + 12 ? status : 0;
}

/* Whether it was a 200; the body says more. */
static bool judge(const char *answer, const char *host, char message[static PROBE_MESSAGE_BYTES])
{
    long status = status_of(answer);
    const char *body = strstr(answer, "\r\n\r\n");
    if (status == 0 || !body) {
        snprintf(message, PROBE_MESSAGE_BYTES, "%s does not answer as this program does", host);
        return false;
    }
    snprintf(message, PROBE_MESSAGE_BYTES, "%s answers %ld: %s", host, status, body + 4);
    size_t size = strlen(message);
    while (size > 0 && (message[size - 1] == '\n' || message[size - 1] == '\r')) message[--size] = '\0';
    printable_mask(message, "\n"); /* another program may have the port */
    return status == 200;
}

bool probe_ready(const struct address *listen, char message[static PROBE_MESSAGE_BYTES])
{
    char host[ADDRESS_TEXT_BYTES];
    char answer[PROBE_MESSAGE_BYTES];
    uint64_t deadline_ns = clock_now_ns() + PROBE_TIMEOUT_NS;
    struct address address = address_to_ask(listen);
    address_format(&address, host);
    int fd = connect_to(&address, deadline_ns);
    if (fd >= 0 && ask(fd, host, answer, sizeof answer, deadline_ns)) {
        close(fd);
        return judge(answer, host, message);
    }
    snprintf(message, PROBE_MESSAGE_BYTES, "%s: %s", host, strerror(errno));
    if (fd >= 0) close(fd);
    return false;
}
