#include "clients/acceptor.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clients/acceptor_state.h"
#include "clients/tcp_client.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/loop.h"
#include "common/mailbox.h"

enum {
    BURST = 64,         /* connections accepted from one listener before the next has its turn */
    SHED_PATIENCE = 10, /* pauses after which the most loaded worker has had time to close some */
};

#define BEAT_NS  (2 * NS_PER_S)
#define PAUSE_NS (10 * NS_PER_MS) /* if there is no room: not spinning, and too short to be noticed */

enum mail_kind { MAIL_RELOAD, MAIL_STOP };

struct acceptor_mail {
    struct mail mail;
    struct listeners listeners; /* of MAIL_RELOAD: the set from now on */
    struct access_list *access; /* the same; a share */
    bool keep_listeners;        /* of MAIL_STOP */
};

/* ---- taking connections ---- */

static const struct acceptor_target *choose(struct acceptor *acceptor)
{
    unsigned loads[WORKERS_MAX];
    unsigned active = active_workers_count(acceptor->deps.active);
    CHECK(active <= acceptor->deps.target_count);
    for (unsigned i = 0; i < active; i++)
        loads[i] = atomic_load_explicit(acceptor->deps.targets[i].load, memory_order_relaxed);
    uint32_t open = connections_count(acceptor->deps.connections);
    unsigned chosen = placement_choose(&acceptor->placement, loads, active, open, acceptor->loop.now_ns);
    return &acceptor->deps.targets[chosen];
}

/* Closes with a reset, so that the client learns of it at once and the kernel keeps nothing of the connection. */
static void reject(struct acceptor *acceptor, int fd, const struct address *address, enum label_rejected reason)
{
    query_ring_put_connection(acceptor->deps.ring, reason, address, acceptor->loop.now_ns);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1, .l_linger = 0}, sizeof(struct linger));
    count_event_by(acceptor->counters, client_rejected, reason);
    close(fd);
}

static void hand_over(struct acceptor *acceptor, int fd, const struct address *address, uint8_t counted_bits)
{
    const struct acceptor_target *target = choose(acceptor);
    atomic_fetch_add_explicit(target->load, 1, memory_order_relaxed);
    if (tcp_client_start(target->clients, fd, address, counted_bits)) return;
    count_event_by(acceptor->counters, client_rejected, LABEL_REJECTED_DESCRIPTORS);
}

static void pause_for(struct acceptor *acceptor, const char *why)
{
    uint64_t held_back;
    acceptor->resume_ns = acceptor->loop.now_ns + PAUSE_NS;
    if (log_repeat_due(&acceptor->trouble, acceptor->loop.now_ns, &held_back))
        log_warning(acceptor->deps.log, "accepting pauses", log_text("why", why), log_number("repeated", held_back));
}

static const struct acceptor_target *most_loaded(const struct acceptor *acceptor)
{
    const struct acceptor_target *most = &acceptor->deps.targets[0];
    for (unsigned i = 1; i < acceptor->deps.target_count; i++)
        if (*acceptor->deps.targets[i].load > *most->load) most = &acceptor->deps.targets[i];
    return most;
}

/* Asks the worker with the most connections to close some, and pauses. If that has made no room for SHED_PATIENCE
 * pauses, the workers are asked in turn. */
static void make_room(struct acceptor *acceptor, const char *why)
{
    unsigned vain = acceptor->sheds_in_vain++;
    const struct acceptor_target *target = &acceptor->deps.targets[vain % acceptor->deps.target_count];
    if (vain < SHED_PATIENCE) target = most_loaded(acceptor);
    target->shed(target->worker);
    pause_for(acceptor, why);
}

/* Gives an accepted connection to a worker, or closes it. False: there is no room; it is parked,
 * and accepting pauses. */
