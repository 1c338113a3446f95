#include "common/service.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/clock.h"

void service_ready(const char *status)
{
    sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void service_status(const char *status)
{
    sd_notifyf(0, "STATUS=%s", status);
}

void service_reloading(void)
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_monotonic_us());
}

void service_stopping(const char *status, uint64_t longest_ns)
{
    sd_notifyf(0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu\nSTATUS=%s", (unsigned long long)(longest_ns / NS_PER_US),
               status);
}

uint64_t service_watchdog_ns(void)
{
    uint64_t watchdog_us = 0;
    return sd_watchdog_enabled(0, &watchdog_us) > 0 ? watchdog_us * NS_PER_US : 0;
}

void service_alive(void)
{
    sd_notify(0, "WATCHDOG=1");
}

void service_hung(void)
{
    sd_notify(0, "WATCHDOG=trigger");
}

/* Of what is in the store. It never changes, so that each version of the program knows what another one stored. */
#define STORE_NAME "handover"

/* Those passed under the store's name, or those under any other; returns how many. Asked more than once; a child does
 * not take them, as it has another id. */
static unsigned list_passed(bool of_store, int *ret_fds, unsigned max)
{
    char **names = NULL;
    unsigned count = 0;
    int passed = sd_listen_fds_with_names(0, &names);
    for (int i = 0; i < passed; i++) {
        bool is_stored = strcmp(names[i], STORE_NAME) == 0;
        if (is_stored == of_store && count < max) ret_fds[count++] = SD_LISTEN_FDS_START + i;
        free(names[i]);
    }
    free(names);
    return count;
}

unsigned service_sockets(int ret_fds[static SERVICE_SOCKETS_MAX])
{
    return list_passed(false, ret_fds, SERVICE_SOCKETS_MAX);
}

unsigned service_stored(int ret_fds[static SERVICE_STORED_MAX])
{
    return list_passed(true, ret_fds, SERVICE_STORED_MAX);
}

bool service_is_listener(int fd)
{
    return sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0;
}

bool service_is_datagram(int fd)
{
    return sd_is_socket(fd, AF_INET, SOCK_DGRAM, -1) > 0 || sd_is_socket(fd, AF_INET6, SOCK_DGRAM, -1) > 0;
}

bool service_store(int fd)
{
    /* Without FDPOLL=0 it would be dropped when the other end is closed, as it is when this process ends. */
    return sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDPOLL=0\nFDNAME=" STORE_NAME, &fd, 1) > 0;
}

bool service_wait_read(void)
{
    return sd_notify_barrier(0, SERVICE_WAIT_NS / NS_PER_US) > 0;
}

void service_empty_store(void)
{
    sd_notify(0, "FDSTOREREMOVE=1\nFDNAME=" STORE_NAME);
}

/* Stores one end of a pair of sockets, and looks at the other one: it hangs up where the store did not keep it. */
static bool try_store(void)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
    bool is_sent = service_store(ends[0]);
    close(ends[0]);
    struct pollfd other = {.fd = ends[1]};
    bool is_kept = is_sent && service_wait_read() && poll(&other, 1, 0) == 0;
    if (is_sent) service_empty_store();
    close(ends[1]);
    return is_kept;
}

bool service_has_store(void)
{
    const char *notify = getenv("NOTIFY_SOCKET");
    const char *max = getenv("FDSTORE"); /* since systemd 254, where there is a store */
    if (!notify || *notify == '\0') return false;
    return max ? strtoul(max, NULL, 10) > 0 : try_store();
}
