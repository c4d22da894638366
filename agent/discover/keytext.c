// SPDX-License-Identifier: Apache-2.0
/*
 * Public keys as words, see keytext.h.
 */
#include "discover/keytext.h"

#include <errno.h>
#include <string.h>

#include "base/suggest.h"

struct kind {
	const char *name;
	enum sign_kind kind;
	size_t raw_len;	   /* octets behind the colon; 0 = a whole SubjectPublicKeyInfo */
	const char *wrong; /* what is wrong when the octets are refused */
};

static const struct kind kinds[] = {
	{ "ed25519", SIGN_ED25519, 32, "is no Ed25519 key" },
	{ "p256", SIGN_ECDSA_P256, 64, "is no point of the curve P-256" },
	{ "p384", SIGN_ECDSA_P384, 96, "is no point of the curve P-384" },
	{ "rsa", SIGN_RSA, 0, "is no DER SubjectPublicKeyInfo of an RSA key with 2048 to 8192 bits" },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* How much of a key a message shows: enough to find it in a file. */
#define SHOWN(word) (int)((word).len < 24 ? (word).len : 24), (const char *)(word).at, (word).len > 24 ? "..." : ""

bool keytext_is_key(struct view word)
{
	for (size_t i = 0; i < word.len; i++) {
		uint8_t c = word.at[i];

		if (c == ':')
			return i > 0;
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
			return false;
	}
	return false;
}

static const struct kind *find_kind(struct view name)
{
	for (size_t i = 0; i < KINDS; i++)
		if (view_equal(name, view_of(kinds[i].name, strlen(kinds[i].name))))
			return &kinds[i];
	return NULL;
}

static int refuse_kind(struct view name, struct err *err)
{
	const char *names[KINDS], *meant;
	char word[16] = "";

	for (size_t i = 0; i < KINDS; i++)
		names[i] = kinds[i].name;
	memcpy(word, name.at, name.len < sizeof(word) ? name.len : sizeof(word) - 1);
	meant = suggest_nearest(word, names, KINDS);
	if (meant)
		return err_set(err, -EINVAL, "\"%.*s%s\" is not a kind of key: did you mean %s?", SHOWN(name), meant);
	return err_set(err, -EINVAL, "\"%.*s%s\" is not a kind of key: write ed25519, p256, p384 or rsa", SHOWN(name));
}

int keytext_parse(uint8_t *out, size_t *len, struct view word, struct err *err)
{
	const uint8_t *colon = word.len ? memchr(word.at, ':', word.len) : NULL;
	uint8_t octets[SPKI_MAX], spki[SPKI_MAX];
	size_t count = sizeof(octets), spki_len = sizeof(spki);
	const struct kind *kind;
	enum sign_kind found = 0;
	int rc;

	if (!colon)
		return err_set(err, -EINVAL, "\"%.*s%s\" is not a key: write KIND:BASE64 as `holdfast init` prints it",
			       SHOWN(word));
	kind = find_kind(view_of(word.at, (size_t)(colon - word.at)));
	if (!kind)
		return refuse_kind(view_of(word.at, (size_t)(colon - word.at)), err);
	rc = base64_decode(octets, &count, view_of(colon + 1, word.len - (size_t)(colon + 1 - word.at)));
	if (rc == -EMSGSIZE)
		return err_set(err, -EINVAL, "key %.*s%s: it is too long for a key", SHOWN(word));
	if (rc < 0)
		return err_set(err, -EINVAL,
			       "key %.*s%s: what follows %s: is not base64: copy the whole key, with the = at its end",
			       SHOWN(word), kind->name);
	if (kind->raw_len && count != kind->raw_len)
		return err_set(err, -EINVAL,
			       "key %.*s%s: %s: is followed by %zu octets and must be by %zu: copy the whole key",
			       SHOWN(word), kind->name, count, kind->raw_len);
	if (kind->raw_len) {
		rc = spki_from_raw(spki, &spki_len, kind->kind, view_of(octets, count));
	} else {
		memcpy(spki, octets, count);
		spki_len = count;
		rc = 0;
	}
	if (rc == 0)
		rc = spki_check(&found, view_of(spki, spki_len));
	if (rc < 0 || found != kind->kind)
		return err_set(err, -EINVAL, "key %.*s%s: it %s", SHOWN(word), kind->wrong);
	if (spki_len > *len)
		return err_set(err, -EMSGSIZE, "key %.*s%s: no room for it", SHOWN(word));
	memcpy(out, spki, spki_len);
	*len = spki_len;
	return 0;
}

int keytext_format(char out[KEYTEXT_MAX], struct view spki)
{
	enum sign_kind found = 0;
	int rc = spki_check(&found, spki);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < KINDS; i++) {
		size_t raw_len = kinds[i].raw_len ? kinds[i].raw_len : spki.len, name_len = strlen(kinds[i].name);

		if (kinds[i].kind != found)
			continue;
		memcpy(out, kinds[i].name, name_len);
		out[name_len] = ':';
		/* The raw octets are the end of the SubjectPublicKeyInfo. */
		base64_encode(out + name_len + 1, view_of(spki.at + spki.len - raw_len, raw_len));
		return 0;
	}
	return -EBADMSG;
}
