// SPDX-License-Identifier: Apache-2.0
/*
 * Plain hashes, see crypto.h. One context for each, made at the start and used again for every call: this room belongs to
 * the loop's thread. What another one may call makes its own.
 */
#include "crypto/internal.h"

struct hash {
	const char *name;
	size_t len;
	EVP_MD *md;
	EVP_MD_CTX *ctx;
};

static struct hash sha1 = { .name = "SHA1", .len = SHA1_LEN };
static struct hash sha256 = { .name = "SHA2-256", .len = SHA256_LEN };

static int of(struct hash *hash, uint8_t *out, const struct view *parts, size_t count)
{
	uint8_t digest[EVP_MAX_MD_SIZE];

	if (!hash->ctx)
		return -ENOTSUP;
	if (EVP_DigestInit_ex2(hash->ctx, hash->md, NULL) != 1)
		return lib_fail(-EIO);
	for (size_t i = 0; i < count; i++)
		if (EVP_DigestUpdate(hash->ctx, parts[i].at, parts[i].len) != 1)
			return lib_fail(-EIO);
	if (EVP_DigestFinal_ex(hash->ctx, digest, NULL) != 1)
		return lib_fail(-EIO);
	memcpy(out, digest, hash->len);
	return 0;
}

int hash_sha1(uint8_t out[SHA1_LEN], const struct view *parts, size_t count)
{
	return of(&sha1, out, parts, count);
}

int hash_sha256(uint8_t out[SHA256_LEN], const struct view *parts, size_t count)
{
	return of(&sha256, out, parts, count);
}

int hash_sha256_apart(uint8_t out[SHA256_LEN], struct view text)
{
	if (!sha256.md)
		return -ENOTSUP;
	return EVP_Digest(text.at, text.len, out, NULL, sha256.md, NULL) == 1 ? 0 : lib_fail(-EIO);
}

static void release(struct hash *hash)
{
	EVP_MD_CTX_free(hash->ctx);
	EVP_MD_free(hash->md);
	hash->ctx = NULL;
	hash->md = NULL;
}

static int fetch(struct hash *hash, struct err *err)
{
	hash->md = EVP_MD_fetch(NULL, hash->name, NULL);
	hash->ctx = hash->md ? EVP_MD_CTX_new() : NULL;
	if (hash->ctx)
		return 0;
	release(hash);
	return err_set(err, lib_fail(-ENOTSUP), "OpenSSL on this machine has no %s, without which there is no IKEv2",
		       hash->name);
}

int hash_init(struct err *err)
{
	int rc = fetch(&sha1, err);

	return rc ? rc : fetch(&sha256, err);
}

void hash_clear(void)
{
	release(&sha1);
	release(&sha256);
}
