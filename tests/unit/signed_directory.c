// SPDX-License-Identifier: Apache-2.0
/*
 * Signed directories for tests, see signed_directory.h.
 */
#include "signed_directory.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/own.h"
#include "discover/stamp.h"

char folder[64];

int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/holdfast-test-directory-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

int remove_folder(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

const char *in_folder(const char *name)
{
	static char paths[4][256];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

void write_octets_to(const char *path, struct view octets)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(octets.at, 1, octets.len, file), octets.len);
	assert_int_equal(fclose(file), 0);
}

struct minisign_secret secret_key(uint8_t number)
{
	struct minisign_secret secret;

	memset(&secret, number, sizeof(secret));
	return secret;
}

const char *public_key(char out[64], uint8_t number)
{
	struct minisign_secret secret = secret_key(number);
	uint8_t octets[2 + MINISIGN_ID_LEN + ED25519_PUBLIC_LEN] = "Ed";

	memcpy(octets + 2, secret.id, MINISIGN_ID_LEN);
	assert_int_equal(ed25519_public(octets + 2 + MINISIGN_ID_LEN, secret.seed), 0);
	return base64_encode(out, VIEW_OF(octets));
}

const struct facts usual = {
	.id = "test.example",
	.serial = 42,
	.issued_s = NOW - DAY,
	.expires_s = NOW + 7 * DAY,
	.scope = "192.0.2.0/24,2001:db8::/32",
	.hosts = "192.0.2.1 " KEY_A " name=a.example\n192.0.2.2,2001:db8::2 " KEY_A " " KEY_B " name=b.example\n",
};

struct view directory_text(char *out, size_t max, const struct facts *facts)
{
	char issued[STAMP_TEXT_MAX], expires[STAMP_TEXT_MAX];
	int len = snprintf(out, max,
			   "holdfast-directory 1\nid %s\nserial %" PRIu64
			   "\nissued %s\nexpires %s\nscope %s\n%s%s%s\n%s",
			   facts->id, facts->serial, stamp_format(issued, facts->issued_s),
			   stamp_format(expires, facts->expires_s), facts->scope, facts->complete ? "complete " : "",
			   facts->complete ? facts->complete : "", facts->complete ? "\n" : "", facts->hosts);

	assert_true(len > 0 && (size_t)len < max);
	return view_of(out, (size_t)len);
}

struct view signature_of(char out[MINISIGN_FILE_MAX], uint8_t number, struct view text)
{
	struct minisign_secret secret = secret_key(number);

	assert_int_equal(minisign_sign(out, &secret, text, "a comment", NULL), 0);
	return view_of(out, strlen(out));
}

struct view legacy_signature_of(char out[MINISIGN_FILE_MAX], uint8_t number, struct view text)
{
	struct minisign_secret secret = secret_key(number);
	uint8_t octets[74] = "Ed", global[64], message[64 + 3];
	char first[101], second[89];

	memcpy(octets + 2, secret.id, MINISIGN_ID_LEN);
	assert_int_equal(ed25519_sign(octets + 10, secret.seed, text), 0);
	memcpy(message, octets + 10, 64);
	memcpy(message + 64, "old", 3);
	assert_int_equal(ed25519_sign(global, secret.seed, VIEW_OF(message)), 0);
	snprintf(out, MINISIGN_FILE_MAX, "untrusted comment: x\n%s\ntrusted comment: old\n%s\n",
		 base64_encode(first, VIEW_OF(octets)), base64_encode(second, VIEW_OF(global)));
	return view_of(out, strlen(out));
}

/* ---- a listing under test ---- */

static char text_memory[1 << 16];
static char signature_memory[MINISIGN_FILE_MAX];

void own_listing(struct listing **listing)
{
	listing_close(*listing);
}

struct listing *open_with(const char *keys, const char *id, uint64_t now_s)
{
	struct discover_options options = { .directory_key = keys, .directory_id = id, .state_dir = folder };
	struct listing *listing = NULL;
	struct err err = ERR_NONE;

	if (listing_open(&listing, &options, now_s, &err) < 0)
		fail_msg("%s", err.text);
	return listing;
}

struct listing *open_usual(void)
{
	char key[64];

	return open_with(public_key(key, 1), "test.example", NOW);
}

void forget_state(void)
{
	unlink(in_folder("directory.state"));
	unlink(in_folder("directory.state.new"));
	unlink(in_folder("clock.state"));
	unlink(in_folder("clock.state.new"));
}

int offer_signed(struct listing *listing, const struct facts *facts, uint8_t key, uint64_t now_s)
{
	struct view text = directory_text(text_memory, sizeof(text_memory), facts);

	return listing_offer(listing, text, signature_of(signature_memory, key, text), "dir", now_s);
}

struct facts usual_with_serial(uint64_t serial)
{
	struct facts facts = usual;

	facts.serial = serial;
	return facts;
}

struct discover_answer ask(const struct listing *listing, bool *said, const char *address, uint64_t now_s)
{
	static char reason[256];
	struct discover_answer answer = { .outcome = DISCOVER_FAILED, .name = "", .reason = reason };
	struct hf_addr addr;

	*reason = '\0';
	assert_int_equal(addr_parse(&addr, address, NULL), 0);
	*said = listing_ask(listing, &answer, reason, sizeof(reason), &addr, now_s);
	return answer;
}

enum discover_outcome outcome_of(const struct listing *listing, const char *address, uint64_t now_s)
{
	bool said;

	return ask(listing, &said, address, now_s).outcome;
}
