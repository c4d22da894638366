// SPDX-License-Identifier: Apache-2.0
/*
 * The signed directory: every rule of acceptance and every known attack on it, on the listing with a given time. What is on the disk survives
 * or does not, as in a power cut: the test's own fsync and rename end the process at each step.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/own.h"
#include "signed_directory.h"

static char text_memory[1 << 16];
static char signature_memory[MINISIGN_FILE_MAX];

/* ---- a listing under test ------------------------------------------------------------------------ */

static void own_listing(struct listing **listing)
{
	listing_close(*listing);
}

static struct listing *open_with(const char *keys, const char *id, uint64_t now_s)
{
	struct discover_options options = { .directory_key = keys, .directory_id = id, .state_dir = folder };
	struct listing *listing = NULL;
	struct err err = ERR_NONE;

	if (listing_open(&listing, &options, now_s, &err) < 0)
		fail_msg("%s", err.text);
	return listing;
}

static struct listing *open_usual(void)
{
	char key[64];

	return open_with(public_key(key, 1), "test.example", NOW);
}

static void forget_state(void)
{
	unlink(in_folder("directory.state"));
	unlink(in_folder("directory.state.new"));
	unlink(in_folder("clock.state"));
	unlink(in_folder("clock.state.new"));
}

static int offer_signed(struct listing *listing, const struct facts *facts, uint8_t key, uint64_t now_s)
{
	struct view text = directory_text(text_memory, sizeof(text_memory), facts);

	return listing_offer(listing, text, signature_of(signature_memory, key, text), "dir", now_s);
}

static struct facts usual_with_serial(uint64_t serial)
{
	struct facts facts = usual;

	facts.serial = serial;
	return facts;
}

static struct discover_answer ask(const struct listing *listing, bool *said, const char *address, uint64_t now_s)
{
	static char reason[256];
	struct discover_answer answer = { .outcome = DISCOVER_FAILED, .name = "", .reason = reason };
	struct hf_addr addr;

	*reason = '\0';
	assert_int_equal(addr_parse(&addr, address, NULL), 0);
	*said = listing_ask(listing, &answer, reason, sizeof(reason), &addr, now_s);
	return answer;
}

static enum discover_outcome outcome_of(const struct listing *listing, const char *address, uint64_t now_s)
{
	bool said;

	return ask(listing, &said, address, now_s).outcome;
}

#define assert_problem(listing, index, text)                                \
	do {                                                                \
		assert_non_null(listing_problem(listing, index));           \
		assert_string_equal(listing_problem(listing, index), text); \
	} while (0)

/* ---- what is taken ------------------------------------------------------------------------------- */

static void test_accepted(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	struct facts facts = usual;
	struct discover_answer answer;
	bool said;

	(void)state;
	forget_state();
	listing = open_usual();
	answer = ask(listing, &said, "192.0.2.1", NOW);
	assert_true(said);
	assert_int_equal(answer.outcome, DISCOVER_FAILED);
	assert_string_equal(answer.reason, "the directory is not there: it was not read yet");

	facts.complete = "192.0.2.0/25";
	assert_int_equal(offer_signed(listing, &facts, 1, NOW), 1);
	assert_int_equal(offer_signed(listing, &facts, 1, NOW), 0);
	answer = ask(listing, &said, "2001:db8::2", NOW);
	assert_int_equal(answer.outcome, DISCOVER_KEYS);
	assert_int_equal(answer.trust, TRUST_DIRECTORY);
	assert_int_equal(answer.keys, 2);
	assert_string_equal(answer.name, "b.example");
	assert_int_equal(answer.until_s, NOW + 7 * DAY);
	assert_string_equal(answer.reason, "listed on line 10 of directory test.example (serial 42)");
	answer = ask(listing, &said, "192.0.2.3", NOW);
	assert_true(said);
	assert_int_equal(answer.outcome, DISCOVER_NO_KEY);
	assert_string_equal(answer.reason,
			    "directory test.example (serial 42) is complete for 192.0.2.0/25 and does not list it");
	/* Outside of what it is complete for it says nothing, and others may. */
	ask(listing, &said, "192.0.2.200", NOW);
	assert_false(said);
	assert_null(listing_problem(listing, 0));
	assert_int_equal(listing_rejected(listing), 0);
}

