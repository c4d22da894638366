// SPDX-License-Identifier: Apache-2.0
/*
 * A library that fails (CVE-2018-10811): every OpenSSL function that the crypto room calls is defined here again, in front of the library's, and fails once, at each call in turn. The
 * room must answer with an error, never with success or a half-filled output, and must work again at the next call. An algorithm that cannot be
 * fetched is not found (CVE-2016-3071); a bad signature stays bad whatever fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "crypto/internal.h"
#include "kat.h"

static unsigned int calls, fail_at; /* fail_at 0: never */
static unsigned int inside; /* the library: it jumps from one function into another without a trace of its own */
static const char *failed;  /* the function that did */

/* The linker's: where this program begins, and where its code ends. */
extern const char __executable_start, etext;

/* Only our own calls count; the library calls itself by these names too, and what it makes of that is its affair. */
static bool is_due(const char *name, const void *caller)
{
	if (inside || (const char *)caller < &__executable_start || (const char *)caller >= &etext ||
	    ++calls != fail_at)
		return false;
	failed = name;
	return true;
}

/* The real function is the next one of that name in the order of loading. */
#define FAULT(type, bad, name, params, args)                            \
	type name params                                                \
	{                                                               \
		static type(*real) params;                              \
		type result;                                            \
		if (!real)                                              \
			real = (type(*) params)dlsym(RTLD_NEXT, #name); \
		if (is_due(#name, __builtin_return_address(0)))         \
			return bad;                                     \
		inside++;                                               \
		result = real args;                                     \
		inside--;                                               \
		return result;                                          \
	}

typedef const OSSL_PARAM PARAMS;

FAULT(BN_CTX *, NULL, BN_CTX_new, (void), ())
FAULT(BN_MONT_CTX *, NULL, BN_MONT_CTX_new, (void), ())
FAULT(int, -1, BN_MONT_CTX_set, (BN_MONT_CTX * a, const BIGNUM *b, BN_CTX *c), (a, b, c))
FAULT(int, -1, BN_add_word, (BIGNUM * a, BN_ULONG b), (a, b))
FAULT(int, -1, BN_sub_word, (BIGNUM * a, BN_ULONG b), (a, b))
FAULT(int, -1, BN_set_word, (BIGNUM * a, BN_ULONG b), (a, b))
FAULT(int, -1, BN_set_bit, (BIGNUM * a, int b), (a, b))
FAULT(BIGNUM *, NULL, BN_bin2bn, (const unsigned char *a, int b, BIGNUM *c), (a, b, c))
FAULT(int, -1, BN_bn2binpad, (const BIGNUM *a, unsigned char *b, int c), (a, b, c))
FAULT(int, -1, BN_div, (BIGNUM * a, BIGNUM *b, const BIGNUM *c, const BIGNUM *d, BN_CTX *e), (a, b, c, d, e))
FAULT(BIGNUM *, NULL, BN_dup, (const BIGNUM *a), (a))
FAULT(BIGNUM *, NULL, BN_new, (void), ())
FAULT(BIGNUM *, NULL, BN_get_rfc3526_prime_2048, (BIGNUM * a), (a))
FAULT(int, -1, BN_mod_exp_mont_consttime,
      (BIGNUM * a, const BIGNUM *b, const BIGNUM *c, const BIGNUM *d, BN_CTX *e, BN_MONT_CTX *f), (a, b, c, d, e, f))
FAULT(void *, NULL, CRYPTO_malloc, (size_t a, const char *b, int c), (a, b, c))
FAULT(void *, NULL, CRYPTO_zalloc, (size_t a, const char *b, int c), (a, b, c))
FAULT(EC_GROUP *, NULL, EC_GROUP_new_by_curve_name, (int a), (a))
FAULT(const BIGNUM *, NULL, EC_GROUP_get0_order, (const EC_GROUP *a), (a))
FAULT(EC_POINT *, NULL, EC_POINT_new, (const EC_GROUP *a), (a))
FAULT(int, -1, EC_POINT_get_affine_coordinates, (const EC_GROUP *a, const EC_POINT *b, BIGNUM *c, BIGNUM *d, BN_CTX *e),
      (a, b, c, d, e))
FAULT(int, -1, EC_POINT_is_on_curve, (const EC_GROUP *a, const EC_POINT *b, BN_CTX *c), (a, b, c))
FAULT(int, -1, EC_POINT_mul,
      (const EC_GROUP *a, EC_POINT *b, const BIGNUM *c, const EC_POINT *d, const BIGNUM *e, BN_CTX *f),
      (a, b, c, d, e, f))
FAULT(int, -1, EC_POINT_oct2point, (const EC_GROUP *a, EC_POINT *b, const unsigned char *c, size_t d, BN_CTX *e),
      (a, b, c, d, e))
FAULT(size_t, 0, EC_POINT_point2oct,
      (const EC_GROUP *a, const EC_POINT *b, point_conversion_form_t c, unsigned char *d, size_t e, BN_CTX *f),
      (a, b, c, d, e, f))
FAULT(EVP_CIPHER_CTX *, NULL, EVP_CIPHER_CTX_new, (void), ())
FAULT(int, -1, EVP_CIPHER_CTX_ctrl, (EVP_CIPHER_CTX * a, int b, int c, void *d), (a, b, c, d))
FAULT(int, -1, EVP_CIPHER_CTX_reset, (EVP_CIPHER_CTX * a), (a))
FAULT(int, -1, EVP_CIPHER_CTX_set_padding, (EVP_CIPHER_CTX * a, int b), (a, b))
FAULT(EVP_CIPHER *, NULL, EVP_CIPHER_fetch, (OSSL_LIB_CTX * a, const char *b, const char *c), (a, b, c))
FAULT(int, -1, EVP_EncryptInit_ex2,
      (EVP_CIPHER_CTX * a, const EVP_CIPHER *b, const unsigned char *c, const unsigned char *d, PARAMS e[]),
      (a, b, c, d, e))
FAULT(int, -1, EVP_DecryptInit_ex2,
      (EVP_CIPHER_CTX * a, const EVP_CIPHER *b, const unsigned char *c, const unsigned char *d, PARAMS e[]),
      (a, b, c, d, e))
FAULT(int, -1, EVP_EncryptUpdate, (EVP_CIPHER_CTX * a, unsigned char *b, int *c, const unsigned char *d, int e),
      (a, b, c, d, e))
FAULT(int, -1, EVP_DecryptUpdate, (EVP_CIPHER_CTX * a, unsigned char *b, int *c, const unsigned char *d, int e),
      (a, b, c, d, e))
FAULT(int, -1, EVP_EncryptFinal_ex, (EVP_CIPHER_CTX * a, unsigned char *b, int *c), (a, b, c))
FAULT(int, -1, EVP_DecryptFinal_ex, (EVP_CIPHER_CTX * a, unsigned char *b, int *c), (a, b, c))
FAULT(EVP_MD *, NULL, EVP_MD_fetch, (OSSL_LIB_CTX * a, const char *b, const char *c), (a, b, c))
FAULT(EVP_MD_CTX *, NULL, EVP_MD_CTX_new, (void), ())
FAULT(int, -1, EVP_MD_CTX_copy_ex, (EVP_MD_CTX * a, const EVP_MD_CTX *b), (a, b))
FAULT(int, -1, EVP_DigestInit_ex2, (EVP_MD_CTX * a, const EVP_MD *b, PARAMS c[]), (a, b, c))
FAULT(int, -1, EVP_DigestUpdate, (EVP_MD_CTX * a, const void *b, size_t c), (a, b, c))
FAULT(int, -1, EVP_DigestFinal_ex, (EVP_MD_CTX * a, unsigned char *b, unsigned int *c), (a, b, c))
FAULT(int, -1, EVP_DigestSign, (EVP_MD_CTX * a, unsigned char *b, size_t *c, const unsigned char *d, size_t e),
      (a, b, c, d, e))
FAULT(int, -1, EVP_DigestSignInit_ex,
      (EVP_MD_CTX * a, EVP_PKEY_CTX **b, const char *c, OSSL_LIB_CTX *d, const char *e, EVP_PKEY *f, PARAMS g[]),
      (a, b, c, d, e, f, g))
FAULT(int, -1, EVP_DigestVerify, (EVP_MD_CTX * a, const unsigned char *b, size_t c, const unsigned char *d, size_t e),
      (a, b, c, d, e))
FAULT(int, -1, EVP_DigestVerifyInit_ex,
      (EVP_MD_CTX * a, EVP_PKEY_CTX **b, const char *c, OSSL_LIB_CTX *d, const char *e, EVP_PKEY *f, PARAMS g[]),
      (a, b, c, d, e, f, g))
FAULT(EVP_KEM *, NULL, EVP_KEM_fetch, (OSSL_LIB_CTX * a, const char *b, const char *c), (a, b, c))
FAULT(EVP_PKEY_CTX *, NULL, EVP_PKEY_CTX_new_from_name, (OSSL_LIB_CTX * a, const char *b, const char *c), (a, b, c))
FAULT(EVP_PKEY_CTX *, NULL, EVP_PKEY_CTX_new_from_pkey, (OSSL_LIB_CTX * a, EVP_PKEY *b, const char *c), (a, b, c))
FAULT(int, -2, EVP_PKEY_CTX_set_rsa_mgf1_md_name, (EVP_PKEY_CTX * a, const char *b, const char *c), (a, b, c))
FAULT(int, -2, EVP_PKEY_CTX_set_rsa_padding, (EVP_PKEY_CTX * a, int b), (a, b))
FAULT(int, -2, EVP_PKEY_CTX_set_rsa_pss_saltlen, (EVP_PKEY_CTX * a, int b), (a, b))
FAULT(int, -1, EVP_PKEY_derive, (EVP_PKEY_CTX * a, unsigned char *b, size_t *c), (a, b, c))
FAULT(int, -2, EVP_PKEY_derive_init, (EVP_PKEY_CTX * a), (a))
FAULT(int, -1, EVP_PKEY_derive_set_peer_ex, (EVP_PKEY_CTX * a, EVP_PKEY *b, int c), (a, b, c))
FAULT(int, -2, EVP_PKEY_encapsulate_init, (EVP_PKEY_CTX * a, PARAMS b[]), (a, b))
FAULT(int, -2, EVP_PKEY_encapsulate, (EVP_PKEY_CTX * a, unsigned char *b, size_t *c, unsigned char *d, size_t *e),
      (a, b, c, d, e))
FAULT(int, -2, EVP_PKEY_decapsulate_init, (EVP_PKEY_CTX * a, PARAMS b[]), (a, b))
FAULT(int, -2, EVP_PKEY_decapsulate, (EVP_PKEY_CTX * a, unsigned char *b, size_t *c, const unsigned char *d, size_t e),
      (a, b, c, d, e))
FAULT(int, -2, EVP_PKEY_fromdata_init, (EVP_PKEY_CTX * a), (a))
FAULT(int, -1, EVP_PKEY_fromdata, (EVP_PKEY_CTX * a, EVP_PKEY **b, int c, OSSL_PARAM d[]), (a, b, c, d))
FAULT(int, -1, EVP_PKEY_get_bn_param, (const EVP_PKEY *a, const char *b, BIGNUM **c), (a, b, c))
FAULT(int, -1, EVP_PKEY_get_group_name, (const EVP_PKEY *a, char *b, size_t c, size_t *d), (a, b, c, d))
FAULT(int, -1, EVP_PKEY_get_octet_string_param,
      (const EVP_PKEY *a, const char *b, unsigned char *c, size_t d, size_t *e), (a, b, c, d, e))
FAULT(int, -1, EVP_PKEY_get_raw_public_key, (const EVP_PKEY *a, unsigned char *b, size_t *c), (a, b, c))
FAULT(int, -1, EVP_PKEY_get_size, (const EVP_PKEY *a), (a))
FAULT(int, -1, EVP_PKEY_is_a, (const EVP_PKEY *a, const char *b), (a, b))
FAULT(EVP_PKEY *, NULL, EVP_PKEY_new_raw_public_key_ex,
      (OSSL_LIB_CTX * a, const char *b, const char *c, const unsigned char *d, size_t e), (a, b, c, d, e))
FAULT(OSSL_DECODER_CTX *, NULL, OSSL_DECODER_CTX_new_for_pkey,
      (EVP_PKEY * *a, const char *b, const char *c, const char *d, int e, OSSL_LIB_CTX *f, const char *g),
      (a, b, c, d, e, f, g))
FAULT(int, -1, OSSL_DECODER_CTX_set_passphrase_cb, (OSSL_DECODER_CTX * a, OSSL_PASSPHRASE_CALLBACK *b, void *c),
      (a, b, c))
FAULT(int, -1, OSSL_DECODER_from_data, (OSSL_DECODER_CTX * a, const unsigned char **b, size_t *c), (a, b, c))
FAULT(OSSL_PARAM_BLD *, NULL, OSSL_PARAM_BLD_new, (void), ())
FAULT(int, -1, OSSL_PARAM_BLD_push_BN, (OSSL_PARAM_BLD * a, const char *b, const BIGNUM *c), (a, b, c))
FAULT(OSSL_PARAM *, NULL, OSSL_PARAM_BLD_to_param, (OSSL_PARAM_BLD * a), (a))

static json_t *vectors;
static uint8_t out[2048], out2[2048], expect[2048], expect2[2048];

/* One operation of the room. It fills `out` and `out2`; after a failure they hold what they held, or zeros. */
struct op {
	int (*run)(void);
	size_t len, len2; /* octets of the outputs */
	bool differs;	  /* a signature: each is another */
};

static void arm(unsigned int at)
{
	calls = 0;
	fail_at = at;
	failed = NULL;
}

static int run(const struct op *op, unsigned int at, const char **hit)
{
	int rc;

	memset(out, 0xee, sizeof(out));
	memset(out2, 0xee, sizeof(out2));
	arm(at);
	rc = op->run();
	*hit = failed;
	arm(0);
	return rc;
}

static bool is_clean(const uint8_t *octets, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (octets[i] != 0xee && octets[i])
			return false;
	return true;
}

/* Fails each call in turn; in between the operation works and gives the same as ever. Gives the number of calls. */
static unsigned int fail_each(struct op op)
{
	const char *hit;

	assert_int_equal(run(&op, 0, &hit), 0);
	memcpy(expect, out, sizeof(out));
	memcpy(expect2, out2, sizeof(out2));
	for (unsigned int at = 1;; at++) {
		int rc = run(&op, at, &hit);

		if (!hit) {
			assert_int_equal(rc, 0);
			return at - 1;
		}
		/* A "no" to whether a key is of a kind that it is not changes nothing. */
		if (rc >= 0 && strcmp(hit, "EVP_PKEY_is_a") != 0)
			fail_msg("%s failed at call %u, and the answer is %d", hit, at, rc);
		if (!is_clean(out, op.len) || !is_clean(out2, op.len2))
			fail_msg("%s failed at call %u and left octets behind", hit, at);
		assert_int_equal(run(&op, 0, &hit), 0);
		if (op.differs)
			continue;
		assert_memory_equal(out, expect, op.len);
		assert_memory_equal(out2, expect2, op.len2);
	}
}

static const struct view message = { (const uint8_t *)"some octets", 11 };
static const struct prf *prf;
static const struct cipher *cipher;
static const struct kex *kex;
static struct sign_key *key;
static const uint8_t secret[64] = { 1, 2, 3, 4 };
static uint8_t sealed[64], icv[16], peer_value[KEX_PUBLIC_MAX], auth[SIGN_AUTH_MAX];
static size_t auth_len;
static struct view key_text;

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
	crypto_clear();
	return 0;
}

static int run_sha1(void)
{
	return hash_sha1(out, &message, 1);
}

static int run_sha256(void)
{
	return hash_sha256(out, &message, 1);
}

static int run_prf(void)
{
	return prf_of(prf, out, VIEW_OF(secret), &message, 1);
}

/* A key longer than a block is hashed first. */
static int run_prf_long_key(void)
{
	static const uint8_t long_key[300] = { 9 };

	return prf_of(prf, out, VIEW_OF(long_key), &message, 1);
}

static int run_prf_plus(void)
{
	return prf_plus(prf, out, 3 * prf->out_len + 1, VIEW_OF(secret), &message, 1);
}

static void test_hash_and_prf(void **state)
{
	(void)state;
	assert_true(fail_each((struct op){ run_sha1, SHA1_LEN, 0, false }) >= 3);
	assert_true(fail_each((struct op){ run_sha256, SHA256_LEN, 0, false }) >= 3);
	for (uint16_t id = 5; id <= 7; id++) {
		prf = prf_find(id);
		assert_true(fail_each((struct op){ run_prf, prf->out_len, 0, false }) >= 6);
		assert_true(fail_each((struct op){ run_prf_long_key, prf->out_len, 0, false }) >= 9);
		assert_true(fail_each((struct op){ run_prf_plus, 3 * prf->out_len + 1, 0, false }) >= 20);
	}
}

static int run_seal(void)
{
	memset(out, 0, 32);
	return cipher_seal(cipher, out2, out, 32, view_of(secret, cipher->key_len), view_of(secret, cipher->integ_len),
			   secret, message);
}

static int run_open(void)
{
	return cipher_open(cipher, out, view_of(sealed, 32), view_of(secret, cipher->key_len),
			   view_of(secret, cipher->integ_len), secret, icv, message);
}

/* A tag that is wrong must not become right because something else went wrong too. */
static int run_open_wrong(void)
{
	uint8_t wrong[16];
	int rc;

	memcpy(wrong, icv, sizeof(wrong));
	wrong[3] ^= 4;
	rc = cipher_open(cipher, out, view_of(sealed, 32), view_of(secret, cipher->key_len),
			 view_of(secret, cipher->integ_len), secret, wrong, message);
	assert_int_not_equal(rc, 0);
	return failed ? rc : 0;
}

static void test_cipher(void **state)
{
	static const uint16_t all[][3] = {
		{ 20, 256, 0 }, { 20, 128, 0 }, { 28, 0, 0 }, { 12, 256, 12 }, { 12, 128, 12 }
	};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		cipher = cipher_find(all[i][0], all[i][1], all[i][2]);
		assert_int_equal(run_seal(), 0);
		memcpy(sealed, out, 32);
		memcpy(icv, out2, 16);
		assert_true(fail_each((struct op){ run_seal, 32, 16, false }) >= 5);
		assert_true(fail_each((struct op){ run_open, 32, 0, false }) >= 5);
		assert_true(fail_each((struct op){ run_open_wrong, 32, 0, false }) >= 5);
	}
}

static struct kex_private mine(uint8_t fill)
{
	struct kex_private octets;

	memset(&octets, fill, sizeof(octets));
	return octets;
}

static int run_start(void)
{
	const struct kex_private ours = mine(0x21);

	return kex_start(kex, out, &ours);
}

static int run_respond(void)
{
	const struct kex_private ours = mine(0x43);

	return kex_respond(kex, out, out2, view_of(peer_value, kex->start_len), &ours);
}

static int run_finish(void)
{
	const struct kex_private ours = mine(0x21);

	return kex_finish(kex, out, view_of(peer_value, kex->answer_len), &ours);
}

static void test_kex(void **state)
{
	static const uint16_t groups[] = { 31, 19, 20, 14, 36 };

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		kex = kex_find(groups[i]);
		if (!kex)
			continue;
		assert_int_equal(run_start(), 0);
		memcpy(peer_value, out, kex->start_len);
		assert_true(fail_each((struct op){ run_start, kex->start_len, 0, false }) >= 2);
		assert_true(fail_each((struct op){ run_respond, kex->answer_len, kex->shared_len, false }) >= 4);
		memcpy(peer_value, expect, kex->answer_len);
		assert_true(fail_each((struct op){ run_finish, kex->shared_len, 0, false }) >= 3);
	}
}

