// SPDX-License-Identifier: Apache-2.0
/*
 * minisign's files: public keys, detached signatures, secret keys. Signatures over the file itself (Ed) and over its BLAKE2b-512 (ED), each with
 * a second signature that covers the trusted comment; both must hold. Works on text in memory; what a signed text means is not known here.
 * https://jedisct1.github.io/minisign/#signature-format
 */
#ifndef DISCOVER_MINISIGN_H
#define DISCOVER_MINISIGN_H

#include "base/err.h"
#include "crypto/crypto.h"

#define MINISIGN_ID_LEN 8
#define MINISIGN_ID_TEXT (2 * MINISIGN_ID_LEN + 1)
#define MINISIGN_KEYS_MAX 4
#define MINISIGN_FILE_MAX 4096	  /* octets of a signature or key file */
#define MINISIGN_COMMENT_MAX 1024 /* octets of a trusted comment */

struct minisign_key {
	uint8_t id[MINISIGN_ID_LEN];
	uint8_t public_key[ED25519_PUBLIC_LEN];
};

/* More than one while an old signing key gives way to a new one. */
struct minisign_keys {
	struct minisign_key key[MINISIGN_KEYS_MAX];
	size_t count;
};

/*
 * minisign_keys_parse reads one or more public keys: lines of base64 as minisign -G writes and -P takes them, comment lines between. `name` is for
 * messages.
 */
int minisign_keys_parse(struct minisign_keys *out, struct view text, const char *name, struct err *err);

/*
 * minisign_verify checks `signature` (the text of a .minisig file) over `content` against the keys. 0: *key is the one that made it. Nothing about
 * `content` may be believed before. `name` is the signature's, for messages.
 */
int minisign_verify(const struct minisign_key **key, const struct minisign_keys *keys, struct view content,
		    struct view signature, const char *name, struct err *err);

/* A secret key, wiped by minisign_secret_clear. */
struct minisign_secret {
	uint8_t id[MINISIGN_ID_LEN];
	uint8_t seed[ED25519_SEED_LEN];
};

/*
 * minisign_secret_parse reads a secret key file. -EACCES: it is sealed with a password and `password` is empty, or the password is wrong; err says which.
 * A sealed key takes about a second and a gigabyte (minisign's own choice).
 */
int minisign_secret_parse(struct minisign_secret *out, struct view text, struct view password, const char *name,
			  struct err *err);
void minisign_secret_clear(struct minisign_secret *secret);

/* minisign_sign writes the text of a .minisig file with its NUL, in the prehashed form. The trusted comment is one line. */
int minisign_sign(char out[MINISIGN_FILE_MAX], const struct minisign_secret *secret, struct view content,
		  const char *trusted_comment, struct err *err);

/* minisign_id_format writes a key's id as minisign shows it. Returns `out`. */
const char *minisign_id_format(char out[MINISIGN_ID_TEXT], const uint8_t id[MINISIGN_ID_LEN]);

#endif
