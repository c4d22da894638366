// SPDX-License-Identifier: Apache-2.0
/*
 * What peers may send to the crypto room: values, signatures and keys that are wrong, each named after the CVE that taught it where there is one (rows 6 to
 * 15, 25, 28 and 29 of the project's list). Everything a peer can cause is -EBADMSG, outputs are wiped, and nothing stops the program.
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

static const uint16_t groups[] = { 31, 19, 20, 14, 36 };
static const char *const own_keys[] = { "key-ed", "key-p256", "key-p384", "key-rsa" };
#define OWN_KEYS 4

/* One good signature by each key over `part`. */
static struct signature {
	struct view spki;
	uint8_t spki_octets[SPKI_MAX], auth[SIGN_AUTH_MAX];
	size_t len;
} signatures[OWN_KEYS];
static const struct view part = { (const uint8_t *)"signed octets", 13 };

static int setup(void **state)
{
	struct err err = ERR_NONE;

	(void)state;
	vectors = kat_load("crypto.json");
	if (crypto_init(&err))
		fail_msg("%s", err.text);
	for (size_t i = 0; i < OWN_KEYS; i++) {
		struct signature *s = &signatures[i];
		struct sign_key *key = NULL;
		struct view spki;

		assert_int_equal(sign_key_parse(&key, kat_hex(kat_entry(vectors, own_keys[i]), "pkcs8"), "k", &err), 0);
		spki = sign_key_spki(key);
		memcpy(s->spki_octets, spki.at, spki.len);
		s->spki = view_of(s->spki_octets, spki.len);
		s->len = sizeof(s->auth);
		assert_int_equal(sign_auth(s->auth, &s->len, key, SIGN_HASHES, &part, 1), 0);
		sign_key_free(key);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(vectors);
	return 0;
}

/* ---- key exchange ---- */

static bool is_zero(const uint8_t *octets, size_t len)
{
	while (len && !octets[len - 1])
		len--;
	return !len;
}

/* Both sides get `theirs`: refused, and nothing is left in the outputs. */
static void refuse_value(const struct kex *kex, const uint8_t *theirs, size_t len)
{
	struct kex_private mine;
	uint8_t value[KEX_PUBLIC_MAX], shared[KEX_SHARED_MAX];

	memset(&mine, 0x77, sizeof(mine));
	memset(value, 0xee, sizeof(value));
	memset(shared, 0xee, sizeof(shared));
	assert_int_equal(kex_respond(kex, value, shared, view_of(theirs, len), &mine), -EBADMSG);
	assert_true(is_zero(value, kex->answer_len));
	assert_true(is_zero(shared, kex->shared_len));
	if (kex->kem && len == kex->answer_len)
		return;
	memset(shared, 0xee, sizeof(shared));
	assert_int_equal(kex_finish(kex, shared, view_of(theirs, len), &mine), -EBADMSG);
	assert_true(is_zero(shared, kex->shared_len));
}

/* Row 28: 0, 1, p-1, p, all ones, and points of low order are refused without an assertion. */
static void test_cve_2015_3240_modp_range(void **state)
{
	const struct kex *kex = kex_find(14);
	uint8_t value[256], shared[KEX_SHARED_MAX];
	struct kex_private mine = { { 1 } };
	/* RFC 3526 3: p ends in ff..ff, and so begins. Taken from the library's own generator of values: p - 1 = -1. */
	static const char *const prime =
		"ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd"
		"ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed"
		"ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f"
		"83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b"
		"e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa0510"
		"15728e5a8aacaa68ffffffffffffffff";
	json_t *object = json_pack("{s:s}", "p", prime);

	(void)state;
	memset(value, 0, sizeof(value));
	refuse_value(kex, value, sizeof(value));
	value[255] = 1;
	refuse_value(kex, value, sizeof(value));
	memcpy(value, kat_hex(object, "p").at, 256);
	refuse_value(kex, value, sizeof(value));
	value[255] -= 1;
	refuse_value(kex, value, sizeof(value));
	memset(value, 0xff, sizeof(value));
	refuse_value(kex, value, sizeof(value));
	/* The nearest good ones: 2 and p - 2. */
	memset(value, 0, sizeof(value));
	value[255] = 2;
	assert_int_equal(kex_finish(kex, shared, VIEW_OF(value), &mine), 0);
	memcpy(value, kat_hex(object, "p").at, 256);
	value[255] -= 2;
	assert_int_equal(kex_finish(kex, shared, VIEW_OF(value), &mine), 0);
	json_decref(object);
}

/* Row 28: all encodings of Curve25519's points of low order, with and without the unused top bit. */
static void test_cve_2015_3240_low_order(void **state)
{
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		json_t *object = json_pack("{s:s}", "u", points[i]);
		uint8_t value[32];

		memcpy(value, kat_hex(object, "u").at, 32);
		refuse_value(kex_find(31), value, 32);
		value[31] |= 0x80;
		refuse_value(kex_find(31), value, 32);
		json_decref(object);
	}
}

