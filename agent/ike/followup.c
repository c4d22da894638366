// SPDX-License-Identifier: Apache-2.0
/*
 * IKE_FOLLOWUP_KE (RFC 9370 2.2.4): the additional key exchange of a CREATE_CHILD_SA, for a Child SA as for an IKE SA. What the first one
 * brought waits in the work; the responder names it by a link, which the initiator says again. Nothing is made before the last answer.
 *
 *   HDR, SK {SA, Ni, KEi, ...}            -->   <--  HDR, SK {SA, Nr, KEr, ..., N(ADDITIONAL_KEY_EXCHANGE)(link)}
 *   HDR, SK {KEi(1), N(ADDITIONAL_KEY_EXCHANGE)(link)}  -->   <--  HDR, SK {KEr(1)}  |  HDR, SK {N(STATE_NOT_FOUND)}
 *
 * then SK(1) goes behind the nonces of the KEYMAT, or of the SKEYSEED.
 */
#include <errno.h>
#include <string.h>

#include "ike/internal.h"

#define LINK_LEN 8
#define LINK_MAX 256 /* of the peer's: it is only said again */

int followup_keep(struct ike *ike, struct work *work, struct view nonce, struct view shared)
{
	memcpy(work->shared, shared.at, shared.len);
	work->shared_len = (uint16_t)shared.len;
	return blob_set(ike, &work->peer_nonce, nonce);
}

int followup_child(struct ike *ike, const struct sa *sa, struct work *work, bool initiator, struct view added)
{
	struct view theirs = blob_view(ike, &work->peer_nonce, ike->copies[0], sizeof(ike->copies[0]));
	struct view ours = VIEW_OF(work->nonce);

	return keymat_child(&work->child, &sa->keys, initiator, initiator ? ours : theirs, initiator ? theirs : ours,
			    view_of(work->shared, work->shared_len), added);
}

bool followup_offered(const struct offer *offer)
{
	for (size_t i = 0; i < offer->count; i++)
		for (size_t j = 0; j < offer->proposals[i].count; j++)
			if (offer->proposals[i].transforms[j].type == TRANSFORM_ADDKE1)
				return true;
	return false;
}

/* ---- our request ---- */

int followup_ask(struct ike *ike, struct sa *sa, struct work *work, enum request_kind kind, const struct chain *chain,
		 uint64_t now)
{
	const struct notify *link = chain_notify(chain, NOTIFY_ADDITIONAL_KEY_EXCHANGE);
	const struct kex *kex = kex_find(work->suite.addke);
	uint8_t value[KEX_PUBLIC_MAX];
	struct message message;
	int rc;

	if (!link || !link->data.len || link->data.len > LINK_MAX || !kex)
		return -EBADMSG;
	ike_random(ike, &work->private, sizeof(work->private));
	rc = kex_start(kex, value, &work->private);
	if (rc)
		return rc;
	send_begin(ike, &message);
	message_ke(&message, kex->id, view_of(value, kex->start_len));
	message_notify(&message, PROTOCOL_NONE, NOTIFY_ADDITIONAL_KEY_EXCHANGE, VIEW_NONE, link->data);
	rc = send_request(ike, sa, kind, EXCHANGE_IKE_FOLLOWUP_KE, &message, now);
	work->followup = !rc;
	return rc;
}

int followup_answered(struct view *added, uint8_t *shared, const struct work *work, const struct chain *chain)
{
	const struct kex *kex = kex_find(work->suite.addke);
	struct ke ke;

	if (!kex || !chain_has(chain, SLOT_KE) || ke_parse(&ke, chain->payload[SLOT_KE]) || ke.group != kex->id ||
	    kex_finish(kex, shared, ke.data, &work->private))
		return -EBADMSG;
	*added = view_of(shared, kex->shared_len);
	return 0;
}

/* ---- the peer's request ---- */

bool followup_awaited(const struct ike *ike, const struct sa *sa)
{
	const struct work *work = sa_peer_work(ike, sa);

	return work && work->followup && !work->kid; /* with one it waits for the kernel */
}

void followup_forget(struct ike *ike, struct sa *sa)
{
	if (followup_awaited(ike, sa))
		work_free(ike, &sa->peer_work);
}

