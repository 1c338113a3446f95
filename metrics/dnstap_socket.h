/* dnstap_socket: the Unix socket to a reader of dnstap, as libfstrm uses it: as the library's own, but with time-outs,
 * so that a reader that does nothing never holds up the end of the program, and with a count of what was written. On
 * the library's thread. */
#ifndef METRICS_DNSTAP_SOCKET_H
#define METRICS_DNSTAP_SOCKET_H

#include <fstrm.h>
#include <stdatomic.h>
#include <stdint.h>

/* A stream to the socket at `path`, opened when the library wants it, and given up where the reader takes or says
 * nothing for `patience_s`. `written` counts the frames that it took; it outlives the stream. NULL: memory is short.
 * fstrm_rdwr_destroy frees it. */
struct fstrm_rdwr *dnstap_socket_new(const char *path, unsigned patience_s, _Atomic uint64_t *written);

#endif
