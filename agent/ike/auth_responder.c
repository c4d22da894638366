// SPDX-License-Identifier: Apache-2.0
/*
 * IKE_AUTH, the responder's side (message forms in auth_initiator.c). It waits twice: for the caller to say which keys are acceptable, and
 * for the kernel to have the SAs, so that the initiator's first ESP packet finds them (DESIGN 2).
 */
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "ike/auth.h"

static void refuse(struct ike *ike, struct sa *sa, enum ike_reason reason, uint64_t now)
{
	ike->counts.auth_failed++;
	send_notify_response(ike, sa, EXCHANGE_IKE_AUTH, NOTIFY_AUTHENTICATION_FAILED, VIEW_NONE, now);
	sa_drop(ike, sa, reason, now);
}

void auth_on_request(struct ike *ike, struct received *in, uint64_t now)
{
	struct sa *sa = in->sa;
	struct work *work = sa_work(ike, sa);
	struct view spki = VIEW_NONE;
	struct auth auth;
	struct id id;

	if (work->rounds_left) {
		ike->counts.bad_state++;
		return;
	}
	/* Without AUTH it wants EAP (RFC 7296 2.16), which is not spoken here. */
	if (!chain_has(&in->chain, SLOT_AUTH) || auth_parse(&auth, in->chain.payload[SLOT_AUTH]) ||
	    id_parse(&id, in->chain.payload[SLOT_IDI]) || id.data.len > IKE_IDENTITY_MAX ||
	    (auth.method != IKE_AUTH_SIGNATURE && auth.method != IKE_AUTH_PSK && auth.method != IKE_AUTH_NULL)) {
		refuse(ike, sa, IKE_AUTH_FAILED, now);
		return;
	}
	if (blob_set(ike, &work->plain, in->plain)) {
		sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
		return;
	}
	work->plain_first = in->plain_first;
	if (chain_has(&in->chain, SLOT_CERT))
		cert_parse(&spki, in->chain.payload[SLOT_CERT]);
	sa->state = SA_KEY_ASKED;
	sa->answer_awaited = true;
	sa->known = true;
	output_ask(ike, sa, true, (struct ike_identity){ .type = id.type, .data = id.data }, spki,
		   auth.method == IKE_AUTH_NULL);
}

/* The request again, after a wait. It was parsed before. */
static int reread(struct ike *ike, const struct sa *sa, struct chain *chain)
{
	struct work *work = sa_work(ike, sa);
	struct view plain = blob_view(ike, &work->plain, ike->joined, sizeof(ike->joined));

	return chain_parse(chain, work->plain_first, plain, true) ? -EPROTO : 0;
}

/* 0: CHILD_UP is out; else the notify that stands for the Child SA in the response. */
static int start_child(struct ike *ike, struct sa *sa, const struct chain *chain, uint64_t now)
{
	struct work *work = sa_work(ike, sa);
	struct auth_nonces nonces;
	struct child child = { 0 };
	struct kid *kid;
	int rc = child_agree(ike, sa, &child, &work->suite, chain, true, &ike->offer_child, KE_NONE);

	if (rc)
		return rc;
	kid = kid_new(ike, sa, child_spi(ike, sa), now);
	if (!kid)
		return NOTIFY_NO_ADDITIONAL_SAS;
	auth_nonces(ike, sa, &nonces);
	child.spi_in_be = kid->child.spi_in_be;
	kid->child = child;
	kid->in_auth = true;
	memcpy(kid->low_nonce, sa->low_nonce, NONCE_LEN);
	rc = keymat_child(&kid->child, &sa->keys, false, nonces.i, nonces.r, VIEW_NONE, VIEW_NONE);
	secret_wipe(&child, sizeof(child));
	if (rc) {
		kid_remove(ike, kid);
		return NOTIFY_NO_ADDITIONAL_SAS;
	}
	work->kid = kid_ref(ike, kid);
	kid_up(ike, kid, true, 0);
	return 0;
}

