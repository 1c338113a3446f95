/* completion: what a shell offers behind "dns-tls-proxy", written from the table of flags. Main thread only. */
#ifndef CONFIG_COMPLETION_H
#define CONFIG_COMPLETION_H

#include <stdio.h>

/* In the order of the words of --print-completion. */
enum completion_shell { COMPLETION_NONE, COMPLETION_BASH, COMPLETION_ZSH, COMPLETION_FISH };

/* A script for the shell to read: bash by `source`, zsh by `source` or from a folder of its fpath (as _dns-tls-proxy),
 * fish from a folder of its completions. It needs no other script. Flags, files and values of fixed lists are offered,
 * behind --query NAME the usual types of records; addresses are not. */
void completion_write(enum completion_shell shell, FILE *out);

#endif
