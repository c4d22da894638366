// SPDX-License-Identifier: Apache-2.0
/*
 * CREATE_CHILD_SA for Child SAs (RFC 7296 1.3.1, 1.3.3, 2.8): rekeying with or without a new key exchange, and a new one when none is
 * left. Both ends may rekey the same Child SA at once: all are made, the one with the lowest of the four nonces goes, by its
 * creator's hand (2.8.1, docs/COLLISIONS.md 2).
 *
 *   HDR, SK {[N(REKEY_SA),] [N(USE_TRANSPORT_MODE),] SA, Ni, [KEi,] TSi, TSr}  -->
 *                                    <--  HDR, SK {[N(USE_TRANSPORT_MODE),] SA, Nr, [KEr,] TSi, TSr}  |  HDR, SK {N(error)}
 */
#include <errno.h>
#include <string.h>

#include "ike/internal.h"

/* ---- our request ---- */

static int write_request(struct ike *ike, struct sa *sa, struct work *work, uint64_t now)
{
	const struct kid *old = kid_at(ike, work->old_kid);
	const struct kex *kex = kex_find(work->kex);
	uint8_t value[KEX_PUBLIC_MAX];
	struct message message;
	int rc;

	if (!kex)
		return -ENOTSUP;
	rc = kex_start(kex, value, &work->private);
	if (rc)
		return rc;
	send_begin(ike, &message);
	if (old)
		message_notify(&message, PROTOCOL_ESP, NOTIFY_REKEY_SA, view_of(&old->child.spi_in_be, 4), VIEW_NONE);
	if (old ? !old->child.tunnel : !sa_is_through(sa))
		message_notify(&message, PROTOCOL_NONE, NOTIFY_USE_TRANSPORT_MODE, VIEW_NONE, VIEW_NONE);
	child_write_spi(&message, &ike->offer_child_rekey, NULL, work->spi_in_be);
	message_nonce(&message, VIEW_OF(work->nonce));
	message_ke(&message, kex->id, view_of(value, kex->start_len));
	child_write_ts(&message, sa, true);
	return send_request(ike, sa, old ? REQUEST_REKEY_CHILD : REQUEST_NEW_CHILD, EXCHANGE_CREATE_CHILD_SA, &message,
			    now);
}

/* The peer has no time for it, or we have no room: once more, later (RFC 7296 2.25). */
static void later(struct ike *ike, struct sa *sa, struct kid *old, uint64_t now)
{
	if (old)
		old->rekey_wanted = true;
	send_later(ike, sa, old ? WANT_REKEY_KID : WANT_NEW_KID, now);
}

void create_start(struct ike *ike, struct sa *sa, struct kid *old, uint64_t now)
{
	struct work *work = work_new(ike, &sa->work);

	if (!work) {
		later(ike, sa, old, now);
		return;
	}
	work->kex = ike->options.profile.kex[0];
	work->old_kid = old ? kid_ref(ike, old) : 0;
	work->spi_in_be = child_spi(ike, sa);
	ike_random(ike, &work->private, sizeof(work->private));
	ike_random(ike, work->nonce, sizeof(work->nonce));
	if (!work->spi_in_be || write_request(ike, sa, work, now)) {
		work_free(ike, &sa->work);
		later(ike, sa, old, now);
	}
}

/* ---- the peer's request ---- */

