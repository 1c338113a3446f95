#include "config/flags.h"

#include <getopt.h>
#include <stddef.h>

#include "config/settings.h"

static const struct flag flags[FLAGS] = {
    [FLAG_CONFIG] = {"config", 0, required_argument, "FILE", "read the settings from FILE (YAML)", .is_file = true},
    [FLAG_LISTEN] = {"listen", 0, required_argument, "ADDR", "answer clients at ADDR; may be given several times",
                     "listen", .is_list = true},
    [FLAG_UPSTREAM] = {"upstream", 0, required_argument, "ADDR#NAME",
                       "ask the DNS-over-TLS server at ADDR (port 853 where none is\n"
                       "given), whose certificate bears NAME; may be given several\n"
                       "times, in order of preference; NAME alone: its addresses are\n"
                       "looked up, see --bootstrap",
                       "upstreams", .is_list = true},
    [FLAG_BOOTSTRAP] = {"bootstrap", 0, required_argument, "ADDR[#NAME]",
                        "ask this server (with #NAME over TLS) for the addresses of\n"
                        "upstreams given by name alone; may be given several times",
                        "bootstrap", .is_list = true},
    [FLAG_CA_FILE] = {"ca-file", 0, required_argument, "FILE", "trust the certificates in FILE (PEM), not the system's",
                      "tls.ca_file", .is_file = true},
    [FLAG_HTTP] = {"http", 0, required_argument, "ADDR", "metrics and health checks at ADDR; \"\" switches them off",
                   "http.listen"},
    [FLAG_WORKERS] = {"workers", 0, required_argument, "N", "worker threads, 1..64 or auto", "workers", "auto"},
    [FLAG_LOG_LEVEL] = {"log-level", 0, required_argument, "LEVEL", "error, warning, info or debug", "log.level"},
    [FLAG_NO_STATE] = {"no-state", 0, no_argument, NULL,
                       "start without what an earlier run has kept, and keep nothing"},
    [FLAG_CHECK_CONFIG] = {"check-config", 0, no_argument, NULL,
                           "name every fault of the configuration, then exit: 0, or 1"},
    [FLAG_PRINT_CONFIG] = {"print-config", 0, no_argument, NULL,
                           "print the configuration in force (file, flags and defaults\n"
                           "together) as a file, then exit: 0, or 1"},
    [FLAG_HEALTH_CHECK] = {"health-check", 0, optional_argument, "ADDR",
                           "ask a running instance (at ADDR, or where the configuration\n"
                           "has its HTTP) whether it is ready, then exit: 0, or 1"},
    [FLAG_QUERY] = {"query", 0, required_argument, "NAME [TYPE]",
                    "print what the configuration does with NAME (of TYPE, or A),\n"
                    "then exit; sends nothing; must be the last flag where TYPE is\n"
                    "given"},
    [FLAG_HOLDER_OF] = {"holder-of", 0, required_argument, "ADDR",
                        "print which process has the port at ADDR, over TCP and UDP,\n"
                        "then exit: 1, or 0 if it is free; may be given several times",
                        .is_list = true},
    [FLAG_PRINT_CONFIG_DOC] = {"print-config-doc", 0, required_argument, "FORM",
                               "print all settings (markdown), an example file (example), or\n"
                               "all metrics (metrics)",
                               .words = "markdown example metrics"},
    [FLAG_PRINT_COMPLETION] = {"print-completion", 0, required_argument, "SHELL",
                               "print the completion of these flags for bash, zsh or fish", .words = "bash zsh fish"},
    [FLAG_VERSION] = {"version", 'V', no_argument, NULL, "print the version"},
    [FLAG_HELP] = {"help", 'h', no_argument, NULL, "print this"},
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
