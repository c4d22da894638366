// SPDX-License-Identifier: Apache-2.0
/*
 * What the DNS says about an address, judged: the rules of trust, denial and time for keys from DNSSEC. The address's own name in the reverse tree speaks first; a
 * name that the reverse tree gives and that gives the address back speaks for it (FORWARD); anything less is opportunistic, which proves nothing. What could not be
 * asked is never taken for a no. Pure.
 */
#ifndef DISCOVER_JUDGE_H
#define DISCOVER_JUDGE_H

#include "discover/keyset.h"

#define JUDGE_NAMES_MAX 4
#define JUDGE_REASON_MAX 256

/* Seconds an answer may be used, whatever the zone says. */
#define JUDGE_KEYS_MIN_S 60
#define JUDGE_KEYS_MAX_S 86400
#define JUDGE_NO_KEY_MAX_S 900 /* a host that begins to publish is seen as soon */
#define JUDGE_UNSIGNED_S 60    /* nobody proved that there is none */
#define JUDGE_FAILED_S 30      /* doubles with each failure in a row, to: */
#define JUDGE_FAILED_MAX_S 300 /* RFC 2308 7.1 */

/* The reply to one question that is not for keys. */
struct judge_fact {
	enum dns_status status;
	enum dns_security security;
	uint32_t ttl_s;
	bool holds; /* of an address question: the address is among them */
};

struct judge_name {
	char name[DISCOVER_NAME_MAX];
	bool is_pointed; /* the reverse tree has it; else a hint */
	struct judge_fact addresses;
	struct keyset keys;
};

/* About the gateway that the reverse tree names, where it has no key of the host itself. */
struct judge_gateway {
	struct judge_fact addresses; /* of its name, if it is named so */
	struct keyset keys;	     /* at its own address in the reverse tree: whether it is behind another */
};

struct judge_evidence {
	struct keyset reverse;
	struct judge_gateway gateway;
	struct judge_fact pointer;
	size_t names;
	struct judge_name name[JUDGE_NAMES_MAX];
};

struct judgment {
	enum discover_outcome outcome;
	enum discover_trust trust;
	bool unsure, bogus;
	const struct keyset *keys; /* of the evidence, or `joined`; with KEYS */
	struct keyset joined;	   /* of several names of which none is proved */
	const char *name;	   /* likewise; "" = none */
	uint32_t ttl_s;
	char reason[JUDGE_REASON_MAX];
};

/*
 * judge_reverse: what the reverse tree said about keys decides, whatever the other answers will be; if its keys are a gateway's, with what is asked about
 * that.
 */
bool judge_reverse(const struct keyset *reverse);

/* judge_all judges when every answer is there, or judge_reverse says so. `failures`: how often in a row it has failed before. */
void judge_all(struct judgment *out, const struct judge_evidence *evidence, unsigned int failures);

#endif