static void test_legacy_form(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	struct view text = directory_text(text_memory, sizeof(text_memory), &usual);

	(void)state;
	forget_state();
	listing = open_usual();
	assert_int_equal(listing_offer(listing, text, legacy_signature_of(signature_memory, 1, text), "dir", NOW), 1);
}

static void test_host_until(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	struct facts facts = usual;
	struct discover_answer answer;
	bool said;

	(void)state;
	forget_state();
	listing = open_usual();
	facts.hosts = "192.0.2.1 " KEY_A " until=2026-11-23\n192.0.2.2 " KEY_A " until=2026-11-21\n";
	assert_int_equal(offer_signed(listing, &facts, 1, NOW), 1);
	assert_int_equal(ask(listing, &said, "192.0.2.1", NOW).until_s, 1795478400); /* 2026-11-24T00:00:00Z */
	answer = ask(listing, &said, "192.0.2.2", NOW);
	assert_true(said);
	assert_int_equal(answer.outcome, DISCOVER_FAILED);
	assert_string_equal(answer.reason, "its line 9 in directory test.example (serial 42) ended with 2026-11-21");
	assert_int_equal(outcome_of(listing, "192.0.2.1", 1795478399), DISCOVER_KEYS);
	assert_int_equal(outcome_of(listing, "192.0.2.1", 1795478400), DISCOVER_FAILED);
}

/* ---- what is refused ----------------------------------------------------------------------------- */

/* A good directory is in force; the offer is refused with this reason and changes nothing. */
static void check_refused(struct listing *listing, struct view text, struct view signature, const char *message)
{
	uint64_t rejected = listing_rejected(listing);

	if (listing_offer(listing, text, signature, "dir", NOW) >= 0)
		fail_msg("accepted, instead of: %s", message);
	assert_problem(listing, 0, message);
	assert_int_equal(listing_rejected(listing), rejected + 1);
	assert_int_equal(listing_current(listing)->serial, 42);
	assert_int_equal(outcome_of(listing, "192.0.2.1", NOW), DISCOVER_KEYS);
	/* The next good one clears the problem. */
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 0);
	assert_null(listing_problem(listing, 0));
}

#define WRONG_SIGNATURE \
	"dir.minisig: the signature is wrong: the file or the signature was changed since key 0101010101010101 signed it"
#define NO_SIGNATURE "dir.minisig: this is not a minisign signature: sign the file again"

static void test_signature_attacks(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	char changed[1 << 16], twice[2 * MINISIGN_FILE_MAX];
	struct view text, signature;

	(void)state;
	forget_state();
	listing = open_usual();
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 1);
	text = directory_text(text_memory, sizeof(text_memory), &usual);
	signature = signature_of(signature_memory, 1, text);

	memcpy(changed, text.at, text.len);
	check_refused(listing, view_of(changed, text.len - 1), signature, WRONG_SIGNATURE); /* truncated */
	check_refused(listing, view_of(changed, 0), signature, WRONG_SIGNATURE);
	changed[text.len] = '\n';
	check_refused(listing, view_of(changed, text.len + 1), signature, WRONG_SIGNATURE); /* appended */
	for (size_t at = 0; at < text.len; at += 37) {
		changed[at] ^= 1;
		if (listing_offer(listing, view_of(changed, text.len), signature, "dir", NOW) != -EBADMSG)
			fail_msg("a bit of octet %zu may be changed", at);
		changed[at] ^= 1;
	}
	/* A key that nobody trusts, also when it signs well. */
	check_refused(listing, text, signature_of(twice, 2, text),
		      "dir.minisig: it was signed with key 0202020202020202, which is not trusted here: sign it with a "
		      "trusted key, or add that one");
	/* Two signatures, the good one first or last. */
	memcpy(twice, signature.at, signature.len);
	memcpy(twice + signature.len, signature.at, signature.len);
	check_refused(listing, text, view_of(twice, 2 * signature.len),
		      "dir.minisig: there is more than one signature in it: sign the file again");
	check_refused(listing, text, VIEW_NONE, NO_SIGNATURE);
	for (size_t len = 1; len < signature.len - 1; len += 11)
		assert_true(listing_offer(listing, text, view_of(signature.at, len), "dir", NOW) < 0);
}

