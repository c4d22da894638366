// SPDX-License-Identifier: Apache-2.0
/*
 * P-256 and P-384 (RFC 5903): x|y without the octet 04, shared secret x alone. The curve's own multiplication is used, not EVP, which would build the group
 * anew for every key; with one scalar and one point it runs in constant time. The peer's point must lie on the curve (RFC 6989 2.3); infinity
 * cannot be written in this form.
 */
#include "crypto/internal.h"

#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#define COORDINATE_MAX 48

struct curve {
	int nid;
	size_t len;	 /* octets of a coordinate */
	EC_GROUP *group; /* NULL: missing */
	BIGNUM *range;	 /* order - 1 */
};

static struct curve p256 = { .nid = NID_X9_62_prime256v1, .len = 32 };
static struct curve p384 = { .nid = NID_secp384r1, .len = 48 };

static struct curve *curve_of(const struct kex *kex)
{
	return kex->id == 19 ? &p256 : &p384;
}

static void own_point_clear_free(EC_POINT **point)
{
	EC_POINT_clear_free(*point);
}

#define OWN_POINT OWN(own_point_clear_free)

/* d = (octets mod (n - 1)) + 1: in 1 .. n-1, as good as uniform since there are 128 bits more than n has. */
static BIGNUM *scalar_of(const struct curve *curve, const struct kex_private *mine, size_t len, BN_CTX *ctx)
{
	OWN_BN BIGNUM *wide = BN_new();
	OWN_BN BIGNUM *scalar = BN_new();

	if (!wide || !scalar)
		return NULL;
	BN_set_flags(wide, BN_FLG_CONSTTIME);
	BN_set_flags(scalar, BN_FLG_CONSTTIME);
	if (BN_bin2bn(mine->random, (int)len, wide) == NULL || BN_mod(scalar, wide, curve->range, ctx) != 1 ||
	    BN_add_word(scalar, 1) != 1)
		return NULL;
	return TAKE(scalar);
}

static int write_point(uint8_t *value, const struct curve *curve, const EC_POINT *point, BN_CTX *ctx)
{
	uint8_t octets[1 + 2 * COORDINATE_MAX];
	size_t len = 1 + 2 * curve->len;

	if (EC_POINT_point2oct(curve->group, point, POINT_CONVERSION_UNCOMPRESSED, octets, len, ctx) != len)
		return lib_fail(-EIO);
	memcpy(value, octets + 1, len - 1);
	return 0;
}

static int make_public(uint8_t *value, const struct curve *curve, const BIGNUM *scalar, BN_CTX *ctx)
{
	OWN_POINT EC_POINT *point = EC_POINT_new(curve->group);

	if (!point)
		return lib_fail(-ENOMEM);
	if (EC_POINT_mul(curve->group, point, scalar, NULL, NULL, ctx) != 1)
		return lib_fail(-EIO);
	return write_point(value, curve, point, ctx);
}

static int derive(uint8_t *shared, const struct curve *curve, const BIGNUM *scalar, struct view theirs, BN_CTX *ctx)
{
	OWN_POINT EC_POINT *peer = EC_POINT_new(curve->group);
	OWN_POINT EC_POINT *point = EC_POINT_new(curve->group);
	OWN_BN BIGNUM *x = BN_new();
	uint8_t octets[1 + 2 * COORDINATE_MAX] = { POINT_CONVERSION_UNCOMPRESSED };

	if (!peer || !point || !x)
		return lib_fail(-ENOMEM);
	memcpy(octets + 1, theirs.at, 2 * curve->len);
	if (EC_POINT_oct2point(curve->group, peer, octets, 1 + 2 * curve->len, ctx) != 1 ||
	    EC_POINT_is_on_curve(curve->group, peer, ctx) != 1)
		return lib_fail(-EBADMSG);
	if (EC_POINT_mul(curve->group, point, NULL, peer, scalar, ctx) != 1 ||
	    EC_POINT_get_affine_coordinates(curve->group, point, x, NULL, ctx) != 1 ||
	    BN_bn2binpad(x, shared, (int)curve->len) != (int)curve->len)
		return lib_fail(-EIO);
	return 0;
}

static int start(const struct kex *kex, uint8_t *value, const struct kex_private *mine)
{
	const struct curve *curve = curve_of(kex);
	OWN_BN_CTX BN_CTX *ctx = BN_CTX_new();
	OWN_BN BIGNUM *scalar = ctx ? scalar_of(curve, mine, kex->random_len, ctx) : NULL;

	return scalar ? make_public(value, curve, scalar, ctx) : lib_fail(-ENOMEM);
}

static int finish(const struct kex *kex, uint8_t *shared, struct view theirs, const struct kex_private *mine)
{
	const struct curve *curve = curve_of(kex);
	OWN_BN_CTX BN_CTX *ctx = BN_CTX_new();
	OWN_BN BIGNUM *scalar = ctx ? scalar_of(curve, mine, kex->random_len, ctx) : NULL;

	return scalar ? derive(shared, curve, scalar, theirs, ctx) : lib_fail(-ENOMEM);
}

/* The peer's point is judged first: a bad one costs no multiplication of ours. */
static int respond(const struct kex *kex, uint8_t *value, uint8_t *shared, struct view theirs,
		   const struct kex_private *mine)
{
	int rc = finish(kex, shared, theirs, mine);

	return rc ? rc : start(kex, value, mine);
}

const struct kex_impl kex_p256 = { .start = start, .respond = respond, .finish = finish };
const struct kex_impl kex_p384 = { .start = start, .respond = respond, .finish = finish };

static int curve_open(struct curve *curve)
{
	curve->group = EC_GROUP_new_by_curve_name(curve->nid);
	if (!curve->group)
		return lib_fail(-ENOTSUP);
	curve->range = BN_dup(EC_GROUP_get0_order(curve->group));
	return curve->range && BN_sub_word(curve->range, 1) == 1 ? 0 : lib_fail(-ENOMEM);
}

static void curve_close(struct curve *curve)
{
	EC_GROUP_free(curve->group);
	BN_free(curve->range);
	curve->group = NULL;
	curve->range = NULL;
}

int kex_p256_open(void)
{
	return curve_open(&p256);
}

void kex_p256_close(void)
{
	curve_close(&p256);
}

int kex_p384_open(void)
{
	return curve_open(&p384);
}

void kex_p384_close(void)
{
	curve_close(&p384);
}
