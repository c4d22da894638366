// SPDX-License-Identifier: Apache-2.0
/*
 * What a question for IPSECKEY brought, as keys: which of the records speak of the host itself, which of a gateway in front of it (RFC 4025 4.1.2), and which cannot be
 * used. Pure.
 */
#ifndef DISCOVER_KEYSET_H
#define DISCOVER_KEYSET_H

#include "discover/discover.h"
#include "discover/dns.h"

#define KEYSET_WHY_MAX 160

struct keyset {
	enum dns_status status;
	enum dns_security security;
	uint32_t ttl_s;
	size_t records;			      /* that were there */
	size_t keys;			      /* of the host itself or of its one gateway, all equally valid */
	bool foreign;			      /* a record names a gateway in front of the host */
	struct hf_addr gateway;		      /* whose the keys are; all zero = the host's, or not known yet */
	char gateway_name[DISCOVER_NAME_MAX]; /* whose the keys are and what is to be resolved; "" = no name */
	bool wrong;			      /* a record is malformed, or there are too many: nothing of it is used */
	char why[KEYSET_WHY_MAX]; /* what is wrong, or why a record's key is not used; "" = nothing to say */
	size_t len[DISCOVER_KEYS_MAX];
	uint8_t spki[DISCOVER_KEYS_MAX][SPKI_MAX];
};

/*
 * keyset_read takes a reply apart. A record speaks of the host itself when it names no gateway, `addr`, or `owner`, the name that was asked for (or where
 * CNAMEs led).
 */
void keyset_read(struct keyset *out, const struct dns_reply *reply, const struct hf_addr *addr, const char *owner);

/*
 * keyset_read_gateway follows where keyset_read found no key of the host itself: one gateway's keys, that of the lowest precedence, and among equals the lowest
 * one, so that the order of an answer changes nothing. A gateway must be of the address's family and a possible host.
 */
void keyset_read_gateway(struct keyset *keyset, const struct dns_reply *reply, const struct hf_addr *addr);

/* keyset_resolve takes the addresses of gateway_name: the lowest one of the address's family. */
void keyset_resolve(struct keyset *keyset, const struct dns_reply *reply, const struct hf_addr *addr);

/* keyset_has_gateway: the keys are a gateway's. */
bool keyset_has_gateway(const struct keyset *keyset);

/* keyset_join adds keys of `more`, as far as there is room. */
void keyset_join(struct keyset *keyset, const struct keyset *more);

/* keyset_equal: the same keys, in any order. */
bool keyset_equal(const struct keyset *a, const struct keyset *b);

/* keyset_covers: every key of `old` is still there, and is the same one's. */
bool keyset_covers(const struct keyset *keyset, const struct keyset *old);

#endif
