/* page: the files of the status page (metrics/page/), carried in the program. Constant; any thread. */
#ifndef METRICS_PAGE_H
#define METRICS_PAGE_H

struct page_file {
    const char *path; /* of the URL */
    const char *content_type;
    const char *text;
    const char *end; /* behind the last byte; no NUL */
};

/* The page may load its own files and ask its own server, nothing else; and no text can become markup. For the header
 * Content-Security-Policy. */
#define PAGE_SECURITY_POLICY                                                                                           \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "    \
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

/* NULL: the page has no file of that path. */
const struct page_file *page_find(const char *path);

#endif
