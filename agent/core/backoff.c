// SPDX-License-Identifier: Apache-2.0
/*
 * Negative caching times, see backoff.h.
 */
#include "core/backoff.h"

#include "base/nstime.h"

/* In clear: 60 s doubling to 15 min (DESIGN 4). Long enough not to probe a plain host all day, short enough to
 * see a new deployment. */
#define CLEAR_FIRST (60 * NSTIME_S)
#define CLEAR_MOST (900 * NSTIME_S)

/* A proof that there is no key is as good as its source says; without one, the longest span. */
#define CLEAR_PROVED (900 * NSTIME_S)

/* Denied: somebody waits for it, and connect() fails at once in between. 2 s doubling to 30 s (the probe loop). */
#define DENIED_FIRST (2 * NSTIME_S)
#define DENIED_MOST (30 * NSTIME_S)

static uint64_t doubled(uint64_t first, uint64_t most, unsigned int failures)
{
	uint64_t span = first;

	for (unsigned int i = 1; i < failures && span < most; i++)
		span *= 2;
	return nstime_min(span, most);
}

uint64_t backoff_span(enum failure failure, enum peer_state state, unsigned int failures)
{
	if (state == PEER_DENIED)
		return doubled(DENIED_FIRST, DENIED_MOST, failures);
	if (failure == FAILURE_NO_KEY)
		return CLEAR_PROVED;
	return doubled(CLEAR_FIRST, CLEAR_MOST, failures);
}

const char *failure_name(enum failure failure)
{
	static const char *const names[FAILURES] = {
		[FAILURE_NO_KEY] = "the peer has no key",
		[FAILURE_LOOKUP] = "no source could tell the peer's key",
		[FAILURE_NEGOTIATION] = "the peer did not agree on an SA",
		[FAILURE_KERNEL] = "the kernel refused the SA",
		[FAILURE_FOREIGN] = "the source is not an address of this host",
	};

	return (unsigned int)failure < FAILURES ? names[failure] : "?";
}
