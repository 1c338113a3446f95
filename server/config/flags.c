#include "config/flags.h"

#include <getopt.h>
#include <stddef.h>

#include "config/settings.h"

static const struct flag flags[FLAGS] = {
    [FLAG_CONFIG] = {.name = "config",
                     .argument = required_argument,
                     .value = "FILE",
                     .help = "read the settings from FILE (YAML)",
                     .is_file = true},
    [FLAG_LISTEN] = {.name = "listen",
                     .argument = required_argument,
                     .value = "ADDR",
                     .help = "answer clients at ADDR; may be given several times",
                     .setting = "listen",
                     .is_list = true},
    [FLAG_UPSTREAM] = {.name = "upstream",
                       .argument = required_argument,
                       .value = "ADDR#NAME",
                       .help = "ask the DNS-over-TLS server at ADDR (port 853 where none is\n"
                               "given), whose certificate bears NAME; may be given several\n"
                               "times, in order of preference; NAME alone: its addresses are\n"
                               "looked up, see --bootstrap",
                       .setting = "upstreams",
                       .is_list = true},
    [FLAG_BOOTSTRAP] = {.name = "bootstrap",
                        .argument = required_argument,
                        .value = "ADDR[#NAME]",
                        .help = "ask this server (with #NAME over TLS) for the addresses of\n"
                                "upstreams given by name alone; may be given several times",
                        .setting = "bootstrap",
                        .is_list = true},
    [FLAG_CA_FILE] = {.name = "ca-file",
                      .argument = required_argument,
                      .value = "FILE",
                      .help = "trust the certificates in FILE (PEM), not the system's",
                      .setting = "tls.ca_file",
                      .is_file = true},
    [FLAG_HTTP] = {.name = "http",
                   .argument = required_argument,
                   .value = "ADDR",
                   .help = "metrics and health checks at ADDR; \"\" switches them off",
                   .setting = "http.listen"},
    [FLAG_WORKERS] = {.name = "workers",
                      .argument = required_argument,
                      .value = "N",
                      .help = "worker threads, 1..64 or auto",
                      .setting = "workers",
                      .words = "auto"},
    [FLAG_LOG_LEVEL] = {.name = "log-level",
                        .argument = required_argument,
                        .value = "LEVEL",
                        .help = "error, warning, info or debug",
                        .setting = "log.level"},
    [FLAG_NO_STATE] = {.name = "no-state",
                       .argument = no_argument,
                       .help = "start without what an earlier run has kept, and keep nothing"},
    [FLAG_CHECK_CONFIG] = {.name = "check-config",
                           .argument = no_argument,
                           .help = "name every fault of the configuration, then exit: 0, or 1"},
    [FLAG_PRINT_CONFIG] = {.name = "print-config",
                           .argument = no_argument,
                           .help = "print the configuration in force (file, flags and defaults\n"
                                   "together) as a file, then exit: 0, or 1"},
    [FLAG_HEALTH_CHECK] = {.name = "health-check",
                           .argument = optional_argument,
                           .value = "ADDR",
                           .help = "ask a running instance (at ADDR, or where the configuration\n"
                                   "has its HTTP) whether it is ready, then exit: 0, or 1"},
    [FLAG_QUERY] = {.name = "query",
                    .argument = required_argument,
                    .value = "NAME [TYPE]",
                    .help = "print what the configuration does with NAME (of TYPE, or A),\n"
                            "then exit; sends nothing; must be the last flag where TYPE is\n"
                            "given"},
    [FLAG_HOLDER_OF] = {.name = "holder-of",
                        .argument = required_argument,
                        .value = "ADDR",
                        .help = "print which process has the port at ADDR, over TCP and UDP,\n"
                                "then exit: 1, or 0 if it is free; may be given several times",
                        .is_list = true},
    [FLAG_PRINT_CONFIG_DOC] = {.name = "print-config-doc",
                               .argument = required_argument,
                               .value = "FORM",
                               .help = "print all settings (markdown), an example file (example), or\n"
                                       "all metrics (metrics)",
                               .words = "markdown example metrics"},
    [FLAG_PRINT_COMPLETION] = {.name = "print-completion",
                               .argument = required_argument,
                               .value = "SHELL",
                               .help = "print the completion of these flags for bash, zsh or fish",
                               .words = "bash zsh fish"},
    [FLAG_VERSION] = {.name = "version", .letter = 'V', .argument = no_argument, .help = "print the version"},
    [FLAG_HELP] = {.name = "help", .letter = 'h', .argument = no_argument, .help = "print this"},
};

const struct flag *flag_at(enum flag_id id)
{
    return &flags[id];
}

const char *flag_words(const struct flag *flag)
{
    if (flag->words) return flag->words;
    if (!flag->setting) return "";
    const struct setting *setting = settings_find(settings_of_config(), flag->setting);
    return setting->kind == SETTING_CHOICE ? setting->words : "";
}
