/* udpflood: datagrams from many sources, as fast as one thread can send them or at a given rate, and no ear for what
 * comes back:  udpflood KEY=VALUE ...
 *
 *   port=N           to 127.0.0.1
 *   base=10.0.0.0    the first source; a local route must lead to all of them
 *   sources=N        so many addresses, in turn
 *   step=N           from one to the next: 256 makes each a /24 of its own
 *   kind=hot         a question for one name, hot.test
 *   kind=mixed       one in 64 for a name that nobody asked before
 *   kind=random      so many bytes as chance gives, up to 600
 *   kind=big         a question and 64,000 bytes behind it
 *   rate=N           datagrams a second; 0: as many as go
 *   seconds=N
 *
 * One socket says with each datagram where it comes from (IP_PKTINFO). It ends after `seconds`, or when its input is
 * closed, and prints {"sent": N, "seconds": S}. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, RANDOM_MAX = 600, SMALL_BYTES = 640, BIG_BYTES = 64000, NEW_ONE_IN = 64 };

#define NS_PER_S 1000000000ull

struct options {
    uint16_t port;
    uint32_t base; /* host order */
    uint32_t sources, step, rate, seconds;
    const char *kind;
};

struct flood {
    struct options options;
    int fd;
    uint64_t sent;
    uint32_t state; /* of the random generator */
    struct sockaddr_in peer;
    struct mmsghdr headers[BATCH];
    struct iovec vectors[BATCH];
    _Alignas(struct cmsghdr) uint8_t control[BATCH][CMSG_SPACE(sizeof(struct in_pktinfo))];
    uint8_t small[BATCH][SMALL_BYTES];
    uint8_t big[BIG_BYTES];
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint32_t next_random(struct flood *flood)
{
    flood->state = flood->state * 1664525u + 1013904223u;
    return flood->state >> 8;
}

/* A question for hot.test, or one of the same length for a name that is new. */
static size_t write_question(uint8_t *bytes, uint64_t number, bool is_new)
{
    static const uint8_t question[] = "\0\0\1\0\0\1\0\0\0\0\0\0\3hot\4test\0\0\1\0\1";
    static const uint8_t with_number[] = "\0\0\1\0\0\1\0\0\0\0\0\0\11n00000000\4test\0\0\1\0\1";
    size_t size = is_new ? sizeof with_number - 1 : sizeof question - 1;
    memcpy(bytes, is_new ? with_number : question, size);
    bytes[0] = (uint8_t)(number >> 8);
    bytes[1] = (uint8_t)number;
    for (int i = 0; is_new && i < 8; i++) bytes[14 + i] = (uint8_t)('a' + (number >> 4 * i & 15));
    return size;
}

static void write_datagram(struct flood *flood, unsigned index, uint64_t number)
{
    const char *kind = flood->options.kind;
    uint8_t *bytes = flood->small[index];
    size_t size;
    if (strcmp(kind, "big") == 0) {
        bytes = flood->big;
        size = BIG_BYTES;
    } else if (strcmp(kind, "random") == 0) {
        size = next_random(flood) % RANDOM_MAX;
        for (size_t i = 0; i < size; i += 3) {
            uint32_t word = next_random(flood);
            memcpy(bytes + i, &word, 3);
        }
    } else {
        size = write_question(bytes, number, strcmp(kind, "mixed") == 0 && number % NEW_ONE_IN == 0);
    }
    flood->vectors[index] = (struct iovec){bytes, size};
    uint32_t source = flood->options.base + (uint32_t)(number % flood->options.sources) * flood->options.step;
    const struct in_pktinfo from = {.ipi_spec_dst.s_addr = htonl(source)};
    memcpy(CMSG_DATA((struct cmsghdr *)flood->control[index]), &from, sizeof from);
}

static void prepare(struct flood *flood)
{
    flood->peer = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(flood->options.port)};
    flood->peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    write_question(flood->big, 0, false);
    for (unsigned i = 0; i < BATCH; i++) {
        struct cmsghdr *control = (struct cmsghdr *)flood->control[i];
        control->cmsg_level = IPPROTO_IP;
        control->cmsg_type = IP_PKTINFO;
        control->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
        flood->headers[i].msg_hdr = (struct msghdr){.msg_name = &flood->peer,
                                                    .msg_namelen = sizeof flood->peer,
                                                    .msg_iov = &flood->vectors[i],
                                                    .msg_iovlen = 1,
                                                    .msg_control = control,
                                                    .msg_controllen = sizeof flood->control[i]};
    }
}

static bool parent_is_gone(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) > 0;
}

/* Sends one batch; what the kernel does not take is left out. */
static bool send_batch(struct flood *flood, uint64_t *number)
{
    for (unsigned i = 0; i < BATCH; i++) write_datagram(flood, i, (*number)++);
    int sent = sendmmsg(flood->fd, flood->headers, BATCH, 0);
    if (sent < 0 && errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED) {
        perror("udpflood: sendmmsg");
        return false;
    }
    if (sent > 0) flood->sent += (unsigned)sent;
    return true;
}

static int run(struct flood *flood)
{
    uint64_t begin_ns = now_ns(), at_ns = begin_ns, number = 0;
    while (at_ns - begin_ns < flood->options.seconds * NS_PER_S && !parent_is_gone()) {
        uint64_t due = (at_ns - begin_ns) / 1000 * flood->options.rate / 1000000;
        if (flood->options.rate > 0 && number > due) {
            const struct timespec pause = {.tv_nsec = 200000};
            nanosleep(&pause, NULL);
        } else if (!send_batch(flood, &number)) {
            return 1;
        }
        at_ns = now_ns();
    }
    printf("{\"sent\": %llu, \"seconds\": %.3f}\n", (unsigned long long)flood->sent,
           (double)(at_ns - begin_ns) / (double)NS_PER_S);
    return 0;
}

static bool set_option(struct options *options, const char *argument)
{
    const char *value = strchr(argument, '=');
    struct in_addr base;
    if (!value++) return false;
    if (strncmp(argument, "kind=", 5) == 0) {
        options->kind = value;
        return true;
    }
    if (strncmp(argument, "base=", 5) == 0) {
        if (inet_pton(AF_INET, value, &base) != 1) return false;
        options->base = ntohl(base.s_addr);
        return true;
    }
    uint32_t number = (uint32_t)strtoul(value, NULL, 10);
    if (strncmp(argument, "port=", 5) == 0)
        options->port = (uint16_t)number;
    else if (strncmp(argument, "sources=", 8) == 0)
        options->sources = number;
    else if (strncmp(argument, "step=", 5) == 0)
        options->step = number;
    else if (strncmp(argument, "rate=", 5) == 0)
        options->rate = number;
    else if (strncmp(argument, "seconds=", 8) == 0)
        options->seconds = number;
    else
        return false;
    return true;
}

int main(int count, char **arguments)
{
    static struct flood flood = {.state = 1, .options = {.sources = 1, .step = 1, .seconds = 1, .kind = "hot"}};
    for (int i = 1; i < count; i++) {
        if (set_option(&flood.options, arguments[i])) continue;
        fprintf(stderr, "udpflood: not an option: %s\n", arguments[i]);
        return 2;
    }
    flood.fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (flood.fd < 0 || flood.options.port == 0 || flood.options.sources == 0) return 2;
    /* Nothing is read: what comes back is dropped as soon as it is there. */
    setsockopt(flood.fd, SOL_SOCKET, SO_RCVBUF, &(int){1}, sizeof(int));
    prepare(&flood);
    return run(&flood);
}
