#include "app/handover_give.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/handover_image.h"
#include "clients/tcp_handover.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/fd_bag.h"
#include "common/service.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

struct gift {
    struct handover_writer writer;
    int *fds; /* in the order of the image */
    unsigned count;
    unsigned max;
};

static void add(struct gift *gift, int fd)
{
    CHECK(gift->count < gift->max);
    gift->fds[gift->count++] = fd;
}

static unsigned count_sockets(const struct handover_parts *parts)
{
    unsigned count = parts->listeners->count + parts->udp->of_worker[0].count * parts->udp->workers;
    for (unsigned i = 0; i < parts->workers; i++) count += parts->clients[i]->slots.taken;
    return count;
}

static void add_sockets(struct gift *gift, const struct handover_parts *parts)
{
    const struct listeners *listeners = parts->listeners;
    const struct udp_listeners *udp = parts->udp;
    for (unsigned i = 0; i < listeners->count && !listeners->inherited; i++) {
        handover_writer_add_listener(&gift->writer, &listeners->addresses[i]);
        add(gift, listeners->fds[i]);
    }
    for (unsigned i = 0; i < udp->of_worker[0].count && !udp->inherited; i++)
        for (unsigned j = 0; j < udp->workers; j++) {
            handover_writer_add_udp(&gift->writer, &udp->addresses[i]);
            add(gift, udp->of_worker[j].fds[i]);
        }
}

static bool add_client(void *context, int fd, const struct tcp_client_state *state)
{
    struct gift *gift = context;
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) return true; /* left out, and so closed */
    handover_writer_add_client(&gift->writer, cookie, state);
    add(gift, fd);
    return true;
}

/* The image in memory that nobody can change any more; -1, with errno. */
static int seal(const struct handover_writer *writer)
{
    static const char name[] = "dns-tls-proxy-handover";
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -1;
    const uint8_t *at = buffer_data(&writer->image);
    for (size_t rest = buffer_size(&writer->image); rest > 0;) {
        ssize_t written = write(fd, at, rest);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) goto fail;
        at += written;
        rest -= (size_t)written;
    }
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0) return fd;
fail:
    close(fd);
    return -1;
}

/* NULL: it is in the store; else why not. */
static const char *store(const struct gift *gift, int image)
{
    int ends[2];
    const char *why = NULL;
    if (!fd_bag_make(ends)) return strerror(errno);
    if (!fd_bag_put(ends[1], &image, 1) || !fd_bag_put(ends[1], gift->fds, gift->count))
        why = strerror(errno);
    else if (!service_store(ends[0]))
        why = "systemd cannot be told";
    else if (!service_wait_read())
        why = "systemd does not answer";
    if (why) fd_bag_empty(ends[0]); /* so that the clients see their connections closed, wherever the bag is */
    close(ends[0]);
    /* It says nothing where it has no room; then nobody has the other end any more. */
    if (!why && !fd_bag_is_kept(ends[1])) why = "systemd did not keep it";
    if (why) service_empty_store();
    close(ends[1]);
    return why;
}

/* NULL: it was given; else why not. */
static const char *give(struct gift *gift, const struct handover_parts *parts)
{
    gift->max = count_sockets(parts);
    gift->fds = calloc(gift->max + 1, sizeof *gift->fds);
    if (!gift->fds) return strerror(ENOMEM);
    add_sockets(gift, parts);
    for (unsigned i = 0; i < parts->workers; i++)
        gift->writer.summary.left += tcp_handover_give(parts->clients[i], add_client, gift);
    if (!handover_writer_finish(&gift->writer)) return strerror(ENOMEM);
    int image = seal(&gift->writer);
    if (image < 0) return strerror(errno);
    const char *why = store(gift, image);
    close(image);
    return why;
}

bool handover_give(const struct handover_parts *parts, const struct log *log)
{
    struct gift gift = {.count = 0};
    uint64_t begun_ns = clock_now_ns();
    handover_writer_init(&gift.writer, parts->stopped_ns);
    const char *why = give(&gift, parts);
    const struct handover_summary *summary = &gift.writer.summary;
    if (why)
        log_warning(log, "connections not handed over", log_text("why", why),
                    log_number("connections", summary->clients),
                    log_text("do", "they are closed; see FileDescriptorStoreMax= in the unit"));
    else
        log_info(log, "connections handed over", log_number("connections", summary->clients),
                 log_number("closed", summary->left), log_number("listeners", summary->listeners),
                 log_number("udp_sockets", summary->udp_sockets),
                 log_number("image_bytes", buffer_size(&gift.writer.image)),
                 log_number("us", (clock_now_ns() - begun_ns) / NS_PER_US));
    handover_writer_done(&gift.writer);
    free(gift.fds);
    return !why;
}
