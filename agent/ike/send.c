// SPDX-License-Identifier: Apache-2.0
/*
 * Requests and responses on their way out. A request is sealed once and sent again bit for bit until its response comes (RFC 7296 2.1);
 * a response is kept and sent again when its request is. One request is outstanding at a time (2.3: window 1), numbers count per
 * direction (2.2). What an SA wants to say next waits as a bit and is said in the order of send_next.
 */
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "ike/internal.h"

#define MARKER_LEN 4 /* zeros in front of every IKE message on the encapsulation port (RFC 7296 2.23, RFC 3948 2.2) */

void send_begin(struct ike *ike, struct message *message)
{
	message_start_inside(message, ike->out_plain, sizeof(ike->out_plain));
}

void send_bare(struct ike *ike, const struct sa *sa, const struct ike_path *path, struct view message)
{
	uint8_t *with_marker = ike->output_copy;

	if (path->local_port != ike->options.encap_port) {
		output_send(ike, sa, path, message);
		return;
	}
	if (message.len + MARKER_LEN > sizeof(ike->output_copy))
		return;
	memset(with_marker, 0, MARKER_LEN);
	memcpy(with_marker + MARKER_LEN, message.at, message.len);
	output_send(ike, sa, path, view_of(with_marker, message.len + MARKER_LEN));
}

/* Stored datagrams stand after their lengths in 2 octets. */
void send_again(struct ike *ike, struct sa *sa, const struct blob *datagrams, uint64_t now)
{
	struct view all = blob_view(ike, datagrams, ike->copies[1], sizeof(ike->copies[1]));
	struct reader reader;

	reader_init(&reader, all);
	while (reader_left(&reader)) {
		struct view datagram = read_view(&reader, read_u16(&reader));

		if (reader.failed)
			return;
		send_bare(ike, sa, &sa->path, datagram);
	}
	sa->sent_ns = now;
}

static int store(struct ike *ike, struct blob *blob, struct view datagram)
{
	uint8_t len[2] = { (uint8_t)(datagram.len >> 8), (uint8_t)datagram.len };
	int rc = blob_append(ike, blob, VIEW_OF(len));

	return rc ? rc : blob_append(ike, blob, datagram);
}

/* Octets of an IKE message that fit into one packet of the size we allow ourselves (RFC 7383 2.5.1). */
static size_t room_for_message(const struct ike *ike, const struct sa *sa)
{
	return ike->options.fragment_size - (addr_is_v4(&sa->path.remote) ? 20 : 40) - 8 - MARKER_LEN;
}

static int seal_one(struct ike *ike, struct sa *sa, struct blob *blob, const struct header *header, uint8_t first,
		    struct view plain, unsigned int number, unsigned int total)
{
	size_t len = sizeof(ike->datagram);
	uint8_t random[16] = { 0 };
	int rc;

	/* A counter never repeats; only CBC wants octets that nobody foresees. */
	if (sa->keys.cipher->iv_len > sizeof(uint64_t))
		ike_random(ike, random, sizeof(random));
	sa->iv++;
	rc = total == 1
		     ? seal_message(ike->datagram, &len, header, first, plain, &sa->keys, sa->initiator, sa->iv, random)
		     : seal_fragment(ike->datagram, &len, header, first, plain, number, total,
				     room_for_message(ike, sa), &sa->keys, sa->initiator, sa->iv, random);
	return rc ? rc : store(ike, blob, view_of(ike->datagram, len));
}

static int seal_all(struct ike *ike, struct sa *sa, struct blob *blob, struct header *header, struct message *message)
{
	struct view plain = writer_view(&message->out);
	unsigned int total = 1;

	if (message->out.failed)
		return -EMSGSIZE;
	memcpy(header->spi_i, sa->spi_i, SPI_LEN);
	memcpy(header->spi_r, sa->spi_r, SPI_LEN);
	header->version = 0x20;
	if (sa->initiator)
		header->flags |= FLAG_INITIATOR;
	if (sa->features & FEATURE_FRAGMENTATION)
		total = seal_fragments(plain, room_for_message(ike, sa), &sa->keys);
	if (!total)
		return -EMSGSIZE;
	blob_clear(ike, blob);
	for (unsigned int number = 1; number <= total; number++) {
		int rc = seal_one(ike, sa, blob, header, message->first, plain, number, total);

		if (rc)
			return rc;
	}
	return 0;
}

static unsigned int tries_for(const struct sa *sa, enum request_kind kind)
{
	if (kind == REQUEST_PROBE && sa->short_probe)
		return IKE_TRIES_SHORT;
	return kind == REQUEST_INIT && sa->fail_open ? IKE_TRIES_SHORT : IKE_TRIES;
}

static uint64_t wait_after(struct ike *ike, unsigned int tries)
{
	uint64_t wait = IKE_RETRANSMIT_FIRST << (tries - 1 < 5 ? tries - 1 : 5);

	return ike_jitter(ike, wait < IKE_RETRANSMIT_LONGEST ? wait : IKE_RETRANSMIT_LONGEST, 10);
}

static void start(struct ike *ike, struct sa *sa, enum request_kind kind, enum exchange exchange, uint32_t mid,
		  uint64_t now)
{
	sa->request.kind = kind;
	sa->request.exchange = (uint8_t)exchange;
	sa->request.mid = mid;
	sa->request.tries = 1;
	sa->request.tries_max = tries_for(sa, kind);
	sa->request.again_ns = nstime_add(now, wait_after(ike, 1));
	send_again(ike, sa, &sa->request.message, now);
	sa_schedule(ike, sa);
}

int send_request(struct ike *ike, struct sa *sa, enum request_kind kind, enum exchange exchange,
		 struct message *message, uint64_t now)
{
	struct header header = { .exchange = exchange, .mid = sa->send_mid };
	int rc = seal_all(ike, sa, &sa->request.message, &header, message);