/* The trusted comment is covered, and a signature's halves belong together. */
static void test_comment_attacks(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	char changed[MINISIGN_FILE_MAX], *at;
	struct view text, signature;

	(void)state;
	forget_state();
	listing = open_usual();
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 1);
	text = directory_text(text_memory, sizeof(text_memory), &usual);
	signature = signature_of(signature_memory, 1, text);
	memcpy(changed, signature.at, signature.len + 1);
	at = strstr(changed, "a comment");
	assert_non_null(at);
	*at = 'A';
	check_refused(listing, text, view_of(changed, signature.len), WRONG_SIGNATURE);
	/* Another octet in the global signature. */
	memcpy(changed, signature.at, signature.len + 1);
	at = strstr(changed, "a comment") + strlen("a comment\n") + 3;
	*at = *at == 'A' ? 'B' : 'A';
	check_refused(listing, text, view_of(changed, signature.len), WRONG_SIGNATURE);
	/* Prehashed as if it were not, and a form that is none. */
	memcpy(changed, signature.at, signature.len + 1);
	at = strchr(changed, '\n') + 1;
	assert_int_equal(strncmp(at, "RUQ", 3), 0);
	at[1] = 'W'; /* "RWQ": Ed */
	check_refused(listing, text, view_of(changed, signature.len), WRONG_SIGNATURE);
	at[1] = 'X';
	check_refused(listing, text, view_of(changed, signature.len), WRONG_SIGNATURE);
}

static void test_rule_attacks(void **state)
{
	static const struct {
		const char *message;
		struct facts facts;
	} cases[] = {
		{ "dir: its serial 41 is lower than 42, which key 0101010101010101 signed before: somebody puts back an "
		  "old directory, or the serial was not raised",
		  { "test.example", 41, NOW - DAY, NOW + DAY, "192.0.2.0/24", NULL, "192.0.2.1 " KEY_A "\n" } },
		{ "dir: its serial 42 was signed before with another text: raise the serial and sign again",
		  { "test.example", 42, NOW - DAY, NOW + DAY, "192.0.2.0/24", NULL, "192.0.2.1 " KEY_B "\n" } },
		{ "dir: it expired at 2026-11-22T14:39:49Z: sign a new one",
		  { "test.example", 43, NOW - DAY, NOW, "192.0.2.0/24", NULL, "192.0.2.1 " KEY_A "\n" } },
		{ "dir: it was issued in the future (2026-11-22T14:44:50Z): correct this machine's clock or the signer's",
		  { "test.example", 43, NOW + 301, NOW + DAY, "192.0.2.0/24", NULL, "192.0.2.1 " KEY_A "\n" } },
		{ "dir: this is directory other.example, and test.example is configured: bring the right one, or correct "
		  "directory_id",
		  { "other.example", 43, NOW - DAY, NOW + DAY, "192.0.2.0/24", NULL, "192.0.2.1 " KEY_A "\n" } },
		{ "dir:5: it lives longer than 14 days, and so would a stolen key: let it expire earlier and sign more often",
		  { "test.example", 43, NOW, NOW + 14 * DAY + 1, "192.0.2.0/24", NULL, "192.0.2.1 " KEY_A "\n" } },
		{ "dir:5: it expires before it is issued: correct one of the two",
		  { "test.example", 43, NOW, NOW, "192.0.2.0/24", NULL, "192.0.2.1 " KEY_A "\n" } },
		{ "dir:8: 198.51.100.1 lies outside the directory's scope: widen the scope or remove it",
		  { "test.example", 43, NOW, NOW + DAY, "192.0.2.0/24", NULL, "198.51.100.1 " KEY_A "\n" } },
		{ "dir:8: 192.0.0.0/16 lies outside the directory's scope: widen the scope or remove it",
		  { "test.example", 43, NOW, NOW + DAY, "192.0.2.0/24", NULL, "192.0.0.0/16 " KEY_A "\n" } },
		{ "dir:8: ::/0 lies outside the directory's scope: widen the scope or remove it",
		  { "test.example", 43, NOW, NOW + DAY, "0.0.0.0/0", NULL, "::/0 " KEY_A "\n" } },
		{ "dir:8: 192.0.2.1 lies outside the directory's scope: widen the scope or remove it",
		  { "test.example", 43, NOW, NOW + DAY, "::/0", NULL, "192.0.2.1 " KEY_A "\n" } },
		{ "dir:7: 192.0.0.0/16 lies outside the directory's scope: widen the scope or remove it",
		  { "test.example", 43, NOW, NOW + DAY, "192.0.2.0/24", "192.0.0.0/16", "192.0.2.1 " KEY_A "\n" } },
		{ "dir:8: the host has no key: write KIND:BASE64 behind its address, as `holdfast init` prints it there",
		  { "test.example", 43, NOW, NOW + DAY, "192.0.2.0/24", NULL, "192.0.2.1\n" } },
	};
	OWN(own_listing) struct listing *listing = NULL;

	(void)state;
	forget_state();
	listing = open_usual();
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static char memory[4096], signature[MINISIGN_FILE_MAX];
		struct view text = directory_text(memory, sizeof(memory), &cases[i].facts);

		check_refused(listing, text, signature_of(signature, 1, text), cases[i].message);
	}
}

