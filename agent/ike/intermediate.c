// SPDX-License-Identifier: Apache-2.0
/*
 * IKE_INTERMEDIATE (RFC 9242) for one additional key exchange (RFC 9370 2.2.2): a KEM whose key is too long for IKE_SA_INIT. Both
 * messages are sealed with the keys before it and covered by AUTH through IntAuth.
 *
 *   HDR, SK {KEi(1)}  -->   <--  HDR, SK {KEr(1)}      then SKEYSEED(1) = prf(SK_d(0), SK(1) | Ni | Nr)
 */
#include <errno.h>
#include <string.h>

#include "ike/auth.h"

/* IntAuth of one direction, with the keys that seal the message (RFC 9242 3.3.1). */
static int add_intauth(const struct sa *sa, struct work *work, bool of_initiator, uint32_t mid, uint8_t flags,
		       uint8_t first, struct view plain)
{
	struct header header = { .version = 0x20, .exchange = EXCHANGE_IKE_INTERMEDIATE, .flags = flags, .mid = mid };
	uint8_t covered[HEADER_LEN + PAYLOAD_HEADER_LEN];

	memcpy(header.spi_i, sa->spi_i, SPI_LEN);
	memcpy(header.spi_r, sa->spi_r, SPI_LEN);
	seal_intauth_header(covered, &header, first, plain.len);
	work->intauth = true;
	return keymat_intauth(of_initiator ? work->intauth_i : work->intauth_r, &sa->keys, of_initiator, VIEW_NONE,
			      VIEW_OF(covered), plain);
}

static int next_keys(struct ike *ike, struct sa *sa, struct view shared)
{
	struct auth_nonces nonces;
	struct keymat_input input;
	int rc;

	auth_nonces(ike, sa, &nonces);
	input = (struct keymat_input){ .ni = nonces.i, .nr = nonces.r, .spi_i = sa->spi_i, .spi_r = sa->spi_r };
	rc = keymat_next(&sa->keys, &input, shared);
	if (!rc)
		keylog_ike(&ike->options.host, sa->spi_i, sa->spi_r, &sa->keys);
	return rc;
}

static int send_ke(struct ike *ike, struct sa *sa, uint64_t now)
{
	struct work *work = sa_work(ike, sa);
	const struct kex *kex = kex_find(sa->suite.addke);
	uint8_t value[KEX_PUBLIC_MAX];
	struct message message;
	int rc;

	if (!kex)
		return -ENOTSUP;
	work->kex = kex->id;
	ike_random(ike, &work->private, sizeof(work->private));
	rc = kex_start(kex, value, &work->private);
	if (rc)
		return rc;
	send_begin(ike, &message);
	message_ke(&message, kex->id, view_of(value, kex->start_len));
	rc = add_intauth(sa, work, true, sa->send_mid, FLAG_INITIATOR, message.first, writer_view(&message.out));
	return rc ? rc : send_request(ike, sa, REQUEST_INTERMEDIATE, EXCHANGE_IKE_INTERMEDIATE, &message, now);
}

void intermediate_start(struct ike *ike, struct sa *sa, uint64_t now)
{
	sa->state = SA_INTERMEDIATE_SENT;
	if (send_ke(ike, sa, now))
		sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
}

void intermediate_on_response(struct ike *ike, struct received *in, uint64_t now)
{
	struct sa *sa = in->sa;
	struct work *work = sa_work(ike, sa);
	const struct kex *kex = kex_find(work->kex);
	uint8_t shared[KEX_SHARED_MAX];
	struct ke ke;
	int rc;

	if (!chain_has(&in->chain, SLOT_KE) || ke_parse(&ke, in->chain.payload[SLOT_KE]) || ke.group != work->kex) {
		sa_drop(ike, sa, IKE_BROKEN, now);
		return;
	}
	rc = kex_finish(kex, shared, ke.data, &work->private);
	if (!rc)
		rc = add_intauth(sa, work, false, in->header.mid, FLAG_RESPONSE, in->plain_first, in->plain);
	if (!rc)
		rc = next_keys(ike, sa, view_of(shared, kex->shared_len));
	secret_wipe(shared, sizeof(shared));
	if (rc) {
		sa_drop(ike, sa, rc == -EBADMSG ? IKE_BROKEN : IKE_OUR_TROUBLE, now);
		return;
	}
	work->rounds_left = 0;
	send_done(ike, sa);
	auth_start(ike, sa, now);
}

static int respond(struct ike *ike, struct received *in, const struct kex *kex, const struct ke *ke, uint64_t now)
{
	struct sa *sa = in->sa;
	struct work *work = sa_work(ike, sa);
	uint8_t value[KEX_PUBLIC_MAX], shared[KEX_SHARED_MAX];
	struct kex_private fresh;
	struct message message;
	int rc;

	ike_random(ike, &fresh, sizeof(fresh));
	rc = kex_respond(kex, value, shared, ke->data, &fresh);
	secret_wipe(&fresh, sizeof(fresh));
	if (rc)
		return rc;
	send_begin(ike, &message);
	message_ke(&message, kex->id, view_of(value, kex->answer_len));
	rc = add_intauth(sa, work, true, in->header.mid, FLAG_INITIATOR, in->plain_first, in->plain);
	if (!rc)
		rc = add_intauth(sa, work, false, in->header.mid, FLAG_RESPONSE, message.first,
				 writer_view(&message.out));
	if (!rc)
		rc = send_response(ike, sa, EXCHANGE_IKE_INTERMEDIATE, &message, now);
	if (!rc) {
		/* The request may come again, sealed with the keys of now. */
		work->old_keys = sa->keys;
		work->has_old_keys = true;
		rc = next_keys(ike, sa, view_of(shared, kex->shared_len));
	}
	secret_wipe(shared, sizeof(shared));
	return rc;
}

void intermediate_on_request(struct ike *ike, struct received *in, uint64_t now)
{
	struct sa *sa = in->sa;
	struct work *work = sa_work(ike, sa);
	const struct kex *kex = kex_find(sa->suite.addke);
	struct ke ke;
	int rc;

	/* Exactly as many as were agreed (RFC 9242 5). */
	if (!work->rounds_left || !kex || ke_parse(&ke, in->chain.payload[SLOT_KE]) || ke.group != kex->id)
		rc = -EBADMSG;
	else
		rc = quota_work(ike, kex->cost, now) ? respond(ike, in, kex, &ke, now) : -EBUSY;
	if (rc == -EBUSY)
		return; /* it comes again */
	if (rc) {
		if (rc == -EBADMSG)
			send_notify_response(ike, sa, EXCHANGE_IKE_INTERMEDIATE, NOTIFY_INVALID_SYNTAX, VIEW_NONE, now);
		sa_drop(ike, sa, IKE_BROKEN, now);
		return;
	}
	work->rounds_left--;
}