/* What both ends need of SA, KE, nonces and selectors: goes to work->child, and the secret with it. 0, a notify, or our trouble. */
static int agree(struct ike *ike, struct received *in, struct work *work)
{
	uint8_t value[KEX_PUBLIC_MAX], shared[KEX_SHARED_MAX];
	const struct offer *offer = &ike->offer_child_rekey;
	struct ke ke = { .group = KE_NONE };
	const struct kex *kex;
	struct view nonce;
	int rc = nonce_parse(&nonce, in->chain.payload[SLOT_NONCE]);

	if (!rc && chain_has(&in->chain, SLOT_KE))
		rc = ke_parse(&ke, in->chain.payload[SLOT_KE]);
	if (rc)
		return rc;
	/* No KE payload: without, if that is offered. */
	if (ke.group == KE_NONE && !ike->options.profile.child_pfs_required)
		rc = child_agree(ike, in->sa, &work->child, &work->suite, &in->chain, true, &ike->offer_child, KE_NONE);
	if (ke.group != KE_NONE || rc == NOTIFY_NO_PROPOSAL_CHOSEN || ike->options.profile.child_pfs_required)
		rc = child_agree(ike, in->sa, &work->child, &work->suite, &in->chain, true, offer, ke.group);
	if (rc)
		return rc;
	if (work->suite.ke != ke.group && work->suite.ke != KE_NONE)
		return NOTIFY_INVALID_KE_PAYLOAD;
	if (work->suite.ke == KE_NONE)
		return followup_keep(ike, work, nonce, VIEW_NONE);
	kex = kex_find(work->suite.ke);
	if (!kex)
		return -ENOTSUP;
	work->kex = kex->id;
	rc = kex_respond(kex, value, shared, ke.data, &work->private);
	if (!rc)
		rc = followup_keep(ike, work, nonce, view_of(shared, kex->shared_len));
	secret_wipe(shared, sizeof(shared));
	return rc == -EBADMSG ? NOTIFY_INVALID_SYNTAX : rc;
}

static bool has_live_kid(const struct ike *ike, const struct sa *sa)
{
	for (const struct kid *kid = kid_at(ike, sa->kids); kid; kid = kid_at(ike, kid->next))
		if (kid->state == KID_UP || kid->state == KID_INSTALLING)
			return true;
	return false;
}

/*
 * A further Child SA for the two hosts takes the place of the one that stands: Libreswan makes it so after its IKE SA of a crossing was
 * deleted. Not while something else is being done with that one.
 */
static int find_supplanted(const struct ike *ike, const struct sa *sa, struct kid **old)
{
	if (!has_live_kid(ike, sa))
		return sa->request.kind == REQUEST_NEW_CHILD ? NOTIFY_NO_ADDITIONAL_SAS : 0;
	for (struct kid *kid = kid_at(ike, sa->kids); kid; kid = kid_at(ike, kid->next))
		if (kid->state == KID_UP && !kid->heir)
			*old = kid;
	return *old && !sa->work ? 0 : NOTIFY_TEMPORARY_FAILURE;
}

/*
 * We rekey it as well, with an additional key exchange perhaps: two such do not run side by side. DEVIATION: RFC 7296 2.25.1 has both made; here
 * one goes first, as after any TEMPORARY_FAILURE (docs/COLLISIONS.md R17).
 */
static bool is_rekeyed_here(const struct ike *ike, const struct sa *sa, const struct kid *old)
{
	const struct work *ours = sa_work(ike, sa);

	return ours && ours->old_kid == kid_ref(ike, old) && followup_offered(&ike->offer_child_rekey);
}

/* Which Child SA the request is about: 0 and *old (NULL: a new one), or the notify that refuses. */
static int find_old(struct ike *ike, const struct sa *sa, const struct notify *rekey, struct kid **old)
{
	uint32_t spi_be;

	*old = NULL;
	if (sa->request.kind == REQUEST_REKEY_SA)
		return NOTIFY_TEMPORARY_FAILURE;
	if (!rekey)
		return find_supplanted(ike, sa, old);
	if (rekey->protocol != PROTOCOL_ESP || rekey->spi.len != sizeof(spi_be))
		return NOTIFY_CHILD_SA_NOT_FOUND;
	memcpy(&spi_be, rekey->spi.at, sizeof(spi_be));
	*old = kid_by_out(ike, sa, spi_be);
	if (!*old)
		return NOTIFY_CHILD_SA_NOT_FOUND;
	return (*old)->state == KID_UP && !is_rekeyed_here(ike, sa, *old) ? 0 : NOTIFY_TEMPORARY_FAILURE;
}

