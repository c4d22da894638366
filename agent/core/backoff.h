// SPDX-License-Identifier: Apache-2.0
/*
 * How long a failure is remembered, by its cause (DESIGN 4): a timeout doubles from try to try, a proof that the peer
 * has no key lasts, a private peer is tried again soon because nothing passes meanwhile.
 */
#ifndef CORE_BACKOFF_H
#define CORE_BACKOFF_H

#include <stdint.h>

#include "core/gate.h"

enum failure {
	FAILURE_NO_KEY,	     /* proved: the peer has none */
	FAILURE_LOOKUP,	     /* discovery could not say */
	FAILURE_NEGOTIATION, /* the peer did not answer, or refused */
	FAILURE_KERNEL,	     /* the SAs or policies could not be installed */
	FAILURE_FOREIGN,     /* the packets' source is no address of this host: nobody here can speak for it */
	FAILURES
};

/* backoff_span is the nanoseconds until the next try, after `failures` failures in a row (1 = the first). */
uint64_t backoff_span(enum failure failure, enum peer_state state, unsigned int failures);

const char *failure_name(enum failure failure);

#endif
