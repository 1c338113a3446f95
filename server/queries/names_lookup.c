#include "queries/names.h"

#include <string.h>

#include "common/check.h"
#include "dns/local_answer.h"
#include "queries/names_state.h"

enum {
    CHAIN_MAX = 16, /* CNAME records followed; resolvers give up at 8 to 16 */

    /* Of NODATA for a name whose records say nothing of it: short, because a reload may change that. */
    NEGATIVE_TTL_S = 300,
};

/* ---- looking up ---- */

static void find_special(const struct names *names, const uint8_t *name, size_t size, uint16_t type,
                         struct names_found *found)
{
    if (!names->special_use) return;
    found->special = special_names_find(name, size, type, &found->match);
    if (found->special != SPECIAL_NONE && found->special != SPECIAL_FORWARD) found->verdict = NAMES_SPECIAL;
}

void names_find(const struct names *names, const uint8_t *name, size_t size, uint16_t type,
                struct names_found *ret_found)
{
    static const struct decision none = {.node = NONE};
    ret_found->verdict = NAMES_RESOLVE;
    ret_found->route = NAMES_ROUTE_DEFAULT;
    ret_found->special = SPECIAL_NONE;
    CHECK(names->decisions || !names->nodes); /* what was added is finished */
    uint32_t number = names->decisions ? name_index_find(&names->index, name, size) : 0;
    const struct decision *decision = names->decisions ? &names->decisions[number] : &none;
    if (decision->node != NONE) {
        ret_found->verdict = NAMES_RECORD;
        ret_found->node = decision->node;
        ret_found->is_wildcard = decision->is_wildcard;
        ret_found->overrides = names->nodes[decision->node].overrides;
        return;
    }
    if (decision->route != NAMES_ROUTE_DEFAULT) {
        ret_found->route = decision->route;
        ret_found->zone_at = size - decision->zone_size;
        return;
    }
    find_special(names, name, size, type, ret_found);
    /* A name above a record of ours exists (RFC 8020), whatever the table says of its zone. */
    if (decision->is_empty && ret_found->special == SPECIAL_NXDOMAIN) ret_found->special = SPECIAL_NODATA;
}

/* ---- answering ---- */

static const struct item *find_item(const struct names *names, uint32_t first, uint16_t type)
{
    for (uint32_t i = first; i != NONE; i = names->items[i].next)
        if (names->items[i].type == type) return &names->items[i];
    return NULL;
}

static void add_item(const struct names *names, struct local_answer *answer, enum dns_section section,
                     const struct item *item, uint32_t ttl_s, const uint8_t *owner, size_t owner_size)
{
    const struct local_record record = {
        .owner = owner,
        .owner_size = owner_size,
        .type = item->type,
        .ttl_s = ttl_s,
        .data = names->data + item->data,
        .data_size = item->data_size,
    };
    local_answer_add(answer, section, &record);
}

static bool add_items(const struct names *names, struct local_answer *answer, uint32_t first, uint16_t type,
                      const uint8_t *owner, size_t owner_size)
{
    uint32_t ttl_s = UINT32_MAX; /* the records of a set have one TTL (RFC 2181, 5.2): the least that was written */
    for (uint32_t i = first; i != NONE; i = names->items[i].next)
        if (names->items[i].type == type && names->items[i].ttl_s < ttl_s) ttl_s = names->items[i].ttl_s;
    if (ttl_s == UINT32_MAX) return false; /* none: that of a record is smaller */
    for (uint32_t i = first; i != NONE; i = names->items[i].next)
        if (names->items[i].type == type)
            add_item(names, answer, DNS_ANSWER, &names->items[i], ttl_s, owner, owner_size);
    return true;
}

/* How long a negative answer with this SOA record of ours is kept: the lesser of its TTL and MINIMUM, the last field of
 * its data (RFC 2308, 3). */
static uint32_t negative_ttl_s(const struct names *names, const struct item *soa)
{
    enum { MINIMUM_BYTES = 4 };
    uint32_t minimum_s = soa->ttl_s;
    if (soa->data_size >= MINIMUM_BYTES) minimum_s = dns_u32(names->data + soa->data + soa->data_size - MINIMUM_BYTES);
    return minimum_s < soa->ttl_s ? minimum_s : soa->ttl_s;
}

/* The SOA record of NODATA: the nearest one of ours at or above the name, else one made for the name itself. `node` is
 * the one that answered, `name` the one that was asked. */
static void add_nodata(const struct names *names, struct local_answer *answer, uint32_t node, const uint8_t *name,
                       size_t size)
{
    uint8_t labels[NAME_LABELS_MAX];
    size_t label_count = name_labels(name, size, labels);
    for (uint32_t at = node; at != 0; at = names->tree.nodes[at].parent) {
        const struct item *soa = find_item(names, names->nodes[at].items, DNS_TYPE_SOA);
        size_t depth = names->tree.nodes[at].depth;
        if (!soa || depth > label_count) continue;
        size_t owner_at = labels[label_count - depth];
        add_item(names, answer, DNS_AUTHORITY, soa, negative_ttl_s(names, soa), name + owner_at, size - owner_at);
        return;
    }
    local_answer_add_soa(answer, DNS_AUTHORITY, name, size, NEGATIVE_TTL_S);
}

/* A name on its path through our records. */
struct step {
    uint8_t name[DNS_NAME_MAX];
    size_t size;
    struct names_found found;
};

/* Adds what the step's records have. True where they lead to another name, which becomes the next step. */
static bool follow(const struct names *names, struct local_answer *answer, struct step *step, uint16_t type)
{
    uint32_t first = names->nodes[step->found.node].items;
    if (add_items(names, answer, first, type, step->name, step->size)) return false;
    const struct item *cname = find_item(names, first, DNS_TYPE_CNAME);
    if (!cname) {
        add_nodata(names, answer, step->found.node, step->name, step->size);
        return false;
    }
    add_item(names, answer, DNS_ANSWER, cname, cname->ttl_s, step->name, step->size);
    name_to_lower(names->data + cname->data, cname->data_size, step->name);
    step->size = cname->data_size;
    names_find(names, step->name, step->size, type, &step->found);
    return true;
}

size_t names_write(const struct names *names, const struct names_found *found, const struct question *question,
                   uint8_t *out, size_t capacity, struct names_alias *ret_alias)
{
    struct local_answer answer;
    struct step step = {.size = question->name_size, .found = *found};
    uint16_t rcode = DNS_RCODE_NOERROR;
    ret_alias->name_size = 0;
    name_to_lower(question->name, question->name_size, step.name);
    local_answer_begin(&answer, out, capacity, question);
    for (unsigned followed = 0; step.found.verdict == NAMES_RECORD; followed++) {
        if (followed == CHAIN_MAX) return 0;
        if (!follow(names, &answer, &step, question->type)) return local_answer_finish(&answer, rcode);
    }
    if (step.found.verdict == NAMES_SPECIAL) {
        rcode = special_names_add(&answer, step.found.special, &step.found.match, step.name, step.size, question->type);
    } else {
        ret_alias->name_size = (uint8_t)step.size;
        memcpy(ret_alias->name, step.name, step.size);
        ret_alias->route = step.found.route;
    }
    return local_answer_finish(&answer, rcode);
}
