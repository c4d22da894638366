// SPDX-License-Identifier: Apache-2.0
/*
 * The stand-in, see kem_standin.h. The padding of a key is 00, of a ciphertext ff; a key with other padding is refused as FIPS 203 7.2 refuses one out of
 * range, a ciphertext with other padding changes the secret.
 */
#include <errno.h>
#include <string.h>

#include "kem_standin.h"

#define CURVE_LEN 32
#define KEY_LEN 1184
#define CIPHERTEXT_LEN 1088

static int start(const struct kex *kex, uint8_t *value, const struct kex_private *mine)
{
	(void)kex;
	memset(value, 0, KEY_LEN);
	return kex_start(kex_find(31), value, mine);
}

static int hash(uint8_t *shared, struct view padding)
{
	const struct view parts[] = { view_of(shared, CURVE_LEN), padding };

	return hash_sha256(shared, parts, 2);
}

static int respond(const struct kex *kex, uint8_t *value, uint8_t *shared, struct view theirs,
		   const struct kex_private *mine)
{
	int rc;

	(void)kex;
	for (size_t i = CURVE_LEN; i < KEY_LEN; i++)
		if (theirs.at[i])
			return -EBADMSG;
	memset(value, 0xff, CIPHERTEXT_LEN);
	rc = kex_respond(kex_find(31), value, shared, view_of(theirs.at, CURVE_LEN), mine);
	return rc ? rc : hash(shared, view_of(value + CURVE_LEN, CIPHERTEXT_LEN - CURVE_LEN));
}

static int finish(const struct kex *kex, uint8_t *shared, struct view theirs, const struct kex_private *mine)
{
	int rc = kex_finish(kex_find(31), shared, view_of(theirs.at, CURVE_LEN), mine);

	(void)kex;
	if (rc == -EBADMSG) { /* a KEM has no such error here */
		memset(shared, 0, CURVE_LEN);
		rc = 0;
	}
	return rc ? rc : hash(shared, view_of(theirs.at + CURVE_LEN, CIPHERTEXT_LEN - CURVE_LEN));
}

static const struct kex_impl impl = { .start = start, .respond = respond, .finish = finish };

const struct kex kem_standin = { .id = 36,
				 .name = "stand-in for ML-KEM-768",
				 .random_len = 64,
				 .start_len = KEY_LEN,
				 .answer_len = CIPHERTEXT_LEN,
				 .shared_len = CURVE_LEN,
				 .cost = 2,
				 .kem = true,
				 .impl = &impl };