void create_refuse(struct ike *ike, struct sa *sa, int notify, const struct notify *rekey, uint16_t group, uint64_t now)
{
	uint8_t wanted[2] = { (uint8_t)(group >> 8), (uint8_t)group };
	struct message message;

	send_begin(ike, &message);
	if (notify == NOTIFY_CHILD_SA_NOT_FOUND)
		message_notify(&message, PROTOCOL_ESP, (uint16_t)notify, rekey->spi.len == 4 ? rekey->spi : VIEW_NONE,
			       VIEW_NONE);
	else
		message_notify(&message, PROTOCOL_NONE, (uint16_t)notify, VIEW_NONE,
			       notify == NOTIFY_INVALID_KE_PAYLOAD ? VIEW_OF(wanted) : VIEW_NONE);
	if (send_response(ike, sa, EXCHANGE_CREATE_CHILD_SA, &message, now))
		sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
	else if (notify == NOTIFY_INVALID_SYNTAX)
		sa_drop(ike, sa, IKE_BROKEN, now);
}

static int write_response(struct ike *ike, const struct sa *sa, struct message *message, const struct work *work)
{
	const struct kex *kex = work->suite.ke ? kex_find(work->suite.ke) : NULL;
	/* Once the Child SA is made, what was agreed is there and nowhere else. */
	const struct kid *kid = kid_at(ike, work->kid);
	uint8_t value[KEX_PUBLIC_MAX];
	int rc = kex ? kex_start(kex, value, &work->private) : 0;

	if (rc)
		return rc;
	send_begin(ike, message);
	if (!(kid ? kid->child.tunnel : work->child.tunnel))
		message_notify(message, PROTOCOL_NONE, NOTIFY_USE_TRANSPORT_MODE, VIEW_NONE, VIEW_NONE);
	child_write_spi(message, NULL, &work->suite, work->spi_in_be);
	message_nonce(message, VIEW_OF(work->nonce));
	if (kex)
		message_ke(message, kex->id, view_of(value, kex->start_len));
	child_write_ts(message, sa, false);
	return 0;
}

/* The first half of the answer, when an additional key exchange follows: nothing is made yet. */
static int answer_first(struct ike *ike, struct sa *sa, struct work *work, uint64_t now)
{
	struct message message;
	int rc = write_response(ike, sa, &message, work);

	if (rc)
		return rc;
	followup_await(ike, sa, work, &message, now);
	if (send_response(ike, sa, EXCHANGE_CREATE_CHILD_SA, &message, now))
		sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
	return 0;
}

static int start_child(struct ike *ike, struct received *in, struct work *work, struct kid *old, uint64_t now)
{
	int rc;

	ike_random(ike, work->nonce, sizeof(work->nonce));
	ike_random(ike, &work->private, sizeof(work->private));
	work->old_kid = old ? kid_ref(ike, old) : 0;
	work->supplants = old && !chain_notify(&in->chain, NOTIFY_REKEY_SA);
	rc = agree(ike, in, work);
	if (rc)
		return rc;
	work->spi_in_be = child_spi(ike, in->sa);
	if (!work->spi_in_be)
		return NOTIFY_TEMPORARY_FAILURE;
	return work->suite.addke != KE_NONE ? answer_first(ike, in->sa, work, now)
					    : create_follow(ike, in->sa, VIEW_NONE, now);
}

/* The Child SA that the work has agreed on. NULL: no room. The keys stay nowhere else. */
static struct kid *make_kid(struct ike *ike, struct sa *sa, struct work *work, uint64_t now)
{
	struct view theirs = blob_view(ike, &work->peer_nonce, ike->copies[0], sizeof(ike->copies[0]));
	struct kid *kid = kid_new(ike, sa, work->spi_in_be, now);

	if (kid) {
		kid->child = work->child;
		kid->child.spi_in_be = work->spi_in_be;
		child_encap(&kid->child, sa); /* the peer may have moved since */
		nonce_low(kid->low_nonce, theirs, VIEW_OF(work->nonce));
		work->kid = kid_ref(ike, kid);
	}
	secret_wipe(&work->child, sizeof(work->child));
	secret_wipe(work->shared, sizeof(work->shared));
	return kid;
}

