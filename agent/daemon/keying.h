// SPDX-License-Identifier: Apache-2.0
/*
 * Whoever finds keys and makes Child SAs for the agent: discovery and the IKE engine. The agent asks; answers come
 * back through agent_event, at once or later: KEY, NO_KEY or LOOKUP_FAILED to a lookup, CHILD_UP or
 * NEGOTIATION_FAILED to a negotiation.
 */
#ifndef DAEMON_KEYING_H
#define DAEMON_KEYING_H

#include "base/pool.h"
#include "holdfast/abi.h"

struct agent;

struct keying {
	/* Called once everything is up: a provider may install what it knows already. May be NULL. */
	void (*ready)(void *arg, struct agent *agent);
	void (*lookup)(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair);
	void (*negotiate)(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair);
	/* Nothing asked or made for this pair is wanted any more. */
	void (*abandon)(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair);
	/*
	 * Of Child SAs that were brought with CHILD_UP, named by their inbound SPI (network byte order): the kernel has it or
	 * refused it (negative errno); a successor is wanted; it is refused or lost and must not be used. Each may be NULL.
	 */
	void (*installed)(void *arg, struct agent *agent, const struct hf_pair *pair, uint32_t spi_in_be, int error);
	void (*rekey)(void *arg, struct agent *agent, const struct hf_pair *pair, uint32_t spi_in_be);
	void (*gone)(void *arg, struct agent *agent, const struct hf_pair *pair, uint32_t spi_in_be);
};

/*
 * keying_none is the product's until it speaks IKE: no source can tell a key, so every lookup fails at once and the
 * policy's answer to failure is what happens. That is said in `status` and in the log.
 */
extern const struct keying keying_none;

#endif