/* RFC 8031 2.1: other non-canonical values must be accepted. 2^255 - 19 + 9 is 9. */
static void test_x25519_non_canonical(void **state)
{
	uint8_t nine[32] = { 9 }, same[32], shared[32], again[32];
	struct kex_private mine = { { 3 } };

	(void)state;
	memset(same, 0xff, sizeof(same));
	same[0] = 0xf6;
	same[31] = 0x7f;
	assert_int_equal(kex_finish(kex_find(31), shared, VIEW_OF(nine), &mine), 0);
	assert_int_equal(kex_finish(kex_find(31), again, VIEW_OF(same), &mine), 0);
	assert_memory_equal(shared, again, 32);
}

/* RFC 6989 2.3: off the curve, infinity in any spelling, coordinates not below p, swapped coordinates. */
static void test_ec_points(void **state)
{
	static const char *const ids[] = { "p256", "p384" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct kex *kex = kex_find(i ? 20 : 19);
		struct view good = kat_hex(kat_entry(vectors, ids[i]), "public_i");
		size_t half = good.len / 2;
		uint8_t value[97];

		for (size_t bit = 0; bit < good.len * 8; bit += 37) {
			memcpy(value, good.at, good.len);
			value[bit / 8] ^= (uint8_t)(1 << bit % 8);
			refuse_value(kex, value, good.len);
		}
		memset(value, 0, sizeof(value));
		refuse_value(kex, value, good.len);
		refuse_value(kex, value, 1);
		memset(value, 0xff, sizeof(value));
		refuse_value(kex, value, good.len);
		memcpy(value, good.at + half, half);
		memcpy(value + half, good.at, half);
		refuse_value(kex, value, good.len);
		/* With the octet 04 or compressed, as other protocols write points. */
		value[0] = 4;
		memcpy(value + 1, good.at, good.len);
		refuse_value(kex, value, good.len + 1);
		value[0] = 2 + (good.at[good.len - 1] & 1);
		refuse_value(kex, value, half + 1);
	}
}

/* Row 29: every length but the right one, up to what a KE payload can say; under ASan nothing is read or written outside. */
static void test_cve_2023_41913_lengths(void **state)
{
	uint8_t *octets = calloc(1, 65527);

	(void)state;
	memset(octets, 0x09, 65527);
	for (size_t i = 0; i < 5; i++) {
		const struct kex *kex = kex_find(groups[i]);

		if (!kex)
			continue;
		for (size_t len = 0; len <= 2 * kex->start_len + 2; len++) {
			uint8_t *exact = malloc(len + !len);

			memset(exact, 0x09, len + !len);
			if (len != kex->start_len && len != kex->answer_len)
				refuse_value(kex, exact, len);
			free(exact);
		}
		refuse_value(kex, octets, 65527);
	}
	free(octets);
}

/* FIPS 203 7.2: an encapsulation key with a coefficient of q or more. */
static void test_mlkem_modulus(void **state)
{
	const struct kex *kex = kex_find(36);
	uint8_t value[KEX_PUBLIC_MAX];

	(void)state;
	if (!kex)
		skip();
	memcpy(value, kat_hex(kat_entry(vectors, "mlkem768"), "public").at, sizeof(value));
	value[0] = 0xff;
	value[1] |= 0x0f;
	refuse_value(kex, value, sizeof(value));
}

