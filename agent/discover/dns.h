// SPDX-License-Identifier: Apache-2.0
/*
 * Questions to the DNS, validated here by libunbound: no remote server's AD bit is believed. Resolution and validation run in a thread of the library, answers
 * come through the agent's loop. What an answer means is judge.h's.
 */
#ifndef DISCOVER_DNS_H
#define DISCOVER_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/err.h"

#define DNS_TYPE_A 1
#define DNS_TYPE_PTR 12
#define DNS_TYPE_AAAA 28

struct event_base;
struct dns;

enum dns_status {
	DNS_FAILED,  /* nobody answered, or SERVFAIL, REFUSED and the like */
	DNS_DATA,    /* records of the type that was asked for */
	DNS_NO_DATA, /* the name has none of them */
	DNS_NO_NAME,
};

/* Only SECURE was proved. INSECURE: proved that nobody signs there, or no trust anchor covers it. */
enum dns_security { DNS_INSECURE, DNS_SECURE, DNS_BOGUS };

#define DNS_RECORDS_MAX 32

struct dns_reply {
	enum dns_status status;
	enum dns_security security;
	uint32_t ttl_s; /* what is left of the least of all lives: records, signatures, a denial's SOA */
	size_t count;	/* records in all, of which the first DNS_RECORDS_MAX are here; of BOGUS none */
	struct view data[DNS_RECORDS_MAX]; /* RDATA, valid during the callback */
	const char *owner;		   /* where CNAMEs led to; NULL = nowhere else */
	const char *why;		   /* of FAILED and BOGUS; "" otherwise */
};

/* Called once per question, from the event loop. */
typedef void dns_callback(void *arg, const struct dns_reply *reply);

struct dns_options {
	const struct hf_addr
		*resolvers; /* who is asked; none = the authoritative servers themselves, from the roots on */
	size_t resolver_count;
	const char *anchors; /* file of DS or DNSKEY lines, of the root or of any zone */
	const char *roots;   /* file of root hints; NULL = the Internet's. Only without resolvers */
};

/* dns_open reads its files and starts the thread. A mistake is named with file:line. */
int dns_open(struct dns **out, const struct dns_options *options, struct event_base *base, struct err *err);

/* dns_close ends everything: who waits for an answer hears FAILED from inside it, and can ask nothing more. */
void dns_close(struct dns *dns);

/* dns_ask asks for records of one type. -ENOMEM, -EIO: nobody will be called. */
int dns_ask(struct dns *dns, const char *name, uint16_t type, dns_callback *callback, void *arg);

/*
 * dns_ask_anew does not take the answer from what this host remembers, unless for some seconds: records that live on may be others now. A
 * resolver that is asked may still answer from its own memory, with what is left of their life.
 */
int dns_ask_anew(struct dns *dns, const char *name, uint16_t type, dns_callback *callback, void *arg);

#endif
