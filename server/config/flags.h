/* flags: the flags of the command line as a table. The parser, --help and the completion for shells come from it.
 *
 * To add a flag: a row in flags.c, a field of struct command_line that keeps it, and its lines in the manual page.
 * Pure; any thread. */
#ifndef CONFIG_FLAGS_H
#define CONFIG_FLAGS_H

#include <stdbool.h>

/* In the order of --help. */
enum flag_id {
    FLAG_CONFIG,
    FLAG_LISTEN,
    FLAG_UPSTREAM,
    FLAG_BOOTSTRAP,
    FLAG_CA_FILE,
    FLAG_HTTP,
    FLAG_WORKERS,
    FLAG_LOG_LEVEL,
    FLAG_NO_STATE,
    FLAG_CHECK_CONFIG,
    FLAG_PRINT_CONFIG,
    FLAG_HEALTH_CHECK,
    FLAG_QUERY,
    FLAG_HOLDER_OF,
    FLAG_PRINT_CONFIG_DOC,
    FLAG_PRINT_COMPLETION,
    FLAG_VERSION,
    FLAG_HELP,
    FLAGS
};

struct flag {
    const char *name;
    char letter;         /* of its short form; 0: it has none */
    int argument;        /* of getopt_long(3): no_argument, required_argument, optional_argument */
    const char *value;   /* how its value is called, as "FILE"; NULL: it takes none */
    const char *help;    /* a line, or more with '\n' between them */
    const char *setting; /* the key of the setting that it sets, or NULL */
    const char *words;   /* values that it may have, a space between them; NULL: others, or those of its setting */
    bool is_list;        /* counts each time it is given; the last value of another flag counts alone */
    bool is_file;        /* its value is the path of a file */
};

const struct flag *flag_at(enum flag_id id);

/* The values that a shell can offer, a space between them; "" if there is no list of them. */
const char *flag_words(const struct flag *flag);

#endif
