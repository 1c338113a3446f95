#include "config/manual.h"

#include <stdbool.h>
#include <string.h>

#include "config/print.h"
#include "config/settings.h"
#include "config/value.h"

struct section {
    const char *name;
    const char *help;
};

static const struct section sections[] = {
    {"", "Settings at the top of the file, in no section."},
    {"upstream", "How upstreams are asked."},
    {"tls", "How upstreams prove who they are: always by certificate chain and name; that cannot be switched off."},
    {"names",
     "Names answered without asking an upstream. The longest record, route or special-use name that matches wins."},
    {"cache", "Answers kept."},
    {"prefetch", "Names kept resolved before anybody asks."},
    {"access", "Who may ask."},
    {"rate_limit", "How much a client may ask: a token bucket for each."},
    {"clients", "What the connections of clients may cost."},
    {"udp",
     "Questions over UDP, whose source addresses may be forged: clients without a cookie have limits of their own."},
    {"state",
     "What is kept over a restart, so that it begins with a full cache. The flag `--no-state` switches it off."},
    {"shared_cache", "A Valkey or Redis server (the *store*) in which the instances of a fleet share their answers."},
    {"http", "Metrics (`/metrics`), health checks (`/healthz`, `/readyz`) and the status page (`/`)."},
    {"log", "What the program says, on standard error."},
    {"dnstap", "Copies of the DNS messages, for a program that collects them."},
};
enum { SECTIONS = sizeof sections / sizeof *sections };

#define TABLE_HEAD "| setting | default | allowed | changes by | what it is |\n|---|---|---|---|---|\n"

static bool is_in(const struct setting *setting, const char *section, char ret_name[static SETTING_NAME_BYTES])
{
    bool is_top = !strchr(setting->key, '.');
    return is_top == (section[0] == '\0') && setting_name_in(setting, section, ret_name);
}

static void write_entries(const char *usual, FILE *out)
{
    char entry[SETTING_ENTRY_BYTES];
    const char *between = "";
    fputc('[', out);
    for (; setting_next_entry(&usual, entry); between = ", ") fprintf(out, "%s\"%s\"", between, entry);
    fputc(']', out);
}

/* A default as YAML, on one line; texts that YAML might take for something else are quoted. */
static void write_default(const struct setting *setting, FILE *out)
{
    bool is_quoted = setting->kind == SETTING_PATH || setting->kind == SETTING_USER || setting->kind == SETTING_WORD ||
                     setting->kind == SETTING_ADDRESS || setting->kind == SETTING_NAME;
    if (setting_is_list(setting))
        write_entries(setting->usual, out);
    else
        fprintf(out, is_quoted ? "\"%s\"" : "%s", setting->usual);
}

static bool has_default_entries(const struct setting *setting)
{
    return setting->usual && setting->usual[0] != '\0';
}

/* The default of a list of mappings as YAML, a line each, `indent` before it. */
static void write_default_mappings(const struct setting *setting, const char *indent, FILE *out)
{
    struct config config = {.workers = 0};
    if (setting_set_default(setting, &config)) print_mappings(setting, &config, indent, out);
    setting_clear(setting, &config);
}

static void write_row(const struct setting *setting, const char *name, FILE *out)
{
    char allowed[SETTING_ALLOWED_BYTES];
    fprintf(out, "| `%s` | ", name);
    if (setting_is_list_of_mappings(setting))
        fprintf(out, "%s | mappings, below",
                has_default_entries(setting) ? "below"
                : setting->usual             ? "`[]`"
                                             : "must be given");
    else {
        fputs(setting->usual ? "`" : "must be given", out);
        if (setting->usual) write_default(setting, out);
        fprintf(out, "%s | %s", setting->usual ? "`" : "", setting_allowed_range(setting, allowed));
    }
    fprintf(out, " | %s | %s |\n", setting->applies == SETTING_LIVE ? "reload" : "restart", setting->help);
}

