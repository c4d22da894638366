// SPDX-License-Identifier: Apache-2.0
/*
 * Bodies of IKEv2 payloads: notify, delete, identity, certificate, authentication, key exchange, nonce; and the names of numbers.
 * Tests named after a CVE are those of its rows that form can be guilty of.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/own.h"
#include "ike/wire.h"
#include "raw_chain.h"

/* ---- notify, delete -------------------------------------------------------------------------- */

/* Every protocol with every SPI size, with the SPI there and one octet short. */
static void test_cve_2023_38710_notify_spi(void **state)
{
	static struct raw raw;
	struct chain chain;

	(void)state;
	for (unsigned int i = 0; i < 256 * 256; i++) {
		uint8_t body[4 + 255] = { (uint8_t)(i >> 8), (uint8_t)i, 0x40, 0x09 };
		size_t spi_len = i & 0xff;

		raw_clear(&raw);
		raw_add(&raw, PAYLOAD_NOTIFY, 0, body, 4 + spi_len);
		assert_int_equal(chain_parse(&chain, raw.first, view_of(raw.at, raw.len), true), 0);
		assert_int_equal(chain.notifies[0].spi.len, spi_len);
		assert_int_equal(chain.notifies[0].data.len, 0);
		if (spi_len == 0)
			continue;
		raw_clear(&raw);
		raw_add(&raw, PAYLOAD_NOTIFY, 0, body, 4 + spi_len - 1);
		assert_int_equal(chain_parse(&chain, raw.first, view_of(raw.at, raw.len), true), NOTIFY_INVALID_SYNTAX);
	}
	for (size_t len = 0; len < 4; len++) {
		raw_clear(&raw);
		raw_add(&raw, PAYLOAD_NOTIFY, 0, "\0\0\0\0", len);
		assert_int_equal(raw_parse(&chain, &raw, true), NOTIFY_INVALID_SYNTAX);
	}
}

static void test_many_notifies(void **state)
{
	static struct raw raw;
	struct chain chain;

	(void)state;
	raw_clear(&raw);
	for (size_t i = 0; i < CHAIN_NOTIFIES_MAX + 4; i++)
		raw_add(&raw, PAYLOAD_NOTIFY, 0, "\0\0\x40\x02", 4);
	assert_int_equal(raw_parse(&chain, &raw, true), 0);
	assert_int_equal(chain.notify_count, CHAIN_NOTIFIES_MAX);
	raw_add(&raw, PAYLOAD_NOTIFY, 0, "\0\0\x3f\xff", 4);
	assert_int_equal(raw_parse(&chain, &raw, true), NOTIFY_INVALID_SYNTAX);
}

