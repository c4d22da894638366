// SPDX-License-Identifier: Apache-2.0
/*
 * Which names an address may have: a small table, fed by DNS answers that were seen on their way to this host and by hosts(5). All
 * of it may be lies, so it proves nothing: each name is a question that is worth asking (IKEV2.md 7.1). Pure but for its memory,
 * which is taken once; time is handed in.
 *
 * What a flood of lies can do is bounded: a source adds HINTS_BURST names at once and HINTS_PER_SECOND from then on, so that each name, once
 * taken, stays for HINTS_KEPT_S at least, far longer than from an answer to the packet behind it. Only newer names of the same address
 * displace it sooner. Names of hosts(5) stay, and come first.
 */
#ifndef DISCOVER_HINTS_H
#define DISCOVER_HINTS_H

#include "base/bytes.h"
#include "base/siphash.h"
#include "discover/dname.h"
#include "holdfast/abi.h"

#define HINTS_MAX 4096	     /* names that were heard, some 1.3 MB with the next */
#define HINTS_FILE_MAX 1024  /* names of hosts(5) */
#define HINTS_NAMES_MAX 4    /* of one address: the latest that were heard */
#define HINTS_SOURCES_MAX 16 /* resolvers: LIMIT_RESOLVERS */
#define HINTS_BURST 128	     /* a page that loads from sixty servers, of both families */
#define HINTS_PER_SECOND 32  /* a mail server at work */
#define HINTS_KEPT_S 60	     /* while two resolvers flood */
#define HINTS_TTL_MIN_S 60   /* a connection is made after its name was asked for, not before */
#define HINTS_TTL_MAX_S 3600 /* zones may say weeks */

struct hints;

struct hints_counts {
	uint64_t answers;    /* DNS answers that were looked at */
	uint64_t malformed;  /* of these, unreadable */
	uint64_t taken;	     /* names that were new for their address */
	uint64_t refused;    /* of a source that had said too many */
	uint64_t displaced;  /* gave way to newer ones before their time */
	uint32_t used, file; /* heard, and of hosts(5), now */
};

/* hints_new: -ENOMEM. `seed` must be unpredictable. */
int hints_new(struct hints **out, const uint8_t seed[SIPHASH_KEY]);
void hints_free(struct hints *hints);

/* hints_hear takes a DNS answer, or the first part of one, that `source` seems to have sent. */
void hints_hear(struct hints *hints, const struct hf_addr *source, struct view message, uint64_t now);

/* hints_watch: `news` is called, from inside hints_hear and hints_file, for an address that may have a name which it was not known to have. */
void hints_watch(struct hints *hints, void (*news)(void *arg, const struct hf_addr *addr), void *arg);

/*
 * hints_file replaces what came from hosts(5) by the text of such a file. Names without a dot are nobody's in the DNS and left out, as are loopback
 * addresses. Lines that are no addresses are skipped, as the resolver does.
 */
void hints_file(struct hints *hints, struct view text);

/* hints_names gives the names an address may have, wire form in lower case, the latest first. They are valid until the next call of anything else. */
size_t hints_names(const struct hints *hints, const struct hf_addr *addr, uint64_t now,
		   struct view out[HINTS_NAMES_MAX]);

/* hints_is_host: the name, in wire form, can be a host's: it has two labels at least. */
bool hints_is_host(struct view name);

void hints_count(const struct hints *hints, struct hints_counts *out);

#endif
