// SPDX-License-Identifier: Apache-2.0
/*
 * What peers may cost the engine once there are keys, or an identity: IKE_INTERMEDIATE, fragments, requests per second, SAs without
 * authentication; and what it does by itself: retransmission, window, giving up, crash tokens (RFC 6290, 7383 5, 7619, 8019 5, 9242 5).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "ike_hostile.h"
#include "kem_standin.h"

static struct duo duo;
static uint8_t memory[IKE_MESSAGE_MAX];

static void roomy(struct ike_options *options, unsigned int i)
{
	(void)i;
	options->sas_max = 256;
	options->cookie_half_open = 1000000;
}

static struct hf_addr v4(uint32_t n)
{
	return addr_from_v4(__builtin_bswap32(0x0a010000 + n));
}

/* ---- IKE_INTERMEDIATE ---- */

/* A responder that waits for IKE_INTERMEDIATE; the request was taken off the wire. */
static struct sa *await_intermediate(void)
{
	kex_stand_in(&kem_standin);
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_deliver(&duo, 0);
	duo_deliver(&duo, 0);
	duo.wire_count = 0;
	return hostile_sa(&duo, 1, SA_HALF_OPEN);
}

static void send_ke(struct sa *sa, uint16_t group, size_t len, uint8_t fill)
{
	struct message message;
	uint8_t *value;

	message_start_inside(&message, memory, sizeof(memory));
	payload_open(&message, PAYLOAD_KE);
	write_u16(&message.out, group);
	write_u16(&message.out, 0);
	value = write_space(&message.out, len);
	memset(value, fill, len);
	if (len >= 32)
		memset(value + 32, 0, len - 32);
	payload_close(&message);
	hostile_message(&duo, 1, sa, EXCHANGE_IKE_INTERMEDIATE, false, &message);
}

static void test_intermediate_wrong(void **state)
{
	static const struct {
		uint16_t group;
		size_t len;
	} wrong[] = { { KE_MLKEM768, 0 },    { KE_MLKEM768, 1183 }, { KE_MLKEM768, 1185 },
		      { KE_MLKEM768, 8000 }, { KE_X25519, 32 },	    { 35, 800 } };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]) + 2; i++) {
		struct sa *sa = await_intermediate();
		struct sa copy = *hostile_sa(&duo, 0, SA_INTERMEDIATE_SENT);

		copy.initiator = false;
		if (i == sizeof(wrong) / sizeof(wrong[0]))
			hostile_send(&duo, 1, sa, EXCHANGE_IKE_INTERMEDIATE, false, 1, 0, VIEW_NONE);
		else if (i > sizeof(wrong) / sizeof(wrong[0]))
			hostile_send(&duo, 1, sa, EXCHANGE_IKE_INTERMEDIATE, false, 1, PAYLOAD_KE,
				     view_of("\0\0\0\5x", 5));
		else
			send_ke(sa, wrong[i].group, wrong[i].len, 9);
		assert_int_equal(duo.wire_count, 1);
		assert_true(hostile_answered(&duo, &copy, NOTIFY_INVALID_SYNTAX));
		hostile_empty(&duo, 1);
		duo_end(&duo);
		kex_stand_in(NULL);
	}
}

/* Exactly one round: none before IKE_AUTH is as wrong as two, and IDs are exact. */
static void test_intermediate_rounds(void **state)
{
	struct hostile_image before;
	struct message message;
	struct sa *sa = await_intermediate();

	(void)state;
	before = hostile_image(&duo, 1, sa);
	message_start_inside(&message, memory, sizeof(memory));
	message_id(&message, PAYLOAD_IDI, ID_FQDN, view_of("a", 1));
	hostile_message(&duo, 1, sa, EXCHANGE_IKE_AUTH, false, &message);
	hostile_unchanged(&duo, 1, sa, &before);
	hostile_send(&duo, 1, sa, EXCHANGE_IKE_INTERMEDIATE, false, 2, 0, VIEW_NONE);
	hostile_send(&duo, 1, sa, EXCHANGE_IKE_INTERMEDIATE, false, 0, 0, VIEW_NONE);
	hostile_unchanged(&duo, 1, sa, &before);
	/* Somebody encapsulates and goes away: the responder keeps one work and no more until its time is over. */
	send_ke(sa, KE_MLKEM768, 1184, 9);
	assert_int_equal(sa->recv_mid, 2);
	assert_int_equal(sa_work(duo.host[1].ike, sa)->rounds_left, 0);
	send_ke(sa, KE_MLKEM768, 1184, 9);
	hostile_empty(&duo, 1);
	duo_end(&duo);
	kex_stand_in(NULL);
}

