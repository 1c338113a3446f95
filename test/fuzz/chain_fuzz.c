/* Any bytes as the certificates that a server sends, or as a bundle of trusted ones.
 *
 * The first octet chooses: bit 0 the name wanted, bit 1 the time (when all are valid, or when all have expired), bit 2
 * that the rest is a PEM bundle. Else the rest is certificates as in the Certificate message of TLS 1.2 (RFC 5246,
 * 7.4.2). A chain may be good only if the signed part of its first certificate is one that was signed for this name,
 * and only at the right time; the verdict is the same each time. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "chain_material.h"
#include "need.h"
#include "upstream/chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OTHER_NAME = 1, LATE = 2, BUNDLE = 4, LENGTH_BYTES = 3 };

static const int64_t late_s = 8000000000; /* in 2223 */

static struct chain_anchors *parse(const void *pem, size_t size)
{
    char error[64] = "";
    struct chain_anchors *anchors = chain_anchors_parse(pem, size, error, sizeof error);
    need(anchors || error[0] != '\0');
    return anchors;
}

static void visit(void *context, struct chain_certificate certificate)
{
    need(certificate.size > 0 && certificate.der[0] == 0x30);
    ++*(unsigned *)context;
}

static void check_bundle(const uint8_t *pem, size_t size)
{
    unsigned visited = 0;
    struct chain_anchors *anchors = parse(pem, size);
    if (!anchors) return;
    need(chain_anchors_visit(anchors, visit, &visited) && visited == chain_anchors_count(anchors) && visited > 0);
    chain_anchors_valid_at(anchors, MATERIAL_TIME_S);
    chain_anchors_free(anchors);
}

/* Octets of a DER header, and of the whole element with it. */
static size_t element_size(const uint8_t *element, size_t *ret_header)
{
    unsigned length_octets = element[1] & 0x80 ? element[1] & 0x7f : 0;
    size_t size = length_octets ? 0 : element[1];
    for (unsigned i = 0; i < length_octets; i++) size = size << 8 | element[2 + i];
    *ret_header = 2 + length_octets;
    return *ret_header + size;
}

/* Whether the certificate has the signed part of `known`: the first element within it. */
static bool is_of(struct chain_certificate certificate, struct chain_certificate known)
{
    size_t outer;
    size_t inner;
    need(element_size(known.der, &outer) == known.size);
    size_t size = element_size(known.der + outer, &inner);
    need(outer + size < known.size);
    return memmem(certificate.der, certificate.size, known.der + outer, size);
}

static unsigned split(const uint8_t *data, size_t size, struct chain_certificate *ret_sent)
{
    unsigned count = 0;
    while (size >= LENGTH_BYTES && count < CHAIN_SENT_MAX) {
        size_t length = (size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2];
        data += LENGTH_BYTES;
        size -= LENGTH_BYTES;
        if (length > size) length = size;
        ret_sent[count++] = (struct chain_certificate){data, length};
        data += length;
        size -= length;
    }
    return count;
}

static void check_chain(const uint8_t *data, size_t size, bool other_name, bool late)
{
    struct chain_certificate sent[CHAIN_SENT_MAX];
    const struct chain_certificate server = {material_server, sizeof material_server};
    const struct chain_certificate ed25519 = {material_ed25519, sizeof material_ed25519};
    const struct chain_certificate wildcard = {material_wildcard, sizeof material_wildcard};
    const char *name = other_name ? "one.example.com" : "cloudflare-dns.com";
    unsigned count = split(data, size, sent);
    struct chain_anchors *anchors = parse(material_root, sizeof material_root - 1);
    need(anchors);
    int64_t now_s = late ? late_s : MATERIAL_TIME_S;
    enum chain_verdict verdict = chain_judge(anchors, name, sent, count, now_s);
    need(chain_judge(anchors, name, sent, count, now_s) == verdict);
    need(verdict != CHAIN_NOT_JUDGED && verdict < CHAIN_VERDICT_COUNT);
    if (verdict == CHAIN_GOOD) {
        bool ours = is_of(sent[0], server) || is_of(sent[0], ed25519);
        need(!late && (other_name ? is_of(sent[0], wildcard) : ours));
    }
    chain_anchors_free(anchors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    if (data[0] & BUNDLE)
        check_bundle(data + 1, size - 1);
    else
        check_chain(data + 1, size - 1, data[0] & OTHER_NAME, data[0] & LATE);
    return 0;
}
