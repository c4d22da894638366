// SPDX-License-Identifier: Apache-2.0
/*
 * INFORMATIONAL (RFC 7296 1.4): Deletes, liveness, errors; the collisions of Deletes (RFC 7296 2.25, docs/COLLISIONS.md 2); and the unprotected
 * messages about lost SAs (RFC 7296 2.21.4, RFC 6290). Every request is answered.
 *
 *   HDR, SK {[N,] [D,] ...}  -->   <--  HDR, SK {[N,] [D,] ...}
 */
#include <string.h>

#include "ike/auth.h"

/* Packets of a replaced Child SA may still be under way; strongSwan waits as long. */
#define LINGER (5 * NSTIME_S)

void kid_linger(struct ike *ike, struct kid *kid, uint64_t now)
{
	if (!kid->heir || kid->state == KID_INSTALLING) {
		kid_remove(ike, kid);
		return;
	}
	kid_quiet(ike, kid);
	kid->state = KID_REPLACED;
	kid->gone = true;
	kid->drop_ns = nstime_add(now, LINGER);
}

/* ---- requests of ours ---- */

void info_close(struct ike *ike, struct sa *sa, uint64_t now)
{
	struct message message;

	send_begin(ike, &message);
	message_delete_ike(&message);
	if (sa->state == SA_ESTABLISHED)
		sa->state = SA_CLOSING;
	if (send_request(ike, sa, REQUEST_DELETE_SA, EXCHANGE_INFORMATIONAL, &message, now))
		sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
}

void info_delete_kid(struct ike *ike, struct sa *sa, struct kid *kid, uint64_t now)
{
	struct message message;

	/* The SPI under which its sender would have received (RFC 7296 3.11). */
	send_begin(ike, &message);
	message_delete_esp(&message, &kid->child.spi_in_be, 1);
	if (send_request(ike, sa, REQUEST_DELETE_CHILD, EXCHANGE_INFORMATIONAL, &message, now)) {
		sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
		return;
	}
	sa->request.kid = kid_ref(ike, kid);
	kid_quiet(ike, kid);
}

void info_probe(struct ike *ike, struct sa *sa, uint64_t now)
{
	struct message message;

	/* With our token: what is shorter than an answer with one would get none from a peer that restarted (RFC 6290 4.2, 4.5). */
	send_begin(ike, &message);
	auth_write_crash_token(ike, sa, &message);
	if (send_request(ike, sa, REQUEST_PROBE, EXCHANGE_INFORMATIONAL, &message, now))
		sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
}

static bool names(const struct chain *chain, uint32_t spi_be)
{
	for (size_t i = 0; i < chain->delete_count; i++) {
		const struct delete *deletes = &chain->deletes[i];

		if (deletes->protocol != PROTOCOL_ESP || deletes->spi_len != sizeof(spi_be))
			continue;
		for (size_t at = 0; at + sizeof(spi_be) <= deletes->spis.len; at += sizeof(spi_be))
			if (!memcmp(deletes->spis.at + at, &spi_be, sizeof(spi_be)))
				return true;
	}
	return false;
}

void info_on_response(struct ike *ike, struct received *in, uint64_t now)
{
	struct sa *sa = in->sa;
	enum request_kind kind = sa->request.kind;
	struct kid *kid = kid_at(ike, sa->request.kid);

	send_done(ike, sa);
	switch (kind) {
	case REQUEST_DELETE_SA:
		if (sa->state == SA_REKEYED)
			sa_free(ike, sa);
		else
			sa_drop(ike, sa,
				sa->loser	  ? IKE_SUPERSEDED
				: sa->down_reason ? sa->down_reason
						  : IKE_CLOSED,
				now);
		return;
	case REQUEST_DELETE_CHILD:
		if (kid && kid->unproven && !names(&in->chain, kid->child.spi_out_be))
			kid_not_known(ike, sa, kid, now);
		else if (kid)
			kid_linger(ike, kid, now);
		return;
	default:
		crossing_alive(ike, sa, now);
	}
}

/* ---- requests of the peer ---- */

/*
 * The peer no longer receives on these. Each is answered with the SPI of the other direction, unless our own Delete of
 * the same Child SA is under way (RFC 7296 1.4.1).
 */
static void on_delete_esp(struct ike *ike, struct sa *sa, const struct delete *deletes, struct message *answer,
			  uint64_t now)
{
	uint32_t spis_be[IKE_CHILDREN_PER_SA];
	size_t count = 0;
	struct reader reader;

	reader_init(&reader, deletes->spis);
	while (reader_left(&reader) >= sizeof(uint32_t)) {
		struct work *work = sa_work(ike, sa);
		uint32_t spi_be;
		struct kid *kid;

		read_copy(&reader, &spi_be, sizeof(spi_be));
		kid = kid_by_out(ike, sa, spi_be);
		if (!kid)
			continue;
		if (sa->request.kind == REQUEST_DELETE_CHILD && sa->request.kid == kid_ref(ike, kid))
			continue; /* its end is our own response */
		if (!kid->heir && work && work->old_kid == kid_ref(ike, kid) && work->rival)
			kid->heir = work->rival;
		if (kid->heir)
			kid_use(ike, kid_at(ike, kid->heir));
		if (count < IKE_CHILDREN_PER_SA)
			spis_be[count++] = kid->child.spi_in_be;
		kid_linger(ike, kid, now);
	}
	if (count)
		message_delete_esp(answer, spis_be, count);
}

