#include "common/port_holder.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/printable.h"

/* States of tcp_states.h: a TCP socket that listens, and a UDP socket without a peer. */
enum { STATE_LISTEN = 0x0a, STATE_UNCONNECTED = 0x07, NAME_BYTES = 32, LINE_BYTES = 512 };

#define STUB_EXAMPLE "/usr/share/doc/dns-tls-proxy/examples/resolved.conf"
#define STUB_REMEDY                                                                                                    \
    " (set DNSStubListener=no in /etc/systemd/resolved.conf.d/, as " STUB_EXAMPLE " does, then restart "               \
    "systemd-resolved)"

struct holder {
    struct address address;
    uint64_t inode;
};

/* An address of /proc/net/tcp: 32-bit words in the byte order of this machine. */
static bool parse_words(const char *text, struct address *ret_address)
{
    size_t size = strcspn(text, ":");
    uint8_t bytes[16];
    if (size != 8 && size != 32) return false;
    for (size_t i = 0; i < size / 8; i++) {
        uint32_t word;
        if (sscanf(text + 8 * i, "%8" SCNx32, &word) != 1) return false;
        memcpy(bytes + 4 * i, &word, sizeof word);
    }
    memset(ret_address->ip, 0, sizeof ret_address->ip);
    memcpy(ret_address->ip + (size == 8 ? 12 : 0), bytes, size / 2);
    if (size == 8) memset(ret_address->ip + 10, 0xff, 2);
    return true;
}

static bool is_wildcard(const struct address *address)
{
    static const uint8_t none[4];
    return address_is_ipv4(address) ? memcmp(address->ip + 12, none, sizeof none) == 0 : address_is_any(address);
}

static bool covers(const struct address *a, const struct address *b)
{
    if (a->port != b->port) return false;
    if (memcmp(a->ip, b->ip, sizeof a->ip) == 0 || (address_is_any(a) || address_is_any(b))) return true;
    return address_is_ipv4(a) == address_is_ipv4(b) && (is_wildcard(a) || is_wildcard(b));
}

static bool find_socket(const char *path, unsigned wanted_state, const struct address *wanted,
                        struct holder *ret_holder)
{
    char line[LINE_BYTES], local[64];
    unsigned port, state;
    bool found = false;
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        struct holder holder;
        if (sscanf(line, " %*u: %33[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*u %*u %" SCNu64, local, &port, &state,
                   &holder.inode) != 4)
            continue;
        holder.address = (struct address){.port = (uint16_t)port};
        if (state != wanted_state || !parse_words(local, &holder.address)) continue;
        found = covers(&holder.address, wanted);
        if (found) *ret_holder = holder;
    }
    if (file) fclose(file);
    return found;
}

/* Whether the process has a descriptor of the socket. */
static bool has_socket(const char *process, uint64_t inode)
{
    char path[LINE_BYTES], target[64], wanted[64];
    bool found = false;
    snprintf(path, sizeof path, "%.256s/fd", process);
    snprintf(wanted, sizeof wanted, "socket:[%" PRIu64 "]", inode);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && !found && (entry = readdir(folder));) {
        ssize_t size = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
        if (size <= 0) continue;
        target[size] = '\0';
        found = strcmp(target, wanted) == 0;
    }
    if (folder) closedir(folder);
    return found;
}

static void read_name(const char *process, char ret_name[static NAME_BYTES])
{
    char path[LINE_BYTES];
    snprintf(path, sizeof path, "%.256s/comm", process);
    FILE *file = fopen(path, "re");
    ret_name[0] = '\0';
    if (!file) return;
    if (fgets(ret_name, NAME_BYTES, file)) ret_name[strcspn(ret_name, "\n")] = '\0';
    printable_mask(ret_name, ""); /* a process names itself */
    fclose(file);
}

static bool find_process(const char *processes, uint64_t inode, char ret_pid[static NAME_BYTES],
                         char ret_name[static NAME_BYTES])
{
    char path[LINE_BYTES];
    bool found = false;
    DIR *folder = opendir(processes);
    for (struct dirent *entry; folder && !found && (entry = readdir(folder));) {
        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        snprintf(path, sizeof path, "%.128s/%.16s", processes, entry->d_name);
        found = has_socket(path, inode);
        if (!found) continue;
        snprintf(ret_pid, NAME_BYTES, "%.16s", entry->d_name);
        read_name(path, ret_name);
    }
    if (folder) closedir(folder);
    return found;
}

/* systemd-resolved listens at 127.0.0.53 and 127.0.0.54 (systemd-resolved.service(8)). */
static bool is_stub(const struct address *address)
{
    static const uint8_t stub[3] = {127, 0, 0};
    return address->port == 53 && address_is_ipv4(address) && memcmp(address->ip + 12, stub, sizeof stub) == 0 &&
           (address->ip[15] == 53 || address->ip[15] == 54);
}

const char *port_holder_in(const struct port_files *files, const struct address *address, enum port_transport transport,
                           char text[static PORT_HOLDER_BYTES])
{
    struct holder holder;
    char pid[NAME_BYTES], name[NAME_BYTES];
    unsigned state = transport == PORT_TCP ? STATE_LISTEN : STATE_UNCONNECTED;
    text[0] = '\0';
    if (!find_socket(files->sockets, state, address, &holder) && !find_socket(files->sockets6, state, address, &holder))
        return text;
    bool is_resolved = is_stub(&holder.address);
    if (find_process(files->processes, holder.inode, pid, name)) {
        is_resolved = is_resolved || strncmp(name, "systemd-resolve", strlen("systemd-resolve")) == 0;
        snprintf(text, PORT_HOLDER_BYTES, "; held by %s (process %s)%s", name, pid, is_resolved ? STUB_REMEDY : "");
    } else if (is_resolved) {
        snprintf(text, PORT_HOLDER_BYTES, "; held by systemd-resolved, as it seems" STUB_REMEDY);
    } else {
        char held[ADDRESS_TEXT_BYTES];
        snprintf(text, PORT_HOLDER_BYTES, "; held by another process, at %s", address_format(&holder.address, held));
    }
    return text;
}

const char *port_holder(const struct address *address, enum port_transport transport,
                        char text[static PORT_HOLDER_BYTES])
{
    static const struct port_files files[] = {
        [PORT_TCP] = {"/proc/self/net/tcp", "/proc/self/net/tcp6", "/proc"},
        [PORT_UDP] = {"/proc/self/net/udp", "/proc/self/net/udp6", "/proc"},
    };
    return port_holder_in(&files[transport], address, transport, text);
}
