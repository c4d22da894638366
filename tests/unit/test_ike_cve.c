// SPDX-License-Identifier: Apache-2.0
/*
 * What others got wrong, tried on the engine: messages in states where they have no place, with pieces missing, with bits changed, sealed
 * with the right keys by a hostile peer. Each test carries the CVE it is about; docs/CVES.md has the whole list. What a parser or the
 * crypto room answers for is in their tests; whom we believe is in test_ike_cve_auth.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ike_hostile.h"
#include "kem_standin.h"

static struct duo duo;
static struct raw raw;

static const uint8_t delete_ike[4] = { PROTOCOL_IKE, 0, 0, 0 };

/* States that hold keys; of SA_INIT_SENT there are none yet. */
#define FIRST_SEALED SA_INTERMEDIATE_SENT

/* Every exchange type, requests and responses with the right ID under the right keys, in every state that does not list them. */
static void test_cve_2019_12312_every_exchange(void **state)
{
	(void)state;
	for (unsigned int s = FIRST_SEALED; s < SA_STATES; s++) {
		unsigned int at = hostile_reach(&duo, s);
		struct sa *sa = hostile_sa(&duo, at, s);
		struct hostile_image before;
		unsigned int tried = 0;

		assert_non_null(sa);
		before = hostile_image(&duo, at, sa);
		raw_clear(&raw);
		raw_add(&raw, PAYLOAD_DELETE, 0, delete_ike, sizeof(delete_ike));
		for (unsigned int exchange = 0; exchange < 256; exchange++) {
			for (unsigned int response = 0; response < 2; response++) {
				if (states_find(exchange, response, s))
					continue;
				hostile_raw(&duo, at, sa, (uint8_t)exchange, response, &raw);
				hostile_unchanged(&duo, at, sa, &before);
				tried++;
			}
		}
		assert_true(tried >= 2 * 256 - 6);
		duo_end(&duo);
	}
}

/* The same without any seal, and before there are keys. */
static void test_cve_2019_12312_in_clear(void **state)
{
	(void)state;
	for (unsigned int s = 0; s < SA_STATES; s++) {
		unsigned int at = hostile_reach(&duo, s);
		struct sa *sa = hostile_sa(&duo, at, s);
		struct hostile_image before = hostile_image(&duo, at, sa);
		uint8_t memory[256];

		for (unsigned int exchange = 0; exchange < 256; exchange++) {
			for (unsigned int flags = 0; flags < 256; flags += 8) {
				struct header header = { .version = 0x20,
							 .exchange = (uint8_t)exchange,
							 .flags = (uint8_t)flags,
							 .mid = sa->recv_mid };
				struct message message;

				memcpy(header.spi_i, sa->spi_i, SPI_LEN);
				memcpy(header.spi_r, sa->spi_r, SPI_LEN);
				message_start(&message, memory, sizeof(memory), &header);
				message_delete_ike(&message);
				hostile_datagram(&duo, at, sa, message_finish(&message));
				hostile_unchanged(&duo, at, sa, &before);
			}
		}
		duo_end(&duo);
	}
}

static void write_rekey(struct message *message, uint8_t *memory, size_t max)
{
	static const uint8_t spi[SPI_LEN] = { 9, 9, 9 }, nonce[NONCE_LEN] = { 7 };
	struct kex_private private = { { 1 } };
	uint8_t value[KEX_PUBLIC_MAX];

	assert_int_equal(kex_start(kex_find(KE_X25519), value, &private), 0);
	message_start_inside(message, memory, max);
	proposal_write(message, &duo.host[0].ike->offer_rekey, VIEW_OF(spi));
	message_nonce(message, VIEW_OF(nonce));
	message_ke(message, KE_X25519, view_of(value, 32));
}

