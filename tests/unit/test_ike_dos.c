// SPDX-License-Identifier: Apache-2.0
/*
 * What strangers may cost the engine, bound by bound: half-open SAs, cookies, public-key work, amplification
 * (RFC 7296 2.4, 2.6, 2.21.1; RFC 8019). What forgers tell an initiator is in test_ike_forged.c, what authenticated
 * peers may cost in test_ike_limits.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "ike_hostile.h"

static struct duo duo;

static void roomy(struct ike_options *options, unsigned int i)
{
	(void)i;
	options->sas_max = 256;
}

static void small(struct ike_options *options, unsigned int i)
{
	(void)i;
	options->sas_max = 80;
	options->cookie_half_open = 1000000; /* what other bounds do */
}

/* 10.1.0.0 + n, or 2001:db8:n/48. */
static struct hf_addr v4(uint32_t n)
{
	return addr_from_v4(__builtin_bswap32(0x0a010000 + n));
}

static struct hf_addr v6(uint16_t site, uint16_t net, uint16_t host)
{
	uint8_t octets[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	struct hf_addr addr;

	octets[4] = (uint8_t)(site >> 8);
	octets[5] = (uint8_t)site;
	octets[6] = (uint8_t)(net >> 8);
	octets[7] = (uint8_t)net;
	octets[14] = (uint8_t)(host >> 8);
	octets[15] = (uint8_t)host;
	memcpy(&addr, octets, sizeof(octets));
	return addr;
}

/* The cookie in the wire's last datagram; empty when that is none. Taken off. */
static struct view last_cookie(void)
{
	static uint8_t kept[64];
	const struct duo_datagram *datagram = &duo.wire[duo.wire_count - 1];
	const struct notify *notify;
	struct chain chain;

