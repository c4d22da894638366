// SPDX-License-Identifier: Apache-2.0
/*
 * IPSECKEY records as keys, see keyset.h.
 */
#include "discover/keyset.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "discover/record.h"

static void say(struct keyset *keyset, const char *why)
{
	if (!*keyset->why)
		snprintf(keyset->why, sizeof(keyset->why), "%.*s", KEYSET_WHY_MAX - 1, why);
}

static void refuse(struct keyset *keyset, const char *why)
{
	keyset->wrong = true;
	keyset->why[0] = '\0';
	say(keyset, why);
}

static bool is_name(struct view name, const char *text)
{
	uint8_t wire[DNAME_WIRE_MAX];
	size_t len = 0;

	return text && dname_parse(wire, &len, text) == 0 && dname_equal(name, view_of(wire, len));
}

static bool is_own(const struct record *record, const struct hf_addr *addr, const char *owner, const char *other)
{
	switch (record->gateway_type) {
	case RECORD_GATEWAY_NONE:
		return true;
	case RECORD_GATEWAY_V4:
	case RECORD_GATEWAY_V6:
		return addr_equal(&record->gateway, addr);
	case RECORD_GATEWAY_NAME:
		return is_name(record->name, owner) || is_name(record->name, other);
	}
	return false;
}

static void say_foreign(struct keyset *keyset, const struct record *record)
{
	char text[DNAME_TEXT_MAX], why[KEYSET_WHY_MAX];

	if (record->gateway_type == RECORD_GATEWAY_NAME)
		dname_format(text, record->name);
	else
		addr_format(text, &record->gateway);
	snprintf(why, sizeof(why), "its key is that of a gateway, %.64s, which only the signed reverse tree may name",
		 text);
	say(keyset, why);
	keyset->foreign = true;
}

static bool has(const struct keyset *keyset, struct view spki)
{
	for (size_t i = 0; i < keyset->keys; i++)
		if (view_equal(view_of(keyset->spki[i], keyset->len[i]), spki))
			return true;
	return false;
}

static void take_key(struct keyset *keyset, const struct record *record)
{
	uint8_t spki[SPKI_MAX];
	size_t len = sizeof(spki);
	struct err err = ERR_NONE;
	int rc = record_spki(spki, &len, record, &err);

	if (rc == -ENOTSUP) {
		say(keyset, err.text);
	} else if (rc < 0) {
		refuse(keyset, err.text);
	} else if (!has(keyset, view_of(spki, len))) {
		memcpy(keyset->spki[keyset->keys], spki, len);
		keyset->len[keyset->keys++] = len;
	}
}

static void take_record(struct keyset *keyset, struct view rdata, const struct hf_addr *addr, const char *owner,
			const char *other)
{
	struct err err = ERR_NONE;
	struct record record;
	int rc = record_read(&record, rdata, &err);

	if (rc == -ENOTSUP)
		say(keyset, err.text);
	else if (rc < 0)
		refuse(keyset, err.text);
	else if (!is_own(&record, addr, owner, other))
		say_foreign(keyset, &record);
	else
		take_key(keyset, &record);
}

void keyset_read(struct keyset *out, const struct dns_reply *reply, const struct hf_addr *addr, const char *owner)
{
	out->status = reply->status;
	out->security = reply->security;
	out->ttl_s = reply->ttl_s;
	out->records = reply->count;
	out->keys = 0;
	out->wrong = out->foreign = false;
	out->gateway = (struct hf_addr){ 0 };
	out->gateway_name[0] = '\0';
	out->why[0] = '\0';
	/* Also where validation failed: libunbound verifies no signature over more than 64 KB, and says nothing of that. */
	if (reply->count > DISCOVER_KEYS_MAX) {
		char why[80];

		snprintf(why, sizeof(why), "there are %zu records, and a name may have %d", reply->count,
			 DISCOVER_KEYS_MAX);
		refuse(out, why);
		return;
	}
	if (reply->status == DNS_FAILED || reply->security == DNS_BOGUS) {
		say(out, reply->why);
		return;
	}
	for (size_t i = 0; i < reply->count && !out->wrong; i++)
		take_record(out, reply->data[i], addr, owner, reply->owner);
	if (out->wrong)
		out->keys = 0;
}

void keyset_join(struct keyset *keyset, const struct keyset *more)
{
	for (size_t i = 0; i < more->keys && keyset->keys < DISCOVER_KEYS_MAX; i++) {
		if (has(keyset, view_of(more->spki[i], more->len[i])))
			continue;
		memcpy(keyset->spki[keyset->keys], more->spki[i], more->len[i]);
		keyset->len[keyset->keys++] = more->len[i];
	}
}

/* ---- gateways --------------------------------------------------------------------------------- */

bool keyset_has_gateway(const struct keyset *keyset)
{
	return keyset->keys && (*keyset->gateway_name || !addr_is_none(&keyset->gateway));
}

