// SPDX-License-Identifier: Apache-2.0
/*
 * A list of hosts and their keys, one host per line, as pins and signed directories have it:
 *
 *     ADDRESS|PREFIX[,...] KEY [KEY...] [name=NAME] [until=YYYY-MM-DD]      # comment
 *
 * Read as a whole from memory, then never changed; the longest prefix decides. Knows no file, no clock and no signature.
 */
#ifndef DISCOVER_HOSTS_H
#define DISCOVER_HOSTS_H

#include "base/addr.h"
#include "base/bytes.h"
#include "base/err.h"

#define HOSTS_MAX 100000      /* a million-host fleet is several directories; this one is read in well under a second */
#define HOSTS_LINE_MAX 8192   /* four RSA-8192 keys and their addresses */
#define HOSTS_PREFIXES_MAX 64 /* addresses of one host: more is a mistake */
#define HOSTS_INDEX_MAX 400000 /* addresses of all hosts */
#define HOSTS_KEYS_MAX 4       /* one in use, one to come, and as many of another kind */
#define HOSTS_NAME_MAX 253     /* octets of a domain name */

struct host {
	const char *name;		  /* "" = none */
	uint64_t until_s;		  /* first wall clock second at which it is over; 0 = no end */
	const struct hf_prefix *prefixes; /* in the order of the line */
	uint32_t prefix_count;
	uint32_t keys;
	struct view spki[HOSTS_KEYS_MAX]; /* DER */
	uint32_t line;			  /* in its file */
};

/* What a list is read for. */
struct hosts_options {
	const char *file;	       /* for messages */
	unsigned int line;	       /* number of the text's first line */
	const struct hf_prefix *scope; /* addresses must lie inside one of these; NULL = anywhere */
	size_t scope_count;
};

struct hosts;

/* hosts_parse reads the whole text. -EINVAL: err names file:line, what is wrong, and what to do. */
int hosts_parse(struct hosts **out, struct view text, const struct hosts_options *options, struct err *err);
void hosts_free(struct hosts *hosts);

/* hosts_find is the host of the longest prefix that contains the address, NULL when there is none. `prefix` may be NULL. */
const struct host *hosts_find(const struct hosts *hosts, const struct hf_addr *addr, struct hf_prefix *prefix);

/* hosts_in_scope: the prefix lies inside one of those, of its own family. */
bool hosts_in_scope(const struct hf_prefix *scope, size_t count, const struct hf_prefix *prefix);

size_t hosts_count(const struct hosts *hosts);
/* hosts_at is the index-th host in the order of the text. */
const struct host *hosts_at(const struct hosts *hosts, size_t index);

#endif
