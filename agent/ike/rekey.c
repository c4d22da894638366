// SPDX-License-Identifier: Apache-2.0
/*
 * CREATE_CHILD_SA for the IKE SA itself (RFC 7296 1.3.2, 2.18), and both ends doing it at once (2.8.1, 2.8.2): of the two new IKE SAs the one with
 * the lowest of the four nonces goes, deleted by its creator; the other takes the Child SAs, and its creator deletes the old.
 *
 *   HDR, SK {SA, Ni, KEi}  -->   <--  HDR, SK {SA, Nr, KEr}  |  HDR, SK {N(TEMPORARY_FAILURE)}
 */
#include <errno.h>
#include <string.h>

#include "ike/auth.h"

/*
 * DEVIATION: RFC 9370 2.2.4 lets a rekey have additional key exchanges by IKE_FOLLOWUP_KE; ours have none, nor do those of Child SAs.
 *
 * The first offer without its additional key exchange, with the PRF of now: strongSwan derives with the old PRF throughout, RFC 7296 2.18
 * expands with the new one, and both are right as long as they are the same.
 */
static struct offer offer_for(const struct ike *ike, const struct sa *sa)
{
	struct offer offer = ike->offer_rekey;

	for (size_t i = 0; i < offer.count; i++) {
		struct offer_proposal *proposal = &offer.proposals[i];
		size_t kept = 0;

		for (size_t j = 0; j < proposal->count; j++)
			if (proposal->transforms[j].type != TRANSFORM_PRF ||
			    proposal->transforms[j].id == sa->suite.prf)
				proposal->transforms[kept++] = proposal->transforms[j];
		proposal->count = kept;
	}
	return offer;
}

void rekey_adopt(struct ike *ike, struct sa *old, struct sa *new, uint64_t now)
{
	struct handle handle = pool_handle(&ike->sas, old);

	while (old->kids) {
		struct kid *kid = kid_at(ike, old->kids);

		old->kids = kid->next;
		kid->next = new->kids;
		kid->sa = sa_ref(ike, new) - 1;
		new->kids = kid_ref(ike, kid);
	}
	kid_all_proven(ike, new); /* while it waits for an answer nobody rekeys its IKE SA (RFC 7296 2.25.1) */
	new->wants |= old->wants &(WANT_REKEY_KID | WANT_NEW_KID | WANT_CLOSE | WANT_PROBE);
	/* What crossing.c knows of the old one holds for this one. */
	new->established_ns = old->established_ns;
	if (old->short_probe) {
		new->short_probe = true;
		new->wants |= WANT_PROBE;
		old->short_probe = false;
	}
	if (old->loser)
		crossing_lose(ike, new, now);
	new->down_reason = old->down_reason;
	/* It stays one without authentication, and counts as one. */
	new->null_counted = old->null_counted;
	new->null_addr = old->null_addr;
	old->null_counted = false;
	new->known = old->known;
	old->known = false;
	old->wants = 0;
	old->heir = new->ancestor = 0;
	old->state = SA_REKEYED;
	old->drop_ns = nstime_add(now, IKE_REPLACED_LIFE);
	sa_leave_pair(ike, old);
	sa_enter_pair(ike, new);
	if (new->known)
		output_replaced(ike, new, handle);
	sa_schedule(ike, old);
	sa_schedule(ike, new);
}

void rekey_follow(struct ike *ike, struct sa *sa, uint64_t now)
{
	struct sa *old = sa_at(ike, sa->ancestor);

	if (!old)
		return;
	send_done(ike, old);
	work_free(ike, &old->work);
	rekey_adopt(ike, old, sa, now);
}

/* A new IKE SA out of an old one: who the peer is and what it can does not change. */
static struct sa *succeed(struct ike *ike, const struct sa *old, bool initiator, const struct suite *suite,
			  const uint8_t *spi_i, const uint8_t *spi_r, uint64_t now)
{
	struct sa *sa = sa_new(ike, initiator, &old->path, now);

	if (!sa)
		return NULL;
	sa->tag = old->tag;
	sa->told_up = true;
	sa->features = old->features;
	sa->hashes = old->hashes;
	sa->auth = old->auth;
	memcpy(sa->key, old->key, sizeof(sa->key));
	memcpy(sa->origin_nonce, old->origin_nonce, sizeof(sa->origin_nonce));
	memcpy(sa->spi_i, spi_i, SPI_LEN);
	memcpy(sa->spi_r, spi_r, SPI_LEN);
	if (init_set_suite(sa, suite) || sa_index_spi(ike, sa)) {
		sa_free(ike, sa);
		return NULL;
	}
	return sa;
}

static int derive(struct ike *ike, struct sa *sa, const struct sa *old, struct view ni, struct view nr,
		  struct view shared)
{
	struct keymat_input input = { .ni = ni, .nr = nr, .spi_i = sa->spi_i, .spi_r = sa->spi_r };
	int rc = keymat_rekey(&sa->keys, &old->keys, &input, shared, VIEW_NONE);

