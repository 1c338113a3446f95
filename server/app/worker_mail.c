#include "app/worker.h"

#include <stdlib.h>

#include "app/worker_state.h"
#include "common/check.h"
#include "common/clock.h"

/* With clients that were handed over, so long it waits for a session upstream: their questions would wait for it, too,
 * but those that the cache answers need not. */
#define SESSION_WAIT_NS (50 * NS_PER_MS)

enum mail_kind { MAIL_RELOAD, MAIL_BEGIN, MAIL_DRAIN, MAIL_STOP, MAIL_SHED };

struct worker_mail {
    struct mail mail;
    struct worker_settings settings; /* of MAIL_RELOAD */
    bool keep_clients;               /* of MAIL_DRAIN */
};

/* ---- settings ---- */

bool worker_apply_udp(struct worker *worker, const struct worker_settings *settings)
{
    worker->cookies.enabled = settings->udp.cookies;
    worker->cookies.keys = settings->cookie_keys;
    bool is_taken = udp_set_options(&worker->udp, &settings->udp);
    udp_set_access(&worker->udp, settings->access);
    udp_set_sockets(&worker->udp, &settings->udp_sockets);
    return is_taken;
}

void worker_apply_store(struct worker *worker, const struct worker_settings *settings)
{
    store_set_setup(worker->store, settings->store);
    worker->shares = settings->store;
}

static void apply(struct worker *worker, const struct worker_settings *settings)
{
    bool is_taken = worker_apply_udp(worker, settings);
    tcp_clients_set_options(&worker->clients, &settings->client);
    tcp_clients_set_access(&worker->clients, settings->access);
    if (!forwarder_set_options(&worker->forwarder, &settings->forwarder) || !is_taken)
        log_error(worker->deps.log, "reload incomplete", log_text("why", "no memory for clients.max_queries_in_flight"),
                  log_number("worker", worker->index));
    store_hurry(worker->store); /* what waits for it goes to the pools of when it was asked: its route may go */
    const struct route_pools_settings pools = {&settings->pool, settings->tls, settings->routes};
    if (!route_pools_apply(&worker->pools, &pools))
        log_error(worker->deps.log, "reload incomplete", log_text("why", "no memory for new upstreams"),
                  log_number("worker", worker->index));
    worker->forwarder.pool = route_pools_get(&worker->pools, NAMES_ROUTE_DEFAULT);
    forwarder_set_names(&worker->forwarder, settings->names); /* whose routes are those of the pools now */
    worker_apply_store(worker, settings);
}

/* ---- mail ---- */

static void open_mail(struct worker *worker, struct worker_mail *mail)
{
    switch ((enum mail_kind)mail->mail.kind) {
    case MAIL_RELOAD:
        apply(worker, &mail->settings);
        tls_context_free(mail->settings.tls);
        access_free(mail->settings.access);
        names_free(mail->settings.names);
        route_table_free(mail->settings.routes);
        store_setup_free(mail->settings.store);
        break;
    case MAIL_BEGIN: worker->begins_ns = worker->loop.now_ns + SESSION_WAIT_NS; break;
    case MAIL_DRAIN:
        worker->draining = true;
        worker->keep_clients = mail->keep_clients;
        break;
    case MAIL_STOP: worker->stopping = true; break;
    case MAIL_SHED: tcp_clients_shed(&worker->clients); break;
    }
}

void worker_on_mail(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct worker *worker = container_of(source, struct worker, mailbox.source);
    struct list mails;
    struct list *node;
    list_init(&mails);
    mailbox_drain(&worker->mailbox, &mails);
    while ((node = list_take(&mails))) {
        struct worker_mail *mail = container_of(node, struct worker_mail, mail.node);
        open_mail(worker, mail);
        free(mail);
    }
}

static struct worker_mail *mail_new(enum mail_kind kind)
{
    struct worker_mail *mail = calloc(1, sizeof *mail);
    if (mail) mail->mail.kind = kind;
    return mail;
}

static bool post(struct worker *worker, struct worker_mail *mail)
{
    if (mail) mailbox_post(&worker->mailbox, &mail->mail);
    return mail;
}

bool worker_reload(struct worker *worker, const struct worker_settings *settings)
{
    struct worker_mail *mail = mail_new(MAIL_RELOAD);
    if (!mail) return false;
    mail->settings = *settings;
    mail->settings.tls = tls_context_share(settings->tls);
    mail->settings.access = access_share(settings->access);
    mail->settings.names = names_share(settings->names);
    mail->settings.routes = route_table_share(settings->routes);
    mail->settings.store = store_setup_share(settings->store);
    return post(worker, mail);
}

bool worker_prepare_begin(struct worker *worker)
{
    worker->begin_mail = mail_new(MAIL_BEGIN);
    return worker->begin_mail;
}

void worker_begin(struct worker *worker)
{
    CHECK(worker->begin_mail);
    post(worker, worker->begin_mail);
    worker->begin_mail = NULL;
}

void worker_drain(struct worker *worker, bool keep_clients)
{
    struct worker_mail *mail = mail_new(MAIL_DRAIN);
    if (mail) mail->keep_clients = keep_clients;
    post(worker, mail);
}

void worker_stop(struct worker *worker)
{
    post(worker, mail_new(MAIL_STOP));
}

void worker_shed(struct worker *worker)
{
    post(worker, mail_new(MAIL_SHED));
}
