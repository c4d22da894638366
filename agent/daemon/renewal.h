// SPDX-License-Identifier: Apache-2.0
/*
 * SAs whose peer's key in the DNS is another one now (RFC 4322 5.4): new ones are made with the key that is there first, and only
 * then the old ones go, so that no packet waits. The old key makes no new SA. For how long the old ones may go on without is bounded.
 */
#ifndef DAEMON_RENEWAL_H
#define DAEMON_RENEWAL_H

#include "crypto/crypto.h"
#include "daemon/agent.h"

struct negotiator;
struct renewals;

/* renewals_new: NULL without memory. */
struct renewals *renewals_new(struct negotiator *negotiator);
void renewals_free(struct renewals *renewals);

/*
 * renewals_begin: SAs of the pair (through that gateway, if it is not all zero) that were made with `key` are to be replaced within
 * `grace_ns`. False: no room, they must end now.
 */
bool renewals_begin(struct renewals *renewals, const struct hf_pair *pair, const struct hf_addr *gateway,
		    const uint8_t key[SHA256_LEN], uint64_t grace_ns);

/* renewals_refused counts those for which there was no room. */
uint64_t renewals_refused(const struct renewals *renewals);

#endif
