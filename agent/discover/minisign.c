// SPDX-License-Identifier: Apache-2.0
/*
 * minisign's public keys and signatures, see minisign.h.
 */
#include "discover/minisign.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "discover/lines.h"

#define UNTRUSTED "untrusted comment:"
#define TRUSTED "trusted comment: "
#define ALGORITHM_LEN 2
#define KEY_OCTETS (ALGORITHM_LEN + MINISIGN_ID_LEN + ED25519_PUBLIC_LEN)
#define SIGNATURE_OCTETS (ALGORITHM_LEN + MINISIGN_ID_LEN + ED25519_SIGNATURE_LEN)

const char *minisign_id_format(char out[MINISIGN_ID_TEXT], const uint8_t id[MINISIGN_ID_LEN])
{
	/* The file has the number's low octet first, people read it the other way round. */
	for (size_t i = 0; i < MINISIGN_ID_LEN; i++)
		snprintf(out + 2 * i, 3, "%02X", id[MINISIGN_ID_LEN - 1 - i]);
	return out;
}

/* Decodes a line that must be `len` octets. */
static bool decode(uint8_t *out, size_t len, struct view line)
{
	size_t got = len;

	return base64_decode(out, &got, line) == 0 && got == len;
}

/* ---- public keys ------------------------------------------------------------------------------ */

static int add_key(struct minisign_keys *keys, struct view line, const char *name, struct err *err)
{
	struct minisign_key *key = &keys->key[keys->count];
	uint8_t octets[KEY_OCTETS];

	if (keys->count == MINISIGN_KEYS_MAX)
		return err_set(err, -EINVAL, "%s: there are more than %d keys: remove those that sign no longer", name,
			       MINISIGN_KEYS_MAX);
	if (!decode(octets, sizeof(octets), line) || memcmp(octets, "Ed", ALGORITHM_LEN) != 0)
		return err_set(
			err, -EINVAL,
			"%s: \"%.*s\" is not a minisign public key: copy the line that begins with RW from the .pub "
			"file",
			name, line.len < 64 ? (int)line.len : 64, (const char *)line.at);
	memcpy(key->id, octets + ALGORITHM_LEN, sizeof(key->id));
	memcpy(key->public_key, octets + ALGORITHM_LEN + MINISIGN_ID_LEN, sizeof(key->public_key));
	for (size_t i = 0; i < keys->count; i++)
		if (memcmp(keys->key[i].id, key->id, sizeof(key->id)) == 0)
			return err_set(err, -EINVAL, "%s: the same key stands there twice: remove one", name);
	keys->count++;
	return 0;
}

int minisign_keys_parse(struct minisign_keys *out, struct view text, const char *name, struct err *err)
{
	struct minisign_keys keys = { .count = 0 };
	int rc = 0;

	while (rc == 0 && text.at) {
		struct view line = line_trim(line_next(&text));

		if (line.len && *line.at != '#' && !line_starts(line, UNTRUSTED))
			rc = add_key(&keys, line, name, err);
	}
	if (rc == 0 && !keys.count)
		rc = err_set(err, -EINVAL, "%s: there is no minisign public key in it", name);
	if (rc == 0)
		*out = keys;
	return rc;
}

/* ---- signatures ------------------------------------------------------------------------------- */

struct signature {
	uint8_t octets[SIGNATURE_OCTETS], global[ED25519_SIGNATURE_LEN];
	struct view comment; /* the trusted one */
};

static struct view bare_of(const struct signature *signature)
{
	return view_of(signature->octets + ALGORITHM_LEN + MINISIGN_ID_LEN, ED25519_SIGNATURE_LEN);
}

/* Exactly four lines: a second signature behind the first is not looked for, it is refused. */
static int parse_signature(struct signature *out, struct view text, const char *name, struct err *err)
{
	struct view untrusted = line_next(&text), signature = line_next(&text);
	struct view trusted = line_next(&text), global = line_next(&text);

	if (!line_starts(untrusted, UNTRUSTED) || !line_starts(trusted, TRUSTED) ||
	    !decode(out->octets, sizeof(out->octets), signature) || !decode(out->global, sizeof(out->global), global))
		return err_set(err, -EINVAL, "%s: this is not a minisign signature: sign the file again", name);
	if (text.len)
		return err_set(err, -EINVAL, "%s: there is more than one signature in it: sign the file again", name);
	if (trusted.len - strlen(TRUSTED) > MINISIGN_COMMENT_MAX)
		return err_set(err, -EINVAL,
			       "%s: its trusted comment is longer than %d characters: sign with a shorter one", name,
			       MINISIGN_COMMENT_MAX);
	out->comment = view_of(trusted.at + strlen(TRUSTED), trusted.len - strlen(TRUSTED));
	return 0;
}

static int verify_content(const struct minisign_key *key, const struct signature *signature, struct view content)
{
	struct view public_key = VIEW_OF(key->public_key);
	uint8_t digest[BLAKE2B_LEN];
	int rc;

	if (memcmp(signature->octets, "Ed", ALGORITHM_LEN) == 0)
		return ed25519_verify(public_key, bare_of(signature), content);
	if (memcmp(signature->octets, "ED", ALGORITHM_LEN) != 0)
		return -EBADMSG;
	rc = blake2b_of(digest, &content, 1);
	return rc < 0 ? rc : ed25519_verify(public_key, bare_of(signature), VIEW_OF(digest));
}

/* The global signature: over the first one and the trusted comment. */
static int verify_comment(const struct minisign_key *key, const struct signature *signature)
{
	uint8_t message[ED25519_SIGNATURE_LEN + MINISIGN_COMMENT_MAX];
	struct writer writer;

	writer_init(&writer, message, sizeof(message));
	write_view(&writer, bare_of(signature));
	write_view(&writer, signature->comment);
	return ed25519_verify(VIEW_OF(key->public_key), VIEW_OF(signature->global), writer_view(&writer));
}

int minisign_verify(const struct minisign_key **key, const struct minisign_keys *keys, struct view content,
		    struct view signature, const char *name, struct err *err)
{
	const struct minisign_key *found = NULL;
	struct signature parsed;
	char id[MINISIGN_ID_TEXT];
	int rc = parse_signature(&parsed, signature, name, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < keys->count; i++)
		if (memcmp(keys->key[i].id, parsed.octets + ALGORITHM_LEN, MINISIGN_ID_LEN) == 0)
			found = &keys->key[i];
	if (!found)
		return err_set(
			err, -EBADMSG,
			"%s: it was signed with key %s, which is not trusted here: sign it with a trusted key, or add "
			"that one",
			name, minisign_id_format(id, parsed.octets + ALGORITHM_LEN));
	rc = verify_content(found, &parsed, content);
	if (rc == 0)
		rc = verify_comment(found, &parsed);
	if (rc == -EBADMSG)
		return err_set(
			err, rc,
			"%s: the signature is wrong: the file or the signature was changed since key %s signed it",
			name, minisign_id_format(id, found->id));
	if (rc < 0)
		return err_set(err, rc,
			       "%s: the signature cannot be checked: the library on this machine lacks Ed25519 or "
			       "BLAKE2b",
			       name);
	*key = found;
	return 0;
}
