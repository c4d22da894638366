// SPDX-License-Identifier: Apache-2.0
/*
 * Whoever finds keys and makes Child SAs for the agent: discovery and the IKE engine. The agent asks; answers come
 * back through agent_event, at once or later: KEY, NO_KEY or LOOKUP_FAILED to a lookup, CHILD_UP or
 * NEGOTIATION_FAILED to a negotiation.
 */
#ifndef DAEMON_KEYING_H
#define DAEMON_KEYING_H

#include "base/err.h"
#include "base/pool.h"
#include "holdfast/abi.h"

struct agent;
struct config;
struct ike_cookies;
struct status;

struct keying {
	/* Called before anything is attached: a provider opens what it needs. Negative errno ends the start. May be NULL. */
	int (*open)(void *arg, struct agent *agent, const struct config *config, struct err *err);
	/* Called once everything is up: it may install what it knows already. May be NULL. */
	void (*ready)(void *arg, struct agent *agent);
	/* The agent ends; the event loop does not run any more. May be NULL. */
	void (*close)(void *arg, struct agent *agent);
	/* The configuration was read again; on failure what was in force stays so. May be NULL. */
	int (*reload)(void *arg, struct agent *agent, const struct config *config, struct err *err);
	void (*lookup)(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair);
	/* `gateway`: whom to ask in the remote host's place, which is behind it; all zero = the host itself. */
	void (*negotiate)(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair,
			  const struct hf_addr *gateway);
	/* Nothing asked or made for this pair is wanted any more. */
	void (*abandon)(void *arg, struct agent *agent, struct handle peer, const struct hf_pair *pair);
	/*
	 * Of Child SAs that were brought with CHILD_UP, named by their inbound SPI (network byte order): the kernel has it or
	 * refused it (negative errno); a successor is wanted; it is refused or lost and must not be used. Each may be NULL.
	 */
	void (*installed)(void *arg, struct agent *agent, const struct hf_pair *pair, uint32_t spi_in_be, int error);
	void (*rekey)(void *arg, struct agent *agent, const struct hf_pair *pair, uint32_t spi_in_be);
	void (*gone)(void *arg, struct agent *agent, const struct hf_pair *pair, uint32_t spi_in_be);
	/*
	 * ESP of such a Child SA came from another address or port of the peer's NAT; it had verified. CHILD_MOVED follows if that
	 * is to be followed. May be NULL.
	 */
	void (*moved)(void *arg, struct agent *agent, const struct hf_pair *pair, uint32_t spi_in_be,
		      const struct hf_addr *remote, uint16_t port);
	/*
	 * A sign of life is wanted of this pair's peer, and is one of ours to it. Its Child SAs go down if none comes; soon: within
	 * seconds, since something was sent to it and nothing heard. May be NULL.
	 */
	void (*probe)(void *arg, struct agent *agent, const struct hf_pair *pair, bool soon);
	/* A resolver seems to have answered this host. Anybody may have written it. May be NULL. */
	void (*heard)(void *arg, const struct hf_addr *resolver, struct view message);
	/*
	 * Peers that were once reached with a verified key (DESIGN 6, sticky): whether the address is one, all of them, and the
	 * operator's word that one is not any more (false: it was none). All three or none.
	 */
	bool (*sticky)(void *arg, const struct hf_addr *remote);
	void (*each_sticky)(void *arg, void (*see)(void *see_arg, const struct hf_addr *remote), void *see_arg);
	bool (*forget)(void *arg, const struct hf_addr *remote);
	/* What a shield in front of IKE needs to know, asked every second. May be NULL: then there is no shield. */
	void (*cookies)(void *arg, struct ike_cookies *out, uint64_t now);
	/* What it knows for `status`: the parts about IKE and discovery. May be NULL. */
	void (*report)(void *arg, struct status *status);
	/*
	 * What discovery says about an address now, one line for people; true when there is a key that would be used. -> false
	 * with "" when that takes a question to somebody else. *forged: it says so much that is wrong that nothing may be in clear. May be NULL.
	 */
	bool (*foresee)(void *arg, const struct hf_addr *remote, bool *forged, char *out, size_t out_max);
	/* One line about the index-th thing an operator should mend, NULL beyond the last. May be NULL. */
	const char *(*problem)(void *arg, size_t index);
};

#endif
