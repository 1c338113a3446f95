#include "config/command_line.h"

#include <getopt.h>
#include <string.h>

#include "config/faults.h"
#include "config/hints.h"
#include "config/settings.h"
#include "config/value.h"

enum flag_id {
    FLAG_CONFIG,
    FLAG_LISTEN,
    FLAG_UPSTREAM,
    FLAG_CA_FILE,
    FLAG_HTTP,
    FLAG_WORKERS,
    FLAG_LOG_LEVEL,
    FLAG_NO_STATE,
    FLAG_CHECK_CONFIG,
    FLAG_PRINT_CONFIG,
    FLAG_HEALTH_CHECK,
    FLAG_QUERY,
    FLAG_PRINT_CONFIG_DOC,
    FLAG_VERSION,
    FLAG_HELP,
    FLAGS
};

struct flag {
    const char *name;
    int argument; /* of getopt_long(3) */
    const char *shown;
    const char *help; /* a line, or more with '\n' between them */
};

static const struct flag flags[FLAGS] = {
    [FLAG_CONFIG] = {"config", required_argument, "--config FILE", "read the settings from FILE (YAML)"},
    [FLAG_LISTEN] = {"listen", required_argument, "--listen ADDR",
                     "answer clients at ADDR; may be given several times"},
    [FLAG_UPSTREAM] = {"upstream", required_argument, "--upstream ADDR#NAME",
                       "ask the DNS-over-TLS server at ADDR (port 853 where none is\n"
                       "given), whose certificate bears NAME; may be given several\n"
                       "times, in order of preference"},
    [FLAG_CA_FILE] = {"ca-file", required_argument, "--ca-file FILE",
                      "trust the certificates in FILE (PEM), not the system's"},
    [FLAG_HTTP] = {"http", required_argument, "--http ADDR",
                   "metrics and health checks at ADDR; \"\" switches them off"},
    [FLAG_WORKERS] = {"workers", required_argument, "--workers N", "worker threads, 1..64 or auto"},
    [FLAG_LOG_LEVEL] = {"log-level", required_argument, "--log-level LEVEL", "error, warning, info or debug"},
    [FLAG_NO_STATE] = {"no-state", no_argument, "--no-state",
                       "start without what an earlier run has kept, and keep nothing"},
    [FLAG_CHECK_CONFIG] = {"check-config", no_argument, "--check-config",
                           "name every fault of the configuration, then exit: 0, or 1"},
    [FLAG_PRINT_CONFIG] = {"print-config", no_argument, "--print-config",
                           "print the configuration in force (file, flags and defaults\n"
                           "together) as a file, then exit: 0, or 1"},
    [FLAG_HEALTH_CHECK] = {"health-check", optional_argument, "--health-check[=ADDR]",
                           "ask a running instance (at ADDR, or where the configuration\n"
                           "has its HTTP) whether it is ready, then exit: 0, or 1"},
    [FLAG_QUERY] = {"query", required_argument, "--query NAME [TYPE]",
                    "print what the configuration does with NAME (of TYPE, or A),\n"
                    "then exit; sends nothing; must be the last flag where TYPE is\n"
                    "given"},
    [FLAG_PRINT_CONFIG_DOC] = {"print-config-doc", required_argument, "--print-config-doc=FORM",
                               "print all settings (markdown), an example file (example), or\n"
                               "all metrics (metrics)"},
    [FLAG_VERSION] = {"version", no_argument, "-V, --version", "print the version"},
    [FLAG_HELP] = {"help", no_argument, "-h, --help", "print this"},
};

static void write_flag(const struct flag *flag, FILE *out)
{
    const char *shown = flag->shown;
    for (const char *line = flag->help; *line;) {
        int size = (int)strcspn(line, "\n");
        fprintf(out, "  %-25s %.*s\n", shown, size, line);
        line += size + (line[size] == '\n');
        shown = "";
    }
}

