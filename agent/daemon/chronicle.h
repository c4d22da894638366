// SPDX-License-Identifier: Apache-2.0
/*
 * What discovery and the IKE engine say, in the journal's words. Only writes; the negotiator acts.
 */
#ifndef DAEMON_CHRONICLE_H
#define DAEMON_CHRONICLE_H

#include "daemon/journal.h"
#include "discover/discover.h"
#include "ike/ike.h"

/* chronicle_found: what discovery answered about pair->remote, for this host's own attempt or for one of the peer's. */
void chronicle_found(struct journal *journal, const struct hf_pair *pair, const struct discover_answer *answer,
		     bool usable, bool for_peer, uint64_t now);

/* chronicle_withdrawn: what was made with a key is ended; `answer` is what discovery says now. */
void chronicle_withdrawn(struct journal *journal, const struct hf_pair *pair, const struct discover_answer *answer,
			 uint64_t now);

/* chronicle_renewed: new SAs are made in place of what was made with a key. */
void chronicle_renewed(struct journal *journal, const struct hf_pair *pair, const struct discover_answer *answer,
		       uint64_t now);

/* chronicle_proof: IKE_UP. `ike` is asked for the suite. */
void chronicle_proof(struct journal *journal, const struct hf_pair *pair, const struct ike_output *out,
		     const struct ike *ike, uint64_t now);

/* chronicle_child: IKE_CHILD_UP; chronicle_child_down: IKE_CHILD_DOWN. */
void chronicle_child(struct journal *journal, const struct hf_pair *pair, const struct ike_output *out, uint64_t now);
void chronicle_child_down(struct journal *journal, const struct hf_pair *pair, const struct ike_output *out,
			  uint64_t now);

/* chronicle_down: IKE_DOWN of an SA that this host (`ours`) or the peer started. */
void chronicle_down(struct journal *journal, const struct hf_pair *pair, const struct ike_output *out, bool ours,
		    uint64_t now);

#endif