/* The bounds themselves are inside: 14 days, 300 s ahead, one second before the end. */
static void test_bounds_are_inside(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	struct facts facts = usual_with_serial(1);

	(void)state;
	forget_state();
	listing = open_usual();
	facts.issued_s = NOW + 300;
	facts.expires_s = NOW + 300 + 14 * DAY;
	assert_int_equal(offer_signed(listing, &facts, 1, NOW), 1);
	facts.serial = 2;
	facts.issued_s = NOW - DAY;
	facts.expires_s = NOW + 1;
	assert_int_equal(offer_signed(listing, &facts, 1, NOW), 1);
	assert_int_equal(outcome_of(listing, "192.0.2.1", NOW), DISCOVER_KEYS);
	assert_int_equal(outcome_of(listing, "192.0.2.1", NOW + 1), DISCOVER_FAILED);
}

static void test_head_mistakes(void **state)
{
#define HEAD "holdfast-directory 1\n"
#define TIMES "issued 2026-11-22T00:00:00Z\nexpires 2026-11-23T00:00:00Z\n"
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "", "d:1: this is not a directory: its first line must be \"holdfast-directory 1\"" },
		{ "192.0.2.1 " KEY_A "\n",
		  "d:1: this is not a directory: its first line must be \"holdfast-directory 1\"" },
		{ "holdfast-directory 2\n", "d:1: \"holdfast-directory 2\" is another format than this program's, "
					    "\"holdfast-directory 1\": use a newer holdfast, or sign for this one" },
		{ HEAD, "d:2: the text ends where id is expected: write id NAME" },
		{ HEAD "serial 1\n", "d:2: \"serial\" stands where id is expected: write id NAME" },
		{ HEAD "id\n", "d:2: id takes one word: write id NAME" },
		{ HEAD "id a b\n", "d:2: id takes one word: write id NAME" },
		{ HEAD "id a/b\n", "d:2: \"a/b\" is no id: use letters, digits, -, . and _" },
		{ HEAD "# comment\n\nid a\nserial x\n",
		  "d:5: \"x\" is no serial: write a whole number, one higher than the last" },
		{ HEAD "id a\nserial 0\n", "d:3: the serial must be 1 or more: write serial NUMBER" },
		{ HEAD "id a\nserial 01\n",
		  "d:3: \"01\" is no serial: write a whole number, one higher than the last" },
		{ HEAD "id a\nserial 18446744073709551616\n",
		  "d:3: \"18446744073709551616\" is no serial: write a whole number, one higher than the last" },
		{ HEAD "id a\nserial 1\nissued today\n", "d:4: \"today\" is not a time: write YYYY-MM-DDTHH:MM:SSZ" },
		{ HEAD "id a\nserial 1\n" TIMES "192.0.2.1 " KEY_A "\n",
		  "d:6: \"192.0.2.1\" stands where scope is expected: write scope PREFIX[,PREFIX...]" },
		{ HEAD "id a\nserial 1\n" TIMES "scope 192.0.2.1/24\n",
		  "d:6: \"192.0.2.1/24\" has bits set behind its /24: write the network address" },
		{ HEAD "id a\nserial 1\n" TIMES "scope 192.0.2.0/24,\n", "d:6: \"\" is not an IPv4 or IPv6 address" },
		{ HEAD "id a\nserial 1\n" TIMES "scope ::/0\nid b\n", "d:7: \"id\" is not an IPv4 or IPv6 address" },
		{ HEAD "id a\nserial 1\n" TIMES "scope ::/0\ncomplete ::/0\ncomplete ::/0\n",
		  "d:8: \"complete\" is not an IPv4 or IPv6 address" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct directory *directory;
		struct err err = ERR_NONE;

		if (directory_parse(&directory, view_of(cases[i].text, strlen(cases[i].text)), "d", &err) == 0)
			fail_msg("accepted: %s", cases[i].text);
		assert_string_equal(err.text, cases[i].message);
	}
}

