// SPDX-License-Identifier: Apache-2.0
/*
 * Discovery and IKE in the journal, see chronicle.h.
 */
#include "daemon/chronicle.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

void chronicle_found(struct journal *journal, const struct hf_pair *pair, const struct discover_answer *answer,
		     bool usable, bool for_peer, uint64_t now)
{
	struct journal_facts *facts = journal_facts(journal, pair);
	const char *what = usable ? "key" : answer->outcome == DISCOVER_NO_KEY ? "no key" : "unknown";

	if (facts && usable) {
		snprintf(facts->source, sizeof(facts->source), "%s", discover_trust_name(answer->trust));
		log_escape(facts->name, sizeof(facts->name), answer->name, strlen(answer->name));
	}
	journal_write(journal, pair, what, now, "%s%s", for_peer ? "for the peer's IKE: " : "", answer->reason);
}

void chronicle_withdrawn(struct journal *journal, const struct hf_pair *pair, const struct discover_answer *answer,
			 uint64_t now)
{
	journal_write(journal, pair, "withdrawn", now, "the key it proved is over: %s%s",
		      answer->outcome == DISCOVER_KEYS ? "not among those " : "", answer->reason);
}

void chronicle_renewed(struct journal *journal, const struct hf_pair *pair, const struct discover_answer *answer,
		       uint64_t now)
{
	journal_write(journal, pair, "renewed", now, "the key it proved is not among those, new SAs come first: %s",
		      answer->reason);
}

void chronicle_proof(struct journal *journal, const struct hf_pair *pair, const struct ike_output *out,
		     const struct ike *ike, uint64_t now)
{
	struct journal_facts *facts = journal_facts(journal, pair);
	struct ike_view view = { .established = false };

	if (!facts)
		return;
	facts->key[0] = '\0';
	for (size_t i = 0; i < 8 && out->up.auth != IKE_AUTH_NULL; i++)
		snprintf(facts->key + 2 * i, 3, "%02x", out->up.key[i]);
	ike_find(ike, &view, out->sa);
	snprintf(facts->ike, sizeof(facts->ike), "%s, %s", view.cipher ? view.cipher : "?", view.kex ? view.kex : "?");
	facts->proved_ns = now;
	if (out->up.auth == IKE_AUTH_NULL)
		journal_write(journal, pair, "unproved", now, "the peer proves nothing, as auth = any allows; IKE: %s",
			      facts->ike);
	else
		journal_write(journal, pair, "proved", now, "the peer has the key SHA-256 %s..; IKE: %s", facts->key,
			      facts->ike);
}

static const char *suite_of(char out[32], const struct child *child)
{
	static const char *const names[CHILD_ALGORITHMS] = {
		[CHILD_AES_GCM_16_256] = "AES-GCM-256",
		[CHILD_AES_GCM_16_128] = "AES-GCM-128",
		[CHILD_CHACHA20_POLY1305] = "ChaCha20",
	};

	snprintf(out, 32, "%s%s%s", names[child->algorithm], child->tunnel ? ", tunnel" : "",
		 child->encap ? ", in UDP" : "");
	return out;
}

void chronicle_child(struct journal *journal, const struct hf_pair *pair, const struct ike_output *out, uint64_t now)
{
	const struct child *child = &out->child.keys;
	struct journal_facts *facts = journal_facts(journal, pair);
	char suite[32];

	suite_of(suite, child);
	if (facts)
		strcpy(facts->suite, suite);
	journal_write(journal, pair, out->child.replaces_in_be ? "rekeyed" : "agreed", now,
		      "SAs in %08x, out %08x, %s; %s started", ntohl(child->spi_in_be), ntohl(child->spi_out_be), suite,
		      out->child.responder ? "the peer" : "this host");
}

void chronicle_child_down(struct journal *journal, const struct hf_pair *pair, const struct ike_output *out,
			  uint64_t now)
{
	journal_write(journal, pair, "ended", now, "SA in %08x%s", ntohl(out->child.keys.spi_in_be),
		      out->child.replaced ? ", another goes on" : "");
}

void chronicle_down(struct journal *journal, const struct hf_pair *pair, const struct ike_output *out, bool ours,
		    uint64_t now)
{
	bool said = out->down.notify != 0;

	/* Who never got as far as a key may be anybody, also a forged address: it gets no place of its own here. */
	if (!ours && !out->down.was_up && !journal_find(journal, pair))
		return;
	journal_write(journal, pair, out->down.was_up ? "ended" : "failed", now, "IKE%s: %s%s%s",
		      ours || out->down.was_up ? "" : " of the peer's", ike_reason_name(out->down.reason),
		      said ? ", the peer said " : "", said ? ike_notify_name(out->down.notify) : "");
}