/* Rows 25 and 3: numbers that nobody fetched are not found, whatever their value. */
static void test_cve_2016_3071_only_what_is_there(void **state)
{
	(void)state;
	for (unsigned int id = 0; id < 65536; id++) {
		const struct kex *kex = kex_find((uint16_t)id);
		bool known = false;

		for (size_t i = 0; i < 5; i++)
			known = known || groups[i] == id;
		if (!known)
			assert_null(kex);
		if (kex)
			assert_int_equal(kex->id, id);
		for (unsigned int bits = 0; bits < 65536; bits += bits < 300 ? 1 : 64) {
			bool good = (id == 20 && (bits == 128 || bits == 256)) || (id == 28 && bits == 0);

			if (!good)
				assert_null(cipher_find((uint16_t)id, (uint16_t)bits, 0));
			if (id != 12 || (bits != 128 && bits != 256))
				assert_null(cipher_find((uint16_t)id, (uint16_t)bits, 12));
		}
	}
	assert_null(cipher_find(20, 256, 12));
	assert_null(cipher_find(12, 256, 0));
	assert_null(cipher_find(12, 256, 2));
}

/* ---- ciphers ---- */

/* Every bit of every input matters, and a refused text is not given away. */
static void test_cipher_any_bit(void **state)
{
	static const uint16_t all[][3] = {
		{ 20, 256, 0 }, { 20, 128, 0 }, { 28, 0, 0 }, { 12, 256, 12 }, { 12, 128, 12 }
	};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		const struct cipher *cipher = cipher_find(all[i][0], all[i][1], all[i][2]);
		struct message {
			uint8_t aad[32], iv[16], text[32], icv[16], key[36], integ[32];
		} m, changed;
		struct view key = view_of(changed.key, cipher->key_len);
		struct view integ = view_of(changed.integ, cipher->integ_len);

		memset(&m, 0x3c, sizeof(m));
		changed = m;
		assert_int_equal(cipher_seal(cipher, changed.icv, changed.text, 32, key, integ, changed.iv,
					     VIEW_OF(changed.aad)),
				 0);
		m = changed;
		for (size_t bit = 0; bit < sizeof(m) * 8; bit++) {
			uint8_t out[32];
			size_t at = bit / 8;

			/* What this cipher does not use: the rest of its key, of its IV, and an AEAD's integrity key. */
			if (at >= offsetof(struct message, iv) + cipher->iv_len && at < offsetof(struct message, text))
				continue;
			if (at >= offsetof(struct message, key) + cipher->key_len &&
			    at < offsetof(struct message, integ) + (cipher->integ ? 0 : 32))
				continue;
			/* CBC's integrity does not cover its own key: a wrong key decrypts to something else. */
			if (cipher->integ && at >= offsetof(struct message, key) &&
			    at < offsetof(struct message, integ))
				continue;
			changed = m;
			((uint8_t *)&changed)[at] ^= (uint8_t)(1 << bit % 8);
			memset(out, 0xee, sizeof(out));
			assert_int_equal(cipher_open(cipher, out, VIEW_OF(changed.text), key, integ, changed.iv,
						     changed.icv, VIEW_OF(changed.aad)),
					 -EBADMSG);
			assert_true(is_zero(out, sizeof(out)));
		}
	}
}

static void test_cipher_arguments(void **state)
{
	const struct cipher *gcm = cipher_find(20, 256, 0), *cbc = cipher_find(12, 256, 12);
	uint8_t text[64] = { 0 }, icv[16], iv[16] = { 0 }, key[37] = { 0 };

	(void)state;
	for (size_t len = 0; len < sizeof(key); len++)
		if (len != 36)
			assert_int_equal(cipher_seal(gcm, icv, text, 32, view_of(key, len), VIEW_NONE, iv, VIEW_NONE),
					 -EINVAL);
	assert_int_equal(cipher_seal(gcm, icv, text, 32, view_of(key, 36), view_of(key, 32), iv, VIEW_NONE), -EINVAL);
	assert_int_equal(cipher_open(cbc, text, view_of(text, 31), view_of(key, 32), view_of(key, 32), iv, icv,
				     VIEW_NONE),
			 -EBADMSG);
	assert_int_equal(cipher_open(cbc, text, VIEW_NONE, view_of(key, 32), view_of(key, 32), iv, icv, VIEW_NONE),
			 -EBADMSG);
}

