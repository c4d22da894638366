// SPDX-License-Identifier: Apache-2.0
/*
 * Cookies against tests/vectors/cookie.json, then everything that must make one worthless: another sender, another request, time,
 * two rotations, a bit, a length. And crash tokens.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/siphash.h"
#include "ike/cookie.h"
#include "kat.h"

#define SLOT (COOKIE_LIFE_NS / 2)
#define NOW (1000 * SLOT)

static unsigned int drawn;

/* Octets that differ from draw to draw, and say how many there were. */
static void draw(void *arg, void *out, size_t len)
{
	(void)arg;
	memset(out, (int)(++drawn), len);
}

static const struct ike_host host = { .random = draw };
static const uint8_t spi[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint8_t nonce[32] = "thirty-two octets of nonce here";

static int setup(void **state)
{
	struct err err = ERR_NONE;

	(void)state;
	return crypto_init(&err);
}

static struct ike_path path_from(uint32_t v4, uint16_t port)
{
	struct ike_path path = { .local_port = 500, .remote_port = port };

	path.local = addr_from_v4(0x0a000001);
	path.remote = addr_from_v4(v4);
	return path;
}

static int check(const uint8_t *cookie, const struct cookie_jar *jar, const struct ike_path *path, uint64_t now)
{
	return cookie_check(view_of(cookie, COOKIE_LEN), jar, path, spi, VIEW_OF(nonce), now);
}

static void test_vectors(void **state)
{
	json_t *file = kat_load("cookie.json");
	const json_t *entry;
	unsigned int seen = 0;
	size_t i;

	(void)state;
	json_array_foreach(file, i, entry) {
		struct cookie_jar jar = { 0 };
		struct ike_path path = { 0 };
		uint8_t cookie[COOKIE_LEN];
		const uint8_t *spi_i;
		struct view ni;
		uint64_t now;

		if (!json_object_get(entry, "cookie"))
			continue;
		jar.version = (uint8_t)kat_int(entry, "version");
		memcpy(&jar.secret[jar.version & 1], kat_hex(entry, "secret").at, COOKIE_SECRET_LEN);
		path.remote = addr_from_octets(kat_hex(entry, "address").at, 16);
		path.remote_port = (uint16_t)kat_int(entry, "port");
		now = (uint64_t)kat_int(entry, "now_ns");
		spi_i = kat_hex(entry, "spii").at;
		ni = kat_hex(entry, "ni");
		assert_int_equal(cookie_make(cookie, &jar, &path, spi_i, ni, now), 0);
		kat_same(entry, "cookie", cookie, COOKIE_LEN);
		assert_int_equal(cookie_check(VIEW_OF(cookie), &jar, &path, spi_i, ni, now), 0);
		seen++;
	}
	assert_int_equal(seen, json_array_size(file) - 2);
	json_decref(file);
}

/* Every length against the other SipHash of this house, written apart; what lies behind the nonce has no say. */
static void test_hash(void **state)
{
	struct hf_cookie_secret secret;
	struct hf_cookie_input input;

	(void)state;
	for (size_t i = 0; i < sizeof(input); i++)
		((uint8_t *)&input)[i] = (uint8_t)(i * 37 + 11);
	for (size_t i = 0; i < sizeof(secret); i++)
		secret.octet[i] = (uint8_t)(i * 101 + 3);
	for (uint32_t len = 0; len <= HF_COOKIE_NI_MAX; len++) {
		uint64_t hash = hf_cookie_hash(&secret, &input, len);
		uint64_t expected = siphash_of(secret.octet, &input, HF_COOKIE_INPUT_HEAD + len);

		assert_true(hash == expected);
		memset(input.ni + len, (int)len, sizeof(input.ni) - len);
		assert_true(hf_cookie_hash(&secret, &input, len) == expected);
	}
}

static void test_crash_token(void **state)
{
	json_t *file = kat_load("cookie.json");
	const json_t *entry = kat_entry(file, "crash-token");
	uint8_t token[CRASH_TOKEN_LEN];

	(void)state;
	assert_int_equal(crash_token_make(token, kat_hex(entry, "secret").at, kat_hex(entry, "spii").at,
					  kat_hex(entry, "spir").at),
			 0);
	kat_same(entry, "token", token, CRASH_TOKEN_LEN);
	json_decref(file);
}

/* Good for the sender and the request it was made for, whatever our own address; for nobody else. */
static void test_other_sender(void **state)
{
	const struct ike_path path = path_from(0xc0000201, 500);
	struct ike_path other = path;
	struct cookie_jar jar = { 0 };
	uint8_t cookie[COOKIE_LEN], spi_other[8], nonce_other[48];

	(void)state;
	cookie_rotate(&jar, &host, NOW);
	assert_int_equal(cookie_make(cookie, &jar, &path, spi, VIEW_OF(nonce), NOW), 0);
	assert_int_equal(check(cookie, &jar, &path, NOW), 0);
	other.local = addr_from_v4(0x0a000002);
	other.local_port = 4500;
	assert_int_equal(check(cookie, &jar, &other, NOW), 0);

	for (unsigned int bit = 0; bit < 128; bit++) {
		other = path;
		other.remote.octet[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(check(cookie, &jar, &other, NOW), -EBADMSG);
	}
	for (unsigned int bit = 0; bit < 16; bit++) {
		other = path;
		other.remote_port ^= (uint16_t)(1 << bit);
		assert_int_equal(check(cookie, &jar, &other, NOW), -EBADMSG);
	}
	for (unsigned int bit = 0; bit < 64; bit++) {
		memcpy(spi_other, spi, 8);
		spi_other[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(cookie_check(VIEW_OF(cookie), &jar, &path, spi_other, VIEW_OF(nonce), NOW), -EBADMSG);
	}
	for (unsigned int bit = 0; bit < 256; bit++) {
		memcpy(nonce_other, nonce, 32);
		nonce_other[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(cookie_check(VIEW_OF(cookie), &jar, &path, spi, view_of(nonce_other, 32), NOW),
				 -EBADMSG);
	}
	/* A nonce that is longer or shorter, also by the octets that stand behind it in what is hashed. */
	memcpy(nonce_other, nonce, 32);
	memcpy(nonce_other + 32, path.remote.octet, 16);
	for (size_t len = 0; len <= 48; len++)
		assert_int_equal(cookie_check(VIEW_OF(cookie), &jar, &path, spi, view_of(nonce_other, len), NOW),
				 len == 32 ? 0 : -EBADMSG);
}

/* At least 8 s and at most 16, and none from the future. */
static void test_time(void **state)
{
	const struct ike_path path = path_from(0xc0000201, 500);
	struct cookie_jar jar = { 0 };
	uint8_t cookie[COOKIE_LEN];

	(void)state;
	cookie_rotate(&jar, &host, 0);
	for (uint64_t start = NOW; start < NOW + SLOT; start += SLOT - 1) {
		assert_int_equal(cookie_make(cookie, &jar, &path, spi, VIEW_OF(nonce), start), 0);
		assert_int_equal(check(cookie, &jar, &path, start + SLOT), 0);
		assert_int_equal(check(cookie, &jar, &path, NOW + 2 * SLOT - 1), 0);
		assert_int_equal(check(cookie, &jar, &path, NOW + 2 * SLOT), -EBADMSG);
		assert_int_equal(check(cookie, &jar, &path, start + COOKIE_LIFE_NS), -EBADMSG);
		assert_int_equal(check(cookie, &jar, &path, NOW - 1), -EBADMSG);
		assert_int_equal(check(cookie, &jar, &path, 0), -EBADMSG);
	}
	/* Where the 24 bits of time begin again. */
	assert_int_equal(cookie_make(cookie, &jar, &path, spi, VIEW_OF(nonce), 0xffffff * SLOT), 0);
	assert_int_equal(check(cookie, &jar, &path, 0x1000000 * SLOT), 0);
	assert_int_equal(check(cookie, &jar, &path, 0x1000001 * SLOT), -EBADMSG);
	assert_int_equal(check(cookie, &jar, &path, 0xfffffe * SLOT), -EBADMSG);
}

/* A cookie outlives one change of secrets, not two; also where the version begins again at 0. */
static void test_rotation(void **state)
{
	const struct ike_path path = path_from(0xc0000201, 500);
	struct cookie_jar jar = { 0 };
	uint8_t cookie[COOKIE_LEN];
	uint64_t now = NOW;

	(void)state;
	for (unsigned int i = 0; i < 600; i++, now += COOKIE_ROTATE_NS) {
		cookie_rotate(&jar, &host, now);
		assert_int_equal(cookie_make(cookie, &jar, &path, spi, VIEW_OF(nonce), now), 0);
		jar.rotate_ns = now + 1;
		cookie_rotate(&jar, &host, now + 1);
		assert_int_equal(check(cookie, &jar, &path, now + 1), 0);
		jar.rotate_ns = now + 2;
		cookie_rotate(&jar, &host, now + 2);
		assert_int_equal(check(cookie, &jar, &path, now + 2), -EBADMSG);
	}
}

static void test_rotate_when(void **state)
{
	struct cookie_jar jar = { 0 }, before;

	(void)state;
	drawn = 0;
	cookie_rotate(&jar, &host, 5);
	/* Both: nobody may use the secret of zeros that a new jar has. */
	assert_int_equal(drawn, 2);
	assert_memory_not_equal(&jar.secret[0], &jar.secret[1], COOKIE_SECRET_LEN);
	assert_int_equal(jar.rotate_ns, 5 + COOKIE_ROTATE_NS);
	before = jar;
	cookie_rotate(&jar, &host, 4 + COOKIE_ROTATE_NS);
	assert_memory_equal(&before, &jar, sizeof(jar));
	cookie_rotate(&jar, &host, 5 + COOKIE_ROTATE_NS);
	assert_int_equal(drawn, 3);
	assert_int_equal(jar.version, (uint8_t)(before.version + 1));
	assert_memory_equal(&jar.secret[before.version & 1], &before.secret[before.version & 1], COOKIE_SECRET_LEN);
	assert_memory_not_equal(&jar.secret[jar.version & 1], &before.secret[jar.version & 1], COOKIE_SECRET_LEN);
	cookie_rotate(&jar, &host, NSTIME_NEVER);
	assert_int_equal(jar.rotate_ns, NSTIME_NEVER);
}

/* What a stranger can make who knows that memory begins as zeros. */
static void test_zero_secret(void **state)
{
	const struct ike_path path = path_from(0xc0000201, 500);
	struct cookie_jar jar = { 0 }, forger = { 0 };
	uint8_t cookie[COOKIE_LEN];

	(void)state;
	cookie_rotate(&jar, &host, NOW);
	for (unsigned int version = 0; version < 256; version++) {
		forger.version = (uint8_t)version;
		assert_int_equal(cookie_make(cookie, &forger, &path, spi, VIEW_OF(nonce), NOW), 0);
		assert_int_equal(check(cookie, &jar, &path, NOW), -EBADMSG);
	}
}

static void test_damaged(void **state)
{
	const struct ike_path path = path_from(0xc0000201, 500);
	struct cookie_jar jar = { 0 };
	uint8_t cookie[COOKIE_LEN];

	(void)state;
	cookie_rotate(&jar, &host, NOW);
	assert_int_equal(cookie_make(cookie, &jar, &path, spi, VIEW_OF(nonce), NOW), 0);
	for (unsigned int bit = 0; bit < COOKIE_LEN * 8; bit++) {
		cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(check(cookie, &jar, &path, NOW), -EBADMSG);
		cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(check(cookie, &jar, &path, NOW), 0);
}

/* RFC 7296 2.6 has cookies of 1 to 64 octets; ours have 12. Memory of exactly the length. */
static void test_lengths(void **state)
{
	const struct ike_path path = path_from(0xc0000201, 500);
	struct cookie_jar jar = { 0 };
	uint8_t cookie[COOKIE_LEN];

	(void)state;
	cookie_rotate(&jar, &host, NOW);
	assert_int_equal(cookie_make(cookie, &jar, &path, spi, VIEW_OF(nonce), NOW), 0);
	for (size_t len = 0; len <= 65; len++) {
		uint8_t *copy = calloc(1, len ? len : 1);

		assert_non_null(copy);
		memcpy(copy, cookie, len < COOKIE_LEN ? len : COOKIE_LEN);
		assert_int_equal(cookie_check(view_of(copy, len), &jar, &path, spi, VIEW_OF(nonce), NOW),
				 len == COOKIE_LEN ? 0 : -EBADMSG);
		free(copy);
	}
	assert_int_equal(cookie_check(VIEW_NONE, &jar, &path, spi, VIEW_OF(nonce), NOW), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),	     cmocka_unit_test(test_crash_token),
		cmocka_unit_test(test_other_sender), cmocka_unit_test(test_time),
		cmocka_unit_test(test_rotation),     cmocka_unit_test(test_rotate_when),
		cmocka_unit_test(test_zero_secret),  cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_lengths),	     cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