void command_line_help(FILE *out)
{
    fputs("Usage: dns-tls-proxy [FLAG]...\n"
          "Answers DNS over UDP and TCP by asking DNS-over-TLS servers, Cloudflare's by default.\n\n"
          "Flags, which win over the file:\n",
          out);
    for (size_t i = 0; i < FLAGS; i++) write_flag(&flags[i], out);
    fputs("\n"
          "ADDR is IP:PORT or [IP6]:PORT. Without a file and flags: clients are answered at\n"
          "127.0.0.1:8853 and [::1]:8853, HTTP is at 127.0.0.1:5000.\n\n"
          "Signals: TERM and INT answer what is in flight, then stop (a second one stops at\n"
          "once); HUP reads the configuration again.\n"
          "Exit status: 0 stopped as asked, 1 configuration or start-up failure, 2 usage.\n\n"
          "Examples:\n"
          "  dns-tls-proxy\n"
          "  dns-tls-proxy --config /etc/dns-tls-proxy/dns-tls-proxy.yaml --check-config\n"
          "  dns-tls-proxy --listen 0.0.0.0:8853 --upstream 9.9.9.9#dns.quad9.net\n"
          "  dns-tls-proxy --upstream '[2606:4700:4700::1111]:853#cloudflare-dns.com'\n"
          "  dns-tls-proxy --health-check=127.0.0.1:5000\n"
          "  dns-tls-proxy --print-config-doc=example > dns-tls-proxy.yaml\n",
          out);
}

static bool keep(const char **list, unsigned *count, unsigned max, const char *text)
{
    if (*count == max) return false;
    list[(*count)++] = text;
    return true;
}

static bool keep_config_doc(struct command_line *command, const char *text)
{
    uint64_t index;
    if (value_parse_choice(text, "markdown example metrics", &index) != VALUE_OK) return false;
    command->print_config_doc = (enum config_doc)(CONFIG_DOC_MARKDOWN + index);
    return true;
}

/* NULL, or what is wrong. */
static const char *keep_flag(struct command_line *command, enum flag_id id, const char *text)
{
    switch (id) {
    case FLAG_CONFIG: command->config_file = text; return *text ? NULL : "a file is wanted";
    case FLAG_LISTEN:
        return keep(command->listen, &command->listen_count, LISTENERS_MAX, text) ? NULL : "more than 16 are given";
    case FLAG_UPSTREAM:
        return keep(command->upstreams, &command->upstream_count, UPSTREAMS_MAX, text) ? NULL
                                                                                       : "more than 16 are given";
    case FLAG_CA_FILE: command->ca_file = text; break;
    case FLAG_HTTP: command->http = text; break;
    case FLAG_WORKERS: command->workers = text; break;
    case FLAG_LOG_LEVEL: command->log_level = text; break;
    case FLAG_NO_STATE: command->no_state = true; break;
    case FLAG_CHECK_CONFIG: command->check_config = true; break;
    case FLAG_PRINT_CONFIG: command->print_config = true; break;
    case FLAG_HEALTH_CHECK:
        command->health_check = true;
        command->health_check_address = text;
        break;
    case FLAG_QUERY: command->query = text; break;
    case FLAG_PRINT_CONFIG_DOC: return keep_config_doc(command, text) ? NULL : "markdown, example or metrics is wanted";
    case FLAG_VERSION: command->version = true; break;
    case FLAG_HELP: command->help = true; break;
    case FLAGS: break;
    }
    return NULL;
}

/* Where the values of flags go. */
struct target {
    struct config *config;
    struct source_location *locations; /* as settings_of_config */
    struct faults *faults;
};

static void apply_texts(const struct target *target, enum flag_id id, const char *key, const char *const *texts,
                        unsigned count)
{
    struct settings settings = settings_of_config();
    const struct setting *setting = settings_find(settings, key);
    const struct source_location location = {.flag = flags[id].name};
    if (count == 0) return;
    setting_clear(setting, target->config);
    target->locations[setting - settings.rows] = location;
    for (unsigned i = 0; i < count; i++) {
        char why[SETTING_WHY_BYTES];
        if (!setting_set(setting, target->config, texts[i], why)) faults_add(target->faults, &location, "%s", why);
    }
}

void command_line_apply(const struct command_line *command, struct config *config, struct source_location *locations,
                        struct faults *faults)
{
    const struct target target = {config, locations, faults};
    apply_texts(&target, FLAG_LISTEN, "listen", command->listen, command->listen_count);
    apply_texts(&target, FLAG_UPSTREAM, "upstreams", command->upstreams, command->upstream_count);
    apply_texts(&target, FLAG_CA_FILE, "tls.ca_file", &command->ca_file, command->ca_file != NULL);
    apply_texts(&target, FLAG_HTTP, "http.listen", &command->http, command->http != NULL);
    apply_texts(&target, FLAG_WORKERS, "workers", &command->workers, command->workers != NULL);
    apply_texts(&target, FLAG_LOG_LEVEL, "log.level", &command->log_level, command->log_level != NULL);
    config->state.is_off = command->no_state;
}