/* A rekey of an IKE SA whose peer has proved nothing yet must not make one that counts as proved. */
static void test_cve_2014_2338_rekey_before_auth(void **state)
{
	uint8_t memory[1024];
	struct message message;

	(void)state;
	for (unsigned int s = FIRST_SEALED; s < SA_STATES; s++) {
		unsigned int at = hostile_reach(&duo, s);
		struct sa *sa = hostile_sa(&duo, at, s);
		struct hostile_image before = hostile_image(&duo, at, sa);

		write_rekey(&message, memory, sizeof(memory));
		hostile_message(&duo, at, sa, EXCHANGE_CREATE_CHILD_SA, false, &message);
		if (s < SA_ESTABLISHED) {
			hostile_unchanged(&duo, at, sa, &before);
			assert_int_equal(duo.host[at].ups + duo.host[at].replaced, s == SA_INSTALLING);
			message_start_inside(&message, memory, sizeof(memory));
			hostile_message(&duo, at, sa, EXCHANGE_INFORMATIONAL, false, &message);
			hostile_unchanged(&duo, at, sa, &before);
			hostile_raw(&duo, at, sa, EXCHANGE_IKE_FOLLOWUP_KE, false, &raw);
			hostile_unchanged(&duo, at, sa, &before);
		} else if (s == SA_ESTABLISHED) {
			assert_int_equal(duo.host[at].replaced, 1); /* there it is what it says */
		} else {
			assert_true(hostile_answered(&duo, sa, NOTIFY_TEMPORARY_FAILURE));
		}
		duo_end(&duo);
	}
}

/* N(REKEY_SA) of every protocol and many SPI sizes: an answer or the end of the SA, never another Child SA replaced. */
static void test_cve_2023_38710_rekey_protocols(void **state)
{
	static const unsigned int sizes[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 128, 255 };

	(void)state;
	for (unsigned int protocol = 0; protocol < 5; protocol++) {
		for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			unsigned int at = hostile_reach(&duo, SA_ESTABLISHED);
			struct sa *sa = hostile_only(&duo, at);
			uint32_t spi_out_be = duo.host[at].kids[0].keys.spi_out_be;
			bool right = protocol == PROTOCOL_ESP && sizes[i] == 4;
			uint8_t body[4 + 255] = { (uint8_t)protocol, (uint8_t)sizes[i], 0x40, 0x09 };
			static const uint8_t nonce[NONCE_LEN] = { 3 };
			uint8_t memory[1024];
			struct message message;

			for (unsigned int k = 0; k < 255; k++)
				body[4 + k] = ((uint8_t *)&spi_out_be)[k % 4];
			message_start_inside(&message, memory, sizeof(memory));
			payload_open(&message, PAYLOAD_NOTIFY);
			write_octets(&message.out, body, 4 + sizes[i]);
			payload_close(&message);
			child_write_spi(&message, &duo.host[at].ike->offer_child, NULL, 0x11223344);
			message_nonce(&message, VIEW_OF(nonce));
			child_write_ts(&message, sa, false);
			hostile_message(&duo, at, sa, EXCHANGE_CREATE_CHILD_SA, false, &message);
			assert_int_equal(duo.wire_count, 1);
			assert_int_equal(duo.host[at].child_ups, right ? 2 : 1);
			assert_int_equal(duo_sending(&duo, at), duo_counts(&duo, at).established);
			duo_end(&duo);
		}
	}
}

static void send_delete(struct raw *out, unsigned int order, uint32_t spi_be)
{
	uint8_t esp[12] = { PROTOCOL_ESP, 4, 0, 2 }, ah[8] = { PROTOCOL_AH, 4, 0, 1, 1, 2, 3, 4 };
	static const uint8_t notify[4] = { 0, 0, 0x40, 0x00 };

	memcpy(esp + 4, &spi_be, 4);
	memcpy(esp + 8, &spi_be, 4); /* the same twice */
	raw_clear(out);
	for (unsigned int i = 0; i < 4; i++) {
		switch ((order + i) % 4) {
		case 0:
			raw_add(out, PAYLOAD_DELETE, 0, delete_ike, sizeof(delete_ike));
			break;
		case 1:
			raw_add(out, PAYLOAD_DELETE, 0, esp, sizeof(esp));
			break;
		case 2:
			raw_add(out, PAYLOAD_DELETE, 0, ah, sizeof(ah));
			break;
		default:
			raw_add(out, PAYLOAD_NOTIFY, 0, notify, sizeof(notify));
		}
	}
}

