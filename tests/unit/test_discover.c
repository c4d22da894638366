// SPDX-License-Identifier: Apache-2.0
/*
 * Keys as words, lists of hosts, and pins behind the room's face: what is accepted, what is found, and for each mistake the
 * exact line the operator reads.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/own.h"
#include "discover/discover.h"
#include "discover/hosts.h"
#include "discover/keytext.h"
#include "discover/pins.h"
#include "discover/stamp.h"

#define KEY_A "ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_B "ed25519:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define KEY_C "ed25519:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
#define KEY_D "ed25519:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM="
#define KEY_E "ed25519:BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ="
/* The generators of the curves. */
#define KEY_P256 "p256:axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q=="
#define KEY_P256_OFF "p256:axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9A=="
#define KEY_P384                                                                                        \
	"p384:qofKIr6LBTeOscce8yCtdG4dO2KLp5uYWfdB4IJUKjhVAvJdv1UpbDpUXjhydgq3NhfeSpYmLG9dnpi/kpLcKfj0" \
	"Hb0omhR86doxE7XwuMAKYLHOHX6BnXpDHXyQ6g5f"

static struct view text_view(const char *text)
{
	return view_of(text, strlen(text));
}

/* ---- keys as words ------------------------------------------------------------------------------ */

static void test_keytext_both_ways(void **state)
{
	static const struct {
		const char *word;
		enum sign_kind kind;
	} cases[] = { { KEY_A, SIGN_ED25519 }, { KEY_P256, SIGN_ECDSA_P256 }, { KEY_P384, SIGN_ECDSA_P384 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_NONE;
		enum sign_kind kind = 0;
		uint8_t spki[SPKI_MAX];
		size_t len = sizeof(spki);
		char word[KEYTEXT_MAX];

		if (keytext_parse(spki, &len, text_view(cases[i].word), &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(spki_check(&kind, view_of(spki, len)), 0);
		assert_int_equal(kind, cases[i].kind);
		assert_true(len <= strlen(cases[i].word));
		assert_int_equal(keytext_format(word, view_of(spki, len)), 0);
		assert_string_equal(word, cases[i].word);
	}
}

/* An RSA key of OpenSSL's goes through the private key's own SubjectPublicKeyInfo. */
static void test_keytext_rsa(void **state)
{
	static char pem[8192];
	struct err err = ERR_NONE;
	struct sign_key *key;
	uint8_t spki[SPKI_MAX];
	size_t len = sizeof(spki), pem_len;
	char word[KEYTEXT_MAX];
	FILE *pipe = popen("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null", "r");

	(void)state;
	assert_non_null(pipe);
	pem_len = fread(pem, 1, sizeof(pem), pipe);
	assert_int_equal(pclose(pipe), 0);
	assert_int_equal(sign_key_parse(&key, view_of(pem, pem_len), "rsa", &err), 0);
	assert_int_equal(keytext_format(word, sign_key_spki(key)), 0);
	assert_int_equal(strncmp(word, "rsa:", 4), 0);
	assert_int_equal(keytext_parse(spki, &len, text_view(word), &err), 0);
	assert_true(view_equal(view_of(spki, len), sign_key_spki(key)));
	sign_key_free(key);
	assert_int_equal(keytext_format(word, view_of(spki, len - 1)), -EBADMSG);
}

static void test_keytext_mistakes(void **state)
{
	static const struct {
		const char *word, *message;
	} cases[] = {
		{ "", "\"\" is not a key: write KIND:BASE64 as `holdfast init` prints it" },
		{ "AAAA", "\"AAAA\" is not a key: write KIND:BASE64 as `holdfast init` prints it" },
		{ "ed25591:AAAA", "\"ed25591\" is not a kind of key: did you mean ed25519?" },
		{ "x25519x448:AAAA", "\"x25519x448\" is not a kind of key: write ed25519, p256, p384 or rsa" },
		{ "ed25519:AAAA",
		  "key ed25519:AAAA: ed25519: is followed by 3 octets and must be by 32: copy the whole key" },
		{ "ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		  "key ed25519:AAAAAAAAAAAAAAAA...: what follows ed25519: is not base64: copy the whole key, with the = "
		  "at its end" },
		/* Unused bits set: a second spelling of the same octets. */
		{ "ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=",
		  "key ed25519:AAAAAAAAAAAAAAAA...: what follows ed25519: is not base64: copy the whole key, with the = "
		  "at its end" },
		{ "ed25519:AA*A",
		  "key ed25519:AA*A: what follows ed25519: is not base64: copy the whole key, with the = "
		  "at its end" },
		{ KEY_P256_OFF, "key p256:axfR8uEsQkf4vOblY6R...: it is no point of the curve P-256" },
		{ "rsa:AAAA", "key rsa:AAAA: it is no DER SubjectPublicKeyInfo of an RSA key with 2048 to 8192 bits" },
		/* A whole SubjectPublicKeyInfo, but of an Ed25519 key. */
		{ "rsa:MCowBQYDK2VwAyEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		  "key rsa:MCowBQYDK2VwAyEAAAAA...: it is no DER SubjectPublicKeyInfo of an RSA key with 2048 to 8192 "
		  "bits" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_NONE;
		uint8_t spki[SPKI_MAX] = { 0x5a };
		size_t len = sizeof(spki);

		assert_int_equal(keytext_parse(spki, &len, text_view(cases[i].word), &err), -EINVAL);
		assert_string_equal(err.text, cases[i].message);
		assert_int_equal(spki[0], 0x5a);
		assert_int_equal(len, sizeof(spki));
	}
}

/* ---- time --------------------------------------------------------------------------------------- */

static void test_stamps(void **state)
{
	static const struct {
		const char *text;
		uint64_t seconds;
	} cases[] = { { "1970-01-01T00:00:00Z", 0 },
		      { "2000-02-29T12:34:56Z", 951827696 },
		      { "2026-11-22T14:39:49Z", 1795358389 },
		      { "2100-03-01T00:00:00Z", 4107542400 },
		      { "9999-12-31T23:59:59Z", 253402300799 } };
	static const char *const wrong[] = { "",
					     "2026-11-22",
					     "2026-11-22 14:39:49Z",
					     "2026-11-22T14:39:49",
					     "2026-11-22T14:39:49Z ",
					     "2026-02-29T00:00:00Z",
					     "2100-02-29T00:00:00Z",
					     "2026-13-01T00:00:00Z",
					     "2026-00-01T00:00:00Z",
					     "2026-01-00T00:00:00Z",
					     "2026-01-01T24:00:00Z",
					     "2026-01-01T00:60:00Z",
					     "2026-01-01T00:00:60Z",
					     "1969-12-31T23:59:59Z" };
	char text[STAMP_TEXT_MAX];
	uint64_t seconds = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(stamp_parse(&seconds, text_view(cases[i].text)), 0);
		assert_int_equal(seconds, cases[i].seconds);
		assert_string_equal(stamp_format(text, seconds), cases[i].text);
	}
	seconds = 7;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(stamp_parse(&seconds, text_view(wrong[i])), -EINVAL);
	assert_int_equal(seconds, 7);
	/* Every day of 140 years comes back. */
	for (uint64_t day = 0; day < 51135; day++) {
		stamp_format(text, day * 86400 + day);
		assert_int_equal(stamp_parse(&seconds, text_view(text)), 0);
		assert_int_equal(seconds, day * 86400 + day);
	}
	assert_int_equal(stamp_parse_day(&seconds, text_view("2026-11-22")), 0);
	assert_string_equal(stamp_format(text, seconds), "2026-11-23T00:00:00Z");
	assert_string_equal(stamp_format_day(text, seconds - 1), "2026-11-22");
	assert_int_equal(stamp_parse_day(&seconds, text_view("2026-1-1")), -EINVAL);
}

/* ---- lists -------------------------------------------------------------------------------------- */

static void own_hosts(struct hosts **hosts)
{
	hosts_free(*hosts);
}

static const char *name_of(const struct hosts *hosts, const char *address)
{
	const struct host *host;
	struct hf_addr addr;

	assert_int_equal(addr_parse(&addr, address, NULL), 0);
	host = hosts_find(hosts, &addr, NULL);
	return host ? host->name : "nobody";
}

static void test_longest_prefix(void **state)
{
	static const char text[] = "# a comment\n"
				   "\n"
				   "192.0.2.0/24,2001:db8::/32 " KEY_A " name=net\n"
				   "192.0.2.7\t" KEY_B " " KEY_P256 " name=host until=2030-01-02 # both\r\n"
				   "192.0.2.0/25 " KEY_C " name=half\n"
				   "2001:db8::7,2001:db8:1::/48 name=six " KEY_D "\n"
				   "::/0 name=all6 " KEY_A "\n"
				   "198.51.100.1 " KEY_E; /* no name, no newline */
	const struct hosts_options options = { .file = "pins", .line = 1 };
	OWN(own_hosts) struct hosts *hosts = NULL;
	struct err err = ERR_NONE;
	struct hf_prefix prefix;
	const struct host *host;
	struct hf_addr addr;
	char shown[PREFIX_TEXT_MAX];

	(void)state;
	if (hosts_parse(&hosts, text_view(text), &options, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(hosts_count(hosts), 6);
	assert_string_equal(name_of(hosts, "192.0.2.7"), "host");
	assert_string_equal(name_of(hosts, "192.0.2.8"), "half");
	assert_string_equal(name_of(hosts, "192.0.2.200"), "net");
	assert_string_equal(name_of(hosts, "192.0.3.1"), "nobody");
	assert_string_equal(name_of(hosts, "198.51.100.1"), "");
	assert_string_equal(name_of(hosts, "198.51.100.0"), "nobody");
	assert_string_equal(name_of(hosts, "2001:db8::7"), "six");
	assert_string_equal(name_of(hosts, "2001:db8::8"), "net");
	assert_string_equal(name_of(hosts, "2001:db8:1::8"), "six");
	assert_string_equal(name_of(hosts, "2001:db9::"), "all6");
	assert_int_equal(addr_parse(&addr, "192.0.2.9", NULL), 0);
	host = hosts_find(hosts, &addr, &prefix);
	assert_string_equal(prefix_format(shown, &prefix), "192.0.2.0/25");
	assert_int_equal(host->line, 5);
	host = hosts_at(hosts, 1);
	assert_int_equal(host->keys, 2);
	assert_int_equal(host->until_s, 1893628800);
	assert_int_equal(hosts_at(hosts, 0)->prefix_count, 2);
	assert_string_equal(prefix_format(shown, &hosts_at(hosts, 0)->prefixes[1]), "2001:db8::/32");
	assert_null(hosts_at(hosts, 6));
}

static void test_empty_list(void **state)
{
	const struct hosts_options options = { .file = "pins", .line = 1 };
	OWN(own_hosts) struct hosts *hosts = NULL;

	(void)state;
	assert_int_equal(hosts_parse(&hosts, VIEW_NONE, &options, NULL), 0);
	assert_string_equal(name_of(hosts, "192.0.2.7"), "nobody");
	assert_string_equal(name_of(hosts, "::"), "nobody");
}

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void test_list_mistakes(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "192.0.2.1\n",
		  "pins:1: the host has no key: write KIND:BASE64 behind its address, as `holdfast init` prints "
		  "it there" },
		{ "\n#\n192.0.2.1 name=a\n",
		  "pins:3: the host has no key: write KIND:BASE64 behind its address, as `holdfast "
		  "init` prints it there" },
		{ KEY_A " 192.0.2.1\n", "pins:1: the line begins with a key: write the address first" },
		{ "db.example " KEY_A "\n", "pins:1: \"db.example\" is not an IPv4 or IPv6 address" },
		{ "192.0.2.1/24 " KEY_A "\n",
		  "pins:1: \"192.0.2.1/24\" has bits set behind its /24: write the network address" },
		{ "192.0.2.1/33 " KEY_A "\n", "pins:1: \"192.0.2.1/33\": the prefix length must be 0 to 32" },
		{ "::ffff:192.0.2.1 " KEY_A "\n",
		  "pins:1: \"::ffff:192.0.2.1\" is a v4-mapped address: write it as IPv4" },
		{ "192.0.2.1,,192.0.2.2 " KEY_A "\n",
		  "pins:1: there is an empty address between commas: write ADDRESS,ADDRESS without spaces" },
		{ "192.0.2.1, 192.0.2.2 " KEY_A "\n",
		  "pins:1: there is an empty address between commas: write ADDRESS,ADDRESS without spaces" },
		{ "192.0.2.1 192.0.2.2 " KEY_A "\n",
		  "pins:1: \"192.0.2.2\" is no key, name=NAME or until=YYYY-MM-DD: correct "
		  "it, or put commas without spaces between addresses" },
		{ X64 X64 " " KEY_A "\n", "pins:1: \"" X64 "\" is too long for an address" },
		{ "192.0.2.1 ed25519:AAAA\n",
		  "pins:1: key ed25519:AAAA: ed25519: is followed by 3 octets and must be by 32: copy the whole key" },
		{ "192.0.2.1 ed2551:AAAA\n", "pins:1: \"ed2551\" is not a kind of key: did you mean ed25519?" },
		{ "192.0.2.1 " KEY_A " " KEY_A "\n", "pins:1: the same key stands there twice: remove one" },
		{ "192.0.2.1 " KEY_A " " KEY_B " " KEY_C " " KEY_D " " KEY_E "\n",
		  "pins:1: the host has more than 4 keys: remove those that are no longer used" },
		{ "192.0.2.1 " KEY_A " name=\n",
		  "pins:1: \"\" is not a host's name: use letters, digits, - and ., at most 253 characters" },
		{ "192.0.2.1 " KEY_A " name=a/b\n",
		  "pins:1: \"a/b\" is not a host's name: use letters, digits, - and ., at most 253 characters" },
		{ "192.0.2.1 " KEY_A " name=-a\n",
		  "pins:1: \"-a\" is not a host's name: use letters, digits, - and ., at most 253 characters" },
		{ "192.0.2.1 " KEY_A " name=" X64 X64 X64 X64 "\n",
		  "pins:1: \"" X64 "\" is not a host's name: use letters, digits, - and ., at most 253 characters" },
		{ "192.0.2.1 " KEY_A " name=a name=b\n", "pins:1: name= stands there twice: a host has one name" },
		{ "192.0.2.1 " KEY_A " until=tomorrow\n",
		  "pins:1: \"until=tomorrow\" is not a day: write until=YYYY-MM-DD" },
		{ "192.0.2.1 " KEY_A " until=2026-02-30\n",
		  "pins:1: \"until=2026-02-30\" is not a day: write until=YYYY-MM-DD" },
		{ "192.0.2.1 " KEY_A " until=2026-02-03 until=2026-02-03\n",
		  "pins:1: until= stands there twice: remove one" },
		{ "192.0.2.1 " KEY_A " expires=2026-02-03\n", "pins:1: \"expires=2026-02-03\" is no key, name=NAME or "
							      "until=YYYY-MM-DD: correct it, or put commas without "
							      "spaces between addresses" },
		{ "192.0.2.1 " KEY_A "\n192.0.2.1 " KEY_B "\n",
		  "pins:2: 192.0.2.1/32 is already on line 1: a host has one line, with all its keys" },
		{ "192.0.2.1,192.0.2.1 " KEY_A "\n",
		  "pins:1: 192.0.2.1/32 is already on line 1: a host has one line, with all its keys" },
		{ "192.0.2.1 " KEY_A " name=a\n\n192.0.2.2 " KEY_B " name=A\n",
		  "pins:3: the name A is already on line 1: a host has one line, with all its addresses" },
		{ "192.0.2.1 " KEY_A " name=\x01\n", "pins:1: there is a control character: this is not a text file" },
	};
	const struct hosts_options options = { .file = "pins", .line = 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hosts *hosts = (struct hosts *)0x5a;
		struct err err = ERR_NONE;

		if (hosts_parse(&hosts, text_view(cases[i].text), &options, &err) == 0)
			fail_msg("accepted: %s", cases[i].text);
		assert_string_equal(err.text, cases[i].message);
		assert_ptr_equal(hosts, (void *)0x5a);
	}
}

static void test_list_bounds(void **state)
{
	const struct hosts_options options = { .file = "pins", .line = 1 };
	OWN_FREE char *text = malloc(8u << 20);
	struct hosts *hosts;
	struct err err = ERR_NONE;
	size_t used = 0;

	(void)state;
	for (unsigned int i = 0; i < HOSTS_MAX; i++)
		used += (size_t)sprintf(text + used, "10.%u.%u.%u " KEY_A "\n", i >> 16, i >> 8 & 255, i & 255);
	assert_int_equal(hosts_parse(&hosts, view_of(text, used), &options, &err), 0);
	assert_int_equal(hosts_count(hosts), HOSTS_MAX);
	assert_string_equal(name_of(hosts, "10.1.2.3"), "");
	assert_string_equal(name_of(hosts, "10.2.2.3"), "nobody");
	hosts_free(hosts);
	used += (size_t)sprintf(text + used, "192.0.2.1 " KEY_A "\n");
	assert_int_equal(hosts_parse(&hosts, view_of(text, used), &options, &err), -EINVAL);
	assert_string_equal(err.text, "pins:100001: there are more than 100000 hosts: make several lists");

	err = ERR_NONE;
	for (used = 0; used < 65 * 11; used += 11)
		sprintf(text + used, "192.0.2.%02zu,", 10 + used / 11);
	assert_int_equal(hosts_parse(&hosts, view_of(text, used), &options, &err), -EINVAL);
	assert_string_equal(err.text, "pins:1: the host has more than 64 addresses: use prefixes");

	err = ERR_NONE;
	memset(text, ' ', 10000);
	text[9999] = '\n';
	assert_int_equal(hosts_parse(&hosts, view_of(text, 10000), &options, &err), -EINVAL);
	assert_string_equal(err.text, "pins:1: the line is longer than 8192 characters: shorten it");
	err = ERR_NONE;
	assert_int_equal(hosts_parse(&hosts, view_of("192.0.2.1 \0", 11), &options, &err), -EINVAL);
	assert_string_equal(err.text, "pins:1: there is a NUL byte: this is not a text file");
}

/* ---- the room's face ---------------------------------------------------------------------------- */

struct heard {
	unsigned int answers, changes;
	uint64_t question, until_s;
	enum discover_outcome outcome;
	enum discover_trust trust;
	size_t keys;
	char name[DISCOVER_NAME_MAX], reason[256];
};

static void on_answer(void *arg, uint64_t question, const struct hf_addr *addr, const struct discover_answer *answer)
{
	struct heard *heard = arg;

	(void)addr;
	heard->answers++;
	heard->question = question;
	heard->outcome = answer->outcome;
	heard->trust = answer->trust;
	heard->keys = answer->keys;
	heard->until_s = answer->until_s;
	snprintf(heard->name, sizeof(heard->name), "%s", answer->name);
	snprintf(heard->reason, sizeof(heard->reason), "%s", answer->reason);
}

static void on_change(void *arg)
{
	((struct heard *)arg)->changes++;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fputs(text, file) >= 0, 1);
	assert_int_equal(fclose(file), 0);
}

static void ask(struct discover *discover, uint64_t question, const char *address)
{
	struct hf_addr addr;

	assert_int_equal(addr_parse(&addr, address, NULL), 0);
	discover_ask(discover, question, &addr);
}

static void test_pins(void **state)
{
	char path[] = "/tmp/holdfast-test-pins-XXXXXX", text[512];
	struct discover_options options = { .pins = path };
	struct discover_counts counts;
	struct heard heard = { 0 };
	struct discover *discover;
	struct err err = ERR_NONE;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	write_file(path, "192.0.2.0/24 " KEY_A " name=net\n192.0.2.1 " KEY_B " " KEY_C " name=old until=2020-12-31\n"
			 "192.0.2.2 " KEY_B " " KEY_C " name=new until=2500-12-31\n");
	if (discover_open(&discover, &options, NULL, on_answer, on_change, &heard, &err) < 0)
		fail_msg("%s", err.text);
	ask(discover, 41, "192.0.2.2");
	assert_int_equal(heard.answers, 1);
	assert_int_equal(heard.question, 41);
	assert_int_equal(heard.outcome, DISCOVER_KEYS);
	assert_int_equal(heard.trust, TRUST_PIN);
	assert_int_equal(heard.keys, 2);
	assert_true(heard.until_s > 16756000000);
	assert_string_equal(heard.name, "new");
	snprintf(text, sizeof(text), "pinned on %s:3", path);
	assert_string_equal(heard.reason, text);

	/* A host whose own line is over does not fall back to the network's key. */
	ask(discover, 42, "192.0.2.1");
	assert_int_equal(heard.outcome, DISCOVER_FAILED);
	assert_int_equal(heard.keys, 0);
	snprintf(text, sizeof(text), "the pin on %s:2 ended with 2020-12-31", path);
	assert_string_equal(heard.reason, text);

	ask(discover, 43, "198.51.100.1");
	assert_int_equal(heard.outcome, DISCOVER_FAILED);
	assert_string_equal(heard.reason, "no source knows this address");

	write_file(path, "192.0.2.0/24 " KEY_A " name=net\n192.0.2.1 nonsense\n");
	assert_int_equal(discover_reload(discover, &err), -EINVAL);
	assert_int_equal(heard.changes, 0);
	ask(discover, 44, "192.0.2.2");
	assert_string_equal(heard.name, "new");
	write_file(path, "192.0.2.0/24 " KEY_A " name=net\n");
	assert_int_equal(discover_reload(discover, &err), 0);
	assert_int_equal(heard.changes, 1);
	ask(discover, 45, "192.0.2.2");
	assert_string_equal(heard.name, "net");
	assert_int_equal(heard.answers, 5);
	discover_count(discover, &counts);
	assert_int_equal(counts.asked, 5);
	assert_int_equal(counts.keys, 3);
	assert_int_equal(counts.failed, 2);
	assert_int_equal(counts.hosts_pinned, 1);
	discover_close(discover);
	unlink(path);
}

static void test_pins_unreadable(void **state)
{
	struct discover_options options = { .pins = "/nonexistent/pins" };
	struct discover *discover;
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(discover_open(&discover, &options, NULL, on_answer, NULL, NULL, &err), -ENOENT);
	assert_string_equal(err.text,
			    "/nonexistent/pins: cannot be read (No such file or directory): correct the path or "
			    "its permissions");
	err = ERR_NONE;
	options.pins = "/tmp";
	assert_int_equal(discover_open(&discover, &options, NULL, on_answer, NULL, NULL, &err), -EISDIR);
	assert_string_equal(err.text, "/tmp: is not a plain file: correct the path");
}

static int start(void **state)
{
	struct err err = ERR_NONE;

	(void)state;
	return crypto_init(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keytext_both_ways),
		cmocka_unit_test(test_keytext_rsa),
		cmocka_unit_test(test_keytext_mistakes),
		cmocka_unit_test(test_stamps),
		cmocka_unit_test(test_longest_prefix),
		cmocka_unit_test(test_empty_list),
		cmocka_unit_test(test_list_mistakes),
		cmocka_unit_test(test_list_bounds),
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_pins_unreadable),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
