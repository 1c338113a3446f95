/* hosts_file: the file of names.hosts_file, read into the names that are answered from it. Main thread only. */
#ifndef APP_HOSTS_FILE_H
#define APP_HOSTS_FILE_H

#include <stdbool.h>

#include "common/log.h"
#include "queries/names.h"

/* Larger files are not read. */
enum { HOSTS_FILE_BYTES = 64 * 1024 * 1024 };

/* Adds A, AAAA and PTR records of the file; those of the configuration must be there already. A line that is bad is
 * logged and skipped. In place of a file that cannot be read (missing, no regular file, not permitted, too large) the
 * records are added that `former`, which may be NULL, has of it; that is logged. False: memory is short. */
bool hosts_file_add(const char *path, struct names *names, const struct names *former, const struct log *log);

#endif