static int write_response(struct ike *ike, struct sa *sa, struct message *message, const struct kid *kid)
{
	struct work *work = sa_work(ike, sa);
	int rc;

	send_begin(ike, message);
	rc = auth_write(ike, sa, message, sa->auth);
	if (rc)
		return rc;
	if (!kid) {
		message_notify(message, PROTOCOL_NONE, work->child_error, VIEW_NONE, VIEW_NONE);
		return 0;
	}
	if (!kid->child.tunnel)
		message_notify(message, PROTOCOL_NONE, NOTIFY_USE_TRANSPORT_MODE, VIEW_NONE, VIEW_NONE);
	child_write_spi(message, NULL, &work->suite, kid->child.spi_in_be);
	child_write_ts(message, sa, false);
	auth_write_crash_token(ike, sa, message);
	return 0;
}

static void respond(struct ike *ike, struct sa *sa, struct kid *kid, uint64_t now)
{
	struct work *work = sa_work(ike, sa);
	struct message message;

	if (write_response(ike, sa, &message, kid)) {
		/* We cannot prove who we are: no SA, and the peer is told no more than that. */
		refuse(ike, sa, IKE_OUR_TROUBLE, now);
		return;
	}
	if (send_response(ike, sa, EXCHANGE_IKE_AUTH, &message, now)) {
		sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
		return;
	}
	if (!kid) {
		sa->notify = work->child_error;
		sa->down_reason = IKE_REFUSED;
		sa->wants |= WANT_CLOSE;
	}
	ike->counts.responded++;
	sa_established(ike, sa, now);
	sa_enter_pair(ike, sa);
	crossing_settle(ike, sa, now);
	send_next(ike, sa, now);
	sa_schedule(ike, sa);
}

/*
 * IDr of the request: which of our identities the initiator means (RFC 7296 1.2). Its packets' destination is as true a name of
 * ours as the one that we would choose, and some know no other.
 */
static int take_asked_id(struct ike *ike, struct sa *sa, const struct chain *chain)
{
	struct work *work = sa_work(ike, sa);
	struct id id;
	size_t len;
	const uint8_t *octets = addr_octets(&sa->path.local, &len);

	if (work->own_id_type || sa->auth == IKE_AUTH_NULL || !chain_has(chain, SLOT_IDR) ||
	    id_parse(&id, chain->payload[SLOT_IDR]) || id.type != (len == 4 ? ID_IPV4_ADDR : ID_IPV6_ADDR) ||
	    !view_equal(id.data, view_of(octets, len)))
		return 0;
	work->own_id_type = id.type;
	return blob_set(ike, &work->own_id, id.data);
}

void auth_on_responder_answer(struct ike *ike, struct sa *sa, uint64_t now)
{
	struct work *work = sa_work(ike, sa);
	const struct kex *kex = kex_find(work->kex);
	struct chain chain;
	struct id id;
	int rc;

	if (sa->state != SA_KEY_ASKED || reread(ike, sa, &chain)) {
		sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
		return;
	}
	rc = auth_verify(ike, sa, &chain, &id);
	if (!rc && sa->auth == IKE_AUTH_NULL && !quota_null(ike, sa))
		rc = -ENOBUFS;
	if (!rc)
		rc = take_asked_id(ike, sa, &chain);
	if (rc) {
		refuse(ike, sa, rc == -EBADMSG ? IKE_AUTH_FAILED : IKE_OUR_TROUBLE, now);
		return;
	}
	quota_refund(ike, 2 * kex->cost, now);
	auth_read_crash_token(sa, &chain);
	sa->told_up = true;
	output_up(ike, sa, (struct ike_identity){ .type = id.type, .data = id.data });
	if (chain_notify(&chain, NOTIFY_INITIAL_CONTACT))
		crossing_restarted(ike, sa, now);
	rc = start_child(ike, sa, &chain, now);
	if (rc) {
		work->child_error = (uint16_t)rc;
		respond(ike, sa, NULL, now);
		return;
	}
	sa->state = SA_INSTALLING;
	sa_schedule(ike, sa);
}

void auth_on_installed(struct ike *ike, struct sa *sa, struct kid *kid, int error, uint64_t now)
{
	struct work *work = sa_work(ike, sa);

	if (sa->state != SA_INSTALLING || !work)
		return;
	kid->in_auth = false;
	if (error) {

		kid_remove(ike, kid);
		work->child_error = NOTIFY_NO_ADDITIONAL_SAS;
		kid = NULL;
	} else {
		kid_installed(kid);
	}
	respond(ike, sa, kid, now);
}