static void on_delete_sa(struct ike *ike, struct sa *sa, uint64_t now)
{
	/* The peer finished a rekey and never saw ours (docs/COLLISIONS.md R9). */
	if (sa->heir) {
		send_done(ike, sa);
		work_free(ike, &sa->work);
		rekey_adopt(ike, sa, sa_at(ike, sa->heir), now);
		sa_free(ike, sa);
		return;
	}
	if (sa->state == SA_REKEYED)
		sa_free(ike, sa);
	else
		sa_drop(ike, sa,
			sa->loser || sa->superseded ? IKE_SUPERSEDED
			: sa->state != SA_CLOSING   ? IKE_CLOSED_BY_PEER
			: sa->down_reason	    ? sa->down_reason
						    : IKE_CLOSED,
			now);
}

void info_on_request(struct ike *ike, struct received *in, uint64_t now)
{
	struct sa *sa = in->sa;
	const struct notify *error = chain_error(&in->chain);
	struct message answer;
	bool whole = false;

	for (size_t i = 0; i < in->chain.delete_count; i++)
		whole |= in->chain.deletes[i].protocol == PROTOCOL_IKE;
	if (!whole)
		rekey_follow(ike, sa, now);
	auth_read_crash_token(sa, &in->chain);
	send_begin(ike, &answer);
	for (size_t i = 0; i < in->chain.delete_count; i++) {
		const struct delete *deletes = &in->chain.deletes[i];

		if (deletes->protocol == PROTOCOL_ESP && deletes->spi_len == 4)
			on_delete_esp(ike, sa, deletes, &answer, now);
	}
	if (send_response(ike, sa, EXCHANGE_INFORMATIONAL, &answer, now)) {
		sa_drop(ike, sa, IKE_OUR_TROUBLE, now);
		return;
	}
	if (error && (error->type == NOTIFY_AUTHENTICATION_FAILED || error->type == NOTIFY_INVALID_SYNTAX)) {
		/* The initiator did not accept our IKE_AUTH response, or we broke something (RFC 7296 2.21.2, 2.21.3). */
		sa->notify = error->type;
		sa_drop(ike, sa, error->type == NOTIFY_AUTHENTICATION_FAILED ? IKE_AUTH_FAILED : IKE_BROKEN, now);
		return;
	}
	if (whole)
		on_delete_sa(ike, sa, now);
}

/* ---- unprotected ---- */

void info_on_clear(struct ike *ike, struct sa *sa, const struct chain *chain, uint64_t now)
{
	static const uint8_t none[SHA256_LEN];
	uint8_t hash[SHA256_LEN];

	ike->counts.dropped++;
	if (sa->state != SA_ESTABLISHED || !chain_notify(chain, NOTIFY_INVALID_IKE_SPI) ||
	    !bucket_take(&sa->hints, IKE_INFO_SPAN, IKE_INFO_BURST, now))
		return;
	for (size_t i = 0, tokens = 0; i < chain->notify_count && tokens < 4; i++) {
		if (chain->notifies[i].type != NOTIFY_QUICK_CRASH_DETECTION)
			continue;
		tokens++;
		if (memcmp(sa->crash_token, none, sizeof(none)) && !hash_sha256(hash, &chain->notifies[i].data, 1) &&
		    crypto_equal(VIEW_OF(hash), VIEW_OF(sa->crash_token))) {
			sa_drop(ike, sa, IKE_PEER_RESTARTED, now);
			return;
		}
	}
	/* Without a token it is a hint, worth a question (RFC 7296 2.21.4). */
	if (sa->request.kind == REQUEST_NONE) {
		sa->wants |= WANT_PROBE;
		send_next(ike, sa, now);
	}
}

/*
 * An IKE SA that we asked for and that the peer has made already: its first message may overtake the answer. A token for it would lie in wait
 * until the SA lives.
 */
static bool is_coming(const struct ike *ike, const uint8_t spi_i[SPI_LEN])
{
	for (uint32_t i = pool_first(&ike->works); i != POOL_NONE; i = pool_next(&ike->works, i))
		if (memcmp(((const struct work *)pool_at(&ike->works, i))->spi_new, spi_i, SPI_LEN) == 0)
			return true;
	return false;
}

void info_unknown(struct ike *ike, const struct ike_path *path, const struct header *request, uint64_t now)
{
	static const uint8_t none[sizeof(ike->options.crash_secret)];
	struct header header = *request;
	const struct hf_pair pair = { .local = path->local, .remote = path->remote };
	uint8_t token[CRASH_TOKEN_LEN];
	struct message message;

	/*
	 * Never for an SA that lives (RFC 6290 9.2): with the flag turned round its SPIs look like those of another, and the token that a
	 * stranger gets that way would end it at the peer.
	 */
	if (sa_find(ike, request->spi_i) || sa_find(ike, request->spi_r))
		return;
	/* Nor for one whose Child SAs live: the peer asks again until others stand in for them. */
	if (ike->options.host.survives && ike->options.host.survives(ike->options.host.arg, &pair))
		return;
	if (!memcmp(ike->options.crash_secret, none, sizeof(none)) || !quota_error(ike, &path->remote, now) ||
	    is_coming(ike, request->spi_i) ||
	    crash_token_make(token, ike->options.crash_secret, request->spi_i, request->spi_r))
		return;
	header.flags = (uint8_t)((request->flags & FLAG_INITIATOR) ^ FLAG_INITIATOR) | FLAG_RESPONSE;
	header.version = 0x20;
	message_start(&message, ike->out_plain, sizeof(ike->out_plain), &header);
	message_notify(&message, PROTOCOL_NONE, NOTIFY_INVALID_IKE_SPI, VIEW_NONE, VIEW_NONE);
	message_notify(&message, PROTOCOL_IKE, NOTIFY_QUICK_CRASH_DETECTION, VIEW_NONE, VIEW_OF(token));
	/* Never longer than the question. */
	if (message_finish(&message).len <= request->length)
		send_bare(ike, NULL, path, message_finish(&message));
}