/* ---- fragments ---- */

static struct view fragment(const struct sa *sa, unsigned int number, unsigned int total, size_t len)
{
	static uint8_t out[IKE_MESSAGE_MAX], plain[2 * IKE_MESSAGE_MAX];
	static const uint8_t iv_random[16];
	static uint64_t iv = 1ull << 41;
	struct header header = { .version = 0x20, .exchange = EXCHANGE_INFORMATIONAL, .mid = sa->recv_mid };
	size_t overhead = HEADER_LEN + SKF_HEADER_LEN + 8 + 1 + 16, size = sizeof(out);

	memcpy(header.spi_i, sa->spi_i, SPI_LEN);
	memcpy(header.spi_r, sa->spi_r, SPI_LEN);
	header.flags = sa->initiator ? 0 : FLAG_INITIATOR;
	assert_int_equal(seal_fragment(out, &size, &header, PAYLOAD_VENDOR, view_of(plain, (total - 1) * len + 1),
				       number, total, len + overhead, &sa->keys, !sa->initiator, ++iv, iv_random),
			 0);
	return view_of(out, size);
}

/* 65 authenticated peers begin a message and never end it: memory is bounded, a 66th is served when they are old. */
static void test_cve_2016_6381_incomplete_fragments(void **state)
{
	static struct sa *sas[IKE_REASSEMBLIES + 1];
	uint32_t at;
	unsigned int count = 0;

	(void)state;
	duo_start(&duo, roomy);
	for (uint32_t i = 0; i < IKE_REASSEMBLIES + 1; i++) {
		duo.host[0].addr = v4(256 * i);
		duo_connect(&duo, 0);
		duo_run(&duo);
		duo.now += NSTIME_S;
	}
	for (at = pool_first(&duo.host[1].ike->sas); at != POOL_NONE; at = pool_next(&duo.host[1].ike->sas, at))
		sas[count++] = pool_at(&duo.host[1].ike->sas, at);
	assert_int_equal(count, IKE_REASSEMBLIES + 1);
	for (unsigned int i = 0; i < count; i++)
		hostile_datagram(&duo, 1, sas[i], fragment(sas[i], 1, 3, 100));
	assert_int_equal(pool_count(&duo.host[1].ike->reassemblies), IKE_REASSEMBLIES);
	assert_int_equal(sas[count - 1]->reassembly, 0);
	/* Nobody sends the rest: all of it is given back by time alone. */
	duo.now += IKE_REASSEMBLY_LIFE - 1;
	ike_expire(duo.host[1].ike, duo.now);
	assert_int_equal(pool_count(&duo.host[1].ike->reassemblies), IKE_REASSEMBLIES);
	duo.now++;
	for (unsigned int i = 0; i < 4; i++)
		ike_expire(duo.host[1].ike, duo.now);
	assert_int_equal(pool_count(&duo.host[1].ike->reassemblies), 0);
	hostile_datagram(&duo, 1, sas[count - 1], fragment(sas[count - 1], 1, 2, 100));
	assert_int_not_equal(sas[count - 1]->reassembly, 0);
	hostile_datagram(&duo, 1, sas[count - 1], fragment(sas[count - 1], 2, 2, 100));
	assert_int_equal(sas[count - 1]->reassembly, 0);
	duo_end(&duo);
}

