// SPDX-License-Identifier: Apache-2.0
/*
 * See ike_hostile.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ike_hostile.h"
#include "kem_standin.h"

#define MARKER_LEN 4

/* ---- reaching a state ---- */

static void make_busy(struct duo *duo, enum sa_state state)
{
	struct duo_host *first = &duo->host[0];

	duo_run(duo);
	if (state == SA_REKEYED) {
		ike_rekey(first->ike, first->sa, duo->now);
		duo_drain(duo, 0);
		duo_deliver(duo, 0);
		duo_deliver(duo, 0);
		duo_drop(duo, 0); /* the Delete of the old SA */
	} else if (state == SA_CLOSING) {
		ike_close(first->ike, first->sa, duo->now);
		duo_drain(duo, 0);
		duo_drop(duo, 0);
	}
}

int hostile_setup(void **state)
{
	(void)state;
	/* Before anything takes the place of what the library has. */
	return crypto_init(NULL);
}

unsigned int hostile_reach(struct duo *duo, enum sa_state state)
{
	kex_stand_in(state == SA_INTERMEDIATE_SENT ? &kem_standin : NULL);
	duo_start(duo, NULL);
	duo->host[0].hold_answer = state == SA_KEY_AWAITED;
	duo->host[1].hold_answer = state == SA_KEY_ASKED;
	duo->host[1].hold_install = state == SA_INSTALLING;
	duo_connect(duo, 0);
	switch (state) {
	case SA_INIT_SENT:
		break;
	case SA_HALF_OPEN:
		duo_deliver(duo, 0);
		duo_deliver(duo, 0);
		break;
	case SA_INTERMEDIATE_SENT:
	case SA_KEY_AWAITED:
	case SA_AUTH_SENT:
		duo_deliver(duo, 0);
		duo_deliver(duo, 0);
		break;
	case SA_KEY_ASKED:
	case SA_INSTALLING:
		duo_run(duo);
		break;
	default:
		make_busy(duo, state);
	}
	duo->wire_count = 0;
	kex_stand_in(NULL);
	return state == SA_HALF_OPEN || state == SA_KEY_ASKED || state == SA_INSTALLING ? 1 : 0;
}

struct sa *hostile_sa(const struct duo *duo, unsigned int i, enum sa_state state)
{
	const struct pool *sas = &duo->host[i].ike->sas;

	for (uint32_t at = pool_first(sas); at != POOL_NONE; at = pool_next(sas, at))
		if (((struct sa *)pool_at(sas, at))->state == state)
			return pool_at(sas, at);
	return NULL;
}

struct sa *hostile_only(const struct duo *duo, unsigned int i)
{
	const struct pool *sas = &duo->host[i].ike->sas;
	uint32_t at = pool_first(sas);

	return at == POOL_NONE ? NULL : pool_at(sas, at);
}

/* ---- sealing and opening ---- */

uint32_t hostile_next_mid(const struct sa *sa, bool response)
{
	return response ? sa->request.mid : sa->recv_mid;
}

/* A responder that was asked nothing yet has not derived its keys; its peer has the same. */
static const struct keymat *keys_of(const struct duo *duo, const struct sa *sa)
{
	for (unsigned int i = 0; !sa->have_keys && i < 2; i++) {
		const struct pool *sas = &duo->host[i].ike->sas;

		for (uint32_t at = pool_first(sas); at != POOL_NONE; at = pool_next(sas, at)) {
			const struct sa *other = pool_at(sas, at);

			if (other->have_keys && !memcmp(other->spi_i, sa->spi_i, SPI_LEN) &&
			    !memcmp(other->spi_r, sa->spi_r, SPI_LEN))
				return &other->keys;
		}
	}
	return &sa->keys;
}

struct view hostile_seal(struct duo *duo, unsigned int to, const struct sa *sa, uint8_t exchange, bool response,
			 uint32_t mid, uint8_t first, struct view plain)
{
	static const uint8_t iv_random[16];
	static uint8_t out[IKE_MESSAGE_MAX + 4096];
	static uint64_t iv = 1ull << 40;
	struct header header = { .version = 0x20, .exchange = exchange, .mid = mid };
	const struct keymat *keys = keys_of(duo, sa);
	size_t len = sizeof(out);

	(void)to;
	memcpy(header.spi_i, sa->spi_i, SPI_LEN);
	memcpy(header.spi_r, sa->spi_r, SPI_LEN);
	header.flags = (uint8_t)((response ? FLAG_RESPONSE : 0) | (sa->initiator ? 0 : FLAG_INITIATOR));
	assert_non_null(keys->cipher);
	assert_int_equal(seal_message(out, &len, &header, first, plain, keys, !sa->initiator, ++iv, iv_random), 0);
	return view_of(out, len);
}

