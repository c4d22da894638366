// SPDX-License-Identifier: Apache-2.0
/*
 * Raw public keys from a CERT payload, DNS or a directory, and private keys from a file, that must not be accepted: sizes, exponents, parities, kinds, DER that
 * is not DER. Keys are built here octet by octet, so that each fault stands alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/crypto.h"
#include "kat.h"

static json_t *vectors;

static int setup(void **state)
{
	struct err err = ERR_NONE;

	(void)state;
	vectors = kat_load("crypto.json");
	if (crypto_init(&err))
		fail_msg("%s", err.text);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(vectors);
	return 0;
}

static void element(struct writer *writer, uint8_t tag, const uint8_t *content, size_t len)
{
	write_u8(writer, tag);
	if (len >= 256) {
		write_u8(writer, 0x82);
		write_u16(writer, (uint16_t)len);
	} else {
		if (len >= 128)
			write_u8(writer, 0x81);
		write_u8(writer, (uint8_t)len);
	}
	write_octets(writer, content, len);
}

#define MADE_MAX 2600

/* An RSA SubjectPublicKeyInfo of these INTEGER contents, whatever they are. */
static struct view make_rsa(uint8_t *out, const uint8_t *modulus, size_t modulus_len, const uint8_t *exponent,
			    size_t exponent_len)
{
	static const uint8_t algorithm[] = { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
					     0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00 };
	uint8_t key_memory[MADE_MAX], string_memory[MADE_MAX], all_memory[MADE_MAX], numbers_memory[MADE_MAX];
	struct writer numbers, key, string, all;

	writer_init(&numbers, numbers_memory, MADE_MAX);
	element(&numbers, 0x02, modulus, modulus_len);
	element(&numbers, 0x02, exponent, exponent_len);
	writer_init(&key, key_memory, MADE_MAX);
	write_u8(&key, 0);
	element(&key, 0x30, numbers_memory, numbers.len);
	writer_init(&string, string_memory, MADE_MAX);
	write_octets(&string, algorithm, sizeof(algorithm));
	element(&string, 0x03, key_memory, key.len);
	writer_init(&all, all_memory, MADE_MAX);
	element(&all, 0x30, string_memory, string.len);
	assert_false(numbers.failed || key.failed || string.failed || all.failed);
	memcpy(out, all_memory, all.len);
	return view_of(out, all.len);
}

/* A modulus of `bits` bits with its sign octet where DER wants one; ones everywhere, so it is odd. */
static size_t make_modulus(uint8_t *out, size_t bits)
{
	size_t len = bits / 8 + 1;

	memset(out, 0xff, len);
	out[0] = (uint8_t)((1u << bits % 8) - 1);
	return bits ? len : 1;
}

static int check_rsa(const uint8_t *modulus, size_t modulus_len, const uint8_t *exponent, size_t exponent_len)
{
	uint8_t spki[MADE_MAX], auth[SIGN_AUTH_MAX] = { 0x41 };
	struct view view = make_rsa(spki, modulus, modulus_len, exponent, exponent_len);
	const struct view part = view_of("m", 1);
	int rc = spki_check(NULL, view);

	/* Verifying with it must be as safe as asking about it. */
	assert_int_equal(sign_verify(view, SIGN_HASHES, VIEW_OF(auth), &part, 1), -EBADMSG);
	return rc;
}

static const uint8_t f4[] = { 1, 0, 1 };

/* Row 10: moduli of every size up to 2047 bits are refused, and even ones. 2048 to 8192 are fine. */
static void test_cve_2018_17540_modulus(void **state)
{
	uint8_t modulus[1100];

	(void)state;
	for (size_t bits = 0; bits <= 2056; bits++) {
		size_t len = make_modulus(modulus, bits);
		/* 8k+7 bits and less need no sign octet; make_modulus gives exactly the shortest form. */
		int rc = check_rsa(modulus, len, f4, 3);

		assert_int_equal(rc, bits >= 2048 ? 0 : -EBADMSG);
		modulus[len - 1] &= 0xfe;
		assert_int_equal(check_rsa(modulus, len, f4, 3), -EBADMSG);
	}
	assert_int_equal(check_rsa(modulus, make_modulus(modulus, 8192), f4, 3), 0);
	assert_int_equal(check_rsa(modulus, make_modulus(modulus, 8193), f4, 3), -EBADMSG);
	assert_int_equal(check_rsa(modulus, 0, f4, 3), -EBADMSG);
}

