#include "metrics/page.h"

#include <stddef.h>
#include <string.h>

/* The assembler reads the file as it is: no generated source, no copy to keep in step. */
#define EMBED(symbol, file)                                                                                            \
    __asm__(".pushsection .rodata\n" #symbol ":\n.incbin \"metrics/page/" file "\"\n" #symbol "_end:\n.popsection\n"); \
    extern const char symbol[] __attribute__((visibility("hidden")));                                                  \
    extern const char symbol##_end[] __attribute__((visibility("hidden")))

EMBED(page_html, "page.html");
EMBED(page_css, "page.css");
EMBED(page_js, "page.js");
EMBED(figures_js, "figures.js");
EMBED(charts_js, "charts.js");
EMBED(rows_js, "rows.js");
EMBED(queries_js, "queries.js");

static const struct page_file files[] = {
    {"/", "text/html; charset=utf-8", page_html, page_html_end},
    {"/page.css", "text/css; charset=utf-8", page_css, page_css_end},
    {"/page.js", "text/javascript; charset=utf-8", page_js, page_js_end},
    {"/figures.js", "text/javascript; charset=utf-8", figures_js, figures_js_end},
    {"/charts.js", "text/javascript; charset=utf-8", charts_js, charts_js_end},
    {"/rows.js", "text/javascript; charset=utf-8", rows_js, rows_js_end},
    {"/queries.js", "text/javascript; charset=utf-8", queries_js, queries_js_end},
};

const struct page_file *page_find(const char *path)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(files[i].path, path) == 0) return &files[i];
    return NULL;
}
