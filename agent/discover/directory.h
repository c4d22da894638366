// SPDX-License-Identifier: Apache-2.0
/*
 * The text of a signed directory, holdfast-directory(5): a head that says which directory this is and for how long, then hosts as in hosts.h. Reading and
 * the rules that need nothing but the text and the time. Who calls has verified the signature first.
 */
#ifndef DISCOVER_DIRECTORY_H
#define DISCOVER_DIRECTORY_H

#include "discover/hosts.h"

#define DIRECTORY_OCTETS_MAX (8u << 20) /* HOSTS_MAX usual lines; what a stranger's server can make us take */
#define DIRECTORY_ID_MAX 64
#define DIRECTORY_PREFIXES_MAX 64	     /* of scope, and of complete */
#define DIRECTORY_LIFE_MAX_S (14 * 86400ull) /* a withdrawn key lives no longer than this in a copy held back */
#define DIRECTORY_AHEAD_MAX_S 300	     /* clocks of the signer and of hosts may differ so much */

struct directory {
	char id[DIRECTORY_ID_MAX + 1];
	uint64_t serial, issued_s, expires_s;
	struct hf_prefix scope[DIRECTORY_PREFIXES_MAX];	   /* the only addresses it speaks about */
	struct hf_prefix complete[DIRECTORY_PREFIXES_MAX]; /* who is not listed here has no key */
	size_t scope_count, complete_count;
	struct hosts *hosts;
};

/* directory_parse reads the whole text. -EINVAL: err names file:line, what is wrong, and what to do. */
int directory_parse(struct directory **out, struct view text, const char *file, struct err *err);
void directory_free(struct directory *directory);

/* directory_check_time: may it be taken now? -ETIME: expired; -EAGAIN: issued in the future. */
int directory_check_time(const struct directory *directory, const char *file, uint64_t now_s, struct err *err);

/* directory_is_complete finds the `complete` prefix that the address is in, NULL when there is none. */
const struct hf_prefix *directory_is_complete(const struct directory *directory, const struct hf_addr *addr);

#endif