/* Rows 11 and 15: exponents 0, 1, 2, 3, even ones, negative ones, long ones. */
static void test_cve_2017_9022_exponent(void **state)
{
	static const struct {
		size_t len;
		uint8_t octets[6];
		int rc;
	} rows[] = {
		{ 0, { 0 }, -EBADMSG },
		{ 1, { 0 }, -EBADMSG },
		{ 1, { 1 }, -EBADMSG },
		{ 1, { 2 }, -EBADMSG },
		{ 1, { 3 }, -EBADMSG },
		{ 1, { 17 }, -EBADMSG },
		{ 3, { 0, 0xff, 0xff }, -EBADMSG },
		{ 3, { 1, 0, 0 }, -EBADMSG },
		{ 3, { 1, 0, 1 }, 0 },
		{ 3, { 1, 0, 2 }, -EBADMSG },
		{ 3, { 1, 0, 3 }, 0 },
		{ 4, { 0, 1, 0, 1 }, -EBADMSG }, /* not the shortest form */
		{ 3, { 0x81, 0, 1 }, -EBADMSG }, /* negative */
		{ 4, { 0, 0x81, 0, 1 }, 0 },	 /* the same, positive */
		{ 5, { 0, 0xff, 0xff, 0xff, 0xff }, 0 },
		{ 5, { 1, 0, 0, 0, 1 }, -EBADMSG }, /* 2^32 + 1 */
	};
	uint8_t modulus[300];
	size_t len = make_modulus(modulus, 2048);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(check_rsa(modulus, len, rows[i].octets, rows[i].len), rows[i].rc);
}

static void test_cve_2026_14957_exponent_zero(void **state)
{
	uint8_t modulus[300], zeros[4] = { 0 };
	size_t len = make_modulus(modulus, 2048);

	(void)state;
	for (size_t zero_len = 0; zero_len <= 4; zero_len++) {
		assert_int_equal(check_rsa(modulus, len, zeros, zero_len), -EBADMSG);
		assert_int_equal(check_rsa(zeros, zero_len, f4, 3), -EBADMSG);
		assert_int_equal(check_rsa(zeros, zero_len, zeros, zero_len), -EBADMSG);
	}
	/* Signs: without the leading zero the number is negative; with two it is not DER. */
	assert_int_equal(check_rsa(modulus + 1, len - 1, f4, 3), -EBADMSG);
	memmove(modulus + 1, modulus, len);
	modulus[0] = 0;
	assert_int_equal(check_rsa(modulus, len + 1, f4, 3), -EBADMSG);
}

/* Every cut of a good key, an octet too many, and every octet of its frame changed to anything else. */
static void test_spki_frame(void **state)
{
	static const struct {
		const char *id;
		size_t frame; /* octets before the key itself; RSA: before the sign octet, any value of which makes another good key */
	} rows[] = { { "key-ed", 12 }, { "key-p256", 27 }, { "key-p384", 24 }, { "key-rsa", 32 } };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct view good = kat_hex(kat_entry(vectors, rows[i].id), "spki");
		uint8_t spki[SPKI_MAX + 1] = { 0 };

		assert_int_equal(spki_check(NULL, good), 0);
		for (size_t len = 0; len < good.len; len++) {
			uint8_t *exact = malloc(len + !len);

			memcpy(exact, good.at, len);
			assert_int_equal(spki_check(NULL, view_of(exact, len)), -EBADMSG);
			free(exact);
		}
		memcpy(spki, good.at, good.len);
		assert_int_equal(spki_check(NULL, view_of(spki, good.len + 1)), -EBADMSG);
		for (size_t at = 0; at < rows[i].frame; at++)
			for (unsigned int value = 0; value < 256; value++) {
				memcpy(spki, good.at, good.len);
				if (spki[at] == value)
					continue;
				spki[at] = (uint8_t)value;
				assert_int_equal(spki_check(NULL, view_of(spki, good.len)), -EBADMSG);
			}
	}
}

