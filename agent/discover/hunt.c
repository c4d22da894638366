// SPDX-License-Identifier: Apache-2.0
/*
 * Questions about one address, see hunt.h. The answer that decides is not kept waiting for others, which may be slow; the hunt stays until the last of
 * them has come.
 */
#include "discover/hunt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "discover/record.h"

/* A question of one kind about a name, its number the name's place. */
enum ask { ASK_REVERSE, ASK_POINTER, ASK_ADDRESSES, ASK_KEYS };

struct question {
	struct hunt *hunt;
	size_t name;
};

struct hunt {
	struct dns *dns;
	bool anew;
	struct hf_addr addr;
	hunt_callback *callback;
	void *arg;
	unsigned int waiting; /* answers to come */
	bool told;
	char reverse[DNAME_REVERSE_MAX];
	struct judge_evidence evidence;
	struct question question[JUDGE_NAMES_MAX];
};

static void tell(struct hunt *hunt)
{
	if (hunt->told)
		return;
	hunt->told = true;
	hunt->callback(hunt->arg, &hunt->evidence);
}

/* One answer was taken, or one question could not be asked. */
static void took(struct hunt *hunt)
{
	if (--hunt->waiting)
		return;
	tell(hunt);
	free(hunt);
}

static void ask(struct hunt *hunt, const char *name, uint16_t type, dns_callback *callback, void *arg)
{
	int rc;

	hunt->waiting++;
	rc = hunt->anew ? dns_ask_anew(hunt->dns, name, type, callback, arg)
			: dns_ask(hunt->dns, name, type, callback, arg);
	/* What was not asked stays as it is: failed. */
	if (rc < 0)
		hunt->waiting--;
}

/* ---- names ------------------------------------------------------------------------------------ */

static void take_fact(struct judge_fact *fact, const struct dns_reply *reply)
{
	fact->status = reply->status;
	fact->security = reply->security;
	fact->ttl_s = reply->ttl_s;
}

static void on_addresses(void *arg, const struct dns_reply *reply)
{
	const struct question *question = arg;
	struct hunt *hunt = question->hunt;
	struct judge_fact *fact = &hunt->evidence.name[question->name].addresses;
	size_t len;
	const uint8_t *octets = addr_octets(&hunt->addr, &len);

	if (!hunt->told)
		take_fact(fact, reply);
	for (size_t i = 0; !hunt->told && i < reply->count && i < DNS_RECORDS_MAX; i++)
		fact->holds |= view_equal(reply->data[i], view_of(octets, len));
	took(hunt);
}

static void on_keys(void *arg, const struct dns_reply *reply)
{
	const struct question *question = arg;
	struct hunt *hunt = question->hunt;
	struct judge_name *name = &hunt->evidence.name[question->name];

	if (!hunt->told)
		keyset_read(&name->keys, reply, &hunt->addr, name->name);
	took(hunt);
}

static void add_name(struct hunt *hunt, const char *text, bool is_pointed)
{
	struct judge_evidence *evidence = &hunt->evidence;
	struct judge_name *name = &evidence->name[evidence->names];
	uint16_t type = addr_is_v4(&hunt->addr) ? DNS_TYPE_A : DNS_TYPE_AAAA;
	size_t len = strlen(text);

	/* One name is written with its last dot and the other without. */
	len -= len > 1 && text[len - 1] == '.';
	if (!len || len >= sizeof(name->name))
		return;
	for (size_t i = 0; i < evidence->names; i++) {
		if (strlen(evidence->name[i].name) == len && strncasecmp(evidence->name[i].name, text, len) == 0) {
			evidence->name[i].is_pointed |= is_pointed;
			return;
		}
	}
	if (evidence->names == JUDGE_NAMES_MAX)
		return;
	memcpy(name->name, text, len);
	name->is_pointed = is_pointed;
	hunt->question[evidence->names] = (struct question){ hunt, evidence->names };
	ask(hunt, name->name, type, on_addresses, &hunt->question[evidence->names]);
	ask(hunt, name->name, RECORD_TYPE, on_keys, &hunt->question[evidence->names]);
	evidence->names++;
}

/* ---- a gateway -------------------------------------------------------------------------------- */

