/* manual: the settings for people, written from the table: docs/CONFIG.md and an example file. Main thread only. */
#ifndef CONFIG_MANUAL_H
#define CONFIG_MANUAL_H

#include <stdio.h>

/* docs/CONFIG.md, to the last byte. */
void manual_write_markdown(FILE *out);

/* A configuration file with every setting at its default and commented out ("# "), so that what is not touched follows
 * the program's defaults; its help is written above it ("## "). */
void manual_write_example(FILE *out);

#endif