static void test_delete_form(void **state)
{
	static const struct {
		const char *body;
		size_t len;
		int rc;
	} cases[] = {
		{ "\1\0\0\0", 4, 0 },
		{ "\1\0\0\1", 4, 0 }, /* no SPI, counted once: harmless */
		{ "\1\0\xff\xff", 4, 0 },
		{ "\1\4\0\1abcd", 8, NOTIFY_INVALID_SYNTAX },
		{ "\1\10\0\1abcdefgh", 12, NOTIFY_INVALID_SYNTAX },
		{ "\3\4\0\1abcd", 8, 0 },
		{ "\3\4\0\2abcdefgh", 12, 0 },
		{ "\3\4\0\0", 4, 0 },
		{ "\3\4\0\2abcd", 8, NOTIFY_INVALID_SYNTAX },
		{ "\3\4\0\1abcde", 9, NOTIFY_INVALID_SYNTAX },
		{ "\3\4\0\1abc", 7, NOTIFY_INVALID_SYNTAX },
		{ "\3\4\xff\xff", 4, NOTIFY_INVALID_SYNTAX },
		{ "\3\0\xff\xff", 4, NOTIFY_INVALID_SYNTAX }, /* 65535 SPIs of no octets */
		{ "\2\0\0\1", 4, NOTIFY_INVALID_SYNTAX },
		{ "\3\2\0\2abcd", 8, NOTIFY_INVALID_SYNTAX },
		{ "\11\2\0\2abcd", 8, 0 }, /* a protocol we do not know: it adds up */
		{ "\11\2\0\2abc", 7, NOTIFY_INVALID_SYNTAX },
		{ "\3\4\0", 3, NOTIFY_INVALID_SYNTAX },
		{ "", 0, NOTIFY_INVALID_SYNTAX },
	};
	static struct raw raw;
	struct chain chain;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		raw_clear(&raw);
		raw_add(&raw, PAYLOAD_DELETE, 0, cases[i].body, cases[i].len);
		if (raw_parse(&chain, &raw, true) != cases[i].rc)
			fail_msg("case %zu", i);
	}
	for (size_t count = 1; count <= CHAIN_DELETES_MAX + 1; count++) {
		raw_clear(&raw);
		for (size_t i = 0; i < count; i++)
			raw_add(&raw, PAYLOAD_DELETE, 0, "\3\4\0\1abcd", 8);
		assert_int_equal(raw_parse(&chain, &raw, true), count <= CHAIN_DELETES_MAX ? 0 : NOTIFY_INVALID_SYNTAX);
	}
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static int parse_id(struct id *id, uint8_t type, size_t len)
{
	static uint8_t *kept;

	free(kept);
	kept = calloc(1, 4 + len);
	assert_non_null(kept);
	kept[0] = type;
	return id_parse(id, view_of(kept, 4 + len));
}

/* Every type of identity with lengths that hurt others (CVE-2013-5018, CVE-2025-9242 too). */
static void test_cve_2013_6075_id_lengths(void **state)
{
	static const size_t lens[] = { 0, 1, 4, 5, 15, 16, 17, 520, 521, 2048, 2049, 65531 };
	struct id id;

	(void)state;
	for (unsigned int type = 0; type < 256; type++) {
		for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			bool good = lens[i] <= 2048;

			good &= type != ID_IPV4_ADDR || lens[i] == 4;
			good &= type != ID_IPV6_ADDR || lens[i] == 16;
			good &= type != ID_NULL || lens[i] == 0;
			if (parse_id(&id, (uint8_t)type, lens[i]) != (good ? 0 : NOTIFY_INVALID_SYNTAX))
				fail_msg("type %u, %zu octets", type, lens[i]);
			if (good) {
				assert_int_equal(id.data.len, lens[i]);
				assert_int_equal(id.body.len, 4 + lens[i]);
			}
		}
	}
	for (size_t len = 0; len < 4; len++)
		assert_int_equal(id_parse(&id, view_of("\2\0\0\0", len)), NOTIFY_INVALID_SYNTAX);
}

/* Lengths from 0 to 64 K: the caps hold before anybody is authenticated. */
static void test_cve_2025_9242_cert_caps(void **state)
{
	static const size_t lens[] = { 1, 521, 8192, 8193, 65530 };
	struct view spki = VIEW_NONE;

	(void)state;
	assert_int_equal(cert_parse(&spki, VIEW_NONE), NOTIFY_INVALID_SYNTAX);
	assert_int_equal(cert_parse(&spki, view_of("\x0f", 1)), NOTIFY_INVALID_SYNTAX);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		OWN_FREE uint8_t *body = calloc(1, 1 + lens[i]);

		body[0] = CERT_RAW_PUBLIC_KEY;
		assert_int_equal(cert_parse(&spki, view_of(body, 1 + lens[i])),
				 lens[i] <= 8192 ? 0 : NOTIFY_INVALID_SYNTAX);
		body[0] = 4;
		assert_int_equal(cert_parse(&spki, view_of(body, 1 + lens[i])), -ENOENT);
	}
}