static void test_too_large(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	OWN_FREE char *large = malloc(DIRECTORY_OCTETS_MAX + 1);
	struct view text = directory_text(large, 4096, &usual);

	(void)state;
	forget_state();
	listing = open_usual();
	memset(large + text.len, '\n', DIRECTORY_OCTETS_MAX + 1 - text.len);
	text.len = DIRECTORY_OCTETS_MAX + 1;
	assert_int_equal(listing_offer(listing, text, signature_of(signature_memory, 1, text), "dir", NOW), -EFBIG);
	assert_problem(listing, 0, "dir: is larger than 8388608 octets: make several directories");
	text.len--;
	assert_int_equal(listing_offer(listing, text, signature_of(signature_memory, 1, text), "dir", NOW), 1);
}

/* ---- time ---------------------------------------------------------------------------------------- */

static void test_expiry(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	struct discover_answer answer;
	struct facts facts = usual;
	bool said;

	(void)state;
	forget_state();
	listing = open_usual();
	facts.issued_s = NOW;
	facts.expires_s = NOW + 10 * DAY;
	facts.complete = "192.0.2.0/24";
	assert_int_equal(offer_signed(listing, &facts, 1, NOW), 1);
	assert_false(listing_tick(listing, NOW + 5 * DAY - 1));
	assert_null(listing_problem(listing, 0));
	assert_false(listing_tick(listing, NOW + 5 * DAY));
	assert_problem(listing, 0,
		       "directory test.example has lived more than half of its life, it expires at "
		       "2026-12-02T14:39:49Z: sign a new one");
	assert_int_equal(outcome_of(listing, "192.0.2.1", NOW + 10 * DAY - 1), DISCOVER_KEYS);
	assert_true(listing_tick(listing, NOW + 10 * DAY));
	assert_problem(listing, 0,
		       "directory test.example expired at 2026-12-02T14:39:49Z: no new connection gets a key from it: "
		       "sign a new one and bring it here");
	answer = ask(listing, &said, "192.0.2.1", NOW + 10 * DAY);
	assert_true(said);
	assert_int_equal(answer.outcome, DISCOVER_FAILED);
	assert_string_equal(answer.reason, "directory test.example expired at 2026-12-02T14:39:49Z");
	/* It no longer proves that somebody has no key. */
	answer = ask(listing, &said, "192.0.2.99", NOW + 10 * DAY);
	assert_true(said);
	assert_int_equal(answer.outcome, DISCOVER_FAILED);
	/* A new one opens it again. */
	facts.serial = 43;
	facts.issued_s += 10 * DAY;
	facts.expires_s += 10 * DAY;
	assert_int_equal(offer_signed(listing, &facts, 1, NOW + 10 * DAY), 1);
	assert_int_equal(outcome_of(listing, "192.0.2.1", NOW + 10 * DAY), DISCOVER_KEYS);
	assert_null(listing_problem(listing, 0));
}

