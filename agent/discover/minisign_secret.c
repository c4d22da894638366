// SPDX-License-Identifier: Apache-2.0
/*
 * minisign's secret keys, and signing, see minisign.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/own.h"
#include "base/secret.h"
#include "discover/lines.h"
#include "discover/minisign.h"

/* Offsets in the file's octets: algorithms, salt, costs, then what the password seals: id, seed, public key, checksum. */
#define AT_KDF 2
#define AT_SALT 6
#define AT_OPS 38
#define AT_MEMORY 46
#define AT_SEALED 54
#define SALT_LEN 32
#define SEALED_LEN (MINISIGN_ID_LEN + ED25519_SEED_LEN + ED25519_PUBLIC_LEN + 32)
#define OCTETS (AT_SEALED + SEALED_LEN)

/* minisign asks for one gigabyte; OpenSSL needs a little beside it. */
#define MEMORY_MAX (1280ull << 20)

void minisign_secret_clear(struct minisign_secret *secret)
{
	secret_wipe(secret, sizeof(*secret));
}

struct octets {
	uint8_t at[OCTETS];
};

static void wipe_octets(struct octets *octets)
{
	secret_wipe(octets, sizeof(*octets));
}

static uint64_t little_endian(const uint8_t at[8])
{
	uint64_t value = 0;

	for (int i = 7; i >= 0; i--)
		value = value << 8 | at[i];
	return value;
}

/* scrypt's parameters out of the two costs, as libsodium's crypto_pwhash_scryptsalsa208sha256 picks them. */
static void pick(uint64_t *n, uint64_t *p, uint64_t ops, uint64_t memory)
{
	const uint64_t r = 8;
	uint64_t most, rounds;

	ops = ops < 32768 ? 32768 : ops;
	most = ops < memory / 32 ? ops / (r * 4) : memory / (r * 128);
	for (*n = 2; *n < 1ull << 62 && *n <= most / 2;)
		*n *= 2;
	if (ops < memory / 32) {
		*p = 1;
		return;
	}
	rounds = ops / 4 / *n;
	*p = (rounds > 0x3fffffff ? 0x3fffffff : rounds) / r;
}

static int unseal(struct octets *octets, struct view password, const char *name, struct err *err)
{
	uint8_t stream[SEALED_LEN];
	uint64_t n, p;
	int rc;

	if (!password.len)
		return err_set(err, -EACCES, "%s: the key is sealed with a password: give it", name);
	pick(&n, &p, little_endian(octets->at + AT_OPS), little_endian(octets->at + AT_MEMORY));
	rc = scrypt_of(stream, sizeof(stream), password, view_of(octets->at + AT_SALT, SALT_LEN), n, 8, p, MEMORY_MAX);
	if (rc < 0)
		return err_set(err, rc,
			       "%s: the key cannot be opened: it asks for more memory than there may be (%llu MB)",
			       name, (unsigned long long)(little_endian(octets->at + AT_MEMORY) >> 20));
	for (size_t i = 0; i < SEALED_LEN; i++)
		octets->at[AT_SEALED + i] ^= stream[i];
	secret_wipe(stream, sizeof(stream));
	return 0;
}

static int read_octets(struct octets *out, struct view text, const char *name, struct err *err)
{
	struct view comment = line_next(&text), line = line_next(&text);
	size_t len = sizeof(out->at);

	if (!line_starts(comment, "untrusted comment:") || base64_decode(out->at, &len, line) < 0 || len != OCTETS ||
	    memcmp(out->at, "Ed", 2) != 0)
		return err_set(err, -EINVAL,
			       "%s: this is not a minisign secret key: give the .key file that minisign -G made", name);
	return 0;
}

int minisign_secret_parse(struct minisign_secret *out, struct view text, struct view password, const char *name,
			  struct err *err)
{
	static const uint8_t no_kdf[2] = { 0, 0 };
	OWN(wipe_octets) struct octets octets;
	const uint8_t *sealed = octets.at + AT_SEALED, *seed = sealed + MINISIGN_ID_LEN;
	uint8_t public_key[ED25519_PUBLIC_LEN];
	bool is_sealed;
	int rc = read_octets(&octets, text, name, err);

	if (rc < 0)
		return rc;
	is_sealed = memcmp(octets.at + AT_KDF, "Sc", 2) == 0;
	if (!is_sealed && memcmp(octets.at + AT_KDF, no_kdf, 2) != 0)
		return err_set(err, -EINVAL,
			       "%s: the key is sealed in a way that is not known here: make another with minisign",
			       name);
	if (is_sealed)
		rc = unseal(&octets, password, name, err);
	if (rc == 0 && ed25519_public(public_key, seed) < 0)
		rc = err_set(err, -ENOTSUP, "%s: the library on this machine lacks Ed25519", name);
	if (rc < 0)
		return rc;
	/* The public key beside the seed says as much as the checksum: a wrong password gives another one. */
	if (!crypto_equal(VIEW_OF(public_key), view_of(seed + ED25519_SEED_LEN, ED25519_PUBLIC_LEN)))
		return is_sealed ? err_set(err, -EACCES, "%s: the password is wrong", name)
				 : err_set(err, -EINVAL, "%s: the key is damaged: take it from a backup", name);
	memcpy(out->id, sealed, sizeof(out->id));
	memcpy(out->seed, seed, sizeof(out->seed));
	return 0;
}

int minisign_sign(char out[MINISIGN_FILE_MAX], const struct minisign_secret *secret, struct view content,
		  const char *trusted_comment, struct err *err)
{
	uint8_t digest[BLAKE2B_LEN], octets[2 + MINISIGN_ID_LEN + ED25519_SIGNATURE_LEN], global[ED25519_SIGNATURE_LEN];
	uint8_t message[ED25519_SIGNATURE_LEN + MINISIGN_COMMENT_MAX];
	char first[BASE64_LEN(sizeof(octets)) + 1], second[BASE64_LEN(sizeof(global)) + 1];
	struct writer writer;
	int rc = blake2b_of(digest, &content, 1);

	memcpy(octets, "ED", 2);
	memcpy(octets + 2, secret->id, MINISIGN_ID_LEN);
	if (rc == 0)
		rc = ed25519_sign(octets + 2 + MINISIGN_ID_LEN, secret->seed, VIEW_OF(digest));
	writer_init(&writer, message, sizeof(message));
	write_octets(&writer, octets + 2 + MINISIGN_ID_LEN, ED25519_SIGNATURE_LEN);
	write_octets(&writer, trusted_comment, strlen(trusted_comment));
	if (writer.failed)
		return err_set(err, -EMSGSIZE, "the trusted comment is longer than %d characters",
			       MINISIGN_COMMENT_MAX);
	if (rc == 0)
		rc = ed25519_sign(global, secret->seed, writer_view(&writer));
	if (rc < 0)
		return err_set(err, rc, "the library on this machine lacks Ed25519 or BLAKE2b");
	snprintf(out, MINISIGN_FILE_MAX, "untrusted comment: signature made by holdfast\n%s\ntrusted comment: %s\n%s\n",
		 base64_encode(first, VIEW_OF(octets)), trusted_comment, base64_encode(second, VIEW_OF(global)));
	return 0;
}