/* ---- signatures ---- */

static int verify(const struct signature *s, const uint8_t *auth, size_t len)
{
	return sign_verify(s->spki, SIGN_HASHES, view_of(auth, len), &part, 1);
}

/* Row 6: an empty signature, zeros, one octet, garbage: OpenSSL answers -1 to some, which is not "good". */
static void test_cve_2013_2944_no_signature(void **state)
{
	(void)state;
	for (size_t i = 0; i < OWN_KEYS; i++) {
		const struct signature *s = &signatures[i];
		size_t head = 1u + s->auth[0];
		uint8_t auth[SIGN_AUTH_MAX] = { 0 };

		assert_int_equal(verify(s, s->auth, s->len), 0);
		memcpy(auth, s->auth, head);
		for (size_t len = 0; len <= s->len + 8; len++)
			assert_int_equal(verify(s, auth, len), -EBADMSG);
		memset(auth + head, 0xa5, sizeof(auth) - head);
		assert_int_equal(verify(s, auth, s->len), -EBADMSG);
		assert_int_equal(verify(s, auth, head + 1), -EBADMSG);
		/* A DER SEQUENCE of r = s = 0, and of nothing. */
		memcpy(auth + head, "\x30\x06\x02\x01\x00\x02\x01\x00", 8);
		assert_int_equal(verify(s, auth, head + 8), -EBADMSG);
		memcpy(auth + head, "\x30\x00", 2);
		assert_int_equal(verify(s, auth, head + 2), -EBADMSG);
	}
}