	if (rc)
		return rc;
	sa->have_keys = true;
	nonce_low(sa->low_nonce, ni, nr);
	keylog_ike(&ike->options.host, sa->spi_i, sa->spi_r, &sa->keys);
	return 0;
}

/* ---- our request ---- */

static int write_request(struct ike *ike, struct sa *sa, struct work *work, uint64_t now)
{
	struct offer offer = offer_for(ike, sa);
	const struct kex *kex = kex_find(work->kex);
	uint8_t value[KEX_PUBLIC_MAX];
	struct message message;
	int rc = kex ? kex_start(kex, value, &work->private) : -ENOTSUP;

	if (rc)
		return rc;
	send_begin(ike, &message);
	proposal_write(&message, &offer, VIEW_OF(work->spi_new));
	message_nonce(&message, VIEW_OF(work->nonce));
	message_ke(&message, kex->id, view_of(value, kex->start_len));
	return send_request(ike, sa, REQUEST_REKEY_SA, EXCHANGE_CREATE_CHILD_SA, &message, now);
}

void rekey_start(struct ike *ike, struct sa *sa, uint64_t now)
{
	struct work *work = work_new(ike, &sa->work);

	if (!work) {
		send_later(ike, sa, WANT_REKEY_SA, now);
		return;
	}
	work->kex = sa->suite.ke;
	do
		ike_random(ike, work->spi_new, SPI_LEN);
	while (sa_find(ike, work->spi_new));
	ike_random(ike, &work->private, sizeof(work->private));
	ike_random(ike, work->nonce, sizeof(work->nonce));
	if (write_request(ike, sa, work, now)) {
		work_free(ike, &sa->work);
		send_later(ike, sa, WANT_REKEY_SA, now);
	}
}

/* ---- the peer's request ---- */

static int busy_with(const struct sa *sa)
{
	switch (sa->request.kind) {
	case REQUEST_REKEY_CHILD:
	case REQUEST_NEW_CHILD:
	case REQUEST_DELETE_CHILD:
	case REQUEST_DELETE_SA:
		return NOTIFY_TEMPORARY_FAILURE;
	default:
		/* Or with a Child SA that waits for the kernel. */
		return sa->heir || sa->peer_work || (sa->work && sa->request.kind != REQUEST_REKEY_SA)
			       ? NOTIFY_TEMPORARY_FAILURE
			       : 0;
	}
}

/* The new IKE SA of a peer's request, and our half of the response. 0, a notify, or our trouble. */
static int accept(struct ike *ike, struct received *in, struct sa **out, uint16_t *group, struct message *answer,
		  uint64_t now)
{
	struct offer offer = offer_for(ike, in->sa);
	uint8_t value[KEX_PUBLIC_MAX], shared[KEX_SHARED_MAX], nonce[NONCE_LEN], spi_r[SPI_LEN];
	struct view spi_i, theirs;
	struct kex_private fresh;
	const struct kex *kex;
	struct suite suite;
	struct sa *sa;
	struct ke ke;
	int rc;

	if (!chain_has(&in->chain, SLOT_KE) || ke_parse(&ke, in->chain.payload[SLOT_KE]) ||
	    nonce_parse(&theirs, in->chain.payload[SLOT_NONCE]))
		return NOTIFY_INVALID_SYNTAX;
	rc = proposal_choose(&suite, &spi_i, in->chain.payload[SLOT_SA], &offer, ke.group, SPI_LEN);
	if (rc)
		return rc;
	*group = suite.ke;
	kex = kex_find(suite.ke);
	if (ke.group != suite.ke || !kex)
		return NOTIFY_INVALID_KE_PAYLOAD;
	ike_random(ike, &fresh, sizeof(fresh));
	ike_random(ike, nonce, sizeof(nonce));
	do
		ike_random(ike, spi_r, SPI_LEN);
	while (sa_find(ike, spi_r));
	rc = kex_respond(kex, value, shared, ke.data, &fresh);
	secret_wipe(&fresh, sizeof(fresh));
	if (rc)
		return rc == -EBADMSG ? NOTIFY_INVALID_SYNTAX : rc;
	sa = succeed(ike, in->sa, false, &suite, spi_i.at, spi_r, now);
	if (!sa || derive(ike, sa, in->sa, theirs, VIEW_OF(nonce), view_of(shared, kex->shared_len))) {
		secret_wipe(shared, sizeof(shared));
		if (sa)
			sa_free(ike, sa);
		return NOTIFY_TEMPORARY_FAILURE;
	}
	secret_wipe(shared, sizeof(shared));
	send_begin(ike, answer);
	proposal_write_choice(answer, &suite, VIEW_OF(spi_r));
	message_nonce(answer, VIEW_OF(nonce));
	message_ke(answer, kex->id, view_of(value, kex->start_len));
	auth_write_crash_token(ike, sa, answer);
	*out = sa;
	return 0;
}