/* Values are tried on a configuration that nobody uses. */
static void check_values(const struct command_line *command, struct faults *faults)
{
    struct config config = {.workers = 0};
    struct source_location locations[SETTINGS_MAX];
    command_line_apply(command, &config, locations, faults);
    const struct source_location location = {.flag = flags[FLAG_HEALTH_CHECK].name};
    char quoted[FAULT_QUOTE_BYTES];
    struct address address;
    const char *text = command->health_check_address;
    if (text && !address_parse(text, 0, &address))
        faults_add(faults, &location, "%s is not IP:PORT or [IP6]:PORT", fault_quote(text, quoted));
}

/* getopt's numbers of our flags; below it are letters. */
enum { LONG_FLAGS = 256 };

static int next_flag(int argc, char **argv)
{
    struct option options[FLAGS + 1] = {{.name = NULL}};
    for (int i = 0; i < FLAGS; i++)
        options[i] = (struct option){flags[i].name, flags[i].argument, NULL, LONG_FLAGS + i};
    return getopt_long(argc, argv, "+:hV", options, NULL); /* stops at what is no flag; leaves errors to us */
}

/* Refuses what is no flag, and names the flag that it is near to. */
static void refuse_argument(struct faults *faults, const char *what, const char *argument)
{
    char quoted[FAULT_QUOTE_BYTES];
    char word[2 * HINT_WORD_BYTES];
    const char *name = argument + strspn(argument, "-");
    snprintf(word, sizeof word, "%.*s", (int)strcspn(name, "="), name);
    struct hint hint = hint_begin(word);
    for (size_t i = 0; i < FLAGS; i++) hint_offer(&hint, flags[i].name);
    fault_quote(argument, quoted);
    bool is_exact = strncmp(argument, "--", 2) == 0 && hint.edits == 0; /* a flag behind "--", which ends the flags */
    if (hint.found[0] && !is_exact)
        faults_add(faults, NULL, "%s %s; did you mean --%s?", what, quoted, hint.found);
    else
        faults_add(faults, NULL, "%s %s", what, quoted);
}

/* `argument` is the element of argv that getopt looked at. */
static void read_flag(struct command_line *command, int id, const char *argument, struct faults *faults)
{
    if (id == 'h') id = LONG_FLAGS + FLAG_HELP;
    if (id == 'V') id = LONG_FLAGS + FLAG_VERSION;
    if (id == '?' && optopt < LONG_FLAGS) {
        refuse_argument(faults, "unknown flag", argument);
    } else {
        struct source_location location = {.flag = flags[(id == '?' || id == ':' ? optopt : id) - LONG_FLAGS].name};
        const char *wrong = id == '?'   ? "takes no value"
                            : id == ':' ? "wants a value"
                                        : keep_flag(command, (enum flag_id)(id - LONG_FLAGS), optarg);
        if (wrong) faults_add(faults, &location, "%s", wrong);
    }
}

/* Of a long flag that was given with one hyphen getopt makes letters; it is refused once. */
static void read_flags(int argc, char **argv, struct command_line *command, struct faults *faults)
{
    int refused = 0; /* the last element of argv that was refused */
    optind = 0;      /* start again (glibc), whoever used getopt before */
    for (int id, index = 1; (id = next_flag(argc, argv)) != -1; index = optind) {
        if (index == refused) continue;
        read_flag(command, id, argv[index], faults);
        if (id == '?') refused = index;
    }
}

bool command_line_parse(int argc, char **argv, struct command_line *ret_command, FILE *errors)
{
    struct command_line command = {.config_file = NULL};
    struct faults faults = {.file = "dns-tls-proxy", .out = errors};
    read_flags(argc, argv, &command, &faults);
    if (command.query && optind < argc) command.query_type = argv[optind++];
    if (optind < argc) refuse_argument(&faults, "unexpected argument", argv[optind]);
    check_values(&command, &faults);
    if (faults.count > 0) {
        fputs("Try 'dns-tls-proxy --help'.\n", errors);
        return false;
    }
    *ret_command = command;
    return true;
}