int create_follow(struct ike *ike, struct sa *sa, struct view added, uint64_t now)
{
	struct work *work = sa_peer_work(ike, sa), *ours = sa_work(ike, sa);
	struct kid *old = kid_at(ike, work->old_kid), *kid;
	int rc = followup_child(ike, sa, work, false, added);

	if (rc)
		return rc;
	kid = make_kid(ike, sa, work, now);
	if (!kid)
		return NOTIFY_TEMPORARY_FAILURE;
	if (ours && old && ours->old_kid == work->old_kid)
		ours->rival = work->kid; /* both at once: settled when our response is there */
	/* In a rekey the peer switches first; a new one has nothing to switch from, or nobody says when. */
	kid_up(ike, kid, !old || work->supplants, old ? old->child.spi_in_be : 0);
	return 0;
}

void create_on_request(struct ike *ike, struct received *in, uint64_t now)
{
	const struct notify *rekey = chain_notify(&in->chain, NOTIFY_REKEY_SA);
	struct sa *sa = in->sa;
	struct kid *old = NULL;
	struct work *work;
	int rc;

	rekey_follow(ike, sa, now);
	followup_forget(ike, sa); /* it begins anew (window 1) */
	if (sa->state != SA_ESTABLISHED || sa->loser || sa->wants & WANT_CLOSE) {
		create_refuse(ike, sa, NOTIFY_TEMPORARY_FAILURE, NULL, KE_NONE, now);
		return;
	}
	if (!chain_has(&in->chain, SLOT_TSI) && !chain_has(&in->chain, SLOT_TSR)) {
		rekey_on_request(ike, in, now);
		return;
	}
	rc = find_old(ike, sa, rekey, &old);
	work = rc ? NULL : work_new(ike, &sa->peer_work);
	if (!rc)
		rc = work ? start_child(ike, in, work, old, now) : NOTIFY_TEMPORARY_FAILURE;
	if (rc) {
		uint16_t group = work ? work->suite.ke : KE_NONE;

		work_free(ike, &sa->peer_work);
		create_refuse(ike, sa, rc > 0 ? rc : NOTIFY_TEMPORARY_FAILURE, rekey, group, now);
	}
}

/* The end of the answer: all of it, or the other half of the additional key exchange. */
static int write_end(struct ike *ike, const struct sa *sa, struct message *message, const struct work *work)
{
	if (!work->followup)
		return write_response(ike, sa, message, work);
	send_begin(ike, message);
	message_ke(message, work->suite.addke, blob_view(ike, &work->peer_ke, ike->copies[0], sizeof(ike->copies[0])));
	return 0;
}

/* The kernel has the inbound SA of what the peer wants: now it may know (RFC 7296 2.8). */
static void respond(struct ike *ike, struct sa *sa, struct kid *kid, int error, uint64_t now)
{
	struct work *work = sa_peer_work(ike, sa), *ours = sa_work(ike, sa);
	struct kid *old = kid_at(ike, work->old_kid);
	enum exchange exchange = work->followup ? EXCHANGE_IKE_FOLLOWUP_KE : EXCHANGE_CREATE_CHILD_SA;
	bool supplants = work->supplants;
	struct message message;

	if (!error)
		error = write_end(ike, sa, &message, work);
	if (error) {
		if (ours && ours->rival == kid_ref(ike, kid))
			ours->rival = 0;
		kid_remove(ike, kid);
		work_free(ike, &sa->peer_work);
		if (send_notify_response(ike, sa, exchange, NOTIFY_TEMPORARY_FAILURE, VIEW_NONE, now))
			sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
		return;
	}
	kid_installed(kid);
	/* A request about a child that the peer does not know yet is answered as if there were none; it asks again so long. */
	kid->unproven = true;
	kid->unproven_ns = nstime_add(now, IKE_REPLACED_LIFE);
	work_free(ike, &sa->peer_work);
	if (send_response(ike, sa, exchange, &message, now)) {
		sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
		return;
	}
	if (old && supplants)
		kid_supplant(ike, old, kid, now);
	else if (old && !old->heir && !(ours && ours->rival == kid_ref(ike, kid)))
		kid_replace(ike, old, kid, now);
}

