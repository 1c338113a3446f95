/* document: docs/METRICS.md, written from the catalogue, so that it cannot fall behind. Pure; main thread. */
#ifndef METRICS_DOCUMENT_H
#define METRICS_DOCUMENT_H

#include <stdio.h>

/* Markdown. ferror(out) shows a failed write. */
void document_write(FILE *out);

#endif