static void test_clock_back(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	char key[64], expected[512];
	struct facts facts = usual;

	(void)state;
	forget_state();
	listing = open_usual();
	facts.issued_s = NOW - 6 * DAY;
	assert_int_equal(offer_signed(listing, &facts, 1, NOW), 1);
	/* A day is a correction. */
	listing_tick(listing, NOW - DAY);
	assert_int_equal(outcome_of(listing, "192.0.2.1", NOW - DAY), DISCOVER_KEYS);
	assert_true(listing_tick(listing, NOW - DAY - 1));
	assert_int_equal(outcome_of(listing, "192.0.2.1", NOW - DAY - 1), DISCOVER_FAILED);
	snprintf(
		expected, sizeof(expected),
		"the clock says 2026-11-21T14:39:48Z, but it was 2026-11-22T14:39:49Z before, so nobody knows what has "
		"expired: correct the clock; if it is right now, remove %s/clock.state and restart the agent",
		folder);
	assert_problem(listing, 0, expected);
	/* Nothing new is taken either: it may have expired. */
	facts.serial = 43;
	assert_int_equal(offer_signed(listing, &facts, 1, NOW - DAY - 1), -ETIME);
	/* Also not by a restart. */
	listing_close(TAKE(listing));
	listing = open_with(public_key(key, 1), NULL, NOW - 365 * DAY);
	assert_int_equal(listing_current(listing)->serial, 42);
	assert_int_equal(outcome_of(listing, "192.0.2.1", NOW - 365 * DAY), DISCOVER_FAILED);
	/* The clock is right again. */
	assert_true(listing_tick(listing, NOW + 1));
	assert_int_equal(outcome_of(listing, "192.0.2.1", NOW + 1), DISCOVER_KEYS);
	assert_null(listing_problem(listing, 0));
}

/* ---- restarts, signing keys ---------------------------------------------------------------------- */

static void test_restart(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	struct facts older = usual_with_serial(41);

	(void)state;
	forget_state();
	listing = open_usual();
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 1);
	listing_close(TAKE(listing));
	/* Known at once, without its source. */
	listing = open_usual();
	assert_null(listing_problem(listing, 0));
	assert_int_equal(outcome_of(listing, "192.0.2.1", NOW), DISCOVER_KEYS);
	assert_int_equal(offer_signed(listing, &older, 1, NOW), -ESTALE);
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 0);
	listing_close(TAKE(listing));
	/* Years later: known, but nobody gets a key. */
	listing = open_usual();
	listing_tick(listing, NOW + 400 * DAY);
	assert_int_equal(listing_current(listing)->serial, 42);
	assert_int_equal(outcome_of(listing, "192.0.2.1", NOW + 400 * DAY), DISCOVER_FAILED);
}

/* A stolen signing key signs the highest serial there is; a new signing key starts again at 1. */
static void test_fast_forward(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	struct facts highest = usual_with_serial(UINT64_MAX), fresh = usual_with_serial(1);
	char keys[256], key[64];

	(void)state;
	forget_state();
	snprintf(keys, sizeof(keys), "%s\n", public_key(key, 1));
	listing = open_with(keys, NULL, NOW);
	assert_int_equal(offer_signed(listing, &highest, 1, NOW), 1);
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), -ESTALE);
	listing_close(TAKE(listing));
	/* Roll-over: both keys are trusted for a while. */
	snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys), "untrusted comment: new\n%s\n", public_key(key, 2));
	listing = open_with(keys, NULL, NOW);
	assert_int_equal(listing_current(listing)->serial, UINT64_MAX);
	assert_int_equal(offer_signed(listing, &fresh, 2, NOW), 1);
	listing_close(TAKE(listing));
	/* Then only the new one: what the old one signs is nothing any more, and its mark is in nobody's way. */
	listing = open_with(public_key(key, 2), NULL, NOW);
	assert_int_equal(listing_current(listing)->serial, 1);
	assert_int_equal(offer_signed(listing, &highest, 1, NOW), -EBADMSG);
	fresh.serial = 2;
	assert_int_equal(offer_signed(listing, &fresh, 2, NOW), 1);
	listing_close(TAKE(listing));
	/* The old key's mark is still there should it come back. */
	listing = open_with(keys, NULL, NOW);
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), -ESTALE);
}

