#include "common/bind_hint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Docker and podman leave a file; podman and systemd-nspawn set a variable, too. */
static bool is_in_container(void)
{
    return access("/run/.containerenv", F_OK) == 0 || access("/.dockerenv", F_OK) == 0 || getenv("container");
}

const char *bind_hint_refused(bool is_in_container)
{
    if (is_in_container)
        return " (this container refuses ports below 1024: run it with --sysctl "
               "net.ipv4.ip_unprivileged_port_start=53, or with -p 53:8853 -p 53:8853/udp before the image's name "
               "and --listen 0.0.0.0:8853 behind it)";
    return " (ports below 1024 need CAP_NET_BIND_SERVICE)";
}

const char *bind_hint(int error, const struct address *address, enum port_transport transport,
                      char text[static BIND_HINT_BYTES])
{
    char holder[PORT_HOLDER_BYTES];
    text[0] = '\0';
    if (error == EACCES) snprintf(text, BIND_HINT_BYTES, "%s", bind_hint_refused(is_in_container()));
    if (error == EADDRINUSE) snprintf(text, BIND_HINT_BYTES, "%s", port_holder(address, transport, holder));
    return text;
}
