#include "metrics/process.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"

/* What we want of /proc/self/stat (proc(5)), and which of its fields it is. */
struct process_stat {
    unsigned long long threads;        /* 20 */
    unsigned long long started_ticks;  /* 22 */
    unsigned long long virtual_bytes;  /* 23 */
    unsigned long long resident_pages; /* 24 */
};

enum { FIELDS = 24, FIRST_BEHIND_NAME = 3 };

/* The command's name, field 2, may hold anything, also parentheses and spaces: what follows the last parenthesis is in
 * order. */
static bool stat_parse(const char *line, struct process_stat *ret_stat)
{
    unsigned long long fields[FIELDS + 1];
    const char *at = strrchr(line, ')');
    if (!at) return false;
    for (int i = FIRST_BEHIND_NAME; i <= FIELDS; i++) {
        at = strchr(at, ' ');
        if (!at) return false;
        fields[i] = strtoull(++at, NULL, 10);
    }
    *ret_stat = (struct process_stat){fields[20], fields[22], fields[23], fields[24]};
    return true;
}

static bool stat_read(struct process_stat *ret_stat)
{
    char line[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file) return false;
    bool read = fgets(line, sizeof line, file);
    fclose(file);
    return read && stat_parse(line, ret_stat);
}

/* Since Linux 6.2 the folder's size is the number of descriptors; before, they are counted one by one. */
static double open_fds(void)
{
    struct stat status;
    if (stat("/proc/self/fd", &status) == 0 && status.st_size > 0) return (double)status.st_size;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder) return 0;
    unsigned count = 0;
    for (const struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.') count++;
    closedir(folder);
    return count - 1; /* the folder's own */
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

void process_read(struct figures *figures)
{
    struct process_stat stat;
    if (stat_read(&stat)) {
        figures->process_threads = (double)stat.threads;
        figures->process_virtual_bytes = (double)stat.virtual_bytes;
        figures->process_resident_bytes = (double)stat.resident_pages * (double)sysconf(_SC_PAGESIZE);
    }
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0) figures->process_cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) figures->process_max_fds = (double)limit.rlim_cur;
    figures->process_open_fds = open_fds();
}

double process_started_s(void)
{
    struct process_stat stat;
    if (!stat_read(&stat)) return 0;
    double age_s = (double)clock_now_ns() / 1e9 - (double)stat.started_ticks / (double)sysconf(_SC_CLK_TCK);
    return (double)clock_wall_s() - age_s;
}
