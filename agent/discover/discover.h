// SPDX-License-Identifier: Apache-2.0
/*
 * Who is at an address, with what key: the sources of DESIGN 6 behind one question. Each source is a row of a table, asked in order of trust;
 * a lower one never overrides a higher. Answers come later or at once, always through the callback. Only this room knows
 * files of keys, directories and DNS; what an answer means for packets is core's.
 */
#ifndef DISCOVER_DISCOVER_H
#define DISCOVER_DISCOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/crypto.h"
#include "holdfast/abi.h"

struct event_base;
struct discover;

/* Trust, highest first (DESIGN 6). */
enum discover_trust {
	TRUST_PIN = 1,	     /* static, in the configuration */
	TRUST_DIRECTORY,     /* signed directory */
	TRUST_REVERSE,	     /* DNSSEC, reverse tree */
	TRUST_FORWARD,	     /* DNSSEC, forward-confirmed name */
	TRUST_OPPORTUNISTIC, /* a key, but not proven whose */
	TRUST_LEVELS
};

const char *discover_trust_name(enum discover_trust trust);

enum discover_outcome {
	DISCOVER_KEYS,	 /* at least one */
	DISCOVER_NO_KEY, /* proved: the address has none */
	DISCOVER_FAILED, /* no source knows, or one that should know could not say */
};

#define DISCOVER_KEYS_MAX 8 /* a name in DNS may have as many; a line of a list has four */
#define DISCOVER_NAME_MAX 254

struct discover_answer {
	enum discover_outcome outcome;
	bool unsure; /* with FAILED: a source that may know could not say, so nothing follows for what stands already */
	bool bogus; /* with FAILED: somebody forges what the source says, or it is broken: not to be reached in clear */
	enum discover_trust trust; /* with KEYS */
	struct hf_addr gateway; /* with KEYS: they are of this gateway, with the host behind it; all zero = of the host */
	size_t keys;
	struct view spki[DISCOVER_KEYS_MAX]; /* DER, valid during the callback */
	const char *name;		     /* of the host; "" = none. Valid during the callback */
	uint64_t until_s;   /* wall clock second after which this must not be used for new SAs; 0 = no end */
	const char *reason; /* one line for people: which source said what */
};

/* Called once per question, from inside discover_ask or later from the event loop. */
typedef void discover_callback(void *arg, uint64_t question, const struct hf_addr *addr,
			       const struct discover_answer *answer);

struct discover_options {
	const char *pins;		 /* file of static pins; NULL = none */
	const char *directory;		 /* signed directory: a file, or an https:// URL; NULL = none */
	const char *directory_key;	 /* minisign public key: text or file; needed with a directory */
	const char *directory_id;	 /* the directory's id as written in its header; NULL = any */
	const char *directory_ca;	 /* of a URL: file of CA certificates; NULL = the system's */
	const char *state_dir;		 /* where high-water marks and the last good directory are kept */
	uint64_t refresh_s;		 /* of a URL; 0 = 3600 */
	bool dnssec;			 /* keys from DNSSEC: needs a loop */
	const struct hf_addr *resolvers; /* who is asked; none = the authoritative servers themselves */
	size_t resolver_count;
	const char *dnssec_anchors; /* file of trust anchors */
	const char *dnssec_roots;   /* file of root hints; NULL = the Internet's */
	/* Called with discover_open's arg when DNSSEC has keys of an address of which it said something else before. May be NULL */
	void (*appeared)(void *arg, const struct hf_addr *addr);
};

/*
 * discover_open reads what is there. A file with an error is refused as a whole, named with file:line; a directory that is missing,
 * expired or not verifiable is reported (discover_problem) and asked again, but does not keep the agent from starting. `changed` is called when a source
 * changed so that earlier answers may be wrong; may be NULL. It may ask, but not from inside discover_open.
 */
int discover_open(struct discover **out, const struct discover_options *options, struct event_base *base,
		  discover_callback *callback, void (*changed)(void *arg), void *arg, struct err *err);
void discover_close(struct discover *discover);

/* discover_ask asks all sources for the address. `question` is the asker's; it comes back with the answer. */
void discover_ask(struct discover *discover, uint64_t question, const struct hf_addr *addr);

/* discover_hear takes a DNS answer, or the first part of one, that a resolver seems to have sent: which names an address may have. */
void discover_hear(struct discover *discover, const struct hf_addr *resolver, struct view message);

/* discover_hint: whoever asks from there says that this is its name. It proves nothing. What is no host's name is left out. */
void discover_hint(struct discover *discover, const struct hf_addr *addr, struct view name);

/* discover_reload reads all files anew (SIGHUP); on an error the earlier content stays. */
int discover_reload(struct discover *discover, struct err *err);

/* discover_problem is one line about the index-th thing an operator should mend, NULL beyond the last. */
const char *discover_problem(const struct discover *discover, size_t index);

struct discover_counts {
	uint64_t asked, keys, no_key, failed;
	uint64_t hosts_pinned, hosts_listed; /* entries now in force */
	uint64_t directory_serial;
	uint64_t directory_expires_s;	  /* 0 = no directory */
	uint64_t rejected;		  /* directories refused */
	uint64_t dns_findings, dns_hunts; /* addresses that DNSSEC was asked for: remembered, and being asked */
	uint64_t dns_refused;		  /* not asked, because too many were */
	uint64_t hints, hints_refused;	  /* names that addresses may have; of a resolver that said too many */
};

void discover_count(const struct discover *discover, struct discover_counts *out);

#endif