/* ---- our response ---- */

static void on_refused(struct ike *ike, struct sa *sa, struct work *work, bool rekey, const struct notify *error,
		       uint64_t now)
{
	struct kid *old = kid_at(ike, work->old_kid);
	bool has_rival = work->rival != 0;
	uint16_t group = error->data.len == 2 ? (uint16_t)(error->data.at[0] << 8 | error->data.at[1]) : KE_NONE;

	if (rekey && !old) {
		work_free(ike, &sa->work); /* the peer deleted it meanwhile: nothing is left to be rekeyed */
		return;
	}
	if (error->type == NOTIFY_INVALID_KE_PAYLOAD && !work->followup && group != work->kex &&
	    ++work->ke_rounds <= IKE_KE_ROUNDS && proposal_offers(&ike->offer_child_rekey, TRANSFORM_KE, group) &&
	    kex_find(group)) {
		work->kex = group;
		ike_random(ike, &work->private, sizeof(work->private));
		if (!write_request(ike, sa, work, now))
			return;
	}
	if (has_rival && old)
		kid_replace(ike, old, kid_at(ike, work->rival), now); /* the peer's is the one */
	work_free(ike, &sa->work);
	if (has_rival)
		return;
	sa->notify = error->type;
	if (error->type == NOTIFY_CHILD_SA_NOT_FOUND && old && old->unproven) {
		kid_not_known(ike, sa, old, now);
	} else if (error->type == NOTIFY_CHILD_SA_NOT_FOUND) {
		if (old && !old->heir)
			kid_remove(ike, old);
		if (!has_live_kid(ike, sa))
			sa->wants |= WANT_NEW_KID;
	} else if (error->type == NOTIFY_NO_ADDITIONAL_SAS) {
		engine_refresh(ike, sa, now); /* RFC 7815 peers cannot rekey */
	} else if (error->type == NOTIFY_INVALID_SYNTAX) {
		/* The peer ends the IKE SA as well (RFC 7296 2.21.3). */
		sa->down_reason = IKE_REFUSED;
		sa->wants |= WANT_CLOSE;
	} else {
		later(ike, sa, old, now);
	}
}

/* What the peer agreed to, and the secret of it. */
static int finish(struct ike *ike, struct received *in, struct work *work)
{
	uint8_t shared[KEX_SHARED_MAX];
	const struct kex *kex;
	struct view nonce;
	struct ke ke;
	int rc;

	if (!chain_has(&in->chain, SLOT_NONCE) || nonce_parse(&nonce, in->chain.payload[SLOT_NONCE]))
		return -EBADMSG;
	rc = child_agree(ike, in->sa, &work->child, &work->suite, &in->chain, false, &ike->offer_child_rekey, KE_NONE);
	if (rc)
		return rc > 0 ? -EBADMSG : rc;
	if (work->suite.ke == KE_NONE)
		return followup_keep(ike, work, nonce, VIEW_NONE);
	kex = kex_find(work->kex);
	if (work->suite.ke != work->kex || !chain_has(&in->chain, SLOT_KE) ||
	    ke_parse(&ke, in->chain.payload[SLOT_KE]) || ke.group != work->kex)
		return -EBADMSG;
	rc = kex_finish(kex, shared, ke.data, &work->private);
	if (!rc)
		rc = followup_keep(ike, work, nonce, view_of(shared, kex->shared_len));
	secret_wipe(shared, sizeof(shared));
	return rc;
}

/* The answer is good, and the last one: the Child SA, or NULL. */
static struct kid *conclude(struct ike *ike, struct received *in, struct work *work, uint64_t now)
{
	uint8_t shared[KEX_SHARED_MAX];
	struct view added = VIEW_NONE;
	int rc = work->followup ? followup_answered(&added, shared, work, &in->chain) : 0;

