/* directory: the files of the state in their directory: the snapshot, and the one that is being written.
 *
 * A new snapshot is written to a file of its own, which takes the place of the former one only when its bytes are on
 * the disk, so that there is always one complete snapshot or none. Both belong to the program's user and are readable
 * by no other. What is in their place and is not a regular file of ours is never read: others could have put it there.
 * Each function that fails says why in `ret_why`. Any thread. */
#ifndef STATE_DIRECTORY_H
#define STATE_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "state/options.h"
#include "state/pace.h"

enum { DIRECTORY_WHY_BYTES = 160 };

/* The directory of the options or, where they have none, the first one of $STATE_DIRECTORY. False: nothing is kept. */
bool directory_find(const struct state_options *options, char ret_path[static STATE_PATH_MAX]);

/* The snapshot; NULL with "" if there is none, also where the directory cannot be opened: directory_create says that.
 */
FILE *directory_open(const char *path, char ret_why[static DIRECTORY_WHY_BYTES]);

/* A new file for a snapshot, in place of one that was not finished; makes the directory (mode 0700) if it is missing.
 */
FILE *directory_create(const char *path, char ret_why[static DIRECTORY_WHY_BYTES]);

/* Makes the new file the snapshot, once its bytes are on the disk, and closes it. With `pace` its pages leave the
 * system's cache; NULL: it will be read soon. False also if the file was removed meanwhile (directory_empty): then
 * `ret_why` is "". */
bool directory_publish(const char *path, FILE *file, struct pace *pace, char ret_why[static DIRECTORY_WHY_BYTES]);

/* Closes and removes the new file. */
void directory_discard(const char *path, FILE *file);

/* Removes both files. A new one that is being written does not come to be the snapshot. True if they are gone. */
bool directory_empty(const char *path, char ret_why[static DIRECTORY_WHY_BYTES]);

#endif