/* The copy on the disk is not believed without a signature by a key of today. */
static void test_withdrawn_signer(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	char key[64];

	(void)state;
	forget_state();
	listing = open_usual();
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 1);
	listing_close(TAKE(listing));
	listing = open_with(public_key(key, 2), NULL, NOW);
	assert_null(listing_current(listing));
	assert_int_equal(outcome_of(listing, "192.0.2.1", NOW), DISCOVER_FAILED);
}

/* ---- the disk ------------------------------------------------------------------------------------ */

static void test_state_lost(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	char expected[512];

	(void)state;
	forget_state();
	listing = open_usual();
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 1);
	listing_close(TAKE(listing));
	assert_int_equal(unlink(in_folder("directory.state")), 0);
	listing = open_usual();
	snprintf(expected, sizeof(expected),
		 "%s/directory.state is gone, so an old directory that is put back would not be noticed: find out who "
		 "removed it",
		 folder);
	assert_problem(listing, 0, expected);
	/* From the first one on it holds again. */
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 1);
	assert_int_equal(offer_signed(listing,
				      &(struct facts){ usual.id, 41, usual.issued_s, usual.expires_s, usual.scope, NULL,
						       usual.hosts },
				      1, NOW),
			 -ESTALE);
	listing_close(TAKE(listing));

	write_octets_to(in_folder("directory.state"), view_of("holdfast-ledger 1\nmark 12", 25));
	listing = open_usual();
	snprintf(
		expected, sizeof(expected),
		"%s/directory.state: is damaged: so an old directory that is put back would not be noticed: find out who "
		"changed it",
		folder);
	assert_problem(listing, 0, expected);
	assert_null(listing_current(listing));
}

/* No part of a ledger is read as a whole one, and none crashes the reader. */
static void test_ledger_truncated(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	static char memory[1 << 16];
	FILE *file;
	size_t len;

	(void)state;
	forget_state();
	listing = open_usual();
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 1);
	file = fopen(in_folder("directory.state"), "r");
	assert_non_null(file);
	len = fread(memory, 1, sizeof(memory), file);
	fclose(file);
	assert_true(len > 500);
	for (size_t part = 0; part < len; part += 7) {
		write_octets_to(in_folder("directory.state"), view_of(memory, part));
		listing_close(TAKE(listing));
		listing = open_usual();
		assert_null(listing_current(listing));
		assert_non_null(listing_problem(listing, 0));
	}
}

/* A disk that takes nothing: the directory is used, which may withdraw a key, and the operator hears of it. */
static void test_state_unwritable(void **state)
{
	OWN(own_listing) struct listing *listing = NULL;
	char expected[512];

	(void)state;
	forget_state();
	/* Root may write anywhere, but not into a folder of the same name. */
	assert_int_equal(mkdir(in_folder("directory.state.new"), 0700), 0);
	listing = open_usual();
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 1);
	snprintf(expected, sizeof(expected),
		 "%s/directory.state.new: cannot be written (Is a directory): make room or correct the permissions",
		 folder);
	assert_problem(listing, 0, expected);
	assert_int_equal(outcome_of(listing, "192.0.2.1", NOW), DISCOVER_KEYS);
	assert_true(listing_wants_more(listing));
	assert_int_equal(offer_signed(listing,
				      &(struct facts){ usual.id, 41, usual.issued_s, usual.expires_s, usual.scope, NULL,
						       usual.hosts },
				      1, NOW),
			 -ESTALE);
	/* Written as soon as it can be. */
	assert_int_equal(rmdir(in_folder("directory.state.new")), 0);
	assert_int_equal(offer_signed(listing, &usual, 1, NOW), 0);
	assert_null(listing_problem(listing, 0));
	assert_false(listing_wants_more(listing));
	assert_int_equal(access(in_folder("directory.state"), F_OK), 0);
}

