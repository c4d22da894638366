// SPDX-License-Identifier: Apache-2.0
/*
 * The crypto room computes what the RFCs say: hashes, prf, prf+, ciphers, key exchange, signatures, raw keys, and the host's own keys. What hostile
 * octets do is in test_crypto_peer.c, what a broken library does in test_crypto_faults.c.
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
#include "kem_standin.h"

static json_t *vectors;

static int setup(void **state)
{
	struct err err = ERR_NONE;

	(void)state;
	vectors = kat_load("crypto.json");
	if (crypto_init(&err))
		fail_msg("%s", err.text);
	assert_int_equal(crypto_init(NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(vectors);
	return 0;
}

static void test_hash(void **state)
{
	const struct view parts[] = { view_of("a", 1), VIEW_NONE, view_of("bc", 2) };
	uint8_t out[SHA256_LEN];

	(void)state;
	assert_int_equal(hash_sha1(out, parts, 3), 0);
	assert_memory_equal(out, "\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d",
			    20);
	assert_int_equal(hash_sha256(out, parts, 3), 0);
	assert_memory_equal(out, "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23", 16);
	assert_int_equal(hash_sha256(out, NULL, 0), 0);
	assert_memory_equal(out, "\xe3\xb0\xc4\x42\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99\x6f\xb9\x24", 16);
}

/* RFC 4868 2.7.1, in one part and cut in two at every place. */
static void test_prf_rfc4868(void **state)
{
	static const char *const names[] = { "sha256", "sha384", "sha512" };

	(void)state;
	for (int n = 1; n <= 6; n++) {
		char id[32];
		const json_t *entry;

		snprintf(id, sizeof(id), "rfc4868-prf-%d", n);
		entry = kat_entry(vectors, id);
		for (int which = 0; which < 3; which++) {
			const struct prf *prf = prf_find((uint16_t)(5 + which));
			struct view key = kat_hex(entry, "key"), data = kat_hex(entry, "data");
			struct view expect = kat_hex(entry, names[which]);
			uint8_t out[PRF_LEN_MAX];

			assert_non_null(prf);
			assert_int_equal(expect.len, prf->out_len);
			for (size_t cut = 0; cut <= data.len; cut++) {
				const struct view parts[] = { view_of(data.at, cut),
							      view_of(data.at + cut, data.len - cut) };

				assert_int_equal(prf_of(prf, out, key, parts, 2), 0);
				assert_memory_equal(out, expect.at, expect.len);
			}
		}
	}
}

/* prf+ against its definition, at every length around a block's end (RFC 7296 2.13). */
static void test_prf_plus(void **state)
{
	(void)state;
	for (uint16_t id = 5; id <= 7; id++) {
		const struct prf *prf = prf_find(id);
		const struct view key = view_of("a key", 5), seed[] = { view_of("nonces", 6), view_of("spis", 4) };
		uint8_t expect[3 * PRF_LEN_MAX + 1], out[3 * PRF_LEN_MAX + 1];

		for (uint8_t n = 1; n <= 3; n++) {
			size_t len = prf->out_len;
			const struct view parts[] = { n > 1 ? view_of(expect + (n - 2) * len, len) : VIEW_NONE, seed[0],
						      seed[1], view_of(&n, 1) };

			assert_int_equal(prf_of(prf, expect + (n - 1) * len, key, parts, 4), 0);
		}
		for (size_t len = 0; len <= 3 * prf->out_len; len++) {
			memset(out, 0xee, sizeof(out));
			assert_int_equal(prf_plus(prf, out, len, key, seed, 2), 0);
			assert_memory_equal(out, expect, len);
			assert_int_equal(out[len], 0xee);
		}
	}
}

static void test_prf_plus_limit(void **state)
{
	const struct prf *prf = prf_find(5);
	uint8_t *out = calloc(1, 255 * 32 + 1);
	const struct view seed = view_of("s", 1);

	(void)state;
	assert_int_equal(prf_plus(prf, out, 255 * 32, view_of("k", 1), &seed, 1), 0);
	assert_int_equal(prf_plus(prf, out, 255 * 32 + 1, view_of("k", 1), &seed, 1), -EMSGSIZE);
	free(out);
	for (unsigned int id = 0; id < 65536; id++)
		assert_int_equal(prf_find((uint16_t)id) != NULL, id >= 5 && id <= 7);
}