/* Of several certificates the first raw public key is taken. */
static void test_first_raw_key(void **state)
{
	static struct raw raw;
	struct chain chain;
	struct view spki;

	(void)state;
	raw_clear(&raw);
	raw_add(&raw, PAYLOAD_CERT, 0, "\4x509", 5);
	assert_int_equal(raw_parse(&chain, &raw, true), 0);
	assert_false(chain_has(&chain, SLOT_CERT));
	raw_add(&raw, PAYLOAD_CERT, 0, "\17first", 6);
	raw_add(&raw, PAYLOAD_CERT, 0, "\17second", 7);
	raw_add(&raw, PAYLOAD_CERTREQ, 0, "\x0f", 1);
	assert_int_equal(raw_parse(&chain, &raw, true), 0);
	assert_int_equal(cert_parse(&spki, chain.payload[SLOT_CERT]), 0);
	assert_true(view_equal(spki, view_of("first", 5)));
	assert_true(chain_has(&chain, SLOT_CERTREQ));
	raw_add(&raw, PAYLOAD_CERT, 0, "", 0);
	assert_int_equal(raw_parse(&chain, &raw, true), NOTIFY_INVALID_SYNTAX);
}

static void test_short_bodies(void **state)
{
	uint8_t octets[300] = { 0 };
	struct view nonce;
	struct auth auth;
	struct ke ke;

	(void)state;
	for (size_t len = 0; len <= 8; len++) {
		OWN_FREE uint8_t *body = raw_copy(octets, len);

		assert_int_equal(ke_parse(&ke, view_of(body, len)), len > 4 ? 0 : NOTIFY_INVALID_SYNTAX);
		assert_int_equal(auth_parse(&auth, view_of(body, len)), len >= 4 ? 0 : NOTIFY_INVALID_SYNTAX);
	}
	for (size_t len = 0; len <= sizeof(octets); len++)
		assert_int_equal(nonce_parse(&nonce, view_of(octets, len)),
				 len >= 16 && len <= 256 ? 0 : NOTIFY_INVALID_SYNTAX);
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Identities are printed through log_escape only: 64 K of anything is one bounded printable line. */
static void test_openiked_2695060_identity_in_log(void **state)
{
	static uint8_t hostile[65531];
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(hostile); i++)
		hostile[i] = (uint8_t)(i * 7);
	assert_ptr_equal(log_escape(text, sizeof(text), hostile, sizeof(hostile)), text);
	assert_true(strlen(text) < sizeof(text));
	assert_string_equal(text + strlen(text) - 3, "...");
	for (const char *at = text; *at; at++)
		assert_true(*at >= ' ' && *at <= '~');
	assert_string_equal(log_escape(text, sizeof(text), "%n;\n\\\x1b[", 7), "%n;\\x0a\\\\\\x1b[");
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(exchange_name(EXCHANGE_IKE_AUTH), "IKE_AUTH");
	assert_string_equal(exchange_name(0), "?");
	assert_string_equal(payload_name(PAYLOAD_SA), "SA");
	assert_string_equal(payload_name(PAYLOAD_SKF), "SKF");
	assert_string_equal(payload_name(1), "?");
	assert_string_equal(payload_name(255), "?");
	assert_string_equal(notify_name(NOTIFY_INVALID_KE_PAYLOAD), "INVALID_KE_PAYLOAD");
	assert_string_equal(notify_name(NOTIFY_COOKIE), "COOKIE");
	assert_string_equal(notify_name(40960), "?");
	for (unsigned int i = 0; i <= 0xffff; i++) {
		assert_non_null(notify_name((uint16_t)i));
		assert_non_null(exchange_name((uint8_t)i));
		assert_non_null(payload_name((uint8_t)i));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cve_2023_38710_notify_spi),
		cmocka_unit_test(test_many_notifies),
		cmocka_unit_test(test_delete_form),
		cmocka_unit_test(test_cve_2013_6075_id_lengths),
		cmocka_unit_test(test_cve_2025_9242_cert_caps),
		cmocka_unit_test(test_first_raw_key),
		cmocka_unit_test(test_short_bodies),
		cmocka_unit_test(test_openiked_2695060_identity_in_log),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
