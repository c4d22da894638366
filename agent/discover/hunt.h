// SPDX-License-Identifier: Apache-2.0
/*
 * One address's questions to the DNS: the reverse tree for its key and its name, and the names that the reverse tree or a hint gives for their addresses and keys, as
 * many at the same time as do not need each other. What the answers mean is judge.h's.
 */
#ifndef DISCOVER_HUNT_H
#define DISCOVER_HUNT_H

#include "discover/judge.h"

/* Called once, later: what was found out, valid during the call. */
typedef void hunt_callback(void *arg, const struct judge_evidence *evidence);

/*
 * hunt_start asks; `anew`: not what this host remembers of earlier answers (dns_ask_anew). `names` are hints. -ENOMEM, -EIO: nothing could be asked,
 * and nobody will be called.
 */
int hunt_start(struct dns *dns, const struct hf_addr *addr, bool anew, const char (*names)[DISCOVER_NAME_MAX],
	       size_t count, hunt_callback *callback, void *arg);

#endif
