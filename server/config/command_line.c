#include "config/command_line.h"

#include <getopt.h>
#include <string.h>

#include "config/faults.h"
#include "config/flags.h"
#include "config/hints.h"
#include "config/misplaced.h"
#include "config/settings.h"
#include "config/suggest.h"
#include "config/value.h"

/* As "--config FILE", "--health-check[=ADDR]" or "-V, --version"; returns `text`. */
enum { SHOWN_BYTES = 64 };
static const char *format_flag(const struct flag *flag, char text[static SHOWN_BYTES])
{
    bool is_optional = flag->argument == optional_argument;
    int used = flag->letter ? snprintf(text, SHOWN_BYTES, "-%c, ", flag->letter) : 0;
    used += snprintf(text + used, SHOWN_BYTES - (size_t)used, "--%s", flag->name);
    if (flag->value) snprintf(text + used, SHOWN_BYTES - (size_t)used, is_optional ? "[=%s]" : " %s", flag->value);
    return text;
}

static void write_flag(const struct flag *flag, FILE *out)
{
    char text[SHOWN_BYTES];
    const char *shown = format_flag(flag, text);
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
    for (int id = 0; id < FLAGS; id++) write_flag(flag_at(id), out);
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

/* Which of the flag's words it is, from 1 on; 0: none. */
static unsigned number_of_word(enum flag_id id, const char *text)
{
    uint64_t index;
    return value_parse_choice(text, flag_at(id)->words, &index) == VALUE_OK ? (unsigned)index + 1 : 0;
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
    case FLAG_BOOTSTRAP:
        return keep(command->bootstrap, &command->bootstrap_count, BOOTSTRAP_MAX, text) ? NULL
                                                                                        : "more than 8 are given";
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
    case FLAG_HOLDER_OF:
        return keep(command->port_holders, &command->port_holder_count, LISTENERS_MAX, text) ? NULL
                                                                                             : "more than 16 are given";
    case FLAG_PRINT_CONFIG_DOC:
        command->print_config_doc = (enum config_doc)number_of_word(id, text);
        return command->print_config_doc ? NULL : "markdown, example or metrics is wanted";
    case FLAG_PRINT_COMPLETION:
        command->print_completion = (enum completion_shell)number_of_word(id, text);
        return command->print_completion ? NULL : "bash, zsh or fish is wanted";
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

static void apply_texts(const struct target *target, enum flag_id id, const char *const *texts, unsigned count)
{
    struct settings settings = settings_of_config();
    const struct setting *setting = settings_find(settings, flag_at(id)->setting);
    const struct source_location location = {.flag = flag_at(id)->name};
    if (count == 0) return;
    setting_clear(setting, target->config);
    target->locations[setting - settings.rows] = location;
    for (unsigned i = 0; i < count; i++) {
        char why[SETTING_WHY_BYTES], hint[HINT_BYTES];
        if (setting_set(setting, target->config, texts[i], why)) continue;
        faults_add(target->faults, &location, "%s%s", why, suggest_hint(setting, texts[i], hint));
    }
}

void command_line_apply(const struct command_line *command, struct config *config, struct source_location *locations,
                        struct faults *faults)
{
    const struct target target = {config, locations, faults};
    apply_texts(&target, FLAG_LISTEN, command->listen, command->listen_count);
    apply_texts(&target, FLAG_UPSTREAM, command->upstreams, command->upstream_count);
    apply_texts(&target, FLAG_BOOTSTRAP, command->bootstrap, command->bootstrap_count);
    apply_texts(&target, FLAG_CA_FILE, &command->ca_file, command->ca_file != NULL);
    apply_texts(&target, FLAG_HTTP, &command->http, command->http != NULL);
    apply_texts(&target, FLAG_WORKERS, &command->workers, command->workers != NULL);
    apply_texts(&target, FLAG_LOG_LEVEL, &command->log_level, command->log_level != NULL);
    config->state.is_off = command->no_state;
}

/* Of a flag that sets nothing. */
static void check_address(enum flag_id id, const char *text, struct faults *faults)
{
    enum { HTTP_PORT = 5000, DNS_PORT = 53 };
    const struct source_location location = {.flag = flag_at(id)->name};
    char quoted[FAULT_QUOTE_BYTES], hint[HINT_BYTES];
    struct address address;
    if (address_parse(text, 0, &address)) return;
    bool of_host = id == FLAG_HEALTH_CHECK;
    hint_for_address(text, of_host ? HTTP_PORT : DNS_PORT, of_host, hint);
    faults_add(faults, &location, "%s is not IP:PORT or [IP6]:PORT%s", fault_quote(text, quoted), hint);
}

/* Values are tried on a configuration that nobody uses. */
static void check_values(const struct command_line *command, struct faults *faults)
{
    struct config config = {.workers = 0};
    struct source_location locations[SETTINGS_MAX];
    command_line_apply(command, &config, locations, faults);
    if (command->health_check_address) check_address(FLAG_HEALTH_CHECK, command->health_check_address, faults);
    for (unsigned i = 0; i < command->port_holder_count; i++)
        check_address(FLAG_HOLDER_OF, command->port_holders[i], faults);
}

/* getopt's numbers of our flags; below it are letters. */
enum { LONG_FLAGS = 256 };

static int next_flag(int argc, char **argv)
{
    struct option options[FLAGS + 1] = {{.name = NULL}};
    char letters[2 + FLAGS + 1] = "+:"; /* stops at what is no flag; leaves errors to us */
    size_t count = 2;
    for (int i = 0; i < FLAGS; i++) {
        const struct flag *flag = flag_at(i);
        options[i] = (struct option){flag->name, flag->argument, NULL, LONG_FLAGS + i};
        if (flag->letter) letters[count++] = flag->letter;
    }
    return getopt_long(argc, argv, letters, options, NULL);
}

/* The number of the flag whose short form getopt found. */
static int number_of_letter(int letter)
{
    int id = 0;
    while (flag_at(id)->letter != letter) id++;
    return LONG_FLAGS + id;
}

/* What other programs call our flags. */
static const struct {
    const char *word;
    const char *flag;
} foreign_flags[] = {
    {"port", "listen IP:PORT"},      {"bind", "listen IP:PORT"},   {"address", "listen IP:PORT"},
    {"verbose", "log-level debug"},  {"debug", "log-level debug"}, {"quiet", "log-level error"},
    {"test-config", "check-config"}, {"conf", "config FILE"},      {"metrics", "http IP:PORT"},
};

/* The flag that a letter may stand for: the first that begins with it. */
static const char *flag_of_letter(char letter)
{
    for (size_t i = 0; i < FLAGS; i++)
        if (flag_at((int)i)->name[0] == letter) return flag_at((int)i)->name;
    return NULL;
}

/* What the operator may have meant with `word`, "--listen" or the key of a setting; false: nothing is known. */
static bool find_meant(const char *word, bool is_long, char text[static HINT_BYTES])
{
    char key[2 * HINT_WORD_BYTES];
    struct hint hint = hint_begin(word);
    const char *flag = strlen(word) == 1 ? flag_of_letter(word[0]) : NULL;
    for (size_t i = 0; i < FLAGS; i++) hint_offer(&hint, flag_at((int)i)->name);
    bool is_exact = is_long && hint.edits == 0; /* a flag behind "--", which ends the flags */
    if (hint.found[0] && !is_exact) flag = hint.found;
    for (size_t i = 0; i < sizeof foreign_flags / sizeof *foreign_flags && !flag; i++)
        if (strcmp(foreign_flags[i].word, word) == 0) flag = foreign_flags[i].flag;
    if (flag) {
        snprintf(text, HINT_BYTES, "did you mean --%s?", flag);
        return true;
    }
    size_t size = strlen(word);
    if (is_exact || !is_long || size >= sizeof key) return false;
    for (size_t i = 0; i <= size; i++) key[i] = (char)(word[i] == '-' ? '_' : word[i]);
    const struct setting *setting = settings_find(settings_of_config(), key);
    if (!setting && !misplaced_key(settings_of_config(), "", key, text)[0]) return false;
    if (setting) snprintf(text, HINT_BYTES, "'%s' is a setting of the file (--config FILE)", key);
    return true;
}

static bool is_yaml_file(const char *argument)
{
    const char *dot = strrchr(argument, '.');
    return argument[0] != '-' && dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

/* Refuses what is no flag, and names what it may be meant to be. */
static void refuse_argument(struct faults *faults, const char *what, const char *argument)
{
    char quoted[FAULT_QUOTE_BYTES], word[2 * HINT_WORD_BYTES], meant[HINT_BYTES];
    const char *name = argument + strspn(argument, "-");
    snprintf(word, sizeof word, "%.*s", (int)strcspn(name, "="), name);
    fault_quote(argument, quoted);
    if (is_yaml_file(argument))
        faults_add(faults, NULL, "%s %s; did you mean --config %s?", what, quoted, quoted);
    else if (find_meant(word, strncmp(argument, "--", 2) == 0, meant))
        faults_add(faults, NULL, "%s %s; %s", what, quoted, meant);
    else
        faults_add(faults, NULL, "%s %s", what, quoted);
}

/* `argument` is the element of argv that getopt looked at. */
static void read_flag(struct command_line *command, int id, const char *argument, struct faults *faults)
{
    if (id < LONG_FLAGS && id != '?' && id != ':') id = number_of_letter(id);
    if (id == '?' && optopt < LONG_FLAGS) {
        refuse_argument(faults, "unknown flag", argument);
    } else {
        struct source_location location = {.flag = flag_at((id == '?' || id == ':' ? optopt : id) - LONG_FLAGS)->name};
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