static void on_beyond(void *arg, const struct dns_reply *reply)
{
	struct hunt *hunt = arg;
	struct judge_evidence *evidence = &hunt->evidence;
	char reverse[DNAME_REVERSE_MAX];

	dname_reverse(reverse, &evidence->reverse.gateway);
	keyset_read(&evidence->gateway.keys, reply, &evidence->reverse.gateway, reverse);
	tell(hunt);
	took(hunt);
}

/* One that cannot be asked leaves what is judged then at failed. */
static void ask_beyond(struct hunt *hunt)
{
	unsigned int before = hunt->waiting;
	char reverse[DNAME_REVERSE_MAX];

	if (!addr_is_none(&hunt->evidence.reverse.gateway)) {
		dname_reverse(reverse, &hunt->evidence.reverse.gateway);
		ask(hunt, reverse, RECORD_TYPE, on_beyond, hunt);
	}
	if (hunt->waiting == before)
		tell(hunt);
}

static void on_gateway(void *arg, const struct dns_reply *reply)
{
	struct hunt *hunt = arg;

	take_fact(&hunt->evidence.gateway.addresses, reply);
	if (reply->security == DNS_SECURE)
		keyset_resolve(&hunt->evidence.reverse, reply, &hunt->addr);
	ask_beyond(hunt);
	took(hunt);
}

/* Whose the keys are, if that is a name; and whether that one can be reached itself. One after the other. */
static void ask_gateway(struct hunt *hunt)
{
	const char *name = hunt->evidence.reverse.gateway_name;
	unsigned int before = hunt->waiting;

	if (!*name) {
		ask_beyond(hunt);
		return;
	}
	ask(hunt, name, addr_is_v4(&hunt->addr) ? DNS_TYPE_A : DNS_TYPE_AAAA, on_gateway, hunt);
	if (hunt->waiting == before)
		tell(hunt);
}

/* ---- the reverse tree ------------------------------------------------------------------------- */

static void on_reverse(void *arg, const struct dns_reply *reply)
{
	struct hunt *hunt = arg;

	if (!hunt->told) {
		keyset_read(&hunt->evidence.reverse, reply, &hunt->addr, hunt->reverse);
		if (reply->security == DNS_SECURE)
			keyset_read_gateway(&hunt->evidence.reverse, reply, &hunt->addr);
		if (keyset_has_gateway(&hunt->evidence.reverse))
			ask_gateway(hunt);
		else if (judge_reverse(&hunt->evidence.reverse))
			tell(hunt);
	}
	took(hunt);
}

static void on_pointer(void *arg, const struct dns_reply *reply)
{
	struct hunt *hunt = arg;
	char text[DNAME_TEXT_MAX];

	if (!hunt->told)
		take_fact(&hunt->evidence.pointer, reply);
	for (size_t i = 0; !hunt->told && i < reply->count && i < DNS_RECORDS_MAX; i++) {
		struct reader reader;
		struct view name;

		reader_init(&reader, reply->data[i]);
		name = dname_read(&reader);
		if (reader_done(&reader))
			add_name(hunt, dname_format(text, name), true);
	}
	took(hunt);
}

/* ---- life ------------------------------------------------------------------------------------- */

int hunt_start(struct dns *dns, const struct hf_addr *addr, bool anew, const char (*names)[DISCOVER_NAME_MAX],
	       size_t count, hunt_callback *callback, void *arg)
{
	struct hunt *hunt = calloc(1, sizeof(*hunt));

	if (!hunt)
		return -ENOMEM;
	hunt->dns = dns;
	hunt->anew = anew;
	hunt->addr = *addr;
	hunt->callback = callback;
	hunt->arg = arg;
	hunt->waiting = 1; /* this function */
	dname_reverse(hunt->reverse, addr);
	ask(hunt, hunt->reverse, RECORD_TYPE, on_reverse, hunt);
	ask(hunt, hunt->reverse, DNS_TYPE_PTR, on_pointer, hunt);
	/* The names that the reverse tree will give have a place, too. */
	for (size_t i = 0; i < count && i < JUDGE_NAMES_MAX - 1; i++)
		add_name(hunt, names[i], false);
	if (hunt->waiting == 1) {
		free(hunt);
		return -EIO;
	}
	hunt->waiting--;
	return 0;
}