/* Fragments of a stranger take no memory; those of a half-open SA go with it. */
static void test_fragments_before_auth(void **state)
{
	unsigned int at = hostile_reach(&duo, SA_HALF_OPEN);
	struct sa *sa = hostile_sa(&duo, at, SA_HALF_OPEN), *peers = hostile_sa(&duo, 0, SA_AUTH_SENT);
	uint8_t bad[400];
	struct view octets;

	(void)state;
	assert_int_equal(init_keys(duo.host[at].ike, sa), 0);
	assert_memory_equal(sa->keys.ei, peers->keys.ei, 32);
	octets = fragment(sa, 1, 2, 200);
	memcpy(bad, octets.at, octets.len);
	bad[18] = EXCHANGE_IKE_AUTH;
	for (unsigned int i = 1; i < IKE_HALF_OPEN_BAD_ICV; i++) {
		hostile_datagram(&duo, at, sa, view_of(bad, octets.len));
		assert_int_equal(pool_count(&duo.host[at].ike->reassemblies), 0);
		assert_int_equal(sa->bad_icvs, i);
	}
	hostile_datagram(&duo, at, sa, view_of(bad, octets.len));
	hostile_empty(&duo, at);
	duo_end(&duo);
}

/* More than 16 KB, more than 32 pieces: not taken. */
static void test_fragments_too_much(void **state)
{
	unsigned int at = hostile_reach(&duo, SA_ESTABLISHED);
	struct sa *sa = hostile_only(&duo, at);

	(void)state;
	for (unsigned int i = 1; i < 12; i++)
		hostile_datagram(&duo, at, sa, fragment(sa, i, 12, 1400));
	assert_int_equal(duo.host[at].downs, 0);
	hostile_datagram(&duo, at, sa, fragment(sa, 12, 12, 1400)); /* 15,401 octets: a lot of nothing, but in bounds */
	assert_int_equal(sa->reassembly, 0);
	duo_end(&duo);
	at = hostile_reach(&duo, SA_ESTABLISHED);
	sa = hostile_only(&duo, at);
	for (unsigned int i = 1; i < 12; i++)
		hostile_datagram(&duo, at, sa, fragment(sa, i, 13, 1400));
	assert_int_equal(duo_counts(&duo, at).established, 1);
	hostile_datagram(&duo, at, sa, fragment(sa, 12, 13, 1400));
	assert_int_equal(duo.host[at].reason, IKE_BROKEN);
	hostile_empty(&duo, at);
	duo_end(&duo);
}

/* ---- authenticated peers in a hurry (RFC 8019 5) ---- */

static void test_requests_per_second(void **state)
{
	unsigned int at = hostile_reach(&duo, SA_ESTABLISHED), answered = 0;
	struct sa *sa = hostile_only(&duo, at);

	(void)state;
	for (unsigned int i = 0; i < 50; i++) {
		hostile_send(&duo, at, sa, EXCHANGE_INFORMATIONAL, false, sa->recv_mid, 0, VIEW_NONE);
		answered += duo.wire_count != 0;
		duo.wire_count = 0;
	}
	assert_int_equal(answered, IKE_INFO_BURST);
	assert_int_equal(duo_counts(&duo, at).refused_cost, 50 - IKE_INFO_BURST);
	assert_int_equal(sa->state, SA_ESTABLISHED);
	duo.now += IKE_INFO_SPAN;
	hostile_send(&duo, at, sa, EXCHANGE_INFORMATIONAL, false, sa->recv_mid, 0, VIEW_NONE);
	assert_int_equal(duo.wire_count, 1);
	duo_end(&duo);
}

