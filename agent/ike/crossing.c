// SPDX-License-Identifier: Apache-2.0
/*
 * Several IKE SAs of the same two hosts (docs/COLLISIONS.md 1, rows U1 to U13): both start talking at the same moment, or one comes back after a
 * restart. No RFC says which one stays, so both ends decide by what both know: the nonces. Nobody deletes what the other made,
 * and nothing that is not authenticated ends anything.
 */
#include <string.h>

#include "ike/internal.h"

/* The same peer: proven by the same key, or not proven on both (U6). PSK counts as its own kind. */
static bool is_same_peer(const struct sa *a, const struct sa *b)
{
	return a->auth == b->auth && memcmp(a->key, b->key, sizeof(a->key)) == 0;
}

static bool is_live(const struct sa *sa)
{
	return sa->state == SA_ESTABLISHED && !sa->loser && !(sa->wants & WANT_CLOSE);
}

static void each_kid(struct ike *ike, struct sa *sa, void (*f)(struct ike *ike, struct kid *kid))
{
	for (struct kid *kid = kid_at(ike, sa->kids); kid; kid = kid_at(ike, kid->next))
		f(ike, kid);
}

/* U6: it is not used for sending any more. Its creator deletes it after 1 to 2 s; the other end only if it does not, as when it has died. */
void crossing_lose(struct ike *ike, struct sa *sa, uint64_t now)
{
	ike->counts.collisions++;
	sa->loser = true;
	sa->rekey_ns = NSTIME_NEVER;
	each_kid(ike, sa, kid_quiet);
	for (struct kid *kid = kid_at(ike, sa->kids); kid; kid = kid_at(ike, kid->next))
		kid->rekey_ns = NSTIME_NEVER;
	sa->wants &= ~(unsigned int)(WANT_REKEY_KID | WANT_REKEY_SA | WANT_NEW_KID);
	sa->drop_ns =
		now + (sa->initiator ? IKE_LOSER_WAIT + ike_jitter(ike, IKE_LOSER_WAIT, 50) / 2 : IKE_REPLACED_LIFE);
	sa_schedule(ike, sa);
}

static void settle_two(struct ike *ike, struct sa *a, struct sa *b, uint64_t now)
{
	struct sa *loser;

	if (a->auth == IKE_AUTH_NULL && b->auth != IKE_AUTH_NULL)
		loser = a; /* U7 */
	else if (b->auth == IKE_AUTH_NULL && a->auth != IKE_AUTH_NULL)
		loser = b;
	else if (!is_same_peer(a, b))
		return; /* two keys of one address: the caller bound both to it */
	else
		loser = memcmp(a->origin_nonce, b->origin_nonce, NONCE_LEN) < 0 ? a : b;
	crossing_lose(ike, loser, now);
}

/* U2, U8: ours is overtaken. Its answers are still taken, but it is not sent again, and its end is no failure. */
static void supersede(struct ike *ike, struct sa *sa, uint64_t now)
{
	if (sa->superseded)
		return;
	sa->superseded = true;
	sa->drop_ns = nstime_min(sa->drop_ns, nstime_add(now, IKE_SUPERSEDED_LIFE));
	for (struct sa *at = sa_find(ike, sa->spi_i); at; at = sa_at(ike, at->sibling)) {
		if (at->state == SA_INIT_SENT || at->state == SA_AUTH_SENT || at->state == SA_INTERMEDIATE_SENT) {
			/* One more sending each: a lost packet must not leave the peer with an SA that only it believes in. */
			at->request.tries_max = at->request.tries + (at->state == SA_AUTH_SENT ? 3 : 0);
			sa_schedule(ike, at);
		}
	}
}

static bool is_attempt(const struct sa *sa)
{
	return sa->state == SA_INIT_SENT && !sa->mother;
}

bool crossing_has_other(struct ike *ike, const struct sa *sa)
{
	struct hf_pair pair = sa_pair(sa);

	for (const struct sa *other = sa_first_of_pair(ike, &pair); other; other = sa_at(ike, other->next_of_pair))
		if (other != sa && is_live(other))
			return true;
	return false;
}

