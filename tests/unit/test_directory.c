// SPDX-License-Identifier: Apache-2.0
/*
 * The signed directory: every rule of acceptance and every known attack on it, on the listing with a given time. What the disk does to it is in
 * test_directory_state.c.
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
#include "signed_directory.h"

static char text_memory[1 << 16];
static char signature_memory[MINISIGN_FILE_MAX];

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
		cmocka_unit_test(test_clock_back),	  cmocka_unit_test(test_key_mistakes),
	};

	return cmocka_run_group_tests(tests, start, remove_folder);
}
