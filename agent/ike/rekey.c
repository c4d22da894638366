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
 * The first offer with the PRF of now: strongSwan derives with the old PRF throughout, RFC 7296 2.18 expands with the new one, and both are right
 * as long as they are the same.
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
	sa->behind = old->behind;
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

/* Keys of the new IKE SA, from what the work has; `added` is empty without an additional key exchange (RFC 9370 2.2.4). */
static int derive(struct ike *ike, struct sa *sa, const struct sa *old, const struct work *work, struct view added)
{
	struct view theirs = blob_view(ike, &work->peer_nonce, ike->copies[0], sizeof(ike->copies[0]));
	struct keymat_input input = { .ni = sa->initiator ? VIEW_OF(work->nonce) : theirs,
				      .nr = sa->initiator ? theirs : VIEW_OF(work->nonce),
				      .spi_i = sa->spi_i,
				      .spi_r = sa->spi_r };
	int rc = keymat_rekey(&sa->keys, &old->keys, &input, view_of(work->shared, work->shared_len), added);

	if (rc)
		return rc;
	sa->have_keys = true;
	nonce_low(sa->low_nonce, input.ni, input.nr);
	keylog_ike(&ike->options.host, sa->spi_i, sa->spi_r, &sa->keys);
	return 0;
}

/* The new IKE SA that the work has agreed on; NULL: no room, or our trouble. */
static struct sa *make_sa(struct ike *ike, const struct sa *old, const struct work *work, bool initiator,
			  struct view added, uint64_t now)
{
	struct sa *sa = succeed(ike, old, initiator, &work->suite, initiator ? work->spi_new : work->spi_peer,
				initiator ? work->spi_peer : work->spi_new, now);

