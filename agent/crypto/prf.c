// SPDX-License-Identifier: Apache-2.0
/*
 * HMAC as a pseudo-random function (RFC 4868 2.4) and prf+ (RFC 7296 2.13). HMAC is put together here from two plain
 * digests (RFC 2104 2): in OpenSSL 3 that takes half the time of EVP_MAC with a new key, and a key is new for nearly
 * every call. prf+ keeps the two padded keys hashed and copies them for each block. No context keeps a key after a call.
 */
#include "crypto/internal.h"

#define BLOCK_MAX 128 /* SHA2-512 */

struct hmac {
	const char *digest; /* OpenSSL's name */
	size_t block;	    /* octets */
	EVP_MD *md;	    /* NULL: missing */
	EVP_MD_CTX *work, *inner, *outer;
};

static struct hmac hmacs[] = {
	{ .digest = "SHA2-256", .block = 64 },
	{ .digest = "SHA2-384", .block = 128 },
	{ .digest = "SHA2-512", .block = 128 },
};

static const struct prf prfs[] = {
	{ .id = 5, .name = "HMAC-SHA2-256", .key_len = 32, .out_len = 32, .impl = &hmacs[0] },
	{ .id = 6, .name = "HMAC-SHA2-384", .key_len = 48, .out_len = 48, .impl = &hmacs[1] },
	{ .id = 7, .name = "HMAC-SHA2-512", .key_len = 64, .out_len = 64, .impl = &hmacs[2] },
};

#define PRFS (sizeof(prfs) / sizeof(prfs[0]))

const struct prf *prf_find(uint16_t id)
{
	for (size_t i = 0; i < PRFS; i++)
		if (prfs[i].id == id && hmacs[i].md)
			return &prfs[i];
	return NULL;
}

/* The impl of a const struct prf is one of our own `hmacs`, whose contexts change with use. */
static struct hmac *hmac_of(const struct prf *prf)
{
	return (struct hmac *)prf->impl;
}

static int absorb(EVP_MD_CTX *ctx, const struct view *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (parts[i].len && EVP_DigestUpdate(ctx, parts[i].at, parts[i].len) != 1)
			return lib_fail(-EIO);
	return 0;
}

/* out = digest(parts), or digest(pad | parts). The context is left with its starting value, not with a state of a key. */
static int digest(const struct hmac *hmac, uint8_t *out, const uint8_t *pad, const struct view *parts, size_t count)
{
	int rc;

	if (EVP_DigestInit_ex2(hmac->work, hmac->md, NULL) != 1)
		return lib_fail(-EIO);
	if (pad && EVP_DigestUpdate(hmac->work, pad, hmac->block) != 1)
		return lib_fail(-EIO);
	rc = absorb(hmac->work, parts, count);
	if (rc)
		return rc;
	return EVP_DigestFinal_ex(hmac->work, out, NULL) == 1 ? 0 : lib_fail(-EIO);
}

/* The two pads of RFC 2104 2. A key longer than a block is replaced by its digest. */
struct pads {
	uint8_t inner[BLOCK_MAX], outer[BLOCK_MAX];
};

static void pads_wipe(struct pads *pads)
{
	secret_wipe(pads, sizeof(*pads));
}

static int pads_make(struct pads *pads, const struct hmac *hmac, struct view key)
{
	memset(pads->inner, 0, sizeof(pads->inner));
	if (key.len > hmac->block) {
		int rc = digest(hmac, pads->inner, NULL, &key, 1);

		if (rc)
			return rc;
	} else if (key.len) {
		memcpy(pads->inner, key.at, key.len);
	}
	for (size_t i = 0; i < hmac->block; i++) {
		pads->outer[i] = pads->inner[i] ^ 0x5c;
		pads->inner[i] ^= 0x36;
	}
	return 0;
}

int prf_of(const struct prf *prf, uint8_t *out, struct view key, const struct view *parts, size_t count)
{
	const struct hmac *hmac = hmac_of(prf);
	OWN(pads_wipe) struct pads pads;
	uint8_t mid[PRF_LEN_MAX], result[PRF_LEN_MAX];
	struct view again = view_of(mid, prf->out_len);
	int rc = hmac->md ? pads_make(&pads, hmac, key) : -ENOTSUP;

	if (!rc)
		rc = digest(hmac, mid, pads.inner, parts, count);
	if (!rc)
		rc = digest(hmac, result, pads.outer, &again, 1);
	if (!rc)
		memcpy(out, result, prf->out_len);
	secret_wipe(mid, sizeof(mid));
	secret_wipe(result, sizeof(result));
	return rc;
}

