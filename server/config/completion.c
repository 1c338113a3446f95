#include "config/completion.h"

#include <getopt.h>
#include <string.h>

#include "config/flags.h"

/* The types that people ask for; --query takes all others, too. */
static const char record_types[] = "A AAAA CAA CNAME DNSKEY DS HTTPS MX NAPTR NS PTR SOA SRV SVCB TLSA TXT";

static void write_head(const char *comment, const char *shell, FILE *out)
{
    fprintf(out, "%sWritten by `dns-tls-proxy --print-completion %s`.\n", comment, shell);
}

/* The help on one line between single quotes. `escapes` are the characters that get a backslash; `quote` is how a
 * single quote is written. */
static void write_help(const char *help, const char *escapes, const char *quote, FILE *out)
{
    for (; *help; help++) {
        if (*help == '\'')
            fputs(quote, out);
        else if (*help == '\n')
            fputc(' ', out);
        else
            fprintf(out, "%s%c", strchr(escapes, *help) ? "\\" : "", *help);
    }
}

/* --- bash */

static bool is_file(const struct flag *flag)
{
    return flag->is_file;
}

static bool has_unlisted_values(const struct flag *flag)
{
    return flag->argument == required_argument && !flag->is_file && !*flag_words(flag);
}

/* The pattern of a `case`: the flags that have the property. */
static void write_bash_pattern(bool (*has)(const struct flag *flag), FILE *out)
{
    const char *before = "        ";
    for (int id = 0; id < FLAGS; id++) {
        if (!has(flag_at(id))) continue;
        fprintf(out, "%s--%s", before, flag_at(id)->name);
        before = " | ";
    }
    fputs(")", out);
}

static void write_bash_words(FILE *out)
{
    for (int id = 0; id < FLAGS; id++) {
        const char *words = flag_words(flag_at(id));
        if (*words) fprintf(out, "        --%s) words='%s' ;;\n", flag_at(id)->name, words);
    }
}

static void write_bash(FILE *out)
{
    write_head("# Completion of dns-tls-proxy for bash. ", "bash", out);
    fputs("_dns_tls_proxy()\n"
          "{\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD - 1]} before='' words='' all='",
          out);
    for (int id = 0; id < FLAGS; id++) fprintf(out, "%s--%s", id > 0 ? " " : "", flag_at(id)->name);
    fputs("'\n"
          "    ((COMP_CWORD < 2)) || before=${COMP_WORDS[COMP_CWORD - 2]}\n"
          "    # bash makes a word of the \"=\" between a flag and its value.\n"
          "    if [[ $word == '=' ]]; then\n"
          "        word='' all=''\n"
          "    elif [[ $flag == '=' ]]; then\n"
          "        flag=$before before='' all=''\n"
          "    fi\n"
          "    case $flag in\n",
          out);
    write_bash_pattern(is_file, out);
    fputs("\n"
          "            compopt -o filenames\n"
          "            mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
          "            return\n"
          "            ;;\n",
          out);
    write_bash_words(out);
    write_bash_pattern(has_unlisted_values, out);
    fprintf(out,
            " ;;\n"
            "        *)\n"
            "            words=$all\n"
            "            [[ $before != --query ]] || words=\"%s $all\"\n"
            "            ;;\n"
            "    esac\n"
            "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
            "}\n"
            "complete -F _dns_tls_proxy dns-tls-proxy\n",
            record_types);
}

/* --- zsh */

/* What _arguments is to know of a flag's value. */
static void write_zsh_value(const struct flag *flag, FILE *out)
{
    const char *words = flag_words(flag);
    if (!flag->value) return;
    fprintf(out, "%s%.*s:", flag->argument == optional_argument ? "::" : ":", (int)strcspn(flag->value, " "),
            flag->value);
    if (flag->is_file)
        fputs("_files", out);
    else if (*words)
        fprintf(out, "(%s)", words);
    else
        fputc(' ', out);
    if (flag == flag_at(FLAG_QUERY)) fprintf(out, "::TYPE:(%s)", record_types);
}

static void write_zsh_flag(const struct flag *flag, FILE *out)
{
    fputs(" \\\n        ", out);
    if (flag->letter)
        fprintf(out, "'(-%c --%s)'{-%c,--%s}'[", flag->letter, flag->name, flag->letter, flag->name);
    else
        fprintf(out, "'%s--%s%s[", flag->is_list ? "*" : "", flag->name,
                flag->argument == optional_argument   ? "=-"
                : flag->argument == required_argument ? "="
                                                      : "");
    write_help(flag->help, "[]\\:", "'\\''", out);
    fputc(']', out);
    write_zsh_value(flag, out);
    fputc('\'', out);
}

static void write_zsh(FILE *out)
{
    fputs("#compdef dns-tls-proxy\n", out);
    write_head("# Completion of dns-tls-proxy for zsh. ", "zsh", out);
    fputs("_dns-tls-proxy()\n"
          "{\n"
          "    _arguments -S",
          out);
    for (int id = 0; id < FLAGS; id++) write_zsh_flag(flag_at(id), out);
    fputs("\n"
          "}\n"
          "# Loaded from fpath it is called; read by `source` it says for whom it is.\n"
          "if [[ $funcstack[1] == _dns-tls-proxy ]]; then\n"
          "    _dns-tls-proxy \"$@\"\n"
          "else\n"
          "    compdef _dns-tls-proxy dns-tls-proxy\n"
          "fi\n",
          out);
}

/* --- fish */

static void write_fish_flag(const struct flag *flag, FILE *out)
{
    const char *words = flag_words(flag);
    fputs("complete -c dns-tls-proxy", out);
    if (flag->letter) fprintf(out, " -s %c", flag->letter);
    fprintf(out, " -l %s", flag->name);
    if (flag->is_file)
        fputs(" -r -F", out);
    else if (flag->argument == required_argument)
        fputs(" -x", out);
    if (*words) fprintf(out, " -a '%s'", words);
    fputs(" -d '", out);
    write_help(flag->help, "\\", "\\'", out);
    fputs("'\n", out);
}

static void write_fish(FILE *out)
{
    write_head("# Completion of dns-tls-proxy for fish. ", "fish", out);
    fputs("function __dns_tls_proxy_has_name\n"
          "    set -l words (commandline -opc)\n"
          "    test (count $words) -ge 3; and test \"$words[-2]\" = --query\n"
          "end\n"
          "complete -c dns-tls-proxy -f\n",
          out);
    for (int id = 0; id < FLAGS; id++) write_fish_flag(flag_at(id), out);
    fprintf(out, "complete -c dns-tls-proxy -n __dns_tls_proxy_has_name -a '%s' -d TYPE\n", record_types);
}

void completion_write(enum completion_shell shell, FILE *out)
{
    switch (shell) {
    case COMPLETION_BASH: write_bash(out); break;
    case COMPLETION_ZSH: write_zsh(out); break;
    case COMPLETION_FISH: write_fish(out); break;
    case COMPLETION_NONE: break;
    }
}