	if (sa && derive(ike, sa, old, work, added)) {
		sa_free(ike, sa);
		sa = NULL;
	}
	return sa;
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

static int busy_with(const struct ike *ike, const struct sa *sa)
{
	switch (sa->request.kind) {
	case REQUEST_REKEY_SA:
		/* With an additional key exchange two do not run side by side (docs/COLLISIONS.md R17). */
		if (followup_offered(&ike->offer_rekey))
			return NOTIFY_TEMPORARY_FAILURE;
		return sa->heir || sa->peer_work ? NOTIFY_TEMPORARY_FAILURE : 0;
	case REQUEST_REKEY_CHILD:
	case REQUEST_NEW_CHILD:
	case REQUEST_DELETE_CHILD:
	case REQUEST_DELETE_SA:
		return NOTIFY_TEMPORARY_FAILURE;
	default:
		/* Or with a Child SA that waits for the kernel. */
		return sa->heir || sa->peer_work || sa->work ? NOTIFY_TEMPORARY_FAILURE : 0;
	}
}

/* What the peer's request asks for goes to the work, and our half of the first key exchange into the answer. 0, a notify, or our trouble. */
static int accept(struct ike *ike, struct received *in, struct work *work, struct message *answer)
{
	struct offer offer = offer_for(ike, in->sa);
	uint8_t value[KEX_PUBLIC_MAX], shared[KEX_SHARED_MAX];
	struct view spi_i, theirs;
	const struct kex *kex;
	struct ke ke;
	int rc;

	if (!chain_has(&in->chain, SLOT_KE) || ke_parse(&ke, in->chain.payload[SLOT_KE]) ||
	    nonce_parse(&theirs, in->chain.payload[SLOT_NONCE]))
		return NOTIFY_INVALID_SYNTAX;
	rc = proposal_choose(&work->suite, &spi_i, in->chain.payload[SLOT_SA], &offer, ke.group, SPI_LEN);
	if (rc)
		return rc;
	kex = kex_find(work->suite.ke);
	if (ke.group != work->suite.ke || !kex)
		return NOTIFY_INVALID_KE_PAYLOAD;
	memcpy(work->spi_peer, spi_i.at, SPI_LEN);
	ike_random(ike, &work->private, sizeof(work->private));
	ike_random(ike, work->nonce, sizeof(work->nonce));
	do
		ike_random(ike, work->spi_new, SPI_LEN);
	while (sa_find(ike, work->spi_new));
	rc = kex_respond(kex, value, shared, ke.data, &work->private);
	if (!rc)
		rc = followup_keep(ike, work, theirs, view_of(shared, kex->shared_len));
	secret_wipe(shared, sizeof(shared));
	if (rc)
		return rc == -EBADMSG ? NOTIFY_INVALID_SYNTAX : rc;
	send_begin(ike, answer);
	proposal_write_choice(answer, &work->suite, VIEW_OF(work->spi_new));
	message_nonce(answer, VIEW_OF(work->nonce));
	message_ke(answer, kex->id, view_of(value, kex->start_len));
	return 0;
}

int rekey_finish(struct ike *ike, struct sa *sa, struct view added, struct message *answer, struct sa **out,
		 uint64_t now)
{
	*out = make_sa(ike, sa, sa_peer_work(ike, sa), false, added, now);
	if (!*out)
		return NOTIFY_TEMPORARY_FAILURE;
	auth_write_crash_token(ike, *out, answer);
	sa_established(ike, *out, now);
	return 0;
}

void rekey_settle(struct ike *ike, struct sa *sa, struct sa *new, uint64_t now)
{
	if (sa->request.kind == REQUEST_REKEY_SA) {
		/* Both at once: settled when our response is there, or by the peer's Delete of this one. */
		sa->heir = sa_ref(ike, new);
		new->ancestor = sa_ref(ike, sa);
		sa_schedule(ike, new);
		return;
	}
	rekey_adopt(ike, sa, new, now);
}

void rekey_on_request(struct ike *ike, struct received *in, uint64_t now)
{
	struct sa *sa = in->sa, *new = NULL;
	struct work *work = NULL;
	struct message answer;
	uint16_t group;
	int rc = busy_with(ike, sa);

	if (!rc) {
		work = work_new(ike, &sa->peer_work);
		rc = work ? accept(ike, in, work, &answer) : NOTIFY_TEMPORARY_FAILURE;
	}
	if (!rc && work->suite.addke != KE_NONE) {
		work->of_sa = true;
		followup_await(ike, sa, work, &answer, now);
		if (send_response(ike, sa, EXCHANGE_CREATE_CHILD_SA, &answer, now))
			sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
		return;
	}
	if (!rc)
		rc = rekey_finish(ike, sa, VIEW_NONE, &answer, &new, now);
	group = work ? work->suite.ke : KE_NONE;
	if (work)
		work_free(ike, &sa->peer_work);
	if (rc) {
		create_refuse(ike, sa, rc > 0 ? rc : NOTIFY_TEMPORARY_FAILURE, NULL, group, now);
		return;
	}
	if (send_response(ike, sa, EXCHANGE_CREATE_CHILD_SA, &answer, now)) {
		sa_free(ike, new);
		sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
		return;
	}
	rekey_settle(ike, sa, new, now);
}

/* ---- our response ---- */

static void on_refused(struct ike *ike, struct sa *sa, struct work *work, const struct notify *error, uint64_t now)
{
	uint16_t group = error->data.len == 2 ? (uint16_t)(error->data.at[0] << 8 | error->data.at[1]) : KE_NONE;

	if (error->type == NOTIFY_INVALID_KE_PAYLOAD && !work->followup && group != work->kex &&
	    ++work->ke_rounds <= IKE_KE_ROUNDS && proposal_offers(&ike->offer_rekey, TRANSFORM_KE, group) &&
	    kex_find(group)) {
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

/* What the peer agreed to, and the secret of it. */
static int finish(struct ike *ike, struct received *in, struct work *work)
{
	struct offer offer = offer_for(ike, in->sa);
	const struct kex *kex = kex_find(work->kex);
	uint8_t shared[KEX_SHARED_MAX];
	struct view spi_r, theirs;
	struct ke ke;
	int rc;

	if (!chain_has(&in->chain, SLOT_SA) || !chain_has(&in->chain, SLOT_KE) || !chain_has(&in->chain, SLOT_NONCE) ||
	    proposal_accept(&work->suite, &spi_r, in->chain.payload[SLOT_SA], &offer, SPI_LEN) ||
	    work->suite.ke != work->kex || ke_parse(&ke, in->chain.payload[SLOT_KE]) || ke.group != work->kex ||
	    nonce_parse(&theirs, in->chain.payload[SLOT_NONCE]))
		return -EBADMSG;
	memcpy(work->spi_peer, spi_r.at, SPI_LEN);
	rc = kex_finish(kex, shared, ke.data, &work->private);
	if (!rc)
		rc = followup_keep(ike, work, theirs, view_of(shared, kex->shared_len));
	secret_wipe(shared, sizeof(shared));
	return rc;
}

/* The answer is good, and the last one: the new IKE SA, or NULL. */
static struct sa *conclude(struct ike *ike, struct received *in, struct work *work, uint64_t now)
{
	uint8_t shared[KEX_SHARED_MAX];
	struct view added = VIEW_NONE;
	struct sa *sa = NULL;

	if (!work->followup || !followup_answered(&added, shared, work, &in->chain))
		sa = make_sa(ike, in->sa, work, true, added, now);
	secret_wipe(shared, sizeof(shared));
	return sa;
}

void rekey_on_response(struct ike *ike, struct received *in, uint64_t now)
{
	struct sa *old = in->sa, *mine, *theirs = sa_at(ike, old->heir);
	struct work *work = sa_work(ike, old);
	const struct notify *error = chain_error(&in->chain);
	int rc;

	send_done(ike, old);
	if (error) {
		on_refused(ike, old, work, error, now);
		return;
	}
	rc = work->followup ? 0 : finish(ike, in, work);
	if (!rc && !work->followup && work->suite.addke != KE_NONE) {
		rc = followup_ask(ike, old, work, REQUEST_REKEY_SA, &in->chain, now);
		if (!rc)
			return;
	}
	mine = rc ? NULL : conclude(ike, in, work, now);
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