static void check_cipher(const char *id, uint16_t encr, uint16_t bits, uint16_t integ)
{
	const struct cipher *cipher = cipher_find(encr, bits, integ);
	const json_t *entry = kat_entry(vectors, id);
	struct view key = kat_hex(entry, "key"), iv = kat_hex(entry, "iv"), aad = kat_hex(entry, "aad");
	struct view plain = kat_hex(entry, "plain"), integ_key = integ ? kat_hex(entry, "integ_key") : VIEW_NONE;
	struct view icv = kat_hex(entry, "icv"), sealed = kat_hex(entry, "sealed");
	uint8_t text[256], tag[16];

	assert_non_null(cipher);
	assert_int_equal(key.len, cipher->key_len);
	assert_int_equal(iv.len, cipher->iv_len);
	assert_int_equal(icv.len, cipher->icv_len);
	memcpy(text, plain.at, plain.len);
	assert_int_equal(cipher_seal(cipher, tag, text, plain.len, key, integ_key, iv.at, aad), 0);
	kat_same(entry, "sealed", text, plain.len);
	kat_same(entry, "icv", tag, 16);
	assert_int_equal(cipher_open(cipher, text, sealed, key, integ_key, iv.at, icv.at, aad), 0);
	kat_same(entry, "plain", text, plain.len);
	/* In place, as with the same octets. */
	memcpy(text, sealed.at, sealed.len);
	assert_int_equal(cipher_open(cipher, text, view_of(text, sealed.len), key, integ_key, iv.at, icv.at, aad), 0);
	kat_same(entry, "plain", text, plain.len);
}

static void test_ciphers(void **state)
{
	(void)state;
	check_cipher("gcm256", 20, 256, 0);
	check_cipher("gcm128", 20, 128, 0);
	check_cipher("chacha20", 28, 0, 0);
	check_cipher("cbc256", 12, 256, 12);
	check_cipher("cbc128", 12, 128, 12);
}

/* RFC 4868 2.7.2.1: the truncated HMAC by itself; here through prf_of, of which it is the first half. */
static void test_integ_rfc4868(void **state)
{
	(void)state;
	for (int n = 1; n <= 4; n++) {
		char id[32];
		const json_t *entry;
		struct view data;
		uint8_t out[32];

		snprintf(id, sizeof(id), "rfc4868-auth256-%d", n);
		entry = kat_entry(vectors, id);
		data = kat_hex(entry, "data");
		assert_int_equal(prf_of(prf_find(5), out, kat_hex(entry, "key"), &data, 1), 0);
		kat_same(entry, "icv", out, 16);
	}
}

/* Every length of text, so that no mode has a bad one; the other end reads what this one wrote. */
static void test_cipher_lengths(void **state)
{
	static const uint16_t all[][3] = {
		{ 20, 256, 0 }, { 20, 128, 0 }, { 28, 0, 0 }, { 12, 256, 12 }, { 12, 128, 12 }
	};
	const uint8_t key[36] = { 7 }, integ[32] = { 8 }, iv[16] = { 9 };

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		const struct cipher *cipher = cipher_find(all[i][0], all[i][1], all[i][2]);
		struct view key_view = view_of(key, cipher->key_len), integ_view = view_of(integ, cipher->integ_len);

		for (size_t len = 0; len <= 80; len++) {
			uint8_t text[80], out[80], icv[16];
			int rc;

			memset(text, 0x42, sizeof(text));
			rc = cipher_seal(cipher, icv, text, len, key_view, integ_view, iv, view_of("aad", 3));
			if (cipher->block > 1 && (!len || len % cipher->block)) {
				assert_int_equal(rc, -EINVAL);
				continue;
			}
			assert_int_equal(rc, 0);
			rc = cipher_open(cipher, out, view_of(text, len), key_view, integ_view, iv, icv,
					 view_of("aad", 3));
			assert_int_equal(rc, 0);
			for (size_t at = 0; at < len; at++)
				assert_int_equal(out[at], 0x42);
		}
	}
}

static void load_private(struct kex_private *out, const json_t *entry, const char *field, size_t len)
{
	struct view octets = kat_hex(entry, field);

	memset(out, 0, sizeof(*out));
	assert_int_equal(octets.len, len);
	memcpy(out->random, octets.at, octets.len);
}