static void write_preface(FILE *out)
{
    fputs("# Configuration\n"
          "\n"
          "Written by `dns-tls-proxy --print-config-doc=markdown` from the table in `server/config/settings.c`: change "
          "that,\n"
          "not this file.\n"
          "\n"
          "The file is YAML and is given by `--config FILE`. Every setting may be left out; without a file all have "
          "their\n"
          "defaults. Flags (`--help`) win over the file. A list that is given replaces its default.\n"
          "`--print-config-doc=example` prints a file to begin with. The package has examples in\n"
          "`/usr/share/doc/dns-tls-proxy/examples` (most of them from `scripts/deploy/examples`): a laptop, a home "
          "router, a\n"
          "company with zones of its own, a Kubernetes node, a node of a fleet.\n"
          "\n"
          "Whatever is not understood is refused, never guessed at: unknown keys, keys given twice, values out of "
          "range.\n"
          "`--check-config` names every fault at once, with line and column:\n"
          "\n"
          "```\n"
          "dns.yaml:5:11: 'upstreams.port': 70000 is out of range 1..65535\n"
          "```\n"
          "\n"
          "- A duration is a number and its unit: `500ms`, `4.5s`, `10m`, `1h`, `1d`. A size is a number of bytes, or "
          "a number\n"
          "  and its unit: `64KiB`, `64MiB`, `1GiB`.\n"
          "- Whole numbers are decimal digits without a sign or leading zeros. Booleans are `true` and `false`.\n"
          "- Addresses with colons or brackets stand in quotes: `\"[::1]:8853\"`, `\"fc00::/7\"`.\n"
          "- The file is UTF-8, one document, at most 1 MiB, without anchors, aliases and tags. It sets at least one "
          "setting.\n"
          "- `reload` in the column \"changes by\": a changed value counts from the next reload (SIGHUP) on, also for "
          "clients\n"
          "  that are connected. `restart`: a reload logs `needs a restart` with the setting's name and keeps the "
          "former value.\n"
          "- `--print-config` prints the configuration in force (file, flags and defaults together) as such a file.\n",
          out);
}

/* A section for each list of mappings: what an entry may hold, and the default. */
static void write_mappings_sections(struct settings settings, FILE *out)
{
    for (size_t i = 0; i < settings.count; i++) {
        const struct setting *setting = &settings.rows[i];
        if (!setting_is_list_of_mappings(setting)) continue;
        fprintf(out, "\n## %s\n\n%s\nA list of mappings, as\n`%s`.\n\n", setting->key, setting->help,
                setting->list->example);
        fputs(TABLE_HEAD, out);
        for (size_t j = 0; j < setting->list->entry.count; j++) {
            const struct setting *field = &setting->list->entry.rows[j];
            write_row(field, strrchr(field->key, '.') + 1, out);
        }
        if (has_default_entries(setting)) {
            fprintf(out, "\n```yaml\n%s:\n", setting->key);
            write_default_mappings(setting, "  ", out);
            fputs("```\n", out);
        }
        write_mappings_sections(setting->list->entry, out);
    }
}