void rekey_on_request(struct ike *ike, struct received *in, uint64_t now)
{
	struct sa *sa = in->sa, *new = NULL;
	struct message answer;
	uint16_t group = KE_NONE;
	int rc = busy_with(sa);

	if (!rc)
		rc = accept(ike, in, &new, &group, &answer, now);
	if (rc) {
		create_refuse(ike, sa, rc > 0 ? rc : NOTIFY_TEMPORARY_FAILURE, NULL, group, now);
		return;
	}
	sa_established(ike, new, now);
	if (send_response(ike, sa, EXCHANGE_CREATE_CHILD_SA, &answer, now)) {
		sa_free(ike, new);
		sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
		return;
	}
	if (sa->request.kind == REQUEST_REKEY_SA) {
		/* Both at once: settled when our response is there, or by the peer's Delete of this one. */
		sa->heir = sa_ref(ike, new);
		new->ancestor = sa_ref(ike, sa);
		sa_schedule(ike, new);
		return;
	}
	rekey_adopt(ike, sa, new, now);
}

/* ---- our response ---- */

static void on_refused(struct ike *ike, struct sa *sa, struct work *work, const struct notify *error, uint64_t now)
{
	uint16_t group = error->data.len == 2 ? (uint16_t)(error->data.at[0] << 8 | error->data.at[1]) : KE_NONE;

	if (error->type == NOTIFY_INVALID_KE_PAYLOAD && group != work->kex && ++work->ke_rounds <= IKE_KE_ROUNDS &&
	    proposal_offers(&ike->offer_rekey, TRANSFORM_KE, group) && kex_find(group)) {
		work->kex = group;
		ike_random(ike, &work->private, sizeof(work->private));
		if (!write_request(ike, sa, work, now))
			return;
	}
	work_free(ike, &sa->work);
	sa->notify = error->type;
	if (sa->heir) {
		/* The peer's rekey stands: its Delete of this SA is on the way. */
		rekey_adopt(ike, sa, sa_at(ike, sa->heir), now);
	} else if (error->type == NOTIFY_NO_ADDITIONAL_SAS) {
		engine_refresh(ike, sa, now);
	} else if (error->type == NOTIFY_INVALID_SYNTAX) {
		sa->down_reason = IKE_REFUSED;
		sa->wants |= WANT_CLOSE;
	} else {
		send_later(ike, sa, WANT_REKEY_SA, now);
	}
}

static struct sa *finish(struct ike *ike, struct received *in, struct work *work, uint64_t now)
{
	struct offer offer = offer_for(ike, in->sa);
	const struct kex *kex = kex_find(work->kex);
	uint8_t shared[KEX_SHARED_MAX];
	struct view spi_r, theirs;
	struct suite suite;
	struct sa *sa;
	struct ke ke;

	if (!chain_has(&in->chain, SLOT_SA) || !chain_has(&in->chain, SLOT_KE) || !chain_has(&in->chain, SLOT_NONCE) ||
	    proposal_accept(&suite, &spi_r, in->chain.payload[SLOT_SA], &offer, SPI_LEN) || suite.ke != work->kex ||
	    ke_parse(&ke, in->chain.payload[SLOT_KE]) || ke.group != work->kex ||
	    nonce_parse(&theirs, in->chain.payload[SLOT_NONCE]) || kex_finish(kex, shared, ke.data, &work->private))
		return NULL;
	sa = succeed(ike, in->sa, true, &suite, work->spi_new, spi_r.at, now);
	if (sa && derive(ike, sa, in->sa, VIEW_OF(work->nonce), theirs, view_of(shared, kex->shared_len))) {
		sa_free(ike, sa);
		sa = NULL;
	}
	secret_wipe(shared, sizeof(shared));
	return sa;
}

void rekey_on_response(struct ike *ike, struct received *in, uint64_t now)
{
	struct sa *old = in->sa, *mine, *theirs = sa_at(ike, old->heir);
	struct work *work = sa_work(ike, old);
	const struct notify *error = chain_error(&in->chain);

	send_done(ike, old);
	if (error) {
		on_refused(ike, old, work, error, now);
		return;
	}
	mine = finish(ike, in, work, now);
	work_free(ike, &old->work);
	if (!mine) {
		/* RFC 6989 2.5: a bad key exchange ends the SA; so does an answer that was not offered. */
		old->down_reason = IKE_BROKEN;
		old->wants |= WANT_CLOSE;
		return;
	}
	old->temporary = 0;
	sa_established(ike, mine, now);
	auth_read_crash_token(mine, &in->chain);
	mine->wants |= WANT_PROBE; /* which brings ours (RFC 6290 4.2) */
	if (theirs) {
		ike->counts.collisions++;
		if (memcmp(mine->low_nonce, theirs->low_nonce, NONCE_LEN) < 0) {
			rekey_adopt(ike, old, theirs, now);
			mine->wants |= WANT_CLOSE;
			send_next(ike, mine, now);
			sa_schedule(ike, mine);
			return;
		}
		theirs->state = SA_REKEYED;
		theirs->ancestor = old->heir = 0;
		theirs->drop_ns = nstime_add(now, IKE_REPLACED_LIFE);
		sa_schedule(ike, theirs);
	}
	rekey_adopt(ike, old, mine, now);
	info_close(ike, old, now);
}