static void check_kex(const char *id, uint16_t number)
{
	const struct kex *kex = kex_find(number);
	const json_t *entry = kat_entry(vectors, id);
	struct kex_private mine_i, mine_r;
	uint8_t value[KEX_PUBLIC_MAX], shared[KEX_SHARED_MAX];

	assert_non_null(kex);
	load_private(&mine_i, entry, "random_i", kex->random_len);
	load_private(&mine_r, entry, "random_r", kex->random_len);
	assert_int_equal(kex_start(kex, value, &mine_i), 0);
	kat_same(entry, "public_i", value, kex->start_len);
	assert_int_equal(kex_respond(kex, value, shared, kat_hex(entry, "public_i"), &mine_r), 0);
	kat_same(entry, "public_r", value, kex->answer_len);
	kat_same(entry, "shared", shared, kex->shared_len);
	memset(shared, 0, sizeof(shared));
	assert_int_equal(kex_finish(kex, shared, kat_hex(entry, "public_r"), &mine_i), 0);
	kat_same(entry, "shared", shared, kex->shared_len);
}

static void test_kex_known(void **state)
{
	(void)state;
	check_kex("x25519", 31);
	check_kex("p256", 19);
	check_kex("p384", 20);
	check_kex("modp2048", 14);
}

/* g^ir with a leading zero octet keeps it (RFC 7296 2.14). */
static void test_kex_modp_leading_zero(void **state)
{
	const json_t *entry = kat_entry(vectors, "modp2048-zero");
	const struct kex *kex = kex_find(14);
	struct kex_private mine;
	uint8_t shared[KEX_SHARED_MAX];

	(void)state;
	load_private(&mine, entry, "random_i", kex->random_len);
	assert_int_equal(kex_finish(kex, shared, kat_hex(entry, "public_r"), &mine), 0);
	assert_int_equal(shared[0], 0);
	kat_same(entry, "shared", shared, 256);
}

/* Only where the library has ML-KEM; elsewhere it must not be found (CVE-2016-3071). */
static void test_kex_mlkem(void **state)
{
	const struct kex *kex = kex_find(36);
	const json_t *entry = kat_entry(vectors, "mlkem768");
	struct kex_private mine;
	uint8_t value[KEX_PUBLIC_MAX], shared[KEX_SHARED_MAX];

	(void)state;
	if (!kex)
		skip();
	load_private(&mine, entry, "seed", 64);
	assert_int_equal(kex_start(kex, value, &mine), 0);
	kat_same(entry, "public", value, 1184);
	assert_int_equal(kex_finish(kex, shared, kat_hex(entry, "ciphertext"), &mine), 0);
	kat_same(entry, "shared", shared, 32);
}

static void round_trip(const struct kex *kex, uint8_t seed)
{
	uint8_t value_i[KEX_PUBLIC_MAX], value_r[KEX_PUBLIC_MAX], shared_i[KEX_SHARED_MAX], shared_r[KEX_SHARED_MAX];
	struct kex_private mine_i, mine_r;

	memset(&mine_i, seed, sizeof(mine_i));
	memset(&mine_r, seed ^ 0xff, sizeof(mine_r));
	assert_int_equal(kex_start(kex, value_i, &mine_i), 0);
	assert_int_equal(kex_respond(kex, value_r, shared_r, view_of(value_i, kex->start_len), &mine_r), 0);
	assert_int_equal(kex_finish(kex, shared_i, view_of(value_r, kex->answer_len), &mine_i), 0);
	assert_memory_equal(shared_i, shared_r, kex->shared_len);
	if (!kex->kem)
		return;
	value_r[kex->answer_len - 1] ^= 1;
	assert_int_equal(kex_finish(kex, shared_i, view_of(value_r, kex->answer_len), &mine_i), 0);
	assert_memory_not_equal(shared_i, shared_r, kex->shared_len);
}

/* All-zero and all-one random octets are as good as others: no scalar of 0, none beyond the order. */
static void test_kex_extreme_random(void **state)
{
	static const uint16_t numbers[] = { 31, 19, 20, 14, 36 };

	(void)state;
	for (size_t i = 0; i < 5; i++)
		if (kex_find(numbers[i])) {
			round_trip(kex_find(numbers[i]), 0x00);
			round_trip(kex_find(numbers[i]), 0x5a);
		}
}

static void test_kex_stand_in(void **state)
{
	const struct kex *real = kex_find(36);

	(void)state;
	kex_stand_in(&kem_standin);
	assert_ptr_equal(kex_find(36), &kem_standin);
	round_trip(kex_find(36), 0x11);
	assert_non_null(kex_find(31));
	kex_stand_in(NULL);
	assert_ptr_equal(kex_find(36), real);
}