void followup_await(struct ike *ike, struct sa *sa, struct work *work, struct message *answer, uint64_t now)
{
	uint8_t link[LINK_LEN];

	ike_random(ike, link, sizeof(link));
	if (blob_set(ike, &work->link, VIEW_OF(link)))
		answer->out.failed = true;
	message_notify(answer, PROTOCOL_NONE, NOTIFY_ADDITIONAL_KEY_EXCHANGE, VIEW_NONE, VIEW_OF(link));
	secret_wipe(&work->private, sizeof(work->private));
	work->followup = true;
	work->drop_ns = nstime_add(now, IKE_FOLLOWUP_LIFE);
	sa_schedule(ike, sa);
}

static bool is_linked(const struct ike *ike, const struct sa *sa, const struct chain *chain)
{
	const struct work *work = sa_peer_work(ike, sa);
	const struct notify *link = chain_notify(chain, NOTIFY_ADDITIONAL_KEY_EXCHANGE);
	uint8_t memory[LINK_LEN];

	return followup_awaited(ike, sa) && link &&
	       view_equal(link->data, blob_view(ike, &work->link, memory, sizeof(memory)));
}

static void refuse(struct ike *ike, struct sa *sa, int notify, uint64_t now)
{
	if (send_notify_response(ike, sa, EXCHANGE_IKE_FOLLOWUP_KE, (uint16_t)notify, VIEW_NONE, now))
		sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
	else if (notify == NOTIFY_INVALID_SYNTAX)
		sa_drop(ike, sa, IKE_BROKEN, now);
}

/* The peer's rekey of the IKE SA is whole: the new one is made, and the answer goes out. 0, a notify or our trouble. */
static int answer_sa(struct ike *ike, struct sa *sa, const struct kex *kex, const uint8_t *value, struct view added,
		     uint64_t now)
{
	struct message answer;
	struct sa *new = NULL;
	int rc;

	send_begin(ike, &answer);
	message_ke(&answer, kex->id, view_of(value, kex->answer_len));
	rc = rekey_finish(ike, sa, added, &answer, &new, now);
	if (rc)
		return rc;
	work_free(ike, &sa->peer_work);
	if (send_response(ike, sa, EXCHANGE_IKE_FOLLOWUP_KE, &answer, now)) {
		sa_free(ike, new);
		sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
		return 0;
	}
	rekey_settle(ike, sa, new, now);
	return 0;
}

/* 0, a notify or our trouble. */
static int follow(struct ike *ike, struct received *in, struct work *work, uint64_t now)
{
	const struct kex *kex = kex_find(work->suite.addke);
	uint8_t value[KEX_PUBLIC_MAX], shared[KEX_SHARED_MAX];
	struct ke ke;
	int rc;

	if (!kex || ke_parse(&ke, in->chain.payload[SLOT_KE]) || ke.group != kex->id)
		return NOTIFY_INVALID_SYNTAX;
	ike_random(ike, &work->private, sizeof(work->private));
	rc = kex_respond(kex, value, shared, ke.data, &work->private);
	if (rc)
		return rc == -EBADMSG ? NOTIFY_INVALID_SYNTAX : rc;
	if (work->of_sa) {
		rc = answer_sa(ike, in->sa, kex, value, view_of(shared, kex->shared_len), now);
	} else {
		/* The answer waits for the kernel. */
		rc = blob_set(ike, &work->peer_ke, view_of(value, kex->answer_len));
		if (!rc)
			rc = create_follow(ike, in->sa, view_of(shared, kex->shared_len), now);
	}
	secret_wipe(shared, sizeof(shared));
	return rc;
}

void followup_on_request(struct ike *ike, struct received *in, uint64_t now)
{
	struct sa *sa = in->sa;
	struct work *work = sa_peer_work(ike, sa);
	int rc;

	if (!is_linked(ike, sa, &in->chain)) {
		refuse(ike, sa, NOTIFY_STATE_NOT_FOUND, now);
		return;
	}
	rc = sa->state != SA_ESTABLISHED || sa->loser || sa->wants & WANT_CLOSE ? NOTIFY_TEMPORARY_FAILURE
										: follow(ike, in, work, now);
	if (rc) {
		work_free(ike, &sa->peer_work);
		refuse(ike, sa, rc > 0 ? rc : NOTIFY_TEMPORARY_FAILURE, now);
	}
}