	if (!rc)
		rc = followup_child(ike, in->sa, work, true, added);
	secret_wipe(shared, sizeof(shared));
	return rc ? NULL : make_kid(ike, in->sa, work, now);
}

void create_on_response(struct ike *ike, struct received *in, uint64_t now)
{
	struct sa *sa = in->sa;
	struct work *work = sa_work(ike, sa);
	const struct notify *error = chain_error(&in->chain);
	enum request_kind kind = sa->request.kind;
	struct kid *kid = NULL;
	const struct kid *old;
	int rc;

	if (kind == REQUEST_REKEY_SA) {
		rekey_on_response(ike, in, now);
		return;
	}
	send_done(ike, sa);
	if (error) {
		on_refused(ike, sa, work, kind == REQUEST_REKEY_CHILD, error, now);
		return;
	}
	rc = work->followup ? 0 : finish(ike, in, work);
	if (!rc && !work->followup && work->suite.addke != KE_NONE) {
		rc = followup_ask(ike, sa, work, kind, &in->chain, now);
		if (!rc)
			return;
	}
	/* What was not offered, or a bad key exchange: nothing of this SA is worth going on (RFC 6989 2.5). */
	if (!rc)
		kid = conclude(ike, in, work, now);
	if (!kid) {
		work_free(ike, &sa->work);
		sa->down_reason = IKE_BROKEN;
		sa->wants |= WANT_CLOSE;
		return;
	}
	sa->temporary = 0;
	kid->mine = true;
	old = kid_at(ike, work->old_kid);
	kid_up(ike, kid, !sa->loser, old ? old->child.spi_in_be : 0);
	if (sa->loser)
		kid_quiet(ike, kid); /* it lost a crossing while we asked */
}

/* Three Child SAs for one pair at most; one stays (RFC 7296 2.8.1). */
static void settle(struct ike *ike, struct sa *sa, struct kid *mine, uint64_t now)
{
	struct work *work = sa_work(ike, sa);
	struct kid *old = kid_at(ike, work->old_kid), *rival = kid_at(ike, work->rival);

	if (!rival) {
		if (old) {
			kid_replace(ike, old, mine, now);
			old->state = KID_DELETING;
			old->drop_ns = NSTIME_NEVER;
		}
		return;
	}
	ike->counts.collisions++;
	if (memcmp(mine->low_nonce, rival->low_nonce, NONCE_LEN) < 0) {
		/* Mine holds the lowest: I made it, I delete it. The peer deletes the old one. */
		if (old)
			kid_replace(ike, old, rival, now);
		kid_replace(ike, mine, rival, now);
		mine->state = KID_DELETING;
		mine->drop_ns = NSTIME_NEVER;
		/* It is sent with when the peer deletes the old one: then it has it. */
		if (!old || old->gone)
			kid_use(ike, rival);
		return;
	}
	kid_replace(ike, rival, mine, now);
	if (old) {
		kid_replace(ike, old, mine, now);
		old->state = KID_DELETING;
		old->drop_ns = NSTIME_NEVER;
	}
}

bool create_on_installed(struct ike *ike, struct sa *sa, struct kid *kid, int error, uint64_t now)
{
	struct work *work = sa_work(ike, sa), *peers = sa_peer_work(ike, sa);

	if (peers && peers->kid == kid_ref(ike, kid)) {
		respond(ike, sa, kid, error, now);
		return true;
	}
	if (!work || work->kid != kid_ref(ike, kid))
		return false;
	kid_installed(kid);
	if (error) {
		/* The peer has it: it must go. What the peer made at the same time is the one; else the old one stays. */
		struct kid *old = kid_at(ike, work->old_kid), *rival = kid_at(ike, work->rival);

		kid->state = KID_DELETING;
		if (!rival)
			later(ike, sa, old, now);
		else if (old)
			kid_replace(ike, old, rival, now);
	} else {
		settle(ike, sa, kid, now);
	}
	work_free(ike, &sa->work);
	return true;
}