static bool admit(struct acceptor *acceptor, int fd, const struct address *address)
{
    uint8_t bits = 0;
    CHECK(acceptor->parked_fd < 0);
    if (!access_is_allowed(acceptor->access, address)) {
        count_event(acceptor->counters, access_denied);
        reject(acceptor, fd, address, LABEL_REJECTED_ACCESS);
        return true;
    }
    switch (connections_admit(acceptor->deps.connections, address, acceptor->loop.now_ns, &bits)) {
    case CONNECTIONS_ADDRESS: reject(acceptor, fd, address, LABEL_REJECTED_ADDRESS); return true;
    case CONNECTIONS_RATE: reject(acceptor, fd, address, LABEL_REJECTED_RATE); return true;
    case CONNECTIONS_FULL:
        acceptor->parked_fd = fd;
        acceptor->parked_address = *address;
        make_room(acceptor, "clients.max_connections is reached");
        return false;
    case CONNECTIONS_ADMITTED: break;
    }
    acceptor->sheds_in_vain = 0;
    hand_over(acceptor, fd, address, bits);
    return true;
}

/* Tries the parked connection again; false if it is still parked. */
static bool admit_parked(struct acceptor *acceptor)
{
    int fd = acceptor->parked_fd;
    if (fd < 0) return true;
    acceptor->parked_fd = -1;
    return admit(acceptor, fd, &acceptor->parked_address);
}

bool acceptor_take_one(struct acceptor *acceptor, struct listening_socket *listener)
{
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    int fd = accept4(listener->source.fd, (struct sockaddr *)&storage, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        struct address address = address_from_socket(&storage);
        return admit(acceptor, fd, &address);
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        count_event_by(acceptor->counters, client_rejected, LABEL_REJECTED_DESCRIPTORS);
        make_room(acceptor, strerror(errno));
    } else if (errno == EAGAIN) {
        listener->waiting = false;
    }
    return false; /* a connection that ended before it was accepted: the next turn looks again */
}

static void accept_waiting(struct acceptor *acceptor)
{
    if (acceptor->resume_ns > acceptor->loop.now_ns) return;
    acceptor->resume_ns = 0;
    if (!admit_parked(acceptor)) return;
    for (unsigned i = 0; i < LISTENING_MAX; i++) {
        struct listening_socket *listener = &acceptor->listening[i];
        for (int n = 0; n < BURST && listener->waiting && acceptor->resume_ns == 0; n++)
            if (!acceptor_take_one(acceptor, listener)) break;
    }
}

/* ---- mail ---- */

static void apply(struct acceptor *acceptor, const struct acceptor_mail *mail)
{
    access_free(acceptor->access);
    acceptor->access = mail->access;
    acceptor_leave_listeners(acceptor, &mail->listeners);
    if (!acceptor_open_listeners(acceptor, &mail->listeners))
        log_error(acceptor->deps.log, "listener lost", log_text("why", strerror(errno)),
                  log_text("do", "restart the service"));
}

/* `is_running` false: the acceptor is about to be freed, and what the mails own goes with it. */
static void read_mails(struct acceptor *acceptor, bool is_running)
{
    struct list mails;
    list_init(&mails);
    mailbox_drain(&acceptor->mailbox, &mails);
    for (struct list *node; (node = list_take(&mails));) {
        struct acceptor_mail *mail = container_of(node, struct acceptor_mail, mail.node);
        if (mail->mail.kind == MAIL_STOP) {
            acceptor->stopping = true;
            acceptor->keeps_listeners = mail->keep_listeners || acceptor->inherited;
        } else if (is_running)
            apply(acceptor, mail);
        else
            access_free(mail->access);
        free(mail);
    }
}

static void on_mail(struct loop_source *source, uint32_t events)
{
    (void)events;
    read_mails(container_of(source, struct acceptor, mailbox.source), true);
}

void acceptor_stop(struct acceptor *acceptor, bool keep_listeners)
{
    struct acceptor_mail *mail = calloc(1, sizeof *mail);
    if (!mail) return;
    mail->mail.kind = MAIL_STOP;
    mail->keep_listeners = keep_listeners;
    mailbox_post(&acceptor->mailbox, &mail->mail);
}

bool acceptor_reload(struct acceptor *acceptor, const struct listeners *listeners, struct access_list *access)
{
    struct acceptor_mail *mail = calloc(1, sizeof *mail);
    if (!mail) return false;
    mail->mail.kind = MAIL_RELOAD;
    mail->listeners = *listeners;
    mail->access = access_share(access);
    mailbox_post(&acceptor->mailbox, &mail->mail);
    return true;
}

