#include "sandbox/identity.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

bool identity_forbid_new_privileges(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* A number that is a user; (uid_t)-1 means "no change" to the kernel. */
static bool parse_number(const char *text, uid_t *ret_number)
{
    if (*text == '\0' || strspn(text, "0123456789") != strlen(text)) return false;
    errno = 0;
    unsigned long number = strtoul(text, NULL, 10);
    if (errno != 0 || number >= UINT32_MAX) return false;
    *ret_number = (uid_t)number;
    return true;
}

bool identity_find(const char *user, struct identity *ret_identity, char ret_why[static IDENTITY_WHY_BYTES])
{
    struct identity identity = {.group_count = 0};
    bool is_number = parse_number(user, &identity.user);
    errno = 0;
    const struct passwd *entry = is_number ? getpwuid(identity.user) : getpwnam(user);
    if (!entry && !is_number) {
        snprintf(ret_why, IDENTITY_WHY_BYTES, "'user': there is no user '%s'%s%s", user, errno ? ": " : "",
                 errno ? strerror(errno) : "");
        return false;
    }
    identity.group = (gid_t)identity.user;
    if (entry) {
        int count = IDENTITY_GROUPS_MAX;
        identity.user = entry->pw_uid;
        identity.group = entry->pw_gid;
        if (getgrouplist(entry->pw_name, entry->pw_gid, identity.groups, &count) < 0) {
            snprintf(ret_why, IDENTITY_WHY_BYTES, "'user': '%s' is in %d groups; at most %d are allowed", user, count,
                     IDENTITY_GROUPS_MAX);
            return false;
        }
        identity.group_count = (size_t)count;
    }
    *ret_identity = identity;
    return true;
}

void identity_drop_bounds(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    if (syscall(SYS_capget, &header, sets) != 0) return;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) sets[i].inheritable = 0;
    syscall(SYS_capset, &header, sets);
}

/* The C library changes all threads. With its user no longer 0 in any way, a thread loses its permitted, effective and
 * ambient capabilities (capabilities(7)). */
bool identity_take(const struct identity *identity)
{
    if (setgroups(identity->group_count, identity->groups) != 0) return false;
    if (setresgid(identity->group, identity->group, identity->group) != 0) return false;
    if (setresuid(identity->user, identity->user, identity->user) != 0) return false;
    errno = EPERM;
    return setuid(0) != 0; /* there is no way back */
}
