/* hints: what an operator may have meant: the nearest known word, and the correct form of an address. Pure; any
 * thread. */
#ifndef CONFIG_HINTS_H
#define CONFIG_HINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The known word that is nearest to a mistyped one: begin, offer each known word, then look at `found`. */
enum { HINT_WORD_BYTES = 32 };
struct hint {
    const char *word;
    size_t edits;                /* fewer are needed for a word to be found */
    char found[HINT_WORD_BYTES]; /* empty: no word is near */
};

struct hint hint_begin(const char *word);

/* A known word of at least HINT_WORD_BYTES bytes is passed over. */
void hint_offer(struct hint *hint, const char *known);

/* How to write what is no IP:PORT, as `*:53`: `; write "0.0.0.0:53" ...`. `usual_port` stands in for a missing port.
 * `of_host`: a host is wanted that can be connected to; then `*:53` is this machine, and 0.0.0.0 is no answer. Empty if
 * nothing can be said. Returns `text`. */
enum { HINT_BYTES = 256 };
const char *hint_for_address(const char *wrong, uint16_t usual_port, bool of_host, char text[static HINT_BYTES]);

/* The same if the IP address of an upstream is wanted and a port or a name follows it, or is in its place, which
 * `by_name` allows. A name too long to be shown is "...". */
const char *hint_for_ip(const char *wrong, bool by_name, char text[static HINT_BYTES]);

#endif
