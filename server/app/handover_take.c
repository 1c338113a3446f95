#include "app/handover_take.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/tcp_handover.h"
#include "common/clock.h"
#include "common/service.h"

static void unmap(struct handover *handover)
{
    if (handover->image) munmap((void *)(uintptr_t)handover->image, handover->image_bytes);
    handover->image = NULL;
}

/* Closes all copies. */
static void close_copies(struct handover *handover)
{
    fd_bag_end(&handover->descriptors);
    listeners_close(&handover->listeners);
    for (unsigned i = 0; i < handover->udp.count; i++) close(handover->udp.sockets[i].fd);
    handover->udp.count = 0;
    unmap(handover);
}

/* ---- looking ---- */

/* Memory that can neither change nor shrink while it is read. False: the descriptor is no such thing. */
static bool map_image(struct handover *handover, int fd)
{
    enum { NEEDED = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & NEEDED) != NEEDED || fstat(fd, &status) != 0 || status.st_size <= 0) return false;
    void *image = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (image == MAP_FAILED) return false;
    handover->image = image;
    handover->image_bytes = (size_t)status.st_size;
    return true;
}

static bool take_sockets(struct handover *handover)
{
    struct handover_reader *reader = &handover->reader;
    const struct handover_summary *summary = &reader->summary;
    for (uint32_t i = 0; i < summary->listeners + summary->udp_sockets; i++) {
        struct address address;
        if (!handover_reader_next_address(reader, &address)) return false;
        int fd = fd_bag_next(&handover->descriptors);
        if (fd < 0) return false;
        bool fits = i < summary->listeners ? listeners_add(&handover->listeners, fd, &address)
                                           : udp_former_add(&handover->udp, fd, &address);
        if (fits) continue;
        close(fd);
        return false;
    }
    return true;
}

/* NULL: it can be used; else why not. */
static const char *look_into(struct handover *handover, int bag)
{
    if (!fd_bag_begin(&handover->descriptors, bag)) return "it is not what this program stores";
    int image = fd_bag_next(&handover->descriptors);
    if (image < 0) return "it was taken before";
    bool is_mapped = map_image(handover, image);
    close(image);
    if (!is_mapped) return "its description is no sealed memory";
    switch (handover_reader_init(&handover->reader, handover->image, handover->image_bytes)) {
    case HANDOVER_DAMAGED: return "its description is damaged";
    case HANDOVER_VERSION: return "another version of the program wrote it";
    case HANDOVER_GOOD: break;
    }
    return take_sockets(handover) ? NULL : "its sockets are not those that it describes";
}

void handover_look(struct handover *handover, const struct log *log)
{
    int stored[SERVICE_STORED_MAX];
    unsigned count = service_stored(stored);
    const char *why = NULL;
    *handover = (struct handover){.log = log, .bag = -1};
    for (unsigned i = 0; i < count; i++) {
        fcntl(stored[i], F_SETFD, FD_CLOEXEC);
        if (handover->bag < 0 && !(why = look_into(handover, stored[i]))) {
            handover->bag = stored[i];
            handover->figures.given = handover->reader.summary.clients;
            continue;
        }
        if (handover->bag < 0) close_copies(handover);
        fd_bag_empty(stored[i]); /* an older one is of no use, either */
        close(stored[i]);
    }
    if (count == 0 || handover->bag >= 0) return;
    service_empty_store();
    log_warning(log, "hand-over discarded", log_text("why", why),
                log_text("do", "nothing: clients that were connected connect again"));
}

bool handover_is_there(const struct handover *handover)
{
    return handover->bag >= 0;
}

/* ---- taking ---- */

static bool is_that_socket(int fd, uint64_t cookie)
{
    uint64_t own = 0;
    socklen_t size = sizeof own;
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &own, &size) == 0 && own == cookie;
}

static void set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (!(flags & O_NONBLOCK)) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* Gives one client to a worker. Unless it is TCP_TAKEN, its socket is still the caller's. */
static enum tcp_take_verdict take_client(struct connections *connections, struct tcp_clients *worker, int fd,
                                         const struct tcp_client_state *state, uint64_t now_ns)
{
    uint8_t bits = 0;
    if (connections_resume(connections, &state->address, now_ns, &bits) != CONNECTIONS_ADMITTED) return TCP_TAKE_LIMIT;
    set_nonblocking(fd);
    enum tcp_take_verdict verdict = tcp_handover_take(worker, fd, state, bits);
    if (verdict != TCP_TAKEN) connections_release(connections, &state->address, bits);
    return verdict;
}

/* False: there are no more, or none that can be told from others. */
static bool next_client(struct handover *handover, int *ret_fd, uint64_t *ret_cookie,
                        struct tcp_client_state *ret_state, bool *ret_sound)
{
    if (handover_reader_next_client(&handover->reader, ret_cookie, ret_state, ret_sound) != HANDOVER_GOOD) return false;
    *ret_fd = fd_bag_next(&handover->descriptors);
    return *ret_fd >= 0;
}

bool handover_take_clients(struct handover *handover, struct connections *connections,
                           struct tcp_clients *const *workers, unsigned worker_count, uint64_t now_ns)
{
    struct tcp_client_state state;
    uint64_t cookie;
    bool is_sound;
    for (int fd; next_client(handover, &fd, &cookie, &state, &is_sound);) {
        struct tcp_clients *worker = workers[handover->figures.taken % worker_count];
        if (!is_sound || !is_that_socket(fd, cookie)) {
            handover->unfit++;
            close(fd);
            continue;
        }
        enum tcp_take_verdict verdict = take_client(connections, worker, fd, &state, now_ns);
        if (verdict == TCP_TAKEN) {
            handover->figures.taken++;
            continue;
        }
        close(fd);
        if (verdict == TCP_TAKE_MEMORY) return false;
        handover->over_limit++;
    }
    for (unsigned i = 0; i < worker_count; i++)
        if (!tcp_handover_resume_times(workers[i])) return false;
    return true;
}

void handover_commit(struct handover *handover, uint64_t now_ns)
{
    struct handover_figures *figures = &handover->figures;
    const struct handover_summary *summary = &handover->reader.summary;
    fd_bag_end(&handover->descriptors);
    fd_bag_empty(handover->bag);
    close(handover->bag);
    handover->bag = -1;
    service_empty_store();
    figures->closed = figures->given - figures->taken;
    figures->pause_ns = now_ns > summary->stopped_ns ? now_ns - summary->stopped_ns : 0;
    log_info(handover->log, "connections taken over", log_number("connections", figures->taken),
             log_number("over_limit", handover->over_limit), log_number("unfit", handover->unfit),
             log_number("not_received", figures->closed - handover->over_limit - handover->unfit),
             log_number("closed_before", summary->left), log_text("from_version", summary->by),
             log_number("pause_ms", figures->pause_ns / NS_PER_MS));
    unmap(handover);
}

void handover_done(struct handover *handover)
{
    if (handover->bag < 0) return;
    fd_bag_end(&handover->descriptors);
    unmap(handover);
    close(handover->bag);
    handover->bag = -1;
}