static void test_creates_per_span(void **state)
{
	(void)state;
	duo_start(&duo, NULL);
	duo_connect(&duo, 0);
	duo_run(&duo);
	for (unsigned int i = 0; i < IKE_CREATE_BURST; i++) {
		ike_rekey_child(duo.host[0].ike, duo.host[0].kids[duo.host[0].kid_count - 1].handle, duo.now);
		duo_drain(&duo, 0);
		duo_run(&duo);
		assert_int_equal(duo.host[1].child_ups, 2 + i);
	}
	ike_rekey(duo.host[0].ike, duo.host[0].sa, duo.now);
	duo_drain(&duo, 0);
	duo_run(&duo);
	assert_int_equal(duo.host[1].replaced, 0);
	/* It is sent again until there is time for it. */
	duo_pass(&duo, IKE_CREATE_SPAN + 20 * NSTIME_S);
	assert_int_equal(duo.host[1].replaced, 1);
	assert_int_equal(duo_counts(&duo, 0).established, 1);
	duo_end(&duo);
}

/* Unprotected hints make at most so many questions, and do not use up what the peer itself may ask. */
static void test_hints_are_bounded(void **state)
{
	unsigned int at = hostile_reach(&duo, SA_ESTABLISHED);
	struct sa *sa = hostile_only(&duo, at);
	uint8_t token[20] = { 1 };

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		struct header header = { .version = 0x20, .exchange = EXCHANGE_INFORMATIONAL, .flags = FLAG_RESPONSE };
		struct message message;

		memcpy(header.spi_i, sa->spi_i, SPI_LEN);
		memcpy(header.spi_r, sa->spi_r, SPI_LEN);
		message_start(&message, memory, sizeof(memory), &header);
		message_notify(&message, PROTOCOL_NONE, NOTIFY_INVALID_IKE_SPI, VIEW_NONE, VIEW_NONE);
		if (i % 2)
			message_notify(&message, PROTOCOL_IKE, NOTIFY_QUICK_CRASH_DETECTION, VIEW_NONE, VIEW_OF(token));
		hostile_datagram(&duo, at, sa, message_finish(&message));
		assert_true(duo.wire_count <= 1);
		assert_int_equal(sa->state, SA_ESTABLISHED);
	}
	assert_int_equal(sa->request.kind, REQUEST_PROBE);
	duo_run(&duo);
	hostile_send(&duo, at, sa, EXCHANGE_INFORMATIONAL, false, sa->recv_mid, 0, VIEW_NONE);
	assert_int_equal(duo.wire_count, 1);
	duo_end(&duo);
}

/* ---- NULL authentication (RFC 7619 3) ---- */

static void null_for(unsigned int i)
{
	duo.host[i].answer = (struct ike_answer){ .null = true };
}

static void connect_from(uint32_t n)
{
	duo.host[0].addr = v4(n);
	duo_connect(&duo, 0);
	duo_run(&duo);
}

/* One SA per address, a quarter of all; rekeying it does not make room for another; authenticated peers still come in. */
static void test_null_quota(void **state)
{
	struct ike_counts counts;

	(void)state;
	duo_start(&duo, roomy);
	null_for(0);
	null_for(1);
	connect_from(1);
	assert_int_equal(duo_counts(&duo, 1).responded, 1);
	for (unsigned int i = 0; i < 2; i++) {
		connect_from(1);
		duo_pass(&duo, 100 * NSTIME_S);
		assert_int_equal(duo_counts(&duo, 1).responded, 1);
		ike_rekey(duo.host[0].ike, duo.host[0].sa, duo.now);
		duo_drain(&duo, 0);
		duo_run(&duo);
		assert_int_equal(duo.host[1].replaced, i + 1);
	}
	for (uint32_t i = 1; i < 100; i++) {
		connect_from(256 * i);
		duo.now += NSTIME_S;
	}
	counts = duo_counts(&duo, 1);
	assert_int_equal(counts.responded, 64);
	for (unsigned int i = 0; i < 2; i++) {
		duo.host[i].answer = (struct ike_answer){ .keys = 1, .spki = { sign_key_spki(duo.host[!i].key) } };
	}
	connect_from(7);
	assert_int_equal(duo_counts(&duo, 1).responded, 65);
	duo_end(&duo);
}