static int run_sign(void)
{
	size_t len = sizeof(out);

	return sign_auth(out, &len, key, SIGN_HASHES, &message, 1);
}

static int run_verify(void)
{
	return sign_verify(sign_key_spki(key), SIGN_HASHES, view_of(auth, auth_len), &message, 1);
}

static int run_verify_wrong(void)
{
	const struct view other = view_of("other octets", 12);
	int rc = sign_verify(sign_key_spki(key), SIGN_HASHES, view_of(auth, auth_len), &other, 1);

	assert_int_not_equal(rc, 0);
	return failed ? rc : 0;
}

static int run_spki(void)
{
	return spki_check(NULL, sign_key_spki(key));
}

static int run_parse(void)
{
	struct sign_key *parsed = NULL;
	struct err err = ERR_NONE;
	int rc = sign_key_parse(&parsed, key_text, "k", &err);

	if (rc) {
		assert_null(parsed);
		assert_true(err.text[0] != 0);
	}
	sign_key_free(parsed);
	return rc;
}

static void test_sign(void **state)
{
	static const char *const ids[] = { "key-ed", "key-p256", "key-p384", "key-rsa" };
	static uint8_t text[2048];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct err err = ERR_NONE;
		struct view hex = kat_hex(kat_entry(vectors, ids[i]), "pkcs8");

		memcpy(text, hex.at, hex.len);
		key_text = view_of(text, hex.len);
		assert_int_equal(sign_key_parse(&key, key_text, ids[i], &err), 0);
		auth_len = sizeof(auth);
		assert_int_equal(sign_auth(auth, &auth_len, key, SIGN_HASHES, &message, 1), 0);
		assert_true(fail_each((struct op){ run_sign, sizeof(out), 0, true }) >= 4);
		assert_true(fail_each((struct op){ run_verify, 0, 0, false }) >= 5);
		assert_true(fail_each((struct op){ run_verify_wrong, 0, 0, false }) >= 5);
		assert_true(fail_each((struct op){ run_spki, 0, 0, false }) >= 1);
		assert_true(fail_each((struct op){ run_parse, 0, 0, false }) >= 15);
		sign_key_free(key);
	}
}