	assert_true(duo.wire_count > 0);
	duo.wire_count--;
	if (chain_parse(&chain, datagram->octets[16],
			view_of(datagram->octets + HEADER_LEN, datagram->len - HEADER_LEN), false))
		return VIEW_NONE;
	notify = chain_notify(&chain, NOTIFY_COOKIE);
	if (!notify)
		return VIEW_NONE;
	memcpy(kept, notify->data.at, notify->data.len);
	return view_of(kept, notify->data.len);
}

static struct view ask(const struct hf_addr *from, uint32_t seed, struct view cookie)
{
	hostile_from(&duo, 1, from, hostile_init(&duo, seed, KE_X25519, cookie));
	return duo.wire_count ? last_cookie() : VIEW_NONE;
}

/* ---- cookies ---- */

/* From 32 half-open SAs on strangers leave nothing behind; who is there goes on, and an honest newcomer gets in. */
static void test_cookies_under_load(void **state)
{
	struct ike_counts before, after;
	struct hf_addr from;

	(void)state;
	duo_start(&duo, roomy);
	duo_connect(&duo, 0);
	duo_run(&duo);
	for (uint32_t i = 0; i < IKE_COOKIE_HALF_OPEN; i++) {
		from = v4(i);
		assert_int_equal(ask(&from, i, VIEW_NONE).len ? 1 : 0, i + 1 == IKE_COOKIE_HALF_OPEN);
	}
	before = duo_counts(&duo, 1);
	assert_int_equal(before.half_open, IKE_COOKIE_HALF_OPEN - 1);
	for (uint32_t i = 0; i < 5000; i++) {
		from = v4(1000 + i);
		assert_int_equal(ask(&from, 1000 + i, VIEW_NONE).len, COOKIE_LEN);
	}
	after = duo_counts(&duo, 1);
	assert_int_equal(after.sas, before.sas);
	assert_int_equal(after.blocks, before.blocks);
	assert_int_equal(after.half_open, before.half_open);
	ike_rekey_child(duo.host[1].ike, duo.host[1].kids[0].handle, duo.now);
	duo_drain(&duo, 1);
	duo_run(&duo);
	assert_int_equal(duo.host[1].child_ups, 2);
	/* The honest one, from another address: a round more. */
	duo.host[0].addr = v4(9999);
	duo_connect(&duo, 0);
	duo_run(&duo);
	assert_int_equal(duo.host[1].ups, 2);
	duo_end(&duo);
}

/* A cookie is good for its address, SPI and nonce, for a while, and as it is. */
static void test_cookie_of_another(void **state)
{
	struct hf_addr mine = v4(1), other = v4(2);
	uint8_t changed[66] = { 0 };
	struct view cookie;

	(void)state;
	duo_start(&duo, roomy);
	duo.host[1].ike->options.cookie_half_open = 1;
	cookie = ask(&mine, 7, VIEW_NONE);
	assert_int_equal(cookie.len, COOKIE_LEN);
	memcpy(changed, cookie.at, cookie.len);
	cookie = view_of(changed, COOKIE_LEN);
	assert_int_equal(ask(&other, 7, cookie).len, COOKIE_LEN); /* another address */
	assert_int_equal(ask(&mine, 8, cookie).len, COOKIE_LEN);  /* another SPI and nonce */
	for (size_t len = 0; len <= 65; len++)
		if (len != COOKIE_LEN)
			assert_int_equal(ask(&mine, 7, view_of(changed, len)).len, COOKIE_LEN);
	for (size_t bit = 0; bit < 8 * COOKIE_LEN; bit++) {
		changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(ask(&mine, 7, cookie).len, COOKIE_LEN);
		changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(duo_counts(&duo, 1).sas, 0);
	duo.now += COOKIE_LIFE_NS + NSTIME_S;
	assert_int_equal(ask(&mine, 7, cookie).len, COOKIE_LEN);
	assert_int_equal(duo_counts(&duo, 1).sas, 0);
	memcpy(changed, ask(&mine, 7, VIEW_NONE).at, COOKIE_LEN);
	assert_int_equal(ask(&mine, 7, cookie).len, 0);
	assert_int_equal(duo_counts(&duo, 1).sas, 1);
	duo_end(&duo);
}

/* What a shield in front is told is what the engine goes by: when everybody needs a cookie, and how one is made. */
static void test_told_to_a_shield(void **state)
{
	struct hf_addr mine = v4(1), from;
	struct ike_path path = { .remote = mine, .remote_port = 500 };
	struct ike_cookies told, later;
	struct cookie_jar jar = { 0 };
	uint8_t cookie[COOKIE_LEN];
	struct view request;
	struct chain chain;

	(void)state;
	duo_start(&duo, roomy);
	for (uint32_t i = 0; i < IKE_COOKIE_HALF_OPEN; i++) {
		ike_cookies(duo.host[1].ike, &told, duo.now);
		assert_int_equal(told.demanded, i + 1 == IKE_COOKIE_HALF_OPEN);
		from = v4(1000 + i);
		assert_int_equal(ask(&from, i, VIEW_NONE).len != 0, told.demanded);
	}
	jar.version = told.version;
	memcpy(jar.secret, told.secret, sizeof(jar.secret));
	request = hostile_init(&duo, 7, KE_X25519, VIEW_NONE);
	assert_int_equal(chain_parse(&chain, request.at[16], view_of(request.at + HEADER_LEN, request.len - HEADER_LEN),
				     false),
			 0);
	assert_int_equal(cookie_make(cookie, &jar, &path, request.at, chain.payload[SLOT_NONCE], duo.now), 0);
	assert_int_equal(ask(&mine, 7, VIEW_OF(cookie)).len, 0);
	assert_int_equal(duo_counts(&duo, 1).half_open, IKE_COOKIE_HALF_OPEN);
	/* Asking is enough to have a new secret when it is time; the one before stays good. */
	duo.now += COOKIE_ROTATE_NS;
	ike_cookies(duo.host[1].ike, &later, duo.now);
	assert_int_equal(later.version, (uint8_t)(told.version + 1));
	assert_memory_equal(&later.secret[told.version & 1], &told.secret[told.version & 1], sizeof(told.secret[0]));
	duo_end(&duo);
}

/* ---- per source, per site, in all ---- */

static unsigned int fill(struct hf_addr (*name)(unsigned int i), unsigned int tries)
{
	for (unsigned int i = 0; i < tries; i++) {
		struct hf_addr from = name(i);
		uint8_t cookie[COOKIE_LEN];
		struct view got = ask(&from, i, VIEW_NONE);

		duo.now += NSTIME_MS; /* not what the work may cost is tested here */
		if (!got.len)
			continue;
		memcpy(cookie, got.at, sizeof(cookie));
		ask(&from, i, VIEW_OF(cookie));
	}
	return duo_counts(&duo, 1).half_open;
}

static struct hf_addr one(unsigned int i)
{
	(void)i;
	return v4(1);
}

static struct hf_addr one_net6(unsigned int i)
{
	return v6(1, 1, (uint16_t)i);
}

static struct hf_addr site4(unsigned int i)
{
	return v4(1 + i % 200);
}

static struct hf_addr site6(unsigned int i)
{
	return v6(1, (uint16_t)i, 1);
}

static struct hf_addr all(unsigned int i)
{
	return v4(256 * (i % 250) + i / 250);
}

static void test_per_source_and_site(void **state)
{
	static const struct {
		struct hf_addr (*name)(unsigned int i);
		unsigned int tries, max;
	} rows[] = { { one, 20, IKE_SOURCE_MAX },
		     { one_net6, 20, IKE_SOURCE_MAX },
		     { site4, 120, IKE_SITE_MAX },
		     { site6, 120, IKE_SITE_MAX },
		     { all, 400, 128 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		duo_start(&duo, roomy);
		assert_int_equal(fill(rows[i].name, rows[i].tries), rows[i].max);
		assert_true(duo_counts(&duo, 1).sas == rows[i].max);
		/* They end by themselves, and the room is there again. */
		duo_pass(&duo, IKE_HALF_OPEN_LIFE + NSTIME_S);
		hostile_empty(&duo, 1);
		assert_int_equal(fill(rows[i].name, 3), 3);
		duo_end(&duo);
	}
}

/* A half-open SA lives 30 s, and 5 s when three quarters of the room are taken. */
static void test_half_open_life(void **state)
{
	(void)state;
	duo_start(&duo, small);
	assert_int_equal(fill(all, 40), 40);
	duo.now += IKE_HALF_OPEN_LIFE_BUSY;
	ike_expire(duo.host[1].ike, duo.now);
	assert_true(duo_counts(&duo, 1).half_open <= 31);
	assert_true(duo_counts(&duo, 1).half_open >= 30);
	duo.now += IKE_HALF_OPEN_LIFE;
	ike_expire(duo.host[1].ike, duo.now);
	hostile_empty(&duo, 1);
	duo_end(&duo);
}

/* ---- work ---- */

static unsigned int derived;
static const struct kex *real;

static int count_start(const struct kex *kex, uint8_t *value, const struct kex_private *mine)
{
	(void)kex;
	return kex_start(real, value, mine);
}

static int count_respond(const struct kex *kex, uint8_t *value, uint8_t *shared, struct view theirs,
			 const struct kex_private *mine)
{
	(void)kex;
	derived++;
	return kex_respond(real, value, shared, theirs, mine);
}

static int count_finish(const struct kex *kex, uint8_t *shared, struct view theirs, const struct kex_private *mine)
{
	(void)kex;
	derived++;
	return kex_finish(real, shared, theirs, mine);
}

/* 10,000 garbage IKE_AUTH requests at one half-open SA: one derivation, three tries. */
static void test_lazy_derivation(void **state)
{
	static const struct kex_impl impl = { count_start, count_respond, count_finish };
	struct kex counting;
	struct hf_addr from = v4(3);
	uint8_t message[300] = { 0 };
	struct sa *sa;

	(void)state;
	real = kex_find(KE_X25519);
	counting = *real;
	counting.impl = &impl;
	duo_start(&duo, NULL);
	kex_stand_in(&counting);
	derived = 0;
	ask(&from, 1, VIEW_NONE);
	sa = hostile_only(&duo, 1);
	assert_int_equal(derived, 0);
	memcpy(message, sa->spi_i, SPI_LEN);
	memcpy(message + 8, sa->spi_r, SPI_LEN);
	message[16] = PAYLOAD_SK;
	message[17] = 0x20;
	message[18] = EXCHANGE_IKE_AUTH;
	message[19] = FLAG_INITIATOR;
	message[23] = 1;
	message[26] = sizeof(message) >> 8;
	message[27] = (uint8_t)sizeof(message);
	message[30] = (sizeof(message) - HEADER_LEN) >> 8;
	message[31] = (uint8_t)(sizeof(message) - HEADER_LEN);
	for (unsigned int i = 0; i < 10000; i++) {
		message[40] = (uint8_t)i;
		hostile_from(&duo, 1, &from, VIEW_OF(message));
		duo.wire_count = 0;
		assert_int_equal(duo_counts(&duo, 1).sas, i + 1 < IKE_HALF_OPEN_BAD_ICV);
	}
	assert_int_equal(derived, 1);
	kex_stand_in(NULL);
	duo_end(&duo);
}

/* Public-key work for strangers has its budget; as time passes there is more. */
static void test_work_budget(void **state)
{
	unsigned int first, later;

	(void)state;
	duo_start(&duo, small);
	duo.host[1].ike->options.cookie_half_open = 1000000;
	for (uint32_t i = 0; i < 4000; i++) {
		struct hf_addr from = v4(256 * (i % 250) + i / 250);
		struct sa *sa;

		ask(&from, i, VIEW_NONE);
		sa = hostile_only(&duo, 1);
		if (sa)
			ike_forget(duo.host[1].ike, pool_handle(&duo.host[1].ike->sas, sa), duo.now);
		duo_drain(&duo, 1);
	}
	first = (unsigned int)duo_counts(&duo, 1).refused_cost;
	assert_true(first >= 4000 - IKE_WORK_BURST);
	duo.now += NSTIME_S;
	for (uint32_t i = 0; i < 100; i++) {
		struct hf_addr from = v4(256 * (i % 250) + 99);

		ask(&from, 5000 + i, VIEW_NONE);
		ike_forget(duo.host[1].ike, pool_handle(&duo.host[1].ike->sas, hostile_only(&duo, 1)), duo.now);
	}
	later = (unsigned int)duo_counts(&duo, 1).refused_cost;
	assert_int_equal(later, first);
	duo_end(&duo);
}

/* ---- amplification (CVE-2016-5361) ---- */

static void no_cookies(struct ike_options *options, unsigned int i)
{
	roomy(options, i);
	options->cookie_half_open = 1000000;
}

/* One datagram in, at most one out, never longer; and nothing later by itself. */
static void stranger_says(struct view octets)
{
	struct hf_addr from = v4((uint32_t)duo_counts(&duo, 1).datagrams);

	duo.now += NSTIME_S;
	hostile_from(&duo, 1, &from, octets);
	assert_true(duo.wire_count <= 1);
	if (duo.wire_count)
		assert_true(duo.wire[0].len <= octets.len);
	duo.wire_count = 0;
}

static void test_cve_2016_5361_amplification(void **state)
{
	uint8_t header[HEADER_LEN + 300];
	unsigned int answers = 0;
	struct view init;

	(void)state;
	duo_start(&duo, no_cookies);
	for (unsigned int len = 0; len <= HEADER_LEN + 200; len += 4) {
		for (unsigned int exchange = 30; exchange < 46; exchange++) {
			for (unsigned int version = 0; version < 0x60; version += 0x10) {
				for (unsigned int flags = 0; flags < 0x40; flags += 8) {
					memset(header, 0, sizeof(header));
					memset(header, 0x33, 16);
					header[17] = (uint8_t)version;
					header[18] = (uint8_t)exchange;
					header[19] = (uint8_t)flags;
					header[27] = (uint8_t)len;
					stranger_says(view_of(header, len));
				}
			}
		}
	}
	for (uint32_t i = 0; i < 60; i++) {
		static const uint16_t groups[] = { KE_X25519, KE_P256, KE_MODP2048, KE_P384 };
		unsigned int before = duo.sent[1];

		init = hostile_init(&duo, i, groups[i % 4], VIEW_NONE);
		/* Cut where nobody would cut, too. */
		stranger_says(i % 3 ? init : view_of(init.at, init.len - i));
		answers += duo.sent[1] - before;
	}
	assert_true(answers > 20);
	for (unsigned int i = 0; i < 2; i++) {
		unsigned int before = duo.sent[i];

		duo_pass(&duo, 40 * NSTIME_S);
		assert_int_equal(duo.sent[i], before);
	}
	hostile_empty(&duo, 1);
	duo_end(&duo);
}

/* Unprotected answers are at most ten in a second, whoever asks. */
/* `apart`: how far the askers' addresses lie apart. How many answers they all get at one moment. */
static unsigned int ask_unprotected(uint32_t apart)
{
	uint8_t header[HEADER_LEN + 100] = { 1, 2, 3 };
	unsigned int sent;

	duo_start(&duo, NULL);
	header[8] = 1;
	header[17] = 0x30;
	header[18] = EXCHANGE_IKE_AUTH;
	header[27] = sizeof(header);
	for (uint32_t i = 0; i < 200; i++) {
		struct hf_addr from = v4(i * apart);

		header[17] = i % 2 ? 0x30 : 0x20;
		hostile_from(&duo, 1, &from, VIEW_OF(header));
		duo.wire_count = 0;
	}
	sent = duo.sent[1];
	duo_end(&duo);
	return sent;
}

static void test_errors_per_second(void **state)
{
	(void)state;
	assert_int_equal(ask_unprotected(256), IKE_ERRORS_BURST);
	assert_int_equal(ask_unprotected(1), IKE_SITE_ERRORS_BURST);
}

/* A site that asks too much has only its own answers used up, and has them again later. */
static void test_errors_per_site(void **state)
{
	uint8_t header[HEADER_LEN + 100] = { 1, 2, 3, [17] = 0x30, [18] = EXCHANGE_IKE_AUTH };
	struct hf_addr noisy = v4(0), quiet = v4(256);

	(void)state;
	duo_start(&duo, NULL);
	header[8] = 1;
	header[27] = sizeof(header);
	for (unsigned int i = 0; i < 100; i++)
		hostile_from(&duo, 1, &noisy, VIEW_OF(header));
	assert_int_equal(duo.sent[1], IKE_SITE_ERRORS_BURST);
	hostile_from(&duo, 1, &quiet, VIEW_OF(header));
	assert_int_equal(duo.sent[1], IKE_SITE_ERRORS_BURST + 1);
	duo.now += NSTIME_S;
	hostile_from(&duo, 1, &noisy, VIEW_OF(header));
	hostile_from(&duo, 1, &noisy, VIEW_OF(header));
	assert_int_equal(duo.sent[1], IKE_SITE_ERRORS_BURST + 2);
	duo_end(&duo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cookies_under_load), cmocka_unit_test(test_cookie_of_another),
		cmocka_unit_test(test_told_to_a_shield),   cmocka_unit_test(test_per_source_and_site),
		cmocka_unit_test(test_half_open_life),	   cmocka_unit_test(test_lazy_derivation),
		cmocka_unit_test(test_work_budget),	   cmocka_unit_test(test_cve_2016_5361_amplification),
		cmocka_unit_test(test_errors_per_second),  cmocka_unit_test(test_errors_per_site),
	};

	return cmocka_run_group_tests(tests, hostile_setup, NULL);
}
