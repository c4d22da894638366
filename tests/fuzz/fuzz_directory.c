// SPDX-License-Identifier: Apache-2.0
/*
 * What an operator or somebody who got hold of a signing key can write: directories, lists of hosts, keys as words, minisign's files. The first octet says
 * which. What was accepted must be found again and come out as it went in.
 */
#include <stdlib.h>
#include <string.h>

#include "discover/directory.h"
#include "discover/keytext.h"
#include "discover/minisign.h"
#include "discover/stamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_key(struct view word)
{
	uint8_t spki[SPKI_MAX];
	size_t len = sizeof(spki);
	char again[KEYTEXT_MAX];
	struct err err = ERR_NONE;

	if (keytext_parse(spki, &len, word, &err) < 0) {
		demand(err.text[0]);
		return;
	}
	demand(len <= word.len);
	demand(keytext_format(again, view_of(spki, len)) == 0);
	demand(view_equal(word, view_of(again, strlen(again))));
}

static void check_hosts(const struct hosts *hosts)
{
	for (size_t i = 0; i < hosts_count(hosts); i++) {
		const struct host *host = hosts_at(hosts, i);

		demand(host->keys >= 1 && host->keys <= HOSTS_KEYS_MAX && strlen(host->name) <= HOSTS_NAME_MAX);
		for (uint32_t n = 0; n < host->prefix_count; n++) {
			struct hf_prefix found = { 0 };
			const struct host *who = hosts_find(hosts, &host->prefixes[n].addr, &found);
			/* Its first address may belong to a longer prefix, but to no shorter one. */
			demand(who && found.prefix_len >= host->prefixes[n].prefix_len);
		}
	}
}

static void check_list(struct view text)
{
	const struct hosts_options options = { .file = "list", .line = 1 };
	struct err err = ERR_NONE;
	struct hosts *hosts;

	if (hosts_parse(&hosts, text, &options, &err) < 0) {
		demand(err.text[0]);
		return;
	}
	check_hosts(hosts);
	hosts_free(hosts);
}

static void check_directory(struct view text)
{
	struct directory *directory;
	struct err err = ERR_NONE;

	if (directory_parse(&directory, text, "directory", &err) < 0) {
		demand(err.text[0]);
		return;
	}
	demand(directory->expires_s > directory->issued_s);
	demand(directory->expires_s - directory->issued_s <= DIRECTORY_LIFE_MAX_S);
	for (size_t i = 0; i < hosts_count(directory->hosts); i++) {
		const struct host *host = hosts_at(directory->hosts, i);

		for (uint32_t n = 0; n < host->prefix_count; n++)
			demand(hosts_in_scope(directory->scope, directory->scope_count, &host->prefixes[n]));
	}
	check_hosts(directory->hosts);
	directory_free(directory);
}

/* No input signs anything for a key that was never used. */
static void check_signature(struct view text)
{
	const struct minisign_keys keys = { .key = { { .id = "01234567" } }, .count = 1 };
	const struct minisign_key *key;
	struct minisign_secret secret;
	struct minisign_keys read;
	struct err err = ERR_NONE;

	demand(minisign_verify(&key, &keys, view_of("content", 7), text, "signature", &err) < 0);
	if (minisign_keys_parse(&read, text, "keys", &err) == 0)
		demand(read.count >= 1 && read.count <= MINISIGN_KEYS_MAX);
	if (minisign_secret_parse(&secret, text, VIEW_NONE, "secret", &err) == 0)
		minisign_secret_clear(&secret);
}

static void check_stamp(struct view text)
{
	char again[STAMP_TEXT_MAX];
	uint64_t seconds;

	if (stamp_parse(&seconds, text) == 0)
		demand(view_equal(text, view_of(stamp_format(again, seconds), strlen(again))));
	stamp_parse_day(&seconds, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const checks[])(struct view text) = { check_directory, check_list, check_key, check_signature,
							    check_stamp };
	static bool started;

	if (!started)
		demand(crypto_init(NULL) == 0);
	started = true;
	if (len)
		checks[*data % 5](view_of(data + 1, len - 1));
	return 0;
}