void hostile_datagram(struct duo *duo, unsigned int to, const struct sa *sa, struct view octets)
{
	static uint8_t copy[IKE_MESSAGE_MAX + 8192];
	struct ike_path path = sa->path; /* the SA may be gone afterwards */
	size_t marker = path.local_port == 4500 ? MARKER_LEN : 0;

	assert_true(octets.len + MARKER_LEN <= sizeof(copy));
	memset(copy, 0, MARKER_LEN);
	memcpy(copy + marker, octets.at, octets.len);
	ike_datagram(duo->host[to].ike, &path, view_of(copy, marker + octets.len), duo->now);
	duo_drain(duo, to);
}

void hostile_send(struct duo *duo, unsigned int to, const struct sa *sa, uint8_t exchange, bool response, uint32_t mid,
		  uint8_t first, struct view plain)
{
	hostile_datagram(duo, to, sa, hostile_seal(duo, to, sa, exchange, response, mid, first, plain));
}

void hostile_raw(struct duo *duo, unsigned int to, const struct sa *sa, uint8_t exchange, bool response,
		 const struct raw *raw)
{
	hostile_send(duo, to, sa, exchange, response, hostile_next_mid(sa, response), raw->first,
		     view_of(raw->at, raw->len));
}

void hostile_message(struct duo *duo, unsigned int to, const struct sa *sa, uint8_t exchange, bool response,
		     struct message *message)
{
	hostile_send(duo, to, sa, exchange, response, hostile_next_mid(sa, response), message->first,
		     message_finish(message));
}

static bool open_octets(struct view *plain, uint8_t *first, const struct duo *duo, const struct sa *sa, size_t n)
{
	static uint8_t out[DUO_DATAGRAM];
	const struct duo_datagram *datagram = &duo->wire[n];
	size_t marker = datagram->path.local_port == 4500 ? MARKER_LEN : 0;
	struct view octets = view_of(datagram->octets + marker, datagram->len - marker);
	struct header header;
	struct chain outer;

	if (header_parse(&header, octets) ||
	    chain_parse(&outer, header.next, view_of(octets.at + HEADER_LEN, octets.len - HEADER_LEN), false) ||
	    !outer.sk_type)
		return false;
	*first = outer.sk_next;
	return seal_open(out, plain, octets, &outer, keys_of(duo, sa), header.flags & FLAG_INITIATOR) == 0;
}

bool hostile_open(struct duo *duo, const struct sa *sa, struct chain *chain)
{
	struct view plain;
	uint8_t first;

	return duo->wire_count && open_octets(&plain, &first, duo, sa, duo->wire_count - 1) &&
	       chain_parse(chain, first, plain, true) == 0;
}

bool hostile_without(struct raw *out, uint8_t *left_out, const struct duo *duo, const struct sa *sa, size_t n)
{
	struct reader reader;
	struct view plain = VIEW_NONE;
	uint8_t type = PAYLOAD_NONE;
	bool found = false;

	assert_true(duo->wire_count && open_octets(&plain, &type, duo, sa, 0));
	raw_clear(out);
	reader_init(&reader, plain);
	for (size_t i = 0; reader_left(&reader); i++) {
		uint8_t next = read_u8(&reader), flags = read_u8(&reader);
		struct view body = read_view(&reader, read_u16(&reader) - PAYLOAD_HEADER_LEN);

		if (i == n) {
			*left_out = type;
			found = true;
		} else {
			raw_add(out, type, flags, body.at, body.len);
		}
		type = next;
	}
	assert_false(reader.failed);
	return found;
}

bool hostile_answered(struct duo *duo, const struct sa *sa, uint16_t notify)
{
	struct chain chain;
	bool yes = hostile_open(duo, sa, &chain) && (notify ? chain_notify(&chain, notify) != NULL : true);

	if (yes)
		duo->wire_count--;
	return yes;
}

/* ---- before and after ---- */