/* Octets of method 14's authentication data. */
static struct view auth_of(uint8_t *out, struct view identifier, struct view signature)
{
	out[0] = (uint8_t)identifier.len;
	memcpy(out + 1, identifier.at, identifier.len);
	memcpy(out + 1 + identifier.len, signature.at, signature.len);
	return view_of(out, 1 + identifier.len + signature.len);
}

static void test_verify_known(void **state)
{
	static const char *const ids[] = { "ed25519", "ecdsa256", "ecdsa384", "rsa-pss" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		const json_t *entry = kat_entry(vectors, ids[i]);
		struct view spki = kat_hex(entry, "spki"), message = kat_hex(entry, "message");
		uint8_t auth[SIGN_AUTH_MAX];
		struct view view = auth_of(auth, kat_hex(entry, "identifier"), kat_hex(entry, "signature"));
		unsigned int hash = 1u << kat_int(entry, "hash");
		const struct view cut[] = { view_of(message.at, 1), view_of(message.at + 1, message.len - 1) };

		assert_int_equal(sign_verify(spki, SIGN_HASHES, view, &message, 1), 0);
		assert_int_equal(sign_verify(spki, hash, view, cut, 2), 0);
		/* A hash that we did not announce. */
		assert_int_equal(sign_verify(spki, SIGN_HASHES & ~hash, view, &message, 1), -EBADMSG);
		assert_int_equal(sign_verify(spki, SIGN_HASHES, view, &message, 0), -EBADMSG);
	}
}

/* All legal spellings of the same PSS parameters verify (RFC 7427 A.4.3, RFC 4055 2.1). */
static void test_verify_pss_spellings(void **state)
{
	static const char *const spellings[] = {
		"304606092a864886f70d01010a3039a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120a303020101",
		"304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120",
		"303d06092a864886f70d01010a3030a00d300b0609608648016503040201a11a301806092a864886f70d010108300b0609608648016503040201a203020120",
		"304206092a864886f70d01010a3035a00d300b0609608648016503040201a11a301806092a864886f70d010108300b0609608648016503040201a203020120a303020101",
	};
	const json_t *entry = kat_entry(vectors, "rsa-pss");
	struct view message = kat_hex(entry, "message");

	(void)state;
	assert_string_equal(json_string_value(json_object_get(kat_entry(vectors, "rsa-pss-explicit"), "identifier")),
			    spellings[0]);
	for (size_t i = 0; i < 4; i++) {
		json_t *object = json_pack("{s:s}", "blob", spellings[i]);
		uint8_t auth[SIGN_AUTH_MAX];

		assert_int_equal(sign_verify(kat_hex(entry, "spki"), SIGN_HASHES,
					     auth_of(auth, kat_hex(object, "blob"), kat_hex(entry, "signature")),
					     &message, 1),
				 0);
		json_decref(object);
	}
}

static struct sign_key *key_of(const char *id, const char *field)
{
	struct err err = ERR_NONE;
	struct sign_key *key = NULL;

	if (sign_key_parse(&key, kat_hex(kat_entry(vectors, id), field), id, &err))
		fail_msg("%s", err.text);
	return key;
}

static const struct {
	const char *id;
	enum sign_kind kind;
	unsigned int hashes;
} own_keys[] = { { "key-ed", SIGN_ED25519, 1u << 5 },
		 { "key-p256", SIGN_ECDSA_P256, 7u << 2 },
		 { "key-p384", SIGN_ECDSA_P384, 7u << 2 },
		 { "key-rsa", SIGN_RSA, 7u << 2 } };

/* Every key with every set of hashes of the peer: made and verified, or refused because none fits. */
static void test_sign_and_verify(void **state)
{
	const struct view parts[] = { view_of("message", 7), view_of("nonce", 5), view_of("mac", 3) };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct sign_key *key = key_of(own_keys[i].id, "pkcs8");

		assert_int_equal(sign_key_kind(key), own_keys[i].kind);
		assert_true(view_equal(sign_key_spki(key), kat_hex(kat_entry(vectors, own_keys[i].id), "spki")));
		for (unsigned int hashes = 0; hashes < 64; hashes += 2) {
			uint8_t auth[SIGN_AUTH_MAX];
			size_t len = sizeof(auth);
			int rc = sign_auth(auth, &len, key, hashes, parts, 3);

			assert_int_equal(rc, hashes & own_keys[i].hashes ? 0 : -ENOTSUP);
			if (rc)
				continue;
			assert_int_equal(sign_verify(sign_key_spki(key), hashes, view_of(auth, len), parts, 3), 0);
			assert_int_equal(sign_verify(sign_key_spki(key), hashes, view_of(auth, len), parts, 2),
					 -EBADMSG);
		}
		sign_key_free(key);
	}
}

