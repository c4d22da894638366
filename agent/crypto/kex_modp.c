// SPDX-License-Identifier: Apache-2.0
/*
 * The 2048-bit MODP group (RFC 3526 3), for interoperation. Values have the modulus' length, leading zeros kept (RFC 7296 2.14, 3.4). The peer's must be
 * in 1 < y < p-1 (RFC 6989 2.1); p is a safe prime, so that leaves nothing of small order. Exponents have 320 bits, the highest one
 * set, and are used in constant time.
 */
#include "crypto/internal.h"

#define LEN 256

static BIGNUM *prime, *last, *generator; /* last = p - 1 */
static BN_MONT_CTX *mont;

static BIGNUM *exponent_of(const struct kex *kex, const struct kex_private *mine)
{
	OWN_BN BIGNUM *exponent = BN_new();

	if (!exponent || BN_bin2bn(mine->random, (int)kex->random_len, exponent) == NULL ||
	    BN_set_bit(exponent, (int)kex->random_len * 8 - 1) != 1)
		return NULL;
	BN_set_flags(exponent, BN_FLG_CONSTTIME);
	return TAKE(exponent);
}

/* out = base ^ exponent mod p. */
static int power(uint8_t *out, const BIGNUM *base, const struct kex *kex, const struct kex_private *mine)
{
	OWN_BN_CTX BN_CTX *ctx = BN_CTX_new();
	OWN_BN BIGNUM *exponent = exponent_of(kex, mine);
	OWN_BN BIGNUM *result = BN_new();

	if (!ctx || !exponent || !result)
		return lib_fail(-ENOMEM);
	if (BN_mod_exp_mont_consttime(result, base, exponent, prime, ctx, mont) != 1 ||
	    BN_bn2binpad(result, out, LEN) != LEN)
		return lib_fail(-EIO);
	return 0;
}

static int start(const struct kex *kex, uint8_t *value, const struct kex_private *mine)
{
	return power(value, generator, kex, mine);
}

static int finish(const struct kex *kex, uint8_t *shared, struct view theirs, const struct kex_private *mine)
{
	OWN_BN BIGNUM *y = BN_bin2bn(theirs.at, LEN, NULL);

	if (!y)
		return lib_fail(-ENOMEM);
	if (BN_cmp(y, BN_value_one()) <= 0 || BN_cmp(y, last) >= 0)
		return -EBADMSG;
	return power(shared, y, kex, mine);
}

static int respond(const struct kex *kex, uint8_t *value, uint8_t *shared, struct view theirs,
		   const struct kex_private *mine)
{
	int rc = finish(kex, shared, theirs, mine);

	return rc ? rc : start(kex, value, mine);
}

const struct kex_impl kex_modp2048 = { .start = start, .respond = respond, .finish = finish };

int kex_modp2048_open(void)
{
	OWN_BN_CTX BN_CTX *ctx = BN_CTX_new();

	prime = BN_get_rfc3526_prime_2048(NULL);
	last = prime ? BN_dup(prime) : NULL;
	generator = BN_new();
	mont = BN_MONT_CTX_new();
	if (!ctx || !last || !generator || !mont)
		return lib_fail(-ENOMEM);
	if (BN_sub_word(last, 1) != 1 || BN_set_word(generator, 2) != 1 || BN_MONT_CTX_set(mont, prime, ctx) != 1)
		return lib_fail(-EIO);
	return 0;
}

void kex_modp2048_close(void)
{
	BN_free(prime);
	BN_free(last);
	BN_free(generator);
	BN_MONT_CTX_free(mont);
	prime = last = generator = NULL;
	mont = NULL;
}
