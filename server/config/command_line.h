/* command_line: the flags, the help, and what the flags change in a configuration. Main thread only (getopt keeps state
 * of its own). */
#ifndef CONFIG_COMMAND_LINE_H
#define CONFIG_COMMAND_LINE_H

#include <stdbool.h>
#include <stdio.h>

#include "clients/acceptor.h"
#include "config/completion.h"
#include "metrics/counters.h"
#include "upstream/options.h"

struct config;
struct faults;
struct source_location;

/* What --print-config-doc prints, in the order of its words. */
enum config_doc { CONFIG_DOC_NONE, CONFIG_DOC_MARKDOWN, CONFIG_DOC_EXAMPLE, CONFIG_DOC_METRICS };

/* The command line, as given and found to be right; NULL or 0 if a flag was not given. Views of argv. */
struct command_line {
    const char *config_file;
    const char *listen[LISTENERS_MAX];
    unsigned listen_count;
    const char *upstreams[UPSTREAMS_MAX];
    unsigned upstream_count;
    const char *bootstrap[BOOTSTRAP_MAX];
    unsigned bootstrap_count;
    const char *ca_file;
    const char *http;
    const char *workers;
    const char *log_level;
    bool no_state;
    bool check_config;
    const char *query;      /* a name, */
    const char *query_type; /* and its type, or NULL */
    bool print_config;
    bool health_check;
    const char *health_check_address;        /* or NULL: the configured one */
    const char *port_holders[LISTENERS_MAX]; /* addresses of which is told who has them */
    unsigned port_holder_count;
    enum config_doc print_config_doc;
    enum completion_shell print_completion;
    bool version;
    bool help;
};

/* False: usage; every fault was written to `errors` with its flag. Values are checked, too. Of a flag given twice the
 * last value counts; of the flags of lists every value does. */
bool command_line_parse(int argc, char **argv, struct command_line *ret_command, FILE *errors);
void command_line_help(FILE *out);

/* Sets what the flags say; a list replaces the one that `config` has. `locations` as walker_read. A wrong value becomes
 * a fault. */
void command_line_apply(const struct command_line *command, struct config *config, struct source_location *locations,
                        struct faults *faults);

#endif
