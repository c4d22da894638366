// SPDX-License-Identifier: Apache-2.0
/*
 * BLAKE2b-512 (RFC 7693), which minisign signs instead of a large file. Not part of IKE, so its absence is no obstacle to the start.
 */
#include "crypto/internal.h"

static void own_md_free(EVP_MD **md)
{
	EVP_MD_free(*md);
}

int blake2b_of(uint8_t out[BLAKE2B_LEN], const struct view *parts, size_t count)
{
	OWN(own_md_free) EVP_MD *md = EVP_MD_fetch(NULL, "BLAKE2B-512", NULL);
	OWN_MD_CTX EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	if (!md || !ctx)
		return lib_fail(-ENOTSUP);
	if (EVP_DigestInit_ex2(ctx, md, NULL) != 1)
		return lib_fail(-EIO);
	for (size_t i = 0; i < count; i++)
		if (EVP_DigestUpdate(ctx, parts[i].at, parts[i].len) != 1)
			return lib_fail(-EIO);
	if (EVP_DigestFinal_ex(ctx, digest, &len) != 1 || len != BLAKE2B_LEN)
		return lib_fail(-EIO);
	memcpy(out, digest, BLAKE2B_LEN);
	return 0;
}