static int start(EVP_MD_CTX *ctx, const struct hmac *hmac, const uint8_t *pad)
{
	if (EVP_DigestInit_ex2(ctx, hmac->md, NULL) != 1 || EVP_DigestUpdate(ctx, pad, hmac->block) != 1)
		return lib_fail(-EIO);
	return 0;
}

/* One block: T(n) = prf(K, T(n-1) | S | n), from the contexts that hold K's pads. */
static int block(const struct hmac *hmac, uint8_t *out, struct view previous, const struct view *seed, size_t count,
		 uint8_t number, size_t out_len)
{
	const struct view last = view_of(&number, 1);
	uint8_t mid[PRF_LEN_MAX];
	int rc;

	if (EVP_MD_CTX_copy_ex(hmac->work, hmac->inner) != 1)
		return lib_fail(-EIO);
	rc = absorb(hmac->work, &previous, 1);
	if (!rc)
		rc = absorb(hmac->work, seed, count);
	if (!rc)
		rc = absorb(hmac->work, &last, 1);
	if (rc)
		return rc;
	if (EVP_DigestFinal_ex(hmac->work, mid, NULL) != 1 || EVP_MD_CTX_copy_ex(hmac->work, hmac->outer) != 1 ||
	    EVP_DigestUpdate(hmac->work, mid, out_len) != 1 || EVP_DigestFinal_ex(hmac->work, out, NULL) != 1)
		rc = lib_fail(-EIO);
	secret_wipe(mid, sizeof(mid));
	return rc;
}

static int expand(const struct prf *prf, uint8_t *out, size_t len, const struct view *seed, size_t count)
{
	uint8_t t[PRF_LEN_MAX];
	struct view previous = VIEW_NONE;
	uint8_t number = 0;
	int rc = 0;

	for (size_t done = 0; done < len && !rc;) {
		size_t want = len - done < prf->out_len ? len - done : prf->out_len;

		rc = block(hmac_of(prf), t, previous, seed, count, ++number, prf->out_len);
		if (!rc)
			memcpy(out + done, t, want);
		previous = view_of(t, prf->out_len);
		done += want;
	}
	secret_wipe(t, sizeof(t));
	return rc;
}

int prf_plus(const struct prf *prf, uint8_t *out, size_t len, struct view key, const struct view *seed, size_t count)
{
	const struct hmac *hmac = hmac_of(prf);
	OWN(pads_wipe) struct pads pads;
	int rc;

	if (len > 255 * prf->out_len)
		return -EMSGSIZE;
	rc = hmac->md ? pads_make(&pads, hmac, key) : -ENOTSUP;
	if (!rc)
		rc = start(hmac->inner, hmac, pads.inner);
	if (!rc)
		rc = start(hmac->outer, hmac, pads.outer);
	if (!rc)
		rc = expand(prf, out, len, seed, count);
	if (rc)
		secret_wipe(out, len);
	/* A new start overwrites the state that the key was hashed into. */
	if (hmac->md && (EVP_DigestInit_ex2(hmac->inner, hmac->md, NULL) != 1 ||
			 EVP_DigestInit_ex2(hmac->outer, hmac->md, NULL) != 1))
		return rc ? rc : (secret_wipe(out, len), lib_fail(-EIO));
	return rc;
}

static void release(struct hmac *hmac)
{
	EVP_MD_CTX_free(hmac->work);
	EVP_MD_CTX_free(hmac->inner);
	EVP_MD_CTX_free(hmac->outer);
	EVP_MD_free(hmac->md);
	hmac->work = hmac->inner = hmac->outer = NULL;
	hmac->md = NULL;
}

int prf_init(struct err *err)
{
	size_t found = 0;

	for (size_t i = 0; i < PRFS; i++) {
		struct hmac *hmac = &hmacs[i];

		hmac->md = EVP_MD_fetch(NULL, hmac->digest, NULL);
		hmac->work = EVP_MD_CTX_new();
		hmac->inner = EVP_MD_CTX_new();
		hmac->outer = EVP_MD_CTX_new();
		if (hmac->md && hmac->work && hmac->inner && hmac->outer)
			found++;
		else
			release(hmac);
	}
	ERR_clear_error();
	return found ? 0 : err_set(err, -ENOTSUP, "OpenSSL on this machine has none of HMAC-SHA2-256, -384, -512");
}

void prf_clear(void)
{
	for (size_t i = 0; i < PRFS; i++)
		release(&hmacs[i]);
}