static void test_sign_room(void **state)
{
	const struct view part = view_of("m", 1);

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct sign_key *key = key_of(own_keys[i].id, "pkcs8");
		uint8_t auth[16];
		size_t len = sizeof(auth);

		assert_int_equal(sign_auth(auth, &len, key, SIGN_HASHES, &part, 1), -EMSGSIZE);
		assert_int_equal(len, sizeof(auth));
		sign_key_free(key);
	}
	sign_key_free(NULL);
}

static void test_key_forms(void **state)
{
	static const char *const forms[][3] = {
		{ "key-ed", "pem", "key-ed" },		{ "key-p256", "pem", "key-p256" },
		{ "key-p384", "pem", "key-p384" },	{ "key-rsa", "pem", "key-rsa" },
		{ "key-p256-sec1", "der", "key-p256" }, { "key-p256-sec1", "pem", "key-p256" },
		{ "key-rsa-pkcs1", "der", "key-rsa" },	{ "key-p256-sec1", "compressed", "key-p256" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct sign_key *key = key_of(forms[i][0], forms[i][1]);

		assert_true(view_equal(sign_key_spki(key), kat_hex(kat_entry(vectors, forms[i][2]), "spki")));
		sign_key_free(key);
	}
}

static void test_spki_from_raw(void **state)
{
	static const size_t offsets[] = { 12, 27, 24 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct view spki = kat_hex(kat_entry(vectors, own_keys[i].id), "spki");
		struct view raw = view_of(spki.at + offsets[i], spki.len - offsets[i]);
		uint8_t out[SPKI_MAX];
		size_t len = sizeof(out);
		enum sign_kind kind = 0;

		assert_int_equal(spki_from_raw(out, &len, own_keys[i].kind, raw), 0);
		assert_true(view_equal(view_of(out, len), spki));
		assert_int_equal(spki_check(&kind, spki), 0);
		assert_int_equal(kind, own_keys[i].kind);
		assert_int_equal(spki_check(NULL, spki), 0);
		assert_int_equal(spki_from_raw(out, &len, own_keys[i].kind, view_of(raw.at, raw.len - 1)), -EBADMSG);
		len = spki.len - 1;
		assert_int_equal(spki_from_raw(out, &len, own_keys[i].kind, raw), -EMSGSIZE);
	}
	assert_int_equal(spki_check(NULL, kat_hex(kat_entry(vectors, "key-rsa"), "spki")), 0);
	assert_int_equal(spki_from_raw((uint8_t[8]){ 0 }, &(size_t){ 8 }, SIGN_RSA, VIEW_NONE), -ENOTSUP);
}

static void test_equal(void **state)
{
	(void)state;
	assert_true(crypto_equal(view_of("ab", 2), view_of("ab", 2)));
	assert_false(crypto_equal(view_of("ab", 2), view_of("ac", 2)));
	assert_false(crypto_equal(view_of("ab", 2), view_of("ab", 1)));
	assert_true(crypto_equal(VIEW_NONE, VIEW_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_prf_rfc4868),
		cmocka_unit_test(test_prf_plus),
		cmocka_unit_test(test_prf_plus_limit),
		cmocka_unit_test(test_ciphers),
		cmocka_unit_test(test_integ_rfc4868),
		cmocka_unit_test(test_cipher_lengths),
		cmocka_unit_test(test_kex_known),
		cmocka_unit_test(test_kex_modp_leading_zero),
		cmocka_unit_test(test_kex_mlkem),
		cmocka_unit_test(test_kex_extreme_random),
		cmocka_unit_test(test_kex_stand_in),
		cmocka_unit_test(test_verify_known),
		cmocka_unit_test(test_verify_pss_spellings),
		cmocka_unit_test(test_sign_and_verify),
		cmocka_unit_test(test_sign_room),
		cmocka_unit_test(test_key_forms),
		cmocka_unit_test(test_spki_from_raw),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