/* ---- power cuts ---------------------------------------------------------------------------------- */

static int steps_left = -1; /* calls of fsync, rename and write until the power goes; negative = never */

static void step(void)
{
	if (steps_left == 0)
		_exit(9);
	steps_left -= steps_left > 0;
}

/* These stand before libc's. */
int fsync(int fd)
{
	step();
	return (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
	step();
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

ssize_t write(int fd, const void *octets, size_t len)
{
	/* Half of it reaches the disk. */
	if (steps_left == 0)
		syscall(SYS_write, fd, octets, len / 2);
	step();
	return syscall(SYS_write, fd, octets, len);
}

static void test_power_cuts(void **state)
{
	struct facts newer = usual_with_serial(43);
	unsigned int old = 0, fresh = 0;
	bool finished = false;

	(void)state;
	for (int steps = 0; steps < 50 && !finished; steps++) {
		struct listing *listing;
		uint64_t serial;
		int status;
		pid_t pid;

		forget_state();
		listing = open_usual();
		assert_int_equal(offer_signed(listing, &usual, 1, NOW), 1);
		listing_close(listing);
		fflush(NULL);
		pid = fork();
		if (pid == 0) {
			listing = open_usual();
			steps_left = steps;
			offer_signed(listing, &newer, 1, NOW + 7200);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		finished = WEXITSTATUS(status) == 0;
		listing = open_usual();
		if (listing_problem(listing, 0))
			fail_msg("after %d steps: %s", steps, listing_problem(listing, 0));
		serial = listing_current(listing)->serial;
		assert_true(serial == 42 || serial == 43);
		old += serial == 42;
		fresh += serial == 43;
		/* The mark and the copy are of one instant: what is in force cannot be undercut. */
		assert_int_equal(offer_signed(listing,
					      &(struct facts){ usual.id, serial - 1, usual.issued_s, usual.expires_s,
							       usual.scope, NULL, usual.hosts },
					      1, NOW),
				 -ESTALE);
		assert_int_equal(offer_signed(listing, &newer, 1, NOW + 7200), serial == 42);
		listing_close(listing);
	}
	assert_true(finished);
	assert_true(old >= 3 && fresh >= 2);
}

/* ---- keys of the configuration ------------------------------------------------------------------- */

static void test_key_mistakes(void **state)
{
	static const struct {
		const char *key, *message;
	} cases[] = {
		{ NULL, "a directory needs directory_key, the minisign public key that signs it: set it" },
		{ "", "directory_key: there is no minisign public key in it" },
		{ "nonsense",
		  "directory_key: \"nonsense\" is not a minisign public key: copy the line that begins with RW from "
		  "the .pub file" },
		{ "/nonexistent/key.pub",
		  "/nonexistent/key.pub: cannot be read (No such file or directory): correct the path or its permissions" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct discover_options options = { .directory_key = cases[i].key };
		struct listing *listing;
		struct err err = ERR_NONE;

		assert_true(listing_open(&listing, &options, NOW, &err) < 0);
		assert_string_equal(err.text, cases[i].message);
	}
}

static int start(void **state)
{
	struct err err = ERR_NONE;

	return crypto_init(&err) < 0 ? -1 : make_folder(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),	  cmocka_unit_test(test_legacy_form),
		cmocka_unit_test(test_host_until),	  cmocka_unit_test(test_signature_attacks),
		cmocka_unit_test(test_comment_attacks),	  cmocka_unit_test(test_rule_attacks),
		cmocka_unit_test(test_bounds_are_inside), cmocka_unit_test(test_head_mistakes),
		cmocka_unit_test(test_too_large),	  cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_clock_back),	  cmocka_unit_test(test_restart),
		cmocka_unit_test(test_fast_forward),	  cmocka_unit_test(test_withdrawn_signer),
		cmocka_unit_test(test_state_lost),	  cmocka_unit_test(test_ledger_truncated),
		cmocka_unit_test(test_state_unwritable),  cmocka_unit_test(test_power_cuts),
		cmocka_unit_test(test_key_mistakes),
	};

	return cmocka_run_group_tests(tests, start, remove_folder);
}
