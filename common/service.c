#include "common/service.h"

#include <sys/socket.h>
#include <systemd/sd-daemon.h>

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

unsigned service_sockets(int *ret_first)
{
    int passed = sd_listen_fds(0); /* asked more than once; a child does not take them, as it has another id */
    *ret_first = SD_LISTEN_FDS_START;
    return passed > 0 ? (unsigned)passed : 0;
}

bool service_is_listener(int fd)
{
    return sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0;
}

bool service_is_datagram(int fd)
{
    return sd_is_socket(fd, AF_INET, SOCK_DGRAM, -1) > 0 || sd_is_socket(fd, AF_INET6, SOCK_DGRAM, -1) > 0;
}
