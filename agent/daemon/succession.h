// SPDX-License-Identifier: Apache-2.0
/*
 * Child SAs that the peer made: it can read with them when our answer has arrived and its kernel has them, and nobody knows how
 * long that takes. Until something that proves it has come, the pair goes on with what it has, or waits: ESP under the new
 * SA, or another message of the new IKE SA. Where nothing comes by itself the peer is asked.
 */
#ifndef DAEMON_SUCCESSION_H
#define DAEMON_SUCCESSION_H

#include "base/pool.h"
#include "daemon/agent.h"

struct child;
struct negotiator;
struct succession;

/* succession_new: NULL without memory. */
struct succession *succession_new(struct negotiator *negotiator);
void succession_free(struct succession *succession);

/*
 * succession_add begins to wait for a sign that the peer reads with this Child SA of the IKE SA `sa`; CHILD_USE tells the core
 * then, and its outbound half, kept here, is installed: the kernel chooses among those it has. False: no room.
 */
bool succession_add(struct succession *succession, const struct hf_pair *pair, struct handle sa,
		    const struct child *child);

/* succession_heard: a datagram of the peer was taken, which may have been the sign. */
void succession_heard(struct succession *succession, const struct hf_pair *pair);

/*
 * succession_quiet: this Child SA is not to be sent with any more. True when that has to wait, because the peer is not known to
 * read with the one that stays; CHILD_QUIET tells the core then.
 */
bool succession_quiet(struct succession *succession, const struct hf_pair *pair, uint32_t spi_in_be);

/* succession_down: this Child SA goes. What waits for the pair is used now, for want of anything else. */
void succession_down(struct succession *succession, const struct hf_pair *pair, uint32_t spi_in_be);

/* succession_use: the peer reads, for another reason. */
void succession_use(struct succession *succession, const struct hf_pair *pair);

/* succession_forget: nothing of the pair is wanted any more. */
void succession_forget(struct succession *succession, const struct hf_pair *pair);

#endif
