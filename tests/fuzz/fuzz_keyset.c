// SPDX-License-Identifier: Apache-2.0
/*
 * What anybody with a zone can publish at one name: a set of IPSECKEY records, then the addresses of the gateway that they name. The first octet says whose
 * address was asked for, each record follows its length. The order of an answer changes nothing, no key is there twice, and a gateway is one
 * that a host can reach.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "discover/dname.h"
#include "discover/keyset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct hf_addr addrs[2] = {
	{ { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 } },
	{ { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } },
};
static const char owner[] = "host.example.";

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_keys(const struct keyset *keyset)
{
	demand(keyset->keys <= DISCOVER_KEYS_MAX && strlen(keyset->why) < KEYSET_WHY_MAX);
	demand(!keyset->wrong || (!keyset->keys && *keyset->why));
	demand(keyset->keys || !keyset->records || *keyset->why);
	for (size_t i = 0; i < keyset->keys; i++) {
		struct view spki = view_of(keyset->spki[i], keyset->len[i]);

		demand(spki_check(NULL, spki) == 0);
		for (size_t n = 0; n < i; n++)
			demand(!view_equal(spki, view_of(keyset->spki[n], keyset->len[n])));
	}
	demand(keyset_equal(keyset, keyset) && keyset_covers(keyset, keyset));
}

static void check_gateway(const struct keyset *keyset, const struct hf_addr *addr)
{
	uint8_t wire[DNAME_WIRE_MAX];
	size_t len;

	demand(!keyset_has_gateway(keyset) || (keyset->foreign && keyset->keys));
	demand(!*keyset->gateway_name || dname_parse(wire, &len, keyset->gateway_name) == 0);
	if (addr_is_none(&keyset->gateway))
		return;
	demand(addr_is_v4(&keyset->gateway) == addr_is_v4(addr) && addr_is_host(&keyset->gateway));
	demand(!addr_equal(&keyset->gateway, addr));
}

static void read_both(struct keyset *out, const struct dns_reply *reply, const struct hf_addr *addr)
{
	struct keyset own;

	keyset_read(out, reply, addr, owner);
	check_keys(out);
	demand(addr_is_none(&out->gateway) && !*out->gateway_name);
	own = *out;
	keyset_read_gateway(out, reply, addr);
	check_keys(out);
	check_gateway(out, addr);
	/* A gateway is asked for only where the host has no key of its own. */
	demand(!own.keys || (keyset_equal(out, &own) && !keyset_has_gateway(out)));
	demand(!own.wrong || !out->keys);
}

static void turn(struct dns_reply *reply)
{
	size_t held = reply->count < DNS_RECORDS_MAX ? reply->count : DNS_RECORDS_MAX;

	for (size_t i = 0; i < held / 2; i++) {
		struct view first = reply->data[i];

		reply->data[i] = reply->data[held - 1 - i];
		reply->data[held - 1 - i] = first;
	}
}

/* The same octets as addresses: some of them are. */
static void check_addresses(struct keyset *keyset, struct dns_reply *reply, const struct hf_addr *addr)
{
	struct keyset turned = *keyset;

	keyset_resolve(keyset, reply, addr);
	check_gateway(keyset, addr);
	turn(reply);
	keyset_resolve(&turned, reply, addr);
	demand(addr_equal(&turned.gateway, &keyset->gateway));
}

static void read_records(struct dns_reply *reply, struct view data)
{
	struct reader reader;

	reader_init(&reader, data);
	while (reader_left(&reader)) {
		struct view rdata = read_view(&reader, read_u16(&reader));

		if (reader.failed)
			return;
		if (reply->count < DNS_RECORDS_MAX)
			reply->data[reply->count] = rdata;
		reply->count++;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct dns_reply reply = { .status = DNS_DATA, .security = DNS_SECURE, .ttl_s = 300, .why = "" };
	const struct hf_addr *addr;
	struct keyset first, turned, joined;
	static bool started;

	if (!started)
		demand(crypto_init(NULL) == 0);
	started = true;
	if (!len)
		return 0;
	addr = &addrs[*data & 1];
	read_records(&reply, view_of(data + 1, len - 1));
	read_both(&first, &reply, addr);
	turn(&reply);
	read_both(&turned, &reply, addr);
	demand(first.wrong == turned.wrong && keyset_equal(&first, &turned));
	demand(strcmp(first.gateway_name, turned.gateway_name) == 0);
	joined = turned;
	keyset_join(&joined, &first);
	demand(keyset_equal(&joined, &turned));
	if (*first.gateway_name)
		check_addresses(&first, &reply, addr);
	return 0;
}
