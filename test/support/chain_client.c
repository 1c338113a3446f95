/* chain_client: makes TLS handshakes by server/upstream/tls.c, non-blocking as the program does, and tells how each
 * ended. A line of standard input names one:
 *     PORT NAME CA-FILE      to 127.0.0.1; CA-FILE "-" stands for the context of the line before
 * and a line of standard output answers it: "good", "refused TEXT" (the certificate) or "failed TEXT". */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "upstream/tls.h"
#include "upstream/tls_crypto.h"

enum { WAIT_MS = 10000, LINE_BYTES = 4096, TURN_BYTES = 128 * 1024 };

static int begin_connect(int port)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&peer, sizeof peer) == 0 || errno == EINPROGRESS) return fd;
    close(fd);
    return -1;
}

/* One turn whenever the socket can be read, or written while the connection is being made. */
static enum tls_status handshake(struct tls *tls, int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    enum tls_status status = TLS_AGAIN;
    while (status == TLS_AGAIN && poll(&wait, 1, WAIT_MS) == 1) {
        if (wait.revents & (POLLIN | POLLERR | POLLHUP)) tls_on_readable(tls);
        tls_begin_turn(tls, TURN_BYTES);
        status = tls_handshake(tls);
        wait.events = POLLIN;
    }
    return status;
}

static void answer(struct tls_context *context, int port, const char *name)
{
    int fd = begin_connect(port);
    struct tls *tls = fd >= 0 ? tls_new(context, fd, name, "dot", NULL) : NULL;
    enum tls_status status = tls ? handshake(tls, fd) : TLS_FAILED;
    const char *why = tls ? tls_error(tls) : strerrordesc_np(errno);
    if (status == TLS_DONE)
        puts("good");
    else
        printf("%s %s\n", status == TLS_UNTRUSTED ? "refused" : "failed", why ? why : "time-out");
    fflush(stdout);
    tls_free(tls);
    if (fd >= 0) close(fd);
}

int main(void)
{
    static char line[LINE_BYTES];
    static struct tls_options options;
    char name[LINE_BYTES];
    char error[TLS_ERROR_MAX] = "no context";
    int port;
    struct tls_context *context = NULL;
    struct tls_crypto *crypto = tls_crypto_new(NULL);
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "%d %4095s %4095s", &port, name, options.ca_file) != 3) return 2;
        if (strcmp(options.ca_file, "-") != 0) {
            tls_context_free(context);
            context = tls_context_new(&options, crypto, error);
        }
        if (context)
            answer(context, port, name);
        else
            printf("failed %s\n", error), fflush(stdout);
    }
    tls_context_free(context);
    tls_crypto_free(crypto);
    return 0;
}
