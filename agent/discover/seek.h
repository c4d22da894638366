// SPDX-License-Identifier: Apache-2.0
/*
 * Keys from DNSSEC, remembered: the findings of hunts (hunt.h) as long as their records live, those who wait for one, and what strangers can make this
 * host ask. A key in use is asked for again at four fifths of its records' life, so that the next one is known when it ends, and a
 * withdrawn one is noticed.
 */
#ifndef DISCOVER_SEEK_H
#define DISCOVER_SEEK_H

#include "discover/discover.h"
#include "discover/dns.h"

/* Findings kept: some 400 octets each, with a key. A random one goes for a new one. */
#define SEEK_FINDINGS_MAX 65536
/* Addresses asked for at the same time: at 2,000 a second, answers may take 250 ms. */
#define SEEK_HUNTS_MAX 512
/* Of one IPv4 /24 or IPv6 /48: its servers are the same, and who holds it may be who asks. */
#define SEEK_NETWORK_MAX 64
/* Nobody waits longer: the core gives a lookup 5 s. The answer is kept when it comes. */
#define SEEK_WAIT_S 4

struct seek;

/* Names that an address may have, of which nobody needs to be sure. Returns how many. */
typedef size_t seek_names(void *arg, char (*out)[DISCOVER_NAME_MAX], size_t max, const struct hf_addr *addr);

struct seek_options {
	struct dns_options dns;
	seek_names *names; /* NULL = none are known */
	discover_callback *callback;
	void (*changed)(void *arg); /* a key that was found before is not there any more, or it ended too long ago */
	/* Keys were found of an address of which something else was said before. */
	void (*appeared)(void *arg, const struct hf_addr *addr);
	void *arg;
};

int seek_open(struct seek **out, const struct seek_options *options, struct event_base *base, struct err *err);
void seek_close(struct seek *seek);

/* seek_ask: the answer comes through the callback, from inside this call when it is remembered. */
void seek_ask(struct seek *seek, uint64_t question, const struct hf_addr *addr);

/*
 * seek_hint: the address may have a name that it was not known to have. What was found without proof is not believed any longer: it is asked for
 * again, as often as that costs little. `name`: who says so is asking, and nobody else remembers it; NULL: seek_names knows it.
 */
void seek_hint(struct seek *seek, const struct hf_addr *addr, const char *name);

struct seek_counts {
	uint64_t findings, hunts, refused;
};

void seek_count(const struct seek *seek, struct seek_counts *out);

#endif
