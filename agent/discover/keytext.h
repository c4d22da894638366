// SPDX-License-Identifier: Apache-2.0
/*
 * A public key as one word, the same in pins, directories and what `holdfast init` prints: KIND:BASE64. Ed25519's 32 octets, x|y of a
 * P-256 or P-384 point, and for RSA the whole DER SubjectPublicKeyInfo. There is one spelling for a key: words compare like keys.
 */
#ifndef DISCOVER_KEYTEXT_H
#define DISCOVER_KEYTEXT_H

#include "base/base64.h"
#include "base/err.h"
#include "crypto/crypto.h"

/* The longest word, RSA-8192, with its NUL. */
#define KEYTEXT_MAX (sizeof("ed25519:") + BASE64_LEN(SPKI_MAX))

/* keytext_is_key: the word begins like a key, with letters and digits and a colon. */
bool keytext_is_key(struct view word);

/*
 * keytext_parse makes the DER SubjectPublicKeyInfo of a word. *len: room in (SPKI_MAX is always enough), octets out. It is never more than the word has.
 * -EINVAL with the reason in err.
 */
int keytext_parse(uint8_t *out, size_t *len, struct view word, struct err *err);

/* keytext_format writes the word for a DER SubjectPublicKeyInfo. -EBADMSG for a key we do not accept. */
int keytext_format(char out[KEYTEXT_MAX], struct view spki);

#endif