/* D(IKE), D(ESP) with an SPI twice, D(AH) and a notify in one message, in each order: one end, told once. */
static void test_cve_2023_38712_deletes(void **state)
{
	(void)state;
	for (unsigned int order = 0; order < 4; order++) {
		unsigned int at = hostile_reach(&duo, SA_ESTABLISHED);
		struct sa *sa = hostile_only(&duo, at);

		send_delete(&raw, order, duo.host[at].kids[0].keys.spi_out_be);
		hostile_raw(&duo, at, sa, EXCHANGE_INFORMATIONAL, false, &raw);
		assert_int_equal(duo.sent[at], 3);
		assert_int_equal(duo.host[at].downs, 1);
		assert_int_equal(duo.host[at].reason, IKE_CLOSED_BY_PEER);
		assert_int_equal(duo.host[at].child_downs, 1);
		hostile_empty(&duo, at);
		duo_end(&duo);
	}
}

/* A Child SA deleted twice in two messages, and one that never was: answered empty. */
static void test_cve_2023_38712_delete_again(void **state)
{
	unsigned int at = hostile_reach(&duo, SA_ESTABLISHED);
	struct sa *sa = hostile_only(&duo, at);
	uint8_t esp[8] = { PROTOCOL_ESP, 4, 0, 1 };
	struct chain chain;

	(void)state;
	memcpy(esp + 4, &duo.host[at].kids[0].keys.spi_out_be, 4);
	raw_clear(&raw);
	raw_add(&raw, PAYLOAD_DELETE, 0, esp, sizeof(esp));
	for (unsigned int i = 0; i < 3; i++) {
		hostile_raw(&duo, at, sa, EXCHANGE_INFORMATIONAL, false, &raw);
		assert_true(hostile_open(&duo, sa, &chain));
		assert_int_equal(chain.delete_count, i == 0);
		duo.wire_count = 0;
	}
	assert_int_equal(duo.host[at].child_downs, 1);
	assert_int_equal(duo_counts(&duo, at).established, 1);
	duo_end(&duo);
}

/* ---- CVE-2013-6467: payloads missing ---- */

static void whole_messages(struct ike_options *options, unsigned int i)
{
	(void)i;
	options->fragment_size = 4000;
}

/* Brings the wire to a message; the result is who is to get it. */
static unsigned int start_message(unsigned int kind, bool whole)
{
	struct duo_host *first = &duo.host[0];

	kex_stand_in(kind < 2 ? &kem_standin : NULL);
	duo_start(&duo, whole ? whole_messages : NULL);
	duo_connect(&duo, 0);
	if (kind < 4) {
		/* 0, 1: IKE_INTERMEDIATE; 2, 3: IKE_AUTH */
		duo_deliver(&duo, 0);
		duo_deliver(&duo, 0);
	} else {
		duo_run(&duo);
		if (kind < 6)
			ike_rekey_child(first->ike, first->kids[0].handle, duo.now);
		else if (kind < 8)
			ike_rekey(first->ike, first->sa, duo.now);
		else
			ike_close_child(first->ike, first->kids[0].handle, duo.now);
		duo_drain(&duo, 0);
	}
	if (kind % 2 == 0)
		return 1;
	while (duo.wire[0].from == 0)
		duo_deliver(&duo, 0);
	return 0;
}

#define KINDS 10

static uint8_t exchange_of(unsigned int kind)
{
	static const uint8_t exchanges[KINDS / 2] = { EXCHANGE_IKE_INTERMEDIATE, EXCHANGE_IKE_AUTH,
						      EXCHANGE_CREATE_CHILD_SA, EXCHANGE_CREATE_CHILD_SA,
						      EXCHANGE_INFORMATIONAL };

	return exchanges[kind / 2];
}