static bool can_be_gateway(struct keyset *keyset, const struct hf_addr *gateway, const struct hf_addr *addr)
{
	char text[ADDR_TEXT_MAX], why[KEYSET_WHY_MAX];
	bool sane = addr_is_host(gateway), same = addr_is_v4(gateway) == addr_is_v4(addr);

	if (sane && same)
		return true;
	snprintf(why, sizeof(why), "its gateway, %s, is %s", addr_format(text, gateway),
		 sane ? "of the other family of addresses" : "no address that a host can be reached at");
	say(keyset, why);
	return false;
}

/* By precedence, then kind, then octets. */
static int compare_gateways(const struct record *a, const struct record *b)
{
	if (a->precedence != b->precedence)
		return a->precedence < b->precedence ? -1 : 1;
	if (a->gateway_type != b->gateway_type)
		return a->gateway_type < b->gateway_type ? -1 : 1;
	return a->gateway_type == RECORD_GATEWAY_NAME ? view_compare(a->name, b->name)
						      : addr_compare(&a->gateway, &b->gateway);
}

static bool is_same_gateway(const struct record *a, const struct record *b)
{
	if (a->gateway_type != b->gateway_type)
		return false;
	return a->gateway_type == RECORD_GATEWAY_NAME ? dname_equal(a->name, b->name)
						      : addr_equal(&a->gateway, &b->gateway);
}

/* A record whose gateway and key can be used. */
static bool is_usable(struct keyset *keyset, struct record *out, struct view rdata, const struct hf_addr *addr)
{
	uint8_t spki[SPKI_MAX];
	size_t len = sizeof(spki);
	char text[DNAME_TEXT_MAX];
	struct err err = ERR_NONE;

	if (record_read(out, rdata, NULL) < 0 || is_own(out, addr, NULL, NULL))
		return false;
	if (out->gateway_type != RECORD_GATEWAY_NAME) {
		if (!can_be_gateway(keyset, &out->gateway, addr))
			return false;
	} else if (strlen(dname_format(text, out->name)) >= DISCOVER_NAME_MAX) {
		say(keyset, "the name of its gateway is longer than names of hosts are");
		return false;
	}
	if (record_spki(spki, &len, out, &err) == 0)
		return true;
	say(keyset, err.text);
	return false;
}

void keyset_read_gateway(struct keyset *keyset, const struct dns_reply *reply, const struct hf_addr *addr)
{
	struct record best = { 0 }, record;
	char text[DNAME_TEXT_MAX];
	bool found = false;

	if (!keyset->foreign || keyset->keys || keyset->wrong || reply->count > DISCOVER_KEYS_MAX)
		return;
	keyset->why[0] = '\0';
	for (size_t i = 0; i < reply->count; i++) {
		if (!is_usable(keyset, &record, reply->data[i], addr) ||
		    (found && compare_gateways(&record, &best) >= 0))
			continue;
		best = record;
		found = true;
	}
	for (size_t i = 0; found && i < reply->count; i++)
		if (is_usable(keyset, &record, reply->data[i], addr) && is_same_gateway(&record, &best))
			take_key(keyset, &record);
	if (!keyset->keys)
		return;
	if (best.gateway_type == RECORD_GATEWAY_NAME)
		snprintf(keyset->gateway_name, sizeof(keyset->gateway_name), "%.*s", DISCOVER_NAME_MAX - 1,
			 dname_format(text, best.name));
	else
		keyset->gateway = best.gateway;
}

void keyset_resolve(struct keyset *keyset, const struct dns_reply *reply, const struct hf_addr *addr)
{
	size_t len;

	addr_octets(addr, &len);
	keyset->ttl_s = reply->ttl_s < keyset->ttl_s ? reply->ttl_s : keyset->ttl_s;
	for (size_t i = 0; i < reply->count && i < DNS_RECORDS_MAX; i++) {
		struct hf_addr one = addr_from_octets(reply->data[i].at, reply->data[i].len);

		if (reply->data[i].len == len && !addr_equal(&one, addr) && can_be_gateway(keyset, &one, addr) &&
		    (addr_is_none(&keyset->gateway) || addr_compare(&one, &keyset->gateway) < 0))
			keyset->gateway = one;
	}
}

/* ---- sets ------------------------------------------------------------------------------------- */

bool keyset_covers(const struct keyset *keyset, const struct keyset *old)
{
	if (!addr_equal(&keyset->gateway, &old->gateway))
		return false;
	for (size_t i = 0; i < old->keys; i++)
		if (!has(keyset, view_of(old->spki[i], old->len[i])))
			return false;
	return true;
}

bool keyset_equal(const struct keyset *a, const struct keyset *b)
{
	return a->keys == b->keys && keyset_covers(a, b);
}