static unsigned int found(void)
{
	static const uint16_t ciphers[][3] = {
		{ 20, 256, 0 }, { 20, 128, 0 }, { 28, 0, 0 }, { 12, 256, 12 }, { 12, 128, 12 }
	};
	static const uint16_t groups[] = { 31, 19, 20, 14, 36 };
	unsigned int count = 0;

	for (uint16_t id = 5; id <= 7; id++)
		count += prf_find(id) != NULL;
	for (size_t i = 0; i < 5; i++)
		count += cipher_find(ciphers[i][0], ciphers[i][1], ciphers[i][2]) != NULL;
	for (size_t i = 0; i < 5; i++)
		count += kex_find(groups[i]) != NULL;
	return count;
}

/* What the start calls and wants to fail: the self-test's wrong tags and signatures, and ML-KEM on a library without it. */
static bool is_expected_to_fail(const char *name)
{
	static const char *const names[] = { "EVP_KEM_fetch",	 "EVP_DecryptFinal_ex", "EVP_CIPHER_CTX_reset",
					     "EVP_DigestVerify", "EVP_PKEY_get_size",	"EVP_PKEY_fromdata" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

/*
 * The start itself: each fetch, each allocation and each step of the self-test fails once. Either the room does not open and says why, with nothing to be found; or it opens with less
 * to offer; never with everything, unless the call was of no consequence.
 */
static void test_cve_2018_10811_start(void **state)
{
	unsigned int all = found(), less = 0, refused = 0;

	(void)state;
	for (unsigned int at = 1;; at++) {
		struct err err = ERR_NONE;
		const char *hit;
		int rc;

		crypto_clear();
		arm(at);
		rc = crypto_init(&err);
		hit = failed;
		arm(0);
		if (!hit) {
			assert_int_equal(rc, 0);
			break;
		}
		if (rc) {
			refused++;
			assert_true(err.text[0] != 0);
			assert_int_equal(found(), 0);
			assert_int_not_equal(hash_sha256(out, &message, 1), 0);
		} else {
			less++;
			if (found() >= all && !is_expected_to_fail(hit))
				fail_msg("%s failed at call %u, and everything is offered", hit, at);
		}
	}
	assert_int_equal(found(), all);
	assert_true(less >= 10);
	assert_true(refused >= 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash_and_prf),
		cmocka_unit_test(test_cipher),
		cmocka_unit_test(test_kex),
		cmocka_unit_test(test_sign),
		cmocka_unit_test(test_cve_2018_10811_start),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