/* The SA that the message is for: at the initiator a candidate before the attempt. */
static struct sa *receiver(unsigned int at, unsigned int kind)
{
	static const enum sa_state states[KINDS] = { SA_HALF_OPEN, SA_INTERMEDIATE_SENT, SA_HALF_OPEN, SA_AUTH_SENT };

	return kind < 4 ? hostile_sa(&duo, at, states[kind]) : hostile_sa(&duo, at, SA_ESTABLISHED);
}

/* Whatever was missing: both live with it, and what stands in the end both ends hold. With `agreeing` off the sender broke the rules after it had done its half. */
static void settle_down(bool agreeing)
{
	duo_run(&duo);
	duo_pass(&duo, 300 * NSTIME_S);
	if (agreeing) {
		assert_true(duo_agree(&duo));
		assert_int_equal(duo_counts(&duo, 0).established, duo_counts(&duo, 1).established);
	}
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(duo_counts(&duo, i).outputs_lost, 0);
		assert_int_equal(duo_counts(&duo, i).half_open, 0);
		if (!duo_counts(&duo, i).established)
			hostile_empty(&duo, i);
	}
	duo_end(&duo);
	kex_stand_in(NULL);
}

static void test_cve_2013_6467_each_payload(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		for (size_t n = 0;; n++) {
			unsigned int at = start_message(kind, true);
			struct sa *sa = receiver(at, kind);
			uint8_t type = 0;

			assert_non_null(sa);
			if (!hostile_without(&raw, &type, &duo, sa, n)) {
				assert_true(n > 0);
				duo_end(&duo);
				break;
			}
			duo_drop(&duo, 0);
			hostile_raw(&duo, at, sa, exchange_of(kind), kind % 2, &raw);
			/* Nobody is believed without identity and proof of it. */
			if (kind / 2 == 1 && (type == PAYLOAD_IDI || type == PAYLOAD_IDR || type == PAYLOAD_AUTH))
				assert_int_equal(duo.host[at].ups, 0);
			/* No Child SA without its suite, its selectors and its nonce. */
			if (kind / 2 == 1 || kind / 2 == 2)
				if (type == PAYLOAD_SA || type == PAYLOAD_TSI || type == PAYLOAD_TSR ||
				    type == PAYLOAD_NONCE)
					assert_int_equal(duo.host[at].child_ups, kind / 2 == 2);
			/* A peer that leaves N(USE_TRANSPORT_MODE) out says that it took a tunnel. */
			settle_down(type != PAYLOAD_NOTIFY && (kind < 5 || kind == 6));
		}
	}
	kex_stand_in(NULL);
}

/* IKE_SA_INIT without each of its payloads: no SA, no candidate, no answer. */
static void test_cve_2013_6467_init(void **state)
{
	(void)state;
	for (unsigned int response = 0; response < 2; response++) {
		for (uint8_t without = PAYLOAD_SA; without < PAYLOAD_NOTIFY; without++) {
			struct reader reader;
			struct view whole;
			uint8_t type;
			bool found = false;

			if (without != PAYLOAD_SA && without != PAYLOAD_KE && without != PAYLOAD_NONCE)
				continue;
			duo_start(&duo, NULL);
			duo_connect(&duo, 0);
			if (response)
				duo_deliver(&duo, 0);
			whole = view_of(duo.wire[0].octets, duo.wire[0].len);
			reader_init(&reader, whole);
			type = whole.at[16];
			read_view(&reader, HEADER_LEN);
			raw_clear(&raw);
			while (reader_left(&reader)) {
				uint8_t next = read_u8(&reader), flags = read_u8(&reader);
				struct view body = read_view(&reader, read_u16(&reader) - PAYLOAD_HEADER_LEN);

				found |= type == without;
				if (type != without)
					raw_add(&raw, type, flags, body.at, body.len);
				type = next;
			}
			assert_true(found);
			memmove(raw.at + HEADER_LEN, raw.at, raw.len);
			memcpy(raw.at, whole.at, HEADER_LEN);
			raw.at[16] = raw.first;
			raw.at[26] = (uint8_t)((raw.len + HEADER_LEN) >> 8);
			raw.at[27] = (uint8_t)(raw.len + HEADER_LEN);
			duo.wire_count = 0;
			duo_inject(&duo, !response, view_of(raw.at, raw.len + HEADER_LEN));
			assert_int_equal(duo.wire_count, 0);
			assert_int_equal(duo_counts(&duo, !response).sas, response);
			duo_end(&duo);
		}
	}
}