struct hostile_image hostile_image(const struct duo *duo, unsigned int i, const struct sa *sa)
{
	return (struct hostile_image){
		.sa = *sa,
		.counts = duo_counts(duo, i),
		.works = pool_count(&duo->host[i].ike->works),
		.sent = duo->sent[i],
		.wire = duo->wire_count,
	};
}

void hostile_unchanged(const struct duo *duo, unsigned int i, const struct sa *sa, const struct hostile_image *before)
{
	struct ike_counts now = duo_counts(duo, i);
	struct sa copy = *sa;

	/* What may be counted or computed once: bad ICVs, and a half-open SA's keys. */
	copy.bad_icvs = before->sa.bad_icvs;
	if (copy.state == SA_HALF_OPEN) {
		copy.keys = before->sa.keys;
		copy.have_keys = before->sa.have_keys;
		memcpy(copy.low_nonce, before->sa.low_nonce, NONCE_LEN);
		memcpy(copy.origin_nonce, before->sa.origin_nonce, NONCE_LEN);
		copy.request_hash = before->sa.request_hash;
	}
	assert_memory_equal(&copy, &before->sa, sizeof(copy));
	assert_int_equal(now.sas, before->counts.sas);
	assert_int_equal(now.half_open, before->counts.half_open);
	assert_int_equal(now.established, before->counts.established);
	assert_int_equal(now.children, before->counts.children);
	assert_int_equal(now.blocks, before->counts.blocks);
	assert_int_equal(pool_count(&duo->host[i].ike->works), before->works);
	assert_int_equal(duo->sent[i], before->sent);
	assert_int_equal(duo->wire_count, before->wire);
}

void hostile_empty(const struct duo *duo, unsigned int i)
{
	struct ike_counts counts = duo_counts(duo, i);

	assert_int_equal(counts.sas, 0);
	assert_int_equal(counts.half_open, 0);
	assert_int_equal(counts.established, 0);
	assert_int_equal(counts.children, 0);
	assert_int_equal(counts.blocks, 0);
	assert_int_equal(counts.outputs_lost, 0);
	assert_int_equal(pool_count(&duo->host[i].ike->works), 0);
	assert_int_equal(pool_count(&duo->host[i].ike->reassemblies), 0);
	assert_int_equal(duo->host[i].kid_count, 0);
}

/* ---- strangers ---- */

static void write_stranger_ke(struct message *message, uint16_t group)
{
	static uint8_t value[KEX_PUBLIC_MAX];
	static uint16_t made;
	const struct kex *kex = kex_find(group);
	struct kex_private private;

	/* One key for all of them: that it is good is enough. */
	memset(&private, 0x5a, sizeof(private));
	assert_non_null(kex);
	if (made != group)
		assert_int_equal(kex_start(kex, value, &private), 0);
	made = group;
	message_ke(message, group, view_of(value, kex->start_len));
}

struct view hostile_init(struct duo *duo, uint32_t seed, uint16_t group, struct view cookie)
{
	static uint8_t memory[2048];
	static const uint8_t padding[400];
	struct header header = { .version = 0x20, .exchange = EXCHANGE_IKE_SA_INIT, .flags = FLAG_INITIATOR };
	uint8_t nonce[NONCE_LEN] = { 1 };
	struct message message;

	memcpy(header.spi_i, "stra", 4);
	memcpy(header.spi_i + 4, &seed, 4);
	memcpy(nonce + 4, &seed, 4);
	message_start(&message, memory, sizeof(memory), &header);
	if (cookie.len)
		message_notify(&message, PROTOCOL_NONE, NOTIFY_COOKIE, VIEW_NONE, cookie);
	proposal_write(&message, &duo->host[0].ike->offer_init, VIEW_NONE);
	write_stranger_ke(&message, group);
	message_nonce(&message, VIEW_OF(nonce));
	/* Long enough for an answer that is no longer. */
	message_notify(&message, PROTOCOL_NONE, NOTIFY_FRAGMENTATION_SUPPORTED, VIEW_NONE, VIEW_NONE);
	payload_open(&message, PAYLOAD_VENDOR);
	write_octets(&message.out, padding, sizeof(padding));
	payload_close(&message);
	return message_finish(&message);
}

void hostile_from(struct duo *duo, unsigned int i, const struct hf_addr *from, struct view octets)
{
	struct ike_path path = { .local = duo->host[i].addr, .remote = *from, .local_port = 500, .remote_port = 500 };

	ike_datagram(duo->host[i].ike, &path, octets, duo->now);
	duo_drain(duo, i);
}