/* Points that are not on the curve do not become keys. */
static void test_spki_off_curve(void **state)
{
	static const char *const ids[] = { "key-p256", "key-p384" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct view good = kat_hex(kat_entry(vectors, ids[i]), "spki");
		uint8_t spki[SPKI_MAX];
		size_t prefix = i ? 24 : 27;

		memcpy(spki, good.at, good.len);
		spki[good.len - 1] ^= 1;
		assert_int_equal(spki_check(NULL, view_of(spki, good.len)), -EBADMSG);
		memset(spki + prefix, 0, good.len - prefix);
		assert_int_equal(spki_check(NULL, view_of(spki, good.len)), -EBADMSG);
		memset(spki + prefix, 0xff, good.len - prefix);
		assert_int_equal(spki_check(NULL, view_of(spki, good.len)), -EBADMSG);
	}
}

/* Random octets under each good beginning: never a crash; ASan watches. The generator is fixed. */
static void test_spki_random(void **state)
{
	struct view good = kat_hex(kat_entry(vectors, "key-rsa"), "spki");
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint8_t spki[400];
		size_t len, keep;

		seed = seed * 1664525 + 1013904223;
		len = seed >> 8 & 0xff ? 1 + (seed >> 8) % good.len : good.len;
		keep = (seed >> 20) % 64;
		memcpy(spki, good.at, good.len);
		for (size_t at = keep; at < len && at < keep + 8; at++) {
			seed = seed * 1664525 + 1013904223;
			spki[at] = (uint8_t)(seed >> 24);
		}
		spki_check(NULL, view_of(spki, len));
	}
}

/* Public keys of kinds and sizes that others use. */
static void test_spki_kinds(void **state)
{
	static const char *const fields[] = { "rsa_e3_spki",	 "rsa_1024_spki", "rsa_2040_spki",
					      "rsa_psskey_spki", "p521_spki",	  "k256_spki",
					      "ed448_spki",	 "x25519_spki",	  "p256_explicit_spki" };

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		assert_int_equal(spki_check(NULL, kat_hex(kat_entry(vectors, "keys-refused"), fields[i])), -EBADMSG);
}

/* Private keys that must not become the host's: each says why, with the file's name first. */
static void test_own_key_refused(void **state)
{
	static const struct {
		const char *field, *text;
	} rows[] = {
		{ "rsa_e3", "kind or size" },	     { "rsa_1024", "kind or size" },
		{ "rsa_2040", "kind or size" },	     { "rsa_psskey", "kind or size" },
		{ "p521", "kind or size" },	     { "k256", "kind or size" },
		{ "ed448", "kind or size" },	     { "x25519", "kind or size" },
		{ "p256_crossed", "does not work" }, { "locked", "without a passphrase" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = ERR_NONE;
		struct sign_key *key = NULL;

		assert_int_equal(sign_key_parse(&key, kat_hex(kat_entry(vectors, "keys-refused"), rows[i].field),
						"/the/file", &err),
				 -EINVAL);
		assert_null(key);
		if (!strstr(err.text, rows[i].text) || strncmp(err.text, "/the/file: ", 11) != 0)
			fail_msg("%s: %s", rows[i].field, err.text);
	}
}

static void test_own_key_garbage(void **state)
{
	struct view good = kat_hex(kat_entry(vectors, "key-ed"), "pkcs8");
	struct view public = kat_hex(kat_entry(vectors, "key-ed"), "spki");
	struct sign_key *key = NULL;

	(void)state;
	for (size_t len = 0; len < good.len; len++)
		assert_int_not_equal(sign_key_parse(&key, view_of(good.at, len), "k", NULL), 0);
	assert_int_not_equal(sign_key_parse(&key, view_of("not a key\n", 10), "k", NULL), 0);
	assert_int_not_equal(sign_key_parse(&key, public, "k", NULL), 0);
	assert_null(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cve_2018_17540_modulus),
		cmocka_unit_test(test_cve_2017_9022_exponent),
		cmocka_unit_test(test_cve_2026_14957_exponent_zero),
		cmocka_unit_test(test_spki_frame),
		cmocka_unit_test(test_spki_off_curve),
		cmocka_unit_test(test_spki_random),
		cmocka_unit_test(test_spki_kinds),
		cmocka_unit_test(test_own_key_refused),
		cmocka_unit_test(test_own_key_garbage),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