/* ---- CVE-2019-10155: the ICV is looked at ---- */

/* Each bit of each protected message: no effect, no answer (but to what says it is another IKE version). */
static void test_cve_2019_10155_every_bit(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		unsigned int at = start_message(kind, false);
		struct sa *sa = receiver(at, kind);
		struct duo_datagram message = duo.wire[0];
		struct hostile_image before;
		uint8_t none[sizeof(duo.host[at].ike->options.crash_secret)] = { 0 };

		memcpy(duo.host[at].ike->options.crash_secret, none, sizeof(none));
		before = hostile_image(&duo, at, sa);
		for (size_t bit = 0; bit < 8 * message.len; bit++) {
			message.octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
			hostile_datagram(&duo, at, sa, view_of(message.octets, message.len));
			message.octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (bit / 8 == 17 && bit % 8 >= 4 && duo.wire_count > before.wire) {
				duo.wire_count--;
				duo.sent[at]--;
				duo.now += NSTIME_S;
			}
			hostile_unchanged(&duo, at, sa, &before);
			sa->bad_icvs = 0;
		}
		/* As it was it is taken. */
		duo_deliver(&duo, 0);
		settle_down(true);
	}
}

/* ---- message IDs (RFC 7296 2.2, 2.3) ---- */

static void test_message_ids(void **state)
{
	static const uint32_t off[] = { 1, 2, 255, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff };
	unsigned int at = hostile_reach(&duo, SA_ESTABLISHED);
	struct sa *sa = hostile_only(&duo, at);
	struct hostile_image before = hostile_image(&duo, at, sa);

	(void)state;
	raw_clear(&raw);
	raw_add(&raw, PAYLOAD_DELETE, 0, delete_ike, sizeof(delete_ike));
	for (unsigned int i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
		hostile_send(&duo, at, sa, EXCHANGE_INFORMATIONAL, false, sa->recv_mid + off[i], raw.first,
			     view_of(raw.at, raw.len));
		hostile_unchanged(&duo, at, sa, &before);
	}
	/* Responses that nobody asked for. */
	for (uint32_t mid = 0; mid < 8; mid++) {
		hostile_send(&duo, at, sa, EXCHANGE_INFORMATIONAL, true, mid, raw.first, view_of(raw.at, raw.len));
		hostile_unchanged(&duo, at, sa, &before);
	}
	/* To ours, but of another exchange or number. */
	ike_probe(duo.host[at].ike, duo.host[at].sa, duo.now);
	duo_drain(&duo, at);
	before = hostile_image(&duo, at, sa);
	hostile_send(&duo, at, sa, EXCHANGE_CREATE_CHILD_SA, true, sa->request.mid, 0, VIEW_NONE);
	hostile_unchanged(&duo, at, sa, &before);
	for (unsigned int i = 0; i < sizeof(off) / sizeof(off[0]); i++) {
		hostile_send(&duo, at, sa, EXCHANGE_INFORMATIONAL, true, sa->request.mid + off[i], 0, VIEW_NONE);
		hostile_unchanged(&duo, at, sa, &before);
	}
	hostile_send(&duo, at, sa, EXCHANGE_INFORMATIONAL, true, sa->request.mid, 0, VIEW_NONE);
	assert_int_equal(sa->request.kind, REQUEST_NONE);
	duo_end(&duo);
}