void crossing_restarted(struct ike *ike, struct sa *sa, uint64_t now)
{
	struct hf_pair pair = sa_pair(sa);
	struct sa *other = sa_first_of_pair(ike, &pair), *next;

	if (sa->auth == IKE_AUTH_NULL)
		return; /* RFC 7619 2.3 */
	for (; other; other = next) {
		next = sa_at(ike, other->next_of_pair);
		if (other != sa && other->state == SA_ESTABLISHED && is_same_peer(sa, other) &&
		    other->established_ns + IKE_INITIAL_CONTACT_AGE < sa->started_ns)
			sa_drop(ike, other, IKE_PEER_RESTARTED, now);
	}
}

void crossing_settle(struct ike *ike, struct sa *sa, uint64_t now)
{
	struct hf_pair pair = sa_pair(sa);
	struct sa *other = sa_first_of_pair(ike, &pair), *next;

	for (; other; other = next) {
		next = sa_at(ike, other->next_of_pair);
		if (other == sa)
			continue;
		if (is_attempt(other)) {
			if (!sa->initiator)
				supersede(ike, other, now);
			continue;
		}
		if (!is_live(other))
			continue;
		if (other->refreshing && sa->initiator && is_same_peer(sa, other)) {
			crossing_lose(ike, other, now);
			other->wants |= WANT_CLOSE;
			send_next(ike, other, now);
			continue;
		}
		if ((sa->started_ns > other->established_ns || sa->initiator == other->initiator) &&
		    is_same_peer(sa, other)) {
			/*
			 * U11: the peer came back, forgot, or did not believe our IKE_AUTH response: who has one does not begin another,
			 * and who makes two itself is not crossing anybody. What it made just now it has; does it still have the other? If
			 * so, nonces decide between the two as always: the peer may have seen another order of events.
			 */
			other->short_probe = true;
			other->wants |= WANT_PROBE;
			send_next(ike, other, now);
			continue;
		}
		settle_two(ike, sa, other, now);
		if (sa->loser)
			return;
	}
}

bool crossing_is_needed(struct ike *ike, const struct sa *sa)
{
	struct hf_pair pair = sa_pair(sa);
	bool needed = false;

	for (struct sa *other = sa_first_of_pair(ike, &pair); other; other = sa_at(ike, other->next_of_pair)) {
		if (other == sa || !is_live(other) || !is_same_peer(sa, other))
			continue;
		/* What we began the peer had before we had; on what it began it has to speak first. */
		if (other->initiator || other->heard)
			return false;
		needed = true;
	}
	return needed;
}

void crossing_alive(struct ike *ike, struct sa *sa, uint64_t now)
{
	struct hf_pair pair = sa_pair(sa);

	if (!sa->short_probe)
		return;
	sa->short_probe = false;
	for (struct sa *other = sa_first_of_pair(ike, &pair); other; other = sa_at(ike, other->next_of_pair)) {
		if (other == sa || !is_live(other) || !is_same_peer(sa, other))
			continue;
		settle_two(ike, sa, other, now);
		if (sa->loser)
			return;
	}
}

/* Sending again takes new keys, the old ones were forgotten. */
static void win(struct ike *ike, struct sa *sa, uint64_t now)
{
	sa->loser = false;
	sa->drop_ns = NSTIME_NEVER;
	sa->rekey_ns = nstime_add(now, ike_jitter(ike, ike->options.sa_life_ns, 10));
	for (struct kid *kid = kid_at(ike, sa->kids); kid; kid = kid_at(ike, kid->next))
		kid->rekey_wanted = kid->state == KID_UP || kid->state == KID_INSTALLING; /* when the kernel has it */
	sa->wants |= WANT_REKEY_KID;
	send_next(ike, sa, now);
}

void crossing_gone(struct ike *ike, const struct sa *sa, uint64_t now)
{
	struct hf_pair pair = sa_pair(sa);
	struct sa *loser = NULL;

	if (!sa->in_pairs || !sa->established_ns || sa->loser)
		return;
	for (struct sa *other = sa_first_of_pair(ike, &pair); other; other = sa_at(ike, other->next_of_pair)) {
		if (other == sa || other->state != SA_ESTABLISHED || other->wants & WANT_CLOSE ||
		    !is_same_peer(sa, other))
			continue;
		if (!other->loser)
			return;
		loser = other;
	}
	if (loser)
		win(ike, loser, now);
}