/* ---- the thread ---- */

static uint64_t next_deadline_ns(const struct acceptor *acceptor)
{
    uint64_t deadline_ns = acceptor->loop.now_ns + BEAT_NS;
    if (acceptor->resume_ns != 0) return clock_earlier(acceptor->resume_ns, deadline_ns);
    for (unsigned i = 0; i < LISTENING_MAX; i++) {
        const struct listening_socket *listener = &acceptor->listening[i];
        if (listener->waiting) return 0;
        if (listening_socket_is_open(listener)) deadline_ns = clock_earlier(listener->closes_ns, deadline_ns);
    }
    return deadline_ns;
}

static void *run(void *context)
{
    struct acceptor *acceptor = context;
    pthread_setname_np(pthread_self(), "acceptor");
    /* A new connection does not preempt a worker that is answering; connections that come meanwhile are accepted
     * together. If a processor is free this changes nothing. The system may forbid it, which does no harm. */
    pthread_setschedparam(pthread_self(), SCHED_BATCH, &(struct sched_param){0});
    while (!acceptor->stopping) {
        loop_turn(&acceptor->loop, next_deadline_ns(acceptor));
        heartbeat_beat(acceptor->deps.heartbeat, acceptor->loop.now_ns);
        accept_waiting(acceptor);
        acceptor_close_left(acceptor, acceptor->loop.now_ns);
    }
    /* Those that a reload has given up, or all. */
    acceptor_close_left(acceptor, acceptor->keeps_listeners ? CLOCK_NEVER - 1 : CLOCK_NEVER);
    if (acceptor->parked_fd >= 0) reject(acceptor, acceptor->parked_fd, &acceptor->parked_address, LABEL_REJECTED_FULL);
    heartbeat_stop(acceptor->deps.heartbeat);
    return NULL;
}

bool acceptor_start(struct acceptor *acceptor)
{
    return pthread_create(&acceptor->thread, NULL, run, acceptor) == 0;
}

void acceptor_join(struct acceptor *acceptor)
{
    pthread_join(acceptor->thread, NULL);
}

struct acceptor *acceptor_new(const struct acceptor_deps *deps, const struct listeners *listeners,
                              struct access_list *access)
{
    struct acceptor *acceptor = calloc(1, sizeof *acceptor);
    if (!acceptor) return NULL;
    acceptor->deps = *deps;
    acceptor->access = access_share(access);
    acceptor->parked_fd = -1;
    acceptor->loop.epoll_fd = -1;
    acceptor->inherited = listeners->inherited;
    for (unsigned i = 0; i < LISTENING_MAX; i++) acceptor->listening[i].source.fd = -1;
    acceptor->counters = counters_new();
    if (!mailbox_init(&acceptor->mailbox, on_mail) || !loop_init(&acceptor->loop) || !acceptor->counters) goto fail;
    if (!loop_add(&acceptor->loop, &acceptor->mailbox.source, EPOLLIN)) goto fail;
    if (!acceptor_open_listeners(acceptor, listeners)) goto fail;
    return acceptor;
fail:
    for (unsigned i = 0; i < LISTENING_MAX; i++) acceptor->listening[i].source.fd = -1; /* the caller's still */
    acceptor_free(acceptor);
    return NULL;
}

void acceptor_free(struct acceptor *acceptor)
{
    if (!acceptor) return;
    for (unsigned i = 0; i < LISTENING_MAX; i++)
        if (listening_socket_is_open(&acceptor->listening[i])) close(acceptor->listening[i].source.fd);
    if (acceptor->mailbox.source.fd > 0) read_mails(acceptor, false);
    access_free(acceptor->access);
    mailbox_done(&acceptor->mailbox);
    loop_done(&acceptor->loop);
    counters_free(acceptor->counters);
    free(acceptor);
}

struct counters *acceptor_counters(struct acceptor *acceptor)
{
    return acceptor->counters;
}