/* A whole conversation, then each of its messages again to both ends. */
static void test_replay(void **state)
{
	static struct duo_datagram kept[32];
	size_t count = 0;

	(void)state;
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	for (unsigned int step = 0; step < 3; step++) {
		while (duo.wire_count) {
			assert_true(count < 32);
			kept[count++] = duo.wire[0];
			duo_deliver(&duo, 0);
		}
		if (step == 0)
			ike_rekey_child(duo.host[1].ike, duo.host[1].kids[0].handle, duo.now);
		else
			ike_probe(duo.host[0].ike, duo.host[0].sa, duo.now);
		duo_drain(&duo, 0);
		duo_drain(&duo, 1);
	}
	duo_run(&duo);
	assert_true(count >= 10);
	for (size_t i = 0; i < count; i++) {
		for (unsigned int at = 0; at < 2; at++) {
			struct sa *sa = hostile_only(&duo, at);
			struct hostile_image before = hostile_image(&duo, at, sa);
			struct ike_counts counts;

			hostile_datagram(&duo, at, sa, view_of(kept[i].octets, kept[i].len));
			counts = duo_counts(&duo, at);
			/* A request that was answered last is answered again, an old IKE_SA_INIT makes a half-open SA. */
			if (counts.answered_again > before.counts.answered_again || counts.half_open) {
				before.counts = counts;
				before.sa.sent_ns = sa->sent_ns;
				before.sent = duo.sent[at];
				before.wire = duo.wire_count;
				before.works = pool_count(&duo.host[at].ike->works);
			}
			hostile_unchanged(&duo, at, sa, &before);
			duo.wire_count = 0;
		}
	}
	duo_pass(&duo, 60 * NSTIME_S);
	assert_true(duo_agree(&duo));
	assert_int_equal(duo_counts(&duo, 0).sas, 1);
	assert_int_equal(duo_counts(&duo, 1).sas, 1);
	duo_end(&duo);
}

/* Every message comes back to its sender: nothing happens. */
static void test_reflection(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		unsigned int from = !start_message(kind, false);
		struct sa *sa = hostile_only(&duo, from);
		struct duo_datagram message = duo.wire[0];
		struct hostile_image before = hostile_image(&duo, from, sa);

		hostile_datagram(&duo, from, sa, view_of(message.octets, message.len));
		hostile_unchanged(&duo, from, sa, &before);
		settle_down(true);
	}
	/* IKE_SA_INIT, and the response with our own nonce and key in it. */
	hostile_reach(&duo, SA_INIT_SENT);
	duo_pass(&duo, 600 * NSTIME_MS); /* again */
	duo_end(&duo);
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_inject(&duo, 0, view_of(duo.wire[0].octets, duo.wire[0].len));
	duo.wire[0].octets[8] = 1; /* SPIr */
	duo.wire[0].octets[19] = FLAG_RESPONSE;
	duo_inject(&duo, 0, view_of(duo.wire[0].octets, duo.wire[0].len));
	assert_int_equal(duo_counts(&duo, 0).sas, 1);
	assert_int_equal(duo.wire_count, 1);
	duo_end(&duo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cve_2019_12312_every_exchange),
		cmocka_unit_test(test_cve_2019_12312_in_clear),
		cmocka_unit_test(test_cve_2014_2338_rekey_before_auth),
		cmocka_unit_test(test_cve_2023_38710_rekey_protocols),
		cmocka_unit_test(test_cve_2023_38712_deletes),
		cmocka_unit_test(test_cve_2023_38712_delete_again),
		cmocka_unit_test(test_cve_2013_6467_each_payload),
		cmocka_unit_test(test_cve_2013_6467_init),
		cmocka_unit_test(test_cve_2019_10155_every_bit),
		cmocka_unit_test(test_message_ids),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_reflection),
	};

	return cmocka_run_group_tests(tests, hostile_setup, NULL);
}