/* Every cut, every bit (of the longer ones every seventh) and an octet too many. */
static void test_signature_changed(void **state)
{
	(void)state;
	for (size_t i = 0; i < OWN_KEYS; i++) {
		const struct signature *s = &signatures[i];
		uint8_t auth[SIGN_AUTH_MAX + 1];

		for (size_t len = 0; len < s->len; len++)
			assert_int_equal(verify(s, s->auth, len), -EBADMSG);
		memcpy(auth, s->auth, s->len);
		auth[s->len] = 0;
		assert_int_equal(verify(s, auth, s->len + 1), -EBADMSG);
		for (size_t bit = 0; bit<s->len * 8; bit += s->len> 80 ? 7 : 1) {
			memcpy(auth, s->auth, s->len);
			auth[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(verify(s, auth, s->len), -EBADMSG);
		}
	}
}

/* Row 7: the key that is pinned is of another kind than the one that signed, each pair; also another key of the same kind. */
static void test_cve_2020_16088_other_kind(void **state)
{
	static const char *const same_kind[] = { "ed25519", "ecdsa256", "ecdsa384", "rsa-pss" };

	(void)state;
	for (size_t i = 0; i < OWN_KEYS; i++) {
		for (size_t j = 0; j < OWN_KEYS; j++)
			if (i != j)
				assert_int_equal(sign_verify(signatures[j].spki, SIGN_HASHES,
							     view_of(signatures[i].auth, signatures[i].len), &part, 1),
						 -EBADMSG);
		if (view_equal(kat_hex(kat_entry(vectors, same_kind[i]), "spki"), signatures[i].spki))
			continue; /* the RSA vector was made with our own key */
		assert_int_equal(sign_verify(kat_hex(kat_entry(vectors, same_kind[i]), "spki"), SIGN_HASHES,
					     view_of(signatures[i].auth, signatures[i].len), &part, 1),
				 -EBADMSG);
	}
}

static int verify_blob(const struct signature *s, const uint8_t *blob, size_t blob_len);

/* Row 7 turned round: a good signature by the right key, under the identifier of another kind. OpenSSL would fall back to that key's own default. */
static void test_cve_2020_16088_other_identifier(void **state)
{
	(void)state;
	for (size_t i = 0; i < OWN_KEYS; i++)
		for (size_t j = 0; j < OWN_KEYS; j++)
			assert_int_equal(verify_blob(&signatures[i], signatures[j].auth + 1, signatures[j].auth[0]),
					 i == j ? 0 : -EBADMSG);
}

static int verify_blob(const struct signature *s, const uint8_t *blob, size_t blob_len)
{
	uint8_t auth[SIGN_AUTH_MAX + 256];
	size_t head = 1u + s->auth[0];

	auth[0] = (uint8_t)blob_len;
	memcpy(auth + 1, blob, blob_len);
	memcpy(auth + 1 + blob_len, s->auth + head, s->len - head);
	return verify(s, auth, 1 + blob_len + s->len - head);
}

/* Rows 8 and 9: PKCS#1 v1.5 has no identifier here, with any hash; nor has SHA-1, nor a bare ECDSA with it. */
static void test_cve_2018_16151_no_pkcs1(void **state)
{
	uint8_t pkcs1[] = { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x00, 0x05, 0x00 };
	const uint8_t ecdsa_sha1[] = { 0x30, 0x09, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01 };
	const uint8_t pss_default[] = { 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
					0xf7, 0x0d, 0x01, 0x01, 0x0a, 0x30, 0x00 };

	(void)state;
	for (unsigned int last = 0; last < 256; last++) {
		pkcs1[12] = (uint8_t)last;
		for (size_t i = 0; i < OWN_KEYS; i++)
			assert_int_equal(verify_blob(&signatures[i], pkcs1, sizeof(pkcs1)), -EBADMSG);
	}
	assert_int_equal(verify_blob(&signatures[1], ecdsa_sha1, sizeof(ecdsa_sha1)), -EBADMSG);
	assert_int_equal(verify_blob(&signatures[3], pss_default, sizeof(pss_default)), -EBADMSG);
	assert_int_equal(verify_blob(&signatures[3], pss_default, 0), -EBADMSG);
}

/* Row 9: a truncated digest. What is signed is the hash of the octets, so a shorter or longer message never verifies. */
static void test_cve_2026_50721_short_hash(void **state)
{
	(void)state;
	for (size_t i = 0; i < OWN_KEYS; i++)
		for (size_t len = 0; len < part.len; len++) {
			const struct view less = view_of(part.at, len);

			assert_int_equal(sign_verify(signatures[i].spki, SIGN_HASHES,
						     view_of(signatures[i].auth, signatures[i].len), &less, 1),
					 -EBADMSG);
		}
}

/* Rows 13 and 14: PSS without MGF's hash, with another one, with salts from 0 to 2^64-1: only the table's octets pass. */
static void test_cve_2018_6459_pss_parameters(void **state)
{
	const struct signature *s = &signatures[3];
	uint8_t blob[128];
	size_t len = s->auth[0];

	(void)state;
	memcpy(blob, s->auth + 1, len);
	assert_int_equal(verify_blob(s, blob, len), 0);
	for (size_t at = 0; at < len; at++)
		for (unsigned int value = 0; value < 256; value++) {
			memcpy(blob, s->auth + 1, len);
			if (blob[at] == value)
				continue;
			blob[at] = (uint8_t)value;
			assert_int_equal(verify_blob(s, blob, len), -EBADMSG);
		}
	/* Without MGF: SEQUENCE { hash, salt }. */
	assert_int_equal(verify_blob(s,
				     (const uint8_t *)"\x30\x23\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x30\x16"
						      "\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01"
						      "\x05\x00\xa2\x03\x02\x01\x20",
				     37),
			 -EBADMSG);
}

static void test_cve_2021_41990_salt_length(void **state)
{
	static const char *const salts[] = {
		"a203020100",	      "a20602047fffffff",	  "a2060204ffffffff",
		"a207020500ffffffff", "a20a0208ffffffffffffffff", "a20b020900ffffffffffffffff"
	};
	const struct signature *s = &signatures[3];

	(void)state;
	for (size_t i = 0; i < sizeof(salts) / sizeof(salts[0]); i++) {
		json_t *object = json_pack("{s:s}", "salt", salts[i]);
		struct view salt = kat_hex(object, "salt");
		size_t keep = s->auth[0] - 5u; /* the salt is the last element */
		uint8_t blob[128];

		memcpy(blob, s->auth + 1, keep);
		memcpy(blob + keep, salt.at, salt.len);
		blob[1] = (uint8_t)(blob[1] + salt.len - 5);
		blob[14] = (uint8_t)(blob[14] + salt.len - 5);
		assert_int_equal(verify_blob(s, blob, keep + salt.len), -EBADMSG);
		json_decref(object);
	}
}

/* Row 12: 0, 1, n - 1, n, n + 1 as RSA signatures, and wrong lengths of them. */
static void test_cve_2017_11185_rsa_values(void **state)
{
	const struct signature *s = &signatures[3];
	size_t head = 1u + s->auth[0];
	const uint8_t *modulus = s->spki.at + 33;

	(void)state;
	assert_int_equal(modulus[-1], 0); /* the INTEGER's sign octet */
	for (int delta = -1; delta <= 1; delta++)
		for (int around_modulus = 0; around_modulus < 2; around_modulus++) {
			uint8_t auth[SIGN_AUTH_MAX] = { 0 };

			memcpy(auth, s->auth, head);
			if (around_modulus)
				memcpy(auth + head, modulus, 256);
			/* n is odd, so neither step carries; 0 - 1 gives an octet of ones, which is as wrong. */
			auth[head + 255] = (uint8_t)(auth[head + 255] + delta);
			for (size_t len = 0; len <= 260; len++)
				assert_int_equal(verify(s, auth, head + len), -EBADMSG);
		}
}

/* Wrong hash masks, wrong lengths of the identifier. */
static void test_auth_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < OWN_KEYS; i++) {
		const struct signature *s = &signatures[i];
		uint8_t auth[SIGN_AUTH_MAX];

		for (unsigned int first = 0; first < 256; first++) {
			if (first == s->auth[0])
				continue;
			memcpy(auth, s->auth, s->len);
			auth[0] = (uint8_t)first;
			assert_int_equal(verify(s, auth, s->len), -EBADMSG);
		}
		assert_int_equal(sign_verify(s->spki, 0, view_of(s->auth, s->len), &part, 1), -EBADMSG);
		assert_int_equal(sign_verify(s->spki, 1u << 1, view_of(s->auth, s->len), &part, 1), -EBADMSG);
		assert_int_equal(sign_verify(VIEW_NONE, SIGN_HASHES, view_of(s->auth, s->len), &part, 1), -EBADMSG);
		assert_int_equal(sign_verify(s->spki, SIGN_HASHES, VIEW_NONE, &part, 1), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cve_2015_3240_modp_range),
		cmocka_unit_test(test_cve_2015_3240_low_order),
		cmocka_unit_test(test_x25519_non_canonical),
		cmocka_unit_test(test_ec_points),
		cmocka_unit_test(test_cve_2023_41913_lengths),
		cmocka_unit_test(test_mlkem_modulus),
		cmocka_unit_test(test_cve_2016_3071_only_what_is_there),
		cmocka_unit_test(test_cipher_any_bit),
		cmocka_unit_test(test_cipher_arguments),
		cmocka_unit_test(test_cve_2013_2944_no_signature),
		cmocka_unit_test(test_signature_changed),
		cmocka_unit_test(test_cve_2020_16088_other_kind),
		cmocka_unit_test(test_cve_2020_16088_other_identifier),
		cmocka_unit_test(test_cve_2018_16151_no_pkcs1),
		cmocka_unit_test(test_cve_2026_50721_short_hash),
		cmocka_unit_test(test_cve_2018_6459_pss_parameters),
		cmocka_unit_test(test_cve_2021_41990_salt_length),
		cmocka_unit_test(test_cve_2017_11185_rsa_values),
		cmocka_unit_test(test_auth_form),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