/* At one site 16; and it is given back when they go. */
static void test_null_site(void **state)
{
	(void)state;
	duo_start(&duo, roomy);
	null_for(0);
	null_for(1);
	for (uint32_t i = 0; i < 30; i++)
		connect_from(1 + i);
	assert_int_equal(duo_counts(&duo, 1).responded, IKE_NULL_SITE_MAX);
	ike_close(duo.host[1].ike, duo.host[1].sa, duo.now);
	duo_drain(&duo, 1);
	duo_run(&duo);
	duo_pass(&duo, 100 * NSTIME_S);
	connect_from(50);
	assert_int_equal(duo_counts(&duo, 1).responded, IKE_NULL_SITE_MAX + 1);
	duo_end(&duo);
}

/* INITIAL_CONTACT of somebody without a name removes nothing (RFC 7619 2.3). */
static void test_null_initial_contact(void **state)
{
	struct ike_connect connect;

	(void)state;
	duo_start(&duo, roomy);
	duo_connect(&duo, 0);
	duo_run(&duo);
	duo_pass(&duo, 20 * NSTIME_S);
	null_for(0);
	null_for(1);
	connect = (struct ike_connect){ .path = duo_path(&duo, 0), .initial_contact = true };
	ike_connect(duo.host[0].ike, &connect, duo.now);
	duo_drain(&duo, 0);
	duo_run(&duo);
	assert_int_equal(duo_counts(&duo, 1).down[IKE_PEER_RESTARTED], 0);
	duo_pass(&duo, 60 * NSTIME_S);
	/* U7: the one with a name stays. */
	assert_int_equal(duo_counts(&duo, 1).established, 1);
	assert_int_equal(hostile_only(&duo, 1)->auth, IKE_AUTH_SIGNATURE);
	assert_int_equal(duo_sending(&duo, 1), 1);
	duo_end(&duo);
}

/* It gets the two hosts and nothing else: not the name server's address, not everybody's (RFC 7619 2.5). */
static void test_null_selectors_of_others(void **state)
{
	static const uint8_t nonce[NONCE_LEN] = { 3 };

	(void)state;
	for (unsigned int what = 0; what < 3; what++) {
		struct hf_addr other = addr_from_v4(__builtin_bswap32(0x08080808));
		struct message message;
		struct sa *sa;

		duo_start(&duo, NULL);
		null_for(0);
		null_for(1);
		duo_connect(&duo, 0);
		duo_run(&duo);
		sa = hostile_only(&duo, 1);
		message_start_inside(&message, memory, sizeof(memory));
		message_notify(&message, PROTOCOL_ESP, NOTIFY_REKEY_SA,
			       view_of(&duo.host[1].kids[0].keys.spi_out_be, 4), VIEW_NONE);
		child_write_spi(&message, &duo.host[1].ike->offer_child, NULL, 0x11223344);
		message_nonce(&message, VIEW_OF(nonce));
		ts_write(&message, PAYLOAD_TSI, what == 1 ? &sa->path.remote : &other);
		ts_write(&message, PAYLOAD_TSR, what == 0 ? &sa->path.local : &other);
		hostile_message(&duo, 1, sa, EXCHANGE_CREATE_CHILD_SA, false, &message);
		assert_true(hostile_answered(&duo, sa, NOTIFY_TS_UNACCEPTABLE));
		assert_int_equal(duo.host[1].child_ups, 1);
		assert_int_equal(sa->state, SA_ESTABLISHED);
		duo_end(&duo);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_intermediate_wrong),
		cmocka_unit_test(test_intermediate_rounds),
		cmocka_unit_test(test_cve_2016_6381_incomplete_fragments),
		cmocka_unit_test(test_fragments_before_auth),
		cmocka_unit_test(test_fragments_too_much),
		cmocka_unit_test(test_requests_per_second),
		cmocka_unit_test(test_creates_per_span),
		cmocka_unit_test(test_hints_are_bounded),
		cmocka_unit_test(test_null_quota),
		cmocka_unit_test(test_null_site),
		cmocka_unit_test(test_null_initial_contact),
		cmocka_unit_test(test_null_selectors_of_others),
	};

	return cmocka_run_group_tests(tests, hostile_setup, NULL);
}