/* The sum that the bounds above make. test/support/cost.py holds the program to it. */
static void write_costs(FILE *out)
{
    fputs("\n"
          "## What it takes: memory and descriptors\n"
          "\n"
          "Both are bounded by the settings, whatever clients and upstreams do. Memory is at most\n"
          "\n"
          "```\n"
          "    15 MiB\n"
          "  + 5 MiB   x workers\n"
          "  + cache.max_size\n"
          "  + cache.max_size / 16, if that is 16 MiB or more\n"
          "  + 72 B    x rate_limit.max_clients\n"
          "  + 820 B   x prefetch.top\n"
          "  + 2 KiB   x workers x clients.max_queries_in_flight\n"
          "  + 512 KiB x workers x upstreams x upstream.max_sessions\n"
          "  + 512 B   x clients.max_connections\n"
          "  + 2 KiB   x (records of names.records + zones of routes)\n"
          "  + 160 B   x names in names.hosts_file\n"
          "  + clients.max_buffered x workers\n"
          "  + 5 KiB   x (workers + 1) x log.recent\n"
          "  + 16 MiB  if dnstap.socket is set\n"
          "  + 5       x workers x shared_cache.max_queued, if shared_cache.address is set\n"
          "```\n"
          "\n"
          "- `upstreams` are those of all routes, too; a route that nobody asked for a minute has no sessions. One "
          "that has a\n"
          "  name alone counts as its addresses, 8 at most; those of the default route are 16 at most, however many "
          "are found.\n"
          "- It begins with some 12 MiB, 15 with the larger libraries of Debian 13, and grows as it is used. With two "
          "workers and\n"
          "  all other settings at their defaults the sum is 180 MiB.\n"
          "- The 16th is the table of a large cache, in pages of 2 MiB, most of it taken with the first answers.\n"
          "- Where memory is short (a container's limit, `MemoryMax=`), lower `cache.max_size`, `clients.max_buffered` "
          "and\n"
          "  `clients.max_connections`. After a reload that lowers `clients.max_queries_in_flight` its part stays as "
          "it was.\n"
          "- The kernel's buffers of a connection come on top, and count towards a container's limit: 256 KiB of "
          "answers not\n"
          "  read, and of what came and waits the last number of `net.ipv4.tcp_rmem` at the very most; "
          "`net.ipv4.tcp_mem`\n"
          "  bounds all together.\n"
          "\n"
          "Descriptors are at most\n"
          "\n"
          "```\n"
          "    128\n"
          "  + 2 x workers x upstreams x upstream.max_sessions\n"
          "  + clients.max_connections\n"
          "  + workers, if shared_cache.address is set\n"
          "```\n"
          "\n"
          "- The limit of open files is raised to its hard value at the start. Where that is less than the sum, the "
          "log says\n"
          "  so, and how many connections there may be instead: the limit less the rest of the sum, or half of the "
          "limit if\n"
          "  that is more.\n"
          "- At the bound the connections idle longest are closed for new ones.\n",
          out);
}

void manual_write_markdown(FILE *out)
{
    const struct settings settings = settings_of_config();
    char name[SETTING_NAME_BYTES];
    write_preface(out);
    for (size_t i = 0; i < SECTIONS; i++) {
        fprintf(out, "\n## %s\n\n%s\n\n", sections[i].name[0] ? sections[i].name : "General", sections[i].help);
        fputs(TABLE_HEAD, out);
        for (size_t j = 0; j < settings.count; j++)
            if (is_in(&settings.rows[j], sections[i].name, name)) write_row(&settings.rows[j], name, out);
        if (sections[i].name[0] == '\0') write_mappings_sections(settings, out);
    }
    write_costs(out);
}

static void write_example_setting(const struct setting *setting, const char *name, const char *indent, FILE *out)
{
    char allowed[SETTING_ALLOWED_BYTES];
    fprintf(out, "%s## %s\n", indent, setting->help);
    if (setting_is_list_of_mappings(setting)) {
        if (!has_default_entries(setting))
            fprintf(out, "%s## As: [%s]\n%s# %s: []\n", indent, setting->list->example, indent, name);
        else
            fprintf(out, "# %s:\n", name);
        write_default_mappings(setting, "#   ", out);
        return;
    }
    fprintf(out, "%s## Allowed: %s\n%s# %s: ", indent, setting_allowed_range(setting, allowed), indent, name);
    write_default(setting, out);
    fputc('\n', out);
}

void manual_write_example(FILE *out)
{
    struct settings settings = settings_of_config();
    char name[SETTING_NAME_BYTES];
    fputs("## dns-tls-proxy: every setting at its default. Remove the \"# \" before what you change.\n\n", out);
    for (size_t i = 0; i < SECTIONS; i++) {
        const char *section = sections[i].name;
        if (section[0]) fprintf(out, "\n## %s\n%s:\n", sections[i].help, section);
        for (size_t j = 0; j < settings.count; j++)
            if (is_in(&settings.rows[j], section, name))
                write_example_setting(&settings.rows[j], name, section[0] ? "  " : "", out);
    }
}