	if (rc)
		return rc;
	start(ike, sa, kind, exchange, sa->send_mid++, now);
	return 0;
}

int send_init(struct ike *ike, struct sa *sa, struct view message, uint64_t now)
{
	int rc;

	blob_clear(ike, &sa->request.message);
	rc = store(ike, &sa->request.message, message);
	if (rc)
		return rc;
	start(ike, sa, REQUEST_INIT, EXCHANGE_IKE_SA_INIT, 0, now);
	return 0;
}

int send_response(struct ike *ike, struct sa *sa, enum exchange exchange, struct message *message, uint64_t now)
{
	struct header header = { .exchange = exchange, .flags = FLAG_RESPONSE, .mid = sa->recv_mid };
	int rc = seal_all(ike, sa, &sa->response, &header, message);

	if (rc)
		return rc;
	sa->recv_mid++;
	send_again(ike, sa, &sa->response, now);
	return 0;
}

int send_notify_response(struct ike *ike, struct sa *sa, enum exchange exchange, uint16_t type, struct view data,
			 uint64_t now)
{
	struct message message;

	send_begin(ike, &message);
	if (type)
		message_notify(&message, PROTOCOL_NONE, type, VIEW_NONE, data);
	return send_response(ike, sa, exchange, &message, now);
}

void send_later(struct ike *ike, struct sa *sa, enum want want, uint64_t now)
{
	sa->retry_ns = nstime_add(now, ike_jitter(ike, IKE_TEMPORARY_WAIT, 50));
	sa->wants |= want;
	if (++sa->temporary >= IKE_TEMPORARY_MAX) {
		sa->down_reason = IKE_REFUSED;
		sa->wants |= WANT_CLOSE;
		sa->retry_ns = now;
	}
}

void send_done(struct ike *ike, struct sa *sa)
{
	blob_clear(ike, &sa->request.message);
	sa->request = (struct request){ .kind = REQUEST_NONE, .again_ns = NSTIME_NEVER };
}

/* A request that nobody answers. What it was about decides what is lost with it. */
static void give_up(struct ike *ike, struct sa *sa, uint64_t now)
{
	sa->request.again_ns = NSTIME_NEVER;
	if (sa->state == SA_INIT_SENT && sa_candidates(ike, sa))
		return; /* they have their own time */
	if (sa->state == SA_CLOSING)
		sa_drop(ike, sa, sa->loser ? IKE_SUPERSEDED : IKE_CLOSED, now);
	else
		sa_drop(ike, sa,
			sa->superseded || sa->loser		       ? IKE_SUPERSEDED
			: sa->state == SA_INIT_SENT && sa->down_reason ? sa->down_reason
								       : IKE_TIMEOUT,
			now);
}

void send_retransmit(struct ike *ike, struct sa *sa, uint64_t now)
{
	struct request *request = &sa->request;

	if (request->kind == REQUEST_NONE) {
		request->again_ns = NSTIME_NEVER;
		return;
	}
	if (request->tries >= request->tries_max && request->kind == REQUEST_PROBE && request->tries < IKE_TRIES &&
	    crossing_is_needed(ike, sa))
		request->tries_max++;
	if (request->tries >= request->tries_max) {
		give_up(ike, sa, now);
		return;
	}
	request->tries++;
	request->again_ns = nstime_add(now, wait_after(ike, request->tries));
	ike->counts.retransmits++;
	send_again(ike, sa, &request->message, now);
	sa_schedule(ike, sa);
}

static struct kid *find_kid(const struct ike *ike, const struct sa *sa, bool (*is)(const struct kid *kid))
{
	struct kid *kid = kid_at(ike, sa->kids);

	while (kid && !is(kid))
		kid = kid_at(ike, kid->next);
	return kid;
}

static bool is_deleting(const struct kid *kid)
{
	return kid->state == KID_DELETING && kid->unproven_ns == NSTIME_NEVER;
}

static bool wants_rekey(const struct kid *kid)
{
	return kid->rekey_wanted && kid->state == KID_UP && kid->unproven_ns == NSTIME_NEVER;
}

void send_next(struct ike *ike, struct sa *sa, uint64_t now)
{
	struct kid *kid;

	/* After TEMPORARY_FAILURE only what makes room may go at once. */
	if (sa->state != SA_ESTABLISHED || sa->request.kind != REQUEST_NONE)
		return;
	if (sa->wants & WANT_CLOSE) {
		info_close(ike, sa, now);
		return;
	}
	/* The end of one that is being replaced says that its successor is there: not before it is. */
	kid = sa->work || sa->peer_work ? NULL : find_kid(ike, sa, is_deleting);
	if (kid) {
		info_delete_kid(ike, sa, kid, now);
		return;
	}
	if (sa->wants & WANT_PROBE) {
		sa->wants &= ~WANT_PROBE;
		info_probe(ike, sa, now);
		return;
	}
	/* An exchange that waits for the kernel goes first; behind the peer's we would be answered TEMPORARY_FAILURE. */
	if (now < sa->retry_ns || sa->peer_work || sa->work)
		return;
	if (sa->wants & WANT_REKEY_SA) {
		sa->wants &= ~WANT_REKEY_SA;
		rekey_start(ike, sa, now);
		return;
	}
	kid = find_kid(ike, sa, wants_rekey);
	if (kid) {
		kid->rekey_wanted = false;
		create_start(ike, sa, kid, now);
		return;
	}
	sa->wants &= ~WANT_REKEY_KID;
	if (sa->wants & WANT_NEW_KID) {
		sa->wants &= ~WANT_NEW_KID;
		create_start(ike, sa, NULL, now);
	}
}
