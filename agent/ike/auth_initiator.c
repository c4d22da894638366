// SPDX-License-Identifier: Apache-2.0
/*
 * IKE_AUTH, the initiator's side. It is sent only when the caller said with which key the peer must answer (CVE-2015-4171).
 *
 *   HDR, SK {IDi, AUTH, [IDr,] [N(INITIAL_CONTACT),] [N(USE_TRANSPORT_MODE),] SAi2, TSi, TSr, [N(QUICK_CRASH_DETECTION)]}  -->
 *        <--  HDR, SK {IDr, AUTH, SAr2, TSi, TSr, ...}  |  HDR, SK {N(AUTHENTICATION_FAILED)}
 */
#include <errno.h>
#include <string.h>

#include "ike/auth.h"

#define ANSWER_WAIT (60 * NSTIME_S)

static int send_auth(struct ike *ike, struct sa *sa, uint64_t now)
{
	struct work *work = sa_work(ike, sa), *answer = auth_answer(ike, sa);
	uint8_t wanted[IKE_IDENTITY_MAX];
	struct message message;
	int rc;

	work->spi_in_be = child_spi(ike, sa);
	if (!work->spi_in_be)
		return -ENOBUFS;
	send_begin(ike, &message);
	rc = auth_write(ike, sa, &message, 0);
	if (rc)
		return rc;
	if (answer->peer_id_type && answer->peer_id_type != ID_NULL)
		message_id(&message, PAYLOAD_IDR, answer->peer_id_type,
			   blob_view(ike, &answer->peer_id, wanted, sizeof(wanted)));
	/* One of the peer's own making may stand since this one began: to say now that there is none would have the peer drop it. */
	if (sa->initial_contact && !crossing_has_other(ike, sa))
		message_notify(&message, PROTOCOL_NONE, NOTIFY_INITIAL_CONTACT, VIEW_NONE, VIEW_NONE);
	if (!sa_is_through(sa))
		message_notify(&message, PROTOCOL_NONE, NOTIFY_USE_TRANSPORT_MODE, VIEW_NONE, VIEW_NONE);
	child_write_spi(&message, &ike->offer_child, NULL, work->spi_in_be);
	child_write_ts(&message, sa, true);
	auth_write_crash_token(ike, sa, &message);
	sa->state = SA_AUTH_SENT;
	return send_request(ike, sa, REQUEST_AUTH, EXCHANGE_IKE_AUTH, &message, now);
}

void auth_start(struct ike *ike, struct sa *sa, uint64_t now)
{
	sa->state = SA_KEY_AWAITED;
	if (!auth_answer(ike, sa)->answered) {
		/* Longer than any lookup: only for a caller that forgot. */
		sa->drop_ns = nstime_add(now, ANSWER_WAIT);
		sa_schedule(ike, sa);
		return;
	}
	sa->drop_ns = NSTIME_NEVER;
	if (send_auth(ike, sa, now))
		sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
}

void auth_on_initiator_answer(struct ike *ike, struct sa *mother, uint64_t now)
{
	struct handle self = pool_handle(&ike->sas, mother);
	struct sa *at = sa_find(ike, mother->spi_i), *next;

	for (; at && pool_get(&ike->sas, self); at = next) {
		next = sa_at(ike, at->sibling);
		if (at->mother == sa_ref(ike, mother) && at->state == SA_KEY_AWAITED)
			auth_start(ike, at, now);
	}
}

void auth_no_key(struct ike *ike, struct sa *sa, uint64_t now)
{
	if (sa->state == SA_KEY_ASKED)
		send_notify_response(ike, sa, EXCHANGE_IKE_AUTH, NOTIFY_AUTHENTICATION_FAILED, VIEW_NONE, now);
	sa_drop(ike, sa, IKE_NO_KEY, now);
}

/* The Child SA of an IKE_AUTH response: 0, or why there is none. */
static int read_child(struct ike *ike, struct sa *sa, struct child *child, const struct chain *chain)
{
	const struct notify *error = chain_error(chain);
	struct auth_nonces nonces;
	struct suite suite;
	int rc;

	if (error)
		return error->type;
	child->spi_in_be = sa_work(ike, sa)->spi_in_be;
	rc = child_agree(ike, sa, child, &suite, chain, false, &ike->offer_child, KE_NONE);
	if (rc)
		return rc;
	auth_nonces(ike, sa, &nonces);
	return keymat_child(child, &sa->keys, true, nonces.i, nonces.r, VIEW_NONE, VIEW_NONE);
}

static void take_child(struct ike *ike, struct sa *sa, const struct child *child, uint64_t now)
{
	struct kid *kid = kid_new(ike, sa, child->spi_in_be, now);

	if (!kid) {
		sa->wants |= WANT_CLOSE;
		sa->down_reason = IKE_OUR_TROUBLE;
		return;
	}
	kid->child = *child;
	kid->mine = true;
	memcpy(kid->low_nonce, sa->low_nonce, NONCE_LEN);
	kid_up(ike, kid, true, 0);
}

/*
 * HDR, SK {N(AUTHENTICATION_FAILED)}: whoever sealed the response believes in an SA that we do not (RFC 7296 2.21.2). Said once: it is
 * only to spare a peer whose answer was changed on the way the time until it notices.
 */
static void tell_failure(struct ike *ike, struct sa *sa, uint64_t now)
{
	struct message message;

	send_done(ike, sa);
	send_begin(ike, &message);
	message_notify(&message, PROTOCOL_NONE, NOTIFY_AUTHENTICATION_FAILED, VIEW_NONE, VIEW_NONE);
	send_request(ike, sa, REQUEST_PROBE, EXCHANGE_INFORMATIONAL, &message, now);
}

void auth_on_response(struct ike *ike, struct received *in, uint64_t now)
{
	struct child child = { 0 };
	struct sa *sa = in->sa;
	const struct notify *error = chain_error(&in->chain);
	struct id id;
	int child_error;

	if (auth_verify(ike, sa, &in->chain, &id)) {
		/* The peer refused us, or is not who it should be: the first is not proven, so neither ends the attempt. */
		ike->counts.auth_failed++;
		if (error)
			sa->notify = error->type;
		else
			tell_failure(ike, sa, now);
		sa_drop(ike, sa, IKE_AUTH_FAILED, now);
		return;
	}
	auth_read_crash_token(sa, &in->chain);
	child_error = read_child(ike, sa, &child, &in->chain);
	sa = init_promote(ike, sa);
	sa->told_up = true;
	ike->counts.initiated++;
	sa_established(ike, sa, now);
	output_up(ike, sa, (struct ike_identity){ .type = id.type, .data = id.data });
	if (child_error) {
		/* An IKE SA that protects nothing is of no use (Libreswan 2133). */
		sa->notify = child_error > 0 ? (uint16_t)child_error : 0;
		sa->down_reason = child_error > 0 ? IKE_REFUSED : IKE_OUR_TROUBLE;
		sa->wants |= WANT_CLOSE;
	} else {
		take_child(ike, sa, &child, now);
	}
	secret_wipe(&child, sizeof(child));
	crossing_settle(ike, sa, now);
	send_next(ike, sa, now);
	sa_schedule(ike, sa);
}
